"""What waits to be looked at, and when to look: the one thing that threads share here."""

from __future__ import annotations

import asyncio
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 10  # times debounce: after which changes that go on and on are looked at all the same


class Taken(NamedTuple):
    """What is to be looked at: directories, those whose watch was lost, or all there is."""

    directories: set[str]
    lost: set[str]
    everything: bool


class Hints:
    """Directories that may have changed, ``limit`` of them; with more, all are to be compared.

    ``debounce``: so many seconds without a hint before one looks, or ten times as many with hints.
    ``interval``: so many seconds after a look comes the next, hints or none.
    """

    def __init__(self, limit: int, debounce: float, interval: float) -> None:
        self._changed = Condition()  # on an RLock: a finalizer may come at any point
        self._limit = limit
        self._debounce = debounce
        self._interval = interval
        self._directories: set[str] = set()
        self._lost: set[str] = set()
        self._everything = False
        self._first: float | None = None
        self._last = 0.0
        self._next = monotonic() + interval
        self._wakers: list[Callable[[], object]] = []
        self.stopped = False

    # For those who have hints

    def add(self, directory: str) -> None:
        """A directory may have changed."""
        with self._changed:
            self._directories.add(directory)
            self._limited()

    def lose(self, directory: str) -> None:
        """A directory is watched no longer, for whatever reason."""
        with self._changed:
            self._lost.add(directory)
            self._limited()

    def overflow(self) -> None:
        """Hints have been lost."""
        with self._changed:
            self._everything = True
            self._stamp()

    def stop(self) -> None:
        """Whoever waits is to wait no longer."""
        with self._changed:
            self.stopped = True
            self._wake()

    def _limited(self) -> None:
        if len(self._directories) + len(self._lost) > self._limit:
            self._everything = True
            self._directories.clear()
        self._stamp()

    def _stamp(self) -> None:
        self._last = monotonic()
        if self._first is None:
            self._first = self._last
            self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()
        wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    # For the one who looks

    def delay(self) -> float:
        """The seconds until the next look is due."""
        with self._changed:
            if self.stopped:
                return 0.0
            due = self._next
            if self._first is not None:
                quiet, patient = self._last + self._debounce, self._first
                due = min(due, quiet, patient + _PATIENCE * self._debounce)
            return max(0.0, due - monotonic())

    def wait(self, seconds: float) -> None:
        """Until that has passed, a first hint comes, or an end is put to it."""
        with self._changed:
            if not self.stopped:
                self._changed.wait(seconds)

    async def wait_async(self, seconds: float) -> None:
        """``wait``, that does not hold up the event loop."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(woken.set)
            except RuntimeError:
                pass  # the loop has ended, and nobody waits there any more

        with self._changed:
            if self.stopped:
                return
            self._wakers.append(wake)
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            pass
        finally:
            with self._changed:
                if wake in self._wakers:
                    self._wakers.remove(wake)

    def take(self) -> Taken:
        """All there is to look at; what comes after this is for the next look."""
        with self._changed:
            taken = Taken(self._directories, self._lost, self._everything)
            self._directories, self._lost, self._everything = set(), set(), False
            self._first = None
            self._next = monotonic() + self._interval
            return taken

    def restore(self, taken: Taken) -> None:
        """What was taken could not be looked at, and waits again."""
        with self._changed:
            self._directories |= taken.directories
            self._lost |= taken.lost
            self._everything |= taken.everything
            self._limited()
