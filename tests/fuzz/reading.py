"""Bytes, read as choices: every input means something, and a small change means a small one."""

from __future__ import annotations

from typing import TypeVar

Thing = TypeVar("Thing")


class Choices:
    """What is read one byte at a time; at the end all further ones are 0."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, limit: int) -> int:
        """A number from 0 up to, and not including, ``limit``."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1] % limit

    def of(self, things: tuple[Thing, ...]) -> Thing:
        return things[self.below(len(things))]
