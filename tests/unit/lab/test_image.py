from pathlib import Path

from lab import image


def test_command_installs_the_bare_base_and_downloads_the_rest() -> None:
    command = image.command("bookworm", Path("/t"), Path("/a.conf"), ["deb http://m bookworm main"])
    hooks = [part for part in command if part.startswith("--customize-hook=")]
    assert [part for part in command if part not in hooks] == [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "mmdebstrap",
        "--variant=minbase",
        "--include=systemd,systemd-sysv,dbus,openssh-server,sudo,python3,iproute2,ca-certificates,procps",
        "--aptopt=/a.conf",
        "--skip=cleanup/apt",
        "bookworm",
        "/t",
        "deb http://m bookworm main",
    ]
    downloads = [hook for hook in hooks if "--download-only" in hook]
    assert downloads == [
        '--customize-hook=chroot "$1" apt-get install -q -y --install-recommends --download-only '
        "python3-venv python3-dev python3-pip gcc g++ libpq-dev postgresql redis-server acl rsync "
        "curl"
    ]


def test_the_suite_is_in_the_images_name() -> None:
    assert image.suite_of("/var/cache/aerodrome-lab/trixie-0a1b2c3d") == "trixie"
    assert image.suite_of("bookworm-") == "bookworm"
