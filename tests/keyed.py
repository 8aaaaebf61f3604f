"""A key for a Storage of the tests, until one is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.age import Hidden, X25519Identity, X25519Recipient
from safefs.age.primitives import derived

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safefs.age import Stanza


class Keyring:
    def __init__(self, present: X25519Identity, *retired: X25519Identity) -> None:
        self.all = [present, *retired]

    @property
    def recipient(self) -> X25519Recipient:
        return self.all[0].recipient

    def unwrap(self, stanzas: Sequence[Stanza]) -> Hidden | None:
        for each in self.all:
            if (found := each.unwrap(stanzas)) is not None:
                return found
        return None

    def derive(self, purpose: str) -> Hidden:
        return derived(Hidden(self.all[0].reveal().encode()), b"", purpose.encode())

    def rotate(self) -> None:
        self.all.insert(0, X25519Identity.generate())
