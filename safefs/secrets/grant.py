"""What a token that was verified says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from safefs.values import Frozen

if TYPE_CHECKING:
    from safefs.secrets.scope import Scope


class Grant(Frozen):
    """A token that was verified; not the token itself, and no secret.

    id
        Unique, and of no use without the signature: for logs, and for ``revoke_token``.
    scope
        What it is good for.
    audience
        Who is to take it.
    issued, expires
        When, in seconds since the epoch; ``expires_at`` is an aware datetime in UTC.
    generation
        Of which tokens it is: those that ``revoke_tokens`` ends at once.
    """

    __slots__ = ("audience", "expires", "generation", "id", "issued", "scope")

    id: str
    scope: Scope
    audience: str
    issued: int
    expires: int
    generation: str

    def __init__(
        self,
        id: str,  # noqa: A002  (what it is)
        scope: Scope,
        audience: str,
        issued: int,
        expires: int,
        generation: str,
    ) -> None:
        self._set(
            id=id,
            scope=scope,
            audience=audience,
            issued=issued,
            expires=expires,
            generation=generation,
        )

    @property
    def expires_at(self) -> datetime:
        """When it expires, in UTC."""
        return datetime.fromtimestamp(self.expires, tz=UTC)
