"""What ``Disk.open`` puts over the binary file objects of a driver."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from safefs.operations.atomic import AtomicFile

if TYPE_CHECKING:
    from typing import IO, Any

    from safefs.drivers.base import PendingFile
    from safefs.operations.files import Mode


def binary(mode: Mode) -> str:
    """The mode as a driver is told it."""
    return mode.raw[0] + "b" + mode.raw[1:]


def buffered(file: BinaryIO, buffering: int) -> BinaryIO:
    """The driver's file object with the buffer that was asked for."""
    if buffering in (-1, 1):
        return file
    layer = cast("io.BufferedReader", file)
    raw = layer.detach()
    return cast("BinaryIO", raw if buffering == 0 else type(layer)(raw, buffering))


def as_text(
    file: BinaryIO,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> TextIO:
    lines = buffering == 1
    text = io.TextIOWrapper(file, encoding or "utf-8", errors, newline, line_buffering=lines)
    text.mode = mode  # type: ignore[misc]
    return text


class _Publication:
    """A driver's pending file in the words that ``AtomicFile`` has for what becomes of it."""

    def __init__(self, pending: PendingFile) -> None:
        self.publish = pending.commit
        self.discard = pending.discard


def published(
    pending: PendingFile,
    mode: Mode,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> IO[Any]:
    """A file object whose content takes its name when it is closed.

    The buffer is the driver's own, whatever size was asked for: nobody reads what is not published.
    """
    file = cast("BinaryIO", pending)
    try:
        layer = file
        if not mode.binary:
            layer = cast("BinaryIO", as_text(file, mode.text, buffering, encoding, errors, newline))
    except BaseException:
        pending.discard()
        raise
    return cast("IO[Any]", AtomicFile(layer, _Publication(pending)))
