"""glob: a pattern matched against a tree as it is walked; no path is ever built and tried."""

from __future__ import annotations

from safefs.audit import refused
from safefs.errors import InvalidPathError
from safefs.kernel import syscalls
from safefs.operations.attributes import lstat
from safefs.operations.listing import open_directory
from safefs.operations.tree import Descent
from safefs.paths import RelPath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.kernel.handle import Handle

_DEEP = "**"
_ABSENT = (FileNotFoundError, NotADirectoryError)


def check_pattern(pattern: RelPath) -> None:
    if b".." in pattern.names:
        raise refused(InvalidPathError(pattern.shown, "a pattern holds no '..'"))


def glob(handle: Handle, pattern: RelPath) -> Iterator[str]:
    """Paths that match, depth first, sorted within each directory.

    A leading part without wildcards is resolved like any path; from the first wildcard on, only
    real directories are entered.
    """
    parts = [part for part in pattern.text.split("/") if part not in ("", ".")]
    only_directories = pattern.raw.endswith(b"/")
    fixed = 0
    while fixed < len(parts) and not _is_magic(parts[fixed]):
        fixed += 1
    if fixed == len(parts):
        yield from _literal(handle, pattern, "/".join(parts))
        return
    base = "/".join(parts[:fixed])
    try:
        top = open_directory(handle, RelPath.parse(base))
    except _ABSENT:
        return
    try:
        descent = Descent(handle, top)
        try:
            matchers = [_matcher(part) for part in parts[fixed:]]
            yield from _matches(descent, base, matchers, only_directories=only_directories)
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


def _is_magic(part: str) -> bool:
    return "*" in part or "?" in part or "[" in part


def _matcher(part: str) -> Callable[[str], object] | None:
    """What tells whether a name matches; None stands for ``**``."""
    if part == _DEEP:
        return None
    if part == "*":
        return bool
    if not _is_magic(part):
        return part.__eq__
    # Imported here: both cost more at import than the whole core.
    import fnmatch
    import re

    return re.compile(fnmatch.translate(part)).match


def _matches(
    descent: Descent,
    base: str,
    matchers: list[Callable[[str], object] | None],
    *,
    only_directories: bool,
) -> Iterator[str]:
    prefixes = [base + "/" if base else ""]
    states = [_closure({0}, matchers)]
    pending = [iter(descent.read())]
    while pending:
        for name, is_dir in pending[-1]:
            matched, onward = _step(states[-1], matchers, name, is_dir=is_dir)
            if matched and (is_dir or not only_directories):
                yield prefixes[-1] + name
            if onward and _enter(descent, name):
                pending.append(iter(descent.read()))
                prefixes.append(f"{prefixes[-1]}{name}/")
                states.append(_closure(onward, matchers))
                break
        else:
            pending.pop()
            prefixes.pop()
            states.pop()
            if pending:
                descent.up()


def _closure(states: set[int], matchers: list[Callable[[str], object] | None]) -> set[int]:
    """With each ``**`` comes what follows it: it may stand for no directory at all."""
    for state in sorted(states):
        while state < len(matchers) - 1 and matchers[state] is None:
            state += 1
            states.add(state)
    return states


def _step(
    states: set[int], matchers: list[Callable[[str], object] | None], name: str, *, is_dir: bool
) -> tuple[bool, set[int]]:
    """(whether the pattern ends in this name, where in the pattern its entries stand)."""
    matched = False
    onward = set()
    for state in states:
        matcher = matchers[state]
        last = state == len(matchers) - 1
        if matcher is None:
            matched = matched or last
            if is_dir:
                onward.add(state)
        elif matcher(name):
            matched = matched or last
            if is_dir and not last:
                onward.add(state + 1)
    return matched, onward


def _enter(descent: Descent, name: str) -> bool:
    """What cannot be entered is passed over, as ``glob`` and ``pathlib`` do."""
    try:
        descent.enter(name)
    except (*_ABSENT, PermissionError):
        return False
    return True
