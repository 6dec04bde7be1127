"""Lock files: every package for one Airflow on one Python, with hashes.

Pure: tasks/pin.py exchanges the text with uv.
"""

from __future__ import annotations

import datetime
import hashlib
import re
import shlex
from collections.abc import Mapping
from functools import cache

from aerodrome.catalogue.packages import COMPANIONS, DISTRIBUTION, EXCLUDED, EXTRAS
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError

# glibc 2.28 is RHEL 8 and Debian 10. The pins for x86_64 and aarch64 are the same (tried with every
# shipped lock), and uv lists the hashes of all files of a release: one lock serves both.
PLATFORM = "x86_64-manylinux_2_28"

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"[0-9]{1,4}\.[A-Za-z0-9.*+]+"
_REQUIREMENT = re.compile(rf"{_NAME}(\[[A-Za-z0-9._, -]*\])?\s*([<>=!~][A-Za-z0-9.!+*<>=~, -]*)?")
_PIN = re.compile(rf"({_NAME})(?:\[[^\]]*\])?==([^\s;]+)\s*(?:;.*)?")
_HASH = re.compile(r"\s--hash=([a-z0-9]+:[0-9a-f]+)")
_COMMENT = re.compile(r"(^|\s)#.*")


@dataclass(frozen=True)
class Request:
    """A request for a lock file.

    `date` (YYYY-MM-DD) excludes uploads after the end of that day, UTC. `constraints` is a file or a URL, as the
    operator typed it. `extras` and `packages` are added to the version's defaults.
    """

    version: str = "3.3.2"
    python: str = "3.11"
    date: str = ""
    constraints: str = ""
    extras: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    distribution: str = DISTRIBUTION

    def __post_init__(self) -> None:
        """Raise AerodromeError for malformed values: all of them go to uv and into the header."""
        _expect("version", self.version, _VERSION, "3.3.2")
        _expect("python", self.python, r"3\.[0-9]{1,2}", "3.11")
        _expect("distribution", self.distribution, _NAME, DISTRIBUTION)
        for extra in self.extras:
            _expect("extra", extra, _NAME, "amazon")
        for package in self.packages:
            # Not shown: an invalid requirement may be a URL with a login.
            if not _REQUIREMENT.fullmatch(package):
                raise AerodromeError("--package: expected a name and a version, such as pandas==2.2.3")
        if self.date:
            try:
                valid = datetime.date.fromisoformat(self.date).isoformat() == self.date
            except ValueError:
                valid = False
            if not valid:
                raise AerodromeError(f"--date={self.date}: not a date; write it as 2026-09-18")
        if re.search(r"[\x00-\x1f]", self.constraints):
            raise AerodromeError("--constraints: expected a path or URL on one line")
        if re.match(r"[a-z+]+://[^/]*@", self.constraints):
            raise AerodromeError(
                "--constraints: the URL contains a login, which would end up in the lock file",
                "download the file and pass its path",
            )


@dataclass(frozen=True)
class Lock:
    """The content of a lock file: package versions by normalized name, without markers."""

    pins: Mapping[str, str]
    hashed: bool  # every pin has at least one hash


def release(version: str) -> str:
    """Return the release of a version: `1.10.10` for `1.10.10.*`, as other distributions number theirs."""
    return ".".join(version.split(".")[:3])


def lock_name(distribution: str, version: str, python: str) -> str:
    """Return the name of a lock file in `locks/`: `airflow-3.3.2-py3.11.txt`."""
    short = "airflow" if distribution == DISTRIBUTION else distribution
    return f"{short}-{version.replace('*', 'x')}-py{python}.txt"


def requirements(request: Request) -> list[str]:
    """Return the requirements that uv resolves, one per line."""
    default = EXTRAS.get(int(request.version.split(".")[0]), EXTRAS[3])
    extras = ",".join(dict.fromkeys((*default, *request.extras)))
    beside = EXCLUDED if request.constraints else COMPANIONS
    companions = beside.get(request.version, ()) if request.distribution == DISTRIBUTION else ()
    return [f"{request.distribution}[{extras}]=={request.version}", *companions, *request.packages]


def uv_argv(python: str, request: Request) -> list[str]:
    """Return the command that resolves requirements from stdin and writes the pins to stdout.

    `python` is the interpreter that has uv as a module; it also builds packages whose requirements
    cannot be read otherwise. uv keeps the pins of an existing output file, so it gets none: the same
    request must give the same lock.
    """
    argv = [python, "-m", "uv", "pip", "compile", "-", "--python", python, "--no-python-downloads"]
    argv += ["--generate-hashes", "--python-version", request.python, "--python-platform", PLATFORM]
    if request.date:
        # A bare date would end at midnight of this machine's time zone.
        argv += ["--exclude-newer", f"{request.date}T23:59:59Z"]
        if request.distribution != DISTRIBUTION:
            # Few indexes besides the public one give upload times; without one, a file counts as too new. The exempt
            # packages have fixed versions: from the request, and Airflow's own from the distribution.
            exempt = (request.distribution, DISTRIBUTION)
            argv += [word for name in exempt for word in ("--exclude-newer-package", f"{name}=false")]
    if request.constraints:
        argv += ["--constraints", request.constraints]
    # A company's own index is often signed by a CA that only the system knows.
    argv += ["--system-certs", "--no-header", "--no-annotate"]
    # uv.toml may enable these; they can contain a login, or a path on this machine.
    return [*argv, "--no-emit-index-url", "--no-emit-find-links"]


def fab_command(request: Request) -> str:
    """Return the command that creates this lock again."""
    options = [("version", request.version), ("python", request.python)]
    if request.distribution != DISTRIBUTION:
        options.append(("distribution", request.distribution))
    options += [("date", request.date)] if request.date else []
    options += [("constraints", request.constraints)] if request.constraints else []
    options += [("extra", extra) for extra in request.extras]
    options += [("package", package) for package in request.packages]
    return " ".join(["fab pin", *(f"--{name}={shlex.quote(value)}" for name, value in options)])


def header(request: Request) -> str:
    """Return the comment at the top of a lock file."""
    name = "Airflow" if request.distribution == DISTRIBUTION else request.distribution
    lines = [f"Packages of {name} {request.version} on Python {request.python}, Linux"]
    lines += [f"Requirement: {line}" for line in requirements(request)]
    if request.date:
        lines.append(f"Uploaded until: the end of {request.date}, UTC")
    if request.constraints:
        lines.append(f"Constraints: {request.constraints}")
    lines.append(f"Made by: {fab_command(request)}")
    return "".join(f"# {line}\n" for line in lines)


def extras_of(text: str) -> tuple[str, ...] | None:
    """Return the extras in the header of one of our locks, or None if it has no such line."""
    found = re.search(rf"^# Requirement: {_NAME}\[([^\]]*)\]==", text, re.MULTILINE)
    return tuple(found[1].split(",")) if found else None


def parse(text: str) -> Lock:
    """Read a lock file, ours or the operator's.

    Raises AerodromeError for a line that is not a pin (not shown: an index URL may contain a login),
    and for a package that is pinned twice.
    """
    pins: dict[str, str] = {}
    hashed = True
    for number, line in _logical_lines(text):
        if line.startswith("-"):
            option = re.sub("[^a-z-].*", "", line)
            raise AerodromeError(
                f"lock file, line {number}: {option} is not allowed in a lock file",
                "set the package index in hosts.yaml: airflow.index_url, airflow.extra_index_url",
            )
        found = _PIN.fullmatch(re.split(r"\s--hash=", line)[0])
        if not found:
            raise AerodromeError(
                f"lock file, line {number}: not a pin such as name==1.2.3",
                "create the lock file with fab pin, uv pip compile or pip-compile",
            )
        name = re.sub(r"[-_.]+", "-", found[1]).lower()  # PEP 503
        if pins.setdefault(name, found[2]) != found[2]:
            raise AerodromeError(
                f"lock file, line {number}: {name} is pinned twice, to {pins[name]} and {found[2]}",
                "create one lock file per Python version",
            )
        hashed = hashed and bool(_HASH.search(line))
    return Lock(pins, hashed and bool(pins))


@cache
@cache
def digest(text: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of a lock's content without comments."""
    lines = sorted(" ".join(line.split()) for _, line in _logical_lines(text))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def explain(request: Request, errors: str) -> AerodromeError:
    """Turn the end of uv's output into a one-line error, with uv's hint if there is one."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    noise = ("hint: ", "warning: ", "Using ", "Resolved ", "^")
    words = [line for line in lines if not line.startswith(noise)]
    # First what failed, and on what; then the root cause, which is the last line.
    words = [re.sub(r"^(error|cause): ", "", line) for line in dict.fromkeys([*words[:2], *words[-1:]])]
    hint = next((line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")), "")
    if "exclude-newer" in hint:
        hint = f"{hint.partition(' Consider ')[0]} Use a later --date."
    if "could not be parsed" in errors:
        hint = (
            f"add the right metadata as [[dependency-metadata]] to locks/{release(request.version)}/uv.toml,"
            " as in locks/1.10.10/uv.toml; or create the lock file with pip and set airflow.lock"
        )
    if any(line.startswith("Failed to fetch") for line in words):
        hint = hint or "is there a network? UV_DEFAULT_INDEX sets another index, UV_INDEX an additional one"
    for wanted in EXCLUDED.get(request.version, ()):
        package, *excluded = re.split(",?!=", wanted)
        if request.constraints and any(re.search(rf"{package}=={bad}\b", line) for line in words for bad in excluded):
            hint = f"no task runs with that version: change the constraints file to satisfy {wanted}"
    return AerodromeError(f"uv cannot lock {request.distribution} {request.version}: {'; '.join(words)}", hint)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Return lines and their numbers, with continuations joined and comments removed."""
    found: list[tuple[int, str]] = []
    first, parts = 0, list[str]()
    for number, line in enumerate([*text.splitlines(), ""], 1):
        # Looking first saves most of the time: a lock has thousands of lines of hashes, and few comments.
        bare = (_COMMENT.sub("", line) if "#" in line else line).strip()
        first = first if parts else number
        parts.append(bare.removesuffix("\\").strip())
        if not bare.endswith("\\"):
            found.append((first, " ".join(parts).strip()))
            parts = []
    return [(number, line) for number, line in found if line]


def _expect(name: str, value: str, pattern: str, example: str) -> None:
    if not re.fullmatch(pattern, value):
        raise AerodromeError(f"--{name}={value!r}: expected something like {example}")
