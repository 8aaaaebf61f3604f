"""What must stand under a name for it to be replaced: the condition of a compare-and-swap."""

from __future__ import annotations

import io
import os
from errno import ELOOP
from stat import S_ISLNK, S_ISREG

from safefs.errors import PreconditionError
from safefs.kernel import syscalls
from safefs.operations.parent import Blame, open_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import Any, Protocol

    from safefs.kernel.handle import Handle
    from safefs.operations.parent import Parent
    from safefs.paths import RelPath

    # Takes the lock of one name: (device and inode number of its directory, the name).
    Hold = Callable[[int, int, bytes], AbstractContextManager[object]]

    class Content(Protocol):
        def read(self, size: int, /) -> bytes | None: ...

    Stored = io.FileIO | io.BytesIO
    Through = Callable[[Stored], Content]

ANY = "*"  # whatever there is, but there must be something (RFC 9110, 13.1.1)
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK = 1 << 20


def etag(identity: tuple[Any, ...], size: int, mtime_ns: int) -> str:
    """A file's version, by what its stat says: who has the same has the same content.

    What safefs writes as a whole gets the time of writing by the fine clock: the kernel's own
    stands still for milliseconds, in which an inode's number may be given to the next file, and the
    next but one would pass for the first.
    """
    parts = (*identity, size, mtime_ns)
    return "-".join(
        f"{part:x}" if isinstance(part, int) else getattr(part, "hex", part.__str__)()
        for part in parts
    )


def digest_tag(algorithm: str, digest: str) -> str:
    """A file's version, by its content."""
    return f"{algorithm}:{digest}"


def algorithm_of(tag: str) -> str | None:
    """The checksum that an etag is, or None for one by stat."""
    algorithm, colon, _ = tag.partition(":")
    return algorithm if colon else None


class Condition:
    """That the file which is to be replaced is the version of this etag, when it is replaced."""

    __slots__ = ("_hold", "_through", "exchange", "expected")

    def __init__(
        self,
        expected: str,
        hold: Hold,
        through: Through | None = None,
        *,
        exchange: bool = False,
    ) -> None:
        """``through`` gives the content of a file that does not lie there as it is.

        ``exchange``: that it holds is seen of what was replaced, too, which is put back where it
        does not: also those who ask for no condition, and take no lock, lose nothing. It is for an
        etag by stat, and where there is renameat2(2) with RENAME_EXCHANGE; elsewhere as without.
        """
        self.expected = expected
        self._hold = hold
        self._through = through
        self.exchange = exchange

    def through(self, through: Through) -> Condition:
        """The same of content that is read so."""
        return Condition(self.expected, self._hold, through, exchange=self.exchange)

    def held(self, parent: Parent) -> AbstractContextManager[object]:
        """The lock under which the file is compared and replaced.

        It is that of the directory which was reached, and so the same by whatever path, and from
        whatever disk, one came.
        """
        found = syscalls.fstat(parent.fd)
        return self._hold(found.st_dev, found.st_ino, parent.name)

    def check(self, handle: Handle, parent: Parent) -> None:
        """Raise ``PreconditionError`` unless it holds now; ELOOP for a link."""
        self.compare(parent.path, self._found(handle, parent))

    def meant(self, path: RelPath) -> Callable[[os.stat_result], None]:
        """What raises ``PreconditionError`` for a file that is not the version of this etag."""

        def check(found: os.stat_result) -> None:
            tag = etag((found.st_dev, found.st_ino), found.st_size, found.st_mtime_ns)
            self.compare(path, tag)

        return check

    def compare(self, path: RelPath, found: str | None) -> None:
        """Raise ``PreconditionError`` unless what is there, None for nothing, is what was meant."""
        if found is None or self.expected not in (found, ANY):
            raise PreconditionError(path.shown, self.expected, found)

    def _found(self, handle: Handle, parent: Parent) -> str | None:
        try:
            entry = parent.lstat()
        except FileNotFoundError:
            return None
        if S_ISLNK(entry.st_mode):
            reason = "a link stands here, and a condition holds for no link"
            raise OSError(ELOOP, reason, parent.path.shown)
        algorithm = algorithm_of(self.expected)
        if algorithm is None or not S_ISREG(entry.st_mode):
            return etag((entry.st_dev, entry.st_ino), entry.st_size, entry.st_mtime_ns)
        with Blame(parent.path):
            return self._digest(handle, parent, algorithm)

    def _digest(self, handle: Handle, parent: Parent, algorithm: str) -> str:
        fd = open_child(handle, parent.fd, parent.name, _READ, parent.path.shown)
        try:
            handle.permit_file(parent.path.shown, syscalls.fstat(fd))
            return self.digest_of(io.FileIO(fd, closefd=False), algorithm)
        finally:
            syscalls.close(fd)

    def digest_of(self, file: Stored, algorithm: str) -> str:
        """The etag by this checksum of what a file holds."""
        import hashlib  # slow to import, and most have no use for it

        digest = hashlib.new(algorithm, usedforsecurity=False)
        content = file if self._through is None else self._through(file)
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
        return digest_tag(algorithm, digest.hexdigest())
