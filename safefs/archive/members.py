"""What an archive holds, as values: one member of any format, and the place that takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from safefs.paths import RelPath

Kind = Literal["file", "directory", "symlink", "link", "other"]


@dataclass(frozen=True, slots=True)
class Member:
    """One member as its format has it; nothing here has been judged.

    ``name`` and ``target`` are text as the archive has it (surrogateescape). ``mode`` is None
    where the format has none. ``read`` gives the content of a file, from its beginning and once,
    before the next member is asked for. ``what`` says of the kind "other" which it is.
    """

    name: str
    kind: Kind
    mode: int | None = None
    mtime_ns: int | None = None
    target: str = ""
    what: str = ""
    read: Callable[[], Iterator[bytes]] = lambda: iter(())


class Place(Protocol):
    """Where members go: a directory, beneath which each path is resolved anew and none beyond.

    Errors are ``OSError`` with the path that was given, or safefs's own refusals.
    """

    def mkdir(self, path: RelPath, mode: int | None) -> bool:
        """Make a directory and those above it; whether it was not there before.

        None is the usual mode. One that is there gets ``mode`` only if this place has made it.
        """

    def create(
        self,
        path: RelPath,
        chunks: Iterable[bytes],
        mode: int | None,
        mtime_ns: int | None,
        *,
        replace: bool,
    ) -> None:
        """Make a file; ``FileExistsError`` where something stands.

        ``replace``, here and below: a file or link gives way, once what replaces it is whole.
        """

    def symlink(self, target: str, path: RelPath, *, replace: bool) -> None:
        """Make a link with this very text."""

    def link(self, source: RelPath, path: RelPath, *, replace: bool) -> None:
        """Give a file that this place has made one more name; ESTALE where it is that no more."""

    def made(self, path: RelPath) -> bool:
        """Whether what stands there itself was made here."""

    def holds(self, path: RelPath) -> bool:
        """Whether what stands there itself is a file that was made here."""

    def remove(self, path: RelPath) -> None:
        """Remove a file or link that was made here."""

    def leads(self, path: RelPath) -> bool:
        """Whether the path leads to something inside; ``EscapeError`` where it leads out."""

    def check(self) -> None:
        """Raise what publishing would, as far as that can be known."""

    def publish(self) -> None:
        """Let all of it take its place."""

    def close(self) -> None:
        """Give the place up; what has not been published goes."""
