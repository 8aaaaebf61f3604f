"""One small file written, in place and as a whole."""

from __future__ import annotations

import fcntl
import os
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.ground import KIB, Ground
from benchmarks.work.small import CTYPES, bare_open
from benchmarks.workload import OS, Ratio, Subject, Workload
from safefs import Disk, Root
from safefs.kernel import syscalls

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.ground import Scale

DATA = KIB.replace(b"x", b"y")
MKSTEMP = "mkstemp + rename"
FEWEST = "the fewest calls"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


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
            CTYPES: Subject(_bare_write(root, path)),
            **peers.subjects(ground, "write", path, DATA),
        }
        return _all_leave(ground, path, subjects)

    figures = (Ratio("Root.write_bytes", most=1.20), Ratio(CTYPES))
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
            CTYPES: Subject(_bare_replace(root, path)),
            FEWEST: Subject(_bare_replace(root, path, fewest=True)),
        }
        return _all_leave(ground, path, subjects)

    title = f"replace 1 KiB as a whole, no fsync, depth {depth}"
    figures = (
        Ratio("Root.replace_file", MKSTEMP, most=0.75),
        Ratio(CTYPES, MKSTEMP),
        Ratio(FEWEST, MKSTEMP),
    )
    return Workload("writes", title, make, figures, baseline=MKSTEMP)


def _bare_write(root: Root, path: str) -> Callable[[], None]:
    """The system calls of ``Root.write_bytes``, with nothing around them."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    opened = bare_open(root.fileno(), path.encode(), flags)

    def write() -> None:
        fd = opened()
        if os.fstat(fd).st_size:
            os.ftruncate(fd, 0)
        os.write(fd, DATA)
        os.close(fd)

    return write


def _bare_replace(root: Root, path: str, *, fewest: bool = False) -> Callable[[], None]:
    """The system calls of ``Root.replace_file``; ``fewest``: without those that keep the mode,
    tell a sweeper that somebody writes, stamp the version and ask for late errors.
    """
    above, _, name = path.encode().rpartition(b"/")
    opened = bare_open(root.fileno(), above or b".", syscalls.DIRECTORY)
    held = root.fileno() if fewest and not above else -1

    def replace_it() -> None:
        directory = opened() if held < 0 else held
        draft = b".safefs-%s.tmp" % os.urandom(8).hex().encode()
        if not fewest:
            mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode & 0o777
        fd = os.open(draft, _NEW, 0o600, dir_fd=directory)
        if not fewest:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(fd, mode)
        os.write(fd, DATA)
        if not fewest:
            now = time_ns()
            os.utime(fd, ns=(now, now))
            os.close(os.dup(fd))
        os.rename(draft, name, src_dir_fd=directory, dst_dir_fd=directory)
        os.close(fd)
        if held < 0:
            os.close(directory)

    return replace_it


def _mkstemp(full: str) -> None:
    """What people write where they know that a file must be whole; no mode is kept."""
    fd, draft = tempfile.mkstemp(dir=os.path.dirname(full))
    try:
        os.write(fd, DATA)
    finally:
        os.close(fd)
    os.rename(draft, full)
