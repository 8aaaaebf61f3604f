"""DiskPath speaks as pathlib does, and says so where it does not."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from safefs.disk import Disk
from safefs.diskpath import DiskPath
from safefs.drivers.memory import MemoryDriver
from safefs.errors import EscapeError, InvalidPathError
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TREE = [
    "a/b/c.txt",
    "a/b/d.TXT",
    "a/.hidden/e.txt",
    "a/f.tar.gz",
    "g",
    "h i/[x].txt",
    "a/b/s/t.txt",
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "m" / "m" / "m" / "disk"
    for name in TREE:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(name)
    (directory.parent / "outside").mkdir()
    (directory.parent / "outside" / "secret.txt").write_text("secret")
    return directory


@pytest.fixture
def disk(home: Path) -> Iterator[Disk]:
    with Disk(home, name="docs") as disk:
        yield disk


class TestText:
    PATHS = ("", ".", "a", "a/b.tar.gz", "a/./b//c/", "../x", ".hidden", "a/..", "a b/é.txt")

    @pytest.mark.parametrize("text", PATHS)
    @pytest.mark.parametrize(
        "word", ["name", "stem", "suffix", "suffixes", "parts", "as_posix", "__str__"]
    )
    def test_the_words_mean_what_pathlib_means(self, disk: Disk, text: str, word: str) -> None:
        ours, theirs = getattr(disk / text, word), getattr(PurePosixPath(text), word)
        assert (ours() if callable(ours) else ours) == (theirs() if callable(theirs) else theirs)

    @pytest.mark.parametrize("text", PATHS)
    def test_parents_are_disk_paths(self, disk: Disk, text: str) -> None:
        path = disk / text
        assert str(path.parent) == str(PurePosixPath(text).parent)
        assert [str(p) for p in path.parents] == [str(p) for p in PurePosixPath(text).parents]
        assert all(isinstance(p, DiskPath) and p.disk is disk for p in (path.parent, *path.parents))

    def test_joining_is_text(self, disk: Disk) -> None:
        expected = disk / "a" / "b" / "c"
        assert disk / "a/b" / PurePosixPath("c") == expected
        assert (disk / "").joinpath("a", "b", "c") == (disk / "a").joinpath("b/c") == expected
        assert disk / "gone" / ".." / "x" != disk / "x"

    def test_an_absolute_path_is_an_escape(self, disk: Disk, tmp_path: Path) -> None:
        for join in (lambda p: disk / p, lambda p: disk / "a" / p, (disk / "a").joinpath):
            with pytest.raises(EscapeError, match="leave out"):
                join(str(tmp_path))
            with pytest.raises(EscapeError):
                join(tmp_path)

    @pytest.mark.parametrize("text", ["a\0b", "\ud800"])
    def test_what_can_be_no_path_is_none(self, disk: Disk, text: str) -> None:
        with pytest.raises(InvalidPathError):
            disk / text
        with pytest.raises(InvalidPathError):
            (disk / "a").with_name(text)

    @pytest.mark.parametrize("other", [b"a", 3, None])
    def test_only_text_is_joined(self, disk: Disk, other: Any) -> None:
        with pytest.raises(TypeError):
            disk / other
        with pytest.raises(TypeError):
            (disk / "a") / other

    def test_a_disk_path_is_not_joined_to_another(self, disk: Disk) -> None:
        with pytest.raises(TypeError, match="as_posix"):
            disk / (disk / "a")  # type: ignore[operator]
        with pytest.raises(TypeError, match="as_posix"):
            (disk / "a") / (disk / "b")  # type: ignore[operator]
        with pytest.raises(TypeError):
            "a" / (disk / "b")  # type: ignore[operator]

    def test_with_name_stem_and_suffix(self, disk: Disk) -> None:
        path = disk / "a" / "b.txt"
        assert path.with_name("c") == disk / "a/c"
        assert path.with_stem("c") == disk / "a/c.txt"
        assert path.with_suffix(".md") == disk / "a/b.md"
        for bad in ("", "x/y", "/"):
            with pytest.raises(ValueError, match="Invalid name"):
                path.with_name(bad)

    def test_relative_to_gives_text(self, disk: Disk) -> None:
        path = disk / "a" / "b"
        assert path.relative_to("a") == path.relative_to(disk / "a") == PurePosixPath("b")
        assert type(path.relative_to("a")) is PurePosixPath
        assert path.is_relative_to("a")
        assert path.is_relative_to(disk / "a")
        assert not path.is_relative_to("b")
        with pytest.raises(ValueError, match="subpath"):
            path.relative_to("b")
        with Disk._over(MemoryDriver()) as other:
            assert not path.is_relative_to(other / "a")
            with pytest.raises(ValueError, match="another disk"):
                path.relative_to(other / "a")

    def test_match_is_that_of_pathlib(self, disk: Disk) -> None:
        assert (disk / "a/b.txt").match("*.txt")
        assert not (disk / "a/b.txt").match("b/*.txt")


class TestValue:
    def test_equal_by_disk_and_path(self, disk: Disk, home: Path) -> None:
        with Disk(home, name="docs") as twin:
            assert disk / "a" == disk / "a"
            assert disk / "a" != disk / "b"
            assert disk / "a" != twin / "a"
            assert disk / "a" != "a"
            assert len({disk / "a", disk / "a", twin / "a", disk / "b"}) == 3

    def test_ordered_on_one_disk(self, disk: Disk) -> None:
        paths = [disk / "b", disk / "a/b", disk / "a"]
        assert sorted(paths) == [disk / "a", disk / "a/b", disk / "b"]
        assert disk / "a" <= disk / "a" < disk / "b" >= disk / "b" > disk / "a"
        with Disk._over(MemoryDriver()) as other:
            for act in ("__lt__", "__le__", "__gt__", "__ge__"):
                assert getattr(disk / "a", act)(other / "b") is NotImplemented
            with pytest.raises(TypeError):
                sorted([disk / "b", other / "a"])

    def test_immutable(self, disk: Disk) -> None:
        path = disk / "a"
        with pytest.raises(AttributeError):
            path.name = "b"  # type: ignore[misc]
        with pytest.raises(AttributeError):
            path.anything = 1  # type: ignore[attr-defined]

    def test_copied_as_itself_and_never_pickled(self, disk: Disk) -> None:
        path = disk / "a"
        assert copy.copy(path) is copy.deepcopy(path) is path
        with pytest.raises(TypeError, match="as_posix"):
            pickle.dumps(path)

    def test_no_path_for_the_builtin_open(self, disk: Disk, tmp_path: Path) -> None:
        """It would look for the same text beneath the working directory."""
        path: Any = disk / "g"
        assert not isinstance(path, os.PathLike)
        for act in (open, os.fspath, os.stat, Path):
            with pytest.raises(TypeError):
                act(path)
        with Root(tmp_path) as root, pytest.raises(TypeError):
            root.stat(path)

    def test_it_says_what_it_is(self, disk: Disk) -> None:
        assert repr(disk / "a") == "DiskPath('a', disk='docs')"

    @pytest.mark.parametrize(
        ("text", "url"),
        [
            ("", "safefs://docs/"),
            ("a/b c.txt", "safefs://docs/a/b c.txt"),
            ("50%25?#é", "safefs://docs/50%25?#é"),
            ("../x", "safefs://docs/../x"),
        ],
    )
    def test_the_url_is_literal(self, disk: Disk, text: str, url: str) -> None:
        assert (disk / text).url == url

    def test_what_has_no_url_has_none(self, disk: Disk) -> None:
        """fsspec.open of "safefs://docs/x::/f" would open /f, with nobody's leave."""
        for text in ("x::", "x::/f", "::memory"):
            with pytest.raises(ValueError, match="chain"):
                _ = (disk / text).url
        with disk.scoped("a") as scoped, pytest.raises(ValueError, match="without a name"):
            _ = (scoped / "b").url


class TestLooking:
    @pytest.fixture(autouse=True)
    def _links(self, home: Path) -> None:
        (home / "in").symlink_to("a/b")
        (home / "out").symlink_to("../outside")
        (home / "a" / "up").symlink_to("..")
        (home / "dangling").symlink_to("nowhere")
        (home / "loop").symlink_to("loop")

    def test_a_link_is_told_from_what_it_leads_to(self, disk: Disk) -> None:
        for name, exists in (("in", True), ("out", False), ("dangling", False), ("loop", False)):
            path = disk / name
            assert path.is_symlink()
            assert path.lstat().kind == path.stat(follow_symlinks=False).kind == "symlink"
            assert path.exists() is exists
        assert (disk / "in").is_dir()
        assert not (disk / "in").is_file()
        assert (disk / "in" / "c.txt").is_file()
        assert not (disk / "gone").is_symlink()
        assert not (disk / ".." / "outside").is_symlink()
        with pytest.raises(FileNotFoundError):
            (disk / "dangling").stat()
        with pytest.raises(EscapeError):
            (disk / "out").stat()

    def test_iterdir_lists_links_by_name(self, disk: Disk) -> None:
        names = sorted(path.name for path in (disk / "").iterdir())
        assert names == ["a", "dangling", "g", "h i", "in", "loop", "out"]
        with pytest.raises(EscapeError):
            list((disk / "out").iterdir())
        with pytest.raises(NotADirectoryError):
            list((disk / "g").iterdir())

    def test_walk_enters_no_link(self, disk: Disk) -> None:
        steps = {path.as_posix(): (names, rest) for path, names, rest in (disk / "").walk()}
        assert set(steps) == {".", "a", "a/b", "a/b/s", "a/.hidden", "h i"}
        assert steps["."] == (["a", "h i"], ["dangling", "g", "in", "loop", "out"])
        assert steps["a"] == ([".hidden", "b"], ["f.tar.gz", "up"])

    def test_walk_goes_where_it_is_told(self, disk: Disk) -> None:
        seen = []
        for path, names, _ in (disk / "a").walk():
            seen.append(path.as_posix())
            names[:] = [name for name in names if name != "b"]
        assert seen == ["a", "a/.hidden"]

    def test_walk_bottom_up_has_children_first(self, disk: Disk) -> None:
        seen = [path.as_posix() for path, _, _ in (disk / "a").walk(top_down=False)]
        assert seen.index("a/b/s") < seen.index("a/b") < seen.index("a")

    @pytest.mark.parametrize(
        "pattern",
        [
            "*", "*.txt", "a/*", "*/b/*", "**/*.txt", "a/**/*.txt", "**/b/*", "a/b/c.txt", "g",
            "[gh]*", "h i/[[]x].txt", "gone", "gone/*", "g/*", "?", "**/s/**/*.txt", "a/**/b/*.TXT",
            "./a/*", "a//b/*",
        ],
    )  # fmt: skip
    def test_glob_finds_what_pathlib_finds(self, disk: Disk, home: Path, pattern: str) -> None:
        """On a tree without links to directories, which pathlib enters here and there."""
        for link in ("in", "out", "a/up", "loop"):
            (home / link).unlink()
        ours = sorted(path.as_posix() for path in (disk / "").glob(pattern))
        theirs = sorted(str(path.relative_to(home)) for path in home.glob(pattern))
        assert ours == sorted(set(theirs))
        ours = sorted(path.as_posix() for path in (disk / "a").rglob(pattern))
        theirs = sorted(str(path.relative_to(home)) for path in (home / "a").rglob(pattern))
        assert ours == sorted(set(theirs))

    def test_glob_with_two_stars_last_finds_everything_beneath(self, disk: Disk) -> None:
        found = [path.as_posix() for path in (disk / "a/b").glob("**")]
        assert found == ["a/b", "a/b/c.txt", "a/b/d.TXT", "a/b/s", "a/b/s/t.txt"]
        assert [path.as_posix() for path in (disk / "a/b").glob("*/**")] == [
            "a/b/s",
            "a/b/s/t.txt",
        ]
        assert list((disk / "gone").glob("**")) == []

    def test_glob_with_a_slash_last_finds_directories(self, disk: Disk) -> None:
        assert [path.as_posix() for path in (disk / "").glob("*/")] == ["a", "h i"]
        assert [path.as_posix() for path in (disk / "").glob("a/")] == ["a"]
        assert list((disk / "").glob("g/")) == []

    def test_glob_matches_links_and_enters_none(self, disk: Disk) -> None:
        assert [path.as_posix() for path in (disk / "").glob("[io]*")] == ["in", "out"]
        assert list((disk / "").glob("[io]*/*")) == []
        found = [path.as_posix() for path in (disk / "").rglob("*.txt")]
        assert not [path for path in found if path.startswith(("in/", "out/")) or "up" in path]
        assert [path.as_posix() for path in (disk / "").glob("out")] == ["out"]

    def test_glob_beyond_a_link_outside_is_an_escape(self, disk: Disk) -> None:
        with pytest.raises(EscapeError):
            list((disk / "").glob("out/*"))
        with pytest.raises(EscapeError):
            list((disk / "..").glob("*"))
        assert [path.as_posix() for path in (disk / "").glob("in/*.txt")] == ["in/c.txt"]

    def test_a_pattern_that_leads_out_is_refused_at_once(self, disk: Disk, tmp_path: Path) -> None:
        for find in ((disk / "").glob, (disk / "").rglob):
            for pattern in ("..", "../*", "a/../*", "**/..", "", ".", "a\0*"):
                with pytest.raises(InvalidPathError):
                    find(pattern)
            with pytest.raises(EscapeError):
                find(f"{tmp_path}/*")
            with pytest.raises(TypeError):
                find(b"*")  # type: ignore[arg-type]

    def test_what_may_not_be_entered_is_passed_over(
        self, disk: Disk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        driver: Any = disk._driver
        scan = driver.scan

        def refuses(path: Any) -> Any:
            if path.text == "a/b":
                raise PermissionError(13, "no", "a/b")
            return scan(path)

        monkeypatch.setattr(driver, "scan", refuses)
        found = [path.as_posix() for path in (disk / "").rglob("*.txt")]
        assert found == ["a/.hidden/e.txt", "h i/[x].txt"]
        with pytest.raises(PermissionError):
            list((disk / "a" / "b").glob("*"))


class TestReadingAndWriting:
    def test_text_is_utf_8_with_line_ends_as_pathlib(self, disk: Disk, home: Path) -> None:
        path = disk / "t"
        assert path.write_text("é\nx") == 3
        assert (home / "t").read_bytes() == b"\xc3\xa9\nx"
        assert path.write_text("a\nb", newline="\r\n") == 3
        assert path.read_bytes() == b"a\r\nb"
        assert path.read_text() == "a\nb"
        assert path.read_text(newline="") == "a\r\nb"
        path.write_text("é", "latin-1")
        assert path.read_bytes() == b"\xe9"
        assert path.read_text("latin-1") == "é"
        assert path.read_text(errors="replace") == "\ufffd"
        with pytest.raises(UnicodeDecodeError):
            path.read_text()

    def test_what_cannot_be_written_changes_nothing(self, disk: Disk) -> None:
        path: Any = disk / "g"
        wrong: list[tuple[Any, type[Exception]]] = [
            (b"1", TypeError),
            (None, TypeError),
            ("\ud800", UnicodeEncodeError),
        ]
        for bad, error in wrong:
            with pytest.raises(error):
                path.write_text(bad)
        for bad in ("1", None, 3):
            with pytest.raises(TypeError):
                path.write_bytes(bad)
        assert path.read_text() == "g"

    def test_open_is_that_of_the_disk(self, disk: Disk) -> None:
        with (disk / "t").open("w", encoding="utf-16") as file:
            file.write("x")
        with (disk / "t").open("rb") as binary:
            assert binary.read() == "x".encode("utf-16")

    def test_no_parents_are_made(self, disk: Disk) -> None:
        path = disk / "gone" / "f"
        acts: list[Callable[[], object]] = [
            lambda: path.write_text("1"),
            lambda: path.write_bytes(b"1"),
            lambda: path.open("w"),
            path.touch,
            path.mkdir,
            lambda: (disk / "g").rename("gone/g"),
            lambda: (disk / "g").replace(path),
        ]
        for act in acts:
            with pytest.raises(FileNotFoundError):
                act()
        assert not (disk / "gone").exists()
        assert (disk / "g").exists()


class TestChanging:
    def test_mkdir_takes_pathlibs_arguments(self, disk: Disk, home: Path) -> None:
        (disk / "x" / "y").mkdir(0o750, True, True)
        (disk / "x" / "y").mkdir(exist_ok=True)
        assert (home / "x" / "y").stat().st_mode & 0o777 == 0o750
        (disk / "").mkdir(exist_ok=True)
        with pytest.raises(FileExistsError):
            (disk / "x").mkdir()
        with pytest.raises(FileExistsError):
            (disk / "g").mkdir(exist_ok=True)
        with pytest.raises(FileExistsError):
            (disk / "x").mkdir(parents=True)

    def test_touch_makes_or_renews(self, disk: Disk, home: Path) -> None:
        (disk / "t").touch(0o600)
        assert (home / "t").stat().st_mode & 0o777 == 0o600
        os.utime(home / "g", (1, 1))
        (disk / "g").touch()
        assert (disk / "g").stat().st_mtime > 1
        assert (disk / "g").read_text() == "g"
        with pytest.raises(FileExistsError):
            (disk / "g").touch(exist_ok=False)
        os.utime(home / "a", (1, 1))
        (disk / "a").touch()
        assert (disk / "a").stat().st_mtime > 1

    def test_touch_of_a_link_outside_touches_nothing(self, disk: Disk, home: Path) -> None:
        (home / "out").symlink_to("../outside/secret.txt")
        (home / "new").symlink_to("../outside/new")
        os.utime(home.parent / "outside" / "secret.txt", (1, 1))
        for name in ("out", "new"):
            with pytest.raises(EscapeError):
                (disk / name).touch()
        assert (home.parent / "outside" / "secret.txt").stat().st_mtime == 1
        assert not (home.parent / "outside" / "new").exists()

    @pytest.mark.parametrize("word", ["rename", "replace"])
    def test_rename_gives_the_new_path(self, disk: Disk, word: str) -> None:
        moved = getattr(disk / "a/b/c.txt", word)("a/new")
        assert moved == disk / "a/new"
        assert moved.read_text() == "a/b/c.txt"
        again = getattr(moved, word)(disk / "g")
        assert again.read_text() == "a/b/c.txt"
        assert not moved.exists()

    def test_rename_stays_on_its_disk(self, disk: Disk, tmp_path: Path) -> None:
        with Disk._over(MemoryDriver()) as other, pytest.raises(TypeError, match=r"Disk\.move"):
            (disk / "g").rename(other / "g")
        with pytest.raises(EscapeError):
            (disk / "g").rename(str(tmp_path / "g"))
        with pytest.raises(EscapeError):
            (disk / "g").rename("../g")
        with pytest.raises(TypeError):
            (disk / "g").rename(3)  # type: ignore[arg-type]
        assert (disk / "g").exists()

    def test_unlink_and_rmdir(self, disk: Disk) -> None:
        (disk / "g").unlink()
        (disk / "g").unlink(True)
        with pytest.raises(FileNotFoundError):
            (disk / "g").unlink()
        with pytest.raises(IsADirectoryError):
            (disk / "a").unlink()
        with pytest.raises(OSError, match="not empty"):
            (disk / "a").rmdir()
        (disk / "h i" / "[x].txt").unlink()
        (disk / "h i").rmdir()
        assert not (disk / "h i").exists()
