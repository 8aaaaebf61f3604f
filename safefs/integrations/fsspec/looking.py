"""The part of the file system that looks at entries and walks trees."""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

from fsspec.spec import AbstractFileSystem

from safefs.drivers.base import is_absence
from safefs.integrations.fsspec.infos import disk_info, info_of, moment, type_of
from safefs.integrations.fsspec.place import Place, answer
from safefs.operations.replace import TEMPORARY, is_temporary

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from safefs.integrations.fsspec.infos import Info
    from safefs.operations.survey import Level

    OnError = str | Callable[[OSError], object]


class Seen:
    """One directory as it was met: its name here, what a name in it begins with, and its entries.

    ``linked``: by name the stat of what each link leads to, without those that lead nowhere or out.
    """

    __slots__ = ("here", "level", "linked", "prefix")

    def __init__(
        self, here: str, prefix: str, level: Level, linked: dict[str, os.stat_result]
    ) -> None:
        self.here = here
        self.prefix = prefix
        self.level = level
        self.linked = linked

    def parted(self) -> tuple[list[str], list[str]]:
        """(directories, all others): a link counts as what it leads to."""
        directories, files = self.level.directories, self.level.files
        if self.linked:
            to = {name for name, found in self.linked.items() if S_ISDIR(found.st_mode)}
            directories = sorted([*directories, *to])
            files = sorted([*files, *(self.linked.keys() - to)])
        return directories, files

    def infos(self, names: list[str]) -> dict[str, Info]:
        """The info of each of these names, by name."""
        stats, linked, prefix = self.level.stats, self.linked, self.prefix
        if not stats and not linked:
            return {name: disk_info(prefix + name) for name in names}
        if not linked:
            return {name: info_of(prefix + name, stats[name]) for name in names}
        return {
            name: info_of(prefix + name, linked[name], islink=True)
            if name in linked
            else info_of(prefix + name, stats[name])
            for name in names
        }


class Looking(AbstractFileSystem):  # type: ignore[misc]  # fsspec is not typed
    """All that looks and changes nothing. What reaches a disk comes through ``_place``."""

    @abstractmethod
    def _place(self, path: Any) -> Place:
        """Where this path leads; IsADirectoryError for what is above all disks."""

    def _name(self, path: Any) -> str:
        """The path as it is called here."""
        name: str = self._strip_protocol(path)
        return name

    # One entry

    def info(self, path: str, **_: Any) -> Info:
        """name, size, type, created, mtime, mode, uid, gid, ino, nlink and islink.

        Of what the path leads to; where a link leads is not told (there is no ``destination``).
        """
        place = self._place(path)
        found, islink = place.driver.look(place.rel)
        return info_of(place.name, found, islink=islink)

    def exists(self, path: str, **_: Any) -> bool:
        """Whether the path leads to something; never outside, nor on a disk there is not."""
        try:
            place = self._place(path)
            place.driver.look(place.rel)
        except (OSError, ValueError) as error:
            if is_absence(error):
                return False
            raise
        return True

    def lexists(self, path: str, **_: Any) -> bool:
        """Whether there is such an entry, be it a link that leads nowhere."""
        place = answer(lambda: self._place(path))
        return place is not None and answer(lambda: place.driver.lstat(place.rel)) is not None

    def isfile(self, path: str) -> bool:
        """Whether the path leads to a regular file."""
        return self._type(path) == "file"

    def isdir(self, path: str) -> bool:
        """Whether the path leads to a directory; a disk is one."""
        return self._type(path) == "directory"

    def _type(self, path: str) -> str | None:
        place = answer(lambda: self._place(path))
        found = None if place is None else answer(lambda: place.driver.look(place.rel))
        return None if found is None else type_of(found[0])

    def _is_leaf(self, path: str) -> bool:
        """Whether the path leads to what is there and is no directory."""
        return self._type(path) not in (None, "directory")

    def modified(self, path: str) -> datetime:
        """When the content was last changed: aware, UTC."""
        return moment(self.info(path)["mtime"])

    def created(self, path: str) -> datetime:
        """What ``info`` calls created: when the entry last changed in any way, where the system
        keeps no other time, as on Linux. Aware, UTC.
        """
        return moment(self.info(path)["created"])

    # One directory

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002
        """What a directory holds, sorted, or the one file; at the top, the disks, none opened.

        A link inside counts as what it leads to; one that leads nowhere, or out, is in no list.
        """
        for seen in self._seen(path, 1, stats=detail, on_error="raise"):
            directories, files = seen.parted()
            names = sorted(directories + files)
            return list(seen.infos(names).values()) if detail else [seen.prefix + n for n in names]
        info = self.info(path)
        return [info] if detail else [info["name"]]

    # Trees

    def _seen(
        self, path: str, depth: int | None, *, stats: bool, on_error: OnError
    ) -> Iterator[Seen]:
        """Each directory of a tree, top down; nothing where the path leads to no directory.

        No link is entered. After each step, ``level.directories`` says where to go.
        """
        try:
            place = self._place(path)
            yield from self._beneath(place, depth, stats=stats, on_error=on_error)
        except NotADirectoryError as error:
            if not self._is_leaf(path):
                report(error, on_error)
        except OSError as error:
            report(error, on_error)

    def _beneath(
        self, place: Place, depth: int | None, *, stats: bool, on_error: OnError
    ) -> Iterator[Seen]:
        prefix = place.prefix

        def met(error: OSError) -> None:
            error.filename = f"{prefix}{error.filename}"
            report(error, on_error)

        levels = place.driver.survey(place.rel, depth=depth, stats=stats, onerror=met)
        for level in levels:
            _hide_drafts(level)
            here = prefix + level.path if level.path else place.name
            below = f"{here}/" if level.path else prefix
            yield Seen(here, below, level, _linked(place, level, on_error) if level.links else {})

    def walk(
        self,
        path: str,
        maxdepth: int | None = None,
        topdown: bool = True,  # noqa: FBT001, FBT002
        on_error: OnError = "omit",
        *,
        detail: bool = False,
        **_: Any,
    ) -> Iterator[tuple[str, Any, Any]]:
        """(path, directories, files), as fsspec gives them; a link to a directory is not entered.

        fsspec's own enters all that ``ls`` calls a directory, and so goes round with a link to a
        parent.
        """
        check_depth(maxdepth)
        steps = self._steps(path, maxdepth, on_error, detail=detail)
        yield from steps if topdown else reversed(list(steps))

    def _steps(
        self, path: str, maxdepth: int | None, on_error: OnError, *, detail: bool
    ) -> Iterator[tuple[str, Any, Any]]:
        met = False
        for seen in self._seen(path, maxdepth, stats=detail, on_error=on_error):
            met = True
            directories, files = seen.parted()
            if detail:
                shown = seen.infos(directories)
                yield seen.here, shown, seen.infos(files)
                directories = list(shown)
            else:
                yield seen.here, directories, files
            # Read after the yield: whoever walks may leave names out, as with os.walk.
            seen.level.directories[:] = [n for n in directories if n not in seen.linked]
        if not met and self._is_leaf(path):
            yield self._name(path), {} if detail else [], {"": self.info(path)} if detail else [""]


def check_depth(maxdepth: int | None) -> None:
    """Refuse a depth of no levels, as fsspec does."""
    if maxdepth is not None and maxdepth < 1:
        raise ValueError("maxdepth must be at least 1")


def report(error: OSError, on_error: OnError) -> None:
    if on_error == "raise":
        raise error
    if callable(on_error):
        on_error(error)


def _hide_drafts(level: Level) -> None:
    """Leave out what is being written and has no name yet."""
    for names in (level.directories, level.files):
        at = bisect_left(names, TEMPORARY)
        while at < len(names) and names[at].startswith(TEMPORARY):
            if is_temporary(names[at]):
                del names[at]
            else:
                at += 1


def _linked(place: Place, level: Level, on_error: OnError) -> dict[str, os.stat_result]:
    found = {}
    for name in level.links:
        path = place.beneath(f"{level.path}/{name}" if level.path else name)
        try:
            found[name] = place.driver.look(path)[0]
        except OSError as error:
            if not is_absence(error):
                report(error, on_error)
    return found
