"""Times of one round: all subjects, shuffled, each so often that its time can be told."""

from __future__ import annotations

import cProfile
import gc
import math
import os
import pstats
import resource
import signal
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from safefs.testing.mounts import fork

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.workload import Subject

WALL, CPU, MEMORY = "wall", "cpu", "memory"
QUANTITIES = (WALL, CPU, MEMORY)
MEBI = 1 << 20
CHILD_SECONDS = 120


def cpu_seconds() -> float:
    """What this process has used, and those of its children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def batch(subject: Subject, calls: int) -> dict[str, float]:
    """Seconds for each time the thing is done: wall and CPU."""
    if subject.ready is not None:
        subject.ready()
    act = subject.act
    gc.collect()  # or one pays for what another has left
    with subject.within():
        cpu, wall = cpu_seconds(), time.perf_counter()
        for _ in range(calls):
            act()
        wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    done = calls * subject.per
    # A clock that has not moved says nothing, and nothing can be divided by it.
    used = math.nan if subject.outside or cpu <= 0 else cpu / done
    return {WALL: wall / done, CPU: used}


def calls_for(subject: Subject, seconds: float) -> int:
    """How often to call it in a round, so that this takes about so long; tried at most thrice."""
    if subject.ready is not None or not seconds:
        return 1
    took: list[float] = []
    while len(took) < 3 and (not took or took[-1] < seconds):
        took.append(batch(subject, 1)[WALL] * subject.per)
    return max(1, round(seconds / min(took)))


@contextmanager
def settled() -> Iterator[None]:
    """What exists by now is not looked through by the collector before each round."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def one_round(
    subjects: Mapping[str, Subject], calls: Mapping[str, int], chance: random.Random
) -> dict[str, dict[str, float]]:
    order = list(subjects)
    chance.shuffle(order)
    return {name: batch(subjects[name], calls[name]) for name in order}


def profile(title: str, subject: Subject, seconds: float = 0.2) -> None:
    """Print where the time goes, by the profiler's account (which makes calls look dearer)."""
    calls = calls_for(subject, seconds)
    if subject.ready is not None:
        subject.ready()
    profiler = cProfile.Profile()
    with subject.within(), profiler:
        for _ in range(calls):
            subject.act()
    print(f"\nprofile of {title}, {calls:,} calls")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(14)
    sys.stdout.flush()  # a child ends without


def peak(subject: Subject) -> float:
    """MiB of resident memory that one call needs above what was there, in a child of its own."""
    if subject.memory is not None:
        return subject.memory()
    if subject.ready is not None:
        subject.ready()
    return in_child(lambda: _peak_here(subject))


def _peak_here(subject: Subject) -> float:
    gc.collect()
    # The high-water mark is the parent's at first; 5 resets it (proc(5), clear_refs).
    with suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = _status("VmRSS")
    with subject.within():
        subject.act()
    return (_status("VmHWM") - before) / MEBI


def _status(field: str) -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def in_child(function: Callable[[], float]) -> float:
    """The number that a function comes to in a child; NaN where it came to none."""
    read_end, write_end = os.pipe()
    child = fork()
    if child == 0:
        try:
            signal.alarm(CHILD_SECONDS)  # one that hangs is ended, and has come to nothing
            os.write(write_end, repr(function()).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return float(said) if said else math.nan
