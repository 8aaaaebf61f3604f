"""Runs a program that asks for a passphrase at a terminal: ``python -m tests.terminal PROGRAM …``.

The passphrase comes by stdin, and is typed as often as it is asked for. A program of its own, so
that the fork is one of a process with a single thread.
"""

from __future__ import annotations

import os
import pty
import sys


def main(words: list[str]) -> int:
    passphrase = sys.stdin.buffer.readline()
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
        shown += more
        if b"passphrase" in shown and shown.rstrip().endswith(b":"):
            os.write(terminal, passphrase)
            shown = b""
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        sys.stderr.buffer.write(shown)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
