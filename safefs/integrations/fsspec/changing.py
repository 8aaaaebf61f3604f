"""The part of the file system that makes, removes, copies and moves."""

from __future__ import annotations

from contextlib import contextmanager
from errno import EACCES, EEXIST, EINVAL, ENOTSUP
from os import strerror
from typing import TYPE_CHECKING, Any

from fsspec.callbacks import DEFAULT_CALLBACK

from safefs.drivers import transfer
from safefs.drivers.transfer import End
from safefs.integrations.fsspec.contents import Contents
from safefs.integrations.fsspec.infos import is_a_directory, type_of
from safefs.integrations.fsspec.place import base, join, text_of
from safefs.integrations.fsspec.progress import counted

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from safefs.integrations.fsspec.place import Place


class Changing(Contents):
    """mkdir, rm, cp_file, mv and their kin. A disk itself stays as it is: PermissionError."""

    # Directories

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:  # noqa: FBT001, FBT002
        """Make a directory, and those above it; FileExistsError where there is something."""
        place = self._place(path)
        if place.is_disk:
            raise FileExistsError(EEXIST, strerror(EEXIST), place.name)
        place.driver.mkdir(place.rel, 0o777, parents=create_parents, exist_ok=False)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:  # noqa: FBT001, FBT002
        """As ``mkdir``; with ``exist_ok`` a directory that is there, a disk too, will do."""
        if exist_ok and self.isdir(path):
            return
        try:
            self.mkdir(path)
        except FileExistsError:
            if not (exist_ok and self.isdir(path)):  # someone else may have been as quick
                raise

    def rmdir(self, path: str) -> None:
        """Remove an empty directory."""
        place = self._beneath_disk(path, "removed")
        place.driver.rmdir(place.rel)

    def _beneath_disk(self, path: Any, done: str) -> Place:
        """The place of what is no disk itself; EINVAL for what is named by dots, and may be."""
        place = self._place(path)
        if place.is_disk:
            raise PermissionError(EACCES, f"a disk cannot be {done} through fsspec", place.name)
        if place.rel.split()[1] in (b".", b".."):
            place.driver.stat(place.rel)  # what escapes or is missing says so
            raise OSError(EINVAL, strerror(EINVAL), place.name)
        return place

    # Removing

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:  # noqa: FBT001, FBT002
        """Remove files, and with ``recursive`` directories.

        A name that is there is that name and no pattern. Nothing is removed where a disk itself is
        among what was named.
        """
        stepwise = recursive and maxdepth is not None
        names = self._to_depth(path, maxdepth) if stepwise else self.expand_path(path)
        for place in [self._beneath_disk(name, "removed") for name in reversed(names)]:
            driver, rel = place.driver, place.rel
            if driver.lstat(rel).kind != "directory":
                driver.remove(rel)
            elif stepwise:
                driver.rmdir(rel)
            elif recursive:
                driver.remove_tree(rel)
            else:
                raise is_a_directory(place.name, "a directory takes recursive=True")

    def _to_depth(self, path: Any, maxdepth: int | None) -> list[str]:
        """What ``path`` names and all beneath, to a depth; a link is itself, and not entered."""
        given = path if isinstance(path, list | tuple | set) else [path]
        literal = {self._name(each) for each in given}
        names: set[str] = set()
        for top in self.expand_path(path):
            # A match of a pattern is the first level itself, as fsspec counts.
            depth = None if maxdepth is None else maxdepth - (top not in literal)
            names.add(top)
            if depth != 0:
                place = self._place(top)
                if place.driver.lstat(place.rel).kind == "directory":
                    names.update(self._literal(top, depth))
        return sorted(names)

    def rm_file(self, path: str) -> None:
        """Remove one file, or a link itself."""
        place = self._beneath_disk(path, "removed")
        place.driver.remove(place.rel)

    # Copying

    def cp_file(self, path1: str, path2: str, callback: Any = DEFAULT_CALLBACK, **_: Any) -> None:
        """Copy one file, from disk to disk too; of a directory, only itself is made.

        ``callback`` counts bytes.
        """
        source = self._place(path1)
        if self._type(path1) == "directory":
            self.makedirs(path2, exist_ok=True)
        else:
            self._copy(source, self._beneath_disk(path2, "replaced"), callback)

    def _copy(self, source: Place, target: Place, callback: Any = DEFAULT_CALLBACK) -> None:
        """One file, whole; what is written is counted where somebody counts."""
        here, there = End(source.driver, source.rel), End(target.driver, target.rel)
        with both_named(source, target):
            if callback is DEFAULT_CALLBACK and not self._intrans:
                transfer.copy(here, there, overwrite=True)
                return
            with source.driver.open(source.rel, "rb") as file:
                found = source.driver.stat_open(file)
                transfer.refuse_same(here, there, found, overwrite=True)
                callback.set_size(found.size)
                self._write(target, counted(file, callback), permissions=found.permissions)

    # Moving

    def mv(
        self,
        path1: Any,
        path2: Any,
        recursive: bool = False,  # noqa: ARG002, FBT001, FBT002
        maxdepth: int | None = None,  # noqa: ARG002
        **_: Any,
    ) -> None:
        """Rename, or between two disks move; a directory goes with all it holds.

        Between two disks a directory is copied and then removed, and one with links or special
        files in it is refused, before anything is copied. Not part of a transaction.
        """
        if isinstance(path2, list):
            pairs = list(zip(path1, path2, strict=True))
        elif isinstance(path1, list) or self._is_pattern(self._name(path1)):
            into = self._name(path2)
            pairs = [(name, join(into, base(name))) for name in self.expand_path(path1)]
        else:
            pairs = [(path1, self._destination(path1, path2))]
        for one, other in pairs:
            source = self._beneath_disk(one, "moved")
            target = self._beneath_disk(other, "replaced")
            if source.name != target.name:
                self._move(source, target)

    def _move(self, source: Place, target: Place) -> None:
        here, there = End(source.driver, source.rel), End(target.driver, target.rel)
        with both_named(source, target):
            crosses = here.driver is not there.driver
            if crosses and source.driver.lstat(source.rel).kind == "directory":
                self._move_tree(source, target)
            else:
                transfer.move(here, there, overwrite=True)

    def _move_tree(self, source: Place, target: Place) -> None:
        source.driver.policy.check(source.rel, writes=True)
        levels = source.driver.survey(source.rel, describe=_strangers, onerror=_raise)
        if any(level.found for level in list(levels)):
            raise OSError(ENOTSUP, "a tree with links or special files is not moved between disks")
        _refuse_within(source, target)
        target.driver.mkdir(target.rel, 0o777, parents=True, exist_ok=False)
        for level in source.driver.survey(source.rel, onerror=_raise):
            for name in level.directories:
                below = f"{level.path}/{name}" if level.path else name
                target.driver.mkdir(target.beneath(below), 0o777, parents=False, exist_ok=False)
            for name in level.files:
                below = f"{level.path}/{name}" if level.path else name
                here = End(source.driver, source.beneath(below))
                there = End(target.driver, target.beneath(below))
                transfer.copy_across(here, there, overwrite=True)
        source.driver.remove_tree(source.rel)

    def _destination(self, path1: str, path2: str) -> str:
        """``path2``, or ``path1``'s name within it where it is, or is written as, a directory."""
        into = text_of(path2).endswith("/") or self.isdir(path2)
        bare = self._name(path2)
        return join(bare, base(self._name(path1))) if into else bare


def _refuse_within(source: Place, target: Place) -> None:
    """Refuse to move a tree into itself, as rename(2) would: one disk may lie within another."""
    there = transfer.deepest(target.driver, target.rel).identity
    within = there is not None and there == source.driver.stat(source.rel).identity

    def compare(
        _: str, stats: Iterable[tuple[str, os.stat_result]]
    ) -> tuple[list[str], list[str], bool]:
        found = {name: stat for name, stat in stats if type_of(stat) == "directory"}
        met = any((stat.st_dev, stat.st_ino) == there for stat in found.values())
        return list(found), [], met

    levels = source.driver.survey(source.rel, describe=compare, onerror=_raise)
    if within or any(level.found for level in levels):
        raise OSError(EINVAL, strerror(EINVAL))


def _strangers(
    _: str, stats: Iterable[tuple[str, os.stat_result]]
) -> tuple[list[str], list[str], list[str]]:
    """What a survey is to find: all that is neither directory nor regular file."""
    types = {name: type_of(found) for name, found in stats}
    directories = [name for name, kind in types.items() if kind == "directory"]
    return directories, [], [name for name, kind in types.items() if kind == "other"]


def _raise(error: OSError) -> None:
    try:
        raise error
    finally:
        del error  # or it is a cycle, and keeps what its frames have open


@contextmanager
def both_named(source: Place, target: Place) -> Iterator[None]:
    """Errors between two paths, with both their names."""
    try:
        yield
    except OSError as error:
        error.filename, error.filename2 = source.name, target.name
        raise
