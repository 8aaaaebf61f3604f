"""Where a subject meets one case after another, and what shows that it got out.

There are four kinds of evidence: that the outside has changed; that what was answered tells of it;
that something of it now stands inside; that what is there outside was told from what is not.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from safefs.testing.attacks import INSIDE, OUTSIDE
from safefs.testing.scratch import filled
from safefs.testing.stage import MARK, NAMES, SIZES, TIMES, Stage
from safefs.testing.subjects import NotOffered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from safefs.testing.attacks import Call, Case
    from safefs.testing.scratch import Portrait
    from safefs.testing.subjects import Subject

NEW = b"written by the kit\n"
_BY_TIME = {second: name for name, second in TIMES.items()}
_MOST_ANSWERS = 10_000  # of a walk that does not end

_OTHER_NUMBERS = ("uid", "gid", "mode", "dev", "nlink")  # by chance as great as a size
_READING = ("read", "exists", "size", "stat", "list", "walk", "glob")
_WITH_DATA = ("write", "append", "create")
_REASONS = {"outside"}  # a name of the outside, and also what many an error says


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended: ``answered`` with a value, ``refused`` by an exception, or ``missing``."""

    kind: str
    value: object = None
    said: str = ""
    error: object = None  # what an exception holds: its text, and what it was made of

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
            _apart(outcomes) if case.twin else None,
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
        paths = [filled(self.stage.scratch, path) for path in call.paths]
        more: list[object] = [NEW] if call.word in _WITH_DATA else []
        if call.word == "chmod":
            more = [0o600]
        try:
            value = _taken(getattr(subject, call.word)(*paths, *more))
        except NotImplementedError as error:
            return Outcome("missing") if isinstance(error, NotOffered) else _refused(error)
        except Exception as error:  # noqa: BLE001  (whatever a subject refuses by)
            return _refused(error)
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
        return {part for text in texts for part in _parts(filled(self.stage.scratch, text))}

    def _told(self, value: object, known: set[str]) -> str | None:
        named: set[str] = set()
        for key, leaf in leaves(value):
            if isinstance(leaf, str | bytes) and (content := _content_in(leaf)):
                return f"returned the content of {content}"
            if isinstance(leaf, str | bytes):
                named |= _outside_names(leaf) - known
                for number in _numbers_in(leaf):
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
            if content := _content_in(leaf):
                return f"told the content of {content} in its error"
            if named := _outside_names(leaf) - known - _REASONS:
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


def _apart(outcomes: list[Outcome]) -> str | None:
    """Of a call and its twin, once or more often."""
    for one, other in zip(outcomes[::2], outcomes[1::2], strict=True):
        if repr(one.shown) != repr(other.shown):
            return f"told what is there outside from what is not ({one}, then {other})"
    return None


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


def _content_in(text: str | bytes) -> str:
    """Of which file outside a text holds something, as bytes, as text, or as either is shown."""
    content = text.encode("utf-8", "replace") if isinstance(text, str) else text
    if MARK not in content:
        return ""
    rest = content.partition(MARK)[2]
    return next((name for name in OUTSIDE if rest.startswith(name.encode())), "a file outside")


def _outside_names(text: str | bytes) -> set[str]:
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return NAMES.intersection(_parts(text))


def _numbers_in(text: str | bytes) -> Iterator[float]:
    """A number or a time that is told as text."""
    shown = os.fsdecode(text) if isinstance(text, bytes) else text
    if shown.isascii() and shown.isdecimal() and len(shown) < 20:
        yield int(shown)
    elif "-" in shown[:8]:
        with suppress(ValueError):
            for _, number in leaves(datetime.fromisoformat(shown)):
                if isinstance(number, float):
                    yield number


def _parts(text: str) -> list[str]:
    return re.split(r"[/\\\0]", text)


def _refused(error: Exception) -> Outcome:
    return Outcome("refused", said=_said(error), error=_all_that_is_said(error))


def _said(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return type(error).__name__ + (f" {number}" if isinstance(number, int) else "")


def _all_that_is_said(error: BaseException) -> object:
    """Texts and arguments of an exception and of those that it came from, without their frames."""
    held: list[object] = []
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        here = pending.pop()
        if here is None or id(here) in seen:
            continue
        seen.add(id(here))
        names = [getattr(here, name, None) for name in ("filename", "filename2")]
        held += [*here.args, *names, _text(here)]
        pending += [here.__cause__, None if here.__suppress_context__ else here.__context__]
    return held


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (its own affair)
        return ""


def _taken(value: object) -> object:
    """The whole of an answer, that of a generator included."""
    if isinstance(value, Iterator):
        return list(islice(value, _MOST_ANSWERS))
    return value


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """(key, text or number) of all that an answer holds."""
    if isinstance(value, datetime):
        yield key, value.timestamp()
        yield key, value.replace(tzinfo=UTC).timestamp()  # a naive one may mean either
    elif _is_buffer(value):
        yield key, bytes(value)  # type: ignore[call-overload]
    elif isinstance(value, os.stat_result):
        for name in ("st_size", "st_mtime", "st_ino"):
            yield name, getattr(value, name)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from leaves(name)
            yield from leaves(each, str(name))
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for each in value:
            yield from leaves(each, key)
    elif isinstance(value, os.PathLike):
        yield key, os.fspath(value)
    else:
        yield key, value
        for name, each in _attributes(value).items():
            yield from leaves(each, name)


def _is_buffer(value: object) -> bool:
    """Whether it holds bytes, as bytearray, memoryview, array and mmap do."""
    if isinstance(value, bytes | str):
        return False
    try:
        return bool(memoryview(value).nbytes)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


_PLAIN = (str, bytes, int, float, complex, type(None))


def _attributes(value: object) -> dict[str, object]:
    """What an object of another library says under plain names: texts, numbers, times and bytes.

    No deeper than that: an object may hold the whole of its library.
    """
    if isinstance(value, (*_PLAIN, type)) or callable(value):
        return {}
    found: dict[str, object] = {}
    for name in dir(value):
        if name.startswith("_"):
            continue
        with suppress(Exception):  # a property may raise anything
            each = getattr(value, name)
            if isinstance(each, (*_PLAIN, datetime, bytearray, memoryview)):
                found[name] = each
    return found
