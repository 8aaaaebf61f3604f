"""What a process does to itself to be in the jail (``safefs.testing.jail``), and its proof.

Of the two kinds that are made of namespaces every mount is read-only but the scratch, there is no
network, and root's powers are gone but for those that a test of files needs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import stat
import tempfile
from pathlib import Path

from safefs.testing.mounts import check, rebind, unshare_mounts

NOBODY = 65534
MOUNTS, USER_NAMESPACE, AS_NOBODY = "mounts", "user namespace", "nobody"
OF_NAMESPACES = frozenset({MOUNTS, USER_NAMESPACE})

_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000  # linux/sched.h
_SYS_MOUNT_SETATTR = 442  # the same on every architecture but alpha
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_RDONLY = 1  # MOUNT_ATTR_RDONLY, linux/mount.h
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
# What a test of files needs of root's powers: chown, to pass by permission bits, set-id bits, to
# become another user, and leases. Not: to mount, to make devices, to trace or to load modules.
_KEPT = frozenset({0, 1, 2, 3, 4, 6, 7, 28})
_LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)


class JailUnavailable(RuntimeError):  # noqa: N818  (what is the case, as BrokenPipe)
    """There is no jail to be had here, so what was to run in it was not run."""


class _MountAttr(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = tuple(
        (name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")
    )


def confine_as(word: str, scratch: Path, *, own_processes: bool = False) -> None:
    """Confine this process to the scratch by one kind of jail, for good.

    With ``own_processes`` what it forks next is the init of a PID namespace of its own.
    Raises ``OSError`` or ``JailUnavailable``.
    """
    if len(os.listdir("/proc/self/task")) > 1:
        raise JailUnavailable("other threads run here, and would stay outside")
    end_with_parent()
    scratch = scratch.absolute()
    if word == AS_NOBODY:
        _give_up_root(scratch)
    else:
        more = _CLONE_NEWNET | (_CLONE_NEWPID if own_processes else 0)
        _mount_all_read_only_but(scratch, own_user=word == USER_NAMESPACE, more=more)
        _drop_capabilities()
    check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    os.chdir(scratch)
    os.environ["TMPDIR"] = str(scratch)
    tempfile.tempdir = None
    _prove(scratch)


def end_with_parent() -> None:
    """Have the kernel end this process should the thread that forked it end."""
    check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))


def _mount_all_read_only_but(scratch: Path, *, own_user: bool, more: int) -> None:
    uid, gid = os.geteuid(), os.getegid()
    unshare_mounts(more | (_CLONE_NEWUSER if own_user else 0))
    if own_user:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            Path("/proc/self", name).write_text(text, "ascii")
    rebind(scratch)
    _set_attributes(Path("/"), _MountAttr(attr_set=_RDONLY), _AT_RECURSIVE)
    _set_attributes(scratch, _MountAttr(attr_clr=_RDONLY), 0)


def _set_attributes(place: Path, attributes: _MountAttr, flags: int) -> None:
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    check(
        _libc.syscall(
            _SYS_MOUNT_SETATTR,
            _AT_FDCWD,
            os.fsencode(place),
            flags,
            ctypes.byref(attributes),
            size,
        ),
        place,
    )


def _drop_capabilities() -> None:
    """Without CAP_SYS_ADMIN nobody mounts anything writable again."""
    for number in range(_LAST_CAPABILITY + 1):
        if number not in _KEPT and _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) < 0:
            break  # past the last that this kernel knows
    kept = sum(1 << number for number in _KEPT)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    sets = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    check(_libc.capset(header, sets))


def _give_up_root(scratch: Path) -> None:
    for directory, _, names in os.walk(scratch):
        for name in (".", *names):
            os.chown(f"{directory}/{name}", NOBODY, NOBODY, follow_symlinks=False)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _prove(scratch: Path) -> None:
    """Try it: a file in the scratch can be made, one beside it and one at the top cannot."""
    name = f".safefs-jail-{os.getpid()}"
    try:
        _make_and_remove(scratch / name)
    except OSError as error:
        raise JailUnavailable(f"the scratch cannot be written: {error}") from error
    for outside in {scratch.parent, Path("/"), Path(__file__).parent, Path.home()}:
        try:
            _make_and_remove(outside / name)
        except OSError as error:
            if error.errno in (errno.EROFS, errno.EACCES, errno.ENOENT, errno.EPERM):
                continue
            raise
        if stat.S_ISVTX & outside.stat().st_mode and os.geteuid() == NOBODY:
            continue  # as in /tmp: what may be made there is one's own, and nothing else is touched
        raise JailUnavailable(f"{outside} can be written from inside")


def _make_and_remove(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    path.unlink()
