"""What a policy says of sizes and numbers, asked of whatever grows, before it does.

Where it says nothing (``Handle.sized`` is False, ``Handle.meters`` None) nothing is asked, and each
of these is the plain system call. Quotas are kept in a ledger, which is held from the question to
the end of the act.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from stat import S_ISDIR, S_ISREG

from safefs.kernel import syscalls

_DRAFT = b".safefs-"  # what the name of each begins with

# One file may be added to by several at once, each at the end that the others move.
_appending = threading.RLock()

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import ParamSpec, TypeVar

    from safefs.kernel.handle import Handle
    from safefs.operations.ledger import Books, Meters

    Given = ParamSpec("Given")
    Result = TypeVar("Result")
    Name = str | bytes


class Growth:
    """How far one file may grow; it belongs to whoever writes it."""

    __slots__ = ("_meters", "_policy", "_shown")

    def __init__(self, handle: Handle, shown: str | bytes) -> None:
        self._policy = handle.policy
        self._meters: Meters | None = handle.meters
        self._shown = shown

    def run(
        self,
        fd: int,
        end: int,
        act: Callable[Given, Result],
        *args: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """``act``, after which the file reaches no further than ``end``; or PolicyError instead."""
        if self._meters is None:
            self._expect_growth(syscalls.fstat(fd).st_size, end)
            return act(*args, **named)
        with self._meters.held() as books:
            found = syscalls.fstat(fd)
            self._expect_growth(found.st_size, end)
            self._ask(books, found, end)
            try:
                return act(*args, **named)
            finally:
                self._enter(books, found, syscalls.fstat(fd).st_size)

    def append(
        self,
        fd: int,
        size: int,
        act: Callable[Given, Result],
        *args: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """``act``, which adds so many bytes at the end, wherever that is by then."""
        with _appending if self._meters is None else self._meters.held():
            end = syscalls.fstat(fd).st_size + size
            return self.run(fd, end, act, *args, **named)

    def _expect_growth(self, size: int, end: int) -> None:
        if end > size:
            self._policy.check_size(self._shown, end)

    def _ask(self, books: Books, found: os.stat_result, end: int) -> None:
        # What has lost its last name counts no more, however large; but it has to fit alone.
        size = found.st_size if found.st_nlink else 0
        books.check(self._shown, end - size if end > found.st_size else 0)

    def _enter(self, books: Books, found: os.stat_result, size: int) -> None:
        if found.st_nlink:
            books.add(size - found.st_size)

    def begin(self, fd: int, size: int) -> None:
        """That an empty file is about to be filled with so many bytes.

        It is as large from here on, for all who count, while they come.
        """
        self.expect(size)
        if self._meters is not None and size:
            self.run(fd, size, syscalls.ftruncate, fd, size)

    def expect(self, size: int) -> None:
        """That so many bytes are about to be written, from the beginning on."""
        self._policy.check_size(self._shown, size)


class DraftGrowth(Growth):
    """The same of a file under a temporary name, which is to take that of another, or a new one.

    It is charged with what it has more than what it will replace.
    """

    __slots__ = ("_replaced", "_size", "_spare", "identity")

    def __init__(self, handle: Handle, shown: str | bytes, dir_fd: int, name: Name) -> None:
        super().__init__(handle, shown)
        self._size = self._spare = self._replaced = 0
        self.identity = (0, 0)
        if self._meters is not None:
            existing = entry(dir_fd, name)
            if existing is not None and not S_ISDIR(existing.st_mode):
                self._replaced = 1
                self._spare = weight(existing)

    @property
    def excess(self) -> tuple[int, int]:
        return min(self._size, self._spare), self._replaced

    def create(self, act: Callable[Given, int], *args: Given.args, **named: Given.kwargs) -> int:
        """``act``, which makes the file, under its temporary name, and opens it."""
        if self._meters is None:
            return act(*args, **named)
        with self._meters.held() as books:
            books.check(self._shown, 0, 1 - self._replaced)
            fd = act(*args, **named)
            books.add(0, 1 - self._replaced)
            found = syscalls.fstat(fd)
            self.identity = found.st_dev, found.st_ino
            books.begin(self)
            return fd

    def _ask(self, books: Books, found: os.stat_result, end: int) -> None:
        del found
        books.check(self._shown, self._charge(end) - self._charge(self._size))

    def _enter(self, books: Books, found: os.stat_result, size: int) -> None:
        if found.st_nlink:  # else it went with its directory, and counts no more
            books.add(self._charge(size) - self._charge(self._size))
        self._size = size

    def _charge(self, size: int) -> int:
        return max(0, size - self._spare)

    def take(
        self,
        dir_fd: int,
        name: Name,
        size: int,
        act: Callable[Given, Result],
        *args: Given.args,
        **named: Given.kwargs,
    ) -> Result:
        """``act``, which gives the file, of this size, its name."""
        if self._meters is None:
            return act(*args, **named)
        with self._meters.held() as books:
            existing = entry(dir_fd, name)
            more, names = size - self._charge(self._size), self._replaced
            if existing is not None:
                more -= weight(existing)
                names -= not S_ISDIR(existing.st_mode)
            books.check(self._shown, more, names)
            result = act(*args, **named)
            books.add(more, names)
            books.end(self)
            return result

    def taken(self) -> None:
        """That the file has got its name, and took that of no other file."""
        if self._meters is not None:
            with self._meters.held() as books:
                books.end(self)

    def drop(
        self, act: Callable[Given, Result], *args: Given.args, **named: Given.kwargs
    ) -> Result:
        """``act``, which removes the file."""
        if self._meters is None:
            return act(*args, **named)
        with self._meters.held() as books:
            books.end(self)
            result = act(*args, **named)
            books.add(-self._charge(self._size), self._replaced - 1)
            return result


def growth_of(handle: Handle, shown: str | bytes) -> Growth | None:
    """None where a policy says nothing of sizes, and nothing is to be asked."""
    return Growth(handle, shown) if handle.sized else None


def draft_growth(handle: Handle, shown: str | bytes, dir_fd: int, name: Name) -> DraftGrowth | None:
    """Likewise, of a draft that is to have this name."""
    return DraftGrowth(handle, shown, dir_fd, name) if handle.sized else None


# Names


def entry(dir_fd: int, name: Name) -> os.stat_result | None:
    """What stands under a name."""
    try:
        return syscalls.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def weight(found: os.stat_result) -> int:
    """The bytes that go with a name: with one of several, none."""
    return found.st_size if S_ISREG(found.st_mode) and found.st_nlink <= 1 else 0


class _Adding:
    """A ``with`` block that makes one more name."""

    __slots__ = ("_books", "_shown")

    def __init__(self, meters: Meters, shown: str | bytes) -> None:
        self._books = meters.held()
        self._shown = shown

    def __enter__(self) -> None:
        self._books.__enter__()
        try:
            self._books.check(self._shown, 0, 1)
        except BaseException:
            self._books.__exit__(None, None, None)
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._books.add(0, 1)
        self._books.__exit__(kind, error, traceback)


class _Uncounted:
    """The same where nothing is counted."""

    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...


_UNCOUNTED = _Uncounted()


def adding(handle: Handle, shown: str | bytes) -> _Adding | _Uncounted:
    """For what makes one more name, of what has no bytes yet or has them counted already."""
    return _UNCOUNTED if handle.meters is None else _Adding(handle.meters, shown)


def moving(handle: Handle) -> Books | _Uncounted:
    """For what only gives something another name: who counts meanwhile could meet it twice."""
    return _UNCOUNTED if handle.meters is None else handle.meters.held()


def unlink(handle: Handle, name: Name, dir_fd: int) -> None:
    """Remove a name that is no directory's."""
    if handle.meters is None:
        syscalls.unlink(name, dir_fd=dir_fd)
        return
    with handle.meters.held() as books:
        found = syscalls.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        syscalls.unlink(name, dir_fd=dir_fd)
        books.add(-weight(found), -1)
        if os.fsencode(name).startswith(_DRAFT):
            books.forget()  # it may be a draft's, and charged with less than it weighed


def unlinking(handle: Handle) -> Callable[..., None]:
    """What removes one name after another: ``unlink`` where they are counted."""
    return syscalls.unlink if handle.meters is None else partial(unlink, handle)


def rename(handle: Handle, src_fd: int, src: Name, dst_fd: int, dst: Name) -> None:
    """Rename within a root; what gives way counts no more."""
    if handle.meters is None:
        syscalls.rename(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd)
        return
    with handle.meters.held() as books:
        old, new = entry(dst_fd, dst), entry(src_fd, src)
        syscalls.rename(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd)
        if old is None or new is None or S_ISDIR(old.st_mode):
            return
        if (old.st_dev, old.st_ino) != (new.st_dev, new.st_ino):
            books.add(-weight(old), -1)


def same_quotas(one: Handle, other: Handle) -> bool:
    """Whether what is moved between two roots changes nothing that a quota counts."""
    if one.meters is None or other.meters is None:
        return one.meters is other.meters
    return one.meters.ledgers == other.meters.ledgers


def forget(handle: Handle) -> None:
    """That something has gone of which nobody knows what it was charged with: count anew."""
    if handle.meters is not None:
        with handle.meters.held() as books:
            books.forget()


def _renew_lock() -> None:
    global _appending
    _appending = threading.RLock()


os.register_at_fork(after_in_child=_renew_lock)
