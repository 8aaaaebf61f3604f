"""The published test vectors of the age format, each with the failure that it is meant to show."""

from __future__ import annotations

import io
import zlib
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safefs import SealedFileError
from safefs.age import (
    ArmorReader,
    Hidden,
    ScryptIdentity,
    SealedReader,
    X25519Identity,
    content_size,
    decrypt,
    read_header,
)
from safefs.age.sources import Source

if TYPE_CHECKING:
    from safefs.age import Identity
    from safefs.age.sources import Readable

VECTORS = Path(__file__).parent / "data" / "age" / "vectors"
NAMES = sorted(file.name for file in VECTORS.iterdir())
ENDS = {
    SealedFileError.ARMOR: "armor failure",
    SealedFileError.HEADER: "header failure",
    SealedFileError.MAC: "HMAC failure",
    SealedFileError.KEY: "no match",
    SealedFileError.PAYLOAD: "payload failure",
}
EMPTY = sha256().hexdigest()


@dataclass(frozen=True)
class Vector:
    expect: str
    payload: str
    file_key: bytes
    armored: bool
    identities: list[Identity]
    body: bytes

    @classmethod
    def read(cls, name: str) -> Vector:
        head, _, body = (VECTORS / name).read_bytes().partition(b"\n\n")
        pairs = [line.split(": ", 1) for line in head.decode("utf-8").split("\n")]
        said = dict(pairs)
        identities: list[Identity] = [
            X25519Identity(value) for key, value in pairs if key == "identity"
        ]
        identities += [ScryptIdentity(value) for key, value in pairs if key == "passphrase"]
        if said.get("compressed") == "zlib":
            body = zlib.decompress(body)
        return cls(
            said["expect"],
            said.get("payload", EMPTY),  # of a failure before it, nothing is given out
            bytes.fromhex(said["file key"]),
            said.get("armored") == "yes",
            identities,
            body,
        )

    def stream(self) -> Readable:
        file = io.BytesIO(self.body)
        return ArmorReader(file) if self.armored else file


def _end(vector: Vector, stream: Readable, destination: io.BytesIO) -> str:
    try:
        decrypt(stream, destination, vector.identities)
    except SealedFileError as error:
        return ENDS[error.part]
    return "success"


def test_there_are_vectors_of_every_end() -> None:
    ends = Counter(Vector.read(name).expect for name in NAMES)
    assert ends == {
        "success": 21,
        "header failure": 53,
        "HMAC failure": 1,
        "no match": 8,
        "payload failure": 19,
        "armor failure": 22,
    }


@pytest.mark.parametrize("name", NAMES)
def test_each_ends_as_it_has_to_and_gives_out_what_it_has_to(name: str) -> None:
    vector = Vector.read(name)
    destination = io.BytesIO()
    assert _end(vector, vector.stream(), destination) == vector.expect
    assert sha256(destination.getvalue()).hexdigest() == vector.payload


class _Trickle:
    """A stream that gives a few bytes at a time."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes | None:
        return self._stream.read(min(size, 1021))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_same_from_a_stream_that_gives_a_few_bytes_at_a_time(name: str) -> None:
    vector = Vector.read(name)
    destination = io.BytesIO()
    assert _end(vector, _Trickle(vector.stream()), destination) == vector.expect
    assert sha256(destination.getvalue()).hexdigest() == vector.payload


def _named(*ends: str, armored: bool | None = None) -> list[str]:
    vectors = {name: Vector.read(name) for name in NAMES}
    return [
        name
        for name, vector in vectors.items()
        if vector.expect in ends and armored in (None, vector.armored)
    ]


@pytest.mark.parametrize("name", _named("success", armored=False))
def test_the_seekable_reader_reads_the_whole_of_what_is_whole(name: str) -> None:
    vector = Vector.read(name)
    with SealedReader(io.BytesIO(vector.body), vector.identities) as reader:
        found = reader.read()
        assert reader.content_size == len(found) == content_size(io.BytesIO(vector.body))
    assert sha256(found).hexdigest() == vector.payload


FAILURES = [end for end in ENDS.values() if end != "armor failure"]


@pytest.mark.parametrize("name", _named(*FAILURES, armored=False))
def test_the_seekable_reader_refuses_the_rest_for_the_same_reason(name: str) -> None:
    vector = Vector.read(name)
    with pytest.raises(SealedFileError) as caught:
        SealedReader(io.BytesIO(vector.body), vector.identities).read()
    assert ENDS[caught.value.part] == vector.expect


# Their last chunk is one: what is wrong is a chunk before it, that was sealed as the last one too.
RIGHT_ENDS = {
    "stream_two_final_chunks",
    "stream_two_final_chunks_full",
    "stream_two_final_chunks_second",
}


@pytest.mark.parametrize("name", sorted(set(_named("payload failure", armored=False)) - RIGHT_ENDS))
def test_the_seekable_reader_does_not_believe_an_end_it_has_not_opened(name: str) -> None:
    vector = Vector.read(name)
    with pytest.raises(SealedFileError) as caught:
        SealedReader(io.BytesIO(vector.body), vector.identities).seek(0, io.SEEK_END)
    assert caught.value.part == SealedFileError.PAYLOAD


@pytest.mark.parametrize("name", _named("success", "payload failure", "no match", "HMAC failure"))
def test_a_header_that_parses_is_spelled_again_as_it_was(name: str) -> None:
    vector = Vector.read(name)
    header = read_header(Source(vector.stream()))
    spelled = header.encode()
    assert Source(vector.stream()).exactly(len(spelled)) == spelled
    assert header.length == len(spelled)


@pytest.mark.parametrize("name", _named("success", "payload failure"))
def test_the_mac_of_a_header_is_right_by_the_published_file_key(name: str) -> None:
    vector = Vector.read(name)
    read_header(Source(vector.stream())).check(Hidden(vector.file_key))
