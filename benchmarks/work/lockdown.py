"""What lock-down costs: once, at each open, and to run a program so.

As it is for good, it happens in forks of this process: to set it up, and in a worker that opens
files when it is told to, beside one that is free. What this does not show: what is imported at the
first lock-down of a process, and a disk so deep that the kernel goes up far at each open.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.workload import Ratio, SkippedError, Subject, Workload
from safefs import LockdownUnavailable, Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.ground import Ground, Scale
    from safefs.testing.fake import FakeStorage

FREE, LOCKED = "free", "locked down"
FORK, LOCK = "fork and exit", "fork, lock down and exit"
BARE, RUN = "subprocess.run", "Storage.run"
DISK = "documents"


def workloads(scale: Scale) -> list[Workload]:
    calls = max(3, scale.parallel // 2)
    opens = (Ratio(LOCKED, FREE, most=1.03, of="wall"),)
    run = (Ratio(RUN, BARE, most=40, of="wall"),)
    return [
        Workload("lockdown", "set up lock-down", _setting_up, baseline=FORK),
        *(
            Workload(
                "lockdown",
                f"{word}, depth 4, locked down",
                partial(_opening, word, calls),
                opens,
                baseline=FREE,
            )
            for word in ("os.open", "Root.open")
        ),
        Workload("lockdown", "run true", _running, run, baseline=BARE),
    ]


def _storage(ground: Ground) -> FakeStorage:
    """In a temporary directory, with all open that a lock-down would open."""
    from safefs.lockdown import locking, ruleset

    try:
        ruleset.check_abi(ruleset.available("linux"), "deny")
    except LockdownUnavailable as error:
        raise SkippedError(error.reason) from None
    storage = ground.held(Storage.fake(memory=False))
    storage.disk(DISK).put("d/d/d/f", b"x" * 1024)
    storage.disk("temp")
    locking._Own.of(storage)
    return storage


def _setting_up(ground: Ground) -> dict[str, Subject]:
    storage = _storage(ground)
    return {
        FORK: Subject(partial(_in_fork, lambda: None), outside=True),
        LOCK: Subject(partial(_in_fork, lambda: storage.lockdown(disks=[DISK])), outside=True),
    }


def _in_fork(act: Callable[[], object]) -> int:
    """The status of a fork that does this."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


def _opening(word: str, calls: int, ground: Ground) -> dict[str, Subject]:
    storage = _storage(ground)
    from safefs.lockdown.disks import root_of

    root = root_of(storage.disk(DISK))
    assert root is not None
    top = os.readlink(f"/proc/self/fd/{root.fileno()}")
    acts: dict[str, Callable[[], object]] = {
        "os.open": lambda: os.close(os.open(f"{top}/d/d/d/f", os.O_RDONLY | os.O_CLOEXEC)),
        "Root.open": lambda: root.open("d/d/d/f", "rb", buffering=0).close(),
    }

    def lock() -> None:
        storage.lockdown(disks=[DISK])

    free = ground.held(_worker(acts[word], calls, lambda: None))
    locked = ground.held(_worker(acts[word], calls, lock))
    return {
        FREE: Subject(free, per=calls, outside=True),
        LOCKED: Subject(locked, per=calls, outside=True),
    }


@contextmanager
def _worker(
    act: Callable[[], object], calls: int, before: Callable[[], object]
) -> Iterator[Callable[[], bytes]]:
    """A fork that does it so many times whenever it is asked to, and says when it has."""
    asked, ask = os.pipe()
    done, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(ask)
            before()
            while os.read(asked, 1):
                for _ in range(calls):
                    act()
                os.write(tell, b"+")
        finally:
            os._exit(0)
    os.close(asked)
    os.close(tell)

    def told() -> bytes:
        os.write(ask, b"?")
        said = os.read(done, 1)
        if said != b"+":
            raise RuntimeError("the worker has ended")
        return said

    try:
        yield told
    finally:
        os.close(ask)
        os.close(done)
        os.waitpid(child, 0)


def _running(ground: Ground) -> dict[str, Subject]:
    storage = _storage(ground)
    return {
        BARE: Subject(lambda: subprocess.run(["true"], check=False).returncode, outside=True),
        RUN: Subject(lambda: storage.run(["true"], disks=[DISK]).returncode, outside=True),
    }
