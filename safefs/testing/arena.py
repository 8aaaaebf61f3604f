"""Where a subject meets one case after another, and what shows that it got out.

There are four kinds of evidence: that the outside has changed; that what was answered tells of it;
that something of it now stands inside; that what is there outside was told from what is not.
"""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from safefs.testing.answers import (
    MOST_ANSWERS,
    all_that_is_said,
    content_in,
    leaves,
    numbers_in,
    outside_names,
    parts,
    said,
    taken,
    text_of,
)
from safefs.testing.attacks import INSIDE
from safefs.testing.scratch import filled
from safefs.testing.stage import MARK, SIZES, TIMES, Stage
from safefs.testing.subjects import NotOffered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from safefs.testing.attacks import Call, Case
    from safefs.testing.scratch import Portrait
    from safefs.testing.subjects import Subject

NEW = b"written by the kit\n"
_BY_TIME = {second: name for name, second in TIMES.items()}
_OTHER_NUMBERS = ("uid", "gid", "mode", "dev", "nlink")  # by chance as great as a size
_READING = ("read", "exists", "size", "stat", "list", "walk", "glob")
_TYPES: Mapping[str, Callable[[str], object]] = {
    "": str,
    "fsencode": os.fsencode,
    "PurePosixPath": PurePosixPath,
}
_WITH_DATA = ("write", "append", "create")
_REASONS = {"outside"}  # a name of the outside, and also what many an error says


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: ``answered`` with a value, ``refused`` by an exception, or ``missing``."""

    kind: str
    value: object = None
    said: str = ""
    error: object = None  # what an exception holds: its text, and what it was made of
    text: str = ""  # of the exception itself

    @property
    def shown(self) -> object:
        """What can be seen of it without reading what was answered."""
        return self.value if isinstance(self.value, bool) else (self.kind, self.said)

    def __str__(self) -> str:
        return str(self.value) if isinstance(self.value, bool) else self.said or self.kind


class Arena:
    """A stage, and the calling and judging of cases on it."""

    def __init__(self, directory: Path, *, note: Callable[[str], None] = lambda _: None) -> None:
        self.stage = Stage(directory)
        self.prepare = self.stage.prepare
        self.endless = ""  # the first call whose answer had no end
        self._note = note  # is told what is tried, before it is

    @property
    def root(self) -> Path:
        return self.stage.root

    # -- a case --------------------------------------------------------------------------------

    def judge(self, make: Callable[[Path], Subject], case: Case) -> str | None:
        """What shows that the subject got out in this case, on one line; None if nothing does."""
        self.prepare(case.links)
        self._note(str(case))
        calls = [case.call] + ([case.twin] if case.twin else [])
        if case.call.word in _READING:
            calls *= 2  # who remembers may say the second time what was refused the first time
        return self.evidence(case, self._perform(make, calls))

    def evidence(self, case: Case, outcomes: list[Outcome]) -> str | None:
        """The first that shows, of what has changed, was told, was copied in, was told apart."""
        known = self._known(case)
        for found in (
            self.changed(),
            *(self._told(outcome.value, known) for outcome in outcomes),
            *(self._told_by_error(outcome.error, known) for outcome in outcomes),
            self._not_of_the_inside(case, outcomes),
            self._copied_in(),
            _apart(case, outcomes) if case.twin else None,
        ):
            if found:
                return found
        return None

    def _perform(self, make: Callable[[Path], Subject], calls: list[Call]) -> list[Outcome]:
        try:
            subject = make(self.root)
        except Exception as error:  # noqa: BLE001  (whatever a subject refuses by)
            return [_refused(error)] * len(calls)
        try:
            return [self.perform(subject, call) for call in calls]
        finally:
            with suppress(Exception):
                subject.close()

    def perform(self, subject: Subject, call: Call) -> Outcome:
        """The call, and how it ended. What is no ``Exception`` goes through."""
        of_type = _TYPES[call.given]
        paths = [of_type(filled(self.stage.scratch, path)) for path in call.paths]
        more: list[object] = [NEW] if call.word in _WITH_DATA else []
        if call.word == "chmod":
            more = [0o600]
        try:
            value, ended = taken(getattr(subject, call.word)(*paths, *more))
        except NotImplementedError as error:
            return Outcome("missing") if isinstance(error, NotOffered) else _refused(error)
        except Exception as error:  # noqa: BLE001  (whatever a subject refuses by)
            return _refused(error)
        if not ended and not self.endless:
            self.endless = f"{call}: does not end (more than {MOST_ANSWERS:,} answers)"
        return Outcome("answered", value)

    # -- evidence ------------------------------------------------------------------------------

    def changed(self) -> str | None:
        """The most telling of what is different outside."""
        after = self.stage.outside()
        if after == self.stage.before:
            return None
        for found in (_came(self.stage.before, after), _went(self.stage.before, after)):
            if found is not None:
                return f"{found[0]} {self._named(found[1])}"
        path = next(
            (
                path
                for path, seen in sorted(self.stage.before.items(), key=lambda item: -len(item[0]))
                if after.get(path) != seen
            ),
            "",
        )
        return f"{_how(self.stage.before[path], after[path])} {self._named(path)}"

    def _named(self, path: str) -> str:
        return os.path.relpath(path, self.stage.base)

    def _known(self, case: Case) -> set[str]:
        """Names of the outside that the case itself has: to say them again tells nothing."""
        texts = [*case.call.paths, *(case.twin.paths if case.twin else ())]
        texts += [text for _, text in case.links]
        return {part for text in texts for part in parts(filled(self.stage.scratch, text))}

    def _told(self, value: object, known: set[str]) -> str | None:
        named: set[str] = set()
        for key, leaf in leaves(value):
            if isinstance(leaf, str | bytes) and (content := content_in(leaf)):
                return f"returned the content of {content}"
            if isinstance(leaf, str | bytes):
                named |= outside_names(leaf) - known
                for number in numbers_in(leaf):
                    if found := self._told_by_number(key, number):
                        return found
            elif isinstance(leaf, int | float) and not isinstance(leaf, bool):
                found = self._told_by_number(key, leaf)
                if found:
                    return found
        return f"named {min(named)}, which is outside" if named else None

    def _not_of_the_inside(self, case: Case, outcomes: list[Outcome]) -> str | None:
        """Whatever was made of it, packed or in capitals: it stands nowhere inside.

        The text of a link does, for who reads a link as a file.
        """
        if case.call.word != "read":
            return None
        texts = [filled(self.stage.scratch, text).encode() for _, text in case.links]
        known = {b"", NEW, *INSIDE.values(), *texts}
        for value in (outcome.value for outcome in outcomes):
            content = value.encode("utf-8", "replace") if isinstance(value, str) else value
            if isinstance(content, bytes | bytearray | memoryview) and bytes(content) not in known:
                return f"returned {len(content)} bytes that stand nowhere inside"
        return None

    def _told_by_error(self, error: object, known: set[str]) -> str | None:
        """Numbers are left out: errno, positions and the like are no sizes."""
        for _, leaf in leaves(error):
            if not isinstance(leaf, str | bytes):
                continue
            if content := content_in(leaf):
                return f"told the content of {content} in its error"
            if named := outside_names(leaf) - known - _REASONS:
                return f"named {min(named)}, which is outside, in its error"
        return None

    def _told_by_number(self, key: str, number: float) -> str | None:
        if key.endswith(_OTHER_NUMBERS):
            return None
        if key.endswith(("ino", "inode")):
            name = self.stage.inodes.get(int(number))
            return f"told the inode of {name}" if name else None
        if number in SIZES:
            return f"told the size of {SIZES[int(number)]}"
        for unit in (1, 1_000, 1_000_000, 1_000_000_000):
            if number / unit in _BY_TIME:
                return f"told the time of {_BY_TIME[int(number / unit)]}"
        return None

    def _copied_in(self) -> str | None:
        for path, _, names in os.walk(self.root):
            for name in names:
                entry = os.path.join(path, name)
                seen = os.lstat(entry)
                shown = os.path.relpath(entry, self.root)
                if stat.S_ISREG(seen.st_mode) and seen.st_ino in self.stage.inodes:
                    return f"linked {self.stage.inodes[seen.st_ino]} in, as {shown}"
                if stat.S_ISREG(seen.st_mode) and MARK in _content(entry):
                    return f"copied {_of_content(_content(entry))} in, as {shown}"
        return None


def _apart(case: Case, outcomes: list[Outcome]) -> str | None:
    """Of a call and its twin, once or more often."""
    for one, other in zip(outcomes[::2], outcomes[1::2], strict=True):
        if repr(one.shown) != repr(other.shown):
            return f"told what is there outside from what is not ({one}, then {other})"
        texts = [_neutral(case, outcome.text) for outcome in (one, other)]
        if texts[0] != texts[1]:
            shown = ", then ".join(ascii(text[:60]) for text in texts)
            return f"told what is there outside from what is not by its errors ({shown})"
    return None


def _neutral(case: Case, text: str) -> str:
    """What an error says, without the words in which the case differs from its twin.

    Nor any number: of a descriptor, or where an object lies, no two need be alike.
    """
    assert case.twin is not None
    given = [*case.call.paths, *case.twin.paths, *(link for pair in case.links for link in pair)]
    own = sorted({part for path in given for part in parts(path)} - {""}, key=len, reverse=True)
    words = "|".join(map(re.escape, own))
    return re.sub(rf"0x[0-9a-f]+|[0-9]+|(?<!\w)(?:{words})(?!\w)", "_", text)


def _came(before: Mapping[str, Portrait], after: Mapping[str, Portrait]) -> tuple[str, str] | None:
    came = sorted(after.keys() - before.keys(), key=len)
    return ("created", came[0]) if came else None


def _went(before: Mapping[str, Portrait], after: Mapping[str, Portrait]) -> tuple[str, str] | None:
    went = sorted(before.keys() - after.keys(), key=len)
    return ("removed", went[0]) if went else None


def _how(before: Portrait, after: Portrait) -> str:
    if len(before) == len(after) == 7:
        if before[-1] != after[-1]:
            return "changed the content of"
        if before[0] != after[0]:
            return "changed the mode of"
        if before[3] != after[3]:
            return "made another name for"
    return "changed"


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _of_content(content: bytes) -> str:
    return content.partition(MARK)[2].partition(b"\n")[0].decode("utf-8", "replace")


def _refused(error: Exception) -> Outcome:
    return Outcome("refused", said=said(error), error=all_that_is_said(error), text=text_of(error))
