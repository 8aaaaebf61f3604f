"""One small file written, in place and as a whole."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.ground import KIB, Ground
from benchmarks.workload import OS, Ratio, Subject, Workload
from safefs import Disk, Root

if TYPE_CHECKING:
    from benchmarks.ground import Scale

DATA = KIB.replace(b"x", b"y")
MKSTEMP = "mkstemp + rename"


def workloads(_: Scale) -> list[Workload]:
    return [_writing(), *(_replacing(depth) for depth in (1, 4))]


def _all_leave(ground: Ground, path: str, subjects: dict[str, Subject]) -> dict[str, Subject]:
    """What they must agree on is what the file then holds; it holds something else before."""
    full = Path(ground.top, path)

    def held(_: object) -> bytes:
        found = full.read_bytes()
        full.write_bytes(KIB)
        return found

    return {name: replace(each, shown=held) for name, each in subjects.items()}


def _writing() -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(4)
        root = ground.held(Root(ground.top))
        subjects = {
            OS: Subject(partial(_write, f"{ground.top}/{path}")),
            "Root.write_bytes": Subject(partial(root.write_bytes, path, DATA)),
            **peers.subjects(ground, "write", path, DATA),
        }
        return _all_leave(ground, path, subjects)

    figures = (Ratio("Root.write_bytes", most=1.20),)
    return Workload("writes", "write 1 KiB in place, depth 4", make, figures)


def _write(full: str) -> None:
    fd = os.open(full, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        os.write(fd, DATA)
    finally:
        os.close(fd)


def _replacing(depth: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(depth)
        root, disk = ground.held(Root(ground.top)), ground.held(Disk(ground.top))
        subjects = {
            MKSTEMP: Subject(partial(_mkstemp, f"{ground.top}/{path}")),
            "Root.replace_file": Subject(partial(root.replace_file, path, DATA)),
            "Disk.put": Subject(partial(disk.put, path, DATA)),
        }
        return _all_leave(ground, path, subjects)

    title = f"replace 1 KiB as a whole, no fsync, depth {depth}"
    figures = (Ratio("Root.replace_file", MKSTEMP, most=0.75),)
    return Workload("writes", title, make, figures, baseline=MKSTEMP)


def _mkstemp(full: str) -> None:
    """What people write where they know that a file must be whole; no mode is kept."""
    fd, draft = tempfile.mkstemp(dir=os.path.dirname(full))
    try:
        os.write(fd, DATA)
    finally:
        os.close(fd)
    os.rename(draft, full)
