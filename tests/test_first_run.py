"""The first run: of many processes at once, and of one that is killed in the middle of it."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Storage
from safefs.age import decrypt_bytes, encrypt_bytes
from safefs.secrets import stores
from safefs.secrets.stores import IN_DOUBT
from safefs.testing.interposing import Interposed, Killed, Undisturbed
from safefs.testing.mounts import fork
from tests.at_once import at_once
from tests.installations import APP, FILES, names_in
from tests.installations import home as home
from tests.installations import keyring as keyring
from tests.installations import no_keyring as no_keyring

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.installations import Backend

AT_ONCE = 16
SOURCES: dict[str, dict[str, Any]] = {
    "keyring": {},
    "file": {"key_source": "file"},
    "passphrase": {"key_source": "passphrase", "passphrase": lambda _: "a"},
}


def opened(source: str) -> Storage:
    return Storage(APP, **SOURCES[source])


def recipient_of(source: str) -> str:
    with opened(source) as storage:
        assert storage.key.source == source
        return str(storage.key.recipient)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "WORK_FACTOR", 2)


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_sixteen_processes_at_once_have_one_key_and_leave_nothing_else(
    source: str,
    home: Path,
    keyring: Backend,
    monkeypatch: pytest.MonkeyPatch,
    scaled: Callable[[int], int],
    counted: Callable[..., None],
) -> None:
    keyring.pause = 0.004
    rounds, began, others = max(1, scaled(5) // 2), time.perf_counter(), 0
    for number in range(rounds):
        mine = home / str(number)
        mine.mkdir()
        monkeypatch.setenv("HOME", str(mine))
        lines = at_once(AT_ONCE, lambda: recipient_of(source))
        assert len(lines) == AT_ONCE
        others += len(set(lines)) - 1
        assert set(lines) == {recipient_of(source)}
        assert names_in(mine) == FILES[source]
        assert len(keyring.entries) == (number + 1 if source == "keyring" else 0)
    counted(
        f"first runs of {AT_ONCE} processes at once, the key in: {source}",
        f"{rounds} rounds",
        seconds=time.perf_counter() - began,
        disagreements=others,
    )


# -- killed in the middle --------------------------------------------------------------------------


class Course:
    """The same work again and again, each time killed before another of its calls."""

    def __init__(self, home: Path, patch: pytest.MonkeyPatch, keyring: Backend) -> None:
        self.home = home
        self.patch = patch
        self.keyring = keyring
        self.number = 0

    def anew(self) -> None:
        """Another home, where nothing has been."""
        self.number += 1
        mine = self.home / str(self.number)
        mine.mkdir()
        self.patch.setenv("HOME", str(mine))
        self.keyring.place = mine / "keyring"
        self.keyring.place.mkdir()

    @property
    def names(self) -> set[str]:
        return names_in(self.home / str(self.number))

    def count(self, seam: Interposed, work: Callable[[], object]) -> int:
        with seam.facing(Undisturbed()):
            work()
        return len(seam.calls)

    def killed(self, seam: Interposed, index: int, work: Callable[[], object]) -> None:
        child = fork()
        if child == 0:
            try:
                with seam.facing(Killed(index)):
                    work()
            finally:
                os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert os.WIFSIGNALED(status), f"not killed before call {index}, but ended with {status}"
        assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.fixture
def course(home: Path, monkeypatch: pytest.MonkeyPatch, keyring: Backend) -> Course:
    return Course(home, monkeypatch, keyring)


@pytest.fixture
def every(scaled: Callable[[int], int]) -> int:
    """Each call in the full counts; else one in so many, a different one for each source."""
    return max(1, 12 // scaled(1))


def _number(source: str) -> int:
    """Where the kills begin: not at the same calls for all."""
    return sorted(SOURCES).index(source)


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_a_first_run_that_is_killed_anywhere_leaves_nothing_that_blocks_the_next(
    source: str, course: Course, every: int
) -> None:
    with Interposed() as seam:
        course.anew()
        recipient_of(source)
        course.anew()
        calls = course.count(seam, lambda: recipient_of(source))
        assert calls > 30
        for index in range(_number(source) % every, calls, every):
            course.anew()
            course.killed(seam, index, lambda: recipient_of(source))
            recipient = recipient_of(source)
            assert recipient_of(source) == recipient, f"killed before call {index}"
            assert course.names == FILES[source], f"killed before call {index}"


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_a_rotation_that_is_killed_anywhere_has_been_done_or_not_and_loses_no_key(
    source: str, course: Course, every: int
) -> None:
    def rotate() -> None:
        with opened(source) as storage:
            storage.rotate_key()

    with Interposed() as seam:
        course.anew()
        recipient_of(source)
        calls = course.count(seam, rotate)
        done = set()
        for index in sorted({*range(_number(source) % every, calls, every), calls - 1}):
            course.anew()
            with opened(source) as storage:
                before = storage.key.recipient
                sealed = encrypt_bytes(b"a", [before])
            course.killed(seam, index, rotate)
            with opened(source) as storage:
                assert decrypt_bytes(sealed, [storage.key]) == b"a", f"killed before call {index}"
                done.add(storage.key.recipient != before)
            # A keyring may still write to the entry that was being written: its name is kept.
            doubt = {IN_DOUBT} if source == "keyring" else set()
            assert course.names - doubt == FILES[source], f"killed before call {index}"
            with opened(source) as storage:
                assert storage.rotate_key().recipient != before
                assert decrypt_bytes(sealed, [storage.key]) == b"a"
        assert done == {True, False}


def test_rotations_at_once_lose_none_of_the_keys(home: Path, no_keyring: None) -> None:
    with opened("file") as storage:
        sealed = encrypt_bytes(b"a", [storage.key.recipient])

    def rotate() -> str:
        with opened("file") as storage:
            return str(storage.rotate_key().recipient)

    lines = at_once(AT_ONCE, rotate)
    assert len(set(lines)) == AT_ONCE
    with opened("file") as storage:
        text = storage.export_key().reveal().decode()
        assert all(line in text for line in lines)
        assert decrypt_bytes(sealed, [storage.key]) == b"a"
    assert names_in(home) == FILES["file"]
