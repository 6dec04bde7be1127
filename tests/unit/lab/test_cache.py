import struct

from lab import cache


def test_acl_lets_each_writer_write_and_others_read() -> None:
    nobody = 0xFFFFFFFF
    expected = struct.pack("<I", 2)
    for entry in (
        (0x01, 7, nobody),  # owner
        (0x02, 7, 1000),
        (0x02, 7, 1001),
        (0x04, 5, nobody),  # group
        (0x10, 7, nobody),  # mask
        (0x20, 5, nobody),  # other
    ):
        expected += struct.pack("<HHI", *entry)
    assert cache.acl([1001, 1000]) == expected
