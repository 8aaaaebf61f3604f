"""Every system call of safefs, as a module attribute that is looked up at each call.

This is the one seam: a test that replaces ``syscalls.open`` sees, fails or races every open that
safefs makes. No other module uses ``ctypes``, or calls ``os`` on a name or a descriptor.

Calls that Python lacks are made through ``ctypes``. They return -errno instead of raising (an
exception costs more than the call) and pass only descriptors, flags, pointers and sizes below
2**31, at most six arguments to the C function: without argtypes ctypes passes a Python int as a
32-bit C int. Argtypes are left out because converting through them costs half as much again as the
whole open. CDLL and not PyDLL: a stuck network mount must not hold the GIL.
"""

# ruff: noqa: A001  (these are the system's own names)

from __future__ import annotations

import ctypes
import fcntl
import os
import sys
from errno import EINTR, EINVAL, EIO, ENOSYS, ENOTSUP, ENOTTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

if os.name != "posix":  # pragma: no cover
    raise ImportError("safefs resolves paths with openat, so it needs a POSIX system")

# As they stand in os; the names are the system's.
open = os.open
close = os.close
stat = os.stat
fstat = os.fstat
listdir = os.listdir
scandir = os.scandir
mkdir = os.mkdir
rmdir = os.rmdir
unlink = os.unlink
rename = os.rename
link = os.link
symlink = os.symlink
readlink = os.readlink
access = os.access
fstatvfs = os.fstatvfs
fchmod = os.fchmod
fchown = os.fchown
chmod = os.chmod
utime = os.utime
ftruncate = os.ftruncate
read = os.read
pread = os.pread
pwrite = os.pwrite
write = os.write
lseek = os.lseek
dup = os.dup
dup2 = os.dup2
pipe = os.pipe
fchdir = os.fchdir
execv = os.execv
set_blocking = os.set_blocking
set_inheritable = os.set_inheritable
urandom = os.urandom
geteuid = os.geteuid
getpid = os.getpid

LINUX = sys.platform.startswith("linux")

if LINUX:
    copy_file_range = os.copy_file_range
    getxattr = os.getxattr
    setxattr = os.setxattr
    listxattr = os.listxattr
    removexattr = os.removexattr

# O_PATH asks no read permission; macOS has O_SEARCH for that, elsewhere it is needed.
O_PATH: int = getattr(os, "O_PATH", 0)
O_SEARCH: int = O_PATH or getattr(os, "O_SEARCH", 0)
DIRECTORY = O_SEARCH | os.O_DIRECTORY | os.O_CLOEXEC  # a directory to resolve beneath
LISTING = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK  # one to read the names of

AT_EMPTY_PATH = 0x1000
RENAME_NOREPLACE = 1  # linux/fs.h
RENAME_EXCHANGE = 2  # linux/fs.h, and RENAME_SWAP of renameatx_np(2)
RENAME_EXCL = 4  # renameatx_np(2), macOS

RESOLVE_NO_XDEV = 0x01  # openat2(2), linux/openat2.h
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08

PROC_SUPER_MAGIC = 0x9FA0  # linux/magic.h
_STATX_MNT_ID = 0x1000  # linux/stat.h, since 5.8
_STATX_SIZE, _STATX_MASK_AT, _STATX_MNT_ID_AT = 256, 0, 144  # struct statx

# One number each on every architecture but alpha, which counts from 110 further on.
_ALPHA = 110 if LINUX and os.uname().machine == "alpha" else 0
_SYS_OPENAT2 = 437 + _ALPHA
_SYS_FCHMODAT2 = 452 + _ALPHA

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_errno = ctypes.get_errno
_byref = ctypes.byref


class _OpenHow(ctypes.Structure):
    """struct open_how of openat2(2)."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


_SIZEOF_OPEN_HOW = ctypes.sizeof(_OpenHow)


def open_how(flags: int, mode: int, resolve: int) -> Any:
    """A pointer to the argument of ``openat2``, to be kept and used again.

    openat2 refuses a mode where nothing can be created, and bits that no mode has.
    """
    return _byref(_OpenHow(flags, mode & 0o7777 if flags & os.O_CREAT else 0, resolve))


def openat2(dir_fd: int, path: bytes, how: Any) -> int:
    """openat2(2): a descriptor, or -errno."""
    fd: int = _syscall(_SYS_OPENAT2, dir_fd, path, how, _SIZEOF_OPEN_HOW)
    while fd < 0:
        # A signal handler may run between the call and here, and clear ctypes's errno: a failure
        # must never look like descriptor 0. ENOSYS has the walk find out.
        error = _errno() or ENOSYS
        if error != EINTR:
            return -error
        fd = _syscall(_SYS_OPENAT2, dir_fd, path, how, _SIZEOF_OPEN_HOW)  # as PEP 475 does
    return fd


def _failed() -> int:
    """-errno, and never 0, whatever a signal handler has done to it meanwhile."""
    return -(_errno() or EIO)


def _optional(name: str) -> Any:
    """A function of libc, or None where this libc lacks it."""
    try:
        return getattr(_libc, name)
    except AttributeError:
        return None


_renameat2 = _optional("renameat2") if LINUX else _optional("renameatx_np")
_utimensat = _optional("utimensat")
_fstatfs = _optional("fstatfs") if LINUX else None
_statx = _optional("statx") if LINUX else None
_NOREPLACE = RENAME_NOREPLACE if LINUX else RENAME_EXCL


def rename_noreplace(src_dir_fd: int, src: bytes, dst_dir_fd: int, dst: bytes) -> int:
    """renameat2(2) with RENAME_NOREPLACE: 0, or -errno; -ENOSYS where the C library has no word."""
    if _renameat2 is None:
        return -ENOSYS
    return 0 if _renameat2(src_dir_fd, src, dst_dir_fd, dst, _NOREPLACE) == 0 else _failed()


def rename_exchange(dir_fd: int, one: bytes, other: bytes) -> int:
    """renameat2(2) with RENAME_EXCHANGE: 0, or -errno; neither name is ever missing."""
    if _renameat2 is None:
        return -ENOSYS
    return 0 if _renameat2(dir_fd, one, dir_fd, other, RENAME_EXCHANGE) == 0 else _failed()


def fchmodat2(fd: int, mode: int) -> int:
    """fchmodat2(2) on the descriptor itself, O_PATH too (Linux 6.6): 0, or -errno."""
    if not LINUX:
        return -ENOSYS
    return 0 if _syscall(_SYS_FCHMODAT2, fd, b"", mode, AT_EMPTY_PATH) == 0 else _failed()


def utimensat(fd: int, ns: tuple[int, int] | None) -> int:
    """utimensat(2) on the descriptor itself, O_PATH too (Linux 5.8): 0, or -errno."""
    if not LINUX or _utimensat is None or ctypes.sizeof(ctypes.c_long) < 8:
        return -ENOSYS
    times = None
    if ns is not None:
        times = (_Timespec * 2)(*(_Timespec(*divmod(moment, 10**9)) for moment in ns))
    return 0 if _utimensat(fd, b"", times, AT_EMPTY_PATH) == 0 else _failed()


flock = fcntl.flock
LOCK_EX, LOCK_SH, LOCK_UN, LOCK_NB = fcntl.LOCK_EX, fcntl.LOCK_SH, fcntl.LOCK_UN, fcntl.LOCK_NB


def lock(fd: int) -> bool:
    """Take the lock of an open file (flock(2)), without waiting: whether it is held now.

    False where another holds it, and where the file system has no locks.
    """
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _full_fsync(fd: int) -> None:
    """What fsync(2) is elsewhere: on macOS that leaves the data in the drive's own cache.

    A file system that does not know F_FULLFSYNC (a network's) has the plain one. EIO and its kin
    are the answer, not a reason to ask in another way.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # type: ignore[attr-defined,unused-ignore]
    except OSError as error:
        if error.errno not in (EINVAL, ENOTTY, ENOTSUP):
            raise
        os.fsync(fd)


fsync = _full_fsync if hasattr(fcntl, "F_FULLFSYNC") else os.fsync


# ioctl_ficlone(2): _IOW(0x94, 9, int). On mips, powerpc and sparc another number: refused there.
_FICLONE = 0x40049409


def clone(source: int, target: int) -> int:
    """FICLONE: let an empty file share all blocks of another: 0, or -errno where it cannot."""
    if not LINUX:
        return -ENOSYS
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        return -(error.errno or EIO)
    return 0


def on_procfs(fd: int) -> bool:
    """Whether the descriptor lies on procfs; where fstatfs cannot say, it is taken to."""
    if not LINUX:
        return False
    buffer = ctypes.create_string_buffer(256)
    if _fstatfs is None or _fstatfs(fd, buffer) != 0:
        return True
    # f_type comes first and is a long, or an int on s390: 32 bits in either byte order.
    first = buffer.raw[:8]
    return PROC_SUPER_MAGIC in (
        int.from_bytes(first, sys.byteorder),
        int.from_bytes(first[:4], sys.byteorder),
    )


def mount_id(fd: int) -> tuple[str, int]:
    """What tells one mount from another: the mount's number, or the device where there is none.

    The device does not see a bind mount of the same file system; statx(2) since Linux 5.8 does.
    """
    if _statx is not None:
        buffer = ctypes.create_string_buffer(_STATX_SIZE)
        if _statx(fd, b"", AT_EMPTY_PATH, _STATX_MNT_ID, buffer) == 0:
            raw = buffer.raw
            mask = int.from_bytes(raw[_STATX_MASK_AT : _STATX_MASK_AT + 4], sys.byteorder)
            if mask & _STATX_MNT_ID:
                at = raw[_STATX_MNT_ID_AT : _STATX_MNT_ID_AT + 8]
                return "mount", int.from_bytes(at, sys.byteorder)
    return "device", fstat(fd).st_dev


_PR_SET_DUMPABLE = 4  # prctl(2), linux/prctl.h


def make_undumpable() -> int:
    """prctl(2): the kernel writes no core of this process, and lets none like it look into it.

    0, or -errno.
    """
    if not LINUX:
        return -ENOSYS
    nothing = ctypes.c_ulong(0)
    answer = _libc.prctl(_PR_SET_DUMPABLE, nothing, nothing, nothing, nothing)
    return 0 if answer == 0 else _failed()


# Landlock (landlock(7)). One number each on every architecture that has them.
_SYS_LANDLOCK_CREATE_RULESET = 444 + _ALPHA
_SYS_LANDLOCK_ADD_RULE = 445 + _ALPHA
_SYS_LANDLOCK_RESTRICT_SELF = 446 + _ALPHA
_LANDLOCK_VERSION = 1  # a flag of landlock_create_ruleset(2)
_LANDLOCK_PATH_BENEATH, _LANDLOCK_NET_PORT = 1, 2  # kinds of rules
_PR_SET_NO_NEW_PRIVS = 38


class _RulesetAttr(ctypes.Structure):
    """struct landlock_ruleset_attr, as it is since ABI 6."""

    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _NetPortAttr(ctypes.Structure):
    """struct landlock_net_port_attr."""

    _fields_ = (("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64))


def _called(answer: int) -> int:
    return answer if answer >= 0 else _failed()


def landlock_abi() -> int:
    """The version of Landlock that the kernel has, or -errno: ENOSYS, or EOPNOTSUPP where off."""
    if not LINUX:
        return -ENOSYS
    nothing = ctypes.c_size_t(0)
    return _called(_syscall(_SYS_LANDLOCK_CREATE_RULESET, None, nothing, _LANDLOCK_VERSION))


def landlock_create_ruleset(fs: int, net: int, scoped: int) -> int:
    """A new ruleset that handles these rights: a descriptor, close-on-exec, or -errno.

    What an older kernel has no field for is not handed to it while that is 0.
    """
    fields = 3 if scoped else 2 if net else 1
    attr, size = _RulesetAttr(fs, net, scoped), ctypes.c_size_t(8 * fields)
    return _called(_syscall(_SYS_LANDLOCK_CREATE_RULESET, _byref(attr), size, 0))


def landlock_allow_beneath(ruleset: int, access: int, fd: int) -> int:
    """Allow this on a file, or beneath a directory, that is open (O_PATH will do): 0, or -errno."""
    # struct landlock_path_beneath_attr is packed, which Structure spells differently by version.
    attr = access.to_bytes(8, sys.byteorder) + fd.to_bytes(4, sys.byteorder)
    return _called(_syscall(_SYS_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_PATH_BENEATH, attr, 0))


def landlock_allow_port(ruleset: int, access: int, port: int) -> int:
    """Allow this on a port: 0, or -errno."""
    attr = _byref(_NetPortAttr(access, port))
    return _called(_syscall(_SYS_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_NET_PORT, attr, 0))


def landlock_restrict_self(ruleset: int, flags: int) -> int:
    """From here on this thread, and all it starts, has what the ruleset allows: 0, or -errno."""
    return _called(_syscall(_SYS_LANDLOCK_RESTRICT_SELF, ruleset, flags))


def set_no_new_privs() -> int:
    """prctl(2): no exec gives this thread, or what it starts, rights it lacks: 0, or -errno."""
    if not LINUX:
        return -ENOSYS
    one, nothing = ctypes.c_ulong(1), ctypes.c_ulong(0)
    return _called(_libc.prctl(_PR_SET_NO_NEW_PRIVS, one, nothing, nothing, nothing))
