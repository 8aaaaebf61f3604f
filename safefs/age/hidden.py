"""Bytes that are a secret: shown as ``***``, compared in constant time, never pickled."""

from __future__ import annotations

from hmac import compare_digest
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

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def reveal(self) -> bytes:
        return self._data

    def __repr__(self) -> str:
        return "***"

    def __len__(self) -> int:
        return len(self._data)

    def __eq__(self, other: object) -> bool:
        return compare_digest(self._data, other._data) if isinstance(other, Hidden) else False

    __hash__ = None  # type: ignore[assignment]  # a hash tells of what it was made from
