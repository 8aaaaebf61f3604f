"""The report card of a subject: each class of attack, tried in a child of its own.

The child is in a jail (``safefs.testing.jail``). Where there is none it is a plain one, and then a
subject that failed at what only reads is asked to write and to delete nothing at all.
"""

from __future__ import annotations

import gc
import os
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from safefs.testing import jail
from safefs.testing.adapters import as_subject
from safefs.testing.attacks import ATTACKS, GROUPS
from safefs.testing.swaps import ABOUT, SWAP_RACE, WORDS, race
from safefs.testing.trial import SUBJECT, Ending, Result, Trial, say_on_stderr, warm_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from safefs.testing.attacks import Group
    from safefs.testing.subjects import Subject

    Make = Callable[[Path], object]

# of the subject itself: then every class ends alike
_HOPELESS = ("no subject", "not offered", "refuses everything", "hung", "died", "not run")
_MOST_HANGS = 3  # after which the rest is not tried: each costs its whole time limit
_UNJAILED = "it leaks, and there is no jail here to let it write or delete in"


class Class(NamedTuple):
    """A class of attack, as it stands in a report."""

    name: str
    about: str
    groups: tuple[Group, ...]


CLASSES = (
    *(Class(attack.name, attack.about, tuple(attack.words)) for attack in ATTACKS),
    Class(SWAP_RACE, ABOUT, tuple(WORDS)),
)
_ATTACKS = {attack.name: attack for attack in ATTACKS}


@dataclass(slots=True)
class Examination:
    """A subject under examination; results are kept, so each trial is made once.

    ``make`` gets the root directory and returns a ``Subject``, or what ``as_subject`` takes. It is
    called in the child, before each case anew. ``seconds`` is the time limit of a trial.
    ``confined`` says that this process is in a jail already.
    """

    make: Make
    examples: int = 30
    seconds: float = 30
    confined: bool = False
    _stack: ExitStack = field(default_factory=ExitStack)
    _scratch: Path | None = None
    _kept: dict[tuple[str, Group | None], Result] = field(default_factory=dict)

    def subject(self) -> Result:
        """Whether there is a subject to be examined. What there is not fails every class."""
        return self._once(SUBJECT, None)

    def result(self, name: str, group: Group) -> Result:
        """How the trial of a class of attack and a group of words ended."""
        bad = self.subject()
        if bad.ending in _HOPELESS:
            return Result(name, group, bad.ending, bad.example)
        if group != "read" and not self._jailed and self._fails_to_read():
            return Result(name, group, "not run", _UNJAILED)
        return self._once(name, group)

    def results(self) -> list[Result]:
        """All of them, what only reads first. If there is no subject, that is all."""
        found = [self.subject()]
        if found[0].ending in _HOPELESS:
            return found
        found += [
            self.result(each.name, group)
            for group in GROUPS
            for each in CLASSES
            if group in each.groups
        ]
        return found

    @property
    def _jailed(self) -> bool:
        return self.confined or jail.kind() is not None

    def _fails_to_read(self) -> bool:
        return any(
            self._once(each.name, "read").ending not in ("contained", "not offered")
            for each in CLASSES
            if "read" in each.groups
        )

    def _once(self, name: str, group: Group | None) -> Result:
        key = name, group
        if key not in self._kept:
            self._kept[key] = self._tried(name, group)
        return self._kept[key]

    def _tried(self, name: str, group: Group | None) -> Result:
        hung = sum(result.ending == "hung" for result in self._kept.values())
        if hung >= _MOST_HANGS:
            return Result(name, group, "not run", f"it hung {hung} times before")
        if self._scratch is None:
            warm_up()
            self._scratch = Path(self._stack.enter_context(jail.scratch_directory("safefs-trial-")))
        return self._in_child(name, group, self._scratch)

    def close(self) -> None:
        """Remove the scratch that was used."""
        self._scratch = None
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _in_child(self, name: str, group: Group | None, scratch: Path) -> Result:
        noted = scratch / "noted"
        noted.touch()

        def run() -> Result:
            return self._run(name, group, scratch)

        try:
            if self.confined or jail.kind() is None:
                return jail.forked(run, seconds=self.seconds)
            return jail.jailed(run, scratch=scratch, seconds=self.seconds)
        except TimeoutError:
            return Result(name, group, "hung", f"{_read(noted)}: no end in {self.seconds:g} s")
        except jail.JailUnavailable as error:
            return Result(name, group, "not run", str(error))
        except jail.JailError as error:
            return Result(name, group, "died", f"{_read(noted)}: {last_line(error)}")

    def _run(self, name: str, group: Group | None, scratch: Path) -> Result:
        say_on_stderr()
        gc.freeze()  # what the parent has made is no garbage of this child
        with open(scratch / "noted", "r+b", buffering=0) as noted:

            def note(text: str) -> None:
                noted.truncate(0)
                os.pwrite(noted.fileno(), text.encode("utf-8", "backslashreplace"), 0)

            within = scratch / "trial"
            within.mkdir(exist_ok=True)
            trial = Trial(self._subject, within, self.examples, self.seconds / 2, note)
            if group is None:
                return trial.introduce(all_words=self._jailed)
            if name == SWAP_RACE:
                return race(trial, group, rounds=max(2, self.examples // 10))
            return trial.run(_ATTACKS[name], group)

    def _subject(self, root: Path) -> Subject:
        return as_subject(self.make(root))


def verdict(results: Iterable[Result]) -> Ending:
    """The one word for a whole card: contained only if nothing is worse than not offered."""
    endings = {result.ending for result in results}
    return next(ending for ending in _WORST_FIRST if ending in endings)


_WORST_FIRST: tuple[Ending, ...] = (
    "no subject",
    "escaped",
    "died",
    "hung",
    "too slow",
    "leaks descriptors",
    "leaves threads",
    "refuses everything",
    "not run",
    "contained",
    "not offered",
)


def _read(noted: Path) -> str:
    return noted.read_text("utf-8", "replace")


def last_line(error: Exception) -> str:
    """What a traceback ends in; or all there is."""
    return str(error).strip().splitlines()[-1].removeprefix("died: ")
