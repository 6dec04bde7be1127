"""Python virtual environments, a versioned one for each set of packages, and a link to the one in use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aerodrome.errors import AerodromeError
from aerodrome.lockfile import DISTRIBUTION, Request, digest, fab_command
from aerodrome.resources.base import Change, Seen, put_text, quote
from aerodrome.resources.selinux import relabel
from aerodrome.secrets import Secret

# Where the pip wheel lies that `ensurepip` would install: Debian and Fedora keep it in a directory of its own
# (sysconfig's WHEEL_PKG_DIR, CPython 3.10), CPython itself beside ensurepip. pip runs from within its wheel, so
# that nothing has to be installed to fetch uv with the node's own pip.conf.
FIND_PIP = """\
import ensurepip, glob, os, sysconfig
bundled = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
places = [sysconfig.get_config_var("WHEEL_PKG_DIR"), bundled, "/usr/share/python*-wheels"]
print([wheel for place in places if place for wheel in sorted(glob.glob(os.path.join(place, "pip-*.whl")))][-1])"""


@dataclass(frozen=True)
class Requirements:
    """What goes into a virtual environment.

    `locks` are lock files with hashes, by Python version (`3.11`). Where there is `unpinned`, it is installed instead:
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

        Raises AerodromeError where it does not run on that version, or has no lock file for it.
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
        """Return what the installer reads, by the name that each file gets in the environment's directory."""
        # What fits today may ask for today's tools.
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
    """What both steps share: where the environment lies, and the state that it is in."""

    user: str
    home: str
    python: str
    requirements: Requirements

    @property
    def link(self) -> str:
        """The path that units use; it points to the versioned environment in use."""
        return f"{self.home}/airflow-venv"

    def directory(self, python: str) -> str:
        """Return the environment's path: the same name always holds the same packages."""
        files = self.requirements.files(python)
        packages = digest(files["requirements.txt"] + files.get("constraints.txt", ""))
        # The version may be 1.10.10.*; no path should have to be quoted.
        return f"{self.home}/airflow-venvs/{self.requirements.name.replace('*', 'x')}-py{python}-{packages}"

    def probe(self) -> str:
        python, link = quote(self.python), quote(self.link)
        return (
            # “Python 3.11.2”, which takes a quarter of the time of starting the interpreter to ask it.
            f"if version=$({python} -V 2>&1); then version=${{version#* }}; version=${{version%% *}}; "
            'echo "${version%.*}"; else echo none; fi\n'
            f"readlink {link} || {{ [ ! -e {link} ] && echo none || echo directory; }}\n"
            f"for d in {quote(self.home)}/airflow-venvs/*/; do d=${{d%/}}\n"
            '[ ! -x "$d/bin/python" ] || echo "made $d"; [ ! -e "$d/.complete" ] || echo "complete $d"; done'
        )

    def _refuse_missing(self, seen: Seen) -> None:
        """Raise AerodromeError where there is no Python, and no package is about to bring it."""
        if not any(key.startswith("packages ") for key in seen.changing):
            raise AerodromeError(
                f"there is no {self.python} on the host",
                "install it (fab node.packages brings the distribution's own), or set airflow.python",
            )

    def as_user(self, command: str) -> str:
        """Return sh that runs a command as the service user, with its own HOME."""
        return f"runuser -u {quote(self.user)} -- env HOME={quote(self.home)} {command}"


@dataclass(frozen=True)
class VirtualEnvironment(_Environment):
    """A virtual environment, still without packages."""

    @property
    def key(self) -> str:
        return "python environment"

    def changes(self, seen: Seen) -> list[Change]:
        python, _, *found = seen.text.splitlines()
        if python == "none":
            self._refuse_missing(seen)
            return [Change(f"make a virtual environment ({self.python})", "")]
        path = self.directory(python)
        if f"made {path}" in found:
            return []
        base, without = quote(path.rpartition("/")[0]), "--without-pip " if self.requirements.uv else ""
        make = self.as_user(f"{quote(self.python)} -m venv {without}--clear {quote(path)}")
        owner = quote(self.user)
        script = f"install -d -o {owner} -g {owner} -m 0755 {base}\n{make}"
        return [Change(f"make virtual environment {path}", script)]


@dataclass(frozen=True)
class Installed(_Environment):
    """The packages in the virtual environment, and the link that puts it in use."""

    @property
    def key(self) -> str:
        return f"link {self.link}"

    def changes(self, seen: Seen) -> list[Change]:
        python, link, *found = seen.text.splitlines()
        if python == "none":
            self._refuse_missing(seen)
            return [Change(f"install Airflow {self.requirements.name}", "")]
        path = self.directory(python)
        changes = []
        if f"complete {path}" not in found:
            changes.append(Change(f"install Airflow {self.requirements.name} into {path}", self._install(path, python)))
        if link != path:
            kept = " (the one that was made by hand is kept in airflow-venvs)" if link == "directory" else ""
            changes.append(
                Change(f"link {self.link} to it{kept}", self._switch(path, link), _diff(self.link, link, path))
            )
        return changes

    def _install(self, path: str, python: str) -> str:
        files = self.requirements.files(python)
        lines = [put_text(text, quote(f"{path}/{name}")) for name, text in files.items()]
        lines.append(self._index())
        if self.requirements.uv:
            lines.append(self._bring_uv())
            # uv reads the uv.toml of the folder that it runs in, beside the node's own configuration.
            within = f" --directory {quote(path)}" if "uv.toml" in files else ""
            install = f'"$uv"{within} pip install -q --system-certs --python {quote(path)}/bin/python'
            if "build.txt" in files:
                install += f" --build-constraints {quote(path)}/build.txt"
        else:
            install = f"{quote(path)}/bin/python -m pip install -q --no-input --disable-pip-version-check"
        if "constraints.txt" in files:
            install += f" -c {quote(path)}/constraints.txt"
        hashes = "" if self.requirements.unpinned else " --require-hashes"
        lines.append(self.as_user(f"{install}{hashes} -r {quote(path)}/requirements.txt"))
        lines.append(relabel(path))
        lines.append(self.as_user(f"touch {quote(path)}/.complete"))
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

    def _bring_uv(self) -> str:
        place = f"{self.home}/airflow-venvs/.uv-{digest(self.requirements.uv)}"
        find = self.as_user(f"{quote(self.python)} -c {quote(FIND_PIP)}")
        install = self.as_user(
            f'PYTHONPATH="$pip" {quote(self.python)} -m pip install -q --no-input --disable-pip-version-check '
            # uv is a program that fills environments of a Python too old for its own wheel's Requires-Python.
            "--ignore-requires-python "
            f"--target {quote(place)}.new --no-deps --only-binary :all: --require-hashes -r {quote(place)}.txt"
        )
        return (
            f"uv={quote(place)}/bin/uv\n"
            'if [ ! -x "$uv" ]; then\n'
            f"pip=$({find})\n"
            f"{put_text(self.requirements.uv, quote(place) + '.txt')}\n"
            f"rm -rf {quote(place)}.new {quote(place)}\n"
            f"{install}\n"
            f"mv {quote(place)}.new {quote(place)}\n"
            "fi"
        ) + (self._ask_pip(find) if self.requirements.index_url is None else "")

    def _ask_pip(self, find: str) -> str:
        """Return sh that gives uv the index of the node's pip.conf, which uv does not read."""
        pip = self.as_user(f'PYTHONPATH="$pip" {quote(self.python)} -m pip config list')
        return (
            f"\nif [ -e /etc/pip.conf ]; then\npip=$({find})\n"
            f"index=$({pip} | sed -n \"s/^global.index-url='\\(.*\\)'$/\\1/p\")\n"
            '[ -z "$index" ] || export UV_DEFAULT_INDEX="$index"\nfi'
        )

    def _switch(self, path: str, link: str) -> str:
        aside = f"{self.home}/airflow-venvs/by-hand-$(date +%s)"
        # A directory there is an environment that somebody made by hand: it is kept.
        move = f"mv -T {quote(self.link)} {aside}\n" if link == "directory" else ""
        new = quote(f"{self.link}.new")
        make = f"ln -sfn {quote(path)} {new}\nchown -h {quote(self.user)}: {new}\nmv -fT {new} {quote(self.link)}"
        return f"{move}{make}\n{relabel(self.link)}"


def _diff(link: str, old: str, new: str) -> str:
    return f"-{link} -> {old}\n+{link} -> {new}" if old not in ("none", "directory") else f"+{link} -> {new}"
