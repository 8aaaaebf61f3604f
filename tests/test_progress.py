"""Progress and reports: what is told on the way and at the end."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from fsspec.callbacks import Callback

from safefs import Progress, Step, TreeReport
from safefs.progress import Meter
from safefs.report import Record

if TYPE_CHECKING:
    from typing import Any


def test_a_callable_is_given_what_is_done_and_what_there_is_to_do() -> None:
    told: list[Progress] = []
    meter = Meter(told.append)
    meter.advance("a", size=3)
    meter.expect(2, 10)
    meter.advance("b", entries=0, size=4)
    meter.advance("b", size=3)
    assert told == [
        Progress("a", 1, 3),
        Progress("b", 1, 7, 2, 10),
        Progress("b", 2, 10, 2, 10),
    ]
    assert told[0].total_entries is None


def test_a_callback_of_fsspec_is_told_entries() -> None:
    callback = Callback()
    seen: list[tuple[int | None, int]] = []
    callback.hooks = {"note": lambda size, value, **_: seen.append((size, value))}
    meter = Meter(callback)
    meter.expect(2, 10)
    meter.advance("a", entries=0, size=5)
    meter.advance("a", size=5)
    meter.advance("b")
    assert seen == [(2, 0), (2, 1), (2, 2)]


def test_nobody_has_to_listen() -> None:
    meter = Meter(None)
    assert not meter.wanted
    meter.expect(1)
    meter.advance("a")


@pytest.mark.parametrize("listener", [1, "progress", object(), True])
def test_what_cannot_be_told_anything_is_a_type_error(listener: Any) -> None:
    with pytest.raises(TypeError, match="progress is a callable or a callback of fsspec"):
        Meter(listener)


def test_what_a_listener_raises_ends_the_operation() -> None:
    def refuse(_: Progress) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        Meter(refuse).advance("a")


def test_a_report_counts_what_was_carried_out() -> None:
    record = Record()
    record.add("create", "a", "directory")
    record.add("create", "a/b", "file", 7)
    record.add("skip", "a/fifo", "other")
    record.add("replace", "a/c", "file", 5)
    report = record.report()
    assert (report.entries, report.bytes) == (3, 12)
    assert report.steps[2] == Step("skip", "a/fifo", "other")
    assert report == TreeReport(3, 12, report.steps)
    assert pickle.loads(pickle.dumps(report)) == report
    assert str(report.steps[0]) == "Step(action='create', path='a', kind='directory')"
