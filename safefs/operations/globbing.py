"""glob: a pattern matched against a tree as it is walked; no path is ever built and tried."""

from __future__ import annotations

from safefs.audit import refused
from safefs.errors import InvalidPathError
from safefs.kernel import syscalls
from safefs.operations.attributes import lstat
from safefs.operations.listing import open_directory
from safefs.operations.parent import Blame
from safefs.operations.tree import Descent
from safefs.paths import RelPath
from safefs.patterns import Pattern, fixed_parts, parts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from safefs.kernel.handle import Handle

_ABSENT = (FileNotFoundError, NotADirectoryError)


def check_pattern(pattern: RelPath) -> None:
    if b".." in pattern.names:
        raise refused(InvalidPathError(pattern.shown, "a pattern holds no '..'"))


def glob(handle: Handle, pattern: RelPath) -> Iterator[str]:
    """Paths that match, depth first, sorted within each directory.

    A leading part without wildcards is resolved like any path; from the first wildcard on, only
    real directories are entered.
    """
    parts = parts_of(pattern.text)
    fixed = fixed_parts(parts)
    base = "/".join(parts[:fixed])
    if fixed == len(parts):
        yield from _literal(handle, pattern, base)
        return
    only_directories = pattern.raw.endswith(b"/")
    try:
        top = open_directory(handle, RelPath.parse(base))
    except _ABSENT:
        return
    try:
        descent = Descent(handle, top)
        try:
            with Blame(pattern):
                for path, is_dir in _matches(handle, descent, base, Pattern(parts[fixed:])):
                    if is_dir or not only_directories:
                        yield path
        finally:
            descent.close()
    finally:
        syscalls.close(top)


def _literal(handle: Handle, pattern: RelPath, path: str) -> Iterator[str]:
    try:
        lstat(handle, pattern)
    except _ABSENT:
        return
    yield path or "."


def _matches(
    handle: Handle, descent: Descent, base: str, pattern: Pattern
) -> Iterator[tuple[str, bool]]:
    """(path, whether it is a directory) of each match."""
    states = [pattern.start()]
    prefixes = [base + "/" if base else ""]
    pending = [_level(descent, pattern, states[0])]
    if pattern.is_end(states[0]):
        yield base or ".", True
    while pending:
        names, directories = pending[-1]
        for name in names:
            if name not in directories:
                yield prefixes[-1] + name, False
                continue
            matched, onward = pattern.step(states[-1], name, is_dir=True)
            if matched:
                yield prefixes[-1] + name, True
            if not onward:
                continue
            handle.check_open()  # else whoever kept one would look on when a disk is revoked
            if _enter(descent, name):
                pending.append(_level(descent, pattern, onward))
                prefixes.append(f"{prefixes[-1]}{name}/")
                states.append(onward)
                break
        else:
            pending.pop()
            prefixes.pop()
            states.pop()
            if pending:
                descent.up()


def _level(
    descent: Descent, pattern: Pattern, states: set[int]
) -> tuple[Iterator[str], frozenset[str]]:
    """(the files that match and all directories, sorted; which are directories)."""
    directories, others = descent.parted()
    matches = pattern.of_files(states)
    files = [] if matches is None else list(filter(matches, others))
    return iter(sorted(directories + files)), frozenset(directories)


def _enter(descent: Descent, name: str) -> bool:
    """What cannot be entered is passed over, as ``glob`` and ``pathlib`` do."""
    try:
        descent.enter(name)
    except (*_ABSENT, PermissionError):
        return False
    return True
