"""Root touches nothing below the service user's directories: every script that the components can produce is read."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import pytest

from aerodrome.checks.backups import Backup, HeldBackups
from aerodrome.checks.kept_settings import KeptSettings
from aerodrome.components.backups import place
from aerodrome.components.dag_imports import dag_imports
from aerodrome.components.health import RoleHealth
from aerodrome.components.inputs import Inputs
from aerodrome.components.logs import journal_script, journal_units
from aerodrome.components.users import user_created
from aerodrome.core.resource import Seen
from aerodrome.core.stage import Stage, by_host
from aerodrome.errors import AerodromeError
from aerodrome.resources.tree import Tree
from aerodrome.runbooks.backup import backup
from aerodrome.runbooks.deploy import stages
from aerodrome.runbooks.restore import drill, restore
from aerodrome.runbooks.units import role_stages, stop_stages
from aerodrome.secrets import Secret
from tests.unit.make import ROLES, ROLES_OF_FLEET, fleet, inputs

HOME = "/usr/local/airflow"
RUN = "20261201T005031Z-1f3a"
BACKUP = Backup("backup", "ok", "whole", host="db1", name=RUN, sha256="a" * 64)
# What users other than root can write to, as far as blueprints name it; the installer's are its cache, and what is in
# an environment, which root neither runs nor reads.
THEIRS = (
    "/home/astro/", f"{HOME}/logs/", "/var/lib/redis/",
    "/var/cache/aerodrome/", "/opt/aerodrome/airflow/venv/", "$venv/", "$uv",
)  # fmt: skip
# AIRFLOW_HOME itself is root's, but was the service user's on hosts set up by an earlier version: nothing in it
# may be read or written through a link.
FOLLOWS = {"cat", "sed", "grep", "head", "tail", "tee", "sha256sum", "tar", "touch", "source", ".", "while", "done"}
BECOMES = re.compile(r"^(exec )?(runuser -u \S+ -- |systemd-run .*-p User=)")

FOUND = [
    f"{kind}|{owner}|{owner}|700\n{content}"
    for kind in ("regular file", "symbolic link", "directory")
    for owner in ("root", "astro", "redis", "postgres")
    for content in ("", "theirs\n", "# Written by Aerodrome\nold\n", "AIRFLOW_HOME=/usr/local/airflow\nTEAM=x\n")
]
PARENTS = "/usr|directory|root|root|755\n/usr/local|directory|root|root|755\n"
SEEN = [
    "",
    "none\n",
    "directory\n",
    "/usr/local/airflow/dags-releases/old\nroot\n",
    "astro:x:999:999::/home/astro:/bin/bash\n",
    "astro:x:999:999::/home/astro:/bin/false\nhome\n",
    *(f"{each.partition(chr(10))[0]}|1\n" for each in FOUND),
    *FOUND,
    PARENTS,
    *(
        f"{PARENTS}{HOME}|directory|astro|astro|755\n"
        + "".join(f"{HOME}/{name}|directory|{owner}|{owner}|755\n" for name in ("logs", "plugins", "config"))
        for owner in ("root", "astro")
    ),
    f"{HOME}/config|directory|astro|astro|755\n{HOME}/config/aerodrome_host.py|regular file|astro|astro|644\n\nold\n",
    "LoadState=loaded\nUnitFileState=disabled\nActiveState=inactive\n",
    "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\nNeedDaemonReload=yes\n",
    "AIRFLOW__CELERY__BROKER_URL=redis://old/0\n\n\nActiveState=active\n",
    "there\n",
    f"{HOME}/dags-releases/4\nroot\n"
    + "".join(f"entry {at}|root|directory|{HOME}/dags-releases/{at}\nunused {at}\n" for at in (1, 2, 3, 4)),
    "3.11\n/opt/aerodrome/airflow/venvs/4\n"
    + "".join(
        f"entry {at}|aerodrome|directory|/opt/aerodrome/airflow/venvs/{at}\n"
        f"entry {at}|root|regular empty file|/opt/aerodrome/airflow/venvs/{at}.complete\nunused {at}\n"
        for at in (1, 2, 3, 4)
    ),
    "LoadState=not-found\n",
    "there\nfree|1000000|4096\nsize|1000\n",
    "free|1000000|4096\nsize|1000\n",
    "airflow\n",
]


def fleets() -> Iterator[Inputs]:
    """Yield fleets of all versions, executors and brokers, with everything that hosts.yaml can add."""
    for version in ("3.3.2", "2.11.2", "1.10.10"):
        variants: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
            ({}, {}),
            ({"executor": "LocalExecutor"}, {"config_file": "[core]\n"}),
            ({"fernet_key_command": "vault key"}, {"redis_password": Secret("redis")}),
        )
        for airflow, more in variants:
            roles = ROLES_OF_FLEET | ({"redis": ("db1",)} if "redis_password" in more else {})
            tree = Tree(f"{HOME}/dags", "new", 1, lambda: b"archive", "astro")
            values: dict[str, Any] = {**more, "dags": tree, "locks": {"3.11": "lock\n"}, "uv": "uv\n"}
            yield inputs(fleet(roles, version=version, **airflow), **values)


def scripts(given: Inputs) -> Iterator[tuple[str, str]]:
    """Yield each script with its purpose: probes, and changes for every state in which a host may be found."""
    parts = [
        *stages(given, given.fleet.hosts, ROLES),
        *role_stages(given, ROLES, again=True),
        *stop_stages(given, ROLES),
        *backup(given, given.fleet.hosts, ROLES, RUN, "3.3.2").stages,
        *drill(given, (), (), BACKUP, RUN).stages,
        *restore(given, (), (), BACKUP, RUN).stages,
    ]
    parts += [Stage("undo", part.way_back, {}) for part in parts if part.way_back]
    for steps in by_host(parts).values():
        for check in [check for step in steps for check in step.requires]:
            yield f"probe {check.key}", check.probe()
        for resource in [resource for step in steps for resource in step.resources]:
            yield f"probe {resource.key}", resource.probe()
            for text in SEEN:
                with suppress(AerodromeError, ValueError, IndexError, KeyError):
                    for change in resource.changes(Seen(text)):
                        yield change.summary, change.script
                        if change.undo:
                            yield f"undo: {change.summary}", change.undo.script
                            yield f"state: {change.summary}", change.undo.state
    yield "settings", KeptSettings("s1", given.kept_file, f"{HOME}/airflow.cfg", "astro").probe()
    for resource in dag_imports(given, given.fleet.hosts["s1"], given, RUN).resources:
        yield "probe imports", resource.probe()
        yield "imports", resource.changes(Seen(""))[0].script
    yield "backups", HeldBackups("db1", place(given.fleet)).probe()
    for host in given.fleet.nodes():
        roles = given.roles(host)
        yield "health", RoleHealth(given, host, tuple(roles)).probe()
        yield "watch", RoleHealth(given, host, tuple(roles)).watch()
        yield "logs", journal_script(journal_units(given, host, roles), 10, True)
    person = ("ada", "a@b.c", "A", "L", "Admin")
    user = user_created(given, given.fleet.hosts["s1"], person, Secret("password"), "1f3a")
    yield "user", user.change.script
    yield "probe user", user.probe()


def without_data(script: str) -> str:
    """Return a script without the bodies of its here-documents."""
    return re.sub(r"(<<'(\w+)'[^\n]*\n)(.*?\n)?\2(?=\n|$)", r"\1", script, flags=re.DOTALL)


def commands(script: str) -> Iterator[str]:
    """Yield the simple commands of a script, including those in $(…), quoted or not."""
    text, quotes, command, at = without_data(script), [""], "", 0
    while at < len(text):
        char, pair = text[at], text[at : at + 2]
        if quotes[-1] != "'" and pair == "$(":
            yield command
            command, quotes, at = "", [*quotes, ""], at + 2
            continue
        if quotes[-1] == "" and char in "\n;|&()":
            yield command
            command = ""
            if char == ")" and len(quotes) > 1:
                quotes.pop()
        elif char == "\\" and quotes[-1] != "'":
            command, at = command + pair, at + 1
        else:
            if char in "'\"" and quotes[-1] in ("", char):
                quotes[-1] = "" if quotes[-1] else char
            command += char
        at += 1
    yield command


@cache
def touched(script: str) -> list[str]:
    """Return the commands by which root touches what is not its own."""
    found = []
    for command in map(str.strip, commands(script)):
        bare = re.sub(r"^((then|do|else|if|while|!|\{|exec)\s+)+", "", command)
        if not bare or BECOMES.match(bare) or re.fullmatch(r"\w+=\S*", bare):
            continue
        try:
            words = shlex.split(bare)
        except ValueError:
            words = bare.split()
        if words[0] in ("[", "for") or (words[0] == "stat" and "-L" not in words):
            continue  # it only reveals the type of a file; `for` only names paths, often for `[`
        theirs = any(place in word for word in words for place in THEIRS)
        # The shell reads a module once it has verified that its folders are root's.
        in_home = HOME + "/" in bare and follows(words, bare) and f"-O {HOME}/config" not in script
        if theirs or in_home:
            found.append(command)
    return found


def follows(words: list[str], command: str) -> bool:
    """Tell whether a command would follow a link in AIRFLOW_HOME."""
    if re.search(rf"[<>]\s*['\"]?{HOME}/", command) or words[0] in FOLLOWS:
        return True
    options = "".join(word[1:] for word in words[1:] if word.startswith("-") and not word.startswith("--"))
    needed = {"chown": "h", "cp": "P"}.get(words[0], "")
    if words[0] == "ln":  # creating a link or a second name does not follow the target
        return not {"s", "P"} & set(options)
    if words[0] == "dd":
        return not any(word.startswith("iflag=nofollow") for word in words)
    return not set(needed) <= set(options) or (words[0] in ("chown", "chmod") and "R" in options)


@pytest.mark.parametrize("given", [pytest.param(each, id=str(number)) for number, each in enumerate(fleets())])
def test_root_touches_nothing_of_the_service_users(given: Inputs) -> None:
    read = set(scripts(given))
    assert len(read) > 50
    wrong = {(what, command) for what, script in read for command in touched(script)}
    assert not wrong


def test_every_resource_that_can_change_anything_was_seen_to() -> None:
    given = next(fleets())
    seen = {script for _, script in scripts(given)}
    # Otherwise the answers above are no longer those of its probe.
    prunes = ("remove the old release", "remove the old environment")
    found = [what for what, _ in scripts(given)]
    assert all(any(what.startswith(words) for what in found) for words in prunes)
    for words in (
        "chown -h root:root",
        "by-hand",
        "mv -fT",
        "tar -xzf",
        "useradd",
        "usermod",
        "aerodrome_host.py",
        "pg_dump",
        "pg_restore",
        "RENAME TO",
        "drill.json",
        "dag-imports",
    ):
        assert any(words in script for script in seen), words


# Scripts of earlier versions, each of which let the service user become root.
OLD = [
    "temporary=$(mktemp /home/astro/.bashrc.XXXXXX)",
    "stat -c '%F|%U|%G|%a' /home/astro/.bashrc; [ ! -f /home/astro/.bashrc ] || cat /home/astro/.bashrc",
    "install -d -o astro -g astro -m 0755 /home/astro/airflow-venvs",
    "cat >/home/astro/airflow-venvs/3.3.2/requirements.txt <<'END_OF_FILE'\nairflow\nEND_OF_FILE",
    "printf %s lock >/home/astro/airflow-venvs/3.3.2/requirements.txt",
    'if [ ! -x "$uv" ]; then\nrm -rf /home/astro/airflow-venvs/.uv.new\nfi',
    "ln -sfn x /home/astro/airflow-venv.new\nchown -h astro: /home/astro/airflow-venv.new",
    "grep -qsF x /etc/default/airflow || { sed -n 's/^a//p' /usr/local/airflow/airflow.cfg; }",
    "[ ! -f /usr/local/airflow/airflow.cfg ] || cat /usr/local/airflow/airflow.cfg",
    "chown astro:astro /usr/local/airflow/dags-releases",
    "chown -R astro:astro /usr/local/airflow/dags-releases/1.new",
    "chown -hR astro:astro /usr/local/airflow/dags-releases",
    "head -c 7 <&3 | tar -xzf - -C /usr/local/airflow/dags-releases/1.new --no-same-owner",
    "cp -p /usr/local/airflow/airflow.cfg /usr/local/airflow/airflow.cfg.by-hand",
    "cat >/usr/local/airflow/airflow.cfg",
    'echo "$(cat /usr/local/airflow/logs/x)"',
    "runuser -u astro -- true; rm -rf /usr/local/airflow/logs/x",
    "install -d -o redis -g redis -m 0750 /var/lib/redis/airflow",
    "/opt/aerodrome/airflow/venv/bin/python -I -c 'import airflow'",
    '"$uv" pip install -q -r /opt/aerodrome/airflow/requirements/1/requirements.txt',
    "rm -rf /var/cache/aerodrome/uv-1.new",
]


@pytest.mark.parametrize("script", OLD)
def test_what_was_done_once_is_found(script: str) -> None:
    assert touched(script)


@pytest.mark.parametrize(
    "script",
    [
        "runuser -u astro -- head -c 9 /home/astro/.bashrc 3<&- 9<&- | sed -n p",
        "x=$(runuser -u astro -- cat /home/astro/.bashrc)",
        "systemd-run --quiet -p User=astro /home/astro/airflow-venv/bin/python - <<'END'\nopen('/home/astro/x')\nEND",
        "chown -h root:root /usr/local/airflow\nchmod 0755 /usr/local/airflow",
        "cat >/etc/x <<'END'\ncat /home/astro/.bashrc\nEND\nchown root:root /etc/x",
    ],
)
def test_what_is_safe_is_let_pass(script: str) -> None:
    assert touched(script) == []
