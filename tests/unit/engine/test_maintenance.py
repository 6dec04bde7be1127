"""Show the fleet's lock, hold the fleet and release it, and read the history, with this machine as the lock's host."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from aerodrome.core.history import history_script, run_script
from aerodrome.core.lock import LockState
from aerodrome.core.record import Caller, Origin, Recorder
from aerodrome.engine import lock as fleet_lock
from aerodrome.engine import maintenance
from aerodrome.engine.lock import FleetLock
from aerodrome.errors import HostError, InvalidInput
from tests.unit.core.test_lock import below, lock_script_below
from tests.unit.make import fleet
from tests.unit.remote.local import Local


class Site:
    def __init__(self, folder: Path) -> None:
        self.folder, self.local, self.runs = folder, Local(folder), 0
        self.local.fleet = fleet()

    def recorder(self, performer: str = "ann@laptop") -> Recorder:
        self.runs += 1
        run = f"20261124T18150{self.runs}Z-aaa{self.runs}"
        return Recorder(run, Caller(performer, "fab lock.x"), lambda: Origin("sha256:0", "1.0"))

    def lock(self, force: bool = False) -> FleetLock:
        return FleetLock(self.local, self.local.fleet.lock_host, 0, lambda event: None, force)  # type: ignore[arg-type]

    def history(self) -> list[tuple[str, str, str]]:
        found = maintenance.history(self.local, 20)  # type: ignore[arg-type]
        return [(past.run[-4:], past.outcome, past.why) for past in found]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(fleet_lock, "lock_script", partial(lock_script_below, tmp_path))
    probe = below(tmp_path, LockState().probe())
    monkeypatch.setattr(LockState, "probe", lambda self: probe)
    for name, real in (("history_script", history_script), ("run_script", run_script)):
        monkeypatch.setattr(
            maintenance, name, lambda *given, real=real, **named: below(tmp_path, real(*given, **named))
        )
    return Site(tmp_path)


def test_a_hold_keeps_everybody_out_until_it_is_released(site: Site) -> None:
    assert maintenance.lock_state(site.local) is None  # type: ignore[arg-type]
    maintenance.hold(site.lock(), site.recorder(), "new switches")
    found = maintenance.lock_state(site.local)  # type: ignore[arg-type]
    assert found and found.claim
    assert (found.claim.hold, found.claim.why, found.alive) == (True, "new switches", False)
    for performer in ("ann@laptop", "bob@desk"):
        with pytest.raises(HostError, match="ann@laptop has held the fleet for "):
            maintenance.hold(site.lock(), site.recorder(performer), "me too")
    was = maintenance.release(site.lock(force=True), site.recorder("bob@desk"), "it is over")
    assert was.startswith("ann@laptop has held the fleet for ")
    assert maintenance.lock_state(site.local) is None  # type: ignore[arg-type]
    assert maintenance.release(site.lock(force=True), site.recorder(), "again") == ""
    assert site.history() == [
        ("aaa5", "unchanged", "again"),
        ("aaa4", "released", "it is over"),
        ("aaa1", "held", "new switches"),
    ]


def test_one_run_is_found_by_a_part_of_its_name(site: Site) -> None:
    for reason in ("one", "two"):
        maintenance.release(site.lock(force=True), site.recorder(), reason)
    assert maintenance.past(site.local, "aaa2").why == "two"  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="--run: no run in the history on db1 is called ffff"):
        maintenance.past(site.local, "ffff")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="--run: aaa may be 20261124T181502Z-aaa2, 20261124T181501Z-aaa1"):
        maintenance.past(site.local, "aaa")  # type: ignore[arg-type]


def test_a_history_that_breaks_off_is_an_error_of_its_host(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "history_script", lambda nonce, last: "echo")
    with pytest.raises(HostError, match="the history broke off") as caught:
        maintenance.history(site.local, 5)  # type: ignore[arg-type]
    assert (caught.value.host, caught.value.step) == ("db1", "history")
