"""An exception that comes at any line, as of a handler of signals: what its frames show, and that
it comes out as it is."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Scope, Storage
from safefs.age import Hidden, X25519Identity
from safefs.age.bech32 import decoded
from safefs.age.frames import without_frames
from safefs.secrets.keys import identities_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

CANARY = X25519Identity.generate().reveal()
_FOUND = decoded(CANARY)
assert _FOUND is not None
RAW = _FOUND[1]
TEXT = "the-canary-of-texts"
SCOPE = Scope("documents", "a", verbs=["read"])
# Not the disk below: what comes while a file object of it is collected, Python prints and drops.
_WATCHED = [f"/{way}/".replace("/", os.sep) for way in ("safefs/secrets", "safefs/age", "jwt")]


class TooLateError(TimeoutError):
    """What a handler raises."""


class StoppedError(KeyboardInterrupt):
    """The same of a kind that is no Exception."""


class AtLine:
    """Raises at one of the lines that run beneath ``safefs`` and what signs for it."""

    def __init__(self, number: int, kind: type[BaseException]) -> None:
        self._left = number
        self._kind = kind
        self._before = sys.gettrace()
        self.where = ""

    def _call(self, frame: FrameType, event: str, _: Any) -> Any:
        return self._line if any(w in frame.f_code.co_filename for w in _WATCHED) else None

    def _line(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self._left -= 1
            if self._left < 0:
                self.where = f"{frame.f_code.co_filename}:{frame.f_lineno}"
                sys.settrace(self._before)
                raise self._kind("from elsewhere")
        return self._line

    def run(self, act: Callable[[], object]) -> BaseException | None:
        try:
            sys.settrace(self._call)
            act()
        except BaseException as error:
            return error
        finally:
            sys.settrace(self._before)
        return None


def _shown(error: BaseException | None) -> str:
    """The variables of all frames but those of this file, whose they are."""
    shown = []
    while error is not None:
        shown.append(repr(error))
        frame = error.__traceback__
        while frame is not None:
            if frame.tb_frame.f_code.co_filename != __file__:
                shown.append(f"{frame.tb_frame.f_code.co_name}: {frame.tb_frame.f_locals!r}")
            frame = frame.tb_next
        error = error.__cause__ or error.__context__
    return "\n".join(shown)


def _acts(storage: Storage) -> dict[str, Callable[[], object]]:
    token, sealed = storage.issue_token(SCOPE), storage.encrypt_text(TEXT)
    kept = [X25519Identity(CANARY), X25519Identity.generate()]
    text = text_of(kept)
    storage.secrets.set("mail", TEXT)
    return {
        "derive": lambda: storage.key.derive("a"),
        "issue": lambda: storage.issue_token(SCOPE),
        "verify": lambda: storage.verify_token(token),
        "decrypt a text": lambda: storage.decrypt_text(sealed),
        "get a secret": lambda: storage.secrets.get("mail"),
        "write keys": lambda: text_of(kept),
        "read keys": lambda: identities_of(text),
    }


NAMES = ["derive", "issue", "verify", "decrypt a text", "get a secret", "write keys", "read keys"]


@pytest.mark.parametrize("kind", [TooLateError, StoppedError])
@pytest.mark.parametrize("name", NAMES)
def test_an_exception_at_any_line_shows_no_secret_and_comes_out_as_it_is(
    name: str, kind: type[BaseException], scaled: Callable[[int], int]
) -> None:
    """In a thread of its own: Python 3.11 takes an error for handled for ever where a tracer raises
    at an ``except``, and would chain it to all that the thread raises afterwards.
    """
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_raising_at_any_line, name, kind, scaled(60)).result()


def _raising_at_any_line(name: str, kind: type[BaseException], times: int) -> None:
    with Storage.fake() as storage:
        storage.import_key(Hidden(CANARY.encode()))
        _raising_in(storage, name, kind, times)


def _raising_in(storage: Storage, name: str, kind: type[BaseException], times: int) -> None:
    act = _acts(storage)[name]
    act()
    traces = [CANARY[20:40], CANARY[20:40].lower(), repr(RAW)[2:22], repr(list(RAW))[1:20], TEXT]
    lines = _count(act)
    every = max(1, lines // times)
    for number in range(0, lines, every):
        raising = AtLine(number, kind)
        error = raising.run(act)
        assert type(error) is kind, (raising.where, error)
        shown = _shown(error)
        assert not [trace for trace in traces if trace in shown], shown


def _count(act: Callable[[], object]) -> int:
    counted = AtLine(1 << 40, TooLateError)
    assert counted.run(act) is None
    return (1 << 40) - counted._left


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_of_what_it_came_through_is_left(kind: type[BaseException]) -> None:
    def within() -> None:
        secret = TEXT  # noqa: F841
        try:
            raise LookupError(TEXT)
        except LookupError:
            raise kind from None

    with pytest.raises(kind) as caught:
        without_frames(within)
    assert TEXT not in _names_of(caught.value)
    assert caught.value.__context__ is None


def _names_of(error: BaseException) -> str:
    frames, frame = [], error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_name == "within":
            frames.append(repr(frame.tb_frame.f_locals))
        frame = frame.tb_next
    return " ".join(frames)
