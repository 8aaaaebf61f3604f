"""``python -m benchmarks``: safefs beside plain ``os`` and beside what a user would pick instead.

All subjects of a workload run in one process, interleaved and shuffled in each round; they must
agree on the answer before they are timed. Printed is the median, over the rounds, of the ratio to
the other in the same round, with the interval that holds it with 95 % confidence, beside it the
same in CPU time, and what is wished. The baseline is timed twice in each round: how far these two
differ is the noise. Where the noise is larger than the difference no conclusion is drawn.

What it does not show: cold caches, a slow or remote disk, contention by others, and your machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks import clock, peers, places, report
from benchmarks.ground import FULL, QUICK, TINY
from benchmarks.plot import as_svg
from benchmarks.running import Manner, Outcome, run
from benchmarks.work import across, registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.workload import Workload


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    scale = TINY if given.tiny else QUICK if given.quick else FULL
    wanted = chosen(registry(scale), given.only)
    if given.list:
        print("\n".join(f"{work.group:<10}{work.title}" for work in wanted))
        return 0
    if not wanted:
        print(f"no workload has {' or '.join(given.only)} in its title", file=sys.stderr)
        return 2
    by = clock.CPU if given.cpu else clock.WALL
    memory = given.memory or places.in_memory()
    manner = Manner(scale, memory, given.disk, by, profiles=given.profile)
    facts = machine(manner)
    print("\n".join(f"{key}: {value}" for key, value in facts.items()), flush=True)
    outcomes = []
    began = perf_counter()
    for work in wanted:
        outcomes.append(run(work, manner))
        print(report.text(outcomes[-1]), flush=True)
    facts["took"] = f"{perf_counter() - began:.0f} seconds"
    facts["load when it ended"] = _load()
    print(report.conclusion(outcomes), flush=True)
    _write(given, facts, outcomes)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="smaller trees, fewer rounds")
    parser.add_argument("--tiny", action="store_true", help="once each: whether it runs at all")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="titles or groups with this"
    )
    parser.add_argument("--list", action="store_true", help="the titles, and no more")
    parser.add_argument("--cpu", action="store_true", help="CPU time decides, not the wall clock")
    parser.add_argument("--profile", action="store_true", help="of what misses its target")
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--markdown", nargs="?", const=Path("-"), metavar="FILE", type=Path)
    parser.add_argument("--svg", metavar="FILE", type=Path)
    parser.add_argument(
        "--memory", metavar="DIRECTORY", help="on tmpfs, for all but what needs a disk"
    )
    parser.add_argument("--disk", metavar="DIRECTORY", default=os.environ.get("TMPDIR", "/tmp"))
    return parser


def chosen(works: Sequence[Workload], only: Sequence[str]) -> list[Workload]:
    """Those whose group or title is one of the words, or holds one that is nobody's whole name."""
    names = {name for work in works for name in (work.group, work.title)}
    whole, parts = names.intersection(only), set(only) - names
    return [
        work
        for work in works
        if not only or {work.group, work.title} & whole or any(part in work.title for part in parts)
    ]


def machine(manner: Manner) -> dict[str, Any]:
    """What the numbers are of."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "file systems": f"{places.kind_of(manner.memory)}, {places.kind_of(manner.disk)} for disks",
        "peers": ", ".join(f"{name} {found}" for name, found in peers.versions().items()),
        "go": across.version() or "none",
        "scale": manner.scale.name,
        "clock": manner.by,
        "load when it began": _load(),
    }


def _load() -> str:
    return " ".join(f"{each:.2f}" for each in os.getloadavg())


def _write(given: argparse.Namespace, facts: dict[str, Any], outcomes: list[Outcome]) -> None:
    if given.json:
        given.json.write_text(report.as_json(facts, outcomes), encoding="utf-8")
    if given.markdown == Path("-"):
        print("\n" + report.as_markdown(facts, outcomes))
    elif given.markdown:
        given.markdown.write_text(report.as_markdown(facts, outcomes), encoding="utf-8")
    if given.svg:
        title = f"safefs beside others, Python {facts['python']}"
        given.svg.write_text(as_svg(title, outcomes), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
