"""What a token is good for: some verbs, beneath a path, on a disk. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.errors import EscapeError, InvalidPathError
from safefs.paths import RelPath
from safefs.values import Frozen

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz_")
_LONGEST_VERB, _MOST_VERBS = 32, 64
_LONGEST_PATH = 1024  # bytes: with all else it still fits a header of HTTP


class Scope(Frozen):
    """Some verbs, on a path and all beneath it, on one disk. Frozen, equal by value.

    disk
        The name of the disk.
    path
        From the disk's root, ``""`` for all of it; kept without doubled slashes and dots.
    verbs
        Words of the application's own, of a-z and ``_``: the names of the methods of ``Disk``, or
        ``"read"`` and ``"write"``. Sorted. One that is not among them is not allowed.

    It compares names, one by one, byte for byte: ``a/b`` is not above ``a/bc``, nor above ``A/b``
    where the file system takes both for one. It looks at no file, so a link beneath ``path`` may
    lead elsewhere on the disk: who acts on what was allowed acts on ``disk.scoped(scope.path)``,
    which no link leaves.

    Raises ``InvalidPathError`` for a path with ``..``, ``EscapeError`` for an absolute one,
    ``ValueError`` and ``TypeError`` for anything else that cannot be meant.
    """

    __slots__ = ("disk", "path", "verbs")

    disk: str
    path: str
    verbs: tuple[str, ...]

    def __init__(self, disk: str, path: StrOrBytesPath = "", *, verbs: Iterable[str]) -> None:
        names = _names(path)
        text = RelPath(b"/".join(names), "").text
        if len(b"/".join(names)) > _LONGEST_PATH:
            raise ValueError(f"the path of a scope is longer than {_LONGEST_PATH} bytes")
        self._set(disk=_checked_disk(disk), path=text, verbs=_checked_verbs(verbs))

    def allows(self, verb: str, disk: str, path: StrOrBytesPath = "") -> bool:
        """Whether this is among what the scope allows.

        False for a path that is absolute, holds ``..`` or NUL: what it means, only the disk knows.
        ``TypeError`` for what is no path.
        """
        try:
            names = _names(path)
        except (EscapeError, InvalidPathError):
            return False
        above = _names(self.path)
        return verb in self.verbs and disk == self.disk and names[: len(above)] == above


def _names(path: StrOrBytesPath) -> list[bytes]:
    parsed = RelPath.parse(path)
    names = [name for name in parsed.names if name != b"."]
    if b".." in names:
        raise InvalidPathError(parsed.shown, "the path of a scope has no '..'")
    return names


def _checked_disk(disk: object) -> str:
    if not isinstance(disk, str):
        raise TypeError(f"the disk of a scope is its name, a str, not {type(disk).__name__}")
    if not disk or not disk.isprintable() or len(disk) > 255:
        raise ValueError(f"{disk!r} cannot be the name of a disk")
    return disk


def _checked_verbs(verbs: Iterable[str]) -> tuple[str, ...]:
    if isinstance(verbs, str):
        raise TypeError(f"verbs is a list of words: verbs=[{verbs!r}]")
    found = sorted(set(verbs))
    if not found or len(found) > _MOST_VERBS:
        raise ValueError(f"a scope has 1 to {_MOST_VERBS} verbs, not {len(found)}")
    for verb in found:
        if not isinstance(verb, str) or not 0 < len(verb) <= _LONGEST_VERB or set(verb) - _LETTERS:
            raise ValueError(f"a verb is a word of a-z and '_', at most {_LONGEST_VERB}: {verb!r}")
    return tuple(found)
