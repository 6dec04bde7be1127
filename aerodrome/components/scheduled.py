"""Scheduled backups on the database's host, and whether the newest backup is as new as it should be."""

from __future__ import annotations

from datetime import UTC, datetime

from aerodrome.components.backups import broker, fingerprints, place
from aerodrome.components.health import Health, unreachable
from aerodrome.components.inputs import Inputs
from aerodrome.core.check import Verdict
from aerodrome.core.lock import long
from aerodrome.core.resource import PRELUDE, quote
from aerodrome.core.step import Step
from aerodrome.dataclass import dataclass
from aerodrome.fleet.model import Host
from aerodrome.render import render
from aerodrome.resources.backup import GLOB, MANIFEST, NAME, About
from aerodrome.resources.files import File
from aerodrome.resources.scheduled import UNITS, BackupFolder, NoTimer, Timer, script
from aerodrome.resources.systemd import UnitState, show

OLDEST = 26 * 3600  # seconds: a day, and time for a backup that takes long or starts late


def schedule(inputs: Inputs) -> Step:
    """Return the timer that backs up the database, or its absence if hosts.yaml has no schedule."""
    fleet, service = inputs.fleet, inputs.fleet.airflow.service
    backup, files = fleet.backup, _files(inputs)
    if not backup.schedule:
        return Step("database.backup", (no_schedule(inputs),))
    where = place(fleet)
    about = About(".".join(fleet.airflow.version.split(".")[:3]), fingerprints(inputs), broker(inputs))
    unit = render(
        "backup.service.in",
        service=service,
        script=files[2],
        folder=where.folder,
        limit=fleet.deploy.change_timeout,
    )
    return Step(
        "database.backup",
        (
            BackupFolder(where),
            File(files[2], script(where, fleet.database.name, about, backup.keep), mode=0o700),
            File(files[1], unit, reload=True),
            File(files[0], render("backup.timer.in", service=service, time=backup.schedule), reload=True),
            Timer(_timer(inputs)),
        ),
    )


def no_schedule(inputs: Inputs) -> NoTimer:
    """Return the absence of the schedule on a host."""
    return NoTimer(_timer(inputs), f"{_unit(inputs)}.service", _files(inputs))


def _files(inputs: Inputs) -> tuple[str, str, str]:
    """Return the paths of the timer, of what it starts, and of the script."""
    script = f"/var/lib/aerodrome/backup-{inputs.fleet.airflow.service}.sh"
    return f"{UNITS}/{_timer(inputs)}", f"{UNITS}/{_unit(inputs)}.service", script


def _unit(inputs: Inputs) -> str:
    return f"aerodrome-backup-{inputs.fleet.airflow.service}"


def _timer(inputs: Inputs) -> str:
    return f"{_unit(inputs)}.timer"


@dataclass(frozen=True)
class BackupAge:
    """The newest backup is no older than the schedule allows, and the last one that was scheduled did not fail."""

    inputs: Inputs
    host: Host
    key = "age of the newest backup"

    @property
    def _service(self) -> str:
        return f"{_unit(self.inputs)}.service"

    def probe(self) -> str:
        """Return sh that prints the time, since when there is a schedule, the newest backup, and the unit's state."""
        folder, timer = quote(place(self.inputs.fleet).folder), quote(f"{UNITS}/{_timer(self.inputs)}")
        return (
            f"{PRELUDE}date +%s\nstat -c %Y {timer} 2>/dev/null || echo 0\n"
            f'newest=none; for each in {folder}/{GLOB}; do [ ! -e "$each/{MANIFEST}" ] || newest=${{each##*/}}; done\n'
            f'echo "$newest"\n{show(self._service)}\n'
        )

    def judge(self, answer: str) -> list[Health]:
        """Return one row of the fleet's health."""
        now, since, newest, unit = (answer.split("\n", 3) + [""] * 4)[:4]
        state, clock = UnitState.parse(unit), _number(now)
        verdict, detail = self._judged(state, newest, clock, _number(since))
        return [Health("backup", verdict, detail, host=self.host.name, unit=self._service, state=state, now=clock)]

    def _judged(self, state: UnitState, newest: str, now: int, since: int) -> tuple[Verdict, str]:
        if state.active == "failed":
            return "failed", f"the last scheduled backup failed: journalctl -u {self._service}"
        if not since:
            return "failed", "there is no schedule on the host yet: fab deploy"
        if not NAME.fullmatch(newest):
            due = f"there is no backup yet; the first is due at {self.inputs.fleet.backup.schedule}"
            return ("ok", due) if now - since < OLDEST else ("failed", "there is no backup: fab backup makes one")
        age = max(0, now - int(datetime.strptime(newest[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()))
        if age > OLDEST:
            return "failed", f"the newest backup is {long(age)} old: fab backup makes one"
        return "ok", f"the newest backup is {long(age)} old"

    def unknown(self, why: str) -> list[Health]:
        return [unreachable(self.host.name, "backup", why)]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0
