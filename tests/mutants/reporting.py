"""A plugin of pytest, copied beside the tests in the jail: writes what happened, for ``trial``.

It stands alone: in the jail it is imported by another name, and knows no other module of ours.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

FILE = "SAFEFS_MUTANT_REPORT"  # the variable that says where

_told: dict[str, Any] = {"failed": None, "error": None, "passed": 0, "running": None}


def _write() -> None:
    if os.getpid() == _told["process"]:  # a fork in a test has nothing to say
        Path(os.environ[FILE]).write_text(json.dumps(_told))


def pytest_configure() -> None:
    _told["process"] = os.getpid()
    _write()


def pytest_runtest_logstart(nodeid: str) -> None:
    """Written at once: when a test hangs, this is all there is."""
    _told["running"] = nodeid
    _write()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.passed and call.when == "call":
        _told["passed"] += 1
    if report.failed and _told["failed"] is None:
        _told["failed"] = item.nodeid
        if call.excinfo is not None:
            _told["error"] = [call.excinfo.typename, str(call.excinfo.value)[:2000]]
    return report


def pytest_sessionfinish() -> None:
    modules = [(name, module) for name, module in sys.modules.items() if name[:6] == "safefs"]
    _told["modules"] = [getattr(module, "__file__", None) or "" for _, module in modules]
    _told["running"] = None
    _write()
