"""No picture of this process's memory, with the secrets in it, is left by a crash."""

from __future__ import annotations

import os


def disable_core_dumps() -> None:
    """From here on a crash of this process leaves no core file; for good.

    Sets RLIMIT_CORE to 0, which children inherit, and on Linux makes the process undumpable, since
    the limit does not hold where a program takes the cores (``|`` in ``core_pattern``). That ends
    with an exec; children of a fork keep it.

    It has a price on Linux: another process of the same user can neither trace this one nor read
    its memory (which is as well), and ``/proc/self`` is root's: unless it is root, this one cannot
    read its own ``environ`` and the like any more, and a debugger cannot be attached.

    What is swapped out or written by a hibernation is not prevented, nor what root does. Raises the
    OSError of the system where it refuses.
    """
    import resource

    from safefs.kernel import syscalls

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if syscalls.LINUX:
        answer = syscalls.make_undumpable()
        if answer < 0:
            raise OSError(-answer, os.strerror(-answer))
