"""Lock files: the request to uv, the header, and the pins."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest

from aerodrome.catalogue.packages import DATES
from aerodrome.errors import AerodromeError
from aerodrome.lockfile import (
    Request,
    digest,
    explain,
    extras_of,
    fab_command,
    header,
    lock_name,
    parse,
    release,
    requirements,
    uv_argv,
)

LOCKS = Path(__file__).parents[2] / "locks"
SHIPPED = sorted(LOCKS.glob("airflow-*.txt"))

# From airflow-3.3.2-py3.11.txt, and one with a marker as `uv pip compile --universal` writes it.
RECORDED = """\
# Made by: fab pin --version=3.3.2 --python=3.11 --date=2026-09-18
a2wsgi==1.10.10 \\
    --hash=sha256:a5bcffb52081ba39df0d5e9a884fc6f819d92e3a42389343ba77cbf809fe1f45 \\
    --hash=sha256:d21b21379479718539dc15fce53b876251a0efe7615352dfe49f6ad1bc507848
async-timeout==5.0.1 ; python_full_version < '3.11.3' \\
    --hash=sha256:39e3809566ff85354557ec2398b55e096c8364bacac9405a7a1fa429e77fe76c
    # via redis
Flask_SQLAlchemy[extra]==3.1.1 \\
    --hash=sha256:4ba4be7f419dc72f4efd8802d69974803c37259dd42f3913b0dcf75c9447e0a0
"""


def test_uv_is_asked_for_a_dated_lock() -> None:
    request = Request(version="3.3.2", python="3.12", date="2026-09-18")
    assert uv_argv("/venv/bin/python", request) == [
        *("/venv/bin/python", "-m", "uv", "pip", "compile", "-"),
        *("--python", "/venv/bin/python", "--no-python-downloads", "--generate-hashes"),
        *("--python-version", "3.12", "--python-platform", "x86_64-manylinux_2_28"),
        *("--exclude-newer", "2026-09-18T23:59:59Z"),
        *("--system-certs", "--no-header", "--no-annotate"),
        *("--no-emit-index-url", "--no-emit-find-links"),
    ]


def test_uv_is_asked_for_a_lock_within_constraints() -> None:
    request = Request(version="3.3.2", python="3.11", constraints="my constraints.txt")
    assert uv_argv("python", request) == [
        *("python", "-m", "uv", "pip", "compile", "-"),
        *("--python", "python", "--no-python-downloads", "--generate-hashes"),
        *("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_28"),
        *("--constraints", "my constraints.txt"),
        *("--system-certs", "--no-header", "--no-annotate"),
        *("--no-emit-index-url", "--no-emit-find-links"),
    ]


def test_a_date_leaves_the_distribution_itself_alone() -> None:
    # Recorded with an index of plain pages: its only wheel was "filtered by `exclude-newer`".
    request = Request(version="1.10.10.*", python="3.7", date="2020-04-11", distribution="astronomer-certified")
    argv = uv_argv("python", request)
    assert argv[argv.index("--exclude-newer") :][:6] == [
        *("--exclude-newer", "2020-04-11T23:59:59Z"),
        *("--exclude-newer-package", "astronomer-certified=false"),
        *("--exclude-newer-package", "apache-airflow=false"),
    ]


def test_a_header_tells_what_is_locked_and_how_to_make_it_again() -> None:
    assert header(Request(version="2.11.2", python="3.12", date="2026-03-15")) == (
        "# Packages of Airflow 2.11.2 on Python 3.12, Linux\n"
        "# Requirement: apache-airflow[postgres,celery,redis,fab]==2.11.2\n"
        "# Requirement: apache-airflow-providers-celery==3.15.2\n"
        "# Requirement: gunicorn!=25.1.0\n"
        "# Uploaded until: the end of 2026-03-15, UTC\n"
        "# Made by: fab pin --version=2.11.2 --python=3.12 --date=2026-03-15\n"
    )


def test_a_header_quotes_for_the_shell() -> None:
    request = Request(constraints="my constraints.txt", extras=("amazon", "fab"), packages=("pandas>=2.2,<3",))
    assert header(request) == (
        "# Packages of Airflow 3.3.2 on Python 3.11, Linux\n"
        "# Requirement: apache-airflow[postgres,celery,redis,fab,standard,amazon]==3.3.2\n"
        "# Requirement: pandas>=2.2,<3\n"
        "# Constraints: my constraints.txt\n"
        "# Made by: fab pin --version=3.3.2 --python=3.11 --constraints='my constraints.txt'"
        " --extra=amazon --extra=fab --package='pandas>=2.2,<3'\n"
    )


def test_another_distribution_is_named_everywhere() -> None:
    request = Request(version="1.10.10.*", python="3.7", distribution="astronomer-certified")
    assert requirements(request) == ["astronomer-certified[postgres,celery,redis,password,crypto]==1.10.10.*"]
    assert fab_command(request) == ("fab pin --version='1.10.10.*' --python=3.7 --distribution=astronomer-certified")
    assert lock_name("astronomer-certified", "1.10.10.*", "3.7") == ("astronomer-certified-1.10.10.x-py3.7.txt")


def test_a_constraints_file_chooses_all_but_what_cannot_work() -> None:
    assert requirements(Request(version="2.11.2", constraints="c.txt"))[1:] == [
        "apache-airflow-providers-celery!=3.16.0,!=3.17.0,!=3.17.1"
    ]


@pytest.mark.parametrize(("version", "of"), [("1.10.10", "1.10.10"), ("1.10.10.*", "1.10.10"), ("3.3.2", "3.3.2")])
def test_a_version_is_of_a_release(version: str, of: str) -> None:
    assert release(version) == of


def test_a_lock_tells_its_extras() -> None:
    assert extras_of(header(Request(extras=("amazon",)))) == (
        "postgres",
        "celery",
        "redis",
        "fab",
        "standard",
        "amazon",
    )
    assert extras_of(RECORDED) is None


def test_airflow_locks_have_short_names() -> None:
    assert lock_name("apache-airflow", "3.3.2", "3.11") == "airflow-3.3.2-py3.11.txt"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"version": "3.3.2\n-r x"}, "--version='3.3.2\\n-r x': expected something like 3.3.2"),
        ({"version": "3"}, "--version='3': expected something like 3.3.2"),
        ({"python": "3.11.7"}, "--python='3.11.7': expected something like 3.11"),
        ({"extras": ("a]",)}, "--extra='a]': expected something like amazon"),
        ({"date": "2026-13-01"}, "--date=2026-13-01: not a date; write it as 2026-09-18"),
        ({"date": "20260918"}, "--date=20260918: not a date; write it as 2026-09-18"),
        (
            {"packages": ("--index-url https://me:secret@pypi.example.com",)},
            "--package: expected a name and a version, such as pandas==2.2.3",
        ),
        (
            {"constraints": "https://me:secret@pypi.example.com/c.txt"},
            "--constraints: the URL contains a login, which would end up in the lock file",
        ),
    ],
)
def test_what_is_malformed_is_refused(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(AerodromeError) as caught:
        dataclasses.replace(Request(), **wrong)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_days_are_days() -> None:
    for version, day in DATES.items():
        Request(version=version, date=day)


def test_a_lock_is_read() -> None:
    lock = parse(RECORDED)
    assert lock.pins == {"a2wsgi": "1.10.10", "async-timeout": "5.0.1", "flask-sqlalchemy": "3.1.1"}
    assert lock.hashed


def test_one_pin_without_hash_is_noticed() -> None:
    assert not parse(RECORDED + "six==1.17.0\n").hashed
    assert not parse("").hashed


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("six>=1.16", "lock file, line 2: not a pin such as name==1.2.3"),
        (
            "six @ https://me:secret@example.com/six.whl",
            "lock file, line 2: not a pin such as name==1.2.3",
        ),
        (
            "--index-url https://me:secret@example.com",
            "lock file, line 2: --index-url is not allowed in a lock file",
        ),
        ("idna==3.0", "lock file, line 2: idna is pinned twice, to 2.0 and 3.0"),
    ],
)
def test_what_is_no_lock_is_refused_without_showing_it(line: str, message: str) -> None:
    with pytest.raises(AerodromeError) as caught:
        parse(f"idna==2.0\n{line}\n")
    assert str(caught.value) == message


def test_a_digest_is_of_what_is_installed() -> None:
    again = "# another comment\n" + RECORDED.replace("    # via redis\n", "")
    assert digest(again) == digest(RECORDED) == "64568701ca63"
    assert digest(RECORDED.replace("a5bcff", "a5bcfe")) != digest(RECORDED)


def test_uv_fails_in_one_line() -> None:
    # Recorded from uv 0.13.9.
    error = explain(
        Request(),
        "error: No solution found when resolving dependencies\n"
        "  cause: Because there is no version of apache-airflow==3.3.2 and you require it.\n"
        "\n"
        "hint: `apache-airflow` was filtered by `exclude-newer`. It was published at 2026-09-17."
        " Consider using `exclude-newer-package` to override the cutoff for this package.\n",
    )
    assert error.message == (
        "uv cannot lock apache-airflow 3.3.2: No solution found when resolving dependencies;"
        " Because there is no version of apache-airflow==3.3.2 and you require it."
    )
    assert error.hint == (
        "`apache-airflow` was filtered by `exclude-newer`. It was published at 2026-09-17. Use a later --date."
    )


def test_uv_fails_to_reach_the_index() -> None:
    error = explain(
        Request(),
        "error: Failed to fetch: https://index.example.com/simple/six/\n"
        "  cause: error sending request for url (https://index.example.com/simple/six/)\n"
        "  cause: client error (Connect)\n"
        "  cause: invalid peer certificate: UnknownIssuer\n",
    )
    assert error.message == (
        "uv cannot lock apache-airflow 3.3.2: Failed to fetch: https://index.example.com/simple/six/;"
        " error sending request for url (https://index.example.com/simple/six/);"
        " invalid peer certificate: UnknownIssuer"
    )
    assert error.hint == "is there a network? UV_DEFAULT_INDEX sets another index, UV_INDEX an additional one"


def test_uv_cannot_read_an_old_wheel() -> None:
    # Recorded from uv 0.13.9.
    error = explain(
        Request(version="1.10.12", python="3.7"),
        "error: No solution found when resolving dependencies\n"
        "  cause: Because apache-airflow==1.10.12 has invalid metadata, we can conclude that it cannot be used.\n"
        "hint: Metadata for `apache-airflow` (v1.10.12) could not be parsed:\n"
        "  after parsing `0.0.45a`, found `zure-mgmt-datalake-store>=0.5.0`, which is not part of a valid version\n",
    )
    assert error.hint.startswith(
        "add the right metadata as [[dependency-metadata]] to locks/1.10.12/uv.toml, as in locks/1.10.10/uv.toml"
    )


def test_a_constraints_file_that_pins_what_cannot_work() -> None:
    request = Request(version="2.11.2", constraints="c.txt")
    lines = (
        "error: No solution found when resolving dependencies\n"
        "  cause: Because you require one of:\n"
        "             apache-airflow-providers-celery<3.16.0\n"
        "         and apache-airflow-providers-celery=={}, we can conclude that your requirements are unsatisfiable.\n"
    )
    assert explain(request, lines.format("3.17.1")).hint == (
        "no task runs with that version: change the constraints file to satisfy"
        " apache-airflow-providers-celery!=3.16.0,!=3.17.0,!=3.17.1"
    )
    assert explain(request, lines.format("3.17.10")).hint == ""


# Shipped lock files


def test_what_must_be_there_is() -> None:
    pythons = {"1.10.10": ("3.7", "3.8"), "2.11.2": ("3.11",), "3.3.2": ("3.11", "3.13")}
    for version, wanted in pythons.items():
        for python in wanted:
            assert LOCKS / lock_name("apache-airflow", version, python) in SHIPPED


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_lock_that_ships_is_what_its_header_says(path: Path) -> None:
    _, version, python = path.stem.split("-")
    request = Request(version=version, python=python.removeprefix("py"), date=DATES[version])
    text = path.read_text()
    assert text.startswith(header(request))
    lock = parse(text)
    assert lock.hashed
    assert lock.pins["apache-airflow"] == version


def test_what_builds_source_distributions_has_hashes() -> None:
    for path in LOCKS.glob("*/build.txt"):
        assert parse(path.read_text()).hashed


def test_the_metadata_of_1_10_10_is_of_what_is_locked() -> None:
    packages = tomllib.loads((LOCKS / "1.10.10" / "uv.toml").read_text())["dependency-metadata"]
    pins = parse((LOCKS / "airflow-1.10.10-py3.7.txt").read_text()).pins
    for package in packages:
        assert pins[package["name"]] == package["version"]
    airflow = packages[0]
    named = {extra for line in airflow["requires-dist"] for extra in re.findall("extra == '([^']*)'", line)}
    assert named <= set(airflow["provides-extra"])
