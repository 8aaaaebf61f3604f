"""Which threads this process has, those included that Python knows nothing of."""

from __future__ import annotations

from safefs.errors import LockdownUnavailable
from safefs.kernel import syscalls
from safefs.lockdown.rights import TSYNC_SINCE


def sibling_threads() -> int | None:
    """How many run besides this one; None where procfs does not say."""
    try:
        # Not listed, which who is locked down may not: procfs counts them as subdirectories.
        links = syscalls.stat("/proc/self/task").st_nlink
    except OSError:
        return None
    return links - 3 if links >= 3 else None


def check_alone(abi: int) -> None:
    """Refuse where another thread would stay free: before TSYNC each is locked down by itself."""
    if abi >= TSYNC_SINCE:
        return
    others = sibling_threads()
    if others == 0:
        return
    known = "it cannot be told whether" if others is None else f"{others}"
    raise LockdownUnavailable(
        f"{known} other threads run, which would stay free (Landlock ABI {abi}; all at once takes "
        f"ABI {TSYNC_SINCE}); lock down before they start, or say strict=False"
    )
