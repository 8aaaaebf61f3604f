"""What the command line prints, and how it complains: one line, nothing a terminal obeys."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safefs.errors import ConfigError, SafefsError, UnsafeFolderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from safefs.drivers.base import Stat


FAILED = 1
USAGE = 2
INTERRUPTED = 130  # as a shell shows it: 128 + SIGINT, and 128 + SIGPIPE
BROKEN_PIPE = 141
FAILURES = (SafefsError, OSError, ValueError, RecursionError)


def complain(reason: str) -> None:
    if sys.stderr is not None:  # print() would take None for standard output
        print(f"safefs: {visible(reason)}", file=sys.stderr)


def reason_of(error: BaseException) -> str:
    if isinstance(error, ConfigError) and error.source == "Storage":  # what the flags were
        return f"--{error.key.replace('_', '-')}: {error.reason}"
    if not isinstance(error, OSError) or error.strerror is None:
        return str(error) or type(error).__name__
    said = "; ".join([error.strerror, *getattr(error, "__notes__", ())])
    if isinstance(error, UnsafeFolderError):
        said = said.replace(f"outside_home={{{error.disk!r}}}", f"--outside-home {error.disk}")
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None]
    return f"{' -> '.join(names)}: {said}" if names else said


def abandon_output() -> None:
    """Nobody reads any more: the interpreter must not try once again at its end, and complain."""
    try:
        sys.stdout.close()
    except OSError:
        pass


def abandon_output_if_full() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        abandon_output()


@contextmanager
def naming_output() -> Iterator[None]:
    """What cannot be printed is no error of the disk: what was to be done may well be done."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ValueError(f"standard output: {error.strerror}") from error


def output_stream() -> TextIO:
    if sys.stdout is None:
        raise ValueError("standard output is closed")
    return sys.stdout


def input_stream() -> TextIO:
    if sys.stdin is None:
        raise ValueError("standard input is closed")
    return sys.stdin


def visible(text: str) -> str:
    r"""``text`` with all that a terminal might obey, or could not show, written as escapes.

    >>> print(visible("a\x1b]0;b\x07"))
    a\x1b]0;b\x07
    """
    return text if text.isprintable() else "".join(map(_visible_char, text))


def _visible_char(char: str) -> str:
    if char.isprintable():
        return char
    if "\udc80" <= char <= "\udcff":  # a byte of a name that is no text
        return f"\\x{ord(char) & 0xFF:02x}"
    return char.encode("unicode_escape").decode()


def say(line: str = "") -> None:
    output = output_stream()
    encoding = output.encoding or "utf-8"
    with naming_output():
        print(visible(line).encode(encoding, "backslashreplace").decode(encoding), file=output)


def say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def say_json(data: object) -> None:
    # All but ASCII is escaped, so a terminal has nothing to obey.
    output = output_stream()
    with naming_output():
        print(json.dumps(data, indent=2), file=output)


def say_table(rows: Iterable[Sequence[str]]) -> None:
    table = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


def size_of(found: Stat) -> str:
    return str(found.size) if found.kind == "file" else "-"


def time_of(found: Stat) -> str:
    return found.modified.astimezone().strftime("%Y-%m-%d %H:%M:%S")
