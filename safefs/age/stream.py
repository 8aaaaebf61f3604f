"""The payload of an age file: STREAM, in chunks of 64 KiB, each sealed in its place.

Each chunk is sealed under its number, and the last one as the last: none can be moved, left out,
repeated or put behind the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.age.primitives import TAG, cipher, derived, opened
from safefs.errors import SealedFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safefs.age.hidden import Hidden
    from safefs.age.sources import Source

NONCE = 16  # bytes, before the first chunk
CHUNK = 64 * 1024
SEALED = CHUNK + TAG
_LAST, _NOT_LAST = b"\1", b"\0"


class Chunks:
    """Seals and opens the chunks of one file, in any order. It holds no state between them."""

    def __init__(self, file_key: Hidden, nonce: bytes) -> None:
        self._cipher = cipher(derived(file_key, nonce, b"payload"))

    def seal(self, number: int, data: bytes | bytearray | memoryview, *, last: bool) -> bytes:
        return self._cipher.encrypt(_nonce(number, last=last), data, None)

    def open(self, number: int, sealed: bytes, *, last: bool) -> bytes:
        """SealedFileError for anything but what was sealed as this chunk of this file."""
        _check_length(number, sealed, last=last)
        data = self._opened(number, sealed, last=last)
        if data is None:
            raise wrong_payload(f"it was changed{' or cut off' if last else ''}, at chunk {number}")
        return data

    def open_in_order(self, number: int, sealed: bytes, *, last: bool) -> tuple[bytes, str]:
        """The same of a chunk that may be good while it is not where the file ends.

        The second that is returned says what is wrong with the end, or nothing.
        """
        _check_length(number, sealed, last=last)
        data = self._opened(number, sealed, last=last)
        if data is not None:
            return data, ""
        data = self._opened(number, sealed, last=not last) if len(sealed) == SEALED else None
        if data is None:
            raise wrong_payload(f"it was changed, at chunk {number}")
        return data, "it was cut off" if last else "something follows its last chunk"

    def _opened(self, number: int, sealed: bytes, *, last: bool) -> bytes | None:
        return opened(self._cipher, _nonce(number, last=last), sealed)


def _check_length(number: int, sealed: bytes, *, last: bool) -> None:
    if len(sealed) < TAG or (not last and len(sealed) != SEALED):
        raise wrong_payload(f"it ends within chunk {number}")
    if last and number and len(sealed) == TAG:
        raise wrong_payload("its last chunk is empty")


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (_LAST if last else _NOT_LAST)


def plaintexts(source: Source, chunks: Chunks) -> Iterator[bytes]:
    """What is sealed in the rest of ``source``, chunk by chunk, each as soon as it is known good.

    Known good, but for the last one not known to be all: SealedFileError comes instead of the next
    where the file was cut, changed or added to.
    """
    number, here = 0, source.exactly(SEALED)
    while True:
        ahead = source.exactly(SEALED)
        data, wrong_end = chunks.open_in_order(number, here, last=not ahead)
        yield data
        if wrong_end:
            raise wrong_payload(wrong_end)
        if not ahead:
            return
        number, here = number + 1, ahead


def plaintext_size(payload: int) -> int:
    """Of the length of a payload, with its nonce; SealedFileError where none is so long.

    A length is no proof: it is as true as the last chunk, once that is opened.
    """
    sealed = payload - NONCE
    last = last_chunk(payload)
    left = sealed - last * SEALED
    if left < TAG or (last and left == TAG):
        raise wrong_payload("it is cut off, or added to")
    return sealed - (last + 1) * TAG


def last_chunk(payload: int) -> int:
    """The number of the last chunk."""
    return max(0, (payload - NONCE - 1) // SEALED)


def sealed_size(plaintext: int) -> int:
    """The length of the payload, with its nonce, of a plaintext of that many bytes."""
    return NONCE + plaintext + max(1, -(-plaintext // CHUNK)) * TAG


def wrong_payload(reason: str) -> SealedFileError:
    return SealedFileError(SealedFileError.PAYLOAD, reason)
