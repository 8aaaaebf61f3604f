"""The part of the file system that finds many entries: find, du, glob, expand_path."""

from __future__ import annotations

import re
from errno import ENOENT
from operator import itemgetter
from os import strerror
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any

from fsspec.utils import glob_translate

from safefs.audit import refused
from safefs.drivers.base import is_absence
from safefs.errors import EscapeError, InvalidPathError
from safefs.integrations.fsspec.infos import known_size, size_of_files
from safefs.integrations.fsspec.looking import Looking, check_depth, is_refusal
from safefs.integrations.fsspec.place import has_magic, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.integrations.fsspec.infos import Info
    from safefs.integrations.fsspec.looking import OnError


class Searching(Looking):
    """What fsspec builds from ``walk`` and an info for each entry, here from whole directories."""

    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,  # noqa: FBT001, FBT002
        detail: bool = False,  # noqa: FBT001, FBT002
        prefix: str = "",
        on_error: OnError = "omit",
        **_: Any,
    ) -> Any:
        """All files beneath a directory, sorted, or with ``detail`` a dict of their infos.

        ``withdirs`` adds the directories, the one that is asked for too; ``prefix`` leaves only
        what begins with it there. A path that leads to a file finds that file. What cannot be read
        is left out, unless ``on_error`` is "raise" or is called for it; and of a path that is not
        there nothing is found. One that leads out is ``EscapeError`` all the same.
        """
        check_depth(maxdepth)
        start = self._start(path) + prefix if prefix else ""
        if not detail:
            files, directories = self._paths(path, maxdepth, on_error)
            names = files + directories if withdirs else files
            if prefix:
                names = [name for name in names if name.startswith(start)]
            names.sort()
            return names
        found = self._infos(path, maxdepth, on_error, withdirs=withdirs)
        if prefix:
            return {name: info for name, info in found.items() if name.startswith(start)}
        return found

    def _start(self, path: str) -> str:
        name = self._name(path)
        return name if name in ("", "/") else f"{name}/"

    def _paths(
        self, path: str, depth: int | None, on_error: OnError
    ) -> tuple[list[str], list[str]]:
        """(files, directories) beneath a path, itself included, but for the top of all disks."""
        all_files: list[str] = []
        all_directories: list[str] = []
        met = False
        for seen in self._seen(path, depth, detail=False, on_error=on_error):
            if not met and seen.here:
                all_directories.append(seen.here)
            met = True
            prefix = seen.prefix
            all_files += [prefix + name for name in seen.files]
            all_directories += [prefix + name for name in seen.directories]
        if not met and self._is_leaf(path):
            all_files.append(self._name(path))
        return all_files, all_directories

    def _infos(
        self, path: str, depth: int | None, on_error: OnError, *, withdirs: bool
    ) -> dict[str, Info]:
        """The infos of what ``_paths`` gives, sorted by name.

        Each is looked into while it is new: later, among a hundred thousand, that costs more than
        all the sorting.
        """
        names: list[str] = []
        infos: list[Info] = []
        met = False
        for seen in self._seen(path, depth, detail=True, on_error=on_error):
            if withdirs:
                if not met and seen.here:
                    names.append(seen.here)
                    infos.append(self.info(seen.here))
                names += [seen.prefix + name for name in seen.directories]
                infos += seen.directories.values()
            met = True
            seen.files.sort(key=itemgetter("name"))
            names += [info["name"] for info in seen.files]
            infos += seen.files
        if not met and self._is_leaf(path):
            infos.append(self.info(path))
            names.append(infos[0]["name"])
        found = dict(zip(names, infos, strict=True))
        ordered = sorted(names)
        return found if ordered == names else {name: found[name] for name in ordered}

    def du(
        self,
        path: str,
        total: bool = True,  # noqa: FBT001, FBT002
        maxdepth: int | None = None,
        withdirs: bool = False,  # noqa: FBT001, FBT002
        on_error: OnError = "omit",
        **_: Any,
    ) -> Any:
        """The bytes of all files beneath, as their sizes say; without ``total`` those of each.

        A file counts by each of its names, and by each link inside that leads to it.
        """
        if total and not withdirs:
            check_depth(maxdepth)
            return self._bytes(path, maxdepth, on_error)
        found = self.find(path, maxdepth, withdirs=withdirs, detail=True, on_error=on_error)
        sizes = {name: info["size"] for name, info in found.items()}
        return sum(known_size(*each) for each in sizes.items()) if total else sizes

    def _bytes(self, path: str, depth: int | None, on_error: OnError) -> int:
        size, met = 0, False
        for here in self._levels(path, depth, lambda _: size_of_files, on_error):
            met = True
            if here.level.found is not None:
                size += here.level.found
            for found in here.linked.values():
                size += 0 if S_ISDIR(found.st_mode) else known_size(here.here, found.st_size)
        if met or not self._is_leaf(path):
            return size
        return known_size(path, self.info(path)["size"])

    def glob(
        self,
        path: str,
        maxdepth: int | None = None,
        detail: bool = False,  # noqa: FBT001, FBT002
        withdirs: bool = True,  # noqa: FBT001, FBT002
        on_error: OnError = "omit",
        **_: Any,
    ) -> Any:
        """The paths that match fsspec's patterns, sorted, or with ``detail`` a dict of infos.

        Names are matched as they are listed; none is built from the pattern and tried, and no link
        is entered. What stands before the first wildcard is a path: nothing matches where it is not
        there, and ``EscapeError`` says that it leads out. ``..`` behind a wildcard is
        ``InvalidPathError``.
        """
        check_depth(maxdepth)
        text = text_of(path)
        pattern: str = self._strip_protocol(text)
        if not has_magic(pattern):
            found = self._info_if_any(pattern)
            return found if detail else list(found)
        plain = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
        top = pattern[: plain.rfind("/") + 1]
        rest = pattern[len(top) :]
        if ".." in rest.split("/"):
            raise refused(InvalidPathError(pattern, "no '..' stands behind a wildcard"))
        demands_directory = text.endswith("/")
        matches = _matcher(pattern, rest, demands_directory=demands_directory)
        slash = "/" if demands_directory or rest.endswith("**") else ""
        depth = _depth(rest, maxdepth)
        if detail:
            return {
                name: info
                for name, info in self._infos(top, depth, on_error, withdirs=withdirs).items()
                if matches(name + slash if info["type"] == "directory" else name)
            }
        files, directories = self._paths(top, depth, on_error)
        names = [name for name in files if matches(name)]
        if withdirs:
            names += [name for name in directories if matches(name + slash)]
        names.sort()
        return names

    def _info_if_any(self, name: str) -> dict[str, Info]:
        try:
            return {name: self.info(name)}
        except (OSError, ValueError) as error:
            if is_refusal(error) or not is_absence(error):
                raise
            return {}

    def expand_path(
        self,
        path: Any,
        recursive: bool = False,  # noqa: FBT001, FBT002
        maxdepth: int | None = None,
        assume_literal: bool = False,  # noqa: FBT001, FBT002
        **options: Any,
    ) -> list[str]:
        """As fsspec's, but a name that is there is that name and no pattern: ``x*``, for one.

        What is one name already is handed back unasked; what it leads to, its use will say.
        """
        check_depth(maxdepth)
        found: set[str] = set()
        for each in path if isinstance(path, list | tuple | set) else [path]:
            name = self._name(each)
            if not recursive and not has_magic(name):  # of most, one of ten thousand
                found.add(name)
                continue
            if assume_literal or not self._is_pattern(name):
                found.update(self._literal(name, maxdepth) if recursive else (name,))
                continue
            matched = self.glob(each, maxdepth=maxdepth, **options)
            found.update(matched)
            if recursive and maxdepth != 1:
                # The pattern was the first level itself, as fsspec counts.
                deeper = None if maxdepth is None else maxdepth - 1
                for name in matched:
                    found.update(self._literal(name, deeper))
        if not found:
            raise FileNotFoundError(ENOENT, strerror(ENOENT), str(path))
        return sorted(found)

    def _literal(self, name: str, maxdepth: int | None) -> list[str]:
        """What is there by this name, and all beneath it."""
        files, directories = self._paths(name, maxdepth, "omit")
        return files + directories

    def _is_pattern(self, name: str) -> bool:
        if not has_magic(name):
            return False
        try:
            place = self._place(name)
            place.driver.lstat(place.rel)
        except IsADirectoryError:
            return False
        except (OSError, ValueError) as error:
            if isinstance(error, EscapeError | InvalidPathError) or not is_absence(error):
                raise
            return True
        return False


def _depth(rest: str, maxdepth: int | None) -> int | None:
    """How many levels a pattern reaches; ``maxdepth`` counts from its first ``**``."""
    if "**" not in rest:
        return rest.count("/") + 1
    if maxdepth is None:
        return None
    return rest[: rest.index("**")].count("/") + maxdepth


def _matcher(pattern: str, rest: str, *, demands_directory: bool) -> Callable[[str], object]:
    if rest == "**" and not demands_directory:
        return len  # everything beneath; no name is empty
    return re.compile(glob_translate(pattern + ("/" if demands_directory else ""))).match
