"""The watcher: looks where it is hinted to, and tells what differs."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections import deque
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Literal

from safefs.watch.changes import Change, Resync, RootGone, RootMoved
from safefs.watch.difference import difference
from safefs.watch.held import Held
from safefs.watch.hints import Hints
from safefs.watch.tree import TOP, Tree, is_beneath, same_entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import NoReturn, Self

    from safefs.drivers.base import Driver
    from safefs.paths import RelPath
    from safefs.watch.hints import Taken
    from safefs.watch.looking import Seen

Mode = Literal["inotify", "polling"]


class Watcher:
    """The changes of a disk as they come: an iterator, an async iterator, or calls of a function.

    Made by ``Disk.watch``. Iterating waits for changes and ends after ``stop``, or with a
    ``RootMoved`` or ``RootGone`` as the last one. Errors such as EIO and EMFILE are raised where
    they meet the reader, who may go on: nothing is lost by them.

    A watcher holds the directory itself, and closing the disk does not end it. ``Disk.revoke`` of
    one that its disk was made from does, as ``stop``, and waits for no callback. It is a context
    manager, which stops it. Threads may share it; each change goes to one of them. After ``fork``
    it is the parent's alone, and in the child a ``ValueError``. It refuses pickle and copy.
    """

    def __init__(
        self,
        driver: Driver,
        path: RelPath,
        *,
        recursive: bool,
        polling: bool,
        debounce: float,
        interval: float,
        limit: int,
        callback: Callable[[Change], object] | None,
    ) -> None:
        _check(debounce, interval, limit)
        if callback is not None and not callable(callback):
            raise TypeError(f"callback is a callable, not {type(callback).__name__}")
        self._recursive = recursive
        self._pending: deque[Change] = deque()
        self._tree = Tree()
        self._unread: set[str] = set()
        self._turn = threading.RLock()
        self._foreign = False
        self._reason: str | None = None
        self._thread: threading.Thread | None = None
        self._held = held = Held(
            driver, path, Hints(limit, debounce, interval), recursive=recursive
        )
        self._finalizer = weakref.finalize(self, held.close)
        try:
            self._path = held.looker.path(TOP)
            self._begin(polling=polling)
            _watchers.add(self)
            if callback is not None:
                self._serve(callback)
        except BaseException:
            held.close()
            raise

    def _begin(self, *, polling: bool) -> None:
        held = self._held
        self._reason = "it was asked for" if polling else held.listen()
        self._place, self._top = held.top.standing(), held.looker.top()
        seen = held.looker.look(self._tree, [TOP], self._unread, self._top)
        self._unread = seen.unread
        for _ in difference(self._tree, seen.directories):
            pass  # what is there at the beginning is not told
        self._settle()

    def _serve(self, callback: Callable[[Change], object]) -> None:
        def serve() -> None:
            try:
                for change in self:
                    callback(change)
            finally:
                self.stop()

        self._thread = threading.Thread(target=serve, name="safefs-watch", daemon=True)
        self._thread.start()

    # The watcher itself

    @property
    def mode(self) -> Mode:
        """``"inotify"``, or ``"polling"``: everything is compared again and again.

        It may become ``"polling"`` later, when there are more directories than may be watched.
        """
        return "inotify" if self._reason is None else "polling"

    @property
    def reason(self) -> str | None:
        """Why it is polling; None in the other mode."""
        return self._reason

    @property
    def stopped(self) -> bool:
        """Whether no more will be told than what waits to be read."""
        return self._held.hints.stopped

    def stop(self) -> None:
        """End the watching, in whatever thread someone waits for it. May be called twice.

        No thread and no descriptor of it is left after this. A callback that is being called is
        waited for, unless it is the callback that stops. What has not been read by then is dropped.
        """
        self._held.hints.stop()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
        self._give_up()

    def _end_revoked(self) -> None:
        """As ``stop``, for ``Disk.revoke``; but whoever revokes waits for nobody's callback."""
        self._held.hints.stop()
        self._give_up()

    def _give_up(self) -> None:
        with self._turn:
            self._pending.clear()
            self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        if not hasattr(self, "_path"):  # half made, as a traceback may show it
            return f"<{type(self).__name__}>"
        state = " stopped" if self.stopped else ""
        return f"<{type(self).__name__} {self._path!r} {self.mode}{state}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Watcher holds an open directory: it cannot be pickled or copied")

    # Reading

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Change:
        """The next change; waits for it."""
        while True:
            change = self._next()
            if change is not None:
                return change
            if self.stopped:
                raise StopIteration
            self._wait(None)
            self._look()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        """The next change. What is cancelled meanwhile loses none; looking is done in a thread."""
        while True:
            change = self._next()
            if change is not None:
                return change
            if self.stopped:
                raise StopAsyncIteration
            while (delay := self._held.hints.delay()) > 0:
                await self._held.hints.wait_async(delay)
            await asyncio.to_thread(self._look)

    def poll(self, timeout: float = 0.0) -> list[Change]:
        """All that is to be told now, or else what comes within so many seconds; maybe nothing.

        It looks before it gives up, and waits for no ``debounce`` then.
        """
        self._check_ours()
        end = monotonic() + timeout
        while not (self._pending or self.stopped):
            due = self._wait(end)
            self._look()
            if not due:
                break
        told = []
        while (change := self._next()) is not None:
            told.append(change)
        return told

    def _next(self) -> Change | None:
        self._check_ours()
        try:
            return self._pending.popleft()
        except IndexError:
            return None

    def _wait(self, end: float | None) -> bool:
        """Until a look is due: whether it was by then."""
        while (delay := self._held.hints.delay()) > 0:
            if end is not None:
                delay = min(delay, end - monotonic())
                if delay <= 0:
                    return False
            self._held.hints.wait(delay)
        return True

    def _check_ours(self) -> None:
        if self._foreign:
            raise ValueError("this Watcher is of the process that was forked: watch anew")

    # Looking

    def _look(self) -> None:
        """Take what is hinted at, look at it, and put what differs behind what is to be told."""
        with self._turn:
            if self.stopped:
                return
            taken = self._held.hints.take()
            try:
                end = self._end()
                seen = None if end else self._see(taken)
                # What was read meanwhile was perhaps another directory's by then.
                end = end or self._end()
            except BaseException:
                self._held.hints.restore(taken)
                if self._held.hints.stopped:
                    return  # closed meanwhile, as at the interpreter's end
                raise
            if seen is None or end is not None:
                self._pending.append(end or RootMoved(self._path))
                self._held.close()
            else:
                self._tell(taken, seen)

    def _end(self) -> Change | None:
        """What ends the watching, if the directory does not stand where it stood."""
        held = self._held
        place = held.top.standing()
        if place is None:
            return RootGone(self._path)
        if place != self._place:
            return RootMoved(self._path)
        try:
            found = held.looker.top() if self._path else self._top
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return RootMoved(self._path)
        return None if same_entry(found, self._top) else RootMoved(self._path)

    def _see(self, taken: Taken) -> Seen:
        if not self._recursive:
            directories = {TOP}
        elif taken.everything or self._reason is not None:
            directories = set(self._tree.directories)
        else:
            directories = taken.directories | taken.lost
            directories |= {
                path
                for top in taken.lost
                for path in self._tree.directories
                if is_beneath(path, top)
            }
        return self._held.looker.look(self._tree, directories, self._unread, self._top)

    def _tell(self, taken: Taken, seen: Seen) -> None:
        where = self._held.looker.path
        told: list[Change] = [Resync(where(path)) for path in self._resyncs(taken, seen)]
        for change in difference(self._tree, seen.directories):
            old = None if change.old_path is None else where(change.old_path)
            told.append(Change(change.kind, where(change.path), old, change.stat))
        self._unread = self._unread - seen.directories.keys() | seen.unread
        self._pending.extend(told)
        if self._settle():
            self._held.hints.overflow()  # for what was not watched any more when it was listed

    def _resyncs(self, taken: Taken, seen: Seen) -> list[str]:
        """Where hints were lost: everywhere, or at directories that stand and are watched anew."""
        if taken.everything:
            return [TOP]
        if self._reason is not None:
            return []
        return sorted(
            path
            for path in taken.lost
            if path in seen.directories
            and path not in seen.unread
            and seen.is_as_told(self._tree, path)
        )

    def _settle(self) -> bool:
        """Watch what is in the tree and nothing else. Whether it has come to polling by that."""
        reason = self._held.settle(self._tree.directories)
        if reason is not None:
            self._reason = reason
        return reason is not None

    def _abandon(self) -> None:
        """In a child after fork: close what came with it, and leave the rest to the parent."""
        self._foreign = True
        self._finalizer.detach()
        self._turn = threading.RLock()
        self._thread = None
        self._held.abandon()


# A fork copies no thread, and its child must not hold what belongs to the parent's watchers.
_watchers: weakref.WeakSet[Watcher] = weakref.WeakSet()


def _abandon_all() -> None:
    for watcher in list(_watchers):
        watcher._abandon()  # noqa: SLF001  (the module's own class)


os.register_at_fork(after_in_child=_abandon_all)


def _check(debounce: float, interval: float, limit: int) -> None:
    if not 0 <= debounce < inf:
        raise ValueError(f"debounce is a number of seconds from 0, not {debounce!r}")
    if not 0 < interval < inf:
        raise ValueError(f"interval is a number of seconds above 0, not {interval!r}")
    if limit < 1:
        raise ValueError(f"limit is a number of directories from 1, not {limit!r}")
