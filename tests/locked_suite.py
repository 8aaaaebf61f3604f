"""Runs tests of this project in a process that is locked down to a scratch directory.

    python -m tests.locked_suite SCRATCH CANARY [arguments of pytest]

The canary, which lies elsewhere, is tried before and after: it can be opened by nobody. What is
left to it beside the scratch is Python, this project (to be read), and the programs that tests
start.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def main(scratch: str, canary: str, *words: str) -> int:
    """The status of pytest; 100 if the canary could be opened."""
    import pytest

    from safefs import Storage

    storage = Storage("locked-suite", disks={"scratch": scratch})
    storage.disk("scratch")
    storage.lockdown(
        disks=["scratch"],
        network="allow",  # asyncio and servers of tests; files are what is asked here
        extra_read=[PROJECT, "/etc/passwd", "/proc"],
        extra_write=["/dev/shm"],
        execute=[os.path.realpath(sys.executable), "/bin", "/usr/bin"],
    )
    if _opens(canary):
        return 100
    status = pytest.main(
        [*words, "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:pytest_cov"]
    )
    return 100 if _opens(canary) else int(status)


def _opens(canary: str) -> bool:
    try:
        os.close(os.open(canary, os.O_RDONLY))
    except PermissionError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
