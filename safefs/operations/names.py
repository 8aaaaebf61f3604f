"""Operations on names: mkdir, rmdir, unlink, rename, link, symlink, readlink."""

from __future__ import annotations

import os
from errno import EEXIST, EINVAL, ENOSYS
from stat import S_ISDIR, S_ISLNK

from safefs.audit import refused
from safefs.errors import PolicyError
from safefs.kernel import open_beneath, syscalls
from safefs.operations import sizes
from safefs.operations.collisions import refuse_collision
from safefs.operations.parent import Blame, Parent
from safefs.operations.syncing import Synced
from safefs.paths import RelPath, made_and_left, settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle

_ENTRY = syscalls.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def mkdir(handle: Handle, path: RelPath, mode: int) -> None:
    with Parent(handle, path, writes=True, adds=True, directory=True) as parent:
        syscalls.mkdir(parent.name, mode, dir_fd=parent.fd)


def _mkdir_durably(handle: Handle, path: RelPath, mode: int) -> None:
    """One that somebody else has made meanwhile is synchronised too, and FileExistsError."""
    with (
        Blame(path),
        Parent(handle, path, writes=True, adds=True, directory=True) as parent,
        Synced(parent.fd, wanted=True) as above,
    ):
        try:
            syscalls.mkdir(parent.name, mode, dir_fd=parent.fd)
        finally:
            above.directory()


def makedirs(
    handle: Handle,
    path: RelPath,
    mode: int,
    *,
    exist_ok: bool,
    parents_mode: int = 0o777,
    durable: bool = False,
) -> None:
    """Make a directory and those above it; ``durable``: each holds before the next is made.

    Every step resolves anew from the root, so that a directory which is replaced by a link between
    two steps leads nowhere.
    """
    handle.permit(path, writes=True, adds=True)
    if _is_directory(handle, path):
        if exist_ok:
            return
        raise _exists(path)
    missing = missing_above(handle, path)
    if missing:
        look_ahead(handle, path, exist_ok=exist_ok)
    make = _mkdir_durably if durable else mkdir
    for prefix in missing:
        try:
            make(handle, prefix, parents_mode)
        except FileExistsError:
            pass  # someone else was as quick; what is no directory fails at the next step
    if path.split()[1] in (b".", b".."):
        syscalls.close(open_beneath(handle, path, syscalls.DIRECTORY))
        if not exist_ok:
            raise _exists(path)
        return
    try:
        make(handle, path, mode)
    except FileExistsError:
        if not (exist_ok and _is_directory(handle, path)):
            raise _exists(path) from None


def _is_directory(handle: Handle, path: RelPath) -> bool:
    try:
        syscalls.close(open_beneath(handle, path, syscalls.DIRECTORY))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def missing_above(handle: Handle, path: RelPath) -> list[RelPath]:
    """The directories above ``path`` that do not exist, from the top down."""
    names = path.names
    missing = []
    for end in range(len(names) - 1, 0, -1):
        if names[end - 1] in (b".", b".."):
            continue
        prefix = _prefix(names[:end], path)
        try:
            syscalls.close(open_beneath(handle, prefix, syscalls.DIRECTORY))
            break
        except FileNotFoundError:
            missing.append(prefix)
    return missing[::-1]


def look_ahead(handle: Handle, path: RelPath, *, exist_ok: bool) -> tuple[RelPath, list[bytes]]:
    """(what is there, the names that are to be made in it); what is refused changes nothing.

    Raised is what a later step would raise, as of ``new/../../x``.
    """
    there, new = settled(path.names, lambda names: _is_entry(handle, _prefix(names, path)))
    found = _prefix(there, path)
    _refuse_left(handle, path)
    # What is no directory has nothing beneath it that a ".." at the end could undo.
    if new or path.split()[1] in (b".", b".."):
        fd = open_beneath(handle, found, syscalls.DIRECTORY)
        try:
            for end in range(1, len(new) + 1):
                name = b"/".join(new[:end])
                handle.refuse_child(fd, name, directory=True, shown=path.shown)
        finally:
            syscalls.close(fd)
    if not (new or (exist_ok and _is_directory(handle, found))):
        raise _exists(path)
    return found, new


def _refuse_left(handle: Handle, path: RelPath) -> None:
    """Refuse a denied name among the directories that are made on the way and left by ``..``."""
    if handle.rules is None or b".." not in path.names:
        return
    for base, made in made_and_left(
        path.names, lambda names: _is_entry(handle, _prefix(names, path))
    ):
        fd = open_beneath(handle, _prefix(base, path), syscalls.DIRECTORY)
        try:
            handle.refuse_child(fd, b"/".join(made), directory=True, shown=path.shown)
        finally:
            syscalls.close(fd)


def _is_entry(handle: Handle, path: RelPath) -> bool:
    try:
        syscalls.close(open_beneath(handle, path, _ENTRY))
    except FileNotFoundError:
        return False
    return True


def _prefix(names: list[bytes], path: RelPath) -> RelPath:
    return RelPath(b"/".join(names) or b".", path.shown)


def _exists(path: RelPath) -> OSError:
    return FileExistsError(EEXIST, os.strerror(EEXIST), path.shown)


def rmdir(handle: Handle, path: RelPath) -> None:
    with Parent(handle, path, writes=True) as parent:
        syscalls.rmdir(parent.name, dir_fd=parent.fd)


def unlink(handle: Handle, path: RelPath) -> None:
    with Parent(handle, path, writes=True) as parent:
        if parent.slash:
            parent.demand_directory()
        sizes.unlink(handle, parent.name, parent.fd)


def rename(handle: Handle, src: RelPath, dst: RelPath, *, replace: bool) -> None:
    with (
        Blame(src, dst),
        Parent(handle, src, writes=True) as old,
        Parent(handle, dst, writes=True, makes=True, directory=True, collides=False) as new,
    ):
        if old.slash or new.slash:
            old.demand_directory()
        if handle.policy.portable_names:
            same = os.path.samestat(syscalls.fstat(old.fd), syscalls.fstat(new.fd))
            refuse_collision(new, besides=old.name if same else b"")
        if handle.guarded:
            _refuse_denied(handle, old, new)
        if new.slash:
            _demand_directory_or_nothing(new)
        if replace:
            sizes.rename(handle, old.fd, old.name, new.fd, new.name)
        else:
            with sizes.moving(handle):
                rename_noreplace(old.fd, old.name, new.fd, new.name)


def _refuse_denied(handle: Handle, old: Parent, new: Parent) -> None:
    """What is denied stays where it is, and nothing takes a place that is denied."""
    from safefs.operations.denied import refuse_denied_child  # it needs what needs this module

    if S_ISDIR(old.lstat().st_mode):
        refuse_denied_child(
            handle, old.fd, old.name, old.path.shown, target=handle, place=new.place
        )
    else:
        handle.refuse_child(new.fd, new.name, directory=False, shown=new.path.shown)


def _demand_directory_or_nothing(parent: Parent) -> None:
    try:
        parent.demand_directory()
    except FileNotFoundError:
        pass


def rename_noreplace(src_fd: int, src: bytes, dst_fd: int, dst: bytes) -> None:
    """Rename one plain component; FileExistsError where the other is taken, under a race too."""
    error = -syscalls.rename_noreplace(src_fd, src, dst_fd, dst)
    if error in (ENOSYS, EINVAL):
        # Not every kernel and file system has it (EINVAL is also a directory into itself, which
        # the second way refuses again).
        _rename_in_two_steps(src_fd, src, dst_fd, dst)
    elif error:
        raise OSError(error, os.strerror(error))


def _rename_in_two_steps(src_fd: int, src: bytes, dst_fd: int, dst: bytes) -> None:
    """Take the new name exclusively, then give up the old one. In between both exist.

    A directory takes it with mkdir, and rename(2) puts a directory only over an empty one; all
    else takes it with link(2).
    """
    if S_ISDIR(syscalls.stat(src, dir_fd=src_fd, follow_symlinks=False).st_mode):
        syscalls.mkdir(dst, 0o700, dir_fd=dst_fd)
        try:
            syscalls.rename(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd)
        except OSError:
            syscalls.rmdir(dst, dir_fd=dst_fd)
            raise
        return
    syscalls.link(src, dst, src_dir_fd=src_fd, dst_dir_fd=dst_fd, follow_symlinks=False)
    try:
        syscalls.unlink(src, dir_fd=src_fd)
    except OSError:
        syscalls.unlink(dst, dir_fd=dst_fd)
        raise


def link(handle: Handle, src: RelPath, dst: RelPath) -> None:
    with (
        Blame(src, dst),
        Parent(handle, src, writes=True, adds=True, makes=False) as old,
        Parent(handle, dst, writes=True, adds=True) as new,
    ):
        if old.slash:
            old.demand_directory()
        _refuse_slash(new)
        handle.policy.check_link(src.shown)
        if handle.policy.symlinks == "never" and S_ISLNK(old.lstat().st_mode):
            raise refused(PolicyError(src.shown, "symlinks", "links are not made here"))
        with sizes.adding(handle, dst.shown):
            syscalls.link(
                old.name, new.name, src_dir_fd=old.fd, dst_dir_fd=new.fd, follow_symlinks=False
            )


def symlink(handle: Handle, target: bytes, path: RelPath) -> None:
    with Parent(handle, path, writes=True, adds=True) as parent:
        if handle.policy.symlinks == "never":
            raise refused(PolicyError(path.shown, "symlinks", "links are not made here"))
        _refuse_slash(parent)
        with Blame(path), sizes.adding(handle, path.shown):
            syscalls.symlink(target, parent.name, dir_fd=parent.fd)


def _refuse_slash(parent: Parent) -> None:
    """A name that is to be no directory cannot be made with a slash behind it: symlink(2)."""
    if parent.slash:
        parent.lstat()
        raise parent.error(EEXIST)


def readlink(handle: Handle, path: RelPath) -> str | bytes:
    with Parent(handle, path, writes=False) as parent:
        if parent.slash:
            parent.demand_directory()
        return path.decode(syscalls.readlink(parent.name, dir_fd=parent.fd))
