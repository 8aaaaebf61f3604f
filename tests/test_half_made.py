"""What a report with variables shows of an object whose ``__init__`` was cut short."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import traceback
from typing import TYPE_CHECKING, Any

import pytest

import safefs
from safefs import Policy, Scope, Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Of tests and of a program; and what takes an extra that need not be here.
_ELSEWHERE = ("safefs.testing", "safefs.cli", "safefs.__main__", "safefs.integrations")


def _kinds() -> Iterator[type[Any]]:
    """All that show themselves in words of their own.

    Not dataclasses and tuples: these have all of their fields before anything can be refused.
    """
    for module in pkgutil.walk_packages(safefs.__path__, "safefs."):
        if module.name.startswith(_ELSEWHERE):
            continue
        for kind in vars(importlib.import_module(module.name)).values():
            if (
                isinstance(kind, type)
                and kind.__module__ == module.name
                and getattr(kind.__repr__, "__module__", "").startswith("safefs")
                and not dataclasses.is_dataclass(kind)
                and not issubclass(kind, tuple)
            ):
                yield kind


KINDS = list(_kinds())


def test_all_kinds_of_values_are_among_them() -> None:
    assert {safefs.Disk, safefs.Root, safefs.Policy, safefs.Scope, safefs.Grant} <= set(KINDS)
    assert len(KINDS) > 30


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_an_object_without_its_fields_can_be_shown(kind: type[Any]) -> None:
    assert repr(object.__new__(kind)).strip("<>")


_REFUSED: dict[str, Callable[[], object]] = {
    "a scope of no path": lambda: Scope("appdata", "a/../b", verbs=["get"]),
    "a scope of no verbs": lambda: Scope("appdata", "a", verbs="get"),
    "a policy of another word": lambda: Policy(symlinks="x"),  # type: ignore[arg-type]
    "a storage of no name": lambda: Storage("a/b"),
    "a disk that is not there": lambda: safefs.Disk("not/there"),
    "a root that is not there": lambda: safefs.Root("not/there"),
}


@pytest.mark.parametrize("what", _REFUSED)
def test_a_report_with_variables_can_be_made_of_what_is_refused(what: str) -> None:
    with pytest.raises((ValueError, TypeError, OSError)) as caught:
        _REFUSED[what]()
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "self = " in "".join(report.format())
