"""Fernet keys of a host that was set up by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.checks.keys import FoundKeys
from aerodrome.secrets import Secret
from tests.unit.make import Shell

OURS, OTHER, THIRD = ("O" * 43 + "=", "a-_" + "A" * 40 + "=", "T" * 43 + "=")
OPENSSL = "+/" + "x" * 41 + "="  # as `openssl rand -base64 32` makes one
KEY = "AIRFLOW__CORE__FERNET_KEY"


def found_keys(folder: Path | str = "/etc", known: str = OURS) -> FoundKeys:
    return FoundKeys(f"{folder}/default", f"{folder}/airflow.cfg", KEY, Secret(known), "astro")


def foreign(text: str, known: str = OURS) -> list[str]:
    return [key.reveal() for finding in found_keys(known=known).judge(text) for key in finding.keys]


@pytest.mark.parametrize(
    "text, keys",
    [
        ("", []),
        (f"{OURS}\n", []),
        (f"{OTHER}\n", [OTHER]),
        (f' "{OTHER}" \n', [OTHER]),
        (f"'{OTHER}'\n", [OTHER]),
        (f"{OTHER},{OURS}, {THIRD}\n", [OTHER, THIRD]),
        # in the environment file, and another in airflow.cfg
        (f'"{OTHER}"\n {THIRD}\n{OTHER}\n', [OTHER, THIRD]),
        (f"{OPENSSL}\n", [OPENSSL]),
        # what no Airflow could have used
        ("\n\n", []),
        ("{FERNET_KEY}\n$KEY\nhunter2\n", []),
        (f"{OTHER}{OTHER}\nx{OTHER}\n", []),
    ],
)
def test_keys_that_the_fleet_does_not_have(text: str, keys: list[str]) -> None:
    assert foreign(text) == keys


def test_keys_that_were_adopted_are_known() -> None:
    assert foreign(f"{OTHER},{THIRD}\n", known=f"{OURS},{OTHER},{THIRD}") == []


def test_keys_are_not_shown() -> None:
    (finding,) = found_keys().judge(f"{OTHER}\n")
    assert finding.verdict == "refused"
    assert finding.detail == "the host has its own Fernet keys, which the fleet does not know"
    assert OTHER not in f"{finding!r}{finding.keys}"


def test_the_probe_of_keys_as_a_whole() -> None:
    assert found_keys("/it's").probe() == (
        "marked=; [ ! -f '/it'\"'\"'s/default' ] || while read -r line; do case $line in\n"
        "*'Written by Aerodrome'*) marked=1; break ;; esac; done <'/it'\"'\"'s/default'\n"
        '[ -n "$marked" ] || { '
        "head -c 4194304 '/it'\"'\"'s/default' | sed -n 's/^[[:space:]]*AIRFLOW__CORE__FERNET_KEY[[:space:]]*=//p'; "
        "runuser -u astro -- timeout 10 head -c 4194304 '/it'\"'\"'s/airflow.cfg' 3<&- 9<&- | "
        "sed -n 's/^[[:space:]]*fernet_key[[:space:]]*=//p'; }"
    )


@pytest.mark.parametrize(
    "environment, config, keys",
    [
        (None, None, []),
        (f"PATH=/bin\n{KEY}={OTHER}\n", None, [OTHER]),
        (f' {KEY} = "{OTHER},{THIRD}"\n', None, [OTHER, THIRD]),
        (f"#{KEY}={OTHER}\nX{KEY}={OTHER}\n{KEY}_CMD={OTHER}\n", None, []),
        # Without the key in its environment, Airflow has taken the one that it wrote into airflow.cfg.
        ("PATH=/bin\n", f"[core]\nfernet_key = {OTHER}\n", [OTHER]),
        (None, f"[core]\nfernet_key={OTHER}\n# fernet_key = {THIRD}\n", [OTHER]),
        (f"{KEY}={THIRD}\n", f"[core]\nfernet_key = {OTHER}\n", [THIRD, OTHER]),
        # Ours already: the key of airflow.cfg is in no use.
        (f"# Written by Aerodrome\n{KEY}={THIRD}\n", f"[core]\nfernet_key = {OTHER}\n", []),
    ],
)
def test_keys_in_real_files(
    sh: Shell, tmp_path: Path, environment: str | None, config: str | None, keys: list[str]
) -> None:
    for name, text in (("default", environment), ("airflow.cfg", config)):
        if text is not None:
            (tmp_path / name).write_text(text)
    # As the probe of a host runs it: nothing of it is said on stderr.
    done = sh(f"exec 2>/dev/null\n{found_keys(tmp_path).probe()}", programs={"runuser": 'shift 3; exec "$@"'})
    assert foreign(done.stdout.decode()) == keys
