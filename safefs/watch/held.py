"""What a watcher holds open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.kernel import syscalls
from safefs.paths import RelPath
from safefs.watch.hints import Hints
from safefs.watch.looking import Looker

if TYPE_CHECKING:
    from collections.abc import Container

    from safefs.drivers.base import Driver
    from safefs.watch.inotify import Inotify

_ROOT = RelPath.parse("")


class Held:
    """The root of the disk, the directory that is watched, and inotify.

    Knows no watcher, so that one which nobody has any more can go while its threads still run.
    """

    def __init__(self, driver: Driver, path: RelPath, hints: Hints, *, recursive: bool) -> None:
        self.hints = hints
        self._inotify: Inotify | None = None
        self._failed: OSError | None = None
        self._watches = False
        self._open = True
        self.base = driver.narrowed(_ROOT)
        try:
            self.top = driver.narrowed(path)
        except BaseException:
            self.base.close()
            raise
        self.looker = Looker(self.base, path, recursive=recursive, opened=self._opened)

    def listen(self) -> str | None:
        """Begin with inotify; or the reason why not."""
        if not syscalls.LINUX:
            return "there is no inotify on this system"
        try:
            from safefs.watch.inotify import Inotify

            self._inotify = Inotify(self.hints)
        except (ImportError, OSError) as error:
            return str(error)
        return None

    def _opened(self, path: str, fd: int) -> None:
        """A directory is about to be listed: it is watched from before the first name."""
        if self._inotify is not None and self._failed is None:
            try:
                self._inotify.watch(path, fd)
                self._watches = True
            except OSError as error:
                self._failed = error

    def settle(self, directories: Container[str]) -> str | None:
        """Watch these alone; or the reason why it is no longer inotify."""
        failed, self._failed = self._failed, None
        if self._inotify is None:
            return None
        if failed is None and self._watches:
            self._inotify.keep(directories)
            return None
        self._inotify.stop()
        self._inotify = None
        if failed is None:
            return "this storage has no directories that inotify could watch"
        return failed.strerror or str(failed)

    def close(self) -> None:
        """End the threads and close everything. May be called twice."""
        self.hints.stop()
        if self._inotify is not None:
            self._inotify.stop()
        self._close_drivers()

    def abandon(self) -> None:
        """Close what a child was given by fork; there are no threads, and locks may be taken."""
        self.hints = Hints(1, 0, 1)
        self.hints.stop()
        if self._inotify is not None:
            self._inotify.abandon()
        self._close_drivers()

    def _close_drivers(self) -> None:
        if self._open:
            self._open = False
            self.base.close()
            self.top.close()
            # A closed root keeps its number until the last reference to it has gone.
            del self.base, self.top, self.looker
