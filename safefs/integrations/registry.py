"""Which disks this process offers under ``safefs://``, and by what name.

What is registered is open to all code in the process: whoever can name ``safefs://documents`` can
read and write there. Nothing is registered by importing, configuring or opening anything, only by
``Storage.register``. Here are names only; fsspec is not imported.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from safefs.errors import UnknownDiskError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from safefs.disk import Disk
    from safefs.storage import Storage

# Writers replace the whole mapping under the lock, so that readers need none.
_lock = threading.Lock()
_registered: Mapping[str, tuple[Storage, str]] = {}


class Registration:
    """Some disks under ``safefs://``, until ``close`` or the end of a ``with`` block.

    ``names`` are those this registration added: what the same Storage had registered before stays.
    """

    __slots__ = ("_storage", "names")

    def __init__(self, storage: Storage, names: tuple[str, ...]) -> None:
        self._storage = storage
        self.names = names

    def close(self) -> None:
        """Take the names back. May be called twice."""
        remove(self._storage, self.names)

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
        return f"<Registration {', '.join(f'safefs://{name}' for name in self.names)}>"


def add(storage: Storage, disks: Mapping[str, str]) -> Registration:
    """Offer ``disks`` (by what name -> which disk of ``storage``), all of them or none.

    Raises ``ValueError`` where a name is taken, by another Storage or for another disk.
    """
    global _registered
    with _lock:
        for name, disk in disks.items():
            if _registered.get(name, (storage, disk)) != (storage, disk):
                raise ValueError(f"safefs://{name} is registered already; give a prefix")
        added = {name: (storage, disk) for name, disk in disks.items() if name not in _registered}
        _registered = {**_registered, **added}
    return Registration(storage, tuple(added))


def remove(storage: Storage, names: tuple[str, ...] | None = None) -> None:
    """Withdraw these names of ``storage``, or all it has."""
    global _registered
    with _lock:
        _registered = {
            name: entry
            for name, entry in _registered.items()
            if entry[0] is not storage or (names is not None and name not in names)
        }


def names() -> tuple[str, ...]:
    """What is registered, sorted."""
    return tuple(sorted(_registered))


def find(name: str) -> Disk:
    """The disk under this name, opened now if it was not. Raises ``UnknownDiskError``."""
    entry = _registered.get(name)
    if entry is None:
        raise UnknownDiskError(name, names())
    storage, disk = entry
    return storage.disk(disk)


def name_of(disk: Disk) -> str | None:
    """The name under which this very disk is registered, or None."""
    return next(
        (name for name, (storage, held) in _registered.items() if storage.holds(held, disk)), None
    )
