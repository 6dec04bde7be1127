"""Units that are enabled and run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from aerodrome.core.resource import Change, Seen, Settling, quote
from aerodrome.core.undo import NOTHING, Undo
from aerodrome.dataclass import dataclass
from aerodrome.resources.drain import Drain, stop_script
from aerodrome.resources.files import read_whole
from aerodrome.resources.running import after_enable, after_restart, after_start, after_stop

PROPERTIES = "LoadState,UnitFileState,ActiveState,SubState,NRestarts,NeedDaemonReload,ExecMainStartTimestamp,MainPID"
# systemd keeps a link of this name for each unit that runs (since version 235): asking for it takes no process.
RUNS = "/run/systemd/units/invocation:{}"
# What units were started with, one file each; root's own, and kept over a reboot.
RECORDS = "/var/lib/aerodrome/started"

# Prints a digest of a file's content, or where a link points to. Of root's files only: the owner of any other could
# change it, and change it back, at any moment.
_CONTENT = f"""\
content() {{
if [ -h "$1" ]; then echo "content $(readlink "$1") $1"
elif [ -f "$1" ] && [ -O "$1" ]; then digest=$({read_whole('"$1"')} | sha256sum); echo "content ${{digest%% *}} $1"; fi
}}"""
# It takes processes, so it is looked at only where the time, size or inode of a line of the record is another now; and
# then once, even though the unit may run on for months: the answer is noted for the file as it is.
NOTES = "/run/aerodrome/contents"
_NOTED = f"""\
noted() {{
n='
'
about=$n$reads$n; about=${{about%%" $1$n"*}}; about=${{about##*"$n"}}; known=$n
[ -n "$about" ] || return 0 # it is gone, or no longer read
[ ! -r {NOTES} ] || while IFS= read -r note; do known=$known$note$n; done <{NOTES}
rest=${{known#*"$n$about content "}}; digest=${{rest%% *}}; note="content $digest $1"
case $known in *"$n$about $note$n"*) ;; *)
note=$(content "$1")
[ -z "$note" ] || (umask 077; [ ${{#known}} -lt 8192 ] || : >{NOTES}
printf '%s\\n' "$about $note" >>{NOTES}) ;; esac
[ -z "$note" ] || printf '%s\\n' "$note"
}}"""
_IF_CHANGED = 'case $line in "reads "*) case $reads in *"$line"*) ;; *) noted "${line#reads * * * }" ;; esac ;; esac'

SETTLES = 60  # seconds after its start until a running unit is taken to be stable


@dataclass(frozen=True)
class UnitState:
    """A unit as `systemctl show` prints it (systemctl(1)); `started` is seconds since the epoch, 0 for never."""

    load: str = ""
    file: str = ""
    active: str = ""
    sub: str = ""
    restarts: int = 0
    stale: bool = False
    started: int = 0
    pid: int = 0
    now: int = 0  # by the host's clock, where it was asked
    invocation: str = ""  # names this start of the unit, and no other (systemd.exec(5), $INVOCATION_ID)

    @property
    def runs(self) -> bool:
        """Whether the unit runs, or is on its way up or down."""
        return self.active not in ("inactive", "failed", "")

    @classmethod
    def parse(cls, text: str) -> UnitState:
        """Read `KEY=value` lines; what is missing is as if the unit did not exist."""
        lines = [line for line in text.splitlines() if not line.startswith(("reads ", "content ", "record "))]
        show = dict(line.split("=", 1) for line in lines if "=" in line)
        return cls(
            load=show.get("LoadState", ""),
            file=show.get("UnitFileState", ""),
            active=show.get("ActiveState", ""),
            sub=show.get("SubState", ""),
            restarts=int(show.get("NRestarts") or 0),
            stale=show.get("NeedDaemonReload") == "yes",
            started=_epoch(show.get("ExecMainStartTimestamp", "")),
            pid=int(show.get("MainPID") or 0),
            now=int(show.get("Now") or 0),
            invocation=show.get("InvocationID", ""),
        )


def show(unit: str, more: str = "") -> str:
    """Return sh that prints the state of a unit, its times in UTC; `more` properties each follow a comma."""
    return f"TZ=UTC systemctl show -p {PROPERTIES}{more} {quote(unit)}"


def _stat(paths: Iterable[str]) -> str:
    """Return sh that prints time, size and inode of what units read: a replaced file has another inode."""
    return f"stat -c 'reads %.Y %s %i %n' {' '.join(quote(path) for path in dict.fromkeys(paths))} 2>/dev/null"


def _epoch(timestamp: str) -> int:
    """Read a time as systemd prints it: `Mon 2026-11-30 10:00:00 UTC`. strptime() alone costs 2 ms to import."""
    try:
        _, day, time, _ = timestamp.split(" ")
        return int(datetime.fromisoformat(f"{day}T{time}+00:00").timestamp())
    except ValueError:
        return 0


@dataclass(frozen=True)
class Service(Settling):
    """A unit that is enabled, runs, and was started after the last change of what it reads.

    `reads` are the paths that need a restart when they change. What they were when we last started the unit is recorded
    on the host: as long as they are the same, the unit runs what it should, whatever clocks say. If they differ, or
    there is no record, their times are compared with the start of the main process, so that the next run finishes the
    job of one that was killed between write and restart. A file that has been replaced by one with the same content
    needs no restart while the start that we recorded is the one that runs: what a later one read is not known. `again`
    restarts it where it runs, whatever it reads; `before` is done before it is started where it does not. `drain` is
    how it stops before it starts again, if it runs tasks. `beside` has all such units of a host, this one among them,
    each with what it reads: they are asked for at once, whichever a resource is about, because systemctl takes longer
    than the other questions about them.
    """

    unit: str
    reads: tuple[str, ...] = ()
    again: bool = False
    before: tuple[Change, ...] = ()
    drain: Drain | None = None
    beside: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def key(self) -> str:
        return f"unit {self.unit}"

    def probe(self) -> str:
        if self.beside:
            return self._probe_all()
        if not self.reads:
            return show(self.unit)
        record = quote(self._record)
        return (
            f"{show(self.unit, ',InvocationID')}; date +'Now=%s'; {_CONTENT}\n{_NOTED}\n"
            f"reads=$({_stat(self.reads)}); printf '%s\\n' \"$reads\"\n"
            f"[ ! -r {record} ] || while IFS= read -r line; do printf 'record %s\\n' \"$line\"; {_IF_CHANGED}; "
            f"done <{record}"
        )

    def _probe_all(self) -> str:
        """Return sh that asks the same about all units: what they read and their records, then their states."""
        units = " ".join(quote(unit) for unit, _ in self.beside)
        return (
            f"{_CONTENT}\n{_NOTED}\n"
            f"reads=$({_stat(path for _, reads in self.beside for path in reads)}); printf '%s\\n' \"$reads\"\n"
            f'for unit in {units}; do [ ! -r {RECORDS}/"$unit" ] || '
            f'while IFS= read -r line; do printf \'%s record %s\\n\' "$unit" "$line"; {_IF_CHANGED}; '
            f'done <{RECORDS}/"$unit"; done\n'
            f"echo; TZ=UTC systemctl show -p Id,{PROPERTIES},InvocationID {units}; date +'Now=%s'"
        )

    def _own(self, text: str) -> str:
        """Return the part of an answer that is about this unit."""
        if not self.beside:
            return text
        head, *states = text.strip().split("\n\n")
        reads = [f"reads {about} {path}" for path, about in _files(head, "reads ").items() if path in self.reads]
        mine = f"{self.unit} record "
        record = [line.removeprefix(f"{self.unit} ") for line in head.splitlines() if line.startswith(mine)]
        contents = [
            f"content {about} {path}" for path, about in _contents(head, "content ").items() if path in self.reads
        ]
        state = [state for state in states if f"Id={self.unit}" in state.splitlines()]
        now = text.rstrip().rpartition("\n")[2]
        return "\n".join([*reads, *contents, *record, *state, now])

    def changes(self, seen: Seen) -> list[Change]:
        seen = Seen(self._own(seen.text), seen.changing)
        state = UnitState.parse(seen.text)
        changes = []
        if state.file != "enabled":
            enable = f"systemctl enable {quote(self.unit)}"
            changes.append(Change(f"enable {self.unit}", enable, undo=after_enable(self.unit)))
        if state.active not in ("active", "reloading"):
            # A unit that hit its start limit is refused until it is reset (systemd.unit(5), StartLimitBurst=).
            # start, not restart: one that is in its ExecStartPre= (a migration) must be waited for, not killed.
            reset = f"{self._reload(state)}systemctl reset-failed {quote(self.unit)} 2>/dev/null || true"
            changes += self.before
            script, undo = f"{reset}\n{self._recorded('start')}", after_start(self.unit, self.drain, self.reads)
            changes.append(Change(f"start {self.unit}", script, restarts=self.unit, undo=undo))
        elif reason := self._outdated(state, seen):
            script = f"{self._reload(state)}{self._recorded('restart')}"
            summary, undo = f"restart {self.unit} ({reason})", self._restart_again()
            changes.append(Change(summary, script, restarts=self.unit, interrupts=True, undo=undo))
        return changes

    def _restart_again(self) -> Undo:
        if not self.reads:
            return NOTHING
        return after_restart(self.unit, self._recorded("restart"), self.reads, _stat(self.reads), self._record)

    @property
    def _record(self) -> str:
        return f"{RECORDS}/{self.unit}"

    def _recorded(self, verb: str) -> str:
        """Return sh that starts or restarts the unit, and records what it was started with: times and contents.

        Looked at before the start, recorded after it: a record is never newer than what the unit has read. A start that
        found the unit already on its way, or up again by itself, is not recorded: it may have read something older.
        """
        start = f"systemctl {verb} {quote(self.unit)}"
        if verb == "restart" and self.drain:
            start = f"{self.drain.stop(self.unit)}\nsystemctl start {quote(self.unit)}"
        if not self.reads:
            return start
        invocation = f"$(systemctl show -p InvocationID {quote(self.unit)})"
        record, paths = quote(self._record), " ".join(quote(path) for path in self.reads)
        contents = f'for path in {paths}; do content "$path"; done'
        return (
            f"{_CONTENT}\nwas={invocation} reads=$({_stat(self.reads)} || true; {contents})\n{start}\nis={invocation}\n"
            # For root alone: a digest is something to guess passwords against.
            f'[ "$is" = "$was" ] || {{ mkdir -p {RECORDS} && '
            f'(umask 077; printf \'%s\\n\' "$is" "$reads" >{record}.new) && mv {record}.new {record}; }}'
        )

    def _reload(self, state: UnitState) -> str:
        """Return sh that makes systemd read unit files that a killed run has written but not loaded.

        Only then, because it takes longer than anything else here; files that this run writes are loaded when written.
        """
        return "" if state.load == "loaded" and not state.stale else "systemctl daemon-reload\n"

    def unsettled(self, seen: Seen) -> bool:
        """Return whether the unit runs, but only a look at its health shows whether it will keep running.

        It may be between two crashes if it has died before. It may not be up yet if it was started just now by a run
        that was killed before it could wait.
        """
        state = UnitState.parse(self._own(seen.text))
        return state.active == "active" and (state.restarts > 0 or 0 <= state.now - state.started < SETTLES)

    def settled(self) -> Service:
        """Return the service without the restart that was asked for."""
        return replace(self, again=False)

    def _outdated(self, state: UnitState, seen: Seen) -> str:
        if self.again:
            return "as asked"
        changing = sorted(key.split(" ", 1)[1] for key in seen.changing if key.split(" ", 1)[1] in self.reads)
        if changing:
            return f"{', '.join(changing)} changes"
        if reason := self._changed(state, seen.text):
            return reason
        return "its unit file is newer" if state.stale else ""

    def _changed(self, state: UnitState, text: str) -> str:
        """Describe what has changed since the unit was started; return an empty text if it runs what it should."""
        reads = _files(text, "reads ")
        # What it was started with, and no longer reads, does not matter any more.
        record = {path: about for path, about in _files(text, "record reads ").items() if path in self.reads}
        if record == reads and record:
            return ""
        if state.invocation and f"record InvocationID={state.invocation}" in text.splitlines():
            # This start is the recorded one, so no clock is needed.
            same = _contents(text, "content ").items() & _contents(text, "record content ").items()
            paths = sorted(
                path for path in {**reads, **record} if reads.get(path) != record.get(path) and path not in dict(same)
            )
            return f"{', '.join(paths)} has changed since its start" if paths else ""
        newer = [path for path, about in reads.items() if _seconds(about) > state.started]
        if any(_seconds(reads[path]) > state.now for path in newer) and state.now:
            return f"{', '.join(newer)} has a time in the future: check the host's clock"
        return f"{', '.join(newer)} is newer" if newer else ""


def _files(text: str, prefix: str) -> dict[str, str]:
    """Return time, size and inode of each path, of the lines that begin with `prefix`."""
    lines = [line.removeprefix(prefix).split(" ", 3) for line in text.splitlines() if line.startswith(prefix)]
    return {line[3]: " ".join(line[:3]) for line in lines if len(line) == 4}


def _contents(text: str, prefix: str) -> dict[str, str]:
    """Return the digest of each file and the target of each link, of the lines that begin with `prefix`."""
    found = [line.removeprefix(prefix).split(" ", 1) for line in text.splitlines() if line.startswith(prefix)]
    return {line[1]: line[0] for line in found if len(line) == 2}


def _seconds(about: str) -> int:
    whole = about.partition(".")[0]
    return int(whole) if whole.isdigit() else 0


@dataclass(frozen=True)
class Stopped:
    """A unit that does not run; it stays enabled, and starts again with its machine or by `fab start`."""

    unit: str
    drain: Drain | None = None

    @property
    def key(self) -> str:
        return f"unit {self.unit}"

    def probe(self) -> str:
        return show(self.unit)

    def changes(self, seen: Seen) -> list[Change]:
        if not UnitState.parse(seen.text).runs:
            return []
        script, undo = stop_script(self.unit, self.drain), after_stop(self.unit)
        return [Change(f"stop {self.unit}", script, interrupts=True, undo=undo)]


@dataclass(frozen=True)
class Masked:
    """A unit that does not start when the package that brings it is installed; one that is there is left alone."""

    unit: str

    @property
    def key(self) -> str:
        return f"mask {self.unit}"

    def probe(self) -> str:
        return f"systemctl show -p LoadState {quote(self.unit)}"

    def changes(self, seen: Seen) -> list[Change]:
        if seen.text.strip() != "LoadState=not-found":
            return []
        # No way back: the package stays, and would then start with its machine.
        return [Change(f"keep {self.unit} from starting by itself", f"systemctl mask -q {quote(self.unit)}")]
