"""What lock-down would be here, without doing it: for ``safefs doctor``."""

from __future__ import annotations

import sys

from safefs.errors import LockdownUnavailable
from safefs.lockdown import rights, ruleset
from safefs.lockdown.running import found

_FURTHER = ((rights.TSYNC_SINCE, "all threads at once"),)


def rows() -> list[tuple[str, str, str]]:
    """(name, value, what it means)."""
    return [_landlock(), ("bubblewrap", _has_bwrap(), "namespaces besides: safefs run --isolate")]


def _landlock() -> tuple[str, str, str]:
    try:
        abi = ruleset.available(sys.platform)
    except LockdownUnavailable as error:
        return ("lock-down", "no", error.reason)
    further = (*((each.since, each.name) for each in rights.RIGHTS), *_FURTHER)
    missing = [f"{what} (ABI {since})" for since, what in further if since > abi]
    lacks = f"; it lacks {', '.join(missing)}" if missing else ""
    return ("lock-down", f"Landlock ABI {abi}", f"storage.lockdown() and safefs run{lacks}")


def _has_bwrap() -> str:
    try:
        found("bwrap")
    except FileNotFoundError:
        return "no"
    return "yes"
