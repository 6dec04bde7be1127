"""The input of by_hand.sh: for each host, a directory with exactly the files that `fab deploy` writes."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path

from aerodrome.core.resource import Resource
from aerodrome.resources.block import Block
from aerodrome.resources.files import File
from aerodrome.resources.postgres import PostgresAccount, identifier, literal, revoke, scram_verifier
from aerodrome.resources.postgres_access import PostgresAccess, lines
from aerodrome.resources.python import Installed
from aerodrome.resources.tree import Tree
from benchmarks.practice import PROJECT, Practice
from benchmarks.wanted import inputs_of, resources

SCRIPT = PROJECT / "benchmarks" / "by_hand.sh"
PYTHON = "3.11"  # of the practice hosts


def pack(fleet: Practice) -> Path:
    """Write the directories, readable only by their owner, and return their path."""
    place = fleet.folder / "by-hand"
    shutil.rmtree(place, ignore_errors=True)
    for host, own in resources(inputs_of(fleet.hosts_yaml)).items():
        folder = place / host
        folder.mkdir(parents=True)
        place.chmod(0o700)
        shutil.copy(SCRIPT, folder)
        _write(folder, own)
    return place


def _write(folder: Path, resources: list[Resource]) -> None:
    files = [resource for resource in resources if isinstance(resource, File)]
    if files:
        (folder / "files.tar").write_bytes(_tar(files))
    accounts = [resource for resource in resources if isinstance(resource, PostgresAccount)]
    if accounts:
        (folder / "account.sql").write_text("".join(map(_account, accounts)))
    for resource in resources:
        if isinstance(resource, Block):
            (folder / "hosts").write_text(_block(resource.lines))
        elif isinstance(resource, Installed):
            (folder / "lock.txt").write_text(resource.requirements.text(PYTHON))
            (folder / "uv.txt").write_text(resource.requirements.uv)
        elif isinstance(resource, Tree):
            (folder / "dags.tar.gz").write_bytes(resource.pack())
        elif isinstance(resource, PostgresAccess):
            (folder / "pg_hba.conf").write_text(_block(lines(resource.logins)))


def _block(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in ("# BEGIN aerodrome", *lines, "# END aerodrome"))


def _account(account: PostgresAccount) -> str:
    user, database = identifier(account.user), identifier(account.database)
    assert account.password, "the benchmarks' fleet gives no connection_command"
    verifier = literal(scram_verifier(account.password, account.salt))
    private = f"{revoke(account.database)}\n" if account.private else ""
    return f"CREATE ROLE {user} LOGIN PASSWORD {verifier};\nCREATE DATABASE {database} OWNER {user};\n{private}"


def _tar(files: list[File]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for file in files:
            content = file.content.encode()
            entry = tarfile.TarInfo(os.path.relpath(file.path, "/"))
            entry.size, entry.mode, entry.uname, entry.gname = len(content), file.mode, file.owner, file.group
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()
