import os
import sys

import pytest

from lab import machine
from lab.errors import LabError


def test_missing_names_packages_once_and_in_order() -> None:
    absent = {"nft", "systemd-nspawn", "ip"}
    assert machine.missing(lambda need: need not in absent) == [
        "iproute2",
        "nftables",
        "systemd-container",
    ]
    assert machine.missing(lambda need: True) == []


def test_no_lab_without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="the practice fleet needs root") as error:
        machine.require_root()
    assert error.value.hint == "sudo fab lab.up"


def test_no_lab_except_on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LabError, match="needs Linux"):
        machine.require_root()
