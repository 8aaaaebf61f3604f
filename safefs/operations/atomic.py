"""open(..., atomic=True): a file object whose content takes its name when it is closed."""

from __future__ import annotations

import os
from errno import EEXIST, ESTALE

from safefs.kernel import syscalls
from safefs.operations.files import Mode, check_arguments, dressed, mode_of
from safefs.operations.parent import Blame
from safefs.operations.rawfiles import made_file
from safefs.operations.replace import NEW, Draft, existing_entry, kept_mode, parent_of_file
from safefs.operations.sizes import draft_growth
from safefs.operations.syncing import Synced

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import IO, Any, Protocol, Self

    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

    class Ending(Protocol):
        """What becomes of the content of an ``AtomicFile``."""

        def publish(self) -> None: ...

        def discard(self) -> None: ...


def check_atomic(mode: Mode, *, atomic: bool, durable: bool) -> None:
    """Refuse with ValueError what does not go together, before anything is opened."""
    if durable and not atomic:
        raise ValueError("durable=True goes with atomic=True; what is written in place has fsync")
    if atomic and mode.raw[0] not in "wx":
        raise ValueError(
            f"atomic=True writes a new file: the mode is 'w' or 'x', not {mode.text!r}"
        )


class Publication:
    """A draft, the directory it is in, and the name it will have."""

    __slots__ = (
        "_dir_fd",
        "_directory",
        "_handle",
        "_name",
        "_path",
        "_replace",
        "draft",
        "growth",
    )

    def __init__(
        self, handle: Handle, path: RelPath, mode: Mode, permissions: int, *, durable: bool
    ) -> None:
        self._handle = handle
        self._path = path
        self._replace = mode.raw[0] == "w" and not handle.policy.append_only
        flags = NEW & ~os.O_WRONLY | os.O_RDWR if "+" in mode.raw else NEW
        replaces = mode.raw[0] == "w"
        begun = False
        try:
            with Blame(path), parent_of_file(handle, path, replaces=replaces) as parent:
                self._name = parent.name
                if existing_entry(parent) is not None and not self._replace:
                    raise parent.error(EEXIST)
                kept = kept_mode(parent)
                self.growth = draft_growth(handle, path.shown, parent.fd, parent.name)
                self._directory = Synced(parent.fd, wanted=durable)
                try:
                    self._dir_fd = syscalls.open(b".", syscalls.DIRECTORY, dir_fd=parent.fd)
                    try:
                        self.draft = Draft(
                            self._dir_fd, kept, default=permissions, flags=flags, growth=self.growth
                        )
                    except BaseException:
                        syscalls.close(self._dir_fd)
                        raise
                except BaseException:
                    self._directory.close()
                    raise
                begun = True
        except BaseException:
            if begun:  # what holds the parent open could not be closed, or not in peace
                syscalls.close(self.draft.fd)
                self.discard()
            raise

    def publish(self) -> None:
        """Resolve the parent anew: a held one goes where its directory goes, even out."""
        try:
            if self._handle.closed:
                raise ValueError("the Root of this file is closed, so it was not published")
            with (
                Blame(self._path),
                parent_of_file(self._handle, self._path, replaces=self._replace) as parent,
            ):
                if not os.path.samestat(syscalls.fstat(parent.fd), syscalls.fstat(self._dir_fd)):
                    raise OSError(ESTALE, "its directory was moved, so the file was not published")
                self.draft.stamp()
                self._directory.file(self.draft.fd)
                self.draft.publish(self._name, replace=self._replace)
                self._directory.directory()
        finally:
            self.discard()

    def discard(self) -> None:
        """Drop what was not published; harmless after that, and in a fork of the writer."""
        dir_fd, self._dir_fd = self._dir_fd, -1
        try:
            if dir_fd >= 0:
                self.draft.discard()
                syscalls.close(dir_fd)
        finally:
            self._directory.close()


class AtomicFile:
    """Delegates to a file object; closing publishes, and an error or neglect discards.

    A ``with`` block left by an exception, a flush that fails and an object that is forgotten
    unclosed all leave everything as it was.
    """

    __slots__ = ("_file", "_publication")

    def __init__(self, file: IO[Any], publication: Ending) -> None:
        self._file = file
        self._publication = publication

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        """Give the file its name; on any error nothing has changed."""
        if self._file.closed:
            self._publication.discard()  # somebody has closed a layer beneath
            return
        try:
            self._file.flush()
        except BaseException:
            self.discard()
            raise
        try:
            self._publication.publish()
        finally:
            self._file.close()

    def discard(self) -> None:
        """Close without publishing."""
        self._publication.discard()
        try:
            self._file.close()
        except (OSError, ValueError):
            pass  # a flush into what is thrown away anyway

    def __enter__(self) -> Self:
        self._file.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __iter__(self) -> Any:
        return iter(self._file)

    def __next__(self) -> Any:
        return next(self._file)

    def __del__(self) -> None:
        try:
            self.discard()
        except AttributeError:
            pass  # __init__ did not get as far


def open_atomic(
    handle: Handle,
    path: RelPath,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    permissions: int,
    *,
    durable: bool = False,
) -> AtomicFile:
    wanted = mode_of(mode)
    check_arguments(wanted, buffering, encoding, errors, newline)
    publication = Publication(handle, path, wanted, permissions, durable=durable)
    try:
        raw = made_file(handle, path, publication.draft.fd, wanted.raw, publication.growth)
    except BaseException:
        syscalls.close(publication.draft.fd)
        publication.discard()
        raise
    try:
        file = dressed(raw, wanted, buffering, encoding, errors, newline)
    except BaseException:
        publication.discard()
        raw.close()
        raise
    return AtomicFile(file, publication)
