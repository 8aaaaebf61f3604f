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
    ArchiveError,
    BudgetError,
    ConfigError,
    EscapeError,
    InvalidPathError,
    KeyFileError,
    KeyUnavailableError,
    LockdownUnavailable,
    LockedDownError,
    LockTimeoutError,
    LockUnavailableError,
    MissingFolderError,
    MissingSecretError,
    PolicyError,
    PreconditionError,
    SafefsError,
    SameFileError,
    SealedFileError,
    TokenError,
    UnknownDiskError,
    UnsafeFolderError,
    WrongKeyError,
    WrongPassphraseError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.access import Access
    from safefs.budget import Budget
    from safefs.disk import Disk
    from safefs.diskpath import DiskPath
    from safefs.drivers.base import Stat
    from safefs.drivers.locking import Lock
    from safefs.explanation import Explanation, PathStep
    from safefs.lockdown.report import LockdownReport
    from safefs.policy import Policy
    from safefs.progress import Progress
    from safefs.report import Step, TreeReport
    from safefs.root import Root
    from safefs.secrets.exportreport import ExportReport
    from safefs.secrets.grant import Grant
    from safefs.secrets.keys import InstallationKey
    from safefs.secrets.named import Secrets
    from safefs.secrets.redaction import RedactionError
    from safefs.secrets.scope import Scope
    from safefs.secrets.secret import Secret
    from safefs.storage import Storage
    from safefs.watch import Change, Resync, RootGone, RootMoved, Watcher

__all__ = [
    "Access",
    "ArchiveError",
    "Budget",
    "BudgetError",
    "Change",
    "ConfigError",
    "Disk",
    "DiskPath",
    "EscapeError",
    "Explanation",
    "ExportReport",
    "Grant",
    "InstallationKey",
    "InvalidPathError",
    "KeyFileError",
    "KeyUnavailableError",
    "Lock",
    "LockTimeoutError",
    "LockUnavailableError",
    "LockdownReport",
    "LockdownUnavailable",
    "LockedDownError",
    "MissingFolderError",
    "MissingSecretError",
    "PathStep",
    "Policy",
    "PolicyError",
    "PreconditionError",
    "Progress",
    "RedactionError",
    "Resync",
    "Root",
    "RootGone",
    "RootMoved",
    "SafefsError",
    "SameFileError",
    "Scope",
    "SealedFileError",
    "Secret",
    "Secrets",
    "Stat",
    "Step",
    "Storage",
    "TokenError",
    "TreeReport",
    "UnknownDiskError",
    "UnsafeFolderError",
    "Watcher",
    "WrongKeyError",
    "WrongPassphraseError",
    "__version__",
]

__version__ = "0.1.0"

# Loaded on first use: what a program does not touch it does not wait for.
_LAZY = {
    "Access": "safefs.access",
    "Budget": "safefs.budget",
    "Change": "safefs.watch",
    "Disk": "safefs.disk",
    "DiskPath": "safefs.diskpath",
    "Explanation": "safefs.explanation",
    "ExportReport": "safefs.secrets.exportreport",
    "Grant": "safefs.secrets.grant",
    "InstallationKey": "safefs.secrets.keys",
    "Lock": "safefs.drivers.locking",
    "LockdownReport": "safefs.lockdown.report",
    "PathStep": "safefs.explanation",
    "Policy": "safefs.policy",
    "Progress": "safefs.progress",
    "RedactionError": "safefs.secrets.redaction",
    "Resync": "safefs.watch",
    "Root": "safefs.root",
    "RootGone": "safefs.watch",
    "RootMoved": "safefs.watch",
    "Scope": "safefs.secrets.scope",
    "Secret": "safefs.secrets.secret",
    "Secrets": "safefs.secrets.named",
    "Stat": "safefs.drivers.base",
    "Step": "safefs.report",
    "Storage": "safefs.storage",
    "TreeReport": "safefs.report",
    "Watcher": "safefs.watch",
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
