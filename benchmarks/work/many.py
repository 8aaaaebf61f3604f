"""Many files of one directory: listed with what stat says of each, and read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.workload import OS, Ratio, Subject, Workload
from safefs import Disk, Root

if TYPE_CHECKING:
    from benchmarks.ground import Ground, Scale

CAT = "Disk.fs.cat"


def workloads(scale: Scale) -> list[Workload]:
    return [_listing(scale.many), _looking(scale.many), _reading(scale.many)]


def _listing(files: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.flat(files)
        root = ground.held(Root(ground.top))
        return {
            OS: Subject(lambda: _scandir(f"{ground.top}/{path}")),
            "Root.scandir": Subject(
                lambda: {entry.name: entry.stat().st_size for entry in root.scandir(path)}
            ),
            **peers.subjects(ground, "sizes", path),
        }

    figures = (Ratio("Root.scandir", most=1.05),)
    return Workload("many", f"list {files:,} with stat", make, figures)


def _scandir(full: str) -> dict[str, int]:
    with os.scandir(full) as entries:
        return {entry.name: entry.stat(follow_symlinks=False).st_size for entry in entries}


def _looking(files: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.flat(files)
        names = [f"{path}/{name}" for name in sorted(os.listdir(f"{ground.top}/{path}"))]
        fulls = [f"{ground.top}/{name}" for name in names]
        root = ground.held(Root(ground.top))
        return {
            OS: Subject(lambda: [os.stat(full) for full in fulls], _sizes),
            "Root.stat_many": Subject(lambda: root.stat_many(names), _sizes),
            "Root.stat": Subject(lambda: [root.stat(name) for name in names], _sizes),
        }

    return Workload("many", f"stat {files:,}", make, (Ratio("Root.stat_many"), Ratio("Root.stat")))


def _sizes(found: list[os.stat_result]) -> list[int]:
    return [each.st_size for each in found]


def _reading(files: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.flat(files)
        names = [f"{path}/{name}" for name in sorted(os.listdir(f"{ground.top}/{path}"))]
        fulls = [f"{ground.top}/{name}" for name in names]
        root, disk = ground.held(Root(ground.top)), ground.held(Disk(ground.top))
        fs = disk.fs
        local = peers.PEERS["fsspec LocalFileSystem"][1](ground.top)["read"]
        return {
            OS: Subject(lambda: [peers.read_fd(full) for full in fulls]),
            "Root.read_many": Subject(lambda: root.read_many(names)),
            "Root.read_bytes": Subject(lambda: [root.read_bytes(name) for name in names]),
            CAT: Subject(
                lambda: fs.cat(names), lambda found: [found[key] for key in sorted(found)]
            ),
            peers.PATHLIB: Subject(lambda: [Path(full).read_bytes() for full in fulls]),
            "fsspec LocalFileSystem": Subject(lambda: [local(name) for name in names]),
        }

    # fsspec's call of many answers with a dictionary.
    figures = (Ratio("Root.read_many", most=1.05), Ratio(CAT))
    return Workload("many", f"read {files:,} of 1 KiB", make, figures)
