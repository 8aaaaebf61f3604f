"""The key of an installation: what seals and opens for it, and what did so before.

Kept, exported and imported as text, in the form of the ``age`` command: a line for each key, the
present one first. ``age --decrypt -i`` takes such a file as it is.

In memory a key lies in ``Hidden`` bytes and in objects of ``cryptography``, and is let go at the
close of the Storage. What Python cannot promise is that it is gone then: bytes and str are never
overwritten, may have been copied on their way, and lie in memory, and so in a core file or in swap,
until something else is put there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from safefs.age.frames import without_frames
from safefs.age.hidden import Hidden, Unpickled
from safefs.age.primitives import derived
from safefs.age.x25519 import X25519Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safefs.age.header import Stanza
    from safefs.age.x25519 import X25519Recipient

KeySource = Literal["keyring", "file", "passphrase"]
SOURCES: tuple[KeySource, ...] = ("keyring", "file", "passphrase")

# So many are kept, the present one among them: the file is read as a whole, and each that was
# sealed is tried with each.
MOST_KEYS = 500
_DERIVED = b"safefs installation key v1: "  # of which no other use of the key begins


class Keys(Unpickled):
    """The present key and those before it, which whoever holds them may exchange or let go.

    ``again`` looks whether another process has exchanged them meanwhile.
    """

    __slots__ = ("again", "identities")

    def __init__(
        self, identities: Sequence[X25519Identity], again: Callable[[], bool] = lambda: False
    ) -> None:
        self.identities = tuple(identities)
        self.again = again

    def held(self) -> tuple[X25519Identity, ...]:
        """At least one; ``ValueError`` when they were let go."""
        identities = self.identities
        if not identities:
            raise ValueError("the Storage of this key is closed")
        return identities


class InstallationKey(Unpickled):
    """A key of an installation and those it had before it; ``Storage.key`` gives it.

    It seals for the present one and opens what was sealed for any. ``source`` says where it is
    kept: ``"keyring"``, ``"file"`` or ``"passphrase"``; that of a fake Storage is in ``"memory"``.
    After ``Storage.rotate_key`` it is the same object, with another present key.

    It shows its source and recipient alone, and refuses pickle and copy.
    """

    __slots__ = ("_keys", "source")

    def __init__(self, keys: Keys, source: KeySource | Literal["memory"]) -> None:
        self.source = source
        self._keys = keys

    @property
    def recipient(self) -> X25519Recipient:
        """Whom to seal for, so that this key opens it: the public half of the present one.

        ``ValueError`` once its Storage is closed, as of all that follows.
        """
        return self._keys.held()[0].recipient

    def unwrap(self, stanzas: Sequence[Stanza]) -> Hidden | None:
        """As ``safefs.age.Identity``: the file key, opened by the present key or an earlier one.

        Where none of them opens it, it may be of one that another process has made since.
        """
        found = self._unwrapped(stanzas)
        if found is None and self._keys.again():
            return self._unwrapped(stanzas)
        return found

    def _unwrapped(self, stanzas: Sequence[Stanza]) -> Hidden | None:
        for identity in self._keys.held():
            found = identity.unwrap(stanzas)
            if found is not None:
                return found
        return None

    def renew(self) -> bool:
        """Whether another process has made another key since, and the present one is that now.

        It looks at what is remembered of the key, and asks for no passphrase: that of a key under a
        passphrase stays.
        """
        return self._keys.again()

    def derive(self, purpose: str) -> Hidden:
        """32 bytes for this purpose, and others for each other: HKDF-SHA-256 of the present key.

        After a rotation they are others too.
        """
        if not isinstance(purpose, str) or not purpose:
            raise ValueError("a purpose is a str, and not empty")
        secret = self._keys.held()[0].raw()
        return without_frames(lambda: derived(secret, b"", _DERIVED + purpose.encode()))

    def __repr__(self) -> str:
        if not hasattr(self, "_keys"):  # half made, as a traceback may show it
            return "<InstallationKey>"
        identities = self._keys.identities
        whom = f" of {identities[0].recipient}" if identities else ", closed"
        return f"<InstallationKey{whom} ({self.source})>"


def text_of(identities: Sequence[X25519Identity]) -> Hidden:
    """As it is kept: lines that begin with ``#`` are for people."""
    return without_frames(lambda: _text_of(identities))


def _text_of(identities: Sequence[X25519Identity]) -> Hidden:
    present, *retired = identities
    head = f"# The key of an installation, for safefs and age.\n# public key: {present.recipient}\n"
    rest = "".join(f"# retired: {each.recipient}\n{each.reveal()}\n" for each in retired)
    return Hidden(f"{head}{present.reveal()}\n{rest}".encode("ascii"))


def identities_of(text: Hidden) -> tuple[X25519Identity, ...] | None:
    """The keys of such a text, each once; None for what is none, or is none to its end.

    It says not what is wrong: that would show what is there.
    """
    return without_frames(lambda: _identities_of(text))


def _identities_of(text: Hidden) -> tuple[X25519Identity, ...] | None:
    found: dict[X25519Recipient, X25519Identity] = {}
    for line in map(Hidden, text.reveal().splitlines()):
        if _is_comment(line):
            continue
        identity = _identity_of(line)
        if identity is None or len(found) == MOST_KEYS:
            return None
        found.setdefault(identity.recipient, identity)
    return tuple(found.values()) or None


def _is_comment(line: Hidden) -> bool:
    return line.reveal().strip()[:1] in (b"", b"#")


def _identity_of(line: Hidden) -> X25519Identity | None:
    try:
        return X25519Identity(Hidden(line.reveal().strip()))
    except ValueError:
        return None
