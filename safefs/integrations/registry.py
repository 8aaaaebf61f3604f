"""Which disks this process offers under ``safefs://``, and by what name.

What is registered is open to all code in the process: whoever can name ``safefs://documents`` can
read and write there. Nothing is registered by importing, configuring or opening anything, only by
``Storage.register``. Here are names only; fsspec is not imported.
"""

from __future__ import annotations

import threading
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from safefs.errors import UnknownDiskError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from safefs.disk import Disk
    from safefs.storage import Storage

_numbers = count()
# Writers replace the whole mapping under the lock, so that readers need none.
_lock = threading.Lock()
_registered: Mapping[str, Entry] = {}


class Entry(NamedTuple):
    """Whose disk a name stands for, and the registrations that hold it."""

    storage: Storage
    disk: str
    holders: frozenset[int]


class Registration:
    """Some disks under ``safefs://``, until ``close`` or the end of a ``with`` block.

    A name that several registrations of one Storage hold, ``names`` of each, is there until the
    last of them is closed, or the Storage. One that is dropped unclosed holds its names all the
    same.
    """

    __slots__ = ("_number", "_storage", "names")

    def __init__(self, storage: Storage, names: tuple[str, ...], number: int) -> None:
        self._storage = storage
        self._number = number
        self.names = names

    @property
    def closed(self) -> bool:
        """Whether it holds no name any more, by its own close or that of the Storage."""
        return not any(self._number in entry.holders for entry in _registered.values())

    def close(self) -> None:
        """Give the names back. May be called twice."""
        _release(self._number)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if not hasattr(self, "names"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        names = ", ".join(f"safefs://{name}" for name in self.names)
        return f"<Registration of {self._storage.app!r}{' closed' * self.closed}: {names}>"


def add(storage: Storage, disks: Mapping[str, str]) -> Registration:
    """Offer ``disks`` (by what name -> which disk of ``storage``), all of them or none.

    Raises ``ValueError`` where a name is taken, by another Storage or for another disk.
    """
    global _registered
    with _lock:
        for name, disk in disks.items():
            held = _registered.get(name)
            if held is not None and (held.storage, held.disk) != (storage, disk):
                raise ValueError(f"safefs://{name} is registered already; give a prefix")
        number = next(_numbers)
        added = {}
        for name, disk in disks.items():
            held = _registered.get(name)
            others = frozenset[int]() if held is None else held.holders
            added[name] = Entry(storage, disk, others | {number})
        _registered = {**_registered, **added}
    return Registration(storage, tuple(added), number)


def remove(storage: Storage) -> None:
    """Withdraw all names of ``storage``, whoever holds them."""
    global _registered
    with _lock:
        _registered = {
            name: entry for name, entry in _registered.items() if entry.storage is not storage
        }


def _release(number: int) -> None:
    global _registered
    with _lock:
        left = {
            name: entry._replace(holders=entry.holders - {number})
            for name, entry in _registered.items()
        }
        _registered = {name: entry for name, entry in left.items() if entry.holders}


def names() -> tuple[str, ...]:
    """What is registered, sorted."""
    return tuple(sorted(_registered))


def find(name: str) -> Disk:
    """The disk under this name, opened now if it was not. Raises ``UnknownDiskError``."""
    entry = _registered.get(name)
    if entry is None:
        raise UnknownDiskError(name, names())
    return entry.storage.disk(entry.disk)


def name_of(disk: Disk) -> str | None:
    """The name under which this very disk is registered, or None."""
    return next(
        (name for name, held in _registered.items() if held.storage.holds(held.disk, disk)), None
    )
