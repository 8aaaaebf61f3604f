"""What stands between a process and the program that it runs locked down.

A process of its own, with one thread: it takes a ruleset that another has made, locks itself down
by it, and becomes the program. No ``preexec_fn``, which runs Python in the fork of a process that
has threads. What goes wrong on the way is told through a pipe that closes by itself when the
program starts.
"""

from __future__ import annotations

import os
import sys
from stat import S_ISDIR

from safefs.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

READY = b"+"  # locked down, and about to become the program


def main(words: list[str]) -> NoReturn:
    """(report to, ruleset, working directory, limits, file, arguments, ...)"""
    report, ruleset, directory = map(int, words[:3])
    limits, file, *arguments = words[3:]
    step = "launcher"
    try:
        for fd in (report, ruleset, directory):
            syscalls.set_inheritable(fd, False)
        _close_directories()
        step = "limits"
        _limit(limits)
        step = "directory"
        syscalls.fchdir(directory)
        step = "no_new_privs"
        _checked(syscalls.set_no_new_privs())
        step = "landlock_restrict_self"
        _checked(syscalls.landlock_restrict_self(ruleset, 0))
        syscalls.write(report, READY)
        step = "exec"
        syscalls.execv(file, arguments)
    except OSError as error:
        syscalls.write(report, f"{step} {error.errno or 0}".encode())
    finally:
        os._exit(125)


def _checked(answer: int) -> None:
    if answer < 0:
        raise OSError(-answer, os.strerror(-answer))


def _close_directories() -> None:
    """An open directory among the standard three would lead out: chmod and stat ask nobody."""
    for fd in range(3):
        try:
            leads_out = S_ISDIR(syscalls.fstat(fd).st_mode)
        except OSError:
            continue
        if leads_out:
            syscalls.dup2(syscalls.open(os.devnull, os.O_RDWR | os.O_CLOEXEC), fd)


def _limit(limits: str) -> None:
    """``cpu=10,nofile=64``: both the soft limit and the hard one."""
    for each in filter(None, limits.split(",")):
        import resource

        name, _, number = each.partition("=")
        resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (int(number),) * 2)


if __name__ == "__main__":
    main(sys.argv[1:])
