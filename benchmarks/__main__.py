"""``python -m benchmarks``: confined calls against plain ``os`` and against the check by hand.

Each workload has a baseline in plain ``os`` and the confined subjects beside it. All subjects of a
workload run interleaved and shuffled in each round; what is printed is the median, over the rounds,
of each subject's ratio to the baseline of the same round. To replace a file is tempfile.mkstemp, a
write and a rename there, which keeps no mode. The tree lies in a temporary directory
(TMPDIR); ratios on a slow file system are kinder than on tmpfs. What this does not show: cold
caches, contention, and the machine you will run on. ``python -m benchmarks fsspec`` measures the
file system of fsspec, ``python -m benchmarks trees`` what copies, removes and replaces, and
``python -m benchmarks policy`` what a policy costs.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from safefs import Disk, Root

Subject = Callable[[], object]
BASELINE = "os"


def by_hand(root: str, path: str) -> str:
    """The check that people write."""
    full = os.path.realpath(os.path.join(root, path))
    if os.path.commonpath((root, full)) != root:
        raise PermissionError(path)
    return full


def read(full: str) -> bytes:
    fd = os.open(full, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 16)
    finally:
        os.close(fd)


def builtin_text(full: str) -> str:
    with open(full, encoding="utf-8") as file:
        return file.read()


def root_text(root: Root, path: str) -> str:
    with root.open(path, encoding="utf-8") as file:
        return file.read()


def replace(full: str, data: bytes) -> None:
    """What people write where they know that a file must be whole; no mode is kept."""
    fd, draft = tempfile.mkstemp(dir=os.path.dirname(full))
    try:
        os.write(fd, data)
    finally:
        os.close(fd)
    os.replace(draft, full)


def workloads(top: str, depth: int) -> dict[str, dict[str, Subject]]:
    real = os.path.realpath(top)
    path = "/".join(["d"] * (depth - 1) + ["f"])
    full = f"{real}/{path}"
    os.makedirs(os.path.dirname(full), exist_ok=True)
    data = b"x" * 1024
    Path(full).write_bytes(data)
    root, disk = Root(real), Disk(real)
    return {
        f"read 1 KiB, depth {depth}": {
            BASELINE: lambda: read(full),
            "Root.read_bytes": lambda: root.read_bytes(path),
            "Disk.get": lambda: disk.get(path),
            "pathlib": lambda: Path(full).read_bytes(),
            "realpath + commonpath": lambda: read(by_hand(real, path)),
        },
        f"open text and read, depth {depth}": {
            BASELINE: lambda: builtin_text(full),
            "Root.open": lambda: root_text(root, path),
        },
        f"stat, depth {depth}": {
            BASELINE: lambda: os.stat(full),
            "Root.stat": lambda: root.stat(path),
            "realpath + commonpath": lambda: os.stat(by_hand(real, path)),
        },
        f"exists, depth {depth}": {
            BASELINE: lambda: os.path.exists(full),
            "Root.exists": lambda: root.exists(path),
        },
        f"replace 1 KiB, depth {depth}": {
            BASELINE: lambda: replace(full, data),
            "Root.replace_file": lambda: root.replace_file(path, data),
            "Disk.put": lambda: disk.put(path, data),
        },
    }


def seconds(subject: Subject, calls: int) -> float:
    begin = time.perf_counter()
    for _ in range(calls):
        subject()
    return time.perf_counter() - begin


def ratios(
    subjects: dict[str, Subject], rounds: int, calls: int, baseline: str = BASELINE
) -> dict[str, float]:
    measured: dict[str, list[float]] = {name: [] for name in subjects}
    order = list(subjects)
    for _ in range(rounds):
        random.shuffle(order)
        took = {name: seconds(subjects[name], calls) for name in order}
        for name, value in took.items():
            measured[name].append(value / took[baseline])
    return {name: statistics.median(values) for name, values in measured.items()}


def main() -> None:
    if sys.argv[1:2] == ["fsspec"]:
        from benchmarks import bench_fsspec

        bench_fsspec.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["trees"]:
        from benchmarks import bench_trees

        bench_trees.main(sys.argv[2:])
        return
    if sys.argv[1:2] == ["policy"]:
        from benchmarks import bench_policy

        bench_policy.main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=2000, help="per subject and round")
    given = parser.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs")
    print(f"median of {given.rounds} interleaved rounds of {given.calls} calls, against plain os")
    for depth in (1, 4, 16):
        with tempfile.TemporaryDirectory() as top:
            for title, subjects in workloads(top, depth).items():
                print(f"\n{title}")
                for name, ratio in ratios(subjects, given.rounds, given.calls).items():
                    if name != BASELINE:
                        print(f"  {name:<24}{ratio:6.2f}")


if __name__ == "__main__":
    main()
