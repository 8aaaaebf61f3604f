"""Bytes in and out, in exactly the amounts that were asked for."""

from __future__ import annotations

from typing import Protocol


class Readable(Protocol):
    def read(self, size: int, /) -> bytes | None: ...


class Writable(Protocol):
    def write(self, data: bytes, /) -> object: ...


_BLOCK = 4096


class Source:
    """A stream, read in order. ``position`` is how many bytes were taken from it here."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._ahead = b""
        self.position = 0

    def line(self, longest: int) -> bytes:
        """Up to and with the next LF; without one, ``longest`` bytes or what there is."""
        while b"\n" not in self._ahead and len(self._ahead) < longest:
            more = self._read(_BLOCK)
            if not more:
                break
            self._ahead += more
        end = self._ahead.find(b"\n", 0, longest) + 1 or longest
        return self._took(end)

    def exactly(self, size: int) -> bytes:
        """Fewer only at the end of the stream."""
        if self._ahead:
            found = self._took(size)
            return found if len(found) == size else found + self._counted(size - len(found))
        return self._counted(size)

    def _took(self, size: int) -> bytes:
        found, self._ahead = self._ahead[:size], self._ahead[size:]
        self.position += len(found)
        return found

    def _counted(self, size: int) -> bytes:
        found = self._read(size)
        if found and len(found) < size:
            pieces, missing = [found], size - len(found)
            while missing and (more := self._read(missing)):
                pieces.append(more)
                missing -= len(more)
            found = b"".join(pieces)
        self.position += len(found)
        return found

    def _read(self, size: int) -> bytes:
        found = self._stream.read(size)
        if found is None:
            raise BlockingIOError("a sealed file is read from a stream that waits for its bytes")
        return found


def put(stream: Writable, data: bytes) -> None:
    """All of it, also to a stream that takes less at a time; one that answers None takes all."""
    taken = stream.write(data)
    while isinstance(taken, int) and taken < len(data):
        data = data[taken:]
        taken = stream.write(data)
