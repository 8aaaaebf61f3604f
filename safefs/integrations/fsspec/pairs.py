"""Which file goes where, when several are copied: fsspec's rules for copy, get and put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fsspec.utils import other_paths

from safefs.audit import refused
from safefs.errors import InvalidPathError
from safefs.integrations.fsspec.place import has_magic

if TYPE_CHECKING:
    from fsspec.spec import AbstractFileSystem


def pairs(
    source: AbstractFileSystem,
    paths: Any,
    target: AbstractFileSystem,
    into: Any,
    *,
    recursive: bool,
    maxdepth: int | None,
) -> list[tuple[str, str]]:
    """(from, to) for each file and, with ``recursive``, directory.

    Two lists go by their order. Else ``paths`` are names, or patterns; ``into`` is a directory
    where it ends in a slash or is one, and then one source keeps its last name there unless that
    ends in a slash. Without ``recursive`` directories are left out.
    """
    if isinstance(paths, list) and isinstance(into, list):
        return list(zip(paths, into, strict=True))
    single = not isinstance(paths, list | tuple | set)
    names = source.expand_path(paths, recursive=recursive, maxdepth=maxdepth)
    if single and (not recursive or maxdepth is not None):
        names = [name for name in names if not source.isdir(name)]
    if not names:
        return []
    if isinstance(into, list):
        return list(zip(names, into, strict=True))
    within = single and _goes_within(source, str(paths), target, str(into), count=len(names))
    top = target._strip_protocol(into)  # noqa: SLF001  (fsspec's name for it)
    found = other_paths(names, top, exists=within, flatten=not single)
    _check_within(top, found)
    return list(zip(names, found, strict=True))


def _goes_within(
    source: AbstractFileSystem, path: str, target: AbstractFileSystem, into: str, *, count: int
) -> bool:
    """Whether what is copied keeps the last component of its source's name."""
    if is_pattern(source, path):
        return count == 1
    return not path.endswith("/") and (into.endswith("/") or bool(target.isdir(into)))


def is_pattern(source: AbstractFileSystem, path: str) -> bool:
    """Whether a path is more than one name; on a disk, a name that is there is that name."""
    own = getattr(source, "_is_pattern", None)
    if own is None:
        return has_magic(path)
    return bool(own(source._strip_protocol(path)))  # noqa: SLF001  (fsspec's name for it)


def _check_within(top: str, found: list[str]) -> None:
    """``..`` in a source would put its copy above what was named as the place for it."""
    for path in found:
        if ".." in path.removeprefix(top).split("/"):
            raise refused(
                InvalidPathError(path, "'..' would lead the copy out of where it belongs")
            )
