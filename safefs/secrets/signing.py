"""Claims signed and verified: the only import of PyJWT, and it comes late.

HS256 and nothing else, whatever a token says of itself. Before the library is asked, a token has to
be spelled as it would be here: three parts in base 64 without a spare bit, a header with the two
members that are written here, no name twice in an object. So a header that brings its own key, or
names another algorithm, ends before anything is done with it.

What is wrong is returned and not raised: the frames of the library hold the key and the token, and
a traceback may show what frames hold. An error of somebody else, as of a handler of signals, passes
without these frames.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from safefs.age.frames import without_frames
from safefs.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType
    from typing import Any

    from safefs.age.hidden import Hidden

_ALGORITHM = "HS256"
_HEADER = {"alg": _ALGORITHM, "typ": "JWT"}
_LONGEST = 16 * 1024
# What the library says of claims that it has not thought of. Not all errors: a handler of signals
# may raise one of its own in there, which says nothing of the token.
_ODD = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_REQUIRED = ["aud", "exp", "iat", "jti", "nbf"]


def signed(claims: Mapping[str, Any], key: Hidden) -> str:
    jwt = _jwt()
    return without_frames(lambda: str(jwt.encode(dict(claims), key.reveal(), algorithm=_ALGORITHM)))


def verified(
    token: Hidden, key: Hidden, *, audience: str | None, timely: bool = True
) -> dict[str, Any] | TokenError:
    """The claims of a token that was signed with this key.

    ``audience`` None is any, and ``timely`` false any time: for who revokes one.
    """
    return without_frames(lambda: _verified(token, key, audience, timely=timely))


def _verified(
    token: Hidden, key: Hidden, audience: str | None, *, timely: bool
) -> dict[str, Any] | TokenError:
    jwt = _jwt()
    error = _misspelled(token)
    if error is not None:
        return error
    options = {
        "require": _REQUIRED,
        "strict_aud": audience is not None,
        "verify_aud": audience is not None,
        **dict.fromkeys(("verify_exp", "verify_iat", "verify_nbf"), timely),
    }
    try:
        return dict(
            jwt.decode(
                token.reveal().decode(),
                key.reveal(),
                algorithms=[_ALGORITHM],
                options=options,
                audience=audience,
                leeway=0,
            )
        )
    except (jwt.PyJWTError, *_ODD) as failure:  # what is not understood is refused
        return _refusal(jwt, failure)


def _refusal(jwt: ModuleType, failure: Exception) -> TokenError:
    kinds = {
        jwt.InvalidSignatureError: (TokenError.SIGNATURE, "it was changed, or is another key's"),
        jwt.InvalidAlgorithmError: (TokenError.SIGNATURE, f"it is not signed by {_ALGORITHM}"),
        jwt.ExpiredSignatureError: (TokenError.EXPIRED, "its time is over"),
        jwt.ImmatureSignatureError: (
            TokenError.EARLY,
            "it was issued in the future by this clock, which may have been set back",
        ),
        jwt.InvalidAudienceError: (TokenError.AUDIENCE, "it is for somebody else"),
    }
    for kind, (reason, detail) in kinds.items():
        if isinstance(failure, kind):
            return TokenError(reason, detail)
    return TokenError(TokenError.MALFORMED, "its claims are not those of a token made here")


def _misspelled(token: Hidden) -> TokenError | None:
    if len(token) > _LONGEST:
        return _malformed(f"it is longer than {_LONGEST} bytes")
    parts = token.reveal().split(b".")
    if len(parts) != 3:
        return _malformed("it has not three parts")
    decoded = [_decoded(part) for part in parts]
    if None in decoded:
        return _malformed("a part of it is not base 64 in its one spelling")
    header, payload = (_object(data or b"") for data in decoded[:2])
    if header is None or payload is None:
        return _malformed("a part of it is no JSON object, or one with a name twice")
    if header.get("alg") != _ALGORITHM:
        return TokenError(TokenError.SIGNATURE, f"it is not signed by {_ALGORITHM}")
    if header != _HEADER:
        return _malformed("its header is not the one of a token made here")
    return None


def _malformed(detail: str) -> TokenError:
    return TokenError(TokenError.MALFORMED, detail)


def _decoded(part: bytes) -> bytes | None:
    try:
        data = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:  # binascii.Error too
        return None
    return data if urlsafe_b64encode(data).rstrip(b"=") == part else None


def _object(data: bytes) -> dict[str, Any] | None:
    """None for anything but an object, and for one in which a name stands twice."""
    try:
        found = json.loads(data, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _jwt() -> ModuleType:
    try:
        import jwt
    except ImportError:
        raise ImportError(
            "tokens are signed by PyJWT: install safefs[crypto]", name="jwt"
        ) from None
    return jwt
