"""Sealed files that were changed: refused, and nothing wrong is given out before that."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import SafefsError, SealedFileError
from safefs.age import SealedContent, SealedReader, decrypt, encrypt_bytes
from tests.sealed import CHUNK, CONTENTS, IDENTITY, OTHER, SEALED_FILES, SIZES, payload_at

if TYPE_CHECKING:
    from collections.abc import Callable

SEALED = CHUNK + 16


def _given_out(changed: bytes) -> bytes:
    """What comes out before the refusal that has to come."""
    destination = io.BytesIO()
    with pytest.raises(SealedFileError):
        decrypt(io.BytesIO(changed), destination, [IDENTITY])
    return destination.getvalue()


def _untouched(size: int, changed: bytes) -> int:
    """How many chunks stand in ``changed`` as they did, before the first that does not."""
    whole = SEALED_FILES[size]
    at, number = payload_at(whole) + 16, 0
    if changed[:at] != whole[:at]:
        return 0
    while at < len(whole) and changed[at : at + SEALED] == whole[at : at + SEALED]:
        at, number = at + SEALED, number + 1
    return number


def _check_refused(size: int, changed: bytes) -> None:
    """Only whole chunks of the plaintext come out, and none behind the first change.

    Nor does the seekable reader say anything else, of any place.
    """
    assert changed != SEALED_FILES[size]
    content = CONTENTS[size]
    found = _given_out(changed)
    assert found == content[: len(found)]
    assert len(found) <= _untouched(size, changed) * CHUNK
    assert len(found) % CHUNK == 0 or found == content
    _check_reader(size, changed)


def _check_reader(size: int, changed: bytes) -> None:
    with pytest.raises(SealedFileError):
        SealedReader(io.BytesIO(changed), [IDENTITY]).read()
    try:
        reader = SealedContent(lambda at, count: changed[at : at + count], len(changed), [IDENTITY])
    except SealedFileError:
        return
    for offset in range(0, max(len(changed), size) + CHUNK, CHUNK // 2):
        try:
            found = reader.read(offset, 99)
        except SealedFileError:
            continue
        # What is said to be the end is one where the last chunk is, whatever comes before it.
        assert found == CONTENTS[size][offset : offset + 99]


# -- every byte of a small file, and every length ------------------------------------------------

SMALL = encrypt_bytes(b"a secret", [OTHER.recipient, IDENTITY.recipient])


@pytest.mark.parametrize("bit", range(8))
def test_no_bit_of_a_file_can_be_turned(bit: int) -> None:
    for at in range(len(SMALL)):
        changed = bytearray(SMALL)
        changed[at] ^= 1 << bit
        assert _given_out(bytes(changed)) == b""


def test_no_byte_of_a_file_can_be_left_out_doubled_or_put_in() -> None:
    for at in range(len(SMALL)):
        for between in (b"", SMALL[at : at + 1] * 2, b"\0" + SMALL[at : at + 1], b"\n=", b"\r\n"):
            changed = SMALL[:at] + between + SMALL[at + 1 :]
            if changed != SMALL:
                assert _given_out(changed) == b""


def test_a_file_cannot_be_cut_nor_added_to_anywhere() -> None:
    for length in range(len(SMALL)):
        assert _given_out(SMALL[:length]) == b""
    for more in (b"\0", b"\n", b"A" * 16, SMALL, SMALL[payload_at(SMALL) :]):
        assert _given_out(SMALL + more) == b""


def test_the_lines_of_a_header_cannot_be_moved_left_out_or_repeated() -> None:
    end = payload_at(SMALL)
    lines, payload = SMALL[:end].splitlines(keepends=True), SMALL[end:]
    for one in range(len(lines)):
        for other in range(len(lines)):
            moved = lines[:one] + lines[one + 1 :]
            moved.insert(other, lines[one])
            repeated = [*lines[:other], lines[one], *lines[other:]]
            for changed in (moved, repeated, lines[:one] + lines[one + 1 :]):
                if changed != lines:
                    assert _given_out(b"".join(changed) + payload) == b""


# -- anything done to a file of several chunks ---------------------------------------------------

_SIZES = st.sampled_from([size for size in SIZES if size])
_PLACES = st.floats(0, 1, exclude_max=True)


def _chunks(size: int) -> tuple[bytes, list[bytes]]:
    sealed = SEALED_FILES[size]
    begin = payload_at(sealed) + 16
    return sealed[:begin], [sealed[at : at + SEALED] for at in range(begin, len(sealed), SEALED)]


@given(_SIZES, _PLACES, st.integers(1, 255))
def test_no_byte_can_be_changed(size: int, place: float, mask: int) -> None:
    changed = bytearray(SEALED_FILES[size])
    changed[int(place * len(changed))] ^= mask
    _check_refused(size, bytes(changed))


@given(_SIZES, _PLACES)
def test_no_end_can_be_cut_off(size: int, place: float) -> None:
    sealed = SEALED_FILES[size]
    _check_refused(size, sealed[: int(place * len(sealed))])


@given(_SIZES, _PLACES, _PLACES)
def test_no_part_can_be_cut_out(size: int, one: float, other: float) -> None:
    sealed = SEALED_FILES[size]
    begin, end = sorted((int(one * len(sealed)), int(other * len(sealed))))
    _check_refused(size, sealed[:begin] + sealed[end + 1 :])


@given(_SIZES, _PLACES, st.binary(min_size=1, max_size=40))
def test_nothing_can_be_put_in(size: int, place: float, more: bytes) -> None:
    sealed = SEALED_FILES[size]
    at = int(place * (len(sealed) + 1))
    changed = sealed[:at] + more + sealed[at:]
    _check_refused(size, changed)


@given(_SIZES, st.one_of(st.binary(min_size=1, max_size=99), st.integers(1, 3 * SEALED)))
def test_nothing_can_be_added(size: int, more: bytes | int) -> None:
    tail = more if isinstance(more, bytes) else SEALED_FILES[max(SIZES)][-more:]
    _check_refused(size, SEALED_FILES[size] + tail)


@st.composite
def _rearranged(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A size, and which of its chunks come one after another instead of all in their order."""
    size = draw(_SIZES)
    count = len(_chunks(size)[1])
    order = draw(
        st.lists(st.integers(0, count - 1), max_size=count + 2).filter(
            lambda order: order != list(range(count))
        )
    )
    return size, order


@given(_rearranged())
def test_no_chunk_can_be_moved_left_out_or_repeated(case: tuple[int, list[int]]) -> None:
    size, order = case
    head, chunks = _chunks(size)
    _check_refused(size, head + b"".join(chunks[number] for number in order))


@given(_SIZES, _SIZES, st.integers(0, 3), st.integers(0, 3))
def test_no_chunk_of_another_file_can_be_put_in(one: int, two: int, at: int, which: int) -> None:
    """Both are for the same recipient, and may have the same content."""
    head, chunks = _chunks(one)
    again = encrypt_bytes(CONTENTS[two], [IDENTITY.recipient])
    begin = payload_at(again) + 16
    others = [again[place : place + SEALED] for place in range(begin, len(again), SEALED)]
    chunks[at % len(chunks)] = others[which % len(others)]
    _check_refused(one, head + b"".join(chunks))


@given(_SIZES, _SIZES)
def test_no_header_and_no_nonce_of_another_file_fits(one: int, two: int) -> None:
    again = encrypt_bytes(CONTENTS[two], [IDENTITY.recipient])
    head, chunks = _chunks(one)
    begin = payload_at(again)
    for other in (again[: begin + 16], again[:begin] + head[-16:], head[:-16] + again[begin:][:16]):
        _check_refused(one, other + b"".join(chunks))


# -- that these tests see it ---------------------------------------------------------------------


def test_the_end_is_known_to_be_one_when_it_is_met_in_a_read_or_by_a_seek() -> None:
    """A file cut at the end of a chunk is as long as one could be."""
    size = 3 * CHUNK + 17
    head, chunks = _chunks(size)
    cut = head + chunks[0] + chunks[1]
    reader = SealedReader(io.BytesIO(cut), [IDENTITY])
    assert reader.content_size == 2 * CHUNK
    assert reader.read(CHUNK) == CONTENTS[size][:CHUNK]
    meet: list[Callable[[], object]] = [
        lambda: reader.read(1),
        lambda: reader.seek(0, io.SEEK_END),
        lambda: (reader.seek(2 * CHUNK), reader.read(1)),
        lambda: (reader.seek(9 * CHUNK), reader.read()),
        lambda: (reader.seek(2 * CHUNK - 1), reader.peek()),
        lambda: (reader.seek(0), reader.readlines()),
    ]
    for each in meet:
        with pytest.raises(SealedFileError, match="cut off"):
            each()
        reader.seek(CHUNK)


def test_a_refusal_is_of_the_family_and_says_where() -> None:
    with pytest.raises(SafefsError, match=r"its payload: .* at chunk 0") as caught:
        decrypt(io.BytesIO(SMALL[:-1]), io.BytesIO(), [IDENTITY])
    assert isinstance(caught.value, ValueError)
