"""Atomic replacement: a temporary name in the opened parent, then a rename."""

from __future__ import annotations

import os
import sys
from errno import EEXIST, EINVAL, EISDIR, ENOSYS, ENOTSUP, EOPNOTSUPP, EPERM
from stat import S_IMODE, S_ISDIR, S_ISREG
from time import time_ns

from safefs.kernel import syscalls
from safefs.operations.files import write_all
from safefs.operations.names import rename_noreplace
from safefs.operations.parent import Blame, Parent, blame
from safefs.operations.preserving import Preserved, preserved
from safefs.operations.sizes import draft_growth
from safefs.operations.swapping import swap
from safefs.operations.syncing import Synced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType
    from typing import Self

    from safefs.kernel.handle import Handle
    from safefs.operations.conditions import Condition
    from safefs.operations.sizes import DraftGrowth
    from safefs.operations.swapping import Meant
    from safefs.paths import RelPath

    Buffer = bytes | bytearray | memoryview

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_AS_IF = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_ATTEMPTS = 16  # of 64 random bits; more than one means that someone is guessing
_OWNERS_ONLY = 0o600
_TIMELESS = frozenset({EPERM, ENOSYS, EOPNOTSUPP, ENOTSUP})
_PERMISSIONS = 0o777  # set-id bits are not carried over to content that someone else wrote


TEMPORARY = ".safefs-"  # what the name of each draft begins with
_SUFFIX = ".tmp"
_DIGITS = 16


def temporary_name() -> bytes:
    """A name nobody can have planted a link under."""
    return f"{TEMPORARY}{syscalls.urandom(_DIGITS // 2).hex()}{_SUFFIX}".encode()


def is_temporary(name: str) -> bool:
    """Whether this is a name that ``temporary_name`` gives, for a file or directory."""
    digits = name[len(TEMPORARY) : -len(_SUFFIX)]
    return (
        len(digits) == _DIGITS
        and name.startswith(TEMPORARY)
        and name.endswith(_SUFFIX)
        and not digits.strip("0123456789abcdef")
    )


def stamp(fd: int) -> None:
    """Give a file the time of now by the fine clock: what ``conditions.etag`` counts on.

    Some file systems, of FUSE and the network, let no time be set. Theirs is then the time.
    """
    now = time_ns()
    try:
        syscalls.utime(fd, ns=(now, now))
    except OSError as error:
        if error.errno not in _TIMELESS:
            raise


class Draft:
    """A new file under a temporary name in an opened directory, gone unless it is published.

    While the file is open its lock (flock) is held, so that who sweeps up what writers have left
    behind can tell that this one is at work.

    No O_TMPFILE, which would leave nothing behind: linkat(2) replaces no file, so it could serve
    exclusive creation alone; it needs procfs or, before Linux 6.10, a capability, and a file system
    that has it. Where all of that was given it took as long.
    """

    __slots__ = ("_dir_fd", "_growth", "_name", "_writer", "fd")

    def __init__(
        self,
        dir_fd: int,
        permissions: int | None,
        *,
        default: int = 0o666,
        flags: int = NEW,
        growth: DraftGrowth | None = None,
    ) -> None:
        """``permissions``: exactly these; None: ``default`` less the umask."""
        self._writer = syscalls.getpid()
        self._dir_fd = dir_fd
        self._growth = growth
        mode = default if permissions is None else permissions
        if growth is None:
            self.fd = self._create(mode, flags)
        else:
            self.fd = growth.create(self._create, mode, flags)
        try:
            syscalls.lock(self.fd)
            if permissions is not None:
                syscalls.fchmod(self.fd, permissions)
        except BaseException:
            self.close()
            raise

    def _create(self, mode: int, flags: int) -> int:
        attempt = 1
        while True:
            self._name = temporary_name()
            try:
                return syscalls.open(self._name, flags, mode, dir_fd=self._dir_fd)
            except FileExistsError:
                if attempt == _ATTEMPTS:
                    raise
                attempt += 1

    @property
    def name(self) -> bytes:
        """The temporary name; empty once the file has its own."""
        return self._name

    def stamp(self) -> None:
        """See the function."""
        stamp(self.fd)

    def publish(self, name: bytes, *, replace: bool = True, meant: Meant | None = None) -> None:
        """Give the file its name, in one step; ``meant``: see ``swapping.swap``.

        Some file systems (NFS, for one) tell only at a close that what was written has not been
        stored. They are asked before: afterwards the old content is gone.
        """
        syscalls.close(syscalls.dup(self.fd))
        if self._growth is None:
            self._publish(name, meant, replace=replace)
        else:
            size = syscalls.fstat(self.fd).st_size
            self._growth.take(self._dir_fd, name, size, self._publish, name, meant, replace=replace)

    def _publish(self, name: bytes, meant: Meant | None, *, replace: bool) -> None:
        if replace and meant is not None:
            swap(self._dir_fd, self._name, name, meant)
        elif replace:
            syscalls.rename(self._name, name, src_dir_fd=self._dir_fd, dst_dir_fd=self._dir_fd)
        else:
            rename_noreplace(self._dir_fd, self._name, self._dir_fd, name)
        self._name = b""

    def published(self) -> None:
        """That the file has got its name in another way, and took that of no other."""
        self._name = b""
        if self._growth is not None:
            self._growth.taken()

    def discard(self) -> None:
        """Remove the file, if it has no name yet; in a fork it is the writer's, and stays."""
        name, self._name = self._name, b""
        if name and syscalls.getpid() == self._writer:
            try:
                if self._growth is None:
                    syscalls.unlink(name, dir_fd=self._dir_fd)
                else:
                    self._growth.drop(syscalls.unlink, name, dir_fd=self._dir_fd)
            except OSError:
                pass  # what went wrong before is what the caller must hear

    def close(self) -> None:
        """Close the file, and remove it if it has no name yet."""
        try:
            syscalls.close(self.fd)
        finally:
            self.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def replace_file(
    handle: Handle,
    path: RelPath,
    chunks: Iterable[Buffer],
    *,
    durable: bool,
    mode: int | None,
    replace: bool = True,
    preserve: tuple[str, ...] = (),
    condition: Condition | None = None,
) -> None:
    """``replace=False``: FileExistsError where the name is taken, under a race too.

    ``preserve``: words that have been checked. ``condition``: what must stand there when the new
    content takes its place.
    """
    with parent_of_file(handle, path, replaces=replace) as parent:
        replace = replace and not handle.policy.append_only
        if not replace:
            refuse_existing(parent)
        if condition is not None:
            condition.check(handle, parent)  # not the last word, but before anything is written
        kept = kept_mode(parent) if mode is None else mode & _PERMISSIONS
        owned = None
        if preserve:
            with Blame(path):
                owned = preserved(handle, parent, preserve)
            if owned is not None and mode is None:
                kept = owned.permissions
        with Blame(path):
            directory = Synced(parent.fd, wanted=durable)
        with directory:
            _replace(handle, parent, chunks, kept, owned, directory, condition, replace=replace)


def _replace(
    handle: Handle,
    parent: Parent,
    chunks: Iterable[Buffer],
    kept: int | None,
    owned: Preserved | None,
    directory: Synced,
    condition: Condition | None,
    *,
    replace: bool,
) -> None:
    """Errors of the caller's iterable pass as they are."""
    growth = draft_growth(handle, parent.path.shown, parent.fd, parent.name)
    theirs = False
    try:
        if owned is None or kept is None:
            draft = Draft(parent.fd, kept, growth=growth)
        else:
            draft = _owned_draft(parent, kept, owned, growth)
        try:
            theirs = True
            for chunk in chunks:
                theirs = False
                write_all(draft.fd, chunk, growth)
                theirs = True
            theirs = False
            draft.stamp()
            directory.file(draft.fd)
            if condition is None:
                draft.publish(parent.name, replace=replace)
            else:
                with condition.held(parent):
                    condition.check(handle, parent)
                    meant = condition.meant(parent.path) if condition.exchange else None
                    draft.publish(parent.name, replace=replace, meant=meant)
        finally:
            draft.close()
        directory.directory()
    except OSError as error:
        if not theirs:
            blame(error, parent.path)
        raise


def _owned_draft(
    parent: Parent, permissions: int, owned: Preserved, growth: DraftGrowth | None
) -> Draft:
    """Nobody but its owner may open it before it has the owner and the attributes it is to have."""
    draft = Draft(parent.fd, _OWNERS_ONLY, growth=growth)
    try:
        owned.give(draft.fd)
        syscalls.fchmod(draft.fd, permissions)
    except BaseException:
        draft.close()
        raise
    return draft


def parent_of_file(handle: Handle, path: RelPath, *, replaces: bool = True) -> Parent:
    """EISDIR for what can name no file, as open for writing says it.

    ``replaces``: what stands there would give way; refused where only additions are allowed.

    What is put in the place of a path is an open of that path, and reported as one.
    """
    sys.audit("safefs.open", path.shown, _AS_IF)
    return look_for_parent(handle, path, replaces=replaces)


def look_for_parent(handle: Handle, path: RelPath, *, replaces: bool = True) -> Parent:
    """``parent_of_file`` for who only looks."""
    try:
        parent = Parent(handle, path, writes=True, adds=True, owns=True)
    except OSError as error:
        if error.errno == EINVAL:
            raise OSError(EISDIR, os.strerror(EISDIR), path.shown) from None
        raise
    try:
        if parent.slash:
            raise parent.error(EISDIR)
        if replaces and handle.policy.append_only and not stands_free(parent):
            raise handle.policy.no_change(path)
    except BaseException:
        parent.close()
        raise
    return parent


def stands_free(parent: Parent) -> bool:
    """Whether nothing stands under the name, so that nothing would be replaced."""
    try:
        parent.lstat()
    except FileNotFoundError:
        return True
    return False


def kept_mode(parent: Parent) -> int | None:
    """The permissions of the regular file that is to be replaced, if there is one."""
    existing = existing_entry(parent)
    if existing is None or not S_ISREG(existing.st_mode):
        return None
    return S_IMODE(existing.st_mode) & _PERMISSIONS


def existing_entry(parent: Parent) -> os.stat_result | None:
    """What stands under the name; EISDIR for a directory, which no file replaces."""
    try:
        existing = parent.lstat()
    except FileNotFoundError:
        return None
    if S_ISDIR(existing.st_mode):
        raise parent.error(EISDIR)
    return existing


def refuse_existing(parent: Parent) -> None:
    try:
        parent.lstat()
    except FileNotFoundError:
        return
    raise parent.error(EEXIST)
