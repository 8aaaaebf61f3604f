"""The keys of age files: as text, and kept to themselves."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs.age import (
    Hidden,
    ScryptIdentity,
    ScryptRecipient,
    X25519Identity,
    X25519Recipient,
    bech32,
    content_size,
    decrypt_bytes,
    encrypt_bytes,
    unpadded,
)
from tests.sealed import (
    CONTENTS,
    IDENTITY,
    OTHER,
    PASSWORD,
    SEALED_FILES,
    WORK,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.age import Key


def test_an_identity_is_a_key() -> None:
    key: Key = IDENTITY
    assert decrypt_bytes(encrypt_bytes(b"1", [key.recipient]), [key]) == b"1"


# -- keys as text --------------------------------------------------------------------------------


def test_a_key_is_the_same_again_from_its_text() -> None:
    again = X25519Identity(IDENTITY.reveal())
    assert again.recipient == IDENTITY.recipient == X25519Recipient(str(IDENTITY.recipient))
    assert hash(again.recipient) == hash(IDENTITY.recipient)
    assert again.recipient != OTHER.recipient != "age1"
    assert decrypt_bytes(SEALED_FILES[1], [again]) == CONTENTS[1]


def test_the_keys_of_the_specification_belong_together() -> None:
    identity = X25519Identity(
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
    )
    recipient = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
    assert str(identity.recipient) == recipient


_NO_KEYS: dict[str, Callable[[str], object]] = {
    "a letter less": lambda text: text[:-1],
    "a letter more": lambda text: text + text[-1],
    "a space": lambda text: text + " ",
    "a line": lambda text: text + "\n",
    "the other case": lambda text: text.swapcase(),
    "both cases": lambda text: text[:-1] + text[-1].swapcase(),
    "a letter exchanged": lambda text: text[:-9] + ("q" if text[0] == "a" else "Q") + text[-8:],
    "nothing": lambda text: "",
    "bytes": lambda text: text.encode(),
    "None": lambda text: None,
    "not ASCII": lambda text: text + "\u017f",
}


@pytest.mark.parametrize("change", _NO_KEYS)
def test_what_is_nearly_a_key_is_none(change: str) -> None:
    for kind, text in (
        (X25519Recipient, str(IDENTITY.recipient)),
        (X25519Identity, IDENTITY.reveal()),
    ):
        made: Any = kind
        near = _NO_KEYS[change](text)
        assert near != text
        with pytest.raises(ValueError, match="this is no age") as caught:
            made(near)
        assert text[5:] not in str(caught.value)


def test_a_key_of_another_kind_or_length_is_none() -> None:
    for prefix, data in (("age", bytes(31)), ("age", bytes(33)), ("agf", bytes(32)), ("age", b"")):
        with pytest.raises(ValueError, match="no age recipient"):
            X25519Recipient(bech32.encoded(prefix, data))
        with pytest.raises(ValueError, match="no age identity"):
            X25519Identity(bech32.encoded(prefix, data).upper())


@pytest.mark.parametrize("passphrase", ["", b"", None, 7, "\ud800", bytearray(b"a")])
def test_what_is_no_passphrase_is_told_so(passphrase: Any) -> None:
    for kind in (ScryptRecipient, ScryptIdentity):
        with pytest.raises(ValueError, match="a passphrase is str or bytes"):
            kind(passphrase)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=64), min_size=1), st.binary())
def test_bech32_is_read_as_it_was_written(prefix: str, data: bytes) -> None:
    assert bech32.decoded(bech32.encoded(prefix, data)) == (prefix, data)


@pytest.mark.parametrize(
    "text",
    [
        "A12UEL5L",
        "a12uel5l",
        "?1ezyfcl",
        "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    ],
)
def test_bech32_of_its_specification_is_read(text: str) -> None:
    found = bech32.decoded(text)
    assert found is not None
    assert bech32.encoded(found[0].lower(), found[1]) == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        *("\x201nwldj5", "\x7f1axkwrx", "\x801eym55h", "pzry9x0s0muk", "1pzry9x0s0muk"),
        *("x1b4n0q5v", "li1dgmt3", "de1lg7wt\xff", "A1G7SGD8", "10a06t8", "1qzzfhee", ""),
    ],
)
def test_what_the_specification_of_bech32_calls_invalid_is(text: str) -> None:
    assert bech32.decoded(text) is None


@pytest.mark.parametrize("values", [[0, 1], [0, 0, 0], [0], [31, 31]])
def test_bech32_has_one_spelling_for_each_value(values: list[int]) -> None:
    """What is left over of the last letter is zero, and no letter is left over whole."""
    check = bech32._remainder([*bech32._expanded("age"), *values, *[0] * 6]) ^ 1
    values += [check >> 5 * (5 - at) & 31 for at in range(6)]
    text = "age1" + "".join(bech32._LETTERS[value] for value in values)
    assert bech32._remainder([*bech32._expanded("age"), *values]) == 1
    assert bech32.decoded(text) is None


@given(st.binary())
def test_base_64_has_one_spelling_for_each_value(data: bytes) -> None:
    text = unpadded.encoded(data)
    assert unpadded.decoded(text) == data
    for other in (text + b"=", text + b"\n", text + b" ", b" " + text, text + b"-"):
        assert unpadded.decoded(other) is None


# -- keys kept to themselves ---------------------------------------------------------------------

CANARY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
TRACES = [CANARY, CANARY[20:50], repr(b"B" * 32), (b"B" * 32).hex(), PASSWORD]


def _keepers() -> list[Any]:
    return [
        X25519Identity(CANARY),
        ScryptIdentity(PASSWORD),
        ScryptRecipient(PASSWORD, work_factor=WORK),
        Hidden(PASSWORD.encode()),
        Hidden(b"B" * 32),
    ]


@pytest.mark.parametrize("at", range(5))
def test_what_holds_a_key_does_not_show_it(at: int, caplog: pytest.LogCaptureFixture) -> None:
    keeper = _keepers()[at]
    logging.getLogger("safefs.tests").warning("%s %r", keeper, [keeper])
    shown = f"{keeper} {keeper!r} {[keeper]} {format(keeper)} {caplog.text}"
    assert not [trace for trace in TRACES if trace in shown]
    with pytest.raises(TypeError):
        vars(keeper)


@pytest.mark.parametrize("at", range(5))
def test_what_holds_a_key_is_not_pickled_nor_copied(at: int) -> None:
    keeper = _keepers()[at]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="holds a key"):
            pickle.dumps(keeper, protocol)
    for make in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a key"):
            make(keeper)


def _locals(error: BaseException) -> str:
    """What the frames of safefs hold, and the error itself, as a report of it might show them."""
    frame, shown = error.__traceback__, [repr(error), repr(error.args), repr(vars(error))]
    while frame is not None:
        if "safefs/age" in frame.tb_frame.f_code.co_filename:
            shown.append(repr(frame.tb_frame.f_locals))
        frame = frame.tb_next
    return " ".join(shown) + (_locals(error.__context__) if error.__context__ else "")


def _changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _failures() -> dict[str, Callable[[], object]]:
    mine = X25519Identity(CANARY)
    sealed = encrypt_bytes(b"a", [mine.recipient])
    of_passphrase = encrypt_bytes(b"a", [ScryptRecipient(PASSWORD, work_factor=WORK)])
    broken = sealed.replace(b"---", b"--- ", 1)
    nobody = X25519Recipient(bech32.encoded("age", bytes(32)))
    return {
        "no key": lambda: X25519Identity(CANARY + "Q"),
        "bytes for a key": lambda: X25519Identity(CANARY.encode()),  # type: ignore[arg-type]
        "a passphrase that cannot be encoded": lambda: ScryptIdentity(PASSWORD + "\ud800"),
        "another type": lambda: ScryptIdentity(bytearray(PASSWORD.encode())),  # type: ignore[arg-type]
        "too much work": lambda: ScryptRecipient(PASSWORD, work_factor=99),
        "a changed payload": lambda: decrypt_bytes(_changed(sealed), [mine]),
        "the same with a passphrase": lambda: decrypt_bytes(
            _changed(of_passphrase), [ScryptIdentity(PASSWORD)]
        ),
        "a broken header": lambda: decrypt_bytes(broken, [mine]),
        "another's file": lambda: decrypt_bytes(
            encrypt_bytes(b"a", [OTHER.recipient]), [mine, ScryptIdentity(PASSWORD)]
        ),
        "nobody's point": lambda: encrypt_bytes(b"a", [mine.recipient, nobody]),
        "pickle": lambda: pickle.dumps(mine),
    }


FAILURES = sorted(_failures())


@pytest.mark.parametrize("name", FAILURES)
def test_no_error_shows_a_key_nor_does_a_frame_that_it_came_through(name: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        _failures()[name]()
    shown = _locals(caught.value)
    assert not [trace for trace in TRACES if trace in shown]


def test_hidden_bytes_are_compared_and_have_no_hash() -> None:
    assert Hidden(b"a") == Hidden(b"a") != Hidden(b"b")
    assert Hidden(b"a") != b"a"
    assert len(Hidden(b"abc")) == 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(Hidden(b"a"))


# -- the extra -----------------------------------------------------------------------------------


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    recipient = IDENTITY.recipient
    monkeypatch.setitem(sys.modules, "cryptography", None)
    uses: list[Callable[[], object]] = [
        X25519Identity.generate,
        lambda: X25519Identity(CANARY),
        lambda: encrypt_bytes(b"", [recipient]),
        lambda: decrypt_bytes(SEALED_FILES[1], [ScryptIdentity("a"), IDENTITY]),
    ]
    for use in uses:
        with pytest.raises(ImportError, match=r"install safefs\[crypto\]"):
            use()
    assert content_size(io.BytesIO(SEALED_FILES[1])) == 1


def test_it_is_imported_only_when_it_is_needed() -> None:
    code = "import sys, safefs.age; print('cryptography' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
