"""Other libraries' file systems as subjects; none of the libraries is imported here.

Each adapter takes an object of its library and says what it is asked in that library's own words.
Paths go in as they come: an adapter that cleaned them would hide what it is there to show.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from safefs.disk import Disk
from safefs.root import Root
from safefs.testing.subjects import NotOffered, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable


class RootSubject(Subject):
    """A ``safefs.Root``."""

    def __init__(self, root: Root) -> None:
        self._root = root

    def read(self, path: str) -> bytes:
        return self._root.read_bytes(path)

    def exists(self, path: str) -> bool:
        return self._root.exists(path)

    def stat(self, path: str) -> object:
        return self._root.stat(path)

    def list(self, path: str) -> Iterable[object]:
        return self._root.listdir(path)

    def walk(self, path: str) -> Iterable[object]:
        return self._root.walk(path)

    def glob(self, pattern: str) -> Iterable[object]:
        return self._root.glob(pattern)

    def mkdir(self, path: str) -> None:
        self._root.mkdir(path)

    def chmod(self, path: str, mode: int) -> None:
        self._root.chmod(path, mode)

    def copy(self, source: str, target: str) -> None:
        self._root.copy(source, target)

    def rename(self, source: str, target: str) -> None:
        self._root.rename(source, target)

    def remove(self, path: str) -> None:
        self._root.unlink(path)

    def remove_tree(self, path: str) -> None:
        self._root.remove_tree(path)

    def close(self) -> None:
        self._root.close()

    def size(self, path: str) -> int:
        return self._root.stat(path).st_size

    def write(self, path: str, data: bytes) -> None:
        self._root.write_bytes(path, data)

    def append(self, path: str, data: bytes) -> None:
        with self._root.open(path, "ab") as file:
            file.write(data)

    def create(self, path: str, data: bytes) -> None:
        with self._root.open(path, "xb") as file:
            file.write(data)


class DiskSubject(Subject):
    """A ``safefs.Disk``."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def read(self, path: str) -> bytes:
        return self._disk.get(path)

    def exists(self, path: str) -> bool:
        return self._disk.exists(path)

    def size(self, path: str) -> int:
        return self._disk.size(path)

    def remove_tree(self, path: str) -> None:
        self._disk.delete_directory(path)

    def mkdir(self, path: str) -> None:
        self._disk.make_directory(path)

    def copy(self, source: str, target: str) -> None:
        self._disk.copy(source, target)

    def close(self) -> None:
        self._disk.close()

    def stat(self, path: str) -> object:
        found = self._disk.stat(path)
        return {name: getattr(found, name) for name in ("kind", "size", "modified", "mode")}

    def list(self, path: str) -> Iterable[object]:
        return [*self._disk.files(path), *self._disk.directories(path)]

    def walk(self, path: str) -> Iterable[object]:
        return [*self._disk.all_files(path), *self._disk.all_directories(path)]

    def glob(self, pattern: str) -> Iterable[object]:
        return [str(path) for path in (self._disk / ".").glob(pattern)]

    def write(self, path: str, data: bytes) -> None:
        self._disk.put(path, data)

    def append(self, path: str, data: bytes) -> None:
        self._disk.append(path, data)

    def create(self, path: str, data: bytes) -> None:
        with self._disk.open(path, "xb") as file:
            file.write(data)

    def chmod(self, path: str, mode: int) -> None:
        self._disk.set_visibility(path, "public" if mode & 0o044 else "private")

    def rename(self, source: str, target: str) -> None:
        self._disk.move(source, target)

    def remove(self, path: str) -> None:
        self._disk.delete(path)


class FsspecSubject(Subject):
    """Any ``fsspec.AbstractFileSystem``; ``prefix`` goes before each path.

    None is needed where the root is the file system's own, as with ``DirFileSystem``.
    """

    def __init__(self, fs: Any, prefix: str = "") -> None:
        self._fs = fs
        self._prefix = prefix

    def _at(self, path: str) -> str:
        return self._prefix + path

    def read(self, path: str) -> bytes:
        return bytes(self._fs.cat_file(self._at(path)))

    def exists(self, path: str) -> bool:
        return bool(self._fs.exists(self._at(path)))

    def size(self, path: str) -> int:
        return int(self._fs.size(self._at(path)))

    def stat(self, path: str) -> object:
        return self._fs.info(self._at(path))

    def list(self, path: str) -> Iterable[object]:
        names: Iterable[object] = self._fs.ls(self._at(path), detail=False)
        return names

    def walk(self, path: str) -> Iterable[object]:
        found: Iterable[object] = self._fs.find(self._at(path), withdirs=True)
        return found

    def glob(self, pattern: str) -> Iterable[object]:
        found: Iterable[object] = self._fs.glob(self._at(pattern))
        return found

    def write(self, path: str, data: bytes) -> None:
        self._fs.pipe_file(self._at(path), data)

    def append(self, path: str, data: bytes) -> None:
        with self._fs.open(self._at(path), "ab") as file:
            file.write(data)

    def create(self, path: str, data: bytes) -> None:
        with self._fs.open(self._at(path), "xb") as file:
            file.write(data)

    def mkdir(self, path: str) -> None:
        self._fs.mkdir(self._at(path))

    def copy(self, source: str, target: str) -> None:
        self._fs.cp_file(self._at(source), self._at(target))

    def rename(self, source: str, target: str) -> None:
        self._fs.mv(self._at(source), self._at(target))

    def remove(self, path: str) -> None:
        self._fs.rm_file(self._at(path))

    def remove_tree(self, path: str) -> None:
        self._fs.rm(self._at(path), recursive=True)


class PyFilesystemSubject(Subject):
    """A PyFilesystem2 ``FS``."""

    def __init__(self, fs: Any) -> None:
        self._fs = fs

    def read(self, path: str) -> bytes:
        return bytes(self._fs.readbytes(path))

    def exists(self, path: str) -> bool:
        return bool(self._fs.exists(path))

    def size(self, path: str) -> int:
        return int(self._fs.getsize(path))

    def stat(self, path: str) -> object:
        return self._fs.getinfo(path, namespaces=["details", "access"]).raw

    def list(self, path: str) -> Iterable[object]:
        names: Iterable[object] = self._fs.listdir(path)
        return names

    def walk(self, path: str) -> Iterable[object]:
        return [*self._fs.walk.files(path), *self._fs.walk.dirs(path)]

    def glob(self, pattern: str) -> Iterable[object]:
        return [match.path for match in self._fs.glob(pattern)]

    def write(self, path: str, data: bytes) -> None:
        self._fs.writebytes(path, data)

    def append(self, path: str, data: bytes) -> None:
        self._fs.appendbytes(path, data)

    def create(self, path: str, data: bytes) -> None:
        with self._fs.openbin(path, "x") as file:
            file.write(data)

    def mkdir(self, path: str) -> None:
        self._fs.makedir(path).close()

    def copy(self, source: str, target: str) -> None:
        self._fs.copy(source, target, overwrite=True)

    def rename(self, source: str, target: str) -> None:
        self._fs.move(source, target, overwrite=True)

    def remove(self, path: str) -> None:
        self._fs.remove(path)

    def remove_tree(self, path: str) -> None:
        self._fs.removetree(path)

    def close(self) -> None:
        self._fs.close()


class PathSubject(Subject):
    """What is joined by ``/`` and asked in the words of ``pathlib``: a path, or a resource.

    ``top`` is the root itself: a ``Path``, a ``UPath``, a ``DiskPath``, a ``Traversable``.
    """

    def __init__(self, top: Any) -> None:
        self._top = top

    def _at(self, path: str, word: str) -> Any:
        found = self._top / path
        if not hasattr(found, word):
            raise NotOffered(word)
        return found

    def read(self, path: str) -> bytes:
        return bytes(self._at(path, "read_bytes").read_bytes())

    def exists(self, path: str) -> bool:
        return bool(self._at(path, "exists").exists())

    def size(self, path: str) -> int:
        found = self._at(path, "stat").stat()
        return int(found.st_size if hasattr(found, "st_size") else found.size)

    def stat(self, path: str) -> object:
        found = self._at(path, "stat").stat()
        words = ("st_size", "st_mtime", "st_ino", "size", "modified")
        return {word: getattr(found, word) for word in words if hasattr(found, word)}

    def list(self, path: str) -> Iterable[object]:
        return [entry.name for entry in self._at(path, "iterdir").iterdir()]

    def walk(self, path: str) -> Iterable[object]:
        return [str(found) for found in self._at(path, "rglob").rglob("*")]

    def glob(self, pattern: str) -> Iterable[object]:
        return [str(found) for found in self._at("", "glob").glob(pattern)]

    def write(self, path: str, data: bytes) -> None:
        self._at(path, "write_bytes").write_bytes(data)

    def append(self, path: str, data: bytes) -> None:
        self._add(path, data, "ab")

    def create(self, path: str, data: bytes) -> None:
        self._add(path, data, "xb")

    def _add(self, path: str, data: bytes, mode: str) -> None:
        found = self._at(path, "write_bytes")  # what is only read has open, but not so
        with found.open(mode) as file:
            file.write(data)

    def mkdir(self, path: str) -> None:
        self._at(path, "mkdir").mkdir()

    def chmod(self, path: str, mode: int) -> None:
        self._at(path, "chmod").chmod(mode)

    def rename(self, source: str, target: str) -> None:
        self._at(source, "rename").rename(self._top / target)

    def remove(self, path: str) -> None:
        self._at(path, "unlink").unlink()


class DjangoSubject(Subject):
    """A Django ``Storage``. It has no words for directories, nor for copies.

    ``create`` is ``save``, which takes another name where the one asked for is taken.
    """

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def read(self, path: str) -> bytes:
        with self._storage.open(path) as file:
            return bytes(file.read())

    def exists(self, path: str) -> bool:
        return bool(self._storage.exists(path))

    def size(self, path: str) -> int:
        return int(self._storage.size(path))

    def stat(self, path: str) -> object:
        return {"modified": self._storage.get_modified_time(path)}

    def list(self, path: str) -> Iterable[object]:
        found: Iterable[object] = self._storage.listdir(path)
        return found

    def write(self, path: str, data: bytes) -> None:
        with self._storage.open(path, "wb") as file:
            file.write(data)

    def append(self, path: str, data: bytes) -> None:
        with self._storage.open(path, "ab") as file:
            file.write(data)

    def create(self, path: str, data: bytes) -> None:
        self._storage.save(path, io.BytesIO(data))

    def remove(self, path: str) -> None:
        self._storage.delete(path)


class OpenDALSubject(Subject):
    """An ``opendal.Operator``. There, a directory's path ends in a slash."""

    def __init__(self, operator: Any) -> None:
        self._operator = operator

    def read(self, path: str) -> bytes:
        return bytes(self._operator.read(path))

    def exists(self, path: str) -> bool:
        return bool(self._operator.exists(path))

    def size(self, path: str) -> int:
        return int(self._operator.stat(path).content_length)

    def stat(self, path: str) -> object:
        found = self._operator.stat(path)
        return {"size": found.content_length, "modified": found.last_modified}

    def list(self, path: str) -> Iterable[object]:
        return [entry.path for entry in self._operator.list(_as_directory(path))]

    def walk(self, path: str) -> Iterable[object]:
        return [entry.path for entry in self._operator.scan(_as_directory(path))]

    def write(self, path: str, data: bytes) -> None:
        self._operator.write(path, data)

    def append(self, path: str, data: bytes) -> None:
        self._operator.write(path, data, append=True)

    def create(self, path: str, data: bytes) -> None:
        self._operator.write(path, data, if_not_exists=True)

    def mkdir(self, path: str) -> None:
        self._operator.create_dir(_as_directory(path))

    def copy(self, source: str, target: str) -> None:
        self._operator.copy(source, target)

    def rename(self, source: str, target: str) -> None:
        self._operator.rename(source, target)

    def remove(self, path: str) -> None:
        self._operator.delete(path)

    def remove_tree(self, path: str) -> None:
        self._operator.remove_all(_as_directory(path))


def _as_directory(path: str) -> str:
    return path if not path or path.endswith("/") else f"{path}/"


class ObstoreSubject(Subject):
    """A store of ``obstore``. It has no directories, only objects beneath a prefix."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def read(self, path: str) -> bytes:
        return bytes(self._store.get(path).bytes())

    def size(self, path: str) -> int:
        return int(self._store.head(path)["size"])

    def stat(self, path: str) -> object:
        return dict(self._store.head(path))

    def list(self, path: str) -> Iterable[object]:
        found = self._store.list_with_delimiter(path or None)
        return [*found["common_prefixes"], *(each["path"] for each in found["objects"])]

    def walk(self, path: str) -> Iterable[object]:
        return [each["path"] for part in self._store.list(path or None) for each in part]

    def write(self, path: str, data: bytes) -> None:
        self._store.put(path, data)

    def create(self, path: str, data: bytes) -> None:
        self._store.put(path, data, mode="create")

    def copy(self, source: str, target: str) -> None:
        self._store.copy(source, target)

    def rename(self, source: str, target: str) -> None:
        self._store.rename(source, target)

    def remove(self, path: str) -> None:
        self._store.delete(path)


# What an object has to have for an adapter to take it, the most telling first.
_BY_WORDS: tuple[tuple[type[Subject], tuple[str, ...]], ...] = (
    (FsspecSubject, ("cat_file", "pipe_file", "ls")),
    (PyFilesystemSubject, ("readbytes", "listdir", "validatepath")),
    (DjangoSubject, ("get_available_name", "listdir", "save")),
    (OpenDALSubject, ("create_dir", "scan", "layer")),
    (ObstoreSubject, ("list_with_delimiter", "get_range", "put")),
    (PathSubject, ("__truediv__", "read_bytes", "iterdir")),
)


def as_subject(thing: object) -> Subject:
    """The subject that a thing is, or the one that asks it. ``TypeError`` if there is no adapter.

    An fsspec file system is taken for one whose own root is the root under test.
    """
    if isinstance(thing, Subject):
        return thing
    if isinstance(thing, Disk):
        return DiskSubject(thing)
    if isinstance(thing, Root):
        return RootSubject(thing)
    for adapter, words in _BY_WORDS:
        if all(hasattr(thing, word) for word in words):
            made: Subject = adapter(thing)  # type: ignore[call-arg]
            return made
    raise TypeError(
        f"the kit cannot ask a {type(thing).__name__}; give it a safefs.testing.Subject, or what "
        "fsspec, PyFilesystem2, Django storages, pathlib, OpenDAL, obstore or safefs make"
    )
