"""DAGs to every node, and back."""

from __future__ import annotations

import pytest

from aerodrome.checks.releases import Release, State
from aerodrome.components.releases import held, kinds
from aerodrome.core.step import Step
from aerodrome.errors import FleetError, InvalidInput
from aerodrome.fleet.model import Deploy
from aerodrome.resources.release import Switched
from aerodrome.runbooks.dags import previous_dags, rollback_dags
from tests.unit.components.test_status import DOWN, Hosts
from tests.unit.make import HOSTS, fleet, inputs


def releases(host: str, *names: str, current: str) -> list[Release]:
    """Return the releases of a host, newest first."""

    def state(name: str) -> State:
        return "in use" if name == current else "older"

    return [
        Release("dags", "ok", "", host=host, name=name, put=100 - number, state=state(name))
        for number, name in enumerate(names)
    ]


def test_all_picked_nodes_go_back_at_once() -> None:
    given = inputs()
    (stage,) = rollback_dags(given, ["db1", "s1", "w1"], [], "abc").stages
    step = Step("node.dags", (Switched(kinds(given)["dags"], "abc"),))
    assert stage.steps == {"s1": [step], "w1": [step]}
    assert (stage.gates, stage.requires) == ({}, {})  # nothing restarts


@pytest.mark.parametrize("name", ["", "../x", "-rf", "a b", ".old-a", "a\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="--to: .* is not the name of a release"):
        rollback_dags(inputs(), ["w1"], [], name)


def test_the_release_before_is_the_same_on_all_nodes() -> None:
    nodes = [*releases("s1", "c", "b", "a", current="b"), *releases("w1", "c", "b", "a", current="b")]
    assert previous_dags(nodes) == "a"


def test_what_was_made_by_hand_is_gone_back_to_by_name_only() -> None:
    with pytest.raises(InvalidInput, match="w1: there is no release before the one in use"):
        previous_dags(releases("w1", "b", "by-hand-1", current="b"))


def test_nodes_that_differ_or_have_none_are_named() -> None:
    nodes = [*releases("s1", "b", "a", current="b"), *releases("w1", "b", "z", current="b")]
    with pytest.raises(InvalidInput, match="the nodes differ: s1 uses b, and before that a; w1 uses b, .* z"):
        previous_dags(nodes)
    with pytest.raises(InvalidInput, match="w1: there is no release before"):
        previous_dags([*releases("s1", "b", "a", current="b"), *releases("w1", "b", current="b")])
    with pytest.raises(InvalidInput, match="no selected host has a release of the DAG folder"):
        previous_dags([])


def test_a_node_that_cannot_be_asked_stops_it() -> None:
    nodes = [*releases("s1", "b", "a", current="b"), Release("dags", "failed", DOWN, host="w1")]
    with pytest.raises(FleetError) as error:
        previous_dags(nodes)
    assert [(each.host, each.message) for each in error.value.failures] == [("w1", DOWN)]


def test_what_is_asked_of_the_nodes() -> None:
    given = inputs(fleet(deploy=Deploy(keep_releases=7)))
    dags, environment = kinds(given).values()
    assert (dags.link, dags.folder, dags.keep) == ("/usr/local/airflow/dags", "/usr/local/airflow/dags-releases", 7)
    assert (environment.link, environment.folder) == ("/opt/aerodrome/airflow/venv", "/opt/aerodrome/airflow/venvs")
    hosts = Hosts({("HeldReleases", "w1"): releases("w1", "b", current="b")})
    rows = held(given, [HOSTS["db1"], HOSTS["s1"], HOSTS["w1"]], hosts, "dags")
    assert [(row.host, row.subject, row.name, row.detail) for row in rows] == [
        ("s1", "dags", "", DOWN),
        ("w1", "dags", "b", ""),
    ]
    assert len(held(given, [HOSTS["s1"]], Hosts({}))) == 2
