"""What an encrypted disk keeps, tells and refuses, over a directory and in memory."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safefs.age import (
    ScryptIdentity,
    X25519Identity,
    decrypt_bytes,
    encrypt_bytes,
)
from safefs.age.stream import Chunks
from safefs.disk import Disk
from safefs.drivers.locking import LockDirectory
from safefs.drivers.memory import MemoryDriver
from safefs.errors import (
    EscapeError,
    PolicyError,
    PreconditionError,
    SameFileError,
    SealedFileError,
    WrongKeyError,
)
from safefs.policy import Policy
from tests.sealed import CHUNK, CONTENTS, IDENTITY, OTHER, SEALED_FILES, SIZES, payload_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.access import Access


@pytest.fixture(params=["local", "memory"])
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """What lies on the disk."""
    directory = tmp_path / "m" / "m" / "m" / "disk"
    if request.param == "local":
        made = Disk(directory, name="d", create=True)
    else:
        made = Disk._over(MemoryDriver(), name="d")
    with made as disk:
        yield disk


@pytest.fixture
def disk(plain: Disk) -> Iterator[Disk]:
    with plain.encrypted(IDENTITY) as disk:
        yield disk


# -- what lies there, and what is told -------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_what_is_put_lies_there_as_an_age_file_and_is_read_again(
    plain: Disk, disk: Disk, size: int
) -> None:
    disk.put("f", CONTENTS[size])
    stored = plain.get("f")
    assert decrypt_bytes(stored, [IDENTITY]) == CONTENTS[size] == disk.get("f")
    assert size < 64 or CONTENTS[size][:64] not in stored
    with disk.read_stream("f") as file:
        assert b"".join(iter(lambda: file.read(1000), b"")) == CONTENTS[size]


@pytest.mark.parametrize("size", SIZES)
def test_sizes_and_checksums_are_of_the_content(disk: Disk, size: int) -> None:
    disk.put("d/f", CONTENTS[size])
    assert disk.size("d/f") == disk.stat("d/f").size == (disk / "d/f").lstat().size == size
    assert disk.stat("d/f").st_size == size
    assert disk.checksum("d/f") == hashlib.sha256(CONTENTS[size]).hexdigest()
    assert disk.fs.info("/d/f")["size"] == disk.fs.du("/d") == size
    assert [info["size"] for info in disk.fs.ls("/d")] == [size]
    assert disk.stat("d/f").stored == len(SEALED_FILES[size])


def test_the_size_is_known_by_the_lengths_alone(
    plain: Disk, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nobody here could open it."""
    plain.put("f", encrypt_bytes(CONTENTS[3 * CHUNK + 17], [OTHER.recipient]))
    monkeypatch.setattr(X25519Identity, "unwrap", lambda *_: pytest.fail("opened"))
    assert disk.size("f") == 3 * CHUNK + 17
    assert disk.files() == ["f"]
    assert disk.fs.ls("/")[0]["size"] == 3 * CHUNK + 17


def test_a_file_of_another_key_is_told_from_a_damaged_one(plain: Disk, disk: Disk) -> None:
    plain.put("d/f", encrypt_bytes(b"theirs", [OTHER.recipient]))
    for act in (
        disk.get,
        disk.read_stream,
        disk.checksum,
        lambda path: disk.copy(path, disk.fs and plain / "out"),
    ):
        with pytest.raises(WrongKeyError) as caught:
            act("d/f")
        assert caught.value.path == "d/f"
    assert plain.missing("out")


def test_only_what_is_asked_for_is_read_and_opened(plain: Disk, tmp_path: Path) -> None:
    """A range costs one chunk, wherever it lies; the whole is never in memory."""
    with plain.encrypted(IDENTITY) as disk:
        disk.put("f", (bytes([number]) * CHUNK for number in range(50)))
    read: list[int] = []

    with plain.encrypted(IDENTITY) as disk:
        inner = disk._driver.below  # type: ignore[attr-defined]
        opened = inner.open

        def counting(*given: Any, **more: Any) -> Any:
            file = opened(*given, **more)
            whole = file.raw.read

            def counted(size: int = -1) -> Any:
                found = whole(size)
                read.append(len(found))
                return found

            return _Seen(file, counted)

        inner.open = counting
        with disk.open("f", "rb") as file:
            header = sum(read)
            assert header < 10_000
            file.seek(40 * CHUNK + 100)
            assert file.read(4096) == bytes([40]) * 4096
        assert sum(read) - header == CHUNK + 16


class _Seen:
    """A buffered file whose raw one counts what is read."""

    def __init__(self, file: Any, read: Callable[..., bytes]) -> None:
        self._file = file
        self.raw = _SeenRaw(file.raw, read)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class _SeenRaw:
    def __init__(self, raw: Any, read: Callable[..., bytes]) -> None:
        self._raw = raw
        self.read = read

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


@settings(max_examples=60)
@given(data=st.data())
def test_any_range_is_the_same_of_the_content(data: st.DataObject) -> None:
    size = data.draw(st.sampled_from(SIZES))
    content = CONTENTS[size]
    with Disk._over(MemoryDriver()) as plain, plain.encrypted(IDENTITY) as disk:
        plain.put("f", SEALED_FILES[size])
        for buffering in (-1, 0, 100_000):
            with disk.open("f", "rb", buffering) as file:
                for _ in range(4):
                    at = data.draw(st.integers(0, size + 10))
                    wanted = data.draw(st.integers(0, 3 * CHUNK))
                    assert file.seek(at) == at == file.tell()
                    found = file.read(wanted)
                    if buffering == 0:  # as of a raw file, it may be fewer
                        assert content[at : at + wanted].startswith(found)
                        assert bool(found) == bool(content[at : at + wanted])
                    else:
                        assert found == content[at : at + wanted]
                assert file.seek(0, os.SEEK_END) == size
        assert disk.fs.cat_file("/f", at, at + wanted) == content[at : at + wanted]


def test_lines_and_text_are_read_as_of_any_file(disk: Disk) -> None:
    lines = [f"line {number}\n" for number in range(20_000)]
    with disk.open("f", "w") as file:
        file.writelines(lines)
    with disk.open("f") as file:
        assert list(file) == lines
    with disk.open("f", "rb") as file:
        file.seek(CHUNK - 3)
        assert file.readline() == "".join(lines).encode()[CHUNK - 3 :].split(b"\n")[0] + b"\n"
        with pytest.raises(io.UnsupportedOperation):
            file.fileno()  # who read from that would have what lies on the disk
        with pytest.raises(io.UnsupportedOperation):
            file.write(b"1")


# -- tampering -------------------------------------------------------------------------------------


def _changed(data: st.DataObject, sealed: bytes) -> bytes:
    """A file that somebody without the key has made of this one."""
    begin = payload_at(sealed)
    chunks = [sealed[at : at + CHUNK + 16] for at in range(begin + 16, len(sealed), CHUNK + 16)]
    head = sealed[: begin + 16]
    how = data.draw(st.sampled_from(["byte", "cut", "append", "swap", "repeat", "lose"]))
    if how == "byte":
        at = data.draw(st.integers(0, len(sealed) - 1))
        return sealed[:at] + bytes([sealed[at] ^ data.draw(st.integers(1, 255))]) + sealed[at + 1 :]
    if how == "cut":
        return sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    if how == "append":
        return sealed + data.draw(st.binary(min_size=1, max_size=40))
    number = data.draw(st.integers(0, len(chunks) - 1))
    if how == "swap":
        other = data.draw(st.integers(0, len(chunks) - 1))
        chunks[number], chunks[other] = chunks[other], chunks[number]
    elif how == "repeat":
        chunks.insert(number, chunks[number])
    else:
        del chunks[number]
    return head + b"".join(chunks)


def _given_out(read: Callable[[int], bytes]) -> tuple[bytes, bool]:
    """(what is read until the end or an error, whether it was the end)."""
    found = b""
    try:
        while piece := read(10_000):
            found += piece
    except SealedFileError as error:
        return found, error.path != "f"
    return found, True


@settings(max_examples=150)
@given(data=st.data())
def test_what_was_changed_is_refused_before_anything_wrong_is_given_out(
    data: st.DataObject,
) -> None:
    size = data.draw(st.sampled_from(SIZES))
    sealed, content = SEALED_FILES[size], CONTENTS[size]
    changed = _changed(data, sealed)
    if changed == sealed:  # two equal places were swapped
        return
    with Disk._over(MemoryDriver()) as plain, plain.encrypted(IDENTITY) as disk:
        plain.put("f", changed)
        for act in (disk.get, disk.checksum, lambda path: disk.fs.cat_file(f"/{path}")):
            with pytest.raises(SealedFileError) as caught:
                act("f")
            assert caught.value.path in ("f", "/f")
        try:
            file = disk.open("f", "rb")
        except SealedFileError:
            return
        with file:
            found, ended = _given_out(file.read)
            assert not ended
            assert content.startswith(found)
            # And from anywhere: each piece that is given out is the one that was there.
            at = data.draw(st.integers(0, size))
            try:
                file.seek(at)
                assert content[at:].startswith(file.read(100))
            except SealedFileError:
                pass
            if len(changed) != len(sealed):
                with pytest.raises(SealedFileError):
                    file.seek(0, os.SEEK_END)


# -- how it is written -----------------------------------------------------------------------------


_MODES = ["a", "ab", "a+b", "r+", "r+b", "w+b", "w+", "x+b"]
_DOORS = [
    *((mode, door) for mode in _MODES for door in ("open", "path", "fsspec", "transaction")),
    *((mode, "atomic") for mode in _MODES if mode[0] in "wx"),
]


def _opened(disk: Disk, name: str, mode: str, door: str) -> None:
    if door == "fsspec":
        disk.fs.open(f"/{name}", mode)
    elif door == "transaction":
        with disk.fs.transaction:
            disk.fs.open(f"/{name}", mode)
    elif door == "path":
        (disk / name).open(mode)
    else:
        disk.open(name, mode, atomic=door == "atomic")


@pytest.mark.parametrize(("mode", "door"), _DOORS)
def test_a_file_is_not_changed_in_place_and_it_is_said_why(
    disk: Disk, mode: str, door: str
) -> None:
    name = "new" if "x" in mode else "f"
    disk.put("f", b"before")
    with pytest.raises(io.UnsupportedOperation, match="a sealed file is written") as caught:
        _opened(disk, name, mode, door)
    assert isinstance(caught.value, OSError | ValueError)
    assert disk.get("f") == b"before"
    assert disk.files() == ["f"]


def test_what_is_written_is_no_file_before_it_is_closed(disk: Disk) -> None:
    with disk.open("f", "wb") as file:
        file.write(b"1" * 3 * CHUNK)
        file.flush()
        with pytest.raises(SealedFileError):
            disk.get("f")
        assert file.tell() == 3 * CHUNK
        with pytest.raises(io.UnsupportedOperation):
            file.seek(0)
        with pytest.raises(io.UnsupportedOperation):
            file.truncate(1)
    assert disk.get("f") == b"1" * 3 * CHUNK


def test_append_and_prepend_read_and_replace(plain: Disk, disk: Disk) -> None:
    disk.put("f", CONTENTS[CHUNK])
    before = plain.etag("f")
    disk.append("f", b"behind", separator=b"-")
    disk.prepend("f", b"before", separator=b"-")
    assert disk.get("f") == b"before-" + CONTENTS[CHUNK] + b"-behind"
    assert plain.etag("f") != before
    disk.append("new/f", b"1", separator=b"-")
    assert disk.get("new/f") == b"1"


def test_two_files_of_one_content_have_nothing_in_common(plain: Disk, disk: Disk) -> None:
    disk.put("a", CONTENTS[CHUNK])
    disk.put("b", CONTENTS[CHUNK])
    one, other = plain.get("a"), plain.get("b")
    assert one[payload_at(one) :][:32] != other[payload_at(other) :][:32]


@pytest.mark.parametrize("atomic", [False, True, None])
def test_a_fork_does_not_write_on(tmp_path: Path, *, atomic: bool | None) -> None:
    """It has the key and the place of the next chunk, where another content would show both."""
    with Disk(tmp_path) as plain, plain.encrypted(IDENTITY) as disk:
        if atomic is None:
            file: Any = disk._driver.draft(disk._path("f"), "wb")
        else:
            file = disk.open("f", "wb", atomic=atomic)
        file.write(b"1" * 2 * CHUNK)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                file.write(b"2" * 2 * CHUNK)
                file.close()
            except ValueError:
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        file.write(b"3")
        file.close()
        if atomic is None:
            file.commit()
        assert disk.get("f") == b"1" * 2 * CHUNK + b"3"


SOURCES: dict[str, Callable[[Disk, Iterator[bytes]], object]] = {
    "put": lambda disk, chunks: disk.put("f", chunks),
    "write_stream": lambda disk, chunks: disk.write_stream("f", chunks),
    "extract": lambda disk, chunks: _planted(disk, chunks),
}


def _planted(disk: Disk, chunks: Iterator[bytes]) -> None:
    """As a member of an archive is."""
    with closing(disk._driver.bed(disk._path("d"), draft=True)) as bed:
        bed.create(disk._path("f"), chunks, None, None, replace=False)


@pytest.mark.parametrize("more", [b"2" * 2 * CHUNK, b""], ids=["goes on", "ends"])
@pytest.mark.parametrize("door", SOURCES)
def test_a_fork_within_the_content_seals_nothing(tmp_path: Path, door: str, more: bytes) -> None:
    top, sealed = os.getpid(), tmp_path / "sealed"
    seal = Chunks.seal

    def watched(self: Chunks, number: int, data: Any, *, last: bool) -> bytes:
        with sealed.open("a") as told:
            told.write(f"{number} {last}\n")
        return seal(self, number, data, last=last)

    def content() -> Iterator[bytes]:
        yield b"1" * CHUNK
        yield b"1"
        if (child := os.fork()) == 0:
            yield from [more] if more else []
            return
        told.append(os.waitpid(child, 0)[1])
        yield b"3" * 2 * CHUNK

    told: list[int] = []
    with (
        Disk(tmp_path / "disk", create=True) as plain,
        plain.encrypted(IDENTITY) as disk,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(Chunks, "seal", watched)
        try:
            SOURCES[door](disk, content())
        except ValueError as error:
            if os.getpid() != top:
                os._exit(0 if "another process" in str(error) else 3)
        finally:
            if os.getpid() != top:
                os._exit(4)
        assert told == [0]
        if door != "extract":  # whose bed is published later
            assert disk.get("f") == b"1" * (CHUNK + 1) + b"3" * 2 * CHUNK
    lines = sealed.read_text().splitlines()
    assert len(lines) == len(set(lines)) > 1


@pytest.mark.parametrize("atomic", [False, True])
def test_threads_write_one_after_the_other(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, *, atomic: bool
) -> None:
    """Also without a buffer, or two chunks would have one nonce."""
    taken: list[int] = []
    seal = Chunks.seal

    def slow(self: Chunks, number: int, data: Any, *, last: bool) -> bytes:
        taken.append(number)
        time.sleep(0.001)
        return seal(self, number, data, last=last)

    monkeypatch.setattr(Chunks, "seal", slow)
    with disk.open("f", "wb", 0, atomic=atomic) as file:

        def write(letter: bytes) -> None:
            for _ in range(8):
                file.write(letter * CHUNK)

        threads = [threading.Thread(target=write, args=(each,)) for each in (b"1", b"2")]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert taken == list(range(16))
    found = disk.get("f")
    assert sorted(found[at : at + CHUNK][:1] for at in range(0, len(found), CHUNK)) == (
        [b"1"] * 8 + [b"2"] * 8
    )
    assert all(len(set(found[at : at + CHUNK])) == 1 for at in range(0, len(found), CHUNK))


def test_who_writes_already_does_not_write_in_between() -> None:
    """As a signal handler would: it is no other thread."""
    from safefs.drivers.sealed import SealingRaw

    class Target:
        def write(self, data: bytes) -> int:
            if told:
                raw.write(b"2")
            return len(data)

    told: list[int] = []
    raw = SealingRaw(Target(), IDENTITY)
    told.append(1)
    with pytest.raises(RuntimeError, match="reentrant"):
        raw.write(b"1" * 2 * CHUNK)


def test_a_draft_that_is_dropped_leaves_nothing(plain: Disk, disk: Disk) -> None:
    disk.put("f", b"before")
    fs = disk.fs
    fs.transaction.start()
    with fs.open("/f", "wb") as file:
        file.write(b"1" * 2 * CHUNK)
    fs.transaction.complete(commit=False)
    with disk.fs.transaction, disk.fs.open("/new", "wb") as file:
        file.write(b"2" * 2 * CHUNK)
        assert disk.missing("new")
    assert disk.get("f") == b"before"
    assert disk.get("new") == b"2" * 2 * CHUNK
    assert plain.sweep(older_than=0) == []


# -- versions --------------------------------------------------------------------------------------


def test_versions_are_of_what_lies_there_or_of_the_content(plain: Disk, tmp_path: Path) -> None:
    plain._locks = plain._locks or LockDirectory.at(tmp_path / "locks")
    with plain.encrypted(IDENTITY) as disk:
        disk.put("f", b"1")
        tag = disk.etag("f")
        assert tag == plain.etag("f")
        disk.put("f", b"2", if_match=tag)
        with pytest.raises(PreconditionError):
            disk.put("f", b"3", if_match=tag)
        tag = disk.etag("f", checksum="sha256")
        assert tag == "sha256:" + hashlib.sha256(b"2").hexdigest()
        disk.put("f", b"2")
        disk.put("f", b"3", if_match=tag)
        with pytest.raises(PreconditionError):
            disk.put("f", b"4", if_match=tag)
        with pytest.raises(FileExistsError):
            disk.put("f", b"4", if_none_match="*")
        plain.put("f", b"plain")
        with pytest.raises(SealedFileError) as caught:
            disk.put("f", b"4", if_match=tag)
        assert caught.value.path == "f"


# -- plain files -----------------------------------------------------------------------------------

PLAIN = {"text": b"plain", "empty": b"", "half": b"age-encrypt", "armor": b"-----BEGIN AGE"}


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_file_is_listed_and_not_read(plain: Disk, disk: Disk, name: str) -> None:
    plain.put("d/f", PLAIN[name])
    for act in (
        disk.get,
        disk.size,
        disk.checksum,
        disk.open,
        lambda path: disk.stat(path).size,
        lambda path: disk.copy(path, "copied"),
        lambda path: disk.copy(path, plain / "copied"),
        lambda path: disk.append(path, b"1"),
        lambda path: disk.prepend(path, b"1"),
        lambda path: disk.archive(path, "packed.zip"),
        lambda path: disk.copy_tree("d", "copied"),
        lambda path: disk.sync_to(plain / "copied", source="d"),
        lambda path: disk.fs.cat(f"/{path}"),
        lambda path: disk.rewrap(),
    ):
        with pytest.raises(SealedFileError, match="plain file on an encrypted disk") as caught:
            act("d/f")
        assert str(caught.value.path).endswith("d/f") or caught.value.path == "f"
    assert plain.all_files() == ["d/f"]
    found = disk.stat("d/f")
    assert (found.kind, found.stored) == ("file", len(PLAIN[name]))
    assert found == pickle.loads(pickle.dumps(found))
    assert "plain file" in repr(found)
    assert disk.all_files() == disk.files("d") == ["d/f"]
    assert disk.file_exists("d/f")
    assert disk.etag("d/f") == plain.etag("d/f")
    assert disk.fs.info("/d/f")["size"] is None
    assert disk.fs.find("/") == ["/d/f"]
    with pytest.raises(ValueError, match="size"):
        disk.fs.du("/d")
    assert plain.get("d/f") == PLAIN[name]
    disk.move("d/f", "moved")
    disk.put("moved", b"sealed")
    assert disk.get("moved") == b"sealed"
    disk.delete("moved")


@pytest.mark.parametrize("name", PLAIN)
def test_a_plain_file_is_read_where_that_is_allowed_and_all_that_is_written_is_sealed(
    plain: Disk, name: str
) -> None:
    content = PLAIN[name]
    with plain.encrypted(IDENTITY, allow_plain=True) as disk:
        for narrowed in (disk, disk.scoped(""), disk.read_only()):
            plain.put("d/f", content)
            assert narrowed.get("d/f") == content
            assert narrowed.size("d/f") == len(content)
            with narrowed.open("d/f", "rb") as file:
                assert file.read() == content
        disk.copy("d/f", "copied")
        disk.sync_to(disk / "synced", source="d")
        disk.copy_tree("d", "tree")
        disk.append("d/f", b"1")
        assert disk.get("d/f") == content + b"1"
        for path in plain.all_files():
            assert plain.get(path).startswith(b"age-encryption.org/v1\n")
        assert disk.get("copied") == content


def test_what_begins_like_an_age_file_is_one_or_damaged(plain: Disk) -> None:
    plain.put("f", b"age-encryption.org/v2\nand more")
    with plain.encrypted(IDENTITY, allow_plain=True) as disk, pytest.raises(SealedFileError):
        disk.get("f")


def test_a_size_that_cannot_be_true_is_told_when_it_is_asked_for(plain: Disk, disk: Disk) -> None:
    plain.put("f", SEALED_FILES[CHUNK + 1][:-5])
    assert disk.files() == ["f"]
    with pytest.raises(SealedFileError, match="cut off"):
        disk.size("f")
    assert disk.fs.ls("/")[0]["size"] is None


# -- other disks -----------------------------------------------------------------------------------

TREE = {"d/empty": b"", "d/e/large": CONTENTS[CHUNK + 1], "d/small": b"small"}


def _fill(disk: Disk) -> None:
    for path, content in TREE.items():
        disk.put(path, content)
    disk.make_directory("d/void")


def _held(disk: Disk, top: str) -> dict[str, bytes]:
    return {path.replace(top, "d", 1): disk.get(path) for path in disk.all_files(top)}


@pytest.mark.parametrize("of", ["plain", "encrypted", "another key"])
@pytest.mark.parametrize("to", ["plain", "encrypted", "another key"])
def test_what_goes_from_disk_to_disk_is_opened_and_sealed_as_it_must(
    plain: Disk, tmp_path: Path, of: str, to: str
) -> None:
    def made(disk: Disk, how: str) -> Disk:
        keys = {"encrypted": IDENTITY, "another key": OTHER}
        return disk.encrypted(keys[how]) if how in keys else disk

    with Disk(tmp_path / "other", create=True) as other:
        source, target = made(plain, of), made(other, to)
        _fill(source)
        source.copy("d/small", target / "copied")
        assert target.get("copied") == b"small"
        source.copy_tree("d", target / "tree")
        assert _held(target, "tree") == TREE
        assert target.directory_exists("tree/void")
        source.sync_to(target / "synced", source="d")
        assert _held(target, "synced") == TREE
        assert source.sync_to(target / "synced", source="d").steps == ()
        assert source.sync_to(target / "synced", source="d", checksum=True).steps == ()
        assert source.move("d/small", target / "moved") == "copied"
        assert target.get("moved") == b"small"
        source.move_tree("d", target / "tree2")
        assert source.all_files() == []
        if to != "plain":
            for path in other.all_files():
                assert other.get(path).startswith(b"age-encryption.org/v1\n")


def test_one_file_seen_sealed_and_plain_is_one_file(plain: Disk, disk: Disk) -> None:
    """What took it for two would read what it has just cut."""
    disk.put("f", b"1")
    for act in (plain.copy, plain.move):
        with pytest.raises(SameFileError):
            act("f", disk / "f")
    with pytest.raises(OSError, match="lie in each other"):
        plain.sync_to(disk, delete=True)
    assert disk.get("f") == b"1"


def test_what_is_derived_from_an_encrypted_disk_is_encrypted(plain: Disk, disk: Disk) -> None:
    disk.put("d/f", b"1")
    for derived, path in (
        (disk.scoped("d"), "f"),
        (disk.read_only(), "d/f"),
        (disk.with_policy(Policy(portable_names=True)), "d/f"),
        (disk.scoped("d").read_only(), "f"),
    ):
        assert derived.get(path) == b"1"
        if not derived.policy.read_only:
            derived.put(path, b"1")
            assert plain.get("d/f") != b"1"
        with pytest.raises(ValueError, match="encrypted already"):
            derived.encrypted(OTHER)
    assert disk.name == disk.read_only().name == "d"
    plain.revoke()
    with pytest.raises(ValueError, match="revoked"):
        disk.get("d/f")


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("AGE-SECRET-KEY-1", "a passphrase protects"),
        (b"secret", "a passphrase protects"),
        (ScryptIdentity("secret"), "a passphrase protects"),
        (None, "not NoneType"),
        (IDENTITY.recipient, "not X25519Recipient"),
    ],
    ids=["str", "bytes", "scrypt", "None", "recipient"],
)
def test_what_is_no_key_is_one_error_that_does_not_show_it(
    plain: Disk, key: Any, hint: str
) -> None:
    with pytest.raises(TypeError, match=hint) as caught:
        plain.encrypted(key)
    assert "SECRET" not in str(caught.value)


def test_the_key_shows_nowhere(disk: Disk) -> None:
    secret = IDENTITY.reveal()
    disk.put("f", b"1")
    with disk.open("f", "rb") as file:
        surfaces = (repr(disk), str(vars(disk)), str(vars(disk._driver)), repr(file), str(disk.fs))
    assert not any(secret in surface for surface in surfaces)
    assert "EncryptedDriver(" in repr(disk)


def test_policies_and_confinement_are_those_below(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SEALED_FILES[1])
    with Disk(tmp_path / "a" / "b", create=True) as plain, plain.encrypted(IDENTITY) as disk:
        (tmp_path / "a" / "b" / "out").symlink_to("../../secret")
        (tmp_path / "a" / "b" / "abs").symlink_to(tmp_path / "secret")
        disk.put("d/f", b"1")
        (tmp_path / "a" / "b" / "in").symlink_to("d/f")
        for path in ("out", "abs", "../secret", "d/../../../secret"):
            for act in (disk.get, disk.size, disk.open, disk.checksum, disk.fs.cat):
                with pytest.raises(EscapeError):
                    act(path)
            with pytest.raises(EscapeError):
                disk.open(path, "ab")
        assert disk.stat("out").kind == disk.stat("abs").kind == "symlink"
        assert disk.files() == ["in"]
        assert (disk.get("in"), disk.size("in")) == (b"1", 1)
        assert (disk / "in").is_symlink()
        with disk.open("in", "wb") as file:
            file.write(b"2")  # through the link, as on any disk
        assert disk.get("d/f") == b"2"
        with disk.with_policy(Policy(symlinks="never")) as narrow, pytest.raises(PolicyError):
            narrow.get("in")
        with disk.with_policy(Policy(deny=("d/",))) as narrow, pytest.raises(PolicyError):
            narrow.get("d/f")


@pytest.mark.parametrize("door", ["put", "append", "copy", "sync_to"])
def test_what_is_too_large_once_it_is_sealed_leaves_no_directories(
    plain: Disk, disk: Disk, tmp_path: Path, door: str
) -> None:
    disk.put("exact", b"8 bytes!")
    most = plain.size("exact")
    with (
        Disk(tmp_path / "other", create=True) as other,
        disk.with_policy(Policy(max_file_size=most)) as small,
    ):
        doors: dict[str, Callable[[str, bytes], object]] = {
            "put": small.put,
            "append": small.append,
            "copy": lambda path, _: other.copy("f", small / path),
            "sync_to": lambda path, _: other.sync_to(small / path),
        }
        other.put("f", b"nine byte")
        with pytest.raises(PolicyError, match="max_file_size"):
            doors[door]("a/b/c", b"nine byte")
        assert plain.all_directories() == []
        other.put("f", b"8 bytes!")
        doors[door]("a/b/c", b"8 bytes!")
        assert disk.get("a/b/c/f" if door == "sync_to" else "a/b/c") == b"8 bytes!"


def test_quotas_and_the_largest_size_count_what_is_stored(plain: Disk, disk: Disk) -> None:
    disk.put("f", b"")
    header = plain.size("f")
    with disk.with_policy(Policy(max_file_size=header + 8)) as small:
        small.put("f", b"8 bytes!")
        small.append("new", b"8 bytes!")
        too_much: list[Callable[[], None]] = [
            lambda: small.put("f", b"nine byte"),
            lambda: small.append("f", b"!"),
            lambda: small.write_stream("f", [b"!"] * 9),
        ]
        for act in too_much:
            with pytest.raises(PolicyError) as caught:
                act()
            assert caught.value.rule == "max_file_size"
        assert small.get("f") == b"8 bytes!"
    with disk.with_policy(Policy(quota_bytes=3 * header + 16)) as full:
        full.put("third", b"")
        with pytest.raises(PolicyError) as caught:
            full.put("fourth", b"")
        assert caught.value.rule == "quota_bytes"


def test_archives_are_packed_of_contents_and_unpacked_sealed(plain: Disk, disk: Disk) -> None:
    _fill(disk)
    for name in ("packed.tar.gz", "packed.zip"):
        disk.archive("d", name)
        assert not plain.get(name).startswith((b"PK", b"\x1f\x8b"))
        disk.extract(name, into=f"un{name}")
        assert _held(disk, f"un{name}") == TREE
        held = io.BytesIO()
        disk.archive("d", held, format=name.partition(".")[2])
        plain.extract(io.BytesIO(held.getvalue()), into=f"plain{name}")
        assert _held(plain, f"plain{name}") == TREE
        disk.extract(disk / name, into="p", partial=True)
        disk.delete_directory("p")
    for path in disk.all_files("unpacked.zip"):
        assert plain.get(path).startswith(b"age-encryption.org/v1\n")


def test_an_observer_is_told_of_each_operation_once(tmp_path: Path) -> None:
    told: list[Access] = []
    with Disk(tmp_path, on_access=told.append) as plain, plain.encrypted(IDENTITY) as disk:
        told.clear()
        disk.put("f", b"1")
        disk.get("f")
        disk.size("f")
        disk.files()
        with pytest.raises(EscapeError):
            disk.get("../x")
        with disk.scoped("") as scoped:
            scoped.get("f")
        seen = [(each.operation, each.path, each.outcome) for each in told]
    assert seen == [
        ("Disk.put", "f", "done"),
        ("Disk.get", "f", "done"),
        ("Disk.size", "f", "done"),
        ("Disk.files", "", "done"),
        ("Disk.get", "../x", "refused"),
        ("Disk.scoped", "", "done"),
        ("Disk.get", "f", "done"),
    ]


def test_what_would_become_of_an_append_is_told(disk: Disk) -> None:
    disk.put("f", b"1")
    found = disk.explain("f", "append")
    assert not found.allowed
    assert found.error == "UnsupportedOperation"
    assert "as a whole" in str(found.reason)
    assert disk.explain("f", "read").allowed
    assert disk.explain("gone", "append").error == "UnsupportedOperation"
    assert disk.explain("gone/f", "append").error == "FileNotFoundError"


def test_changes_are_told_as_of_any_disk(disk: Disk, plain: Disk) -> None:
    with disk.watch(polling=True, interval=0.01) as watcher:
        disk.put("f", b"1")
        plain.put("plain", b"1")
        seen = {next(watcher).path, next(watcher).path}
    assert seen == {"f", "plain"}


def test_locks_are_those_of_the_disk_below(tmp_path: Path) -> None:
    with (
        Disk(tmp_path / "d", create=True, locks=tmp_path / "locks") as plain,
        plain.encrypted(IDENTITY) as disk,
        plain.lock("import"),
        pytest.raises(OSError, match="import"),
        disk.lock("import", timeout=0),
    ):
        pass


# -- another key -----------------------------------------------------------------------------------


class _Rotated:
    """A present key, and one from before."""

    recipient = OTHER.recipient

    def unwrap(self, stanzas: Any) -> Any:
        return OTHER.unwrap(stanzas) or IDENTITY.unwrap(stanzas)


def test_headers_are_sealed_for_the_present_key_and_bodies_stay(plain: Disk, disk: Disk) -> None:
    _fill(disk)
    disk.set_visibility("d/small", "private")
    before = {path: plain.get(path) for path in plain.all_files()}
    times = {path: plain.stat(path).mtime_ns for path in before}
    with plain.encrypted(_Rotated()) as both, plain.encrypted(OTHER) as later:
        report = both.rewrap()
        assert [step.path for step in report.steps] == [
            "d/empty",
            "d/small",
            "d/e/large",
        ]
        assert report.entries == len(before)
        assert _held(later, "d") == TREE
        for path, old in before.items():
            new = plain.get(path)
            assert new != old
            assert new[payload_at(new) :] == old[payload_at(old) :]
            assert plain.stat(path).mtime_ns == times[path]
        assert plain.stat("d/small").permissions == 0o600
        assert both.rewrap("d/small").entries == both.rewrap("d/e").entries == 1
        assert both.rewrap("d/e").steps[0].path == "large"
        with pytest.raises(WrongKeyError):
            disk.get("d/small")
        with pytest.raises(FileNotFoundError):
            both.rewrap("gone")
        with both.read_only() as fixed, pytest.raises(PolicyError):
            fixed.rewrap()
    with pytest.raises(ValueError, match="not encrypted"):
        plain.rewrap()


def test_what_cannot_be_given_to_the_present_key_is_told_and_left(plain: Disk, disk: Disk) -> None:
    stranger = encrypt_bytes(b"theirs", [X25519Identity.generate().recipient])
    for path, content in (("a", b"plain"), ("b", stranger), ("c", SEALED_FILES[1])):
        plain.put(path, content)
    told: list[Exception] = []
    report = disk.rewrap(on_error=told.append)
    assert [(step.action, step.path) for step in report.steps] == [
        ("skip", "a"),
        ("skip", "b"),
        ("replace", "c"),
    ]
    assert [(type(each), each.path) for each in told if isinstance(each, SealedFileError)] == [
        (SealedFileError, "a"),
        (WrongKeyError, "b"),
    ]
    assert (plain.get("a"), plain.get("b")) == (b"plain", stranger)
    with plain.encrypted(IDENTITY, allow_plain=True) as lenient:
        plain.delete("b")
        assert [step.path for step in lenient.rewrap().steps] == ["c"]
        assert plain.get("a") == b"plain"


def _plain(content: bytes) -> bytes:
    del content
    return b"no age file"


def _cut(content: bytes) -> bytes:
    return content[:-30]


def _damaged(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("spoilt", [_plain, _cut, _damaged])
@pytest.mark.parametrize("checksum", [False, True])
def test_a_mirror_replaces_what_cannot_be_read_and_does_not_take_it_for_a_source(
    plain: Disk,
    disk: Disk,
    tmp_path: Path,
    spoilt: Callable[[bytes], bytes],
    *,
    checksum: bool,
) -> None:
    with Disk(tmp_path / "other", create=True) as other:
        other.put("f", b"a content")
        other.sync_to(disk / "copy")
        plain.put("copy/f", spoilt(plain.get("copy/f")))
        report = other.sync_to(disk / "copy", checksum=checksum)
        assert [(step.action, step.path) for step in report.steps] == [("replace", "f")]
        assert disk.get("copy/f") == b"a content"
        plain.put("copy/f", spoilt(plain.get("copy/f")))
        with pytest.raises(SealedFileError):
            disk.sync_to(other / "back", source="copy")


def test_a_file_that_is_not_whole_is_not_given_to_the_present_key(plain: Disk, disk: Disk) -> None:
    """Who is writing it would write on into what has no name any more."""
    disk.put("f", b"before" * CHUNK)
    with disk.open("f", "wb") as file:
        file.write(b"1" * 3 * CHUNK)
        file.flush()
        with pytest.raises(SealedFileError, match="'f'"):
            disk.rewrap()
        file.write(b"2")
    assert disk.get("f") == b"1" * 3 * CHUNK + b"2"
    cut = plain.get("f")[:-20]
    plain.put("f", cut)
    told: list[Exception] = []
    assert disk.rewrap(on_error=told.append).steps[0].action == "skip"
    assert isinstance(told[0], SealedFileError)
    assert plain.get("f") == cut


@pytest.mark.parametrize("contents", [[b"1"], [b"1", b"2"], [b"1", b"2", b"3"]], ids=len)
def test_who_writes_at_the_last_moment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contents: list[bytes]
) -> None:
    """After the file was last looked at, before it is replaced; and as that is taken back."""
    from safefs.kernel import syscalls

    exchange, writes = syscalls.rename_exchange, iter(contents)
    with Disk(tmp_path) as plain, plain.encrypted(IDENTITY) as disk:

        def late(fd: int, one: bytes, other: bytes) -> int:
            if (content := next(writes, None)) is not None:
                disk.put("f", content)
            return exchange(fd, one, other)

        disk.put("f", b"before")
        monkeypatch.setattr(syscalls, "rename_exchange", late)
        assert disk.rewrap().entries == 1
        assert next(writes, None) is None
        assert disk.get("f") == contents[-1]
        assert os.listdir(tmp_path) == ["f"]


def test_who_writes_while_headers_are_sealed_anew_wins(
    plain: Disk, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safefs.drivers import rewrapping

    disk.put("f", b"before")
    whole, writes = rewrapping._whole, iter([True])

    def meanwhile(*given: Any) -> Iterator[bytes]:
        yield from whole(*given)
        if next(writes, False):
            disk.put("f", b"meanwhile")

    monkeypatch.setattr(rewrapping, "_whole", meanwhile)
    assert disk.rewrap().entries == 1
    assert disk.get("f") == b"meanwhile"
