"""Files of the application's own, which others need not read even where they are sealed.

A folder that others may write to holds whatever they have put there, and is not believed. One that
they may only enter is closed again when something is put there, and so is a file.
"""

from __future__ import annotations

from stat import S_IMODE, S_IRWXG, S_IRWXO, S_IWGRP, S_IWOTH
from typing import TYPE_CHECKING

from safefs.drivers import transfer
from safefs.drivers.content import Body
from safefs.errors import UnsafeFolderError
from safefs.paths import RelPath

if TYPE_CHECKING:
    from safefs.disk import Disk
    from safefs.drivers.base import Driver

_OTHERS, _THEY_WRITE = S_IRWXG | S_IRWXO, S_IWGRP | S_IWOTH


def put(disk: Disk, path: str, data: bytes) -> None:
    """``disk.put`` of a file that is new with 0600, in directories that are new with 0700.

    Durable. Whatever disk the application gives for its state, also one that is not private; a
    file that is replaced has 0600 as well. ``UnsafeFolderError`` where others may write to the
    directory.
    """
    where = disk._path(path)  # noqa: SLF001  (a disk does not ask for permissions)
    driver = disk._driver  # noqa: SLF001  (the same)
    above = where.split()[0]
    if above:
        folder = RelPath(above, path)
        if not driver.exists(folder):
            driver.mkdir(folder, 0o700, parents=True, exist_ok=True, durable=True)
            driver.chmod(folder, lambda mode: mode | 0o700)  # a umask may have shut the owner out
        refuse_shared(disk, folder.text.rstrip("/"))
        _close(driver, folder, "directory", 0o700)
    _close(driver, where, "file", 0o600)
    transfer.write(driver, where, Body(data), 0o600, durable=True)


def refuse_shared(disk: Disk, folder: str) -> None:
    """``UnsafeFolderError`` for a directory to which others may write."""
    if is_shared(disk, folder, "directory"):
        raise UnsafeFolderError(
            "state", folder, "can be written to by others; mend it with: chmod go="
        )


def is_shared(disk: Disk, path: str, kind: str) -> bool:
    """Whether this is of another kind, or others may write to it; FileNotFoundError."""
    found = disk._driver.lstat(disk._path(path))  # noqa: SLF001  (a link is not followed)
    return found.kind != kind or bool(found.mode & _THEY_WRITE)


def _close(driver: Driver, where: RelPath, kind: str, mode: int) -> None:
    """Take from others what they may do there."""
    try:
        found = driver.lstat(where)
    except FileNotFoundError:
        return
    if found.kind == kind and S_IMODE(found.mode) & _OTHERS:
        driver.chmod(where, lambda _: mode)
