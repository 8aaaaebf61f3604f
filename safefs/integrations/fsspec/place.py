"""How a path of fsspec comes in: text, once, to a driver and a path on it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from fsspec.utils import stringify_path

from safefs.audit import refused
from safefs.diskpath import DiskPath
from safefs.drivers.base import is_absence
from safefs.drivers.observed import teller
from safefs.errors import EscapeError, InvalidPathError
from safefs.integrations.fsspec.caches import refuse_caches
from safefs.paths import RelPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.disk import Disk
    from safefs.drivers.base import Driver

_T = TypeVar("_T")


class Place:
    """A path on a disk: the driver beneath the disk, and the path as the driver is given it.

    ``name`` is what it is called here (``documents/a.csv``), and what errors call it.
    """

    __slots__ = ("disk", "driver", "name", "rel")

    def __init__(self, disk: Disk, name: str, text: str) -> None:
        """``text`` is the part of ``name`` that is beneath the disk."""
        self.disk = disk
        if text[:1] == "/":
            raise refused(EscapeError(name, None, EscapeError.ABSOLUTE_PATH))
        if "\0" in text:
            raise refused(InvalidPathError(name, "a path holds no NUL"))
        self.driver: Driver = disk._driver  # noqa: SLF001  (the door goes to the driver itself)
        refuse_caches(self.driver, name)
        self.name = name
        self.rel = rel = RelPath.parse(text)
        rel.shown = name

    @property
    def _disk_name(self) -> str | None:
        return self.disk.name

    @property
    def _teller(self) -> Callable[..., None] | None:
        return teller(self.disk._driver)  # noqa: SLF001  (as above)

    @property
    def prefix(self) -> str:
        """What stands before the name of an entry of it."""
        return self.name if self.name[-1:] == "/" else f"{self.name}/"

    @property
    def is_disk(self) -> bool:
        """Whether the path names the disk itself, by an empty path or by dots alone."""
        return not self.rel.raw or set(self.rel.names) <= {b"."}

    def beneath(self, path: str) -> RelPath:
        """The path of something that a listing of this directory has named."""
        raw, above = os.fsencode(path), self.rel.raw
        return RelPath(b"/".join((above, raw)) if above else raw, self.prefix + path)


def text_of(path: Any) -> str:
    """The exact str of what fsspec's users give as a path."""
    if type(path) is str:
        return path
    if isinstance(path, DiskPath):
        raise TypeError(
            "a DiskPath is no path of this file system; give its url, or its as_posix()"
        )
    text = stringify_path(path)
    if not isinstance(text, str):
        raise TypeError(f"a path of safefs:// is str or os.PathLike, not {type(path).__name__}")
    return str.__str__(text)


def has_magic(path: str) -> bool:
    """Whether fsspec would take this for a pattern."""
    return "*" in path or "?" in path or "[" in path


def join(path: str, name: str) -> str:
    """A name in a directory; the top has no name of its own, or is ``/``."""
    return f"{path}{name}" if path in ("", "/") else f"{path}/{name}"


def base(name: str) -> str:
    """The last component."""
    return name.rpartition("/")[2]


def parent(name: str) -> str:
    """What stands before the last component."""
    return name.rpartition("/")[0]


def answer(ask: Callable[[], _T]) -> _T | None:
    """What ``ask`` returns, or None where it says that something is not there."""
    try:
        return ask()
    except (OSError, ValueError) as error:
        if is_absence(error):
            return None
        raise
