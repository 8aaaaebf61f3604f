"""``python -m benchmarks fsspec``: ``safefs://`` against fsspec's own file systems, on one tree.

``LocalFileSystem`` is the baseline; ``DirFileSystem`` over it is what people use to stay within a
directory (it checks no link). All subjects of a workload run interleaved and shuffled in each
round; what is printed is the median, over the rounds, of each subject's ratio to the baseline of
the same round, and the target. Warm caches, one thread; the tree lies in TMPDIR.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import platform
import pstats
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem

from safefs import Disk, Storage
from safefs.integrations.fsspec import SafeFileSystem

BASELINE = "LocalFileSystem"
SAFE = "safefs://"
Call = Callable[[AbstractFileSystem, str], object]
Clock = Callable[[], float]


@dataclass(frozen=True)
class Workload:
    """What is called with a file system and the name of the top, so often; and what is wished."""

    title: str
    target: float
    repeat: int
    call: Call


def read_opened(fs: AbstractFileSystem, top: str) -> bytes:
    with fs.open(f"{top}/deep/b/c/file", "rb") as file:
        content: bytes = file.read()
    return content


def workloads(files: int) -> list[Workload]:
    names = [f"flat/{number:05}" for number in range(10_000)]
    deep = "deep/b/c/file"
    # fmt: off
    return [
        Workload("cat_file, 1 KiB deep", 0.25, 2000, lambda fs, t: fs.cat_file(f"{t}/{deep}")),
        Workload("info", 0.95, 2000, lambda fs, t: fs.info(f"{t}/{deep}")),
        Workload("exists", 0.40, 2000, lambda fs, t: fs.exists(f"{t}/{deep}")),
        Workload("open + read, 1 KiB", 0.50, 1000, read_opened),
        Workload("ls of 10,000, detail", 0.60, 1, lambda fs, t: fs.ls(f"{t}/flat", detail=True)),
        Workload("cat of 10,000 files", 0.25, 1, lambda fs, t: fs.cat([f"{t}/{n}" for n in names])),
        Workload(f"find of {files:,}", 0.10, 1, lambda fs, t: fs.find(f"{t}/tree")),
        Workload(f"find of {files:,}, detail", 0.55, 1,
                 lambda fs, t: fs.find(f"{t}/tree", detail=True)),
        Workload(f"walk of {files:,}", 0.10, 1,
                 lambda fs, t: sum(1 for _ in fs.walk(f"{t}/tree"))),
        Workload(f"glob ** of {files:,}", 0.10, 1, lambda fs, t: fs.glob(f"{t}/tree/**")),
        Workload(f"du of {files:,}", 0.20, 1, lambda fs, t: fs.du(f"{t}/tree")),
    ]
    # fmt: on


def build(top: Path, files: int) -> None:
    """A file at depth 4, a directory of 10,000 files, and a tree of 100 files in each directory."""
    (top / "deep" / "b" / "c").mkdir(parents=True)
    (top / "deep" / "b" / "c" / "file").write_bytes(b"x" * 1024)
    (top / "flat").mkdir()
    for number in range(10_000):
        (top / "flat" / f"{number:05}").write_bytes(b"x" * 1024)
    for number in range(files // 100):
        directory = top / "tree" / f"{number // 32:03}" / f"{number % 32:02}"
        directory.mkdir(parents=True)
        for each in range(100):
            (directory / f"part-{each:02}.csv").touch()


def seconds(work: Workload, fs: AbstractFileSystem, top: str, clock: Clock) -> float:
    begin = clock()
    for _ in range(work.repeat):
        work.call(fs, top)
    return (clock() - begin) / work.repeat


def measure(
    work: Workload, subjects: dict[str, tuple[AbstractFileSystem, str]], rounds: int, clock: Clock
) -> tuple[dict[str, float], dict[str, float]]:
    """(median ratio to the baseline, median seconds) of each."""
    took: dict[str, list[float]] = {name: [] for name in subjects}
    order = list(subjects)
    for _ in range(rounds):
        random.shuffle(order)
        for name in order:
            took[name].append(seconds(work, *subjects[name], clock))
    base = took[BASELINE]
    ratios = {
        name: statistics.median(one / other for one, other in zip(values, base, strict=True))
        for name, values in took.items()
    }
    return ratios, {name: statistics.median(values) for name, values in took.items()}


def profile(work: Workload, fs: AbstractFileSystem, top: str) -> None:
    """Where the time goes, by the profiler's own account (which makes calls look dearer)."""
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(work.repeat):
        work.call(fs, top)
    profiler.disable()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(14)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks fsspec", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--files", type=int, default=100_000, help="in the large tree")
    parser.add_argument("--only", default="", help="workloads whose title holds this")
    parser.add_argument("--cpu", action="store_true", help="CPU time: for a machine that is busy")
    parser.add_argument("--profile", action="store_true", help="of what falls short of its target")
    given = parser.parse_args(arguments)
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs")
    clock, kind = (time.process_time, "CPU") if given.cpu else (time.perf_counter, "wall clock")
    print(f"median of {given.rounds} interleaved rounds, {kind} time, against {BASELINE}")
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        build(top, given.files)
        with (
            Disk(top) as disk,
            Storage("benchmark", disks={"bench": disk}) as storage,
            storage.register("bench"),
        ):
            local = LocalFileSystem()
            subjects: dict[str, tuple[AbstractFileSystem, str]] = {
                BASELINE: (local, name),
                "DirFileSystem": (DirFileSystem(name, local), ""),
                SAFE: (SafeFileSystem(), "bench"),
                "Disk.fs": (disk.fs, ""),
            }
            for work in workloads(given.files):
                if given.only in work.title:
                    report(work, subjects, given.rounds, clock, profiles=given.profile)


def report(
    work: Workload,
    subjects: dict[str, tuple[AbstractFileSystem, str]],
    rounds: int,
    clock: Clock,
    *,
    profiles: bool,
) -> None:
    ratios, took = measure(work, subjects, rounds, clock)
    print(f"\n{work.title} ({took[BASELINE] * 1e6:,.1f} us; target {work.target:.2f})", flush=True)
    for name, ratio in ratios.items():
        short = "  falls short" if name == SAFE and ratio > work.target else ""
        print(f"  {name:<18}{ratio:6.2f}{took[name] * 1e6:14,.1f} us{short}", flush=True)
    if profiles and ratios[SAFE] > work.target:
        profile(work, *subjects[SAFE])
