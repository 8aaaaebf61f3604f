"""Who asks, and what that one may do: the holder of the key, or of a token of the storage."""

from __future__ import annotations

import hashlib
import threading
import time
from base64 import b64decode
from contextlib import ExitStack
from hmac import compare_digest
from typing import TYPE_CHECKING, NamedTuple

from safefs.age.hidden import Hidden, Unpickled
from safefs.bridge.verbs import NEEDS
from safefs.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safefs.bridge.targets import Target
    from safefs.disk import Disk
    from safefs.secrets.grant import Grant
    from safefs.secrets.scope import Scope
    from safefs.storage import Storage

AUDIENCE = "bridge"
_DELAY = 0.5  # seconds before a wrong key is answered
_SLEEPERS = 3  # of the threads that answer; what comes beyond is turned away at once


class RefusedError(PermissionError):
    """No key, a wrong one, or a token that is not to be taken (401); or too many of them (429)."""

    def __init__(self, message: str, status: int = 401) -> None:
        super().__init__(message)
        self.status = status


class Spot(NamedTuple):
    """Where a target lies: a disk that no path leaves what is allowed of, and a path on it."""

    disk: Disk
    path: str


class Caller:
    """One request's caller. ``close`` gives up what was opened for it."""

    def __init__(self, disks: Mapping[str, Disk], grant: Grant | None = None) -> None:
        self._disks = disks
        self._grant = grant
        self._scoped: Disk | None = None
        self._held = ExitStack()

    @property
    def principal(self) -> str:
        """For whom a lock is held; nothing secret."""
        return "key" if self._grant is None else f"token {self._grant.id}"

    @property
    def disks(self) -> list[str]:
        """All, for who may list them: no token is for more than one disk."""
        return list(self._disks)

    @property
    def _scope(self) -> Scope | None:
        return None if self._grant is None else self._grant.scope

    def may(self, method: str, target: Target, destination: Target | None) -> bool:
        """Whether this is among what the token allows; the key allows everything."""
        needs = NEEDS[method]
        asked = [(words, target) for words in needs.target]
        if destination is not None:
            asked += [(words, destination) for words in needs.destination]
        return all(self._allows(words, where) for words, where in asked)

    def _allows(self, words: frozenset[str], where: Target) -> bool:
        scope = self._scope
        return scope is None or any(scope.allows(word, where.disk, where.path) for word in words)

    def spot(self, target: Target) -> Spot | None:
        """None for what is not served, or not to this caller."""
        disk, scope = self._disks.get(target.disk), self._scope
        if disk is None or (scope is not None and scope.disk != target.disk):
            return None
        if scope is None or not scope.path:
            return Spot(disk, target.path)
        above = scope.path.split("/")
        if list(target.names[: len(above)]) != above:
            return None
        try:
            return Spot(self._narrowed(disk, scope.path), "/".join(target.names[len(above) :]))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _narrowed(self, disk: Disk, path: str) -> Disk:
        """No link leads out of it, as one might lead out of what only begins with a path."""
        if self._scoped is None:
            self._scoped = self._held.enter_context(disk.scoped(path))
        return self._scoped

    def close(self) -> None:
        self._held.close()


class Doorkeeper(Unpickled):
    """The key of this start, and what else opens. Threads share one."""

    def __init__(self, key: Hidden, disks: Mapping[str, Disk], storage: Storage | None) -> None:
        self._digest = _digest(key)
        self._disks = disks
        self._storage = storage
        self._sleepers = threading.Semaphore(_SLEEPERS)
        self.refused = 0

    def admit(self, authorization: Hidden) -> Caller:
        """The caller who sends this header. ``RefusedError``, after a while, for all others."""
        given = _given(authorization)
        if given is None:
            raise RefusedError("a key is asked for")
        # Digests: of one length, and what is compared byte for byte tells nothing of the key.
        if compare_digest(_digest(given).reveal(), self._digest.reveal()):
            return Caller(self._disks)
        try:
            return Caller(self._disks, self._granted(given))
        except TokenError as error:
            return self._refuse(error.reason)

    def _granted(self, token: Hidden) -> Grant:
        if self._storage is None or token.reveal().count(b".") != 2:
            raise TokenError(TokenError.MALFORMED, "it is no key, and no token")
        return self._storage.verify_token(token.reveal().decode("latin-1"), audience=AUDIENCE)

    def _refuse(self, reason: str) -> Caller:
        self.refused += 1
        if not self._sleepers.acquire(blocking=False):
            raise RefusedError("too many wrong keys", 429)
        try:
            time.sleep(_DELAY)
        finally:
            self._sleepers.release()
        raise RefusedError(f"this key or token is not to be taken ({reason})")


def _digest(key: Hidden) -> Hidden:
    return Hidden(hashlib.sha256(key.reveal()).digest())


def _given(authorization: Hidden) -> Hidden | None:
    """The key in a header: after ``Bearer``, or as the password of ``Basic``, whoever the user is.

    None for none, and for what is spelled otherwise.
    """
    scheme, _, rest = authorization.reveal().partition(b" ")
    kept = Hidden(rest.strip())
    del rest
    if scheme.lower() == b"bearer":
        return kept if len(kept) else None
    return _password(kept) if scheme.lower() == b"basic" else None


def _password(encoded: Hidden) -> Hidden | None:
    try:
        return Hidden(b64decode(encoded.reveal(), validate=True).partition(b":")[2])
    except ValueError:
        return None
