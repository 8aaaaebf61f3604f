"""Whole trees copied, moved and mirrored: by descriptor on this machine, else through drivers."""

from __future__ import annotations

import os
from contextlib import ExitStack
from errno import EEXIST, EINVAL, ENOTDIR, ESTALE
from typing import TYPE_CHECKING, cast

from safefs.drivers import transfer
from safefs.drivers.local import LocalDriver
from safefs.drivers.sides import DriverSide, beneath, info_of
from safefs.drivers.transfer import End
from safefs.operations import copytree, moving
from safefs.operations.job import WholeError, whereabouts
from safefs.operations.listing import open_directory
from safefs.operations.mirror import Mirror
from safefs.operations.parent import Blame
from safefs.operations.replace import temporary_name
from safefs.operations.sides import LocalSide
from safefs.paths import RelPath

if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.drivers.base import Stat
    from safefs.drivers.encrypted import EncryptedDriver
    from safefs.operations.job import Job
    from safefs.operations.sides import Info, Side

    Act = Callable[[], object]


def copy_tree(here: End, there: End, job: Job) -> None:
    """Copy a directory to where nothing stands; the directories above are made."""
    one, other = here.driver, there.driver
    if isinstance(one, LocalDriver) and isinstance(other, LocalDriver):
        places = one.place(here.path), other.place(there.path)
        if _dry_without_parent(here, there, job):
            copytree.rehearse(*places, job)
        else:
            _with_parent(lambda: copytree.copy_tree(*places, job), here, there, job)
    else:
        _with_parent(lambda: _copy_between(here, there, job), here, there, job)


def move_tree(here: End, there: End, job: Job) -> None:
    """Rename a directory to where nothing stands, or copy it and remove what was copied."""
    here, there = _as_they_lie(here, there)
    one, other = here.driver, there.driver
    if isinstance(one, LocalDriver) and isinstance(other, LocalDriver):
        one.policy.check(here.path, writes=True)
        places = one.place(here.path, within=one is other), other.place(there.path, one is other)
        if _dry_without_parent(here, there, job, itself=True):
            moving.rehearse(*places, job)
        else:
            act = lambda: moving.move_tree(*places, job)  # noqa: E731
            _with_parent(act, here, there, job, itself=True)
    else:
        _with_parent(lambda: _move_between(here, there, job), here, there, job, itself=True)


def _as_they_lie(here: End, there: End) -> tuple[End, End]:
    """Two ends on one encrypted disk, below it: what is moved there stays as it is sealed."""
    driver = here.driver
    if driver is not there.driver or not driver.encrypts:
        return here, there
    below = cast("EncryptedDriver", driver).below
    return End(below, here.path), End(below, there.path)


def sync(here: End, there: End, job: Job, *, delete: bool) -> None:
    """Make the target like the source; the target is made where it is missing."""
    with Blame(here.path, there.path), ExitStack() as held:
        source = _directory(here)
        there.driver.policy.check(there.path, writes=True)
        exists = _is_there(there)
        if not exists:
            refuse_within(source, there)
        job.at = whereabouts(here.path.text)
        mirror = Mirror(
            _side(here, held), _side(there, held, writes=True, exists=exists), job, delete=delete
        )
        if not exists:
            for at in transfer.above(there):
                mirror.lies_in(at.identity)
        mirror.plan(exists=exists)
        if delete and mirror.empties:
            message = "the source is empty, and the target would be; is it not mounted?"
            raise WholeError(EINVAL, message)
        if not exists and not job.dry_run:
            there.driver.mkdir(there.path, 0o777, parents=True, exist_ok=True)
            mirror.into(_side(there, held, writes=True))
        mirror.run()


def _side(end: End, held: ExitStack, *, writes: bool = False, exists: bool = True) -> Side:
    driver = end.driver
    if not isinstance(driver, LocalDriver) or not exists:
        return DriverSide(driver, end.path)
    place = driver.place(end.path)
    place.handle.permit(end.path, writes=writes)
    top = open_directory(place.handle, end.path)
    held.callback(LocalDriver.close_top, top)
    return LocalSide(place, top)


def _directory(end: End, *, itself: bool = False) -> Stat:
    """``itself``: a link is none."""
    found = end.driver.lstat(end.path) if itself else end.driver.stat(end.path)
    if found.kind != "directory":
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), end.path.shown)
    return found


def _is_there(end: End) -> bool:
    try:
        found = end.driver.stat(end.path)
    except FileNotFoundError:
        return False
    if found.kind != "directory":
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), end.path.shown)
    return True


# Directories above


def refuse_within(source: Stat, there: End) -> None:
    """Refuse a target that would come to lie in the source, before directories are made for it."""
    transfer.refuse_tree(source, there)


def _dry_without_parent(here: End, there: End, job: Job, *, itself: bool = False) -> bool:
    """Whether this is a dry run that finds directories missing, which it must not make."""
    if not job.dry_run:
        return False
    above, name, _ = there.path.split()
    try:
        there.driver.stat(RelPath(above or b".", there.path.shown))
        return False
    except FileNotFoundError:
        with Blame(here.path, there.path):
            refuse_within(_directory(here, itself=itself), there)
            if name in (b".", b".."):
                raise OSError(EINVAL, os.strerror(EINVAL)) from None
        return True


def _with_parent(act: Act, here: End, there: End, job: Job, *, itself: bool = False) -> None:
    """Once more with the directories above made where they were missing."""
    try:
        act()
    except FileNotFoundError:
        if job.begun or job.dry_run:
            raise
        with Blame(here.path, there.path):
            refuse_within(_directory(here, itself=itself), there)
            if not transfer.make_parent(there.driver, there.path, no_name=EINVAL, slash=None):
                raise
        act()


# Where a driver stands for more than this machine


def _copy_between(here: End, there: End, job: Job, *, moves: bool = False) -> dict[str, Info]:
    """By way of a directory with a temporary name; what was copied, by its path.

    ``moves``: its versions are to be compared with those that the driver tells afterwards.
    """
    job.at = whereabouts(here.path.text)
    driver = there.driver
    with Blame(here.path, there.path):
        source = _directory(here)
        _refuse_taken(there)
        above = there.path.split()[0]
        draft = RelPath(above + temporary_name(), there.path.shown)
        if above and not job.dry_run:
            driver.stat(RelPath(above, there.path.shown))
        refuse_within(source, there)
        with ExitStack() as held:
            side = DriverSide(here.driver, here.path) if moves else _side(here, held)
            mirror = Mirror(side, DriverSide(driver, draft), job, delete=False)
            mirror.plan(exists=False)
            if job.dry_run:
                mirror.run()
                return mirror.infos
            driver.mkdir(draft, 0o700, parents=False, exist_ok=False)
            try:
                mirror.run()
                DriverSide(driver, draft).folder("").settle(None, info_of(source))
                driver.rename(draft, there.path, overwrite=False)
            except BaseException:
                driver.remove_tree(draft)
                raise
    return mirror.infos


def _refuse_taken(there: End) -> None:
    there.driver.policy.check(there.path, writes=True, adds=True)
    if there.path.split()[1] in (b"", b".", b".."):
        raise OSError(EINVAL, os.strerror(EINVAL), there.path.shown)
    try:
        there.driver.lstat(RelPath(there.path.raw.rstrip(b"/"), there.path.shown))
    except FileNotFoundError:
        return
    raise FileExistsError(EEXIST, os.strerror(EEXIST), there.path.shown)


def _move_between(here: End, there: End, job: Job) -> None:
    here.driver.policy.check(here.path, writes=True)
    if here.driver is there.driver:
        _directory(here, itself=True)
        _refuse_taken(there)
        if job.surveys or job.dry_run:
            _count(here, there, job)
        if not job.dry_run:
            here.driver.rename(here.path, there.path, overwrite=False)
        job.done("rename", "", "directory")
        return
    if set(here.path.names) <= {b"."}:
        raise OSError(EINVAL, "this is the root of the disk", here.path.shown)
    infos = _copy_between(here, there, job, moves=True)
    if job.dry_run:
        return
    try:
        _remove_copied(here, infos, job)
    except OSError as error:
        message = f"copied whole, but the source could not be removed ({error.strerror})"
        shown = here.path.shown, None, there.path.shown
        raise WholeError(error.errno or ESTALE, message, *shown) from error


def _count(here: End, there: End, job: Job) -> None:
    """Hold what is to be renamed to the budget."""
    side = DriverSide(here.driver, here.path)
    counter = job.counter()
    Mirror(side, DriverSide(there.driver, there.path), counter, delete=False).plan(exists=False)
    refuse_within(here.driver.stat(here.path), there)


def _remove_copied(here: End, infos: dict[str, Info], job: Job) -> None:
    """Remove what is still as it was when it was copied, deepest first."""
    side = DriverSide(here.driver, here.path)
    folders = ["", *(path for path, info in infos.items() if info.kind == "directory")]
    for at in sorted(folders, key=lambda path: -path.count("/") if path else 1):
        for name, info in side.folder(at).entries().items():
            path = f"{at}/{name}" if at else name
            if info.kind == "directory" and path in infos:
                continue  # it has been emptied, and removed or told of
            if path in job.skipped:
                continue
            if path not in infos or infos[path].version != info.version:
                problem = f"{path!r} has changed since it was copied, and was not removed"
                job.failed(OSError(ESTALE, problem), path, info.kind)
                continue
            here.driver.remove(beneath(here.path, path))
            job.done("remove", path, info.kind)
        if at not in job.failed_in:
            here.driver.rmdir(beneath(here.path, at))
            if at:
                job.done("remove", at, "directory")
