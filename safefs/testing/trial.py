"""One trial: a subject, a class of attack and a group of words, until something shows or time ends.

Runs in a child process (``safefs.testing.card`` sees to that): it changes the working directory and
the environment, and what it calls may do anything.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from hypothesis import HealthCheck, Phase, Verbosity, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from safefs.testing.answers import leaves, text_of
from safefs.testing.arena import Arena
from safefs.testing.attacks import INSIDE, Call, Case
from safefs.testing.strategies import hostile_paths
from safefs.testing.subjects import Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from safefs.testing.attacks import Attack, Group

Ending = Literal[
    "contained",
    "escaped",
    "not offered",
    "refuses everything",
    "leaks descriptors",
    "leaves threads",
    "hung",
    "too slow",
    "died",
    "no subject",
    "not run",
]

SUBJECT = "the subject"  # of a result that is of no class of attack
READ_WORDS = ("read", "exists", "size", "stat", "list", "walk", "glob")
ALL_WORDS = (
    *READ_WORDS,
    *("write", "create", "append", "mkdir", "chmod", "copy", "rename"),
    *("remove", "remove_tree"),
)
_MOST_SAID = 300  # characters of what an exception says
_ROUNDS = 12  # of every word, to see what stays open
_OF_ITS_OWN = 4  # descriptors that a library may open once and keep
_PATIENCE = 50  # looks, a hundredth of a second apart, at threads that have been told to end


@dataclass(frozen=True, slots=True)
class Result:
    """How a trial ended. ``example`` is the smallest that shows it, or what else there is to say.

    ``words`` are those that were tried and did, on a plain path beneath the root, what they are
    for; ``idle`` those that did not even that, of which nothing is shown, and ``causes`` what came
    of each instead; ``examples`` is how many cases were judged.
    """

    attack: str
    group: Group | None
    ending: Ending
    example: str = ""
    words: tuple[str, ...] = ()
    idle: tuple[str, ...] = ()
    examples: int = 0
    causes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Contained, and nothing else: what was not offered is no pass."""
        return self.ending == "contained"

    def __str__(self) -> str:
        return f"{self.ending}: {self.example}" if self.example else self.ending


@dataclass(slots=True)
class Trial:
    """A subject on trial, in a directory of its own that is deep enough to be left nowhere."""

    make: Callable[[Path], Subject]
    directory: Path
    examples: int = 50
    seconds: float = 10  # from now on, after which no further case is begun
    note: Callable[[str], None] = lambda _: None
    arena: Arena = field(init=False)
    deadline: float = field(init=False)
    causes: dict[str, str] = field(init=False, default_factory=dict)  # why a word is idle

    def __post_init__(self) -> None:
        self.deadline = time.monotonic() + self.seconds
        self.arena = Arena(self.directory, note=self.note)

    # -- the subject itself --------------------------------------------------------------------

    def introduce(self, *, all_words: bool) -> Result:
        """Whether there is a subject at all, that does anything, and lets go of what it opens.

        Without ``all_words`` it is asked only to read.
        """
        self.arena.prepare()
        self.note("make_subject(root)")
        try:
            subject = self.make(self.arena.root)
            subject.close()
        except Exception as error:  # noqa: BLE001  (whatever it cannot be made by)
            return Result(SUBJECT, None, "no subject", _one_line(error))
        doing = {word: self.does(word) for word in READ_WORDS}
        elsewhere = False in doing.values() and True not in doing.values()
        if all_words and not elsewhere:  # who sees nothing of the root may be far away: a bucket
            doing |= {word: self.does(word) for word in ALL_WORDS if word not in READ_WORDS}
        words = tuple(word for word, done in doing.items() if done)
        idle = tuple(word for word, done in doing.items() if done is False)
        causes = self.causes_of(idle)
        if not words:
            nothing = "" if idle else _offers_nothing(subject)
            return without_words(SUBJECT, None, idle, causes=causes, nothing=nothing)
        leaked = self._left_open(words)
        if self.arena.endless:
            return Result(SUBJECT, None, "hung", self.arena.endless, words, idle)
        if leaked:
            return Result(SUBJECT, None, "leaks descriptors", leaked, words, idle)
        running = self._left_running(words)
        if running:
            return Result(SUBJECT, None, "leaves threads", running, words, idle)
        return Result(SUBJECT, None, "contained", "", words, idle, causes=causes)

    def causes_of(self, words: Iterable[str]) -> tuple[str, ...]:
        """What came of these words, which do not what they are for."""
        return tuple(self.causes[word] for word in words)

    def does(self, word: str) -> bool | None:
        """Whether a word does what it is for, on a plain path beneath the root.

        None if it is not offered. There is a link to the outside in that tree, but elsewhere.
        What came of a word instead is kept in ``causes``.
        """
        self.arena.prepare([("k", "../outside/absent")])
        call = Call(word, _PLAIN[word])
        self.note(str(call))
        try:
            subject = self.make(self.arena.root)
        except Exception as error:  # noqa: BLE001  (whatever a subject refuses by)
            self.causes[word] = f"{call}: make_subject(root) raised {_one_line(error)}"
            return False
        with closing_quietly(subject):
            outcome = self.arena.perform(subject, call)
        if outcome.kind == "missing":
            return None
        if outcome.kind != "answered":
            self.causes[word] = (
                f"{call} raised {_cut(f'{outcome.said.split()[0]}: {outcome.text}')}"
            )
            return False
        done = _did(word, outcome.value, self.arena.root)
        if not done:
            self.causes[word] = f"{call} {_instead(word, outcome.value)}"
        return done

    def _left_open(self, words: Iterable[str]) -> str:
        """What some rounds of everything leave open, while a subject lives and after."""
        self.arena.prepare()
        self._make_and_close()
        calls = _repeatable(words)
        before = _open_now()
        with closing_quietly(self.make(self.arena.root)) as subject:
            for number, call in ((number, call) for number in range(_ROUNDS) for call in calls):
                self.note(f"{call}, round {number + 1}")
                self.arena.perform(subject, call)
            gc.collect()
            during = _open_now() - before
        del subject
        for _ in range(_ROUNDS):
            self._make_and_close()
        gc.collect()
        after = _open_now() - before
        if max(during, after) < _ROUNDS // 2:
            return ""
        return f"{max(during, after)} more are open after {_ROUNDS} rounds"

    def _left_running(self, words: Iterable[str]) -> str:
        """Threads that each subject leaves, and not those that a library starts once."""
        before = _running_now()
        for number in range(_ROUNDS):
            with closing_quietly(self.make(self.arena.root)) as subject:
                for call in _repeatable(words):
                    self.note(f"{call}, subject {number + 1}")
                    self.arena.perform(subject, call)
            del subject
        gc.collect()
        left = _more_still_running(before, _ROUNDS // 2)
        return f"{left} more run after {_ROUNDS} subjects were closed" if left else ""

    def _make_and_close(self) -> None:
        with closing_quietly(self.make(self.arena.root)):
            pass

    # -- a class of attack ---------------------------------------------------------------------

    def run(self, attack: Attack, group: Group) -> Result:
        """The smallest case of this class by which the subject gets out, if one is found."""
        doing = {word: self.does(word) for word in attack.words[group]}
        offered = [word for word, done in doing.items() if done is not None]
        if not offered:
            return Result(attack.name, group, "not offered")
        before, ran = _open_now(), _running_now()
        search = _Search(self)
        shown = search.smallest(attack, offered, self.examples)
        words = tuple(word for word in offered if doing[word])
        idle = tuple(word for word in offered if not doing[word])
        count = len(search.judged)
        if shown is not None:
            return Result(attack.name, group, "escaped", shown, words, idle, count)
        if self.arena.endless:
            return Result(attack.name, group, "hung", self.arena.endless, words, idle, count)
        gc.collect()
        tolerated = _OF_ITS_OWN + count // 20
        left = _open_now() - before
        if left > tolerated:
            said = f"{left} more are open after {count} cases"
            return Result(attack.name, group, "leaks descriptors", said, words, idle, count)
        if left := _more_still_running(ran, tolerated + 1):
            said = f"{left} more run after {count} cases"
            return Result(attack.name, group, "leaves threads", said, words, idle, count)
        cut = search.late and count * 2 < self.examples
        late = f"only {count} of {self.examples} cases in {self.seconds:g} s" if cut else ""
        causes = self.causes_of(idle)
        return nothing_shown(attack.name, group, words, idle, count, late=late, causes=causes)


class _Search:
    """Cases already judged, which are not judged again: a subject need not answer twice alike."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.judged: dict[Case, str | None] = {}
        self.late = False  # whether a case was left unjudged

    def smallest(self, attack: Attack, words: list[str], examples: int) -> str | None:
        chosen = settings(
            max_examples=examples,
            database=None,
            derandomize=True,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            print_blob=False,
        )
        try:
            case = find(attack.cases(words), self._escapes, settings=chosen)
        except NoSuchExample:
            return None
        return f"{case}: {self.judged[case]}"

    def _escapes(self, case: Case) -> bool:
        if case not in self.judged:
            if self._trial.arena.endless:
                return False  # the trial is lost, and each case would be slow
            if time.monotonic() > self._trial.deadline:
                self.late = True
                return False
            self.judged[case] = self._trial.arena.judge(self._trial.make, case)
        return self.judged[case] is not None


def warm_up() -> None:
    """What hypothesis does once in a process, about a second of it, before that is forked."""
    quick = settings(database=None, max_examples=10, derandomize=True)
    with suppress(NoSuchExample):
        find(st.tuples(st.integers(), hostile_paths()), lambda _: False, settings=quick)


def say_on_stderr() -> None:
    """For a child: what a subject prints is not what this process has to say.

    Under pytest the streams are files whose descriptors the child has not got.
    """
    os.dup2(2, 1)
    sys.stdout = sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115  (for good)


def nothing_shown(
    attack: str,
    group: Group,
    words: tuple[str, ...],
    idle: tuple[str, ...],
    examples: int,
    *,
    late: str = "",
    causes: tuple[str, ...] = (),
) -> Result:
    """The result of a trial in which nobody got out: contained, if that means anything.

    ``late`` says, where time ran out, how much too little was tried.
    """
    if not words:
        return without_words(attack, group, idle, examples, causes=causes)
    if not examples:
        return Result(attack, group, "not run", "there was no time for a single case", words, idle)
    if late:
        return Result(attack, group, "too slow", late, words, idle, examples)
    return Result(attack, group, "contained", "", words, idle, examples, causes)


def without_words(
    attack: str,
    group: Group | None,
    idle: tuple[str, ...],
    examples: int = 0,
    *,
    causes: tuple[str, ...],
    nothing: str = "",
) -> Result:
    """The result of a trial of words none of which did what it is for.

    ``nothing`` says so where none is offered.
    """
    if not idle:
        return Result(attack, group, "not offered", nothing)
    others = f"; {', '.join(idle[1:])} failed too" if idle[1:] else ""
    said = f"{causes[0]}{others}"
    return Result(attack, group, "refuses everything", said, (), idle, examples, causes)


@contextmanager
def closing_quietly(subject: Subject) -> Iterator[Subject]:
    """Close the subject at the end; what it says to that is its own affair."""
    try:
        yield subject
    finally:
        with suppress(Exception):
            subject.close()


def _open_now() -> int:
    return len(os.listdir("/proc/self/fd"))


def _running_now() -> int:
    return len(os.listdir("/proc/self/task"))


def _more_still_running(before: int, enough: int) -> int:
    """How many more threads than before run, if that many do, and are not about to end."""
    for _ in range(_PATIENCE):
        if _running_now() - before < enough:
            return 0
        time.sleep(0.01)
    return _running_now() - before


def _repeatable(words: Iterable[str]) -> list[Call]:
    once = ("remove", "remove_tree", "rename")  # what is there but once
    return [Call(word, _PLAIN[word]) for word in words if word not in once]


# -- what each word is for -----------------------------------------------------------------------

_PLAIN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("read", "exists", "size", "stat", "append", "chmod", "remove"), ("f",)),
    **dict.fromkeys(("list", "walk", "remove_tree"), ("d",)),
    **dict.fromkeys(("write", "create", "mkdir"), ("n",)),
    **dict.fromkeys(("copy", "rename"), ("f", "n")),
    "glob": ("d/*",),
}


def _did(word: str, value: object, root: Path) -> bool:
    if word in ("read", "exists", "size"):
        return value == {"read": INSIDE["f"], "exists": True, "size": len(INSIDE["f"])}[word]
    if word in ("list", "walk", "glob"):
        return any(_last_name(leaf) == "g" for _, leaf in leaves(value))
    if word == "stat":  # something that the judge can read
        return any(isinstance(leaf, int | float) for _, leaf in leaves(value))
    present = {name: os.path.lexists(root / name) for name in ("f", "d", "n")}
    if word in ("write", "create", "mkdir", "copy"):
        return present["n"]
    if word == "append":
        return present["f"] and (root / "f").read_bytes() != INSIDE["f"]
    gone = {"remove": "f", "remove_tree": "d", "rename": "f"}.get(word)
    return gone is None or not present[gone]


def _instead(word: str, value: object) -> str:
    """What a word did, that has not done what it is for."""
    if word == "read" and not isinstance(value, bytes | bytearray | memoryview):
        return f"returned {type(value).__name__}, not bytes"
    if word == "read":
        return "returned other bytes than the file holds"
    if word in ("exists", "size"):
        plain = value is None or type(value) in (bool, int)
        return f"returned {value if plain else type(value).__name__}"
    if word in ("list", "walk", "glob"):
        return "did not name g, the file that is there"
    if word == "stat":
        return "returned no number: neither a size nor a time"
    return "returned, and nothing was done"


def _offers_nothing(subject: Subject) -> str:
    """What to say of a subject without any word: perhaps it has one that is misspelt."""
    own = [name for name in dir(type(subject)) if not name.startswith("_")]
    alike = {
        name: found[0]
        for name in own
        if not hasattr(Subject, name) and (found := get_close_matches(name, ALL_WORDS, 1))
    }
    hints = " ".join(f"did you mean {word} by {name}?" for name, word in alike.items())
    return f"offers no operation; {hints}" if hints else "offers no operation"


def _one_line(error: Exception) -> str:
    return _cut(f"{type(error).__name__}: {text_of(error)}")


def _cut(text: str) -> str:
    """On one line, and not without end."""
    line = " ".join(text.split())
    return line if len(line) <= _MOST_SAID else f"{line[:_MOST_SAID]}…"


def _last_name(leaf: object) -> str:
    text = os.fsdecode(leaf) if isinstance(leaf, str | bytes) else ""
    return text.rstrip("/").rpartition("/")[2]
