"""One small file: opened, read, looked at, asked for. By ``os``, by safefs, by others."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from benchmarks import peers
from benchmarks.ground import Ground, write
from benchmarks.workload import OS, Ratio, Subject, Workload
from safefs import Disk, Root
from safefs.kernel import open_plainly, probe, syscalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.ground import Scale

DEPTHS = (1, 4, 16)
CTYPES = "bare ctypes calls"
DESCRIPTOR = "kernel.open_plainly"
_BENEATH = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_MAGICLINKS
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def workloads(_: Scale) -> list[Workload]:
    return [
        *(_opening(depth) for depth in DEPTHS),
        *(_reading(depth) for depth in DEPTHS),
        _reading_much(),
        *(_looking(depth) for depth in DEPTHS),
        *(_asking(depth, missing=missing) for missing in (False, True) for depth in DEPTHS),
        *(_file_object(depth) for depth in DEPTHS),
        *(_text_file_object(depth) for depth in DEPTHS),
        *(_by_walk(depth) for depth in DEPTHS),
    ]


def _root(ground: Ground) -> Root:
    return ground.held(Root(ground.top))


def _opening(depth: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(depth)
        root, full = _root(ground), f"{ground.top}/{path}"
        return {
            OS: Subject(partial(_open_and_close, full)),
            DESCRIPTOR: Subject(_confined(root, path)),
            "Root.open": Subject(lambda: root.open(path, "rb", buffering=0).close()),
            "builtin open": Subject(lambda: open(full, "rb", buffering=0).close()),
            peers.BY_HAND: Subject(lambda: _open_and_close(peers.by_hand(ground.top, path))),
        }

    # A file object is more than a descriptor, to the builtin as to us; the target is for both.
    figures = (
        Ratio(DESCRIPTOR, most=1.20),
        Ratio("Root.open", most=1.20),
        Ratio("Root.open", "builtin open"),
    )
    return Workload("small", f"open and close, depth {depth}", make, figures)


def _confined(root: Root, path: str) -> Callable[[], None]:
    """What ``Root.open`` stands on: a path parsed, opened beneath, and the descriptor closed."""
    handle = root._handle

    def opened() -> None:
        syscalls.close(open_plainly(handle, path, _READ))

    return opened


def _open_and_close(full: str) -> None:
    os.close(os.open(full, os.O_RDONLY | os.O_CLOEXEC))


def _reading(depth: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(depth)
        root, disk = _root(ground), ground.held(Disk(ground.top))
        return {
            OS: Subject(partial(peers.read_fd, f"{ground.top}/{path}")),
            CTYPES: Subject(_bare(root, path)),
            "Root.read_bytes": Subject(partial(root.read_bytes, path)),
            "Disk.get": Subject(partial(disk.get, path)),
            **peers.subjects(ground, "read", path),
        }

    figures = (
        Ratio("Root.read_bytes", most=1.40),
        Ratio("Root.read_bytes", CTYPES, most=1.12),
        Ratio("Root.read_bytes", peers.PATHLIB, most=0.35),
        Ratio("Disk.get", most=1.75),
    )
    return Workload("small", f"read 1 KiB, depth {depth}", make, figures)


def _bare(root: Root, path: str) -> Callable[[], bytes]:
    """The system calls of ``Root.read_bytes``, with nothing around them."""
    top, raw = root.fileno(), path.encode()
    how = syscalls.open_how(_READ, 0, _BENEATH)
    openat2, pread, close = syscalls.openat2, os.pread, os.close

    def read() -> bytes:
        fd = openat2(top, raw, how)
        data = pread(fd, 1 << 16, 0)
        pread(fd, 1 << 16, len(data))
        close(fd)
        return data

    return read


def _reading_much() -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        write(f"{ground.top}/d/d/d/large", b"x" * (1 << 20))
        path = "d/d/d/large"
        root = _root(ground)
        return {
            OS: Subject(partial(_read_much, f"{ground.top}/{path}")),
            "Root.read_bytes": Subject(partial(root.read_bytes, path)),
            **peers.subjects(ground, "read", path),
        }

    # By hand reads at most 64 KiB in its one call, so it is asked of small files only.
    def make_without_by_hand(ground: Ground) -> dict[str, Subject]:
        return {name: each for name, each in make(ground).items() if name != peers.BY_HAND}

    figures = (Ratio("Root.read_bytes", most=1.05),)
    return Workload("small", "read 1 MiB, depth 4", make_without_by_hand, figures)


def _read_much(full: str) -> bytes:
    fd = os.open(full, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, os.fstat(fd).st_size)  # a buffer that is too large is given back, slowly
    finally:
        os.close(fd)


def _looking(depth: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(depth)
        root, full = _root(ground), f"{ground.top}/{path}"
        return {
            OS: Subject(partial(os.stat, full), _size),
            "Root.stat": Subject(partial(root.stat, path), _size),
            CTYPES: Subject(_bare_stat(root, path), _size),
            **peers.subjects(ground, "size", path),
        }

    figures = (Ratio("Root.stat", most=1.25 if depth == 1 else 1.85), Ratio(CTYPES))
    return Workload("small", f"stat, depth {depth}", make, figures)


def _bare_stat(root: Root, path: str) -> Callable[[], os.stat_result]:
    """The system calls of ``Root.stat`` of a path, with nothing around them."""
    top, raw = root.fileno(), path.encode()
    opened = bare_open(top, raw, syscalls.O_PATH | os.O_CLOEXEC)

    def look() -> os.stat_result:
        fd = opened()
        found = os.fstat(fd)
        os.close(fd)
        return found

    if "/" in path:
        return look
    return partial(os.stat, raw, dir_fd=top, follow_symlinks=False)


def bare_open(top: int, raw: bytes, flags: int) -> Callable[[], int]:
    how = syscalls.open_how(flags, 0o666, _BENEATH)
    return partial(syscalls.openat2, top, raw, how)


def _size(answer: Any) -> object:
    return answer.st_size


def _asking(depth: int, *, missing: bool) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(depth) + ("-not" if missing else "")
        root = _root(ground)
        return {
            OS: Subject(partial(os.path.exists, f"{ground.top}/{path}")),
            "Root.exists": Subject(partial(root.exists, path)),
            CTYPES: Subject(bare_exists(root, path)),
            **peers.subjects(ground, "exists", path),
        }

    what = "missing" if missing else "present"
    figures = (Ratio("Root.exists", most=1.25), Ratio(CTYPES))
    return Workload("small", f"exists, {what}, depth {depth}", make, figures)


def bare_exists(root: Root, path: str) -> Callable[[], bool]:
    """The system calls of ``Root.exists``, with nothing around them."""
    top, raw = root.fileno(), path.encode()
    opened = bare_open(top, raw, syscalls.O_PATH | os.O_CLOEXEC)

    def seen() -> bool:
        try:
            os.stat(raw, dir_fd=top, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def there() -> bool:
        fd = opened()
        if fd >= 0:
            os.close(fd)
        return fd >= 0

    return there if "/" in path else seen


def _file_object(depth: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(depth)
        root, full = _root(ground), f"{ground.top}/{path}"
        bare = _bare_file_object(root, path)
        return {
            "builtin open": Subject(lambda: peers.read_opened(open(full, "rb"))),
            "Root.open": Subject(lambda: peers.read_opened(root.open(path, "rb"))),
            CTYPES: Subject(lambda: peers.read_opened(bare())),
            **peers.subjects(ground, "open", path),
        }

    title = f"with open as a file object, read 1 KiB, depth {depth}"
    figures = (Ratio("Root.open", "builtin open", most=1.05), Ratio(CTYPES, "builtin open"))
    return Workload("small", title, make, figures, baseline="builtin open")


def _bare_file_object(root: Root, path: str) -> Callable[[], io.BufferedReader]:
    """A descriptor, looked at, made to block, and under the two layers of a file object."""
    opened = bare_open(root.fileno(), path.encode(), _READ)

    def file() -> io.BufferedReader:
        fd = opened()
        os.fstat(fd)
        os.set_blocking(fd, True)
        return io.BufferedReader(io.FileIO(fd))

    return file


def _text_file_object(depth: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(depth)
        root, full = _root(ground), f"{ground.top}/{path}"
        return {
            "builtin open": Subject(lambda: _text(open(full, encoding="utf-8"))),
            "Root.open": Subject(lambda: _text(root.open(path, encoding="utf-8"))),
            peers.PATHLIB: Subject(lambda: Path(full).read_text(encoding="utf-8")),
        }

    title = f"with open as text, read 1 KiB, depth {depth}"
    figures = (Ratio("Root.open", "builtin open", most=1.05),)
    return Workload("small", title, make, figures, baseline="builtin open")


def _text(file: TextIO) -> str:
    with file:
        return file.read()


@contextmanager
def walking() -> Iterator[None]:
    """The resolver for where there is no openat2."""
    before, probe.forced = probe.forced, "walk"
    try:
        yield
    finally:
        probe.forced = before


def _by_walk(depth: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(depth)
        root, full = _root(ground), f"{ground.top}/{path}"
        opened = lambda: root.open(path, "rb", buffering=0).close()  # noqa: E731
        return {
            OS: Subject(partial(_open_and_close, full)),
            "Root.open by openat2": Subject(opened),
            "Root.open by the walk": Subject(opened, within=walking),
            f"{DESCRIPTOR} by the walk": Subject(_confined(root, path), within=walking),
        }

    most = {1: 1.3, 4: 3.6}.get(depth)
    figures = (
        Ratio(f"{DESCRIPTOR} by the walk", most=most),
        Ratio("Root.open by the walk", most=most),
    )
    return Workload("small", f"the walk: open and close, depth {depth}", make, figures)
