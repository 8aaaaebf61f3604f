"""copy_tree: a tree whole or not at all, between two roots or within one, and links as links."""

from __future__ import annotations

import os
import sys
from errno import EINVAL, ELOOP, ENXIO, ESTALE
from stat import S_IMODE, S_ISDIR, S_ISREG

from safefs.kernel import syscalls
from safefs.kernel.reached import Reached
from safefs.kernel.trail import MAX_HELD
from safefs.operations.collisions import collision, collisions
from safefs.operations.content import copy_content
from safefs.operations.files import open_child_looked
from safefs.operations.job import WholeError, whereabouts
from safefs.operations.listing import open_directory
from safefs.operations.names import rename_noreplace
from safefs.operations.parent import Blame, Parent, open_child
from safefs.operations.removing import remove_own
from safefs.operations.replace import refuse_existing, temporary_name
from safefs.operations.sizes import adding, growth_of, moving, unlink
from safefs.operations.traversal import Within, identity, refuse_kind, rehearse_copy
from safefs.operations.tree import Descent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle
    from safefs.operations.job import Job
    from safefs.operations.traversal import Identity
    from safefs.paths import RelPath
    from safefs.report import Kind

PERMISSIONS = 0o777  # set-id bits stay behind
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Place:
    """One end of a copy or move: a root, and a path beneath it.

    ``file_mode`` and ``directory_mode`` are the most that what comes to lie there may have.
    """

    __slots__ = ("directory_mode", "file_mode", "handle", "path")

    def __init__(
        self,
        handle: Handle,
        path: RelPath,
        file_mode: int = PERMISSIONS,
        directory_mode: int = PERMISSIONS,
    ) -> None:
        self.handle = handle
        self.path = path
        self.file_mode = file_mode & PERMISSIONS
        self.directory_mode = directory_mode & PERMISSIONS

    @property
    def keeps_modes(self) -> bool:
        """Whether what comes here may have every permission it had."""
        return self.file_mode == self.directory_mode == PERMISSIONS


# What an entry was when it was copied, by its path: told of by its stat.
Portraits = dict[str, "os.stat_result"]


def copy_tree(src: Place, dst: Place, job: Job, portraits: Portraits | None = None) -> None:
    """Filled under a temporary name and renamed at the end, so that it is whole or not there.

    ``portraits``: where to write down what was copied.
    """
    job.at = whereabouts(src.path.text)
    with Blame(src.path, dst.path):
        top = open_directory(src.handle, src.path)
        sys.audit("safefs.open", dst.path.shown, syscalls.LISTING | os.O_CREAT)
        try:
            with Parent(
                dst.handle, dst.path, writes=True, adds=True, owns=True, directory=True
            ) as new:
                refuse_existing(new)
                within = Within(syscalls.fstat(new.fd))
                within.refuse(top)
                place = new.place if dst.handle.guarded else b""
                if _rehearsed(src, top, dst, within, job, place):
                    return
                _fill_and_publish(Filling(src, dst, within, job, portraits), top, new)
        finally:
            syscalls.close(top)


def rehearse(src: Place, dst: Place, job: Job) -> None:
    """A dry run where the directory to copy into is still to be made."""
    job.at = whereabouts(src.path.text)
    with Blame(src.path, dst.path):
        dst.handle.permit(dst.path, writes=True, adds=True)
        top = open_directory(src.handle, src.path)
        try:
            place = b"/".join(name for name in dst.path.names if name != b".")
            rehearse_copy(src.handle, top, dst.handle, None, job, place)
        finally:
            syscalls.close(top)


def _rehearsed(src: Place, top: int, dst: Place, within: Within, job: Job, place: bytes) -> bool:
    """Look ahead where something hangs on it; whether that was all."""
    if job.dry_run:
        rehearse_copy(src.handle, top, dst.handle, within, job, place)
    elif job.surveys:
        rehearsal = job.rehearsal()
        rehearse_copy(src.handle, top, dst.handle, within, rehearsal, place)
        job.expect(rehearsal)
    return job.dry_run


def _fill_and_publish(filling: Filling, top: int, new: Parent) -> None:
    name = temporary_name()
    syscalls.mkdir(name, 0o700, dir_fd=new.fd)
    draft = -1
    try:
        draft = syscalls.open(name, syscalls.LISTING | os.O_NOFOLLOW, dir_fd=new.fd)
        if filling.target.guarded:
            draft = Reached.at(draft, new.place)  # what is in it is judged by where it will be
        syscalls.lock(draft)
        _check_ours(draft)
        filling.fill(top, draft)
        with moving(filling.target):
            rename_noreplace(new.fd, name, new.fd, new.name)
    except _ReplacedError:
        raise  # what stands there now is another's, and not ours to clear up
    except BaseException:
        _discard(filling.target, new.fd, name, draft)
        raise
    finally:
        if draft >= 0:
            syscalls.close(draft)


class _ReplacedError(WholeError):
    """A directory that was just made is another one by now. errno is ESTALE."""


def _check_ours(made: int) -> None:
    """That what was made and what was opened are one: ours, and empty."""
    if syscalls.fstat(made).st_uid != syscalls.geteuid() or syscalls.listdir(made):
        raise _ReplacedError(ESTALE, "a directory was replaced in the moment it was made")


def _discard(handle: Handle, dir_fd: int, name: bytes, draft: int) -> None:
    try:
        if draft >= 0:
            remove_own(handle, draft)
    except OSError:
        pass  # an empty one goes all the same: it takes a descriptor to see that it is empty
    try:
        syscalls.rmdir(name, dir_fd=dir_fd)
    except OSError:
        pass  # what went wrong before is what the caller must hear


class Filling:
    """Copies a tree's entries into an empty directory."""

    __slots__ = (
        "_directory_mode",
        "_draft",
        "_file_mode",
        "_first",
        "_job",
        "_late",
        "_portraits",
        "_source",
        "_within",
        "target",
    )

    def __init__(
        self, src: Place, dst: Place, within: Within, job: Job, portraits: Portraits | None
    ) -> None:
        self.target = dst.handle
        self._source = src.handle
        self._file_mode = dst.file_mode
        self._directory_mode = dst.directory_mode
        self._within = within
        self._job = job
        self._portraits = portraits
        # Of files with more than one name: the first copy's path, and what it is itself.
        self._first: dict[Identity, tuple[str, os.stat_result]] = {}
        self._draft = -1
        self._late: dict[str, str] = {}  # names that collide, where they may not, and with which

    def fill(self, top: int, draft: int) -> None:
        """A directory gets its mode and times when it is complete."""
        self._draft = draft
        job = self._job
        if self._portraits is not None:
            self._portraits[""] = syscalls.fstat(top)
        old = Descent(self._source, top, MAX_HELD // 2)
        new = Descent(self.target, draft, MAX_HELD // 2)
        try:
            prefixes = [""]
            pending = [iter(self._kinds(old))]
            while pending:
                prefix = prefixes[-1]
                for name, kind in pending[-1]:
                    path = prefix + name
                    try:
                        job.entry(path, len(pending))
                        if kind == "directory":
                            self._enter(old, new, name, path)
                        else:
                            self._copy_entry(old.fd, new.fd, name, path, kind)
                            continue
                    except OSError as error:
                        job.failed(error, path, kind)
                        continue
                    prefixes.append(path + "/")
                    pending.append(iter(self._read(old, path)))
                    break
                else:
                    finish(syscalls.fstat(old.fd), new.fd, self._directory_mode)
                    pending.pop()
                    prefixes.pop()
                    if pending:
                        old.up()
                        new.up()
        finally:
            old.close()
            new.close()

    def _enter(self, old: Descent, new: Descent, name: str, path: str) -> None:
        refuse_kind(self.target.policy, name, "directory")
        self._refuse_late(path)
        self.target.refuse_child(new.fd, name, directory=True)
        old.enter(name)
        try:
            self._within.refuse(old.fd)
            syscalls.mkdir(name, 0o700, dir_fd=new.fd)
            new.enter(name)
        except BaseException:
            old.up()
            raise
        _check_ours(new.fd)
        if self._portraits is not None:
            self._portraits[path] = syscalls.fstat(old.fd)
        self._job.done("create", path, "directory")

    def _read(self, old: Descent, path: str) -> list[tuple[str, Kind]]:
        try:
            return self._kinds(old, path + "/")
        except OSError as error:
            self._job.failed(error, path, "directory")
            return []

    def _kinds(self, old: Descent, prefix: str = "") -> list[tuple[str, Kind]]:
        found = old.kinds()
        if self.target.policy.portable_names:
            late = collisions(name for name, _ in found)
            self._late.update({prefix + name: first for name, first in late.items()})
        return found

    def _refuse_late(self, path: str) -> None:
        if path in self._late:
            raise collision(path, self._late[path])

    def _copy_entry(self, source: int, target: int, name: str, path: str, kind: Kind) -> None:
        """One file or link, as it stands; ENXIO for a FIFO, a socket or a device."""
        refuse_kind(self.target.policy, name, kind)
        self._refuse_late(path)
        self.target.refuse_child(target, name, directory=False)
        if kind == "symlink":
            found = _copy_link(self.target, source, target, name, path)
            self._job.done("create", path, "symlink")
        else:
            found = self._copy_file(source, target, name, path)
        if self._portraits is not None:
            self._portraits[path] = found

    def _copy_file(self, source: int, target: int, name: str, path: str) -> os.stat_result:
        old = open_file(self._source, source, name)
        try:
            found = syscalls.fstat(old)
            refuse_irregular(found, name)
            self._source.permit_file(name, found)
            if self._linked(found, target, name, path):
                return found
            self._job.bytes(path, found.st_size)
            with adding(self.target, path):
                new = syscalls.open(name, _NEW, 0o600, dir_fd=target)
            try:
                copied = self._copy_content(old, new, path, found)
                finish(found, new, self._file_mode)
                if self._job.hard_links and found.st_nlink > 1:
                    self._first[identity(found)] = path, syscalls.fstat(new)
            except BaseException:
                _unlink_quietly(self.target, name, target)
                raise
            finally:
                syscalls.close(new)
        finally:
            syscalls.close(old)
        self._job.done("create", path, "file", copied)
        return found

    def _copy_content(self, old: int, new: int, path: str, found: os.stat_result) -> int:
        job = self._job
        growth = growth_of(self.target, path)
        if not job.surveys:
            return copy_content(old, new, found, None, growth)
        tell = job.teller(path, found.st_size, found.st_size)
        return copy_content(old, new, found, tell, growth)

    def _linked(self, found: os.stat_result, target: int, name: str, path: str) -> bool:
        """Whether the file has been copied by another name, and has got this one too."""
        known = self._first.get(identity(found)) if self._first else None
        if known is None:
            return False
        first, expected = known
        self.target.policy.check_link(name)
        with adding(self.target, path):
            link_beneath(self.target, self._draft, first, target, name, expected)
        self._job.done("create", path, "link")
        return True


def link_beneath(
    handle: Handle, top: int, first: str, dir_fd: int, name: str, expected: os.stat_result
) -> None:
    """Give the file at ``first`` beneath the top one more name; ESTALE if it is another by now."""
    above, _, last = first.rpartition("/")
    at = open_beneath_top(handle, top, above)
    try:
        syscalls.link(last, name, src_dir_fd=at, dst_dir_fd=dir_fd, follow_symlinks=False)
    finally:
        if at != top:
            syscalls.close(at)
    # An inode's number is soon given to the next file, so the time of writing is looked at too.
    if _written(syscalls.stat(name, dir_fd=dir_fd, follow_symlinks=False)) != _written(expected):
        try:
            syscalls.unlink(name, dir_fd=dir_fd)
        except OSError:
            pass  # somebody else has removed it
        raise _changed(first)


def _written(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def open_beneath_top(handle: Handle, top: int, path: str) -> int:
    """A directory beneath an open one, no link followed; ``top`` itself for ``""``."""
    here = top
    for name in path.split("/") if path else ():
        try:
            fd = open_child(handle, here, name, syscalls.LISTING)
        finally:
            if here != top:
                syscalls.close(here)
        here = fd
    return here


def open_file(handle: Handle, dir_fd: int, name: str) -> int:
    """A file of a directory, to read; ESTALE for what has become a link."""
    try:
        if handle.looks_first:
            return open_child_looked(handle, dir_fd, name, _READ)
        return open_child(handle, dir_fd, name, _READ)
    except OSError as error:
        if error.errno == ELOOP:
            raise _changed(name) from None
        raise


def finish(found: os.stat_result, target: int, most: int) -> None:
    syscalls.fchmod(target, S_IMODE(found.st_mode) & most)
    syscalls.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def link_text(dir_fd: int, name: str) -> str:
    """The text of a link; ESTALE for what is none any more."""
    try:
        return syscalls.readlink(name, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == EINVAL:
            raise _changed(name) from None
        raise


def _copy_link(handle: Handle, source: int, target: int, name: str, path: str) -> os.stat_result:
    found = syscalls.stat(name, dir_fd=source, follow_symlinks=False)
    text = link_text(source, name)
    with adding(handle, path):
        syscalls.symlink(text, name, dir_fd=target)
    times = found.st_atime_ns, found.st_mtime_ns
    syscalls.utime(name, ns=times, dir_fd=target, follow_symlinks=False)
    return found


def _changed(name: str) -> OSError:
    return OSError(ESTALE, f"{name!r} became something else while its tree was copied")


def refuse_irregular(found: os.stat_result, name: str) -> None:
    """ENXIO for what is no regular file; ESTALE for a directory, which it was not when listed."""
    if not S_ISREG(found.st_mode):
        if S_ISDIR(found.st_mode):
            raise _changed(name)
        raise OSError(ENXIO, f"not a regular file: {name!r}")


def _unlink_quietly(handle: Handle, name: str, dir_fd: int) -> None:
    try:
        unlink(handle, name, dir_fd)
    except OSError:
        pass  # what went wrong before is what the caller must hear
