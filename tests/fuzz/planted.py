"""Faults put in on purpose, to see that the fuzzing finds them. None opens anything it should not.

They are here, and never in safefs: each takes the place of a function or a number in the one
process that asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safefs.kernel import walk
from safefs.paths import RelPath

if TYPE_CHECKING:
    from safefs.paths import StrOrBytesPath


def in_gate1() -> None:
    """An undocumented error for one byte twice in a row; that it is there once shows as a branch.

    No seed holds it.
    """
    real = RelPath.parse

    def parse(path: StrOrBytesPath) -> RelPath:
        found = real(path)
        at = found.raw.find(b"\x19")
        if at >= 0:
            following = found.raw[at + 1 : at + 2]
            if following == b"\x19":
                raise KeyError(at)
        return found

    RelPath.parse = parse  # type: ignore[method-assign]


def in_walk() -> None:
    """The walk gives up at the third link: it refuses too much, and opens nothing more."""
    fewer: Any = 2
    walk.MAX_LINKS = fewer


FAULTS = {"gate1": in_gate1, "walk": in_walk}
