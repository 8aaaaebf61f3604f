"""move_tree: a rename where that can be, else a whole copy and the removal of what was copied."""

from __future__ import annotations

from errno import ENOTEMPTY, ESTALE, EXDEV

from safefs.kernel import syscalls
from safefs.operations import copytree, sizes
from safefs.operations.copytree import Place, Portraits, copy_tree
from safefs.operations.denied import refuse_denied_child
from safefs.operations.job import Job, WholeError, whereabouts
from safefs.operations.listing import open_directory
from safefs.operations.names import rename_noreplace
from safefs.operations.parent import Blame, Parent, open_child
from safefs.operations.replace import refuse_existing
from safefs.operations.traversal import Within, identity, rehearse_copy
from safefs.operations.tree import Descent

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

    from safefs.report import Kind


def move_tree(src: Place, dst: Place, job: Job) -> None:
    job.at = whereabouts(src.path.text)
    if _can_rename(src, dst) and _renamed(src, dst, job):
        return
    src.handle.permit(src.path, writes=True)
    _refuse_denied(src)
    portraits: Portraits = {}
    copy_tree(src, dst, job, portraits)
    if not job.dry_run:
        _remove_copied(src, dst, portraits, job)


def _refuse_denied(src: Place) -> None:
    """What is not copied, for it is not to be seen, is not removed either."""
    if src.handle.guarded:
        with Parent(src.handle, src.path, writes=True) as old:
            refuse_denied_child(src.handle, old.fd, old.name, src.path.shown)


def rehearse(src: Place, dst: Place, job: Job) -> None:
    """A dry run where the directory to move into is still to be made; on this file system."""
    if not _can_rename(src, dst):
        copytree.rehearse(src, dst, job)
        return
    copytree.rehearse(src, dst, job.counter())
    job.done("rename", "", "directory")


def _can_rename(src: Place, dst: Place) -> bool:
    """Whether a rename would leave nothing undone that the target's disk demands of what is new."""
    policy = dst.handle.policy
    within = src.handle is dst.handle
    if within:
        return True
    counts = policy.max_file_size is not None or not sizes.same_quotas(src.handle, dst.handle)
    asks = policy.symlinks == "never" or policy.portable_names or counts
    return not asks and dst.keeps_modes


def _renamed(src: Place, dst: Place, job: Job) -> bool:
    """Whether it could be; if not, nothing has changed."""
    with (
        Blame(src.path, dst.path),
        Parent(src.handle, src.path, writes=True) as old,
        Parent(dst.handle, dst.path, writes=True, adds=True, directory=True) as new,
    ):
        old.demand_directory()
        refuse_existing(new)
        place = new.place if dst.handle.guarded else b""
        refuse_denied_child(
            src.handle, old.fd, old.name, src.path.shown, target=dst.handle, place=place
        )
        if job.surveys or job.dry_run:
            _count(src, dst, Within(syscalls.fstat(new.fd)), job, place)
        if job.dry_run:
            # What a rename would say of another file system, asked by looking.
            if syscalls.fstat(new.fd).st_dev != old.lstat().st_dev:
                return False
        else:
            try:
                with sizes.moving(dst.handle):
                    rename_noreplace(old.fd, old.name, new.fd, new.name)
            except OSError as error:
                if error.errno == EXDEV:
                    return False
                raise
    job.done("rename", "", "directory")
    return True


def _count(src: Place, dst: Place, within: Within, job: Job, place: bytes) -> None:
    """Hold what is to be renamed to the budget, and refuse to move it into itself."""
    top = open_directory(src.handle, src.path)
    try:
        rehearse_copy(src.handle, top, dst.handle, within, job.counter(), place)
    finally:
        syscalls.close(top)


def _remove_copied(src: Place, dst: Place, portraits: Portraits, job: Job) -> None:
    try:
        with Parent(src.handle, src.path, writes=True, owns=True) as parent:
            top = open_child(src.handle, parent.fd, parent.name, syscalls.LISTING, src.path.shown)
            try:
                _Removal(src, portraits, job).remove(top)
            finally:
                syscalls.close(top)
            if not job.failed_in:
                syscalls.rmdir(parent.name, dir_fd=parent.fd)
    except OSError as error:
        shown = src.path.shown, None, dst.path.shown
        message = f"copied whole, but the source could not be removed ({error.strerror})"
        raise WholeError(error.errno or ESTALE, message, *shown) from error


class _Removal:
    """Removes of a tree what is still as it was when it was copied."""

    __slots__ = ("_job", "_portraits", "_src")

    def __init__(self, src: Place, portraits: Portraits, job: Job) -> None:
        self._src = src
        self._portraits = portraits
        self._job = job

    def remove(self, top: int) -> None:
        if identity(syscalls.fstat(top)) != identity(self._portraits[""]):
            raise _changed("")
        descent = Descent(self._src.handle, top, temporary=True)
        try:
            prefixes = [""]
            pending = [descent.kinds()]
            while pending:
                prefix = prefixes[-1]
                if pending[-1]:
                    name, kind = pending[-1].pop()
                    path = prefix + name
                    try:
                        entered = self._removed(descent, name, path, kind)
                    except OSError as error:
                        self._failed(error, path, kind)
                        continue
                    if entered:
                        prefixes.append(path + "/")
                        pending.append(descent.kinds())
                    continue
                pending.pop()
                prefixes.pop()
                if pending:
                    descent.up()
                    path = prefix[:-1]
                    try:
                        self._rmdir(descent, path)
                    except OSError as error:
                        self._failed(error, path, "directory")
        finally:
            descent.close()

    def _failed(self, error: OSError, path: str, kind: Kind) -> None:
        if path in self._job.skipped:
            return  # it was not copied, and that has been told
        try:
            self._job.failed(error, path, kind)
        finally:
            del error  # or it is a cycle, and keeps what its frames have open

    def _removed(self, descent: Descent, name: str, path: str, kind: Kind) -> bool:
        """Whether a directory was entered; else the entry is gone."""
        known = self._portraits.get(path)
        if known is None:
            raise _changed(path)
        if kind == "directory":
            descent.enter(name)
            if identity(syscalls.fstat(descent.fd)) != identity(known):
                descent.up()
                raise _changed(path)
            return True
        found = syscalls.stat(name, dir_fd=descent.fd, follow_symlinks=False)
        if not _unchanged(found, known):
            raise _changed(path)
        sizes.unlink(self._src.handle, name, descent.fd)
        self._job.done("remove", path, kind)
        return False

    def _rmdir(self, descent: Descent, path: str) -> None:
        if path in self._job.failed_in:
            return
        try:
            syscalls.rmdir(path.rpartition("/")[2], dir_fd=descent.fd)
        except OSError as error:
            if error.errno == ENOTEMPTY:
                raise _changed(path) from None
            raise
        self._job.done("remove", path, "directory")


def _unchanged(found: os.stat_result, known: os.stat_result) -> bool:
    """Whether an entry is what was copied; ctime tells what mtime can be made to hide.

    Removing another name of the same file changes its ctime too.
    """
    return (
        identity(found) == identity(known)
        and found.st_mode == known.st_mode
        and (found.st_size, found.st_mtime_ns) == (known.st_size, known.st_mtime_ns)
        and (found.st_ctime_ns == known.st_ctime_ns or known.st_nlink > 1)
    )


def _changed(path: str) -> OSError:
    return OSError(ESTALE, f"{path!r} has changed since it was copied, and was not removed")
