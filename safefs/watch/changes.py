"""What a watcher tells."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from safefs.drivers.base import Stat

ChangeKind = Literal[
    "created", "modified", "removed", "renamed", "resync", "root_moved", "root_gone"
]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what a reader has been told of a disk and what is there now.

    ``kind``:

    ``"created"``
        an entry is there that was not; a directory comes before what is in it
    ``"modified"``
        size, modification time, permissions or the file itself are others; of a directory,
        its permissions
    ``"removed"``
        an entry is not there any more; what was in a directory comes before it
    ``"renamed"``
        ``old_path`` is ``path`` now; what is beneath a directory has gone with it, untold
    ``"resync"``, ``"root_moved"``, ``"root_gone"``
        of the watching itself: a ``Resync``, ``RootMoved`` or ``RootGone``

    ``path`` and ``old_path`` are paths of the disk. ``stat`` is what was seen of the entry itself
    when it was told, of one that was removed what had been seen last; it is no part of equality.
    """

    kind: ChangeKind
    path: str
    old_path: str | None = None
    stat: Stat | None = field(default=None, compare=False, repr=False)


class Resync(Change):
    """Hints were lost: all beneath ``path`` has been compared, and what differed follows."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__("resync", path)


class RootMoved(Change):
    """The directory that is watched is not where it was, or another is; this is the last change."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__("root_moved", path)


class RootGone(Change):
    """The directory that is watched has been removed; this is the last change."""

    __slots__ = ()

    def __init__(self, path: str) -> None:
        super().__init__("root_gone", path)
