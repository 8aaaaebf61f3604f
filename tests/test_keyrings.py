"""Which keyring is trusted with a key, and what is done when it does not answer."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from safefs import KeyUnavailableError, Storage, WrongKeyError
from safefs.age import X25519Identity, decrypt_bytes, encrypt_bytes
from safefs.secrets import keyrings
from safefs.secrets.installation import RECORD
from safefs.secrets.stores import IN_DOUBT
from tests.installations import APP, FILES, REAL, Backend, keys_of, named, names_in, offer
from tests.installations import home as home
from tests.installations import keyring as keyring
from tests.installations import no_keyring as no_keyring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 0.2


@pytest.fixture(autouse=True)
def _impatient(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs here hangs for good, and nobody is to be waited for."""
    monkeypatch.setattr(keyrings, "LOOK", PATIENCE)
    monkeypatch.setattr(keyrings, "USE", PATIENCE)


def source_of(**options: Any) -> str:
    with Storage(APP, **options) as storage:
        return storage.key.source


def refused(**options: Any) -> str:
    with Storage(APP, **options) as storage:
        with pytest.raises(KeyUnavailableError) as caught:
            _ = storage.key
        return str(caught.value)


# -- which is trusted ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(keyrings.REAL))
def test_a_real_one_is_taken(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = named(name)(home / "keyring")
    offer(monkeypatch, backend)
    assert source_of() == "keyring"
    assert source_of() == "keyring"
    assert names_in(home) == FILES["keyring"]
    assert len(backend.entries) == 1


UNTRUSTED = [
    "keyring.backends.fail.Keyring",
    "keyring.backends.null.Keyring",
    "keyring.backends.chainer.ChainerBackend",
    "keyrings.alt.file.PlaintextKeyring",
    "keyrings.alt.file.EncryptedKeyring",
    "keyrings.cryptfile.cryptfile.CryptFileKeyring",
    "keyring.backends.SecretService.Keyring2",
    "SecretService.Keyring",
    "tests.installations.Backend",
]


@pytest.mark.parametrize("name", UNTRUSTED)
def test_any_other_is_refused_and_given_nothing(
    name: str, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    backend = named(name)(home / "keyring")
    offer(monkeypatch, backend)
    assert refused(key_source="keyring").endswith(f"there is no keyring but {name}")
    assert source_of() == "file"
    assert f"there is no keyring but {name}" in caplog.text
    assert not backend.entries


def test_the_ones_that_the_library_brings_for_no_keyring_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from keyring.backends import fail, null

    for kind in (fail.Keyring, null.Keyring):
        offer(monkeypatch, kind())
        assert "there is no keyring but" in refused(key_source="keyring")


def _chained(patch: pytest.MonkeyPatch, *backends: Backend) -> None:
    """The library's own chainer of these, in this order."""
    from keyring.backends.chainer import ChainerBackend

    for number, backend in enumerate(backends):
        backend.priority = 10 - number  # type: ignore[attr-defined]
    patch.setattr("keyring.backend.get_all_keyring", lambda: list(backends))
    offer(patch, ChainerBackend())  # type: ignore[no-untyped-call]


PLAIN = "keyrings.alt.file.PlaintextKeyring"
OTHER_REAL = "keyring.backends.kwallet.DBusKeyring"


def test_of_a_chain_the_first_is_asked_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, plain = named(REAL)(home / "real"), named(PLAIN)(home / "plain")
    _chained(monkeypatch, real, plain)
    assert source_of() == "keyring"
    assert len(real.entries) == 1
    assert not plain.entries


@pytest.mark.parametrize("names", [[PLAIN, REAL], [PLAIN], []])
def test_a_chain_that_begins_with_plain_text_is_none(
    names: list[str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backends = [named(name)(home / name) for name in names]
    _chained(monkeypatch, *backends)
    assert source_of() == "file"
    assert not any(backend.entries for backend in backends)


def test_it_is_found_again_behind_another_that_has_come_since(
    home: Path, keyring: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Storage(APP) as storage:
        recipient = storage.key.recipient
    _chained(monkeypatch, named(OTHER_REAL)(home / "other"), keyring)
    with Storage(APP) as storage:
        assert storage.key.recipient == recipient
    offer(monkeypatch, named(OTHER_REAL)(home / "other"))
    assert f"{REAL} is not there; there is {OTHER_REAL}" in refused()


# -- that it stays there ---------------------------------------------------------------------------


def test_a_keyring_that_is_missing_later_is_an_error_and_no_second_key_is_made(
    home: Path, keyring: Backend, no_keyring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, keyring)
    with Storage(APP) as storage:
        sealed, exported = encrypt_bytes(b"a", [storage.key.recipient]), storage.export_key()
    from keyring.backends.fail import Keyring

    offer(monkeypatch, Keyring())  # type: ignore[no-untyped-call]
    for source in (None, "keyring"):
        assert "(keyring)" in (said := refused(key_source=source))
        assert "no other is made. If it was exported, import it" in said
    assert names_in(home) == FILES["keyring"]
    offer(monkeypatch, keyring)
    with Storage(APP) as storage:
        assert decrypt_bytes(sealed, [storage.key]) == b"a"
    (keyring.place / keyring.entries[0]).unlink()
    assert "it is gone from" in refused()
    with Storage(APP) as storage:
        storage.import_key(exported)
        assert decrypt_bytes(sealed, [storage.key]) == b"a"
    assert source_of() == "keyring"


def test_a_key_whose_keyring_is_gone_is_given_up_for_an_imported_one_when_that_is_meant(
    keyring: Backend, no_keyring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, keyring)
    assert source_of() == "keyring"
    from keyring.backends.fail import Keyring

    offer(monkeypatch, Keyring())  # type: ignore[no-untyped-call]
    given = X25519Identity.generate()
    with Storage(APP) as storage:
        for replace in (False, True):
            with pytest.raises(KeyUnavailableError):
                storage.import_key(given.reveal(), replace=replace)
        assert storage.import_key(given.reveal(), give_up=True).source == "file"
    assert source_of() == "file"


def test_each_installation_has_an_entry_of_its_own(
    home: Path, keyring: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = set()
    for name in ("one", "other"):
        (home / name).mkdir()
        monkeypatch.setenv("HOME", str(home / name))
        with Storage(APP) as storage:
            found.add(str(storage.key.recipient))
    assert len(found) == len(keyring.entries) == 2


def test_after_a_rotation_it_holds_both(keyring: Backend) -> None:
    with Storage(APP) as storage:
        sealed = encrypt_bytes(b"a", [storage.key.recipient])
        storage.rotate_key()
    with Storage(APP) as storage:
        assert decrypt_bytes(sealed, [storage.key]) == b"a"
        storage.rotate_key()
    assert len(keyring.entries) == 2


@pytest.mark.parametrize("rotations", range(4))
def test_a_memory_that_was_lost_is_made_up_by_what_the_keyring_holds(
    home: Path, keyring: Backend, rotations: int
) -> None:
    with Storage(APP) as storage:
        sealed = [encrypt_bytes(b"a", [storage.key.recipient])]
        for _ in range(rotations):
            sealed.append(encrypt_bytes(b"a", [storage.rotate_key().recipient]))
        recipient = storage.key.recipient
    (keys_of(home) / RECORD).unlink()
    with Storage(APP) as storage:
        assert storage.key.recipient == recipient
        assert all(decrypt_bytes(each, [storage.key]) == b"a" for each in sealed)


# -- one that does not do as it should -------------------------------------------------------------


class Locked(Backend):
    def get_password(self, service: str, account: str) -> str | None:
        from keyring.errors import KeyringLocked

        raise KeyringLocked("Failed to unlock the collection!")


class Missing(Backend):
    def get_password(self, service: str, account: str) -> str | None:
        from keyring.errors import NoKeyringError

        raise NoKeyringError("No recommended backend was available.")


class Hanging(Backend):
    def get_password(self, service: str, account: str) -> str | None:
        time.sleep(3600)
        return None


class Full(Backend):
    def set_password(self, service: str, account: str, password: str) -> None:
        from keyring.errors import PasswordSetError

        raise PasswordSetError(f"cannot keep {password}")


class Forgetful(Backend):
    def set_password(self, service: str, account: str, password: str) -> None:
        pass


FAULTS: dict[type[Backend], str] = {
    Locked: "KeyringLocked: Failed to unlock the collection!",
    Missing: "NoKeyringError: No recommended backend was available.",
    Hanging: "the keyring does not answer within 0.2 seconds",
    Full: "PasswordSetError",
    Forgetful: "does not keep what it is given",
}


@pytest.mark.parametrize("kind", FAULTS)
def test_one_that_fails_at_the_first_run_is_passed_over_and_that_is_said(
    kind: type[Backend],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    offer(monkeypatch, named(REAL, kind)(home / "keyring"))
    with caplog.at_level(logging.DEBUG):
        assert refused(key_source="keyring").endswith(FAULTS[kind])
        assert names_in(home) <= {IN_DOUBT}
        assert source_of() == "file"
    assert caplog.records[-1].getMessage().endswith(FAULTS[kind])
    assert "SECRET-KEY" not in caplog.text
    assert source_of() == "file"


@pytest.mark.parametrize("kind", [Locked, Missing, Hanging])
def test_one_that_fails_later_is_an_error(
    kind: type[Backend], home: Path, keyring: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source_of() == "keyring"
    offer(monkeypatch, named(REAL, kind)(keyring.place))
    assert FAULTS[kind] in refused()
    assert names_in(home) == FILES["keyring"]


def test_a_rotation_that_the_keyring_refuses_changes_nothing(
    keyring: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Storage(APP) as storage:
        recipient = storage.key.recipient
    offer(monkeypatch, named(REAL, Full)(keyring.place))
    with Storage(APP) as storage:
        with pytest.raises(KeyUnavailableError, match=r"\(keyring\): PasswordSetError"):
            storage.rotate_key()
        assert storage.key.recipient == recipient


class Once(Backend):
    """Does not answer the first time."""

    asked = 0

    def get_password(self, service: str, account: str) -> str | None:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("locked")
        return super().get_password(service, account)


def test_the_same_key_again_when_the_keyring_does_not_answer_loses_none_before_it(
    keyring: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = X25519Identity.generate().reveal()
    with Storage(APP) as storage:
        sealed = encrypt_bytes(b"a", [storage.key.recipient])
        storage.import_key(given, replace=True)
    for replace in (False, True):
        offer(monkeypatch, named(REAL, Once)(keyring.place))
        with Storage(APP) as storage, pytest.raises(KeyUnavailableError, match="locked"):
            storage.import_key(given, replace=replace)
    with Storage(APP) as storage:
        assert decrypt_bytes(sealed, [storage.key]) == b"a"


def test_what_is_sealed_for_another_is_so_also_when_the_keyring_is_gone_meanwhile(
    keyring: Backend, no_keyring: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keyring.backends.fail import Keyring

    offer(monkeypatch, keyring)
    foreign = encrypt_bytes(b"a", [X25519Identity.generate().recipient])
    with Storage(APP) as storage:
        key = storage.key
        with Storage(APP) as other:
            other.rotate_key()
        offer(monkeypatch, Keyring())  # type: ignore[no-untyped-call]
        with pytest.raises(WrongKeyError):
            decrypt_bytes(foreign, [key])


class Late(Backend):
    """Keeps it after the time is over."""

    def set_password(self, service: str, account: str, password: str) -> None:
        time.sleep(3 * PATIENCE)
        super().set_password(service, account, password)


def test_what_it_may_keep_yet_is_looked_for_by_the_next_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = named(REAL, Late)(home / "keyring")
    offer(monkeypatch, backend)
    assert "does not answer within" in refused()
    assert names_in(home) == {IN_DOUBT}
    _wait_for(lambda: backend.entries)
    monkeypatch.setattr(keyrings, "USE", 10)
    assert source_of() == "keyring"
    assert len(backend.entries) == 1


def _wait_for(there: Callable[[], object]) -> None:
    until = time.monotonic() + 10
    while not there() and time.monotonic() < until:
        time.sleep(0.05)
    assert there()


class Waiting(Backend):
    """Keeps what it is given first when it is told to, and all else at once."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.gate = threading.Event()
        self.late = False
        self.kept = 0

    def set_password(self, service: str, account: str, password: str) -> None:
        if self.late:
            self.late = False
            self.gate.wait(30)
        super().set_password(service, account, password)
        self.kept += 1


@pytest.mark.parametrize("rotating", [False, True])
def test_what_it_keeps_after_the_time_is_over_takes_no_other_key(
    home: Path, monkeypatch: pytest.MonkeyPatch, rotating: bool
) -> None:
    backend = named(REAL, Waiting)(home / "keyring")
    assert isinstance(backend, Waiting)
    offer(monkeypatch, backend)
    if rotating:
        assert source_of() == "keyring"
    backend.late = True
    with Storage(APP) as storage, pytest.raises(KeyUnavailableError, match="does not answer"):
        storage.rotate_key() if rotating else storage.key
    monkeypatch.setattr(keyrings, "USE", 10)
    before = backend.kept
    with Storage(APP) as storage:
        key = storage.rotate_key() if rotating else storage.key
        sealed, recipient = encrypt_bytes(b"a", [key.recipient]), key.recipient
        assert backend.kept == before + 1
        backend.gate.set()
        _wait_for(lambda: backend.kept == before + 2)
    with Storage(APP) as storage:
        assert storage.key.recipient == recipient
        assert decrypt_bytes(sealed, [storage.key]) == b"a"
        storage.rotate_key()
        assert decrypt_bytes(sealed, [storage.key]) == b"a"


class Short(Backend):
    """Keeps no more than one key."""

    def set_password(self, service: str, account: str, password: str) -> None:
        super().set_password(service, account, password[:300])


def test_a_keyring_that_cuts_short_what_it_is_given_keeps_what_it_had(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, named(REAL, Short)(home / "keyring"))
    with Storage(APP) as storage:
        sealed = encrypt_bytes(b"a", [storage.key.recipient])
        assert storage.key.source == "keyring"
        with pytest.raises(KeyUnavailableError, match="does not keep what it is given"):
            storage.rotate_key()
    with Storage(APP) as storage:
        assert decrypt_bytes(sealed, [storage.key]) == b"a"


def test_one_that_refuses_at_each_of_many_starts_leaves_no_more_and_more(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, named(REAL, Forgetful)(home / "keyring"))
    for _ in range(20):
        refused(key_source="keyring")
    assert len((keys_of(home) / IN_DOUBT).read_text().splitlines()) == 16
    offer(monkeypatch, named(REAL)(home / "keyring"))
    with Storage(APP) as storage:
        recipient = storage.rotate_key().recipient if storage.key else None
    with Storage(APP) as storage:
        assert storage.key.recipient == recipient


_HANGS = """
import time
from safefs import Storage
from safefs.secrets import keyrings
keyrings.LOOK = 0.5
began = time.monotonic()
with Storage("acme") as storage:
    print(storage.key.source, flush=True)
"""


def test_a_bus_that_hangs_does_not_hang_the_program(home: Path) -> None:
    """One that accepts and never says a word; the library's own backends ask it."""
    place = str(home / "bus")
    with socket.socket(socket.AF_UNIX) as bus:
        bus.bind(place)
        bus.listen()
        done = subprocess.run(
            [sys.executable, "-c", _HANGS],
            env={"HOME": str(home), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={place}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.stdout == "file\n"
    assert "the keyring does not answer within 0.5 seconds" in done.stderr
    assert done.returncode == 0


def test_it_is_imported_only_when_it_is_asked(home: Path) -> None:
    code = (
        "import sys; from safefs import Storage\n"
        "with Storage('acme', key_source='file') as storage: storage.key\n"
        "print('keyring' in sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={"HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "False\n"
