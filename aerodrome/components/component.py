"""Components: everything about one role. Each file in components/roles holds exactly one."""

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
    """The result of probing a role's host."""

    state: UnitState
    now: int  # the host's clock, seconds since the epoch
    answers: Mapping[str, Any]  # Airflow's answers to the questions of the host's roles
    lines: Sequence[str]  # the output of the unit's probe, including the role's own `look`


class Component(Role, ABC):
    """A role and everything specific to it; these are the defaults."""

    public = False  # its ports are reachable from outside the fleet

    @abstractmethod
    def unit(self, inputs: Inputs) -> str:
        """Return the name of its unit, or a glob if distributions differ."""

    def machine(self, inputs: Inputs, host: Host) -> list[Step]:
        """Return the steps that its host needs besides those of every node."""
        return []

    def settings(self, inputs: Inputs, host: Host) -> list[Step]:
        """Return the steps that may disturb running units; they run after this run's halts."""
        return []

    def afterwards(self, inputs: Inputs) -> list[Step]:
        """Return the steps to do on its host once all units run with the current hosts.yaml."""
        return []

    def watches(self, inputs: Inputs, host: Host) -> list[Watch]:
        """Return the watches of its health, if it is not an Airflow unit."""
        return []

    def gone(self, inputs: Inputs) -> list[Step]:
        """Return the resources that remove the role's leftovers from a host that does not have the role."""
        return []

    def left(self, inputs: Inputs) -> tuple[Left, ...]:
        """Return the services with data that stay on a host after it has lost the role."""
        return ()


class AirflowRole(Component):
    """A role whose unit runs one of Airflow's commands."""

    runs_airflow = True
    commands: Mapping[int, str]  # major version → arguments of `airflow`; other versions do not have the role
    stage: str  # the stage in which its units start; stages are in the order of their roles
    first_alone = False  # its first host starts before all others, in its own stage
    job = ""  # its type in the table `job` of the metadata database
    secrets: tuple[Setting, ...] = ()  # the only ones that its processes get, if the version lets roles differ
    tasks_need_it = 0  # from this major version on, tasks report to it: it starts before what starts tasks; 0: never
    uses_celery = False  # its processes use Celery's broker and results
    logs: SettingPort | None = None  # where it serves task logs, if it does
    reads_logs = False  # its processes fetch task logs from there

    def unit(self, inputs: Inputs) -> str:
        return inputs.unit(self.name)

    def command(self, inputs: Inputs, host: Host) -> str:
        """Return the arguments of `airflow` that its unit runs."""
        return self.commands[inputs.catalogue.major]

    def migration(self, inputs: Inputs, host: Host) -> str:
        """Return the `airflow` arguments with which its unit migrates the database first, or ""."""
        return ""

    def runtime(self, inputs: Inputs) -> str:
        """Return the name of a directory in /run that exists while its unit runs, or ""."""
        return ""

    def runs_tasks(self, inputs: Inputs) -> bool:
        """Tell whether tasks are processes of its unit."""
        return False

    def waits(self, inputs: Inputs) -> bool:
        """Tell whether its process waits for its tasks when it is asked to stop."""
        return True

    def serves_logs(self, executor: str, version: Version) -> bool:
        """Tell whether it serves task logs."""
        return self.logs is not None

    def ports(self, executor: str, version: Version) -> tuple[KeyPort | SettingPort, ...]:
        return (self.logs,) if self.logs and self.serves_logs(executor, version) else ()

    def host_variables(self, inputs: Inputs, host: Host) -> dict[str, str]:
        """Return the variables of all processes on its host, as part of the node's settings."""
        return {}

    def variables(self, inputs: Inputs, host: Host) -> dict[str, str]:
        """Return the variables of its own processes, which override all others."""
        return {}

    def requires(self, inputs: Inputs, host: Host) -> tuple[Check, ...]:
        """Return the checks that a host must pass before it runs the role."""
        return ()

    def resources(self, inputs: Inputs) -> tuple[Resource, ...]:
        """Return the resources that must be on a host before its unit starts, besides the drop-in."""
        return ()

    def before_start(self, inputs: Inputs, host: Host) -> tuple[Change, ...]:
        """Return the changes to make just before its unit starts."""
        return ()

    def asks(self, inputs: Inputs, host: Host) -> dict[str, object]:
        """Return the questions for the health program, besides its port."""
        return {}

    def answers_on(self, inputs: Inputs) -> int:
        """Return the port that accepts connections while it is healthy; 0: none is checked."""
        return 0

    def look(self, inputs: Inputs) -> str:
        """Return sh that prints more about its unit than its state."""
        return ""

    @abstractmethod
    def judge(self, seen: Seen) -> tuple[Verdict, str]:
        """Return whether the role of an active unit is healthy, and what was seen."""

    def reported(self, answers: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return its report about the health of other roles, or None."""
        return None
