"""Gate 2: a ``RelPath`` becomes a descriptor here and nowhere else."""

from __future__ import annotations

import os
import sys
from errno import EACCES, EAGAIN, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOSYS, EPERM, EXDEV

from safefs.audit import refused
from safefs.errors import EscapeError, PolicyError, SafefsError
from safefs.kernel import openat2, probe, syscalls, walk
from safefs.kernel.reached import Reached
from safefs.paths import RelPath, coerced, raw_of
from safefs.rules import ALLOWED, DENIED, PASSABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from safefs.kernel.handle import Handle
    from safefs.paths import StrOrBytesPath

    AnyPath = StrOrBytesPath | RelPath

# What a kernel without openat2, and a sandbox that forbids it, answer. EPERM and EACCES may also
# be the honest answer; then the walk gives it again. That openat2 once worked proves nothing: a
# filter may have come since.
_NO_OPENAT2 = frozenset({ENOSYS, EPERM, EACCES, EINVAL})
# Of EAGAIN: any rename on the machine during a ".." causes one, and a ".." may stand in a link.
_RETRIES = 128
_CLOEXEC = os.O_CLOEXEC
_MOST_HOWS = 64  # of one Root; a program uses a dozen
_MODE_AT = 32  # in the key of Handle.hows, above all flags
_audit = sys.audit


def open_beneath(handle: Handle, path: RelPath, flags: int, mode: int = 0) -> int:
    """Open ``path`` beneath the root and nothing else; the descriptor is close-on-exec.

    Raises ``EscapeError`` where the path leads out, ``PolicyError`` where the policy forbids it,
    and ``OSError`` with the caller's path for the rest. A slash at the end demands a directory,
    also under O_NOFOLLOW: openat(2) would follow ``link/`` there (CVE-2026-39822), so the slash
    is turned into O_DIRECTORY first.
    """
    flags |= _CLOEXEC
    _audit("safefs.open", path.shown, flags)
    how = handle.hows.get(flags | mode << _MODE_AT)
    if how is not None and probe.forced != "walk":
        fd = syscalls.openat2(handle.fd, path.raw or b".", how)
        return fd if fd >= 0 else _openat2_said_no(handle, path, flags, mode, -fd)
    if flags & os.O_NOFOLLOW and path.raw[-1:] == b"/":
        if len(path.raw) >= walk.PATH_MAX:  # the kernel would not be shown the slashes
            raise OSError(ENAMETOOLONG, os.strerror(ENAMETOOLONG), path.shown)
        path, flags = RelPath(path.raw.rstrip(b"/"), path.shown), flags | os.O_DIRECTORY
    if probe.forced == "walk":
        return _walk(handle, path, flags, mode)
    if handle.guarded:
        return _open_guarded(handle, path, flags, mode)
    # Of the next that comes so nothing more is to be asked. Of modes there are thousands.
    if not flags & os.O_NOFOLLOW and len(handle.hows) < _MOST_HOWS:
        handle.hows[flags | mode << _MODE_AT] = openat2.how_of(handle, flags, mode)
    fd = openat2.open_beneath(handle, path.raw, flags, mode)
    return fd if fd >= 0 else _openat2_said_no(handle, path, flags, mode, -fd)


def open_plainly(handle: Handle, path: AnyPath, flags: int) -> int:
    """``open_beneath`` of what has not been parsed, for who asks no more of the descriptor's place.

    ``flags``: with O_CLOEXEC, and neither O_CREAT nor O_NOFOLLOW. The quick way, and the same:
    where a str names what is there and no policy has a say, a RelPath would serve nobody.
    """
    if type(path) is str:
        how = handle.hows.get(flags) or _plain_how(handle, flags)
        if how is not None and probe.forced != "walk":
            raw = raw_of(path)
            _audit("safefs.open", path, flags)
            fd = syscalls.openat2(handle.fd, raw or b".", how)
            return fd if fd >= 0 else _openat2_said_no(handle, RelPath(raw, path), flags, 0, -fd)
    path = coerced(path)
    if handle.guarded and probe.forced != "walk":
        _audit("safefs.open", path.shown, flags)
        return _open_guarded(handle, path, flags, 0, placed=False)
    return open_beneath(handle, path, flags)


def _plain_how(handle: Handle, flags: int) -> Any:
    """Kept for the next that comes so; None where names are judged."""
    if handle.guarded:
        return None
    how = handle.hows[flags] = openat2.how_of(handle, flags, 0)
    return how


def leads(handle: Handle, path: AnyPath) -> bool:
    """Whether something can be opened there; False where nothing is, and all else raises."""
    flags = syscalls.O_PATH | _CLOEXEC
    how = handle.hows.get(flags) or _plain_how(handle, flags)
    if how is None or probe.forced == "walk":
        try:
            syscalls.close(open_beneath(handle, coerced(path), flags))
        except FileNotFoundError:
            return False
        return True
    shown: str | bytes
    if type(path) is str:
        raw, shown = raw_of(path), path
    else:
        parsed = coerced(path)
        raw, shown = parsed.raw, parsed.shown
    _audit("safefs.open", shown, flags)
    fd = syscalls.openat2(handle.fd, raw or b".", how)
    if fd == -ENOENT and openat2.answers(handle):
        handle.check_open()
        return False
    if fd < 0:
        fd = _openat2_said_no(handle, RelPath(raw, shown), flags, 0, -fd)
    syscalls.close(fd)
    return True


def _open_guarded(
    handle: Handle, path: RelPath, flags: int, mode: int, *, placed: bool = True
) -> int:
    """Where names are judged it must be known what was reached; the descriptor tells its place.

    ``placed``: whether anybody is going to ask it.

    Where the path holds no ``..`` and no link was met, the spelling is the true path; all else goes
    to the walk, which knows its own way.
    """
    assert handle.rules is not None  # guarded
    place = handle.rules.spelled(path.raw)
    verdict = DENIED if place is None else handle.rules.verdict(place)
    if place is None or (flags & os.O_CREAT and verdict == PASSABLE):
        return _walk(handle, path, flags, mode)
    fd = openat2.open_beneath(handle, path.raw, flags, mode, syscalls.RESOLVE_NO_SYMLINKS)
    if fd < 0:
        if fd == -ENOENT and openat2.answers(handle):
            handle.check_open()
            raise OSError(ENOENT, os.strerror(ENOENT), path.shown)
        return _walk(handle, path, flags, mode)
    if verdict != ALLOWED:
        try:
            handle.refuse_name(place, path.shown, kind=lambda: syscalls.fstat(fd))
        except BaseException:
            syscalls.close(fd)
            raise
    return Reached.at(fd, place) if placed else fd


def _openat2_said_no(handle: Handle, path: RelPath, flags: int, mode: int, error: int) -> int:
    handle.check_open()
    if error == EAGAIN:
        for _ in range(_RETRIES):
            fd = openat2.open_beneath(handle, path.raw, flags, mode)
            if fd >= 0:
                return fd
            if fd != -EAGAIN:
                return _openat2_said_no(handle, path, flags, mode, -fd)
    if error == EXDEV and handle.policy.symlinks == "inside_absolute":
        return _walk(handle, path, flags, mode)  # which knows where such a link may lead
    if error in (EXDEV, ELOOP):
        raise _explained(handle, path, flags, error)
    forbidden = error in _NO_OPENAT2 or (error == ENOENT and not openat2.answers(handle))
    # EAGAIN that stays is a lease or lock, or a storm of renames: the walk can tell them apart.
    if error == EAGAIN or (forbidden and probe.forced is None):
        return _walk(handle, path, flags, mode)
    raise OSError(error, os.strerror(error), path.shown)


def _walk(handle: Handle, path: RelPath, flags: int, mode: int) -> int:
    try:
        return walk.open_beneath(handle, path, flags, mode)
    except SafefsError:
        raise
    except OSError as error:
        handle.check_open()
        error.filename = path.shown
        raise


def _explained(handle: Handle, path: RelPath, flags: int, error: int) -> OSError:
    """The error that tells why openat2 gave EXDEV or ELOOP.

    It does not say which component left, spells a forbidden mount with the same EXDEV as an
    escape, and a magic link, a forbidden link and a loop with the same ELOOP. The walk goes the
    way once more to find out; what it may reach is closed again, since openat2 has refused it.
    """
    wanted = syscalls.O_PATH | flags & os.O_NOFOLLOW
    if error == ELOOP:
        wanted |= flags & os.O_DIRECTORY  # what lies beyond a mount may be of any kind
    if flags & os.O_CREAT and flags & os.O_EXCL:
        wanted |= os.O_NOFOLLOW
    try:
        syscalls.close(walk.open_beneath(handle, path, wanted))
    except (EscapeError, PolicyError) as reason:
        return reason
    except OSError as reason:
        if reason.errno == error:
            reason.filename = path.shown
            return reason
    if error == EXDEV:
        return refused(EscapeError(path.shown))
    return OSError(error, os.strerror(error), path.shown)
