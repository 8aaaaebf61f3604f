"""Storage: named disks, opened at first use, closed together."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import stat
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from safefs import (
    ConfigError,
    Disk,
    EscapeError,
    MissingFolderError,
    Policy,
    PolicyError,
    Storage,
    UnknownDiskError,
    UnsafeFolderError,
)
from safefs.folders import MEDIA, NAMES
from safefs.integrations import registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIN = ("appdata", "config", "cache", "state", "logs", "runtime", "temp")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own with all its folders, and no word of the real one."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    for name in MEDIA:
        (home / name.capitalize()).mkdir()
    (tmp_path / "run").mkdir(mode=0o700)
    (tmp_path / "tmp").mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return home


@pytest.fixture
def storage() -> Iterator[Storage]:
    with Storage("Acme Notes") as storage:
        yield storage


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _configure(home: Path, text: str) -> None:
    folder = home / ".config" / "Acme Notes"
    folder.mkdir(parents=True)
    (folder / "safefs.toml").write_text(text)


# -- the disks ---------------------------------------------------------------------------------


def test_iterating_gives_names_and_opens_nothing(storage: Storage, home: Path) -> None:
    assert tuple(storage) == NAMES
    assert len(storage) == len(NAMES)
    assert "documents" in storage
    assert "uploads" not in storage
    assert 3 not in storage
    assert not (home / ".local").exists()


@pytest.mark.parametrize("name", NAMES)
def test_each_disk_opens_and_is_the_same_each_time(name: str, storage: Storage) -> None:
    disk = storage.disk(name)
    assert disk.name == name
    disk.put("reports/a.txt", "hello")
    assert storage[name] is disk
    assert storage[name].get_text("reports/a.txt") == "hello"


@pytest.mark.parametrize("name", KIN)
def test_the_application_s_own_files_are_its_user_s_alone(
    name: str, storage: Storage, tmp_path: Path
) -> None:
    storage[name].put("reports/a.txt", "hello")
    with storage[name].open("reports/b.txt", "w") as file:
        file.write("hello")
    (made,) = tmp_path.rglob("reports")
    assert _mode(made.parent) == 0o700
    assert _mode(made) == 0o700
    assert {_mode(file) for file in made.iterdir()} == {0o600}


def test_the_user_s_files_go_by_the_umask(storage: Storage, home: Path) -> None:
    old = os.umask(0o022)
    try:
        storage["documents"].put("a.txt", "hello")
    finally:
        os.umask(old)
    assert _mode(home / "Documents" / "a.txt") == 0o644


def test_disks_that_are_no_mapping_are_refused_with_what_is_due(home: Path) -> None:
    for wrong in (["/srv"], "/srv", {"/srv"}):
        with pytest.raises(TypeError, match="mapping of names to directories"):
            Storage("x", disks=cast("Any", wrong))


def test_a_disk_without_a_name_takes_the_one_it_is_given_in_a_storage(tmp_path: Path) -> None:
    with Disk(tmp_path) as plain, Disk(tmp_path, name="own") as named:
        with Storage("x", disks={"a": plain, "b": named, "c": tmp_path}) as storage:
            assert storage["a"] is plain
            assert [storage[name].name for name in "abc"] == ["a", "own", "c"]
            assert repr(storage["c"]).startswith(f"<Disk 'c' LocalDriver('{tmp_path}') ")
        assert plain.name == "a"
        with Storage("y", disks={"z": plain}) as other:
            assert other["z"].name == "a"


def test_an_unknown_name_says_which_there_are(storage: Storage) -> None:
    with pytest.raises(UnknownDiskError, match="there are: appdata, home"):
        storage.disk("uploads")
    with pytest.raises(KeyError):
        storage["../documents"]


def test_a_folder_that_is_missing_hurts_only_its_own_disk(storage: Storage, home: Path) -> None:
    (home / "Music").rmdir()
    with pytest.raises(MissingFolderError):
        storage.disk("music")
    storage.disk("documents")
    (home / "Music").mkdir()
    storage.disk("music")


def test_a_folder_not_to_be_trusted_hurts_only_its_own_disk(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_MUSIC_DIR", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    with Storage("Acme Notes") as storage:
        for name in ("music", "state", "logs"):
            with pytest.raises(UnsafeFolderError):
                storage.disk(name)
        storage.disk("documents")


def test_where_a_disk_lies_is_settled_at_construction(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    assert storage.where("documents") == str(home / "Documents")
    storage.disk("documents").put("a", "")
    assert (home / "Documents" / "a").exists()


def test_where_says_why_when_it_cannot_say_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    with Storage("Acme Notes") as storage:
        assert "XDG_RUNTIME_DIR is not set" in storage.where("runtime")
        assert storage.where("temp").startswith("(")
        with pytest.raises(UnknownDiskError):
            storage.where("uploads")


def test_a_path_out_of_a_disk_is_an_escape(storage: Storage, home: Path) -> None:
    (home / "secret").write_text("secret")
    (home / "Documents" / "link").symlink_to("../secret")
    for path in ("../secret", "link", str(home / "secret")):
        with pytest.raises(EscapeError):
            storage["documents"].get(path)


# -- home --------------------------------------------------------------------------------------


def test_home_leaves_dot_entries_at_its_top_to_their_owners(storage: Storage, home: Path) -> None:
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id").write_text("secret")
    (home / "notes").symlink_to(".ssh")
    (home / "project").mkdir()
    (home / "project" / ".env").write_text("theirs")
    disk = storage["home"]
    for path in (".ssh/id", "notes/id", "project/../.ssh/id"):
        with pytest.raises(PolicyError):
            disk.get(path)
    with pytest.raises(PolicyError):
        disk.put(".bashrc", "")
    assert disk.get_text("project/.env") == "theirs"
    assert ".ssh" not in disk.directories()
    assert ".ssh/id" not in disk.all_files()


def test_home_gives_dot_entries_to_those_who_ask(home: Path) -> None:
    (home / ".bashrc").write_text("here")
    with Storage("Acme Notes", home_dot_entries=True) as storage:
        assert storage["home"].get_text(".bashrc") == "here"


def test_a_configuration_may_ask_for_them_too(home: Path) -> None:
    (home / ".bashrc").write_text("here")
    _configure(home, '[disks.home]\ntop_level_dot_entries = "allow"\nread_only = true\n')
    with Storage("Acme Notes") as storage:
        assert storage["home"].get_text(".bashrc") == "here"
        with pytest.raises(PolicyError):
            storage["home"].put("a", "")


# -- further disks -----------------------------------------------------------------------------


def test_a_directory_may_be_given_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uploads").mkdir()
    monkeypatch.chdir(tmp_path)
    disks: dict[str, str | os.PathLike[str] | Disk] = {
        "uploads": "uploads",
        "again": tmp_path / "uploads",
        "gone": "gone",
    }
    with Storage("Acme Notes", disks=disks) as storage:
        monkeypatch.chdir("/")
        storage["uploads"].put("a", "hello")
        assert storage["again"].get("a") == b"hello"
        with pytest.raises(MissingFolderError) as caught:
            storage.disk("gone")
        assert caught.value.disk == "gone"


def test_a_disk_that_is_given_stays_its_maker_s(tmp_path: Path) -> None:
    with Disk(tmp_path, policy=Policy(read_only=True)) as disk:
        with Storage("Acme Notes", disks={"reports": disk}) as storage:
            assert storage["reports"] is disk
        assert disk.exists("home")


def test_a_named_disk_may_be_put_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with Storage("Acme Notes", disks={"documents": tmp_path / "elsewhere"}) as storage:
        storage["documents"].put("a", "")
    assert (tmp_path / "elsewhere" / "a").exists()


@pytest.mark.parametrize("name", ["", "Uploads", "../x", "a/b", "a.b", "-a"])
def test_what_can_be_no_name_of_a_disk_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        Storage("Acme Notes", disks={name: tmp_path})


def test_disks_of_the_configuration(home: Path, tmp_path: Path) -> None:
    _configure(
        home,
        f'[disks.uploads]\npath = "{tmp_path}/srv/uploads"\ncreate = true\n'
        f'[disks.library]\npath = "{tmp_path}"\nread_only = true\nsymlinks = "never"\n'
        f"[disks.music]\nread_only = true\n"
        f'[disks.cache]\npath = "{tmp_path}/srv/uploads"\n',
    )
    with Storage("Acme Notes") as storage:
        assert tuple(storage) == (*NAMES, "uploads", "library")
        storage["uploads"].put("a", "hello")
        assert storage["library"].policy == Policy(read_only=True, symlinks="never")
        assert storage["music"].policy == Policy(read_only=True)
        storage["cache"].put("b", "hello")
    assert _mode(tmp_path / "srv" / "uploads" / "b") == 0o600


def test_the_configuration_is_read_from_the_path_that_is_given(home: Path, tmp_path: Path) -> None:
    _configure(home, "nonsense")
    (tmp_path / "mine.toml").write_text(f'[disks.uploads]\npath = "{tmp_path}"\n')
    with Storage("Acme Notes", config=tmp_path / "mine.toml") as storage:
        assert "uploads" in storage
    with pytest.raises(ConfigError):
        Storage("Acme Notes", config=tmp_path / "other.toml")
    with pytest.raises(ConfigError):
        Storage("Acme Notes")


def test_one_name_has_one_meaning(home: Path, tmp_path: Path) -> None:
    _configure(home, "[disks.music]\nread_only = true\n")
    with pytest.raises(ConfigError, match=r"in safefs\.toml as well"):
        Storage("Acme Notes", disks={"music": tmp_path})


def test_an_application_s_name_is_no_path() -> None:
    with pytest.raises(ConfigError):
        Storage("../x")


# -- opening and closing -----------------------------------------------------------------------


def test_eight_threads_open_a_disk_once(storage: Storage, tmp_path: Path) -> None:
    barrier = threading.Barrier(8)
    found: list[Disk] = []

    def ask() -> None:
        barrier.wait()
        found.append(storage.disk("temp"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert len(list((tmp_path / "tmp").iterdir())) == 1


def test_what_a_closed_storage_opened_is_closed(tmp_path: Path) -> None:
    storage = Storage("Acme Notes")
    disk, temp = storage["documents"], storage["temp"]
    temp.put("a/b", "")
    storage.close()
    storage.close()
    assert disk.closed
    assert temp.closed
    assert list((tmp_path / "tmp").iterdir()) == []
    for use in (lambda: storage.disk("documents"), lambda: storage.disk("music"), storage.register):
        with pytest.raises(ValueError, match="closed"):
            use()
    assert "closed" in repr(storage)


def test_temp_goes_with_a_storage_that_is_only_dropped(tmp_path: Path) -> None:
    temp = Storage("Acme Notes")["temp"]
    temp.put("a", "")
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    del temp
    gc.collect()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_every_disk_is_closed_though_one_of_them_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage("Acme Notes")
    first, last, temp = storage["appdata"], storage["runtime"], storage["temp"]

    def fail(self: object) -> None:
        raise OSError("no")

    monkeypatch.setattr("safefs.folders._empty", fail)
    with pytest.raises(OSError, match="no"):
        storage.close()
    assert first.closed
    assert last.closed
    assert temp.closed


def test_temp_that_a_cleaner_removed_is_closed_without_an_error(tmp_path: Path) -> None:
    with Storage("Acme Notes") as storage:
        temp = storage["temp"]
        for found in (tmp_path / "tmp").iterdir():
            found.rmdir()
    assert temp.closed


def test_temp_where_others_could_exchange_it_hurts_only_its_own_disk(tmp_path: Path) -> None:
    (tmp_path / "tmp").chmod(0o777)
    with Storage("Acme Notes") as storage:
        with pytest.raises(UnsafeFolderError):
            storage.disk("temp")
        storage.disk("appdata")


def test_a_service_whose_home_is_no_directory_has_the_disks_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/dev/null")
    with Storage("Acme Notes") as storage:
        for name in ("appdata", "documents"):
            with pytest.raises(MissingFolderError):
                storage.disk(name)
        storage["temp"].put("a", "")
        storage["runtime"].put("a", "")


def test_it_survives_a_fork_while_a_thread_opens_a_disk(storage: Storage) -> None:
    slot = storage._slots["documents"]
    with slot._lock:
        pid = os.fork()
        if pid == 0:
            os._exit(0 if storage["documents"].exists("") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_it_refuses_pickle_and_copy_and_says_what_to_send(storage: Storage) -> None:
    for refuse in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="send the name of its application, 'Acme Notes'"):
            refuse(storage)


def test_its_repr_names_the_disks(storage: Storage) -> None:
    assert repr(storage).startswith("<Storage 'Acme Notes': appdata, home")


# -- register ----------------------------------------------------------------------------------


def test_nothing_is_registered_unasked(storage: Storage) -> None:
    storage.disk("documents")
    assert registry.names() == ()


def test_register_offers_only_what_is_named(storage: Storage) -> None:
    with storage.register("documents", "music") as registration:
        assert registry.names() == ("documents", "music")
        assert registration.names == ("documents", "music")
        assert registry.find("documents") is storage["documents"]
        with pytest.raises(UnknownDiskError):
            registry.find("home")
        assert "safefs://documents" in repr(registration)
    assert registry.names() == ()


def test_register_without_a_name_offers_all_and_opens_none(storage: Storage, home: Path) -> None:
    with storage.register():
        assert registry.names() == tuple(sorted(NAMES))
    assert not (home / ".local").exists()


def test_register_under_a_prefix(storage: Storage) -> None:
    with storage.register("documents", prefix="acme-"):
        assert registry.find("acme-documents") is storage["documents"]
    with pytest.raises(ConfigError):
        storage.register("documents", prefix="Acme/")


def test_another_storage_cannot_take_a_name_and_then_nothing_is_registered(
    storage: Storage,
) -> None:
    with storage.register("music"), Storage("Other") as other:
        with pytest.raises(ValueError, match="safefs://music"):
            other.register("documents", "music")
        assert registry.names() == ("music",)
        with other.register("music", prefix="other-"):
            assert registry.find("other-music") is other["music"]


def test_a_name_cannot_change_its_disk(storage: Storage, tmp_path: Path) -> None:
    with (
        Storage("Other", disks={"a-b": tmp_path, "b": tmp_path}) as other,
        other.register("a-b"),
        pytest.raises(ValueError, match="safefs://a-b"),
    ):
        other.register("b", prefix="a-")


def test_the_same_storage_may_register_twice_and_the_first_holds(storage: Storage) -> None:
    with storage.register("documents"):
        with storage.register("documents", "music"):
            assert registry.names() == ("documents", "music")
        assert registry.names() == ("documents",)
    assert registry.names() == ()


def test_a_name_stays_until_the_last_that_holds_it_is_closed(storage: Storage) -> None:
    first, second = storage.register("temp"), storage.register("temp", "music")
    assert repr(first) == "<Registration of 'Acme Notes': safefs://temp>"
    first.close()
    first.close()
    assert (first.closed, second.closed) == (True, False)
    assert repr(first) == "<Registration of 'Acme Notes' closed: safefs://temp>"
    assert registry.names() == ("music", "temp")
    second.close()
    assert registry.names() == ()
    third = storage.register("temp")
    storage.close()
    assert third.closed


def test_an_unknown_disk_cannot_be_registered(storage: Storage) -> None:
    with pytest.raises(UnknownDiskError):
        storage.register("documents", "uploads")
    assert registry.names() == ()


def test_close_takes_the_names_back() -> None:
    storage = Storage("Acme Notes")
    storage.register("documents")
    storage.close()
    assert registry.names() == ()


# -- the fake ----------------------------------------------------------------------------------


@pytest.mark.parametrize("memory", [True, False])
def test_a_fake_has_the_same_disks_and_touches_nothing(
    memory: bool, home: Path, tmp_path: Path
) -> None:
    before = sorted(home.rglob("*"))
    with Storage.fake(memory=memory, disks=["uploads"]) as storage:
        assert tuple(storage) == (*NAMES, "uploads")
        for name in storage:
            storage[name].put("a/b.txt", name)
            storage.disk(name).assert_exists("a").assert_exists("a/b.txt", content=name)
        with pytest.raises(EscapeError):
            storage["documents"].get("../home/a/b.txt")
        with pytest.raises(PolicyError):
            storage["home"].put(".bashrc", "")
        assert storage["cache"].stat("a/b.txt").permissions == 0o600
        with storage.register("documents"):
            assert registry.find("documents") is storage["documents"]
    assert sorted(home.rglob("*")) == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_fake_that_is_only_dropped_leaves_nothing(tmp_path: Path) -> None:
    storage = Storage.fake(memory=False)
    storage["documents"].put("a", "")
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    del storage
    gc.collect()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_fake_says_what_was_there() -> None:
    with Storage.fake() as storage:
        disk = storage["documents"]
        with pytest.raises(AssertionError, match="'a' does not exist; the disk holds no file"):
            disk.assert_exists("a")
        disk.put("b", "hello")
        disk.put("c/d", "hello")
        with pytest.raises(AssertionError, match="'a' does not exist; there are: 'b', 'c/d'"):
            disk.assert_exists("b", "a")
        with pytest.raises(AssertionError, match="'b' holds b'hello', not b'bye'"):
            disk.assert_exists("b", content="bye")
        with pytest.raises(AssertionError, match="'b' exists"):
            disk.assert_missing("a", "b")
        with pytest.raises(AssertionError, match="'' holds 1 files, not 2: 'b'"):
            disk.assert_count("", 2)
        disk.assert_count("", 1).assert_count("", 2, recursive=True).assert_count("c", 1)
        for number in range(30):
            disk.put(f"n{number:02}", "")
        with pytest.raises(AssertionError, match="and 11 more"):
            disk.assert_count("", 0)


def test_a_fake_s_narrowed_disks_can_be_asked_too() -> None:
    with Storage.fake() as storage:
        storage["documents"].put("a/b", "")
        storage["documents"].scoped("a").assert_exists("b")
