"""What a component is: all that is particular to one role. Each file of components/roles has one, and nothing else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aerodrome.catalogue.version import Setting
from aerodrome.core.check import Verdict
from aerodrome.dataclass import dataclass
from aerodrome.fleet.role import KeyPort, Role, SettingPort, Version
from aerodrome.resources.systemd import UnitState

if TYPE_CHECKING:
    from aerodrome.checks.left import Left
    from aerodrome.components.inputs import Inputs
    from aerodrome.core.check import Check, Watch
    from aerodrome.core.resource import Change, Resource
    from aerodrome.core.step import Step
    from aerodrome.fleet.model import Host


@dataclass(frozen=True)
class Seen:
    """What a look at a role's host has shown."""

    state: UnitState
    now: int  # the host's clock, seconds since the epoch
    answers: Mapping[str, Any]  # of Airflow, to what the host's roles ask
    lines: Sequence[str]  # what the look at the unit has printed, the role's own `look` too


class Component(Role, ABC):
    """A role, and all that is particular to it. What it does not say is as these defaults have it."""

    public = False  # others than the fleet's own hosts may reach its ports

    @abstractmethod
    def unit(self, inputs: Inputs) -> str:
        """Return the name of its unit, or a pattern of names where distributions differ."""

    def machine(self, inputs: Inputs, host: Host) -> list[Step]:
        """Return what its host is made of, beside what every node is made of."""
        return []

    def settings(self, inputs: Inputs, host: Host) -> list[Step]:
        """Return what of its host may disturb units that run: not before those have halted that this run halts."""
        return []

    def afterwards(self, inputs: Inputs) -> list[Step]:
        """Return what is left to do on its host once all units run with what hosts.yaml says."""
        return []

    def watches(self, inputs: Inputs, host: Host) -> list[Watch]:
        """Return what asks after its health, where no unit of Airflow's says it."""
        return []

    def left(self, inputs: Inputs) -> tuple[Left, ...]:
        """Return what holds data, and so is left alone on a host that no longer has the role."""
        return ()


class AirflowRole(Component):
    """A role whose unit runs one of Airflow's commands."""

    runs_airflow = True
    commands: Mapping[int, str]  # major version → arguments of `airflow`; a version that is missing has no such role
    stage: str  # the stage of a deploy in which its units start; stages come in the order of their roles
    first_alone = False  # its first host starts before all others, in a stage of its own
    job = ""  # what it calls itself in the metadata database's table `job`
    secrets: tuple[Setting, ...] = ()  # the only ones that its processes get, where Airflow lets roles differ
    uses_celery = False  # its processes use Celery's broker and results
    logs: SettingPort | None = None  # where it hands out the logs of tasks, if it does
    reads_logs = False  # its processes ask for them there

    def unit(self, inputs: Inputs) -> str:
        return inputs.unit(self.name)

    def command(self, inputs: Inputs, host: Host) -> str:
        """Return the arguments of `airflow` that its unit runs."""
        return self.commands[inputs.catalogue.major]

    def migration(self, inputs: Inputs, host: Host) -> str:
        """Return the arguments of `airflow` by which its unit migrates the database first; empty: it does not."""
        return ""

    def runtime(self, inputs: Inputs) -> str:
        """Return the name of a directory below /run that is there while its unit runs; empty: it needs none."""
        return ""

    def runs_tasks(self, inputs: Inputs) -> bool:
        """Tell whether tasks are processes of its unit."""
        return False

    def serves_logs(self, executor: str, version: Version) -> bool:
        """Tell whether it hands out the logs of tasks."""
        return self.logs is not None

    def ports(self, executor: str, version: Version) -> tuple[KeyPort | SettingPort, ...]:
        return (self.logs,) if self.logs and self.serves_logs(executor, version) else ()

    def host_variables(self, inputs: Inputs, host: Host) -> dict[str, str]:
        """Return the variables that all processes of its host get, as a part of the settings of every node."""
        return {}

    def variables(self, inputs: Inputs, host: Host) -> dict[str, str]:
        """Return the variables that its own processes get, over all others."""
        return {}

    def requires(self, inputs: Inputs, host: Host) -> tuple[Check, ...]:
        """Return what must hold of a host before it runs the role."""
        return ()

    def resources(self, inputs: Inputs) -> tuple[Resource, ...]:
        """Return what must be on a host before its unit starts, beside the drop-in."""
        return ()

    def before_start(self, inputs: Inputs, host: Host) -> tuple[Change, ...]:
        """Return what is done just before its unit is started."""
        return ()

    def asks(self, inputs: Inputs, host: Host) -> dict[str, object]:
        """Return what the program that asks after its health is to ask, beside its port."""
        return {}

    def answers_on(self, inputs: Inputs) -> int:
        """Return the port that takes connections while it is healthy; 0: none is tried."""
        return 0

    def look(self, inputs: Inputs) -> str:
        """Return sh that prints more of its unit than its state."""
        return ""

    @abstractmethod
    def judge(self, seen: Seen) -> tuple[Verdict, str]:
        """Tell, of a unit that is active, whether the role is healthy, and what was seen."""

    def reported(self, answers: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what it says of the health of other roles."""
        return None
