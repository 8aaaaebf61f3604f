"""Disk.export: what travels, what does not, and that it is all or nothing."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import stat
import tarfile
import zipfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from safefs import (
    Budget,
    BudgetError,
    Disk,
    ExportReport,
    Policy,
    PolicyError,
    Progress,
    RedactionError,
    Storage,
)
from safefs.drivers.local import LocalDriver
from safefs.drivers.memory import MemoryDriver
from safefs.secrets.exportreport import LeftOut, Rewritten
from safefs.secrets.selection import LEFT_OUT, Selection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytest.importorskip("dotenv")

ENV = b"# for the shop\nAPP_NAME=Shop\nAWS_KEY=CANARY-1\nDSN=https://me:CANARY-1@host/\n"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A tree with something of everything."""
    app = tmp_path / "app"
    (app / "src" / "deep").mkdir(parents=True)
    (app / "empty").mkdir()
    (app / "own").mkdir(mode=0o700)
    (app / ".git").mkdir()
    (app / ".git" / "config").write_text("url = https://me:CANARY-2@host/\n")
    (app / ".env").write_bytes(ENV)
    (app / "src" / "main.py").write_text("print()\n")
    (app / "src" / "deep" / "run.sh").write_text("#!/bin/sh\n")
    (app / "src" / "deep" / "run.sh").chmod(0o755)
    (app / "own" / "notes").write_text("mine\n")
    (app / "own" / "notes").chmod(0o600)
    (app / "server.pem").write_text("CANARY-3")
    return app


@pytest.fixture
def disk(app: Path) -> Iterator[Disk]:
    with Disk(app) as disk:
        yield disk


def tree(top: Path) -> dict[str, bytes | str | None]:
    """Each path with its content, the text of a link, or None of a directory."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(top.rglob("*")):
        name = path.relative_to(top).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = None if path.is_dir() else path.read_bytes()
    return found


def portrait(top: Path) -> dict[str, tuple[object, ...]]:
    return {
        str(path): (
            found.st_ino,
            found.st_mode,
            found.st_size,
            found.st_mtime_ns,
            found.st_ctime_ns,
        )
        for path in sorted([top, *top.rglob("*")])
        for found in [path.lstat()]
    }


# -- what travels ----------------------------------------------------------------------------------


def test_a_tree_is_copied_without_what_must_not_travel(disk: Disk, app: Path) -> None:
    before = portrait(app)
    out = app.parent / "out"
    report = disk.export(out, redact=["AWS_*"])
    assert tree(out) == {
        ".env": b"APP_NAME=Shop\n",
        "empty": None,
        "own": None,
        "own/notes": b"mine\n",
        "src": None,
        "src/deep": None,
        "src/deep/run.sh": b"#!/bin/sh\n",
        "src/main.py": b"print()\n",
    }
    assert report == ExportReport(
        ("empty", "own", "own/notes", "src", "src/deep", "src/deep/run.sh", "src/main.py"),
        (Rewritten(".env", ("APP_NAME",), ("AWS_KEY", "DSN"), 1),),
        (LeftOut(".git", "by its name, '.git'"), LeftOut("server.pem", "by its name, '*.pem'")),
        14 + 5 + 10 + 8,
    )
    assert portrait(app) == before


def test_modes_and_times_are_kept_as_far_as_they_are_nobodys_gift(disk: Disk, app: Path) -> None:
    (app / "src" / "deep" / "run.sh").chmod(0o6755)
    os.utime(app / "src" / "main.py", (1e9, 1e9))
    app.chmod(0o700)
    out = app.parent / "out"
    disk.export(out)
    modes = {
        name: stat.S_IMODE((out / name).stat().st_mode)
        for name in ("", "own", "own/notes", "src", "src/deep/run.sh")
    }
    assert modes == {
        "": 0o700,
        "own": 0o700,
        "own/notes": 0o600,
        "src": 0o755,
        "src/deep/run.sh": 0o755,
    }
    assert (out / "src" / "main.py").stat().st_mtime == 1e9


def test_only_what_is_kept_stays_where_an_allow_list_is_given(disk: Disk, app: Path) -> None:
    disk.export(app.parent / "out", keep=["APP_*"])
    assert (app.parent / "out" / ".env").read_bytes() == b"APP_NAME=Shop\n"
    report = disk.export(app.parent / "none", keep=[])
    assert (app.parent / "none" / ".env").read_bytes() == b""
    assert report.rewritten[0].removed == ("APP_NAME", "AWS_KEY", "DSN")


def test_environments_stay_behind_where_nothing_says_what_may_stay(disk: Disk, app: Path) -> None:
    report = disk.export(app.parent / "out")
    assert not (app.parent / "out" / ".env").exists()
    assert LeftOut(".env", "an environment, and nothing says what of it may stay") in (
        report.left_out
    )


def test_which_files_are_environments_is_the_callers_to_say(disk: Disk, app: Path) -> None:
    (app / "settings").write_bytes(ENV)
    disk.export(app.parent / "raw", env_files=())
    assert (app.parent / "raw" / ".env").read_bytes() == ENV
    disk.export(app.parent / "other", env_files=["settings"], redact=["AWS_*"], exclude=[".env"])
    assert (app.parent / "other" / "settings").read_bytes() == b"APP_NAME=Shop\n"
    assert not (app.parent / "other" / ".env").exists()


def test_what_is_removed_of_one_environment_is_in_no_other(disk: Disk, app: Path) -> None:
    (app / "src" / "test.env").write_text("OTHER='x CANARY-1'\nREF=${DSN:-CANARY-9}\nGOOD=1\n")
    report = disk.export(app.parent / "out", redact=["AWS_*"])
    assert (app.parent / "out" / "src" / "test.env").read_bytes() == b"GOOD=1\n"
    assert [each.removed for each in report.rewritten] == [("AWS_KEY", "DSN"), ("OTHER", "REF")]


def test_what_a_secret_refers_to_in_another_environment_goes(disk: Disk, app: Path) -> None:
    (app / ".env").write_text("AWS_KEY=${OTHER}\nA=1\n")
    (app / "src" / "test.env").write_text("OTHER=CANARY-1\nGOOD=1\n")
    disk.export(app.parent / "out", redact=["AWS_*"])
    assert (app.parent / "out" / "src" / "test.env").read_bytes() == b"GOOD=1\n"
    assert (app.parent / "out" / ".env").read_bytes() == b"A=1\n"


def test_a_pattern_of_no_key_is_told(disk: Disk, app: Path) -> None:
    report = disk.export(app.parent / "out", redact=["AWS_*", "*_SECRET"])
    assert report.unused == ("*_SECRET",)
    assert report.as_json()["unused"] == ["*_SECRET"]
    assert str(report).endswith("\nunused     *_SECRET: no key is called so")
    with nothing_done(app.parent), pytest.raises(ValueError, match="'A,B' in redact matches no"):
        disk.export(app.parent / "again", redact=["A,B"])


def test_another_name_of_a_file_does_not_carry_it_out(disk: Disk, app: Path) -> None:
    os.link(app / ".env", app / "src" / "defaults")
    os.link(app / "server.pem", app / "a.txt")
    report = disk.export(app.parent / "out", redact=["AWS_*"])
    assert (app.parent / "out" / "src" / "defaults").read_bytes() == b"APP_NAME=Shop\n"
    assert not (app.parent / "out" / "a.txt").exists()
    reason = "one file with 'server.pem', which is left out"
    assert LeftOut("a.txt", reason) in report.left_out


LINKS = {
    "in -> src/main.py": None,
    "to-dir -> src/deep": None,
    "src/up -> ../empty": None,
    "src/deep/round -> ../../src/./deep/../main.py": None,
    "to-env -> .env": None,
    "through -> to-dir/run.sh": None,
    "absolute -> /{out}": "a link that leads out",
    "above -> ../outside": "a link that leads out",
    "out-and-in -> ../app/src/main.py": "a link that leads out",
    "src/far -> ../../outside": "a link that leads out",
    "through-absolute -> absolute": "a link that leads out",
    "through-above -> above/x": "a link that leads out",
    "to-key -> server.pem": "a link to what is not exported",
    "to-git -> .git/config": "a link to what is not exported",
    "nowhere -> nothing": "a link to what is not exported",
    "beyond-a-file -> src/main.py/x": "a link to what is not exported",
    "a-file-and-back -> src/main.py/../main.py": "a link to what is not exported",
    "self -> self": "a link in a loop",
}


def test_a_link_travels_as_one_where_what_it_leads_to_does(disk: Disk, app: Path) -> None:
    (app.parent / "outside").write_text("CANARY-4")
    for row in LINKS:
        name, _, target = row.partition(" -> ")
        (app / name).symlink_to(target.replace("{out}", str(app.parent / "outside")))
    out = app.parent / "out"
    report = disk.export(out, redact=["AWS_*"])
    reasons = {each.path: each.reason for each in report.left_out}
    for row, reason in LINKS.items():
        name, _, target = row.partition(" -> ")
        assert reasons.get(name) == reason, row
        assert (out / name).is_symlink() == (reason is None), row
        if reason is None:
            assert os.readlink(out / name) == target
            assert (out / name).resolve().is_relative_to(out.resolve())
    assert b"CANARY" not in b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())


def test_what_is_no_file_is_left_out(disk: Disk, app: Path) -> None:
    os.mkfifo(app / "pipe")
    assert LeftOut("pipe", "no file, directory or link") in disk.export(app.parent / "out").left_out
    assert not (app.parent / "out" / "pipe").exists()


def test_a_part_of_a_disk_and_a_scope_of_it_are_exported_alike(disk: Disk, app: Path) -> None:
    (app / "src" / ".env").write_bytes(ENV)
    (app / "src" / "out").symlink_to("../empty")  # in the disk, and not in what is exported
    report = disk.export(app.parent / "out", "src", redact=["AWS_*"])
    with disk.scoped("src") as scoped:
        assert scoped.export(app.parent / "other", redact=["AWS_*"]) == report
    assert tree(app.parent / "out") == tree(app.parent / "other")
    assert report.left_out == (LeftOut("out", "a link that leads out"),)


SELECTIONS = [
    # exclude, include, a path (a directory where it ends in a slash), whether it travels
    ((), (), "a.txt", True),
    ((), (), "x/server.pem", False),
    ((), (), "x/SERVER.PEM", False),
    ((), ["server.pem"], "x/server.pem", True),
    ((), ["certs/*.pem"], "certs/server.pem", True),
    ((), ["certs/*.pem"], "x/server.pem", False),
    (["*.pem"], ["*.pem"], "x/server.pem", False),
    ((), (), ".git/", False),
    ((), (), "sub/.git", False),
    ((), [".git"], ".git/", True),
    ((), (), ".ssh/", False),
    ((), (), ".ssh", True),  # a file: the pattern is of directories
    ((), (), "id_ed25519", False),
    ((), (), "installation.key", False),
    ((), (), "installation.key.age", False),
    ((), (), "home/.config/gcloud/", False),
    ((), (), ".config/gcloud/", False),
    ((), (), ".bash_history", False),
    (["build"], (), "build/", False),
    (["build"], (), "x/build", False),
    (["build"], (), "builder", True),
    (["*/tests"], (), "a/tests/", False),
    (["*/tests"], (), "tests/", True),
    (["*/tests"], (), "a/b/tests/", True),
    (["**/tests/"], (), "a/b/tests/", False),
    (["**/tests/"], (), "a/b/tests", True),
    (["/top"], (), "top", False),
    (["/top"], (), "x/top", True),
    (["storage/logs/*.LOG"], (), "Storage/Logs/laravel.log", False),
    (["[ab].txt"], (), "b.txt", False),
]


@pytest.mark.parametrize(("exclude", "include", "path", "travels"), SELECTIONS)
def test_patterns_are_of_names_of_paths_and_of_directories(
    exclude: list[str], include: list[str], path: str, *, travels: bool
) -> None:
    selection = Selection(exclude, include, ())
    found = selection.reason(path.rstrip("/"), is_directory=path.endswith("/"))
    assert (found is None) == travels


def test_every_name_that_is_always_left_out_can_be_taken_along() -> None:
    assert len(set(LEFT_OUT)) == len(LEFT_OUT)
    for pattern in LEFT_OUT:
        path = pattern.replace("*", "x").rstrip("/")
        is_directory = pattern.endswith("/")
        assert Selection((), (), ()).reason(path, is_directory=is_directory) is not None
        included = Selection((), LEFT_OUT, ()).reason(path, is_directory=is_directory)
        assert included is None


@pytest.mark.parametrize("word", ["redact", "keep", "exclude", "include", "env_files"])
def test_a_list_of_patterns_is_no_text(word: str, disk: Disk, app: Path) -> None:
    wrong: dict[str, Any] = {word: "*.pem"}
    with pytest.raises(TypeError, match=f"{word} is a list"):
        disk.export(app.parent / "out", **wrong)
    assert not (app.parent / "out").exists()


def test_a_pattern_is_the_name_of_something(disk: Disk, app: Path) -> None:
    with pytest.raises(ValueError, match="name of nothing"):
        disk.export(app.parent / "out", exclude=["/"])
    wrong: Any = [b"x"]
    with pytest.raises(TypeError, match="is a str"):
        disk.export(app.parent / "out", exclude=wrong)


# -- where it goes ---------------------------------------------------------------------------------


def test_an_export_goes_to_a_disk_a_path_of_one_or_memory(disk: Disk, app: Path) -> None:
    other = Disk(app.parent / "other", create=True)
    memory = Disk._over(MemoryDriver())
    with other, memory:
        disk.export(other / "a" / "b", redact=["AWS_*"])
        disk.export(memory, redact=["AWS_*"])
        memory.export(app.parent / "back", redact=["AWS_*"])
        memory.export(memory / "again", "src")
        assert memory.get("again/main.py") == b"print()\n"
        assert memory.get(".env") == b"APP_NAME=Shop\n"
    disk.export(other_path := app.parent / "new" / "deep" / "out", redact=["AWS_*"])
    found = tree(other_path)
    assert tree(app.parent / "other" / "a" / "b") == found == tree(app.parent / "back")


def test_an_empty_directory_is_filled_through_a_link_too(disk: Disk, app: Path) -> None:
    (app.parent / "there").mkdir()
    (app.parent / "link").symlink_to("there")
    disk.export(str(app.parent / "link") + "/", redact=["AWS_*"])
    assert (app.parent / "there" / ".env").read_bytes() == b"APP_NAME=Shop\n"
    assert not [each for each in os.listdir(app.parent / "there") if "safefs" in each]


def test_a_relative_destination_is_of_the_working_directory(
    disk: Disk, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(app.parent)
    disk.export("rel/out")
    disk.export(b"bytes")
    assert tree(app.parent / "rel" / "out") == tree(app.parent / "bytes")


def test_what_is_called_as_an_archive_is_made_one(disk: Disk, app: Path) -> None:
    (app / "link").symlink_to("src/main.py")
    for name in ("one.zip", "two.zip", "three.tar.gz"):
        disk.export(app.parent / name, redact=["AWS_*"])
    with disk.scoped("src") as scoped, Disk(app.parent) as above:
        scoped.export(above / "of-disk.tar")
    assert (app.parent / "one.zip").read_bytes() == (app.parent / "two.zip").read_bytes()
    with zipfile.ZipFile(app.parent / "one.zip") as archive:
        assert ".git/config" not in archive.namelist()
        assert archive.read(".env") == b"APP_NAME=Shop\n"
    with tarfile.open(app.parent / "three.tar.gz") as tar:
        assert tar.getmember("link").linkname == "src/main.py"
        assert tar.getmember(".env").size == 14
    with Disk(app.parent / "unpacked", create=True) as unpacked, Disk(app.parent) as above:
        unpacked.extract(above / "three.tar.gz")
    disk.export(app.parent / "out", redact=["AWS_*"])
    assert tree(app.parent / "unpacked") == tree(app.parent / "out")
    with pytest.raises(FileExistsError):
        disk.export(app.parent / "one.zip")


def test_what_is_there_stays_there(disk: Disk, app: Path) -> None:
    top = app.parent
    (top / "full").mkdir()
    (top / "full" / "a").write_text("a")
    (top / "file").write_text("a")
    (top / "dangling").symlink_to("nothing")
    before = portrait(top)
    with pytest.raises(OSError, match="there is something in it") as caught:
        disk.export(top / "full")
    assert caught.value.errno == errno.ENOTEMPTY
    assert caught.value.filename == str(top / "full")
    for name in ("file", "dangling"):
        with pytest.raises(FileExistsError) as caught:
            disk.export(top / name)
        assert caught.value.filename == str(top / name)
    with pytest.raises(NotADirectoryError):
        disk.export(top / "file" / "x")
    with pytest.raises(ValueError, match="NUL"):
        disk.export(f"{top}/a\0b")
    with pytest.raises(TypeError):
        disk.export(3)  # type: ignore[arg-type]
    assert portrait(top) == before


@pytest.mark.parametrize("where", ["out", "src/out", "empty", "src/out.zip", "own/a/b"])
def test_a_destination_within_the_source_is_refused(where: str, disk: Disk, app: Path) -> None:
    before = portrait(app)
    for destination in (app / where, disk / where):
        for dry_run in (False, True):
            with pytest.raises(OSError, match="lies in what is to be exported") as caught:
                disk.export(destination, dry_run=dry_run)
            assert caught.value.errno == errno.EINVAL
    with Disk(app / "empty") as inner, pytest.raises(OSError, match="lies in what"):
        disk.export(inner)
    assert portrait(app) == before
    disk.export(disk / "beside", "src")


def test_an_empty_disk_is_not_exported_to_itself(tmp_path: Path) -> None:
    with Disk(tmp_path / "e", create=True) as empty, pytest.raises(OSError, match="lies in what"):
        empty.export(empty)
    with Disk._over(MemoryDriver()) as memory, pytest.raises(OSError, match="lies in what"):
        memory.export(memory / "x")


def test_what_is_no_tree_is_not_exported(disk: Disk, app: Path) -> None:
    for path, kind in (("src/main.py", NotADirectoryError), ("none", FileNotFoundError)):
        with pytest.raises(kind) as caught:
            disk.export(app.parent / "out", path)
        assert caught.value.filename == path
    disk.close()
    with pytest.raises(ValueError, match="closed"):
        disk.export(app.parent / "out")
    assert not (app.parent / "out").exists()


# -- all or nothing --------------------------------------------------------------------------------


@contextmanager
def nothing_done(top: Path) -> Iterator[None]:
    before = portrait(top)
    yield
    assert portrait(top).keys() == before.keys()


@pytest.mark.parametrize("name", [".env.local", "src/deep/x.env"])
@pytest.mark.parametrize("to", ["new", "empty", "disk", "memory", "out.zip"])
def test_an_environment_that_cannot_be_read_stops_all(
    name: str, to: str, disk: Disk, app: Path
) -> None:
    (app / name).write_bytes(b"A=1\n= CANARY\n")
    (app.parent / "empty").mkdir()
    with Disk(app.parent / "disk", create=True) as other, Disk._over(MemoryDriver()) as memory:
        places: dict[str, Any] = {"disk": other, "memory": memory / "x"}
        with nothing_done(app.parent), pytest.raises(RedactionError) as caught:
            disk.export(places.get(to, app.parent / to), redact=["AWS_*"])
        assert memory.files() == other.files() == []
    assert (caught.value.path, caught.value.line) == (name, 2)
    assert str(caught.value) == f"{name}: line 2: this is no assignment"
    assert pickle.loads(pickle.dumps(caught.value)).path == name
    disk.export(app.parent / "fine", exclude=[name], redact=["AWS_*"])


def test_no_frame_of_an_error_shows_what_was_read(disk: Disk, app: Path) -> None:
    """A logger may print the locals of each frame, and those of what led to it."""
    (app / "src" / "x.env").write_bytes(b"A=CANARY-5\nB=\xff\n")
    with pytest.raises(RedactionError) as caught:
        disk.export(app.parent / "out", redact=["AWS_*"])
    error: BaseException | None = caught.value
    while error is not None:
        frame = error.__traceback__
        while frame is not None:
            if "safefs/secrets" in frame.tb_frame.f_code.co_filename:
                assert "CANARY" not in repr(frame.tb_frame.f_locals)
            frame = frame.tb_next
        error = error.__context__


def test_an_export_that_is_ended_in_the_middle_leaves_nothing(disk: Disk, app: Path) -> None:
    (app.parent / "empty").mkdir()

    def stop(progress: Progress) -> None:
        if progress.entries == 4:
            raise InterruptedError

    for to in ("new", "empty", "out.tar.gz"):
        with nothing_done(app.parent), pytest.raises(InterruptedError):
            disk.export(app.parent / to, redact=["AWS_*"], progress=stop)


def test_a_file_that_cannot_be_read_ends_it_and_is_named(
    disk: Disk, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_: object, entry: Any) -> object:
        raise OSError(errno.EIO, os.strerror(errno.EIO), entry.path)

    monkeypatch.setattr("safefs.secrets.exporting._Plan.open", failing)
    with nothing_done(app.parent), pytest.raises(OSError, match="Input/output") as caught:
        disk.export(app.parent / "out")
    assert caught.value.__notes__ == ["at 'own/notes' in the tree"]


def test_an_export_that_is_killed_leaves_no_destination(disk: Disk, app: Path) -> None:
    """But a draft beside it, which sweep removes."""

    def die(progress: Progress) -> None:
        if progress.entries == 5:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if not child:
        try:
            disk.export(app.parent / "out", redact=["AWS_*"], progress=die)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    drafts = [name for name in os.listdir(app.parent) if name != "app"]
    assert len(drafts) == 1
    assert drafts[0].startswith(".safefs-")
    with Disk(app.parent) as above:
        assert len(above.sweep(older_than=0)) == 1
    assert os.listdir(app.parent) == ["app"]


def _over_it(app: Path) -> None:
    os.replace(app / ".env", app / "src" / "main.py")


def _a_link_to_it(app: Path) -> None:
    (app / "src" / "main.py").unlink()
    (app / "src" / "main.py").symlink_to("../server.pem")


def _another_directory(app: Path) -> None:
    os.rename(app / "src", app / "old")
    (app / "src").symlink_to(".git")
    (app / ".git" / "main.py").write_text("CANARY-6")


@pytest.mark.parametrize("replace", [_over_it, _a_link_to_it, _another_directory])
def test_what_is_replaced_after_it_was_looked_at_does_not_travel(
    replace: Callable[[Path], None], disk: Disk, app: Path
) -> None:
    """A name that was harmless is given to what is not, between the look and the copy."""

    def once(progress: Progress) -> None:
        if progress.path == "own/notes":
            replace(app)

    with pytest.raises(OSError, match=r"replaced while it was exported|No such file") as caught:
        disk.export(app.parent / "out", redact=["AWS_*"], progress=once)
    assert caught.value.errno in (errno.ESTALE, errno.ENOENT)
    assert not (app.parent / "out").exists()


def test_more_than_the_budget_is_one_error_before_anything_is_written(
    disk: Disk, app: Path
) -> None:
    for budget in (Budget(entries=7), Budget(bytes=36), Budget(depth=2)):
        with nothing_done(app.parent), pytest.raises(BudgetError):
            disk.export(app.parent / "out", redact=["AWS_*"], budget=budget)
    disk.export(app.parent / "out", redact=["AWS_*"], budget=Budget(entries=8, bytes=37, depth=3))


def test_a_file_that_grows_while_it_is_read_is_held_to_the_budget(
    disk: Disk, app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat_open = LocalDriver.stat_open

    def grown(driver: LocalDriver, file: Any) -> Any:
        found = stat_open(driver, file)
        if found.size == len("print()\n"):
            (app / "src" / "main.py").write_text("x" * 100)
        return found

    monkeypatch.setattr(LocalDriver, "stat_open", grown)
    with nothing_done(app.parent), pytest.raises(BudgetError):
        disk.export(app.parent / "out", redact=["AWS_*"], budget=Budget(bytes=100))


@pytest.mark.parametrize("content", ["print(1)", "print()\n"], ids=["longer", "as long"])
def test_what_is_written_anew_in_place_between_the_look_and_the_copy_is_noticed(
    disk: Disk, app: Path, content: str
) -> None:
    def write(progress: Progress) -> None:
        if progress.path == "own":
            (app / "src" / "main.py").write_text(content)

    with nothing_done(app.parent), pytest.raises(OSError, match=r"main\.py") as raised:
        disk.export(app.parent / "out", redact=["AWS_*"], progress=write)
    assert raised.value.errno == errno.ESTALE


@pytest.mark.parametrize("word", ["exclude", "include", "env_files"])
@pytest.mark.parametrize("pattern", ["../x", "a/../x", "..", "x ", " x"])
def test_a_pattern_that_is_a_slip_is_refused(
    disk: Disk, app: Path, word: str, pattern: str
) -> None:
    with nothing_done(app.parent), pytest.raises(ValueError, match=r"hold no '\.\.'|a space"):
        disk.export(app.parent / "out", **{word: [pattern]})  # type: ignore[arg-type]


def test_progress_is_told_with_what_there_is_to_do(disk: Disk, app: Path) -> None:
    told: list[Progress] = []
    disk.export(app.parent / "out", redact=["AWS_*"], progress=told.append)
    assert told[-1] == Progress("src/main.py", 8, 37, 8, 37)


def test_a_dry_run_says_the_same_and_writes_nothing(disk: Disk, app: Path) -> None:
    with nothing_done(app.parent):
        foretold = disk.export(app.parent / "out", redact=["AWS_*"], dry_run=True)
        disk.export(app.parent / "out.zip", redact=["AWS_*"], dry_run=True)
    assert disk.export(app.parent / "out", redact=["AWS_*"]) == foretold


# -- policies --------------------------------------------------------------------------------------


def test_what_may_only_be_read_can_be_exported(disk: Disk, app: Path) -> None:
    disk.read_only().export(app.parent / "out")
    with Disk(app.parent / "other", create=True) as other:
        for dry_run in (False, True):
            with pytest.raises(PolicyError, match="read-only"):
                disk.export(other.read_only() / "x", dry_run=dry_run)
        disk.export(other.append_only() / "x")
    assert tree(app.parent / "other" / "x") == tree(app.parent / "out")


def test_what_is_denied_is_neither_exported_nor_named(app: Path) -> None:
    pytest.importorskip("pathspec")
    with Disk(app, policy=Policy(deny=["src/deep", "*.pem"])) as disk:
        report = disk.export(app.parent / "out", redact=["AWS_*"], include=["*.pem"])
        assert "deep" not in f"{report!r}"
        assert "server" not in f"{report!r}"
        os.link(app / "server.pem", app / "src" / "copy")
        with pytest.raises(PolicyError):
            disk.export(app.parent / "again")
    assert sorted(tree(app.parent / "out")) == [
        *(".env", "empty", "own", "own/notes", "src", "src/main.py")
    ]
    assert not (app.parent / "again").exists()


def test_a_hook_is_told_of_it_as_of_one_operation(app: Path) -> None:
    told: list[tuple[str, str]] = []
    hook = lambda access: told.append((access.operation, access.path))  # noqa: E731
    with Disk(app, on_access=hook) as disk:
        disk.export(app.parent / "out", "src")
    assert ("Disk.export", "src") in told


# -- the report ------------------------------------------------------------------------------------


def test_a_report_is_a_short_table_and_plain_data(disk: Disk, app: Path) -> None:
    (app / "b\ne.env").write_bytes(b"A=1\n")
    report = disk.export(app.parent / "out", redact=["AWS_*"])
    assert str(report).splitlines() == [
        "copied     7 entries; 41 bytes in all",
        "rewritten  .env: without AWS_KEY, DSN; 1 comment dropped",
        "rewritten  'b\\ne.env': no key removed",
        "left out   .git: by its name, '.git'",
        "left out   server.pem: by its name, '*.pem'",
    ]
    assert report.entries == 9
    assert report.as_json()["rewritten"][0] == {
        "path": ".env",
        "kept": ["APP_NAME"],
        "removed": ["AWS_KEY", "DSN"],
        "comments": 1,
    }
    assert report.as_json()["left_out"][0] == {"path": ".git", "reason": "by its name, '.git'"}
    assert pickle.loads(pickle.dumps(report)) == report
    many = ExportReport((), (), tuple(LeftOut(str(n), "x") for n in range(22)), 1)
    assert len(str(many).splitlines()) == 22
    assert str(many).endswith("and 2 more")


# -- any environment -------------------------------------------------------------------------------

# The sign stands nowhere else. What some take for the end of a line stops an export, and is rare.
_TEXT = st.text(
    st.sampled_from("aB1 '\"\\$#={}\n\t\xe9_" * 8 + "\r\x0b\u2028"), min_size=5, max_size=20
)
_SECRET = st.builds("§{}".format, st.one_of(_TEXT, st.from_regex(r"[ -~\n]{5,20}", fullmatch=True)))
_NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,5}", fullmatch=True)
_FILES = st.sampled_from([".env", ".env.local", "sub/test.env"])


def _quoted(value: str, style: str) -> str:
    if style == "double":
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if style == "single":
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return value


_LINES = st.lists(
    st.tuples(
        _FILES,
        st.sampled_from(["", " ", "\t", "export "]),
        st.sampled_from(["AWS_{}", "aws_{}", "{}_SECRET", "{}"]),
        _NAMES,
        st.sampled_from(["=", " = ", "= "]),
        st.sampled_from(["double", "single", "double", "single", "bare"]),
        st.integers(0, 1),
        st.sampled_from(["{}", "https://me:{}@host/", "${{AWS_X:-{}}}", "x # {}", "plain"]),
        st.sampled_from([*["\n", "\r\n", "\n\n", "\n#x\n"] * 3, "\r", "\n# {}\n", " # {}\n"]),
    ),
    max_size=4,
)


@given(secrets=st.lists(_SECRET, min_size=2, max_size=2, unique=True), lines=_LINES)
def test_no_secret_is_in_anything_that_is_exported(
    secrets: list[str], lines: list[tuple[str, str, str, str, str, str, int, str, str]]
) -> None:
    """Whatever else is written of them in these files; or nothing is exported."""
    files = {
        ".env": "".join(f"AWS_{n}={_quoted(text, 'double')}\n" for n, text in enumerate(secrets))
    }
    for path, before, key, name, equals, style, which, shape, end in lines:
        secret = secrets[which]
        text = _quoted(shape.format(secret), style)
        line = f"{before}{key.format(name)}{equals}{text}{end.format(secret)}"
        files[path] = files.get(path, "") + line
    with Disk._over(MemoryDriver()) as disk, Disk._over(MemoryDriver()) as out:
        for path, content in files.items():
            disk.put(path, content)
        before_export = {path: disk.get(path) for path in files}
        try:
            report = disk.export(out, redact=["AWS_*", "*_SECRET"])
        except RedactionError as error:
            event("stopped")
            assert out.all_files() == []
            said = str(error)
        else:
            event("exported")
            assert sorted(out.all_files()) == sorted(files)
            said = f"{report}{report!r}{report.as_json()}"
            everything = b"\0".join(out.get(path) for path in files).decode()
            for secret in secrets:
                assert secret not in everything
        assert "§" not in said
        assert {path: disk.get(path) for path in files} == before_export


def test_a_disk_of_a_storage_is_exported(tmp_path: Path) -> None:
    with Storage.fake() as storage:
        documents = storage.disk("documents")
        documents.put("a/b.txt", "hello")
        documents.export(tmp_path / "out")
        documents.export(storage.disk("music") / "copy")
        assert storage.disk("music").get("copy/a/b.txt") == b"hello"
    assert tree(tmp_path / "out") == {"a": None, "a/b.txt": b"hello"}


LED = [  # a link, what it says, where the secret lies, and what becomes of that
    (".env", "shared/environment", "shared/environment", "rewritten"),
    (".env", "{app}/shared/environment", "shared/environment", "rewritten"),
    (".env", "/srv/app/shared/environment", "shared/environment", "rewritten"),
    ("a/.env.local", "../shared/environment", "shared/environment", "rewritten"),
    ("id_rsa", "keys/main", "keys/main", "left out"),
    ("id_rsa", "/home/me/app/keys/main", "keys/main", "left out"),
    (".ssh", "keys", "keys/deep/main", "left out"),
]


@pytest.mark.parametrize(("link", "text", "path", "fate"), LED)
def test_what_a_link_of_such_a_name_leads_to_is_treated_as_that(
    app: Path, tmp_path: Path, link: str, text: str, path: str, fate: str
) -> None:
    """Deployments keep one environment for all releases, and link to it."""
    (app / ".env").unlink()
    for each in (link, path):
        (app / each).parent.mkdir(parents=True, exist_ok=True)
    (app / path).write_bytes(b"A=1\nDB_SECRET=CANARY-9\n")
    (app / link).symlink_to(text.format(app=app))
    with Disk(app) as disk:
        report = disk.export(tmp_path / "out", redact=["*_SECRET"])
    assert not [
        each
        for each in (tmp_path / "out").rglob("*")
        if each.is_file() and b"CANARY-9" in each.read_bytes()
    ]
    assert (path in {each.path for each in report.rewritten}) == (fate == "rewritten")
    assert (tmp_path / "out" / path).exists() == (fate == "rewritten")


def test_a_directory_that_is_left_out_by_another_name_leaves_the_others_where_they_are(
    app: Path, tmp_path: Path
) -> None:
    (app / "keys").mkdir()
    (app / "keys-of-music").write_text("C major")
    (app / ".aws").symlink_to("keys")
    with Disk(app) as disk:
        report = disk.export(tmp_path / "out", exclude=[".env"])
    assert "keys-of-music" in report.copied
    assert "keys" not in report.copied
