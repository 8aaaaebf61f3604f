"""What a path means beneath a root, by POSIX alone: a reference resolver over a tree in memory.

It is the judge of both resolvers of safefs and shares no line with them: it imports nothing of
safefs but the errors. It follows path_resolution(7) and openat2(2), RESOLVE_BENEATH, one component
at a time, over plain objects. Of permissions, mounts and magic links it knows nothing; of races
nothing either, since nothing here moves while it looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from errno import EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, errorcode
from typing import TYPE_CHECKING

from safefs.errors import EscapeError, InvalidPathError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINKS = 40  # path_resolution(7): more are ELOOP
PATH_MAX = 4096  # bytes, the NUL that ends a path included
NAME_MAX = 255  # bytes


@dataclass(eq=False, slots=True)
class Directory:
    """Names and what stands under them. A node is itself alone: two of equal content differ."""

    entries: dict[str, Node] = field(default_factory=dict)
    mode: int = 0o755


@dataclass(eq=False, slots=True)
class File:
    """A regular file; under two names it is a hard link."""

    content: bytes = b""
    mode: int = 0o644


@dataclass(eq=False, slots=True)
class Link:
    """A symbolic link, and its text."""

    target: str


Node = Directory | File | Link


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a path leads: ``node`` is the object reached, or ``error`` says why there is none.

    ``error`` is ``"escape"``, ``"invalid"`` (text that can be no path) or the name of an errno.
    With ENOENT ``parent`` and ``name`` tell where an object would be made, when it is only the last
    component that is missing; with a node they tell where it was found, None for the root and for
    what was reached by ``.`` or ``..``. ``slash``: the path, or the last link followed, ends in a
    slash.
    """

    node: Node | None = None
    error: str | None = None
    parent: Directory | None = None
    name: str | None = None
    slash: bool = False


ESCAPE = Verdict(error="escape")
INVALID = Verdict(error="invalid")


def resolve(root: Directory, path: str, *, follow: bool = True, creating: bool = False) -> Verdict:
    """Where ``path`` leads beneath ``root``; with ``follow=False`` a link at its end is the object.

    A slash at the end demands a directory, and has a link before it followed (POSIX, 4.13 Pathname
    Resolution). ``""`` is the root. An absolute path is an escape, as is a link with an absolute
    target, and ``..`` at the root, also when the way comes back in. ``creating``: as open(2) does
    with O_CREAT, for which a name with a slash behind it is EISDIR, whatever stands there.
    """
    raw = _encoded(path)
    if raw is None:
        return INVALID
    if path.startswith("/"):
        return ESCAPE
    if len(raw) >= PATH_MAX:
        return _failed(ENAMETOOLONG)
    return _Way(root, follow=follow, creating=creating).walk(path)


class _Way:
    """The directories come through, innermost last, and how many links have been followed."""

    def __init__(self, root: Directory, *, follow: bool, creating: bool) -> None:
        self.come_through = [root]
        self.follow = follow
        self.creating = creating
        self.links = 0

    def walk(self, path: str) -> Verdict:
        pending, slash = _components(path)
        found: Node = self.come_through[-1]
        parent: Directory | None = None
        name: str | None = None
        while pending:
            if not isinstance(found, Directory):
                return _failed(ENOTDIR)
            here, component = found, pending.pop(0)
            last = not pending
            parent = name = None
            if component == ".":
                continue
            if component == "..":
                if len(self.come_through) == 1:
                    return ESCAPE
                self.come_through.pop()
                found = self.come_through[-1]
                continue
            parent, name = here, component
            if self.creating and last and slash:
                return _failed(EISDIR)
            if len(component.encode("utf-8", "surrogateescape")) > NAME_MAX:
                return _failed(ENAMETOOLONG)
            if component not in here.entries:
                return Verdict(None, "ENOENT", here, name, slash) if last else _failed(ENOENT)
            found = here.entries[component]
            if isinstance(found, Directory):
                self.come_through.append(found)
            if isinstance(found, Link) and (not last or slash or self.follow):
                self.links += 1
                if self.links > MAX_LINKS:
                    return _failed(ELOOP)
                if found.target.startswith("/"):
                    return ESCAPE
                names, ends_in_slash = _components(found.target)
                slash = slash or (last and ends_in_slash)
                pending, found = names + pending, here
        if slash and not isinstance(found, Directory):
            return _failed(ENOTDIR)
        return Verdict(found, None, parent, name, slash)


def _components(path: str) -> tuple[list[str], bool]:
    return [name for name in path.split("/") if name], path.endswith("/")


def _encoded(path: str) -> bytes | None:
    """The bytes that the kernel would be given, or None for text that has none."""
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return None
    return None if b"\0" in raw else raw


def _failed(number: int) -> Verdict:
    return Verdict(error=errorcode[number])


def verdict_of(error: BaseException) -> str:
    """The word of a verdict for what a subject raised."""
    if isinstance(error, EscapeError):
        return "escape"
    if isinstance(error, InvalidPathError):
        return "invalid"
    if isinstance(error, OSError) and error.errno is not None:
        return errorcode.get(error.errno, str(error.errno))
    return type(error).__name__


def nodes(top: Directory, at: str = "") -> Iterator[tuple[str, Node]]:
    """(path, node) of everything beneath ``top``, each directory before what it holds."""
    for name, node in top.entries.items():
        path = f"{at}{name}"
        yield path, node
        if isinstance(node, Directory):
            yield from nodes(node, f"{path}/")
