"""Shipped tests: what a Disk has to do, and what must not get past it.

``DiskConformance``
    the suite that every Disk passes, on whatever driver; subclass it and give ``make_disk``.

Needs the extra ``safefs[testing]`` (pytest), which is imported at the first use of a name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safefs.testing.conformance import DiskConformance

__all__ = ["DiskConformance"]


def __getattr__(name: str) -> object:
    if name == "DiskConformance":
        from safefs.testing.conformance import DiskConformance

        return DiskConformance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
