"""Small things sealed as a whole, each with a word inside that says what it is.

An age file says of itself only that somebody sealed it for this key. So what is to be a secret
called "mail" begins with a line that says so, and is taken for nothing else, whatever file or text
it is found in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.age.hidden import Hidden
from safefs.age.sealing import decrypt_bytes, encrypt_bytes
from safefs.errors import SealedFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from safefs.age.opening import Key

    Made = TypeVar("Made")


def sealed(what: str, content: Hidden, key: Key) -> bytes:
    """``content``, as ``what`` (one line), for the recipient of ``key``: an age file."""
    return _without_frames(
        lambda: encrypt_bytes(_line(what) + content.reveal(), [key.recipient]),
    )


def opened(what: str, data: bytes, key: Key) -> Hidden:
    """What was sealed as ``what``; ``SealedFileError`` for anything else, and nothing of it."""
    whole = _without_frames(lambda: Hidden(decrypt_bytes(data, [key])))
    if not whole.reveal().startswith(_line(what)):
        raise SealedFileError(
            SealedFileError.PAYLOAD, f"it is not {what}, but something else sealed for this key"
        )
    return Hidden(whole.reveal()[len(_line(what)) :])


def _line(what: str) -> bytes:
    return what.encode() + b"\n"


def _without_frames(make: Callable[[], Made]) -> Made:
    """What ``make`` returns or raises; an error without the frames it came through.

    They hold a part of the content, and a traceback may show what frames hold.
    """
    try:
        return make()
    except Exception as error:  # noqa: BLE001  (it is raised below)
        failure = error
    failure.__traceback__ = failure.__context__ = failure.__cause__ = None
    raise failure
