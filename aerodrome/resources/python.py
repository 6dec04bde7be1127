"""Python virtual environments, a versioned one for each set of packages, and a link to the one in use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aerodrome.catalogue.packages import DISTRIBUTION
from aerodrome.core.resource import Change, Seen, put_text, quote
from aerodrome.dataclass import dataclass
from aerodrome.errors import AerodromeError
from aerodrome.lockfile import Request, digest, fab_command
from aerodrome.program import program
from aerodrome.resources.dag_imports import recorded_by
from aerodrome.resources.installer import CACHE, INSTALLER, as_installer
from aerodrome.resources.release import KEEP, Releases
from aerodrome.resources.selinux import relabel
from aerodrome.secrets import Secret

# A component of a path as `namei -l` (util-linux) lists it: kind, mode, owner, group.
COMPONENT = re.compile(r" *([-bcdlps])([-rwxsStT]{9}) +(\S+) +(\S+) ")
# Whoever owns the interpreter decides what it does, so root does not even ask for its version: nobody does.
AS_NOBODY = "setpriv --reuid 65534 --regid 65534 --clear-groups"


@dataclass(frozen=True)
class Requirements:
    """The packages of a virtual environment.

    `locks` are lock files with hashes, by Python version (`3.11`). If `unpinned` is set, it is installed instead:
    within `constraints`, the text of a constraints file, or else as the index has it on that day, which the operator
    has to ask for. Neither has hashes.
    """

    name: str  # what it is, for the directory's name: `3.3.2`
    locks: Mapping[str, str]
    unpinned: str = ""
    supported: tuple[str, ...] = ()  # Python versions that it runs on
    uv: str = ""  # requirements file of uv itself, with hashes; empty: pip installs
    index_url: Secret | None = None
    extra_index_url: Secret | None = None
    distribution: str = DISTRIBUTION
    constraints: str = ""
    build: str = ""  # requirements file of what builds source distributions, with hashes; empty: what they ask for
    metadata: str = ""  # uv.toml that says what packages require, where their own metadata is wrong or slow to get

    def text(self, python: str) -> str:
        """Return the requirements file for a Python version.

        Raises AerodromeError if it does not run on that version, or has no lock file for it.
        """
        if self.supported and python not in self.supported:
            raise AerodromeError(
                f"{self._package} does not run on Python {python}",
                f"it runs on {', '.join(self.supported)}: set airflow.python to one of these on the host",
            )
        if self.unpinned:
            return self.unpinned + "\n"
        if python not in self.locks:
            command = fab_command(Request(version=self.name, python=python, distribution=self.distribution))
            raise AerodromeError(
                f"there is no lock file for {self._package} on Python {python}",
                f"make one: {command}; or name a constraints file: airflow.constraints;"
                " or take what fits today: airflow.pinned: false",
            )
        return self.locks[python]

    def files(self, python: str) -> dict[str, str]:
        """Return the files that the installer reads, by name."""
        # Packages of today may need tools of today.
        build = "" if self.unpinned and not self.constraints else self.build
        named = {
            "requirements.txt": self.text(python),
            "constraints.txt": self.constraints if self.unpinned else "",
            "build.txt": build,
            "uv.toml": self.metadata,
        }
        return {name: text for name, text in named.items() if text}

    @property
    def _package(self) -> str:
        return f"{'Airflow' if self.distribution == DISTRIBUTION else self.distribution} {self.name}"


@dataclass(frozen=True)
class _Environment:
    """The base of both steps: the environment's location and state.

    Below `place`, which belongs to root with everything in it, are `venvs/<name>`, each filled by the installer; beside
    each, once it is complete, `<name>.complete`; and `venv`, the link to the one in use.
    """

    place: str
    python: str
    requirements: Requirements
    user: str  # the service user, who must have no hand in it
    unit: str  # path of the unit file, which names the environment of an earlier version
    keep: int = KEEP
    beside: bool = False  # it is made ready beside the one in use: another link points to it
    stays: tuple[str, ...] = ()  # one of these versions that is in use stays so until `Linked` is reached
    run: str = ""  # the run that imports all DAGs before that; empty: none does

    @property
    def releases(self) -> Releases:
        return environment_releases(self.place, self.keep, "next" if self.beside else "venv")

    @property
    def link(self) -> str:
        """The path that units use; it points to the versioned environment in use."""
        return self.releases.link

    def name(self, python: str) -> str:
        """Return the environment's name: the same name always holds the same packages."""
        files = self.requirements.files(python)
        packages = digest(files["requirements.txt"] + files.get("constraints.txt", ""))
        return f"{_plain(self.requirements.name)}-py{python}-{packages}"

    def directory(self, python: str) -> str:
        """Return the environment's path."""
        return self.releases.path(self.name(python))

    def probe(self) -> str:
        python, link, own = quote(self.python), quote(self.link), self.python.startswith("/")
        # Whatever the operator's own Python is, its answer is cut: the shell would keep all of it.
        cut = " | head -c 100" if own else ""
        probe = (
            # “Python 3.11.2”, which takes a quarter of the time of starting the interpreter to ask it.
            f"version=$({AS_NOBODY} {python} -V 2>&1 3<&- 9<&-{cut})\n"
            'case $version in "Python "*) version=${version#* }; version=${version%% *}; '
            'echo "${version%.*}";; *) echo none;; esac\n'
            f"readlink {link} || {{ [ ! -e {link} ] && echo none || echo directory; "
            f"sed -n 's|^ExecStart=\\(/.*\\)/bin/airflow .*|before \\1|p' {quote(self.unit)}; }}\n"
            f"for d in {quote(self.place)}/venvs/*/; do d=${{d%/}}\n"
            '[ ! -x "$d/bin/python" ] || { echo "made $d"; [ ! -e "$d.complete" ] || echo "complete $d"; }; done'
        )
        if self.run:
            probe += f"\nif {recorded_by(self.run)}; then echo imported; fi"
        probe += f"\n{self.releases.probe(self._names())}"
        # What is found on root's PATH is the distribution's.
        return f"{probe}\nnamei -l {python}" if own else probe

    def _names(self) -> list[str]:
        """Return the names that the environment may get, one for each Python version that it could be made with."""
        pythons = self.requirements.supported if self.requirements.unpinned else self.requirements.locks
        return [self.name(python) for python in pythons if python in (self.requirements.supported or pythons)]

    def in_use(self, seen: Seen) -> tuple[str, str]:
        """Return where the link leads, and the name of the environment that is wanted; empty while it is not known."""
        python, link, _ = self.state(seen)
        return link, "" if python == "none" else self.name(python)

    def holds(self, link: str) -> bool:
        """Return whether the environment that the link leads to stays in use for now."""
        kept = tuple(f"{_plain(version)}-py" for version in self.stays)
        return bool(kept) and self.releases.name_of(link).startswith(kept)

    def state(self, seen: Seen) -> tuple[str, str, list[str]]:
        """Return the Python version, what the link points to, and what else there is.

        Raises AerodromeError if there is no Python and no package is about to bring it, or none to be trusted.
        """
        python, link, *found = seen.text.splitlines()
        if python == "none" and not any(key.startswith("packages ") for key in seen.changing):
            raise AerodromeError(
                f"there is no {self.python} on the host",
                "install it where every user can run it (fab node.packages brings the distribution's own),"
                " or set airflow.python",
            )
        if any(self._may_replace(line) for line in found):
            raise AerodromeError(
                f"the service user {self.user} could replace {self.python}",
                "install Python where only root can write, such as /opt, and set airflow.python to it",
            )
        return python, link, found

    def _may_replace(self, line: str) -> bool:
        """Return whether the service user could replace the component of Python's path that `line` lists."""
        if not (found := COMPONENT.match(line)):
            return False
        kind, mode, owner, group = found.groups()
        if owner == self.user:
            return True
        # A link's own mode means nothing; in a sticky directory only owners may replace what is there.
        group_writes = group == self.user and mode[4] == "w"
        return kind != "l" and mode[8] not in "tT" and (group_writes or mode[7] == "w")


@dataclass(frozen=True)
class VirtualEnvironment(_Environment):
    """A virtual environment, still without packages."""

    @property
    def key(self) -> str:
        return "python environment"

    def changes(self, seen: Seen) -> list[Change]:
        python, _, found = self.state(seen)
        if python == "none":
            return [Change(f"make a virtual environment ({self.python})", "")]
        path = self.directory(python)
        if f"made {path}" in found:
            return []
        without = "--without-pip " if self.requirements.uv else ""
        script = (
            f"rm -f {quote(path)}.complete\n"
            f"install -d -o {INSTALLER} -g {INSTALLER} -m 0755 {quote(path)}\n"
            + as_installer(f"{quote(self.python)} -m venv {without}--clear {quote(path)}")
        )
        return [Change(f"make virtual environment {path}", script)]


@dataclass(frozen=True)
class Installed(_Environment):
    """The packages in the virtual environment, and the link that puts it in use."""

    @property
    def key(self) -> str:
        return f"link {self.link}"

    def changes(self, seen: Seen) -> list[Change]:
        python, link, found = self.state(seen)
        if python == "none":
            return [Change(f"install Airflow {self.requirements.name}", "")]
        if link == "directory":
            raise AerodromeError(f"{self.link} is not a link to a virtual environment", "move it away")
        path = self.directory(python)
        changes = []
        if f"complete {path}" not in found:
            changes.append(Change(f"install Airflow {self.requirements.name} into {path}", self._install(path, python)))
        if link != path and not self.holds(link):
            changes.append(self.switch(path, link, found))
        return changes

    def _install(self, path: str, python: str) -> str:
        files = self.requirements.files(python)
        # Root's, so that nobody changes what is installed; with a group, as an index's password may be in them.
        given = f"{self.place}/requirements/{self.name(python)}"
        lines = [f"install -d -g {INSTALLER} -m 0750 {quote(self.place)}/requirements {quote(given)}"]
        lines += [put_text(text, quote(f"{given}/{name}")) for name, text in files.items()]
        lines.append(self._index())
        if self.requirements.uv:
            lines.append(self._bring_uv(given))
            # uv reads the uv.toml of the folder that it runs in, beside the node's own configuration.
            within = f" --directory {quote(given)}" if "uv.toml" in files else ""
            install = (
                f'"$uv"{within} pip install -q --system-certs --compile-bytecode --python {quote(path)}/bin/python'
            )
            if "build.txt" in files:
                install += f" --build-constraints {quote(given)}/build.txt"
        else:
            # pip compiles what it installs by itself.
            install = f"{quote(path)}/bin/python -m pip install -q --no-input --disable-pip-version-check"
        if "constraints.txt" in files:
            install += f" -c {quote(given)}/constraints.txt"
        hashes = "" if self.requirements.unpinned else " --require-hashes"
        lines.append(as_installer(f"{install}{hashes} -r {quote(given)}/requirements.txt"))
        # Wheels come with modes of their own.
        lines.append(as_installer(f"chmod -R go-w,a+rX {quote(path)}"))
        lines.append(relabel(path, user=INSTALLER))
        lines.append(f": >{quote(path)}.complete")
        return "\n".join(line for line in lines if line)

    def _index(self) -> str:
        """Return sh that names the indexes to both installers; what is exported is in no process's argv."""
        exports = []
        if url := self.requirements.index_url:
            exports.append(f"export UV_DEFAULT_INDEX={quote(url.reveal())} PIP_INDEX_URL={quote(url.reveal())}")
        if url := self.requirements.extra_index_url:
            exports.append(f"export UV_INDEX={quote(url.reveal())} PIP_EXTRA_INDEX_URL={quote(url.reveal())}")
            # Among indexes uv takes the first that has a package, also where only another has the pinned version.
            exports.append("export UV_INDEX_STRATEGY=unsafe-best-match")
        return "\n".join(exports)

    def _bring_uv(self, given: str) -> str:
        # In the installer's own cache: only the installer ever runs it.
        place = f"{CACHE}/uv-{digest(self.requirements.uv)}"
        find = as_installer(f"{quote(self.python)} -c {quote(program('find_pip'))}")
        install = as_installer(
            f'PYTHONPATH="$pip" {quote(self.python)} -m pip install -q --no-input --disable-pip-version-check '
            # uv is a program that fills environments of a Python too old for its own wheel's Requires-Python.
            "--ignore-requires-python "
            f"--target {place}.new --no-deps --only-binary :all: --require-hashes -r {quote(given)}/uv.txt"
        )
        return (
            f"uv={place}/bin/uv\n"
            'if [ ! -x "$uv" ]; then\n'
            f"pip=$({find})\n"
            f"{put_text(self.requirements.uv, quote(given) + '/uv.txt')}\n"
            f"{as_installer(f'rm -rf {place}.new {place}')}\n"
            f"{install}\n"
            f"{as_installer(f'mv {place}.new {place}')}\n"
            "fi"
        ) + (self._ask_pip(find) if self.requirements.index_url is None else "")

    def _ask_pip(self, find: str) -> str:
        """Return sh that gives uv the index of the node's pip.conf, which uv does not read."""
        pip = as_installer(f'PYTHONPATH="$pip" {quote(self.python)} -m pip config list')
        return (
            f"\nif [ -e /etc/pip.conf ]; then\npip=$({find})\n"
            f"index=$({pip} | sed -n \"s/^global.index-url='\\(.*\\)'$/\\1/p\")\n"
            '[ -z "$index" ] || export UV_DEFAULT_INDEX="$index"\nfi'
        )

    def switch(self, path: str, link: str, found: Sequence[str] = ()) -> Change:
        """Return the change that puts an environment in use."""
        name = path.rpartition("/")[2]
        # Its time tells which environment was in use before which.
        script = f"{self.releases.switch(name)}\n{relabel(self.link)}\ntouch {quote(path)}.complete"
        undo = self.releases.back(name, link, f"{relabel(self.link)}\ntouch {quote(link)}.complete")
        before = [line[7:] for line in found if line.startswith("before /") and line != f"before {self.link}"]
        before = [] if self.beside else before
        stays = f" (units leave {before[0]}, which stays until you remove it)" if before else ""
        old = f"-{self.link} -> {link}\n" if link != "none" else ""
        return Change(f"link {self.link} to it{stays}", script, f"{old}+{self.link} -> {path}", undo=undo)


def _plain(version: str) -> str:
    """Return a version as in the name of a directory: it may be 1.10.10.*, and no path should have to be quoted."""
    return version.replace("*", "x")


def environment_releases(place: str, keep: int = KEEP, link: str = "venv") -> Releases:
    """Return the environments below `place`; `link` is the name of the link to one of them."""
    folder, given = f"{place}/venvs", f"{place}/requirements"
    return Releases("environment", f"{place}/{link}", folder, keep, INSTALLER, ".complete", given)
