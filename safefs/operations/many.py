"""Many files by their paths, in few resolutions: a directory is held for so many of its names."""

from __future__ import annotations

import errno
import os
import sys
from errno import ELOOP, EMLINK
from stat import S_ISLNK

from safefs.kernel import open_beneath, syscalls
from safefs.kernel.walk import PATH_MAX
from safefs.operations import attributes, files
from safefs.operations.parent import Blame, blame
from safefs.paths import RelPath, coerced, raw_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from safefs.kernel import AnyPath
    from safefs.kernel.handle import Handle

    Path = str | RelPath | OSError | ValueError  # or what was wrong with what was given
    Item = tuple[int, Path, bytes]  # the how manieth it is, and its last component

_AT_ONCE = 256  # names, before their directory is resolved again
_READ = files.READ | os.O_NOFOLLOW
_SMALL = files.SMALL
_LINK = frozenset({ELOOP, EMLINK, getattr(errno, "EFTYPE", ELOOP)})  # under O_NOFOLLOW
_NO_NAMES = (b"", b".", b"..")
_audit = sys.audit


def read_many(handle: Handle, paths: Iterable[AnyPath], *, keeps_errors: bool) -> list[Any]:
    """As ``files.read_bytes`` of each, in order."""
    return _each(handle, paths, _read_child, files.read_bytes, keeps_errors=keeps_errors)


def stat_many(handle: Handle, paths: Iterable[AnyPath], *, keeps_errors: bool) -> list[Any]:
    """As ``attributes.stat`` of each, in order."""
    return _each(handle, paths, _stat_child, attributes.stat, keeps_errors=keeps_errors)


def _each(
    handle: Handle,
    paths: Iterable[AnyPath],
    child: Callable[[int, bytes, Path], Any],
    whole: Callable[[Handle, AnyPath], Any],
    *,
    keeps_errors: bool,
) -> list[Any]:
    """``child``: of a name in an open directory; None of a link, which may lead anywhere."""
    if isinstance(paths, str | bytes | os.PathLike):
        raise TypeError(f"paths is an iterable of paths, not one: {paths!r}")
    _ = handle.fd  # a closed Root answers nothing, not even of no path at all
    items = _parted(paths)
    answers: list[Any] = [None] * sum(map(len, items.values()))
    for head, batch in _batches(items):
        top = -1 if head is None else _held(handle, head, batch)
        try:
            for at, path, name in batch:
                try:
                    if handle.closed:
                        handle.check_open()  # what is held is no way to go on with what was closed
                    answer = None if top < 0 else child(top, name, path)
                    if answer is None:
                        answer = whole(handle, _parsed(path))
                except (OSError, ValueError) as error:
                    handle.check_open()
                    if not keeps_errors:
                        raise
                    answer = _kept(error)
                answers[at] = answer
        finally:
            if top >= 0:
                syscalls.close(top)
    return answers


def _parted(paths: Iterable[AnyPath]) -> dict[bytes | None, list[Item]]:
    """By the directory they lie in; None for what has no name in one, or is no path."""
    found: dict[bytes | None, list[Item]] = {}
    for at, given in enumerate(paths):
        path: Path = given if type(given) is str else _coerced(given)
        head: bytes | None = None
        name = b""
        try:
            if type(path) is str:
                head, _, name = raw_of(path).rpartition(b"/")
            elif type(path) is RelPath:
                head, _, name = path.raw.rpartition(b"/")
        except (OSError, ValueError) as error:
            path = _kept(error)
        if name in _NO_NAMES or (head is not None and len(head) + len(name) + 1 >= PATH_MAX):
            head = None
        items = found.get(head)
        if items is None:
            items = found[head] = []
        items.append((at, path, name))
    return found


def _batches(
    parted: dict[bytes | None, list[Item]],
) -> Iterator[tuple[bytes | None, list[Item]]]:
    for head, items in parted.items():
        for first in range(0, len(items), _AT_ONCE):
            yield head, items[first : first + _AT_ONCE]


def _coerced(path: AnyPath) -> RelPath | OSError | ValueError:
    """Once: what is no str is asked for its text, and might give another the next time."""
    try:
        return coerced(path)
    except (OSError, ValueError) as error:
        return _kept(error)


def _kept(error: OSError | ValueError) -> OSError | ValueError:
    """Without the frames that it came through, which would keep what they have open."""
    error.__context__ = None
    return error.with_traceback(None)


def _parsed(path: Path) -> str | RelPath:
    """Or what was wrong with it, which is said when it is its turn."""
    if isinstance(path, OSError | ValueError):
        raise path
    return path


def _held(handle: Handle, head: bytes, batch: list[Item]) -> int:
    """The directory of these, or -1 where it is not worth it or a policy is to be asked of each."""
    if len(batch) < 2 or handle.asks or not handle.plain:
        return -1
    try:
        shown = coerced(_parsed(batch[0][1])).shown
        return open_beneath(handle, RelPath(head, shown), syscalls.DIRECTORY)
    except (OSError, ValueError):
        return -1  # each says for itself what is wrong


def _read_child(top: int, name: bytes, path: Path) -> bytes | None:
    _audit("safefs.open", path if type(path) is str else coerced(_parsed(path)).shown, _READ)
    try:
        fd = syscalls.open(name, _READ, dir_fd=top)
    except OSError as error:
        if error.errno in _LINK:
            return None
        blame(error, coerced(_parsed(path)))
        raise
    try:
        data = syscalls.pread(fd, _SMALL, 0)
        if 0 < len(data) < _SMALL and not syscalls.pread(fd, 1, len(data)):
            return data
        return files.read_all(fd, data)
    except OSError as error:
        with Blame(coerced(_parsed(path))):
            files.check_regular(fd)
            raise error  # noqa: TRY201  (for Blame to see it)
    finally:
        syscalls.close(fd)


def _stat_child(top: int, name: bytes, path: Path) -> os.stat_result | None:
    try:
        found = syscalls.stat(name, dir_fd=top, follow_symlinks=False)
    except OSError as error:
        blame(error, coerced(_parsed(path)))
        raise
    return None if S_ISLNK(found.st_mode) else found
