"""A Redis does not move under its clients."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.checks.redis import RedisInUse
from tests.unit.make import Shell

CONFIG = "# Written by Aerodrome: the broker of airflow.\nbind 10.0.0.5\nport 6379\nprotected-mode yes\n"
# As ss 6.1 prints them: a worker's two connections, and one over IPv6.
PEERS = """\
0      0      10.0.0.5:6379      10.0.0.4:51234
0      0      10.0.0.5:6379      10.0.0.4:51236
0      0      [::ffff:10.0.0.5]:6379      [::ffff:10.0.0.2]:40000
"""


def asked(sh: Shell, folder: Path, check: RedisInUse, config: str = CONFIG) -> str:
    (folder / "redis.conf").write_text(config)
    script = check.probe().replace("/etc/airflow-redis.conf", f"{folder}/redis.conf")
    return sh(script, programs={"ss": f'echo "$*" >&2; cat <<END\n{PEERS}END'}).stdout.decode()


def in_use(address: str = "10.0.0.5", port: int = 6379, halts: bool = False) -> RedisInUse:
    return RedisInUse("/etc/airflow-redis.conf", address, port, halts)


def test_one_that_stays_is_not_asked_for_its_clients(sh: Shell, tmp_path: Path) -> None:
    assert asked(sh, tmp_path, in_use()) == ""
    assert asked(sh, tmp_path, in_use(port=6380), config="") == ""
    assert sh(in_use(port=6380).probe()).stdout == b""  # no Redis of ours yet
    assert in_use().judge("") == []


@pytest.mark.parametrize(
    "check, wanted, hint",
    [
        (in_use(port=6380), "10.0.0.5 port 6380", "run fab deploy for the whole fleet"),
        (in_use("0.0.0.0"), "0.0.0.0 port 6379", "run fab stop --role=scheduler,worker"),  # noqa: S104
        (in_use("0.0.0.0", halts=True), "0.0.0.0 port 6379", "run fab stop --role=scheduler,worker"),  # noqa: S104
    ],
)
def test_one_that_moves_under_its_clients_is_refused(
    sh: Shell, tmp_path: Path, check: RedisInUse, wanted: str, hint: str
) -> None:
    answer = asked(sh, tmp_path, check)
    assert answer == f"10.0.0.5 6379\n{PEERS}"
    (finding,) = check.judge(answer)
    assert finding.verdict == "refused"
    assert finding.detail == (
        f"Redis would restart to listen on {wanted} instead of 10.0.0.5 port 6379, and running tasks would lose their "
        "broker: 10.0.0.4, 10.0.0.2 are connected"
    )
    assert finding.hint.startswith(hint)


def test_one_whose_clients_halt_first_may_move(sh: Shell, tmp_path: Path) -> None:
    check = in_use(port=6380, halts=True)
    assert check.judge(asked(sh, tmp_path, check)) == []


def test_one_without_clients_may_move() -> None:
    assert in_use(port=6380).judge("10.0.0.5 6379\n") == []


def test_what_a_host_says_is_bounded() -> None:
    peers = "".join(f"0 0 10.0.0.5:6379 10.0.1.{number}:1\n" for number in range(200))
    (finding,) = in_use(port=6380).judge(f"10.0.0.5 6379\n{peers}")
    assert finding.detail.endswith("10.0.1.7 and 192 more are connected")
