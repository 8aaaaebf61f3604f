"""Scenes with gnome-keyring, each in a process of its own under dbus-run-session.

``python -m tests.desktop SCENE ...``: what it has to say goes to standard output.
"""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safefs import KeyUnavailableError, Storage
from safefs.age import decrypt_bytes, encrypt_bytes
from tests.at_once import at_once
from tests.installations import APP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PATIENCE = 30  # seconds for the daemon to be there


@contextmanager
def gnome_keyring() -> Iterator[None]:
    """Meanwhile the daemon answers, and its collection is unlocked."""
    command = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
    daemon = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        assert daemon.stdin is not None
        daemon.stdin.write(b"of the login")
        daemon.stdin.close()
        _wait_for_it()
        yield
    finally:
        daemon.kill()
        daemon.wait()


def _wait_for_it() -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if _is_unlocked():
            return
        time.sleep(0.05)
    raise AssertionError("gnome-keyring does not answer")


def _is_unlocked() -> bool:
    import secretstorage

    bus = secretstorage.dbus_init()
    try:
        if not secretstorage.check_service_availability(bus):
            return False
        return not secretstorage.Collection(bus).is_locked()
    except secretstorage.exceptions.ItemNotFoundException:
        return False
    finally:
        bus.close()


def _lock() -> None:
    import secretstorage

    bus = secretstorage.dbus_init()
    try:
        secretstorage.get_default_collection(bus).lock()
    finally:
        bus.close()


def _of_key() -> str:
    with Storage(APP) as storage:
        return f"{storage.key.source} {storage.key.recipient}"


def first_runs(count: str) -> None:
    with gnome_keyring():
        for line in at_once(int(count), _of_key):
            print(line)


def a_life() -> None:
    with gnome_keyring():
        with Storage(APP) as storage:
            print(storage.key.source)
            sealed = encrypt_bytes(b"a", [storage.key.recipient])
            recipient = storage.rotate_key().recipient
        with Storage(APP) as storage:
            assert decrypt_bytes(sealed, [storage.key]) == b"a"
            print("the same after a rotation:", storage.key.recipient == recipient, flush=True)
    _another_process()


def _another_process() -> None:
    """The library looks for its backends once in a process."""
    subprocess.run([sys.executable, "-m", "tests.desktop", "gone"], check=True)


def gone() -> None:
    with Storage(APP) as storage:
        try:
            print(storage.key)
        except KeyUnavailableError as error:
            print(f"gone: {error}")


def locked() -> None:
    with gnome_keyring():
        _lock()
        none()


def none() -> None:
    logging.basicConfig(stream=sys.stdout, format="%(message)s")
    logging.getLogger("keyring").setLevel(logging.CRITICAL)
    with Storage(APP) as storage:
        source = storage.key.source
    print(source)


SCENES: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (first_runs, a_life, gone, locked, none)
}

if __name__ == "__main__":
    SCENES[sys.argv[1]](*sys.argv[2:])
