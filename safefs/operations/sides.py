"""The two sides of a mirror: what it asks of a tree, and a tree on this machine, by descriptor.

A ``Side`` is a tree, and a ``Folder`` one directory of it while that is looked at or filled. Paths
are from the tree's top, and no link on them is ever followed.
"""

from __future__ import annotations

import io
import os
from errno import EINVAL, ENOSYS
from stat import S_IMODE, S_IRUSR, S_IRWXU, S_ISDIR, S_ISLNK, S_ISREG, S_IWUSR, S_IXUSR

from safefs.kernel import syscalls
from safefs.kernel.reached import place_beneath, place_of_fd
from safefs.operations.content import copy_content
from safefs.operations.copytree import (
    Place,
    link_text,
    open_beneath_top,
    open_file,
    refuse_irregular,
)
from safefs.operations.denied import refuse_denied, refuse_denied_child
from safefs.operations.files import write_all
from safefs.operations.parent import open_child
from safefs.operations.removing import remove_own
from safefs.operations.replace import Draft, is_temporary, temporary_name
from safefs.operations.sizes import adding, draft_growth, moving, rename, unlink
from safefs.operations.traversal import identity, refuse_kind, refuse_place
from safefs.operations.unlocking import unlock, unlock_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import BinaryIO, Protocol, Self

    from safefs.kernel.handle import Handle
    from safefs.operations.sizes import Growth
    from safefs.report import Kind

    Tell = Callable[[int], object]

    class Side(Protocol):
        """A tree, as the source or target of a mirror."""

        @property
        def portable(self) -> bool:
            """Whether names may not be much like each other."""

        def folder(self, path: str) -> Folder:
            """A directory beneath the top; NotADirectoryError for a link."""

        def check(self, path: str, kind: Kind) -> None:
            """Raise what an entry that is to be made here cannot be."""

        def check_size(self, name: str, size: int) -> None:
            """Raise where a file that is to be made here would be too large."""

        def kept(self, info: Info) -> int:
            """The permissions that what is copied from ``info`` gets here."""

    class Folder(Protocol):
        """One directory; a context manager."""

        def identity(self) -> object:
            """Equal for one and the same directory."""

        def entries(self) -> dict[str, Info]:
            """What is here, drafts and what is hidden left out."""

        def open(self, name: str) -> tuple[BinaryIO, Info]:
            """A regular file, to read, and what it is."""

        def link_text(self, name: str) -> str: ...

        def open_up(self) -> None:
            """Let its owner change what is in it until it is left, whatever its mode."""

        def make_directory(self, name: str, *, replaces: bool) -> None: ...

        def make_link(
            self, name: str, text: str, info: Info, *, replaces: bool, drops: bool
        ) -> None: ...

        def put(self, name: str, file: BinaryIO, info: Info, tell: Tell, *, drops: bool) -> int:
            """A file in one step; ``drops``: in the place of a directory. The bytes of it."""

        def settle(self, name: str | None, info: Info) -> None:
            """Set mode and times of a file here, or with None of the directory itself."""

        def remove(self, name: str, kind: Kind) -> None: ...

        def __enter__(self) -> Self: ...

        def __exit__(
            self,
            kind: type[BaseException] | None,
            error: BaseException | None,
            traceback: TracebackType | None,
        ) -> None: ...


class Info:
    """What a mirror knows of an entry. ``version`` differs when the entry has changed."""

    __slots__ = ("atime_ns", "kind", "mode", "mtime_ns", "size", "version")

    def __init__(
        self, kind: Kind, size: int, mode: int, times: tuple[int, int], version: object
    ) -> None:
        self.kind = kind
        self.size = size
        self.mode = S_IMODE(mode)
        self.atime_ns, self.mtime_ns = times
        self.version = version


def info_of(found: os.stat_result) -> Info:
    version = (
        identity(found),
        found.st_size,
        found.st_mtime_ns,
        # Removing another name of the same file changes it.
        found.st_ctime_ns if found.st_nlink == 1 else 0,
    )
    times = found.st_atime_ns, found.st_mtime_ns
    return Info(_kind(found.st_mode), found.st_size, found.st_mode, times, version)


def _kind(mode: int) -> Kind:
    if S_ISREG(mode):
        return "file"
    if S_ISDIR(mode):
        return "directory"
    return "symlink" if S_ISLNK(mode) else "other"


class LocalSide:
    """A tree on this machine, from an opened top on."""

    __slots__ = ("_place", "_top")

    def __init__(self, place: Place, top: int) -> None:
        """The caller keeps ``top`` open, and closes it."""
        self._place = place
        self._top = top

    @property
    def portable(self) -> bool:
        return self._place.handle.policy.portable_names

    def folder(self, path: str) -> LocalFolder:
        fd = open_beneath_top(self._place.handle, self._top, path)
        return LocalFolder(self._place, fd, owned=fd != self._top)

    def check(self, path: str, kind: Kind) -> None:
        handle = self._place.handle
        refuse_kind(handle.policy, path.rpartition("/")[2], kind)
        if handle.guarded:
            refuse_place(handle, place_beneath(place_of_fd(self._top), path), path, kind)

    def check_size(self, name: str, size: int) -> None:
        self._place.handle.policy.check_size(name, size)

    def kept(self, info: Info) -> int:
        place = self._place
        most = place.directory_mode if info.kind == "directory" else place.file_mode
        return info.mode & most


class LocalFolder:
    """An open directory."""

    __slots__ = ("_fd", "_handle", "_mode", "_owned", "_place")

    def __init__(self, place: Place, fd: int, *, owned: bool) -> None:
        self._place = place
        self._handle: Handle = place.handle
        self._fd = fd
        self._mode: int | None = None  # what it is to have again when it is left
        self._owned = owned

    def identity(self) -> object:
        return identity(syscalls.fstat(self._fd))

    def entries(self) -> dict[str, Info]:
        hidden = self._handle.hidden(self._fd)
        found = {}
        with syscalls.scandir(self._fd) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == "." and is_temporary(name):
                    continue
                if hidden is not None and hidden(name, entry.is_dir(follow_symlinks=False)):
                    continue
                try:
                    found[name] = info_of(entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue
        return found

    def open(self, name: str) -> tuple[BinaryIO, Info]:
        fd = open_file(self._handle, self._fd, name)
        try:
            found = syscalls.fstat(fd)
            refuse_irregular(found, name)
            self._handle.permit_file(name, found)
            return io.FileIO(fd), info_of(found)
        except BaseException:
            syscalls.close(fd)
            raise

    def link_text(self, name: str) -> str:
        return link_text(self._fd, name)

    def open_up(self) -> None:
        self._mode = unlock(self._fd, S_IWUSR | S_IXUSR)

    def make_directory(self, name: str, *, replaces: bool) -> None:
        if not replaces:
            syscalls.mkdir(name, 0o700, dir_fd=self._fd)
            return
        draft = temporary_name()
        syscalls.mkdir(draft, 0o700, dir_fd=self._fd)
        try:
            self._exchange(draft, os.fsencode(name))
        except BaseException:
            syscalls.rmdir(draft, dir_fd=self._fd)
            raise

    def _exchanged(self, one: bytes, other: bytes) -> int:
        """Let two names here change places; the errno."""
        with moving(self._handle):
            return -syscalls.rename_exchange(self._fd, one, other)

    def _exchange(self, draft: bytes, name: bytes) -> None:
        """Put the directory ``draft`` in the place of what is none."""
        error = self._exchanged(draft, name)
        if error in (ENOSYS, EINVAL):
            unlink(self._handle, name, self._fd)
            syscalls.rename(draft, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            return
        if error:
            raise OSError(error, os.strerror(error))
        unlink(self._handle, draft, self._fd)

    def make_link(self, name: str, text: str, info: Info, *, replaces: bool, drops: bool) -> None:
        at = temporary_name() if replaces else os.fsencode(name)
        with adding(self._handle, name):
            syscalls.symlink(os.fsencode(text), at, dir_fd=self._fd)
        try:
            times = info.atime_ns, info.mtime_ns
            syscalls.utime(at, ns=times, dir_fd=self._fd, follow_symlinks=False)
            if drops:
                self._replace_directory(at, os.fsencode(name))
            elif replaces:
                rename(self._handle, self._fd, at, self._fd, name)
        except BaseException:
            if replaces:
                self._unlink_quietly(at)
            raise

    def _unlink_quietly(self, name: bytes) -> None:
        try:
            unlink(self._handle, name, self._fd)
        except OSError:
            pass  # what went wrong before is what the caller must hear

    def put(self, name: str, file: BinaryIO, info: Info, tell: Tell, *, drops: bool) -> int:
        mode = info.mode & self._place.file_mode
        growth = draft_growth(self._handle, name, self._fd, name)
        with Draft(self._fd, mode, growth=growth) as draft:
            copied = _fill(file, draft.fd, tell, growth)
            finish_info(info, draft.fd)
            if drops:
                self._replace_directory(draft.name, os.fsencode(name))
                draft.published()
            else:
                draft.publish(os.fsencode(name))
        return copied

    def _replace_directory(self, draft: bytes, name: bytes) -> None:
        """Put what is no directory in the place of one, which goes with all that is in it."""
        refuse_denied_child(self._handle, self._fd, name, os.fsdecode(name))
        error = self._exchanged(draft, name)
        if error in (ENOSYS, EINVAL):
            self.remove(os.fsdecode(name), "directory")
            rename(self._handle, self._fd, draft, self._fd, name)
            return
        if error:
            raise OSError(error, os.strerror(error))
        try:
            self._remove_own(draft)
        except BaseException:
            # What is left of it gets its name back, for whoever tries again.
            self._exchanged(draft, name)
            raise

    def _remove_own(self, draft: bytes) -> None:
        """A directory under a temporary name, which has been found to hold nothing denied."""
        fd = self._open_directory(os.fsdecode(draft))
        try:
            remove_own(self._handle, fd)
        finally:
            syscalls.close(fd)
        syscalls.rmdir(draft, dir_fd=self._fd)

    def _open_directory(self, name: str) -> int:
        try:
            return open_child(self._handle, self._fd, name, syscalls.LISTING)
        except PermissionError:
            if not unlock_entry(self._handle, self._fd, name, S_IRWXU):
                raise
            return open_child(self._handle, self._fd, name, syscalls.LISTING)

    def settle(self, name: str | None, info: Info) -> None:
        if name is None:
            self._settle(self._fd, info, self._place.directory_mode)
            return
        fd = self._open_unlocked(name)
        try:
            found = syscalls.fstat(fd)
            refuse_irregular(found, name)
            self._handle.permit_file(name, found)
            self._settle(fd, info, self._place.file_mode)
        finally:
            syscalls.close(fd)

    def _open_unlocked(self, name: str) -> int:
        """A file that is to get another mode, whatever it has now."""
        try:
            return open_file(self._handle, self._fd, name)
        except PermissionError:
            if not unlock_entry(self._handle, self._fd, name, S_IRUSR):
                raise
            return open_file(self._handle, self._fd, name)

    def _settle(self, fd: int, info: Info, most: int) -> None:
        syscalls.fchmod(fd, info.mode & most)
        finish_info(info, fd)

    def remove(self, name: str, kind: Kind) -> None:
        if kind != "directory":
            unlink(self._handle, name, self._fd)
            return
        fd = self._open_directory(name)
        try:
            refuse_denied(self._handle, fd, name)
            remove_own(self._handle, fd)
        finally:
            syscalls.close(fd)
        syscalls.rmdir(name, dir_fd=self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        mode, self._mode = self._mode, None
        try:
            if mode is not None:
                syscalls.fchmod(self._fd, mode)
        except OSError:
            if error is None:
                raise
        finally:
            if self._owned:
                self._owned = False
                syscalls.close(self._fd)


def finish_info(info: Info, fd: int) -> None:
    syscalls.utime(fd, ns=(info.atime_ns, info.mtime_ns))


def _fill(file: BinaryIO, target: int, tell: Tell, growth: Growth | None) -> int:
    if isinstance(file, io.FileIO):
        fd = file.fileno()
        return copy_content(fd, target, syscalls.fstat(fd), tell, growth)
    copied = 0
    while chunk := file.read(1 << 20):
        write_all(target, chunk, growth)
        copied += len(chunk)
        tell(len(chunk))
    return copied
