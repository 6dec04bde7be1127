"""Questions to a host that are asked together."""

from __future__ import annotations

from aerodrome.core.stage import by_host
from aerodrome.resources.files import File
from aerodrome.runbooks.deploy import stages
from tests.unit.make import HOSTS, fleet, inputs


def test_all_files_of_a_host_share_one_answer() -> None:
    given = inputs()
    parts = stages(given, list(HOSTS), list(fleet().roles))
    for host, steps in by_host(parts).items():
        files = [each for step in steps for each in step.resources if isinstance(each, File)]
        assert len({file.probe() for file in files}) == min(1, len(files)), host
        for file in files:
            assert file.beside
            assert file.beside.files == tuple((each.path, each.digest) for each in files)
    assert sum(isinstance(each, File) for step in by_host(parts)["s1"] for each in step.resources) == 8
