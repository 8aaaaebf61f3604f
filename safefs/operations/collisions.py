"""Names that would be one where the tree may be taken: what ``portable_names`` says of new ones."""

from __future__ import annotations

import os

from safefs.audit import refused
from safefs.errors import PolicyError
from safefs.kernel import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.operations.parent import Parent


def refuse_collision(parent: Parent, *, besides: bytes = b"") -> None:
    """PolicyError for a name that is to be made beside one that some systems take for it.

    One that is there already is none to be made. ``besides``: a name that will be gone. A directory
    that cannot be listed is not looked into, and what others make meanwhile is not seen.
    """
    try:
        parent.lstat()
    except FileNotFoundError:
        pass
    else:
        return
    try:
        fd = syscalls.open(b".", syscalls.LISTING, dir_fd=parent.fd)
    except PermissionError:
        return
    try:
        names: list[str] = syscalls.listdir(fd)
    finally:
        syscalls.close(fd)
    gone = os.fsdecode(besides)
    other = colliding(os.fsdecode(parent.name), (name for name in names if name != gone))
    if other is not None:
        raise collision(parent.path.shown, other)


def colliding(name: str, others: Iterable[str]) -> str | None:
    """The first of these names that some systems take for this one."""
    from safefs.folding import folded  # by those only who ask

    wanted = folded(name)
    return next((other for other in others if other != name and folded(other) == wanted), None)


def collisions(names: Iterable[str]) -> dict[str, str]:
    """Of names that are to be made in one directory: each that comes too late, and by which."""
    from safefs.folding import folded

    first: dict[str, str] = {}
    late = {}
    for name in names:
        known = first.setdefault(folded(name), name)
        if known != name:
            late[name] = known
    return late


def collision(shown: str | bytes, other: str) -> PolicyError:
    """The refusal, to be raised."""
    reason = f"some systems take it for {other!r}, which is there"
    return refused(PolicyError(shown, "portable_names", reason))
