"""The doors to one disk: every way in which a program of ours or another's uses it."""

from __future__ import annotations

import io
import json
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, Protocol

import fsspec
from upath import UPath

from safefs import Disk, Storage
from safefs.cli import main
from safefs.policy import FIELDS, Policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Door(Protocol):
    """What can be done through each; errors are those of the door's own kind, all OSError."""

    def read(self, path: str) -> bytes: ...

    def write(self, path: str, data: bytes) -> object: ...

    def append(self, path: str, data: bytes) -> object: ...

    def entries(self, path: str) -> list[str]:
        """Paths from the disk of all that is in a directory."""

    def find(self, path: str) -> list[str]:
        """Paths from the disk of all files beneath."""

    def exists(self, path: str) -> bool: ...

    def delete(self, path: str) -> object: ...

    def delete_tree(self, path: str) -> object: ...

    def move(self, source: str, target: str) -> object: ...

    def copy(self, source: str, target: str) -> object: ...

    def make_directory(self, path: str) -> object: ...


class DiskDoor:
    def __init__(self, disk: Disk) -> None:
        self.disk = disk

    def read(self, path: str) -> bytes:
        return self.disk.get(path)

    def write(self, path: str, data: bytes) -> object:
        self.disk.put(path, data)
        return None

    def append(self, path: str, data: bytes) -> object:
        self.disk.append(path, data)
        return None

    def entries(self, path: str) -> list[str]:
        return [*self.disk.files(path), *self.disk.directories(path)]

    def find(self, path: str) -> list[str]:
        return self.disk.all_files(path)

    def exists(self, path: str) -> bool:
        return self.disk.exists(path)

    def delete(self, path: str) -> object:
        self.disk.delete(path)
        return None

    def delete_tree(self, path: str) -> object:
        return self.disk.delete_directory(path)

    def move(self, source: str, target: str) -> object:
        return self.disk.move(source, target)

    def copy(self, source: str, target: str) -> object:
        self.disk.copy(source, target)
        return None

    def make_directory(self, path: str) -> object:
        self.disk.make_directory(path)
        return None


class OpenDoor(DiskDoor):
    """By open files and by trees, where that is another way."""

    def read(self, path: str) -> bytes:
        with self.disk.open(path, "rb") as file:
            data: bytes = file.read()
        return data

    def write(self, path: str, data: bytes) -> object:
        with self.disk.open(path, "wb") as file:
            return file.write(data)

    def append(self, path: str, data: bytes) -> object:
        with self.disk.open(path, "r+b") as file:
            file.seek(0, io.SEEK_END)
            return file.write(data)

    def move(self, source: str, target: str) -> object:
        return self.disk.move_tree(source, target)

    def copy(self, source: str, target: str) -> object:
        return self.disk.copy_tree(source, target)

    def delete_tree(self, path: str) -> object:
        with self.disk.scoped(path) as scoped:
            return scoped.delete_directory("")


class PathDoor:
    """DiskPath, and UPath: both are pathlib's words."""

    def __init__(self, top: Any) -> None:
        self.top = top

    def _at(self, path: str) -> Any:
        return self.top / path if path else self.top

    def _from_top(self, found: Any) -> str:
        text = str(found)
        top = str(self.top)
        return text.removeprefix(top).lstrip("/") if "://" in text else text

    def read(self, path: str) -> bytes:
        data: bytes = self._at(path).read_bytes()
        return data

    def write(self, path: str, data: bytes) -> object:
        return self._at(path).write_bytes(data)

    def append(self, path: str, data: bytes) -> object:
        with self._at(path).open("ab") as file:
            return file.write(data)

    def entries(self, path: str) -> list[str]:
        return [self._from_top(each) for each in self._at(path).iterdir()]

    def find(self, path: str) -> list[str]:
        found = [each for each in self._at(path).rglob("*") if each.is_file()]
        return [self._from_top(each) for each in found]

    def exists(self, path: str) -> bool:
        return bool(self._at(path).exists())

    def delete(self, path: str) -> object:
        return self._at(path).unlink()

    def delete_tree(self, path: str) -> object:
        return self._at(path).rmdir()

    def move(self, source: str, target: str) -> object:
        return self._at(source).rename(self._at(target))

    def copy(self, source: str, target: str) -> object:
        return self.write(target, self.read(source))

    def make_directory(self, path: str) -> object:
        return self._at(path).mkdir(parents=True, exist_ok=True)


class FsspecDoor:
    def __init__(self, name: str) -> None:
        self.fs = fsspec.filesystem("safefs", skip_instance_cache=True)
        self.name = name

    def _at(self, path: str) -> str:
        return f"{self.name}/{path}" if path else self.name

    def _names(self, found: Any) -> list[str]:
        return [each.removeprefix(self.name).lstrip("/") for each in found]

    def read(self, path: str) -> bytes:
        data: bytes = self.fs.cat_file(self._at(path))
        return data

    def write(self, path: str, data: bytes) -> object:
        return self.fs.pipe_file(self._at(path), data)

    def append(self, path: str, data: bytes) -> object:
        with self.fs.open(self._at(path), "ab") as file:
            return file.write(data)

    def entries(self, path: str) -> list[str]:
        return self._names(self.fs.ls(self._at(path), detail=False))

    def find(self, path: str) -> list[str]:
        return self._names(self.fs.find(self._at(path)))

    def exists(self, path: str) -> bool:
        return bool(self.fs.exists(self._at(path)))

    def delete(self, path: str) -> object:
        return self.fs.rm_file(self._at(path))

    def delete_tree(self, path: str) -> object:
        return self.fs.rm(self._at(path), recursive=True)

    def move(self, source: str, target: str) -> object:
        return self.fs.mv(self._at(source), self._at(target), recursive=True)

    def copy(self, source: str, target: str) -> object:
        return self.fs.copy(self._at(source), self._at(target), recursive=True)

    def make_directory(self, path: str) -> object:
        return self.fs.makedirs(self._at(path), exist_ok=True)


class DjangoDoor:
    def __init__(self, name: str) -> None:
        from safefs.integrations.django import SafeStorage

        self.storage = SafeStorage(name)

    def read(self, path: str) -> bytes:
        with self.storage.open(path, "rb") as file:
            data: bytes = file.read()
        return data

    def write(self, path: str, data: bytes) -> object:
        with self.storage.open(path, "wb") as file:
            return file.write(data)

    def append(self, path: str, data: bytes) -> object:
        with self.storage.open(path, "ab") as file:
            return file.write(data)

    def entries(self, path: str) -> list[str]:
        directories, files = self.storage.listdir(path)
        return [f"{path}/{name}" if path else name for name in (*directories, *files)]

    def find(self, path: str) -> list[str]:
        directories, files = self.storage.listdir(path)
        found = [f"{path}/{name}" if path else name for name in files]
        for name in directories:
            found += self.find(f"{path}/{name}" if path else name)
        return found

    def exists(self, path: str) -> bool:
        return bool(self.storage.exists(path))

    def delete(self, path: str) -> object:
        self.storage.delete(path)
        return None

    delete_tree = delete

    def move(self, source: str, target: str) -> object:
        raise LackingError(f"Django moves nothing, {source} not to {target}")

    def copy(self, source: str, target: str) -> object:
        from django.core.files.base import ContentFile

        return self.storage.save(target, ContentFile(self.read(source)))

    def make_directory(self, path: str) -> object:
        from django.core.files.base import ContentFile

        return self.storage.save(f"{path}/made", ContentFile(b""))


class LackingError(OSError):
    """There is no such thing at this door."""


class CommandError(OSError):
    """What a command said on stderr."""


class CommandDoor:
    """The command line, with a safefs.toml of its own."""

    def __init__(self, config: Path, name: str) -> None:
        self.config = str(config)
        self.name = name

    def _run(self, *argv: str) -> bytes:
        out, err = io.BytesIO(), io.StringIO()
        with (
            redirect_stdout(io.TextIOWrapper(out, write_through=True)) as text,
            redirect_stderr(err),
        ):
            status = main([*argv, "--config", self.config])
            text.detach()
        if status:
            raise CommandError(err.getvalue())
        return out.getvalue()

    def _at(self, path: str) -> str:
        return f"{self.name}:{path}"

    def read(self, path: str) -> bytes:
        return self._run("cat", self._at(path))

    def write(self, path: str, data: bytes) -> object:
        import sys

        stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(data))
        try:
            return self._run("put", "-", self._at(path))
        finally:
            sys.stdin = stdin

    def append(self, path: str, data: bytes) -> object:
        raise LackingError(f"no command appends {len(data)} bytes to {path}")

    def entries(self, path: str) -> list[str]:
        found = json.loads(self._run("ls", "--json", self._at(path)))
        return [self._path(each) for each in found]

    def _path(self, each: Any) -> str:
        return str(each["place"]).removeprefix(f"{self.name}:")

    def find(self, path: str) -> list[str]:
        found = json.loads(self._run("find", "--json", self._at(path)))
        return [self._path(each) for each in found]

    def exists(self, path: str) -> bool:
        try:
            self._run("stat", self._at(path))
        except CommandError:
            return False
        return True

    def delete(self, path: str) -> object:
        return self._run("rm", self._at(path))

    def delete_tree(self, path: str) -> object:
        return self._run("rm", "-r", self._at(path))

    def move(self, source: str, target: str) -> object:
        return self._run("mv", self._at(source), self._at(target))

    def copy(self, source: str, target: str) -> object:
        return self._run("cp", "-r", self._at(source), self._at(target))

    def make_directory(self, path: str) -> object:
        return self._run("mkdir", "-p", self._at(path))


DOORS = ("Disk", "open files", "DiskPath", "fsspec", "UPath", "Django", "command line")
NAME = "doors"


def as_toml(policy: Policy) -> str:
    """The lines of a table that says the same."""
    default = Policy()
    said = {field: getattr(policy, field) for field in FIELDS}
    lines = [
        f"{field} = {json.dumps(list(value) if isinstance(value, tuple) else value)}"
        for field, value in said.items()
        if value != getattr(default, field)
    ]
    return "\n".join(lines)


@contextmanager
def doors(directory: Path, policy: Policy, config: Path) -> Iterator[dict[str, Door]]:
    """All of them, to one directory under one policy; ``config`` is a file that is made for it."""
    with ExitStack() as stack:
        disk = stack.enter_context(Disk(directory, policy=policy))
        storage = stack.enter_context(Storage("doors", disks={NAME: disk}))
        stack.enter_context(storage.register(NAME))
        config.write_text(f"[disks.{NAME}]\npath = {json.dumps(str(directory))}\n{as_toml(policy)}")
        config.chmod(0o600)
        yield {
            "Disk": DiskDoor(disk),
            "open files": OpenDoor(disk),
            "DiskPath": PathDoor(disk / ""),
            "fsspec": FsspecDoor(NAME),
            "UPath": PathDoor(UPath(f"safefs://{NAME}")),
            "Django": DjangoDoor(NAME),
            "command line": CommandDoor(config, NAME),
        }
