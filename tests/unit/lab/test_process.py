from pathlib import Path

from lab import process

MOUNTINFO = """\
301 300 0:55 / / rw,relatime - overlay overlay rw,lowerdir=/b,upperdir=/lab/db1/upper,workdir=/w
302 301 0:56 / /var/cache/uv rw,relatime shared:1 - ext4 /dev/vda rw,discard
"""


def test_a_host_is_known_by_the_overlay_at_its_root() -> None:
    assert process.root_upper(MOUNTINFO) == Path("/lab/db1/upper")


def test_the_machine_has_the_overlay_too_but_not_at_its_root() -> None:
    machine = MOUNTINFO.replace(" / / ", " / /lab/db1/root ")
    assert process.root_upper(machine) is None
    assert process.root_upper("") is None
