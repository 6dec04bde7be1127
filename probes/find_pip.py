"""Runs on a host, as the installer, with the Python that environments are made of."""

import glob
import os
import sysconfig


def main() -> None:
    """Print the path of the pip wheel that `ensurepip` would install.

    Debian and Fedora keep it in a directory of its own (sysconfig's WHEEL_PKG_DIR, CPython 3.10), CPython itself
    beside ensurepip. pip runs from within its wheel, so that nothing has to be installed to fetch uv with the node's
    own pip.conf.
    """
    import ensurepip

    bundled = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    print(newest([sysconfig.get_config_var("WHEEL_PKG_DIR"), bundled, "/usr/share/python*-wheels"]))


def newest(places: "list[str | None]") -> str:
    """Return the last wheel of pip in the last of these places that has one."""
    return [wheel for place in places if place for wheel in sorted(glob.glob(os.path.join(place, "pip-*.whl")))][-1]
