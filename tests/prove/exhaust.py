"""The whole of the bounded exhaustion: ``python -m tests.prove.exhaust --jobs 2 --json FILE``."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from safefs.testing import exhaustion, operating
from safefs.testing.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from safefs.testing.oracle import Directory

_SHOWN = 20  # disagreements that are printed
_LEAST = 1_000_000  # cases, or it was not the whole


def _resolving(sizes: range, targets: tuple[str, ...], share: slice) -> exhaustion.Tally:
    """Resolve every path in the trees of these sizes, a share of them."""
    some = _trees(sizes, targets, share)
    return _on_ground(lambda ground: exhaustion.resolve_all(some, exhaustion.paths(), ground))


def _operating(sizes: range, paths: int, share: slice, *, in_turns: bool) -> exhaustion.Tally:
    """Try every operation of so many paths in the trees of these sizes, a share of them."""
    some = _trees(sizes, exhaustion.TARGETS, share)
    return _on_ground(
        lambda ground: operating.operate_all(
            some, exhaustion.paths(), ground, paths=paths, in_turns=in_turns
        )
    )


def _trees(sizes: range, targets: tuple[str, ...], share: slice) -> Iterator[Directory]:
    every = chain.from_iterable(exhaustion.trees(size, targets) for size in sizes)
    return islice(every, share.start, None, share.step)


def _on_ground(work: Callable[[exhaustion.Ground], exhaustion.Tally]) -> exhaustion.Tally:
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="safefs-exhaustion-", dir=in_memory) as name:
        ground = exhaustion.Ground(Scratch.make(Path(name)))
        try:
            return work(ground)
        finally:
            ground.close()


PARTS: dict[str, Callable[[slice], exhaustion.Tally]] = {
    "resolving, up to 4 entries": partial(_resolving, range(5), exhaustion.TARGETS),
    "resolving, other targets, up to 3": partial(
        _resolving, range(4), exhaustion.TARGETS_WITH_ENDS
    ),
    "one path, up to 3 entries": partial(_operating, range(4), 1, in_turns=False),
    "one path, changing, 4 entries": partial(_operating, range(4, 5), 1, in_turns=True),
    "two paths, up to 2 entries": partial(_operating, range(3), 2, in_turns=False),
    "two paths, 3 entries": partial(_operating, range(3, 4), 2, in_turns=True),
}


def run(jobs: int, wanted: str = "") -> dict[str, exhaustion.Tally]:
    """Every part whose name has ``wanted`` in it, shared out among processes."""
    found = {}
    # Forked children would inherit a scratch and its descriptors; spawned ones begin with nothing.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for name, part in PARTS.items():
            if wanted not in name:
                continue
            began, total = time.monotonic(), exhaustion.Tally()
            for tally in pool.map(part, (slice(job, None, jobs) for job in range(jobs))):
                total.add(tally)
            total.seconds = time.monotonic() - began
            print(f"{name}: {total}", flush=True)
            for line in total.disagreements[:_SHOWN]:
                print(f"    {line}", flush=True)
            found[name] = total
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.prove.exhaust")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", default="", help="only those whose name has this in it")
    arguments = parser.parse_args(argv)
    found = run(arguments.jobs, arguments.part)
    if arguments.json:
        arguments.json.write_text(json.dumps({name: asdict(each) for name, each in found.items()}))
    cases = sum(tally.cases for tally in found.values())
    if not arguments.part and cases < _LEAST:
        print(f"only {cases:,} cases, where the whole has at least {_LEAST:,}")
        return 1
    return int(any(tally.disagreements for tally in found.values()))


if __name__ == "__main__":
    sys.exit(main())
