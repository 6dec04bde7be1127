"""What somebody set up by hand after the guide."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.core.resource import Change, Seen
from aerodrome.resources.files import Found, put_back, set_attributes
from aerodrome.resources.takeover import PutAside, Superseded
from tests.unit.make import ME, MY_GROUP, Shell, plain

MIGRATES = "ExecStartPre=/home/astro/airflow-venv/bin/airflow upgradedb"
OVERRIDE = Superseded("/etc/systemd/system/ac@scheduler.service.d/override.conf", (("[Service]", MIGRATES),))
HEAD = "regular file|root|root|644\n"


@pytest.mark.parametrize(
    "text",
    [
        f"[Service]\n{MIGRATES}\n",
        f"[Service]\n{MIGRATES}",
        # what `systemctl edit` of systemd 249 leaves around it
        f"### Editing override.conf\n\n ; a note\n[Service]\n  {MIGRATES}\n\n### Lines below this comment\n# [Unit]\n",
    ],
)
def test_the_guides_own_dropin_is_removed(text: str) -> None:
    assert plain(OVERRIDE.changes(Seen(HEAD + text))) == [
        Change(
            "remove /etc/systemd/system/ac@scheduler.service.d/override.conf, which ours replaces",
            "rm -f /etc/systemd/system/ac@scheduler.service.d/override.conf\nsystemctl daemon-reload",
            f"-[Service]\n-{MIGRATES}",
        )
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[Service]\n",
        f"[Service]\n{MIGRATES}\nLimitNOFILE=4096\n",
        f"[Service]\nEnvironment=A=b\n{MIGRATES}\n",
        f"[Service]\n{MIGRATES.replace('astro', 'other')}\n",
        f"[Service]\n{MIGRATES.replace('=', '=-', 1)}\n",
        f"[Unit]\n{MIGRATES}\n",
        f"{MIGRATES}\n[Service]\n",
    ],
)
def test_a_dropin_that_says_anything_else_is_left_alone(text: str) -> None:
    assert OVERRIDE.changes(Seen(HEAD + text)) == []


def test_where_there_is_no_dropin_nothing_is_removed() -> None:
    assert OVERRIDE.changes(Seen("")) == []


def test_a_dropin_is_removed_and_then_needs_nothing(sh: Shell, tmp_path: Path) -> None:
    path = tmp_path / "it's.conf"
    path.write_text(f"[Service]\n{MIGRATES}\n")
    resource = Superseded(str(path), OVERRIDE.texts)
    (change,) = resource.changes(Seen(sh(resource.probe()).stdout.decode()))
    assert sh(f"set -eu\n{change.script}", programs={"systemctl": f"echo \"$@\" >'{tmp_path}/log'"}).returncode == 0
    assert (path.exists(), (tmp_path / "log").read_text()) == (False, "daemon-reload\n")
    assert resource.changes(Seen(sh(resource.probe()).stdout.decode())) == []


def test_what_was_put_aside_is_roots_alone(sh: Shell, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.by-hand", "it's.by-hand", "link.by-hand")]
    aside = PutAside(tuple(map(str, paths)))
    programs = {"stat": f'echo asked >>{tmp_path}/log; exec /usr/bin/stat "$@"'}
    assert sh(aside.probe(), programs=programs).stdout == b""
    assert not (tmp_path / "log").exists()
    paths[0].touch(0o600)
    paths[1].touch(0o644)
    paths[2].symlink_to("/etc/passwd")
    owner = f"{ME}:{MY_GROUP}"
    text = sh(aside.probe()).stdout.decode()
    assert text == f"{owner} 600 {paths[0]}\n{owner} 644 {paths[1]}\n"
    text = text.replace(owner, "root:root")
    assert plain(aside.changes(Seen(text))) == [
        Change(
            f"own {paths[1]} root:root 0600",
            set_attributes(str(paths[1]), "root", "root", 0o600),
            attributes=True,
        )
    ]
    assert [len(aside.changes(Seen(text))) for text in ("", f"astro:astro 600 {paths[0]}\n", "root:root 600 /x\n")] == [
        0,
        1,
        0,
    ]


def test_the_guides_own_dropin_comes_back() -> None:
    text = f"[Service]\n{MIGRATES}\n"
    (change,) = OVERRIDE.changes(Seen(HEAD + text))
    found = Found("regular file", "root", "root", 0o644, text)
    assert change.undo == put_back(OVERRIDE.path, found, Found(), "systemctl daemon-reload")
