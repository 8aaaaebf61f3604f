"""The resolver for every other POSIX, and for when openat2 is refused: one component at a time.

Each component is opened with O_NOFOLLOW beneath the one before it, so no step can be led astray; a
link is read and its target walked in its place. ``..`` goes back along the directories that were
come through, which are held open: it is never asked of the file system where it could leave.
"""

from __future__ import annotations

import os
from errno import EACCES, EINVAL, EISDIR, ELOOP, EMLINK, ENAMETOOLONG, ENOENT, ENOTDIR
from stat import S_ISDIR, S_ISLNK, S_ISVTX, S_IWOTH

from safefs.audit import refused
from safefs.errors import EscapeError, PolicyError
from safefs.kernel import syscalls
from safefs.kernel.procfs import place_of
from safefs.kernel.reached import Reached, entered, place_beneath, place_of_fd
from safefs.kernel.trail import Moved, Trail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

    class Observer(Protocol):
        """Who is told of the way, and has no say in it."""

        def at(self, trail: Trail, name: bytes, left: int, *, dots: bool) -> None:
            """A component, before anything is done; ``left`` are to follow it."""

        def linked(self, target: bytes, left: int) -> None:
            """It is a link, which has not been judged yet."""

        def reached(self, fd: int) -> None:
            """It has been opened, and no rule was against it."""


MAX_LINKS = 40  # MAXSYMLINKS in linux/namei.h
MAX_REPLACED = 1000  # times that what stands under a name may change while the walk looks at it
PATH_MAX = 4096  # linux/limits.h, with the NUL
_WAY = syscalls.DIRECTORY | os.O_NOFOLLOW
_STARTS = 16  # when a directory is moved while more are open than may be held
_SHARED = S_ISVTX | S_IWOTH  # a directory where all may write and none remove another's
_PROC_ROOT_INO = 1  # its links (self, mounts) are ordinary ones; those deeper down need not be

# What open says of a link under O_NOFOLLOW: EMLINK on FreeBSD, EFTYPE on NetBSD, ENOTDIR with
# O_DIRECTORY on Linux.
_IS_LINK = frozenset({ELOOP, EMLINK, ENOTDIR, 79 if os.uname().sysname == "NetBSD" else ELOOP})


def open_beneath(
    handle: Handle, path: RelPath, flags: int, mode: int = 0, told: Observer | None = None
) -> int:
    """What openat2 with RESOLVE_BENEATH would open, or raise."""
    if len(path.raw) >= PATH_MAX:
        raise _os_error(ENAMETOOLONG)
    if told is None and handle.plain:
        fd = _straight(handle.fd, path.raw, flags | os.O_CLOEXEC, mode)
        if fd >= 0:
            return fd
    for _ in range(_STARTS):
        trail = Trail(handle.fd, syscalls.DIRECTORY)
        try:
            return _walk(handle, path, flags | os.O_CLOEXEC, mode, trail, told)
        except Moved:
            continue
        finally:
            trail.close()
    raise Moved


def _straight(top: int, raw: bytes, flags: int, mode: int) -> int:
    """What a path of plain names leads to, or -1 where it is no such path, or may meet a link.

    Where there is no link and no ``..`` nothing has to be held to come back to. Of a link O_PATH
    would open the link itself.
    """
    names = raw.split(b"/")
    if b".." in names or b"." in names or b"" in names:
        return -1
    if flags & syscalls.O_PATH and not flags & (os.O_NOFOLLOW | os.O_DIRECTORY):
        return -1
    last = names.pop()
    here = top
    try:
        for name in names:
            below = syscalls.open(name, _WAY, dir_fd=here)
            if here != top:
                syscalls.close(here)
            here = below
        return syscalls.open(last, flags | os.O_NOFOLLOW, mode, dir_fd=here)
    except OSError as error:
        if error.errno not in _IS_LINK:
            raise
        return -1
    finally:
        if here != top:
            syscalls.close(here)


def _walk(
    handle: Handle, path: RelPath, flags: int, mode: int, trail: Trail, told: Observer | None
) -> int:
    """One long function, as it is one thought.

    ``pending`` is what is still to be walked, the next component last. ``dots`` says that the path
    ends in ``.``, ``..`` or nothing, so that it means the directory it has come to; ``slash`` that
    a slash follows its last component, which must then be a directory.
    """
    pending, slash, dots = _components(path.raw)
    follow = not (flags & os.O_NOFOLLOW or (flags & os.O_CREAT and flags & os.O_EXCL))
    links = replaced = 0
    while pending:
        name = pending.pop()
        if told is not None:
            told.at(trail, name, len(pending), dots=dots)
        if name == b"..":
            if not trail.depth:
                raise _escape(path, name, EscapeError.ABOVE_ROOT)
            # The permission that the kernel asks for "..": to search the directory it is left from.
            syscalls.close(syscalls.open(b".", syscalls.DIRECTORY, dir_fd=trail.fd))
            trail.up()
            continue
        last = not pending and not dots
        if handle.guarded:
            _judge(handle, path, trail.fd, name, makes=last and bool(flags & os.O_CREAT))
        if not last:
            fd, target = _enter(trail.fd, name)
        elif slash and flags & os.O_CREAT:
            raise _os_error(EISDIR)
        else:
            wanted = flags | (os.O_DIRECTORY if slash else 0)
            fd, target = _open_last(trail.fd, name, wanted, mode, follow=follow)
        if fd >= 0:
            _check_mount(handle, path, fd)
            fd = entered(fd, trail.fd, name)
            if told is not None:
                told.reached(fd)
            if last:
                return fd
            trail.push(fd, name)
            continue
        if target is None:  # what stood there changed between two calls: look again
            replaced += 1
            if replaced > MAX_REPLACED:
                raise _os_error(ELOOP)
            pending.append(name)
            continue
        links += 1
        if links > MAX_LINKS:
            raise _os_error(ELOOP)
        if told is not None:
            told.linked(target, len(pending))
        _check_link(handle, path, trail.fd, name, target)
        if target[:1] == b"/":
            target = _beneath_root(handle, path, name, target)
            while trail.depth:
                trail.up()
        names, target_slash, target_dots = _components(target)
        pending += names
        if last:
            slash, dots = slash or target_slash, target_dots
    fd = syscalls.open(b".", flags & ~os.O_NOFOLLOW, mode, dir_fd=trail.fd)
    return Reached.at(fd, place_of_fd(trail.fd)) if handle.guarded else fd


def _judge(handle: Handle, path: RelPath, dir_fd: int, name: bytes, *, makes: bool) -> None:
    """Refuse what the rules of names refuse: here it is known where one is."""
    handle.refuse_name(
        place_beneath(place_of_fd(dir_fd), name),
        path.shown,
        makes=makes,
        kind=lambda: syscalls.stat(name, dir_fd=dir_fd, follow_symlinks=False),
    )


def _components(raw: bytes) -> tuple[list[bytes], bool, bool]:
    """(the names in reverse without ``.``, whether a slash follows, whether it ends in dots)."""
    names = [name for name in raw.split(b"/") if name]
    dots = not names or names[-1] in (b".", b"..")
    names.reverse()
    return [name for name in names if name != b"."], raw.endswith(b"/"), dots


def _enter(dir_fd: int, name: bytes) -> tuple[int, bytes | None]:
    """(the directory of this name, None), or (-1, the target of the link that stands there)."""
    try:
        return syscalls.open(name, syscalls.DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd), None
    except OSError as error:
        if error.errno not in _IS_LINK:
            raise
        return -1, _target(dir_fd, name, error.errno)


def _open_last(
    dir_fd: int, name: bytes, flags: int, mode: int, *, follow: bool
) -> tuple[int, bytes | None]:
    try:
        fd = syscalls.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=dir_fd)
    except OSError as error:
        if not follow or error.errno not in _IS_LINK:
            raise
        return -1, _target(dir_fd, name, error.errno)
    if not follow or not flags & syscalls.O_PATH:
        return fd, None
    # O_PATH with O_NOFOLLOW opens a link itself; reading it by its descriptor cannot be raced.
    try:
        is_link = S_ISLNK(syscalls.fstat(fd).st_mode)
        target = syscalls.readlink(b"", dir_fd=fd) if is_link else None
    except BaseException:
        syscalls.close(fd)
        raise
    if target is None:
        return fd, None
    syscalls.close(fd)
    return -1, target


def _target(dir_fd: int, name: bytes, said: int) -> bytes | None:
    """The target of a link; None when what stands there has just been replaced.

    Raises what open said where there is no link. Anew: an exception raised from a variable keeps
    its frames alive, and with them the root's descriptor.
    """
    try:
        return syscalls.readlink(name, dir_fd=dir_fd)
    except OSError as no_link:
        if no_link.errno != EINVAL:
            raise
    mode = syscalls.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
    if S_ISLNK(mode) or S_ISDIR(mode) or said != ENOTDIR:
        return None
    raise _os_error(said)


def _check_link(handle: Handle, path: RelPath, dir_fd: int, name: bytes, target: bytes) -> None:
    if handle.policy.symlinks == "never":
        raise refused(PolicyError(path.shown, "symlinks", "the path goes through a link"))
    here = syscalls.fstat(dir_fd)
    if here.st_mode & _SHARED == _SHARED:
        _check_owner(dir_fd, name, here.st_uid)
    if syscalls.on_procfs(dir_fd) and here.st_ino != _PROC_ROOT_INO:
        raise _escape(path, name, EscapeError.MAGIC_LINK)
    if target[:1] == b"/" and handle.policy.symlinks != "inside_absolute":
        raise _escape(path, name, EscapeError.ABSOLUTE_LINK)
    if not target:
        raise _os_error(ENOENT)


def _beneath_root(handle: Handle, path: RelPath, name: bytes, target: bytes) -> bytes:
    """What is left of an absolute target that begins with the place where the root lies now.

    Only the text is compared, and what is left is walked beneath the root like any path: whatever
    has been moved meanwhile, it leads nowhere else, and nothing outside is named.
    """
    place = place_of(handle.fd)
    root = _spelled(place) if place is not None and place[:1] == b"/" else None
    names = _spelled(target)
    if root is None or names[: len(root)] != root:
        raise _escape(path, name, EscapeError.ABSOLUTE_LINK)
    slash = b"/" if target.endswith(b"/") else b""
    return b"/".join(names[len(root) :]) + slash if len(names) > len(root) else b"."


def _spelled(text: bytes) -> list[bytes]:
    return [name for name in text.split(b"/") if name not in (b"", b".")]


def _check_owner(dir_fd: int, name: bytes, dir_owner: int) -> None:
    """What fs.protected_symlinks does, see proc_sys_fs(5): to read a link is not to follow it, so
    the kernel does not do it for us. In a directory like /tmp, only links of our own and of the
    directory's owner are followed.
    """
    owner = syscalls.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_uid
    if owner not in (dir_owner, syscalls.geteuid()):
        raise _os_error(EACCES)


def _check_mount(handle: Handle, path: RelPath, fd: int) -> None:
    try:
        handle.check_mount(fd, path.shown)
    except BaseException:
        syscalls.close(fd)
        raise


def _escape(path: RelPath, name: bytes, reason: str) -> EscapeError:
    return refused(EscapeError(path.shown, path.decode(name), reason))


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
