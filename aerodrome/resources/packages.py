"""Packages of the distribution, by apt or dnf."""

from __future__ import annotations

from dataclasses import dataclass

from aerodrome.errors import AerodromeError
from aerodrome.resources.base import Change, Seen, quote

# DPkg::Lock::Timeout: wait for unattended-upgrades instead of failing (apt 1.9.11).
# NEEDRESTART_SUSPEND: Ubuntu's needrestart must not restart services behind our back.
APT_ENVIRONMENT = "export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1"
# Pattern-Only: a name that no package has, such as python3.12, is not taken for a regular expression (apt 2.0).
APT = "apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold -o APT::Cmd::Pattern-Only=true"
# dnf waits for its lock by itself.
DNF = "dnf -y --setopt=install_weak_deps=False"


@dataclass(frozen=True)
class Packages:
    """Packages that are installed, with their names for each package manager."""

    apt: tuple[str, ...]
    dnf: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"packages {' '.join(self.apt)}"

    def probe(self) -> str:
        apt, dnf = (" ".join(quote(name) for name in names) for names in (self.apt, self.dnf))
        return (
            "if command -v apt-get >/dev/null; then echo apt; "
            f"dpkg-query -W -f '${{Package}} ${{db:Status-Status}}\\n' {apt} 2>/dev/null; "
            "elif command -v dnf >/dev/null; then echo dnf; "
            # What provides a name may be called otherwise: Fedora's postgresql-server is postgresql16-server.
            f'for name in {dnf}; do rpm -q --whatprovides "$name" >/dev/null 2>&1 && echo "$name installed"; done; fi'
        )

    def changes(self, seen: Seen) -> list[Change]:
        manager, *lines = seen.text.splitlines() or [""]
        installed = {line.split()[0] for line in lines if line.endswith(" installed")}
        if manager == "apt":
            missing = [name for name in self.apt if name not in installed]
            script = self._apt(missing)
        elif manager == "dnf":
            missing = [name for name in self.dnf if name not in installed]
            script = self._dnf(missing)
        else:
            raise AerodromeError(
                "neither apt-get nor dnf is there",
                f"install these packages by hand, then run again: {' '.join(self.apt)}",
            )
        return [Change(f"install {', '.join(missing)}", script)] if missing else []

    def _apt(self, missing: list[str]) -> str:
        install = f"{APT} install --no-install-recommends {' '.join(quote(name) for name in missing)} </dev/null"
        return (
            f"{APT_ENVIRONMENT}\n"
            "dpkg --configure -a </dev/null\n"  # what a killed run left half done
            # The lists are fetched only where they are missing or too old to find a package.
            f"{install} || {{ {APT} update </dev/null && {install}; }}"
        )

    def _dnf(self, missing: list[str]) -> str:
        install = f"install {' '.join(quote(name) for name in missing)} </dev/null"
        # What dnf knows of its repositories may be two days old (metadata_expire).
        return f"{DNF} {install} || {DNF} --refresh {install}"
