"""The fleet's lock while a runbook is performed."""

from __future__ import annotations

from aerodrome.core.lock import Claim
from aerodrome.remote.shell import execs
from tests.unit.engine.world import Held, World, failed, stage


def test_the_lock_is_held_while_the_fleet_is_changed_and_not_taken_for_nothing(world: World) -> None:
    stages = [stage("nodes", w1=world.file("a"), w2=world.file("b"))]
    world.perform(stages)
    assert world.lock.log == ["take", "release"]
    assert execs == {"w1": 2, "w2": 2}  # asked once, changed and asked again in one

    world.lock.log.clear()
    assert not world.perform_again(stages)
    assert world.lock.log == []


def test_the_lock_is_given_back_after_a_failure(world: World) -> None:
    failed(lambda: world.perform([stage("nodes", w1=world.scripted("a", "false"))]))
    assert world.lock.log == ["take", "release"]


def test_what_was_asked_before_another_run_ended_is_asked_again(world: World) -> None:
    wanted = world.file("a")

    class Other(Held):
        def take(self, claim: Claim, start: str) -> float:
            (world.folder / "a").write_text("of the other run\n")
            return super().take(claim, start)

    world.lock = Other(age=0)
    (world.folder / "b").touch()
    # By the first answer there is nothing to do for the file that the other run has written since.
    (world.folder / "a").write_text("x\n")
    assert world.perform_again([stage("nodes", w1=wanted, w2=world.scripted("c"))])
    assert (world.folder / "a").read_text() == "x\n"
    assert execs == {"w1": 3, "w2": 3}


def test_where_the_other_run_has_done_it_all_nothing_is_left(world: World) -> None:
    class Other(Held):
        def take(self, claim: Claim, start: str) -> float:
            (world.folder / "a").touch()
            return super().take(claim, start)

    world.lock = Other(age=0)
    assert not world.perform_again([stage("nodes", w1=world.scripted("a"))])
    assert world.lock.log == ["take", "release"]


def test_a_run_that_has_lost_the_lock_changes_nothing_more(world: World) -> None:
    class Lost(Held):
        def check(self) -> None:
            self.lost = (world.folder / "a").exists()
            super().check()

    world.lock = Lost()
    stages = [stage("nodes", w1=world.scripted("a")), stage("late", w2=world.scripted("b"))]
    (error,) = failed(lambda: world.perform_again(stages))
    assert (error.host, error.step) == ("db1", "lock")
    assert not (world.folder / "b").exists()
    assert world.lock.log == ["take", "release"]
