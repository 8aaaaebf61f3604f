"""safefs.toml: read as a whole or refused as a whole."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from safefs import ConfigError
from safefs.config import DiskEntry, check_name, find, parse, read
from safefs.folders import Place, places


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no word of the real one."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.fixture
def folder(home: Path) -> Path:
    """The config folder of the application."""
    folder = home / ".config" / "app"
    folder.mkdir(parents=True)
    return folder


def _config_place() -> Place:
    return places("app")["config"]


UPLOADS = '[disks.uploads]\npath = "/srv/uploads"\n'


def test_all_a_disk_can_say() -> None:
    document = b"""
        [disks.uploads]
        path = "/srv/uploads"
        create = true
        read_only = true
        symlinks = "never"
        same_filesystem = true
        portable_names = true
        encrypted = true
        allow_plain = true

        [disks.home]
        top_level_dot_entries = "allow"
    """
    rights = {
        "read_only": True,
        "symlinks": "never",
        "same_filesystem": True,
        "portable_names": True,
    }
    assert parse(document, "x") == {
        "uploads": DiskEntry(
            "uploads", "/srv/uploads", True, rights, encrypted=True, allow_plain=True
        ),
        "home": DiskEntry("home", rights={"top_level_dot_entries": "allow"}),
    }


def test_an_empty_file_has_no_disks() -> None:
    assert parse(b"", "x") == {}


@pytest.mark.parametrize(
    ("document", "key", "reason"),
    [
        ("disk = 1", "disk", "unknown"),
        ("disks = 1", "disks", "must be a table, not"),
        ("[disks]\nuploads = 1", "disks.uploads", "must be a table, not"),
        ("[disks.uploads]", "disks.uploads.path", "is missing"),
        (f"{UPLOADS}readonly = true", "disks.uploads.readonly", "unknown"),
        (f"{UPLOADS}read_only = 1", "disks.uploads.read_only", "must be true or false, not 1"),
        (f"{UPLOADS}encrypted = 'yes'", "disks.uploads.encrypted", "must be true or false"),
        (f"{UPLOADS}allow_plain = 1", "disks.uploads.allow_plain", "must be true or false"),
        (f"{UPLOADS}allow_plain = true", "disks.uploads.allow_plain", "encrypted = true"),
        (f"{UPLOADS}symlinks = 'sometimes'", "disks.uploads.symlinks", "must be one of"),
        (f"{UPLOADS}symlinks = ['never']", "disks.uploads.symlinks", "must be one of"),
        (f"{UPLOADS}max_path_length = -1", "disks.uploads.max_path_length", "must be 0 or more"),
        (f"{UPLOADS}max_path_length = 'x'", "disks.uploads.max_path_length", "a whole number, not"),
        (f"{UPLOADS}create = 'yes'", "disks.uploads.create", "must be true or false, not"),
        ("[disks.music]\ncreate = true", "disks.music.create", "needs a path"),
        ("[disks.x]\npath = 'uploads'", "disks.x.path", "must be an absolute path, not"),
        ("[disks.x]\npath = '~/uploads'", "disks.x.path", "must be an absolute path, not"),
        ("[disks.x]\npath = 3", "disks.x.path", "must be an absolute path, not"),
        ('[disks.x]\npath = "/a\\u0000b"', "disks.x.path", "must be an absolute path, not"),
        ("[disks.temp]\npath = '/tmp'", "disks.temp.path", "cannot be"),
        ("[disks.Uploads]\npath = '/u'", "disks.Uploads", "no name for a disk"),
        ("[disks.'../x']\npath = '/u'", "disks.../x", "no name for a disk"),
        ("disks = [", "", "is no TOML"),
        (f"{UPLOADS}{UPLOADS}", "", "is no TOML"),
        (f"disks = {'[' * 5000}", "", "is no TOML"),
    ],
)
def test_a_mistake_is_an_error_that_names_file_and_key(
    document: str, key: str, reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        parse(document.encode(), "/etc/app/safefs.toml")
    assert (caught.value.source, caught.value.key) == ("/etc/app/safefs.toml", key)


NARROW = """\
# The disks of the application.

[disks.home]
top_level_dot_entries = "allow"

[disks.uploads]  # of strangers
path = "/srv/uploads"
"""


@pytest.mark.parametrize(
    ("added", "line", "said"),
    [
        ("read_only = 1", 8, "disks.uploads.read_only: must be true or false, not 1"),
        ("\n# so:\nread_only = 1\n\nx = 2", 12, "disks.uploads.x: is unknown; "),
        ('symlinks = [\n  "never",\n]\n\n[disks.z]\npath = "/z"', 8, "must be one of inside_"),
        ('symlinks = """\n\nnever"""', 8, "disks.uploads.symlinks: must be one of "),
        ("max_path_length = -1\r\nread_only = true", 8, "must be 0 or more, not -1"),
        ("disks = 1", 8, "disks.uploads.disks: is unknown; "),
        ("[disks.z]", 8, "disks.z.path: is missing"),
        ("[disks.z]\ncreate = true", 8, "disks.z.path: is missing"),
        ("[other]\nx = 1\n[disks.Z]", 8, "other: is unknown; there is only [disks.<name>]"),
        ("[disks.Z]\npath = '/z'", 8, "disks.Z: 'Z' is no name for a disk"),
        ("read_only =", 8, "is no TOML: Invalid value"),
        ("read_only = [1,\n2", 9, "is no TOML: Unclosed array"),
    ],
)
def test_a_mistake_is_an_error_that_names_the_line(added: str, line: int, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse((NARROW + added).encode(), "safefs.toml")
    assert caught.value.line == line
    assert str(caught.value).startswith(f"safefs.toml:{line}: ")
    assert said in str(caught.value)


def test_a_line_is_found_in_a_long_file_and_behind_a_long_array() -> None:
    many = "".join(f'[disks.d{number}]\npath = "/d/{number}"\n' for number in range(1000))
    array = "symlinks = [\n" + '"never",\n' * 100 + "]\n"
    for text, line in (
        (f"{many}read_only = 1\n{many.replace('.d', '.e')}", 2001),
        (f"{UPLOADS}{array}", 3),
        (UPLOADS + "create = [\n" + "0,\n" * 100 + "]\n", 3),
        (f"{many}x = 1", 2001),
    ):
        with pytest.raises(ConfigError) as caught:
            parse(text.encode(), "x")
        assert caught.value.line == line


def test_where_a_line_would_take_long_to_find_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"x: disks\.a\.create: must be") as caught:
        parse(("[disks.a]\ncreate = [\n" + "0,\n" * 1200 + "]\npath = '/a'\n").encode(), "x")
    assert caught.value.line is None


def test_what_no_policy_refuses_of_one_field_alone_is_of_the_one_that_comes_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def contrary(**fields: object) -> None:
        if len(fields) > 1:
            raise ValueError("these contradict each other")

    monkeypatch.setattr("safefs.config.Policy", contrary)
    with pytest.raises(ConfigError, match=r"x:4: disks\.uploads\.read_only: these contradict"):
        parse(f"{UPLOADS}symlinks = ['a', 'b']\nread_only = true\n".encode(), "x")


def test_what_is_no_text_is_no_toml() -> None:
    with pytest.raises(ConfigError, match="x:2: is no TOML"):
        parse(b"\n\xff", "x")


@pytest.mark.parametrize("name", ["a", "0", "a-b_c", "a" * 64])
def test_names_of_disks(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "_a", "A", "a.b", "a/b", "ä", "a" * 65, "a\n", 3, None])
def test_what_is_no_name_of_a_disk(name: object) -> None:
    with pytest.raises(ConfigError):
        check_name(name)


# -- where it is read from ---------------------------------------------------------------------


def test_the_file_that_is_named_is_read_and_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read(tmp_path / "safefs.toml")
    (tmp_path / "mine.toml").write_text(UPLOADS)
    assert set(read(tmp_path / "mine.toml")) == {"uploads"}
    with pytest.raises(ConfigError, match="directory"):
        read(tmp_path)


def test_a_relative_name_is_looked_up_where_the_caller_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text(UPLOADS)
    assert set(read("mine.toml")) == {"uploads"}


def test_a_link_in_its_folder_is_followed_and_one_out_of_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "real").write_text(UPLOADS)
    (tmp_path / "inside" / "safefs.toml").symlink_to("real")  # as a mounted ConfigMap does
    assert set(read(tmp_path / "inside" / "safefs.toml")) == {"uploads"}
    (tmp_path / "outside.toml").symlink_to("inside/real")
    assert set(read(tmp_path / "outside.toml")) == {"uploads"}
    (tmp_path / "inside" / "out").symlink_to("../outside.toml")
    with pytest.raises(ConfigError, match="link out of its folder"):
        read(tmp_path / "inside" / "out")


def test_the_config_folder_is_looked_into_and_nothing_is_made(home: Path) -> None:
    assert find(_config_place()) == {}
    assert list(home.iterdir()) == []


def test_a_file_in_the_config_folder_is_read(folder: Path) -> None:
    assert find(_config_place()) == {}
    (folder / "safefs.toml").write_text(UPLOADS)
    assert set(find(_config_place())) == {"uploads"}


def test_a_file_that_every_user_can_write_is_refused(folder: Path) -> None:
    (folder / "safefs.toml").write_text(UPLOADS)
    (folder / "safefs.toml").chmod(0o666)
    with pytest.raises(ConfigError, match="written by every user"):
        find(_config_place())


def test_a_file_in_a_folder_not_to_be_trusted_is_refused_and_not_passed_over(folder: Path) -> None:
    folder.chmod(0o777)
    assert find(_config_place()) == {}
    (folder / "safefs.toml").write_text(UPLOADS)
    with pytest.raises(ConfigError, match="its folder can be written by every user"):
        find(_config_place())


def test_a_folder_that_cannot_be_looked_into_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Place, "open", refuse)
    with pytest.raises(ConfigError, match="cannot be looked for: Permission denied"):
        find(_config_place())


@pytest.mark.parametrize("value", ["relative", ""])
def test_a_folder_that_cannot_be_meant_is_not_none(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file that narrows a right may stand where the variable should have led."""
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    with pytest.raises(ConfigError, match="XDG_CONFIG_HOME"):
        find(_config_place())


def test_where_there_can_be_no_folder_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/dev/null")
    assert find(_config_place()) == {}


@pytest.mark.parametrize("target", ["../../elsewhere.toml", "{folder}/real.toml", "safefs.toml"])
def test_a_link_that_is_not_followed_is_not_none(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As managers of dotfiles plant them: ignored, its read_only would be lost without a word."""
    folder = Path(str(_config_place().path))
    folder.mkdir(parents=True)
    (folder / "real.toml").write_text("[disks.documents]\nread_only = true\n")
    (folder / "safefs.toml").symlink_to(target.format(folder=folder))
    with pytest.raises(ConfigError, match="cannot be looked for"):
        find(_config_place())


@pytest.mark.parametrize(
    "text",
    [
        "x=" + "1" * 5000,
        "[disks.a]\npath" + ".a" * 3000 + " = 1",
        "[disks.a]\nread_only" + ".a" * 3000 + "= 1",
    ],
)
def test_what_python_cannot_read_is_one_error_of_ours(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text.encode(), "safefs.toml")


def test_the_working_directory_has_no_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "safefs.toml").write_text("nonsense")
    monkeypatch.chdir(tmp_path)
    assert find(_config_place()) == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('deny = ".env"', "must be a list of patterns, not '.env'"),
        ('deny = ["["]', "'[' is no pattern"),
        ("deny = [1]", "holds str, not 1"),
        ('deny = ["a", "/"]', "'/' matches nothing: it names nothing"),
        ('denied = "never"', "must be one of refuse, missing; not 'never'"),
    ],
)
def test_what_is_wrong_with_patterns_is_said_once(line: str, said: str) -> None:
    key = line.partition(" ")[0]
    with pytest.raises(ConfigError) as caught:
        parse(f'[disks.up]\npath = "/srv"\n{line}\n'.encode(), "x.toml")
    assert str(caught.value) == f"x.toml:3: disks.up.{key}: {said}"


def test_patterns_without_the_matcher_are_a_mistake_of_the_file_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is missing where one installed safefs alone; a traceback told so, line by line."""
    monkeypatch.setitem(sys.modules, "pathspec", None)
    with pytest.raises(ConfigError) as caught:
        parse(b'[disks.documents]\ndeny = ["in-this-test-alone"]\n', "x.toml")
    said = "patterns are matched by pathspec: install safefs[patterns]"
    assert str(caught.value) == f"x.toml:2: disks.documents.deny: {said}"
