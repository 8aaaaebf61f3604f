"""A tree in bulk: one scandir for each directory, and a stat of an entry only where it is wanted.

For those who list many entries and would pay more for an object, or a path to resolve, for each
than for the listing itself. Containment is that of ``walk``: down by descriptor, no link entered.
"""

from __future__ import annotations

from safefs.kernel import syscalls
from safefs.operations.tree import Descent, visit

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from safefs.kernel.handle import Handle
    from safefs.paths import RelPath

    # The names of directories; all else but links, the links, and the stats.
    Read = tuple[list[str], tuple[list[str], list[str], dict[str, os.stat_result]]]


class Level:
    """One directory of a tree: sorted names, and with them the lstat of each if it was asked for.

    ``path`` leads there from the top, which is ``""``. ``files`` is all that is neither directory
    nor link: FIFOs, sockets and devices too. ``links`` have not been followed, and are no
    directories here. ``directories`` may be changed to say where to go.
    """

    __slots__ = ("directories", "files", "links", "path", "stats")

    def __init__(
        self,
        path: str,
        directories: list[str],
        files: list[str],
        links: list[str],
        stats: dict[str, os.stat_result],
    ) -> None:
        self.path = path
        self.directories = directories
        self.files = files
        self.links = links
        self.stats = stats


def survey(
    handle: Handle,
    path: RelPath,
    *,
    depth: int | None,
    stats: bool,
    onerror: Callable[[OSError], object] | None,
) -> Iterator[Level]:
    """Each directory, top down; ``depth`` levels of them. Errors as those of ``Root.walk``."""

    def read(descent: Descent) -> Read:
        return _read(descent, stats=stats)

    levels = visit(handle, path, read, at="", depth=depth, onerror=onerror)
    for at, names, (files, links, found) in levels:
        yield Level(at, names, files, links, found)


def _read(descent: Descent, *, stats: bool) -> Read:
    with syscalls.scandir(descent.fd) as listing:
        entries = list(listing)
        if descent.hides_dots:
            entries = [entry for entry in entries if entry.name[0] != "."]
        # While the directory is open: an entry keeps its bare number.
        found = _stats(entries) if stats else {}
    if stats and len(found) < len(entries):
        entries = [entry for entry in entries if entry.name in found]
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
    return directories, (files, links, found)


def _stats(entries: list[os.DirEntry[str]]) -> dict[str, os.stat_result]:
    """The lstat of each; what is gone since it was read is left out."""
    try:
        return {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
    except FileNotFoundError:
        pass
    found = {}
    for entry in entries:
        try:
            found[entry.name] = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
    return found
