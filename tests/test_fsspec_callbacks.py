"""fsspec's callbacks are told the truth: bytes for each file, and files for the whole."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.callbacks import Callback, TqdmCallback

from safefs import Disk, EscapeError, InvalidPathError, PolicyError, Storage
from safefs.integrations.fsspec import SafeFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MEGABYTE = 1 << 20
SIZES = {"a": 0, "b": 5, "sub/c": 2 * MEGABYTE + 7}
WHOLE = {name: bytes(size) for name, size in SIZES.items()}


class Counting(Callback):  # type: ignore[misc]  # fsspec is not typed
    """Remembers what it was told, and so do its branches, each by its source."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.children: dict[str, Counting] = {}
        self.closed = False

    def relative_update(self, inc: int = 1) -> None:
        self.steps.append(inc)
        super().relative_update(inc)

    def branched(self, path_1: str, path_2: str, **_: Any) -> Counting:
        self.children[str(path_1)] = Counting()
        return self.children[str(path_1)]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A place with the directory of the disk ``d``, and a local tree beside it."""
    (tmp_path / "d").mkdir()
    (tmp_path / "e").mkdir()
    (tmp_path / "local" / "sub").mkdir(parents=True)
    for name, content in WHOLE.items():
        (tmp_path / "local" / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def fs(top: Path) -> Iterator[SafeFileSystem]:
    with (
        Disk(top / "d", name="d") as one,
        Disk(top / "e", name="e") as other,
        Storage("app", disks={"d": one, "e": other}) as storage,
        storage.register("d", "e"),
    ):
        yield SafeFileSystem()


@pytest.fixture
def filled(fs: SafeFileSystem) -> SafeFileSystem:
    fs.pipe({f"d/t/{name}": content for name, content in WHOLE.items()})
    return fs


def assert_true_to(told: Counting, names: dict[str, int], *, directories: int = 0) -> None:
    assert told.size == told.value == len(names) + directories
    assert told.steps == [1] * told.size
    sizes = {name: (told.children[name].size, told.children[name].value) for name in names}
    assert sizes == {name: (size, size) for name, size in names.items()}
    assert all(told.children[name].closed for name in names)


def test_put_tells_each_file_and_the_whole(fs: SafeFileSystem, top: Path) -> None:
    told = Counting()
    fs.put(str(top / "local"), "d/t", recursive=True, callback=told)
    assert {name: fs.cat(f"d/t/{name}") for name in WHOLE} == WHOLE
    names = {f"{top}/local/{name}": size for name, size in SIZES.items()}
    assert_true_to(told, names, directories=2)
    assert told.children[f"{top}/local/sub/c"].steps == [MEGABYTE, MEGABYTE, 7]


def test_get_tells_each_file_and_the_whole(filled: SafeFileSystem, top: Path) -> None:
    told = Counting()
    filled.get("d/t", str(top / "back"), recursive=True, callback=told)
    assert {name: (top / "back" / name).read_bytes() for name in WHOLE} == WHOLE
    assert_true_to(told, {f"d/t/{name}": size for name, size in SIZES.items()}, directories=2)


def test_copy_tells_each_file_and_the_whole(filled: SafeFileSystem) -> None:
    for target in ("d/copy", "e/copy"):
        told = Counting()
        filled.copy("d/t", target, recursive=True, callback=told)
        assert {name: filled.cat(f"{target}/{name}") for name in WHOLE} == WHOLE
        assert_true_to(told, {f"d/t/{name}": size for name, size in SIZES.items()}, directories=2)


def test_cat_of_many_tells_each_file_and_the_whole(filled: SafeFileSystem) -> None:
    names = {f"d/t/{name}": size for name, size in SIZES.items()}
    for path, recursive in ((list(names), False), ("d/t", True)):
        told = Counting()
        assert filled.cat(path, recursive=recursive, callback=told) == {
            f"d/t/{name}": content for name, content in WHOLE.items()
        }
        assert_true_to(told, names)


def test_one_file_tells_its_bytes(filled: SafeFileSystem, top: Path) -> None:
    size = SIZES["sub/c"]
    calls: list[Callable[[Counting], object]] = [
        lambda told: filled.put_file(str(top / "local" / "sub" / "c"), "d/one", callback=told),
        lambda told: filled.get_file("d/t/sub/c", str(top / "one"), callback=told),
        lambda told: filled.get_file("d/t/sub/c", io.BytesIO(), callback=told),
        lambda told: filled.get_file("d/t/sub/c", outfile=io.BytesIO(), callback=told),
        lambda told: filled.cp_file("d/t/sub/c", "e/one", callback=told),
        lambda told: filled.put_file("safefs://d/t/sub/c", "e/two", callback=told),
    ]
    for call in calls:
        told = Counting()
        call(told)
        assert (told.size, told.value, told.steps) == (size, size, [MEGABYTE, MEGABYTE, 7])


def test_what_fails_is_not_counted_as_done(filled: SafeFileSystem, top: Path) -> None:
    (top / "d" / "t" / "zz").symlink_to("../../local/b")
    told = Counting()
    with pytest.raises(EscapeError):
        filled.get(["d/t/b", "d/t/zz"], [str(top / "x"), str(top / "y")], callback=told)
    assert (told.size, told.value) == (2, 1)
    assert told.children["d/t/zz"].value == 0
    assert not (top / "y").exists()


def test_a_cat_that_goes_on_after_an_error_counts_it_as_dealt_with(
    filled: SafeFileSystem, top: Path
) -> None:
    (top / "d" / "t" / "zz").symlink_to("../../local/b")
    told = Counting()
    found = filled.cat(["d/t/b", "d/t/zz"], on_error="return", callback=told)
    assert isinstance(found["d/t/zz"], EscapeError)
    assert (told.size, told.value) == (2, 2)
    assert list(filled.cat(["d/t/b", "d/t/zz"], on_error="omit")) == ["d/t/b"]


def test_tqdm_shows_the_whole(filled: SafeFileSystem, top: Path) -> None:
    shown = io.StringIO()
    with TqdmCallback(tqdm_kwargs={"file": shown, "mininterval": 0}) as bar:
        filled.get("d/t", str(top / "back"), recursive=True, callback=bar)
        assert (bar.size, bar.value, bar.tqdm.n, bar.tqdm.total) == (5, 5, 5, 5)
    assert "5/5" in shown.getvalue()
    with TqdmCallback(tqdm_kwargs={"file": shown, "unit": "B", "mininterval": 0}) as bar:
        filled.get_file("d/t/b", str(top / "b"), callback=bar)
        assert (bar.tqdm.n, bar.tqdm.total) == (5, 5)


# -- both sides confined -----------------------------------------------------------------------


def test_get_and_put_take_a_disk_a_path_of_one_and_a_url(filled: SafeFileSystem, top: Path) -> None:
    with Disk(top / "other", create=True) as other:
        filled.get("d/t", other, recursive=True)
        filled.get("d/t/b", other / "renamed")
        filled.get("d/t/b", other)
        assert other.all_files() == ["b", "renamed", "t/a", "t/b", "t/sub/c"]
        filled.put(other, "e/from", recursive=True)
        filled.put(other / "renamed", "e/")
        filled.put_file(other / "t" / "sub" / "c", "e/c")
        assert filled.size("e/c") == SIZES["sub/c"]
        assert filled.cat("e/renamed") == WHOLE["b"]
        other.fs.get("/t", "safefs://e/back", recursive=True)
        assert filled.find("e/back") == ["e/back/a", "e/back/b", "e/back/sub/c"]
        other.fs.put("safefs://d/t/b", "/put")
        assert other.get("put") == WHOLE["b"]
        other.fs.put(["safefs://d/t/a", "safefs://d/t/b"], ["/1", "/2"])
        assert other.exists("2")
        with pytest.raises(ValueError, match="all paths of a list"):
            other.fs.put(["safefs://d/t/a", str(top / "local" / "b")], "/")
    filled.get("d/t", "safefs://e/url", recursive=True)
    assert filled.find("e/url") == ["e/url/a", "e/url/b", "e/url/sub/c"]
    assert not (top / "safefs:").exists()
    assert not os.path.exists("safefs:")


def test_a_confined_side_is_confined(filled: SafeFileSystem, top: Path) -> None:
    """What the local side would follow, a disk does not: the attack is a link beside the data."""
    (top / "secret").write_text("secret")
    (top / "local" / "link").symlink_to("../secret")
    filled.put(str(top / "local" / "link"), "d/by-local")  # ambient, as stated
    assert filled.cat("d/by-local") == b"secret"
    with Disk(top / "local") as disk:
        with pytest.raises(EscapeError):
            filled.put(disk / "link", "d/by-disk")
        filled.put(disk, "d/tree", recursive=True)
        assert "d/tree/link" not in filled.find("d/tree")
        with pytest.raises(EscapeError):
            filled.get("d/t/b", disk / "link" / "x")
        (top / "local" / "out").symlink_to("..")
        with pytest.raises(EscapeError):
            filled.get("d/t/b", disk / "out" / "x")
        filled.get_file("d/t/b", disk / "link")  # a link in the last place is replaced
        with disk.read_only() as view, pytest.raises(PolicyError):
            filled.get("d/t/b", view)
    assert not filled.exists("d/by-disk")
    assert (top / "secret").read_text() == "secret"
    assert not (top / "x").exists()


def test_dots_in_a_source_lead_no_copy_out_of_its_place(filled: SafeFileSystem, top: Path) -> None:
    """``sub/..`` is inside the disk, and its tree would land above the local directory."""
    (top / "into").mkdir()
    for target in (str(top / "into"), "safefs://e/into"):
        filled.mkdir("e/into") if target.startswith("safefs") else None
        with pytest.raises(InvalidPathError):
            filled.get("d/t/sub/..", target, recursive=True)
    assert os.listdir(top / "into") == []
    assert filled.find("e") == []
