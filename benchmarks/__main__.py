"""Measure, and print the tables: python -m benchmarks [--only nothing change]."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import closing

from benchmarks.backup import backup
from benchmarks.bare import bare
from benchmarks.change import change
from benchmarks.counts import counted
from benchmarks.dags import dags
from benchmarks.first import cold, first
from benchmarks.growth import growth
from benchmarks.listing import listing
from benchmarks.measure import Failed
from benchmarks.nothing import nothing
from benchmarks.peers.engines import PEERS
from benchmarks.practice import practice
from benchmarks.report import Section, draw, heading, save
from lab.errors import LabError

PARTS = ("list", "same", "first", "cold", "nothing", "change", "dags", "backup", "growth")


def main() -> int:
    """Measure what was requested and return the exit code."""
    options = _options()
    # A lab outlives the process that started it: on a signal, exit through its `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    head, done, code = heading(os.getloadavg()[0]), [], 0
    print(head, flush=True)
    try:
        # closing(): the fleet goes down even if a table cannot be printed.
        with closing(_sections(options)) as sections:
            for section in sections:
                done.append(section)
                print(f"\n{section.markdown()}", flush=True)
    except (Failed, LabError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        code = 1
    finally:
        if done:
            _keep(head, done)
    return code


def _keep(head: str, sections: Sequence[Section]) -> None:
    results = save(head, sections)
    print(f"\nbenchmarks: kept in {results}, .json and .svg", file=sys.stderr)
    try:
        draw(results)
    except Failed as error:
        print(f"benchmarks: {error}", file=sys.stderr)


def _sections(options: argparse.Namespace) -> Generator[Section, None, None]:
    """Measure part by part: finished parts are shown, whatever happens to the rest."""
    peers = [peer for peer in PEERS if peer.name in options.peers]
    if "list" in options.only:
        yield from listing(options.rounds)
    if {*options.only} <= {"list"}:
        return
    with practice(options.keep) as fleet:
        if "same" in options.only:
            yield bare(fleet, peers)
        if "first" in options.only:
            yield from first(fleet, peers, options.long_rounds)
        if "cold" in options.only:
            yield from cold(fleet, peers, options.long_rounds)
        if "nothing" in options.only:
            fleet.fab("deploy").run()
            yield counted(fleet)
            yield nothing(fleet, peers, options.rounds)
        if "change" in options.only:
            fleet.fab("deploy").run()
            yield from change(fleet, peers, options.rounds, options.long_rounds)
        if "dags" in options.only:
            fleet.fab("deploy").run()
            yield from dags(fleet, options.rounds)
        if "backup" in options.only:
            fleet.fab("deploy").run()
            yield from backup(fleet, options.long_rounds)
        if "growth" in options.only:
            fleet.fab("deploy").run()
            yield from growth(fleet, options.rounds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="measure, side by side")
    names = [peer.name for peer in PEERS]
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="some parts of it")
    parser.add_argument("--peers", nargs="*", choices=names, default=names, help="against these only")
    parser.add_argument("--rounds", type=int, default=5, help="of what takes seconds (default: 5)")
    parser.add_argument("--long-rounds", type=int, default=3, help="of what takes minutes (default: 3)")
    parser.add_argument("--keep", action="store_true", help="leave the practice fleet up for the next run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
