"""Writing, renaming and copying with the directories above made, on one driver or between two."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from errno import EEXIST, EINVAL, EISDIR, ENOTDIR, ESTALE, EXDEV
from typing import TYPE_CHECKING, Literal

from safefs.drivers.base import is_absence
from safefs.drivers.content import Body
from safefs.errors import PreconditionError, SafefsError, SameFileError
from safefs.operations.parent import Blame
from safefs.paths import RelPath, made_and_left, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.drivers.base import Driver, Stat
    from safefs.operations.conditions import Condition


@dataclass(frozen=True, slots=True)
class End:
    """One end of a copy or move."""

    driver: Driver
    path: RelPath


# Directories above


def make_parent(
    driver: Driver,
    where: RelPath,
    *,
    no_name: int = EISDIR,
    slash: int | None = EISDIR,
    durable: bool = False,
    size: int | None = None,
) -> bool:
    """Whether there are directories above that could be missing; they are not any more.

    What would be refused afterwards is refused before any is made: what the policy forbids, also of
    this ``size``, what leads out, with ``no_name`` a last component of dots, with ``slash`` (unless
    that is None) a slash behind it.
    """
    if not where.split()[0]:
        return False
    above, _ = foresee(driver, where, no_name=no_name, slash=slash)
    if size is not None:
        check_size(driver, where.shown, size)
    driver.mkdir(above, 0o777, parents=True, exist_ok=True, durable=durable)
    return True


def check_size(driver: Driver, shown: str | bytes, size: int) -> None:
    """Refuse what the policy refuses of a file with so many bytes of content."""
    if driver.policy.max_file_size is not None:
        driver.policy.check_size(shown, driver.stored_size(size))


def foresee(
    driver: Driver, where: RelPath, *, no_name: int = EISDIR, slash: int | None = EISDIR
) -> tuple[RelPath, RelPath]:
    """(the directories above, where the path will lead), or what ``make_parent`` refuses."""
    above, name, slashed = where.split()
    driver.policy.check(where, writes=True, adds=True)
    there, new = _settled(driver, where)
    if name in (b".", b".."):
        raise _error(no_name, where)
    if slash and slashed:
        raise _error(slash, where)
    found = driver.stat(there) if new else driver.lstat(there)
    if not new and driver.policy.append_only:
        raise driver.policy.no_change(where)
    if slash and not new and found.kind == "directory":
        raise _error(EISDIR, where)
    if b".." in where.names:
        _refuse_left(driver, there, new, where, file=slash is not None)
    if new and found.kind == "directory" and driver.policy.rules is not None:
        _refuse_denied(driver, there, new, where, directory=slash is None)
    return RelPath(above.rstrip(b"/"), where.shown), there.join(b"/".join(new))


def _refuse_left(
    driver: Driver, there: RelPath, new: list[bytes], where: RelPath, *, file: bool
) -> None:
    """What directories stand in the way of that are made for a path and left again by ``..``."""
    for base, made in made_and_left(where.names[:-1], _leading(driver, where)):
        top = RelPath(b"/".join(base) or b".", where.shown)
        if driver.policy.rules is not None:
            _refuse_denied(driver, top, made, where, directory=True)
        if top == there and made == new:
            if driver.policy.append_only:
                raise driver.policy.no_change(where)
            if file:
                raise _error(EISDIR, where)


def _refuse_denied(
    driver: Driver, there: RelPath, new: list[bytes], where: RelPath, *, directory: bool
) -> None:
    """PolicyError where a name that is to be made beneath what exists is denied.

    A driver narrowed to what exists has the rules as they are from there on.
    """
    with closing(driver.narrowed(there)) as inner:
        rules = inner.policy.rules
    for end in range(1, len(new) + 1):
        place = b"/".join(new[:end])
        if rules is not None and rules.denies(place, directory=directory or end < len(new)):
            raise rules.refusal(place, where.shown)


def _settled(driver: Driver, where: RelPath) -> tuple[RelPath, list[bytes]]:
    """(what the path will lead to as far as it exists, the names still to be made there)."""
    there, new = settled(where.names, _leading(driver, where))
    return RelPath(b"/".join(there) or b".", where.shown), new


def _leading(driver: Driver, where: RelPath) -> Callable[[list[bytes]], bool]:
    def leads(names: list[bytes]) -> bool:
        try:
            driver.lstat(RelPath(b"/".join(names), where.shown))
        except FileNotFoundError:
            return False
        return True

    return leads


def deepest(driver: Driver, where: RelPath) -> Stat:
    """What the path leads to as far as it exists: itself, or what it would be made in."""
    there, new = _settled(driver, where)
    return driver.stat(there) if new else driver.lstat(there)


def _error(number: int, where: RelPath) -> OSError:
    return OSError(number, os.strerror(number), where.shown)


def write(
    driver: Driver,
    where: RelPath,
    content: Body,
    permissions: int | None = None,
    *,
    overwrite: bool = True,
    durable: bool = False,
    preserve: tuple[str, ...] = (),
    condition: Condition | None = None,
) -> None:
    """``Driver.write``, once more with the directories above made where they were missing."""

    def attempt() -> None:
        driver.write(
            where,
            content,
            permissions=permissions,
            overwrite=overwrite,
            durable=durable,
            preserve=preserve,
            condition=condition,
        )

    try:
        attempt()
    except FileNotFoundError as error:
        if condition is not None:
            if content.started or _has_parent(driver, where):
                raise  # something else is missing: of the source, or the place for locks
            raise PreconditionError(where.shown, condition.expected, None) from error
        # Once the content has begun it cannot be had again, and the error may be its own.
        if content.started or not make_parent(driver, where, durable=durable, size=content.size):
            raise
        attempt()


def _has_parent(driver: Driver, where: RelPath) -> bool:
    """Whether there is a directory in which a file of this path could stand."""
    try:
        driver.lstat(where)
    except FileNotFoundError:
        above = where.split()[0].rstrip(b"/")
        try:
            driver.stat(RelPath(above or b".", where.shown))
        except OSError:
            return False
    return True


def rename(here: End, there: End, *, overwrite: bool) -> None:
    """``Driver.rename``, likewise."""
    try:
        here.driver.rename(here.path, there.path, overwrite=overwrite)
    except FileNotFoundError:
        with Blame(here.path, there.path):
            if not _make_parent_to_rename(here, there):
                raise
        here.driver.rename(here.path, there.path, overwrite=overwrite)


def _make_parent_to_rename(here: End, there: End) -> bool:
    # A missing source is the error, and makes no directories.
    source = here.driver.lstat(here.path)
    moves_tree = source.kind == "directory"
    if moves_tree:
        refuse_tree(source, there)
    slash = None if moves_tree else ENOTDIR
    return make_parent(there.driver, there.path, no_name=EINVAL, slash=slash)


def refuse_tree(source: Stat, there: End) -> None:
    """Refuse to move a directory into itself or over a file, as rename(2) would further on."""
    here, new = _settled(there.driver, there.path)
    if not new:
        if there.driver.lstat(here).kind != "directory":
            raise _error(ENOTDIR, there.path)
        return
    if any(at.is_same_file(source) for at in above(there)):
        raise _error(EINVAL, there.path)


def above(end: End) -> Iterator[Stat]:
    """The directories in which something would be made, the deepest that exists first."""
    here = _settled(end.driver, end.path)[0]
    root, at = end.driver.stat(RelPath(b".", here.shown)), end.driver.stat(here)
    while not at.is_same_file(root):
        yield at
        here = RelPath(here.raw + b"/..", here.shown)
        at = end.driver.stat(here)
    yield root


def copy_within(here: End, there: End, *, overwrite: bool) -> None:
    """``Driver.copy``, likewise."""
    try:
        here.driver.copy(here.path, there.path, overwrite=overwrite)
    except FileNotFoundError:
        with Blame(here.path, there.path):
            here.driver.stat(here.path)
            if not make_parent(there.driver, there.path):
                raise
        here.driver.copy(here.path, there.path, overwrite=overwrite)


def copy(here: End, there: End, *, overwrite: bool) -> None:
    """Copy a file and its permissions, within a driver or between two."""
    if here.driver is there.driver:
        copy_within(here, there, overwrite=overwrite)
    else:
        copy_across(here, there, overwrite=overwrite)


def move(here: End, there: End, *, overwrite: bool) -> Literal["renamed", "copied"]:
    """Rename, or where that cannot be, copy a file and remove it."""
    refuse_same(here, there, here.driver.lstat(here.path), overwrite=overwrite)
    if here.driver is not there.driver:
        return move_across(here, there, overwrite=overwrite)
    try:
        rename(here, there, overwrite=overwrite)
    except OSError as error:
        if error.errno != EXDEV or isinstance(error, SafefsError):
            raise
        if here.driver.lstat(here.path).kind == "directory":
            raise
        return move_across(here, there, overwrite=overwrite)
    return "renamed"


# From disk to disk


def copy_across(here: End, there: End, *, overwrite: bool) -> Stat:
    """Copy a file by reading and writing; what was read."""
    with here.driver.open(here.path, "rb") as file:
        with Blame(here.path):
            found = here.driver.stat_open(file)
        refuse_same(here, there, found, overwrite=overwrite)
        check_size(there.driver, there.path.shown, found.size)
        write(there.driver, there.path, Body(file), found.permissions, overwrite=overwrite)
    return found


def move_across(here: End, there: End, *, overwrite: bool) -> Literal["copied"]:
    """Copy a file and remove the source, which is asked for the right to do so first."""
    here.driver.policy.check(here.path, writes=True)
    found = copy_across(here, there, overwrite=overwrite)
    # Two disks may lie over one directory, and someone may move it under them: what is removed must
    # be what was copied, or the copy itself could go.
    now = here.driver.stat(here.path)
    # And it may have been written to since it was read: that would be lost.
    replaced = found.identity is not None and not found.is_same_file(now)
    if replaced or (found.size, found.mtime_ns) != (now.size, now.mtime_ns):
        message = "the source changed while it was moved, and was not removed"
        raise OSError(ESTALE, message, here.path.shown, None, there.path.shown)
    here.driver.remove(here.path)
    return "copied"


def refuse_same(here: End, there: End, source: Stat, *, overwrite: bool) -> None:
    """Refuse a target that is the source, and any target where nothing is to be overwritten."""
    try:
        target = there.driver.lstat(there.path)
    except OSError as error:
        if not is_absence(error):
            raise
        return  # whether it can be written, the writing will say
    if not overwrite:
        message = os.strerror(EEXIST)
        raise FileExistsError(EEXIST, message, here.path.shown, None, there.path.shown)
    if source.is_same_file(target):
        raise SameFileError(here.path.shown, there.path.shown)
