from pathlib import Path

from lab import nspawn
from lab.layout import Layout, host_spec
from lab.nspawn import Boot

FOLDER = Path("/var/lib/aerodrome-lab/demo/hosts/db1")


def test_mount_command() -> None:
    assert nspawn.mount_command(FOLDER, "/images/bookworm-1") == [
        "mount",
        "-t",
        "overlay",
        "overlay",
        "-o",
        f"lowerdir=/images/bookworm-1,upperdir={FOLDER}/upper,workdir={FOLDER}/work",
        f"{FOLDER}/root",
    ]


def test_boot_command() -> None:
    binds = ["/opt/python3.7"]
    command = nspawn.boot_command(Layout("demo"), host_spec("db1"), FOLDER / "root", binds)
    assert command == [
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        f"--directory={FOLDER}/root",
        "--machine=demo-11",
        "--hostname=db1",
        "--network-bridge=aero-demo",
        "--resolv-conf=off",
        "--console=pipe",
        "--suppress-sync=yes",
        "--bind=/var/cache/aerodrome-lab/uv:/var/cache/uv",
        "--bind=/var/cache/aerodrome-lab/pip:/var/cache/pip",
        "--bind-ro=/opt/python3.7",
        "--boot",
    ]


def test_detached_enters_the_groups_and_boots_again_after_133() -> None:
    groups = [Path("/cg/systemd/a"), Path("/cg/unified/a")]
    assert nspawn.detached(groups, ["systemd-nspawn", "--boot"]) == [
        "setsid",
        "--fork",
        "sh",
        "-c",
        "until sh -c 'mkdir -p /cg/systemd/a; echo $$ >/cg/systemd/a/cgroup.procs; "
        "mkdir -p /cg/unified/a; echo $$ >/cg/unified/a/cgroup.procs; "
        'exec "$@"\' lab "$@"; [ $? -ne 133 ]; do :; done',
        "lab",
        "systemd-nspawn",
        "--boot",
    ]


def test_enter_command_has_an_environment_of_its_own() -> None:
    assert nspawn.enter_command(4711, "id -u; true") == [
        "nsenter",
        "--target=4711",
        "--all",
        "setpriv",
        "--pdeathsig",
        "KILL",
        "env",
        "-i",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/root",
        "LANG=C.UTF-8",
        "sh",
        "-c",
        "id -u; true",
    ]


def test_a_host_keeps_what_it_has_under_a_newer_image_of_its_suite(tmp_path: Path) -> None:
    old = tmp_path / "bookworm-1"
    old.mkdir()
    assert Boot(str(old)).fits(Boot(str(tmp_path / "bookworm-2")))
    assert not Boot(str(old)).fits(Boot(str(tmp_path / "trixie-1")))
    assert not Boot(str(tmp_path / "bookworm-0")).fits(Boot(str(tmp_path / "bookworm-2")))
