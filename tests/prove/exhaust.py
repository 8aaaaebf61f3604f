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

from safefs.testing import exhaustion
from safefs.testing.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from safefs.testing.oracle import Directory

_SHOWN = 20  # disagreements that are printed


def _resolving(entries: int, targets: tuple[str, ...], share: slice) -> exhaustion.Tally:
    """Resolve every path in every share-th tree of up to so many entries."""
    some = islice(_trees(entries, targets), share.start, None, share.step)
    return _on_ground(lambda ground: exhaustion.resolve_all(some, exhaustion.paths(), ground))


def _trees(entries: int, targets: tuple[str, ...]) -> Iterator[Directory]:
    return chain.from_iterable(exhaustion.trees(n, targets) for n in range(entries + 1))


def _on_ground(work: Callable[[exhaustion.Ground], exhaustion.Tally]) -> exhaustion.Tally:
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(prefix="safefs-exhaustion-", dir=in_memory) as name:
        ground = exhaustion.Ground(Scratch.make(Path(name)))
        try:
            return work(ground)
        finally:
            ground.close()


PARTS: dict[str, Callable[[slice], exhaustion.Tally]] = {
    "resolving, eight targets, up to 4 entries": partial(_resolving, 4, exhaustion.TARGETS),
    "resolving, eight more targets, up to 3 entries": partial(
        _resolving, 3, exhaustion.TARGETS_WITH_ENDS
    ),
}


def run(jobs: int) -> dict[str, exhaustion.Tally]:
    """Every part, shared out among processes."""
    found = {}
    # Forked children would inherit a scratch and its descriptors; spawned ones begin with nothing.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for name, part in PARTS.items():
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
    arguments = parser.parse_args(argv)
    found = run(arguments.jobs)
    if arguments.json:
        arguments.json.write_text(json.dumps({name: asdict(each) for name, each in found.items()}))
    return any(tally.disagreements for tally in found.values())


if __name__ == "__main__":
    sys.exit(main())
