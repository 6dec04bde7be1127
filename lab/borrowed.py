"""Settings that hosts copy from this machine, so that they reach the package registries in the same way."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterable
from pathlib import Path

from lab.shell import run

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"  # on the machine and on the hosts: both are Debian

# mmdebstrap hooks. Certificates added on the machine are added to the image the Debian way (OpenSSL
# looks them up by hash); last comes the bundle, which may contain more of them.
TRUST_HOOKS = (
    'cp -rT /usr/local/share/ca-certificates "$1"/usr/local/share/ca-certificates',
    'chroot "$1" update-ca-certificates',
    f'cp {CERTIFICATES} "$1"{CERTIFICATES}',
)

_APT_SETTINGS = re.compile(r"Acquire::(https?|Check|ForceIPv|Retries|Max-FutureTime)", re.I)
_PIP_SETTINGS = ("index-url", "extra-index-url", "proxy", "timeout", "trusted-host")
_MIRRORS = {
    "Debian": "http://deb.debian.org/debian",
    "Debian-Security": "http://deb.debian.org/debian-security",
}


def certificates() -> bytes:
    """Return the certificates that this machine trusts."""
    return Path(CERTIFICATES).read_bytes()


def apt_conf() -> str:
    """Return how apt reaches its registry on this machine: proxies, checks."""
    dump = run(["apt-config", "dump", "--no-empty", "--format", '%F "%v";%n', "Acquire"])
    return only_reaching(dump.stdout)


def only_reaching(dump: str) -> str:
    """Return only the apt settings about reaching a registry."""
    lines = [line for line in dump.splitlines() if _APT_SETTINGS.match(line)]
    return "".join(f"{line}\n" for line in lines)


def apt_sources(suite: str) -> list[str]:
    """Return the lines of sources.list, with the mirrors that this machine uses."""
    form = "$(ORIGIN)|$(LABEL)|$(REPO_URI)"
    targets = run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    return source_lines(suite, targets.stdout)


def source_lines(suite: str, targets: str) -> list[str]:
    """Return the lines of sources.list: Debian's own mirrors, unless apt's targets name others."""
    mirrors = dict(_MIRRORS)
    for line in targets.splitlines():
        origin, label, uri = line.split("|")
        if origin == "Debian" and label in mirrors:
            mirrors[label] = uri.rstrip("/")
    return [
        f"deb {mirrors['Debian']} {suite} main",
        f"deb {mirrors['Debian']} {suite}-updates main",
        f"deb {mirrors['Debian-Security']} {suite}-security main",
    ]


def pip_settings() -> dict[str, str]:
    """Return how pip reaches its registry on this machine."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read("/etc/pip.conf")
    found = {key: parser.get("global", key, fallback="") for key in _PIP_SETTINGS}
    # The hosts do not have this machine's directories.
    return {key: value for key, value in found.items() if value and "file:" not in value}


def resolv_conf() -> str:
    """Return a resolv.conf that works from another address.

    systemd-resolved listens only on the machine's loopback; its upstream servers are listed in
    /run/systemd/resolve/resolv.conf (systemd-resolved.service(8)).
    """
    real = Path("/run/systemd/resolve/resolv.conf")
    here = Path("/etc/resolv.conf").read_text()
    return real.read_text() if on_loopback(here.splitlines()) and real.exists() else here


def on_loopback(lines: Iterable[str]) -> bool:
    """Tell whether a resolv.conf names only servers on loopback."""
    servers = [line.split()[1] for line in lines if re.match(r"nameserver\s+\S", line)]
    return bool(servers) and all(server.startswith("127.") for server in servers)
