"""Archives of a disk: what comes out is what went in, by the same bytes, whole or nothing."""

from __future__ import annotations

import ensurepip
import errno
import io
import os
import random
import stat
import tarfile
import threading
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safefs import (
    ArchiveError,
    Budget,
    BudgetError,
    Disk,
    InvalidPathError,
    PolicyError,
    Progress,
    SameFileError,
)
from safefs.disk import Disk as AnyDisk
from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.operations import replace
from safefs.policy import Policy
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMATS = ("tar", "tar.gz", "tar.bz2", "tar.xz", "zip")
Tree = dict[str, tuple[object, ...]]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with Disk(tmp_path / "disk", create=True) as made:
        made.put("site/index.html", "<p>hello")
        made.put("site/img/a.bin", bytes(range(256)) * 1000)
        made.put("site/empty", b"")
        made.make_directory("site/none")
        os.symlink("img/a.bin", tmp_path / "disk/site/latest")
        os.symlink("gone", tmp_path / "disk/site/dangling")
        (tmp_path / "disk/site/index.html").chmod(0o640)
        (tmp_path / "disk/site/img").chmod(0o750)
        yield made


def _tree(top: Path) -> Tree:
    """Kinds, permissions, link texts and bytes, by name."""
    found: Tree = {}
    for directory, directories, names in os.walk(top):
        for name in (*directories, *names):
            path = Path(directory, name)
            seen = path.lstat()
            key = str(path.relative_to(top))
            if stat.S_ISLNK(seen.st_mode):
                found[key] = ("link", os.readlink(path))
            elif stat.S_ISDIR(seen.st_mode):
                found[key] = ("directory", stat.S_IMODE(seen.st_mode))
            else:
                found[key] = ("file", stat.S_IMODE(seen.st_mode), path.read_bytes())
    return found


class Stream:
    """Bytes in pieces, that cannot seek."""

    def __init__(self, raw: bytes) -> None:
        self._raw = io.BytesIO(raw)

    def read(self, size: int) -> bytes:
        return self._raw.read(min(size, 1000))


# -- there and back --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_packed_comes_out_as_it_was(
    disk: Disk, tmp_path: Path, kind: str, resolver: str
) -> None:
    packed = disk.archive("site", f"out/site.{kind}")
    report = disk.extract(f"out/site.{kind}", "copy/of/it")
    assert _tree(tmp_path / "disk/copy/of/it") == _tree(tmp_path / "disk/site")
    assert report.entries == packed.entries == 7
    assert {step.path for step in report.steps} == set(_tree(tmp_path / "disk/site"))
    assert report.bytes == packed.bytes == 256_008
    assert disk.sweep(older_than=-60) == []


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("source", ["file", "stream", "another disk", "offset"])
def test_an_archive_comes_from_wherever_it_lies(
    disk: Disk, tmp_path: Path, kind: str, source: str
) -> None:
    packed = io.BytesIO()
    disk.archive("site", packed, format=kind)
    raw = packed.getvalue()
    with Disk(tmp_path / "other", create=True) as other:
        other.put("a", raw)
        behind = io.BytesIO(b"before" + raw)
        behind.seek(6)
        given: dict[str, Any] = {
            "file": io.BytesIO(raw),
            "stream": Stream(raw),
            "another disk": other / "a",
            "offset": behind,
        }
        disk.extract(given[source], "new")
        assert _tree(tmp_path / "disk/new") == _tree(tmp_path / "disk/site")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_standard_library_reads_what_was_packed(disk: Disk, tmp_path: Path, kind: str) -> None:
    disk.archive("site", f"a.{kind}")
    path, into = tmp_path / f"disk/a.{kind}", tmp_path / "theirs"
    if kind == "zip":
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            files = {i.filename: archive.read(i) for i in archive.infolist() if not i.is_dir()}
        assert files["img/a.bin"] == disk.get("site/img/a.bin")
        assert files["latest"] == b"img/a.bin"
    else:
        with tarfile.open(path) as tar:
            tar.extractall(into, filter="tar")
            owners = {(m.uid, m.gid, m.uname, m.gname) for m in tar.getmembers()}
        assert owners == {(0, 0, "", "")}
        assert _tree(into) == _tree(tmp_path / "disk/site")


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_entries_give_the_same_bytes(tmp_path: Path, kind: str) -> None:
    """Whatever the order in which they were made, the time, and what the archive goes to."""
    names = [f"d{n % 3}/f{n}" for n in range(12)]
    found = []
    for turn in range(2):
        with Disk(tmp_path / str(turn), create=True) as disk:
            for name in names if turn else reversed(names):
                disk.put(name, name * 10)
                os.utime(tmp_path / str(turn) / name, (turn * 10**6, turn * 10**9))
            disk.archive("", f"a.{kind}")
            disk.archive("", f"a.{kind}")  # and never holds itself
            again = io.BytesIO()
            disk.delete(f"a.{kind}") if turn else None
            disk.archive("", again, format=kind) if turn else None
            found.append(again.getvalue() if turn else disk.get(f"a.{kind}"))
    assert found[0] == found[1]


def test_times_are_one_for_all_or_those_of_the_files(disk: Disk, tmp_path: Path) -> None:
    os.utime(tmp_path / "disk/site/empty", (1_000_000_001, 1_000_000_001))
    disk.archive("site", "a.tar", mtime=1_234_567_890)
    disk.archive("site", "b.tar", mtime=None)
    with tarfile.open(tmp_path / "disk/a.tar") as tar:
        assert {member.mtime for member in tar.getmembers()} == {1_234_567_890}
    with tarfile.open(tmp_path / "disk/b.tar") as tar:
        assert tar.getmember("empty").mtime == 1_000_000_001
    disk.extract("b.tar", "new")
    assert disk.stat("new/empty").mtime_ns == 1_000_000_001 * 10**9
    with pytest.raises(TypeError, match="mtime is a whole number"):
        disk.archive("site", "c.tar", mtime=1.5)  # type: ignore[arg-type]


def test_hard_links_are_kept_where_that_is_asked(disk: Disk, tmp_path: Path) -> None:
    os.link(tmp_path / "disk/site/img/a.bin", tmp_path / "disk/site/twin")
    disk.archive("site", "linked.tar", hard_links=True)
    disk.archive("site", "plain.tar")
    disk.archive("site", "linked.zip", hard_links=True)
    for name, one in (("linked.tar", True), ("plain.tar", False), ("linked.zip", False)):
        disk.extract(name, f"of/{name}")
        top = tmp_path / "disk/of" / name
        assert (top / "twin").samefile(top / "img/a.bin") == one
        assert (top / "twin").read_bytes() == (top / "img/a.bin").read_bytes()


def test_a_list_of_paths_is_packed_by_names_from_the_root(disk: Disk) -> None:
    disk.archive(["site/img", "site/empty"], "a.zip")
    disk.extract("a.zip", "new")
    assert disk.all_files("new") == ["new/site/empty", "new/site/img/a.bin"]
    disk.archive("site/empty", "one.tar")
    disk.extract("one.tar", "one")
    assert disk.all_files("one") == ["one/site/empty"]


def test_a_link_that_leaves_is_packed_and_not_unpacked(disk: Disk, tmp_path: Path) -> None:
    os.symlink("/somewhere", tmp_path / "disk/site/out")
    disk.archive("site", "a.tar")
    with tarfile.open(tmp_path / "disk/a.tar") as tar:
        assert tar.getmember("out").linkname == "/somewhere"
    with pytest.raises(PermissionError, match="link with an absolute target"):
        disk.extract("a.tar", "new")


def test_drafts_are_in_no_archive_and_special_files_are_an_error(
    disk: Disk, tmp_path: Path
) -> None:
    (tmp_path / "disk/site" / os.fsdecode(replace.temporary_name())).touch()
    report = disk.archive("site", "a.tar")
    assert report.entries == 7
    os.mkfifo(tmp_path / "disk/site/fifo")
    for to in ("a.tar", "b.tar", "not/made/c.tar"):
        with pytest.raises(OSError, match="not a file, directory or link") as error:
            disk.archive("site", to)
        assert error.value.errno == errno.ENXIO
        assert error.value.filename == "site/fifo"
    assert disk.missing("b.tar")
    assert disk.size("a.tar") > 0


def test_what_is_packed_is_not_replaced_by_its_archive(disk: Disk, tmp_path: Path) -> None:
    disk.put("c.tar", b"content")
    (link,) = [tmp_path / path for path in _names_of(tmp_path, "c.tar")]
    os.link(link, link.with_name("d.tar"))
    for source in ("c.tar", "./c.tar", ["d.tar"]):
        with pytest.raises(SameFileError):
            disk.archive(source, "c.tar")
    assert disk.get("c.tar") == b"content"


def _names_of(top: Path, name: str) -> list[Path]:
    return [path.relative_to(top) for path in top.rglob(name)]


def test_an_archive_goes_to_another_disk_too(disk: Disk, tmp_path: Path) -> None:
    with Disk(tmp_path / "other", create=True) as other:
        disk.archive("site", other / "in/a.tgz")
        other.extract("in/a.tgz", "site")
        assert _tree(tmp_path / "other/site") == _tree(tmp_path / "disk/site")
        with pytest.raises(FileExistsError):
            disk.archive("site", other / "in/a.tgz", overwrite=False)


def test_what_is_asked_wrongly_is_one_error(disk: Disk) -> None:
    with pytest.raises(ValueError, match="give format="):
        disk.archive("site", "a.rar")
    with pytest.raises(ValueError, match="give format="):
        disk.archive("site", io.BytesIO())
    with pytest.raises(ValueError, match="format is one of"):
        disk.archive("site", "a", format="rar")
    with pytest.raises(FileNotFoundError):
        disk.archive("nothing", "new/a.tar")
    assert disk.missing("new")
    with pytest.raises(TypeError, match="binary file"):
        disk.archive("site", 5, format="tar")  # type: ignore[arg-type]
    with pytest.raises(ArchiveError, match=r"no '\.\.'"):
        disk.archive(["site/../site"], io.BytesIO(), format="tar")
    with pytest.raises(ValueError, match="nothing to pack"):
        disk.archive([], "none/a.tar")
    assert disk.missing("none")
    for kind in ("tar", "tar.gz", "tar.bz2", "tar.xz", "zip"):
        packed = io.BytesIO()
        disk.archive("site", packed, format=kind)
        with pytest.raises(TypeError, match=r"io\.BytesIO"):
            disk.extract(packed.getvalue())
    with pytest.raises(InvalidPathError):
        disk.extract(b"a\0b.tar")
    with pytest.raises(ValueError, match="overwrite goes with partial"):
        disk.extract("a.tar", overwrite=True)
    with pytest.raises(ValueError, match="a dry run is of the whole"):
        disk.extract("a.tar", partial=True, dry_run=True)
    with pytest.raises(ValueError, match="duplicates is"):
        disk.extract("a.tar", duplicates="first")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="on_error is a callable"):
        disk.extract("a.tar", on_error=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="binary mode"):
        disk.extract(io.StringIO(), "new")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        disk.extract("a.tar")


# -- whole or nothing ------------------------------------------------------------------------------


def _packed(**contents: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def test_an_archive_is_unpacked_beside_what_is_there(disk: Disk) -> None:
    disk.extract(io.BytesIO(_packed(a__b=b"1", c=b"2")), "site")
    assert disk.get("site/a/b") == b"1"
    assert disk.get("site/empty") == b""


@pytest.mark.parametrize("name", ["empty", "img", "dangling"])
def test_a_name_that_is_taken_is_an_error_and_changes_nothing(
    disk: Disk, tmp_path: Path, name: str
) -> None:
    before = _tree(tmp_path / "disk")
    with pytest.raises(FileExistsError) as error:
        disk.extract(io.BytesIO(_packed(a=b"1", **{name: b"2"})), "site")
    assert error.value.filename == name
    assert _tree(tmp_path / "disk") == before


def test_a_name_taken_in_the_last_moment_takes_all_back(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safefs.operations import names, planting

    real = names.rename_noreplace

    def rename(src_fd: int, src: bytes, dst_fd: int, dst: bytes) -> None:
        if dst == b"b":
            (tmp_path / "disk/site/b").touch()
        real(src_fd, src, dst_fd, dst)

    monkeypatch.setattr(planting, "rename_noreplace", rename)
    with pytest.raises(FileExistsError):
        disk.extract(io.BytesIO(_packed(a=b"1", b=b"2", c=b"3")), "site")
    assert sorted(set(os.listdir(tmp_path / "disk/site")) & {"a", "b", "c"}) == ["b"]
    assert disk.sweep(older_than=-60) == []


def test_into_what_is_no_directory_is_an_error(disk: Disk) -> None:
    for into in ("site/empty", "site/empty/deeper"):
        with pytest.raises(NotADirectoryError):
            disk.extract(io.BytesIO(_packed(a=b"1")), into)
    with pytest.raises(PermissionError):
        disk.extract(io.BytesIO(_packed(a=b"1")), "../out")


def test_a_directory_moved_meanwhile_gets_nothing(disk: Disk, tmp_path: Path) -> None:
    """By the descriptor that is held the root would be left."""

    class Mover(Stream):
        moved = False

        def read(self, size: int) -> bytes:
            if not self.moved:
                self.moved = True
                (tmp_path / "disk/site").rename(tmp_path / "taken")
            return super().read(size)

    with pytest.raises(OSError) as error:
        disk.extract(Mover(_packed(a=b"1")), "site")  # type: ignore[arg-type]
    assert error.value.errno in (errno.ESTALE, errno.ENOENT)
    assert not (tmp_path / "taken/a").exists()


def test_nobody_sees_an_archive_before_it_is_whole(disk: Disk) -> None:
    seen = []

    def look(progress: Progress) -> None:
        seen.append((progress.entries, disk.directories(), disk.all_files("new")))

    disk.make_directory("new")
    disk.extract(io.BytesIO(_packed(a=b"1", b=b"2")), "new/place", progress=look)
    assert seen == [(1, ["new", "site"], []), (2, ["new", "site"], [])]


def test_in_part_what_came_before_an_error_stays(disk: Disk) -> None:
    raw = _packed(a=b"1", img__b=b"2", x=b"x" * 2000)
    with pytest.raises(ArchiveError):
        disk.extract(io.BytesIO(raw[:3000]), "site", partial=True)
    assert disk.get("site/a") == b"1"
    assert disk.get("site/img/b") == b"2"
    assert disk.missing("site/x")
    assert disk.sweep(older_than=-60) == []


def test_in_part_a_file_is_replaced_only_where_that_is_asked(disk: Disk, tmp_path: Path) -> None:
    raw = _packed(empty=b"new", latest=b"no link")
    with pytest.raises(FileExistsError):
        disk.extract(io.BytesIO(raw), "site", partial=True)
    report = disk.extract(io.BytesIO(raw), "site", partial=True, overwrite=True)
    assert [step.action for step in report.steps] == ["replace", "replace"]
    assert disk.get("site/empty") == b"new"
    assert not (tmp_path / "disk/site/latest").is_symlink()


def test_the_last_of_one_name_is_taken_where_that_is_asked(disk: Disk) -> None:
    raw = io.BytesIO(_packed(a=b"old"))
    with tarfile.open(fileobj=raw, mode="a") as tar:
        info = tarfile.TarInfo("a")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"new"))
    with pytest.raises(ArchiveError, match="another member has its name"):
        disk.extract(io.BytesIO(raw.getvalue()), "new")
    report = disk.extract(io.BytesIO(raw.getvalue()), "new", duplicates="last")
    assert [step.action for step in report.steps] == ["create", "replace"]
    assert disk.get("new/a") == b"new"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_dry_run_says_what_would_come_of_it(disk: Disk, tmp_path: Path, kind: str) -> None:
    disk.archive("site", f"a.{kind}")
    before = _tree(tmp_path / "disk")
    report = disk.extract(f"a.{kind}", "new", dry_run=True)
    assert _tree(tmp_path / "disk") == before
    assert report == disk.extract(f"a.{kind}", "new")
    with pytest.raises(FileExistsError):
        disk.extract(f"a.{kind}", "new", dry_run=True)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_archive_cut_anywhere_is_one_error_and_changes_nothing(
    disk: Disk, tmp_path: Path, kind: str, scaled: Callable[[int], int]
) -> None:
    disk.put("small/a", "some text " * 20)
    disk.put("small/b/c", os.urandom(900))
    disk.archive("small", f"a.{kind}")
    raw = disk.get(f"a.{kind}")
    before = _tree(tmp_path / "disk")
    # Behind the two blocks that mark the end of a tar stands nothing but zeros.
    end = len(raw.rstrip(b"\0")) // 512 * 512 + 512 + 1024 if kind == "tar" else len(raw)
    cuts = range(0, end, max(1, end // scaled(150)))
    for cut in (*cuts, end - 1):
        with pytest.raises(ArchiveError):
            disk.extract(io.BytesIO(raw[:cut]), "new")
    assert _tree(tmp_path / "disk") == before


@pytest.mark.parametrize("kind", FORMATS)
def test_a_byte_that_was_changed_is_found_out_or_changes_names_alone(
    disk: Disk, tmp_path: Path, kind: str, scaled: Callable[[int], int]
) -> None:
    """Zip and the compressions have checksums of the content; tar has them of headers alone."""
    disk.put("small/a", "some text " * 20)
    disk.archive("small", f"a.{kind}")
    raw = disk.get(f"a.{kind}")
    rng = random.Random(1)
    for _ in range(scaled(60)):
        at = rng.randrange(len(raw))
        changed = raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]
        try:
            disk.extract(io.BytesIO(changed), "new")
        except (OSError, ValueError):
            assert disk.missing("new")
        else:
            disk.delete_directory("new")


# -- other disks -----------------------------------------------------------------------------------


def test_a_disk_in_memory_takes_archives_without_links() -> None:
    with AnyDisk._over(MemoryDriver()) as memory:
        memory.put("a/f", "text")
        memory.put("a/d/g", b"\x00" * 1000)
        for kind in FORMATS:
            memory.archive("a", f"{kind}/a.{kind}")
            memory.extract(f"{kind}/a.{kind}", f"{kind}/b/c")
            assert memory.get(f"{kind}/b/c/d/g") == bytes(1000)
        with pytest.raises(FileExistsError):
            memory.extract("tar/a.tar", "tar/b/c")
        with pytest.raises(FileExistsError):
            memory.extract("tar/a.tar", "tar/b/c", partial=True)
        memory.extract("tar/a.tar", "tar/b/c", partial=True, overwrite=True)
        linked = io.BytesIO()
        with tarfile.open(fileobj=linked, mode="w") as tar:
            info = tarfile.TarInfo("l")
            info.type, info.linkname = tarfile.SYMTYPE, "f"
            tar.addfile(info)
        linked.seek(0)
        with pytest.raises(OSError, match="no links here") as error:
            memory.extract(linked, "linked")
        assert error.value.filename == "l"
        assert memory.missing("linked")


def test_a_disk_that_keeps_its_files_to_itself_goes_on_to(tmp_path: Path) -> None:
    (tmp_path / "private").mkdir()
    driver = LocalDriver(Root(tmp_path / "private"), file_mode=0o600, directory_mode=0o700)
    with AnyDisk._over(driver) as private:
        private.extract(io.BytesIO(_packed(a__b=b"1")), "new/place")
    modes = {path: entry[1] for path, entry in _tree(tmp_path / "private").items()}
    assert set(modes.values()) == {0o700, 0o600}


def test_a_read_only_disk_takes_nothing_and_gives_all(disk: Disk) -> None:
    readable = disk.read_only()
    with readable, pytest.raises(PolicyError):
        readable.extract(io.BytesIO(_packed(a=b"1")), "new")
    packed = io.BytesIO()
    with disk.with_policy(Policy(read_only=True)) as readable:
        readable.archive("site", packed, format="tar")
    assert packed.tell() > 0


def test_packing_keeps_to_a_budget(disk: Disk) -> None:
    with pytest.raises(BudgetError):
        disk.archive("site", "a.tar", budget=Budget(entries=3))
    with pytest.raises(BudgetError):
        disk.archive("site", "a.tar", budget=Budget(bytes=1000))
    assert disk.missing("a.tar")


def test_threads_may_unpack_at_once(disk: Disk) -> None:
    disk.archive("site", "a.tar.gz")
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            disk.extract("a.tar.gz", f"t/{number}")
        except BaseException as error:
            errors.append(error)

    disk.make_directory("t")
    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(disk.directories("t")) == 8


# -- honest archives, many -------------------------------------------------------------------------


@contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


_CHARACTERS = "abcXYZ019-_. \u00e9\u4e2d'\"!~#%+,"


def _grow(rng: random.Random, top: Path) -> None:
    """A small honest tree: files, directories, links within it, odd names and modes."""
    directories: list[Path] = [top]
    files: list[Path] = []
    for _ in range(rng.randrange(1, 9)):
        above = rng.choice(directories)
        name = "".join(rng.choices(_CHARACTERS, k=rng.randrange(1, 12))).strip(" .") or "n"
        path = above / name
        if os.path.lexists(path):
            continue
        kind = rng.choice(("file", "file", "directory", "link", "hard link"))
        if kind == "directory":
            path.mkdir()
            path.chmod(0o700 | rng.randrange(0o100))
            directories.append(path)
        elif kind == "link":
            target = rng.choice([*directories, *files, above / "gone"])
            path.symlink_to(os.path.relpath(target, above))
        elif kind == "hard link" and files:
            path.hardlink_to(rng.choice(files))
        else:
            path.write_bytes(rng.randbytes(rng.choice((0, 1, 511, 512, 513, 5000))))
            path.chmod(0o400 | rng.randrange(0o1000))
            files.append(path)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("untraced")
def test_honest_archives_come_back_byte_for_byte(
    tmp_path: Path, scaled: Callable[[int], int], counted: Callable[..., None]
) -> None:
    """Packed by safefs and by the standard library, unpacked by safefs."""
    started = time.perf_counter()
    wanted, done, links, disagreements = scaled(500), 0, 0, 0
    rng = random.Random(20)
    with _umask(0), Disk(tmp_path) as disk:
        while done < wanted:
            source = tmp_path / "source"
            source.mkdir()
            _grow(rng, source)
            before = _tree(source)
            kind = rng.choice(FORMATS)
            disk.archive("source", f"a.{kind}", hard_links=rng.random() < 0.5)
            packed = [disk.get(f"a.{kind}")]
            if kind != "zip":
                theirs = io.BytesIO()
                with tarfile.open(fileobj=theirs, mode=f"w:{kind[4:]}") as tar:  # type: ignore[call-overload]
                    tar.add(source, ".")
                packed.append(theirs.getvalue())
            for number, raw in enumerate(packed):
                disk.extract(io.BytesIO(raw), f"out{number}")
                disagreements += _tree(tmp_path / f"out{number}") != before
                done += 1
                disk.delete_directory(f"out{number}")
            links += sum(entry[0] == "link" for entry in before.values())
            disk.delete_directory("source")
    assert disagreements == 0
    counted(
        "honest archives round-tripped",
        f"{done:,} archives, {links:,} links",
        seconds=time.perf_counter() - started,
        disagreements=disagreements,
    )


# -- real ones -------------------------------------------------------------------------------------

BUNDLED = sorted(Path(ensurepip.__file__).parent.glob("_bundled/*.whl"))


@pytest.mark.skipif(not BUNDLED, reason="this Python brings no wheels of its own")
@pytest.mark.parametrize("wheel", BUNDLED, ids=lambda path: path.name.partition("-")[0])
def test_a_wheel_unpacks_as_zipfile_has_it(tmp_path: Path, wheel: Path) -> None:
    assert_unpacks_alike(wheel, tmp_path)


def assert_unpacks_alike(archive: Path, into: Path) -> None:
    """That safefs makes of an archive what the standard library does, names and bytes."""
    ours, theirs = into / "ours", into / "theirs"
    with Disk(ours, create=True) as disk, archive.open("rb") as file:
        disk.extract(file)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(theirs)
        # zipfile gives no permissions, and writes a link as a file.
        assert _bytes(_tree(ours)) == _bytes(_tree(theirs))
        return
    with tarfile.open(archive) as packed_tar:
        packed_tar.extractall(theirs, filter="data")
    assert _bytes(_tree(ours)) == _bytes(_tree(theirs))
    assert _links(_tree(ours)) == _links(_tree(theirs))


def _bytes(tree: Tree) -> dict[str, object]:
    return {path: entry[2] for path, entry in tree.items() if entry[0] == "file"}


def _links(tree: Tree) -> Tree:
    return {path: entry for path, entry in tree.items() if entry[0] == "link"}
