"""What is denied beneath a directory, before that is removed or put somewhere else."""

from __future__ import annotations

import os
from errno import ELOOP

from safefs.kernel import syscalls
from safefs.kernel.reached import place_beneath, place_of_fd
from safefs.kernel.trail import Trail
from safefs.operations.parent import open_child
from safefs.operations.replace import is_temporary
from safefs.rules import HOLDS, WOULD_HOLD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safefs.kernel.handle import Handle


def refuse_denied(
    handle: Handle,
    top: int,
    shown: str | bytes,
    *,
    target: Handle | None = None,
    place: bytes = b"",
) -> None:
    """PolicyError where an open directory holds what is denied, or would where it is put.

    ``target`` and ``place``: beneath which root, and where. It goes through all of the tree, but
    only where there are rules of names. What others put there meanwhile it cannot know.
    """
    new = None if target is None else target.rules
    if handle.rules is None and new is None:
        return
    here = place_of_fd(top) if handle.rules is not None else b""
    for path, is_dir in _beneath(top):
        for rules, above, why in ((handle.rules, here, HOLDS), (new, place, WOULD_HOLD)):
            if rules is not None and rules.denies(place_beneath(above, path), directory=is_dir):
                raise rules.refusal(place_beneath(above, path), shown, within=why)


def refuse_denied_child(
    handle: Handle,
    dir_fd: int,
    name: str | bytes,
    shown: str | bytes,
    *,
    target: Handle | None = None,
    place: bytes = b"",
) -> None:
    """The same of a directory by its name, which may be anything else as well."""
    if handle.rules is None and (target is None or target.rules is None):
        return
    try:
        top = open_child(handle, dir_fd, name, syscalls.LISTING, shown)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        if error.errno != ELOOP:
            raise  # what cannot be looked into may hold anything, and can be renamed all the same
        return
    try:
        refuse_denied(handle, top, shown, target=target, place=place)
    finally:
        syscalls.close(top)


def _beneath(top: int) -> Iterator[tuple[bytes, bool]]:
    """(path from the top, whether it is a directory) of everything, drafts left out.

    What a directory holds that bears such a name is not: anyone may have called it so.
    """
    trail = Trail(top, syscalls.LISTING)
    prefixes = [b""]
    try:
        pending = [_entries(top)]
        while pending:
            if not pending[-1]:
                pending.pop()
                prefixes.pop()
                if pending:
                    trail.up()
                continue
            name, is_dir = pending[-1].pop()
            path = place_beneath(prefixes[-1], name)
            if not is_temporary(name):
                yield path, is_dir
            if is_dir:
                flags = syscalls.LISTING | os.O_NOFOLLOW
                trail.push(syscalls.open(name, flags, dir_fd=trail.fd), name)
                prefixes.append(path)
                pending.append(_entries(trail.fd))
    finally:
        trail.close()


def _entries(fd: int) -> list[tuple[str, bool]]:
    with syscalls.scandir(fd) as entries:
        return [
            (entry.name, entry.is_dir(follow_symlinks=False))
            for entry in entries
            if not is_temporary(entry.name) or entry.is_dir(follow_symlinks=False)
        ]
