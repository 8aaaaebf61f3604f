"""Hints from inotify, by way of watchdog: one watch for each directory, under our own control.

watchdog's recursive mode is not used. It walks the tree by name, so that a directory swapped for a
link has it watch what lies outside, and it goes on watching what has been moved out. Here each
watch is set on a directory that was opened beneath the held root, through its descriptor, and taken
away as soon as a listing no longer shows that directory.
"""

from __future__ import annotations

import os
import threading
from itertools import count
from typing import TYPE_CHECKING

from watchdog.observers.inotify_c import InotifyConstants, InotifyFD, Mask

from safefs.kernel import syscalls
from safefs.kernel.procfs import proc_fds

if TYPE_CHECKING:
    from collections.abc import Container

    from watchdog.observers.inotify_c import CallbackId, InotifyEvent, WatchDescriptor

    from safefs.watch.hints import Hints

_MASK = Mask(
    InotifyConstants.IN_CREATE
    | InotifyConstants.IN_DELETE
    | InotifyConstants.IN_MOVED_FROM
    | InotifyConstants.IN_MOVED_TO
    | InotifyConstants.IN_MODIFY
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_EXCL_UNLINK
)

# Held while threads and descriptors begin or end, so that no fork comes in between.
_settled = threading.RLock()


def _renew_lock() -> None:
    global _settled  # nobody in the child would release the old one
    _settled = threading.RLock()


os.register_at_fork(
    before=lambda: _settled.acquire(),
    after_in_parent=lambda: _settled.release(),
    after_in_child=_renew_lock,
)


class _Instance(InotifyFD):
    """An instance of inotify that a program which this one starts does not inherit."""

    @classmethod
    def _create_inotify_fd(cls) -> int:
        fd = super()._create_inotify_fd()
        syscalls.set_inheritable(fd, False)
        return fd


class _Watch:
    """What watchdog tells of one directory. Keeps no watcher alive."""

    __slots__ = ("_deleted", "_hints", "_path", "lost")

    def __init__(self, hints: Hints, path: str) -> None:
        self._hints = hints
        self._path = path
        self._deleted = False
        self.lost = False

    def on_event(self, event: InotifyEvent) -> None:
        if event.is_delete_self:
            self._deleted = True
        self._hints.add(self._path)

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:  # noqa: ARG002  (there is but one)
        if self._deleted:
            self._hints.add(self._path)  # one that is made anew may have the same inode
        else:
            self.lost = True
            self._hints.lose(self._path)

    def on_queue_overflow(self) -> None:
        self._hints.overflow()


class Inotify:
    """Watches on directories, by their path from the top. One thread and three descriptors.

    ``OSError`` where there is no instance of inotify to be had (EMFILE).
    """

    def __init__(self, hints: Hints) -> None:
        proc = proc_fds()
        if proc is None:
            raise OSError("without procfs no directory can be watched by its descriptor")
        syscalls.close(proc)
        self._hints = hints
        self._numbers = count()
        self._watches: dict[str, tuple[WatchDescriptor, CallbackId, _Watch]] = {}
        with _settled:
            self._instance: InotifyFD | None = _Instance()
            try:
                self._instance.start()
            except RuntimeError as error:  # no thread to be had
                self.abandon()
                raise OSError(str(error)) from error

    def watch(self, path: str, fd: int) -> None:
        """Watch an open directory under this path; one that is watched already stays so.

        ``OSError`` where no more can be watched (ENOSPC).
        """
        held = self._watches.get(path)
        instance = self._instance
        if instance is None:
            return
        watch = _Watch(self._hints, path)
        number: CallbackId = next(self._numbers)  # type: ignore[assignment]
        # The slash has the directory itself watched, and not procfs's link to it.
        name = b"/proc/self/fd/%d/" % fd
        wd = instance.add_callback(name, _MASK, watch, number)
        if wd == -1:  # EACCES, of which watchdog makes a watch that there is not
            instance.remove_callbacks([(wd, number)])
            self._hints.lose(path)
            return
        self._watches[path] = wd, number, watch
        if held is not None:
            instance.remove_callbacks([held[:2]])

    def has_lost(self, path: str) -> bool:
        held = self._watches.get(path)
        return held is not None and held[2].lost

    def keep(self, paths: Container[str]) -> None:
        """Watch no directory but these."""
        gone = [path for path in self._watches if path not in paths]
        watches = [self._watches.pop(path) for path in gone]
        if watches and self._instance is not None:
            self._instance.remove_callbacks([each[:2] for each in watches])

    def stop(self) -> None:
        """End the thread, and close what it held. May be called twice.

        From a finalizer that the garbage collector runs in a thread of inotify, which can wait for
        none of its kind, another thread does it.
        """
        instance, self._instance = self._instance, None
        if instance is None:
            return
        if isinstance(threading.current_thread(), InotifyFD):
            threading.Thread(target=_end, args=(instance,), name="safefs-watch-end").start()
        else:
            _end(instance)

    def abandon(self) -> None:
        """Close what is open, without the thread: it never began, or is another process's."""
        instance, self._instance = self._instance, None
        if instance is not None:
            instance._close_resources()  # noqa: SLF001  (close() leaves this to the thread)


def _end(instance: InotifyFD) -> None:
    with _settled:
        instance.stop()
        instance.join()
