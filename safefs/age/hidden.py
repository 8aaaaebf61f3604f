"""Bytes that are a secret: shown as ``***``, compared in constant time, never pickled."""

from __future__ import annotations

from hmac import compare_digest
from io import BytesIO
from typing import NoReturn


class Unpickled:
    """What holds a key: pickle and copy are refused with a TypeError."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a key, and is neither pickled nor copied")


class Hidden(Unpickled):
    """Secret bytes, on their way from one function to another.

    A traceback may show the locals of its frames, and a log the arguments of a call: they show
    this. Who needs the bytes asks for them with ``reveal``, and binds them to no name.
    """

    __slots__ = ("_kept",)

    def __init__(self, data: bytes) -> None:
        # What prints an object with all its attributes, private ones too, prints no bytes: it would
        # have to call a method. Nothing is copied, here or when it is revealed.
        self._kept = BytesIO(data)

    def reveal(self) -> bytes:
        return self._kept.getvalue()

    def __repr__(self) -> str:
        return "***"

    def __len__(self) -> int:
        return len(self.reveal())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Hidden):
            return False
        return compare_digest(self.reveal(), other.reveal())

    __hash__ = None  # type: ignore[assignment]  # a hash tells of what it was made from
