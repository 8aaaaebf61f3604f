"""Streams sealed, opened, and given to other recipients."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Self

from safefs.age.header import read_header
from safefs.age.opening import chunks_of, file_key_of, new_file_key, sealed_header
from safefs.age.sources import Source, put
from safefs.age.stream import CHUNK, NONCE, Chunks, plaintexts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from safefs.age.opening import Identity, Recipient
    from safefs.age.sources import Readable, Writable


def encrypt(source: Readable, destination: Writable, recipients: Iterable[Recipient]) -> int:
    """Seal all that ``source`` holds; the count of its bytes. Two chunks are held at a time.

    ValueError for no recipient, or a passphrase beside another. Whatever else is raised, by one
    of the streams, leaves a file that nobody takes for whole.
    """
    writer = SealingWriter(destination, recipients)
    incoming = Source(source)
    while piece := incoming.exactly(CHUNK):
        writer.write(piece)
    writer.close()
    return incoming.position


def encrypt_bytes(data: bytes, recipients: Iterable[Recipient]) -> bytes:
    destination = io.BytesIO()
    encrypt(io.BytesIO(data), destination, recipients)
    return destination.getvalue()


def decrypt(source: Readable, destination: Writable, identities: Sequence[Identity]) -> int:
    """Open what ``source`` holds; the count of bytes written. Three chunks are held at a time.

    Each chunk is written once it is known to be what was sealed in its place; but only the return
    says that they are all. Until then, what is written is a beginning: of a file that was cut or
    changed it stays one, and SealedFileError says so. Read to where nobody takes it for the
    whole, and put it in its place afterwards.

    SealedFileError for no age file, or a damaged one; WrongKeyError where none of the identities
    opens it.
    """
    incoming = Source(source)
    file_key = file_key_of(read_header(incoming), identities)
    written = 0
    for piece in plaintexts(incoming, chunks_of(incoming, file_key)):
        put(destination, piece)
        written += len(piece)
    return written


def decrypt_bytes(data: bytes, identities: Sequence[Identity]) -> bytes:
    """All of it or, with the errors of ``decrypt``, nothing."""
    destination = io.BytesIO()
    decrypt(io.BytesIO(data), destination, identities)
    return destination.getvalue()


def rewrap(
    source: Readable,
    destination: Writable,
    identities: Sequence[Identity],
    recipients: Iterable[Recipient],
) -> None:
    """The same file for other recipients: with a new header, and its payload as it is, unread.

    It takes nothing from those who could open it before: they may have kept the key of the file,
    or a copy. To shut someone out, seal the content anew. Nor is the payload checked here.
    """
    incoming = Source(source)
    file_key = file_key_of(read_header(incoming), identities)
    put(destination, sealed_header(file_key, recipients).encode())
    while piece := incoming.exactly(CHUNK):
        put(destination, piece)


class SealingWriter:
    """A file to write to, that is sealed on its way to ``destination``. It only goes forwards.

    What was written is a file once ``close`` has returned: until then, and when a ``with`` ends by
    an exception, it lacks its last chunk, and is refused by whoever reads it. So is what
    ``destination`` did not take in full: the writer is closed then. ``destination`` is left open.
    It is for one thread at a time, and for one process: two that write, or a fork of it, would seal
    two chunks under one nonce, which gives both away.
    """

    def __init__(self, destination: Writable, recipients: Iterable[Recipient]) -> None:
        """The header is written at once."""
        file_key, nonce = new_file_key(), os.urandom(NONCE)
        put(destination, sealed_header(file_key, recipients).encode() + nonce)
        self._destination = destination
        self._chunks = Chunks(file_key, nonce)
        self._number = 0
        # A chunk at most: only what follows says that it is not the last. Bytes stay those that
        # were given; what comes in smaller pieces is put together in a bytearray.
        self._held: bytes | bytearray = b""
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """All of ``data``; ValueError once closed."""
        if self._closed:
            raise ValueError("write to a closed file")
        given = memoryview(data).cast("B")
        size = len(given)
        if self._held and (missing := CHUNK - len(self._held)):
            if isinstance(self._held, bytes):
                self._held = bytearray(self._held)
            self._held += given[:missing]
            given = given[missing:]
        if given:
            self._put_all_but_the_last(given)
        return size

    def _put_all_but_the_last(self, given: memoryview) -> None:
        if self._held:
            self._put(self._held, last=False)
        while len(given) > CHUNK:
            self._put(given[:CHUNK], last=False)
            given = given[CHUNK:]
        whole = given.obj
        self._held = whole if type(whole) is bytes and len(whole) == len(given) else bytes(given)

    def _put(self, data: bytes | bytearray | memoryview, *, last: bool) -> None:
        sealed = self._chunks.seal(self._number, data, last=last)
        self._number += 1
        try:
            put(self._destination, sealed)
        except BaseException:
            # Part of it may be out. Another chunk in its place would be a second of its nonce, and
            # one behind it would be taken for whole.
            self.abandon()
            raise

    def flush(self) -> None:
        """Nothing: a chunk that is not whole stays here."""

    def close(self) -> None:
        """Seal the last chunk as such. A second time does nothing."""
        if not self._closed:
            self._closed = True
            self._put(self._held, last=True)
            self._held = b""

    def abandon(self) -> None:
        """Close it without its last chunk: what was written is no file, and cannot become one."""
        self._closed = True
        self._held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
