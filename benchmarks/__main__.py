"""``python -m benchmarks``: safefs beside plain ``os`` and beside what a user would pick instead.

All subjects of a workload run in one process, interleaved and shuffled in each round; they must
agree on the answer before they are timed. Printed is the median, over the rounds, of the ratio to
the other in the same round, with the interval that holds it with 95 % confidence, beside it the
same in CPU time, and what is wished. The baseline is timed twice in each round: how far these two
differ is the noise. Where the noise is larger than the difference no conclusion is drawn.

A workload that fails is told of and the others are measured; the status is 1 then, 2 for arguments
that cannot be, 130 when it is interrupted. What was measured by then is written in any case.

What it does not show: cold caches, a slow or remote disk, contention by others, and your machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

from benchmarks import clock, peers, places, report
from benchmarks.ground import FULL, QUICK, TINY
from benchmarks.plot import as_svg
from benchmarks.running import Manner, Outcome, run
from benchmarks.work import across, registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.workload import Workload


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    given = parser.parse_args(arguments)
    scale = TINY if given.tiny else QUICK if given.quick else FULL
    every = registry(scale)
    if (unknown := [word for word in given.only if not chosen(every, [word])]) or "" in given.only:
        parser.error(
            f"no group or title of the {scale.name} form has {' or '.join(unknown) or 'nothing'}: "
            "--list shows them"
        )
    wanted = chosen(every, given.only)
    if given.list:
        print("\n".join(f"{work.group:<10}{work.title}" for work in wanted))
        return 0
    memory = given.memory or places.in_memory()
    if (reason := _wrong(given, memory)) is not None:
        parser.error(reason)
    by = clock.CPU if given.cpu else clock.WALL
    manner = Manner(scale, memory, given.disk, by, profiles=given.profile)
    facts = machine(manner)
    print("\n".join(f"{key}: {value}" for key, value in facts.items()), flush=True)
    outcomes: list[Outcome] = []
    began = perf_counter()
    status = 1
    signal.signal(signal.SIGTERM, _ended)  # what lies in the scratch directories goes with us
    try:
        status = _all(wanted, manner, outcomes)
    except KeyboardInterrupt:
        status = 130
        print("interrupted", file=sys.stderr)
    finally:
        facts["took"] = f"{perf_counter() - began:.0f} seconds"
        facts["load when it ended"] = _load()
        print(report.conclusion(outcomes), flush=True)
        _write(given, facts, outcomes)
    return status


def _all(wanted: Sequence[Workload], manner: Manner, outcomes: list[Outcome]) -> int:
    status = 0
    for work in wanted:
        try:
            outcome = run(work, manner)
        except Exception as error:  # noqa: BLE001  (an hour's other figures are worth keeping)
            status = 1
            said = f"failed: {type(error).__name__}: {error}"
            print(f"{work.title}: {said}", file=sys.stderr)
            outcome = Outcome(work.group, work.title, work.baseline, reason=said)
        outcomes.append(outcome)
        print(report.text(outcome), flush=True)
    return status


def _ended(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _wrong(given: argparse.Namespace, memory: str) -> str | None:
    """Why it cannot be begun: before an hour is spent."""
    for option, place in (("--memory", memory), ("--disk", given.disk)):
        if not os.path.isdir(place) or not os.access(place, os.W_OK | os.X_OK):
            return f"{option} {place} is no directory to write in"
    for option in ("json", "markdown", "svg", "summary"):
        path = getattr(given, option)
        if path is None or path == Path("-"):
            continue
        try:
            with path.open("a", encoding="utf-8"):
                pass
        except OSError as error:
            return f"--{option} {path} cannot be written: {error.strerror}"
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--quick", action="store_true", help="smaller trees, fewer rounds")
    forms.add_argument("--tiny", action="store_true", help="once each: whether it runs at all")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="titles or groups with this"
    )
    parser.add_argument("--list", action="store_true", help="the titles, and no more")
    parser.add_argument("--cpu", action="store_true", help="CPU time decides, not the wall clock")
    parser.add_argument("--profile", action="store_true", help="of what misses its target")
    parser.add_argument("--json", metavar="FILE", type=Path)
    parser.add_argument("--markdown", nargs="?", const=Path("-"), metavar="FILE", type=Path)
    parser.add_argument("--summary", metavar="FILE", type=Path, help="Markdown of the targets")
    parser.add_argument("--svg", metavar="FILE", type=Path)
    parser.add_argument(
        "--memory", metavar="DIRECTORY", help="on tmpfs, for all but what needs a disk"
    )
    parser.add_argument("--disk", metavar="DIRECTORY", default=os.environ.get("TMPDIR", "/tmp"))
    return parser


def chosen(works: Sequence[Workload], only: Sequence[str]) -> list[Workload]:
    """Those whose group or title is one of the words, or holds one that is nobody's whole name."""
    words = {word.casefold() for word in only}
    names = {name.casefold() for work in works for name in (work.group, work.title)}
    whole, parts = names & words, words - names
    return [
        work
        for work in works
        if not only
        or {work.group.casefold(), work.title.casefold()} & whole
        or any(part in work.title.casefold() for part in parts)
    ]


def machine(manner: Manner) -> dict[str, Any]:
    """What the numbers are of."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "system": platform.platform(),
        "processors": f"{os.cpu_count()}, {_processor()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') >> 30} GiB",
        "python": platform.python_version(),
        "file systems": f"{places.kind_of(manner.memory)}, {places.kind_of(manner.disk)} for disks",
        "peers": ", ".join(f"{name} {found}" for name, found in peers.versions().items()),
        "go": across.version() or "none",
        "scale": manner.scale.name,
        "clock": manner.by,
        "load when it began": _load(),
    }


def _processor() -> str:
    """Its model, where the system tells."""
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.machine()


def _load() -> str:
    return " ".join(f"{each:.2f}" for each in os.getloadavg())


def _write(given: argparse.Namespace, facts: dict[str, Any], outcomes: list[Outcome]) -> None:
    if given.json:
        given.json.write_text(report.as_json(facts, outcomes), encoding="utf-8")
    if given.markdown == Path("-"):
        print("\n" + report.as_markdown(facts, outcomes))
    elif given.markdown:
        given.markdown.write_text(report.as_markdown(facts, outcomes), encoding="utf-8")
    if given.summary:
        given.summary.write_text(report.as_summary(facts, outcomes), encoding="utf-8")
    if given.svg:
        title = f"safefs beside others, Python {facts['python']}"
        given.svg.write_text(as_svg(title, outcomes), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
