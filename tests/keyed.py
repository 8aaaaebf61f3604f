"""A key with those before it, and what a program does with secrets, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs import Scope
from safefs.age import Hidden, X25519Identity, X25519Recipient
from safefs.age.primitives import derived

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from safefs import Storage
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

    def renew(self) -> bool:
        return False

    def rotate(self) -> None:
        self.all.insert(0, X25519Identity.generate())


def everything_done(storage: Storage, secret: str) -> int:
    """With what goes wrong; how much that was."""
    secrets = storage.secrets
    secrets.set("a", secret)
    secrets.get("a")
    secrets.rewrap()
    storage.decrypt_text(storage.encrypt_text(secret))
    token = storage.issue_token(Scope("documents", "a/b", verbs=["read"]))
    storage.verify_token(token)
    storage.revoke_token(token)
    failing: list[Callable[[], object]] = [
        lambda: storage.verify_token(token),
        lambda: storage.decrypt_text(secret),
        lambda: secrets.set("", secret),
        lambda: secrets.get("nothing"),
        lambda: storage.disk("state").get(".secrets"),
        lambda: Scope("a", "/b", verbs=["read"]),
    ]
    failed = sum(map(_fails, failing))
    secrets.delete("a")
    return failed


def _fails(act: Callable[[], object]) -> bool:
    try:
        act()
    except Exception:
        return True
    return False
