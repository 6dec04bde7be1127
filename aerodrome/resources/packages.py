"""The distribution's packages, installed by apt or dnf."""

from __future__ import annotations

from aerodrome.core.resource import WAITING, Change, Seen, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError

# NEEDRESTART_SUSPEND: Ubuntu's needrestart must not restart services behind our back.
APT_ENVIRONMENT = "export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1"
# DPkg::Lock::Timeout: in case somebody takes dpkg's lock after we have looked (apt 1.9.11). It covers neither dpkg
# itself nor the locks of apt's lists and downloads, which apt-daily.service holds at boot.
# Pattern-Only: a name that no package has, such as python3.12, is not treated as a regular expression (apt 2.0).
APT = "apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold -o APT::Cmd::Pattern-Only=true"
# Wait until nobody holds a lock of dpkg or apt, and report the holder. They are fcntl(2) locks, which /proc/locks
# lists with process and inode (proc_locks(5)); the process's open files show which file the inode is.
APT_LOCKS = "/var/lib/dpkg/lock-frontend /var/lib/dpkg/lock /var/lib/apt/lists/lock /var/cache/apt/archives/lock"
APT_WAITS = 600  # seconds
_APT_FREE = f"""\
apt_holder() {{
  inodes=" $(stat -c %i {APT_LOCKS} 2>/dev/null | tr '\\n' ' ')"
  while read -r _ kind _ _ pid file _; do
    case $kind$inodes in POSIX*" ${{file##*:}} "*) ;; *) continue ;; esac
    for path in {APT_LOCKS}; do
      for open in /proc/"$pid"/fd/*; do
        [ "$open" -ef "$path" ] && echo "$(cat /proc/"$pid"/comm 2>/dev/null) (pid $pid) to release $path" && return
      done
    done
  done </proc/locks
}}
apt_free() {{
  waited=0 last=
  while holder=$(apt_holder) && [ -n "$holder" ]; do
    [ "$holder" = "$last" ] || echo "{WAITING}$holder"
    [ $waited -lt {APT_WAITS} ] || {{ echo "waited {APT_WAITS // 60} minutes for $holder" >&2; exit 1; }}
    last=$holder waited=$((waited + 1))
    sleep 1
  done
}}"""
# dnf itself waits for its lock.
DNF = "dnf -y --setopt=install_weak_deps=False"


@dataclass(frozen=True)
class Packages:
    """Installed packages, with their names for each package manager."""

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
            # A package that provides a name may have another name: Fedora's postgresql-server is postgresql16-server.
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
                "there is neither apt-get nor dnf",
                f"install these packages by hand, then run again: {' '.join(self.apt)}",
            )
        return [Change(f"install {', '.join(missing)}", script)] if missing else []

    def _apt(self, missing: list[str]) -> str:
        install = f"{APT} install --no-install-recommends {' '.join(quote(name) for name in missing)} </dev/null"
        settle = "dpkg --configure -a </dev/null"  # what a killed run left half done
        return (
            f"{APT_ENVIRONMENT}\n{_APT_FREE}\napt_free\n"
            # Again, in case somebody took a lock after the look.
            f"{settle} || {{ apt_free; {settle}; }}\napt_free\n"
            # The lists are fetched only if they are missing or too old to find a package.
            f"{install} || {{\napt_free\n"
            # If some lists cannot be fetched, the package may still be found. Errors are reported only if it is not:
            # update exits with 0 even if it could not fetch a list, and apt then only says that no such package exists.
            f"troubles=$({APT} update </dev/null 2>&1 | grep '^[EW]: ' | tail -n 4 | head -c 2000)\n"
            f"{install} || {{ status=$?; "
            '[ -z "$troubles" ] || printf \'apt-get update could not fetch all lists:\\n%s\\n\' "$troubles" >&2; '
            "exit $status; }; }"
        )

    def _dnf(self, missing: list[str]) -> str:
        install = f"install {' '.join(quote(name) for name in missing)} </dev/null"
        # dnf's metadata about its repositories may be two days old (metadata_expire).
        return f"{DNF} {install} || {DNF} --refresh {install}"
