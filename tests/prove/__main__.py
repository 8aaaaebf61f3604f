"""``make prove``: everything at its full counts, in two lanes, and one table at the end.

What each part says goes line by line into a file of its own, which stays, also where the run is
broken off: its name is printed when the part begins.

Exit status 0 only if every part ended well: no escape, no disagreement, every mutant killed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safefs import __version__
from tests.counts import Count, duration, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Rows = Callable[[Any, float], list[Count]]

_TAIL = 400  # lines of a part's output that are shown when it has failed


@dataclass(frozen=True)
class Part:
    """A program that leaves its findings in a JSON file, and how they become rows."""

    name: str
    words: tuple[str, ...]  # {json} is where it is to leave them
    rows: Rows
    environment: Mapping[str, str] = field(default_factory=dict)


def _suite(found: dict[str, Any], seconds: float) -> list[Count]:
    passed = Count("tests", f"{found['passed']:,} passed, {found['skipped']} skipped", seconds)
    return [passed, *(Count(*row) for row in found["counted"])]


def _exhaustion(found: dict[str, dict[str, Any]], _: float) -> list[Count]:
    return [
        Count(f"exhaustion: {name}", f"{tally['cases']:,} cases in {tally['trees']:,} trees, "
              f"{tally['comparisons']:,} comparisons", tally["seconds"], None,
              len(tally["disagreements"]))
        for name, tally in found.items()
    ]  # fmt: skip


def _fuzzing(found: list[dict[str, Any]], _: float) -> list[Count]:
    return [
        Count(
            f"fuzzing: {target['target']}",
            f"{target['executions']:,} executions, {target['edges']:,} edges",
            target["seconds"],
            disagreements=target["crashes"],
        )
        for target in found
    ]


def _mutants(found: dict[str, Any], seconds: float) -> list[Count]:
    return [Count("mutants", f"killed {found['killed']}/{found['of']}", seconds)]


def lanes(minutes: float) -> tuple[tuple[Part, ...], ...]:
    """What runs beside what: two lanes, and the tests, which take longest, in two processes."""
    python = sys.executable
    suite = Part(
        "suite",
        (python, "-m", "pytest", "-v", "-n", "2", "--dist", "worksteal"),
        _suite,
        {"SAFEFS_PROFILE": "prove", "SAFEFS_COUNTS": "{json}"},
    )
    exhaust = Part(
        "exhaustion",
        (python, "-m", "tests.prove.exhaust", "--jobs", "1", "--json", "{json}"),
        _exhaustion,
    )
    fuzz = Part(
        "fuzzing",
        (python, "-m", "tests.fuzz", "all", "--seconds", f"{minutes * 60:g}", "--json", "{json}"),
        _fuzzing,
    )
    mutants = Part(
        "mutants", (python, "-m", "tests.mutants", "--jobs", "1", "--json", "{json}"), _mutants
    )
    return (suite,), (exhaust, fuzz, mutants)


@dataclass
class Ending:
    part: Part
    status: int
    seconds: float
    rows: list[Count]

    @property
    def failed(self) -> bool:
        found = sum((row.escapes or 0) + (row.disagreements or 0) for row in self.rows)
        return bool(self.status or not self.rows or found)


def run(part: Part, place: Path) -> Ending:
    """Run one part to its end; its findings and all it says stay in files in this place."""
    findings, said = place / f"{part.name}.json", place / f"{part.name}.txt"
    fill = {"{json}": str(findings)}
    words = [fill.get(word, word) for word in part.words]
    environment = {name: fill.get(word, word) for name, word in part.environment.items()}
    print(f"{part.name}: begun; what it says is in {said}", flush=True)
    began = time.monotonic()
    with said.open("wb") as output:
        ended = subprocess.run(
            words,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    seconds = time.monotonic() - began
    rows = part.rows(json.loads(findings.read_text()), seconds) if findings.exists() else []
    ending = Ending(part, ended.returncode, seconds, rows)
    how = f"FAILED ({ended.returncode})" if ending.failed else "ended well"
    lines = [f"{part.name}: {how} after {duration(seconds)}"]
    if ending.failed:  # now, for the other lane may go on for an hour
        lines += said.read_text("utf-8", "replace").splitlines()[-_TAIL:]
    print("\n".join(lines), flush=True)
    return ending


def verdict(endings: Sequence[Ending], parts: int) -> str:
    """PROVED only where every part there is ran, ended well, and had something to count."""
    if any(ending.failed for ending in endings):
        return "NOT PROVED"
    if len(endings) < parts:
        return f"ended well, but {parts - len(endings)} of {parts} parts did not run: NOT PROVED"
    return "PROVED"


def main(argv: Sequence[str] | None = None) -> int:
    names = [part.name for lane in lanes(0) for part in lane]
    parser = argparse.ArgumentParser(prog="python -m tests.prove", allow_abbrev=False)
    parser.add_argument("--fuzz-minutes", type=float, default=10.0)
    parser.add_argument("--only", action="append", metavar="PART", choices=names)
    arguments = parser.parse_args(argv)
    chosen = [
        [part for part in lane if not arguments.only or part.name in arguments.only]
        for lane in lanes(arguments.fuzz_minutes)
    ]
    began = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="safefs-prove-"))
    with ThreadPoolExecutor(len(chosen)) as pool:
        ran = pool.map(lambda lane: [run(part, place) for part in lane], chosen)
        endings = [ending for lane in ran for ending in lane]
    rows = [row for ending in endings for row in ending.rows]
    print(f"\nsafefs {__version__}, Python {platform.python_version()}, {platform.platform()}")
    print("\n".join(table(rows)))
    print(f"{verdict(endings, len(names))}, in {duration(time.monotonic() - began)}")
    return int(any(ending.failed for ending in endings))


if __name__ == "__main__":
    sys.exit(main())
