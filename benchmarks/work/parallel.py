"""A small file read by four threads, and by four processes, at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.workload import OS, Ratio, Subject, Workload
from safefs import Root
from safefs.testing.mounts import fork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.ground import Ground, Scale

AT_ONCE = 4


def workloads(scale: Scale) -> list[Workload]:
    return [_threads(scale.parallel), _processes(scale.parallel)]


def _reads(ground: Ground) -> dict[str, Callable[[], bytes]]:
    path = ground.file(4)
    root = ground.held(Root(ground.top))
    return {
        OS: partial(peers.read_fd, f"{ground.top}/{path}"),
        "Root.read_bytes": partial(root.read_bytes, path),
    }


def repeat(act: Callable[[], bytes], times: int) -> int:
    """How many bytes that gave in all."""
    return sum(len(act()) for _ in range(times))


def _threads(calls: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        pool = ground.held(ThreadPoolExecutor(AT_ONCE))

        def together(act: Callable[[], bytes]) -> int:
            return sum(pool.map(lambda _: repeat(act, calls), range(AT_ONCE)))

        return {
            name: Subject(partial(together, act), per=calls * AT_ONCE)
            for name, act in _reads(ground).items()
        }

    figures = (Ratio("Root.read_bytes", most=1.15),)
    return Workload("parallel", f"read 1 KiB, {AT_ONCE} threads", make, figures)


def _processes(calls: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        return {
            name: Subject(
                ground.held(workers(partial(repeat, act, calls))),
                per=calls * AT_ONCE,
                outside=True,
            )
            for name, act in _reads(ground).items()
        }

    # Of the wall clock, since this process only waits.
    figures = (Ratio("Root.read_bytes", most=1.15, of="wall"),)
    return Workload("parallel", f"read 1 KiB, {AT_ONCE} processes", make, figures)


@contextmanager
def workers(work: Callable[[], int]) -> Iterator[Callable[[], int]]:
    """Processes that wait, do it when they are called, and end with the context."""
    helpers = [_Worker(work) for _ in range(AT_ONCE)]

    def together() -> int:
        for helper in helpers:
            helper.start()
        return sum(helper.answer() for helper in helpers)

    try:
        yield together
    finally:
        for helper in helpers:
            helper.end()


class _Worker:
    """A forked child that does its work once for each byte it is sent."""

    def __init__(self, work: Callable[[], int]) -> None:
        told, self._tell = os.pipe()
        self._answers, answer = os.pipe()
        self._pid = fork()
        if self._pid == 0:
            try:
                # Or it would keep its own pipe open, and never see that the parent has closed it.
                os.close(self._tell)
                os.close(self._answers)
                while os.read(told, 1):
                    os.write(answer, work().to_bytes(8, "little"))
            finally:
                os._exit(0)
        os.close(told)
        os.close(answer)

    def start(self) -> None:
        os.write(self._tell, b"x")

    def answer(self) -> int:
        said = os.read(self._answers, 8)
        if len(said) != 8:
            raise RuntimeError("a worker has failed; its error is above")
        return int.from_bytes(said, "little")

    def end(self) -> None:
        os.close(self._tell)
        os.close(self._answers)
        os.kill(self._pid, 15)  # a later worker holds a copy of its pipe
        os.waitpid(self._pid, 0)
