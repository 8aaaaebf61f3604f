"""Where a key could be left to be found: what is shown, raised, logged, passed on or inherited."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import safefs
from safefs import Storage
from safefs.age import Hidden, X25519Identity, encrypt_bytes
from safefs.age.bech32 import decoded
from safefs.secrets import stores
from safefs.testing.interposing import Failing, Interposed, Interrupted, Signalled, Undisturbed
from tests.installations import APP, KEY, REAL, Backend, keys_of, named, offer
from tests.installations import home as home
from tests.installations import keyring as keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CANARY = X25519Identity.generate().reveal()
PASSPHRASE = "the-canary-of-passphrases"
_FOUND = decoded(CANARY)
assert _FOUND is not None
RAW = _FOUND[1]
# Whole or cut, in whichever letters; what begins every key is no trace of one.
TRACES = [CANARY[16:36], CANARY[16:36].lower(), repr(RAW)[2:22], RAW.hex()[:20], PASSPHRASE]

OURS = os.path.join(os.path.dirname(safefs.__file__), "")  # a checkout may be called so as well

SOURCES: dict[str, dict[str, Any]] = {
    "keyring": {},
    "file": {"key_source": "file"},
    "passphrase": {"key_source": "passphrase", "passphrase": lambda _: PASSPHRASE},
}


@pytest.fixture(autouse=True)
def _quick(home: Path, keyring: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "WORK_FACTOR", 2)


def traces_in(text: str) -> list[str]:
    return [trace for trace in TRACES if trace in text]


def opened(source: str) -> Storage:
    return Storage(APP, **SOURCES[source])


def planted(source: str) -> None:
    """The canary is the key of the installation."""
    with opened(source) as storage:
        storage.import_key(Hidden(CANARY.encode()), replace=True)


def locals_of(error: BaseException | None) -> str:
    """What a report of the error might show: itself, and the variables of safefs's frames."""
    shown = []
    while error is not None:
        shown += [repr(error), str(error), repr(error.args), repr(vars(error))]
        frame = error.__traceback__
        while frame is not None:
            if frame.tb_frame.f_code.co_filename.startswith(OURS):
                shown.append(repr(frame.tb_frame.f_locals))
            frame = frame.tb_next
        error = error.__cause__ or error.__context__
    return " ".join(shown)


def test_the_traces_are_found_where_there_are_any() -> None:
    def bound() -> None:
        text = CANARY  # noqa: F841
        raise ValueError

    assert traces_in(CANARY)
    assert traces_in(repr(RAW))
    with pytest.raises(ValueError) as caught:
        bound()
    frame = caught.value.__traceback__
    assert frame is not None
    assert frame.tb_next is not None
    assert traces_in(repr(frame.tb_next.tb_frame.f_locals))


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_nothing_that_is_shown_shows_a_key(
    source: str, caplog: pytest.LogCaptureFixture, home: Path
) -> None:
    with caplog.at_level(logging.DEBUG):
        planted(source)
        with opened(source) as storage:
            key = storage.key
            assert str(key.recipient) == str(X25519Identity(CANARY).recipient)
            holder = storage._key_holder()
            things = [key, key._keys, holder, storage, key.derive("a"), storage.export_key()]
            for thing in things:
                shown = [repr(thing), str(thing), f"{thing}", repr(dir(thing))]
                with suppress(TypeError):
                    shown.append(repr(vars(thing)))
                with pytest.raises(TypeError, match=r"pickled|copied"):
                    pickle.dumps(thing)
                assert not traces_in(" ".join(shown))
            record = (keys_of(home) / "source.json").read_text()
            logging.getLogger("safefs").error("%s %r", key, storage)
    assert not traces_in(record)
    assert not traces_in(caplog.text)
    assert not traces_in(repr([vars(each) for each in caplog.records]))


def acts(source: str) -> dict[str, Callable[[], object]]:
    """What is done with a key, each from the opening on."""

    def using(act: Callable[[Storage], object]) -> Callable[[], object]:
        def run() -> None:
            with opened(source) as storage:
                act(storage)

        return run

    other = X25519Identity.generate().reveal().encode()
    return {
        "load": using(lambda storage: storage.key),
        "rotate": using(Storage.rotate_key),
        "export": using(Storage.export_key),
        "import": using(lambda storage: storage.import_key(other, replace=True)),
        "first": using(lambda storage: storage.import_key(Hidden(CANARY.encode()), replace=True)),
    }


class FailingButInClosing(Failing):
    """No system fails to close a directory, or what was read; closing what was written has a name
    of its own."""

    def meet(self, index: int, name: str, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        return real() if name == "close" else super().meet(index, name, real, args)


PLANS: dict[str, Callable[[int], Any]] = {
    "fails": lambda index: FailingButInClosing(index, errno.EIO),
    "is interrupted": Signalled,
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a __del__
@pytest.mark.parametrize("plan", sorted(PLANS))
@pytest.mark.parametrize("source", sorted(SOURCES))
def test_no_call_that_fails_shows_a_key_in_its_error_or_in_a_frame_that_it_came_through(
    source: str,
    plan: str,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    keyring: Backend,
    scaled: Callable[[int], int],
) -> None:
    every = max(1, 24 // scaled(1))
    raised: dict[str, str] = {}
    with Interposed() as seam:
        for number, (name, act) in enumerate(acts(source).items()):
            for index in _indexes(seam, act, source, (number, every), home, monkeypatch, keyring):
                _fresh(name, source, f"{name} {plan} {index}", home, monkeypatch, keyring)
                try:
                    with seam.facing(PLANS[plan](index)):
                        act()
                except (OSError, ValueError, LookupError, Interrupted) as error:
                    raised[f"{name}, {seam.calls[index]} ({index})"] = locals_of(error)
    assert len(raised) > 5
    assert not [call for call, shown in raised.items() if traces_in(shown)]


def _indexes(
    seam: Interposed,
    act: Callable[[], object],
    source: str,
    step: tuple[int, int],
    *rest: Any,
) -> Iterator[int]:
    number, every = step
    _fresh("count", source, f"count {number}", *rest)
    with seam.facing(Undisturbed()):
        act()
    return iter(range(number % every, len(seam.calls), every))


def _fresh(
    name: str,
    source: str,
    place: str,
    home: Path,
    patch: pytest.MonkeyPatch,
    keyring: Backend,
) -> None:
    mine = home / place
    mine.mkdir()
    patch.setenv("HOME", str(mine))
    keyring.place = mine / "keyring"
    keyring.place.mkdir()
    if name != "first":
        planted(source)


class Telling(Backend):
    """Says what it was given, as some do when it is too long."""

    def set_password(self, service: str, account: str, password: str) -> None:
        raise ValueError(f"cannot keep {password!r}, which is {password}")


def test_what_a_keyring_says_of_a_key_goes_no_further(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    offer(monkeypatch, named(REAL, Telling)(home / "telling"))
    with caplog.at_level(logging.DEBUG), Storage(APP, key_source="keyring") as storage:
        with pytest.raises(LookupError) as caught:
            storage.import_key(Hidden(CANARY.encode()))
        with Storage(APP) as other:
            other.import_key(Hidden(CANARY.encode()))
    assert not traces_in(locals_of(caught.value))
    assert not traces_in(caplog.text)


@pytest.mark.parametrize(
    "text",
    [CANARY + "Q", f"{CANARY}\nx{CANARY}", f"x {CANARY}"],
    ids=["one letter more", "on two lines", "not at the beginning"],
)
def test_no_error_about_a_key_that_is_refused_shows_it(home: Path, text: str) -> None:
    with opened("file") as storage:
        with pytest.raises(ValueError) as caught:
            storage.import_key(text)
        assert not traces_in(locals_of(caught.value))
        _ = storage.key
    (keys_of(home) / KEY).write_text(text)
    with opened("file") as storage, pytest.raises(LookupError) as other:
        _ = storage.key
    assert not traces_in(locals_of(other.value))


def test_nor_does_one_about_a_file_that_was_sealed_with_a_passphrase(home: Path) -> None:
    planted("passphrase")
    path = keys_of(home) / stores.SEALED_FILE
    for damaged in (path.read_bytes() + b"a", path.read_bytes()[:-1]):
        path.write_bytes(damaged)
        with opened("passphrase") as storage, pytest.raises(ValueError) as caught:
            _ = storage.key
        assert not traces_in(locals_of(caught.value))


def test_nor_does_a_missing_extra(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted("file")
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with opened("file") as storage, pytest.raises(ImportError, match="safefs") as caught:
        _ = storage.key
    assert not traces_in(locals_of(caught.value))


_CHILD = "import os, sys; print(sys.argv, dict(os.environ), open('/proc/self/cmdline').read())"


def test_neither_this_process_nor_what_it_starts_has_it_in_its_arguments_or_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in SOURCES:
        (home / source).mkdir()
        monkeypatch.setenv("HOME", str(home / source))
        planted(source)
        with opened(source) as storage:
            storage.rotate_key()
            storage.export_key()
            shown = subprocess.run(
                [sys.executable, "-c", _CHILD], capture_output=True, text=True, check=True
            ).stdout
            mine = repr(dict(os.environ)) + repr(sys.argv)
            for name in ("cmdline", "environ"):
                mine += Path(f"/proc/self/{name}").read_text()
            assert not traces_in(shown + mine)
            encrypt_bytes(b"a", [storage.key.recipient])


def test_what_is_forgotten_is_not_held_by_the_storage() -> None:
    """Python may still have it in memory; that nothing leads to it is all that can be promised."""
    planted("file")
    with opened("file") as storage:
        key, holder = storage.key, storage._key_holder()
        assert key._keys.identities
    assert not key._keys.identities
    assert holder._keys is None
    assert holder._key is None
