"""Confined file system access: a path means something beneath its root, and the kernel sees to it.

>>> from safefs import Storage
>>> storage = Storage("Acme Notes")                        # doctest: +SKIP
>>> storage.disk("documents").put("a.txt", "hello")        # doctest: +SKIP
>>> storage.disk("documents").get("../.ssh/id_ed25519")    # doctest: +SKIP
Traceback (most recent call last):
safefs.errors.EscapeError: ...
"""

from __future__ import annotations

from safefs.errors import (
    ConfigError,
    EscapeError,
    InvalidPathError,
    MissingFolderError,
    PolicyError,
    SafefsError,
    SameFileError,
    UnknownDiskError,
    UnsafeFolderError,
)
from safefs.policy import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.disk import Disk
    from safefs.diskpath import DiskPath
    from safefs.drivers.base import Stat
    from safefs.root import Root
    from safefs.storage import Storage

__all__ = [
    "ConfigError",
    "Disk",
    "DiskPath",
    "EscapeError",
    "InvalidPathError",
    "MissingFolderError",
    "Policy",
    "PolicyError",
    "Root",
    "SafefsError",
    "SameFileError",
    "Stat",
    "Storage",
    "UnknownDiskError",
    "UnsafeFolderError",
    "__version__",
]

__version__ = "0.1.0"

# Loaded on first use: what a program does not touch it does not wait for.
_LAZY = {
    "Disk": "safefs.disk",
    "DiskPath": "safefs.diskpath",
    "Root": "safefs.root",
    "Stat": "safefs.drivers.base",
    "Storage": "safefs.storage",
}


def __getattr__(name: str) -> object:
    module = _LAZY.get(name)
    if module is None:
        raise AttributeError(f"module 'safefs' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(module), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
