"""The targets by name."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.fuzz import gate1, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SEEDS: dict[str, Callable[[], list[bytes]]] = {"gate1": gate1.seeds, "walk": walk.seeds}
LONGEST = {"gate1": gate1.LONGEST, "walk": walk.LONGEST}


@contextmanager
def opened(name: str, place: Path) -> Iterator[Callable[[bytes], None]]:
    """The function to be fuzzed; what it needs of a file system is made in ``place``."""
    if name == "gate1":
        yield gate1.run
        return
    target = walk.Target(place)
    try:
        yield target.run
    finally:
        target.close()
