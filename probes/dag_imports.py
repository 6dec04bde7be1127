"""Import every DAG file with the Airflow of the Python that runs this: in a sandbox, each file in a process of its own.

Nothing here is a barrier against a DAG: it runs in a process of the same user. The sandbox is, and whoever reads the
answer does not trust it.
"""

import contextlib
import ctypes
import importlib
import inspect
import json
import os
import pathlib
import re
import resource
import select
import signal
import sys
import time
from typing import IO, Any, Callable, Optional

from probes.failure import first_line

# Files of AIRFLOW_HOME that no DAG needs, and that hold settings or secrets.
HIDDEN = ("airflow.cfg", "airflow.db", "logs", "unittests.cfg", "webserver_config.py")
STAND_IN = "0"  # the value of an Airflow variable that a DAG asks for while it is imported
MOST_STAND_INS = 20  # for one file
# How an error names the variable or connection that is missing.
MISSING = re.compile(
    r"Variable ([\w.-]{1,100}) (?:does not exist|not found)|The conn_id [`']([\w.-]{1,100})[`'] isn't defined"
)
DUMPABLE = 4  # PR_SET_DUMPABLE of prctl(2)
LARGEST = 1 << 16  # bytes of the answer of the process that imports a file


def main(
    folder: str,
    home: str,
    environment: "dict[str, str]",
    seconds: int,
    total: int,
    megabytes: int,
    longest: int,
    classic: bool,
) -> None:
    """Print in one line of JSON how many DAGs and files there are, and the last line of each file's error.

    A file may take `seconds` and `megabytes`, and all of them `total` seconds; an error has `longest` characters at
    most. The file that is being imported is named on stderr. `home` is the AIRFLOW_HOME whose modules DAGs import.
    `classic` is for Airflow 1.10.
    """
    end = time.monotonic() + total
    # So that processes of the same user can write neither to its memory nor to its open files (proc(5)).
    ctypes.CDLL(None).prctl(DUMPABLE, 0)
    answer, progress = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(2), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # Airflow, its warnings and DAGs print whatever they like
        os.dup2(nothing, stream)
    try:
        prepare(folder, home, environment)
        if classic:
            make_tables()
        load = Loader(folder, serializes=not classic)
        found = import_all(load, sorted(set(find_files(folder))), end, progress, Limits(seconds, megabytes, longest))
    except Exception as error:
        found = {"failed": first_line(error)[:longest]}
    answer.write(json.dumps(found) + "\n")
    answer.close()


def prepare(folder: str, home: str, environment: "dict[str, str]") -> None:
    """Set the environment, and link what is in `home` into an AIRFLOW_HOME of this run's own."""
    os.environ.update(environment)
    own = os.environ["AIRFLOW_HOME"]
    os.makedirs(own, exist_ok=True)
    for name in os.listdir(home):
        if name not in HIDDEN and not os.path.lexists(os.path.join(own, name)):
            os.symlink(os.path.join(home, name), os.path.join(own, name))
    os.environ["PATH"] = os.path.dirname(sys.executable) + ":" + os.environ.get("PATH", os.defpath)
    # Python itself has ignored this variable (-I), so that no module of theirs replaces those of this program.
    sys.path += [path for path in os.environ.get("PYTHONPATH", "").split(":") if path]
    sys.path.append(folder)


def find_files(folder: str) -> "list[str]":
    """Return the files in which Airflow looks for DAGs."""
    utilities = first_module("airflow.utils.file", "airflow.utils.dag_processing", has="list_py_file_paths")
    find = utilities.list_py_file_paths
    return [str(path) for path in find(folder, **accepted(find, include_examples=False))]


def first_module(*names: str, has: str) -> "Any":
    """Return the first of these modules that exists and has the attribute `has`; ImportError if there is none."""
    for name in names:
        try:
            module = importlib.import_module(name)
        except ImportError:
            if name == names[-1]:
                raise
            continue
        if hasattr(module, has):
            return module
    raise ImportError("no " + has)


def accepted(function: "Any", **given: "Any") -> "dict[str, Any]":
    """Return those of the arguments that a function takes."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in given.items() if name in names}


def make_tables() -> None:
    """Make the tables of the empty database: without them, 1.10 fails for a variable that has a default."""
    settings = importlib.import_module("airflow.settings")
    importlib.import_module("airflow.models")
    importlib.import_module("airflow.models.base").Base.metadata.create_all(settings.engine)


class Limits:
    """The time and memory of one file's import, and the length of its error."""

    def __init__(self, seconds: int, megabytes: int, longest: int) -> None:
        self.seconds, self.megabytes, self.longest = seconds, megabytes, longest


class Loader:
    """Imports a file as Airflow does."""

    def __init__(self, folder: str, serializes: bool) -> None:
        """Import the classes of this version of Airflow; with `serializes`, a DAG has to be serializable, too."""
        self.folder = folder
        self.bag = first_module("airflow.dag_processing.dagbag", "airflow.models.dagbag", has="DagBag").DagBag
        module = importlib.import_module("airflow.serialization.serialized_objects") if serializes else None
        self.serialized = getattr(module, "DagSerialization", getattr(module, "SerializedDAG", None))

    def __call__(self, path: str, given: "dict[str, str]") -> str:
        """Return a file's DAGs and its error as JSON, with the variables `given`."""
        os.environ.update(given)
        new = {"include_examples": False, "read_dags_from_db": False, "bundle_name": "dags"}
        dags, error = {}, None  # type: dict[str, Any], Optional[str]
        try:
            found = self.bag(path, **accepted(self.bag.__init__, bundle_path=pathlib.Path(self.folder), **new))
            dags, errors = found.dags, [str(each) for each in found.import_errors.values()]
            if errors:
                error = errors[0][-LARGEST // 8 :]
            elif self.serialized:
                for dag in dags.values():
                    self.serialized.to_dict(dag)
        except BaseException as caught:  # SystemExit, for example
            error = first_line(caught)
        return json.dumps([sorted(dags), error])


def import_all(load: Loader, paths: "list[str]", end: float, progress: "IO[str]", limits: Limits) -> "dict[str, Any]":
    """Import files one after another until the time `end`, and return the answer."""
    dags, errors, left = set(), {}, len(paths)  # type: set[str], dict[str, str], int
    for path in paths:
        if time.monotonic() > end:
            break
        left -= 1
        name = os.path.relpath(path, load.folder)
        print("importing", ascii(name[: limits.longest]), file=progress, flush=True)
        found, error = import_file(load, path, limits)
        dags.update(found)
        if error is not None:
            errors[name] = error[: limits.longest]
    return {"dags": len(dags), "files": len(paths), "left": left, "errors": errors}


def import_file(load: Loader, path: str, limits: Limits) -> "tuple[list[str], Optional[str]]":
    """Return the DAGs of a file, and its error if it has one.

    Airflow variables and connections that it asks for get a stand-in: the real ones are in the database.
    """
    given = {}  # type: dict[str, str]
    while True:
        text = in_process(lambda: load(path, given), limits)
        if text is None:
            return [], f"does not finish within {limits.seconds} s"
        try:
            found, error = json.loads(text)
            dags, error = [str(dag) for dag in found], None if error is None else str(error)
        except (ValueError, TypeError):
            return [], f"ends the process that imports it, or needs more than {limits.megabytes} MB"
        missing = MISSING.search(error or "")
        name, value = stand_in(*missing.groups()) if missing else ("", "")
        if not name or name in given or len(given) >= MOST_STAND_INS:
            return dags, error if error is None else last_line(error)
        given[name] = value


def stand_in(variable: "Optional[str]", connection: "Optional[str]") -> "tuple[str, str]":
    """Return the environment variable that replaces an Airflow variable or connection, and its value."""
    if variable:
        return "AIRFLOW_VAR_" + variable.upper(), STAND_IN
    return "AIRFLOW_CONN_" + str(connection).upper(), "generic://"


def in_process(work: "Callable[[], str]", limits: Limits) -> "Optional[str]":
    """Return the text that `work` returns in a process of its own, or what came of it; None if it takes too long."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            ctypes.CDLL(None).prctl(DUMPABLE, 1)
            os.closerange(3, writes)  # also what the answer is written to
            os.closerange(writes + 1, 256)
            # Of data: libraries reserve address space that they never use.
            resource.setrlimit(resource.RLIMIT_DATA, (limits.megabytes << 20, limits.megabytes << 20))
            os.write(writes, work().encode() + b"\n")
        finally:
            os._exit(0)
    os.close(writes)
    with os.fdopen(reads, "rb", 0) as opened:
        text = read_line(opened, time.monotonic() + limits.seconds)
    for target, kill in ((child, os.killpg), (child, os.kill)):
        with contextlib.suppress(OSError):  # it has ended
            kill(target, signal.SIGKILL)
    os.waitpid(child, 0)
    return text


def read_line(opened: "IO[bytes]", end: float) -> "Optional[str]":
    """Return the first line, or what there is of it when the other side has ended; None if that takes too long."""
    text = b""
    while len(text) < LARGEST and not text.endswith(b"\n"):
        if not select.select([opened], [], [], max(0.0, end - time.monotonic()))[0]:
            return None
        part = opened.read(LARGEST)
        if not part:
            break
        text += part
    return text.decode("utf-8", "replace")


def last_line(text: str) -> str:
    """Return the line of a traceback that names the error; the error's own text may have further lines."""
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    frames = [number for number, line in enumerate(lines) if line.startswith("  File ")]
    after = lines[frames[-1] + 1 :] if frames else []
    return next((line for line in after if not line.startswith(" ")), lines[-1]).strip()
