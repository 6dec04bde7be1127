"""Names that Airflow is about to claim on a host: refused if something else already uses them.

On a host that is already ours, each probe runs only shell builtins; it starts processes on the first deploy only.
"""

from __future__ import annotations

from aerodrome.core.check import Finding, refused
from aerodrome.core.resource import quote
from aerodrome.dataclass import dataclass
from aerodrome.resources.environment import escape
from aerodrome.resources.files import MARK

LISTED = 64  # how many names in a folder to look at
# Any one of these makes a folder an AIRFLOW_HOME.
AIRFLOW_FILES = {"airflow.cfg", "airflow.db", "dags", "dags-releases", "webserver_config.py"}
# Airflow has these too, but so do others. A folder that contains nothing else is accepted as an AIRFLOW_HOME.
PERHAPS_AIRFLOW = {"logs", "plugins", "config", "lost+found"}


@dataclass(frozen=True)
class OwnHome:
    """AIRFLOW_HOME is missing, empty, or already belongs to Airflow.

    `environment_file` names the AIRFLOW_HOME of a host that has been deployed before.
    """

    path: str
    user: str
    environment_file: str

    @property
    def key(self) -> str:
        return f"claim {self.path}"

    def probe(self) -> str:
        home, file = quote(self.path), quote(self.environment_file)
        line = quote(f"AIRFLOW_HOME={escape(self.path)}")
        return (
            "ours=\n"
            f"[ ! -f {file} ] || while read -r line; do case $line in\n"
            f"*{quote(MARK)}*) ours=marked ;;\n{line}) ours=$ours,home; break ;;\n"
            f"esac; done <{file}\n"
            f'if [ "$ours" != marked,home ] && [ -e {home} ]; then\n'
            f"stat -L -c '%F|%U' {home}; [ ! -d {home} ] || ls -A {home} | head -n {LISTED}\nfi"
        )

    def judge(self, answer: str) -> list[Finding]:
        first, _, rest = answer.partition("\n")
        kind, bar, owner = first.partition("|")
        if not bar:
            return []
        elsewhere = "set airflow.home in hosts.yaml to a directory of Airflow's own"
        if kind != "directory":
            return refused(self, f"{self.path} is a {kind}, but AIRFLOW_HOME must be a directory", elsewhere)
        if owner not in ("root", self.user):
            return refused(
                self,
                f"{self.path} belongs to {owner}, not to root or {self.user}",
                f"{elsewhere}, or airflow.user to {owner} if Airflow runs as {owner}",
            )
        names = set(rest.splitlines())
        if names & AIRFLOW_FILES or names <= PERHAPS_AIRFLOW:
            return []
        some = ", ".join([*sorted(names - {"lost+found"})[:3], *(["…"] if len(names) > 3 else [])])
        return refused(self, f"{self.path} is in use by something other than Airflow: it contains {some}", elsewhere)


@dataclass(frozen=True)
class OwnUnits:
    """The units <service>.service and <service>@….service are missing, or run Airflow (ours, or made by hand)."""

    service: str

    @property
    def key(self) -> str:
        return f"claim {self.service}@.service"

    def probe(self) -> str:
        ours = quote(f"/etc/systemd/system/{self.service}@.service")
        units = " ".join(quote(f"{self.service}{end}") for end in (".service", "@scheduler.service"))
        return (
            f"line=; [ ! -f {ours} ] || read -r line <{ours}\n"
            f"case $line in *{quote(MARK)}*) ;; *) for unit in {units}; do\n"
            'path=$(systemctl show -p FragmentPath --value "$unit")\n'
            f'[ -z "$path" ] || {_mentions_airflow(PATH)} || printf "%s\\n" "$path"\n'
            "done ;; esac"
        )

    def judge(self, answer: str) -> list[Finding]:
        for path in answer.splitlines():
            return refused(
                self,
                f"the host already has a unit of that name that does not belong to Airflow: {path}",
                "set airflow.service in hosts.yaml to a name that no other unit has",
            )
        return []


@dataclass(frozen=True)
class OwnEnvironment:
    """The environment file is missing, or belongs to Airflow (ours, or written by hand)."""

    path: str

    @property
    def key(self) -> str:
        return f"claim {self.path}"

    def probe(self) -> str:
        file = quote(self.path)
        return (
            f"line=; [ ! -f {file} ] || read -r line <{file}\n"
            f"case $line in *{quote(MARK)}*) ;; *) [ ! -s {file} ] || {_mentions_airflow(file)} || echo other ;; esac"
        )

    def judge(self, answer: str) -> list[Finding]:
        if answer.strip():
            return refused(
                self,
                f"{self.path} already exists and does not mention Airflow",
                "set airflow.service in hosts.yaml to a name that no other service has",
            )
        return []


PATH = '"$path"'


def _mentions_airflow(file: str) -> str:
    """Return sh that tells whether a file (already quoted) is ours or mentions Airflow outside comments."""
    return f"grep -qsiE {quote(f'{MARK}|^[^#;]*airflow')} {file}"
