"""Age files as streams, from anywhere in them, and as text."""

from __future__ import annotations

import io
import tracemalloc
from base64 import b64encode
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import SealedFileError
from safefs.age import (
    ArmorReader,
    SealedContent,
    SealedReader,
    SealingWriter,
    decrypt,
    decrypt_bytes,
    encrypt,
    sealed_size,
)
from tests.sealed import (
    CHUNK,
    CONTENTS,
    IDENTITY,
    SEALED_FILES,
    SIZES,
    payload_at,
)

if TYPE_CHECKING:
    from collections.abc import Callable


# -- streams -------------------------------------------------------------------------------------


class _Zeros:
    """A stream of so many zeros, that are nowhere."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int) -> bytes:
        size = min(size, self._left)
        self._left -= size
        return bytes(size)


class _Pipe:
    """What is written is opened at once, and counted."""

    def __init__(self) -> None:
        self.length = 0

    def write(self, data: bytes) -> int:
        self.length += len(data)
        return len(data)


def _peak(action: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_it_takes_the_same_memory_whatever_the_size() -> None:
    sealed = io.BytesIO()
    encrypt(_Zeros(64), sealed, [IDENTITY.recipient])  # what is imported late is imported now
    decrypt_bytes(sealed.getvalue(), [IDENTITY])
    size, most = 64 * CHUNK, 8 * CHUNK
    assert _peak(lambda: encrypt(_Zeros(size), _Pipe(), [IDENTITY.recipient])) < most
    sealed = io.BytesIO()
    assert encrypt(_Zeros(size), sealed, [IDENTITY.recipient]) == size
    plain = _Pipe()
    sealed.seek(0)
    assert _peak(lambda: decrypt(sealed, plain, [IDENTITY])) < most
    assert plain.length == size
    reader = SealedReader(sealed, [IDENTITY])
    assert _peak(lambda: [reader.read(1000) for _ in range(99)]) < most


class _Slow(io.BytesIO):
    """A destination that takes little at a time."""

    def write(self, data: Any) -> int:
        return super().write(bytes(data[:1000]))


@given(st.lists(st.integers(0, 2 * CHUNK), max_size=5))
def test_it_does_not_matter_in_what_pieces_it_is_written(sizes: list[int]) -> None:
    content = CONTENTS[max(SIZES)]
    destination = _Slow()
    expected = b""
    with SealingWriter(destination, [IDENTITY.recipient]) as writer:
        for size in sizes:
            assert writer.write(memoryview(content)[:size]) == size
            expected += content[:size]
    assert decrypt_bytes(destination.getvalue(), [IDENTITY]) == expected
    assert len(destination.getvalue()) == payload_at(destination.getvalue()) + sealed_size(
        len(expected)
    )


def test_text_is_written_through_it_too() -> None:
    destination = io.BytesIO()
    writer: Any = SealingWriter(destination, [IDENTITY.recipient])
    assert (writer.readable(), writer.writable(), writer.seekable()) == (False, True, False)
    with io.TextIOWrapper(writer, encoding="utf-8", newline="") as text:
        text.write("gr\u00fcn\n" * 9)
    assert writer.closed
    reader: Any = SealedReader(destination, [IDENTITY])
    with io.TextIOWrapper(reader, encoding="utf-8") as text:
        assert text.read() == "gr\u00fcn\n" * 9


@pytest.mark.parametrize("size", SIZES)
def test_what_was_abandoned_is_no_file(size: int) -> None:
    destination = io.BytesIO()
    writer = SealingWriter(destination, [IDENTITY.recipient])
    with suppress(ZeroDivisionError), writer:
        writer.write(CONTENTS[size])
        raise ZeroDivisionError
    with pytest.raises(SealedFileError, match="payload"):
        decrypt_bytes(destination.getvalue(), [IDENTITY])
    with pytest.raises(ValueError, match="closed file"):
        writer.write(b"more")
    writer.close()
    writer.abandon()


class _Full(io.BytesIO):
    """A destination that takes half of what comes after so many bytes, and fails then."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, data: Any) -> int:
        if self._room < 0:
            raise OSError(28, "no space left")
        self._room -= len(data)
        return super().write(data if self._room >= 0 else data[: len(data) // 2])


def test_after_a_chunk_that_did_not_go_out_in_full_no_other_is_sealed_in_its_place() -> None:
    """It would be a second one under the same key and nonce."""
    destination = _Full(CHUNK * 3 // 2)
    writer = SealingWriter(destination, [IDENTITY.recipient])
    with pytest.raises(OSError, match="no space left"):
        writer.write(CONTENTS[max(SIZES)])
    length = len(destination.getvalue())
    assert writer.closed
    with pytest.raises(ValueError, match="closed file"):
        writer.write(b"other")
    writer.close()
    assert len(destination.getvalue()) == length


def test_a_stream_that_has_nothing_yet_is_not_taken_for_its_end() -> None:
    class Waiting:
        def read(self, _size: int) -> None:
            return None

    with pytest.raises(BlockingIOError):
        encrypt(Waiting(), io.BytesIO(), [IDENTITY.recipient])


# -- from anywhere -------------------------------------------------------------------------------

_OFFSETS = st.one_of(
    st.integers(0, max(SIZES) + 9),
    st.sampled_from([0, 1, CHUNK]).flatmap(
        lambda near: st.integers(0, 3).map(lambda number: abs(number * CHUNK - near))
    ),
)


@given(st.sampled_from(SIZES), _OFFSETS, _OFFSETS)
def test_any_range_is_that_of_the_plaintext(size: int, offset: int, length: int) -> None:
    sealed = SEALED_FILES[size]
    content = SealedContent(lambda at, count: sealed[at : at + count], len(sealed), [IDENTITY])
    assert content.size == size
    assert content.read(offset, length) == CONTENTS[size][offset : offset + length]


_ACTIONS = st.one_of(
    st.tuples(st.just("read"), st.one_of(st.none(), st.integers(-1, 3 * CHUNK))),
    st.tuples(st.just("readinto"), st.integers(0, 2 * CHUNK)),
    st.tuples(st.just("readline"), st.integers(-1, CHUNK)),
    st.tuples(st.just("seek"), _OFFSETS, st.just(io.SEEK_SET)),
    st.tuples(st.just("seek"), st.integers(-CHUNK, CHUNK), st.just(io.SEEK_CUR)),
    st.tuples(st.just("seek"), st.integers(-CHUNK, 9), st.just(io.SEEK_END)),
    st.tuples(st.just("tell")),
)


def _answer(file: io.BufferedIOBase | io.BytesIO, name: str, *arguments: Any) -> object:
    if name == "readinto":
        into = bytearray(arguments[0])
        return file.readinto(into), bytes(into)
    try:
        return getattr(file, name)(*arguments)
    except ValueError as error:
        return type(error)


@given(st.sampled_from(SIZES), st.lists(_ACTIONS, max_size=8))
def test_it_is_read_as_a_plain_file_is(size: int, actions: list[tuple[Any, ...]]) -> None:
    plain = io.BytesIO(CONTENTS[size])
    sealed = SealedReader(io.BytesIO(SEALED_FILES[size]), [IDENTITY])
    for action in actions:
        if action[0] == "seek" and action[2] != io.SEEK_SET:
            # BytesIO takes a place before the beginning for the beginning; a file does not.
            base = plain.tell() if action[2] == io.SEEK_CUR else size
            if base + action[1] < 0:
                with pytest.raises(ValueError, match="negative seek position"):
                    sealed.seek(*action[1:])
                continue
        assert _answer(sealed, *action) == _answer(plain, *action)
        assert sealed.tell() == plain.tell()


@pytest.mark.parametrize("size", SIZES)
def test_its_lines_are_those_of_the_plaintext(size: int) -> None:
    sealed = SealedReader(io.BytesIO(SEALED_FILES[size]), [IDENTITY])
    assert list(sealed) == list(io.BytesIO(CONTENTS[size]))


def test_what_is_read_ahead_ends_with_the_chunk() -> None:
    content = CONTENTS[max(SIZES)]
    sealed = SealedReader(io.BytesIO(SEALED_FILES[max(SIZES)]), [IDENTITY])
    assert (sealed.readable(), sealed.seekable(), sealed.writable()) == (True, True, False)
    sealed.seek(CHUNK - 5)
    assert sealed.peek(99) == sealed.read1() == content[CHUNK - 5 : CHUNK]
    assert sealed.read1(3) == content[CHUNK : CHUNK + 3]
    assert sealed.peek() == content[CHUNK + 3 :][: len(sealed.peek())] != b""


def test_a_range_reads_the_chunks_that_it_lies_in_and_no_other() -> None:
    size = max(SIZES)
    sealed, asked = SEALED_FILES[size], []

    def read_at(offset: int, count: int) -> bytes:
        asked.append((offset, count))
        return sealed[offset : offset + count]

    content = SealedContent(read_at, len(sealed), [IDENTITY])
    begin = payload_at(sealed) + 16
    assert all(offset + count < begin + CHUNK for offset, count in asked)
    asked.clear()
    content.read(CHUNK + 1, 10)
    content.read(CHUNK + 100, 10)
    assert asked == [(begin + CHUNK + 16, CHUNK + 16)]


def test_it_cannot_be_changed_in_place_nor_added_to() -> None:
    sealed = SealedReader(io.BytesIO(SEALED_FILES[1]), [IDENTITY])
    assert not sealed.writable()
    changes: list[Callable[[], object]] = [lambda: sealed.write(b"a"), lambda: sealed.truncate(0)]
    for change in changes:
        with pytest.raises(io.UnsupportedOperation):
            change()


def test_a_closed_reader_reads_nothing_and_closes_what_it_was_given_to_close() -> None:
    for close_file in (False, True):
        file = io.BytesIO(SEALED_FILES[1])
        reader = SealedReader(file, [IDENTITY], close_file=close_file)
        reader.close()
        reader.close()
        assert file.closed == close_file
        for use in (reader.read, reader.tell, reader.peek, reader.read1, partial(reader.seek, 0)):
            with pytest.raises(ValueError, match="closed file"):
                use()


def test_what_makes_no_sense_of_a_place_is_refused() -> None:
    sealed = SEALED_FILES[1]
    reader = SealedReader(io.BytesIO(sealed), [IDENTITY])
    with pytest.raises(ValueError, match="invalid whence"):
        reader.seek(0, 7)
    with pytest.raises(ValueError, match="negative seek position"):
        reader.seek(-1)
    content = SealedContent(lambda at, count: sealed[at : at + count], len(sealed), [IDENTITY])
    for offset, size in ((-1, 1), (0, -1)):
        with pytest.raises(ValueError, match="no bytes lie at"):
            content.read(offset, size)


# -- armor ---------------------------------------------------------------------------------------


def _armored(data: bytes) -> bytes:
    text = b64encode(data)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    begin, end = (b"-----%s AGE ENCRYPTED FILE-----" % word for word in (b"BEGIN", b"END"))
    return b"\n".join([begin, *lines, end, b""])


@given(st.integers(0, 200), st.integers(1, 100))
def test_armor_is_read_in_any_pieces(size: int, piece: int) -> None:
    data = bytes(range(200))[:size]
    reader = ArmorReader(io.BytesIO(_armored(data)))
    found = b""
    while more := reader.read(piece):
        assert len(more) == piece or len(found + more) == size
        found += more
    assert found == data


@pytest.mark.parametrize("space", [b"\n" * 1025, b" " * 1025, b" " * 5000])
def test_no_more_space_than_a_little_stands_around_armor(space: bytes) -> None:
    for text in (space + b"\n" + _armored(b"a"), _armored(b"a") + space):
        with pytest.raises(SealedFileError) as caught:
            ArmorReader(io.BytesIO(text)).read(9)
        assert caught.value.part == SealedFileError.ARMOR
