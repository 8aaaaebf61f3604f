"""Opening, reading and writing regular files."""

from __future__ import annotations

import io
import os
import sys
from errno import EISDIR, ENXIO
from stat import S_ISDIR, S_ISREG

from safefs.kernel import open_beneath, open_plainly, syscalls
from safefs.kernel.procfs import reopened
from safefs.operations.parent import Blame, Parent, blame, open_child
from safefs.operations.rawfiles import raw_file
from safefs.operations.sizes import growth_of
from safefs.paths import RelPath, coerced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, Any

    from safefs.kernel import AnyPath
    from safefs.kernel.handle import Handle
    from safefs.operations.sizes import Growth

# No open blocks (a FIFO, a lease) and none takes a terminal; what is opened is looked at next.
_CAREFUL = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
READ = os.O_RDONLY | _CAREFUL
_WRITE = os.O_WRONLY | os.O_CREAT | _CAREFUL
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_COUNTED = os.O_CREAT | os.O_TRUNC  # what may change what a quota counts
SMALL = 1 << 16
_LARGEST_BUFFER = 1 << 30
_AT_ONCE = 256  # files of a directory that are read before it is resolved again
_NO_NAMES = ("", ".", "..")


def open_regular(handle: Handle, path: RelPath, flags: int, mode: int = 0o666) -> int:
    """A descriptor of a regular file.

    EISDIR for a directory, ENXIO for a FIFO, a socket or a device. O_TRUNC is obeyed only after
    that is known, and where nothing may be changed makes it an open of what is new.
    """
    adds = bool(flags & (os.O_APPEND | os.O_EXCL))
    if flags & os.O_TRUNC and handle.policy.append_only:
        return _open_new(handle, path, flags, mode)
    handle.permit(path, writes=bool(flags & _WRITES), adds=adds)
    if flags & os.O_CREAT and handle.policy.portable_names:
        refuse_names_alike(handle, path)
    if not flags & _COUNTED or handle.meters is None:
        return _open_regular(handle, path, flags, mode)
    with handle.meters.held() as books:
        new = flags & os.O_CREAT and _found(handle, path, flags & os.O_EXCL) is None
        if new:
            books.check(path.shown, 0, 1)
        fd = _open_regular(handle, path, flags, mode)
        books.add(0, bool(new))
    return fd


def refuse_names_alike(handle: Handle, path: RelPath) -> None:
    """What would be made here, by its own name and not by that of a link that leads nowhere."""
    if path.split()[1] not in (b"", b".", b".."):
        Parent(handle, path, writes=True, adds=True).close()


def _found(handle: Handle, path: RelPath, exclusive: int) -> os.stat_result | None:
    """What an open would find, or None where it would make a file; with O_EXCL it follows no link.

    That there is no directory to make it in is said before that there is no room for it.
    """
    look = syscalls.O_PATH | os.O_CLOEXEC | (os.O_NOFOLLOW if exclusive else 0)
    try:
        fd = open_beneath(handle, path, look)
    except FileNotFoundError:
        above = RelPath(path.split()[0], path.shown)
        if above.raw:
            syscalls.close(open_beneath(handle, above, syscalls.DIRECTORY))
        return None
    try:
        return syscalls.fstat(fd)
    finally:
        syscalls.close(fd)


def _open_regular(handle: Handle, path: RelPath, flags: int, mode: int) -> int:
    if handle.looks_first:
        fd = open_looked(handle, path, flags & ~os.O_TRUNC | _CAREFUL, mode)
    else:
        fd = open_beneath(handle, path, flags & ~os.O_TRUNC | _CAREFUL, mode)
    try:
        found = check_regular(fd)
        handle.permit_file(path.shown, found)
        if flags & os.O_TRUNC and found.st_size:
            cut(handle, path, fd, 0)
    except BaseException as error:
        syscalls.close(fd)
        if isinstance(error, OSError):
            blame(error, path)
        raise
    return fd


def _open_new(handle: Handle, path: RelPath, flags: int, mode: int) -> int:
    try:
        return open_regular(handle, path, flags & ~os.O_TRUNC | os.O_EXCL, mode)
    except FileExistsError:
        if path.split()[1] in (b"", b".", b".."):
            raise OSError(EISDIR, os.strerror(EISDIR), path.shown) from None
    raise handle.policy.no_change(path)


def open_looked(handle: Handle, path: RelPath, flags: int, mode: int = 0) -> int:
    """``open_beneath`` of what has been looked at first, so that nothing special is opened.

    By its own descriptor, so that it is the very file that was looked at. Where that cannot be
    (what is missing and is created, a system without procfs), what somebody puts there between the
    look and the open is opened, without blocking, and refused then.
    """
    look = syscalls.O_PATH | flags & (os.O_NOFOLLOW | os.O_DIRECTORY)
    if not syscalls.O_PATH or (flags & os.O_CREAT and flags & os.O_EXCL):
        return open_beneath(handle, path, flags, mode)
    try:
        known = open_beneath(handle, path, look)
    except FileNotFoundError:
        return open_beneath(handle, path, flags, mode)
    try:
        with Blame(path):
            handle.policy.check_kind(path.shown, syscalls.fstat(known).st_mode)
            fd = reopened(known, flags)
    finally:
        syscalls.close(known)
    return open_beneath(handle, path, flags, mode) if fd is None else fd


def open_child_looked(handle: Handle, dir_fd: int, name: str, flags: int) -> int:
    """``open_child`` of what has been looked at first; ELOOP for a link."""
    if not syscalls.O_PATH:
        return open_child(handle, dir_fd, name, flags)
    known = open_child(handle, dir_fd, name, syscalls.O_PATH | os.O_CLOEXEC)
    try:
        handle.policy.check_kind(name, syscalls.fstat(known).st_mode)
        fd = reopened(known, flags)
    finally:
        syscalls.close(known)
    return open_child(handle, dir_fd, name, flags) if fd is None else fd


def check_regular(fd: int) -> os.stat_result:
    found = syscalls.fstat(fd)
    if S_ISREG(found.st_mode):
        return found
    if S_ISDIR(found.st_mode):
        raise OSError(EISDIR, os.strerror(EISDIR))
    raise OSError(ENXIO, "not a regular file")


_ACCESS = {
    "r": os.O_RDONLY,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
}


class Mode:
    """The mode of the builtin ``open``, taken apart; refused as the builtin refuses it."""

    __slots__ = ("binary", "flags", "raw", "text")

    def __init__(self, mode: str) -> None:
        if not isinstance(mode, str):
            raise TypeError(f"open() argument 'mode' must be str, not {type(mode).__name__}")
        letters = set(mode)
        kinds = letters & set(_ACCESS)
        if letters - set("rwxabt+") or len(letters) != len(mode) or len(kinds) != 1:
            raise ValueError(f"invalid mode: {mode!r}")
        self.binary = "b" in letters
        if self.binary and "t" in letters:
            raise ValueError("can't have text and binary mode at once")
        kind = kinds.pop()
        updating = "+" in letters
        self.text = mode
        self.raw = kind + ("+" if updating else "")
        self.flags = _ACCESS[kind]
        if updating:
            self.flags = self.flags & ~os.O_WRONLY | os.O_RDWR


_modes: dict[str, Mode] = {}


def mode_of(text: str) -> Mode:
    """The ``Mode`` of this text; there are few that are valid, and each is taken apart once."""
    if type(text) is not str:
        return Mode(text)
    mode = _modes.get(text)
    if mode is None:
        mode = _modes[text] = Mode(text)
    return mode


def open_file(
    handle: Handle,
    path: AnyPath,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    permissions: int,
) -> IO[Any]:
    """A file object like the builtin's. Its name is the number: nobody reopens it by path."""
    if type(path) is not str:
        path = coerced(path)
    wanted = mode_of(mode)
    check_arguments(wanted, buffering, encoding, errors, newline)
    if not handle.asks and wanted.flags == os.O_RDONLY:
        raw = _raw_to_read(handle, path)
    else:
        raw = _raw(handle, coerced(path), wanted, permissions)
    try:
        return dressed(raw, wanted, buffering, encoding, errors, newline)
    except BaseException:
        raw.close()
        raise


def _raw_to_read(handle: Handle, path: AnyPath) -> io.FileIO:
    """As ``_raw``, where no policy has a say."""
    fd = open_plainly(handle, path, READ)
    try:
        check_regular(fd)
        syscalls.set_blocking(fd, True)
        return io.FileIO(fd)
    except BaseException as error:
        syscalls.close(fd)
        if isinstance(error, OSError):
            blame(error, coerced(path))
        raise


def _raw(handle: Handle, path: RelPath, mode: Mode, permissions: int) -> io.FileIO:
    fd = open_regular(handle, path, mode.flags, permissions)
    try:
        syscalls.set_blocking(fd, True)
        return raw_file(handle, path, fd, mode.raw)
    except BaseException as error:
        syscalls.close(fd)
        if isinstance(error, OSError):
            blame(error, path)
        raise


def check_arguments(
    mode: Mode, buffering: int, encoding: str | None, errors: str | None, newline: str | None
) -> None:
    """Refused before anything is opened, so that a wrong argument truncates nothing."""
    if not isinstance(buffering, int):
        raise TypeError(f"buffering is an int, not {type(buffering).__name__}")
    if mode.binary:
        if not (encoding is errors is newline is None):
            given = {"encoding": encoding, "errors": errors, "newline": newline}
            name = next(name for name, value in given.items() if value is not None)
            raise ValueError(f"binary mode doesn't take an {name!r} argument")
    elif buffering == 0:
        raise ValueError("can't have unbuffered text I/O")
    elif mode.raw[0] != "r" and not (encoding is errors is newline is None):
        # Lets the text layer judge them while there is nothing to lose. An open to read loses
        # nothing later either.
        io.TextIOWrapper(io.BytesIO(), io.text_encoding(encoding, 4), errors, newline)
    if not -1 <= buffering <= _LARGEST_BUFFER:
        raise ValueError("invalid buffering size")


def dressed(
    raw: io.FileIO,
    mode: Mode,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO[Any]:
    """The raw file under the layers that ``open`` would put over it."""
    if buffering == 0:
        return raw
    size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
    buffered: io.BufferedRandom | io.BufferedReader | io.BufferedWriter
    if "+" in mode.raw:
        buffered = io.BufferedRandom(raw, size)
    elif mode.raw == "r":
        buffered = io.BufferedReader(raw, size)
    else:
        buffered = io.BufferedWriter(raw, size)
    if mode.binary:
        return buffered
    text = io.TextIOWrapper(
        buffered, io.text_encoding(encoding, 4), errors, newline, buffering == 1
    )
    text.mode = mode.text  # type: ignore[misc]
    return text


def read_bytes(handle: Handle, path: AnyPath) -> bytes:
    """The whole content; a small file is two preads, and no fstat.

    What is no file answers a pread of 64 KiB with nothing, all of it or an error, and is looked at
    then; so is what answers short and goes on, as procfs and FUSE do in files and no plain file
    system does. A device that answers short and then nothing is the exception.
    """
    if type(path) is not str:
        path = coerced(path)
    if handle.asks:
        return _read_asking(handle, coerced(path))
    fd = open_plainly(handle, path, READ)
    try:  # as in _content, without a call
        data = syscalls.pread(fd, SMALL, 0)
        if 0 < len(data) < SMALL and not syscalls.pread(fd, 1, len(data)):
            return data
        return read_all(fd, data)
    except OSError as error:
        with Blame(coerced(path)):
            check_regular(fd)
            raise error  # noqa: TRY201  (for Blame to see it)
    finally:
        syscalls.close(fd)


def _read_asking(handle: Handle, path: RelPath) -> bytes:
    if handle.checked_reads:
        handle.permit(path, writes=False)
    if handle.looks_first:
        fd = open_looked(handle, path, READ)
    else:
        fd = open_plainly(handle, path, READ)
    try:
        if handle.inspects:
            found = syscalls.fstat(fd)
            if found.st_nlink > 1:  # else it has no other name, and there is nothing to refuse
                handle.permit_file(path.shown, found)
        return _content(fd)
    except OSError as error:
        blame(error, path)
        raise
    finally:
        syscalls.close(fd)


def _content(fd: int) -> bytes:
    try:
        data = syscalls.pread(fd, SMALL, 0)
    except OSError:
        check_regular(fd)
        raise
    if 0 < len(data) < SMALL and not syscalls.pread(fd, 1, len(data)):
        return data
    return read_all(fd, data)


def read_each(
    handle: Handle, directory: RelPath, names: list[tuple[str, str]]
) -> Iterator[bytes | None]:
    """The content of each of these files of one directory: (one component, the caller's path).

    The directory is resolved once for so many, and held no longer than it takes to read them. None
    stands for what has to be read by its own path, which then says what is wrong with it, or leads
    where a link leads: no link is followed here, and no policy of names decided.
    """
    for first in range(0, len(names), _AT_ONCE):
        batch = names[first : first + _AT_ONCE]
        try:
            handle.permit(directory, writes=False)
            top = open_beneath(handle, directory, syscalls.DIRECTORY)
        except (OSError, ValueError):
            yield from [None] * len(batch)
            continue
        try:
            closed = handle.checked_reads or handle.inspects or handle.looks_first
            closed = closed or handle.guarded
            for name, shown in batch:
                yield None if closed else _read_child(handle, top, name, shown)
        finally:
            syscalls.close(top)


def _read_child(handle: Handle, dir_fd: int, name: str, shown: str) -> bytes | None:
    if name in _NO_NAMES or "/" in name:
        return None
    sys.audit("safefs.open", shown, READ)
    try:
        fd = open_child(handle, dir_fd, name, READ)
    except (OSError, ValueError):
        return None
    try:
        return _content(fd)
    except OSError:
        return None
    finally:
        syscalls.close(fd)


def read_all(fd: int, first: bytes) -> bytes:
    """All of it, of which the first is known; a size that is told is asked for at once.

    From the beginning, if there is more: to read so little again costs less than to put much
    together.
    """
    size = check_regular(fd).st_size
    if size > len(first) == SMALL:
        first = syscalls.pread(fd, size + 1, 0)
    parts, offset = [first], len(first)
    while True:
        part = syscalls.pread(fd, max(size - offset + 1, SMALL), offset)
        if not part:
            return parts[0] if len(parts) == 1 else b"".join(parts)
        parts.append(part)
        offset += len(part)


def write_bytes(handle: Handle, path: AnyPath, data: bytes | bytearray | memoryview) -> int:
    """Write in place, as ``pathlib`` does; returns the number of bytes."""
    path = coerced(path)
    if type(data) is bytes and not (handle.asks or handle.checked or handle.sized):
        return _write_plainly(handle, path, data)
    view = memoryview(data).cast("B")
    growth = growth_of(handle, path.shown)
    if growth is None:
        return _write_bytes(handle, path, view, None)
    growth.expect(len(view))  # before what is there is cut
    if handle.meters is None:
        return _write_bytes(handle, path, view, growth)
    handle.permit(path, writes=True)
    with handle.meters.held() as books:
        found = _found(handle, path, 0)
        more = len(view) if found is None else len(view) - found.st_size
        books.check(path.shown, more, found is None)
        return _write_bytes(handle, path, view, growth)


def _write_plainly(handle: Handle, path: RelPath, data: bytes) -> int:
    """As ``_write_bytes``, where no policy has a say."""
    fd = open_beneath(handle, path, _WRITE, 0o666)
    try:
        if check_regular(fd).st_size:
            syscalls.ftruncate(fd, 0)
        write_all(fd, data)
    except OSError as error:
        blame(error, path)
        raise
    finally:
        syscalls.close(fd)
    return len(data)


def _write_bytes(handle: Handle, path: RelPath, view: memoryview, growth: Growth | None) -> int:
    fd = open_regular(handle, path, _WRITE | os.O_TRUNC)
    try:
        with Blame(path):
            write_all(fd, view, growth)
    finally:
        syscalls.close(fd)
    return len(view)


def write_all(fd: int, data: bytes | bytearray | memoryview, growth: Growth | None = None) -> None:
    """All of it, from where the file stands; refused as a whole where it may not grow so far."""
    if growth is None and type(data) is bytes:
        written = syscalls.write(fd, data)
        if written == len(data):
            return
        data = memoryview(data)[written:]
    view = memoryview(data).cast("B")
    if growth is not None and len(view):
        end = syscalls.lseek(fd, 0, os.SEEK_CUR) + len(view)
        growth.run(fd, end, write_all, fd, view)
        return
    while len(view):
        view = view[syscalls.write(fd, view) :]


def truncate(handle: Handle, path: RelPath, length: int) -> None:
    fd = open_regular(handle, path, os.O_WRONLY)
    try:
        with Blame(path):
            cut(handle, path, fd, length)
    finally:
        syscalls.close(fd)


def cut(handle: Handle, path: RelPath, fd: int, length: int) -> None:
    """Give an open file this length."""
    growth = growth_of(handle, path.shown)
    if growth is None:
        syscalls.ftruncate(fd, length)
    else:
        growth.run(fd, length, syscalls.ftruncate, fd, length)
