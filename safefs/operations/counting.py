"""What there is beneath a root, in bytes and in names: what a quota is told when it asks anew."""

from __future__ import annotations

from stat import S_ISREG

from safefs.kernel import syscalls
from safefs.operations.listing import open_directory
from safefs.operations.replace import is_temporary
from safefs.operations.tree import Descent
from safefs.paths import RelPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from safefs.kernel.handle import Handle

_TOP = RelPath(b".", ".")


def count(handle: Handle) -> tuple[int, int, set[tuple[int, int]]]:
    """(the bytes of all files, the names that are no directories, drafts) beneath a root.

    Whatever they are called; drafts, which are known by that, are told too. What may not be read is
    passed over.
    """
    top = open_directory(handle, _TOP)
    descent = Descent(handle, top)
    seen: set[tuple[int, int]] = set()
    drafts: set[tuple[int, int]] = set()
    try:
        size, names, directories = _counted(descent, seen, drafts)
        pending = [directories]
        while pending:
            if not pending[-1]:
                pending.pop()
                if pending:
                    descent.up()
                continue
            try:
                descent.enter(pending[-1].pop())
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                continue
            more, others, directories = _counted(descent, seen, drafts)
            size += more
            names += others
            pending.append(directories)
    finally:
        descent.close()
        syscalls.close(top)
    return size, names, drafts


def _counted(
    descent: Descent, seen: set[tuple[int, int]], drafts: set[tuple[int, int]]
) -> tuple[int, int, list[str]]:
    """(bytes, names, directories) of what is here."""
    size = names = 0
    directories = []
    with syscalls.scandir(descent.fd) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                directories.append(entry.name)
                continue
            try:
                found = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            names += 1
            if not S_ISREG(found.st_mode):
                continue
            identity = found.st_dev, found.st_ino
            if is_temporary(entry.name):
                drafts.add(identity)
            if found.st_nlink > 1:
                if identity in seen:
                    continue
                seen.add(identity)
            size += found.st_size
    return size, names, directories
