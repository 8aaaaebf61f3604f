"""safefs demo: what a newcomer sees first."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from safefs import SafefsError, demo
from safefs.testing.replays import load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and a place for temporary files, in which nothing may be left."""
    (tmp_path / "home").mkdir()
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "xdg"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "home"


def test_the_demo_shows_four_doors_and_every_replay_and_leaves_nothing(
    home: Path, tmp_path: Path
) -> None:
    environment, lines = dict(os.environ), list[str]()
    assert demo.run(lines.append) == 0
    shown = "\n".join(lines)
    for title in ("Disk:", "DiskPath:", "Root:", "safefs://:", "What stays outside", "Summary"):
        assert title in shown
    assert "coffee" in shown
    assert "secret,1" not in shown
    assert sum(line[:6] in ("ok    ", "skip  ") for line in lines) == len(load())
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 100
    assert dict(os.environ) == environment
    assert tempfile.tempdir == str(tmp_path / "tmp")
    assert list(home.iterdir()) == []
    assert list((tmp_path / "tmp").iterdir()) == []


def test_without_pandas_it_says_how_to_get_it_and_is_no_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setattr(demo, "load", list)
    lines = list[str]()
    assert demo.run(lines.append) == 1
    assert "  pandas is not installed; get it with: pip install pandas" in lines


def test_a_wall_that_does_not_hold_ends_it() -> None:
    with pytest.raises(SafefsError, match="was not refused"):
        demo._tried(print, "documents.get('../a')", lambda: b"secret")
