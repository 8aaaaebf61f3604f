"""The content of one open file into another: in the kernel, shared or with its holes, where it can.

Below 64 KiB two calls are quicker than asking the kernel to copy. Above, copy_file_range, which
shares blocks on btrfs and xfs. A file with holes is shared whole (FICLONE), or else copied from one
stretch of data to the next.
"""

from __future__ import annotations

import os
from errno import EINVAL, ENOSYS, ENOTSUP, ENXIO, EOPNOTSUPP, EPERM, EXDEV

from safefs.kernel import syscalls
from safefs.operations.files import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.operations.sizes import Growth

    # Told of bytes that have been copied, before the next ones are.
    Tell = Callable[[int], object]

_SMALL = 1 << 16
_PIECE = 1 << 20  # of what is read and written
_CHUNK = 1 << 30  # of what the kernel copies in one call
_TOLD_CHUNK = 1 << 26  # the same, where somebody waits to hear of it
_BLOCK = 512  # what st_blocks counts, on every system
_CANNOT = frozenset({ENOSYS, EXDEV, EINVAL, EPERM, ENOTSUP, EOPNOTSUPP})


def copy_content(
    source: int,
    target: int,
    found: os.stat_result,
    tell: Tell | None = None,
    growth: Growth | None = None,
) -> int:
    """All that the source holds, both at their beginning; ``found`` is its stat. The bytes copied.

    A file that grows meanwhile is copied as far as it was seen to reach, or further; one that is
    cut short meanwhile as far as it then reaches. ``tell`` may raise to end it. ``growth``: how far
    the target may grow, asked before anything is copied, and again piece by piece of what grows
    meanwhile.
    """
    size = found.st_size
    if growth is None:
        return _copy(source, target, found, tell, None)
    growth.begin(target, size)
    copied = _copy(source, target, found, tell, growth)
    if copied < size:
        growth.run(target, copied, syscalls.ftruncate, target, copied)
    return copied


def _copy(
    source: int, target: int, found: os.stat_result, tell: Tell | None, growth: Growth | None
) -> int:
    size = found.st_size
    if size < _SMALL:
        return _copy_small(source, target, size, tell, growth)
    if found.st_blocks * _BLOCK < size:
        copied = _copy_with_holes(source, target, size, tell, growth)
        if copied is not None:
            return copied
    chunk = _CHUNK if tell is None else _TOLD_CHUNK
    if growth is None:
        copied = _copy_in_kernel(source, target, chunk, tell)
        return copied or _copy_pieces(source, target, tell)
    copied = _copy_in_kernel(source, target, chunk, tell, size)
    return copied + _copy_pieces(source, target, tell, growth=growth)


def _copy_small(
    source: int, target: int, size: int, tell: Tell | None, growth: Growth | None
) -> int:
    # One byte more than there is: a read that stops short of it has come to the end.
    chunk = syscalls.read(source, size + 1)
    if not chunk:
        return 0
    write_all(target, chunk, growth)
    if tell is not None:
        tell(len(chunk))
    if len(chunk) == size:
        return size
    return len(chunk) + _copy_pieces(source, target, tell, growth=growth)


def _copy_pieces(
    source: int,
    target: int,
    tell: Tell | None,
    most: int | None = None,
    growth: Growth | None = None,
) -> int:
    copied = 0
    while most is None or copied < most:
        wanted = _PIECE if most is None else min(_PIECE, most - copied)
        chunk = syscalls.read(source, wanted)
        if not chunk:
            break
        write_all(target, chunk, growth)
        copied += len(chunk)
        if tell is not None:
            tell(len(chunk))
    return copied


def _copy_in_kernel(
    source: int, target: int, chunk: int, tell: Tell | None, most: int | None = None
) -> int:
    """The bytes copied; 0 where the kernel cannot, and nothing has been."""
    if not hasattr(syscalls, "copy_file_range"):
        return 0
    copied = 0
    while most is None or copied < most:
        wanted = chunk if most is None else min(chunk, most - copied)
        try:
            step = syscalls.copy_file_range(source, target, wanted)
        except OSError as error:
            if copied or error.errno not in _CANNOT:
                raise
            return 0
        if not step:
            break
        copied += step
        if tell is not None:
            tell(step)
    return copied


def _copy_with_holes(
    source: int, target: int, size: int, tell: Tell | None, growth: Growth | None
) -> int | None:
    """The bytes of the file, holes included; None where the system cannot tell where they are."""
    if _cloned(source, target, size, growth):
        copied = syscalls.fstat(target).st_size
        if tell is not None:
            tell(copied)
        return copied
    if not hasattr(os, "SEEK_DATA"):
        return None
    end = 0
    while end < size:
        begin = _next(source, end, os.SEEK_DATA)
        stop = None if begin is None else _next(source, begin, os.SEEK_HOLE)
        if begin is None or stop is None:
            break
        if begin == 0 and stop >= size:
            syscalls.lseek(source, 0, os.SEEK_SET)
            return None  # no holes, or a file system that does not know
        if growth is not None:
            stop = min(stop, size)  # what has come behind it is not asked for
        if tell is not None and begin > end:
            tell(begin - end)
        syscalls.lseek(source, begin, os.SEEK_SET)
        syscalls.lseek(target, begin, os.SEEK_SET)
        copied = _copy_stretch(source, target, stop - begin, tell)
        end = begin + copied
        if end < stop:
            break  # cut short by another
    # Another may have cut it short: it is no longer than it is now, and what was copied of it.
    size = max(end, min(size, syscalls.fstat(source).st_size))
    if tell is not None and size > end:
        tell(size - end)
    if growth is None:
        syscalls.ftruncate(target, size)
    else:
        growth.run(target, size, syscalls.ftruncate, target, size)
    return size


def _cloned(source: int, target: int, size: int, growth: Growth | None) -> bool:
    """Whether the target shares all that the source holds; where it may not grow, ``size`` of it.

    A source that has grown meanwhile is shared as it is by then.
    """
    if growth is None:
        return bool(syscalls.clone(source, target) == 0)

    def clone_and_cut() -> bool:
        done = syscalls.clone(source, target) == 0
        if done and syscalls.fstat(target).st_size > size:
            syscalls.ftruncate(target, size)
        return bool(done)

    return growth.run(target, size, clone_and_cut)


def _copy_stretch(source: int, target: int, length: int, tell: Tell | None) -> int:
    chunk = _CHUNK if tell is None else _TOLD_CHUNK
    copied = _copy_in_kernel(source, target, chunk, tell, length)
    return copied + _copy_pieces(source, target, tell, length - copied)


def _next(fd: int, at: int, what: int) -> int | None:
    """Where data, or a hole, begins from there on; None where the file has come to its end."""
    try:
        return syscalls.lseek(fd, at, what)
    except OSError as error:
        if error.errno == ENXIO:
            return None
        raise
