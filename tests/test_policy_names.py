"""``deny`` and ``allow`` as values: which paths they mean, and how they narrow."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from safefs.errors import PolicyError
from safefs.gitignore import lines_of
from safefs.paths import RelPath
from safefs.policy import Policy
from safefs.rules import ALLOWED, DENIED, PASSABLE


def _verdict(policy: Policy, path: str) -> int:
    return ALLOWED if policy.rules is None else policy.rules.verdict(path.encode())


@pytest.mark.parametrize(
    ("deny", "denied", "left"),
    [
        (["secret"], ["secret", "a/secret", "secret/x/y"], ["secrets", "a/secrets/b"]),
        (["/secret"], ["secret", "secret/x"], ["a/secret"]),
        (["*.pem"], ["a.pem", "d/.pem", "d.pem/x"], ["a.pem.txt"]),
        (["a/*.key"], ["a/x.key"], ["x.key", "b/a/x.key", "a/b/x.key"]),
        (["a/**/b"], ["a/b", "a/x/y/b/z"], ["b", "c/a/b"]),
        ([".*", "!.keep"], [".git", "d/.env"], [".keep", "d/.keep"]),
        (["d", "!d/kept"], ["d", "d/kept"], ["kept"]),
        (["build/"], ["build", "a/build/x"], ["builds"]),
        ([".env"], [".ENV", "a/.Env", ".e\u200bnv"], [".envy"]),
        (["Straße"], ["strasse", "STRASSE"], ["stras"]),
        (["caf\u00e9"], ["cafe\u0301", "CAF\u00c9"], ["cafe"]),
        (["secret"], ["secret.", "secret ", "secret. ./x"], [".secret"]),
        (["\\!x", "\\#y"], ["!x", "#y"], ["x"]),
        (["[ab]x"], ["ax", "Bx"], ["cx"]),
        (["\\[ab\\]", "[ab]\\*"], ["[ab]", "a*"], ["a", "b"]),
    ],
)
def test_deny_is_read_as_gitignore_and_whatever_the_case(
    deny: list[str], denied: list[str], left: list[str]
) -> None:
    policy = Policy(deny=deny)
    assert {path: _verdict(policy, path) for path in denied} == dict.fromkeys(denied, DENIED)
    assert {path: _verdict(policy, path) for path in left} == dict.fromkeys(left, ALLOWED)


@pytest.mark.parametrize(
    ("allow", "allowed", "passable", "denied"),
    [
        (["docs"], ["docs", "docs/a/b", "x/docs"], ["x"], []),
        (["/docs"], ["docs", "docs/a"], [], ["x", "x/docs", "Docs"]),
        (["docs/*.md"], ["docs/a.md"], ["docs"], ["x", "docs/b", "docs/x/a.md", "Docs/a.md"]),
        (["a/b/c"], ["a/b/c", "a/b/c/d"], ["a", "a/b"], ["a/x", "b", "a/b/x"]),
        (["a/**/c"], ["a/c", "a/x/c"], ["a", "a/x", "a/x/y"], ["b"]),
        (["/docs/", "!docs/private"], ["docs", "docs/a"], [], ["docs/private", "docs/private/x"]),
        ([], [], [], ["a", "a/b"]),
    ],
)
def test_allow_lets_one_through_to_what_it_allows(
    allow: list[str], allowed: list[str], passable: list[str], denied: list[str]
) -> None:
    policy = Policy(allow=allow)
    expected = {
        **dict.fromkeys(allowed, ALLOWED),
        **dict.fromkeys(passable, PASSABLE),
        **dict.fromkeys(denied, DENIED),
    }
    assert {path: _verdict(policy, path) for path in expected} == expected


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"deny": [""]}, "deny: '' matches nothing: it names nothing"),
        ({"deny": ["/"]}, "it names nothing"),
        ({"deny": ["!a"]}, "there is nothing before it that it could take back"),
        ({"deny": ["a", "#b"]}, "it is a comment"),
        ({"deny": ["a/../b"]}, r"no '\.\.'"),
        ({"allow": ["./a"]}, r"allow: './a' matches nothing"),
        ({"allow": ["a//b"]}, "no empty part"),
        ({"deny": ["a\0"]}, "NUL"),
        ({"deny": [" a"]}, "a space"),
        ({"deny": ["[\\]]"]}, "a backslash within brackets"),
        ({"allow": ["x/[a\\-c]y"]}, "a backslash within brackets"),
        ({"deny": ["["]}, r"deny: '\[' is no pattern"),
        ({"deny": ["[z-a]"]}, r"deny: '\[z-a\]' is no pattern"),
        ({"deny": ["a"], "allow": ["a"]}, "allow: 'a' is denied"),
        ({"deny": ["docs"], "allow": ["docs/public"]}, "allow: 'docs/public' is denied"),
        ({"deny": ["*.MD"], "allow": ["/docs/a.md"]}, "is denied"),
        ({"deny": ["*.KEY"], "allow": ["*.key"]}, "is denied"),
        ({"deny": ["*"], "allow": ["*.pdf"]}, "allow: deny names everything"),
        ({"deny": ["/**/", "b"], "allow": ["*.pdf"]}, "allow: deny names everything"),
    ],
)
def test_a_pattern_that_can_match_nothing_is_an_error(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Policy(**fields)


def test_what_a_later_pattern_takes_back_of_everything_may_be_allowed() -> None:
    policy = Policy(deny=["/*", "!/public"], allow=["*.pdf"])
    assert _verdict(policy, "public/a.pdf") == ALLOWED
    assert _verdict(policy, "a.pdf") == DENIED


@pytest.mark.parametrize("value", ["*.key", b"x", None, 1, [b"x"], [None], {"a"}, frozenset("a")])
def test_patterns_are_a_list_of_text(value: Any) -> None:
    with pytest.raises(TypeError, match="deny"):
        Policy(deny=value)


def test_a_policy_with_patterns_is_a_value() -> None:
    policy = Policy(deny=["*.key", "!ok.key"], allow=("docs",))
    assert policy == Policy(deny=("*.key", "!ok.key"), allow=["docs"]) != Policy(deny=["*.key"])
    assert hash(policy) == hash(policy.replace())
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert "deny=('*.key', '!ok.key'), allow=('docs',)" in repr(policy)
    beneath = policy.beneath(RelPath.parse("docs"), b"docs")
    assert pickle.loads(pickle.dumps(beneath)) == beneath != policy


# -- narrowing, against a model: what is allowed is what every policy of a chain allows ------------

_NAMES = ["a", "b", "c.key", "D"]
_PATHS = st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3).map("/".join)
_PATTERNS = st.sampled_from(
    ["a", "/a", "a/b", "*.key", "a/**", "**/b", "/b/*", "d", "[ab]", "*", "b/a/", "/a/b/c.key"]
)
_DENIES = st.lists(_PATTERNS, max_size=2)
_ALLOWS = st.none() | st.lists(_PATTERNS, max_size=2)


@st.composite
def _policies(draw: st.DrawFn) -> Policy:
    try:
        return Policy(deny=draw(_DENIES), allow=draw(_ALLOWS))
    except ValueError:  # allow and deny contradict
        return Policy(deny=draw(_DENIES))


@given(st.lists(_policies(), min_size=1, max_size=4), _PATHS)
def test_narrowing_never_allows_more_than_each_part(parts: list[Policy], path: str) -> None:
    chain = parts[0]
    for part in parts[1:]:
        chain = chain.narrowed(part)
    worst = max(_verdict(part, path) for part in parts)
    assert _verdict(chain, path) == worst
    backwards = parts[-1]
    for part in reversed(parts[:-1]):
        backwards = backwards.narrowed(part)
    assert backwards == chain == chain.narrowed(chain) == chain.narrowed(parts[0])


@given(_policies(), _policies(), _PATHS, _PATHS)
def test_what_lies_beneath_has_the_rules_of_what_it_lies_in(
    policy: Policy, further: Policy, top: str, path: str
) -> None:
    beneath = policy.beneath(RelPath.parse(top), top.encode())
    if _verdict(policy, top) != DENIED:
        assert _verdict(beneath, path) == _verdict(policy, f"{top}/{path}")
    narrow = beneath.narrowed(further)
    assert _verdict(narrow, path) == max(_verdict(beneath, path), _verdict(further, path))
    twice = policy.beneath(RelPath.parse("a"), b"a").beneath(RelPath.parse("b"), b"b")
    assert twice == policy.beneath(RelPath.parse("a/b"), b"a/b")


# -- against pathspec, which matches whole paths ---------------------------------------------------

_PIECES = st.lists(
    st.sampled_from(["a", "b", "ab", "*", "?", "a*", "[ab]", "[!a]", "**"]), min_size=1, max_size=4
)
_LINES = st.builds(
    lambda sign, first, pieces, last: sign + first + "/".join(pieces) + last,
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["", "/"]),
    _PIECES,
    st.sampled_from(["", "", "/"]),
)


def _names(line: str, path: str) -> bool:
    """Whether pathspec says that the line names this very path, and not only what it lies in."""
    pattern = GitIgnoreSpec.from_lines([line.removesuffix("/")]).patterns[0]
    assert pattern.regex is not None
    found = pattern.regex.search(path)  # as pathspec does: that of **/*/** is no more than a slash
    return found is not None and not found.groupdict().get("ps_d")


@given(
    lines=st.lists(_LINES, min_size=1, max_size=4),
    names=st.lists(st.sampled_from(["a", "b", "ab", "ba", "c"]), min_size=1, max_size=5),
)
@example(lines=["**/*/**"], names=["a", "a"])
def test_patterns_step_by_step_say_what_they_say_of_whole_paths(
    lines: list[str], names: list[str]
) -> None:
    """Of those that name a path the last decides; where none does, it is as what it lies in."""
    stepped = lines_of(tuple(lines))
    at, expected, led = stepped.start, False, True
    for depth in range(1, len(names) + 1):
        path = "/".join(names[:depth])
        for line in lines:
            if _names(line, path):
                expected = line[0] != "!"
        assert led or not expected, path
        at = stepped.step(at, names[depth - 1])
        assert at.included == expected, path
        led = at.included or stepped.leads(at)


@pytest.mark.parametrize("line", ["a/**/b/**/c/**/d", "**/x/**/y/**", "*a*b*", "*"])
def test_no_pattern_takes_long_on_a_long_path(line: str) -> None:
    """Counted, not timed: so many places are looked at for each name, however many came before."""
    lines = lines_of((line,))
    at = lines.start
    for name in ("a/" + "b/" * 1000 + "c/" * 1000).split("/"):
        at = lines.step(at, name)
        assert len(at.open) <= 2 * (line.count("/") + 2)


def test_a_refusal_says_which_rule_decided() -> None:
    policy = Policy(deny=["x"], allow=["/a", "/b"], top_level_dot_entries="refuse")
    assert policy.rules is not None
    for path, rule in {
        "x": "deny",
        "a/x": "deny",
        "c": "allow",
        ".a": "top_level_dot_entries",
    }.items():
        error = policy.rules.refusal(path.encode(), "shown")
        assert isinstance(error, PolicyError)
        assert (error.rule, error.filename) == (rule, "shown")


def test_without_the_matcher_patterns_are_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pathspec", None)
    with pytest.raises(ImportError, match=r"install safefs\[patterns\]"):
        Policy(deny=["only-here"])
    Policy(read_only=True)


def test_a_path_of_two_thousand_parts_is_judged() -> None:
    policy = Policy(deny=["secret"])
    deep = "/".join(["a"] * 2000)
    assert _verdict(policy, deep) == ALLOWED
    assert _verdict(policy, f"{deep}/secret/x") == DENIED
