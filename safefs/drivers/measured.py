"""What a disk knows of a sealed file: the size of what is sealed, where that can be told."""

from __future__ import annotations

import copy
import os
from dataclasses import replace
from typing import Any, cast

from safefs.drivers.base import Stat

_SIZE = 6  # in an os.stat_result
_SEEN = ("kind", "mtime_ns", "mode", "identity")


def with_size(found: Stat, size: int) -> Stat:
    """The same file, of which so many bytes are content; its version is that of what is stored."""
    return replace(found, size=size, stored=found.size)


def result_with_size(found: os.stat_result, size: int | None) -> os.stat_result:
    """Likewise; None is fsspec's word for what is not known."""
    fields, by_name = cast("Any", found).__reduce__()[1]
    sized: Any = (*fields[:_SIZE], size, *fields[_SIZE + 1 :])
    return os.stat_result(sized, by_name)


class UnmeasuredStat(Stat):
    """Of a file whose size cannot be told: to ask for it raises why.

    So a directory with one file in it that is not sealed, is damaged, or may not be read is listed
    all the same, and whoever wants to know how large that file is hears what is wrong with it.
    """

    __slots__ = ("_why",)

    def __init__(self, found: Stat, why: Exception) -> None:
        for name in _SEEN:
            object.__setattr__(self, name, getattr(found, name))
        object.__setattr__(self, "stored", found.size)
        # Without its traceback, whose frames would have the file open.
        object.__setattr__(self, "_why", why.with_traceback(None))

    @property
    def size(self) -> int:
        raise copy.copy(self._why)  # type: ignore[attr-defined]

    def _facts(self) -> tuple[object, ...]:
        return self.kind, self.stored, self.mtime_ns, self.mode

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnmeasuredStat) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(self._facts())

    def __repr__(self) -> str:
        if not hasattr(self, "_why"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        return f"<a {self.kind} whose size is not known: {self._why}>"

    def __reduce__(self) -> tuple[Any, ...]:
        plain = Stat(self.kind, self.stored or 0, self.mtime_ns, self.mode, self.identity)
        return type(self), (plain, self._why)  # type: ignore[attr-defined]
