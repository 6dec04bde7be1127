"""Measure, and print the tables: python -m benchmarks [--only nothing|first|list]."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Generator
from contextlib import closing

from benchmarks.first import first
from benchmarks.listing import listing
from benchmarks.measure import Failed
from benchmarks.nothing import nothing
from benchmarks.peers.nothing import NAMES, peers
from benchmarks.practice import practice
from benchmarks.report import Section, heading, save
from lab.errors import LabError

PAIRS = 10  # of what takes a second


def main() -> int:
    """Measure what was asked for and return the exit code."""
    options = _options()
    # A lab outlives whoever raised it: leave by way of its `finally` when asked to go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    head, done = heading(os.getloadavg()[0]), []
    print(head, flush=True)
    try:
        # closing(): the fleet comes down also when a table cannot be printed.
        with closing(_sections(options)) as sections:
            for section in sections:
                done.append(section)
                print(f"\n{section.markdown()}", flush=True)
    except (Failed, LabError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 1
    finally:
        if done:
            print(f"\nbenchmarks: kept in {save(head, done)}", file=sys.stderr)
    return 0


def _sections(options: argparse.Namespace) -> Generator[Section, None, None]:
    """Measure part by part: what is done is shown, whatever comes of the rest."""
    if options.only in (None, "list"):
        yield listing(PAIRS)
    if options.only == "list":
        return
    with practice(options.keep) as fleet:
        if options.only in (None, "first"):
            yield from first(fleet, options.pairs)
        if options.only in (None, "nothing"):
            fleet.fab("deploy").run()
            yield nothing(fleet, PAIRS)
            if options.peers:
                yield peers(fleet, options.peers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="measure; takes about half an hour")
    parser.add_argument("--only", choices=("nothing", "first", "list"), help="one part of it")
    parser.add_argument("--pairs", type=int, default=1, help="first deploys of each kind (default: 1)")
    # Not by default yet: they are measured where there is nothing to do, and in nothing else.
    parser.add_argument(
        "--peers", nargs="+", choices=NAMES, default=(), help="others too, where there is nothing to do"
    )
    parser.add_argument("--keep", action="store_true", help="leave the practice fleet up for the next run")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
