"""The command safefs: what it prints, and that it never falls over."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Progress, __version__
from safefs.cli import bar, main, visible

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no word of the real one."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    (home / "Documents").mkdir(parents=True)
    (home / "Music").mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return home


@pytest.fixture
def documents(home: Path) -> Path:
    """The folder beneath documents:"""
    return home / "Documents"


class Shell:
    """Runs commands and keeps what they printed."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture

    def __call__(self, *argv: str) -> str:
        """What a command printed that must succeed."""
        assert main(argv) == 0
        out, err = self._capture.readouterr()
        assert err == ""
        return out

    def json(self, *argv: str) -> Any:
        return json.loads(self(*argv, "--json"))

    def fails(self, *argv: str, status: int = 1) -> str:
        """The one line that a command printed that must fail."""
        assert main(argv) == status
        out, err = self._capture.readouterr()
        assert out == ""
        assert err.startswith("safefs: ")
        assert err.count("\n") == 1
        assert err.endswith("\n")
        return err[len("safefs: ") : -1]


@pytest.fixture
def sh(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


@pytest.fixture
def tree(documents: Path) -> Path:
    """a/b.txt, a/c/d.txt, e.txt, and a link that leads out."""
    (documents / "a" / "c").mkdir(parents=True)
    (documents / "a" / "b.txt").write_text("hello")
    (documents / "a" / "c" / "d.txt").write_text("hello, world")
    (documents / "e.txt").write_text("")
    (documents / "out").symlink_to("../secret")
    (documents.parent / "secret").write_text("secret")
    return documents


# -- looking -----------------------------------------------------------------------------------


def test_disks(sh: Shell, home: Path) -> None:
    assert f"documents  {home}/Documents\n" in sh("disks")
    assert {"name": "home", "where": str(home)} in sh.json("disks")
    assert "XDG_RUNTIME_DIR is not set" in sh("disks")
    assert not (home / ".local").exists()


def test_ls(sh: Shell, tree: Path) -> None:
    assert sh("ls", "documents:") == "a/\ne.txt\nout\n"
    assert sh("ls", "documents:a") == "b.txt\nc/\n"
    assert sh("ls", "documents:a/b.txt") == "b.txt\n"
    assert sh("ls", "documents:out") == "out\n"
    assert sh("ls", "documents:a", "music:") == "documents:a\nb.txt\nc/\n\nmusic:\n"
    assert sh("ls", "-R", "documents:") == (
        "documents:\na/\ne.txt\nout\n\ndocuments:a\nb.txt\nc/\n\ndocuments:a/c\nd.txt\n"
    )


def test_ls_l(sh: Shell, tree: Path) -> None:
    os.utime(tree / "a" / "b.txt", (0, 0))
    (tree / "a" / "b.txt").chmod(0o640)
    (tree / "a" / "c").chmod(0o755)
    first, second = sh("ls", "-l", "documents:a").splitlines()
    assert first == "-rw-r-----  5  1970-01-01 00:00:00  b.txt"
    assert second.startswith("drwxr-xr-x  -  ")
    assert sh("ls", "-l", "music:") == ""
    entry, _ = sh.json("ls", "documents:a")
    assert entry == {
        "place": "documents:a/b.txt",
        "kind": "file",
        "size": 5,
        "modified": "1970-01-01T00:00:00+00:00",
        "mode": "0640",
    }


def test_stat(sh: Shell, tree: Path) -> None:
    (tree / "a" / "b.txt").chmod(0o600)
    shown = sh("stat", "documents:a/b.txt")
    assert shown.startswith("documents:a/b.txt\n  kind      file\n  size      5\n")
    assert shown.endswith("  mode      -rw------- (0600)\n")
    kinds = [entry["kind"] for entry in sh.json("stat", "documents:", "documents:out")]
    assert kinds == ["directory", "symlink"]


def test_tree(sh: Shell, tree: Path) -> None:
    assert sh("tree", "documents:") == (
        "documents:\n├── e.txt\n├── out\n└── a/\n    ├── b.txt\n    └── c/\n        └── d.txt\n"
    )
    assert len(sh.json("tree", "documents:a")) == 3


def test_find_and_du(sh: Shell, tree: Path) -> None:
    assert sh("find", "documents:a") == "documents:a/b.txt\ndocuments:a/c/d.txt\n"
    assert sh("find", "documents:a/b.txt") == "documents:a/b.txt\n"
    assert [entry["size"] for entry in sh.json("find", "documents:a")] == [5, 12]
    assert sh("du", "documents:", "documents:a/b.txt") == (
        "17  documents:\n5   documents:a/b.txt\n"
    )
    assert sh.json("du", "documents:a") == [{"place": "documents:a", "size": 17}]


# -- reading and changing ----------------------------------------------------------------------


def test_cat(sh: Shell, tree: Path) -> None:
    assert sh("cat", "documents:a/b.txt", "documents:a/c/d.txt") == "hellohello, world"


def test_put_and_get(sh: Shell, documents: Path, tmp_path: Path) -> None:
    (tmp_path / "local.txt").write_bytes(b"\xff\r\n")
    sh("put", str(tmp_path / "local.txt"), "documents:")
    sh("put", str(tmp_path / "local.txt"), "documents:new/name.txt")
    sh("get", "documents:new/name.txt", str(tmp_path))
    sh("get", "documents:local.txt", str(tmp_path / "back"))
    assert (tmp_path / "name.txt").read_bytes() == b"\xff\r\n"
    assert (tmp_path / "back").read_bytes() == b"\xff\r\n"
    assert "No such file" in sh.fails("put", str(tmp_path / "none"), "documents:")
    assert "Is a directory" in sh.fails("put", str(tmp_path), "documents:x")
    assert "No such file" in sh.fails("get", "documents:none", str(tmp_path / "untouched"))
    assert not (tmp_path / "untouched").exists()


def test_dash_is_standard_input_and_output(
    sh: Shell, documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"hello\xc3\xa4")))
    sh("put", "-", "documents:a.txt")
    assert sh("get", "documents:a.txt", "-") == "helloä"
    assert "what the file is to be called" in sh.fails("put", "-", "documents:")


def test_get_cannot_be_led_out_of_the_local_directory(sh: Shell, tmp_path: Path) -> None:
    assert "escape" not in sh.fails("get", "documents:..", str(tmp_path))
    assert sh.fails("get", "documents:", str(tmp_path)) != ""


def test_cp_and_mv(sh: Shell, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sh("cp", "documents:a/b.txt", "music:")
    sh("cp", "documents:a/b.txt", "documents:f.txt")
    sh("mv", "documents:f.txt", "documents:a/c")
    sh("mv", "documents:a/c", "documents:g")
    assert sh("find", "documents:g", "music:") == (
        "documents:g/d.txt\ndocuments:g/f.txt\nmusic:b.txt\n"
    )
    assert main(["mv", "documents:e.txt", "music:"]) == 0
    assert "it was copied, and removed" in capsys.readouterr().err
    assert "same file" in sh.fails("cp", "documents:a/b.txt", "documents:a/b.txt")


def test_rm_and_mkdir(sh: Shell, tree: Path) -> None:
    sh("mkdir", "-p", "documents:x/y", "documents:x/y")
    assert "File exists" in sh.fails("mkdir", "documents:x")
    assert "directory" in sh.fails("rm", "documents:a")
    sh("rm", "-r", "documents:a", "documents:out", "documents:e.txt")
    assert (tree.parent / "secret").exists()
    assert sh("ls", "documents:") == "x/\n"
    assert "the disk itself" in sh.fails("rm", "-r", "documents:")


def test_sweep(sh: Shell, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left = ".safefs-0123456789abcdef.tmp"
    (tree / left).touch()
    (tree / "a" / left).mkdir()
    assert sh("ls", "documents:a") == "b.txt\nc/\n"
    assert sh("sweep", "documents:") == ""
    assert sh("sweep", "documents:", "--older-than", "60.5") == ""
    assert sh("sweep", "--older-than", "0", "documents:a") == f"documents:a/{left}\n"
    assert sh.json("sweep", "--older-than=0", "documents:", "music:") == [f"documents:{left}"]
    assert sorted(path.name for path in tree.iterdir()) == ["a", "e.txt", "out"]
    (tree / "a" / left).touch()
    assert main(["sweep", "--older-than=0", "documents:none", "documents:a"]) == 1
    out, err = capsys.readouterr()
    assert out == f"documents:a/{left}\n"
    assert err == "safefs: documents:none: No such file or directory\n"
    for seconds in ("-1", "nan", "inf", "soon"):
        assert "no number of seconds" in sh.fails(
            "sweep", "--older-than", seconds, "music:", status=2
        )


@pytest.mark.parametrize(
    "argv",
    [
        ["mv", "documents:e.txt", "temp:e.txt"],
        ["mv", "documents:e.txt", "temp:"],
        ["cp", "temp:e.txt", "documents:"],
        ["put", "/etc/hostname", "temp:"],
        ["ls", "temp:"],
        ["mkdir", "documents:new", "temp:x"],
        ["rm", "documents:e.txt", "temp:x"],
    ],
)
def test_temp_which_goes_with_the_command_is_refused_before_anything_is_done(
    argv: list[str], sh: Shell, tree: Path
) -> None:
    """A file moved to it would be lost."""
    assert "temp is removed when this command ends" in sh.fails(*argv, status=2)
    assert (tree / "e.txt").exists()
    assert not (tree / "new").exists()


def test_temp_is_no_disk_of_the_command_line(sh: Shell) -> None:
    assert "temp" not in [disk["name"] for disk in sh.json("disks")]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["ls", "documents:none/x"], "documents:none/x: No such file or directory"),
        (["ls", "-R", "documents:none"], "documents:none: No such file or directory"),
        (["stat", "documents:none"], "documents:none: No such file or directory"),
        (["tree", "documents:none"], "documents:none: No such file or directory"),
        (["tree", "documents:none", "--json"], "documents:none: No such file or directory"),
        (["find", "documents:none"], "documents:none: No such file or directory"),
        (["du", "documents:none"], "documents:none: No such file or directory"),
        (["cat", "documents:none"], "documents:none: No such file or directory"),
        (["cat", "documents:"], "documents:: Is a directory"),
        (["get", "documents:none", "-"], "documents:none: No such file or directory"),
        (["rm", "documents:none"], "documents:none: No such file or directory"),
        (["mkdir", "documents:none/x"], "documents:none/x: No such file or directory"),
        (["cp", "documents:none", "music:a"], "documents:none -> music:a: No such file"),
        (["mv", "documents:none", "music:"], "documents:none -> music:none: No such file"),
        (["mv", "documents:none", "documents:x"], "documents:none -> documents:x: No such file"),
        (
            ["cp", "documents:e.txt", "music:../e"],
            "documents:e.txt -> music:../e: path leaves the root",
        ),
        (["cat", "documents:out"], "documents:out: path leaves the root"),
        (["ls", "documents:/etc"], "documents:/etc: path leaves the root"),
        (["ls", "home:.ssh"], "home:.ssh: refused by"),
        (["put", "/etc/hostname", "documents:../x"], "documents:../x: path leaves the root"),
    ],
)
def test_an_error_names_the_place(argv: list[str], said: str, sh: Shell, tree: Path) -> None:
    assert sh.fails(*argv).startswith(said)


def test_an_error_of_a_local_file_is_of_no_disk(sh: Shell, tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert sh.fails("put", missing, "documents:") == f"{missing}: No such file or directory"


def test_get_names_the_local_file_that_cannot_be_written(
    sh: Shell, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = f"{tmp_path}/new/"
    assert sh.fails("get", "documents:a/b.txt", new) == f"{new}: no such directory"

    def full(_: object, name: str, __: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", name)

    monkeypatch.setattr("safefs.root.Root.replace_file", full)
    monkeypatch.chdir(tmp_path)
    assert sh.fails("get", "documents:a/b.txt", "x") == "x: No space left on device"
    there = f"{tmp_path}/x"
    assert sh.fails("get", "documents:a/b.txt", there) == f"{there}: No space left on device"


def test_a_disk_itself_is_not_made_moved_or_copied(sh: Shell) -> None:
    for argv in (
        ["mkdir", "documents:"],
        ["mv", "documents:", "music:"],
        ["cp", "documents:", "music:"],
    ):
        assert sh.fails(*argv) == "documents: is the disk itself"
    sh("mkdir", "-p", "documents:")


def test_a_directory_moves_from_disk_to_disk(sh: Shell, tree: Path, home: Path) -> None:
    names = sorted(os.listdir(tree / "a"))
    sh("mv", "documents:a", "music:")
    assert not (tree / "a").exists()
    assert sorted(os.listdir(home / "Music" / "a")) == names
    assert "into itself" in sh.fails("cp", "-r", "music:a", "music:a")


def test_cp_r_copies_a_directory(sh: Shell, tree: Path, home: Path) -> None:
    assert "directory" in sh.fails("cp", "documents:a", "music:new")
    sh("cp", "-r", "documents:a", "music:new")
    sh("cp", "-r", "documents:a/b.txt", "music:b.txt")
    assert sorted(os.listdir(home / "Music" / "new")) == sorted(os.listdir(tree / "a"))


def test_rm_can_be_rehearsed(sh: Shell, tree: Path) -> None:
    shown = sh("rm", "-r", "--dry-run", "documents:a", "documents:e.txt")
    assert "remove  documents:a/b.txt\n" in shown
    assert shown.endswith("remove  documents:e.txt\n")
    assert (tree / "a" / "b.txt").exists()
    assert "No such file" in sh.fails("rm", "-n", "documents:none")
    assert sh.fails("rm", "-n", "documents:a") == sh.fails("rm", "documents:a")
    file = {"action": "remove", "place": "documents:e.txt", "kind": "file"}
    assert sh.json("rm", "-n", "documents:e.txt") == [file]
    assert sh.json("rm", "-r", "-n", "documents:a", "documents:e.txt")[-1] == file
    rows = sh.json("rm", "-r", "-n", "documents:a")
    assert {"action": "remove", "place": "documents:a/b.txt", "kind": "file"} in rows


def test_sync_makes_one_directory_like_another(sh: Shell, tree: Path, home: Path) -> None:
    assert "create  music:copy/b.txt\n" in sh("sync", "-n", "documents:a", "music:copy")
    assert not (home / "Music" / "copy").exists()
    sh("sync", "documents:a", "music:copy")
    assert sorted(os.listdir(home / "Music" / "copy")) == sorted(os.listdir(tree / "a"))
    assert sh("sync", "-n", "documents:a", "music:copy") == ""
    (home / "Music" / "copy" / "more").write_text("more")
    assert sh("sync", "-n", "documents:a", "music:copy") == ""
    expected = "remove  music:copy/more\n"
    assert sh("sync", "-n", "--delete", "--checksum", "documents:a", "music:copy") == expected
    rows = sh.json("sync", "--delete", "documents:a", "music:copy")
    assert rows == [{"action": "remove", "place": "music:copy/more", "kind": "file"}]
    assert "budget of 1 (entries)" in sh.fails(
        "sync", "--max-entries", "1", "documents:", "music:all"
    )
    assert "budget of 1 (bytes)" in sh.fails("sync", "--max-bytes", "1", "documents:", "music:all")
    assert "no number above zero" in sh.fails(
        "sync", "--max-bytes", "0", "documents:", "music:all", status=2
    )
    assert "lie in each other" in sh.fails("sync", "documents:", "documents:a")
    assert "is it not mounted" in _of_an_empty_source(sh)


def _of_an_empty_source(sh: Shell) -> str:
    sh("mkdir", "documents:void")
    return sh.fails("sync", "--delete", "documents:void", "music:copy")


def test_a_bar_is_drawn_on_a_terminal_and_taken_away() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    drawn = bar.Bar(terminal, width=30)
    drawn.tell(Progress("a\x1b[2J", 1, 10, 4, 40))
    drawn.tell(Progress("too soon", 2, 20, 4, 40))
    drawn.clear()
    assert terminal.getvalue() == "\r 25%  1/4  10 bytes  a\\x1b[2J\x1b[K\r\x1b[K"
    assert bar.line_of(Progress("a", 3, 7)) == "3  7 bytes  a"


def test_no_bar_is_drawn_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    with bar.progress_bar() as progress:
        assert progress is None
    monkeypatch.setattr(sys, "stderr", None)
    with bar.progress_bar() as progress:
        assert progress is None
    leader, follower = os.openpty()
    with os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with bar.progress_bar() as progress:
            assert callable(progress)
            progress(Progress("a", 1, 2))
    expected, shown = b"\r1  2 bytes  a\x1b[K\r\x1b[K", b""
    while len(shown) < len(expected):  # a terminal hands over as much as has come to it
        shown += os.read(leader, 100)  # EIO where no more will come
    assert shown == expected
    os.close(leader)


@pytest.mark.parametrize(("command", "printed"), [("cat", "hello"), ("rm", "")])
def test_cat_and_rm_go_on_after_an_error(
    command: str, printed: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "documents:none", "other:x", "documents:a/b.txt"]) == 1
    out, err = capsys.readouterr()
    assert out == printed
    assert err.count("\n") == 2
    assert "safefs: documents:none: No such file" in err
    assert (tree / "a" / "b.txt").exists() is (command == "cat")


def test_flags_are_named_as_flags(
    sh: Shell, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(tmp_path / "elsewhere"))
    said = sh.fails("ls", "documents:")
    assert said.endswith("lies outside the home directory; --outside-home documents allows it")
    assert sh.fails("disks", "--outside-home", "x").startswith("--outside-home: 'x' is none of")


# -- what goes wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["cat", "documents:../secret"], "path leaves the root"),
        (["cat", "documents:out"], "path leaves the root"),
        (["cat", "documents:{outside}"], "leave out the first '/'"),
        (["cat", "documents:none"], "No such file"),
        (["cat", "documents:"], "directory"),
        (["cat", "documents:a\0b"], "NUL"),
        (["cat", "other:a"], "no disk is named 'other'"),
        (["ls", "pictures:"], "create it with: mkdir -p"),
        (["ls", "home:.ssh"], "refused by"),
        (["find", "documents:none"], "No such file"),
        (["--app", "../x", "ls", "documents:"], "can be no name of a folder"),
        (["--config", "/none/safefs.toml", "disks"], "cannot be read"),
        (["disks", "--outside-home", "x"], "is none of"),
        (["ls", "runtime:"], "XDG_RUNTIME_DIR is not set"),
    ],
)
def test_bad_input_is_one_line_and_status_1(
    argv: list[str], said: str, sh: Shell, tree: Path
) -> None:
    outside = str(tree.parent / "secret")
    assert said in sh.fails(*(word.replace("{outside}", outside) for word in argv))


@pytest.mark.parametrize(
    "argv",
    [["no-such-command"], ["cat"], ["cat", "documents"], ["ls", ":a"], ["ls", "-x", "a:"]],
)
def test_what_is_not_understood_is_one_line_and_status_2(argv: list[str], sh: Shell) -> None:
    assert "--help" in sh.fails(*argv, status=2)


def test_help_and_version(sh: Shell) -> None:
    assert sh("--version") == f"safefs {__version__}\n"
    assert "DISK:PATH" in sh("--help")
    assert "PLACE" in sh("ls", "--help")


def test_without_a_command_the_help_is_shown_and_the_status_is_2(
    sh: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv in ([], ["--json"]):
        assert main(argv) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("usage: safefs ")
        assert "commands:" in err


@pytest.mark.parametrize("argv", [["ls", "-x", "music:"], ["-x", "ls", "music:"]])
def test_an_unknown_option_points_to_the_help_of_its_command(argv: list[str], sh: Shell) -> None:
    assert sh.fails(*argv, status=2) == "unrecognized arguments: -x (see safefs ls --help)"


@pytest.mark.parametrize("argv", [["--max", "5", "a:", "b:"], ["a:", "--max", "5", "b:"]])
def test_an_unknown_option_is_told_of_before_its_value(argv: list[str], sh: Shell) -> None:
    assert sh.fails("sync", *argv, status=2).startswith("unrecognized arguments: --max (see")
    assert "'5' is no place" in sh.fails("sync", "5", "b:", status=2)
    assert "'5' is no place" in sh.fails("rm", "a:x", "5", status=2)


@pytest.mark.parametrize("command", ["ls", "rm", "mkdir", "put", "get", "cp", "mv"])
def test_each_command_says_what_a_place_is(command: str, sh: Shell) -> None:
    assert "documents:reports/a.csv" in sh(command, "--help")


def test_options_stand_before_or_after_the_command(sh: Shell, home: Path) -> None:
    assert json.loads(sh("--json", "--app", "one", "disks")) == sh.json("disks", "--app", "one")
    assert f"{home}/.local/share/one" in sh("disks", "--app", "one")


def test_a_configuration_adds_disks(sh: Shell, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(f'[disks.up]\npath = "{tmp_path}/up"\ncreate = true\n')
    assert sh("ls", "up:", "--config", str(tmp_path / "mine.toml")) == ""


def test_a_name_can_do_nothing_to_a_terminal(sh: Shell, documents: Path) -> None:
    (documents / "\x1b]0;owned\x07\n\u202e").touch()
    os.close(os.open(os.fsencode(documents) + b"/\xff", os.O_CREAT | os.O_WRONLY))
    for command in (
        ["ls"],
        ["ls", "-lR"],
        ["tree"],
        ["find"],
        ["ls", "--json"],
        ["tree", "--json"],
    ):
        shown = sh(*command, "documents:")
        assert shown.replace("\n", "").isprintable()
        assert "owned" in shown
    assert "\\x1b" in sh.fails("cat", "documents:\x1b[31m")
    assert "\\x1b" in sh.fails("cat", "\x1b[31m", status=2)
    assert "\\x1b" in sh.fails("\x1b[31m", status=2)
    assert visible("a\x1b\udcff\u202eä") == "a\\x1b\\xff\\u202eä"


def test_interrupted(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("safefs.storage.Storage.disk", interrupt)
    assert main(["ls", "documents:"]) == 130


def test_interrupted_while_it_is_being_imported() -> None:
    program = """if True:
        import sys
        from importlib.abc import MetaPathFinder
        class Interrupted(MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name == "safefs.cli":
                    raise KeyboardInterrupt
        sys.meta_path.insert(0, Interrupted())
        from safefs.__main__ import run
        sys.exit(run())
        """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def _start(*argv: str, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "safefs", *argv], **options)


def test_a_reader_that_goes_away_is_no_traceback(documents: Path) -> None:
    for number in range(2000):
        (documents / f"{number:060}").touch()
    child = _start("find", "documents:", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
    assert child.returncode == 141


def test_output_that_cannot_hold_a_name_is_no_traceback(documents: Path) -> None:
    (documents / "ä€").touch()
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    child = _start("ls", "documents:", stdout=subprocess.PIPE, env=environment)
    assert child.communicate(timeout=60)[0] == b"\\xe4\\u20ac\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("disks >&-", "standard output is closed"),
        ("disks --json >&-", "standard output is closed"),
        ("ls documents: >&-", "standard output is closed"),
        ("cat documents:e.txt documents:a/b.txt >&-", "standard output is closed"),
        ("get documents:a/b.txt - >&-", "standard output is closed"),
        ("doctor >&-", "standard output is closed"),
        ("put - documents:zz <&-", "standard input is closed"),
        ("disks >/dev/full", "standard output: No space left on device"),
        ("rm -rn documents:a >/dev/full", "standard output: No space left on device"),
    ],
)
def test_a_stream_that_is_closed_or_full_is_one_line_and_status_1(
    command: str, said: str, tree: Path
) -> None:
    line = f'exec "{sys.executable}" -m safefs {command}'
    ended = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, f"safefs: {said}\n".encode())


def test_with_standard_error_closed_a_complaint_is_not_printed_elsewhere(documents: Path) -> None:
    line = f'exec "{sys.executable}" -m safefs ls documents:none 2>&-'
    ended = subprocess.run(["sh", "-c", line], stdout=subprocess.PIPE, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, b"")


def test_a_command_that_prints_nothing_needs_no_output(tree: Path) -> None:
    line = f'exec "{sys.executable}" -m safefs rm documents:e.txt >&-'
    subprocess.run(["sh", "-c", line], check=True, timeout=60)
    assert not (tree / "e.txt").exists()


def test_an_unknown_resolver_is_one_line(documents: Path) -> None:
    environment = {**os.environ, "SAFEFS_RESOLVER": "magic"}
    child = _start("ls", "documents:", stderr=subprocess.PIPE, env=environment)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 1
    assert said.startswith(b"safefs: ")
    assert said.count(b"\n") == 1


# -- safefs itself -----------------------------------------------------------------------------


def test_doctor(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "resolver" in sh("doctor")
    rows = sh.json("doctor")
    assert {"name", "value", "meaning"} == set(rows[0])
    monkeypatch.setattr("safefs.kernel.probe.Report.healthy", False)
    assert main(["doctor"]) == 1


def test_demo_prints_what_the_demo_says(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(say: Any) -> int:
        say("hello")
        return 0

    monkeypatch.setattr("safefs.demo.run", run)
    assert sh("demo") == "hello\n"


def test_a_get_onto_the_file_itself_changes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``safefs get documents:a.txt .`` in Documents once emptied a.txt, with status 0."""
    documents = home / "Documents"
    (documents / "a.txt").write_text("hello")
    (documents / "l").symlink_to("a.txt")
    monkeypatch.chdir(documents)
    for local in (".", "a.txt", "l", str(documents)):
        assert main(["get", "documents:a.txt", local]) == 1
        assert "same file" in capsys.readouterr().err
        assert (documents / "a.txt").read_text() == "hello"


def test_a_get_replaces_a_local_file_as_a_whole(home: Path, tmp_path: Path) -> None:
    (home / "Documents" / "a.txt").write_text("new")
    local = tmp_path / "local"
    local.write_text("old")
    local.chmod(0o640)
    other = os.open(local, os.O_RDONLY)
    try:
        assert main(["get", "documents:a.txt", str(local)]) == 0
        assert os.read(other, 10) == b"old"  # whoever reads sees the old one or the new
    finally:
        os.close(other)
    assert local.read_text() == "new"
    assert local.stat().st_mode & 0o777 == 0o640
    assert main(["get", "documents:a.txt", os.devnull]) == 0


def _tar_of(path: Path, *names: str) -> None:
    with tarfile.open(path, "w") as tar:
        for number, name in enumerate(names):
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(str(number).encode()))


@pytest.mark.parametrize(
    ("flag", "enough", "limit"),
    [("--max-entries", 2, "entries"), ("--max-bytes", 40_000_000, "bytes")],
)
def test_extract_within_a_budget(
    sh: Shell, documents: Path, flag: str, enough: int, limit: str
) -> None:
    with tarfile.open(documents / "a.tar", "w") as tar:
        for name in ("a", "b"):
            info = tarfile.TarInfo(name)
            info.size = 20_000_000
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    said = sh.fails("extract", flag, str(enough - 1), "documents:a.tar", "documents:new")
    assert f"more than the budget of {enough - 1} ({limit})" in said
    assert not (documents / "new").exists()
    sh("extract", flag, str(enough), "documents:a.tar", "documents:new")
    assert sorted(os.listdir(documents / "new")) == ["a", "b"]
    sh.fails("extract", flag, "0", "documents:a.tar", "documents:other", status=2)


def test_extract_what_shrank_a_lot(sh: Shell, documents: Path) -> None:
    with tarfile.open(documents / "a.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("zeros")
        info.size = 20 << 20
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    assert "(ratio)" in sh.fails("extract", "documents:a.tar.gz", "documents:new")
    sh("extract", "--max-ratio", "2000", "documents:a.tar.gz", "documents:new")
    assert (documents / "new/zeros").stat().st_size == info.size


def test_extract_in_part_over_what_is_there(sh: Shell, documents: Path) -> None:
    _tar_of(documents / "a.tar", "a", "b", "b")
    (documents / "new").mkdir()
    (documents / "new/b").write_text("old")
    assert "--partial" in sh.fails("extract", "--overwrite", "documents:a.tar", "documents:new")
    assert "--partial" in sh.fails("extract", "-n", "--partial", "documents:a.tar", "documents:new")
    assert "exists" in sh.fails("extract", "--partial", "documents:a.tar", "documents:new")
    assert (documents / "new/a").read_text() == "0"
    assert (documents / "new/b").read_text() == "old"
    words = "--partial", "--overwrite", "--last"
    sh("extract", *words, "documents:a.tar", "documents:new")
    assert (documents / "new/b").read_text() == "2"


def test_extract_goes_on_behind_what_is_refused(
    sh: Shell, documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _tar_of(documents / "a.tar", "a", "../x", "a\\b", "z")
    assert main(("extract", "--keep-going", "documents:a.tar", "documents:new")) == 1
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    assert first.startswith("safefs: documents:a.tar: ../x: path leaves the root")
    assert "backslash" in second
    assert sorted(os.listdir(documents / "new")) == ["a", "z"]


def test_archive_and_extract(
    sh: Shell, tree: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sh("archive", "documents:a", "music:a.tar.gz") == ""
    assert sh("extract", "music:a.tar.gz", "music:new/place") == ""
    copied = home / "Music/new/place"
    names = sorted(path.name for path in (tree / "a").iterdir())
    assert sorted(path.name for path in copied.iterdir()) == names
    listed = sh("extract", "-v", "--dry-run", "music:a.tar.gz", "music:other").splitlines()
    assert sorted(name for name in listed if "/" not in name) == names
    assert not (home / "Music/other").exists()
    steps = sh.json("extract", "music:a.tar.gz", "music:third")
    assert {step["action"] for step in steps} == {"create"}
    first = (home / "Music/a.tar.gz").read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    sh("archive", "documents:a", "music:a.tar.gz")
    assert (home / "Music/a.tar.gz").read_bytes() != first
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "now")
    assert "not a number of seconds" in sh.fails("archive", "documents:a", "music:a.tar.gz")


def test_an_archive_that_is_none_is_one_line(sh: Shell, tree: Path, home: Path) -> None:
    (home / "Music/a.zip").write_bytes(b"PK\x03\x04")
    assert "a.zip" in sh.fails("extract", "music:a.zip", "music:new")
    assert not (home / "Music/new").exists()
    assert "say what to pack" in sh.fails("archive", "music:a.zip")
    assert "give --format, one of tar" in sh.fails("archive", "documents:a", "music:a.rar")
    sh("archive", "--format", "zip", "documents:a", "music:a.rar")
    assert "b.txt" in sh("extract", "-n", "music:a.rar", "music:new")
    os.mkfifo(tree / "a" / "pipe")
    said = sh.fails("archive", "documents:a", "music:pipe.tar")
    assert "pipe: not a file, directory or link" in said
    os.unlink(tree / "a" / "pipe")
    assert "one of each" in sh.fails("archive", "documents:a", "music:a.zip", "music:b.zip")
    (home / "Music/b.zip").write_bytes(b"no archive")
    assert "b.zip" in sh.fails("extract", "music:b.zip", "music:")
    (tree / "leads out").symlink_to("../../../out")
    sh("archive", "documents:", "music:c.tar")
    assert "music:c.tar: leads out: path leaves" in sh.fails("extract", "music:c.tar", "music:new")


# -- explain -----------------------------------------------------------------------------------


def test_explain_says_what_would_happen_and_exits_by_it(
    sh: Shell, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sh("explain", "documents:a/b.txt") == (
        "read a/b.txt: allowed\n  a: directory which is a\n  b.txt: file which is a/b.txt\n"
    )
    assert sh.json("explain", "documents:new", "--operation", "create")["place"] == "new"
    assert main(["explain", "documents:out"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    assert out == (
        "read out: refused by '..' above the root\n"
        "  out: symlink to ../secret\n"
        "  ..: directory ('..' above the root)\n"
        "  EscapeError (EACCES): path leaves the root ('..' above the root)\n"
    )
    assert main(["--read-only", "explain", "documents:e.txt", "--operation=write", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["disk"], said["rule"], said["allowed"]) == ("documents", "read_only", False)
    assert "invalid choice" in sh.fails("explain", "documents:", "--operation", "x", status=2)


# -- read-only ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["put", "{local}", "documents:new"],
        ["put", "-", "documents:a/b.txt"],
        ["cp", "documents:e.txt", "documents:new"],
        ["cp", "-r", "documents:a", "music:a"],
        ["mv", "documents:e.txt", "documents:new"],
        ["mv", "documents:a", "music:a"],
        ["mkdir", "documents:new"],
        ["rm", "documents:e.txt"],
        ["rm", "-r", "documents:a"],
        ["sync", "documents:a", "music:a"],
        ["archive", "documents:a", "music:a.tar"],
        ["extract", "documents:a.tar", "music:"],
        ["sweep", "documents:"],
    ],
    ids=" ".join,
)
def test_read_only_refuses_what_would_change_a_disk(
    command: list[str], sh: Shell, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"new")))
    local = tmp_path / "local"
    local.write_text("new")
    sh("archive", "documents:a", "documents:a.tar")
    before = _everything(tree.parent)
    said = sh.fails("--read-only", *(word.replace("{local}", str(local)) for word in command))
    assert "refused by read_only" in said
    assert _everything(tree.parent) == before


def _everything(top: Path) -> dict[str, bytes | None]:
    return {str(path): path.read_bytes() if path.is_file() else None for path in top.rglob("*")}


def test_read_only_leaves_what_looks_as_it_is(sh: Shell, tree: Path, tmp_path: Path) -> None:
    """Before the command, and after it; what is read may be put anywhere but on a disk."""
    assert sh("--read-only", "ls", "documents:") == sh("ls", "documents:")
    assert sh("cat", "documents:a/b.txt", "documents:a/c/d.txt", "--read-only") == (
        "hellohello, world"
    )
    assert sh("tree", "--read-only", "documents:") == sh("tree", "documents:")
    assert sh("get", "--read-only", "documents:a/b.txt", str(tmp_path / "local")) == ""
    assert (tmp_path / "local").read_text() == "hello"


def test_a_wrong_policy_is_one_line_that_names_file_line_and_key(sh: Shell, tmp_path: Path) -> None:
    file = tmp_path / "safefs.toml"
    file.write_text("[disks.documents]\n# so that nothing is lost\nread_only = 'yes'\n")
    assert sh.fails("--config", str(file), "ls", "documents:") == (
        f"{file}:3: disks.documents.read_only: must be true or false, not 'yes'"
    )
