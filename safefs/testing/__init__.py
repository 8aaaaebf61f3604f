"""Shipped tests: what a Disk has to do, and what must not get past it.

``DiskConformance``
    the suite that every Disk passes, on whatever driver; subclass it and give ``make_disk``.

Needs pytest (the extra ``testing``), which is imported at the first use of a name: ``ImportError``
where it is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safefs.testing.conformance import DiskConformance

__all__ = ["DiskConformance"]


def __getattr__(name: str) -> object:
    if name == "DiskConformance":
        return _conformance()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _conformance() -> type[DiskConformance]:
    try:
        from safefs.testing.conformance import DiskConformance
    except ModuleNotFoundError as error:
        if error.name != "pytest":
            raise
        hint = "DiskConformance needs pytest (the extra 'testing'); get it with: pip install pytest"
        raise ImportError(hint, name="pytest") from error
    return DiskConformance
