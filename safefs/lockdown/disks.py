"""The disks that are left: which, where they are held, and with what rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from safefs.drivers.local import LocalDriver
from safefs.lockdown.rights import left_by, not_expressed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.disk import Disk
    from safefs.lockdown.ruleset import Ruleset
    from safefs.root import Root
    from safefs.storage import Storage


class Left(NamedTuple):
    """A disk by its name, and its open root; None for one that is in memory."""

    name: str
    root: Root | None
    why: str = "a disk"

    def allow_in(self, ruleset: Ruleset) -> None:
        if self.root is not None:
            policy = self.root.policy
            past = not_expressed(policy)
            why = f"{self.why}; safefs alone holds {', '.join(past)}" if past else self.why
            ruleset.allow(self.root.fileno(), f"disk {self.name}", left_by(policy), why)


def named(storage: Storage, names: Iterable[str] | None) -> list[Left]:
    """Those named, opened now where they are not; without names those that are open.

    ``ValueError`` for one that its maker has closed.
    """
    if isinstance(names, str):
        raise TypeError(f"disks is a list of names: disks=[{names!r}]")
    chosen = [n for n in storage if storage.is_open(n)] if names is None else list(names)
    return [_left(name, storage.disk(name)) for name in dict.fromkeys(chosen)]


def _left(name: str, disk: Disk) -> Left:
    if disk.closed:
        raise ValueError(f"the disk {name!r} is closed")
    return Left(name, root_of(disk))


def root_of(disk: Disk) -> Root | None:
    """The open directory that a disk stands on; None where it stands on none."""
    driver = disk._driver  # noqa: SLF001  (no door gives it, on purpose)
    while hasattr(driver, "below"):
        driver = driver.below
    return driver._root if isinstance(driver, LocalDriver) else None  # noqa: SLF001  (as above)
