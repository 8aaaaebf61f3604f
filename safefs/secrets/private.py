"""Files of the application's own, which others need not read even where they are sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.drivers import transfer
from safefs.drivers.content import Body
from safefs.paths import RelPath

if TYPE_CHECKING:
    from safefs.disk import Disk


def put(disk: Disk, path: str, data: bytes) -> None:
    """``disk.put`` of a file that is new with 0600, in directories that are new with 0700.

    Durable. Whatever disk the application gives for its state, also one that is not private.
    """
    where = disk._path(path)  # noqa: SLF001  (a disk does not ask for permissions)
    driver = disk._driver  # noqa: SLF001  (the same)
    above = where.split()[0]
    folder = RelPath(above, path)
    if above and not driver.exists(folder):
        driver.mkdir(folder, 0o700, parents=True, exist_ok=True, durable=True)
        driver.chmod(folder, lambda mode: mode | 0o700)  # a umask may have shut the owner out
    transfer.write(driver, where, Body(data), 0o600, durable=True)
