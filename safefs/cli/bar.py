"""How far an operation on a tree has come, as one line of a terminal that is written over."""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safefs.cli.printing import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

    from safefs.progress import Listener, Progress

_PAUSE = 0.1  # seconds between two lines: more often nobody reads
_WIDTH = 80


@contextmanager
def progress_bar() -> Iterator[Listener | None]:
    """What to give as ``progress``; None where standard error is no terminal."""
    stream = sys.stderr
    if stream is None or not stream.isatty():
        yield None
        return
    bar = Bar(stream, _width(stream))
    try:
        yield bar.tell
    finally:
        bar.clear()


class Bar:
    """Writes ``done/total  bytes  path`` over itself."""

    def __init__(self, stream: TextIO, width: int = _WIDTH) -> None:
        self._stream = stream
        self._width = width
        self._next = 0.0

    def tell(self, progress: Progress) -> None:
        """Show it, unless something was shown a moment ago."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PAUSE
            self._write(line_of(progress))

    def clear(self) -> None:
        """Leave an empty line."""
        self._write("")

    def _write(self, line: str) -> None:
        self._stream.write(f"\r{line[: self._width - 1]}\x1b[K")
        self._stream.flush()


def line_of(progress: Progress) -> str:
    """One line, with nothing in it that a terminal obeys."""
    done = str(progress.entries)
    if progress.total_entries:
        percent = 100 * progress.entries // progress.total_entries
        done = f"{percent:3}%  {progress.entries}/{progress.total_entries}"
    return f"{done}  {progress.bytes} bytes  {visible(progress.path)}"


def _width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or _WIDTH
    except (OSError, ValueError):
        return _WIDTH
