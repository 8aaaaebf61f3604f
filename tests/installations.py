"""What tests of keys stand on: a home of their own, and a keyring that looks like a real one."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from safefs.secrets.installation import RECORD
from safefs.secrets.keyfile import FOLDER
from safefs.secrets.stores import KEY_FILE, SEALED_FILE

if TYPE_CHECKING:
    from pathlib import Path

APP = "acme"
KEY, SEALED = KEY_FILE, SEALED_FILE


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no word of the real one, nor of a keyring."""
    for name in [name for name in os.environ if name.startswith(("XDG_", "DBUS_", "PYTHON_KEYR"))]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def keys_of(home: Path) -> Path:
    """Where the key of the application lies."""
    return home / ".local" / "state" / APP / FOLDER


def names_in(home: Path) -> set[str]:
    return {path.name for path in keys_of(home).iterdir()}


FILES = {"file": {RECORD, KEY}, "keyring": {RECORD}, "passphrase": {RECORD, SEALED}}


class Backend:
    """A keyring between processes, in a directory; as the library's own in name alone."""

    def __init__(self, place: Path, *, pause: float = 0.0) -> None:
        self.place = place
        self.pause = pause
        self.place.mkdir(exist_ok=True)

    def _entry(self, service: str, account: str) -> Path:
        return self.place / f"{service} {account}".replace("/", "%")

    def get_password(self, service: str, account: str) -> str | None:
        self._hesitate()
        try:
            return self._entry(service, account).read_text()
        except FileNotFoundError:
            return None

    def set_password(self, service: str, account: str, password: str) -> None:
        self._hesitate()
        new = self.place / f".{os.getpid()}"
        new.write_text(password)
        new.rename(self._entry(service, account))

    def _hesitate(self) -> None:
        time.sleep(random.uniform(0, self.pause))

    @property
    def entries(self) -> list[str]:
        return sorted(path.name for path in self.place.iterdir())


def named(name: str, kind: type[Backend] = Backend) -> type[Backend]:
    """The same under the name of another class, by which it is judged."""
    module, _, word = name.rpartition(".")
    return type(word, (kind,), {"__module__": module, "__qualname__": word})


REAL = "keyring.backends.SecretService.Keyring"


def offer(patch: pytest.MonkeyPatch, backend: object) -> None:
    """Have the library take this one."""
    patch.setattr("keyring.get_keyring", lambda: backend)


@pytest.fixture
def keyring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """A keyring that is believed."""
    backend = named(REAL)(tmp_path / "keyring")
    offer(monkeypatch, backend)
    return backend


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library takes on a machine without a desktop."""
    from keyring.backends.fail import Keyring

    offer(monkeypatch, Keyring())  # type: ignore[no-untyped-call]
