"""``storage.encrypt_text``: a text sealed as a text, to be kept wherever texts are kept."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING

from safefs.age.hidden import Hidden
from safefs.age.primitives import available
from safefs.errors import SealedFileError
from safefs.secrets.sealing import opened, sealed
from safefs.secrets.secret import hidden_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.age.opening import Key
    from safefs.secrets.holder import Holder

_WHAT = "safefs text"


Kept = Hidden | TypeError | ValueError


def kept(text: object) -> Kept:
    """The text, for what follows; or what is wrong with it, for that to raise."""
    if not isinstance(text, str):
        return TypeError(f"a text is a str, not {type(text).__name__}")
    return hidden_of(text)


def exported(text: object) -> Hidden:
    """A text of keys, for what follows; what is none is no key."""
    if isinstance(text, str):
        text = text.encode("utf-8", "replace")
    if isinstance(text, bytes):
        text = Hidden(text)
    return text if isinstance(text, Hidden) else Hidden(b"")


def encrypted(text: Kept, key: Key) -> str:
    if not isinstance(text, Hidden):
        raise text
    return urlsafe_b64encode(sealed(_WHAT, text, key)).decode().rstrip("=")


def decrypted(token: Kept, key: Key) -> str:
    """``token`` is hidden as well: it may be what somebody forgot to encrypt."""
    if isinstance(token, TypeError):
        raise token
    data = None if isinstance(token, ValueError) else _decoded(token)
    if data is None:
        raise SealedFileError(SealedFileError.ARMOR, "it is not what encrypt_text returned")
    content = opened(_WHAT, data, key)
    if not _is_text(content):
        raise SealedFileError(SealedFileError.PAYLOAD, "it is no text that was encrypted here")
    return content.reveal().decode()


def _decoded(token: Hidden) -> bytes | None:
    """None for what is not spelled so: of each there is one spelling."""
    try:
        data = urlsafe_b64decode(token.reveal() + b"=" * (-len(token) % 4))
    except ValueError:  # binascii.Error too
        return None
    return data if urlsafe_b64encode(data).rstrip(b"=") == token.reveal() else None


def _is_text(content: Hidden) -> bool:
    """It raises nothing: the error of a decoding holds what it decodes."""
    try:
        content.reveal().decode()
    except UnicodeDecodeError:
        return False
    return True


def can_encrypt(holder: Callable[[], Holder]) -> bool:
    try:
        return available() and holder().at_hand()
    except Exception:  # noqa: BLE001  (whatever it is, it stands in the way)
        return False
