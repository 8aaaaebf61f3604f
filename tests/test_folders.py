"""Where the named disks lie, and which places are not believed."""

from __future__ import annotations

import configparser
import gc
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safefs import ConfigError, MissingFolderError, Policy, Root, UnsafeFolderError
from safefs.folders import APP, MEDIA, NAMES, Place, TemporaryFolder, places

if TYPE_CHECKING:
    from collections.abc import Iterable

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
STRANGER = 54321


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no word of the real one."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    monkeypatch.setenv("HOME", str(home))
    return home


def _place(name: str, outside_home: Iterable[str] = ()) -> Place:
    return places("app", outside_home=outside_home)[name]


def _reason(name: str, outside_home: Iterable[str] = ()) -> str:
    with pytest.raises(UnsafeFolderError) as caught:
        _place(name, outside_home).open()
    assert caught.value.disk == name
    return caught.value.reason


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- where they lie ----------------------------------------------------------------------------


def test_every_name_but_temp_has_a_place_and_none_is_opened_or_made(home: Path) -> None:
    assert [*places("app"), "temp"] == list(NAMES)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", APP)
def test_a_folder_of_the_application_is_made_for_this_user_alone(name: str, home: Path) -> None:
    with _place(name).open() as root:
        root.write_text("here", "")
    (found,) = home.rglob("here")
    made = [parent for parent in found.parents if parent.is_relative_to(home) and parent != home]
    assert {_mode(parent) for parent in made} == {0o700}


def test_a_second_opening_finds_the_first(home: Path) -> None:
    with _place("appdata").open() as root:
        root.write_text("a", "kept")
    with _place("appdata").open() as root:
        assert root.read_text("a") == "kept"
    assert (home / ".local" / "share" / "app" / "a").exists()


@pytest.mark.parametrize("name", MEDIA)
def test_a_missing_media_folder_says_how_to_make_it(name: str, home: Path) -> None:
    with pytest.raises(MissingFolderError, match="mkdir -p") as caught:
        _place(name).open()
    assert caught.value.disk == name
    assert str(caught.value.filename).startswith(str(home))
    assert list(home.iterdir()) == []


def test_a_media_folder_is_where_user_dirs_says(home: Path) -> None:
    (home / ".config").mkdir()
    (home / ".config" / "user-dirs.dirs").write_text('XDG_MUSIC_DIR="$HOME/Musik"\n')
    (home / "Musik").mkdir()
    with _place("music").open() as root:
        root.write_text("here", "")
    assert (home / "Musik" / "here").exists()


def test_a_folder_may_be_a_link_that_stays_in_home(home: Path) -> None:
    (home / "elsewhere").mkdir()
    (home / "Documents").symlink_to("elsewhere")
    with _place("documents").open() as root:
        root.write_text("here", "")
    assert (home / "elsewhere" / "here").exists()


def test_the_policy_given_is_the_one_that_holds() -> None:
    with _place("home").open(Policy(top_level_dot_entries="refuse")) as root:
        assert root.policy == Policy(top_level_dot_entries="refuse")


# -- which places are not believed -------------------------------------------------------------


def test_home_itself_is_no_media_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", f"{home}/")
    assert _reason("documents", {"documents"}) == "is the home directory itself"


def test_user_dirs_cannot_name_home_either(home: Path) -> None:
    (home / ".config").mkdir()
    (home / ".config" / "user-dirs.dirs").write_text('XDG_MUSIC_DIR="$HOME/"\n')
    assert _reason("music") == "is the home directory itself"


def test_a_link_to_home_is_home(home: Path) -> None:
    (home / "Music").symlink_to(".")
    assert _reason("music") == "is the home directory itself"


def test_nothing_above_home_is_a_media_folder_even_with_consent(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_PICTURES_DIR", str(home.parent))
    assert _reason("pictures", {"pictures"}) == "is above the home directory"
    monkeypatch.setenv("XDG_PICTURES_DIR", f"{home}/..")
    assert _reason("pictures") == "is above the home directory"


@pytest.mark.parametrize(("name", "variable"), [("music", "XDG_MUSIC_DIR")])
def test_outside_home_takes_consent_by_name(
    name: str, variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "media").mkdir()
    monkeypatch.setenv(variable, str(tmp_path / "media"))
    assert f"outside_home={{'{name}'}}" in _reason(name)
    assert "lies outside" in _reason(name, {"documents"})
    with _place(name, {name}).open() as root:
        assert root.listdir() == []


def test_a_link_in_home_that_leads_out_is_outside(home: Path, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    (home / "Videos").symlink_to(tmp_path / "media")
    assert "lies outside" in _reason("videos")


@pytest.mark.parametrize("name", APP)
def test_the_application_s_own_folders_need_consent_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("DATA", "CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{variable}_HOME", str(tmp_path / "xdg" / variable))
    assert "lies outside" in _reason(name)
    assert not (tmp_path / "xdg").exists()
    with _place(name, {name}).open() as root:
        root.write_text("here", "")
    assert _mode(tmp_path / "xdg") == 0o700


@pytest.mark.parametrize("value", ["", "relative", "../x", "~/x"])
@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("appdata", "XDG_DATA_HOME"),
        ("config", "XDG_CONFIG_HOME"),
        ("logs", "XDG_STATE_HOME"),
        ("downloads", "XDG_DOWNLOAD_DIR"),
        ("runtime", "XDG_RUNTIME_DIR"),
    ],
)
def test_a_variable_that_is_not_absolute_is_refused(
    name: str, variable: str, value: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "Downloads").mkdir()
    monkeypatch.setenv(variable, value)
    assert (
        _reason(name) == f"cannot be known: {variable} is {value!r}, which is not an absolute path"
    )


def test_one_bad_variable_leaves_the_other_disks_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_MUSIC_DIR", "relative")
    (home / "Documents").mkdir()
    _place("documents").open().close()


@pytest.mark.parametrize("name", ["documents", "appdata"])
def test_a_file_is_no_folder(name: str, home: Path) -> None:
    (home / "Documents").touch()
    (home / ".local" / "share").mkdir(parents=True)
    (home / ".local" / "share" / "app").touch()
    assert _reason(name) == "is not a directory"


@pytest.mark.parametrize("name", ["documents", "appdata"])
def test_a_link_to_itself_is_no_folder(name: str, home: Path) -> None:
    (home / "Documents").symlink_to("Documents")
    (home / ".local" / "share").mkdir(parents=True)
    (home / ".local" / "share" / "app").symlink_to("app")
    assert _reason(name) == "is a link that leads to itself"


def test_a_dangling_link_makes_nothing_outside(home: Path, tmp_path: Path) -> None:
    (home / ".local" / "share").mkdir(parents=True)
    (home / ".local" / "share" / "app").symlink_to(tmp_path / "outside")
    assert "lies outside" in _reason("appdata")
    assert not (tmp_path / "outside").exists()


@needs_root
@pytest.mark.parametrize("name", ["home", "documents", "appdata"])
def test_another_user_s_folder_is_refused(name: str, home: Path) -> None:
    folder = {"home": home, "documents": home / "Documents", "appdata": home / ".local/share/app"}
    folder[name].mkdir(parents=True, exist_ok=True)
    os.chown(folder[name], STRANGER, STRANGER)
    assert _reason(name) == f"belongs to another user (uid {STRANGER})"


@needs_root
def test_nothing_is_made_in_another_user_s_folder(home: Path) -> None:
    (home / ".local").mkdir()
    os.chown(home / ".local", STRANGER, STRANGER)
    assert "which belongs to another user" in _reason("appdata")
    assert list((home / ".local").iterdir()) == []


@pytest.mark.parametrize("name", ["home", "appdata"])
def test_a_folder_that_every_user_can_write_is_refused(name: str, home: Path) -> None:
    folder = home if name == "home" else home / ".local/share/app"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o777)
    assert _reason(name) == "can be written by every user"


def test_nothing_is_made_where_every_user_can_rename_it(home: Path) -> None:
    (home / ".cache").mkdir()
    (home / ".cache").chmod(0o777)
    assert "which can be written by every user" in _reason("cache")
    (home / ".cache").chmod(0o1777)  # sticky: only the owner of an entry renames it
    _place("cache").open().close()


def test_what_was_exchanged_while_it_was_opened_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack: the folder that passed the check is swapped for a link before it is opened."""
    (home / "Documents").mkdir()
    (tmp_path / "outside").mkdir()

    class Late(Root):
        def __init__(self, directory: Path, *, policy: Policy | None = None) -> None:
            if directory == home / "Documents":
                directory.rmdir()
                directory.symlink_to(tmp_path / "outside")
            super().__init__(directory, policy=policy)

    monkeypatch.setattr("safefs.folders.Root", Late)
    with pytest.raises((UnsafeFolderError, PermissionError)):
        _place("documents").open()


@needs_root
@pytest.mark.parametrize("name", ["documents", "appdata"])
@pytest.mark.parametrize("how", ["folder", "link", "beyond a link"])
def test_a_way_that_another_user_could_turn_is_refused(
    how: str, name: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack: what a variable names lies with another user, who links it to our own ~/.ssh."""
    (home / ".ssh").mkdir()
    theirs = tmp_path / "theirs"
    if how == "link":
        theirs.symlink_to(home / ".ssh")
    else:
        theirs.mkdir()
        (theirs / "app").symlink_to(home / ".ssh")
    os.chown(theirs, STRANGER, STRANGER, follow_symlinks=False)
    (tmp_path / "mine").symlink_to("theirs")
    way = {"folder": theirs / "app", "link": theirs, "beyond a link": tmp_path / "mine" / "app"}
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(way[how]))
    monkeypatch.setenv("XDG_DATA_HOME", str(way[how] / "deeper"))
    reason = _reason(name, {name})
    assert f"{str(theirs)!r}, which belongs to another user (uid {STRANGER})" in reason
    assert list((home / ".ssh").iterdir()) == []


@pytest.mark.parametrize("name", ["documents", "appdata"])
def test_a_way_that_every_user_could_turn_is_refused(
    name: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "real").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "link").symlink_to(home / "real")
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", f"{tmp_path}/open/link")
    monkeypatch.setenv("XDG_DATA_HOME", f"{tmp_path}/open/../open/link")
    assert f"'{tmp_path}/open', which can be written by every user" in _reason(name, {name})
    (tmp_path / "open").chmod(0o1777)
    _place(name, {name}).open().close()


def test_a_place_outside_that_leads_into_home_needs_consent(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".ssh").mkdir()
    (tmp_path / "link").symlink_to(home / ".ssh")
    monkeypatch.setenv("XDG_MUSIC_DIR", str(tmp_path / "link"))
    assert "lies outside" in _reason("music")
    _place("music", {"music"}).open().close()


def test_a_home_by_another_name_is_home_all_the_same(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where ``/home`` is a link to ``/var/home``."""
    (tmp_path / "other").symlink_to("home")
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    _place("appdata").open().close()
    monkeypatch.setenv("XDG_MUSIC_DIR", str(home / "Music"))
    (home / "Music").mkdir()
    _place("music").open().close()


def test_more_links_than_linux_follows_are_a_loop(home: Path) -> None:
    (home / "0").mkdir()
    for number in range(41):
        (home / f"{number + 1}").symlink_to(f"{number}")
    (home / "Music").symlink_to("39")  # forty in all
    _place("music").open().close()
    (home / "Music").unlink()
    (home / "Music").symlink_to("40")
    assert _reason("music") == "is a link that leads to itself"


# -- what platformdirs is asked, and answers -----------------------------------------------------


@pytest.fixture
def user_dirs(home: Path) -> Path:
    (home / ".config").mkdir()
    (home / "Documents").mkdir()
    return home / ".config" / "user-dirs.dirs"


@pytest.mark.parametrize("answer", ["", "project", "/a\0b"])
def test_an_answer_that_can_be_no_place_is_refused(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safefs.folders.PlatformDirs.user_music_path", Path(answer))
    assert "which is not an absolute path" in _reason("music")
    assert _place("documents").problem == ""


@pytest.mark.parametrize(
    "error", [configparser.ParsingError("x"), UnicodeDecodeError("a", b"b", 0, 1, "c"), OSError()]
)
def test_no_answer_hurts_only_its_own_disk(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: object) -> Path:
        raise error

    monkeypatch.setattr("safefs.folders.PlatformDirs.user_music_path", property(fail))
    assert _reason("music").startswith("cannot be known")
    assert _place("documents").problem == ""


@pytest.mark.parametrize("line", ['""', '"proj"', "no line", '"\xff"', '"$HOME/\0"'])
def test_a_line_that_cannot_be_meant_gives_no_place_outside_home(
    line: str, user_dirs: Path, home: Path
) -> None:
    user_dirs.write_bytes(f"XDG_DOCUMENTS_DIR={line}\nnonsense\n".encode("latin-1"))
    (place, path) = (_place("documents"), _place("documents").path)
    assert place.problem or (path and path.startswith(str(home)))


def test_user_dirs_as_a_fifo_is_not_waited_for(
    user_dirs: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(user_dirs)
    assert "is not a file" in _reason("documents")
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(home / "Documents"))
    _place("documents").open().close()
    _place("appdata").open().close()


@pytest.mark.parametrize("who", ["everyone", "another user", "nobody"])
def test_user_dirs_that_another_user_could_write_is_not_read(who: str, user_dirs: Path) -> None:
    user_dirs.write_text('XDG_DOCUMENTS_DIR="$HOME/.ssh"\n')
    if who == "everyone":
        user_dirs.chmod(0o666)
    elif who == "nobody":
        user_dirs.unlink()
        user_dirs.symlink_to(user_dirs)
    elif os.geteuid() == 0:
        os.chown(user_dirs, STRANGER, STRANGER)
    else:
        pytest.skip("only root can give a file away")
    assert str(user_dirs) in _reason("documents")


# -- home --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "said"), [("relative", "'relative'"), ("/", "'/'"), ("", "'/'")])
@pytest.mark.parametrize("name", ["home", "documents", "appdata"])
def test_a_home_that_can_be_none_is_refused(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", value)
    assert said in _reason(name)


@pytest.mark.parametrize("name", ["home", "documents", "appdata"])
@pytest.mark.parametrize("value", ["/tmp/..", "/..", "//", "/./", "/proc/self/root", "link"])
def test_a_home_is_not_the_top_by_any_name(
    value: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("/")
    monkeypatch.setenv("HOME", str(tmp_path / "link") if value == "link" else value)
    assert "the home directory of this user is '/'" in _reason(name)


@pytest.mark.parametrize("name", ["home", "documents", "appdata", "runtime"])
def test_a_home_that_becomes_the_top_later_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    place = _place(name)
    (tmp_path / "link").symlink_to("/")
    with pytest.raises(UnsafeFolderError, match="the home directory of this user is '/'"):
        place.open()


def test_a_home_that_leads_to_itself_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "music").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "loop"))
    monkeypatch.setenv("XDG_MUSIC_DIR", str(tmp_path / "music"))
    for name in ("home", "appdata", "documents", "music"):
        with pytest.raises(UnsafeFolderError):
            _place(name).open()


def test_a_home_beneath_a_file_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """``/dev/null`` is the home of many a service."""
    monkeypatch.setenv("HOME", "/dev/null")
    for name in ("documents", "appdata"):
        with pytest.raises(MissingFolderError):
            _place(name).open()
    with pytest.raises(MissingFolderError):
        _place("config").open(create=False)
    assert _reason("home") == "is not a directory"


def test_a_home_that_is_not_there_is_missing_and_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    for name in ("home", "documents", "appdata"):
        with pytest.raises(MissingFolderError):
            _place(name).open()
    assert not (tmp_path / "nobody").exists()


def test_a_user_that_the_system_does_not_know_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: type[Path]) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", classmethod(unknown))
    assert "HOME is not set" in _reason("documents")


def test_a_service_without_a_home_may_be_told_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert "the home directory of this user is '/'" in _reason("state")
    _place("state", {"state"}).open().close()
    assert _mode(tmp_path / "state" / "app") == 0o700


# -- runtime and temp --------------------------------------------------------------------------


def test_runtime_is_where_the_login_says_and_ours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    with _place("runtime").open() as root:
        root.write_text("socket", "")
    assert _mode(tmp_path / "run" / "app") == 0o700


@pytest.mark.parametrize("above", [0, 1])
def test_runtime_is_neither_home_nor_above_it(
    above: int, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack: the directory above home is named, for an application that is named as home."""
    deeper = home / "user"
    deeper.mkdir()
    monkeypatch.setenv("HOME", str(deeper))
    (home, deeper)[1 - above].chmod(0o700)
    run = (home, tmp_path)[above]
    run.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    name = ("user", "home")[above]
    with pytest.raises(UnsafeFolderError, match=("itself", "above")[above]):
        places(name)["runtime"].open()


def test_a_folder_above_home_by_another_name_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a bind mount of it: another path, the same directory."""
    (tmp_path / "bound").mkdir()
    monkeypatch.setenv("XDG_MUSIC_DIR", str(tmp_path / "bound"))
    with Root(tmp_path) as above:
        found = above.stat(".")
    with pytest.raises(UnsafeFolderError, match="is above the home directory"):
        _place("music")._check_no_home_by_another_name(found)


def test_runtime_without_the_variable_is_an_error_and_never_tmp() -> None:
    assert _reason("runtime") == "cannot be known: XDG_RUNTIME_DIR is not set"


def test_a_runtime_directory_must_be_there_and_0700(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert "does not exist" in _reason("runtime")
    (tmp_path / "run").touch()
    assert "is no directory" in _reason("runtime")
    (tmp_path / "run").unlink()
    (tmp_path / "run").mkdir(mode=0o755)
    assert "not this user's alone" in _reason("runtime")
    assert list((tmp_path / "run").iterdir()) == []


@needs_root
def test_a_runtime_directory_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    os.chown(tmp_path / "run", STRANGER, STRANGER)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert "not this user's alone" in _reason("runtime")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary directories are made."""
    made = tmp_path / "tmp"
    made.mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(made))
    return made


def test_a_temporary_folder_is_0700_and_goes_with_all_it_holds(
    temporary: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    folder = TemporaryFolder("app")
    assert _mode(Path(folder.path)) == 0o700
    folder.root.makedirs("a/b")
    folder.root.write_text("a/b/c", "")
    folder.root.write_text("d", "")
    folder.root.symlink(str(tmp_path / "outside"), "link")
    folder.remove()
    folder.remove()
    assert list(temporary.iterdir()) == []
    assert (tmp_path / "outside" / "kept").exists()


def test_what_stands_under_its_name_later_is_not_removed(temporary: Path) -> None:
    """The attack: in a directory without the sticky bit, another tree takes the name."""
    folder = TemporaryFolder("app")
    folder.root.write_text("ours", "")
    Path(folder.path).rename(temporary / "moved")
    (temporary / Path(folder.path).name).mkdir()
    (temporary / Path(folder.path).name / "theirs").touch()
    with pytest.raises(OSError, match="not empty"):
        folder.remove()
    assert (temporary / Path(folder.path).name / "theirs").exists()
    assert list((temporary / "moved").iterdir()) == []


def test_a_fork_does_not_remove_its_parent_s_folder(temporary: Path) -> None:
    folder = TemporaryFolder("app")
    pid = os.fork()
    if pid == 0:
        folder.remove()
        os._exit(0 if folder.root.closed else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert os.listdir(temporary) == [os.path.basename(folder.path)]
    folder.remove()
    assert os.listdir(temporary) == []


def test_a_temporary_folder_that_is_dropped_goes(temporary: Path) -> None:
    folder = TemporaryFolder("app")
    folder.root.write_text("a", "")
    del folder
    gc.collect()
    assert os.listdir(temporary) == []


def test_a_temporary_folder_that_a_cleaner_removed_is_gone_without_an_error(
    temporary: Path,
) -> None:
    folder = TemporaryFolder("app")
    os.rmdir(folder.path)
    folder.remove()
    assert folder.root.closed


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o770])
def test_a_temporary_folder_is_not_made_where_others_could_exchange_it(
    mode: int, temporary: Path
) -> None:
    """The attack: its name is swapped for a link to the documents, and close empties those."""
    temporary.chmod(mode)
    with pytest.raises(UnsafeFolderError, match=r"would lie in .* can be written by") as caught:
        TemporaryFolder("app")
    assert caught.value.disk == "temp"
    assert os.listdir(temporary) == []
    temporary.chmod(mode | stat.S_ISVTX)
    TemporaryFolder("app").remove()


@needs_root
def test_a_temporary_folder_is_not_made_in_another_user_s(temporary: Path) -> None:
    os.chown(temporary, STRANGER, STRANGER)
    with pytest.raises(UnsafeFolderError, match="belongs to another user"):
        TemporaryFolder("app")


@pytest.mark.parametrize("swap", ["link", "mode"])
def test_a_temporary_folder_that_was_exchanged_while_it_was_made_is_refused(
    swap: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attack: between mkdir and open, the name becomes a link to another of our folders."""
    (temporary / "ours").mkdir(mode=0o700)
    (temporary / "ours" / "kept").touch()
    real = Root.mkdir

    def mkdir(self: Root, path: str, mode: int = 0o777) -> None:
        real(self, path, mode)
        if swap == "link":
            (temporary / path).rmdir()
            (temporary / path).symlink_to("ours")
        else:
            (temporary / path).chmod(0o755)

    monkeypatch.setattr(Root, "mkdir", mkdir)
    with pytest.raises(UnsafeFolderError, match="was replaced while it was made"):
        TemporaryFolder("app")
    assert (temporary / "ours" / "kept").exists()


def test_a_temporary_folder_keeps_to_0700_beneath_a_setgid_directory(temporary: Path) -> None:
    temporary.chmod(0o2700)
    TemporaryFolder("app").remove()


_LOCKED = """
import os, sys, tempfile
from safefs.folders import TemporaryFolder
tempfile.tempdir = sys.argv[1]
folder = TemporaryFolder("app")
folder.root.makedirs("a/b")
folder.root.write_text("a/b/c", "")
folder.root.write_text("a/d", "")
for name, mode in (("a/b", 0), ("a", 0), (".", 0o500)):
    folder.root.chmod(name, mode)
try:
    folder.root.listdir("a")
except PermissionError:
    folder.remove()
    sys.exit(len(os.listdir(sys.argv[1])))
sys.exit("nothing was locked")
"""


def test_a_temporary_folder_goes_though_its_directories_are_locked(temporary: Path) -> None:
    plain = [sys.executable, "-c", _LOCKED, str(temporary)]
    if os.geteuid() == 0:  # whom no mode stops, unless it gives that right away
        if not shutil.which("setpriv"):
            pytest.skip("setpriv is not there")
        plain = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *plain]
    done = subprocess.run(plain, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# -- names -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad", ["", ".", "..", "../x", "/", "a/b", "a\0", "a\n", "NUL", "a ", "a:b"]
)
def test_an_application_or_author_is_one_portable_name(bad: str) -> None:
    with pytest.raises(ConfigError):
        places(bad)
    with pytest.raises(ConfigError):
        places("app", bad)


def test_an_application_s_name_is_text() -> None:
    with pytest.raises(TypeError):
        places(b"app")  # type: ignore[arg-type]


def test_consent_is_given_for_disks_that_could_lie_outside() -> None:
    with pytest.raises(ConfigError, match="none of"):
        places("app", outside_home={"Documents"})
    with pytest.raises(ConfigError, match="none of"):
        places("app", outside_home={"home"})
    with pytest.raises(TypeError, match="a set of names"):
        places("app", outside_home="documents")
