"""Every way of writing a file, for what a policy says of sizes: by each door."""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.files.base import ContentFile
from upath import UPath

from safefs import Policy, Storage
from safefs.drivers.local import LocalDriver
from safefs.integrations.django import SafeStorage
from safefs.testing.archives import Archive, Member
from tests.djangosite.settings import ready

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs import Disk, Root

OLD = b"old"


@dataclass
class Scene:
    """A disk with a policy, the same without, and another that has none."""

    disk: Disk
    wide: Disk
    other: Disk

    @property
    def root(self) -> Root:
        driver = self.disk._driver
        assert isinstance(driver, LocalDriver)
        return driver._root

    @property
    def fs(self) -> Any:
        return self.disk.fs


@dataclass(frozen=True)
class Way:
    """``act`` makes the file at ``path`` have so many bytes, where ``old`` stood before, if any.

    ``whole``: refused, it leaves what stood there.
    """

    act: Callable[[Scene, int], object]
    whole: bool = True
    old: bytes | None = OLD
    path: str = "t"
    spelled: str | None = None  # where a refusal names it in another way
    sized: bool = True  # False where what is written is not counted out


def _fill(file: Any, size: int) -> None:
    with file:
        file.write(b"x" * size)


def _in_pieces(file: Any, size: int) -> None:
    with file:
        file.writelines([b"x"] * size)


def _at(file: Any, size: int) -> None:
    with file:
        file.seek(size - 1)
        file.write(b"x")


def _cut(file: Any, size: int) -> None:
    with file:
        file.truncate(size)


def _source(scene: Scene, size: int, path: str = "other") -> Any:
    scene.other.put(path, b"x" * size)
    return scene.other / path


def _tree(scene: Scene, size: int) -> Any:
    scene.other.put("tree/in/f", b"x" * size)
    return scene.other / "tree"


def _tar(size: int) -> io.BytesIO:
    members = (Member("d", "directory"), Member("d/f", content=b"x" * size))
    return io.BytesIO(Archive("tar", members).pack_as_they_are())


def _in_transaction(scene: Scene, size: int) -> None:
    with scene.fs.transaction, scene.fs.open("/t", "wb") as file:
        file.write(b"x" * size)


def _in_scope(scene: Scene, content: bytes) -> None:
    with scene.disk.scoped("d", create=True) as scoped:
        scoped.put("t", content)


def _prepended(scene: Scene, size: int) -> None:
    scene.disk.prepend("t", b"x" * (size - len(OLD)))


def _archived(scene: Scene, size: int) -> None:
    """An archive has a size of its own: what counts is that it is refused where it is too large."""
    scene.wide.put("packed/f", os.urandom(size))
    try:
        scene.disk.archive("packed", "t", format="zip")
    finally:
        scene.wide.delete_directory("packed")


@contextmanager
def _registered(scene: Scene) -> Iterator[None]:
    """The disk by its name, for the whole process."""
    narrow = scene.disk.with_policy(Policy())
    with Storage("sizes", disks={"sized": narrow}) as storage, storage.register("sized"):
        yield


def _by_upath(scene: Scene, size: int) -> None:
    with _registered(scene):
        UPath("safefs://sized/t").write_bytes(b"x" * size)


def _by_open_upath(scene: Scene, size: int) -> None:
    with _registered(scene), UPath("safefs://sized/t").open("wb") as file:
        file.write(b"x" * size)


def _by_django(scene: Scene, size: int) -> None:
    ready()
    with _registered(scene):
        SafeStorage("sized").save("t", ContentFile(b"x" * size))


def _by_django_opened(scene: Scene, size: int) -> None:
    ready()
    with _registered(scene), SafeStorage("sized").open("t", "wb") as file:
        file.write(b"x" * size)


ROOT: dict[str, Way] = {
    "write_bytes": Way(lambda s, n: s.root.write_bytes("t", b"x" * n)),
    "write_text": Way(lambda s, n: s.root.write_text("t", "x" * n)),
    "write_bytes of a new file": Way(lambda s, n: s.root.write_bytes("t", b"x" * n), old=None),
    "open to write": Way(lambda s, n: _fill(s.root.open("t", "wb"), n), whole=False),
    "open unbuffered": Way(lambda s, n: _fill(s.root.open("t", "wb", 0), n), whole=False),
    "open to write text": Way(lambda s, n: _fill(_Text(s.root.open("t", "w")), n), whole=False),
    "open to append": Way(lambda s, n: _fill(s.root.open("t", "ab"), n - 3)),
    "open to update": Way(lambda s, n: _fill(s.root.open("t", "r+b"), n)),
    "open a new one": Way(lambda s, n: _fill(s.root.open("t", "xb"), n), whole=False, old=None),
    "write many lines": Way(lambda s, n: _in_pieces(s.root.open("t", "wb", 0), n), whole=False),
    "seek past the end": Way(lambda s, n: _at(s.root.open("t", "r+b"), n)),
    "open to append and seek": Way(lambda s, n: _fill(_begun(s.root.open("t", "a+b")), n - 3)),
    "truncate": Way(lambda s, n: s.root.truncate("t", n)),
    "truncate a file object": Way(lambda s, n: _cut(s.root.open("t", "r+b"), n)),
    "open atomically": Way(lambda s, n: _fill(s.root.open("t", "wb", atomic=True), n)),
    "open atomically to append to it": Way(
        lambda s, n: _at(s.root.open("t", "w+b", atomic=True), n)
    ),
    "open a new one atomically": Way(
        lambda s, n: _fill(s.root.open("t", "xb", atomic=True), n), old=None
    ),
    "open atomically and durably": Way(
        lambda s, n: _fill(s.root.open("t", "wb", atomic=True, durable=True), n)
    ),
    "replace_file": Way(lambda s, n: s.root.replace_file("t", b"x" * n)),
    "replace_file in pieces": Way(lambda s, n: s.root.replace_file("t", [b"x"] * n)),
}


def _begun(file: Any) -> Any:
    file.seek(0)
    return file


class _Text:
    """A text file object that is given bytes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._file.__enter__()

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)

    def write(self, data: bytes) -> None:
        self._file.write(data.decode())


DISK: dict[str, Way] = {
    "put": Way(lambda s, n: s.disk.put("t", b"x" * n)),
    "put durably": Way(lambda s, n: s.disk.put("t", b"x" * n, durable=True)),
    "put in a new directory": Way(
        lambda s, n: s.disk.put("new/dir/t", b"x" * n), old=None, path="new/dir/t"
    ),
    "put of a stream": Way(lambda s, n: s.disk.put("t", iter([b"x"] * n))),
    "put_json": Way(lambda s, n: s.disk.put_json("t", "x" * (n - 2))),
    "write_stream": Way(lambda s, n: s.disk.write_stream("t", io.BytesIO(b"x" * n))),
    "put_file_as": Way(lambda s, n: s.disk.put_file_as("", io.BytesIO(b"x" * n), "t")),
    "append": Way(lambda s, n: s.disk.append("t", b"x" * (n - 3))),
    "prepend": Way(_prepended),
    "open to write": Way(lambda s, n: _fill(s.disk.open("t", "wb"), n), whole=False),
    "open unbuffered": Way(lambda s, n: _fill(s.disk.open("t", "wb", 0), n), whole=False),
    "open to write text": Way(lambda s, n: _fill(_Text(s.disk.open("t", "w")), n), whole=False),
    "open to append": Way(lambda s, n: _fill(s.disk.open("t", "ab"), n - 3)),
    "open to update": Way(lambda s, n: _fill(s.disk.open("t", "r+b"), n)),
    "open a new one": Way(lambda s, n: _fill(s.disk.open("t", "xb"), n), whole=False, old=None),
    "seek past the end": Way(lambda s, n: _at(s.disk.open("t", "r+b"), n)),
    "truncate a file object": Way(lambda s, n: _cut(s.disk.open("t", "r+b"), n)),
    "open atomically": Way(lambda s, n: _fill(s.disk.open("t", "wb", atomic=True), n)),
    "open a new one atomically": Way(
        lambda s, n: _fill(s.disk.open("t", "xb", atomic=True), n), old=None
    ),
    "path.write_bytes": Way(lambda s, n: (s.disk / "t").write_bytes(b"x" * n)),
    "path.write_text": Way(lambda s, n: (s.disk / "t").write_text("x" * n)),
    "path.open": Way(lambda s, n: _fill((s.disk / "t").open("wb"), n), whole=False),
    "scoped": Way(lambda s, n: _in_scope(s, b"x" * n), old=None, path="d/t", spelled="t"),
    "copy from another disk": Way(lambda s, n: s.disk.copy(_source(s, n), "t")),
    "move from another disk": Way(lambda s, n: s.disk.move(_source(s, n), "t")),
    "copy_tree from another disk": Way(
        lambda s, n: s.disk.copy_tree(_tree(s, n), "t"), old=None, path="t/in/f", spelled="t"
    ),
    "move_tree from another disk": Way(
        lambda s, n: s.disk.move_tree(_tree(s, n), "t"), old=None, path="t/in/f", spelled="t"
    ),
    "sync": Way(
        lambda s, n: (_source(s, n, "tree/t"), s.other.sync_to(s.disk, source="tree")),
        spelled=".",
    ),
    "extract": Way(
        lambda s, n: s.disk.extract(_tar(n), "t"), old=None, path="t/d/f", spelled="d/f"
    ),
    "extract where something stands": Way(
        lambda s, n: s.disk.extract(_tar(n), ""), old=None, path="d/f", spelled="d/f"
    ),
    "extract in place": Way(
        lambda s, n: s.disk.extract(_tar(n), "t", partial=True),
        old=None,
        path="t/d/f",
        spelled="d/f",
    ),
    "archive": Way(_archived, sized=False),
}
FSSPEC: dict[str, Way] = {
    "pipe_file": Way(lambda s, n: s.fs.pipe_file("/t", b"x" * n)),
    "pipe_file of a new one": Way(
        lambda s, n: s.fs.pipe_file("/t", b"x" * n, mode="create"), old=None
    ),
    "open": Way(lambda s, n: _fill(s.fs.open("/t", "wb"), n), whole=False),
    "open to append": Way(lambda s, n: _fill(s.fs.open("/t", "ab"), n - 3)),
    "open to update": Way(lambda s, n: _fill(s.fs.open("/t", "r+b"), n)),
    "transaction": Way(_in_transaction),
    "put": Way(lambda s, n: s.fs.put_file(_source(s, n), "/t")),
}
ELSEWHERE: dict[str, Way] = {
    "UPath": Way(_by_upath, spelled="sized/t"),
    "UPath, opened": Way(_by_open_upath, whole=False, spelled="sized/t"),
    "Django": Way(_by_django, old=None),
    "Django, opened": Way(_by_django_opened, whole=False),
}
