"""X25519: whom a file is sealed for, by a public key, and who opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.age import bech32, unpadded
from safefs.age.frames import without_frames
from safefs.age.header import Stanza, wrong_header
from safefs.age.hidden import Hidden, Unpickled
from safefs.age.primitives import (
    KEY,
    TAG,
    derived,
    new_private_key,
    private_key,
    shared,
    unwrapped,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

KIND = "X25519"
FILE_KEY = 16  # bytes
_PUBLIC, _PRIVATE = "age", "AGE-SECRET-KEY-"
_INFO = b"age-encryption.org/v1/X25519"


class X25519Recipient:
    """A public key, ``age1…``: a file sealed for it is opened by its ``X25519Identity``."""

    __slots__ = ("_public",)

    def __init__(self, text: str) -> None:
        """ValueError for anything but ``age1…`` with a right checksum."""
        kept = _kept(text)
        del text  # it may be a private key, by mistake, and a traceback shows what a frame holds
        public = _data(_PUBLIC, kept)
        if public is None:
            raise ValueError("this is no age recipient: one is age1 and 58 letters that fit it")
        self._public = public.reveal()

    @classmethod
    def _of(cls, public: bytes) -> X25519Recipient:
        made = cls.__new__(cls)
        made._public = public  # noqa: SLF001  (its own)
        return made

    def wrap(self, file_key: Hidden) -> Stanza:
        """ValueError for a point of low order, for which anyone could open what is sealed."""
        ephemeral = new_private_key()
        share = ephemeral.public_key().public_bytes_raw()
        secret = shared(ephemeral, self._public)
        if secret is None:
            raise ValueError(f"{self} is a point of low order, and nobody's key")
        body = wrapped(_wrap_key(secret, share, self._public), file_key)
        return Stanza((KIND, unpadded.encoded(share).decode("ascii")), body)

    def __str__(self) -> str:
        return bech32.encoded(_PUBLIC, self._public)

    def __repr__(self) -> str:
        if not hasattr(self, "_public"):  # half made, as a traceback may show it
            return "<X25519Recipient>"
        return f"X25519Recipient({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, X25519Recipient) and self._public == other._public

    def __hash__(self) -> int:
        return hash(self._public)


class X25519Identity(Unpickled):
    """A private key, ``AGE-SECRET-KEY-1…``. It shows its recipient, and itself by ``reveal``."""

    __slots__ = ("_private", "_public")

    def __init__(self, text: str | Hidden) -> None:
        """ValueError, without the text, for anything else or a wrong checksum."""
        kept = _kept(text)
        del text  # a traceback may show what a frame holds
        data = _data(_PRIVATE, kept)
        if data is None:
            raise ValueError(
                "this is no age identity: one is AGE-SECRET-KEY-1 and 58 letters that fit it"
            )
        self._set(private_key(data))

    def _set(self, private: X25519PrivateKey) -> None:
        self._private = private
        self._public = private.public_key().public_bytes_raw()

    @classmethod
    def generate(cls) -> X25519Identity:
        made = cls.__new__(cls)
        made._set(new_private_key())  # noqa: SLF001  (its own)
        return made

    @property
    def recipient(self) -> X25519Recipient:
        return X25519Recipient._of(self._public)  # noqa: SLF001  (its other half)

    def reveal(self) -> str:
        """The key as text, for the one place that keeps it."""
        return without_frames(
            lambda: bech32.encoded(_PRIVATE.lower(), self._private.private_bytes_raw()).upper()
        )

    def raw(self) -> Hidden:
        """Its bytes, for who derives others from them."""
        return without_frames(lambda: Hidden(self._private.private_bytes_raw()))

    def unwrap(self, stanzas: Sequence[Stanza]) -> Hidden | None:
        """The file key; None where no stanza is for this key.

        SealedFileError for a stanza of this kind that is not as the format has it, whomever it
        is for.
        """
        for stanza in stanzas:
            if stanza.args[0] == KIND:
                found = self._unwrapped(stanza)
                if found is not None:
                    return found
        return None

    def _unwrapped(self, stanza: Stanza) -> Hidden | None:
        share = unpadded.decoded(stanza.args[1].encode("ascii")) if len(stanza.args) == 2 else None
        if share is None or len(share) != KEY:
            raise wrong_header("a stanza of X25519 has no share, or one of another length")
        check_length(stanza)
        secret = shared(self._private, share)
        if secret is None:
            raise wrong_header("a stanza of X25519 has a share of low order")
        return unwrapped(_wrap_key(secret, share, self._public), stanza.body)

    def __repr__(self) -> str:
        if not hasattr(self, "_public"):  # half made, as a traceback may show it
            return "<X25519Identity>"
        return f"<X25519Identity of {self.recipient}>"


def _kept(text: object) -> Hidden | None:
    """None for what is no text, or none that is spelled in ASCII."""
    if isinstance(text, Hidden):
        return text
    return Hidden(text.encode()) if isinstance(text, str) and text.isascii() else None


def _data(prefix: str, text: Hidden | None) -> Hidden | None:
    """What is spelled behind this prefix; None for anything but a key."""
    return None if text is None else without_frames(lambda: _decoded(prefix, text))


def _decoded(prefix: str, text: Hidden) -> Hidden | None:
    found = bech32.decoded(text.reveal().decode("ascii", "replace"))
    is_key = found is not None and found[0] == prefix and len(found[1]) == KEY
    return Hidden(found[1]) if found is not None and is_key else None


def check_length(stanza: Stanza) -> None:
    """Before it is opened: else one body could be made that opens with several keys."""
    if len(stanza.body) != FILE_KEY + TAG:
        raise wrong_header(f"a stanza of {stanza.args[0]} wraps something else than a file key")


def _wrap_key(secret: Hidden, share: bytes, public: bytes) -> Hidden:
    return derived(secret, share + public, _INFO)
