"""The key of an installation: where it is put, that it stays there, and what is refused."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import stat
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from safefs import (
    ConfigError,
    InstallationKey,
    KeyFileError,
    KeyUnavailableError,
    PolicyError,
    SealedFileError,
    Storage,
    WrongKeyError,
    WrongPassphraseError,
)
from safefs.age import Hidden, X25519Identity, decrypt_bytes, encrypt_bytes
from safefs.kernel import syscalls
from safefs.secrets import keys, stores
from safefs.secrets.installation import RECORD
from safefs.secrets.keyfile import KeyFolder
from tests.attackers import in_child
from tests.installations import APP, FILES, KEY, SEALED, keys_of, names_in
from tests.installations import home as home
from tests.installations import no_keyring as no_keyring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PASSPHRASE = "correct horse"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture(autouse=True)
def _at_home(home: Path, no_keyring: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "WORK_FACTOR", 2)


def opened(source: Any = None, **options: Any) -> Storage:
    if source == "passphrase":
        options.setdefault("passphrase", lambda _: PASSPHRASE)
    return Storage(APP, key_source=source, **options)


def first_run(source: Any = "file") -> str:
    with opened(source) as storage:
        return str(storage.key.recipient)


# -- the value -----------------------------------------------------------------------------------


def test_it_seals_and_opens_and_is_one_object_until_the_close() -> None:
    with opened("file") as storage:
        key = storage.key
        assert storage.key is key
        sealed = encrypt_bytes(b"a", [key.recipient])
        assert decrypt_bytes(sealed, [key]) == b"a"
        assert key.source == storage.key_source == "file"
    with opened("file") as storage:
        assert decrypt_bytes(sealed, [storage.key]) == b"a"


def test_after_the_close_it_is_forgotten() -> None:
    with opened("file") as storage:
        key = storage.key
    for use in (lambda: key.recipient, lambda: key.unwrap(()), lambda: key.derive("a")):
        with pytest.raises(ValueError, match="closed"):
            use()
    for ask in ("key", "key_source", "rotate_key", "export_key"):
        with pytest.raises(ValueError, match="closed"):
            getattr(storage, ask)()
    assert repr(key) == "<InstallationKey, closed (file)>"


def test_each_purpose_has_bytes_of_its_own_which_are_always_the_same() -> None:
    with opened("file") as storage:
        one, other = storage.key.derive("tokens"), storage.key.derive("names")
    with opened("file") as storage:
        assert storage.key.derive("tokens") == one != other
        assert len(one) == 32
        with pytest.raises(ValueError, match="purpose"):
            storage.key.derive("")
        storage.rotate_key()
        assert storage.key.derive("tokens") != one


def test_it_is_neither_pickled_nor_copied() -> None:
    with opened("file") as storage:
        for refused in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="holds a key"):
                refused(storage.key)


def test_threads_that_come_at_once_get_one_object() -> None:
    got: list[InstallationKey] = []
    with opened("file") as storage:
        start = threading.Barrier(8)

        def ask() -> None:
            start.wait()
            got.append(storage.key)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 8
        assert len({id(key) for key in got}) == 1


# -- where it is put, and that it stays there ----------------------------------------------------


@pytest.mark.parametrize("source", ["file", "passphrase"])
def test_it_is_kept_where_it_is_wanted_and_its_files_are_their_owners_alone(
    home: Path, source: str
) -> None:
    os.umask(before := os.umask(0))
    try:
        os.umask(0)
        recipient = first_run(source)
    finally:
        os.umask(before)
    assert names_in(home) == FILES[source]
    assert stat.S_IMODE(keys_of(home).stat().st_mode) == 0o700
    for path in keys_of(home).iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first_run(source) == recipient
    assert names_in(home) == FILES[source]


def test_without_a_keyring_it_is_a_file_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "safefs"):
        with Storage(APP) as storage:
            assert storage.key_source == "file"
            assert storage.key.source == "file"
        with Storage(APP) as storage:
            assert storage.key.source == storage.key_source == "file"
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.endswith("there is no keyring but keyring.backends.fail.Keyring")
    assert KEY in said


def test_to_ask_where_it_is_makes_none(home: Path) -> None:
    with Storage(APP) as storage:
        assert storage.key_source == "file"
    with opened("passphrase") as storage:
        assert storage.key_source == "passphrase"
        assert storage.can_encrypt
    assert not list(home.iterdir())


def test_what_is_remembered_holds_no_key(home: Path) -> None:
    recipient = first_run()
    kept = json.loads((keys_of(home) / RECORD).read_text())
    assert kept["source"] == "file"
    assert kept["recipient"] == recipient
    assert "SECRET" not in str(kept).upper()


@pytest.mark.parametrize("source", ["file", "passphrase"])
def test_a_key_that_is_gone_is_an_error_and_no_second_one_is_made(home: Path, source: Any) -> None:
    first_run(source)
    (keys_of(home) / (FILES[source] - {RECORD}).pop()).unlink()
    for wanted in (None, source):
        with opened(wanted) as storage:
            with pytest.raises(KeyUnavailableError, match=r"it is gone from .*no other is made"):
                _ = storage.key
            assert storage.key_source == source
    assert names_in(home) == {RECORD}


def test_another_key_in_its_place_is_an_error(home: Path) -> None:
    first_run()
    (keys_of(home) / KEY).write_text(X25519Identity.generate().reveal())
    with opened() as storage, pytest.raises(KeyUnavailableError, match="is another one than age1"):
        _ = storage.key


def test_it_does_not_move_because_another_place_is_wanted(home: Path) -> None:
    first_run("file")
    for wanted in ("keyring", "passphrase"):
        with (
            opened(wanted) as storage,
            pytest.raises(KeyUnavailableError, match=f"not in the {wanted}"),
        ):
            _ = storage.key
    assert names_in(home) == FILES["file"]


def test_what_a_process_left_that_was_killed_before_it_remembered_is_the_key(home: Path) -> None:
    recipient = first_run("file")
    (keys_of(home) / RECORD).unlink()
    assert first_run("file") == recipient
    (keys_of(home) / RECORD).unlink()
    with (
        opened("keyring") as storage,
        pytest.raises(KeyUnavailableError, match="not in the keyring"),
    ):
        _ = storage.key


def test_the_disk_of_the_state_does_not_show_it(home: Path) -> None:
    with opened("file") as storage:
        _ = storage.key
        state = storage.disk("state")
        with pytest.raises(PolicyError):
            state.get(f".keys/{KEY}")
        with pytest.raises(PolicyError):
            state.get(f".locks/../.keys/{KEY}")
        with pytest.raises(PolicyError):
            state.delete_directory(".keys")
        assert not [path for path in state.all_directories() if ".keys" in path]


def test_a_file_that_the_file_system_opens_to_others_takes_no_name(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does whose rights are an option of its mount."""
    recipient = first_run()
    before = (keys_of(home) / KEY).read_bytes()

    def opens(fd: int, mode: int) -> None:
        os.fchmod(fd, mode | 0o040)

    with monkeypatch.context() as patch, opened() as storage:
        patch.setattr(syscalls, "fchmod", opens)
        with pytest.raises(KeyFileError, match="is open to others") as caught:
            storage.rotate_key()
        assert caught.value.filename == str(keys_of(home) / KEY)
    assert (keys_of(home) / KEY).read_bytes() == before
    assert names_in(home) == FILES["file"]
    assert first_run() == recipient


@pytest.mark.parametrize("spelling", ["x", "x/", "/x", "link"])
def test_nor_does_another_disk_that_is_the_same_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    (home / "link").symlink_to("x")
    monkeypatch.setenv("XDG_STATE_HOME", f"{home}/x")
    monkeypatch.setenv("XDG_DATA_HOME", f"{home}/{spelling}")
    with opened("file") as storage:
        _ = storage.key
        assert (home / "x" / APP / ".keys" / KEY).exists()
        with pytest.raises(PolicyError):
            storage.disk("appdata").get(f".keys/{KEY}")


# -- what is refused -----------------------------------------------------------------------------


def _link_to(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _directory(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "others may read it": (lambda path: path.chmod(0o604), r"is open to others \(mode 0604\)"),
    "its group may write it": (lambda path: path.chmod(0o620), r"is open to others \(mode 0620\)"),
    "a link": (_link_to, "is a link"),
    "a pipe": (_fifo, "is no regular file"),
    "a directory": (_directory, "is no regular file"),
    "no end of it": (lambda path: os.truncate(path, 1 << 30), "too long"),
}


@pytest.mark.parametrize("name", [KEY, RECORD])
@pytest.mark.parametrize("how", sorted(REFUSED))
def test_a_file_that_is_not_its_owners_alone_is_refused(home: Path, name: str, how: str) -> None:
    first_run()
    path = keys_of(home) / name
    spoil, reason = REFUSED[how]
    spoil(path)
    with opened() as storage, pytest.raises(KeyFileError, match=reason) as caught:
        _ = storage.key
    assert caught.value.filename == str(path)


@as_root
def test_another_users_file_is_refused_and_so_is_one_of_root_for_another_user(
    shared_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(shared_root))

    def asked() -> str:
        try:
            return first_run()
        except KeyFileError as error:
            return error.reason

    recipient = in_child(asked, uid=65534)
    assert recipient.startswith("age1")
    path = keys_of(shared_root) / KEY
    assert path.stat().st_uid == 65534
    os.chown(path, 0, 0)
    assert in_child(asked, uid=65534) == "belongs to another user (uid 0)"
    os.chown(path, 65534, 65534)
    os.chown(keys_of(shared_root), 0, 0)
    assert in_child(asked, uid=65534) == "belongs to another user (uid 0)"
    os.chown(keys_of(shared_root), 65534, 65534)
    assert in_child(asked, uid=65534) == recipient


def test_a_folder_that_is_open_to_others_or_a_link_is_refused(home: Path) -> None:
    first_run()
    folder = keys_of(home)
    folder.chmod(0o750)
    with opened() as storage, pytest.raises(KeyFileError, match="open to others"):
        _ = storage.key
    folder.chmod(0o700)
    _link_to(folder)
    with opened() as storage, pytest.raises(KeyFileError, match="is a link"):
        _ = storage.key


@pytest.mark.parametrize(
    "text", ["", "x", "AGE-SECRET-KEY-1", "age1x\n", "{}", "\xff\n", "AGE-SECRET-KEY-1" + "Q" * 58]
)
def test_what_is_no_key_is_refused(home: Path, text: str) -> None:
    first_run()
    (keys_of(home) / KEY).write_text(text)
    with opened() as storage, pytest.raises(KeyUnavailableError, match="is no key of safefs"):
        _ = storage.key


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": 2}', '{"version":1,"source":"a"}', "[" * 100_000, "\0", "\xff"],
)
def test_a_record_that_is_none_is_refused(home: Path, text: str) -> None:
    first_run()
    (keys_of(home) / RECORD).write_text(text)
    with opened() as storage, pytest.raises(KeyFileError, match="is not as safefs writes it"):
        _ = storage.key


def test_words_that_cannot_be_meant_are_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="'files' is none of keyring, file, passphrase"):
        Storage(APP, key_source="files")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="needs passphrase="):
        Storage(APP, key_source="passphrase")
    with pytest.raises(TypeError, match="called to ask for it") as caught:
        Storage(APP, passphrase=PASSPHRASE)  # type: ignore[arg-type]
    assert PASSPHRASE not in str(caught.value)


# -- a passphrase --------------------------------------------------------------------------------


class Answers:
    """Gives one after the other, and keeps what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, prompt: str) -> Any:
        self.asked.append(prompt)
        return self.answers.pop(0)


def test_a_passphrase_is_asked_for_twice_when_it_is_new_and_then_once() -> None:
    ask = Answers("a", b"a", "a", "a")
    for count in (2, 3, 4):
        with opened("passphrase", passphrase=ask) as storage:
            assert storage.key.source == "passphrase"
            assert storage.key is storage.key
        assert len(ask.asked) == count
    assert ask.asked == [
        "New passphrase for the key of acme: ",
        "The same once more: ",
        *["Passphrase for the key of acme: "] * 2,
    ]


def test_two_that_differ_make_nothing_and_block_nothing(home: Path) -> None:
    asking = opened("passphrase", passphrase=Answers("a", "b"))
    with asking as storage, pytest.raises(KeyUnavailableError, match="two passphrases differ"):
        _ = storage.key
    assert names_in(home) == set()
    first_run("passphrase")


def test_a_wrong_one_is_an_error_and_may_be_asked_for_again() -> None:
    recipient = first_run("passphrase")
    with opened("passphrase", passphrase=Answers("wrong", PASSPHRASE)) as storage:
        with pytest.raises(WrongPassphraseError, match="the passphrase is wrong"):
            _ = storage.key
        assert str(storage.key.recipient) == recipient


@pytest.mark.parametrize("answer", ["", b"", None, 3])
def test_what_is_no_passphrase_is_an_error(answer: object) -> None:
    asking = opened("passphrase", passphrase=Answers(answer))
    with asking as storage, pytest.raises(KeyUnavailableError, match="no passphrase was given"):
        _ = storage.key


def test_without_someone_to_ask_it_is_an_error() -> None:
    first_run("passphrase")
    with Storage(APP) as storage, pytest.raises(KeyUnavailableError, match="passphrase= to ask"):
        _ = storage.key


def test_a_damaged_file_is_an_error_with_its_name(home: Path) -> None:
    first_run("passphrase")
    path = keys_of(home) / SEALED
    path.write_bytes(path.read_bytes() + b"a")
    with opened("passphrase") as storage, pytest.raises(SealedFileError, match=str(path)):
        _ = storage.key


def test_where_a_file_cannot_be_kept_from_others_a_passphrase_is_asked_for(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that has no permissions: a stick, a share."""
    real = KeyFolder.write

    def write(folder: KeyFolder, name: str, content: Hidden, *, replace: bool = False) -> None:
        if name == KEY:
            raise KeyFileError(folder.path(name), "is open to others (mode 0755)")
        real(folder, name, content, replace=replace)

    monkeypatch.setattr(KeyFolder, "write", write)
    with Storage(APP) as storage, pytest.raises(KeyFileError, match="0755"):
        _ = storage.key
    assert names_in(home) == set()
    with Storage(APP, passphrase=lambda _: PASSPHRASE) as storage:
        assert storage.key.source == "passphrase"
    assert names_in(home) == FILES["passphrase"]


# -- rotation, export and import -----------------------------------------------------------------


@pytest.mark.parametrize("source", ["file", "passphrase"])
def test_after_a_rotation_old_files_open_and_new_ones_are_of_the_new_key(source: Any) -> None:
    sealed = []
    with opened(source) as storage:
        key = storage.key
        for _ in range(3):
            sealed.append(encrypt_bytes(b"a", [key.recipient]))
            before = key.recipient
            assert storage.rotate_key() is key
            assert key.recipient != before
    with opened(source) as storage:
        assert [decrypt_bytes(each, [storage.key]) for each in sealed] == [b"a"] * 3
        assert storage.key.recipient == key_recipient(storage)
        assert storage.key.recipient != before


def key_recipient(storage: Storage) -> object:
    first = next(
        line
        for line in storage.export_key().reveal().decode().splitlines()
        if line.startswith("AGE-SECRET-KEY-1")
    )
    return X25519Identity(first).recipient


def test_who_runs_on_opens_what_another_process_has_sealed_for_a_key_made_since() -> None:
    with opened("file") as running:
        before = running.key.recipient
        with opened("file") as other:
            other.rotate_key()
            sealed = encrypt_bytes(b"a", [other.key.recipient])
        assert running.key.recipient == before
        assert decrypt_bytes(sealed, [running.key]) == b"a"
        assert running.key.recipient != before
        foreign = encrypt_bytes(b"a", [X25519Identity.generate().recipient])
        with pytest.raises(WrongKeyError):
            decrypt_bytes(foreign, [running.key])


def test_where_there_is_no_key_there_is_none_to_rotate_or_export(home: Path) -> None:
    with opened("file") as storage:
        for use in (storage.rotate_key, storage.export_key):
            with pytest.raises(KeyUnavailableError, match="there is none yet"):
                use()
    assert names_in(home) == set()


def test_more_keys_than_are_kept_are_refused_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("safefs.secrets.holder.MOST_KEYS", 2)
    with opened("file") as storage:
        _ = storage.key
        recipient = storage.rotate_key().recipient
        with pytest.raises(ValueError, match="no more than 2"):
            storage.rotate_key()
        assert storage.key.recipient == recipient
    assert first_run() == str(recipient)


def test_an_exported_key_is_that_of_another_installation_once_it_is_imported(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened("file") as storage:
        sealed = encrypt_bytes(b"a", [storage.key.recipient])
        recipient = storage.rotate_key().recipient
        exported = storage.export_key()
    assert str(exported) == "***"
    monkeypatch.setenv("HOME", str(home.parent / "another"))
    (home.parent / "another").mkdir()
    with opened("file") as storage:
        key = storage.import_key(exported)
        assert storage.key is key
        assert key.recipient == recipient
    with opened("file") as storage:
        assert decrypt_bytes(sealed, [storage.key]) == b"a"
        assert storage.import_key(exported.reveal().decode()).recipient == recipient  # no change


def test_an_import_over_a_key_is_refused_unless_it_is_meant_and_retires_it() -> None:
    given = X25519Identity.generate()
    with opened("file") as storage:
        sealed = encrypt_bytes(b"a", [storage.key.recipient])
        before = storage.key.recipient
        with pytest.raises(FileExistsError, match="this installation has a key"):
            storage.import_key(given.reveal())
        assert storage.key.recipient == before
        assert storage.import_key(given.reveal(), replace=True).recipient == given.recipient
        assert decrypt_bytes(sealed, [storage.key]) == b"a"
    assert first_run() == str(given.recipient)


def test_what_was_exported_brings_back_a_key_that_is_gone(home: Path) -> None:
    with opened("file") as storage:
        recipient, exported = storage.key.recipient, storage.export_key()
    (keys_of(home) / KEY).unlink()
    with opened() as storage:
        for replace in (False, True):
            with pytest.raises(KeyUnavailableError, match="it is gone from"):
                storage.import_key(X25519Identity.generate().reveal(), replace=replace)
        assert storage.import_key(exported).recipient == recipient
    assert first_run() == str(recipient)


def test_a_key_that_cannot_be_read_is_given_up_only_when_that_is_meant(home: Path) -> None:
    first_run("passphrase")
    given = X25519Identity.generate()
    with opened("passphrase", passphrase=lambda _: "forgotten") as storage:
        for replace in (False, True):
            with pytest.raises(WrongPassphraseError):
                storage.import_key(given.reveal(), replace=replace)
    before = (keys_of(home) / SEALED).read_bytes()
    ask = Answers("forgotten", "new", "new")
    with opened("passphrase", passphrase=ask) as storage:
        assert storage.import_key(given.reveal(), give_up=True).recipient == given.recipient
    with opened("passphrase", passphrase=Answers("new")) as storage:
        assert storage.key.recipient == given.recipient
    (beside,) = names_in(home) - FILES["passphrase"]
    assert beside.startswith(f"{SEALED}.given-up-")
    assert (keys_of(home) / beside).read_bytes() == before


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("remembered", [True, False])
def test_the_same_key_again_with_a_mistyped_passphrase_loses_none_before_it(
    home: Path, remembered: bool, replace: bool
) -> None:
    given = X25519Identity.generate().reveal()
    with opened("passphrase") as storage:
        sealed = encrypt_bytes(b"a", [storage.key.recipient])
        storage.import_key(given, replace=True)
    if not remembered:
        (keys_of(home) / RECORD).unlink()
    before = (keys_of(home) / SEALED).read_bytes()
    with (
        opened("passphrase", passphrase=lambda _: "mistyped") as storage,
        pytest.raises(WrongPassphraseError),
    ):
        storage.import_key(given, replace=replace)
    assert (keys_of(home) / SEALED).read_bytes() == before
    with opened("passphrase") as storage:
        assert decrypt_bytes(sealed, [storage.key]) == b"a"


def test_a_word_to_give_up_gives_up_nothing_that_can_be_read(home: Path) -> None:
    given = X25519Identity.generate()
    with opened("file") as storage:
        sealed = encrypt_bytes(b"a", [storage.key.recipient])
        assert storage.import_key(given.reveal(), give_up=True).recipient == given.recipient
        assert decrypt_bytes(sealed, [storage.key]) == b"a"
    assert names_in(home) == FILES["file"]


@pytest.mark.parametrize("remembered", [True, False])
def test_a_file_that_is_no_key_is_kept_beside_the_imported_one(
    home: Path, remembered: bool
) -> None:
    first_run()
    (keys_of(home) / KEY).write_text("half a k")
    if not remembered:
        (keys_of(home) / RECORD).unlink()
    given = X25519Identity.generate()
    with opened() as storage:
        with pytest.raises(KeyUnavailableError, match="is no key of safefs"):
            storage.import_key(given.reveal(), replace=True)
        storage.import_key(given.reveal(), give_up=True)
    (beside,) = names_in(home) - FILES["file"]
    assert (keys_of(home) / beside).read_text() == "half a k"
    assert first_run() == str(given.recipient)


def test_a_closed_storage_imports_nothing_and_shows_nothing_of_it() -> None:
    given = X25519Identity.generate().reveal()
    with opened("file") as storage:
        pass
    with pytest.raises(ValueError, match="closed") as caught:
        storage.import_key(given)
    held = [frame.frame.f_locals for frame in caught.traceback[1:]]
    assert held
    assert given not in str(held)


def test_a_storage_that_is_closed_while_a_thread_asks_gives_no_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storage = opened("file")
    make = storage._new_holder

    def late() -> Any:
        storage.close()
        return make()

    monkeypatch.setattr(storage, "_new_holder", late)
    with pytest.raises(ValueError, match="closed"):
        _ = storage.key


@pytest.mark.parametrize("text", ["", "x", "age1", b"\xff", 3])
def test_what_is_no_exported_key_is_refused(home: Path, text: Any) -> None:
    with opened("file") as storage, pytest.raises(ValueError, match="this is no exported key"):
        storage.import_key(text)
    assert not keys_of(home).exists()


# -- a fake Storage ------------------------------------------------------------------------------


def test_a_fake_storage_has_a_key_in_memory(home: Path) -> None:
    with Storage.fake() as storage:
        key = storage.key
        assert key is storage.key
        assert key.source == storage.key_source == "memory"
        sealed = encrypt_bytes(b"a", [key.recipient])
        assert storage.rotate_key() is key
        assert decrypt_bytes(sealed, [key]) == b"a"
        exported = storage.export_key()
    with Storage.fake() as storage:
        recipient = storage.import_key(exported).recipient
        assert decrypt_bytes(sealed, [storage.key]) == b"a"
        with pytest.raises(FileExistsError):
            storage.import_key(X25519Identity.generate().reveal())
    with Storage.fake() as storage:
        assert storage.key.recipient != recipient
    with pytest.raises(ValueError, match="closed"):
        _ = storage.key
    assert not list(home.iterdir())


# -- the extra -----------------------------------------------------------------------------------


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cryptography", "keyring"):
        with monkeypatch.context() as patch, Storage(APP) as storage:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(ImportError, match=r"install safefs\[crypto\]"):
                _ = storage.key


def test_a_text_of_many_keys_has_each_once_and_the_first_is_present() -> None:
    mine = [X25519Identity.generate() for _ in range(3)]
    text = keys.text_of([*mine, mine[0]])
    found = keys.identities_of(text)
    assert found is not None
    assert [each.recipient for each in found] == [each.recipient for each in mine]
    assert keys.identities_of(Hidden(b"# nothing\n\n")) is None
