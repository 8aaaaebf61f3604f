"""``storage.secrets`` and ``storage.encrypt_text``: what is sealed, and what is refused."""

from __future__ import annotations

import itertools
import os
import signal
import stat
import sys
import threading
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import (
    Disk,
    MissingSecretError,
    PolicyError,
    SafefsError,
    Scope,
    SealedFileError,
    Secret,
    Secrets,
    Storage,
    TokenError,
    UnsafeFolderError,
    WrongKeyError,
)
from safefs.age import ScryptRecipient, X25519Identity, decrypt_bytes, encrypt_bytes
from safefs.kernel import syscalls
from safefs.secrets import named
from safefs.secrets.installation import RECORD
from tests.installations import APP, KEY, keys_of
from tests.installations import home as home
from tests.keyed import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.testing.fake import FakeStorage

VALUES: list[str | bytes] = [
    "sk-live-1",
    "",
    "a\nb\r\n\0",
    "žluťoučký",
    b"",
    b"\xff\0text\n",
    b"text\n",
]
NAMES = [
    "mail",
    "MAIL",
    "Mail",
    "a b",
    "stripe/live",
    "../../x",
    ".",
    "CON",
    "é",
    "e\u0301",
    "x" * 128,
]
NO_NAMES = ["", " a", "a ", "a\nb", "a\0", "\ud800", "x" * 129, "é" * 65, "\u200b"]


@pytest.fixture
def key() -> Keyring:
    return Keyring(X25519Identity.generate())


@pytest.fixture(params=["memory", "local"])
def storage(
    request: pytest.FixtureRequest, key: Keyring, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeStorage]:
    with Storage.fake(memory=request.param == "memory") as storage:
        monkeypatch.setattr(Storage, "key", property(lambda self: key))
        yield storage


def _file(storage: Storage, at: int = 0) -> str:
    return storage._own.get().files(".secrets")[at]


# -- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", VALUES)
def test_a_secret_is_what_it_was_set_to(storage: Storage, value: str | bytes) -> None:
    storage.secrets.set("mail", "another")
    storage.secrets.set("mail", value)
    found = storage.secrets.get("mail")
    assert found.reveal() == value
    assert type(found.reveal()) is type(value)
    assert found == Secret(value)
    assert storage.secrets.names() == ["mail"]


def test_a_secret_can_be_set_to_one_that_was_had(storage: Storage) -> None:
    storage.secrets.set("a", b"raw")
    storage.secrets.set("b", storage.secrets.get("a"))
    assert storage.secrets.get("b").reveal() == b"raw"


@pytest.mark.parametrize("value", [None, 1, bytearray(b"a"), memoryview(b"a"), ["a"]])
def test_what_is_no_value_is_refused(storage: Storage, value: Any) -> None:
    with pytest.raises(TypeError, match="this is str or bytes, not"):
        storage.secrets.set("mail", value)
    assert storage.secrets.names() == []


def test_half_a_character_is_refused_without_being_told(storage: Storage) -> None:
    with pytest.raises(ValueError, match="this text cannot be encoded") as caught:
        storage.secrets.set("mail", "canary\ud800")
    assert "canary" not in repr(caught.value)


def test_a_value_has_a_longest_length(storage: Storage) -> None:
    storage.secrets.set("mail", "x" * named.MAX_VALUE)
    assert len(storage.secrets.get("mail").reveal()) == named.MAX_VALUE
    with pytest.raises(ValueError, match="the secret 'mail' is longer than 61440 bytes"):
        storage.secrets.set("mail", "é" * (named.MAX_VALUE // 2) + "x")


# -- names ---------------------------------------------------------------------------------------


def test_each_name_is_another_secret(storage: Storage) -> None:
    for name in NAMES:
        storage.secrets.set(name, f"of {name}")
    assert storage.secrets.names() == sorted(NAMES)
    assert [storage.secrets.get(name).reveal() for name in NAMES] == [f"of {n}" for n in NAMES]
    assert all(name in storage.secrets for name in NAMES)
    files = storage._own.get().all_files()
    assert len({file.lower() for file in files}) == len(NAMES)
    assert max(len(file.split("/")[-1]) for file in files) <= 255


@pytest.mark.parametrize("name", NO_NAMES)
def test_what_is_no_name_is_refused(storage: Storage, name: str) -> None:
    secrets = storage.secrets
    for act in (secrets.get, secrets.delete, lambda name: secrets.set(name, "canary")):
        with pytest.raises(ValueError, match="the name of a secret") as caught:
            act(name)
        assert "canary" not in str(caught.value)
    assert name not in secrets


@pytest.mark.parametrize("name", [None, b"mail", 1])
def test_a_name_is_a_str(storage: Storage, name: Any) -> None:
    with pytest.raises(TypeError, match="the name of a secret is a str, not"):
        storage.secrets.get(name)
    assert name not in storage.secrets


def test_what_else_lies_in_the_folder_is_no_secret(storage: Storage) -> None:
    storage.secrets.set("mail", "a")
    state = storage._own.get()
    for name in (
        "readme.txt",
        "mail.age",
        ".age",
        "MFUWY.age",
        "nvqws3a",
        "nvqws3a.age.old",
        "a.age",
    ):
        state.put(f".secrets/{name}", b"")
    state.make_directory(".secrets/nvqws3b.age")
    assert storage.secrets.names() == ["mail"]


@given(st.text(max_size=40))
def test_a_file_name_is_of_one_name(name: str) -> None:
    try:
        path = named._path(name)
    except ValueError:
        return
    assert named._name(path) == name
    assert path == path.lower()


def test_there_are_none_at_first(storage: Storage) -> None:
    assert storage.secrets.names() == []
    assert "mail" not in storage.secrets
    assert storage.secrets.rewrap() == []


def test_a_missing_one_is_an_error_or_what_is_asked_for_instead(storage: Storage) -> None:
    secrets = storage.secrets
    with pytest.raises(MissingSecretError, match="no secret is named 'mail'"):
        secrets.get("mail")
    assert secrets.get("mail", None) is None
    assert secrets.get("mail", default=7) == 7
    with pytest.raises(KeyError):
        secrets.delete("mail")
    secrets.delete("mail", missing_ok=True)


def test_a_deleted_one_is_gone(storage: Storage) -> None:
    storage.secrets.set("mail", "a")
    storage.secrets.delete("mail")
    assert storage.secrets.names() == []
    assert storage.secrets.get("mail", None) is None
    assert storage._own.get().files(".secrets") == []


def test_names_and_deleting_take_no_key(storage: Storage) -> None:
    storage.secrets.set("mail", "a")

    def no_key() -> Any:
        raise AssertionError

    secrets = Secrets(lambda: storage._own.get(), no_key)
    assert secrets.names() == ["mail"]
    assert "mail" in secrets
    assert repr(secrets) == "<Secrets>"
    secrets.delete("mail")


# -- files ---------------------------------------------------------------------------------------


def test_a_secret_is_an_age_file_that_begins_with_its_name(storage: Storage, key: Keyring) -> None:
    storage.secrets.set("mail", "value")
    data = storage._own.get().get(_file(storage))
    assert data.startswith(b"age-encryption.org/v1\n")
    assert b"value" not in data
    assert decrypt_bytes(data, [key]) == b"safefs secret: mail\ntext\nvalue"


@pytest.mark.parametrize("given", [False, True])
def test_only_the_owner_may_read_it(tmp_path: Path, key: Keyring, given: bool) -> None:
    """On a disk that is not private, too."""
    before = os.umask(0)
    try:
        with Disk(tmp_path / "state", create=True, locks=tmp_path / "locks") as disk:
            secrets = Secrets(lambda: disk, lambda: key)
            if given:
                (tmp_path / "state" / ".secrets").mkdir(0o755)
            secrets.set("mail", "a")
            for path in (tmp_path / "state" / ".secrets").iterdir():
                path.chmod(0o666)
            secrets.set("mail", "b")
    finally:
        os.umask(before)
    folder = tmp_path / "state" / ".secrets"
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(real: Storage, home: Path, mode: int) -> None:
    real.secrets.set("mail", "a")
    folder = home / ".local" / "state" / APP / ".secrets"
    folder.chmod(mode)
    uses: list[Callable[[], object]] = [
        lambda: real.secrets.set("mail", "b"),
        lambda: real.secrets.get("mail"),
        real.secrets.rewrap,
    ]
    for use in uses:
        with pytest.raises(UnsafeFolderError, match=r"written to by others.*'\.secrets'"):
            use()
    folder.chmod(0o700)
    assert real.secrets.get("mail").reveal() == "a"


def test_two_files_cannot_be_swapped(storage: Storage) -> None:
    storage.secrets.set("a", "one")
    storage.secrets.set("b", "two")
    state = storage._own.get()
    one, two = state.files(".secrets")
    state.copy(one, two)
    with pytest.raises(SealedFileError, match="the sealed file 'b', its payload: it is not"):
        storage.secrets.get("b")
    assert storage.secrets.get("a").reveal() == "one"


@pytest.mark.parametrize("other", ["b", "mai", "mail2", "Mail", "mail\ntext"])
def test_a_file_of_another_name_is_refused(storage: Storage, key: Keyring, other: str) -> None:
    storage.secrets.set("mail", "a")
    forged = encrypt_bytes(f"safefs secret: {other}\ntext\na".encode(), [key.recipient])
    storage._own.get().put(_file(storage), forged)
    if other == "mail\ntext":  # the same with a longer value: only who may seal it makes it
        assert storage.secrets.get("mail").reveal() == "text\na"
        return
    with pytest.raises(SealedFileError):
        storage.secrets.get("mail")


def _as_text(storage: Storage, data: bytes) -> bytes:
    return urlsafe_b64decode(storage.encrypt_text("a") + "==")


_DAMAGES: dict[str, Callable[[Storage, bytes], bytes]] = {
    "empty": lambda storage, data: b"",
    "no age file": lambda storage, data: b"sk-live-1",
    "cut": lambda storage, data: data[:-1],
    "longer": lambda storage, data: data + b"\0",
    "much longer": lambda storage, data: data + bytes(200_000),
    "a bit of its end": lambda storage, data: data[:-1] + bytes([data[-1] ^ 1]),
    "a bit of its header": lambda storage, data: data.replace(b"---", b"--.", 1),
    "a text": _as_text,
    "of a passphrase": lambda storage, data: encrypt_bytes(
        b"safefs secret: mail\ntext\na", [ScryptRecipient("a", work_factor=2)]
    ),
    "without its kind": lambda storage, data: encrypt_bytes(
        b"safefs secret: mail\nvalue", [storage.key.recipient]
    ),
    "text that is none": lambda storage, data: encrypt_bytes(
        b"safefs secret: mail\ntext\n\xff", [storage.key.recipient]
    ),
}


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_one_is_one_error_that_names_it(storage: Storage, damage: str) -> None:
    storage.secrets.set("mail", "canary")
    state, file = storage._own.get(), _file(storage)
    state.put(file, _DAMAGES[damage](storage, state.get(file)))
    with pytest.raises(SealedFileError, match="the sealed file 'mail'") as caught:
        storage.secrets.get("mail")
    assert caught.value.path == "mail"
    assert "canary" not in str(caught.value)


def test_a_link_in_its_place_is_replaced_and_not_written_through(
    tmp_path: Path, key: Keyring
) -> None:
    (tmp_path / "outside").write_bytes(b"mine")
    with Disk(tmp_path / "state", create=True, locks=tmp_path / "locks") as disk:
        secrets = Secrets(lambda: disk, lambda: key)
        secrets.set("mail", "a")
        file = tmp_path / "state" / disk.files(".secrets")[0]
        file.unlink()
        file.symlink_to("../../outside")
        with pytest.raises(PermissionError):
            secrets.get("mail")
        secrets.set("mail", "b")
        assert secrets.get("mail").reveal() == "b"
    assert (tmp_path / "outside").read_bytes() == b"mine"


# -- rotation ------------------------------------------------------------------------------------


def test_what_was_sealed_for_an_earlier_key_opens_and_is_sealed_anew_when_set(
    storage: Storage, key: Keyring
) -> None:
    storage.secrets.set("mail", "a")
    key.rotate()
    assert storage.secrets.get("mail").reveal() == "a"
    storage.secrets.set("mail", "b")
    key.all.pop()
    assert storage.secrets.get("mail").reveal() == "b"


def test_rewrap_seals_all_for_the_present_key(storage: Storage, key: Keyring) -> None:
    for name in ("a", "b", "c"):
        storage.secrets.set(name, name.encode())
    key.rotate()
    assert storage.secrets.rewrap() == ["a", "b", "c"]
    retired = key.all.pop()
    assert [storage.secrets.get(name).reveal() for name in "abc"] == [b"a", b"b", b"c"]
    key.all = [retired]
    with pytest.raises(WrongKeyError, match="the sealed file 'a'"):
        storage.secrets.get("a")


def test_rewrap_goes_on_behind_what_cannot_be_opened(storage: Storage, key: Keyring) -> None:
    for name in ("a", "b", "c"):
        storage.secrets.set(name, name)
    file = _file(storage, 1)
    storage._own.get().put(file, b"damaged")
    key.rotate()
    with pytest.raises(SealedFileError, match="the sealed file 'b'"):
        storage.secrets.rewrap()
    key.all.pop()
    assert [storage.secrets.get(name).reveal() for name in "ac"] == ["a", "c"]
    assert storage._own.get().get(file) == b"damaged"


@pytest.mark.parametrize("storage", ["local"], indirect=True)
def test_rewrap_loses_nothing_that_is_set_meanwhile(storage: Storage) -> None:
    storage.secrets.set("mail", "0")
    done = threading.Event()

    def rewrap() -> None:
        while not done.is_set():
            storage.secrets.rewrap()

    thread = threading.Thread(target=rewrap)
    thread.start()
    try:
        for number in range(20):
            storage.secrets.set("mail", str(number))
            assert storage.secrets.get("mail").reveal() == str(number)
    finally:
        done.set()
        thread.join()


_CALLS = ("write", "fsync", "rename", "link", "unlink", "open", "openat2", "close")


def _killed_at(number: int, act: Callable[[], object]) -> bool:
    """Whether a child that does it is killed before its call of this number."""
    pid = os.fork()
    if pid:
        return os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    try:
        counts = itertools.count(1)

        def counted(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: object, **keywords: object) -> Any:
                if next(counts) == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **keywords)

            return call

        for name in _CALLS:
            setattr(syscalls, name, counted(getattr(syscalls, name)))
        act()
    finally:
        os._exit(0)


def test_who_is_killed_while_rewrapping_leaves_each_whole(tmp_path: Path, key: Keyring) -> None:
    """At each system call that changes something; the next run ends what it began."""
    with Disk(tmp_path / "state", create=True, locks=tmp_path / "locks") as disk:
        secrets = Secrets(lambda: disk, lambda: key)
        for name in "abc":
            secrets.set(name, name)
        key.rotate()
        killed = 0
        while _killed_at(killed + 1, secrets.rewrap):
            killed += 1
            assert secrets.names() == ["a", "b", "c"]
            assert [secrets.get(name).reveal() for name in "abc"] == ["a", "b", "c"]
        assert killed > 20
        key.all.pop()
        assert [secrets.get(name).reveal() for name in "abc"] == ["a", "b", "c"]


# -- texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a", "žluťoučký kůň 🐎", "a" * 200_000, "a\0\r\n"])
def test_a_text_comes_back_as_it_was(storage: Storage, text: str) -> None:
    token = storage.encrypt_text(text)
    assert storage.decrypt_text(token) == text
    assert token != storage.encrypt_text(text)
    assert not token.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def test_a_text_of_an_earlier_key_opens_and_of_another_does_not(
    storage: Storage, key: Keyring
) -> None:
    token = storage.encrypt_text("a")
    key.rotate()
    assert storage.decrypt_text(token) == "a"
    key.all.pop()
    with pytest.raises(WrongKeyError):
        storage.decrypt_text(token)


_CHANGES: dict[str, Callable[[str], str]] = {
    "nothing": lambda token: "",
    "cut": lambda token: token[:-1],
    "cut by a chunk": lambda token: token[:-8],
    "longer": lambda token: token + "AAAA",
    "one letter": lambda token: token[:-30] + ("A" if token[-30] != "A" else "B") + token[-29:],
    "padding": lambda token: token + "=",
    "space": lambda token: token + " ",
    "a line": lambda token: token[:70] + "\n" + token[70:],
    "the other alphabet": lambda token: token[:-4] + "+/+/",
    "not ASCII": lambda token: token + "é",
    "half a character": lambda token: token + "\ud800",
    "plain": lambda token: "hello",
    "twice": lambda token: token + token,
}


@pytest.mark.parametrize("change", _CHANGES)
@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_a_changed_text_is_one_error_without_the_text(storage: Storage, change: str) -> None:
    changed = _CHANGES[change](storage.encrypt_text("canary"))
    with pytest.raises(SealedFileError) as caught:
        storage.decrypt_text(changed)
    assert "canary" not in str(caught.value)
    assert not changed or changed not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_a_spare_bit_of_the_last_letter_is_no_freedom(storage: Storage) -> None:
    for size in range(3):
        token = storage.encrypt_text("a" * size)
        others = [token[:-1] + chr(letter) for letter in range(128) if chr(letter) != token[-1]]
        for other in others:
            with pytest.raises(SealedFileError):
                storage.decrypt_text(other)


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_a_secret_is_not_taken_for_a_text(storage: Storage) -> None:
    storage.secrets.set("mail", "a")
    data = storage._own.get().get(_file(storage))
    with pytest.raises(SealedFileError, match="it is not safefs text, but something else"):
        storage.decrypt_text(urlsafe_b64encode(data).decode().rstrip("="))


@pytest.mark.parametrize("storage", ["memory"], indirect=True)
def test_a_text_is_a_str(storage: Storage) -> None:
    for value in (b"canary", None, 1):
        with pytest.raises(TypeError, match="a text is a str, not"):
            storage.encrypt_text(value)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a text is a str, not"):
            storage.decrypt_text(value)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be encoded"):
        storage.encrypt_text("\ud800")


# -- the key of the installation -----------------------------------------------------------------


@pytest.fixture
def real(home: Path) -> Iterator[Storage]:
    with Storage(APP, key_source="file") as storage:
        yield storage


@pytest.mark.parametrize("mask", [0o777, 0o200])
def test_a_umask_that_shuts_the_owner_out_does_not_do_so_for_good(
    real: Storage, home: Path, mask: int
) -> None:
    before = os.umask(mask)
    try:
        real.secrets.set("mail", "canary")
    finally:
        os.umask(before)
    found = [*(home / ".local").rglob("*"), home / ".local"]
    assert any(path.name == ".secrets" for path in found)
    for path in found:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_storage_keeps_its_secrets_where_no_disk_shows_them(real: Storage, home: Path) -> None:
    real.secrets.set("mail", "canary")
    real.issue_token(Scope("state", verbs=["read"]))
    state = real.disk("state")
    assert state.all_files() == []
    for path in (".secrets", ".tokens/revoked.json"):
        with pytest.raises(PolicyError):
            state.get(path)
    folder = home / ".local" / "state" / APP
    assert {each.name for each in folder.iterdir()} >= {".secrets", ".tokens"}
    assert stat.S_IMODE((folder / ".secrets").stat().st_mode) == 0o700
    assert all(b"canary" not in each.read_bytes() for each in folder.rglob("*") if each.is_file())


def test_another_storage_of_the_application_finds_them(real: Storage) -> None:
    real.secrets.set("mail", "value")
    token, text = real.issue_token(Scope("state", verbs=["read"])), real.encrypt_text("text")
    with Storage(APP) as other:
        assert other.secrets.get("mail").reveal() == "value"
        assert other.decrypt_text(text) == "text"
        other.verify_token(token)
        other.revoke_token(token)
    with pytest.raises(TokenError, match="revoked"):
        real.verify_token(token)


def test_after_a_rotation_they_open_and_can_be_sealed_for_the_new_key(real: Storage) -> None:
    real.secrets.set("mail", "value")
    text, token = real.encrypt_text("text"), real.issue_token(Scope("state", verbs=["read"]))
    old = real.key.recipient
    real.rotate_key()
    assert real.key.recipient != old
    assert real.secrets.get("mail").reveal() == "value"
    assert real.secrets.rewrap() == ["mail"]
    assert real.decrypt_text(text) == "text"
    with pytest.raises(TokenError, match="signature"):
        real.verify_token(token)


def test_a_closed_storage_has_none(real: Storage) -> None:
    real.secrets.set("mail", "value")
    secrets, token = real.secrets, real.issue_token(Scope("state", verbs=["read"]))
    real.close()
    for act in (
        secrets.names,
        lambda: secrets.get("mail"),
        lambda: real.encrypt_text("a"),
        lambda: real.verify_token(token),
        real.revoke_tokens,
    ):
        with pytest.raises(ValueError, match="closed"):
            act()
    assert not real.can_encrypt


# -- whether it can ------------------------------------------------------------------------------


def test_it_can_encrypt_before_there_is_a_key_and_makes_none(real: Storage, home: Path) -> None:
    assert real.can_encrypt
    assert not keys_of(home).exists()
    real.encrypt_text("a")
    assert keys_of(home).exists()
    with Storage(APP) as other:
        assert other.can_encrypt


def _no_longer_private(home: Path) -> None:
    (keys_of(home) / KEY).chmod(0o644)


def _gone(home: Path) -> None:
    (keys_of(home) / KEY).unlink()


def _another(home: Path) -> None:
    (keys_of(home) / KEY).write_text(X25519Identity.generate().reveal() + "\n")


def _nonsense(home: Path) -> None:
    (keys_of(home) / RECORD).write_text("nonsense")


@pytest.mark.parametrize("spoil", [_no_longer_private, _gone, _another, _nonsense])
def test_it_cannot_encrypt_where_the_key_is_not_to_be_had(
    real: Storage, home: Path, spoil: Callable[[Path], None]
) -> None:
    real.encrypt_text("a")
    spoil(home)
    with Storage(APP) as other:
        assert not other.can_encrypt
        with pytest.raises(SafefsError):
            other.encrypt_text("a")


def test_it_can_encrypt_under_a_passphrase_and_does_not_ask_for_it(home: Path) -> None:
    asked = []

    def ask(line: str) -> str:
        asked.append(line)
        return "correct horse"

    with Storage(APP, key_source="passphrase", passphrase=ask) as storage:
        assert storage.can_encrypt
        storage.encrypt_text("a")
    asked.clear()
    with Storage(APP, passphrase=ask) as storage:
        assert storage.can_encrypt
    assert not asked
    with Storage(APP) as storage:
        assert not storage.can_encrypt


def test_it_cannot_encrypt_without_a_keyring_that_was_asked_for(home: Path) -> None:
    with Storage(APP, key_source="keyring") as storage:
        assert not storage.can_encrypt


def test_without_the_extra_it_cannot_and_says_what_to_install(
    real: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert not real.can_encrypt
    with pytest.raises(ImportError, match=r"install safefs\[crypto\]"):
        real.secrets.set("mail", "a")


def test_a_fake_storage_can() -> None:
    with Storage.fake() as storage:
        assert storage.can_encrypt
        storage.secrets.set("mail", "value")
        assert storage.secrets.get("mail").reveal() == "value"
        assert storage.decrypt_text(storage.encrypt_text("a")) == "a"
        storage.revoke_token(storage.issue_token(Scope("state", verbs=["read"])))
