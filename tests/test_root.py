"""Root in ordinary use: it does what ``os``, ``shutil`` and the builtin ``open`` do, inside."""

from __future__ import annotations

import errno
import gc
import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Storage
from safefs.errors import EscapeError, InvalidPathError, PolicyError
from safefs.kernel import openat2, probe, syscalls
from safefs.policy import Policy
from safefs.root import Root
from tests import layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.scratch import Scratch

pytestmark = pytest.mark.usefixtures("resolver")

_BIG = bytes(range(256)) * 1024  # 256 KiB: more than one read, and copied by the kernel


@pytest.fixture
def root(scratch: Scratch) -> Iterator[Root]:
    layouts.lay(("f = inside", "d/g = inside too", "l => f"), str(scratch.root), scratch)
    with Root(scratch.root) as opened:
        yield opened


# -- open, as the builtin ----------------------------------------------------------------------

_MODES = ["r", "w", "a", "x", "r+", "w+", "a+", "x+", "rb", "wb", "ab", "xb", "rb+", "w+b", "b+a"]
_MODES += ["rt", "wt", "t+a", "xt"]


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("mode", _MODES)
def test_every_mode_of_the_builtin_does_the_same(
    mode: str, there: bool, root: Root, scratch: Scratch
) -> None:
    plain, ours = scratch.root / "plain", scratch.root / "ours"
    if there:
        plain.write_bytes(b"one\ntwo\n")
        ours.write_bytes(b"one\ntwo\n")
    assert _used(lambda: plain.open(mode), mode) == _used(lambda: root.open("ours", mode), mode)
    assert plain.exists() == ours.exists()
    if plain.exists():
        assert plain.read_bytes() == ours.read_bytes()


def _used(opener: Callable[[], Any], mode: str) -> list[object]:
    told: list[object] = []
    try:
        file = opener()
    except OSError as error:
        return [type(error)]
    with file:
        told += [type(file), file.readable(), file.writable(), file.seekable(), file.tell()]
        told += [file.mode, getattr(file, "encoding", None), getattr(file, "errors", None)]
        if file.writable():
            told.append(file.write(b"three\n" if "b" in mode else "three\n"))
        if file.readable():
            file.seek(0)
            told.append(file.read())
    told.append(file.closed)
    return told


@pytest.mark.parametrize("buffering", [-1, 0, 1, 16, 1 << 20])
def test_buffering_is_that_of_the_builtin(buffering: int, root: Root, scratch: Scratch) -> None:
    for mode in ("rb", "wb", "r+b"):
        if buffering == 1:
            continue  # the builtin warns of line buffering in binary mode
        with (
            root.open("f", mode, buffering) as ours,
            open(scratch.root / "f", mode, buffering) as plain,
        ):
            assert type(ours) is type(plain)
    if buffering:
        with root.open("f", "w", buffering) as text:
            text.write("a\n")
            assert bool(root.read_bytes("f")) == (buffering == 1)
            assert text.line_buffering == (buffering == 1)
    else:
        with pytest.raises(ValueError, match="unbuffered"):
            root.open("f", "w", buffering)


def test_text_is_decoded_and_line_ends_are_translated_as_asked(root: Root) -> None:
    with root.open("t", "w", encoding="utf-16", newline="\r\n") as file:
        file.write("\u00e9\n")
    assert root.read_bytes("t") == "\u00e9\r\n".encode("utf-16")
    with root.open("t", encoding="utf-16", newline="") as file:
        assert file.read() == "\u00e9\r\n"
    with root.open("t", encoding="ascii", errors="replace") as file:
        assert "\ufffd" in file.read()
    for keywords in ({"encoding": "utf-8"}, {"errors": "strict"}, {"newline": ""}):
        with pytest.raises(ValueError, match="binary"):
            root.open("t", "rb", **keywords)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="buffering"):
        root.open("t", "rb", -2)
    with pytest.raises(TypeError, match="mode"):
        root.open("t", 3)  # type: ignore[call-overload]


def test_reading_and_writing_text_round_trips(root: Root) -> None:
    assert root.write_text("t", "\u00e9\r\n\u20ac", "utf-8") == 4
    assert root.read_bytes("t") == "\u00e9\r\n\u20ac".encode()
    assert root.read_text("t") == "\u00e9\n\u20ac"
    root.write_bytes("t", b"a\rb")
    assert root.read_text("t") == "a\nb"
    root.write_bytes("t", b"\xff")
    with pytest.raises(UnicodeDecodeError):
        root.read_text("t")
    with pytest.raises(TypeError):
        root.write_text("t", b"bytes")  # type: ignore[arg-type]
    with pytest.raises(UnicodeEncodeError):
        root.write_text("t", "\u20ac", "ascii")
    assert root.read_bytes("t") == b"\xff"


@pytest.mark.parametrize("size", [0, 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, len(_BIG)])
def test_a_file_of_any_size_is_read_written_and_copied_whole(size: int, root: Root) -> None:
    data = _BIG[:size]
    for kind in (bytes, bytearray, memoryview):
        assert root.write_bytes("x", kind(data)) == size
        assert root.read_bytes("x") == data
    root.replace_file("y", data)
    assert root.read_bytes("y") == data
    root.copy("x", "z")
    assert root.read_bytes("z") == data
    root.truncate("z", 3)
    assert root.read_bytes("z") == data.ljust(3, b"\0")[:3]


def test_a_file_that_grows_while_it_is_read_is_read_to_its_new_end(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.write_bytes("x", _BIG)
    real, reads = syscalls.pread, iter(range(100))

    def grow_first(fd: int, size: int, offset: int) -> bytes:
        if next(reads) == 1:
            with root.open("x", "ab") as file:
                file.write(b"more")
        return real(fd, min(size, 100_000), offset)

    monkeypatch.setattr(syscalls, "pread", grow_first)
    assert root.read_bytes("x")[: len(_BIG)] == _BIG


def test_a_write_that_is_short_is_continued(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    real = syscalls.write
    monkeypatch.setattr(syscalls, "write", lambda fd, data: real(fd, bytes(data[:7])))
    root.write_bytes("x", b"0123456789" * 3)
    root.replace_file("y", b"0123456789" * 3)
    assert root.read_bytes("x") == root.read_bytes("y") == b"0123456789" * 3


def test_an_error_in_the_file_object_leaves_nothing_open(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise MemoryError

    for name, modes in (
        ("BufferedReader", ["r"]),
        ("BufferedWriter", ["w", "a"]),
        ("BufferedRandom", ["r+", "w+"]),
        ("FileIO", ["r", "w", "r+"]),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(io, name, failing)
            for mode in modes:
                with pytest.raises(MemoryError):
                    root.open("f", mode)
                if mode[0] == "w":
                    with pytest.raises(MemoryError):
                        root.open("f", mode, atomic=True)
    assert sorted(root.listdir()) == ["d", "f", "l"]


# -- open(..., atomic=True) --------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["w", "wb", "x", "xb", "w+", "wb+"])
def test_an_atomic_file_takes_its_name_when_it_is_closed(
    mode: str, root: Root, scratch: Scratch
) -> None:
    name = "new" if "x" in mode else "f"
    before = root.read_bytes(name) if root.exists(name) else None
    data: Any = b"one\ntwo\n" if "b" in mode else "one\ntwo\n"
    with root.open(name, mode, atomic=True) as file:
        file.write(data)
        if "+" in mode:
            file.seek(0)
            assert file.readlines() == data.splitlines(keepends=True)
        file.flush()
        assert (root.read_bytes(name) if root.exists(name) else None) == before
        assert file.writable()
    assert file.closed
    assert root.read_bytes(name) == b"one\ntwo\n"
    assert not list(scratch.root.glob(".safefs-*"))


def test_an_atomic_file_left_by_an_error_changes_nothing(root: Root, scratch: Scratch) -> None:
    file = root.open("f", "w", atomic=True)
    file.write("half")
    file.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert file.closed
    forgotten = root.open("f", "w", atomic=True)
    forgotten.write("never closed")
    del forgotten
    gc.collect()
    assert root.read_bytes("f") == b"inside"
    assert not list(scratch.root.glob(".safefs-*"))


def test_an_atomic_file_whose_last_write_fails_changes_nothing(
    root: Root, scratch: Scratch
) -> None:
    file = root.open("f", "w", encoding="utf-8", atomic=True)
    file.write("never")
    os.close(os.dup(file.fileno()))
    null = os.open("/dev/full", os.O_WRONLY)
    os.dup2(null, file.fileno(), inheritable=False)
    os.close(null)
    with pytest.raises(OSError) as caught:
        file.close()
    assert caught.value.errno == errno.ENOSPC
    assert root.read_bytes("f") == b"inside"
    assert not list(scratch.root.glob(".safefs-*"))


def test_an_atomic_file_is_iterated_and_closed_twice_like_any_other(root: Root) -> None:
    file = root.open("f", "w+", atomic=True)
    file.write("one\ntwo\n")
    file.seek(0)
    assert next(file) == "one\n"
    assert list(file) == ["two\n"]
    file.close()
    file.close()
    assert root.read_text("f") == "one\ntwo\n"


def test_an_exclusive_atomic_file_finds_out_at_the_end_too(root: Root, scratch: Scratch) -> None:
    with pytest.raises(FileExistsError):
        root.open("f", "x", atomic=True)
    file = root.open("new", "x", atomic=True)
    file.write("mine")
    root.write_bytes("new", b"another's")
    with pytest.raises(FileExistsError) as caught:
        file.close()
    assert caught.value.filename == "new"
    assert root.read_bytes("new") == b"another's"
    assert not list(scratch.root.glob(".safefs-*"))


@pytest.mark.parametrize("mode", ["r", "a", "r+", "a+", "rb"])
def test_only_a_new_file_can_be_atomic(mode: str, root: Root) -> None:
    with pytest.raises(ValueError, match="atomic"):
        root.open("f", mode, atomic=True)


def test_an_atomic_file_is_not_published_in_a_directory_moved_out_meanwhile(
    root: Root, scratch: Scratch
) -> None:
    """Between two calls no parent may be trusted: a descriptor goes where its directory goes."""
    away = scratch.base / "away"
    scratch.remember(away)
    file = root.open("d/g", "w", atomic=True)
    file.write("too late")
    (scratch.root / "d").rename(away)
    with pytest.raises(OSError):
        file.close()
    assert (away / "g").read_text() == "inside too"
    assert sorted(os.listdir(away)) == ["g"]


# -- replacing, copying, renaming --------------------------------------------------------------


def test_replacing_takes_any_iterable_and_is_durable_when_asked(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks: list[bytes | bytearray | memoryview] = [b"one", bytearray(b"two"), memoryview(b"three")]
    root.replace_file("f", iter(chunks))
    assert root.read_bytes("f") == b"onetwothree"
    order: list[str] = []
    for name in ("fsync", "rename"):
        real = getattr(syscalls, name)
        monkeypatch.setattr(syscalls, name, _noting(order, name, real))
    root.replace_file("f", b"new")
    assert order == ["rename"]
    order.clear()
    root.replace_file("d/new", b"new", durable=True)
    assert order == ["fsync", "rename", "fsync"]


def _noting(order: list[str], name: str, real: Callable[..., object]) -> Callable[..., object]:
    def call(*args: object, **keywords: object) -> object:
        order.append(name)
        return real(*args, **keywords)

    return call


def test_an_iterable_that_fails_changes_nothing(root: Root, scratch: Scratch) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise ZeroDivisionError

    for path in ("f", "new"):
        with pytest.raises(ZeroDivisionError):
            root.replace_file(path, chunks(), durable=True)
    assert root.read_bytes("f") == b"inside"
    assert sorted(os.listdir(scratch.root)) == ["d", "f", "l"]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP])
def test_where_the_kernel_cannot_copy_it_is_read_and_written(
    number: int, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    root.write_bytes("big", _BIG)
    monkeypatch.setattr(syscalls, "copy_file_range", cannot)
    root.copy("big", "copy")
    assert root.read_bytes("copy") == _BIG
    monkeypatch.delattr(syscalls, "copy_file_range")
    root.copy("big", "again")
    assert root.read_bytes("again") == _BIG


def test_a_copy_that_fails_in_the_kernel_leaves_nothing(
    root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = syscalls.copy_file_range, iter(range(100))

    def fail_later(source: int, target: int, _: int) -> int:
        if next(calls):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(source, target, 1000)

    root.write_bytes("big", _BIG)
    monkeypatch.setattr(syscalls, "copy_file_range", fail_later)
    with pytest.raises(OSError) as caught:
        root.copy("big", "copy")
    assert caught.value.errno == errno.EIO
    assert (caught.value.filename, caught.value.filename2) == ("big", "copy")
    assert sorted(os.listdir(scratch.root)) == ["big", "d", "f", "l"]


def test_a_copy_that_must_not_replace_does_not(root: Root) -> None:
    for target in ("d/g", "l", "d"):
        with pytest.raises(FileExistsError):
            root.copy("f", target, replace=False)
    root.copy("f", "new", replace=False)
    assert root.read_bytes("new") == b"inside"
    assert root.read_bytes("d/g") == b"inside too"


def test_a_tree_is_copied_with_its_modes_times_and_links(root: Root, scratch: Scratch) -> None:
    layouts.lay(("t/a/f", "t/b/", "t/l => a/f", "t/out => ../../x"), str(scratch.root), scratch)
    (scratch.root / "t/a/f").chmod(0o4640)
    (scratch.root / "t/b").chmod(0o2750)
    os.utime(scratch.root / "t/a/f", ns=(1, layouts.STAMP))
    os.utime(scratch.root / "t/b", ns=(1, layouts.STAMP))
    root.copy_tree("t", "copy")
    assert stat.S_IMODE(root.stat("copy/a/f").st_mode) == 0o640
    assert stat.S_IMODE(root.stat("copy/b").st_mode) == 0o750
    assert root.stat("copy/a/f").st_mtime_ns == root.stat("copy/b").st_mtime_ns == layouts.STAMP
    assert root.readlink("copy/l") == "a/f"
    assert root.readlink("copy/out") == "../../x"
    with pytest.raises(FileExistsError):
        root.copy_tree("t", "copy")
    with pytest.raises(NotADirectoryError):
        root.copy_tree("f", "new")


def test_a_tree_whose_copy_fails_half_way_is_not_there_at_all(
    root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts.lay(("t/a/f", "t/b/f", "t/c/d/e/f"), str(scratch.root), scratch)
    before = layouts.portrait(str(scratch.root))
    real, calls = syscalls.mkdir, iter(range(100))

    def fail_later(*args: Any, **keywords: Any) -> None:
        if next(calls) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(*args, **keywords)

    monkeypatch.setattr(syscalls, "mkdir", fail_later)
    with pytest.raises(OSError):
        root.copy_tree("t", "copy")
    assert layouts.portrait(str(scratch.root)) == before


def test_a_tree_whose_draft_cannot_be_opened_leaves_no_draft(
    root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = layouts.portrait(str(scratch.root))
    real = syscalls.open

    def no_more(name: Any, *args: Any, **keywords: Any) -> int:
        if b".safefs-" in os.fsencode(name):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(name, *args, **keywords)

    monkeypatch.setattr(syscalls, "open", no_more)
    with pytest.raises(OSError):
        root.copy_tree("d", "copy")
    assert layouts.portrait(str(scratch.root)) == before


@pytest.mark.parametrize("number", [None, errno.ENOSYS, errno.EINVAL])
def test_renaming_without_replacing_needs_no_new_kernel(
    number: int | None, root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    if number is not None:
        monkeypatch.setattr(syscalls, "rename_noreplace", lambda *_: -number)
    before = layouts.portrait(str(scratch.root))
    for source, target in (("f", "d/g"), ("f", "l"), ("l", "f"), ("d", "f"), ("f", "d")):
        with pytest.raises(FileExistsError):
            root.rename(source, target, replace=False)
    with pytest.raises(OSError):
        root.rename("d", "d/below", replace=False)
    with pytest.raises(FileNotFoundError):
        root.rename("none", "new", replace=False)
    assert layouts.portrait(str(scratch.root)) == before
    root.rename("f", "f2", replace=False)
    root.rename("d", "d2", replace=False)
    root.rename("l", "l2", replace=False)
    assert sorted(root.listdir()) == ["d2", "f2", "l2"]
    assert root.readlink("l2") == "f"
    assert root.read_bytes("d2/g") == b"inside too"
    assert root.stat("f2").st_nlink == 1


def test_a_rename_in_two_steps_that_fails_gives_the_new_name_up(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(syscalls, "rename_noreplace", lambda *_: -errno.ENOSYS)
    real, calls = syscalls.unlink, iter(range(10))

    def fail_first(*args: Any, **keywords: Any) -> None:
        if not next(calls):
            failing()
        real(*args, **keywords)

    monkeypatch.setattr(syscalls, "unlink", fail_first)
    with pytest.raises(PermissionError):
        root.rename("f", "new", replace=False)
    assert not root.exists("new")
    assert root.stat("f").st_nlink == 1


# -- times, links, listings --------------------------------------------------------------------


def test_times_are_set_in_seconds_in_nanoseconds_or_to_now(root: Root) -> None:
    root.utime("f", (1, 2.5))
    assert root.stat("f").st_mtime_ns == 2_500_000_000
    root.utime("f", (-1, -1.5))
    assert root.stat("f").st_mtime_ns == -1_500_000_000
    root.utime("f", ns=(5, 7))
    assert (root.stat("f").st_atime_ns, root.stat("f").st_mtime_ns) == (5, 7)
    root.utime("f")
    assert root.stat("f").st_mtime > 1_600_000_000
    with pytest.raises(ValueError, match="not both"):
        root.utime("f", (1, 1), ns=(1, 1))


def test_answers_come_in_the_type_of_the_path(root: Root) -> None:
    assert root.readlink(b"l") == b"f"
    assert root.readlink("l") == "f"
    assert root.read_bytes(b"d/g") == root.read_bytes(Path("d/g"))


def test_a_link_is_stored_as_it_is_given(root: Root) -> None:
    for target in ("../outside", "/absolute", "x//y/", b"\xff", Path("p")):
        root.symlink(target, "new")
        assert os.fsencode(root.readlink("new")) == os.fsencode(target)
        root.unlink("new")
    with pytest.raises(InvalidPathError):
        root.symlink("a\0", "new")
    with pytest.raises(TypeError):
        root.symlink(3, "new")  # type: ignore[arg-type]


def test_a_hard_link_to_a_link_is_to_the_link_itself(root: Root) -> None:
    root.link("l", "l2")
    assert root.readlink("l2") == "f"
    with pytest.raises(PermissionError):
        root.link("d", "d2")


def test_a_walk_may_be_pruned_reversed_and_told_of_errors(root: Root, scratch: Scratch) -> None:
    layouts.lay(("a/b/c/f", "x/y/f"), str(scratch.root), scratch)
    seen = []
    for at, names, _ in root.walk():
        seen.append(at)
        names[:] = [name for name in names if name != "a"]
    assert seen == [".", "d", "x", "x/y"]
    assert [at for at, _, _ in root.walk("a", topdown=False)] == ["a/b/c", "a/b", "a"]
    assert [at for at, _, _ in root.walk("a/b/")] == ["a/b", "a/b/c"]
    for path, kind in (("none", FileNotFoundError), ("f", NotADirectoryError), ("..", EscapeError)):
        with pytest.raises(kind):
            list(root.walk(path))


@pytest.mark.parametrize(
    "name",
    ["..", "../outside", "out/dir", "out", "{outside}", "d/../..", ".", "", "a/../../outside"],
)
def test_a_name_put_among_the_directories_of_a_walk_leads_nowhere_else(
    name: str, root: Root, scratch: Scratch
) -> None:
    """``dirnames`` may be changed to say where to go; what is put there is the caller's text."""
    layouts.lay(("out => ../outside", "a/"), str(scratch.root), scratch)
    steps = root.walk()
    _, names, _ = next(steps)
    names[:] = [layouts.filled(name, scratch)]
    if name == "out":  # one name, of a link: it is passed over like any that cannot be entered
        assert list(steps) == []
        return
    with pytest.raises((InvalidPathError, EscapeError)):
        list(steps)


_GONE: dict[str, Callable[[Root], object]] = {
    "walk": lambda root: [name for _, _, names in root.walk("t") for name in names],
    "find": lambda root: [os.path.basename(name) for name in root.find("t")],
    "glob": lambda root: [os.path.basename(name) for name in root.glob("t/**") if "/f" in name],
    "disk_usage": lambda root: ["f"] * (root.disk_usage("t") // 3),
}


@pytest.mark.parametrize("operation", [*_GONE, "remove_tree"])
@pytest.mark.parametrize("gone", ["a", "b", "c"])
def test_a_directory_that_goes_between_opening_and_reading_is_passed_over(
    operation: str, gone: str, root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a removed directory is ENOENT; what comes after it must not be lost with it."""
    names = {"a", "b", "c", "d"}
    layouts.lay(tuple(f"t/{name}/f = 123" for name in sorted(names)), str(scratch.root), scratch)
    real = syscalls.scandir

    def remove_first(fd: Any) -> Any:
        if os.readlink(f"/proc/self/fd/{fd}").endswith(f"/t/{gone}"):
            (scratch.root / "t" / gone / "f").unlink()
            (scratch.root / "t" / gone).rmdir()
        return real(fd)

    monkeypatch.setattr(syscalls, "scandir", remove_first)
    if operation == "remove_tree":
        root.remove_tree("t")
        assert not root.exists("t")
    else:
        assert _GONE[operation](root) == ["f"] * 3


def test_a_directory_that_vanishes_before_it_is_entered_is_passed_over(
    root: Root, scratch: Scratch
) -> None:
    layouts.lay(("t/a/f", "t/b/f", "t/c/f"), str(scratch.root), scratch)
    for listing in (root.find("t"), root.glob("t/*/f")):
        layouts.lay(("t/b/f",), str(scratch.root), scratch)
        assert next(listing) == "t/a/f"
        root.remove_tree("t/b")
        assert list(listing) == ["t/c/f"]


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "*.py",
        "**",
        "**/*.py",
        "a/*",
        "a/**",
        "*/*",
        "?",
        "[ab]",
        "[!a]",
        "a",
        "a/b.py",
        "**/b.py",
    ]
    + [
        "**/**",
        "a/**/*.py",
        "*/",
        "**/",
        "./a/*",
        "a//*",
        "none/*",
        "none",
        "x.py/*",
        ".*",
        "a/?.py",
    ],
)
def test_a_glob_finds_what_a_plain_search_of_the_same_tree_finds(
    pattern: str, scratch: Scratch
) -> None:
    lines = ("a/b.py", "a/c.txt", "a/d/e.py", "x.py", "b/", ".hidden/h.py", "l => a", "k => x.py")
    layouts.lay(lines, str(scratch.root), scratch)
    with Root(scratch.root) as root:
        found = list(root.glob(pattern))
    assert len(found) == len(set(found))
    plain = {str(path.relative_to(scratch.root)) for path in scratch.root.glob(pattern)}
    everything = {str(path.relative_to(scratch.root)) for path in scratch.root.rglob("*")}
    assert set(found) <= everything | {"."}
    if not pattern.endswith("**"):  # there pathlib means directories only
        links = {"l", "k"} if pattern.endswith("/") else set()  # no directories themselves
        assert set(found) == plain - links - _through_links(plain)
    else:
        assert set(found) >= plain - _through_links(plain)


def _through_links(names: set[str]) -> set[str]:
    return {name for name in names if name.startswith("l/")}


@pytest.mark.parametrize("pattern", ["../*", "*/../*", "a/..", "..", "**/.."])
def test_a_pattern_with_dots_is_refused(pattern: str, root: Root) -> None:
    with pytest.raises(InvalidPathError):
        root.glob(pattern)


def test_disk_usage_counts_a_hard_link_once(root: Root) -> None:
    before = root.disk_usage()
    root.link("f", "again")
    assert root.disk_usage() == before
    root.copy("f", "other")
    assert root.disk_usage() == before + len("inside")
    assert root.disk_usage("d") == len("inside too")


def test_reading_a_directory_that_fails_tells_the_callers_path(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(syscalls, "scandir", failing)
    monkeypatch.setattr(syscalls, "listdir", failing)
    for act in (
        lambda: root.listdir("d"),
        lambda: root.scandir("d"),
        lambda: list(root.walk("d")),
        lambda: list(root.find("d")),
        lambda: root.disk_usage("d"),
    ):
        with pytest.raises(OSError) as caught:
            act()
        assert (caught.value.errno, caught.value.filename) == (errno.EIO, "d")


def test_a_listing_passes_over_what_is_gone(root: Root, scratch: Scratch) -> None:
    with root.scandir() as entries:
        first = next(entries).name
        for entry in list(scratch.root.iterdir()):
            if entry.name != first and entry.is_file():
                entry.unlink()
        assert "f" not in [entry.name for entry in entries] or first == "f"


# -- policies ----------------------------------------------------------------------------------


def _refusal(act: Callable[[Root, str], object], root: Root, path: str) -> object:
    try:
        act(root, path)
    except PolicyError as error:
        return error.rule if path in (error.filename, error.filename2) else error
    except OSError as error:
        return error.errno
    return None


_AT_FIRST = (errno.ENOENT, errno.EISDIR, errno.ENOTDIR)  # what may be said before the policy


def test_under_read_only_nothing_is_changed_and_all_can_be_read(
    root: Root, scratch: Scratch
) -> None:
    from tests.test_rules import ASKING, EVERY

    reading = {"open", "read_bytes", "read_text", "stat", "lstat", "listdir", "scandir", "walk"}
    reading |= {
        "read_many",
        "stat_many",
        "find",
        "glob",
        "disk_usage",
        "readlink",
        "getxattr",
        "listxattr",
        "subroot",
    }
    before = layouts.portrait(str(scratch.root))
    with Root(scratch.root, policy=Policy(read_only=True)) as locked:
        for name, act in EVERY.items():
            told = [_refusal(act, locked, path) for path in ("f", "d", "l", "new", "d/g")]
            assert ("read_only" in told) == (name not in reading), name
            assert set(told) <= ({"read_only", *_AT_FIRST} if name not in reading else set(told))
        for mode in ("w", "a", "x", "r+", "w+"):
            with pytest.raises(PolicyError):
                locked.open("f", mode)
        with pytest.raises(PolicyError):
            locked.open("f", "w", atomic=True)
        assert all(isinstance(ask(locked, "f"), bool) for ask in ASKING.values())
        with locked.subroot("d", policy=Policy()) as inner, pytest.raises(PolicyError):
            inner.unlink("g")
    assert layouts.portrait(str(scratch.root)) == before


def test_a_subroot_is_never_allowed_more(root: Root, scratch: Scratch) -> None:
    strict = Policy(symlinks="never", portable_names=True)
    with Root(scratch.root, policy=strict) as outer:
        with outer.subroot("d", policy=Policy(read_only=True)) as inner:
            assert inner.policy == strict.replace(read_only=True)
        with outer.subroot("d") as inner:
            assert inner.policy == strict
    with root.subroot("d") as inner, pytest.raises(EscapeError):
        inner.read_bytes("../f")


# -- opening and giving up ---------------------------------------------------------------------


def test_a_root_is_opened_on_a_directory_and_on_nothing_else(scratch: Scratch) -> None:
    (scratch.root / "f").write_text("")
    for path, kind in (("f", NotADirectoryError), ("none", FileNotFoundError)):
        with pytest.raises(kind):
            Root(scratch.root / path)
    for wrong in (3, None, ["x"]):
        with pytest.raises(TypeError):
            Root(wrong)  # type: ignore[arg-type]
    with pytest.raises(InvalidPathError):
        Root(f"{scratch.root}\0")
    (scratch.base / "to-root").symlink_to("root")
    with Root(os.fsencode(scratch.base / "to-root")) as root:
        assert root.listdir() == ["f"]
        assert "fd=" in repr(root)
    (scratch.base / "to-root").unlink()


def test_a_root_that_cannot_be_held_is_closed_again(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    strict = Policy(same_filesystem=True)
    (scratch.root / "d").mkdir()
    with Root(scratch.root, policy=strict) as root:
        monkeypatch.setattr(syscalls, "mount_id", failing)
        with pytest.raises(OSError):
            Root(scratch.root, policy=strict)
        with pytest.raises(OSError):
            root.subroot("d")


def test_a_root_is_closed_where_no_descriptor_is_to_be_had(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(syscalls, "open", no_more)
        root.close()
    with pytest.raises(ValueError, match="closed"):
        root.listdir()


# -- the kernel --------------------------------------------------------------------------------


def test_a_call_that_a_signal_interrupts_is_made_again(
    root: Root, monkeypatch: pytest.MonkeyPatch, resolver: str
) -> None:
    if resolver == "walk":
        return  # os does that itself
    real, calls = syscalls._syscall, iter(range(100))
    numbers: list[int] = []

    def interrupted(*args: Any) -> int:
        if next(calls) % 3:
            numbers.append(errno.EINTR)
            return -1
        fd: int = real(*args)
        numbers.append(0)
        return fd

    monkeypatch.setattr(syscalls, "_syscall", interrupted)
    monkeypatch.setattr(syscalls, "_errno", lambda: numbers[-1])
    for _ in range(3):
        assert root.read_bytes("d/g") == b"inside too"


def test_a_program_that_uses_very_many_modes_does_not_grow_without_end(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openat2, "_MOST_HOWS", 4)
    monkeypatch.setattr(openat2, "_hows", {})
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_APPEND, os.O_SYNC, os.O_DSYNC):
        os.close(openat2.open_beneath(root._handle, b"f", flags, 0))
    assert len(openat2._hows) <= 4
    for mode in range(200):
        root.open(f"new-{mode}", "x", permissions=0o600 + mode).close()
    assert len(root._handle.hows) <= 64


def test_the_self_test_of_the_walk_passes_and_finds_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, resolver: str
) -> None:
    report = probe.report()
    assert report.healthy
    assert report.resolver == resolver
    assert {"openat2", "walk self-test"} <= {name for name, _, _ in report.rows()}
    real = syscalls.readlink
    monkeypatch.setattr(syscalls, "readlink", lambda *a, **k: real(*a, **k).lstrip(b"/."))
    sick = probe.report()
    assert not sick.healthy
    assert "gave" in sick.selftest[0]


def test_without_newer_calls_the_report_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "forced", None)
    monkeypatch.setattr(syscalls, "openat2", lambda *_: -errno.ENOSYS)
    monkeypatch.setattr(syscalls, "fchmodat2", lambda *_: -errno.ENOSYS)
    report = probe.report()
    assert report.resolver == "walk"
    assert ("openat2", "no (ENOSYS)") in [(name, value) for name, value, _ in report.rows()]


def test_where_statx_and_fstatfs_are_missing_the_careful_answer_is_given(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "_statx", None)
    monkeypatch.setattr(syscalls, "_fstatfs", None)
    monkeypatch.setattr(syscalls, "_renameat2", None)
    assert syscalls.mount_id(root.fileno())[0] == "device"
    assert syscalls.on_procfs(root.fileno())
    root.rename("f", "g", replace=False)
    assert root.read_bytes("g") == b"inside"
    assert syscalls._optional("no_such_function") is None


@pytest.mark.parametrize(
    "path", ["new/../../x", "d/new/../../../x", "new/a/../../..", "new/..//../x"]
)
def test_makedirs_refuses_an_escape_before_it_makes_anything(path: str, root: Root) -> None:
    before = list(root.walk())
    with pytest.raises(EscapeError):
        root.makedirs(path, exist_ok=True)
    assert list(root.walk()) == before


@pytest.mark.parametrize(
    ("path", "made"), [("new/..", "new"), ("new/../n2/n3", "n2/n3"), ("new/.", "new"), ("./n", "n")]
)
def test_makedirs_makes_what_dots_go_through_as_os_does(path: str, made: str, root: Root) -> None:
    root.makedirs(path, exist_ok=True)
    assert root.is_dir(made)
    root.makedirs(path, exist_ok=True)
    with pytest.raises(FileExistsError):
        root.makedirs(path)


def test_makedirs_through_a_file_is_not_a_directory(root: Root) -> None:
    for path in ("f/..", "f/.", "f/x"):
        with pytest.raises(NotADirectoryError):
            root.makedirs(path, exist_ok=True)


def test_a_hidden_name_put_among_the_directories_of_a_walk_is_refused(scratch: Scratch) -> None:
    layouts.lay((".ssh/key", "d/f"), str(scratch.root), scratch)
    with Root(scratch.root, policy=Policy(top_level_dot_entries="refuse")) as home:
        steps = home.walk()
        _, names, _ = next(steps)
        assert names == ["d"]
        names.append(".ssh")
        with pytest.raises(PolicyError):
            list(steps)


def test_exists_on_a_root_that_is_closed_meanwhile_is_no_answer(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = syscalls.stat

    def closing(*args: Any, **keywords: Any) -> os.stat_result:
        root.close()
        return real(*args, **keywords)

    monkeypatch.setattr(syscalls, "stat", closing)
    with pytest.raises(ValueError, match="closed"):
        root.exists("f")


def test_a_root_that_cannot_be_opened_names_the_directory_as_it_was_given(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    with pytest.raises(FileNotFoundError) as caught:
        Root(missing)
    assert caught.value.filename == missing
    with pytest.raises(TypeError, match="policy is a Policy"):
        Root(tmp_path, policy={"read_only": True})  # type: ignore[arg-type]


def test_an_atomic_file_is_a_file_object_of_every_kind(root: Root, scratch: Scratch) -> None:
    with root.open("a", "wb", 0, atomic=True) as raw:
        raw.write(b"raw")
    with root.open("t", "w+", encoding="utf-8", atomic=True) as text:
        text.write("one\ntwo\n")
        text.seek(0)
        assert list(text) == ["one\n", "two\n"]
        text.seek(0)
        assert next(text) == "one\n"
    assert (root.read_bytes("a"), root.read_text("t")) == (b"raw", "one\ntwo\n")
    with pytest.raises(FileExistsError):
        root.open("a", "x", atomic=True)
    with pytest.raises(IsADirectoryError):
        root.open("d", "w", atomic=True)
    forgotten = root.open("a", "w", atomic=True)
    forgotten.write("never")
    del forgotten
    gc.collect()
    assert root.read_bytes("a") == b"raw"
    assert not list(scratch.root.glob(".safefs-*"))


def test_calls_that_a_system_lacks_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscalls, "LINUX", False)
    assert syscalls.fchmodat2(0, 0o600) == -errno.ENOSYS
    assert syscalls.utimensat(0, None) == -errno.ENOSYS
    assert syscalls.on_procfs(0) is False
    monkeypatch.undo()
    monkeypatch.setattr(syscalls, "_renameat2", None)
    assert syscalls.rename_noreplace(0, b"a", 0, b"b") == -errno.ENOSYS
    monkeypatch.setattr(syscalls, "_fstatfs", None)
    assert syscalls.on_procfs(0) is True
    assert syscalls._optional("no_such_function_of_any_libc") is None


@pytest.mark.parametrize("going", ["walk", "find", "glob", "walk upwards"])
def test_a_walk_under_way_enters_no_directory_of_a_root_that_was_closed(
    scratch: Scratch, going: str
) -> None:
    """Whoever kept one of a disk that was revoked would be told of what comes afterwards."""
    for name in ("a", "b", "c"):
        (scratch.root / name).mkdir()
        (scratch.root / name / "f").touch()
    with Root(scratch.root) as root:
        under_way: Iterator[object] = root.walk(topdown=going == "walk")
        if going == "find":
            under_way = root.find()
        if going == "glob":
            under_way = root.glob("**/*")
        next(under_way)
        root.close()
        with pytest.raises(ValueError, match="operation on a closed Root"):
            list(under_way)


@pytest.mark.parametrize("memory", [False, True])
def test_a_walk_of_a_disk_that_was_revoked_ends(memory: bool) -> None:
    with Storage.fake(memory=memory) as storage:
        disk = storage.disk("documents")
        disk.put("d/f", "")
        lent = disk.read_only()
        steps = [(lent / "").walk(), lent.fs.walk("/")]
        for step in steps:
            next(step)
        disk.revoke()
        for step in steps:
            with pytest.raises(ValueError, match=r"operation on a (closed|revoked)"):
                next(step)
