"""A tree in bulk: one scandir for each directory, and a stat of an entry only where it is wanted.

For those who list many entries and would pay more for an object, or a path to resolve, for each
than for the listing itself. Containment is that of ``walk``: down by descriptor, no link entered.
"""

from __future__ import annotations

from safefs.kernel import syscalls
from safefs.operations.listing import is_listed, without_hidden
from safefs.operations.tree import Descent, visit

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

    # Given a directory's path from the top, and the name and lstat of each entry, in no order:
    # (the names of the directories, of the links, and whatever else is wanted of them).
    Describe = Callable[
        [str, Iterable[tuple[str, os.stat_result]]], tuple[list[str], list[str], Any]
    ]


class Level:
    """One directory of a tree, and the names in it, sorted.

    ``path`` leads there from the top, which is ``""``. ``files`` is all that is neither directory
    nor link: FIFOs, sockets and devices too. ``links`` have not been followed, and are no
    directories here. ``directories`` may be changed to say where to go. Where the caller describes
    entries, ``found`` is what came of it, and ``files`` is empty.
    """

    __slots__ = ("directories", "files", "found", "links", "path")

    def __init__(
        self,
        path: str,
        directories: list[str],
        files: list[str],
        links: list[str],
        found: Any = None,
    ) -> None:
        self.path = path
        self.directories = directories
        self.files = files
        self.links = links
        self.found = found


def survey(
    handle: Handle,
    path: RelPath,
    *,
    depth: int | None,
    describe: Describe | None,
    onerror: Callable[[OSError], object] | None,
) -> Iterator[Level]:
    """Each directory, top down; ``depth`` levels of them. Errors as those of ``Root.walk``."""

    def described(descent: Descent, at: str) -> tuple[list[str], tuple[list[str], list[str], Any]]:
        return _described(descent, at, describe)  # type: ignore[arg-type]  # not None here

    read = _names if describe is None else described
    for at, names, (files, links, found) in visit(
        handle, path, read, at="", depth=depth, onerror=onerror
    ):
        yield Level(at, names, files, links, found)


def _entries(descent: Descent) -> list[os.DirEntry[str]]:
    """What is here. An entry keeps the descriptor's bare number: asked here and not elsewhere."""
    with syscalls.scandir(descent.fd) as listing:
        found = [e for e in listing if e.name[0] != "." or is_listed(e.name)]
    return without_hidden(found, descent.hidden)


def _names(descent: Descent, _: str) -> tuple[list[str], tuple[list[str], list[str], Any]]:
    entries = _entries(descent)
    files = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    directories: list[str] = []
    links: list[str] = []
    if len(files) < len(entries):
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                directories.append(entry.name)
            elif entry.is_symlink():
                links.append(entry.name)
            elif not entry.is_file(follow_symlinks=False):
                files.append(entry.name)
    files.sort()
    directories.sort()
    links.sort()
    return directories, (files, links, None)


def _described(
    descent: Descent, at: str, describe: Describe
) -> tuple[list[str], tuple[list[str], list[str], Any]]:
    with syscalls.scandir(descent.fd) as listing:
        directories, links, found = describe(at, _stats(_shown(listing, descent)))
    return directories, ([], links, found)


def _shown(entries: Iterable[os.DirEntry[str]], descent: Descent) -> Iterable[os.DirEntry[str]]:
    hidden = descent.hidden
    return entries if hidden is None else without_hidden(list(entries), hidden)


def _stats(entries: Iterable[os.DirEntry[str]]) -> Iterator[tuple[str, os.stat_result]]:
    """The lstat of each as it is read; what is gone by then is left out.

    One after the other: an entry keeps its stat, and thousands at once are slower than their sum.
    """
    for entry in entries:
        name = entry.name
        if name[0] != "." or is_listed(name):
            try:
                yield name, entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
