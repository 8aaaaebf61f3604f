"""Removing a tree by descriptor: following nothing, and again where somebody puts more into it."""

from __future__ import annotations

import os
from errno import EINVAL, ENOTEMPTY
from stat import S_IRWXU

from safefs.kernel import syscalls
from safefs.operations.denied import refuse_denied
from safefs.operations.job import Job, whereabouts
from safefs.operations.parent import Blame, Parent, open_child
from safefs.operations.sizes import unlinking
from safefs.operations.traversal import rehearse_removal
from safefs.operations.tree import Descent
from safefs.operations.unlocking import unlock, unlock_entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath
    from safefs.report import Kind

_RESCANS = 1000  # of one directory that someone keeps filling while it is removed


def remove_tree(handle: Handle, path: RelPath, job: Job) -> None:
    """Remove a directory and all beneath it; the root itself and links are refused."""
    job.at = whereabouts(path.text)
    with Parent(handle, path, writes=True) as parent:
        with Blame(path):
            top = open_child(handle, parent.fd, parent.name, syscalls.LISTING, path.shown)
        try:
            with Blame(path):
                if handle.is_root(top):
                    raise parent.error(EINVAL)
                refuse_denied(handle, top, path.shown)
                _remove(handle, top, job)
        finally:
            syscalls.close(top)
        if not job.dry_run and not job.failed_in:
            syscalls.rmdir(parent.name, dir_fd=parent.fd)


def _remove(handle: Handle, top: int, job: Job) -> None:
    if job.dry_run:
        rehearse_removal(handle, top, job)
        return
    if job.surveys:
        rehearsal = job.rehearsal()
        rehearse_removal(handle, top, rehearsal)
        job.expect(rehearsal)
    remove_entries(handle, top, job)


def remove_entries(
    handle: Handle, top: int, job: Job | None = None, *, everything: bool = False
) -> None:
    """Empty a directory: everything goes by a held descriptor, and a link goes as a link.

    In the order in which names are stored, which is that in which they are removed soonest. What is
    denied stays, but for ``everything``.
    """
    descent = Descent(handle, top, temporary=True, everything=everything)
    try:
        _Emptying(handle, descent, Job() if job is None else job).run()
    finally:
        descent.close()


def remove_own(handle: Handle, top: int) -> None:
    """``remove_entries``, also where directories keep their owner from removing what is in them.

    A copy has the permissions of its source already; what is replaced has what it was given.
    """
    try:
        remove_entries(handle, top, everything=True)
    except PermissionError:
        _unlock(handle, top)
        remove_entries(handle, top, everything=True)


def _unlock(handle: Handle, top: int) -> None:
    """Let the owner of all its directories remove what is in them."""
    descent = Descent(handle, top, temporary=True, everything=True)
    try:
        pending = [_opened_up(descent)]
        while pending:
            if not pending[-1]:
                pending.pop()
                if pending:
                    descent.up()
                continue
            name = pending[-1].pop()
            unlock_entry(handle, descent.fd, name, S_IRWXU)
            descent.enter(name)
            pending.append(_opened_up(descent))
    finally:
        descent.close()


def _opened_up(descent: Descent) -> list[str]:
    unlock(descent.fd, S_IRWXU)
    return [name for name, is_dir in descent.read() if is_dir]


class _Emptying:
    """Where one stands in a tree that is being removed: what is left to do on each level."""

    __slots__ = ("_descent", "_handle", "_job", "_pending", "_prefixes", "_rescans")

    def __init__(self, handle: Handle, descent: Descent, job: Job) -> None:
        self._handle = handle
        self._descent = descent
        self._job = job
        self._rescans = 0
        self._prefixes = [""]
        self._pending = [descent.kinds(ordered=False)]

    def run(self) -> None:
        while self._pending:
            if self._remove_until_directory():
                continue
            self._pending.pop()
            path = self._prefixes.pop()[:-1]
            if self._pending:
                self._descent.up()
                self._leave(path)
            elif not self._job.failed_in and (left := self._left()):
                self._push("", left)

    def _left(self) -> list[tuple[str, Kind]]:
        """What has come into the top meanwhile: its own rmdir would say no more than that."""
        self._rescans += 1
        return self._descent.kinds(ordered=False) if self._rescans <= _RESCANS else []

    def _push(self, prefix: str, entries: list[tuple[str, Kind]]) -> None:
        self._prefixes.append(prefix)
        self._pending.append(entries)

    def _remove_until_directory(self) -> bool:
        """Whether a directory was met, and entered; else all that was here is gone."""
        job, descent = self._job, self._descent
        prefix, entries = self._prefixes[-1], self._pending[-1]
        dir_fd, unlink, done = descent.fd, unlinking(self._handle), job.done
        quiet, note = not job.watched, job.note
        while entries:
            name, kind = entries.pop()
            path = prefix + name
            try:
                if kind != "directory":
                    # What it is by now, an error says: see _removed.
                    unlink(name, dir_fd=dir_fd)
                    if quiet:
                        note(("remove", path, kind))
                    else:
                        done("remove", path, kind)
                    continue
            except (FileNotFoundError, IsADirectoryError):
                pass
            except OSError as error:
                job.failed(error, path, kind)
                continue
            try:
                kind = _removed(self._handle, descent, name, kind)
                if kind == "directory":
                    self._push(path + "/", descent.kinds(ordered=False))
                    return True
            except OSError as error:
                if descent.depth == len(self._pending):
                    descent.up()  # entered, and not to be read
                job.failed(error, path, kind)
                continue
            job.done("remove", path, kind)
        return False

    def _leave(self, path: str) -> None:
        if path in self._job.failed_in:
            return
        name = path.rpartition("/")[2]
        try:
            if _rmdir(self._handle, self._descent, name):
                self._job.done("remove", path, "directory")
                return
            self._rescans += 1
            if self._rescans > _RESCANS:
                raise OSError(ENOTEMPTY, os.strerror(ENOTEMPTY))
        except OSError as error:
            self._job.failed(error, path, "directory")
            return
        self._pending[-1].append((name, "directory"))


def _removed(handle: Handle, descent: Descent, name: str, kind: Kind) -> Kind:
    """Unlink it, or enter it and say "directory"; what is gone has been removed."""
    for _ in range(_RESCANS):
        if kind != "directory":
            if _unlink(handle, descent, name):
                return kind
            kind = "directory"
        try:
            descent.enter(name)
            return kind
        except FileNotFoundError:
            return "other"
        except NotADirectoryError:
            kind = "other"
    raise OSError(ENOTEMPTY, os.strerror(ENOTEMPTY))


def _rmdir(handle: Handle, descent: Descent, name: str) -> bool:
    """Whether the directory is gone; if not, someone has put something into it again."""
    try:
        syscalls.rmdir(name, dir_fd=descent.fd)
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        return _unlink(handle, descent, name)
    except OSError as error:
        if error.errno == ENOTEMPTY:
            return False
        raise
    return True


def _unlink(handle: Handle, descent: Descent, name: str) -> bool:
    """Whether the name is gone; if not, it has become a directory."""
    try:
        unlinking(handle)(name, dir_fd=descent.fd)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        return False
    return True
