"""Entries made one by one beneath a directory, in place or in a draft of a tree.

The directory is the boundary: it is held, and every path is resolved anew beneath it.
"""

from __future__ import annotations

import os
import sys
from errno import EEXIST, ELOOP, ENAMETOOLONG, ESTALE
from stat import S_IMODE, S_ISDIR, S_ISREG

from safefs.audit import refused
from safefs.errors import PolicyError
from safefs.kernel import open_beneath, syscalls
from safefs.kernel.handle import Closed, Handle
from safefs.kernel.reached import entered, place_beneath, place_of_fd
from safefs.operations import names
from safefs.operations.files import write_all
from safefs.operations.names import rename_noreplace
from safefs.operations.parent import Blame, Parent
from safefs.operations.removing import remove_own
from safefs.operations.replace import NEW, Draft, stands_free, temporary_name
from safefs.operations.sizes import adding, draft_growth, growth_of, moving, rename, unlink
from safefs.paths import RelPath, settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from safefs.operations.sizes import Growth

    Identity = tuple[int, int]

_REACH = syscalls.O_PATH | os.O_CLOEXEC
_ENTRY = syscalls.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_USUAL = 0o777
_OWNER = 0o700  # what is made must let its maker in, to fill it and to remove it
_NOWHERE = frozenset({ELOOP, ENAMETOOLONG})


class Bed:
    """A directory in which entries are made, each by its path from there.

    ``file_mode`` and ``directory_mode`` are the most that a new one may have, the umask aside.
    Files are made under a temporary name and get their own when they are whole, unless ``private``.
    """

    __slots__ = ("_directories", "_directory_mode", "_file_mode", "_handle", "_made", "_private")

    def __init__(
        self, handle: Handle, file_mode: int, directory_mode: int, *, private: bool
    ) -> None:
        """Takes the handle over, and closes it."""
        self._handle: Any = handle
        self._file_mode = file_mode
        self._directory_mode = directory_mode
        self._private = private
        self._made: set[Identity] = set()
        self._directories: dict[Identity, int] = {}  # those made here: what the umask left of 0777

    def mkdir(self, path: RelPath, mode: int | None) -> bool:
        """Make a directory and those above it; whether it was not there before.

        One that is there is FileExistsError where it is no directory itself, and gets ``mode`` if
        it was made here. The owner's own rights are always given.
        """
        self._make_above(path)
        asked = _USUAL if mode is None else mode | _OWNER
        try:
            self._mkdir(path, asked & self._directory_mode)
        except FileExistsError:
            self._adopt(path, mode)
            return False
        return True

    def _mkdir(self, path: RelPath, mode: int) -> None:
        with Parent(self._handle, path, writes=True, adds=True, directory=True) as parent:
            syscalls.mkdir(parent.name, mode, dir_fd=parent.fd)
            found = parent.lstat()
            if S_ISDIR(found.st_mode):
                left = S_IMODE(found.st_mode) | (_USUAL & ~mode)
                self._directories[_identity(found)] = left

    def _adopt(self, path: RelPath, mode: int | None) -> None:
        """Give a directory that was made on the way to something else the mode of its member."""
        with Parent(self._handle, path, writes=True, adds=True) as parent:
            if not S_ISDIR(parent.lstat().st_mode):
                raise parent.error(EEXIST)
            with Blame(path):
                fd = syscalls.open(parent.name, syscalls.LISTING | os.O_NOFOLLOW, dir_fd=parent.fd)
            try:
                allowed = self._directories.get(_identity(syscalls.fstat(fd)))
                if allowed is not None and mode is not None:
                    syscalls.fchmod(fd, (mode | _OWNER) & allowed & self._directory_mode)
            finally:
                syscalls.close(fd)

    def _make_above(self, path: RelPath) -> None:
        above = path.split()[0].rstrip(b"/")
        if not above:
            return
        missing = []
        at = above
        while at:
            try:
                syscalls.close(
                    open_beneath(self._handle, RelPath(at, path.shown), syscalls.DIRECTORY)
                )
                break
            except FileNotFoundError:
                missing.append(at)
                at = at.rpartition(b"/")[0]
        for each in reversed(missing):
            try:
                self._mkdir(RelPath(each, path.shown), _USUAL & self._directory_mode)
            except FileExistsError:
                pass  # what it is, the next step will say

    def create(
        self,
        path: RelPath,
        chunks: Iterable[bytes],
        mode: int | None,
        mtime_ns: int | None,
        *,
        replace: bool = False,
    ) -> None:
        """Make a file, whole; FileExistsError where something stands. Makes those above it.

        ``replace``, here and below: a file or link gives way, once what replaces it is whole.
        """
        self._make_above(path)
        permissions = (0o666 if mode is None else mode) & self._file_mode
        sys.audit("safefs.open", path.shown, NEW)
        with Parent(self._handle, path, writes=True, adds=True) as parent:
            self._check_replaced(parent, replace=replace)
            if self._private and not replace:
                self._create_at_once(parent, chunks, permissions, mtime_ns)
            else:
                self._create_whole(parent, chunks, permissions, mtime_ns, replace=replace)

    def _create_at_once(
        self, parent: Parent, chunks: Iterable[bytes], mode: int, mtime_ns: int | None
    ) -> None:
        shown = parent.path.shown
        with adding(self._handle, shown):
            fd = syscalls.open(parent.name, NEW, mode, dir_fd=parent.fd)
        try:
            self._fill(fd, parent.path, chunks, mtime_ns, growth_of(self._handle, shown))
        except BaseException:
            syscalls.close(fd)  # what there is of it goes with the draft
            raise
        with Blame(parent.path):
            syscalls.close(fd)  # where a file system tells of a full disk

    def _create_whole(
        self,
        parent: Parent,
        chunks: Iterable[bytes],
        mode: int,
        mtime_ns: int | None,
        *,
        replace: bool,
    ) -> None:
        try:
            parent.lstat()
        except FileNotFoundError:
            pass
        else:
            if not replace:
                raise parent.error(EEXIST)
        growth = draft_growth(self._handle, parent.path.shown, parent.fd, parent.name)
        with Blame(parent.path):
            draft = Draft(parent.fd, None, default=mode, growth=growth)
        try:
            self._fill(draft.fd, parent.path, chunks, mtime_ns, growth)
            with Blame(parent.path):
                draft.publish(parent.name, replace=replace)
        finally:
            with Blame(parent.path):
                draft.close()

    def _fill(
        self,
        fd: int,
        path: RelPath,
        chunks: Iterable[bytes],
        mtime_ns: int | None,
        growth: Growth | None,
    ) -> None:
        ours = Blame(path)
        for chunk in chunks:
            with ours:
                write_all(fd, chunk, growth)
        with ours:
            if mtime_ns is not None:
                syscalls.utime(fd, ns=(mtime_ns, mtime_ns))
            self._made.add(_identity(syscalls.fstat(fd)))

    def symlink(self, target: str, path: RelPath, *, replace: bool = False) -> None:
        """Make a link with this very text, and those above it."""
        self._make_above(path)
        with Parent(self._handle, path, writes=True, adds=True) as parent:
            self._check_replaced(parent, replace=replace)
            if self._handle.policy.symlinks == "never":
                raise refused(PolicyError(path.shown, "symlinks", "links are not made here"))
            name = temporary_name() if replace else parent.name
            with Blame(path):
                with adding(self._handle, path.shown):
                    syscalls.symlink(os.fsencode(target), name, dir_fd=parent.fd)
                if replace:
                    _take_place(self._handle, parent, name)
            self._made.add(_identity(parent.lstat()))

    def link(self, source: RelPath, path: RelPath, *, replace: bool = False) -> None:
        """Give a file that was made here one more name; ESTALE for any other."""
        self._make_above(path)
        with (
            Parent(self._handle, source, writes=True, adds=True) as old,
            Parent(self._handle, path, writes=True, adds=True) as new,
        ):
            self._handle.policy.check_link(path.shown)
            self._check_replaced(new, replace=replace)
            found = old.lstat()
            if _identity(found) not in self._made or not S_ISREG(found.st_mode):
                raise new.error(ESTALE)
            fds = {"src_dir_fd": old.fd, "dst_dir_fd": new.fd}
            name = temporary_name() if replace else new.name
            with Blame(path):
                with adding(self._handle, path.shown):
                    syscalls.link(old.name, name, follow_symlinks=False, **fds)
                now = syscalls.stat(name, dir_fd=new.fd, follow_symlinks=False)
                if _identity(now) not in self._made:
                    # Another file was put there between the two looks. The name is ours, it is not.
                    unlink(self._handle, name, new.fd)
                    raise OSError(ESTALE, "what it links to was replaced meanwhile")
                if replace:
                    _take_place(self._handle, new, name)

    def made(self, path: RelPath) -> bool:
        """Whether what has this name was made here."""
        with Parent(self._handle, path, writes=False) as parent:
            found = _identity(parent.lstat())
            return found in self._made or found in self._directories

    def holds(self, path: RelPath) -> bool:
        """Whether what has this name is a file that was made here."""
        with Parent(self._handle, path, writes=False) as parent:
            found = parent.lstat()
            return S_ISREG(found.st_mode) and _identity(found) in self._made

    def remove(self, path: RelPath) -> None:
        """Remove a file or link that was made here."""
        with Parent(self._handle, path, writes=True, adds=True) as parent:
            self._check_replaced(parent, replace=True)
            unlink(self._handle, parent.name, parent.fd)

    def _check_replaced(self, parent: Parent, *, replace: bool) -> None:
        """What was there before stays, where only additions are allowed."""
        policy = self._handle.policy
        if not (replace and policy.append_only) or stands_free(parent):
            return
        if _identity(parent.lstat()) not in self._made:
            raise policy.no_change(parent.path)

    def leads(self, path: RelPath) -> bool:
        """Whether the path leads to something, links followed; EscapeError where it leads out.

        False also for a loop, and beneath what is no directory.
        """
        try:
            syscalls.close(open_beneath(self._handle, path, _REACH))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if error.errno in _NOWHERE:
                return False
            raise
        return True

    def check(self) -> None:
        """Everything has its name already."""

    def publish(self) -> None:
        """Likewise."""

    def close(self) -> None:
        # Nobody else has it, so no thread is in the middle of a call: the number goes with it.
        self._handle = Closed()


class DraftBed(Bed):
    """A bed that nobody sees until it is published, as a whole.

    Where the directory does not exist yet, one rename gives it its name, and with it those above
    that were missing. Where it exists, what is at the top of the draft is renamed into it, one
    after another, once it is certain that none of the names is taken; should one be after all, the
    others are taken back. The draft stands beside, or in, the directory and holds its lock.
    """

    __slots__ = ("_base", "_draft", "_name", "_new", "_over", "_path", "_top", "_usual")

    def __init__(self, handle: Handle, path: RelPath, file_mode: int, directory_mode: int) -> None:
        handle.permit(path, writes=True, adds=True)
        there, new = settled(path.names, lambda names: _leads(handle, names, path))
        self._over = handle
        self._path = path
        self._new = new
        self._top = RelPath(b"/".join(there) or b".", path.shown)
        self._name = b""
        self._draft = -1
        sys.audit("safefs.open", path.shown, syscalls.LISTING | os.O_CREAT)
        self._base = open_beneath(handle, self._top, syscalls.DIRECTORY)
        try:
            for end in range(1, len(new) + 1):
                self._check_hidden(b"/".join(new[:end]), is_dir=True)
            with Blame(path):
                self._begin(directory_mode)
                inner = self._inner(directory_mode)
                super().__init__(inner, file_mode, directory_mode, private=True)
        except BaseException:
            self._discard()
            raise

    def _begin(self, directory_mode: int) -> None:
        name = temporary_name()
        syscalls.mkdir(name, _USUAL & directory_mode, dir_fd=self._base)
        self._name = name
        fd = syscalls.open(name, syscalls.LISTING | os.O_NOFOLLOW, dir_fd=self._base)
        self._draft = entered(fd, self._base, name)
        syscalls.lock(self._draft)
        found = syscalls.fstat(self._draft)
        if found.st_uid != syscalls.geteuid():
            self._name = b""
            raise OSError(ESTALE, "a directory was replaced in the moment it was made")
        self._usual = S_IMODE(found.st_mode)
        syscalls.fchmod(self._draft, _OWNER)
        if syscalls.listdir(self._draft):
            self._name = b""
            raise OSError(ESTALE, "a directory was replaced in the moment it was made")

    def _inner(self, directory_mode: int) -> Handle:
        """What the members are made beneath: the draft, or as deep in it as names are new."""
        policy = self._over.policy.beneath(self._path, self._place(b"/".join(self._new)))
        fd = syscalls.open(b".", syscalls.DIRECTORY, dir_fd=self._draft)
        try:
            for name in self._new[1:]:
                syscalls.mkdir(name, _USUAL & directory_mode, dir_fd=fd)
                deeper = syscalls.open(name, syscalls.DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
                fd, left = deeper, fd
                syscalls.close(left)
            return Handle(fd, policy, self._over.meters)
        except BaseException:
            syscalls.close(fd)
            raise

    def _place(self, path: bytes) -> bytes:
        if not self._over.guarded:
            return b""
        above = place_of_fd(self._base)
        return place_beneath(above, path) if path else above

    def _check_hidden(self, path: bytes, *, is_dir: bool) -> None:
        rules = self._over.rules
        if rules is not None and rules.denies(self._place(path), directory=is_dir):
            raise rules.refusal(self._place(path), os.fsdecode(path))

    def check(self) -> None:
        """FileExistsError where a name is taken; ESTALE where the directory has been moved."""
        self._over.check_open()
        with Blame(self._path):
            self._check_base()
            entries = [] if self._new else self._entries()
        for name in self._new[:1]:
            self._refuse_taken(RelPath(name, self._path.shown))
        for name in entries:
            if self._over.guarded:
                with Blame(self._path):
                    found = syscalls.stat(name, dir_fd=self._draft, follow_symlinks=False)
                self._check_hidden(name, is_dir=S_ISDIR(found.st_mode))
            self._refuse_taken(RelPath(name, os.fsdecode(name)))

    def _entries(self) -> list[bytes]:
        with Blame(self._path):
            return sorted(os.fsencode(name) for name in syscalls.listdir(self._draft))

    def publish(self) -> None:
        """Give everything its name, or nothing; raises as ``check`` does, also under a race."""
        self.check()
        with Blame(self._path):
            if self._new:
                syscalls.fchmod(self._draft, self._usual)
                with moving(self._over):
                    rename_noreplace(self._base, self._name, self._base, self._new[0])
                self._name = b""
            else:
                with moving(self._over):
                    self._publish_entries()

    def _check_base(self) -> None:
        """That its path still leads to the directory: by a held one the root could be left."""
        now = open_beneath(self._over, self._top, syscalls.DIRECTORY)
        try:
            if _identity(syscalls.fstat(now)) != _identity(syscalls.fstat(self._base)):
                raise OSError(ESTALE, "the directory was moved, so nothing was published")
        finally:
            syscalls.close(now)

    def _publish_entries(self) -> None:
        done: list[bytes] = []
        try:
            for name in self._entries():
                rename_noreplace(self._draft, name, self._base, name)
                done.append(name)
            syscalls.rmdir(self._name, dir_fd=self._base)
            self._name = b""
        except BaseException:
            for name in reversed(done):
                try:
                    rename_noreplace(self._base, name, self._draft, name)
                except OSError:
                    pass  # somebody has removed or replaced it already
            raise

    def _refuse_taken(self, name: RelPath) -> None:
        try:
            with Blame(name):
                syscalls.stat(name.raw, dir_fd=self._base, follow_symlinks=False)
        except FileNotFoundError:
            return
        raise FileExistsError(EEXIST, os.strerror(EEXIST), name.shown)

    def close(self) -> None:
        """Remove what has not been published."""
        try:
            super().close()
        finally:
            self._discard()

    def _discard(self) -> None:
        name, self._name = self._name, b""
        draft, self._draft = self._draft, -1
        base, self._base = self._base, -1
        try:
            if name:
                self._remove(name, draft, base)
        except OSError:
            pass  # what went wrong before is what the caller must hear; the rest is for sweep
        finally:
            for fd in (draft, base):
                if fd >= 0:
                    syscalls.close(fd)

    def _remove(self, name: bytes, draft: int, base: int) -> None:
        try:
            if draft >= 0:
                remove_own(self._over, draft)
        except OSError:
            pass  # an empty one goes all the same
        syscalls.rmdir(name, dir_fd=base)


def bed(handle: Handle, path: RelPath, file_mode: int, directory_mode: int) -> Bed:
    """A bed in place: the directory is made where it is missing, with those above it."""
    names.makedirs(
        handle,
        path,
        _USUAL & directory_mode,
        exist_ok=True,
        parents_mode=_USUAL & directory_mode,
    )
    fd = open_beneath(handle, path, syscalls.DIRECTORY)
    try:
        place = place_of_fd(fd) if handle.guarded else b""
        policy = handle.policy.beneath(path, place)
        with Blame(path):
            inner = Handle(fd, policy, handle.meters)
    except BaseException:
        syscalls.close(fd)
        raise
    return Bed(inner, file_mode, directory_mode, private=False)


def _take_place(handle: Handle, parent: Parent, name: bytes) -> None:
    """Let what has a temporary name take the place of what has the parent's."""
    try:
        rename(handle, parent.fd, name, parent.fd, parent.name)
    finally:
        try:
            # It is still there after an error, and where both are names of one file: rename(2)
            # then does nothing.
            unlink(handle, name, parent.fd)
        except OSError:
            pass


def _leads(handle: Handle, names: list[bytes], path: RelPath) -> bool:
    try:
        syscalls.close(open_beneath(handle, RelPath(b"/".join(names), path.shown), _REACH))
    except FileNotFoundError:
        return False
    return True


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino
