"""The table of containment: a layout, a path, and what the path must come to; then the operations.

A layout is a tuple of lines: ``"d/"`` is a directory, ``"f"`` a file, ``"f = text"`` a file with
that content, ``"l => target"`` a link; parents are made as needed. ``{root}`` and ``{outside}``
stand for absolute paths, which lie in the scratch.

A ``Case`` says what its path leads to when every link is followed (``target``), and which entry it
names when the last one is not (``entry``). What an operation must then do is not written down, but
asked: the plain call of ``os`` is made on a second copy of the layout, at the place where the case
says the path leads, and Root must end in the same way, with the same answer and the same tree. A
new attack is one row; a new operation is one line, and runs over the whole table.

Nothing here needs pytest, so that a child under another uid can run it all.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass, field
from errno import EACCES, EEXIST, EINVAL, EISDIR, ENOTDIR, errorcode
from stat import S_ISDIR
from typing import TYPE_CHECKING

from safefs.errors import EscapeError
from safefs.kernel import probe
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from safefs.testing.scratch import Scratch


class Fails:
    """The operation must fail in one of these ways: names of errno, or ``"escape"``."""

    def __init__(self, *names: str) -> None:
        self.names = frozenset(names)

    def __repr__(self) -> str:
        return " or ".join(sorted(self.names))


ESCAPE = Fails("escape")
MISSING = Fails("ENOENT")
NO_DIRECTORY = Fails("ENOTDIR")
LOOP = Fails("ELOOP")
TOO_LONG = Fails("ENAMETOOLONG")


@dataclass(frozen=True, slots=True)
class Case:
    """One row. ``entry`` is given where the last component is a link; else it is ``target``."""

    name: str
    layout: tuple[str, ...]
    path: str
    target: str | Fails
    entry: str | None = None

    @property
    def slash(self) -> bool:
        return self.path.endswith("/")

    @property
    def names_dots(self) -> bool:
        """Whether the last component is ``.``, ``..`` or nothing: no name to act on."""
        return self.path.rstrip("/").rpartition("/")[2] in ("", ".", "..")


_CHAIN_OF_40 = tuple(f"l{n} => l{n + 1}" for n in range(39)) + ("l39 => f", "f")
_CHAIN_OF_41 = tuple(f"l{n} => l{n + 1}" for n in range(40)) + ("l40 => f", "f")
_OUT = "out => ../outside"

TABLE: tuple[Case, ...] = (
    # Nothing but names.
    Case("a file", ("f",), "f", "f"),
    Case("a file in directories", ("a/b/c/f",), "a/b/c/f", "a/b/c/f"),
    Case("a directory", ("d/x", "d/y/"), "d", "d"),
    Case("an empty directory", ("d/",), "d", "d"),
    Case("a missing name", (), "x", "x"),
    Case("a missing name in a directory", ("d/",), "d/x", "d/x"),
    Case("a missing parent", (), "a/x", MISSING),
    Case("the root by nothing", ("f", "d/x"), "", "."),
    Case("the root by a dot", ("f", "d/x"), ".", "."),
    Case("the root by a dot and a slash", ("f",), "./", "."),
    Case("the root by many dots", ("f",), "././.", "."),
    Case("a dot before", ("f",), "./f", "f"),
    Case("a dot between", ("a/f",), "a/./f", "a/f"),
    Case("a dot after", ("d/x",), "d/.", "d"),
    Case("a dot after a file", ("f",), "f/.", NO_DIRECTORY),
    Case("a dot after nothing", (), "x/.", MISSING),
    Case("slashes doubled", ("a/f",), "a//f", "a/f"),
    Case("a file as a directory", ("f",), "f/x", NO_DIRECTORY),
    # A slash at the end.
    Case("a directory with a slash", ("d/x",), "d/", "d"),
    Case("a directory with many slashes", ("d/x",), "d///", "d"),
    Case("a file with a slash", ("f",), "f/", "f"),
    Case("a missing name with a slash", (), "x/", "x"),
    # Up again, inside.
    Case("up and down again", ("a/", "f"), "a/../f", "f"),
    Case("up to the root", ("a/", "f"), "a/..", "."),
    Case("up to the root, with a slash", ("a/", "f"), "a/../", "."),
    Case("up twice", ("a/b/", "f"), "a/b/../../f", "f"),
    Case("up to a directory", ("a/b/", "a/f"), "a/b/..", "a"),
    Case("up from a file", ("f", "g"), "f/../g", NO_DIRECTORY),
    Case("up from nothing", ("g",), "x/../g", MISSING),
    # Names that only look like trouble.
    Case("three dots", ("...",), "...", "..."),
    Case("dots before a name", ("..f",), "..f", "..f"),
    Case("dots after a name", ("f../g",), "f../g", "f../g"),
    Case("dots and a space", ("g",), ".. /g", MISSING),
    Case("backslashes", ("a\\..\\f",), "a\\..\\f", "a\\..\\f"),
    Case("percent signs", ("%2e%2e/f",), "%2e%2e/f", "%2e%2e/f"),
    Case("fullwidth dots", ("g",), "\uff0e\uff0e/g", MISSING),
    Case("a tilde", ("~/f",), "~/f", "~/f"),
    Case("a URL", (), "file://x/y", MISSING),
    Case("a newline", ("a\nb",), "a\nb", "a\nb"),
    Case("a wildcard", ("*", "g"), "*", "*"),
    Case("bytes that are no text", ("\udcff\udcfe",), "\udcff\udcfe", "\udcff\udcfe"),
    Case("two normal forms", ("e\u0301", "\u00e9 = other"), "e\u0301", "e\u0301"),
    Case("255 bytes", ("n" * 255,), "n" * 255, "n" * 255),
    Case("256 bytes", (), "n" * 256, TOO_LONG),
    Case("a path over PATH_MAX", ("a/f",), "a/../" * 900 + "f", TOO_LONG),
    # Links that stay inside.
    Case("a link to a file", ("l => f", "f"), "l", "f", "l"),
    Case("a link to a directory", ("l => d", "d/x"), "l", "d", "l"),
    Case("a link to a directory, with a slash", ("l => d", "d/x"), "l/", "d", "l"),
    Case("a link to a directory, with a dot", ("l => d", "d/x"), "l/.", "d"),
    Case("a link to a file, with a slash", ("l => f", "f"), "l/", "f", "l"),
    Case("through a link", ("l => d", "d/f"), "l/f", "d/f"),
    Case("a missing name through a link", ("l => d", "d/"), "l/x", "d/x"),
    Case("a link to a link", ("l => m", "m => f", "f"), "l", "f", "l"),
    Case("a link upwards, inside", ("a/l => ../f", "f"), "a/l", "f", "a/l"),
    Case("a link up from the depth", ("a/b/c/l => ../../../f", "f"), "a/b/c/l", "f", "a/b/c/l"),
    Case("a link to the root", ("l => .", "f"), "l/f", "f"),
    Case("a link to the root itself", ("a/l => ..", "f"), "a/l", ".", "a/l"),
    Case("a link to here and there", ("l => ./d//f", "d/f"), "l", "d/f", "l"),
    Case("a link with a slash", ("l => d/", "d/x"), "l", "d", "l"),
    Case("a link with a slash, to a file", ("l => f/", "f"), "l", Fails("ENOTDIR", "EISDIR"), "l"),
    Case("a link with a dot at its end", ("l => d/.", "d/f"), "l/f", "d/f"),
    Case("up after a link", ("l => b/c", "b/c/", "b/f", "f = no"), "l/../f", "b/f"),
    Case("up after a link, to a directory", ("l => b/c", "b/c/", "b/f"), "l/..", "b"),
    Case("up after a link upwards", ("a/l => ../b", "b/", "f"), "a/l/../f", "f"),
    Case("a dangling link", ("l => x",), "l", "x", "l"),
    Case("a dangling link, with a slash", ("l => x",), "l/", Fails("ENOENT", "EISDIR"), "l"),
    Case("a dangling link with a slash", ("l => x/",), "l", Fails("ENOENT", "EISDIR"), "l"),
    Case("a link into a missing directory", ("l => x/y",), "l", MISSING, "l"),
    Case("through a dangling link", ("l => x",), "l/f", MISSING),
    Case("through a link to a file", ("l => f", "f"), "l/x", NO_DIRECTORY),
    Case("a link to itself", ("l => l",), "l", LOOP, "l"),
    Case("through a link to itself", ("l => l",), "l/x", LOOP),
    Case("a loop of two", ("l => m", "m => l"), "l", LOOP, "l"),
    Case("a loop that grows", ("l => l/x",), "l", LOOP, "l"),
    Case("a loop in the middle", ("a => b/x", "b => a/x"), "a/f", LOOP),
    Case("40 links", _CHAIN_OF_40, "l0", "f", "l0"),
    Case("41 links", _CHAIN_OF_41, "l0", LOOP, "l0"),
    Case("40 links in a path", ("l => .", "f"), "l/" * 40 + "f", "f"),
    Case("41 links in a path", ("l => .", "f"), "l/" * 41 + "f", LOOP),
    # Out, by the caller's own words.
    Case("the parent", (), "..", ESCAPE),
    Case("the parent, with a slash", (), "../", ESCAPE),
    Case("the parent after a dot", (), "./..", ESCAPE),
    Case("a file outside", (), "../outside/secret.txt", ESCAPE),
    Case("nothing outside", (), "../outside/x", ESCAPE),
    Case("nothing above", (), "../x", ESCAPE),
    Case("a directory outside", (), "../outside/dir", ESCAPE),
    Case("a directory outside, with a slash", (), "../outside/dir/", ESCAPE),
    Case("a link outside", (), "../outside/link", ESCAPE),
    Case("the root's sibling of like name", (), "../root-evil/secret.txt", ESCAPE),
    Case("out after down", ("a/",), "a/../../outside/secret.txt", ESCAPE),
    Case("out by the last component", ("a/",), "a/../..", ESCAPE),
    Case("out and back again", ("f",), "../root/f", ESCAPE),
    Case("out and back again, later", ("a/", "f"), "a/../../root/f", ESCAPE),
    Case("far out", (), "../" * 8 + "x", ESCAPE),
    Case("out after what is missing", (), "x/../../outside/secret.txt", MISSING),
    Case("out after a file", ("f",), "f/../../outside/secret.txt", NO_DIRECTORY),
    Case("absolute, outside", (), "{outside}/secret.txt", ESCAPE),
    Case("absolute, missing", (), "{outside}/x", ESCAPE),
    Case("absolute, inside", ("f",), "{root}/f", ESCAPE),
    Case("absolute, the root itself", ("f",), "{root}", ESCAPE),
    Case("absolute, with slashes doubled", ("f",), "//{outside}/secret.txt", ESCAPE),
    # Out, by links.
    Case("a link out to a file", ("l => ../outside/secret.txt",), "l", ESCAPE, "l"),
    Case("a link out to a directory", (_OUT,), "out", ESCAPE, "out"),
    Case("a link out, with a slash", (_OUT,), "out/", ESCAPE, "out"),
    Case("a link out, with a dot", (_OUT,), "out/.", ESCAPE),
    Case("a link out, and its parent", (_OUT,), "out/..", ESCAPE),
    Case("through a link out", (_OUT,), "out/secret.txt", ESCAPE),
    Case("through a link out, to nothing", (_OUT,), "out/x", ESCAPE),
    Case("through a link out, to a directory", (_OUT,), "out/dir", ESCAPE),
    Case("through a link out, to a link", (_OUT,), "out/link", ESCAPE),
    Case("through a link out, and back", (_OUT, "f"), "out/../root/f", ESCAPE),
    Case("through a link out, and up", (_OUT, "f"), "out/../f", ESCAPE),
    Case("a link out from the depth", ("a/b/l => ../../../outside",), "a/b/l/x", ESCAPE),
    Case("a link to the parent", ("l => ..",), "l", ESCAPE, "l"),
    Case("through a link to the parent", ("l => ..",), "l/outside/secret.txt", ESCAPE),
    Case("through a link to the parent, back", ("l => ..", "f"), "l/root/f", ESCAPE),
    Case("a link out and back", ("l => ../root/f", "f"), "l", ESCAPE, "l"),
    Case("a link out, absolute", ("l => {outside}/secret.txt",), "l", ESCAPE, "l"),
    Case("a directory link out, absolute", ("l => {outside}",), "l/secret.txt", ESCAPE),
    Case("an absolute link inside", ("l => {root}/f", "f"), "l", ESCAPE, "l"),
    Case("an absolute link to the root", ("l => {root}", "f"), "l/f", ESCAPE),
    Case("a dangling link out", ("l => ../outside/x",), "l", ESCAPE, "l"),
    Case("a dangling link out, absolute", ("l => {outside}/x",), "l", ESCAPE, "l"),
    Case("a link to a link out", ("l => m", "m => ../outside/secret.txt"), "l", ESCAPE, "l"),
    Case("a link through a link out", ("l => out/secret.txt", _OUT), "l", ESCAPE, "l"),
    Case("a link with dots after a link", ("a/b/", "l => a/b/../../..",), "l", ESCAPE, "l"),
    Case("up after a link, and out", ("l => b", "b/"), "l/../../outside/secret.txt", ESCAPE),
    Case("39 links and one out", (*_CHAIN_OF_40[:39], "l39 => ../outside/x"), "l0", ESCAPE, "l0"),
)  # fmt: skip


# -- layouts -----------------------------------------------------------------------------------


def lay(layout: tuple[str, ...], place: str, scratch: Scratch) -> None:
    """Make a layout beneath ``place``."""
    for line in layout:
        name, arrow, target = line.partition(" => ")
        name, equals, content = (name, "", "") if arrow else line.partition(" = ")
        path = os.path.join(place, name)
        os.makedirs(os.path.dirname(path.rstrip("/")), exist_ok=True)
        if arrow:
            os.symlink(filled(target, scratch), path)
        elif name.endswith("/"):
            os.makedirs(path, exist_ok=True)
        else:
            with open(path, "w") as file:
                file.write(content if equals else f"inside {name!a}\n")


def filled(text: str, scratch: Scratch) -> str:
    """``{root}`` and ``{outside}`` as the absolute paths of this scratch."""
    return text.replace("{root}", str(scratch.root)).replace("{outside}", str(scratch.outside))


def switched_on(setting: str) -> bool:
    """Whether a setting of the kernel is there and is on."""
    try:
        with open(setting) as file:
            return file.read().strip() != "0"
    except OSError:
        return False


STAMP = 1_234_567_890_123_456_789  # a time that no file has by chance
_ATTRIBUTE = "user.safefs"


def portrait(top: str) -> dict[str, tuple[object, ...]]:
    """All that an operation may leave behind in a tree, by name; links are not followed."""
    found: dict[str, tuple[object, ...]] = {"": _features(top, os.lstat(top))}
    pending = [""]
    while pending:
        at = pending.pop()
        with os.scandir(f"{top}/{at}") as entries:
            for entry in entries:
                name = f"{at}{entry.name}"
                found[name] = _features(entry.path, entry.stat(follow_symlinks=False))
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
    return found


def _features(path: str, seen: os.stat_result) -> tuple[object, ...]:
    if stat.S_ISLNK(seen.st_mode):
        return (stat.S_IFLNK, os.readlink(path))
    stamped = seen.st_mtime_ns == STAMP
    attributes = tuple(name for name in os.listxattr(path) if name.startswith("user."))
    if not stat.S_ISREG(seen.st_mode):
        return (seen.st_mode, stamped, attributes)
    with open(path, "rb", buffering=0) as file:
        return (seen.st_mode, stamped, attributes, seen.st_nlink, file.read())


# -- operations --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of Root, and the plain one that it must be like.

    ``follows``: a link in the last place is followed. ``on_a_name``: it acts on one name in a
    directory, so ``.``, ``..`` and nothing are EINVAL. ``also``: by the errno of the plain call,
    what Root may say instead; under ``"link/"``, what it may say of a link with a slash after it.
    """

    name: str
    act: Callable[[Root, str], object]
    model: Callable[[str], object]
    follows: bool
    on_a_name: bool = False
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


SPARE = "zz"  # in every root: zz/file, zz/tree/inner, zz/link => file
_SPARE_LAYOUT = (f"{SPARE}/file = spare", f"{SPARE}/tree/inner", f"{SPARE}/link => file")


def _facts(seen: os.stat_result) -> tuple[int, int]:
    return seen.st_mode, seen.st_size if stat.S_ISREG(seen.st_mode) else 0


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _open_read(root: Root, path: str) -> object:
    with root.open(path, "rb") as file:
        return file.read()


def _open_atomically(root: Root, path: str) -> None:
    with root.open(path, "wb", atomic=True) as file:
        file.write(b"replaced")


def _opens(mode: str) -> Callable[[Root, str], object]:
    def act(root: Root, path: str) -> object:
        with root.open(path, mode) as file:
            return file.write(b"written")

    return act


def _plainly_opens(mode: str) -> Callable[[str], object]:
    def model(path: str) -> object:
        with open(path, mode) as file:
            return file.write(b"written")

    return model


def _scan(root: Root, path: str) -> object:
    with root.scandir(path) as entries:
        return sorted(
            (entry.name, entry.is_dir(), entry.is_file(), entry.is_symlink()) for entry in entries
        )


def _plainly_scans(path: str) -> object:
    with os.scandir(path) as entries:
        return sorted(
            (e.name, e.is_dir(follow_symlinks=False), e.is_file(follow_symlinks=False),
             e.is_symlink())
            for e in entries
        )  # fmt: skip


def _walk(root: Root, path: str) -> object:
    """The walk as from its own top, which a plain one can be compared with."""
    steps = list(root.walk(path))
    top = steps[0][0]
    return [(os.path.relpath(at, top), list(dirs), list(names)) for at, dirs, names in steps]


def _plainly_walks(path: str) -> object:
    os.listdir(path)  # raises where os.walk would say nothing
    return list(_steps(path, "."))


def _steps(path: str, shown: str) -> Iterator[tuple[str, list[str], list[str]]]:
    with os.scandir(path) as entries:
        found = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries)
    below = [name for name, is_dir in found if is_dir]
    yield shown, below, [name for name, is_dir in found if not is_dir]
    for name in below:
        yield from _steps(os.path.join(path, name), name if shown == "." else f"{shown}/{name}")


def _find(root: Root, path: str) -> object:
    return sorted(os.path.basename(name) for name in root.find(path))


def _plainly_finds(path: str) -> object:
    os.listdir(path)
    return sorted(name for _, _, names in _steps(path, ".") for name in names)


def _plainly_renames_new(path: str) -> None:
    if os.path.lexists(path):
        raise FileExistsError(EEXIST, "exists", path)
    os.rename(_spare(path, "file"), path)


def _spare(path: str, name: str) -> str:
    """The spare entry of the reference tree that ``path`` lies in."""
    at = path
    while not os.path.isdir(os.path.join(at, SPARE)):
        at = os.path.dirname(at)
    return os.path.join(at, SPARE, name)


def _plainly_replaces(path: str) -> None:
    """What an atomic write must come to: the entry is replaced, whatever it was but a directory."""
    if os.path.isdir(path) and not os.path.islink(path):
        raise IsADirectoryError(EISDIR, "is a directory", path)
    if path.endswith("/"):  # as open for writing says it
        raise IsADirectoryError(EISDIR, "is a directory", path)
    temporary = os.path.join(os.path.dirname(path), ".new")
    with open(temporary, "wb") as file:
        file.write(b"replaced")
    os.replace(temporary, path)


def _plainly_removes_tree(path: str) -> None:
    if os.path.islink(path):
        raise NotADirectoryError(ENOTDIR, "is a link", path)
    shutil.rmtree(path)


def _plainly_copies_to(path: str) -> None:
    _plainly_replaces(path)
    shutil.copyfile(_spare(path, "file"), path)


def _plainly_copies_from(path: str) -> None:
    if os.path.isdir(path):
        raise IsADirectoryError(EISDIR, "is a directory", path)
    shutil.copyfile(path, _spare(path, "new"))


def _plainly_copies_tree(path: str) -> None:
    os.listdir(path)
    if _spare(path, "new").startswith(path):
        raise OSError(EINVAL, "into itself", path)
    shutil.copytree(path, _spare(path, "new"), symlinks=True, copy_function=shutil.copyfile)


def _plainly_copies_tree_to(path: str) -> None:
    if os.path.lexists(path.rstrip("/")):
        raise FileExistsError(EEXIST, "exists", path)
    shutil.copytree(_spare(path, "tree"), path, symlinks=True, copy_function=shutil.copyfile)


def _plainly_moves_tree(path: str) -> None:
    _demand_directory(path)
    os.rename(path, _spare(path, "new"))


def _plainly_moves_tree_to(path: str) -> None:
    if os.path.lexists(path.rstrip("/")):
        raise FileExistsError(EEXIST, "exists", path)
    os.rename(_spare(path, "tree"), path)


def _demand_directory(path: str) -> None:
    if not S_ISDIR(os.lstat(path.rstrip("/")).st_mode):
        raise NotADirectoryError(ENOTDIR, "is no directory", path)


def _silently(act: Callable[..., object], *paths: str) -> None:
    """Without the report of what was done."""
    act(*paths)


def _subroot(root: Root, path: str) -> object:
    with root.subroot(path) as inner:
        return sorted(inner.listdir())


_SLASHED_WRITE = {"link/": ("EISDIR",)}  # said of any ``x/`` before it is looked at
_SLASHED_NEW = {"link/": ("EEXIST",)}  # which it does
_NEW, _FILE = f"{SPARE}/new", f"{SPARE}/file"

OPERATIONS: tuple[Operation, ...] = (
    # What follows a link in the last place.
    Operation("open for reading", _open_read, _read, follows=True),
    Operation("read_bytes", lambda root, path: root.read_bytes(path), _read, follows=True),
    Operation(
        "read_many", lambda root, path: root.read_many([path, path])[1], _read, follows=True
    ),
    Operation(
        "read_text",
        lambda root, path: root.read_text(path).encode(),
        _read,
        follows=True,
    ),
    Operation(
        "open for writing", _opens("wb"), _plainly_opens("wb"), follows=True, also=_SLASHED_WRITE
    ),
    Operation(
        "open for appending", _opens("ab"), _plainly_opens("ab"), follows=True, also=_SLASHED_WRITE
    ),
    Operation("open for updating", _opens("r+b"), _plainly_opens("r+b"), follows=True),
    Operation(
        "write_bytes",
        lambda root, path: root.write_bytes(path, b"written"),
        _plainly_opens("wb"),
        follows=True,
        also=_SLASHED_WRITE,
    ),
    Operation(
        "stat", lambda root, path: _facts(root.stat(path)), lambda p: _facts(os.stat(p)), True
    ),
    Operation(
        "listdir",
        lambda root, path: sorted(root.listdir(path)),
        lambda path: sorted(os.listdir(path)),
        follows=True,
    ),
    Operation("scandir", _scan, _plainly_scans, follows=True),
    Operation("walk", _walk, _plainly_walks, follows=True),
    Operation("find", _find, _plainly_finds, follows=True),
    Operation("subroot", _subroot, lambda path: sorted(os.listdir(path)), follows=True),
    Operation(
        "chmod",
        lambda root, path: root.chmod(path, 0o700),
        lambda path: os.chmod(path, 0o700),
        follows=True,
    ),
    Operation(
        "utime",
        lambda root, path: root.utime(path, ns=(STAMP, STAMP)),
        lambda path: os.utime(path, ns=(STAMP, STAMP)),
        follows=True,
    ),
    Operation(
        "truncate",
        lambda root, path: root.truncate(path, 3),
        lambda path: os.truncate(path, 3),
        follows=True,
    ),
    Operation(
        "setxattr",
        lambda root, path: root.setxattr(path, _ATTRIBUTE, b"v"),
        lambda path: os.setxattr(path, _ATTRIBUTE, b"v"),
        follows=True,
    ),
    Operation(
        "getxattr",
        lambda root, path: root.getxattr(path, _ATTRIBUTE),
        lambda path: os.getxattr(path, _ATTRIBUTE),
        follows=True,
    ),
    Operation(
        "listxattr",
        lambda root, path: root.listxattr(path),
        os.listxattr,
        follows=True,
    ),
    Operation(
        "removexattr",
        lambda root, path: root.removexattr(path, _ATTRIBUTE),
        lambda path: os.removexattr(path, _ATTRIBUTE),
        follows=True,
    ),
    Operation(
        "copy from",
        lambda root, path: root.copy(path, _NEW),
        _plainly_copies_from,
        follows=True,
    ),
    Operation(
        "copy_tree from",
        lambda root, path: _silently(root.copy_tree, path, _NEW),
        _plainly_copies_tree,
        follows=True,
    ),
    # What takes a link for the link.
    Operation(
        "move_tree from",
        lambda root, path: _silently(root.move_tree, path, _NEW),
        _plainly_moves_tree,
        follows=False,
        on_a_name=True,
    ),
    Operation(
        "lstat", lambda root, path: _facts(root.lstat(path)), lambda p: _facts(os.lstat(p)), False
    ),
    Operation(
        "readlink",
        lambda root, path: root.readlink(path),
        os.readlink,
        follows=False,
    ),
    Operation("unlink", lambda root, path: root.unlink(path), os.unlink, False, on_a_name=True),
    Operation("rmdir", lambda root, path: root.rmdir(path), os.rmdir, False, on_a_name=True),
    Operation(
        "remove_tree",
        lambda root, path: _silently(root.remove_tree, path),
        _plainly_removes_tree,
        follows=False,
        on_a_name=True,
    ),
    Operation(
        "rename from",
        lambda root, path: root.rename(path, _NEW),
        lambda path: os.rename(path, _spare(path, "new")),
        follows=False,
        on_a_name=True,
    ),
    Operation(
        "link from",
        lambda root, path: root.link(path, _NEW),
        lambda path: os.link(path, _spare(path, "new"), follow_symlinks=False),
        follows=False,
        on_a_name=True,
    ),
    # What makes a name.
    Operation(
        "create exclusively",
        _opens("xb"),
        _plainly_opens("xb"),
        follows=False,
        also={**_SLASHED_WRITE, "EISDIR": ("EEXIST",)},
    ),
    Operation(
        "open atomically", _open_atomically, _plainly_replaces, follows=False, also=_SLASHED_WRITE
    ),
    Operation(
        "replace_file",
        lambda root, path: root.replace_file(path, b"replaced"),
        _plainly_replaces,
        follows=False,
        also=_SLASHED_WRITE,
    ),
    Operation(
        "mkdir",
        lambda root, path: root.mkdir(path),
        os.mkdir,
        follows=False,
        on_a_name=True,
        also=_SLASHED_NEW,
    ),
    Operation(
        "symlink",
        lambda root, path: root.symlink("anywhere", path),
        lambda path: os.symlink("anywhere", path),
        follows=False,
        on_a_name=True,
        also=_SLASHED_NEW,
    ),
    Operation(
        "link to",
        lambda root, path: root.link(_FILE, path),
        lambda path: os.link(_spare(path, "file"), path),
        follows=False,
        on_a_name=True,
        also=_SLASHED_NEW,
    ),
    Operation(
        "rename to",
        lambda root, path: root.rename(_FILE, path),
        lambda path: os.rename(_spare(path, "file"), path),
        follows=False,
        on_a_name=True,
    ),
    Operation(
        "rename a directory to",
        lambda root, path: root.rename(f"{SPARE}/tree", path),
        lambda path: os.rename(_spare(path, "tree"), path),
        follows=False,
        on_a_name=True,
    ),
    Operation(
        "rename to, replacing nothing",
        lambda root, path: root.rename(_FILE, path, replace=False),
        _plainly_renames_new,
        follows=False,
        on_a_name=True,
        also={**_SLASHED_NEW, "EEXIST": ("ENOTDIR",)},  # a file onto ``d/``
    ),
    Operation(
        "copy to",
        lambda root, path: root.copy(_FILE, path),
        _plainly_copies_to,
        follows=False,
        also=_SLASHED_WRITE,
    ),
    Operation(
        "move_tree to",
        lambda root, path: _silently(root.move_tree, f"{SPARE}/tree", path),
        _plainly_moves_tree_to,
        follows=False,
        on_a_name=True,
        also=_SLASHED_NEW,
    ),
    Operation(
        "copy_tree to",
        lambda root, path: _silently(root.copy_tree, f"{SPARE}/tree", path),
        _plainly_copies_tree_to,
        follows=False,
        on_a_name=True,
        also=_SLASHED_NEW,
    ),
)  # fmt: skip

# -- one operation on one row ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a call ended: an answer, or the name of an error."""

    answer: object = None
    error: str | None = None


def _ended(call: Callable[[], object], path: str | None = None) -> _Ending:
    try:
        return _Ending(call())
    except OSError as error:
        if path is not None:
            _check_what_it_tells(error, path)
        escaped = isinstance(error, EscapeError)
        return _Ending(error="escape" if escaped else errorcode[error.errno or 0])


def _check_what_it_tells(error: OSError, path: str) -> None:
    """An error names the path as the caller gave it, and an escape nothing but that."""
    given = error.filename, error.filename2
    assert path in given, f"{error!r} names {given}, and not {path!r}"
    if isinstance(error, EscapeError):
        assert error.errno == EACCES
        told = str(error).replace(repr(path), "").replace(repr(_NEW), "").replace(repr(_FILE), "")
        assert "secret" not in told.replace(repr(error.component), ""), told


class Bench:
    """A root and a reference with one row's layout, made anew where an operation changed it."""

    def __init__(self, case: Case, scratch: Scratch) -> None:
        self.case = case
        self.scratch = scratch
        self.reference = str(scratch.base / "reference")
        self.path = filled(case.path, scratch)
        self._lay()

    def _lay(self) -> None:
        for place in (str(self.scratch.root), self.reference):
            shutil.rmtree(place, ignore_errors=True)
            os.mkdir(place)
            lay(self.case.layout + _SPARE_LAYOUT, place, self.scratch)
        self.pristine = portrait(self.reference)

    def ending(self, operation: Operation) -> object:
        """How one operation ends, and what it leaves."""
        with Root(self.scratch.root) as root:
            ending = _ended(lambda: operation.act(root, self.path), self.path)
        left = portrait(str(self.scratch.root))
        if left != self.pristine:
            self._lay()
        return ending, left

    def check(self, operation: Operation) -> str | None:
        """Do one operation; what is wrong with how it ended, or None."""
        expected = _expected(operation, self.case, self.reference)
        try:
            with Root(self.scratch.root) as root:
                ending = _ended(lambda: operation.act(root, self.path), self.path)
        except Exception as error:
            self._lay()
            return repr(error)
        problem = _difference(operation, expected, ending)
        left = portrait(str(self.scratch.root))
        due = self.pristine
        if isinstance(expected, _Ending) and expected.error is None:
            due = portrait(self.reference)
        if left != self.pristine or due is not self.pristine:
            self._lay()
        return problem or (None if left == due else f"left {left}, not {due}")


def _expected(operation: Operation, case: Case, reference: str) -> _Ending | Fails:
    if operation.on_a_name and case.names_dots:
        return case.target if isinstance(case.target, Fails) else Fails("EINVAL")
    place: str | Fails = case.target
    slashed = operation.also.get("link/", ()) if case.entry and case.slash else ()
    if not operation.follows and case.entry is not None:
        if case.slash:
            return Fails("ENOTDIR", *slashed)
        place = case.entry
    if isinstance(place, Fails):
        return Fails(*place.names, *slashed)
    at = os.path.normpath(os.path.join(reference, place)) + ("/" if case.slash else "")
    return _ended(lambda: operation.model(at))


def _difference(operation: Operation, expected: _Ending | Fails, ending: _Ending) -> str | None:
    if isinstance(expected, _Ending) and expected.error is None:
        return None if ending == expected else f"{ending} and not {expected}"
    names = expected.names if isinstance(expected, Fails) else {str(expected.error)}
    allowed = names.union(*(operation.also.get(name, ()) for name in names))
    return None if ending.error in allowed else f"{ending} and not {Fails(*allowed)}"


def run(case: Case, scratch: Scratch) -> list[str]:
    """Do every operation to one row; all that is wrong."""
    scratch.remember(scratch.base / "reference")
    bench = Bench(case, scratch)
    problems = [(operation.name, bench.check(operation)) for operation in OPERATIONS]
    return [f"{name}: {problem}" for name, problem in problems if problem] + scratch.changes()


def run_all(scratch: Scratch, resolver: str) -> list[str]:
    """The whole table with one resolver; all that is wrong."""
    before, probe.forced = probe.forced, resolver
    try:
        return [f"{case.name}: {line}" for case in TABLE for line in run(case, scratch)]
    finally:
        probe.forced = before
