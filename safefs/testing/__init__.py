"""Shipped tests: what a Disk has to do, and what must not get past it, or past anyone's storage.

``ContainmentSuite``
    attacks whatever keeps files under a root; subclass it and give ``make_subject``.
``Subject``, ``NotOffered``, ``as_subject``
    how it asks: the words of a storage of your own, and the adapters for those of others.
``DiskConformance``
    the suite that every Disk passes, on whatever driver; subclass it and give ``make_disk``.
``RootMachine``
    a random life of a Root on both resolvers, step by step against a model, with the outside
    watched; run its ``TestCase``, or subclass it and give ``make_root``.
``DiskMachine``
    the same of a Disk; give ``make_disk``.

Each needs pytest or hypothesis (the extra ``testing``), which are imported at the first use of a
name: ``ImportError`` where they are missing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safefs.testing.adapters import as_subject
    from safefs.testing.conformance import DiskConformance
    from safefs.testing.containment import ContainmentSuite
    from safefs.testing.disk_machine import DiskMachine
    from safefs.testing.machine import RootMachine
    from safefs.testing.subjects import NotOffered, Subject

__all__ = [
    "ContainmentSuite",
    "DiskConformance",
    "DiskMachine",
    "NotOffered",
    "RootMachine",
    "Subject",
    "as_subject",
]

_HOMES = {
    "ContainmentSuite": "safefs.testing.containment",
    "DiskConformance": "safefs.testing.conformance",
    "DiskMachine": "safefs.testing.disk_machine",
    "NotOffered": "safefs.testing.subjects",
    "RootMachine": "safefs.testing.machine",
    "Subject": "safefs.testing.subjects",
    "as_subject": "safefs.testing.adapters",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in ("pytest", "hypothesis"):
            raise
        hint = f"{name} needs the extra 'testing'; get it with: pip install hypothesis pytest"
        raise ImportError(hint, name=error.name) from error
