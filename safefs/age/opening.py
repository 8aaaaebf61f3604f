"""From a header and identities to the file key; from a file key and recipients to a header."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from safefs.age.header import SCRYPT, Header, wrong_header
from safefs.age.hidden import Hidden
from safefs.age.stream import NONCE, Chunks
from safefs.age.x25519 import FILE_KEY, KIND
from safefs.errors import WrongKeyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from safefs.age.header import Stanza
    from safefs.age.sources import Source


class Recipient(Protocol):
    """Whom a file can be sealed for."""

    def wrap(self, file_key: Hidden) -> Stanza: ...


class Identity(Protocol):
    """Who may open a file. ``unwrap`` passes over stanzas that are not its own: None."""

    def unwrap(self, stanzas: Sequence[Stanza]) -> Hidden | None: ...


class Key(Identity, Protocol):
    """What seals and opens: one identity, or a present one with those that it replaced.

    Sealed is for ``recipient``; ``unwrap`` may open what was sealed for an earlier one too.
    """

    @property
    def recipient(self) -> Recipient: ...


def new_file_key() -> Hidden:
    return Hidden(os.urandom(FILE_KEY))


def sealed_header(file_key: Hidden, recipients: Iterable[Recipient]) -> Header:
    return Header.made([each.wrap(file_key) for each in recipients], file_key)


def file_key_of(header: Header, identities: Iterable[Identity]) -> Hidden:
    """What the header wraps, once its MAC has been checked by it.

    WrongKeyError where it is wrapped for none of them, SealedFileError where it was changed.
    """
    for identity in identities:
        file_key = identity.unwrap(header.stanzas)
        if file_key is not None:
            header.check(file_key)
            return file_key
    known = {each.args[0] for each in header.stanzas} & {KIND, SCRYPT}
    raise WrongKeyError(" and ".join(sorted(known)) or "other kinds of keys")


def chunks_of(source: Source, file_key: Hidden) -> Chunks:
    """For what follows the header, of which the nonce is read."""
    nonce = source.exactly(NONCE)
    if len(nonce) != NONCE:
        raise wrong_header("it is followed by no whole nonce")
    return Chunks(file_key, nonce)
