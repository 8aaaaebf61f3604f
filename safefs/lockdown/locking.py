"""``Storage.lockdown``: in this process, for good."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from safefs import folders
from safefs.errors import LockdownUnavailable, SafefsError
from safefs.folders import TEMP
from safefs.kernel.procfs import place_of
from safefs.lockdown import rights, ruleset
from safefs.lockdown.arguments import Asked, not_imported_from
from safefs.lockdown.disks import Left, named, root_of
from safefs.lockdown.report import NEVER_DENIED, Granted, LockdownReport, enforcements
from safefs.lockdown.threads import check_alone, sibling_threads

if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.lockdown.arguments import Paths
    from safefs.storage import Storage


def lock_down(
    storage: Storage,
    disks: Iterable[str] | None,
    network: object,
    extra_read: Paths,
    extra_write: Paths,
    execute: Paths,
    *,
    strict: bool,
) -> LockdownReport:
    """See ``Storage.lockdown``. What can fail comes before the step that cannot be undone."""
    asked = Asked.checked(network, extra_read, extra_write, execute)
    abi, failure = _available(asked, strict=strict)
    left = named(storage, disks)
    own = _Own.of(storage)
    unenforced = _unenforced(abi)
    granted = () if failure else _enforced(abi, asked, [*left, *own.left])
    _settle(storage, left, own)
    return LockdownReport(
        abi,
        strict,
        asked.network,
        tuple(each.name for each in left),
        granted,
        enforcements(abi, asked.network, failure),
        unenforced,
        (*own.lacking, *_imports()),
        own.temporary,
    )


def _available(asked: Asked, *, strict: bool) -> tuple[int, str]:
    """The ABI, and why nothing can be enforced at all: under ``strict`` that is raised."""
    try:
        abi = ruleset.available(sys.platform)
    except LockdownUnavailable as error:
        if strict:
            raise
        return 0, error.reason
    if strict:
        ruleset.check_abi(abi, asked.network)
        check_alone(abi)
    return abi, ""


class _Own(NamedTuple):
    """What safefs needs for the Storage itself: locks, secrets, and a temporary directory."""

    left: list[Left]
    lacking: list[tuple[str, str]]
    temporary: str | None

    @classmethod
    def of(cls, storage: Storage) -> _Own:
        left: list[Left] = []
        lacking: list[tuple[str, str]] = []
        temporary = None
        try:
            root = root_of(storage._own.get())  # noqa: SLF001  (only safefs itself asks for it)
            if root is not None:
                left.append(Left("(state)", root, "locks, secrets and the key of the installation"))
                locks = storage._locks.opened()  # noqa: SLF001  (as above)
                left.append(Left("(locks)", locks, "locks between processes"))
        except (OSError, SafefsError) as error:
            lacking.append(("locks and secrets", str(error)))
        try:
            root = root_of(storage.disk(TEMP))
            if root is not None:
                left.append(Left(TEMP, root, "temporary files; its directory stays, emptied"))
                place = place_of(root.fileno())
                temporary = None if place is None else os.fsdecode(place)
        except (OSError, SafefsError) as error:
            lacking.append(("temporary files", str(error)))
        return cls(left, lacking, temporary)


def _enforced(abi: int, asked: Asked, left: list[Left]) -> tuple[Granted, ...]:
    with ruleset.new_ruleset(abi, asked.network) as rules:
        for each in left:
            each.allow_in(rules)
        asked.allow_in(rules)
        asked.allow_python_in(rules)
        rules.enforce(all_threads=abi >= rights.TSYNC_SINCE)
        return tuple(rules.granted)


def _settle(storage: Storage, left: list[Left], own: _Own) -> None:
    """In this process: what is left out is closed, and temporary files go where they may."""
    folders.only_empty()
    kept = {TEMP, *(each.name for each in left)}
    storage._leave_out(name for name in storage if name not in kept)  # noqa: SLF001  (as above)
    if own.temporary is not None:
        folders.use_for_temporary_files(own.temporary)


def _unenforced(abi: int) -> tuple[tuple[str, str], ...]:
    """Beside what Landlock never asks about: threads that run by now and are free."""
    others = sibling_threads() if abi < rights.TSYNC_SINCE else 0
    if others == 0:
        return NEVER_DENIED
    many = "other" if others is None else str(others)
    free = ("sibling threads", f"{many} threads that ran before are as free as they were")
    return (*NEVER_DENIED, free)


def _imports() -> list[tuple[str, str]]:
    return [
        ("imports", f"modules that are not loaded yet, from {entry!r}: see extra_read")
        for entry in not_imported_from()
    ]
