"""Mounts that only this process and its children see, for tests that need them (Linux)."""

from __future__ import annotations

import ctypes
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_CLONE_NEWNS, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000  # linux/mount.h
_MS_RDONLY, _MS_REMOUNT = 0x1, 0x20

_libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, subject: object = None) -> int:
    """The result of a C function, or the ``OSError`` that errno tells of."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), None if subject is None else str(subject))
    return result


def bind(source: Path, target: Path) -> None:
    """Mount one place over another (mount(2), MS_BIND)."""
    _mount(source, target, _MS_BIND)


def rebind(place: Path) -> None:
    """Make a directory, with what is mounted beneath it, a mount of its own."""
    _mount(place, place, _MS_BIND | _MS_REC)


def remount(place: Path, *, read_only: bool) -> None:
    """Let a mount be written no more, or again; EBUSY while something in it is open for writing."""
    _mount(None, place, _MS_REMOUNT | _MS_BIND | (_MS_RDONLY if read_only else 0))


def mount_small(place: Path, *, size: int, inodes: int) -> None:
    """An empty file system in memory over a directory, which has room for no more than this."""
    _run("mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={inodes}", "none", str(place))


def _mount(source: Path | None, target: Path | str, flags: int) -> None:
    from_ = None if source is None else os.fsencode(source)
    check(_libc.mount(from_, os.fsencode(target), None, ctypes.c_ulong(flags), None), target)


def unshare_mounts(more: int = 0) -> None:
    """From here on this process has its own mounts (unshare(2), CLONE_NEWNS; ``more`` flags)."""
    check(_libc.unshare(_CLONE_NEWNS | more))
    _mount(None, "/", _MS_REC | _MS_PRIVATE)


def mount_own(source: Path, target: Path) -> None:
    """Bind ``source`` over ``target`` in mounts that only this process sees; for a forked child."""
    unshare_mounts()
    bind(source, target)


# What each needs for its smallest file system, and what makes it quietly.
MEBIBYTE = 1 << 20
IMAGES: dict[str, tuple[int, tuple[str, ...]]] = {
    "ext4": (16 * MEBIBYTE, ("mkfs.ext4", "-q")),
    "btrfs": (128 * MEBIBYTE, ("mkfs.btrfs", "-q")),
    "xfs": (300 * MEBIBYTE, ("mkfs.xfs", "-q")),
}


def lacking(kind: str) -> str | None:
    """Why no file system of this kind can be made and mounted here; None where it can be tried."""
    if not may_mount():
        return "needs the right to mount"
    if kind == "tmpfs":
        return None
    maker = IMAGES[kind][1][0]
    for program in (maker, "mount"):
        if shutil.which(program) is None:
            return f"needs {program} (make tools)"
    return None


def mount_new(kind: str, image: Path, place: Path) -> None:
    """An empty file system over a directory, in an image that is made here; tmpfs has none.

    For a child with mounts of its own: the loop device is given back with the last of them.
    """
    if kind == "tmpfs":
        _run("mount", "-t", "tmpfs", "none", str(place))
        return
    size, maker = IMAGES[kind]
    with open(image, "wb") as file:
        file.truncate(size)
    _run(*maker, str(image))
    mount_image(kind, image, place)


def mount_image(kind: str, image: Path, place: Path) -> None:
    """The file system that an image holds, as a machine that comes up mounts it."""
    _run("mount", "-t", kind, "-o", "loop", str(image), str(place))


def copy_image(image: Path, copy: Path) -> None:
    """What a power cut would leave in the image: what the file system has written, and no more."""
    _run("cp", "--sparse=always", str(image), str(copy))


def unmount(kind: str, place: Path) -> None:
    _run("umount", str(place))
    if kind == "btrfs":
        # Or another image of the same file system is taken for a stale one of its devices.
        _run("btrfs", "device", "scan", "--forget")


def _run(*command: str) -> None:
    # The programs are those of IMAGES and mount, found as anybody's are.
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")


@cache
def may_mount() -> bool:
    """Whether this process has the right to mounts of its own (Linux, and root)."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return False
    return bool(in_own_mounts(lambda: {"may": True}).get("may"))


def in_own_mounts(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``function`` returns in a child whose mounts are its own and go with it."""
    read_end, write_end = os.pipe()
    child = fork()
    if child == 0:
        try:
            os.close(read_end)
            answer: dict[str, Any]
            try:
                unshare_mounts()
                answer = function()
            except Exception as error:  # noqa: BLE001  (the parent reports it)
                answer = {"failure": f"{type(error).__name__}: {error}"}
            with open(write_end, "wb") as pipe:
                pickle.dump(answer, pipe)
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        sent = pipe.read()
    os.waitpid(child, 0)
    told: dict[str, Any] = pickle.loads(sent) if sent else {"failure": "the child died"}  # noqa: S301
    return told


def fork() -> int:
    """fork(2), also where a library keeps threads: the child runs Python alone, and no locks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()
