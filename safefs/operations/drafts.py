"""A file that is written now and takes its name later, when its writer says so."""

from __future__ import annotations

import os
from errno import EEXIST, ENOENT, ESTALE
from stat import S_IFMT

from safefs.kernel import syscalls
from safefs.operations.content import copy_content
from safefs.operations.files import dressed, mode_of, open_regular
from safefs.operations.names import rename_noreplace
from safefs.operations.parent import Blame
from safefs.operations.rawfiles import made_file
from safefs.operations.replace import NEW, Draft, existing_entry, kept_mode, parent_of_file, stamp
from safefs.operations.sizes import draft_growth
from safefs.operations.syncing import Synced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import IO, Any, Self

    from safefs.kernel.handle import Handle
    from safefs.operations.files import Mode
    from safefs.operations.parent import Parent
    from safefs.operations.sizes import Growth
    from safefs.paths import RelPath


class DraftFile:
    """Delegates to a file object; ``commit`` gives it its name, ``discard`` and neglect do not.

    Unlike ``open(atomic=True)``, closing decides nothing, and once closed no descriptor is held:
    there may be thousands. So the directory is resolved anew beneath the root, and if it is another
    by then, or what stands there is not what was written, nothing is published (ESTALE).
    """

    __slots__ = (
        "_directory",
        "_durable",
        "_file",
        "_growth",
        "_handle",
        "_name",
        "_path",
        "_raw",
        "_replace",
        "_writer",
        "_written",
    )

    def __init__(
        self, handle: Handle, path: RelPath, mode: Mode, permissions: int, *, durable: bool
    ) -> None:
        self._name = b""
        self._durable = durable
        self._writer = syscalls.getpid()
        self._handle = handle
        self._path = path
        self._replace = mode.raw[0] != "x" and not handle.policy.append_only
        replaces = mode.raw[0] != "x"
        with Blame(path), parent_of_file(handle, path, replaces=replaces) as parent:
            existing = existing_entry(parent)
            if existing is not None and not self._replace:
                raise parent.error(EEXIST)
            if existing is None and mode.raw[0] == "r":
                raise parent.error(ENOENT)
            self._directory = _identity(syscalls.fstat(parent.fd))
            flags = NEW & ~os.O_WRONLY | os.O_RDWR
            growth = draft_growth(handle, path.shown, parent.fd, parent.name)
            self._growth = growth
            kept = kept_mode(parent)
            draft = Draft(parent.fd, kept, default=permissions, flags=flags, growth=growth)
            try:
                self._written = _portrait(syscalls.fstat(draft.fd))
                if existing is not None and mode.raw[0] in "ra":
                    _copy_in(handle, path, draft.fd, growth)
                self._raw = made_file(handle, path, draft.fd, mode.raw, growth)
            except BaseException:
                draft.close()
                raise
            if mode.raw[0] == "r":
                self._raw.seek(0)
            self._file: IO[Any] = dressed(self._raw, mode, -1, None, None, None)
            self._name = draft.name

    def __getattr__(self, name: str) -> Any:
        if name in ("_file", "_raw"):
            raise AttributeError(name)  # __init__ did not get as far
        return getattr(self._file, name)

    def close(self) -> None:
        """End the writing; on an error of the last bytes nothing will be published.

        ``ValueError`` in a fork of the writer, whose file stays as it is.
        """
        if syscalls.getpid() != self._writer:
            self.discard()  # flushes nothing: those bytes are the writer's, who will write them
            raise ValueError("this file was begun in another process, which may commit it")
        try:
            with Blame(self._path):
                if not self._file.closed:
                    self._file.flush()
                    stamp(self._file.fileno())
                    if self._durable:
                        syscalls.fsync(self._file.fileno())
                    self._written = _portrait(syscalls.fstat(self._file.fileno()))
                self._file.close()
        except BaseException:
            self.discard()
            raise

    def commit(self) -> None:
        """Give the file its name, in one step; on any error nothing has changed.

        ``ValueError`` where there is nothing to commit any more, and in a fork of the writer.
        """
        self.close()
        name, self._name = self._name, b""
        if not name:
            raise ValueError("this file has been committed or discarded")
        try:
            with (
                Blame(self._path),
                parent_of_file(self._handle, self._path, replaces=self._replace) as parent,
            ):
                size = self._check_ours(parent, name)
                existing_entry(parent)
                with Synced(parent.fd, wanted=self._durable) as directory:
                    if self._growth is None:
                        self._rename(parent, name)
                    else:
                        self._growth.take(parent.fd, parent.name, size, self._rename, parent, name)
                    name = b""
                    directory.directory()
        except BaseException:
            self._name = name
            self.discard()
            raise

    def _rename(self, parent: Parent, name: bytes) -> None:
        if self._replace:
            fds = {"src_dir_fd": parent.fd, "dst_dir_fd": parent.fd}
            syscalls.rename(name, parent.name, **fds)
        else:
            rename_noreplace(parent.fd, name, parent.fd, parent.name)

    def _check_directory(self, parent: Parent) -> None:
        if _identity(syscalls.fstat(parent.fd)) != self._directory:
            raise OSError(ESTALE, "its directory was moved, so the file was not published")

    def _check_ours(self, parent: Parent, name: bytes) -> int:
        """The size of what is about to be published."""
        self._check_directory(parent)
        try:
            found = syscalls.stat(name, dir_fd=parent.fd, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        if found is None or _portrait(found) != self._written:
            raise OSError(ESTALE, "what was written has been removed, so nothing was published")
        return found.st_size

    def discard(self) -> None:
        """Close and remove what has no name yet; harmless after that, and in a fork."""
        name, self._name = self._name, b""
        # The file beneath first, so that nothing is flushed: a fork's buffer is the writer's too.
        for file in (self._raw, self._file):
            try:
                file.close()
            except (OSError, ValueError):
                pass
        if name and syscalls.getpid() == self._writer:
            try:
                with parent_of_file(self._handle, self._path, replaces=False) as parent:
                    self._check_directory(parent)
                    if self._growth is None:
                        syscalls.unlink(name, dir_fd=parent.fd)
                    else:
                        self._growth.drop(syscalls.unlink, name, dir_fd=parent.fd)
            except (OSError, ValueError):
                pass  # its directory is elsewhere, or the Root closed: it is left to be swept

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Any:
        return iter(self._file)

    def __next__(self) -> Any:
        return next(self._file)

    def __del__(self) -> None:
        try:
            self.discard()
        except (AttributeError, TypeError):
            pass  # __init__ did not get as far, or the interpreter is ending


def open_draft(
    handle: Handle, path: RelPath, mode: str, permissions: int, *, durable: bool = False
) -> DraftFile:
    """A draft for ``path``; a new file gets ``permissions`` less the umask."""
    wanted = mode_of(mode)
    if not wanted.binary or wanted.raw == "r":
        raise ValueError(f"a draft is written, and in binary, not opened with {mode!r}")
    return DraftFile(handle, path, wanted, permissions, durable=durable)


def _copy_in(handle: Handle, path: RelPath, target: int, growth: Growth | None) -> None:
    source = open_regular(handle, path, os.O_RDONLY)
    try:
        copy_content(source, target, syscalls.fstat(source), None, growth)
    finally:
        syscalls.close(source)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _portrait(found: os.stat_result) -> tuple[int, ...]:
    """What a file that is closed is known by: an inode's number is soon given to the next file."""
    return (
        *_identity(found),
        S_IFMT(found.st_mode),
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )
