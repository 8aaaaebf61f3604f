"""``python -m benchmarks trees [DIRECTORY ...]``: whole trees and whole files.

Against what a program would use instead: ``shutil.copytree`` and ``rmtree`` for trees of 10,000
files of 1 KiB in 100 directories, ``mkstemp`` and ``rename`` for a replacement, ``shutil.copyfile``
for a large file. Subjects of a workload run in turn within each round, in a shuffled order, and
what is printed is the median of the rounds' ratios with their least and greatest. Each DIRECTORY is
on a file system of its own kind: what is measured is that file system too. A large file shares its
blocks on btrfs and xfs, and on no other.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable

from safefs import Disk, Root

Act = Callable[[], object]
FILES, DIRECTORIES = 10_000, 100


def timed(act: Act) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def rounds(count: int, ours: Act, theirs: Act, again: Act) -> list[float]:
    """The ratio of each round; ``again`` puts things as they were."""
    ratios = []
    for _ in range(count):
        acts = [ours, theirs]
        random.shuffle(acts)
        took = {act: timed(act) for act in acts}
        ratios.append(took[ours] / took[theirs])
        again()
    return ratios


def say(title: str, ratios: list[float]) -> None:
    low, high = min(ratios), max(ratios)
    print(f"  {title:<44}{statistics.median(ratios):8.4f}   ({low:.4f} to {high:.4f})")


def lay(top: str) -> None:
    for number in range(DIRECTORIES):
        at = f"{top}/d{number // 10}/e{number % 10}"
        os.makedirs(at)
        for name in range(FILES // DIRECTORIES):
            with open(f"{at}/f{name}", "wb") as file:
                file.write(os.urandom(1024))


def trees(top: str, count: int) -> None:
    lay(f"{top}/tree")
    with Root(top) as root:
        copies = rounds(
            count,
            lambda: root.copy_tree("tree", "ours"),
            lambda: shutil.copytree(f"{top}/tree", f"{top}/theirs", symlinks=True),
            lambda: (shutil.rmtree(f"{top}/ours"), shutil.rmtree(f"{top}/theirs")),
        )
        say("copy_tree 10,000 / shutil.copytree", copies)

        def two() -> None:
            for name in ("ours", "theirs"):
                shutil.copytree(f"{top}/tree", f"{top}/{name}", symlinks=True)

        two()
        removals = rounds(
            count,
            lambda: root.remove_tree("ours"),
            lambda: shutil.rmtree(f"{top}/theirs"),
            two,
        )
        say("remove_tree 10,000 / shutil.rmtree", removals)


def replacing(top: str, count: int) -> None:
    data = b"x" * 1024
    for depth in (1, 4):
        path = "/".join(["d"] * (depth - 1) + ["f"])
        full = f"{top}/{path}"
        os.makedirs(os.path.dirname(full), exist_ok=True)

        def theirs(full: str = full) -> None:
            for _ in range(2000):
                fd, name = tempfile.mkstemp(dir=os.path.dirname(full))
                os.write(fd, data)
                os.close(fd)
                os.rename(name, full)

        with Root(top) as root, Disk(top) as disk:

            def by_root(root: Root = root, path: str = path) -> None:
                for _ in range(2000):
                    root.replace_file(path, data)

            def by_disk(disk: Disk = disk, path: str = path) -> None:
                for _ in range(2000):
                    disk.put(path, data)

            say(
                f"Root.replace_file 1 KiB, depth {depth} / mkstemp",
                rounds(count, by_root, theirs, int),
            )
            say(f"Disk.put 1 KiB, depth {depth} / mkstemp", rounds(count, by_disk, theirs, int))


def large(top: str, count: int, size: int) -> None:
    with open(f"{top}/large", "wb") as file:
        file.writelines(os.urandom(1 << 20) for _ in range(size >> 20))
    os.sync()
    with Root(top) as root:
        copies = rounds(
            count,
            lambda: root.copy("large", "ours"),
            lambda: shutil.copyfile(f"{top}/large", f"{top}/theirs"),
            lambda: (os.unlink(f"{top}/ours"), os.unlink(f"{top}/theirs")),
        )
        say(f"copy of {size >> 20} MiB / shutil.copyfile", copies)


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks trees", description=__doc__)
    parser.add_argument("directories", nargs="*", default=[tempfile.gettempdir()])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--mib", type=int, default=256, help="of the large file")
    parser.add_argument("--only", choices=["trees", "replacing", "large"])
    given = parser.parse_args(argv)
    for directory in given.directories:
        with tempfile.TemporaryDirectory(dir=directory) as top:
            print(f"\n{directory}: median of {given.rounds} interleaved rounds, ours / theirs")
            if given.only in (None, "trees"):
                trees(top, given.rounds)
            if given.only in (None, "replacing"):
                replacing(top, given.rounds)
            if given.only in (None, "large"):
                large(top, given.rounds, given.mib << 20)
