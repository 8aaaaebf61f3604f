"""fsspec's caches, which would leave on another disk, in plain, what an encrypted disk holds.

``filecache::``, ``simplecache::``, ``blockcache::`` and their like read a file system and keep what
they read in a directory of their own; what is written through them lies there too. They say to
nobody that they do: it is seen by who calls.

What is read through one is refused before anything is copied. What is written is refused as soon as
the cache asks for anything. It asks for nothing where a list of URLs is opened to be written in one
block, or where another file system stands in between: then what was written lies in the cache by
the time it is to come here, and the error has a note that says where.
"""

from __future__ import annotations

import io
import sys
from errno import ENOTSUP
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType, TracebackType

    from safefs.drivers.base import Driver

_CACHES = "fsspec.implementations.cached"
_WHY = (
    "a cache would leave in plain, on another disk, what is encrypted on this one: open the file "
    "without filecache::, simplecache:: or blockcache::"
)


def refuse_caches(driver: Driver, name: str) -> None:
    """UnsupportedOperation where it is a cache that asks, and what it asks for is encrypted."""
    if driver.encrypts and is_for_a_cache():
        raise io.UnsupportedOperation(ENOTSUP, _WHY, name)


class Lying:
    """A block in which local files are read: an error says where they lie if a cache is refused."""

    def __init__(self, paths: object) -> None:
        self._paths = paths

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, io.UnsupportedOperation) and is_for_a_cache():
            error.add_note(f"what was written lies in plain at {self._paths!r}: remove it there")


def is_for_a_cache() -> bool:
    """Whether a cache is among those who wait for an answer, at whatever depth.

    Those of other makers are made of fsspec's, which asks for the path first.
    """
    if _CACHES not in sys.modules:
        return False
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (what traceback.walk_stack uses, without its import)
    while frame is not None:
        if frame.f_globals.get("__name__") == _CACHES:
            return True
        frame = frame.f_back
    return False
