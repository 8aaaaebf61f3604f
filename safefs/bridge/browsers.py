"""What a browser says of where a request comes from, and what it is answered. Pure.

A page of any server can make a browser send requests here; it cannot make it leave out ``Origin``
and ``Sec-Fetch-Site``, nor change ``Host``. So whatever bears a mark of a browser is refused unless
it is a fetch by a page of a listed origin; and a name that was made to lead here is no host here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_METHODS = "GET, HEAD, PUT, DELETE, OPTIONS, PROPFIND, PROPPATCH, MKCOL, COPY, MOVE, LOCK, UNLOCK"
_HEADERS = (
    "Authorization, Content-Type, Depth, Destination, If, If-Match, If-None-Match, Lock-Token, "
    "Overwrite, Range, Timeout"
)
_EXPOSED = "ETag, Content-Range, Accept-Ranges, Lock-Token, DAV, Allow"
_LONGEST = 255

# For whatever is served: it is never a page of this origin, has no rights, and is embedded nowhere.
SECURITY = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "private, no-cache, no-transform"),
    ("Vary", "Origin"),
)


class ForeignError(ValueError):
    """The request comes from where none is taken from: 403, or 421 for its host."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class Origins(NamedTuple):
    """Who may speak to the bridge: its own names, and the pages of these origins."""

    hosts: frozenset[str]
    allowed: frozenset[str]

    def check(self, environ: Mapping[str, str]) -> str | None:
        """The origin of the page that asks, or None for what is no browser.

        ``ForeignError`` for all else.
        """
        if environ.get("HTTP_HOST", "").lower() not in self.hosts:
            raise ForeignError("this is no host of that name", 421)
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            _refuse_browser(environ)
            return None
        if origin not in self.allowed:
            raise ForeignError("this origin may not use the bridge")
        if environ.get("HTTP_SEC_FETCH_MODE", "cors") != "cors":
            raise ForeignError("only a fetch with CORS is answered")
        if environ.get("HTTP_SEC_FETCH_DEST", "empty") != "empty":
            raise ForeignError("only a fetch is answered")
        return origin


def _refuse_browser(environ: Mapping[str, str]) -> None:
    if "HTTP_SERVICE_WORKER" in environ or any(
        name.startswith("HTTP_SEC_FETCH_") for name in environ
    ):
        raise ForeignError("a browser says of which origin it asks")


def looks_like_browser(environ: Mapping[str, str]) -> bool:
    """Whether to be careful not to make it ask its user for a password.

    Old browsers do not say where they come from, and are told by what else they say.
    """
    return (
        "HTTP_ORIGIN" in environ
        or "HTTP_UPGRADE_INSECURE_REQUESTS" in environ
        or "text/html" in environ.get("HTTP_ACCEPT", "")
    )


def is_preflight(environ: Mapping[str, str]) -> bool:
    return (
        environ["REQUEST_METHOD"] == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ
    )


def preflight_headers(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a browser is told beside ``cors_headers``, before it sends what the page wants sent."""
    headers = [
        ("Access-Control-Allow-Methods", _METHODS),
        ("Access-Control-Allow-Headers", _HEADERS),
        ("Access-Control-Max-Age", "600"),
    ]
    if environ.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true":
        headers.append(("Access-Control-Allow-Private-Network", "true"))
    return headers


def cors_headers(origin: str | None) -> list[tuple[str, str]]:
    """Nothing of credentials: a browser has none for the bridge but those that the page gives."""
    if origin is None:
        return []
    return [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", _EXPOSED),
    ]


def checked_origins(origins: Iterable[str]) -> frozenset[str]:
    """As browsers spell them: ``scheme://host[:port]`` and nothing behind it.

    ``ValueError`` for ``*`` and ``null``, which are the origins of anybody.
    """
    if isinstance(origins, str):
        raise TypeError(f"origins is a list of them: [{origins!r}]")
    found = frozenset(origins)
    for origin in found:
        if not isinstance(origin, str):
            raise TypeError(f"an origin is a str, not {type(origin).__name__}")
        scheme, colon, host = origin.partition("://")
        is_good = colon and scheme not in ("", "file") and _is_host(host)
        if not is_good or origin != origin.lower():
            raise ValueError(f"an origin is as browsers spell it, 'https://host:port': {origin!r}")
    return found


def _is_host(host: str) -> bool:
    return (
        0 < len(host) <= _LONGEST
        and host.isascii()
        and host.isprintable()
        and not set(host) & set("/\\?#@* ,;'\"")
    )
