"""The part of the file system that looks at entries and walks trees."""

from __future__ import annotations

from abc import abstractmethod
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, NamedTuple

from fsspec.spec import AbstractFileSystem

from safefs.drivers.base import is_absence
from safefs.errors import EscapeError, InvalidPathError, PolicyError, UnknownDiskError
from safefs.integrations.fsspec.infos import disk_info, info_of, infos_beneath, moment, type_of
from safefs.integrations.fsspec.place import Place, answer, base

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from safefs.integrations.fsspec.infos import Info
    from safefs.operations.survey import Describe, Level

    OnError = str | Callable[[OSError], object]


class Seen:
    """One directory as it was met: its name here, what a name in it begins with, and its entries.

    The names of its directories, and of all others; with detail a dict of the directories' infos,
    and a list of the others'. A link counts as what it leads to; one that leads nowhere or out is
    not among them.
    """

    __slots__ = ("directories", "files", "here", "prefix")

    def __init__(self, here: str, prefix: str, directories: Any, files: list[Any]) -> None:
        self.here = here
        self.prefix = prefix
        self.directories = directories
        self.files = files


class Met(NamedTuple):
    """A level of a survey, with the names it has here, and the stat of what its links lead to."""

    here: str
    prefix: str
    level: Level
    linked: dict[str, os.stat_result]


class Looking(AbstractFileSystem):  # type: ignore[misc]  # fsspec is not typed
    """All that looks and changes nothing. What reaches a disk comes through ``_place``."""

    _is_door = True  # for safefs.audit

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
            return place.driver.exists(place.rel)
        except (OSError, ValueError) as error:
            if is_absence(error):
                return False
            raise

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
        """What a directory holds, or the one file; at the top, the disks, none of them opened.

        A link inside counts as what it leads to; one that leads nowhere, or out, is in no list.
        Names are sorted; infos come as the system gives them, directories first.
        """
        for seen in self._seen(path, 1, detail=detail, on_error="raise"):
            if not detail:
                return [seen.prefix + name for name in sorted([*seen.directories, *seen.files])]
            return [*seen.directories.values(), *seen.files]
        info = self.info(path)
        return [info] if detail else [info["name"]]

    # Trees

    def _seen(
        self, path: str, depth: int | None, *, detail: bool, on_error: OnError
    ) -> Iterator[Seen]:
        """Each directory of a tree, top down; nothing where the path leads to no directory.

        No link is entered. After each step, ``directories`` says where to go.
        """
        seen_as = _with_infos if detail else _with_names
        for met in self._levels(path, depth, infos_beneath if detail else None, on_error):
            seen = seen_as(met)
            yield seen
            # Read after the yield: whoever walks may leave names out, as with os.walk.
            met.level.directories[:] = [n for n in seen.directories if n not in met.linked]

    def _levels(
        self,
        path: str,
        depth: int | None,
        description: Callable[[str], Describe] | None,
        on_error: OnError,
    ) -> Iterator[Met]:
        """The survey beneath a path; ``description`` is given what the names begin with here.

        Where the path itself is refused it says so, whatever ``on_error``: "nothing there" would be
        no true answer.
        """
        met = False
        try:
            for level in self._beneath(self._place(path), depth, description, on_error):
                met = True
                yield level
        except NotADirectoryError as error:
            if not self._is_leaf(path):
                report(error, on_error)
        except OSError as error:
            if not met and is_refusal(error):
                raise
            report(error, on_error)

    def _beneath(
        self,
        place: Place,
        depth: int | None,
        description: Callable[[str], Describe] | None,
        on_error: OnError,
    ) -> Iterator[Met]:
        prefix = place.prefix

        def failed(error: OSError) -> None:
            error.filename = f"{prefix}{error.filename}"
            report(error, on_error)

        describe = None if description is None else description(prefix)
        for level in place.driver.survey(place.rel, depth=depth, describe=describe, onerror=failed):
            linked = _linked(place, level, on_error) if level.links else {}
            if level.path:
                here = prefix + level.path
                yield Met(here, f"{here}/", level, linked)
            else:
                yield Met(place.name, prefix, level, linked)

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
        parent. ``on_error`` is for what is missing, and for errors on the way: a path that leads
        out, or is on no disk that is registered, is raised at the first step.
        """
        check_depth(maxdepth)
        steps = self._steps(path, maxdepth, on_error, detail=detail)
        yield from steps if topdown else reversed(list(steps))

    def _steps(
        self, path: str, maxdepth: int | None, on_error: OnError, *, detail: bool
    ) -> Iterator[tuple[str, Any, Any]]:
        met = False
        for seen in self._seen(path, maxdepth, detail=detail, on_error=on_error):
            met = True
            files = {base(info["name"]): info for info in seen.files} if detail else seen.files
            yield seen.here, seen.directories, files
        if not met and self._is_leaf(path):
            yield self._name(path), {} if detail else [], {"": self.info(path)} if detail else [""]


def check_depth(maxdepth: int | None) -> None:
    """Refuse a depth of no levels, as fsspec does."""
    if maxdepth is not None and maxdepth < 1:
        raise ValueError("maxdepth must be at least 1")


def is_refusal(error: BaseException) -> bool:
    """Whether a path was refused, or names no disk, and so nothing is known of what is there."""
    refusals = (EscapeError, InvalidPathError, PolicyError)
    return isinstance(error, refusals) or isinstance(error.__cause__, UnknownDiskError)


def report(error: OSError, on_error: OnError) -> None:
    if on_error == "raise":
        try:
            raise error
        finally:
            del error  # or it is a cycle, and keeps what its frames have open
    if callable(on_error):
        on_error(error)


def _with_names(met: Met) -> Seen:
    directories, files = met.level.directories, met.level.files
    if met.linked:
        to = {name for name, found in met.linked.items() if S_ISDIR(found.st_mode)}
        directories = sorted([*directories, *to])
        files = sorted([*files, *(met.linked.keys() - to)])
    return Seen(met.here, met.prefix, directories, files)


def _with_infos(met: Met) -> Seen:
    if met.level.found is None:  # the top, where the disks are
        disks = {name: disk_info(name) for name in met.level.directories}
        return Seen(met.here, met.prefix, disks, [])
    directories, files = met.level.found
    for name, found in met.linked.items():
        info = info_of(met.prefix + name, found, islink=True)
        if S_ISDIR(found.st_mode):
            directories[name] = info
        else:
            files.append(info)
    return Seen(met.here, met.prefix, {n: directories[n] for n in sorted(directories)}, files)


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
