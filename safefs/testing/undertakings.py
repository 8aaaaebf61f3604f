"""What is done to a disk in many system calls, and must be whole when it is cut short anywhere."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import zipfile
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, NamedTuple, Self

from safefs.disk import Disk
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALL = b"of old, and small\n"
LARGE = bytes(range(256)) * 400  # above what is copied by reading and writing
NEW = (b"one chunk, ", b"and another " * 6000, b"and the last")
_TEN = [f"t{number}" for number in range(10)]


def _tar() -> bytes:
    held = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=held, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for name, kind, content in (
            ("x", tarfile.DIRTYPE, b""),
            ("x/small", tarfile.REGTYPE, SMALL),
            ("x/link", tarfile.SYMTYPE, b""),
            ("x/same", tarfile.LNKTYPE, b""),
            ("y", tarfile.REGTYPE, LARGE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(content)
            member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o640
            member.linkname = {"x/link": "small", "x/same": "x/small"}.get(name, "")
            archive.addfile(member, io.BytesIO(content))
    return held.getvalue()


def _zip() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("x/small", SMALL), ("y", LARGE)):
            archive.writestr(zipfile.ZipInfo(name), content)
    return held.getvalue()


_TAR, _ZIP = _tar(), _zip()
_MEMBERS = ("x", "y")


class World:
    """Two disks side by side, in a directory that is laid out anew for each run.

    For disks of another kind override ``opened``; where content does not lie in its file as it is,
    ``stored`` and ``content`` too.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.paths = [os.path.join(place, name) for name in ("one", "two")]
        self._locks = os.path.join(place, "locks")  # empty files, which stay: not looked at
        self._stack = ExitStack()

    def lay(self) -> None:
        """As it is before anything happens."""
        for path in self.paths:
            shutil.rmtree(path, ignore_errors=True)
            os.mkdir(path)
        one = self.paths[0]
        for directory in ("d", "tree", "tree/sub", "tree/sub/deep", "tree/empty"):
            os.mkdir(f"{one}/{directory}")
        for path in ("d/small", "tree/a", "tree/sub/b", "tree/sub/deep/c"):
            self._write(f"{one}/{path}", f"{path} ".encode() + SMALL, 0o640)
        for path in ("d/large", "tree/sub/large"):
            self._write(f"{one}/{path}", path.encode() + LARGE, 0o604)
        os.symlink("a", f"{one}/tree/link")
        os.link(f"{one}/tree/a", f"{one}/tree/sub/same")
        with suppress(OSError):  # not every file system has them
            os.setxattr(f"{one}/d/small", "user.note", b"kept where that is asked")
        for name in _TEN[:5]:
            self._write(f"{one}/{name}", f"{name} ".encode() + SMALL, 0o600)
        self._write(f"{one}/box.tar.gz", _TAR, 0o600)
        self._write(f"{one}/box.zip", _ZIP, 0o600)
        two = self.paths[1]
        os.mkdir(f"{two}/tree")
        self._write(f"{two}/tree/a", b"other", 0o600)
        self._write(f"{two}/tree/only here", b"only here", 0o600)
        self._write(f"{two}/tree/link", b"no link", 0o600)

    def _write(self, path: str, content: bytes, mode: int) -> None:
        _write(path, self.stored(content), mode)

    def stored(self, content: bytes) -> bytes:
        """What is to lie in a file of this content."""
        return content

    def content(self, stored: bytes) -> bytes:
        """The content of a file in which this lies."""
        return stored

    def opened(self, disk: Disk) -> Disk:
        """The disk on which things are done, over the one that is opened."""
        return disk

    def _disk(self, path: str, **options: str) -> Disk:
        plain = self._stack.enter_context(Disk(path, **options))  # type: ignore[arg-type]
        return self._stack.enter_context(self.opened(plain))

    def __enter__(self) -> Self:
        self.one = self._disk(self.paths[0], locks=self._locks)
        self.two = self._disk(self.paths[1])
        self.root = self._stack.enter_context(Root(self.paths[0]))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _write(path: str, content: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        os.fchmod(fd, mode)  # whatever the umask
        os.write(fd, content)
    finally:
        os.close(fd)


class Undertaking(NamedTuple):
    """One thing that is done.

    ``paths``: what the caller named; an error is about one of these, or something beneath.
    ``whole``: all of it takes place or none; otherwise each file for itself does.
    ``restores``: on an error nothing has changed, though it takes several steps.
    ``tidies``: by these it clears up when all is done; where one fails, a temporary name stays.
    """

    name: str
    act: Callable[[World], object]
    paths: tuple[str, ...]
    whole: bool = True
    restores: bool = False
    tidies: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<Undertaking {self.name}>"


UNDERTAKINGS: list[Undertaking] = []


def _add(
    name: str,
    act: Callable[[World], object],
    *paths: str,
    whole: bool = True,
    restores: bool = False,
    tidies: frozenset[str] = frozenset(),
) -> None:
    UNDERTAKINGS.append(Undertaking(name, act, paths, whole, restores, tidies))


def _written(world: World, path: str, *, durable: bool) -> None:
    with world.one.open(path, "wb", atomic=True, durable=durable) as file:
        for chunk in NEW:
            file.write(chunk)


def _as_text(world: World) -> None:
    with world.one.open("d/small", "w", atomic=True, encoding="utf-8") as file:
        file.write("a line\n" * 3000)


def _transaction(world: World) -> None:
    fs = world.one.fs
    with fs.transaction:
        for name in _TEN:
            with fs.open(f"/{name}", "wb") as file:
                file.write(name.encode() + b" is new\n" * 2000)


def _appending_transaction(world: World) -> None:
    fs = world.one.fs
    with fs.transaction, fs.open("/d/large", "ab") as file:
        file.write(b"behind it")


_add("put", lambda w: w.one.put("d/small", iter(NEW)), "d/small")
_add("put a new file", lambda w: w.one.put("d/new", NEW[1]), "d/new")
_add("put where directories are missing", lambda w: w.one.put("p/q/new", iter([NEW[0]])), "p/q/new")
_add("durable put", lambda w: w.one.put("d/small", iter(NEW), durable=True), "d/small")
_add(
    "durable put where directories are missing",
    lambda w: w.one.put("p/q/new", NEW[0], durable=True),
    "p/q/new",
)
_add(
    "durable put that preserves",
    lambda w: w.one.put("d/small", NEW[0], durable=True, preserve=("ownership", "xattr")),
    "d/small",
)
_add(
    "put of a version",
    lambda w: w.one.put("d/small", iter(NEW), if_match=w.one.etag("d/small")),
    "d/small",
)
_add("prepend", lambda w: w.one.prepend("d/large", b"before it", separator=b"\n"), "d/large")
_add("open atomic", lambda w: _written(w, "d/small", durable=False), "d/small")
_add("open atomic and durable", lambda w: _written(w, "d/new", durable=True), "d/new")
_add("open atomic as text", _as_text, "d/small")
_add("copy a small file", lambda w: w.one.copy("d/small", "d/copy"), "d/small", "d/copy")
_add("copy a large file", lambda w: w.one.copy("d/large", "d/small"), "d/large", "d/small")
_add(
    "copy where nothing is",
    lambda w: w.one.copy("d/large", "p/copy", overwrite=False),
    "d/large",
    "p/copy",
)
_add(
    "copy to another disk",
    lambda w: w.one.copy("d/large", w.two / "copy"),
    "d/large",
    "copy",
)
_add("move", lambda w: w.one.move("d/small", "d/large"), "d/small", "d/large")
_add(
    "move where nothing is",
    lambda w: w.one.move("d/small", "p/moved", overwrite=False),
    "d/small",
    "p/moved",
)
_add(
    "move to another disk",
    lambda w: w.one.move("d/large", w.two / "moved"),
    "d/large",
    "moved",
    whole=False,
)
_add("a transaction of ten files", _transaction, *(f"/{name}" for name in _TEN), whole=False)
_add("a transaction that appends", _appending_transaction, "/d/large")
_add("copy_tree", lambda w: w.root.copy_tree("tree", "copied"), "tree", "copied")
_add(
    "copy_tree with hard links",
    lambda w: w.root.copy_tree("tree", "d/copied", hard_links=True),
    "tree",
    "d/copied",
)
_add("move_tree", lambda w: w.root.move_tree("tree", "d/moved"), "tree", "d/moved")
_add(
    "copy_tree to another disk",
    lambda w: w.one.copy_tree("tree", w.two / "p/copied"),
    "tree",
    "p/copied",
)
_add(
    "move_tree to another disk",
    lambda w: w.one.move_tree("tree", w.two / "moved"),
    "tree",
    "moved",
)
_add(
    "sync_to",
    lambda w: w.one.sync_to(w.two / "tree", source="tree", delete=True),
    "tree",
    whole=False,
)
_add(
    "sync_to an empty directory",
    lambda w: w.one.sync_to(w.two / "p/synced", source="tree"),
    "tree",
    "p/synced",
    whole=False,
)
_add(
    "extract",
    lambda w: w.one.extract("box.tar.gz", into="p/unpacked"),
    "box.tar.gz",
    "p/unpacked",
    *_MEMBERS,
)
_add(
    "extract a zip",
    lambda w: w.one.extract("box.zip", into="unpacked"),
    "box.zip",
    "unpacked",
    *_MEMBERS,
)
_add(
    "extract to where something is",
    lambda w: w.one.extract("box.tar.gz", into="d"),
    "box.tar.gz",
    "d",
    *_MEMBERS,
    whole=False,
    restores=True,
    tidies=frozenset({"rmdir", "scandir", "scandir.next"}),
)
_add(
    "extract member by member",
    lambda w: w.one.extract("box.tar.gz", into="d", partial=True),
    "box.tar.gz",
    "d",
    *_MEMBERS,
    whole=False,
)
_add("archive", lambda w: w.one.archive("tree", "packed.tar.gz"), "tree", "packed.tar.gz")
_add("archive over another", lambda w: w.one.archive("tree", "box.zip"), "tree", "box.zip")
_add("remove_tree", lambda w: w.one.delete_directory("tree"), "tree", whole=False)


def undertaking(name: str) -> Undertaking:
    """The one of this name."""
    return next(each for each in UNDERTAKINGS if each.name == name)


def each_resolver(*names: str) -> Iterator[tuple[Undertaking, str]]:
    """Those of these names, or all, with each resolver."""
    for each in UNDERTAKINGS:
        if not names or each.name in names:
            for resolver in ("openat2", "walk"):
                yield each, resolver
