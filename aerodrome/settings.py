"""Stand-in until the real table arrives."""

from collections.abc import Iterable


def unknown(major: int, sections: Iterable[str]) -> list[str]:
    return []


def gone(major: int, section: str, key: str) -> bool:
    return False
