"""The resolver of Linux >= 5.6: openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS.

The kernel follows ``..`` and links itself and refuses, race-free, whatever would leave the root.
"""

from __future__ import annotations

from safefs.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from safefs.kernel.handle import Handle

# One struct per (flags, mode, resolve), built once: building it costs as much as the call. A
# program uses a handful; the bound is for one that makes files with thousands of modes.
_hows: dict[tuple[int, int, int], Any] = {}
_MOST_HOWS = 1024

_has_answered = False


def open_beneath(handle: Handle, raw: bytes, flags: int, mode: int, extra: int = 0) -> int:
    """A descriptor, or -errno. ``extra`` are further RESOLVE_* flags."""
    how = how_of(handle, flags, mode, extra)
    return syscalls.openat2(handle.fd, raw or b".", how)


def how_of(handle: Handle, flags: int, mode: int, extra: int = 0) -> Any:
    """The ``open_how`` of an open, kept for the next of its kind."""
    key = (flags, mode, handle.resolve | extra)
    how = _hows.get(key)
    if how is None:
        if len(_hows) >= _MOST_HOWS:
            _hows.clear()
        how = _hows[key] = syscalls.open_how(*key)
    return how


def answers(handle: Handle) -> bool:
    """Whether openat2 has been seen to find anything: a sandbox may forbid it with ENOENT.

    Asked before an ENOENT is believed. Once it has found ``.`` beneath some root it is believed for
    ever: a later false ENOENT hides a file, and never opens one.
    """
    global _has_answered
    if not _has_answered:
        flags = syscalls.DIRECTORY
        fd = open_beneath(handle, b".", flags, 0)
        if fd >= 0:
            syscalls.close(fd)
            _has_answered = True
    return _has_answered
