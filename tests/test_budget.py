"""Budgets, and the counter that holds an operation to one."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import Budget, BudgetError
from safefs.budget import UNLIMITED, Spending, checked

_FIELDS = ("entries", "bytes", "depth", "ratio", "path_length")
_LIMITS = st.fixed_dictionaries({field: st.none() | st.integers(1, 10) for field in _FIELDS})


@given(fields=_LIMITS)
def test_a_budget_is_its_fields(fields: dict[str, Any]) -> None:
    budget = Budget(**fields)
    assert {field: getattr(budget, field) for field in _FIELDS} == fields
    assert budget == Budget(**fields)
    assert hash(budget) == hash(Budget(**fields))
    assert eval(repr(budget)) == budget
    assert pickle.loads(pickle.dumps(budget)) == copy.copy(budget) == budget


def test_a_budget_is_frozen() -> None:
    budget = Budget(entries=1)
    with pytest.raises(AttributeError, match="frozen"):
        budget.entries = 2
    with pytest.raises(AttributeError, match="frozen"):
        del budget.entries


@pytest.mark.parametrize("field", _FIELDS)
@pytest.mark.parametrize("value", [0, -1])
def test_no_budget_is_zero_or_less(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{field} is more than zero"):
        Budget(**{field: value})


@pytest.mark.parametrize("field", _FIELDS)
@pytest.mark.parametrize("value", ["1", True, b"1", object()])
def test_what_is_no_number_is_no_budget(field: str, value: Any) -> None:
    with pytest.raises(TypeError, match=field):
        Budget(**{field: value})


def test_only_a_ratio_is_a_fraction() -> None:
    assert Budget(ratio=1.5).ratio == 1.5
    with pytest.raises(ValueError, match="ratio"):
        Budget(ratio=math.nan)
    for field in ("entries", "bytes", "depth", "path_length"):
        with pytest.raises(TypeError, match=field):
            Budget(**{field: 1.0})  # type: ignore[arg-type]


def test_what_is_given_as_a_budget_is_one() -> None:
    assert checked(None) is UNLIMITED
    budget = Budget(depth=2)
    assert checked(budget) is budget
    with pytest.raises(TypeError, match="budget is a Budget, not int"):
        checked(3)  # type: ignore[arg-type]


def test_spending_up_to_the_limit_is_no_error_and_one_more_is() -> None:
    spending = Spending(Budget(entries=2, bytes=10, depth=3, path_length=5, ratio=5))
    spending.entry("a", 1)
    spending.entry("ä/b/c"[:4], 3)
    spending.add("a", 10)
    spending.unpacked("a", 2)
    with pytest.raises(BudgetError) as entries:
        spending.entry("x", 1)
    with pytest.raises(BudgetError) as size:
        spending.add("x", 1)
    with pytest.raises(BudgetError) as ratio:
        spending.unpacked("x", 2)
    for caught, limit, maximum in (
        (entries, "entries", 2),
        (size, "bytes", 10),
        (ratio, "ratio", 5),
    ):
        error = caught.value
        assert (error.path, error.limit, error.maximum) == ("x", limit, maximum)


def test_depth_and_the_length_of_a_path_are_counted_for_each_entry() -> None:
    spending = Spending(Budget(depth=1, path_length=4))
    spending.entry("aaaa", 1)
    with pytest.raises(BudgetError, match="depth"):
        spending.entry("a/b", 2)
    with pytest.raises(BudgetError, match="path_length"):
        spending.entry("äää", 1)  # six bytes
    with pytest.raises(BudgetError, match="path_length"):
        spending.entry(b"aaaaa", 1)


def test_a_budget_without_limits_takes_everything() -> None:
    spending = Spending(UNLIMITED)
    for count in range(100):
        spending.entry("a" * count, count)
        spending.add("a", 1 << 40)
        spending.unpacked("a", 1)
    assert (spending.entries, spending.bytes) == (100, 100 << 40)
