"""What a subject prints, shown as text: nothing in it that a terminal would obey."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from safefs.testing.mounts import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONGEST = 64 * 1024  # characters of a line, which may have no end
_PATIENCE = 1.0  # seconds for what was printed last


@contextmanager
def quoted_stderr(quote: Callable[[str], str]) -> Iterator[None]:
    """Put each line that this process and its children write to descriptor 2 through ``quote``.

    By a child of its own, that ends with the block: at the latest a second after, even if
    something that was started within holds the descriptor still.
    """
    end, pipe = os.pipe()
    kept = os.dup(2)
    pid = fork()
    if pid == 0:
        os.close(pipe)
        _pump(end, kept, quote)
    os.close(end)
    os.dup2(pipe, 2)
    os.close(pipe)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        _end(pid)


def _pump(source: int, target: int, quote: Callable[[str], str]) -> NoReturn:
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent sees to it
        with open(source, encoding="utf-8", errors="backslashreplace") as lines:
            while line := lines.readline(_LONGEST):
                end = "\n" if line.endswith("\n") else ""
                said = quote(line.removesuffix("\n")).encode("utf-8", "backslashreplace")
                _write_all(target, said + end.encode())
    finally:
        os._exit(0)


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def _end(pid: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return
        time.sleep(0.01)
