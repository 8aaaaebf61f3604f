"""Who holds the key of one installation in memory, from its first use to the close."""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from safefs.age.hidden import Hidden, Unpickled
from safefs.age.x25519 import X25519Identity
from safefs.errors import KeyUnavailableError
from safefs.secrets.keys import MOST_KEYS, InstallationKey, Keys, identities_of, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from safefs.secrets.keys import KeySource

    Identities = Sequence[X25519Identity]
    Source = KeySource | Literal["memory"]


class Holder(Unpickled, ABC):
    """What a Storage asks for its key. Threads may share one."""

    def __init__(self) -> None:
        self._keys: Keys | None = None
        self._key: InstallationKey | None = None
        self._closed = False
        self.renew_guard()
        _holders.add(self)

    def renew_guard(self) -> None:
        """Forget who holds the guard."""
        self._guard = threading.RLock()

    def key(self) -> InstallationKey:
        """The key, found or made now if it was not yet; each time the same object."""
        with self._guard:
            if self._closed:
                raise ValueError("the Storage is closed")
            if self._key is None:
                return self._become(*self._find())
            return self._key

    @abstractmethod
    def source(self) -> Source:
        """Where the key is kept, or would be; makes nothing."""

    def is_new(self) -> bool:
        """Whether ``key`` would make one now that is kept."""
        return False

    def at_hand(self) -> bool:
        """Whether ``key`` would give one; makes none, and asks for no passphrase.

        Or it raises what stands in the way.
        """
        return True

    @abstractmethod
    def rotate(self) -> InstallationKey:
        """Make a new present key and keep those before it, which go on opening what they sealed."""

    @abstractmethod
    def exported(self) -> Hidden:
        """All keys as text, as ``age`` reads it."""

    @abstractmethod
    def adopt(
        self, text: Hidden, *, replace: bool = False, give_up: bool = False
    ) -> InstallationKey:
        """Make an exported key that of this installation; see ``Storage.import_key``."""

    @abstractmethod
    def _find(self) -> tuple[Identities, Source]:
        """Find the key, or make one."""

    def close(self) -> None:
        """Forget the key."""
        with self._guard:
            self._closed = True
            if self._keys is not None:
                self._keys.identities = ()
            self._keys = self._key = None

    def _become(self, identities: Identities, source: Source) -> InstallationKey:
        """The key is these from now on, for all who hold it; the guard is held."""
        if self._key is not None and self._keys is not None:
            self._keys.identities = tuple(identities)
            return self._key
        self._keys = Keys(identities, self._again)
        self._key = InstallationKey(self._keys, source)
        return self._key

    def _again(self) -> bool:
        """Whether the key has become another since it was found, and is that now."""
        return False


class HolderInMemory(Holder):
    """Of a fake Storage: a key of its own that nothing is left of."""

    def source(self) -> Literal["memory"]:
        return "memory"

    def __init__(self) -> None:
        super().__init__()
        self._kept: Identities = ()

    def _find(self) -> tuple[Identities, Source]:
        self._kept = self._kept or [X25519Identity.generate()]
        return self._kept, "memory"

    def rotate(self) -> InstallationKey:
        with self._guard:
            return self._keep(rotated(self._there()))

    def exported(self) -> Hidden:
        return text_of(self._there())

    def adopt(
        self, text: Hidden, *, replace: bool = False, give_up: bool = False
    ) -> InstallationKey:
        given = imported(text)
        with self._guard:
            refuse_unless(replace or give_up or not self._kept or is_present(given, self._kept))
            return self._keep(joined(given, self._kept))

    def _there(self) -> Identities:
        if not self._kept:
            raise KeyUnavailableError("memory", "there is none yet")
        return self._kept

    def _keep(self, identities: Identities) -> InstallationKey:
        self._kept = identities
        return self._become(identities, "memory")

    def close(self) -> None:
        super().close()
        self._kept = ()


def imported(text: Hidden) -> Identities:
    given = identities_of(text)
    if given is None:
        raise ValueError("this is no exported key: one is lines of AGE-SECRET-KEY-1...")
    return given


def rotated(before: Identities) -> Identities:
    return joined([X25519Identity.generate()], before)


def joined(first: Identities, then: Identities) -> Identities:
    """Each once, in this order; ValueError for more than are kept."""
    each = {str(identity.recipient): identity for identity in (*reversed(then), *reversed(first))}
    if len(each) > MOST_KEYS:
        raise ValueError(f"these are {len(each)} keys, and no more than {MOST_KEYS} are kept")
    return list(reversed(each.values()))


def is_present(given: Identities, before: Identities) -> bool:
    """Whether both have the same present key."""
    return given[0].recipient == before[0].recipient


def refuse_unless(allowed: bool) -> None:  # noqa: FBT001  (its only word)
    """FileExistsError."""
    if not allowed:
        raise FileExistsError(
            "this installation has a key: replace=True makes the imported one its key, and keeps "
            "the other for what was sealed with it"
        )


# A fork may come while another thread looks for a key, and nobody in the child would free it.
_holders: weakref.WeakSet[Holder] = weakref.WeakSet()


def _renew_guards() -> None:
    for holder in list(_holders):
        holder.renew_guard()


os.register_at_fork(after_in_child=_renew_guards)
