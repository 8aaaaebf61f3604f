"""Small things sealed as a whole, each with a word inside that says what it is.

An age file says of itself only that somebody sealed it for this key. So what is to be a secret
called "mail" begins with a line that says so, and is taken for nothing else, whatever file or text
it is found in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.age.frames import without_frames
from safefs.age.hidden import Hidden
from safefs.age.sealing import decrypt_bytes, encrypt_bytes
from safefs.errors import SealedFileError

if TYPE_CHECKING:
    from safefs.age.opening import Key


def sealed(what: str, content: Hidden, key: Key) -> bytes:
    """``content``, as ``what`` (one line), for the recipient of ``key``: an age file."""
    return without_frames(
        lambda: encrypt_bytes(_line(what) + content.reveal(), [key.recipient]),
    )


def opened(what: str, data: bytes, key: Key) -> Hidden:
    """What was sealed as ``what``; ``SealedFileError`` for anything else, and nothing of it."""
    return without_frames(lambda: _opened(what, data, key))


def _opened(what: str, data: bytes, key: Key) -> Hidden:
    whole = Hidden(decrypt_bytes(data, [key]))
    if not whole.reveal().startswith(_line(what)):
        raise SealedFileError(
            SealedFileError.PAYLOAD, f"it is not {what}, but something else sealed for this key"
        )
    return Hidden(whole.reveal()[len(_line(what)) :])


def _line(what: str) -> bytes:
    return what.encode() + b"\n"
