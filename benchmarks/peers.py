"""What a user would pick instead, each by its own idiom; one that is not installed is left out.

A peer is a dictionary of words: what it calls with a path from the top. The paths are harmless, and
what a peer checks or does not check of a path is another document's matter (docs/comparison.md).
"""

from __future__ import annotations

import math
import os
import warnings
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.workload import SkippedError, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.ground import Ground

    Words = dict[str, Callable[..., Any]]

BY_HAND = "realpath + commonpath"
PATHLIB = "pathlib"


def by_hand(root: str, path: str) -> str:
    """The check that people write."""
    full = os.path.realpath(os.path.join(root, path))
    if os.path.commonpath((root, full)) != root:
        raise PermissionError(path)
    return full


def read_fd(full: str) -> bytes:
    """A small file in three calls."""
    fd = os.open(full, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 16)
    finally:
        os.close(fd)


def read_opened(file: Any) -> bytes:
    with file:
        content: bytes = file.read()
    return content


def write_builtin(full: str, data: bytes) -> None:
    with open(full, "wb") as file:
        file.write(data)


def _by_hand(top: str) -> Words:
    real = os.path.realpath(top)
    return {
        "read": lambda path: read_fd(by_hand(real, path)),
        "open": lambda path: read_opened(open(by_hand(real, path), "rb")),
        "size": lambda path: os.stat(by_hand(real, path)).st_size,
        "exists": lambda path: os.path.exists(by_hand(real, path)),
        "write": lambda path, data: write_builtin(by_hand(real, path), data),
    }


def _pathlib(top: str) -> Words:
    return {
        "read": lambda path: Path(f"{top}/{path}").read_bytes(),
        "open": lambda path: read_opened(Path(f"{top}/{path}").open("rb")),
        "size": lambda path: Path(f"{top}/{path}").stat().st_size,
        "exists": lambda path: Path(f"{top}/{path}").exists(),
        "write": lambda path, data: Path(f"{top}/{path}").write_bytes(data),
        "sizes": lambda path: {
            entry.name: entry.lstat().st_size for entry in Path(f"{top}/{path}").iterdir()
        },
        "find": lambda path: _relative(
            f"{top}/{path}", (str(e) for e in Path(f"{top}/{path}").rglob("*") if e.is_file())
        ),
        "glob": lambda path: _relative(
            f"{top}/{path}", map(str, Path(f"{top}/{path}").glob("**/*.x"))
        ),
    }


def _relative(top: str, paths: Any) -> set[str]:
    return {path[len(top) + 1 :] for path in paths}


def _local(top: str) -> Words:
    from fsspec.implementations.local import LocalFileSystem

    return _of_fsspec(LocalFileSystem(), f"{top}/")


def _dirfs(top: str) -> Words:
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.local import LocalFileSystem

    return _of_fsspec(DirFileSystem(top, LocalFileSystem()), "")


def _of_fsspec(fs: Any, top: str) -> Words:
    return {
        "read": lambda path: fs.cat_file(top + path),
        "open": lambda path: read_opened(fs.open(top + path, "rb")),
        "size": lambda path: fs.info(top + path)["size"],
        "exists": lambda path: fs.exists(top + path),
        "write": lambda path, data: fs.pipe_file(top + path, data),
        "sizes": lambda path: {
            os.path.basename(each["name"]): each["size"] for each in fs.ls(top + path, detail=True)
        },
        "find": lambda path: _relative(top + path, fs.find(top + path)),
        "glob": lambda path: _relative(top + path, fs.glob(f"{top}{path}/**/*.x")),
        "usage": lambda path: fs.du(top + path),
    }


def _upath(top: str) -> Words:
    from upath import UPath

    return {
        "read": lambda path: UPath(f"file://{top}/{path}").read_bytes(),
        "open": lambda path: read_opened(UPath(f"file://{top}/{path}").open("rb")),
        "size": lambda path: UPath(f"file://{top}/{path}").stat().st_size,
        "exists": lambda path: UPath(f"file://{top}/{path}").exists(),
        "write": lambda path, data: UPath(f"file://{top}/{path}").write_bytes(data),
    }


def _osfs(top: str) -> Words:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pkg_resources, which it is built upon
        osfs: Any = __import__("fs.osfs", fromlist=["OSFS"]).OSFS
    fs = osfs(top, expand_vars=False)
    return {
        "read": fs.readbytes,
        "open": lambda path: read_opened(fs.openbin(path)),
        "size": fs.getsize,
        "exists": fs.exists,
        "write": fs.writebytes,
        "sizes": lambda path: {
            each.name: each.size for each in fs.scandir(path, namespaces=["details"])
        },
        "find": lambda path: _relative(path, fs.walk.files(path)),
        "glob": lambda path: {match.path[1:] for match in fs.opendir(path).glob("**/*.x")},
    }


def _opendal(top: str) -> Words:
    import opendal

    operator = opendal.Operator("fs", root=top)
    return {
        "read": lambda path: bytes(operator.read(path)),
        "size": lambda path: operator.stat(path).content_length,
        "exists": operator.exists,
        "write": operator.write,
        "find": lambda path: _relative(
            path, (e.path for e in operator.scan(f"{path}/") if not e.path.endswith("/"))
        ),
    }


def _obstore(top: str) -> Words:
    import obstore
    from obstore.store import LocalStore

    store = LocalStore(prefix=top)
    return {
        "read": lambda path: bytes(obstore.get(store, path).bytes()),
        "size": lambda path: obstore.head(store, path)["size"],
        "write": lambda path, data: obstore.put(store, path, data),
        "find": lambda path: _relative(
            path, (each["path"] for page in obstore.list(store, path) for each in page)
        ),
    }


def _django(top: str) -> Words:
    from django.conf import settings
    from django.core.files.storage import FileSystemStorage

    if not settings.configured:
        settings.configure()
    storage = FileSystemStorage(location=top)
    return {
        "read": lambda path: read_opened(storage.open(path)),
        "size": storage.size,
        "exists": storage.exists,
    }


# They keep threads of their own, which a forked child would wait for in vain.
THREADED = frozenset({"OpenDAL", "obstore"})


def _untold() -> float:
    """The memory of what no child can do."""
    return math.nan


# Name, the package that it needs ("" for the standard library), and its words.
PEERS: dict[str, tuple[str, Callable[[str], Words]]] = {
    BY_HAND: ("", _by_hand),
    PATHLIB: ("", _pathlib),
    "fsspec LocalFileSystem": ("fsspec", _local),
    "fsspec DirFileSystem": ("fsspec", _dirfs),
    "UPath": ("universal_pathlib", _upath),
    "PyFilesystem2 OSFS": ("fs", _osfs),
    "OpenDAL": ("opendal", _opendal),
    "obstore": ("obstore", _obstore),
    "Django FileSystemStorage": ("Django", _django),
}


def subjects(ground: Ground, word: str, *given: Any) -> dict[str, Subject]:
    """Every peer that has the word, asked that of the paths given; others are told as skipped."""
    found = {}
    for name, (package, load) in PEERS.items():
        try:
            words = loaded(package, load, ground.top)
        except SkippedError as reason:
            ground.skipped[name] = str(reason)
            continue
        if word in words:
            memory = _untold if name in THREADED else None
            found[name] = Subject(partial(words[word], *given), memory=memory)
    return found


def loaded(package: str, load: Callable[[str], Words], top: str) -> Words:
    if package:
        try:
            version(package)
        except PackageNotFoundError:
            raise SkippedError(f"{package} is not installed") from None
    try:
        return load(top)
    except ImportError as error:
        raise SkippedError(f"{package} cannot be imported: {error}") from None


def versions() -> dict[str, str]:
    """Of the packages that are compared."""
    found = {}
    for package in sorted({package for package, _ in PEERS.values() if package}):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
