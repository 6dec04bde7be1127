"""Lock files: pin every package of an Airflow, with hashes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.tasks import task

if TYPE_CHECKING:
    from aerodrome.lockfile import Request

LOCKS = Path(__file__).resolve().parent.parent / "locks"


@task(
    iterable=["extra", "package"],
    auto_shortflags=False,
    help={
        "version": "of Airflow: 3.3.2",
        "python": "the nodes' Python version: 3.11",
        "date": "exclude uploads after that day, UTC (default: the tested day, or else today)",
        "constraints": "stay within a constraints file (path or URL)",
        "extra": "an additional Airflow extra: amazon (repeatable)",
        "package": "an additional package: pandas==2.2.3 (repeatable)",
        "distribution": "the package that provides Airflow",
        "output": "the file to write (default: where deploy looks for it, in locks/)",
        "force": "overwrite a lock file that ships with Aerodrome",
    },
)
def pin(
    context: Any,
    version: str = "3.3.2",
    python: str = "3.11",
    date: str = "",
    constraints: str = "",
    extra: Any = None,  # Invoke passes a list; with a default of (), it would split a value into letters
    package: Any = None,
    distribution: str = "apache-airflow",
    output: str = "",
    force: bool = False,
) -> None:
    """Pin every package of an Airflow version, with hashes, in a lock file.

    The file is written to locks/, where deploy finds it by version and Python. With --output, name it in hosts.yaml
    yourself (airflow.lock). UV_INDEX and UV_DEFAULT_INDEX in the environment select other package indexes.

    Examples:
      fab pin --version=2.10.5 --python=3.12
      fab pin --extra=amazon --package=pandas==2.2.3 --output=locks/mine.txt
      fab pin --version=2.10.5 --constraints=constraints.txt    # only versions that this file allows
    """
    from aerodrome.lockfile import Request

    request = Request(
        version=version,
        python=python,
        date=date or ("" if constraints else _day(version)),
        constraints=constraints,
        extras=tuple(extra or ()),
        packages=tuple(package or ()),
        distribution=distribution,
    )
    _check(request)
    _pin(request, output, force)


def _pin(request: Request, output: str, force: bool) -> None:
    import os

    from aerodrome.controller.files import expand
    from aerodrome.errors import AerodromeError
    from aerodrome.lockfile import digest, header, lock_name, parse
    from aerodrome.report.terminal import say

    name = lock_name(request.distribution, request.version, request.python)
    path = Path(expand(output, "--output: ")) if output else LOCKS / name
    before = _read(path)
    if before and not output and not force:
        _refuse_shipped(request, path)
    text = header(request) + _compile(request)
    made = parse(text)
    if not made.hashed:
        raise AerodromeError("the index has no hashes for some packages: a lock without them protects nothing")
    if text != before:
        _write(path, text)
    change = "unchanged" if text == before else "written"
    say(f"{os.path.relpath(path)}: {change}, {len(made.pins)} packages, {digest(text)}")


def _read(path: Path) -> str | None:
    """Return a lock file's content, or None if there is none yet."""
    from aerodrome.controller.files import read_text

    return read_text(path, "--output: ") if path.exists() else None


def _refuse_shipped(request: Request, path: Path) -> None:
    """Refuse to replace a lock file that Aerodrome was tested with: deploy would install different packages."""
    import os

    from aerodrome.catalogue.packages import DATES, DISTRIBUTION
    from aerodrome.errors import AerodromeError
    from aerodrome.lockfile import release

    if request.distribution == DISTRIBUTION and release(request.version) in DATES:
        raise AerodromeError(
            f"{os.path.relpath(path)} ships with Aerodrome and was tested with it",
            "write your own with --output=locks/mine.txt and name it in hosts.yaml (airflow.lock: locks/mine.txt),"
            " or replace it with --force",
        )


def _day(version: str) -> str:
    """Return the date that a version was tested with, or else today."""
    import datetime

    from aerodrome.catalogue.packages import DATES
    from aerodrome.lockfile import release

    return DATES.get(release(version)) or datetime.datetime.now(datetime.UTC).date().isoformat()


def _check(request: Request) -> None:
    """Refuse a Python that this Airflow does not run on; uv would lock it anyway."""
    from aerodrome.catalogue.version import catalogue
    from aerodrome.errors import AerodromeError

    try:
        known = catalogue(request.version)
    except KeyError:
        raise AerodromeError(f"--version={request.version}: Airflow 1.10, 2 and 3 are supported") from None
    if request.python not in known.pythons:
        raise AerodromeError(
            f"Airflow {request.version} does not run on Python {request.python}",
            f"it runs on {', '.join(known.pythons)}",
        )


def _compile(request: Request) -> str:
    """Run uv and return the pins that it found; its warnings are passed on."""
    import dataclasses
    import importlib.util
    import subprocess
    import sys

    from aerodrome.errors import AerodromeError
    from aerodrome.lockfile import explain, requirements, uv_argv
    from aerodrome.report.terminal import say

    if importlib.util.find_spec("uv") is None:
        raise AerodromeError("uv is not installed alongside fab", "pip install -r requirements.txt")
    asked = dataclasses.replace(request, constraints=_absolute(request.constraints))
    with _folder(request) as folder:
        done = subprocess.run(
            uv_argv(sys.executable, asked),
            input="".join(f"{line}\n" for line in requirements(request)),
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode:
        raise explain(request, done.stderr)
    for line in done.stderr.splitlines():
        if line.startswith("warning: "):
            say(line)
    return done.stdout


@contextmanager
def _folder(request: Request) -> Iterator[Path]:
    """Yield the directory that uv runs in: the current one, or one with the uv.toml that the version needs.

    uv reads a uv.toml there in addition to the user's own; one passed by name would replace the user's own.
    """
    import shutil
    import tempfile

    from aerodrome.lockfile import release

    settings = LOCKS / release(request.version) / "uv.toml"
    if not settings.exists():
        yield Path.cwd()
        return
    # Not in locks/ itself: inside a Python project such as this one, uv reads only the uv.toml of its top directory.
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(settings, folder)
        yield Path(folder)


def _absolute(constraints: str) -> str:
    """Return an absolute path; a URL stays as it is."""
    from aerodrome.controller.files import expand
    from aerodrome.errors import AerodromeError

    if not constraints or "://" in constraints:
        return constraints
    path = Path(expand(constraints, "--constraints: ")).absolute()
    if not path.is_file():
        raise AerodromeError(f"--constraints={constraints}: no such file")
    return str(path)


def _write(path: Path, text: str) -> None:
    """Write a file atomically: a killed run leaves either the old or the new one."""
    import os
    import tempfile

    from aerodrome.errors import AerodromeError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(handle, 0o644)  # mkstemp creates it with 0600
                os.fsync(handle)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise AerodromeError(f"{path} cannot be written: {error.strerror}") from None
