"""What the kit puts under attack, and the few words in which it asks.

A ``Subject`` is one root directory under someone's file system library. Each word may be missing:
what a subject does not offer raises ``NotOffered``, is not attacked, and is reported as such.
``as_subject`` of ``safefs.testing.adapters`` finds the adapter for what a library gives; for
anything else write a ``Subject`` of your own, with the words that it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class NotOffered(NotImplementedError):  # noqa: N818  (what is the case, as StopIteration)
    """The subject has no such operation. To raise this, or its parent, is no pass."""


class Subject:
    """A root directory under attack. Override the words that there are.

    Paths are text, relative to the root, and hostile: hand them on as they come. To refuse, raise
    any ``Exception``. What is returned is searched for what stands outside the root.
    """

    def read(self, path: str) -> bytes:
        """The content of a file."""
        raise NotOffered("read")

    def exists(self, path: str) -> bool:
        """Whether there is such a file or directory."""
        raise NotOffered("exists")

    def size(self, path: str) -> int:
        """The size of a file."""
        raise NotOffered("size")

    def stat(self, path: str) -> object:
        """Whatever the library tells of a file: a mapping, or an ``os.stat_result``."""
        raise NotOffered("stat")

    def list(self, path: str) -> Iterable[object]:
        """The names in a directory, or their paths."""
        raise NotOffered("list")

    def walk(self, path: str) -> Iterable[object]:
        """The names, or paths, of all beneath a directory; lists within lists will do."""
        raise NotOffered("walk")

    def glob(self, pattern: str) -> Iterable[object]:
        """The paths that fit a pattern."""
        raise NotOffered("glob")

    def write(self, path: str, data: bytes) -> None:
        """Make a file, or replace what it holds."""
        raise NotOffered("write")

    def append(self, path: str, data: bytes) -> None:
        """Add to the end of a file."""
        raise NotOffered("append")

    def create(self, path: str, data: bytes) -> None:
        """Make a file where nothing stands."""
        raise NotOffered("create")

    def mkdir(self, path: str) -> None:
        """Make a directory."""
        raise NotOffered("mkdir")

    def chmod(self, path: str, mode: int) -> None:
        """Change who may do what to a file."""
        raise NotOffered("chmod")

    def copy(self, source: str, target: str) -> None:
        """Copy a file."""
        raise NotOffered("copy")

    def rename(self, source: str, target: str) -> None:
        """Rename, or move, a file."""
        raise NotOffered("rename")

    def remove(self, path: str) -> None:
        """Remove a file."""
        raise NotOffered("remove")

    def remove_tree(self, path: str) -> None:
        """Remove a directory with all that is in it."""
        raise NotOffered("remove_tree")

    def close(self) -> None:
        """Let go of what it holds. Called once, after the last operation."""
