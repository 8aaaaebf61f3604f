"""The age format: what is sealed is opened again by whom it is for, and by nobody else."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import SealedFileError, WrongKeyError
from safefs.age import (
    Header,
    Hidden,
    ScryptIdentity,
    ScryptRecipient,
    Stanza,
    X25519Identity,
    X25519Recipient,
    bech32,
    content_size,
    decrypt,
    decrypt_bytes,
    encrypt_bytes,
    plaintext_size,
    read_header,
    rewrap,
    sealed_size,
)
from safefs.age.header import MAX_HEADER
from safefs.age.sources import Source
from tests.sealed import (
    CHUNK,
    CONTENTS,
    IDENTITY,
    KINDS,
    OTHER,
    PASSWORD,
    SEALED_FILES,
    SIZES,
    WORK,
    payload_at,
)

if TYPE_CHECKING:
    from safefs.age import Recipient


# -- there and back ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_what_is_sealed_is_opened_again_whatever_its_size(size: int, kind: str) -> None:
    recipient, identity = KINDS[kind]
    sealed = encrypt_bytes(CONTENTS[size], [recipient])
    assert decrypt_bytes(sealed, [identity]) == CONTENTS[size]
    length = payload_at(sealed)
    assert len(sealed) - length == sealed_size(size)
    assert plaintext_size(len(sealed) - length) == size == content_size(io.BytesIO(sealed))


@given(st.integers(0, 2**50))
def test_the_size_of_a_payload_and_of_what_is_in_it_say_the_same(size: int) -> None:
    assert plaintext_size(sealed_size(size)) == size


def test_a_length_that_no_payload_has_is_refused() -> None:
    sizes = {sealed_size(size): size for size in range(2 * CHUNK + 99)}
    for length in range(sealed_size(2 * CHUNK + 99)):
        if length in sizes:
            assert plaintext_size(length) == sizes[length]
        else:
            with pytest.raises(SealedFileError, match="cut off, or added to"):
                plaintext_size(length)


def test_two_files_of_the_same_content_have_nothing_in_common() -> None:
    one, two = (encrypt_bytes(b"the same", [IDENTITY.recipient]) for _ in range(2))
    assert one[payload_at(one) :] != two[payload_at(two) :]
    headers = [read_header(Source(io.BytesIO(each))) for each in (one, two)]
    assert headers[0].stanzas != headers[1].stanzas


def test_each_of_several_recipients_opens_it_and_nobody_else() -> None:
    identities = [X25519Identity.generate() for _ in range(3)]
    sealed = encrypt_bytes(b"for all", [each.recipient for each in identities])
    for identity in identities:
        assert decrypt_bytes(sealed, [OTHER, identity]) == b"for all"
    with pytest.raises(WrongKeyError, match="none of those given opens it"):
        decrypt_bytes(sealed, [OTHER, ScryptIdentity(PASSWORD)])
    with pytest.raises(WrongKeyError):
        decrypt_bytes(sealed, [])


def test_a_key_that_does_not_fit_is_told_what_would() -> None:
    sealed = encrypt_bytes(b"", [ScryptRecipient(PASSWORD, work_factor=WORK)])
    for identity in (ScryptIdentity("wrong"), OTHER):
        with pytest.raises(WrongKeyError) as caught:
            decrypt_bytes(sealed, [identity])
        assert (caught.value.wanted, caught.value.part) == ("scrypt", SealedFileError.KEY)


def test_a_passphrase_is_no_other_recipients_neighbour() -> None:
    passphrase = ScryptRecipient(PASSWORD, work_factor=WORK)
    mixed: list[list[Recipient]] = [[passphrase, IDENTITY.recipient], [passphrase] * 2, []]
    for recipients in mixed:
        with pytest.raises(ValueError, match="sealed for"):
            encrypt_bytes(b"", recipients)


def test_a_passphrase_is_the_same_as_text_and_as_bytes() -> None:
    sealed = encrypt_bytes(b"a", [ScryptRecipient("gr\u00fcn", work_factor=WORK)])
    assert decrypt_bytes(sealed, [ScryptIdentity("gr\u00fcn".encode())]) == b"a"


def test_a_file_that_asks_for_more_work_than_is_allowed_is_refused_before_it_is_begun() -> None:
    sealed = encrypt_bytes(b"a", [ScryptRecipient(PASSWORD, work_factor=5)])
    with pytest.raises(SealedFileError, match=r"2 \*\* 4, which is max_work_factor"):
        decrypt_bytes(sealed, [ScryptIdentity(PASSWORD, max_work_factor=4)])
    assert decrypt_bytes(sealed, [ScryptIdentity(PASSWORD, max_work_factor=5)]) == b"a"
    header = read_header(Source(io.BytesIO(sealed)))
    kind, salt, _ = header.stanzas[0].args
    asking = Header.made([Stanza((kind, salt, "30"), header.stanzas[0].body)], Hidden(b""))
    with pytest.raises(SealedFileError, match="more work than"):
        decrypt_bytes(asking.encode(), [ScryptIdentity(PASSWORD)])


@pytest.mark.parametrize("factor", [0, 31, -1])
def test_a_work_factor_out_of_all_bounds_is_refused_when_it_is_asked_for(factor: int) -> None:
    with pytest.raises(ValueError, match="1 to 30"):
        ScryptRecipient(PASSWORD, work_factor=factor)
    with pytest.raises(ValueError, match="1 to 30"):
        ScryptIdentity(PASSWORD, max_work_factor=factor)


# -- the header ----------------------------------------------------------------------------------


def test_a_stanza_of_an_unknown_kind_is_passed_over() -> None:
    class Grease:
        def wrap(self, _file_key: Hidden) -> Stanza:
            return Stanza(("x-grease", "!", "~"), bytes(range(96)))

    sealed = encrypt_bytes(b"a", [Grease(), IDENTITY.recipient, Grease()])
    assert decrypt_bytes(sealed, [IDENTITY]) == b"a"
    with pytest.raises(WrongKeyError, match="other kinds of keys"):
        decrypt_bytes(encrypt_bytes(b"a", [Grease()]), [IDENTITY])


@given(
    st.lists(
        st.builds(
            Stanza,
            st.lists(
                st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1),
                min_size=1,
            ).map(lambda args: ("kind", *args)),
            st.binary(max_size=200),
        ),
        min_size=1,
        max_size=4,
    ),
    st.binary(min_size=16, max_size=16),
)
def test_a_header_is_parsed_to_what_it_was_made_of(stanzas: list[Stanza], key: bytes) -> None:
    made = Header.made(stanzas, Hidden(key))
    text = made.encode()
    source = Source(io.BytesIO(text + b"payload"))
    parsed = read_header(source)
    assert parsed == made
    assert source.position == parsed.length == len(text)
    assert source.exactly(99) == b"payload"
    parsed.check(Hidden(key))


@pytest.mark.parametrize("args", [(), ("",), ("a b",), ("a", "\n"), ("\u00e9",), ("a\x7f",)])
def test_a_stanza_that_no_header_can_hold_cannot_be_made(args: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="visible ASCII"):
        Stanza(args, b"")


class _Endless:
    """A stream that repeats a piece for ever, and counts."""

    def __init__(self, head: bytes, again: bytes) -> None:
        self._head, self._again = head, again
        self.given = 0

    def read(self, size: int) -> bytes:
        if self._head:
            found, self._head = self._head[:size], self._head[size:]
        else:
            found = (self._again * (size // len(self._again) + 1))[:size]
        self.given += len(found)
        return found


@pytest.mark.parametrize(
    ("head", "again"),
    [
        (b"", b"\0"),
        (b"age-encryption.org/v1\n", b"-> a\n\n"),
        (b"age-encryption.org/v1\n-> ", b"a"),
        (b"age-encryption.org/v1\n-> a\n", b"A" * 64 + b"\n"),
        (b"age-encryption.org/v1\n-> a\n\n---", b" "),
    ],
)
def test_a_header_without_an_end_is_given_up(head: bytes, again: bytes) -> None:
    stream = _Endless(head, again)
    with pytest.raises(SealedFileError) as caught:
        decrypt(stream, io.BytesIO(), [IDENTITY])
    assert caught.value.part == SealedFileError.HEADER
    assert stream.given <= MAX_HEADER + 2 * 4096


@pytest.mark.parametrize("text", [b"", b"a", b"age-encryption.org/v2\n", b"age-encryption.org/v1"])
def test_what_is_no_age_file_is_told_so(text: bytes) -> None:
    with pytest.raises(SealedFileError, match="no age file, or one of another version"):
        decrypt_bytes(text, [IDENTITY])


@given(st.binary(max_size=300))
def test_bytes_that_are_no_age_file_raise_nothing_but_that(data: bytes) -> None:
    for text in (data, b"age-encryption.org/v1\n" + data):
        with pytest.raises(SealedFileError):
            decrypt_bytes(text, [IDENTITY])
        with pytest.raises(SealedFileError):
            content_size(io.BytesIO(text))


def test_a_recipient_of_low_order_is_refused() -> None:
    nobody = X25519Recipient(bech32.encoded("age", bytes(32)))
    with pytest.raises(ValueError, match="low order"):
        encrypt_bytes(b"", [nobody])


# -- other recipients ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_a_file_is_wrapped_anew_and_its_payload_stays_as_it_is(size: int, kind: str) -> None:
    recipient, identity = KINDS[kind]
    before = SEALED_FILES[size]
    destination = io.BytesIO()
    rewrap(io.BytesIO(before), destination, [IDENTITY], [recipient])
    after = destination.getvalue()
    assert after[payload_at(after) :] == before[payload_at(before) :]
    assert decrypt_bytes(after, [identity]) == CONTENTS[size]
    if kind == "scrypt":
        with pytest.raises(WrongKeyError):
            decrypt_bytes(after, [IDENTITY])


def test_who_cannot_open_a_file_cannot_wrap_it_anew_and_nothing_is_written() -> None:
    destination = io.BytesIO()
    with pytest.raises(WrongKeyError):
        rewrap(io.BytesIO(SEALED_FILES[1]), destination, [OTHER], [OTHER.recipient])
    with pytest.raises(ValueError, match="one recipient at least"):
        rewrap(io.BytesIO(SEALED_FILES[1]), destination, [IDENTITY], [])
    assert destination.getvalue() == b""
