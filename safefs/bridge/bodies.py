"""The body of an upload, piece by piece, with an end that is known to be the end."""

from __future__ import annotations

from errno import ECONNABORTED
from typing import TYPE_CHECKING

from wsgidav.dav_error import DAVError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_BLOCK = 64 * 1024  # bytes: who does not send as many in the time for one step is too slow


def length_of(environ: dict[str, Any]) -> int | None:
    """How long the body says it is; None where it comes in chunks, and ends with an empty one.

    400 for what could be read in two ways, which is how a request is hidden in another.
    """
    text = environ.get("CONTENT_LENGTH")
    if environ.get("HTTP_TRANSFER_ENCODING") is not None:
        if text is not None or not environ.get("wsgi.input_terminated"):
            raise DAVError(400)
        return None
    if text is None or text == "":
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise DAVError(400)
    return int(text)


def body_of(
    environ: dict[str, Any], length: int | None, most: int | None, alive: Callable[[], object]
) -> Iterator[bytes]:
    """The pieces. Who goes away in the middle, or sends more than ``most``, has sent nothing.

    ``alive`` is called for each: so slowly that it is not called for long is too slow.
    """
    source, read = environ["wsgi.input"], 0
    while length is None or read < length:
        try:
            piece = source.read(_BLOCK if length is None else min(_BLOCK, length - read))
        except ValueError:
            raise DAVError(400) from None  # chunks that are none
        if not piece and length is None:
            return
        if not piece:
            raise ConnectionAbortedError(ECONNABORTED, "the upload ended before its end")
        read += len(piece)
        if most is not None and read > most:
            raise DAVError(413)
        alive()
        yield piece
