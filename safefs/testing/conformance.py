"""What every Disk has to do, as tests: subclass ``DiskConformance`` and give ``make_disk``."""

# ruff: noqa: PT011  (where the class is wide, the errno is asked for next)

from __future__ import annotations

import copy
import errno
import hashlib
import inspect
import io
import json
import pickle
import threading
import weakref
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import PurePosixPath
from types import FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from safefs.budget import Budget
from safefs.disk import Disk
from safefs.diskpath import DiskPath
from safefs.drivers.base import Stat
from safefs.drivers.locking import LockDirectory
from safefs.drivers.memory import MemoryDriver
from safefs.errors import (
    ArchiveError,
    BudgetError,
    EscapeError,
    InvalidPathError,
    LockTimeoutError,
    LockUnavailableError,
    PolicyError,
    PreconditionError,
    SameFileError,
)
from safefs.policy import Policy
from safefs.report import Step
from safefs.testing.archives import Archive, Member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from safefs.progress import Progress

    Call = Callable[[Disk, Any], object]
    Tree = dict[str, tuple[bytes, int] | None]

# What a disk holds before a test reads it.
LAYOUT = {
    "a.txt": b"alpha\r\nbeta\n",
    "data.json": b'{"k": [1, "\xc3\xa9"]}',
    "empty": b"",
    "sub/b.tar.gz": b"b",
    "sub/deep/c.bin": bytes(range(256)) * 300,
}
EMPTY_DIRECTORY = "void"

_AN_ARCHIVE = Archive(
    "tar", (Member("d", "directory"), Member("d/f", content=b"new"))
).pack_as_they_are()

# Every method that takes a path, by what is asked of it. Each is called with (disk, path).
ASKS: dict[str, Call] = {
    "exists": lambda disk, path: disk.exists(path),
    "missing": lambda disk, path: not disk.missing(path),
    "file_exists": lambda disk, path: disk.file_exists(path),
    "directory_exists": lambda disk, path: disk.directory_exists(path),
    "explain": lambda disk, path: disk.explain(path).allowed,
}
READS: dict[str, Call] = {
    "get": lambda disk, path: disk.get(path),
    "get_text": lambda disk, path: disk.get_text(path),
    "json": lambda disk, path: disk.json(path),
    "read_stream": lambda disk, path: disk.read_stream(path).close(),
    "open": lambda disk, path: disk.open(path).close(),
    "size": lambda disk, path: disk.size(path),
    "mime_type": lambda disk, path: disk.mime_type(path),
    "checksum": lambda disk, path: disk.checksum(path),
    "etag": lambda disk, path: disk.etag(path),
    "etag of content": lambda disk, path: disk.etag(path, checksum="md5"),
}
LOOKS: dict[str, Call] = {
    "stat": lambda disk, path: disk.stat(path),
    "last_modified": lambda disk, path: disk.last_modified(path),
    "visibility": lambda disk, path: disk.visibility(path),
}
LISTS: dict[str, Call] = {
    "files": lambda disk, path: disk.files(path),
    "all_files": lambda disk, path: disk.all_files(path),
    "directories": lambda disk, path: disk.directories(path),
    "all_directories": lambda disk, path: disk.all_directories(path),
    "scoped": lambda disk, path: disk.scoped(path).close(),
    "watch": lambda disk, path: disk.watch(path, polling=True).stop(),
    "archive": lambda disk, path: disk.archive(path, io.BytesIO(), format="zip"),
    "export": lambda disk, path: disk.export(_aside(), path),
}


def _aside() -> Disk:
    return Disk._over(MemoryDriver())  # noqa: SLF001  (any other disk)


WRITES: dict[str, Call] = {
    "put": lambda disk, path: disk.put(path, b"new"),
    "put durably": lambda disk, path: disk.put(path, b"new", durable=True),
    "put_json": lambda disk, path: disk.put_json(path, {}),
    "write_stream": lambda disk, path: disk.write_stream(path, io.BytesIO(b"new")),
    "append": lambda disk, path: disk.append(path, b"new"),
    "prepend": lambda disk, path: disk.prepend(path, b"new"),
    "open to write": lambda disk, path: disk.open(path, "wb").close(),
    "open to append": lambda disk, path: disk.open(path, "ab").close(),
    "open atomically": lambda disk, path: disk.open(path, "wb", atomic=True).close(),
    "copy to": lambda disk, path: disk.copy("empty", path),
    "move to": lambda disk, path: disk.move("empty", path),
    "archive to": lambda disk, path: disk.archive("sub", path, format="zip"),
}
CHANGES: dict[str, Call] = {
    "open to update": lambda disk, path: disk.open(path, "r+b").close(),
    "delete": lambda disk, path: disk.delete(path),
    "copy from": lambda disk, path: disk.copy(path, "copied"),
    "move from": lambda disk, path: disk.move(path, "moved"),
    "set_visibility": lambda disk, path: disk.set_visibility(path, "private"),
    "extract from": lambda disk, path: disk.extract(path, "extracted"),
}
DIRECTORY_CHANGES: dict[str, Call] = {
    "make_directory": lambda disk, path: disk.make_directory(path),
    "delete_directory": lambda disk, path: disk.delete_directory(path),
    "sweep": lambda disk, path: disk.sweep(path),
    "extract": lambda disk, path: disk.extract(io.BytesIO(_AN_ARCHIVE), path),
    "extract in part": lambda disk, path: disk.extract(io.BytesIO(_AN_ARCHIVE), path, partial=True),
    "copy_tree from": lambda disk, path: disk.copy_tree(path, "copied"),
    "move_tree from": lambda disk, path: disk.move_tree(path, "moved"),
    "sync_to": lambda disk, path: disk.sync_to(disk / "synced", source=path),
    "put_file": lambda disk, path: disk.put_file(path, io.BytesIO(b"new")),
    "put_file_as": lambda disk, path: disk.put_file_as(path, io.BytesIO(b"new"), "n"),
    "scoped to create": lambda disk, path: disk.scoped(path, create=True).close(),
}
EVERY = ASKS | READS | LOOKS | LISTS | WRITES | CHANGES | DIRECTORY_CHANGES
NOT_ASKED = {name: call for name, call in EVERY.items() if name not in ASKS}
BETWEEN_DISKS = {
    *("copy to", "copy from", "move to", "move from"),
    *("copy_tree from", "move_tree from", "sync_to"),
    *("archive to", "extract from"),
}
WITHOUT_PATH = {
    *("close", "closed", "fs", "lock", "name", "policy"),
    *("append_only", "encrypted", "read_only", "revoke", "with_policy"),
    "rewrap",  # of an encrypted disk alone
}

_TOO_LONG = "n" * 256
_WRONG_TYPES = [None, 3, 1.5, object()]
_CONTENTS: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"one two",
    "bytearray": lambda: bytearray(b"one two"),
    "memoryview": lambda: memoryview(b"one two"),
    "str": lambda: "one two",
    "file": lambda: io.BytesIO(b"one two"),
    "list": lambda: [b"one", b"", bytearray(b" "), memoryview(b"two")],
    "generator": lambda: (piece for piece in (b"one ", b"two")),
}
_NO_CONTENTS: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "int": lambda: 3,
    "list of int": lambda: [1, 2],
    "list of str": lambda: ["one"],
    "text file": lambda: io.StringIO("one"),
    "file that reads str": lambda: _Reads("one"),
    "path": lambda: PurePosixPath("a.txt"),
}


def _reachable(start: object) -> set[int]:
    """Every object that attributes and containers lead to, however private their names."""
    pending, seen = [start], {}
    while pending:
        each = pending.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType | str | bytes):
            continue
        seen[id(each)] = each
        slots = [
            value
            for kind in type(each).__mro__
            for value in vars(kind).values()
            if isinstance(value, MemberDescriptorType)
        ]
        for slot in slots:
            with suppress(AttributeError):
                pending.append(slot.__get__(each))
        with suppress(TypeError, ValueError):  # a closed Root answers nothing
            pending += vars(each).values()
        pending += each.values() if isinstance(each, dict) else ()
        pending += each if isinstance(each, list | tuple | set | frozenset) else ()
        pending += [each()] if isinstance(each, weakref.ref) else ()
        pending += [each.__self__] if isinstance(each, MethodType) else ()
    return set(seen)


def _repr(value: object) -> str:
    """``repr`` without an address in it: tests have the same names in every process of a run."""
    shown = repr(value)
    return type(value).__name__ if " at 0x" in shown else shown


def _cut(disk: Disk, path: str) -> None:
    with disk.open(path, "ab", buffering=0) as file:
        file.truncate(0)


# What an append-only disk refuses, each called with (disk, a file).
_WHAT_CHANGES: dict[str, Call] = {
    "put": lambda disk, path: disk.put(path, b"new"),
    "prepend": lambda disk, path: disk.prepend(path, b"new"),
    "open to write": lambda disk, path: disk.open(path, "wb"),
    "open to update": lambda disk, path: disk.open(path, "r+b"),
    "open atomically": lambda disk, path: disk.open(path, "wb", atomic=True),
    "copy over": lambda disk, path: disk.copy("empty", path),
    "move": lambda disk, path: disk.move(path, "b.txt"),
    "delete": lambda disk, path: disk.delete(path),
    "delete_directory": lambda disk, _: disk.delete_directory("sub"),
    "set_visibility": lambda disk, path: disk.set_visibility(path, "private"),
    "sweep": lambda disk, _: disk.sweep(),
    "cut": _cut,
}


def _table(calls: Mapping[str, Call]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("call", calls.values(), ids=calls.keys())


class _Reads:
    """A file object of the simplest kind."""

    def __init__(self, chunk: str | bytes, name: object = None) -> None:
        self._chunk: str | bytes | None = chunk
        self.name = name

    def read(self, _size: int = -1) -> str | bytes:
        chunk, self._chunk = self._chunk, None
        return chunk or b""


def _fill(file: Any, size: int) -> None:
    with file:
        file.write(b"n" * size)


def tree(disk: Disk) -> Tree:
    """All that a disk holds: content and permissions of its files, None for a directory."""
    found: Tree = dict.fromkeys(disk.all_directories())
    for path in disk.all_files():
        found[path] = disk.get(path), disk.stat(path).permissions
    return found


class DiskConformance:
    """The tests that a Disk on any driver passes.

    Subclass it in a test module as ``class TestMyDisk(DiskConformance)`` and give ``make_disk``.

    A disk that cannot be written says ``read_only = True``; it is filled, and looked at, through
    ``make_twin``. Tests of what writing does are then left out; that every method which writes is
    refused and changes nothing is tested of all disks.

    A deviation is declared and never deleted: ``deviations`` names a test (``"test_x"``, or one of
    its cases, ``"test_x[case]"``) and says why this disk does otherwise. That test must then really
    fail; one that passes after all is an error, and so is a name that no test has.

    Hostile paths climb at most three directories, and the absolute one leads into ``tmp_path``; let
    ``make_disk`` put what it makes at least three directories deep there.
    """

    deviations: ClassVar[Mapping[str, str]] = {}
    read_only: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.read_only:
            for name in _tests_of_writing():
                setattr(cls, name, None)  # not collected, rather than skipped

    def make_disk(self, tmp_path: Path) -> Disk:
        """A new, empty disk: the subject."""
        raise NotImplementedError

    def make_twin(self, disk: Disk, tmp_path: Path) -> Disk:  # noqa: ARG002  (for who overrides it)
        """A disk on the same storage that can be written; by default the subject itself."""
        return disk

    @pytest.fixture(autouse=True)
    def _deviation(self, request: pytest.FixtureRequest) -> None:
        node = request.node
        names = {node.name, getattr(node, "originalname", node.name)}
        for name in names & self.deviations.keys():
            mark = pytest.mark.xfail(reason=self.deviations[name], strict=True)
            node.add_marker(mark)

    @pytest.fixture
    def disk(self, tmp_path: Path) -> Iterator[Disk]:
        with self.make_disk(tmp_path) as disk:
            yield disk

    @pytest.fixture
    def twin(self, disk: Disk, tmp_path: Path) -> Iterator[Disk]:
        """The same storage, filled with LAYOUT and open to writing."""
        twin = self.make_twin(disk, tmp_path)
        for path, content in LAYOUT.items():
            twin.put(path, content)
        twin.make_directory(EMPTY_DIRECTORY)
        yield twin
        if twin is not disk:
            twin.close()

    @pytest.fixture
    def filled(self, disk: Disk, twin: Disk) -> Disk:
        """The subject, filled."""
        assert twin is not None
        return disk

    @pytest.fixture
    def writable(self, filled: Disk) -> Disk:
        """The subject, filled; what asks for it is a test of writing."""
        return filled

    @pytest.fixture
    def lockable(self, writable: Disk, tmp_path: Path) -> Iterator[Disk]:
        """The subject, filled, with a place for locks."""
        if writable._locks is None:  # noqa: SLF001
            writable._locks = LockDirectory.at(tmp_path / "locks")  # noqa: SLF001
        place = writable._locks  # noqa: SLF001
        yield writable
        place.close()

    # The suite itself

    def test_every_deviation_names_a_test(self) -> None:
        for name in self.deviations:
            assert hasattr(self, name.partition("[")[0]), name

    def test_what_is_declared_read_only_is(self, disk: Disk) -> None:
        assert disk.policy.read_only == self.read_only

    def test_every_method_of_a_disk_is_exercised(self) -> None:
        public = {name for name in dir(Disk) if not name.startswith("_")}
        assert {name.split()[0] for name in EVERY} | WITHOUT_PATH == public

    # The disk itself

    def test_closing_twice_is_once(self, disk: Disk) -> None:
        closed = [disk.closed]
        for _ in range(2):
            disk.close()
            closed.append(disk.closed)
        assert closed == [False, True, True]
        assert "closed" in repr(disk)

    def test_leaving_the_block_closes(self, disk: Disk) -> None:
        with disk as same:
            assert same is disk
        assert disk.closed
        with pytest.raises(ValueError, match="closed"):
            disk.__enter__()

    @_table(EVERY)
    def test_nothing_works_on_a_closed_disk(self, disk: Disk, call: Call) -> None:
        disk.close()
        with pytest.raises(ValueError, match="closed"):
            call(disk, "a.txt")

    def test_a_closed_disk_gives_no_other(self, disk: Disk) -> None:
        disk.close()
        with pytest.raises(ValueError, match="closed"):
            disk.read_only()

    def test_an_open_file_outlives_its_disk(self, filled: Disk) -> None:
        with filled.read_stream("a.txt") as file:
            filled.close()
            assert file.read() == LAYOUT["a.txt"]

    @pytest.mark.parametrize("act", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_it_is_not_pickled_and_not_copied(
        self, disk: Disk, act: Callable[[object], object]
    ) -> None:
        with pytest.raises(TypeError, match="name"):
            act(disk)

    def test_it_says_what_it_is(self, disk: Disk) -> None:
        assert "Disk" in repr(disk)
        assert disk.name is None or disk.name in repr(disk)

    # What is no path, and what leads out

    @_table(EVERY)
    def test_what_is_no_path_is_a_type_error(self, filled: Disk, twin: Disk, call: Call) -> None:
        before = tree(twin)
        for path in _WRONG_TYPES:
            with pytest.raises(TypeError):
                call(filled, path)
        assert tree(twin) == before

    @_table(NOT_ASKED)
    def test_text_that_can_be_no_path_is_refused(
        self, filled: Disk, twin: Disk, call: Call
    ) -> None:
        before = tree(twin)
        for path in ("a\0b", "\0", b"a.txt\0", "\ud800"):
            with pytest.raises(InvalidPathError):
                call(filled, path)
        assert tree(twin) == before

    @_table(NOT_ASKED)
    def test_a_path_that_climbs_out_is_an_escape(
        self, filled: Disk, twin: Disk, call: Call
    ) -> None:
        before = tree(twin)
        for path in ("..", "../x", "sub/../../x", "sub/../../../x", b"../x"):
            with pytest.raises((EscapeError, PolicyError)) as caught:
                call(filled, path)
            assert caught.type is EscapeError or filled.policy.read_only
        assert tree(twin) == before

    @_table(NOT_ASKED)
    def test_an_absolute_path_is_an_escape(
        self, filled: Disk, twin: Disk, call: Call, tmp_path: Path
    ) -> None:
        before = tree(twin)
        outside = tmp_path / "outside"
        with pytest.raises(EscapeError, match="leave out the first"):
            call(filled, str(outside))
        assert tree(twin) == before
        assert not outside.exists()

    @_table(ASKS)
    @pytest.mark.parametrize("path", ["..", "../x", "a\0b", "\ud800", _TOO_LONG, "a.txt/x", "gone"])
    def test_what_is_not_to_be_reached_does_not_exist(
        self, filled: Disk, call: Call, path: str
    ) -> None:
        assert call(filled, path) is False

    @_table(ASKS)
    def test_an_absolute_path_does_not_exist(
        self, filled: Disk, call: Call, tmp_path: Path
    ) -> None:
        assert call(filled, str(tmp_path)) is False

    @_table({name: call for name, call in EVERY.items() if name not in BETWEEN_DISKS})
    def test_the_path_of_another_disk_is_a_type_error(self, filled: Disk, call: Call) -> None:
        with filled.scoped("") as other, pytest.raises(TypeError, match="another disk"):
            call(filled, other / "a.txt")

    @_table(ASKS | READS | LOOKS)
    def test_a_path_is_text_bytes_or_a_path(self, filled: Disk, call: Call) -> None:
        expected = call(filled, filled / "data.json")
        for path in ("data.json", b"data.json", PurePosixPath("data.json"), "./data.json"):
            assert call(filled, path) == expected

    @_table(LISTS)
    def test_a_directory_is_text_bytes_or_a_path(self, filled: Disk, call: Call) -> None:
        expected = call(filled, "sub")
        for path in (b"sub", PurePosixPath("sub"), filled / "sub", "sub/", "./sub", "sub//."):
            assert call(filled, path) == expected

    @_table(READS | LOOKS | LISTS | CHANGES)
    def test_what_is_missing_is_not_found(self, filled: Disk, twin: Disk, call: Call) -> None:
        before = tree(twin)
        with pytest.raises((FileNotFoundError, PolicyError)) as caught:
            call(filled, "sub/gone")
        assert isinstance(caught.value, FileNotFoundError) or filled.policy.read_only
        assert tree(twin) == before

    @_table(READS | LOOKS | LISTS)
    def test_an_error_names_the_path_that_was_given(self, filled: Disk, call: Call) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            call(filled, "sub/../sub/gone")
        assert caught.value.filename == "sub/../sub/gone"
        assert caught.value.errno == errno.ENOENT

    @_table(READS | LOOKS | LISTS)
    def test_a_file_is_no_directory(self, filled: Disk, call: Call) -> None:
        for path in ("a.txt/x", "a.txt/", "a.txt/."):
            with pytest.raises(NotADirectoryError):
                call(filled, path)

    @_table(READS)
    def test_a_directory_is_no_file(self, filled: Disk, call: Call) -> None:
        for path in ("sub", "sub/", "", "."):
            with pytest.raises(IsADirectoryError):
                call(filled, path)

    @_table(READS | LOOKS | LISTS)
    def test_a_name_that_is_too_long_is_an_error(self, filled: Disk, call: Call) -> None:
        with pytest.raises(OSError) as caught:
            call(filled, _TOO_LONG)
        assert caught.value.errno == errno.ENAMETOOLONG

    # Reading

    @pytest.mark.parametrize("path", LAYOUT)
    def test_get_gives_the_content(self, filled: Disk, path: str) -> None:
        assert filled.get(path) == LAYOUT[path]

    def test_get_text_keeps_line_ends(self, filled: Disk) -> None:
        assert filled.get_text("a.txt") == "alpha\r\nbeta\n"

    def test_get_text_speaks_other_encodings(self, filled: Disk) -> None:
        assert filled.get_text("data.json", "latin-1") == LAYOUT["data.json"].decode("latin-1")
        with pytest.raises(UnicodeDecodeError):
            filled.get_text("sub/deep/c.bin")
        assert filled.get_text("data.json", "ascii", errors="ignore") == '{"k": [1, ""]}'

    def test_json_gives_the_value(self, filled: Disk) -> None:
        assert filled.json("data.json") == {"k": [1, "é"]}
        with pytest.raises(json.JSONDecodeError):
            filled.json("a.txt")

    def test_read_stream_reads_and_seeks(self, filled: Disk) -> None:
        with filled.read_stream("sub/deep/c.bin") as file:
            assert file.read(3) == b"\0\1\2"
            file.seek(255)
            assert file.read(2) == b"\xff\0"
            assert not file.writable()

    def test_open_reads_text_as_the_builtin_does(self, filled: Disk) -> None:
        with filled.open("a.txt") as file:
            assert file.read() == "alpha\nbeta\n"
        with filled.open("a.txt", newline="") as file:
            assert file.readlines() == ["alpha\r\n", "beta\n"]
        with filled.open("data.json") as file:
            assert json.load(file) == {"k": [1, "é"]}
        with filled.open("data.json", "r", -1, "ascii", "replace") as file:
            assert "\ufffd" in file.read()

    @pytest.mark.parametrize("buffering", [-1, 0, 7, 4096])
    def test_open_reads_bytes_with_any_buffer(self, filled: Disk, buffering: int) -> None:
        with filled.open("a.txt", "rb", buffering) as file:
            assert file.read(5) == b"alpha"

    @pytest.mark.parametrize(
        "arguments",
        [("q",), ("",), ("rw",), ("rbt",), ("rb", -1, "utf-8"), ("r", 0), ("rb", -1, None, "x")],
        ids=_repr,
    )
    def test_open_refuses_what_the_builtin_refuses(
        self, filled: Disk, arguments: tuple[Any, ...]
    ) -> None:
        with pytest.raises(ValueError):
            filled.open("a.txt", *arguments)

    def test_open_with_a_wrong_encoding_truncates_nothing(self, filled: Disk, twin: Disk) -> None:
        with pytest.raises(LookupError):
            filled.open("a.txt", "w", encoding="no such encoding")
        assert twin.get("a.txt") == LAYOUT["a.txt"]

    # Looking

    def test_files_and_directories_are_told_apart(self, filled: Disk) -> None:
        for path in LAYOUT:
            assert filled.exists(path)
            assert not filled.missing(path)
            assert filled.file_exists(path)
            assert not filled.directory_exists(path)
        for path in ("sub", "sub/", "sub/deep", EMPTY_DIRECTORY, "", ".", "sub/.."):
            assert filled.exists(path)
            assert not filled.missing(path)
            assert not filled.file_exists(path)
            assert filled.directory_exists(path)

    def test_stat_tells_kind_size_time_and_mode(self, filled: Disk) -> None:
        found = filled.stat("a.txt")
        assert isinstance(found, Stat)
        assert (found.kind, found.size, found.st_size) == ("file", 12, 12)
        assert found.permissions == found.mode & 0o7777 == found.st_mode & 0o7777
        assert found.st_mtime == pytest.approx(found.st_mtime_ns / 1e9)
        assert filled.stat("sub").kind == filled.stat("").kind == "directory"
        with pytest.raises(AttributeError):
            found.size = 3  # type: ignore[misc]

    @pytest.mark.parametrize("path", LAYOUT)
    def test_size_counts_the_bytes(self, filled: Disk, path: str) -> None:
        assert filled.size(path) == filled.stat(path).size == len(LAYOUT[path])

    def test_last_modified_is_an_aware_time(self, filled: Disk) -> None:
        found = filled.last_modified("a.txt")
        assert found.tzinfo is UTC
        assert abs(datetime.now(UTC) - found) < timedelta(minutes=5)
        assert found == filled.stat("a.txt").modified
        assert filled.last_modified("sub").tzinfo is UTC

    @pytest.mark.parametrize(
        ("path", "expected"),
        [
            ("a.txt", "text/plain"),
            ("data.json", "application/json"),
            ("empty", None),
            ("sub/b.tar.gz", "application/gzip"),
            ("sub/deep/c.bin", "application/octet-stream"),
        ],
    )
    def test_mime_type_goes_by_the_name(
        self, filled: Disk, path: str, expected: str | None
    ) -> None:
        assert filled.mime_type(path) == expected

    @pytest.mark.parametrize("path", ["empty", "sub/deep/c.bin"])
    def test_checksum_is_the_digest(self, filled: Disk, path: str) -> None:
        assert filled.checksum(path) == hashlib.sha256(LAYOUT[path]).hexdigest()
        expected = hashlib.new("md5", LAYOUT[path], usedforsecurity=False)
        assert filled.checksum(path, "md5") == expected.hexdigest()

    @pytest.mark.parametrize("algorithm", ["no such", "", "shake_128"])
    def test_checksum_refuses_what_is_no_digest(self, filled: Disk, algorithm: str) -> None:
        with pytest.raises(ValueError):
            filled.checksum("a.txt", algorithm)

    # Listing

    def test_lists_are_sorted_paths_from_the_root(self, filled: Disk) -> None:
        assert filled.files() == filled.files("") == ["a.txt", "data.json", "empty"]
        assert filled.files("sub") == ["sub/b.tar.gz"]
        assert filled.files(EMPTY_DIRECTORY) == []
        assert filled.all_files() == sorted(LAYOUT)
        assert filled.all_files("sub") == ["sub/b.tar.gz", "sub/deep/c.bin"]
        assert filled.directories() == ["sub", EMPTY_DIRECTORY]
        assert filled.directories("sub") == ["sub/deep"]
        assert filled.all_directories() == ["sub", "sub/deep", EMPTY_DIRECTORY]
        assert filled.all_directories("sub") == ["sub/deep"]

    def test_what_is_listed_can_be_used(self, filled: Disk) -> None:
        for directory in ("", "sub", "sub/../sub", "./sub/"):
            assert all(filled.file_exists(path) for path in filled.all_files(directory))
            assert all(filled.directory_exists(path) for path in filled.directories(directory))

    # Versions

    def test_an_etag_is_the_same_until_the_file_changes(self, filled: Disk, twin: Disk) -> None:
        for options in ({}, {"checksum": "sha256"}):
            before = filled.etag("a.txt", **options)
            assert filled.etag("./sub/../a.txt", **options) == before
            assert filled.etag("empty", **options) != before
            twin.put("a.txt", b"BETA\r\nalpha\n")
            after = filled.etag("a.txt", **options)
            assert after != before
            twin.put("a.txt", LAYOUT["a.txt"])
            assert (filled.etag("a.txt", **options) == before) == bool(options)

    def test_every_replacement_is_another_version(self, filled: Disk, twin: Disk) -> None:
        """Within one tick of the clock too, in which a number of an inode is given out again."""
        seen = set()
        for _ in range(200):
            twin.put("a.txt", b"same size")
            seen.add(filled.etag("a.txt"))
            twin.delete("a.txt")
        assert len(seen) == 200

    def test_a_version_that_was_replaced_is_replaced_no_more(self, lockable: Disk) -> None:
        for options in ({}, {"checksum": "sha256"}):
            lockable.put("a.txt", b"0")
            first = lockable.etag("a.txt", **options)
            lockable.put("a.txt", b"1", if_match=first)
            for write in (
                partial(lockable.put, "a.txt", b"2"),
                partial(lockable.put_json, "./a.txt", 2),
                partial(lockable.write_stream, "sub/../a.txt", [b"2"]),
            ):
                with pytest.raises(PreconditionError) as caught:
                    write(if_match=first)
                assert caught.value.expected == first
                assert caught.value.found == lockable.etag("a.txt", **options)
            assert lockable.get("a.txt") == b"1"
        lockable.put("a.txt", b"3", if_match="*")
        assert lockable.get("a.txt") == b"3"

    @pytest.mark.parametrize("path", ["new", "new/below", "sub/new/below"])
    @pytest.mark.parametrize("tag", ["*", "0-0-0-0", "sha256:00"])
    def test_what_is_missing_matches_nothing(self, lockable: Disk, path: str, tag: str) -> None:
        before = tree(lockable)
        with pytest.raises(PreconditionError) as caught:
            lockable.put(path, b"", if_match=tag)
        assert caught.value.found is None
        assert caught.value.filename == path
        assert tree(lockable) == before

    def test_a_source_is_not_asked_for_what_will_not_be_written(self, lockable: Disk) -> None:
        def never() -> Iterator[bytes]:
            yield pytest.fail("asked")

        with pytest.raises(PreconditionError):
            lockable.put("a.txt", never(), if_match="0")

    def test_a_change_while_the_source_is_read_is_noticed(self, lockable: Disk) -> None:
        tag = lockable.etag("a.txt")

        def source() -> Iterator[bytes]:
            yield b"mine"
            lockable.put("a.txt", b"another's")

        with pytest.raises(PreconditionError):
            lockable.put("a.txt", source(), if_match=tag)
        assert lockable.get("a.txt") == b"another's"
        assert "a.txt" in lockable.files()

    def test_a_file_is_created_once(self, writable: Disk) -> None:
        writable.put("new/f", b"1", if_none_match="*")
        with pytest.raises(FileExistsError):
            writable.put("new/f", b"2", if_none_match="*")
        with pytest.raises(FileExistsError):
            writable.put_json("new/f", 2, if_none_match="*")
        assert writable.get("new/f") == b"1"

    def test_conditions_that_cannot_be_are_one_error(self, lockable: Disk) -> None:
        before = tree(lockable)
        for options, error in (
            ({"if_match": "*", "if_none_match": "*"}, ValueError),
            ({"if_none_match": "0-0"}, ValueError),
            ({"if_match": 3}, TypeError),
            ({"if_match": b"0"}, TypeError),
            ({"if_match": "nosuch:00"}, ValueError),
        ):
            with pytest.raises(error):
                lockable.put("a.txt", b"", **options)
        with pytest.raises(IsADirectoryError):
            lockable.put("sub", b"", if_match="*")
        with pytest.raises(IsADirectoryError):
            lockable.etag("sub")
        assert tree(lockable) == before

    # Locks

    def test_a_lock_excludes_another_thread(self, lockable: Disk) -> None:
        said: list[object] = []

        def other(**options: Any) -> None:
            try:
                with lockable.lock("import", timeout=0, **options):
                    said.append("held")
            except LockTimeoutError as error:
                said.append((error.name, error.timeout))

        def ask(**options: Any) -> None:
            thread = threading.Thread(target=other, kwargs=options)
            thread.start()
            thread.join()

        with lockable.lock("import"):
            ask()
            ask(shared=True)
        ask()
        with lockable.lock("import", shared=True):
            ask()
            ask(shared=True)
        with lockable.lock("another"):
            ask()
        refused = ("import", 0.0)
        assert said == [refused, refused, "held", refused, "held", "held"]

    def test_a_thread_does_not_wait_for_itself(self, lockable: Disk) -> None:
        with lockable.lock("a"):
            for shared in (False, True):
                with pytest.raises(OSError, match="a") as caught:
                    lockable.lock("a", shared=shared, timeout=0).acquire()
                assert caught.value.errno == errno.EDEADLK
            with lockable.lock("b"), pytest.raises(RuntimeError):
                lockable.lock("b").release()
        with lockable.lock("a", shared=True), lockable.lock("a", shared=True):
            pass

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/a", "a\0b", "a/"])
    def test_the_name_of_a_lock_is_one_name(self, lockable: Disk, name: str) -> None:
        with pytest.raises((InvalidPathError, EscapeError)):
            lockable.lock(name)

    @pytest.mark.parametrize("name", [b"a", 3, None, PurePosixPath("a")], ids=_repr)
    def test_the_name_of_a_lock_is_text(self, lockable: Disk, name: Any) -> None:
        with pytest.raises(TypeError):
            lockable.lock(name)

    @pytest.mark.parametrize(
        ("timeout", "error"),
        [(-1, ValueError), (float("nan"), ValueError), (True, TypeError), ("1", TypeError)],
        ids=_repr,
    )
    def test_the_time_to_wait_is_seconds(
        self, lockable: Disk, timeout: Any, error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            lockable.lock("a", timeout=timeout)

    def test_a_disk_without_a_place_for_locks_says_so(self, filled: Disk) -> None:
        if filled._locks is not None:  # noqa: SLF001
            return
        for act in (
            lambda: filled.lock("a"),
            lambda: filled.put("a.txt", b"", if_match="*"),
        ):
            with pytest.raises(LockUnavailableError, match="locks=DIRECTORY"):
                act()

    # Other disks from this one

    def test_a_scoped_disk_sees_its_directory_alone(self, filled: Disk) -> None:
        with filled.scoped("sub") as scoped:
            assert scoped.all_files() == ["b.tar.gz", "deep/c.bin"]
            assert scoped.get("deep/c.bin") == LAYOUT["sub/deep/c.bin"]
            assert scoped.policy.read_only == filled.policy.read_only
            with pytest.raises(EscapeError):
                scoped.get("../a.txt")
            with scoped.scoped("deep") as deeper:
                assert deeper.files() == ["c.bin"]

    def test_a_scoped_disk_outlives_this_one(self, filled: Disk) -> None:
        with filled.scoped("sub") as scoped:
            filled.close()
            assert scoped.files() == ["b.tar.gz"]

    def test_closing_a_scoped_disk_leaves_this_one_open(self, filled: Disk) -> None:
        filled.scoped("sub").close()
        filled.read_only().close()
        assert filled.get("empty") == b""

    @pytest.mark.parametrize(
        "act",
        [lambda disk: disk.read_only(), lambda disk: disk.read_only().read_only()],
        ids=["read_only", "twice"],
    )
    @_table(WRITES | CHANGES | DIRECTORY_CHANGES)
    def test_what_is_read_only_changes_nothing(
        self, filled: Disk, twin: Disk, call: Call, act: Callable[[Disk], Disk]
    ) -> None:
        before = tree(twin)
        target = "sub" if call in DIRECTORY_CHANGES.values() else "a.txt"
        subject = filled if filled.policy.read_only else act(filled)
        with pytest.raises(PolicyError) as caught:
            call(subject, target)
        assert caught.value.rule == "read_only"
        if subject is not filled:
            subject.close()
        assert tree(twin) == before

    @_table(WRITES | DIRECTORY_CHANGES)
    def test_what_is_read_only_makes_nothing(self, filled: Disk, twin: Disk, call: Call) -> None:
        before = tree(twin)
        for path in ("new", "new/below", "sub/new/below"):
            with filled.read_only() as subject, pytest.raises((PolicyError, FileNotFoundError)):
                call(subject, path)
        assert tree(twin) == before

    @_table(WRITES | CHANGES | DIRECTORY_CHANGES)
    def test_what_is_append_only_keeps_all_that_it_holds(self, writable: Disk, call: Call) -> None:
        before = tree(writable)
        target = "sub" if call in DIRECTORY_CHANGES.values() else "a.txt"
        refused = suppress(PolicyError, ArchiveError)
        with writable.append_only() as subject, refused:
            call(subject, target)
        after = tree(writable)
        if call is WRITES["append"]:
            assert after.pop("a.txt") == (LAYOUT["a.txt"] + b"new", before["a.txt"][1])  # type: ignore[index]
            del before["a.txt"]
        assert {path: after.get(path) for path in before} == before

    @_table(_WHAT_CHANGES)
    def test_what_is_append_only_refuses_what_would_change_it(
        self, writable: Disk, call: Call
    ) -> None:
        before = tree(writable)
        with writable.with_policy(Policy(append_only=True)) as subject:
            with pytest.raises(PolicyError) as caught:
                call(subject, "a.txt")
            assert caught.value.rule == "append_only"
        assert tree(writable) == before

    def test_what_is_append_only_takes_what_is_new(self, writable: Disk) -> None:
        with writable.with_policy(Policy(append_only=True)) as subject:
            subject.put("new/a", b"1")
            subject.append("new/first", b"2")
            subject.make_directory("new/d")
            subject.copy("a.txt", "copied")
            with subject.open("new/b", "wb") as file:
                file.write(b"3")
            with subject.open("new/c", "xb", atomic=True) as file:
                file.write(b"4")
            with pytest.raises(FileExistsError):
                subject.open("new/c", "xb")
            kept = subject.put_file("new", io.BytesIO(b"5"))
        assert writable.get("new/a") == b"1"
        assert writable.get("copied") == LAYOUT["a.txt"]
        paths = ("new/first", "new/b", "new/c", kept)
        assert [writable.get(path) for path in paths] == [b"2", b"3", b"4", b"5"]

    def test_what_is_append_only_grows_at_its_end(self, writable: Disk) -> None:
        with writable.append_only() as subject:
            subject.append("a.txt", b"1")
            subject.append("a.txt", b"2")
        assert writable.get("a.txt") == LAYOUT["a.txt"] + b"12"

    def test_a_path_that_is_too_long_is_refused_wherever_it_leads(self, writable: Disk) -> None:
        with writable.with_policy(Policy(max_path_length=10)) as subject:
            subject.put("1234567890", b"")
            for path in ("12345678901", "sub/../a.txt", "sub/deep/c.bin"):
                for call in (READS | LOOKS | WRITES).values():
                    with pytest.raises(PolicyError) as caught:
                        call(subject, path)
                    assert caught.value.rule == "max_path_length"
                assert not subject.exists(path)
            with subject.scoped("sub") as scoped, pytest.raises(PolicyError):
                scoped.get("b.tar.gz")

    def test_a_file_grows_to_its_largest_size_and_no_further(self, writable: Disk) -> None:
        writable.put("large", b"l" * 9)
        writes: dict[str, Callable[[Disk, int], object]] = {
            "put": lambda disk, size: disk.put("new", b"n" * size),
            "write_stream": lambda disk, size: disk.write_stream("new", [b"n"] * size),
            "append": lambda disk, size: disk.append("empty", b"n" * size),
            "prepend": lambda disk, size: disk.prepend("empty", b"n" * size),
            "open to write": lambda disk, size: _fill(disk.open("empty", "wb"), size),
            "open to append": lambda disk, size: _fill(disk.open("empty", "ab"), size),
            "open atomically": lambda disk, size: _fill(disk.open("new", "wb", atomic=True), size),
            "copy": lambda disk, size: disk.copy("large" if size > 8 else "empty", "new"),
        }
        with writable.with_policy(Policy(max_file_size=8)) as subject:
            for name, write in writes.items():
                before = tree(writable)
                with pytest.raises(PolicyError) as caught:
                    write(subject, 9)
                assert caught.value.rule == "max_file_size", name
                assert tree(writable) == before, name
                write(subject, 8)
                writable.delete("new", missing_ok=True)
                writable.put("empty", b"")
            assert subject.get("large") == b"l" * 9
            with subject.open("large", "r+b") as file:
                file.write(b"n" * 9)
                file.truncate(8)
            subject.append("empty", b"n" * 8)

    def test_there_are_as_many_bytes_as_a_quota_has_and_no_more(self, writable: Disk) -> None:
        held = sum(writable.size(path) for path in writable.all_files())
        with writable.with_policy(Policy(quota_bytes=held + 8)) as subject:
            before = tree(writable)
            writes: dict[str, Callable[[int], object]] = {
                "put": lambda size: subject.put("new", b"n" * size),
                "write_stream": lambda size: subject.write_stream("new", [b"n"] * size),
                "append": lambda size: subject.append("empty", b"n" * size),
                "prepend": lambda size: subject.prepend("empty", b"n" * size),
                "open to append": lambda size: _fill(subject.open("empty", "ab"), size),
                "open atomically": lambda size: _fill(subject.open("new", "wb", atomic=True), size),
                "copy": lambda size: subject.copy("sub/deep/c.bin" if size > 8 else "empty", "new"),
            }
            for name, write in writes.items():
                with pytest.raises(PolicyError) as caught:
                    write(9)
                assert caught.value.rule == "quota_bytes", name
                assert tree(writable) == before, name
                write(8)
                subject.delete("new", missing_ok=True)
                subject.put("empty", b"")
            subject.put("empty", b"n" * 8)
            subject.put("empty", b"m" * 8)
            with subject.scoped("sub") as scoped, pytest.raises(PolicyError):
                scoped.put("new", b"n")
            subject.delete("a.txt")
            subject.append("empty", b"n" * len(LAYOUT["a.txt"]))

    def test_there_are_as_many_files_as_a_quota_has_and_no_more(self, writable: Disk) -> None:
        held = len(writable.all_files())
        with writable.with_policy(Policy(quota_files=held + 1)) as subject:
            subject.put("new/file", b"")
            before = tree(writable)
            writes: dict[str, Callable[[], object]] = {
                "put": lambda: subject.put("more", b"n"),
                "append": lambda: subject.append("more", b"n"),
                "open to write": lambda: subject.open("more", "wb"),
                "open a new one": lambda: subject.open("more", "xb"),
                "open atomically": lambda: subject.open("more", "xb", atomic=True),
                "copy": lambda: subject.copy("a.txt", "more"),
                "copy_tree": lambda: subject.copy_tree("sub", "more"),
                "extract": lambda: subject.extract(io.BytesIO(_AN_ARCHIVE), "more"),
            }
            for name, write in writes.items():
                with pytest.raises(PolicyError) as caught:
                    write()
                assert caught.value.rule == "quota_files", name
                assert tree(writable) == before, name
            subject.put("a.txt", b"n")
            subject.make_directory("directories/do/not/count")
            subject.move("new/file", "moved")
            subject.delete("moved")
            subject.copy("a.txt", "more")

    def test_with_policy_allows_what_both_allow(self, filled: Disk) -> None:
        with filled.with_policy(Policy(portable_names=True)) as narrow:
            assert narrow.name == filled.name
            assert narrow.policy == filled.policy.narrowed(Policy(portable_names=True))
            with pytest.raises(PolicyError) as caught:
                narrow.get("con")
            assert caught.value.rule == "portable_names"
            with narrow.with_policy(Policy()) as twice:
                assert twice.policy == narrow.policy
        with pytest.raises(TypeError, match="policy is a Policy, not str"):
            filled.with_policy("read_only")  # type: ignore[arg-type]

    def test_revoking_ends_all_that_was_derived_and_not_this_one(self, filled: Disk) -> None:
        sub = filled.scoped("sub")
        derived = {
            "scoped": sub,
            "scoped twice": sub.scoped("deep"),
            "read_only": filled.read_only(),
            "through one that is gone": filled.read_only().scoped("sub").with_policy(Policy()),
        }
        path = sub / "b.tar.gz"
        with sub.read_stream("b.tar.gz") as file:
            filled.revoke()
            for disk in derived.values():
                with pytest.raises(ValueError, match="operation on a revoked Disk"):
                    disk.files()
                assert disk.closed
            with pytest.raises(ValueError, match=r"closed|revoked"):
                path.read_bytes()
            with pytest.raises(ValueError, match="revoked"):
                sub.scoped("deep")
            assert file.read() == LAYOUT["sub/b.tar.gz"]
        assert filled.get("empty") == b""
        with filled.scoped("sub") as again:
            assert again.get("b.tar.gz") == LAYOUT["sub/b.tar.gz"]

    def test_revoking_what_is_derived_leaves_the_wider_ones(self, filled: Disk) -> None:
        with filled.scoped("sub") as sub, sub.scoped("deep") as deep:
            sub.revoke()
            assert deep.closed
            assert sub.files() == ["b.tar.gz"]
            assert filled.get("empty") == b""

    def test_no_attribute_of_what_is_derived_leads_back(self, filled: Disk) -> None:
        with filled.scoped("sub") as narrow, narrow.read_only() as narrower:
            wider = {id(each) for each in (filled, filled._driver)}  # noqa: SLF001
            assert not wider & _reachable(narrower)
            wider |= {id(each) for each in (narrow, narrow._driver)}  # noqa: SLF001
            assert not wider & _reachable(narrower)

    def test_what_is_read_only_reads(self, filled: Disk) -> None:
        with filled.read_only() as subject:
            assert subject.name == filled.name
            assert tree(subject) == tree(filled)
            for call in (READS | LOOKS).values():
                assert call(subject, "data.json") == call(filled, "data.json")

    def test_scoping_what_is_read_only_stays_so(self, filled: Disk) -> None:
        with filled.read_only() as subject, subject.scoped("sub") as scoped:
            assert scoped.policy.read_only
            assert scoped.files() == ["b.tar.gz"]
            with pytest.raises(PolicyError):
                scoped.put("b.tar.gz", b"new")
            with pytest.raises(PolicyError):
                subject.scoped("new", create=True)

    def test_scoped_creates_where_it_is_told_to(self, writable: Disk) -> None:
        with pytest.raises(FileNotFoundError):
            writable.scoped("new/scope")
        with writable.scoped("new/scope", create=True) as scoped:
            scoped.put("f", b"1")
        assert writable.get("new/scope/f") == b"1"
        with writable.scoped("new/scope", create=True) as scoped:
            assert scoped.files() == ["f"]

    # Putting

    @pytest.mark.parametrize("content", _CONTENTS.values(), ids=_CONTENTS.keys())
    def test_put_stores_any_content_anywhere(
        self, writable: Disk, content: Callable[[], Any]
    ) -> None:
        for path in ("new", "a.txt", "sub/new", "one/two/three"):
            writable.put(path, content())
            assert writable.get(path) == b"one two"

    @pytest.mark.parametrize("content", _NO_CONTENTS.values(), ids=_NO_CONTENTS.keys())
    def test_put_of_what_is_no_content_changes_no_file(
        self, writable: Disk, content: Callable[[], Any]
    ) -> None:
        for path in ("new", "a.txt", "one/two/three"):
            with pytest.raises(TypeError):
                writable.put(path, content())
        assert writable.all_files() == sorted(LAYOUT)
        assert writable.get("a.txt") == LAYOUT["a.txt"]

    def test_put_that_fails_half_way_leaves_the_old(self, writable: Disk) -> None:
        own = FileNotFoundError(errno.ENOENT, "of the content's own", "elsewhere")

        def chunks() -> Iterator[bytes]:
            yield b"new"
            raise own

        before = tree(writable)
        for path in ("a.txt", "sub/new"):
            with pytest.raises(FileNotFoundError) as caught:
                writable.put(path, chunks())
            assert caught.value is own
        assert tree(writable) == before
        assert writable.sweep(older_than=0) == []  # what is left behind is in no list

    def test_put_keeps_line_ends_and_writes_utf_8(self, writable: Disk) -> None:
        writable.put("new", "é\r\n\n\r")
        assert writable.get("new") == b"\xc3\xa9\r\n\n\r"
        with pytest.raises(UnicodeEncodeError):
            writable.put("new", "\ud800")
        assert writable.get("new") == b"\xc3\xa9\r\n\n\r"

    def test_put_reads_a_file_from_where_it_stands(self, writable: Disk) -> None:
        file = io.BytesIO(b"skipped, stored")
        file.seek(9)
        writable.put("new", file)
        assert writable.get("new") == b"stored"
        assert not file.closed

    def test_put_replaces_and_keeps_permissions(self, writable: Disk) -> None:
        writable.set_visibility("a.txt", "private")
        writable.put("a.txt", b"new")
        assert writable.visibility("a.txt") == "private"
        writable.set_visibility("a.txt", "public")
        writable.put("a.txt", b"newer")
        assert writable.visibility("a.txt") == "public"

    def test_put_replaces_the_file_under_an_open_reader(self, writable: Disk) -> None:
        with writable.read_stream("a.txt") as file:
            writable.put("a.txt", b"new")
            assert file.read() == LAYOUT["a.txt"]

    def test_put_of_what_is_being_read_is_whole(self, writable: Disk) -> None:
        with writable.read_stream("sub/deep/c.bin") as file:
            writable.put("sub/deep/c.bin", file)
        assert writable.get("sub/deep/c.bin") == LAYOUT["sub/deep/c.bin"]

    @_table(WRITES)
    def test_nothing_is_written_over_a_directory(self, writable: Disk, call: Call) -> None:
        before = tree(writable)
        for path in ("sub", "", ".", "new/"):
            with pytest.raises(OSError) as caught:
                call(writable, path)
            allowed = {errno.EISDIR, errno.EINVAL, errno.ENOTDIR, errno.ENOTEMPTY}
            assert caught.value.errno in allowed
        assert tree(writable) == before

    @_table(WRITES)
    def test_nothing_is_written_beneath_a_file(self, writable: Disk, call: Call) -> None:
        before = tree(writable)
        for path in ("a.txt/x", "a.txt/x/y"):
            with pytest.raises(NotADirectoryError):
                call(writable, path)
        assert tree(writable) == before

    @_table(WRITES)
    def test_no_name_is_cut_to_length(self, writable: Disk, call: Call) -> None:
        before = tree(writable)
        with pytest.raises(OSError) as caught:
            call(writable, _TOO_LONG)
        assert caught.value.errno == errno.ENAMETOOLONG
        assert tree(writable) == before

    @pytest.mark.parametrize("name", ["n" * 255, "a\nb", " ", "*", "é", b"\xff", "a:b", "con", "-"])
    def test_any_name_is_a_name(self, writable: Disk, name: str | bytes) -> None:
        writable.put(name, b"1")
        listed = writable.files()[-1] if name == b"\xff" else None
        assert writable.get(name) == b"1"
        assert listed is None or writable.get(listed) == b"1"
        writable.delete(name)
        assert writable.missing(name)

    @pytest.mark.parametrize("value", [None, 1.5, "é", [1, {"a": []}], {"k": True}])
    def test_put_json_and_json_agree(self, writable: Disk, value: object) -> None:
        writable.put_json("new/v.json", value)
        assert writable.json("new/v.json") == value
        writable.put_json("new/v.json", value, indent=2)
        assert writable.json("new/v.json") == value

    @pytest.mark.parametrize(
        "value", [object(), {1, 2}, b"x", float("nan"), float("inf"), "\ud800"]
    )
    def test_put_json_of_what_is_no_json_changes_nothing(
        self, writable: Disk, value: object
    ) -> None:
        before = tree(writable)
        with pytest.raises((TypeError, ValueError)):
            writable.put_json("a.txt", value)
        assert tree(writable) == before

    def test_write_stream_stores_a_stream(self, writable: Disk) -> None:
        writable.write_stream("one/two", io.BytesIO(b"1"))
        writable.write_stream("one/three", iter([b"1", b"2"]))
        assert (writable.get("one/two"), writable.get("one/three")) == (b"1", b"12")

    @pytest.mark.parametrize("value", [b"1", "1", bytearray(b"1"), None, 3, io.StringIO("1")])
    def test_write_stream_takes_no_value(self, writable: Disk, value: Any) -> None:
        with pytest.raises(TypeError):
            writable.write_stream("a.txt", value)
        assert writable.get("a.txt") == LAYOUT["a.txt"]

    def test_what_is_put_durably_is_put(self, writable: Disk) -> None:
        for path in ("a.txt", "new", "one/two/three"):
            writable.put(path, b"1", durable=True)
            writable.put_json(f"{path}.json", 1, durable=True)
            writable.write_stream(f"{path}.stream", [b"1"], durable=True)
            kept = {writable.get(path), writable.get(f"{path}.json")}
            assert kept | {writable.get(f"{path}.stream")} == {b"1"}
        for name in ("n", writable.put_file("four/five", io.BytesIO(b"1"), durable=True)):
            path = writable.put_file_as("four", io.BytesIO(b"1"), name[-20:], durable=True)
            assert writable.get(path) == b"1"

    @pytest.mark.parametrize("words", [(), ("xattr",), ["ownership", "xattr"]])
    def test_put_keeps_what_it_is_asked_to_keep(self, writable: Disk, words: Any) -> None:
        writable.set_visibility("a.txt", "private")
        for path in ("a.txt", "one/two"):
            writable.put(path, b"1", preserve=words, durable=True)
            assert writable.get(path) == b"1"
        assert writable.visibility("a.txt") == "private"

    @pytest.mark.parametrize("words", [("mode",), ("ownership", ""), "xattr"])
    def test_put_refuses_to_keep_what_it_does_not_know(self, writable: Disk, words: Any) -> None:
        before = tree(writable)
        for path in ("a.txt", "new/f"):
            with pytest.raises(TypeError if isinstance(words, str) else ValueError):
                writable.put(path, b"1", preserve=words)
        assert tree(writable) == before

    def test_what_is_being_written_is_in_no_list_and_is_swept(self, writable: Disk) -> None:
        """By its name, which a test can give too; whoever knows the name can use it."""
        before = tree(writable)
        name = ".safefs-0123456789abcdef.tmp"
        for path in (name, f"sub/{name}", f"void/{name}/f"):
            writable.put(path, b"1")
            assert writable.get(path) == b"1"
        assert tree(writable) == before
        assert [path for path in writable.files("sub") if name in path] == []
        assert list((writable / "void").iterdir()) == []
        assert writable.sweep() == []
        assert writable.sweep("void", older_than=0) == [f"void/{name}"]
        assert writable.sweep(older_than=0) == [name, f"sub/{name}"]
        assert writable.missing(name)
        assert tree(writable) == before

    # Adding

    @pytest.mark.parametrize("content", _CONTENTS.values(), ids=_CONTENTS.keys())
    def test_append_and_prepend_take_any_content(
        self, writable: Disk, content: Callable[[], Any]
    ) -> None:
        writable.append("a.txt", content())
        writable.prepend("a.txt", content())
        assert writable.get("a.txt") == b"one two" + LAYOUT["a.txt"] + b"one two"

    @pytest.mark.parametrize("content", _NO_CONTENTS.values(), ids=_NO_CONTENTS.keys())
    def test_what_is_no_content_is_not_added(
        self, writable: Disk, content: Callable[[], Any]
    ) -> None:
        before = tree(writable)
        with pytest.raises(TypeError):
            writable.append("a.txt", content())
        with pytest.raises(TypeError):
            writable.prepend("a.txt", content())
        assert tree(writable) == before

    def test_adding_to_a_missing_file_makes_it(self, writable: Disk) -> None:
        writable.append("one/two", b"1", separator=b"-")
        writable.prepend("three/four", b"1", separator=b"-")
        assert writable.get("one/two") == writable.get("three/four") == b"1"

    def test_the_separator_stands_between_contents_only(self, writable: Disk) -> None:
        writable.append("empty", b"2", separator=b"-")
        writable.append("empty", b"3", separator="-")
        writable.prepend("empty", b"1", separator=b"-")
        assert writable.get("empty") == b"1-2-3"
        writable.put("empty", b"")
        writable.prepend("empty", b"1", separator=b"-")
        assert writable.get("empty") == b"1"

    def test_adding_keeps_permissions(self, writable: Disk) -> None:
        writable.set_visibility("a.txt", "private")
        writable.append("a.txt", b"1")
        writable.prepend("a.txt", b"1")
        assert writable.visibility("a.txt") == "private"

    def test_threads_that_add_lose_nothing(self, writable: Disk) -> None:
        def add(name: str) -> None:
            for number in range(10):
                writable.append("log", f"{name}{number}", separator=b"\n")
                writable.prepend("log", f"{name}{number}", separator=b"\n")

        _in_threads([partial(add, name) for name in "abc"])
        lines = writable.get_text("log").split("\n")
        expected = [f"{name}{number}" for name in "abc" for number in range(10)]
        assert sorted(lines) == sorted(expected * 2)

    def test_threads_see_the_old_content_or_the_new(self, writable: Disk) -> None:
        contents = {bytes([letter]) * 100_000 for letter in b"xyz"}
        writable.put("shared", next(iter(contents)))
        seen: set[bytes] = set()

        def read() -> None:
            for _ in range(30):
                seen.add(writable.get("shared"))

        def write(content: bytes) -> None:
            for _ in range(10):
                writable.put("shared", content)

        _in_threads([read, read, *(partial(write, content) for content in contents)])
        assert seen <= contents

    # Files under names of their own

    def test_put_file_makes_up_a_name(self, writable: Disk) -> None:
        paths = {writable.put_file("up/loads", io.BytesIO(b"1")) for _ in range(20)}
        assert len(paths) == 20
        assert sorted(paths) == writable.files("up/loads")
        assert all(len(path.removeprefix("up/loads/")) >= 32 for path in paths)
        at_root = writable.put_file("", io.BytesIO(b"1"))
        assert "/" not in at_root
        assert writable.get(at_root) == b"1"

    @pytest.mark.parametrize(
        ("called", "suffix"),
        [
            ("photo.JPG", ".jpg"),
            ("C:\\fakes\\photo.png", ".png"),
            ("../../x.tar.gz", ".gz"),
            ("noext", ""),
            (".hidden", ""),
            ("x.a/b", ""),
            ("x.p\0g", ""),
            ("x.p g", ""),
            ("x.\u0440ng", ""),
            ("x." + "e" * 40, ""),
            ("x.", ""),
            (7, ""),
            (None, ""),
            (b"x.png", ""),
        ],
        ids=_repr,
    )
    def test_put_file_keeps_a_harmless_extension(
        self, writable: Disk, called: object, suffix: str
    ) -> None:
        file: Any = _Reads(b"1", called)
        path = writable.put_file("up", file)
        assert PurePosixPath(path).suffix == suffix
        assert writable.get(path) == b"1"

    def test_put_file_takes_a_path_of_any_disk(self, writable: Disk) -> None:
        with writable.scoped("sub") as other:
            for path in (writable / "sub" / "b.tar.gz", other / "b.tar.gz"):
                stored = writable.put_file("up", path)
                assert stored.endswith(".gz")
                assert writable.get(stored) == b"b"
                assert writable.put_file_as("up", path, "same") == "up/same"
                assert writable.get("up/same") == b"b"

    @pytest.mark.parametrize(
        "file", ["a.txt", b"a.txt", PurePosixPath("a.txt"), io.StringIO("1"), None, 3], ids=_repr
    )
    def test_put_file_takes_no_text(self, writable: Disk, file: Any) -> None:
        before = tree(writable)
        with pytest.raises(TypeError):
            writable.put_file("", file)
        with pytest.raises(TypeError):
            writable.put_file_as("", file, "name")
        assert tree(writable) == before

    def test_put_file_as_takes_one_component(self, writable: Disk) -> None:
        assert writable.put_file_as("one/two", io.BytesIO(b"1"), "name") == "one/two/name"
        assert writable.put_file_as("", io.BytesIO(b"2"), "name") == "name"
        assert writable.put_file_as(".", io.BytesIO(b"3"), "..name") == "..name"
        assert [writable.get(path) for path in ("one/two/name", "name", "..name")] == [
            b"1",
            b"2",
            b"3",
        ]

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a/", "../a", "a\0b", "\ud800"])
    def test_put_file_as_refuses_any_other_name(self, writable: Disk, name: str) -> None:
        before = tree(writable)
        with pytest.raises(InvalidPathError):
            writable.put_file_as("sub", io.BytesIO(b"1"), name)
        assert tree(writable) == before

    @pytest.mark.parametrize("name", _WRONG_TYPES, ids=_repr)
    def test_put_file_as_refuses_what_is_no_name(self, writable: Disk, name: Any) -> None:
        with pytest.raises(TypeError):
            writable.put_file_as("sub", io.BytesIO(b"1"), name)

    # Opening to write

    def test_open_writes(self, writable: Disk) -> None:
        for _ in range(2):
            with writable.open("new", "w") as file:
                file.write("é\n")
            assert writable.get("new") == b"\xc3\xa9\n"
            with writable.open("new", "wb", 0) as raw:
                raw.write(b"1")
                assert raw.tell() == 1
            assert writable.get("new") == b"1"

    def test_open_appends_and_updates(self, writable: Disk) -> None:
        with writable.open("new", "w") as file:
            file.write("é\n")
        with writable.open("new", "ab") as binary:
            binary.write(b"2")
        with writable.open("new", "r+b") as binary:
            assert binary.read(2) == b"\xc3\xa9"
            binary.seek(0)
            binary.write(b"1")
            binary.truncate(2)
        assert writable.get("new") == b"1\xa9"
        with writable.open("new", "a+", encoding="latin-1") as file:
            file.write("!")
            file.seek(0)
            assert file.read() == "1\xa9!"

    def test_open_reads_what_it_has_written(self, writable: Disk) -> None:
        with writable.open("new", "w+b") as binary:
            binary.write(b"three")
            binary.seek(-2, io.SEEK_END)
            assert binary.read() == b"ee"
            assert binary.tell() == 5

    @pytest.mark.parametrize("durable", [False, True])
    @pytest.mark.parametrize("mode", ["w", "x", "w+", "x+"])
    def test_a_file_opened_atomically_takes_its_name_when_it_is_closed(
        self, writable: Disk, mode: str, *, durable: bool
    ) -> None:
        writable.set_visibility("a.txt", "private")
        for path in ("new", "sub/new") if "x" in mode else ("a.txt", "new", "sub/new"):
            before = tree(writable)
            with writable.open(path, mode, atomic=True, durable=durable) as file:
                file.write("é\n")
                file.flush()
                assert tree(writable) == before
            assert writable.get(path) == b"\xc3\xa9\n"
            with writable.open(path, "wb", 0, atomic=True, durable=durable) as raw:
                raw.write(b"1")
            assert writable.get(path) == b"1"
        assert writable.visibility("a.txt") == "private"

    def test_a_file_opened_atomically_and_not_closed_well_changes_nothing(
        self, writable: Disk
    ) -> None:
        before = tree(writable)
        for path in ("a.txt", "new"):
            left = writable.open(path, "w", atomic=True)
            left.write("1")
            left.__exit__(KeyError, KeyError(), None)
            assert left.closed
            forgotten = writable.open(path, "wb", atomic=True)
            forgotten.write(b"1")
            del forgotten
        with pytest.raises(FileExistsError):
            writable.open("a.txt", "x", atomic=True)
        late = writable.open("late", "x", atomic=True)
        writable.put("late", b"first")
        with pytest.raises(FileExistsError):
            late.close()
        assert writable.get("late") == b"first"
        writable.delete("late")
        assert tree(writable) == before
        assert writable.sweep(older_than=0) == []

    @pytest.mark.parametrize("mode", ["r", "a", "r+", "rb", "ab", "r+b"])
    def test_only_a_new_file_is_opened_atomically(self, writable: Disk, mode: str) -> None:
        before = tree(writable)
        with pytest.raises(ValueError, match="atomic"):
            writable.open("a.txt", mode, atomic=True)
        with pytest.raises(ValueError, match="atomic"):
            writable.open("a.txt", mode, durable=True)
        assert tree(writable) == before

    def test_open_makes_no_directories(self, writable: Disk) -> None:
        for mode in ("w", "a", "x", "r+"):
            with pytest.raises(FileNotFoundError):
                writable.open("gone/new", mode)
        assert writable.missing("gone")

    def test_open_exclusively_makes_a_new_file(self, writable: Disk) -> None:
        with writable.open("new", "x") as file:
            file.write("1")
        with pytest.raises(FileExistsError):
            writable.open("new", "x")
        with pytest.raises(FileExistsError):
            writable.open("sub", "xb")
        assert writable.get("new") == b"1"

    def test_what_is_written_is_there_after_flush(self, writable: Disk) -> None:
        with writable.open("new", "wb") as file:
            file.write(b"1")
            file.flush()
            assert writable.get("new") == b"1"
            file.seek(3)
            file.write(b"2")
        assert writable.get("new") == b"1\0\x002"

    @pytest.mark.parametrize("mode", ["rb", "wb", "r+b"])
    def test_a_file_may_be_deleted_while_it_is_open(self, writable: Disk, mode: str) -> None:
        with writable.open("a.txt", mode) as file:
            writable.delete("a.txt")
            if "r" in mode:
                assert file.read() == LAYOUT["a.txt"]
            if mode != "rb":
                file.write(b"more")
        assert writable.missing("a.txt")

    # Visibility

    def test_visibility_is_set_and_told(self, writable: Disk) -> None:
        for path in ("a.txt", "sub"):
            writable.set_visibility(path, "private")
            assert writable.visibility(path) == "private"
            assert not writable.stat(path).permissions & 0o077
            writable.set_visibility(path, "public")
            assert writable.visibility(path) == "public"
            assert not writable.stat(path).permissions & 0o022
        assert writable.stat("a.txt").permissions == 0o644
        assert writable.stat("sub").permissions == 0o755

    @pytest.mark.parametrize("word", ["", "Private", None, 0o600])
    def test_visibility_has_two_words(self, writable: Disk, word: Any) -> None:
        before = tree(writable)
        with pytest.raises(ValueError, match="private"):
            writable.set_visibility("a.txt", word)
        assert tree(writable) == before

    # Directories

    def test_make_directory_makes_those_above(self, writable: Disk) -> None:
        writable.make_directory("one/two/three")
        writable.make_directory("one/two")
        writable.make_directory("")
        writable.make_directory("four/")
        assert writable.all_directories("one") == ["one/two", "one/two/three"]
        assert writable.directory_exists("four")

    def test_make_directory_leaves_a_file_alone(self, writable: Disk) -> None:
        with pytest.raises(FileExistsError):
            writable.make_directory("a.txt")
        with pytest.raises(NotADirectoryError):
            writable.make_directory("a.txt/x")
        assert writable.get("a.txt") == LAYOUT["a.txt"]

    def test_delete_directory_takes_all_beneath(self, writable: Disk) -> None:
        writable.delete_directory("sub")
        writable.delete_directory(EMPTY_DIRECTORY + "/")
        assert writable.directories() == []
        assert writable.all_files() == ["a.txt", "data.json", "empty"]

    def test_delete_directory_of_what_is_missing(self, writable: Disk) -> None:
        with pytest.raises(FileNotFoundError):
            writable.delete_directory("gone")
        writable.delete_directory("gone", missing_ok=True)

    def test_delete_directory_takes_no_file(self, writable: Disk) -> None:
        for missing_ok in (False, True):
            with pytest.raises(NotADirectoryError):
                writable.delete_directory("a.txt", missing_ok=missing_ok)
        assert writable.exists("a.txt")

    @pytest.mark.parametrize("path", ["", ".", "sub/..", "./"])
    def test_delete_directory_refuses_the_root(self, writable: Disk, path: str) -> None:
        before = tree(writable)
        with pytest.raises(OSError) as caught:
            writable.delete_directory(path)
        assert caught.value.errno == errno.EINVAL
        assert tree(writable) == before

    # Trees

    def test_a_tree_is_copied_and_its_copy_is_like_it(self, writable: Disk) -> None:
        report = writable.copy_tree("sub", "new/er/copy")
        assert [(step.action, step.kind) for step in report.steps] == [
            ("create", "file"),
            ("create", "directory"),
            ("create", "file"),
        ]
        assert report.bytes == len(LAYOUT["sub/b.tar.gz"]) + len(LAYOUT["sub/deep/c.bin"])
        for path in ("b.tar.gz", "deep/c.bin", "deep"):
            one, other = writable.stat(f"sub/{path}"), writable.stat(f"new/er/copy/{path}")
            assert (one.mtime_ns, one.permissions) == (other.mtime_ns, other.permissions)
        assert writable.get("new/er/copy/deep/c.bin") == LAYOUT["sub/deep/c.bin"]

    def test_a_tree_is_moved(self, writable: Disk) -> None:
        assert [step.action for step in writable.move_tree("sub", "new/er").steps] == ["rename"]
        assert writable.all_files("new") == ["new/er/b.tar.gz", "new/er/deep/c.bin"]
        assert writable.missing("sub")

    @pytest.mark.parametrize("act", ["copy_tree", "move_tree"])
    @pytest.mark.parametrize(
        ("source", "target", "number"),
        [
            ("sub", "a.txt", errno.EEXIST),
            ("sub", EMPTY_DIRECTORY, errno.EEXIST),
            ("sub", "sub/new", errno.EINVAL),
            ("sub", "sub/new/er/x", errno.EINVAL),
            ("sub", "new/..", errno.EINVAL),
            ("a.txt", "new", errno.ENOTDIR),
            ("gone", "new", errno.ENOENT),
            ("gone", "new/er", errno.ENOENT),
        ],
    )
    @pytest.mark.parametrize("dry_run", [False, True])
    def test_a_tree_is_refused_where_it_cannot_be(
        self, writable: Disk, act: str, source: str, target: str, number: int, *, dry_run: bool
    ) -> None:
        before = tree(writable)
        with pytest.raises(OSError) as caught:
            getattr(writable, act)(source, target, dry_run=dry_run)
        if target != "new/..":  # where what is missing may be said first
            assert caught.value.errno == number
        assert tree(writable) == before

    @pytest.mark.parametrize("act", ["copy_tree", "move_tree", "delete_directory"])
    def test_a_dry_run_says_what_the_real_run_does(self, writable: Disk, act: str) -> None:
        paths = ("sub",) if act == "delete_directory" else ("sub", "new/er")
        before = tree(writable)
        said = getattr(writable, act)(*paths, dry_run=True)
        assert tree(writable) == before
        assert getattr(writable, act)(*paths) == said

    @pytest.mark.parametrize("act", ["copy_tree", "move_tree", "delete_directory"])
    @pytest.mark.parametrize(
        "budget", [Budget(entries=2), Budget(bytes=10), Budget(depth=1)], ids=repr
    )
    def test_a_tree_is_held_to_its_budget(self, writable: Disk, act: str, budget: Budget) -> None:
        paths = ("sub",) if act == "delete_directory" else ("sub", "new")
        before = tree(writable)
        with pytest.raises(BudgetError):
            getattr(writable, act)(*paths, budget=budget)
        assert tree(writable) == before

    @pytest.mark.parametrize("act", ["copy_tree", "move_tree", "delete_directory"])
    def test_progress_is_told_of_a_tree(self, writable: Disk, act: str) -> None:
        told: list[Progress] = []
        paths = ("sub",) if act == "delete_directory" else ("sub", "new")
        report = getattr(writable, act)(*paths, progress=told.append)
        assert told[-1].entries == report.entries

    def test_an_export_is_a_copy_without_what_is_secret(self, writable: Disk) -> None:
        pytest.importorskip("dotenv")
        writable.put("sub/.env", b"NAME=x\nAWS_KEY=secret\n")
        writable.put("sub/server.pem", b"secret")
        before = tree(writable)
        with _aside() as out, _aside() as unpacked:
            report = writable.export(out / "all", "sub", redact=["AWS_*"])
            assert writable.export(out / "all.tar", "sub", redact=["AWS_*"]) == report
            unpacked.extract(out / "all.tar")
            for disk, top in ((out, "all/"), (unpacked, "")):
                assert disk.get(f"{top}.env") == b"NAME=x\n"
                assert disk.get(f"{top}deep/c.bin") == LAYOUT["sub/deep/c.bin"]
                assert disk.missing(f"{top}server.pem")
            assert report.bytes == sum(out.size(each) for each in out.all_files("all"))
        assert tree(writable) == before
        writable.export(writable / "new" / "er", "sub", redact=["AWS_*"])
        assert writable.get("new/er/.env") == b"NAME=x\n"
        assert writable.get("new/er/deep/c.bin") == LAYOUT["sub/deep/c.bin"]

    def test_a_mirror_is_like_its_source_and_is_made_once(self, writable: Disk) -> None:
        target = writable / "mirror" / "of"
        report = writable.sync_to(target, source="sub", dry_run=True)
        assert writable.missing("mirror")
        assert writable.sync_to(target, source="sub") == report
        assert writable.get("mirror/of/deep/c.bin") == LAYOUT["sub/deep/c.bin"]
        assert writable.sync_to(target, source="sub").steps == ()
        writable.put("sub/b.tar.gz", b"other")
        writable.put("mirror/of/more", b"more")
        assert writable.sync_to(target, source="sub").steps == (
            Step("replace", "b.tar.gz", "file"),
        )
        steps = writable.sync_to(target, source="sub", delete=True).steps
        assert steps == (Step("remove", "more", "file"),)
        assert writable.all_files("mirror") == ["mirror/of/b.tar.gz", "mirror/of/deep/c.bin"]

    def test_a_mirror_by_checksum_finds_what_its_time_hides(self, writable: Disk) -> None:
        target = writable / "mirror"
        writable.sync_to(target, source="sub")
        writable.put("mirror/b.tar.gz", b"x")
        report = writable.sync_to(target, source="sub", checksum=True)
        assert report.steps[0].action == "replace"
        assert writable.get("mirror/b.tar.gz") == b"b"

    def test_an_empty_source_removes_nothing(self, writable: Disk) -> None:
        before = tree(writable)
        with pytest.raises(OSError, match="is it not mounted") as caught:
            writable.sync_to(writable / "sub", source=EMPTY_DIRECTORY, delete=True)
        assert caught.value.errno == errno.EINVAL
        with pytest.raises(FileNotFoundError):
            writable.sync_to(writable / "sub", source="gone", delete=True)
        assert tree(writable) == before

    @pytest.mark.parametrize(("source", "target"), [("", "sub"), ("sub", ""), ("sub", "sub")])
    @pytest.mark.parametrize("delete", [False, True])
    def test_source_and_target_of_a_mirror_do_not_lie_in_each_other(
        self, writable: Disk, source: str, target: str, *, delete: bool
    ) -> None:
        before = tree(writable)
        with suppress(OSError):
            writable.sync_to(writable / target, source=source, delete=delete)
        after = tree(writable)
        if delete or (source, target) != ("sub", ""):
            assert after == before
        else:
            assert {path: after[path] for path in before} == before

    # Deleting

    def test_delete_takes_one_many_or_a_list(self, writable: Disk) -> None:
        writable.delete("a.txt")
        writable.delete("data.json", writable / "sub" / "b.tar.gz")
        writable.delete([b"empty", "sub/deep/c.bin"])
        writable.delete()
        writable.delete([])
        assert writable.all_files() == []

    def test_delete_of_what_is_missing(self, writable: Disk) -> None:
        with pytest.raises(FileNotFoundError):
            writable.delete("a.txt", "gone", "empty")
        assert writable.missing("a.txt")
        assert writable.exists("empty")
        writable.delete("gone", "empty", "gone/too", missing_ok=True)
        assert writable.missing("empty")

    def test_delete_takes_names_as_they_are(self, writable: Disk) -> None:
        writable.put("*", b"1")
        writable.put("[ae]*", b"1")
        writable.delete("*", "[ae]*")
        assert writable.all_files() == sorted(LAYOUT)
        with pytest.raises(FileNotFoundError):
            writable.delete("*")

    @pytest.mark.parametrize("bad", ["a\0b", 3, None, ["data.json"]], ids=_repr)
    def test_delete_reads_all_names_before_it_begins(self, writable: Disk, bad: Any) -> None:
        with pytest.raises((InvalidPathError, TypeError)):
            writable.delete("a.txt", bad)
        assert writable.exists("a.txt")

    def test_delete_takes_no_directory(self, writable: Disk) -> None:
        for path in ("sub", "sub/", EMPTY_DIRECTORY):
            with pytest.raises(IsADirectoryError):
                writable.delete(path, missing_ok=True)
        assert writable.directories() == ["sub", EMPTY_DIRECTORY]

    # Copying and moving on one disk

    @pytest.mark.parametrize("target", ["new", "empty", "one/two/three"])
    def test_copy_copies(self, writable: Disk, target: str) -> None:
        writable.set_visibility("sub/deep/c.bin", "private")
        writable.copy("sub/deep/c.bin", target)
        assert writable.get(target) == writable.get("sub/deep/c.bin") == LAYOUT["sub/deep/c.bin"]
        assert writable.visibility(target) == "private"
        writable.put(target, b"another")
        assert writable.get("sub/deep/c.bin") == LAYOUT["sub/deep/c.bin"]

    @pytest.mark.parametrize("target", ["new", "empty", "one/two/three"])
    def test_move_moves(self, writable: Disk, target: str) -> None:
        assert writable.move("a.txt", target) == "renamed"
        assert writable.get(target) == LAYOUT["a.txt"]
        assert writable.missing("a.txt")

    def test_move_moves_directories(self, writable: Disk) -> None:
        assert writable.move("sub", "one/two") == "renamed"
        assert writable.all_files("one") == ["one/two/b.tar.gz", "one/two/deep/c.bin"]
        assert writable.move("one/", EMPTY_DIRECTORY) == "renamed"
        assert writable.get(f"{EMPTY_DIRECTORY}/two/b.tar.gz") == b"b"
        assert writable.missing("one")

    @pytest.mark.parametrize("act", ["copy", "move"])
    def test_nothing_is_overwritten_where_that_is_said(self, writable: Disk, act: str) -> None:
        before = tree(writable)
        for target in ("data.json", "sub", "a.txt"):
            with pytest.raises(FileExistsError):
                getattr(writable, act)("a.txt", target, overwrite=False)
        assert tree(writable) == before
        getattr(writable, act)("a.txt", "one/new", overwrite=False)
        assert writable.get("one/new") == LAYOUT["a.txt"]

    @pytest.mark.parametrize("act", ["copy", "move"])
    @pytest.mark.parametrize("target", ["a.txt", "./a.txt", "sub/../a.txt"])
    def test_onto_itself_nothing_happens(self, writable: Disk, act: str, target: str) -> None:
        before = tree(writable)
        with pytest.raises(SameFileError):
            getattr(writable, act)("a.txt", target)
        assert tree(writable) == before

    @pytest.mark.parametrize("act", ["copy", "move"])
    def test_from_what_is_missing_nothing_is_made(self, writable: Disk, act: str) -> None:
        before = tree(writable)
        for target in ("new", "one/two"):
            with pytest.raises(FileNotFoundError):
                getattr(writable, act)("gone", target)
        assert tree(writable) == before

    def test_copy_takes_no_directory(self, writable: Disk) -> None:
        before = tree(writable)
        for source, target in (("sub", "new"), ("sub", "one/two"), ("a.txt", "sub"), ("", "new")):
            with pytest.raises(IsADirectoryError):
                writable.copy(source, target)
        assert tree(writable) == before

    @pytest.mark.parametrize(
        ("source", "target", "number"),
        [
            ("a.txt", "sub", errno.EISDIR),
            ("sub", "a.txt", errno.ENOTDIR),
            (EMPTY_DIRECTORY, "sub", errno.ENOTEMPTY),
            ("sub", "sub/deep/below", errno.EINVAL),
            ("sub", "sub/new/below", errno.EINVAL),
            ("sub/deep/c.bin", "sub/deep", errno.ENOTEMPTY),
            ("", "new", errno.EINVAL),
            ("sub/..", "new", errno.EINVAL),
            ("a.txt", "new/", errno.ENOTDIR),
            ("a.txt/", "new", errno.ENOTDIR),
        ],
    )
    def test_move_refuses_what_rename_refuses(
        self, writable: Disk, source: str, target: str, number: int
    ) -> None:
        before = {path: kept for path, kept in tree(writable).items() if path != "sub/new"}
        with pytest.raises(OSError) as caught:
            writable.move(source, target)
        assert caught.value.errno == number
        after = {path: kept for path, kept in tree(writable).items() if path != "sub/new"}
        assert after == before

    # Between disks

    @pytest.fixture
    def other(self, writable: Disk) -> Iterator[Disk]:
        """Another disk, with "there" on it; what is on it is not on the subject's lists."""
        with writable.scoped("elsewhere", create=True) as other:
            other.put("there", b"there")
            yield other

    def test_copy_goes_between_disks(self, writable: Disk, other: Disk) -> None:
        writable.copy("a.txt", other / "one" / "new")
        assert other.get("one/new") == writable.get("a.txt") == LAYOUT["a.txt"]
        writable.copy(other / "there", "two/new")
        assert writable.get("two/new") == other.get("there") == b"there"
        writable.copy(other / "one" / "new", other / "there")
        assert other.get("there") == LAYOUT["a.txt"]

    def test_copy_between_disks_keeps_what_is_private_private(
        self, writable: Disk, other: Disk
    ) -> None:
        writable.set_visibility("a.txt", "private")
        writable.copy("a.txt", other / "new")
        assert other.visibility("new") == "private"

    def test_move_between_disks_says_that_it_was_a_copy(self, writable: Disk, other: Disk) -> None:
        assert writable.move("a.txt", other / "one" / "new") == "copied"
        assert other.get("one/new") == LAYOUT["a.txt"]
        assert writable.missing("a.txt")
        assert writable.move(other / "there", "empty") == "copied"
        assert writable.get("empty") == b"there"
        assert other.missing("there")
        assert writable.move(other / "one" / "new", other / "there") == "renamed"

    @pytest.mark.parametrize("act", ["copy", "move"])
    def test_between_disks_nothing_is_overwritten_where_that_is_said(
        self, writable: Disk, other: Disk, act: str
    ) -> None:
        before = tree(writable)
        with pytest.raises(FileExistsError):
            getattr(writable, act)("a.txt", other / "there", overwrite=False)
        assert tree(writable) == before
        getattr(writable, act)("a.txt", other / "one" / "new", overwrite=False)
        assert other.all_files() == ["one/new", "there"]
        assert other.get("one/new") == LAYOUT["a.txt"]

    @pytest.mark.parametrize("act", ["copy", "move"])
    @pytest.mark.parametrize("overwrite", [True, False])
    def test_one_file_on_two_disks_is_one_file(
        self, writable: Disk, other: Disk, act: str, *, overwrite: bool
    ) -> None:
        """A move that took it for two would copy it onto itself and then remove it."""
        before = tree(writable)
        expected = SameFileError if overwrite else FileExistsError
        with pytest.raises(expected):
            getattr(writable, act)("elsewhere/there", other / "there", overwrite=overwrite)
        with pytest.raises(expected):
            getattr(writable, act)(other / "there", "elsewhere/there", overwrite=overwrite)
        assert tree(writable) == before

    @pytest.mark.parametrize("act", ["copy", "move"])
    def test_directories_stay_on_their_disk(self, writable: Disk, other: Disk, act: str) -> None:
        other.make_directory("below")
        before = tree(writable)
        for source, target in (("sub", "new"), ("a.txt", "below"), ("a.txt", "new/")):
            with pytest.raises(IsADirectoryError):
                getattr(writable, act)(
                    source, other / target if target != "new/" else other / "below"
                )
        assert tree(writable) == before

    @pytest.mark.parametrize("act", ["copy", "move"])
    def test_from_another_disk_what_is_missing_is_not_found(
        self, writable: Disk, other: Disk, act: str
    ) -> None:
        before = tree(writable)
        with pytest.raises(FileNotFoundError):
            getattr(writable, act)(other / "gone", "one/new")
        with pytest.raises(FileNotFoundError):
            getattr(writable, act)("gone", other / "one" / "new")
        assert tree(writable) == before

    def test_to_and_from_what_is_read_only(self, writable: Disk, other: Disk) -> None:
        """A move must not copy first and find out then that it may not remove."""
        with other.read_only() as fixed:
            before = tree(writable)
            with pytest.raises(PolicyError):
                writable.move(fixed / "there", "new")
            with pytest.raises(PolicyError):
                writable.copy("a.txt", fixed / "new")
            with pytest.raises(PolicyError):
                writable.move("a.txt", fixed / "there")
            assert tree(writable) == before
            writable.copy(fixed / "there", "new")
            assert writable.get("new") == b"there"

    def test_a_closed_disk_gives_and_takes_nothing(self, writable: Disk, other: Disk) -> None:
        there = other / "there"
        other.close()
        for source, target in ((there, "new"), ("a.txt", there)):
            with pytest.raises(ValueError, match="closed"):
                writable.copy(source, target)
            with pytest.raises(ValueError, match="closed"):
                writable.move(source, target)
        assert writable.exists("a.txt")

    # DiskPath

    def test_a_disk_path_does_what_the_disk_does(self, filled: Disk) -> None:
        path = filled / "sub" / "deep"
        assert isinstance(path, DiskPath)
        assert path.disk is filled
        assert (path / "c.bin").read_bytes() == LAYOUT["sub/deep/c.bin"]
        assert (filled / "a.txt").read_text() == "alpha\nbeta\n"
        assert [entry.as_posix() for entry in path.iterdir()] == ["sub/deep/c.bin"]
        found = sorted(entry.as_posix() for entry in (filled / "").rglob("*.*"))
        assert found == ["a.txt", "data.json", "sub/b.tar.gz", "sub/deep/c.bin"]
        steps = [(here.as_posix(), names, rest) for here, names, rest in (filled / "").walk()]
        assert steps == [
            (".", ["sub", EMPTY_DIRECTORY], ["a.txt", "data.json", "empty"]),
            ("sub", ["deep"], ["b.tar.gz"]),
            ("sub/deep", [], ["c.bin"]),
            (EMPTY_DIRECTORY, [], []),
        ]
        assert path.is_dir()
        assert not path.is_file()
        assert not path.is_symlink()
        assert (path / "c.bin").stat().size == (path / "c.bin").lstat().size == 76800

    def test_a_disk_path_changes_what_the_disk_holds(self, writable: Disk) -> None:
        path = writable / "new"
        path.mkdir()
        with pytest.raises(FileExistsError):
            path.mkdir()
        path.mkdir(exist_ok=True)
        (path / "one" / "two").mkdir(parents=True)
        assert (path / "f").write_text("é\n") == 2
        assert (path / "f").write_bytes(b"123") == 3
        (path / "t").touch()
        moved = (path / "f").rename("new/g")
        assert moved == path / "g"
        assert moved.read_bytes() == b"123"
        moved.unlink()
        with pytest.raises(FileNotFoundError):
            moved.unlink()
        moved.unlink(missing_ok=True)
        with pytest.raises(OSError):
            path.rmdir()
        (path / "one" / "two").rmdir()
        assert writable.all_directories("new") == ["new/one"]
        with pytest.raises(FileNotFoundError):
            (writable / "gone" / "f").write_bytes(b"1")

    def test_a_disk_path_outlives_no_disk(self, disk: Disk) -> None:
        path = disk / "a"
        disk.close()
        with pytest.raises(ValueError, match="closed"):
            path.exists()
        with pytest.raises(ValueError, match="closed"):
            path.lstat()


def _tests_of_writing() -> list[str]:
    return [
        name
        for name, test in vars(DiskConformance).items()
        if name.startswith("test_")
        and {"writable", "lockable"} & inspect.signature(test).parameters.keys()
    ]


def _in_threads(works: list[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (reported by the test)
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
