"""A tree of any driver as one side of a mirror: every path resolved by the driver, each time."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO, Self

from safefs.drivers.measured import UnmeasuredStat
from safefs.drivers.transfer import check_size
from safefs.operations.replace import is_temporary, temporary_name
from safefs.operations.sides import Info
from safefs.operations.traversal import refuse_kind
from safefs.paths import RelPath

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from safefs.drivers.base import Driver, Stat
    from safefs.operations.sides import Tell
    from safefs.report import Kind

_PIECE = 1 << 20


class UnmeasuredInfo(Info):
    """Of a file whose size cannot be told: to ask for it raises why."""

    __slots__ = ("_found",)

    def __init__(self, found: UnmeasuredStat) -> None:
        self._found = found
        times = found.mtime_ns, found.mtime_ns
        super().__init__(found.kind, 0, found.mode, times, found)

    @property
    def size(self) -> int:
        return self._found.size

    @size.setter
    def size(self, size: int) -> None:
        """What it is given at first says nothing."""


def info_of(found: Stat) -> Info:
    if isinstance(found, UnmeasuredStat):
        return UnmeasuredInfo(found)
    version = found.identity, found.size, found.mtime_ns
    times = found.mtime_ns, found.mtime_ns
    return Info(found.kind, found.size, found.mode, times, version)


class DriverSide:
    """A tree beneath a path of a driver."""

    def __init__(self, driver: Driver, top: RelPath) -> None:
        self._driver = driver
        self._top = top

    @property
    def portable(self) -> bool:
        return self._driver.policy.portable_names

    def folder(self, path: str) -> DriverFolder:
        return DriverFolder(self._driver, beneath(self._top, path))

    def check(self, path: str, kind: Kind) -> None:
        policy = self._driver.policy
        refuse_kind(policy, path.rpartition("/")[2], kind)
        if policy.rules is not None:
            place = b"/".join(n for n in beneath(self._top, path).names if n != b".")
            if policy.rules.denies(place, directory=kind == "directory"):
                raise policy.rules.refusal(place, path)

    def check_size(self, name: str, size: int) -> None:
        check_size(self._driver, name, size)

    def kept(self, info: Info) -> int:
        return self._driver.kept_mode(info.mode, directory=info.kind == "directory")


def beneath(top: RelPath, path: str) -> RelPath:
    """A path from the top of the driver."""
    return RelPath(b"/".join((top.raw or b".", os.fsencode(path))), path) if path else top


class DriverFolder:
    """One directory, by its path."""

    def __init__(self, driver: Driver, path: RelPath) -> None:
        self._driver = driver
        self._path = path

    def _at(self, name: str) -> RelPath:
        return beneath(self._path, name)

    def identity(self) -> object:
        return self._driver.stat(self._path).identity

    def entries(self) -> dict[str, Info]:
        found = self._driver.scan(self._path)
        return {name: info_of(stat) for name, stat in found if not is_temporary(name)}

    def open(self, name: str) -> tuple[BinaryIO, Info]:
        file = self._driver.open(self._at(name), "rb")
        try:
            return file, info_of(self._driver.stat_open(file))
        except BaseException:
            file.close()
            raise

    def link_text(self, name: str) -> str:
        return self._driver.readlink(self._at(name))

    def open_up(self) -> None:
        """A driver says itself what may be done."""

    def make_directory(self, name: str, *, replaces: bool) -> None:
        if replaces:
            self._driver.remove(self._at(name))
        self._driver.mkdir(self._at(name), 0o700, parents=False, exist_ok=False)

    def make_link(
        self,
        name: str,
        text: str,
        info: Info,  # noqa: ARG002  (a link of any driver has no times that could be set)
        *,
        replaces: bool,
        drops: bool,
    ) -> None:
        if drops:
            self.remove(name, "directory")
        elif replaces:
            self._replace_by_link(name, text)
            return
        self._driver.symlink(text, self._at(name))

    def _replace_by_link(self, name: str, text: str) -> None:
        """In one step, as a file is: who is cut short leaves what was there."""
        draft = self._at(os.fsdecode(temporary_name()))
        self._driver.symlink(text, draft)
        try:
            self._driver.rename(draft, self._at(name), overwrite=True)
        except BaseException:
            self._driver.remove(draft)
            raise

    def put(self, name: str, file: BinaryIO, info: Info, tell: Tell, *, drops: bool) -> int:
        if drops:
            self._driver.remove_tree(self._at(name))
        copied = 0

        def chunks() -> Iterator[bytes]:
            nonlocal copied
            while piece := file.read(_PIECE):
                yield piece
                copied += len(piece)
                tell(len(piece))

        self._driver.write(self._at(name), chunks(), permissions=info.mode & 0o777)
        self.settle(name, info)
        return copied

    def settle(self, name: str | None, info: Info) -> None:
        path = self._path if name is None else self._at(name)
        mode = self._driver.kept_mode(info.mode, directory=info.kind == "directory")
        self._driver.chmod(path, lambda _: mode)
        self._driver.set_modified(path, info.mtime_ns)

    def remove(self, name: str, kind: Kind) -> None:
        if kind == "directory":
            self._driver.remove_tree(self._at(name))
        else:
            self._driver.remove(self._at(name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass
