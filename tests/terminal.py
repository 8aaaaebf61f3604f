"""Answers a program at a terminal, line by line: ``python -m tests.terminal PROGRAM …``.

The lines come by stdin; each is typed when the program waits, as its prompt tells. A program of its
own, so that the fork is one of a process with a single thread.
"""

from __future__ import annotations

import os
import pty
import sys

_PROMPTS = (b">", b"?", b"(y/n)")


def main(words: list[str]) -> int:
    lines = iter(sys.stdin.buffer.readlines())
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(words[0], words)
    shown = b""
    while True:
        try:
            more = os.read(terminal, 1024)
        except OSError:  # EIO: the program has ended
            break
        if not more:
            break
        sys.stdout.buffer.write(more)
        shown += more
        if _waits(shown):
            os.write(terminal, next(lines, b"quit\n"))
            shown = b""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _waits(shown: bytes) -> bool:
    """A colon alone may be the middle of a line that is still being printed."""
    end = shown.rstrip()
    return end.endswith(_PROMPTS) or (b"passphrase" in shown and end.endswith(b":"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
