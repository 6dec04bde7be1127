"""Run on a host, as the installer, with the Python that environments are created from."""

import glob
import os
import sysconfig


def main() -> None:
    """Print the path of the pip wheel that `ensurepip` would install.

    Debian and Fedora keep it in a separate directory (sysconfig's WHEEL_PKG_DIR, CPython 3.10), CPython itself next to
    ensurepip. pip runs directly from its wheel, so nothing has to be installed in order to fetch uv with the node's own
    pip.conf.
    """
    import ensurepip

    bundled = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    print(newest([sysconfig.get_config_var("WHEEL_PKG_DIR"), bundled, "/usr/share/python*-wheels"]))


def newest(places: "list[str | None]") -> str:
    """Return the newest pip wheel in the last of these directories that has one."""
    return [wheel for place in places if place for wheel in sorted(glob.glob(os.path.join(place, "pip-*.whl")))][-1]
