"""Wildcards of ``deny``: they match what gitignore(5) says, in any spelling, and take no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safefs import Disk, PolicyError
from safefs.folding import Spelling
from safefs.gitignore import _compiled, lines_of
from safefs.policy import Policy

if TYPE_CHECKING:
    from safefs.testing.scratch import Scratch

pytestmark = pytest.mark.usefixtures("resolver")

_NAMED = [
    ("secret?", "secret."),
    ("*.*", "secret."),
    ("a[.]", "a."),
    ("a\\.", "a."),
    ("?", "\u00e9"),
    ("caf[\u00e9\u00e8]", "caf\u00e9"),
    ("caf[\u00e9\u00e8]", "CAFE\u0301"),
    ("caf?", "cafe\u0301"),
    ("stra?e", "stra\u00dfe"),
    ("a?", "a\u200b"),
    ("a*", "A\u200b"),
    ("[!a]", "A"),
    ("[Z-a]x", "ax"),
    ("x[A-Z]", "xq"),
]


@pytest.mark.parametrize(("pattern", "name"), _NAMED, ids=lambda text: ascii(text))
def test_a_wildcard_denies_a_name_in_its_own_spelling_and_in_those_that_are_alike(
    pattern: str, name: str, scratch: Scratch
) -> None:
    (scratch.root / name).write_bytes(b"secret")
    with Disk(scratch.root, policy=Policy(deny=[pattern])) as disk:
        assert disk.files() == []
        with pytest.raises(PolicyError):
            disk.get(name)


def test_a_pattern_that_ends_in_a_dot_does_not_deny_everything(scratch: Scratch) -> None:
    (scratch.root / "f").write_bytes(b"x")
    with Disk(scratch.root, policy=Policy(deny=["*."])) as disk:
        assert disk.get("f") == b"x"
        with pytest.raises(PolicyError):
            disk.put("f.", "x")


@pytest.mark.parametrize("name", ["PUBLIC", "public.", "Public"])
def test_what_is_taken_back_is_what_is_spelled_so(name: str, scratch: Scratch) -> None:
    for each in ("public", name):
        (scratch.root / each).mkdir()
    with Disk(scratch.root, policy=Policy(deny=["/*", "!/public", "/?*", "!/publi[c]"])) as disk:
        assert disk.directories() == ["public"]
        with pytest.raises(PolicyError):
            disk.put(f"{name}/x", "x")


def test_a_class_by_name_is_an_error_and_not_a_pattern_that_denies_nothing() -> None:
    with pytest.raises(ValueError, match=r"deny: .*classes have no names"):
        Policy(deny=["[[:upper:]]*"])
    with pytest.raises(ValueError, match=r"allow: .*classes have no names"):
        Policy(allow=["x/[a[:digit:]]"])


def test_many_stars_are_done_with_a_long_name(scratch: Scratch) -> None:
    """Each star that may be retried multiplies the time by the length of the name."""
    policy = Policy(deny=["*-*-*-*-*-*-*-*-*-*.log", "*?*?*?*?*?*?*?*?*?*?*[x]"])
    with Disk(scratch.root, policy=policy) as disk:
        assert not disk.exists("-" * 250)


def test_a_path_longer_than_any_is_not_judged_name_by_name(scratch: Scratch) -> None:
    """That took time by the square of its names, and was kept."""
    with Disk(scratch.root, policy=Policy(deny=["*.log"])) as disk:
        for path in ("a/" * 200_000 + "b", "x" * 400_000):
            assert not disk.exists(path)
            with pytest.raises(OSError, match="too long"):
                disk.get(path)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*a*b*c", "xaybzc", True),
        ("*a*b*c", "xaybz", False),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "aab", False),
        ("a*?b", "ab", False),
        ("a*?b", "axxb", True),
        ("a**b", "ab", True),
        ("*a", "aa", True),
        ("*[ab]?c*", "zbbcc", True),
        ("a*a", "a", False),
        ("*.*.*", "a.b.c.d", True),
        ("*", "a\nb", True),
        ("a?", "a", False),
        ("a?", "ab\n", False),
    ],
)
def test_stars_that_are_not_retried_match_what_those_that_are_do(
    pattern: str, name: str, *, matches: bool
) -> None:
    assert bool(_compiled(pattern).match(name)) is matches
    lines = lines_of((pattern,), fold=True)
    assert lines.step(lines.start, name).included is matches


def test_the_spellings_of_a_plain_name_are_one() -> None:
    assert Spelling("plain.txt").alike == ("plain.txt",)
