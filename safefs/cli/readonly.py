"""The disks of an application, for a command that is to change none of them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from safefs.storage import Storage

if TYPE_CHECKING:
    from typing import Any

    from safefs.disk import Disk


class ReadOnlyStorage(Storage):
    """A ``Storage`` that gives out read-only disks alone; its folders are made as ever."""

    def __init__(self, app: str, **options: Any) -> None:
        super().__init__(app, **options)
        self._readers: dict[str, Disk] = {}

    def disk(self, name: str) -> Disk:
        if name not in self._readers:
            self._readers[name] = super().disk(name).read_only()
        return self._readers[name]

    def close(self) -> None:
        with ExitStack() as stack:
            stack.callback(super().close)
            for disk in self._readers.values():
                stack.callback(disk.close)
