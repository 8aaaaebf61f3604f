"""Telling fsspec's callbacks what has really been copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from safefs.drivers.content import CHUNK, Body

if TYPE_CHECKING:
    from collections.abc import Iterator


def counted(file: BinaryIO, callback: Any) -> Body:
    """The rest of a file as content; each piece is reported when it has been dealt with."""

    def pieces() -> Iterator[bytes]:
        while piece := file.read(CHUNK):
            yield piece
            callback.relative_update(len(piece))

    return Body(pieces())
