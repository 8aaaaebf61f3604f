"""What lies beneath a path, entry by entry, for whoever packs it: each resolved and opened anew."""

from __future__ import annotations

import os
from errno import ENXIO, ESTALE
from stat import S_ISDIR, S_ISLNK, S_ISREG

from safefs.kernel import syscalls
from safefs.operations import attributes, names
from safefs.operations.files import open_regular
from safefs.operations.parent import Blame
from safefs.operations.tree import walk
from safefs.paths import RelPath
from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from safefs.kernel.handle import Handle
    from safefs.report import Kind

_CHUNK = 1 << 16


def _nothing() -> Generator[bytes, None, None]:
    yield from ()


class Produce(Frozen):
    """One entry: ``path`` is from the root, ``identity`` that of the file where it has more names.

    ``read`` gives the content of a file, whose ``size`` it had when it was looked at.
    """

    __slots__ = ("path", "kind", "mode", "mtime_ns", "size", "target", "identity", "read")  # noqa: RUF023

    path: str
    kind: Kind
    mode: int
    mtime_ns: int
    size: int
    target: str
    identity: tuple[object, ...]
    read: Callable[[], Generator[bytes, None, None]]

    def __init__(
        self,
        path: str,
        kind: Kind,
        mode: int,
        mtime_ns: int,
        size: int = 0,
        target: str = "",
        identity: tuple[object, ...] = (),
        read: Callable[[], Generator[bytes, None, None]] = _nothing,
    ) -> None:
        self._set(
            path=path,
            kind=kind,
            mode=mode,
            mtime_ns=mtime_ns,
            size=size,
            target=target,
            identity=identity,
            read=read,
        )


def harvest(handle: Handle, path: RelPath) -> Iterator[Produce]:
    """The entry itself, and all beneath it: each directory before what is in it, sorted.

    ENXIO for what is no file, directory or link. A link is a link, wherever it leads.
    """
    top = _entry(handle, path)
    yield top
    if top.kind != "directory":
        return
    for here, directories, others in walk(handle, path, topdown=True, onerror=_raise):
        base = "" if here == "." else here
        for name in sorted([*directories, *others]):
            text = f"{base}/{name}" if base else name
            yield _entry(handle, RelPath(os.fsencode(text), text))


def _raise(error: OSError) -> None:
    try:
        raise error
    finally:
        del error  # or it is a cycle, and keeps what its frames have open


def _entry(handle: Handle, path: RelPath) -> Produce:
    found = attributes.lstat(handle, path)
    mode, mtime_ns = found.st_mode, found.st_mtime_ns
    identity = (found.st_dev, found.st_ino)
    if S_ISDIR(mode):
        return Produce(path.text, "directory", mode, mtime_ns, identity=identity)
    if S_ISLNK(mode):
        target = os.fsdecode(names.readlink(handle, path))
        return Produce(path.text, "symlink", mode, mtime_ns, target=target, identity=identity)
    if not S_ISREG(mode):
        raise OSError(ENXIO, "not a file, directory or link", path.shown)
    read = lambda: _content(handle, path, identity)  # noqa: E731
    return Produce(path.text, "file", mode, mtime_ns, found.st_size, "", identity, read)


def _content(
    handle: Handle, path: RelPath, identity: tuple[object, ...]
) -> Generator[bytes, None, None]:
    fd = open_regular(handle, path, os.O_RDONLY)
    try:
        with Blame(path):
            found = syscalls.fstat(fd)
        if (found.st_dev, found.st_ino) != identity:
            raise OSError(ESTALE, "it was replaced while it was packed", path.shown)
        while chunk := _read(fd, path):
            yield chunk
    finally:
        syscalls.close(fd)


def _read(fd: int, path: RelPath) -> bytes:
    with Blame(path):
        return syscalls.read(fd, _CHUNK)
