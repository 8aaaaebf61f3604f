"""The protocol between a Disk and what it stands on, and the values that travel over it.

A driver does exactly what it is told, for paths that have passed gate 1. Defaults, text encodings,
lists of paths and the words of Laravel are the Disk's; containment and policy are the driver's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from errno import ELOOP, ENAMETOOLONG, EXDEV
from stat import S_IMODE, S_ISDIR, S_ISLNK, S_ISREG
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from safefs.errors import EscapeError, InvalidPathError, PolicyError
from safefs.operations.conditions import etag

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO, Any, Self

    from _typeshed import ReadableBuffer

    from safefs.archive.members import Place
    from safefs.drivers.locking import Locks
    from safefs.explanation import Explanation, Operation
    from safefs.operations.conditions import Condition
    from safefs.operations.files import Mode
    from safefs.operations.harvesting import Produce
    from safefs.operations.job import Job
    from safefs.operations.survey import Describe, Level
    from safefs.paths import RelPath
    from safefs.policy import Policy

Kind = Literal["file", "directory", "symlink", "other"]

# What "it is not there" is made of, for exists and its kin: each is False, all else is raised.
ABSENT = (FileNotFoundError, NotADirectoryError, EscapeError, InvalidPathError, PolicyError)
# The same, where Python has no class for it: a loop of links, a name that nothing can have, and a
# mount that the policy does not cross.
_NOWHERE = frozenset({ELOOP, ENAMETOOLONG, EXDEV})
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def is_absence(error: BaseException) -> bool:
    """Whether ``exists`` and its kin answer False for this error, as those of ``Root`` do."""
    if isinstance(error, ABSENT):
        return True
    return isinstance(error, OSError) and error.errno in _NOWHERE


def kind_of(mode: int) -> Kind:
    """The kind of an entry, from the ``st_mode`` of its own stat."""
    if S_ISREG(mode):
        return "file"
    if S_ISDIR(mode):
        return "directory"
    return "symlink" if S_ISLNK(mode) else "other"


@dataclass(frozen=True, slots=True)
class Stat:
    """What a disk knows of one entry. A bucket has none of ``os.stat_result``; this it has.

    ``size`` in bytes; ``mtime_ns`` in nanoseconds since the epoch; ``mode`` the permission bits
    with the file type, as ``os.stat`` gives them. ``identity`` is equal for two names of one file
    and for nothing else, for as long as the file exists, or None where the storage cannot tell; it
    is no part of equality. The ``st_*`` names are there for code that was written for ``pathlib``.

    On an encrypted disk ``size`` is that of the content, and ``stored`` what lies on the disk
    below; elsewhere ``stored`` is None.
    """

    kind: Kind
    size: int
    mtime_ns: int
    mode: int
    identity: tuple[object, ...] | None = field(default=None, compare=False, repr=False)
    stored: int | None = field(default=None, compare=False, repr=False)

    @property
    def etag(self) -> str | None:
        """The version, as ``Disk.etag`` gives it; None where the storage cannot tell."""
        if self.identity is None:
            return None
        size = self.size if self.stored is None else self.stored
        return etag(self.identity, size, self.mtime_ns)

    def is_same_file(self, other: Stat) -> bool:
        """Whether both are known to be of one file."""
        return self.identity is not None and self.identity == other.identity

    @property
    def modified(self) -> datetime:
        """When the content was last changed: aware, UTC.

        Anyone may set this time; one that no datetime can hold is its ``min`` or ``max``.
        """
        try:
            return datetime.fromtimestamp(self.mtime_ns / 1e9, tz=UTC)
        except (OverflowError, ValueError, OSError):
            return _LATEST if self.mtime_ns > 0 else _EARLIEST

    @property
    def permissions(self) -> int:
        """The permission bits alone."""
        return S_IMODE(self.mode)

    @property
    def st_size(self) -> int:
        return self.size

    @property
    def st_mode(self) -> int:
        return self.mode

    @property
    def st_mtime(self) -> float:
        return self.mtime_ns / 1e9

    @property
    def st_mtime_ns(self) -> int:
        return self.mtime_ns


class PendingFile(Protocol):
    """What ``Driver.draft`` gives: a binary file object, and what becomes of it."""

    @property
    def closed(self) -> bool:
        """Whether no more can be written."""

    def write(self, data: ReadableBuffer, /) -> int:
        """As a file object does."""

    def close(self) -> None:
        """End the writing; nothing is published."""

    def commit(self) -> None:
        """Close, and give the file its name; on any error nothing has changed."""

    def discard(self) -> None:
        """Close, and drop what was written; harmless after ``commit``."""


class Driver(Protocol):
    """What a Disk asks of its storage.

    Paths are beneath the driver's root. Errors are ``OSError`` with the caller's path, or safefs's
    own refusals. Every method is safe to call from several threads.
    """

    _disk_name: str | None  # of the disk that stands on it, for those who report a refusal
    encrypts: bool  # whether what is read here lies sealed below
    in_place: bool  # whether a file can be changed where it lies: opened in ``a`` and ``r+``
    locks: Locks | None  # its own, where it needs no place for them

    @property
    def policy(self) -> Policy:
        """What is allowed here; the driver sees to it."""

    def read(self, path: RelPath) -> bytes:
        """The whole content of a regular file."""

    def read_each(self, directory: RelPath, names: list[tuple[str, str]]) -> Iterator[bytes | None]:
        """The content of many files of one directory, each (its name there, the caller's path).

        None stands for one that has to be read by its own path, for whatever reason.
        """

    def open(self, path: RelPath, mode: str, *, permissions: int | None = None) -> BinaryIO:
        """A buffered binary file object; ``mode`` as of the builtin, with ``b``.

        Makes no parents. What is written is visible at latest after flush or close. ``permissions``
        are all that a file which is created may have of those that a new one gets.
        """

    def open_atomic(
        self,
        path: RelPath,
        mode: Mode,
        buffering: int,
        encoding: str | None,
        errors: str | None,
        newline: str | None,
        *,
        durable: bool,
    ) -> IO[Any]:
        """A file object, text ones too, whose content takes its name when it is closed.

        ``mode`` writes a new file or one in the place of another; the arguments go together.
        Unclosed, or left by an exception, nothing has changed. Makes no parents; ``durable`` as in
        ``write``.
        """

    def stat_open(self, file: BinaryIO) -> Stat:
        """What a file object of this driver has open, wherever its path leads by now."""

    def write(
        self,
        path: RelPath,
        chunks: Iterable[bytes],
        *,
        permissions: int | None = None,
        overwrite: bool = True,
        durable: bool = False,
        preserve: tuple[str, ...] = (),
        condition: Condition | None = None,
    ) -> None:
        """Replace the file as a whole, or create it; on any error nothing has changed.

        A link in the last place is replaced, not followed. Makes no parents, and finds that there
        are none before it asks for the first chunk. A file that is replaced keeps its permissions;
        ``permissions`` are those of a new one, None the driver's own: 0666 less the umask unless
        it was made with others. Without ``overwrite`` a name that is taken is FileExistsError, also
        when it is taken while the content is written.

        ``durable``: it holds across a crash of the machine once this returns, and on the way there
        either content does. An error of the very last step, which says so in a note, leaves the new
        content. ``preserve``: what else is kept of a file that is replaced (words that have been
        checked, see ``Root.replace_file``); where there is no such thing, nothing is lost.
        ``condition``: what must stand there when it is replaced; asked before the content, too.
        """

    def draft(
        self, path: RelPath, mode: str, *, permissions: int | None = None, durable: bool = False
    ) -> PendingFile:
        """A buffered binary file object that takes its name by ``commit``, as in ``write``.

        ``mode``: ``wb``, ``xb``, ``ab`` or ``r+b``; the last two begin with a copy of what is
        there. Makes no parents. ``durable`` as in ``write``, once ``commit`` has returned.
        """

    def sweep(self, path: RelPath, older_than: float) -> list[str]:
        """Remove drafts whose writer is gone, beneath a directory; their paths from the root."""

    def stat(self, path: RelPath) -> Stat:
        """What the path leads to; links inside are followed."""

    def lstat(self, path: RelPath) -> Stat:
        """The entry itself; a link is a link."""

    def exists(self, path: RelPath) -> bool:
        """Whether ``stat`` finds something; False for FileNotFoundError, and all else is raised."""

    def look(self, path: RelPath) -> tuple[os.stat_result, bool]:
        """What ``os.stat`` says of what the path leads to, and whether the entry itself is a link.

        For those who want what a ``Stat`` does not have; what the storage does not know is 0.
        """

    def scan(self, path: RelPath) -> Iterator[tuple[str, Stat]]:
        """(name, lstat) of each entry of a directory, in no order."""

    def look_into(
        self, path: RelPath, opened: Callable[[int], object] | None = None
    ) -> tuple[Stat, list[tuple[str, Stat]]]:
        """A directory itself and what ``scan`` says of it, of one and the same directory.

        ``opened`` is given its descriptor before the first entry is read, where there is one.
        """

    def standing(self) -> object:
        """What stays equal while the root is where it was, as far as that can be known.

        None once it has been removed.
        """

    def walk(self, path: RelPath) -> Iterator[tuple[str, list[str], list[str]]]:
        """(directory from the driver's root, its directories, all its other entries), top down.

        Names are sorted; a link is never entered and is among the others. The root itself is "".
        """

    def survey(
        self,
        path: RelPath,
        *,
        depth: int | None = None,
        describe: Describe | None = None,
        onerror: Callable[[OSError], object] | None = None,
    ) -> Iterator[Level]:
        """A tree in bulk, ``depth`` levels of it, top down, for those who list many entries.

        ``describe``, where something is wanted of each entry, is given the path of a directory from
        the top and the (name, lstat) of its entries while they are read.
        An error of the top is raised; one further down goes to ``onerror``, with the path from the
        top as its ``filename``, or is passed over.
        """

    def mkdir(
        self, path: RelPath, mode: int, *, parents: bool, exist_ok: bool, durable: bool = False
    ) -> None:
        """Make a directory, with ``parents`` those above it too.

        ``durable``, which goes with ``parents``: what this makes holds across a crash of the
        machine once it returns.
        """

    def rmdir(self, path: RelPath) -> None:
        """Remove an empty directory."""

    def remove(self, path: RelPath) -> None:
        """Remove one entry that is no directory; a link itself, never what it leads to."""

    def remove_tree(self, path: RelPath, job: Job | None = None) -> None:
        """Remove a directory and all beneath it; the root itself is refused.

        ``job``: the budget, the dry run, and who is told of progress and errors.
        """

    def copy(self, source: RelPath, target: RelPath, *, overwrite: bool) -> None:
        """Copy one regular file, content and permissions; ``target`` is replaced as a whole."""

    def rename(self, source: RelPath, target: RelPath, *, overwrite: bool) -> None:
        """Rename a file, link or directory."""

    def chmod(self, path: RelPath, permissions: Callable[[int], int]) -> None:
        """Set the permission bits of what the path leads to: new from old, on one and the same."""

    def touch(self, path: RelPath) -> None:
        """Set the modification time of an existing entry to now."""

    def set_modified(self, path: RelPath, mtime_ns: int) -> None:
        """Set the modification time of what the path leads to."""

    def stored_size(self, size: int) -> int:
        """How large a file of so many bytes of content is for ``policy``."""

    def kept_mode(self, permissions: int, *, directory: bool) -> int:
        """What these permissions of another disk's file or directory become on this one."""

    def readlink(self, path: RelPath) -> str:
        """The text of a link; EINVAL for anything else."""

    def symlink(self, text: str, path: RelPath) -> None:
        """Make a link; ENOTSUP where there are none."""

    def bed(self, path: RelPath, *, draft: bool) -> Place:
        """Where the members of an archive go: beneath a directory, and none beyond.

        With ``draft`` nobody sees them until they are published, all at once where the directory is
        still to be made; without, the directory is made at once where it is missing. The caller
        closes it.
        """

    def harvest(self, path: RelPath) -> Iterator[Produce]:
        """What there is at a path, and beneath it: each directory before what is in it, sorted."""

    def explain(self, path: RelPath, operation: Operation) -> Explanation:
        """What would become of an operation, without doing it."""

    def narrowed(self, path: RelPath, policy: Policy | None = None) -> Self:
        """A driver of its own, on this directory or one beneath it, as ``Root.subroot``.

        It allows what this one does and, where given, ``policy`` does too: never more. Closing
        either leaves the other open.
        """

    def count_in(self, place: Locks) -> None:
        """Keep what the quotas of the policy count where other processes keep it too."""

    def close(self) -> None:
        """Give up the storage; open file objects stay open. May be called twice."""
