"""Disks that a Storage encrypts: by safefs.toml, or given to it as they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import fsspec
import pytest

from safefs import Disk, Storage
from safefs.age import decrypt_bytes
from safefs.errors import KeyFileError, SealedFileError
from tests.sealed import IDENTITY

if TYPE_CHECKING:
    from pathlib import Path

APP = "safefs-test-encrypted"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no word of the real one."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    config = home / ".config" / APP
    config.mkdir(parents=True)
    (config / "safefs.toml").write_text(
        "[disks.appdata]\nencrypted = true\n[disks.temp]\nencrypted = true\n"
        f"[disks.box]\npath = '{tmp_path}/box'\ncreate = true\nencrypted = true\n"
        f"[disks.mixed]\npath = '{tmp_path}/box'\nencrypted = true\nallow_plain = true\n"
        f"[disks.plain]\npath = '{tmp_path}/box'\n"
    )
    monkeypatch.setenv("HOME", str(home))
    return home


@pytest.mark.parametrize("name", ["appdata", "temp", "box"])
def test_a_disk_that_is_configured_so_is_encrypted_with_the_key_of_the_installation(
    name: str, tmp_path: Path
) -> None:
    with Storage(APP, key_source="file") as storage:
        disk = storage.disk(name)
        disk.put("d/f", b"1")
        assert disk.name == name
        assert (disk.get("d/f"), disk.size("d/f")) == (b"1", 1)
        assert "EncryptedDriver" in repr(disk)
        if name == "box":
            stored = (tmp_path / "box" / "d" / "f").read_bytes()
            assert decrypt_bytes(stored, [storage.key]) == b"1"
            assert storage.disk("plain").get("d/f") == stored
            with storage.register("box", "plain"):
                with fsspec.open("safefs://box/d/f", "rb") as file:
                    assert file.read() == b"1"
                with fsspec.open("safefs://plain/d/f", "rb") as file:
                    assert file.read() == stored
    if name != "temp":
        with Storage(APP, key_source="file") as storage:
            assert storage.disk(name).get("d/f") == b"1"


def test_what_is_plain_there_is_read_where_that_is_configured(tmp_path: Path) -> None:
    with Storage(APP, key_source="file") as storage:
        storage.disk("box").put("f", b"sealed")
        storage.disk("plain").put("g", b"plain")
        with pytest.raises(SealedFileError):
            storage.disk("box").get("g")
        assert [storage.disk("mixed").get(path) for path in "fg"] == [b"sealed", b"plain"]
        storage.disk("mixed").put("g", b"sealed too")
        assert storage.disk("box").get("g") == b"sealed too"


def test_the_key_is_found_when_the_disk_is_first_asked_for(home: Path) -> None:
    with Storage(APP, key_source="file") as storage:
        storage.disk("config").files()
        assert not list(home.rglob("*key*"))
        storage.disk("appdata").files()
        keys = [path for path in home.rglob("*key*") if path.is_file()]
        assert keys
    keys[0].chmod(0o644)
    with Storage(APP, key_source="file") as storage:
        for _ in range(2):
            with pytest.raises(KeyFileError):
                storage.disk("appdata")
        storage.disk("config").files()


def test_after_a_rotation_old_files_are_read_and_given_to_the_new_key(tmp_path: Path) -> None:
    with Storage(APP, key_source="file") as storage:
        disk = storage.disk("box")
        disk.put("old", b"old")
        before = (tmp_path / "box" / "old").read_bytes()
        storage.rotate_key()
        disk.put("new", b"new")
        assert (disk.get("old"), disk.get("new")) == (b"old", b"new")
        assert disk.rewrap().entries == 2
        after = (tmp_path / "box" / "old").read_bytes()
        assert before != after
        assert disk.get("old") == b"old"


def test_a_disk_that_is_given_encrypted_stays_so(tmp_path: Path) -> None:
    with Disk(tmp_path / "given", create=True) as plain, plain.encrypted(IDENTITY) as disk:
        with Storage(APP, disks={"given": disk}) as storage:
            storage.disk("given").put("f", b"1")
            assert storage.disk("given").name == "given"
            with storage.disk("given").lock("import"):
                storage.disk("given").put("f", b"2", if_match="*")
        assert decrypt_bytes(plain.get("f"), [IDENTITY]) == b"2"


def test_a_fake_storage_has_a_key_for_its_disks() -> None:
    with Storage.fake() as storage, storage.disk("documents").encrypted(storage.key) as disk:
        disk.put("f", b"1")
        assert storage.disk("documents").get("f") != b"1"
        assert disk.get("f") == b"1"
