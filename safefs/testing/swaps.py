"""The race: a directory is exchanged for a link to the outside while an operation is under way.

Three times over. First step by step: Python tells of most file operations before they are made
(audit events), so a subject written in Python has the directory exchanged before its first, its
second, its third ..., and also exchanged and put back. Then between two calls that are alike, for
who remembers what it has found out. Then by chance, for whatever makes its calls elsewhere: another
process exchanges the two without a pause, for a bounded number of rounds.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

from safefs.testing.attacks import Call, Case
from safefs.testing.mounts import check, fork
from safefs.testing.trial import Result, closing_quietly, nothing_shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from safefs.testing.arena import Outcome
    from safefs.testing.attacks import Group
    from safefs.testing.subjects import Subject
    from safefs.testing.trial import Trial

SWAP_RACE = "swap race"
ABOUT = "a directory exchanged for a link to the outside meanwhile"
# ``d`` is the directory and ``s`` the link; each call meets ``d`` as the one or as the other.
_CALLS: Mapping[Group, tuple[Call, ...]] = {
    "read": (
        Call("read", ("d/g",)),
        Call("list", ("d",)),
        Call("walk", ("d",)),
        Call("size", ("d/g",)),
    ),
    "write": (
        Call("write", ("d/new",)),
        Call("create", ("d/new",)),
        Call("append", ("d/g",)),
        Call("mkdir", ("d/new",)),
        Call("copy", ("d/g", "n")),
        Call("copy", ("f", "d/new")),
        Call("rename", ("f", "d/new")),
    ),
    "delete": (Call("remove", ("d/g",)), Call("remove_tree", ("d",))),
}
WORDS: Mapping[Group, tuple[str, ...]] = {
    group: tuple(dict.fromkeys(call.word for call in calls)) for group, calls in _CALLS.items()
}
_LINKS = (("s", "../outside"),)
_MOST_STEPS = 40
_A_ROUND = 400  # calls, or as many as fit into a slice
_SLICE = 0.01  # seconds
_EVENTS = ("open", "os.", "shutil.", "pathlib.", "glob.")
_RENAME_EXCHANGE = 2  # linux/fs.h
_AT_FDCWD = -100
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def race(trial: Trial, group: Group, rounds: int) -> Result:
    """The first exchange by which the subject gets out, if one is found."""
    doing = {word: trial.does(word) for word in WORDS[group]}
    offered = tuple(word for word, done in doing.items() if done is not None)
    words = tuple(word for word in offered if doing[word])
    idle = tuple(word for word in offered if not doing[word])
    if not offered:
        return Result(SWAP_RACE, group, "not offered")
    course = _Course(trial, [call for call in _CALLS[group] if call.word in offered])
    shown = course.step_by_step() or course.between_two() or course.by_chance(rounds)
    if shown is not None:
        return Result(SWAP_RACE, group, "escaped", shown, words, idle, course.run)
    if endless := trial.arena.endless:
        return Result(SWAP_RACE, group, "hung", endless, words, idle, course.run)
    late = f"only {course.run} calls in {trial.seconds:g} s" if course.late else ""
    causes = trial.causes_of(idle)
    return nothing_shown(SWAP_RACE, group, words, idle, course.run, late=late, causes=causes)


class _Course:
    """The calls of one race, and how many of them have been made while something moved."""

    def __init__(self, trial: Trial, calls: Sequence[Call]) -> None:
        self._trial = trial
        self._arena = trial.arena
        self._calls = calls
        self.run = 0
        self.late = False  # whether time ran out before each call had met each kind of exchange

    def step_by_step(self) -> str | None:
        for call, back in ((call, back) for call in self._calls for back in (False, True)):
            for step in range(_MOST_STEPS):
                self._arena.prepare(_LINKS)
                swapper = _Swapper(self._arena.root, {step, step + 1} if back else {step})
                when = f"before its file operation {step + 1}"
                when += ", and put back before the next" if back else ""
                shown = self._meanwhile(swapper.armed(), call, when, most=1)
                if shown is not None or self._out_of_time():
                    return shown
                if swapper.seen <= step:
                    break  # it makes no more than these
        return None

    def by_chance(self, rounds: int) -> str | None:
        for number, call in ((number, call) for number in range(rounds) for call in self._calls):
            self._arena.prepare(_LINKS)
            when = f"to and fro without a pause (round {number + 1})"
            shown = self._meanwhile(_pausing_never(self._arena.root), call, when, most=_A_ROUND)
            if shown is not None:
                return shown
            if time.monotonic() > self._trial.deadline:
                self.late |= not number and call != self._calls[-1]
                return None
        return None

    def between_two(self) -> str | None:
        for call in self._calls:
            self._arena.prepare(_LINKS)
            shown = self._meanwhile(nullcontext(), call, "before it is called again", most=0)
            if shown is not None or self._out_of_time():
                return shown
        return None

    def _out_of_time(self) -> bool:
        self.late |= time.monotonic() > self._trial.deadline
        return self.late

    def _meanwhile(
        self, moving: AbstractContextManager[None], call: Call, when: str, *, most: int
    ) -> str | None:
        case = Case(call, _LINKS)
        story = f"{call} while d is exchanged for a link to ../outside {when}"
        self._trial.note(story)
        try:
            subject = self._trial.make(self._arena.root)
        except Exception:  # noqa: BLE001  (whatever a subject refuses by)
            return None
        with closing_quietly(subject), moving:
            if most:
                outcomes = [self._arena.perform(subject, each) for each in _repeated(call, most)]
            else:
                outcomes = self._twice(subject, call)
        self.run += len(outcomes)
        shown = self._arena.evidence(case, outcomes)
        return None if shown is None else f"{story}: {shown}"

    def _twice(self, subject: Subject, call: Call) -> list[Outcome]:
        first = self._arena.perform(subject, call)
        with suppress(OSError):  # it has just removed or renamed one of them
            _exchange(*_names(self._arena.root))
        return [first, self._arena.perform(subject, call)]


def _repeated(call: Call, most: int) -> Iterator[Call]:
    """The call, until a slice of time has gone by: the one who moves has to have had a turn."""
    end = time.monotonic() + _SLICE
    for number in range(most):
        if number and time.monotonic() > end:
            return
        paths = (f"{path}{number}" if path.endswith("new") else path for path in call.paths)
        yield Call(call.word, tuple(paths)) if number else call


class _Swapper:
    """Exchanges ``d`` and ``s`` before the file operations of these numbers."""

    def __init__(self, root: Path, at: set[int]) -> None:
        self._names = _names(root)
        self._at = at
        self._busy = False
        self.seen = 0

    @contextmanager
    def armed(self) -> Iterator[None]:
        if not _hooked:
            sys.addaudithook(_tell)
            _hooked.append(True)
        _armed.append(self)
        try:
            yield
        finally:
            _armed.clear()

    def tell(self) -> None:
        if self._busy:
            return
        self._busy = True
        if self.seen in self._at:
            with suppress(OSError):  # the subject has just removed or renamed one of them
                _exchange(*self._names)
        self.seen += 1
        self._busy = False


_hooked: list[bool] = []  # a hook stays for the life of the process
_armed: list[_Swapper] = []


def _tell(event: str, _: tuple[object, ...]) -> None:
    if _armed and event.startswith(_EVENTS):
        _armed[-1].tell()


def _names(root: Path) -> tuple[bytes, bytes]:
    return os.fsencode(root / "d"), os.fsencode(root / "s")


def _exchange(one: bytes, other: bytes) -> None:
    """Swap two names in one step: neither is ever missing."""
    check(_libc.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE))


@contextmanager
def _pausing_never(root: Path) -> Iterator[None]:
    """Meanwhile another process exchanges the two over and over."""
    read_end, write_end = os.pipe()
    child = fork()
    if child == 0:
        try:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            os.write(write_end, b"!")
            names = _names(root)
            while True:
                with suppress(OSError):
                    _exchange(*names)
        finally:
            os._exit(1)
    try:
        os.close(write_end)
        os.read(read_end, 1)  # it has come up
        yield
    finally:
        os.close(read_end)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
