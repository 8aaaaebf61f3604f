"""``storage.issue_token``: short-lived words for a scope, signed with the installation's key."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from safefs.age.hidden import Hidden
from safefs.errors import EscapeError, InvalidPathError, TokenError, UnknownDiskError
from safefs.secrets.grant import Grant
from safefs.secrets.revocations import Revocations
from safefs.secrets.scope import Scope
from safefs.secrets.signing import signed, verified

if TYPE_CHECKING:
    import os
    from collections.abc import Callable
    from typing import Any

    from safefs.disk import Disk
    from safefs.storage import Storage

    StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

PURPOSE = "safefs tokens v1"
LIMIT = 48 * 60 * 60  # seconds: every token lives for less
DEFAULT = timedelta(minutes=15)
_ID = 24  # bytes of randomness
_LONGEST_AUDIENCE = 255
_CLAIMS = {"aud", "exp", "gen", "iat", "jti", "nbf", "scope"}


class Tokens:
    """The tokens of one Storage; its methods are those of ``Storage``."""

    def __init__(self, storage: Storage, disk: Callable[[], Disk]) -> None:
        self._storage = storage
        self._revocations = Revocations(disk)

    def issue(self, scope: Scope, ttl: timedelta | float, audience: str | None) -> str:
        if not isinstance(scope, Scope):
            raise TypeError(f"give a Scope, not {type(scope).__name__}")
        if scope.disk not in self._storage:
            raise UnknownDiskError(scope.disk, tuple(self._storage))
        issued = int(time.time())
        expires = issued + _seconds(ttl)
        generation = self._revocations.generation(expires)
        # Then the key: one that is changed after this look brings another generation with it.
        key = self._storage.key
        key.renew()
        claims = {
            "aud": self._audience(audience),
            "exp": expires,
            "gen": generation,
            "iat": issued,
            "jti": secrets.token_urlsafe(_ID),
            "nbf": issued,
            "scope": {"disk": scope.disk, "path": scope.path, "verbs": scope.verbs},
        }
        return signed(claims, key.derive(PURPOSE))

    def verify(
        self,
        token: Hidden | None,
        audience: str | None,
        verb: str | None,
        disk: str | None,
        path: StrOrBytesPath,
    ) -> Grant:
        if (verb is None) is not (disk is None):
            raise TypeError("a scope is asked for with both, a verb and a disk")
        if verb is None and path != "":
            raise TypeError("a path is asked for with a verb and a disk")
        grant = self._grant(token, audience=self._audience(audience))
        self._refuse_revoked(grant)
        if verb is not None and disk is not None and not grant.scope.allows(verb, disk, path):
            raise TokenError(
                TokenError.SCOPE, f"it does not allow {verb!r} of {path!r} on the disk {disk!r}"
            )
        return grant

    def revoke(self, token: Hidden | Grant | None) -> None:
        grant = token if isinstance(token, Grant) else self._grant(token, timely=False)
        self._revocations.add(grant.generation, grant.id, grant.expires, time.time())

    def revoke_all(self) -> None:
        self._revocations.add_all()

    def key_changed(self) -> None:
        """Void what was signed with the key before, also where that is still held."""
        self._revocations.add_all_there_are()

    def _grant(
        self, token: Hidden | None, *, audience: str | None = None, timely: bool = True
    ) -> Grant:
        if token is None:
            raise TokenError(TokenError.MALFORMED, "a token is a str")
        if self._storage._key_holder().is_new():  # noqa: SLF001  (one object)
            raise TokenError(TokenError.SIGNATURE, "there is no key here that could have signed it")
        key = self._storage.key
        found = verified(token, key.derive(PURPOSE), audience=audience, timely=timely)
        if isinstance(found, TokenError) and found.reason == TokenError.SIGNATURE and key.renew():
            found = verified(token, key.derive(PURPOSE), audience=audience, timely=timely)
        grant = found if isinstance(found, TokenError) else _read(found)
        if isinstance(grant, TokenError):
            raise grant
        return grant

    def _refuse_revoked(self, grant: Grant) -> None:
        ledger = self._revocations.read()
        if ledger is None:
            raise TokenError(
                TokenError.REVOKED, "the list of those revoked is missing or damaged, so all are"
            )
        if ledger.generation != grant.generation or grant.id in ledger.revoked:
            raise TokenError(TokenError.REVOKED, "it was revoked")
        if grant.expires <= ledger.forgotten:
            raise TokenError(TokenError.EXPIRED, "its time was over before the clock was set back")

    def _audience(self, audience: str | None) -> str:
        if audience is None:
            return self._storage.app
        if not isinstance(audience, str):
            raise TypeError(f"the audience is a str, not {type(audience).__name__}")
        if not audience or not audience.isprintable() or len(audience) > _LONGEST_AUDIENCE:
            raise ValueError(
                f"an audience can be printed, in 1 to {_LONGEST_AUDIENCE} characters: {audience!r}"
            )
        return audience


def hidden_token(token: object) -> Hidden | None:
    """None for what is no token at all: as bytes and None are, that come of a header of HTTP."""
    if not isinstance(token, str) or not token.isascii():
        return None
    return Hidden(token.encode())


def _seconds(ttl: timedelta | float) -> int:
    """Whole ones: a token lives no longer than it was given."""
    if isinstance(ttl, timedelta):
        ttl = ttl.total_seconds()
    if isinstance(ttl, bool) or not isinstance(ttl, int | float):
        raise TypeError(f"ttl is a timedelta or a number of seconds, not {ttl!r}")
    if not 1 <= ttl < LIMIT:  # NaN too
        raise ValueError(f"a token lives for a second at least and less than 48 hours, not {ttl} s")
    return int(ttl)


def _read(claims: dict[str, Any]) -> Grant | TokenError:
    """Of claims that are signed, and still have to be such as are made here."""
    if set(claims) != _CLAIMS:
        return _malformed("it has other claims than a token made here")
    times = [claims[name] for name in ("iat", "nbf", "exp")]
    words = [claims[name] for name in ("aud", "gen", "jti")]
    if not all(type(each) is int for each in times) or times[0] != times[1]:
        return _malformed("its times are not whole seconds")
    if not all(type(each) is str and each for each in words):
        return _malformed("its claims have other types than those of a token made here")
    if not 0 < claims["exp"] - claims["iat"] < LIMIT:
        return _malformed("it would live for 48 hours or longer")
    scope = _scope(claims["scope"])
    if scope is None:
        return _malformed("it has no scope that can be meant")
    return Grant(claims["jti"], scope, claims["aud"], claims["iat"], claims["exp"], claims["gen"])


def _scope(said: Any) -> Scope | None:
    try:
        scope = Scope(said["disk"], said["path"], verbs=said["verbs"])
    except (TypeError, KeyError, ValueError, EscapeError, InvalidPathError):
        return None
    # Only in the spelling that it has here, which says all there is to it.
    is_same = said == {"disk": scope.disk, "path": scope.path, "verbs": list(scope.verbs)}
    return scope if is_same else None


def _malformed(detail: str) -> TokenError:
    return TokenError(TokenError.MALFORMED, detail)
