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

# What may be done with an entry; PASSABLE: it may be gone through and listed, if a directory.
ALLOWED, PASSABLE, DENIED = range(3)

_UNSURE = b"\0"  # no path
_MOST_DIRECTORIES = 64  # whose names are kept beside
_MOST_KNOWN = 1 << 14  # verdicts that are kept
_TOP = "top_level_dot_entries"
_REASONS = {
    _TOP: "a dot entry at the top",
    "deny": "the disk denies this name",
    "allow": "it is not among what the disk allows",
}


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

    __slots__ = ("_dots", "_known", "_layers", "_spelled", "_within", "missing")

    def __init__(self, layers: Iterable[PathRules], *, dots: bool, missing: bool) -> None:
        self._dots = dots
        self._layers = [_Layer(each) for each in layers]
        self._known: dict[bytes, int] = {b"": ALLOWED}
        self._spelled: dict[bytes, bytes] = {}
        self._within: dict[bytes, Verdicts] = {}
        self.missing = missing

    @property
    def has_patterns(self) -> bool:
        """Whether there is more than the rule of dot entries."""
        return bool(self._layers)

    def spelled(self, raw: bytes) -> bytes | None:
        """The true path that a spelling has if there is no link on it; None where that is unsure.

        Also where it would be denied: only the walk knows then.
        """
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
        """Down from the top: what lies beneath what is denied is denied."""
        if len(self._known) > _MOST_KNOWN:
            self._known = {b"": ALLOWED}
        end = 0
        verdict = ALLOWED
        while end < len(place) and verdict != DENIED:
            end = place.find(b"/", end + 1)
            end = len(place) if end < 0 else end
            here = place[:end]
            known = self._known.get(here)
            if known is None:
                known = self._known[here] = self._judge(here)
            verdict = known
        self._known[place] = verdict
        return verdict

    def _judge(self, place: bytes) -> int:
        if self._dots and place[:1] == b".":
            return DENIED
        text = os.fsdecode(place)
        return max((layer.verdict(text) for layer in self._layers), default=ALLOWED)

    def denies(self, place: bytes, *, directory: bool) -> bool:
        """Whether this entry is denied, if that is what it is."""
        verdict = self.verdict(place)
        return verdict == DENIED or (verdict == PASSABLE and not directory)

    def refusal(self, place: bytes, shown: str | bytes) -> PolicyError:
        """The error, reported, that says which rule decided."""
        rule = self._rule(place)
        return refused(PolicyError(shown, rule, _REASONS[rule]))

    def _rule(self, place: bytes) -> str:
        if self._dots and place[:1] == b".":
            return _TOP
        parts = os.fsdecode(place).split("/")
        for end in range(1, len(parts) + 1):
            here = "/".join(parts[:end])
            if any(layer.denies(here) for layer in self._layers):
                return "deny"
        return "allow"


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

    __slots__ = ("_allows", "_at", "_denies", "_leads")

    def __init__(self, rules: PathRules) -> None:
        self._at = rules.at + "/" if rules.at else ""
        # Late imports: who has no patterns does not need what reads them.
        from safefs.gitignore import allower, denier, leader

        self._denies = denier(rules.deny) if rules.deny else None
        self._allows = None if rules.allow is None else allower(rules.allow)
        self._leads = None if rules.allow is None else leader(rules.allow)

    def denies(self, text: str) -> bool:
        return self._denies is not None and self._denies(self._at + text)

    def verdict(self, text: str) -> int:
        path = self._at + text
        if self._denies is not None and self._denies(path):
            return DENIED
        if self._allows is None or self._leads is None:
            return ALLOWED
        named = self._allows(path)
        if named is None:
            return PASSABLE if self._leads(path) else DENIED
        return ALLOWED if named else DENIED
