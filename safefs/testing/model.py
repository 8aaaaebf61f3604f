"""What each operation of a Root must come to, by POSIX and Linux alone: over a tree in memory.

Like the resolver it stands on (``safefs.testing.oracle``) it imports nothing of safefs but the
errors, so that it can judge both resolvers and every operation. Each function takes the root of a
tree and paths, changes the tree as the real call must change a directory, and returns its answer,
or raises ``Refused`` with the word for the error: ``"escape"``, ``"invalid"`` or the name of an
errno. What is refused has changed nothing, but for what ``makedirs`` says.

The table that puts each of them beside the call of Root is ``safefs.testing.operations``.

Of permissions it knows nothing: the modes of directories and files are kept and never asked. The
umask is 0o022. Times are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from safefs.testing.oracle import NAME_MAX, PATH_MAX, Directory, File, Link, nodes, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from safefs.testing.oracle import Node

    Facts = tuple[str, int, int | None]

UMASK = 0o022
_PERMISSIONS = 0o777  # set-id bits do not go with a copy
_NO_NAMES = ("", ".", "..")


class Refused(Exception):  # noqa: N818  (what happened)
    """The operation must fail, in one of these words."""

    def __init__(self, *words: str) -> None:
        super().__init__(*words)
        self.words = frozenset(words)


# -- what a path means to an operation -----------------------------------------------------------


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def admit(*paths: str) -> None:
    """What is refused of the text alone, before anything is looked at; the first path first."""
    for path in paths:
        try:
            raw = _bytes(path)
        except UnicodeEncodeError:
            raise Refused("invalid") from None
        if b"\0" in raw:
            raise Refused("invalid")
        if path.startswith("/"):
            raise Refused("escape")


def _reach(root: Directory, path: str) -> Directory | File:
    """The object a path leads to, links followed."""
    verdict = resolve(root, path)
    if verdict.node is None:
        raise Refused(str(verdict.error))
    assert not isinstance(verdict.node, Link)
    return verdict.node


def directory(root: Directory, path: str) -> Directory:
    node = _reach(root, path)
    if not isinstance(node, Directory):
        raise Refused("ENOTDIR")
    return node


def _file(root: Directory, path: str) -> File:
    node = _reach(root, path)
    if not isinstance(node, File):
        raise Refused("EISDIR")
    return node


class _Place:
    """A name in a directory: what every operation on a name acts on. It need not be taken."""

    __slots__ = ("name", "parent", "slash")

    def __init__(self, root: Directory, path: str) -> None:
        """EINVAL where the last component is no name, unless the path leads nowhere or out."""
        admit(path)
        bare = path.rstrip("/")
        cut = bare.rfind("/") + 1
        self.name = bare[cut:]
        self.slash = bare != path
        if self.name in _NO_NAMES:
            directory(root, path)
            raise Refused("EINVAL")
        if len(_bytes(path)) >= PATH_MAX:
            raise Refused("ENAMETOOLONG")
        self.parent = directory(root, bare[:cut])

    @property
    def node(self) -> Node | None:
        """What stands there, a link as a link."""
        if len(self.name) > NAME_MAX // 4 and len(_bytes(self.name)) > NAME_MAX:
            raise Refused("ENAMETOOLONG")
        return self.parent.entries.get(self.name)

    def taken(self) -> Node:
        node = self.node
        if node is None:
            raise Refused("ENOENT")
        return node

    def directory(self) -> Directory:
        node = self.taken()
        if not isinstance(node, Directory):
            raise Refused("ENOTDIR")
        return node

    def entry(self) -> Node:
        """What stands there; a slash behind the name demands a directory, and is never followed."""
        return self.directory() if self.slash else self.taken()

    def free(self) -> None:
        if self.node is not None:
            raise Refused("EEXIST")

    def free_for_no_directory(self) -> None:
        """As ``free``; with a slash behind it only a directory could be made, symlink(2)."""
        if self.slash:
            self.taken()
            raise Refused("EEXIST")
        self.free()

    def put(self, node: Node) -> None:
        self.parent.entries[self.name] = node

    def remove(self) -> None:
        del self.parent.entries[self.name]


def _place_of_file(root: Directory, path: str) -> _Place:
    """Where a whole file is to be put: EISDIR for what names none, as open for writing says it."""
    try:
        place = _Place(root, path)
    except Refused as refused:
        if refused.words == {"EINVAL"}:
            raise Refused("EISDIR") from None
        raise
    if place.slash:
        raise Refused("EISDIR")
    return place


# -- files ---------------------------------------------------------------------------------------


def read(root: Directory, path: str) -> bytes:
    return _file(root, path).content


def _opened_to_write(root: Directory, path: str) -> File:
    """open(2) with O_CREAT: makes the file where only it is missing, through a link too."""
    verdict = resolve(root, path, creating=True)
    if isinstance(verdict.node, File):
        return verdict.node
    if verdict.node is not None:
        raise Refused("EISDIR")
    if verdict.parent is None or verdict.name is None:
        raise Refused(str(verdict.error))
    made = File(b"", 0o666 & ~UMASK)
    verdict.parent.entries[verdict.name] = made
    return made


def write(root: Directory, path: str, data: bytes = b"written") -> int:
    """In place, so under every name of the file."""
    _opened_to_write(root, path).content = data
    return len(data)


def append(root: Directory, path: str, data: bytes = b"+") -> int:
    _opened_to_write(root, path).content += data
    return len(data)


def create(root: Directory, path: str, data: bytes = b"created") -> int:
    """open(2) with O_CREAT and O_EXCL: a link at the end is something that exists."""
    verdict = resolve(root, path, follow=False, creating=True)
    if verdict.node is not None:
        raise Refused("EEXIST")
    if verdict.parent is None or verdict.name is None:
        raise Refused(str(verdict.error))
    verdict.parent.entries[verdict.name] = File(data, 0o666 & ~UMASK)
    return len(data)


def update(root: Directory, path: str, data: bytes = b"updated") -> int:
    """Opened to read and write: over the first bytes, and nothing is made."""
    file = _file(root, path)
    file.content = data + file.content[len(data) :]
    return len(data)


def replace_file(root: Directory, path: str, data: bytes = b"replaced") -> None:
    """A new file under the name; a link there is replaced, and a file's permissions are kept."""
    place = _place_of_file(root, path)
    old = place.node
    if isinstance(old, Directory):
        raise Refused("EISDIR")
    mode = old.mode & _PERMISSIONS if isinstance(old, File) else 0o666 & ~UMASK
    place.put(File(data, mode))


def truncate(root: Directory, path: str, length: int = 3) -> None:
    file = _file(root, path)
    file.content = file.content[:length].ljust(length, b"\0")


# -- attributes ----------------------------------------------------------------------------------


def _facts(node: Node) -> Facts:
    """(kind, permissions, size); a directory's size is the file system's own business."""
    if isinstance(node, Directory):
        return "directory", node.mode, None
    if isinstance(node, File):
        return "file", node.mode, len(node.content)
    return "link", 0o777, len(_bytes(node.target))


def stat(root: Directory, path: str) -> Facts:
    return _facts(_reach(root, path))


def entry(root: Directory, path: str) -> Node:
    """The entry itself; ``link/`` is ENOTDIR, wherever the link leads."""
    admit(path)
    if len(_bytes(path)) >= PATH_MAX:
        raise Refused("ENAMETOOLONG")
    verdict = resolve(root, path.rstrip("/"), follow=False)
    if verdict.node is None:
        raise Refused(str(verdict.error))
    if path.endswith("/") and not isinstance(verdict.node, Directory):
        raise Refused("ENOTDIR")
    return verdict.node


def lstat(root: Directory, path: str) -> Facts:
    return _facts(entry(root, path))


def exists(root: Directory, path: str) -> bool:
    return resolve(root, path).node is not None


def is_symlink(root: Directory, path: str) -> bool:
    try:
        return isinstance(entry(root, path), Link)
    except Refused:
        return False


def chmod(root: Directory, path: str, mode: int = 0o700) -> None:
    _reach(root, path).mode = mode


def utime(root: Directory, path: str) -> None:
    _reach(root, path)


# -- directories ---------------------------------------------------------------------------------


def listdir(root: Directory, path: str) -> list[str]:
    """Sorted, which the real one need not be."""
    return sorted(directory(root, path).entries)


def scandir(root: Directory, path: str) -> list[tuple[str, Facts]]:
    top = directory(root, path)
    return [(name, _facts(node)) for name, node in sorted(top.entries.items(), key=_by_name)]


def _by_name(entry: tuple[str, Node]) -> str:
    return entry[0]


def walk(root: Directory, path: str) -> list[tuple[str, list[str], list[str]]]:
    """(path, names of directories, other names) of each directory, from the top; links entered
    never.
    """
    return list(_steps(directory(root, path), path.rstrip("/") or "."))


def _steps(top: Directory, at: str) -> Iterator[tuple[str, list[str], list[str]]]:
    below = sorted(name for name, node in top.entries.items() if isinstance(node, Directory))
    yield at, below, sorted(top.entries.keys() - set(below))
    for name in below:
        node = top.entries[name]
        assert isinstance(node, Directory)
        yield from _steps(node, name if at == "." else f"{at}/{name}")


def find(root: Directory, path: str) -> list[str]:
    """All that is no directory, depth first, sorted within each directory."""
    top, at = directory(root, path), path.rstrip("/")
    return list(_leaves(top, "" if at in ("", ".") else f"{at}/"))


def _leaves(top: Directory, prefix: str) -> Iterator[str]:
    for name, node in sorted(top.entries.items(), key=_by_name):
        if isinstance(node, Directory):
            yield from _leaves(node, f"{prefix}{name}/")
        else:
            yield prefix + name


def disk_usage(root: Directory, path: str) -> int:
    """The bytes of what is no directory; what has two names counts once."""
    found = {id(node): node for _, node in nodes(directory(root, path))}
    return sum(_facts(node)[2] or 0 for node in found.values())


def subroot(root: Directory, path: str) -> list[str]:
    return sorted(directory(root, path).entries)


def mkdir(root: Directory, path: str) -> None:
    place = _Place(root, path)
    place.free()
    place.put(Directory(mode=0o777 & ~UMASK))


def makedirs(root: Directory, path: str, *, exist_ok: bool = False) -> None:
    """Make a directory and those above it.

    What may not be is refused before anything is made, as far as the tree shows it as it stands:
    among directories still to be made ``..`` undoes a name, and a link leads to what is there
    already. Without ``exist_ok`` a directory that the call itself made on the way (``new/.``,
    ``new/newer/..``) exists when its turn comes: EEXIST, and what was made stays.
    """
    admit(path)
    verdict = resolve(root, path)
    if isinstance(verdict.node, Directory):
        if exist_ok:
            return
        raise Refused("EEXIST")
    if verdict.error not in _NO_DIRECTORY_YET:
        raise Refused(str(verdict.error))
    names = [name for name in path.split("/") if name]
    way = _NewWay(root)
    for name in names[:-1]:
        way.step(name)
    way.end(names[-1], exist_ok=exist_ok)
    for top, beneath in way.to_make:
        _make(top, beneath)
    made_on_the_way = names[-1] in _NO_NAMES or way.to_make.count(way.to_make[-1]) > 1
    if made_on_the_way and not exist_ok:
        raise Refused("EEXIST")


_NO_DIRECTORY_YET = (None, "ENOENT", "ENOTDIR")


def _make(top: Directory, beneath: tuple[str, ...]) -> None:
    for name in beneath:
        node = top.entries.setdefault(name, Directory(mode=0o777 & ~UMASK))
        assert isinstance(node, Directory)
        top = node


class _NewWay:
    """A way through what is there (``there``, text) and from there on through what is not."""

    def __init__(self, root: Directory) -> None:
        self.root = root
        self.there = ""
        self.new: list[str] = []
        self.to_make: list[tuple[Directory, tuple[str, ...]]] = []

    def step(self, name: str) -> None:
        """On by one component, which must be a directory or be free for one."""
        if self.new:
            self._step_in_the_new(name)
            return
        verdict = resolve(self.root, self.there + name)
        if isinstance(verdict.node, Directory):
            self.there += f"{name}/"
        elif self.is_free(name):
            self._append(name)
        else:
            raise Refused("ENOTDIR" if verdict.node else str(verdict.error))

    def _step_in_the_new(self, name: str) -> None:
        if name == "..":
            self.new.pop()
        elif name != ".":
            if len(_bytes(name)) > NAME_MAX:
                raise Refused("ENAMETOOLONG")
            self._append(name)

    def _append(self, name: str) -> None:
        self.new.append(name)
        self.to_make.append((directory(self.root, self.there), tuple(self.new)))

    def is_free(self, name: str) -> bool:
        """Whether nothing stands there, not even a link, in a directory that does."""
        verdict = resolve(self.root, self.there + name, follow=False)
        return verdict.error == "ENOENT" and verdict.parent is not None

    def end(self, name: str, *, exist_ok: bool) -> None:
        """The last component: what stands there is EEXIST, but for a directory that may."""
        if self.new or self.is_free(name):
            self.step(name)
            if self.new:
                return
            name = "."
        verdict = resolve(self.root, self.there + name)
        if isinstance(verdict.node, Directory) and exist_ok:
            return
        entry = resolve(self.root, self.there + name, follow=False)
        if entry.node is None:
            raise Refused(str(entry.error))
        if exist_ok and verdict.error not in _NO_DIRECTORY_YET:
            raise Refused(str(verdict.error))
        raise Refused("EEXIST")


def ahead(root: Directory, path: str) -> tuple[Node | None, Directory]:
    """(what stands at the end of a path whose directories may be missing, the deepest that is not).

    Refused as ``makedirs`` refuses it.
    """
    way = _NewWay(root)
    *above, last = [name for name in path.split("/") if name]
    for name in above:
        way.step(name)
    if way.new or way.is_free(last):
        way.step(last)
        here = directory(root, way.there)
        return (None if way.new else here), here
    entry = resolve(root, way.there + last, follow=False)
    if entry.node is None:
        raise Refused(str(entry.error))
    return entry.node, directory(root, way.there)


def rmdir(root: Directory, path: str) -> None:
    place = _Place(root, path)
    if place.directory().entries:
        raise Refused("ENOTEMPTY")
    place.remove()


def remove_tree(root: Directory, path: str) -> None:
    place = _Place(root, path)
    place.directory()
    place.remove()


# -- names ---------------------------------------------------------------------------------------


def unlink(root: Directory, path: str) -> None:
    place = _Place(root, path)
    if isinstance(place.entry(), Directory):
        raise Refused("EISDIR")
    place.remove()


def _two_places(root: Directory, src: str, dst: str) -> tuple[_Place, _Place]:
    admit(src, dst)
    return _Place(root, src), _Place(root, dst)


def rename(root: Directory, src: str, dst: str, *, replace: bool = True) -> None:
    """rename(2), and with ``replace=False`` renameat2(2) with RENAME_NOREPLACE."""
    old, new = _two_places(root, src, dst)
    if old.slash or new.slash:
        old.directory()
    if new.slash and new.node is not None:
        new.directory()
    moved, taken = old.taken(), new.node
    if taken is not None and not replace:
        raise Refused("EEXIST")
    if isinstance(moved, Directory) and holds(moved, new.parent):
        raise Refused("EINVAL")
    if isinstance(taken, Directory) and holds(taken, old.parent):
        raise Refused("ENOTEMPTY")
    if moved is taken:
        return  # two names of one file stay two
    _check_replaceable(moved, taken)
    old.remove()
    new.put(moved)


def holds(top: Directory, wanted: Directory) -> bool:
    """Whether a directory is ``top``, or lies beneath it."""
    return top is wanted or any(
        holds(node, wanted) for node in top.entries.values() if isinstance(node, Directory)
    )


def _check_replaceable(moved: Node, taken: Node | None) -> None:
    if isinstance(moved, Directory):
        if taken is not None and not isinstance(taken, Directory):
            raise Refused("ENOTDIR")
        if taken is not None and taken.entries:
            raise Refused("ENOTEMPTY")
    elif isinstance(taken, Directory):
        raise Refused("EISDIR")


def link(root: Directory, src: str, dst: str) -> None:
    """linkat(2) without AT_SYMLINK_FOLLOW: a link gets a second name as a link."""
    old, new = _two_places(root, src, dst)
    if old.slash:
        old.directory()
    if new.slash:
        new.free_for_no_directory()
    node = old.taken()
    new.free()
    if isinstance(node, Directory):
        raise Refused("EPERM")
    new.put(node)


def symlink(root: Directory, path: str, target: str = "a") -> None:
    if "\0" in target:
        raise Refused("invalid")
    place = _Place(root, path)
    if place.slash:
        place.free_for_no_directory()
    if not target:
        raise Refused("ENOENT")
    place.free()
    place.put(Link(target))


def readlink(root: Directory, path: str) -> str:
    node = _Place(root, path).entry()
    if not isinstance(node, Link):
        raise Refused("EINVAL")
    return node.target


def copy(root: Directory, src: str, dst: str, *, replace: bool = True) -> None:
    """A new file of its own under ``dst``; onto itself, under whatever name, is EINVAL."""
    admit(src, dst)
    source = _file(root, src)
    place = _place_of_file(root, dst)
    if not replace:
        place.free()
    taken = place.node
    if isinstance(taken, Directory):
        raise Refused("EISDIR")
    if taken is source:
        raise Refused("EINVAL")
    place.put(File(source.content, source.mode & _PERMISSIONS))


def copy_tree(root: Directory, src: str, dst: str) -> None:
    """EINVAL into itself, however deep."""
    admit(src, dst)
    source = directory(root, src)
    place = _Place(root, dst)
    place.free()
    if holds(source, place.parent):
        raise Refused("EINVAL")
    place.put(_copied(source))


def move_tree(root: Directory, src: str, dst: str) -> None:
    """A rename of a directory to where nothing stands."""
    old, new = _two_places(root, src, dst)
    moved = old.directory()
    new.free()
    if holds(moved, new.parent):
        raise Refused("EINVAL")
    old.remove()
    new.put(moved)


def _copied(node: Node) -> Node:
    """What copy_tree makes of a tree: two names of one file become two files."""
    if isinstance(node, Directory):
        entries = {name: _copied(child) for name, child in node.entries.items()}
        return Directory(entries, node.mode & _PERMISSIONS)
    if isinstance(node, File):
        return File(node.content, node.mode & _PERMISSIONS)
    return Link(node.target)
