"""What may be stored, as chunks of bytes: pure but for reading from a file object it is given."""

from __future__ import annotations

import io
import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed import ReadableBuffer

    Content = str | ReadableBuffer | BinaryIO | Iterable[ReadableBuffer]

CHUNK = 1 << 20
_LONGEST_SUFFIX = 16
_TEXT_FILE = "a text file object cannot be stored, for it has an encoding; open it in binary mode"


class Body:
    """What is to be written, as chunks of bytes; it knows whether the first has been asked for.

    ``size`` is known of bytes alone.
    """

    def __init__(self, source: Content) -> None:
        self.started = False
        self._chunks = _chunks(source)
        self.size = len(self._chunks[0]) if isinstance(self._chunks, tuple) else None

    def __iter__(self) -> Iterator[bytes]:
        self.started = True
        return iter(self._chunks)


def _chunks(source: Content) -> Iterable[bytes]:
    if isinstance(source, str):
        return (source.encode(),)
    if isinstance(source, bytes):
        return (source,)
    try:
        return (memoryview(cast("ReadableBuffer", source)).tobytes(),)
    except TypeError:
        pass
    if isinstance(source, io.TextIOBase):
        raise TypeError(_TEXT_FILE)
    if hasattr(source, "read"):
        return _read_chunks(cast("BinaryIO", source))
    if isinstance(source, dict) or not hasattr(source, "__iter__"):
        kind = type(source).__name__
        raise TypeError(
            f"content is bytes, str, a binary file or an iterable of bytes, not {kind}; "
            "put_json stores a value as JSON"
        )
    return (_bytes(chunk) for chunk in cast("Iterable[ReadableBuffer]", source))


def _read_chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := _bytes(file.read(CHUNK)):
        yield chunk


def _bytes(chunk: ReadableBuffer) -> bytes:
    if isinstance(chunk, bytes):
        return chunk
    try:
        return memoryview(chunk).tobytes()
    except TypeError:
        raise TypeError(f"content gave {type(chunk).__name__} where bytes belong") from None


def encoded(separator: bytes | str) -> bytes:
    """What stands between two contents, as bytes; str is UTF-8."""
    return separator.encode() if isinstance(separator, str) else memoryview(separator).tobytes()


def behind(separator: bytes, file: BinaryIO) -> Iterator[bytes]:
    """What the file holds, if anything, behind the separator."""
    old = file.read(CHUNK)
    if old:
        yield separator
    while old:
        yield old
        old = file.read(CHUNK)


def before(separator: bytes, file: BinaryIO, new: bytes) -> Iterator[bytes]:
    """What the file holds, if anything, before the separator, and what is new."""
    old = file.read(CHUNK)
    if old:
        new = separator + new
    while old:
        yield old
        old = file.read(CHUNK)
    yield new


def check_file(file: object) -> None:
    """Raise ``TypeError`` unless this is a binary file object, as far as can be told by looking."""
    if isinstance(file, str | bytes | os.PathLike):
        raise TypeError(
            "give a binary file object or a DiskPath; a path as text would reach for whatever this "
            "process may read, so open it yourself"
        )
    if isinstance(file, io.TextIOBase):
        raise TypeError(_TEXT_FILE)
    if not hasattr(file, "read"):
        raise TypeError(f"give a binary file object or a DiskPath, not {type(file).__name__}")


def harmless_suffix(file: object) -> str:
    """The extension of ``file.filename`` or ``file.name`` in small letters.

    Empty where it is anything but a few ASCII letters and digits: a name is text from outside.
    """
    called = getattr(file, "filename", None) or getattr(file, "name", None)
    if not isinstance(called, str):
        return ""
    suffix = PurePosixPath(called.replace("\\", "/")).suffix[1:].lower()
    plain = suffix.isascii() and suffix.isalnum() and len(suffix) <= _LONGEST_SUFFIX
    return f".{suffix}" if plain else ""
