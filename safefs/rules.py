"""``deny`` and ``allow``: the entries of a tree that a disk has nothing to do with. Pure.

Patterns are those of gitignore(5), on true paths from the root: what is left when links and ``..``
have been followed. What they say of one is cached; what was reached is the kernel's to know.
"""

from __future__ import annotations

import os

from safefs.audit import refused
from safefs.errors import PolicyError
from safefs.values import Frozen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from safefs.gitignore import At

    # Of each layer: where deny and allow have come to; None beneath what is denied.
    State = tuple[tuple[At | None, At | None], ...] | None

# What may be done with an entry; PASSABLE: it may be gone through and listed, if a directory.
ALLOWED, PASSABLE, DENIED = range(3)

_UNSURE = b"\0"  # no path
_MOST_DIRECTORIES = 64  # whose names are kept beside
_MOST_STATES = 1 << 12  # directories of which it is kept how far they have come
_MOST_KNOWN = 1 << 14  # verdicts that are kept
_PATH_MAX = 4096  # linux/limits.h; as in the walk
_TOP = "top_level_dot_entries"
_REASONS = {
    _TOP: "a dot entry at the top",
    "deny": "the disk denies this name",
    "allow": "it is not among what the disk allows",
}
# Of a directory: the name that is denied lies in it, or would where it is to go.
HOLDS = "it holds something that is denied"
WOULD_HOLD = "it holds something that would be denied there"


class PathRules(Frozen):
    """``deny`` and ``allow`` of a disk, ``at`` being where its root lies beneath theirs.

    ``allow`` is None where everything is that is not denied.
    """

    __slots__ = ("at", "deny", "allow")  # noqa: RUF023  (the order of repr)

    at: str
    deny: tuple[str, ...]
    allow: tuple[str, ...] | None

    def __init__(
        self, at: str = "", deny: tuple[str, ...] = (), allow: tuple[str, ...] | None = None
    ) -> None:
        self._set(at=at, deny=deny, allow=allow)

    def __bool__(self) -> bool:
        return bool(self.deny) or self.allow is not None

    def order(self) -> tuple[object, ...]:
        """By which a set of them is put in one order."""
        return (self.at, self.deny, self.allow is None, self.allow or ())

    def beneath(self, place: str) -> PathRules:
        """The same rules for a root that lies there."""
        return PathRules("/".join(part for part in (self.at, place) if part), self.deny, self.allow)


class Rules:
    """The rules of one root, ready to be asked; shared by all that have an equal policy.

    ``missing``: what is denied is answered like what does not exist.
    """

    __slots__ = (
        "_dots",
        "_known",
        "_layers",
        "_spelled",
        "_start",
        "_states",
        "_within",
        "missing",
    )

    def __init__(self, layers: Iterable[PathRules], *, dots: bool, missing: bool) -> None:
        self._dots = dots
        self._layers = [_Layer(each) for each in layers]
        self._start: State = tuple(layer.start for layer in self._layers)
        self._known: dict[bytes, int] = {b"": ALLOWED}
        self._states: dict[bytes, State] = {b"": self._start}
        self._spelled: dict[bytes, bytes] = {}
        self._within: dict[bytes, Verdicts] = {}
        self.missing = missing

    @property
    def has_patterns(self) -> bool:
        """Whether there is more than the rule of dot entries."""
        return bool(self._layers)

    def spelled(self, raw: bytes) -> bytes | None:
        """The true path that a spelling has if there is no link on it; None where that is unsure.

        Also where it would be denied: only the walk knows then. And where it is longer than the
        system takes, which is for the walk to say: nothing is made of it here, and nothing kept.
        """
        if len(raw) >= _PATH_MAX:
            return None
        place = self._spelled.get(raw)
        if place is None:
            if len(self._spelled) > _MOST_KNOWN:
                self._spelled.clear()
            place = self._spelled[raw] = self._plainly(raw)
        return None if place is _UNSURE else place

    def _plainly(self, raw: bytes) -> bytes:
        parts = [part for part in raw.split(b"/") if part not in (b"", b".")]
        place = b"/".join(parts)
        return _UNSURE if b".." in parts or self.verdict(place) == DENIED else place

    def verdict(self, place: bytes) -> int:
        """ALLOWED, PASSABLE or DENIED, for a true path: plain names with single slashes."""
        found = self._known.get(place)
        return self._judged(place) if found is None else found

    def within(self, place: bytes) -> Verdicts:
        """The verdicts on the names of one directory, by name; asked anew they are known."""
        found = self._within.get(place)
        if found is None or len(found) > _MOST_KNOWN:
            if len(self._within) >= _MOST_DIRECTORIES:
                self._within.clear()
            found = self._within[place] = Verdicts(self, place)
        return found

    def _judged(self, place: bytes) -> int:
        above, _, name = place.rpartition(b"/")
        state = self._state(above)
        verdict = DENIED if state is None else self._step(state, above, name)[1]
        if len(self._known) > _MOST_KNOWN:
            self._known = {b"": ALLOWED}
        self._known[place] = verdict
        return verdict

    def _state(self, place: bytes) -> State:
        """Where a path has come to; down from the deepest directory on it of which that is known.

        What lies beneath what is denied is denied.
        """
        end = len(place)
        while place[:end] not in self._states:
            end = max(0, place.rfind(b"/", 0, end))
        state = self._states[place[:end]]
        while end < len(place) and state is not None:
            begin = end + 1 if end else 0
            above = place[:end]
            end = place.find(b"/", begin)
            end = len(place) if end < 0 else end
            state = self._step(state, above, place[begin:end])[0]
        if len(self._states) > _MOST_STATES:
            self._states = {b"": self._start}
        self._states[place] = state
        return state

    def _step(
        self, state: tuple[tuple[At | None, At | None], ...], above: bytes, name: bytes
    ) -> tuple[State, int]:
        if self._dots and not above and name[:1] == b".":
            return None, DENIED
        text = os.fsdecode(name)
        worst = ALLOWED
        steps = []
        for layer, at in zip(self._layers, state, strict=True):
            step, verdict = layer.step(at, text)
            if verdict == DENIED:
                return None, DENIED
            worst = max(worst, verdict)
            steps.append(step)
        return tuple(steps), worst

    def denies(self, place: bytes, *, directory: bool) -> bool:
        """Whether this entry is denied, if that is what it is."""
        verdict = self.verdict(place)
        return verdict == DENIED or (verdict == PASSABLE and not directory)

    def refusal(self, place: bytes, shown: str | bytes, *, within: str = "") -> PolicyError:
        """The error, reported, that says which rule decided.

        ``within``: the reason, where ``shown`` is a directory and ``place`` lies beneath it.
        """
        rule, pattern = self._rule(place)
        by = "" if pattern is None else f" ({pattern!r})"
        return refused(PolicyError(shown, rule, within or _REASONS[rule] + by))

    def _rule(self, place: bytes) -> tuple[str, str | None]:
        """(what refuses, the pattern of it, where that tells nothing of what lies above)."""
        if self._dots and place[:1] == b".":
            return _TOP, None
        names = [os.fsdecode(name) for name in place.split(b"/")]
        for layer in self._layers:
            line = layer.denied_by(names)
            if line is not None:
                return "deny", None if layer.at else layer.deny[line]
        return "allow", None


class Verdicts(dict[str, int]):
    """What a directory's names have been judged to be, and are when they are asked for."""

    def __init__(self, rules: Rules, place: bytes) -> None:
        super().__init__()
        self._verdict = rules.verdict
        self._above = place + b"/" if place else b""

    def __missing__(self, name: str) -> int:
        verdict = self[name] = self._verdict(self._above + os.fsencode(name))
        return verdict


class _Layer:
    """One disk's patterns, for paths beneath the place where a root of it lies."""

    __slots__ = ("_allow", "_deny", "at", "deny", "start")

    def __init__(self, rules: PathRules) -> None:
        # A late import: who has no patterns does not need what reads them.
        from safefs.gitignore import lines_of

        self.at = rules.at
        self.deny = rules.deny
        self._deny = lines_of(rules.deny, fold=True) if rules.deny else None
        self._allow = None if rules.allow is None else lines_of(rules.allow)
        at = (
            None if self._deny is None else self._deny.start,
            None if self._allow is None else self._allow.start,
        )
        for name in rules.at.split("/") if rules.at else ():
            at = self.step(at, name)[0]
        self.start = at

    def step(
        self, at: tuple[At | None, At | None], name: str
    ) -> tuple[tuple[At | None, At | None], int]:
        """One name further down, and what is to be said of it."""
        deny, allow = at
        verdict = ALLOWED
        if self._deny is not None and deny is not None:
            deny = self._deny.step(deny, name)
            if deny.included:
                verdict = DENIED
        if self._allow is not None and allow is not None:
            allow = self._allow.step(allow, name)
            if verdict != DENIED and not allow.included:
                verdict = PASSABLE if self._allow.leads(allow) else DENIED
        return (deny, allow), verdict

    def denied_by(self, names: list[str]) -> int | None:
        """Which pattern of ``deny`` refuses a path."""
        at = self.start
        for name in names:
            at = self.step(at, name)[0]
            if at[0] is not None and at[0].included:
                return at[0].line
        return None
