"""The policy of a disk: a frozen value, and the one check that needs no look at the disk."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs.errors import PolicyError
from safefs.paths import RelPath
from safefs.policy import Policy

_FIELDS: dict[str, tuple[Any, ...]] = {
    "read_only": (False, True),
    "append_only": (False, True),
    "symlinks": ("inside", "never", "inside_absolute"),
    "hard_links": ("allow", "refuse"),
    "special_files": ("allow", "refuse"),
    "same_filesystem": (False, True),
    "portable_names": (False, True),
    "top_level_dot_entries": ("allow", "refuse"),
    "denied": ("refuse", "missing"),
    "max_path_length": (None, 100, 10),
    "max_file_size": (None, 100, 0),
    "quota_bytes": (None, 100, 0),
    "quota_files": (None, 100, 0),
}
_POLICIES = st.fixed_dictionaries(
    {field: st.sampled_from(values) for field, values in _FIELDS.items()}
)


def test_the_default_allows_what_stays_inside() -> None:
    policy = Policy()
    assert {field: getattr(policy, field) for field in _FIELDS} == {
        field: values[0] for field, values in _FIELDS.items()
    }


@given(fields=_POLICIES)
def test_a_policy_is_its_fields(fields: dict[str, Any]) -> None:
    policy = Policy(**fields)
    assert policy == Policy(**fields)
    assert hash(policy) == hash(Policy(**fields))
    assert eval(repr(policy)) == policy
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert copy.copy(policy) == copy.deepcopy(policy) == policy


@given(one=_POLICIES, other=_POLICIES)
def test_two_policies_that_differ_also_print_and_compare_differently(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """fsspec keeps instances by what prints alike: a read-only one must never pass for another."""
    same = one == other
    assert (Policy(**one) == Policy(**other)) == same
    assert (repr(Policy(**one)) == repr(Policy(**other))) == same


@pytest.mark.parametrize("field", _FIELDS)
def test_replace_changes_one_field(field: str) -> None:
    policy = Policy()
    changed = policy.replace(**{field: _FIELDS[field][1]})
    assert getattr(changed, field) == _FIELDS[field][1]
    assert changed != policy == Policy()
    assert changed.replace(**{field: _FIELDS[field][0]}) == policy


def test_a_policy_is_not_another_kind_of_thing() -> None:
    assert Policy() != "Policy()"


@pytest.mark.parametrize("field", [*_FIELDS, "something_new"])
def test_a_policy_is_frozen(field: str) -> None:
    policy = Policy()
    with pytest.raises(AttributeError, match="frozen"):
        setattr(policy, field, True)
    with pytest.raises(AttributeError, match="frozen"):
        delattr(policy, field)


@pytest.mark.parametrize("field", ["read_only", "append_only", "same_filesystem", "portable_names"])
@pytest.mark.parametrize("value", [1, 0, None, "true", "no"])
def test_a_flag_is_true_or_false_and_nothing_like_it(field: str, value: object) -> None:
    with pytest.raises(TypeError, match=field):
        Policy(**{field: value})  # type: ignore[arg-type]


_WORDS = ["symlinks", "hard_links", "special_files", "top_level_dot_entries", "denied"]


@pytest.mark.parametrize("field", _WORDS)
@pytest.mark.parametrize("value", ["", "Inside", "always", True, None, 1])
def test_a_word_is_one_of_those_there_are(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=field):
        Policy(**{field: value})  # type: ignore[arg-type]


_LIMITS = ["max_path_length", "max_file_size", "quota_bytes", "quota_files"]


@pytest.mark.parametrize("field", _LIMITS)
@pytest.mark.parametrize("value", [True, "10", 1.5, (1,)])
def test_a_limit_is_a_whole_number_or_none(field: str, value: object) -> None:
    with pytest.raises(TypeError, match=f"{field} is a whole number or None"):
        Policy(**{field: value})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"{field} is 0 or more, not -1"):
        Policy(**{field: -1})  # type: ignore[arg-type]


_STRICTEST: dict[str, tuple[Any, ...]] = {
    **{field: values for field, values in _FIELDS.items() if field != "symlinks"},
    "symlinks": ("inside_absolute", "inside", "never"),
}


@given(one=_POLICIES, other=_POLICIES)
def test_narrowing_takes_of_each_field_the_stricter_value(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    narrow = Policy(**one).narrowed(Policy(**other))
    for field, values in _STRICTEST.items():
        expected = max(one[field], other[field], key=values.index)
        assert getattr(narrow, field) == expected
    assert narrow == Policy(**other).narrowed(Policy(**one)) == narrow.narrowed(narrow)
    assert narrow.narrowed(Policy(**one)) == narrow


def test_append_only_refuses_changes_and_lets_additions_through() -> None:
    policy = Policy(append_only=True)
    policy.check(RelPath.parse("a"), writes=False)
    policy.check(RelPath.parse("a"), writes=True, adds=True)
    with pytest.raises(PolicyError) as caught:
        policy.check(RelPath.parse("a"), writes=True)
    assert (caught.value.rule, caught.value.filename) == ("append_only", "a")
    with pytest.raises(PolicyError) as caught:
        policy.replace(read_only=True).check(RelPath.parse("a"), writes=True, adds=True)
    assert caught.value.rule == "read_only"


def test_a_path_is_as_long_as_it_is_spelled() -> None:
    policy = Policy(max_path_length=5)
    policy.check(RelPath.parse("a/b/c"), writes=True)
    for path in ("a/b/cd", "a/./b/"):
        with pytest.raises(PolicyError) as caught:
            policy.check(RelPath.parse(path), writes=False)
        assert (caught.value.rule, caught.value.filename) == ("max_path_length", path)


@pytest.mark.parametrize(
    ("path", "left"), [("", 9), (".", 9), ("a", 7), ("abc/", 5), ("a/b/c/d/e/f", 0)]
)
def test_what_lies_beneath_has_what_the_way_there_leaves_of_a_length(path: str, left: int) -> None:
    beneath = Policy(max_path_length=9).beneath(RelPath.parse(path), b"")
    assert beneath.max_path_length == left


def test_an_unknown_field_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        Policy(readonly=True)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Policy().replace(readonly=True)
    with pytest.raises(TypeError):
        Policy(True)  # type: ignore[call-arg]


def test_read_only_refuses_writes_and_nothing_else() -> None:
    policy = Policy(read_only=True)
    policy.check(RelPath.parse("a"), writes=False)
    with pytest.raises(PolicyError) as caught:
        policy.check(RelPath.parse("a"), writes=True)
    assert caught.value.rule == "read_only"
    assert caught.value.filename == "a"


@pytest.mark.parametrize("path", ["a", "a/b.txt", ".", "", "a/../b", "./a//b/"])
def test_portable_names_lets_portable_names_through(path: str) -> None:
    Policy(portable_names=True).check(RelPath.parse(path), writes=True)


@pytest.mark.parametrize("path", ["NUL", "a/con.txt/b", "a:b", "a/b.", "x/ /y", b"\xff", "a\\b"])
def test_portable_names_refuses_a_name_wherever_it_stands(path: str | bytes) -> None:
    Policy().check(RelPath.parse(path), writes=True)
    for writes in (False, True):
        with pytest.raises(PolicyError) as caught:
            Policy(portable_names=True).check(RelPath.parse(path), writes=writes)
        assert caught.value.rule == "portable_names"
        assert caught.value.filename == path


@pytest.mark.parametrize(("name", "hidden"), [(b".ssh", True), (b"ssh", False), (b"a.b", False)])
def test_dot_entries_are_hidden_only_where_asked(name: bytes, hidden: bool) -> None:
    rules = Policy(top_level_dot_entries="refuse").rules
    assert rules is not None
    assert rules.denies(name, directory=False) == hidden
    assert not rules.denies(b"sub/" + name, directory=False)
    assert Policy().rules is None
