"""Lock files: every package of one Airflow on one Python, with its hashes.

Pure: the text goes to uv and comes from it elsewhere (tasks/pin.py).
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

# glibc 2.28 is RHEL 8 and Debian 10. The pins for x86_64 and aarch64 come out the same (tried with
# every lock that ships), and uv lists the hashes of all files of a release: one lock serves both.
PLATFORM = "x86_64-manylinux_2_28"

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_VERSION = r"[0-9]{1,4}\.[A-Za-z0-9.*+]+"
_REQUIREMENT = re.compile(rf"{_NAME}(\[[A-Za-z0-9._, -]*\])?\s*([<>=!~][A-Za-z0-9.!+*<>=~, -]*)?")
_PIN = re.compile(rf"({_NAME})(?:\[[^\]]*\])?==([^\s;]+)\s*(?:;.*)?")
_HASH = re.compile(r"\s--hash=([a-z0-9]+:[0-9a-f]+)")


@dataclass(frozen=True)
class Request:
    """What a lock is wanted for.

    `date` (YYYY-MM-DD) leaves out what was uploaded after the end of that day, UTC. `constraints` is a file or a URL,
    as the operator typed it. `extras` and `packages` come on top of what the version gets anyway.
    """

    version: str = "3.3.2"
    python: str = "3.11"
    date: str = ""
    constraints: str = ""
    extras: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    distribution: str = DISTRIBUTION

    def __post_init__(self) -> None:
        """Raise AerodromeError for what is malformed: all of it goes to uv and into the header."""
        _expect("version", self.version, _VERSION, "3.3.2")
        _expect("python", self.python, r"3\.[0-9]{1,2}", "3.11")
        _expect("distribution", self.distribution, _NAME, DISTRIBUTION)
        for extra in self.extras:
            _expect("extra", extra, _NAME, "amazon")
        for package in self.packages:
            # Not shown: what is no requirement may be a URL with a login.
            if not _REQUIREMENT.fullmatch(package):
                raise AerodromeError("--package: a name and a version are wanted, such as pandas==2.2.3")
        if self.date:
            try:
                valid = datetime.date.fromisoformat(self.date).isoformat() == self.date
            except ValueError:
                valid = False
            if not valid:
                raise AerodromeError(f"--date={self.date}: no such day; write it as 2026-09-18")
        if re.search(r"[\x00-\x1f]", self.constraints):
            raise AerodromeError("--constraints: a path or a URL is wanted, in one line")
        if re.match(r"[a-z+]+://[^/]*@", self.constraints):
            raise AerodromeError(
                "--constraints: the URL holds a login, which would stand in the lock file",
                "fetch the file yourself and give its path",
            )


@dataclass(frozen=True)
class Lock:
    """What a lock file says: each package's version by its normalized name, without markers."""

    pins: Mapping[str, str]
    hashed: bool  # every pin has at least one hash


def release(version: str) -> str:
    """Return the release that a version is of: `1.10.10` of `1.10.10.*`, which is how other distributions count."""
    return ".".join(version.split(".")[:3])


def lock_name(distribution: str, version: str, python: str) -> str:
    """Return the name of a lock file in `locks/`: `airflow-3.3.2-py3.11.txt`."""
    short = "airflow" if distribution == DISTRIBUTION else distribution
    return f"{short}-{version.replace('*', 'x')}-py{python}.txt"


def requirements(request: Request) -> list[str]:
    """Return what uv gets to resolve, a requirement a line."""
    default = EXTRAS.get(int(request.version.split(".")[0]), EXTRAS[3])
    extras = ",".join(dict.fromkeys((*default, *request.extras)))
    beside = EXCLUDED if request.constraints else COMPANIONS
    companions = beside.get(request.version, ()) if request.distribution == DISTRIBUTION else ()
    return [f"{request.distribution}[{extras}]=={request.version}", *companions, *request.packages]


def uv_argv(python: str, request: Request) -> list[str]:
    """Return the command that resolves what it reads on stdin and writes the pins to stdout.

    `python` is the interpreter that has uv as a module; it also builds what tells its requirements
    in no other way. uv keeps the pins of an output file that is there already, which is why it gets
    none: the same request must give the same lock.
    """
    argv = [python, "-m", "uv", "pip", "compile", "-", "--python", python, "--no-python-downloads"]
    argv += ["--generate-hashes", "--python-version", request.python, "--python-platform", PLATFORM]
    if request.date:
        # A bare date would end at midnight of this machine's time zone.
        argv += ["--exclude-newer", f"{request.date}T23:59:59Z"]
        if request.distribution != DISTRIBUTION:
            # Few indexes beside the public one tell upload times; what has none counts as too new. What is exempt is
            # named with its version: by the request, and Airflow itself by the distribution.
            exempt = (request.distribution, DISTRIBUTION)
            argv += [word for name in exempt for word in ("--exclude-newer-package", f"{name}=false")]
    if request.constraints:
        argv += ["--constraints", request.constraints]
    # An index of the company's own is often signed by a CA that only the system knows.
    argv += ["--system-certs", "--no-header", "--no-annotate"]
    # uv.toml may ask for these; they can hold a login, or a path of this machine.
    return [*argv, "--no-emit-index-url", "--no-emit-find-links"]


def fab_command(request: Request) -> str:
    """Return what makes this lock again."""
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
    """Return the extras that a lock of ours was made for, by its header; None where it has no such line."""
    found = re.search(rf"^# Requirement: {_NAME}\[([^\]]*)\]==", text, re.MULTILINE)
    return tuple(found[1].split(",")) if found else None


def parse(text: str) -> Lock:
    """Read a lock file, ours or the operator's.

    Raises AerodromeError for a line that is no pin (it is not shown: an index URL may hold a
    login), and for a package that is locked twice.
    """
    pins: dict[str, str] = {}
    hashed = True
    for number, line in _logical_lines(text):
        if line.startswith("-"):
            option = re.sub("[^a-z-].*", "", line)
            raise AerodromeError(
                f"lock file, line {number}: {option} has no place in a lock",
                "an index is set in hosts.yaml: airflow.index_url, airflow.extra_index_url",
            )
        found = _PIN.fullmatch(re.split(r"\s--hash=", line)[0])
        if not found:
            raise AerodromeError(
                f"lock file, line {number}: not a pin such as name==1.2.3",
                "make the lock with fab pin, uv pip compile or pip-compile",
            )
        name = re.sub(r"[-_.]+", "-", found[1]).lower()  # PEP 503
        if pins.setdefault(name, found[2]) != found[2]:
            raise AerodromeError(
                f"lock file, line {number}: {name} is locked twice, to {pins[name]} and {found[2]}",
                "make a lock for each Python version",
            )
        hashed = hashed and bool(_HASH.search(line))
    return Lock(pins, hashed and bool(pins))


@cache
@cache
def digest(text: str) -> str:
    """Return the first 12 hex digits of the SHA-256 of what a lock installs, comments left out."""
    lines = sorted(" ".join(line.split()) for _, line in _logical_lines(text))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def explain(request: Request, errors: str) -> AerodromeError:
    """Turn uv's last words into an error of one line, and its hint where it has one."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    noise = ("hint: ", "warning: ", "Using ", "Resolved ", "^")
    words = [line for line in lines if not line.startswith(noise)]
    # First what failed, on what; and the root cause, which is its last line.
    words = [re.sub(r"^(error|cause): ", "", line) for line in dict.fromkeys([*words[:2], *words[-1:]])]
    hint = next((line.removeprefix("hint: ") for line in lines if line.startswith("hint: ")), "")
    if "exclude-newer" in hint:
        hint = f"{hint.partition(' Consider ')[0]} Give a later --date."
    if "could not be parsed" in errors:
        hint = (
            f"write what it should say as [[dependency-metadata]] into locks/{release(request.version)}/uv.toml,"
            " as locks/1.10.10/uv.toml has it; or make the lock with pip and name it in airflow.lock"
        )
    if any(line.startswith("Failed to fetch") for line in words):
        hint = hint or "is there a network? UV_DEFAULT_INDEX names another index, UV_INDEX one beside it"
    for wanted in EXCLUDED.get(request.version, ()):
        package, *excluded = re.split(",?!=", wanted)
        if request.constraints and any(re.search(rf"{package}=={bad}\b", line) for line in words for bad in excluded):
            hint = f"with that version no task runs: change it in the constraints file to fit {wanted}"
    return AerodromeError(f"uv cannot lock {request.distribution} {request.version}: {'; '.join(words)}", hint)


def _logical_lines(text: str) -> list[tuple[int, str]]:
    """Return lines and where each begins, continuations joined, comments left out."""
    found: list[tuple[int, str]] = []
    continued = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = re.sub(r"(^|\s)#.*", "", line).strip()
        part = bare.removesuffix("\\").strip()
        if continued:
            found[-1] = (found[-1][0], f"{found[-1][1]} {part}")
        else:
            found.append((number, part))
        continued = bare.endswith("\\")
    return [(number, line.strip()) for number, line in found if line.strip()]


def _expect(name: str, value: str, pattern: str, example: str) -> None:
    if not re.fullmatch(pattern, value):
        raise AerodromeError(f"--{name}={value!r}: such as {example} is wanted")
