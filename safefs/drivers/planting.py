"""Entries made one by one in a tree in memory, in place or beside it.

A tree in memory has no links, and keeps no times but its own.
"""

from __future__ import annotations

import os
from errno import ENOTSUP
from typing import TYPE_CHECKING

from safefs.drivers import transfer
from safefs.drivers.base import is_absence
from safefs.drivers.content import Body
from safefs.operations.harvesting import Produce
from safefs.paths import RelPath

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from safefs.drivers.base import Driver, Stat
    from safefs.report import Kind

_OWNER = 0o700


class DriverBed:
    """A bed on a driver. ``publish``, where given, puts what is there in its place."""

    def __init__(
        self,
        driver: Driver,
        *,
        check: Callable[[], None] = lambda: None,
        publish: Callable[[], None] = lambda: None,
    ) -> None:
        """Takes the driver over, and closes it."""
        self._driver = driver
        self._made: set[tuple[object, ...]] = set()
        self._directories: set[tuple[object, ...]] = set()
        self.check = check
        self.publish = publish
        self.close = driver.close

    def mkdir(self, path: RelPath, mode: int | None) -> bool:
        above = path.split()[0].rstrip(b"/")
        asked = 0o777 if mode is None else mode | _OWNER
        driver = self._driver
        if above:
            transfer.make_parent(driver, path, slash=None)
        try:
            driver.mkdir(path, asked, parents=False, exist_ok=False)
        except FileExistsError:
            found = driver.lstat(path)
            if found.kind != "directory":
                raise
            if mode is not None and found.identity in self._directories:
                driver.chmod(path, lambda _: asked)
            return False
        self._directories.add(driver.lstat(path).identity or ())
        return True

    def create(
        self,
        path: RelPath,
        chunks: Iterable[bytes],
        mode: int | None,
        mtime_ns: int | None,  # noqa: ARG002  (a driver has no word for it)
        *,
        replace: bool,
    ) -> None:
        body = Body(iter(chunks))
        transfer.write(self._driver, path, body, mode, overwrite=replace)
        self._made.add(self._driver.lstat(path).identity or ())

    def symlink(self, target: str, path: RelPath, *, replace: bool) -> None:  # noqa: ARG002
        raise _no_links(path)

    def link(self, source: RelPath, path: RelPath, *, replace: bool) -> None:  # noqa: ARG002
        raise _no_links(path)

    def made(self, path: RelPath) -> bool:
        found = self._driver.lstat(path).identity
        return found in self._made or found in self._directories

    def holds(self, path: RelPath) -> bool:
        found = self._driver.lstat(path)
        return found.kind == "file" and found.identity in self._made

    def remove(self, path: RelPath) -> None:
        self._driver.remove(path)

    def leads(self, path: RelPath) -> bool:
        try:
            self._driver.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            if is_absence(error) and not isinstance(error, PermissionError):
                return False
            raise
        return True


def _no_links(path: RelPath) -> OSError:
    return OSError(ENOTSUP, f"there are no links here ({os.strerror(ENOTSUP)})", path.shown)


def harvested(driver: Driver, path: RelPath) -> Iterator[Produce]:
    """``operations.harvesting.harvest`` on a driver without links."""
    found = driver.lstat(path)
    yield _produce(driver, path.text, found)
    if found.kind != "directory":
        return
    for here, directories, others in driver.walk(path):
        for name in sorted([*directories, *others]):
            text = f"{here}/{name}" if here else name
            yield _produce(driver, text, driver.lstat(RelPath.parse(text)))


def _produce(driver: Driver, text: str, found: Stat) -> Produce:
    kind: Kind = "directory" if found.kind == "directory" else "file"

    def read() -> Generator[bytes, None, None]:
        yield driver.read(RelPath.parse(text))

    identity = found.identity or ()
    return Produce(text, kind, found.mode, found.mtime_ns, found.size, "", identity, read)
