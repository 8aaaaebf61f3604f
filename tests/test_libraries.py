"""safefs:// under the libraries that people use, as they use it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.libraries import LIBRARIES, Library

if TYPE_CHECKING:
    from safefs.integrations.fsspec import SafeFileSystem
    from safefs.testing.scratch import Scratch

# pyarrow and duckdb drop what they have opened, and leave the closing to Python.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword:Warning:dask"),
    pytest.mark.usefixtures("_no_loops"),
]


@pytest.fixture(params=list(LIBRARIES.values()), ids=list(LIBRARIES))
def library(request: pytest.FixtureRequest) -> Library:
    """Each of the libraries in turn."""
    made: Library = request.param
    return made


def test_what_a_library_writes_it_reads(library: Library, fs: SafeFileSystem) -> None:
    library.write(fs, "documents/thing")
    assert library.read(fs, "documents/thing") == library.expected


@pytest.mark.parametrize("planted", ["link", "up/thing"])
def test_a_planted_link_is_refused_by_every_library(
    planted: str, library: Library, fs: SafeFileSystem, scratch: Scratch
) -> None:
    """The attack: an upload brings ``link``, or ``up``, that leads to another user's data.

    What lies there is good, and would be read: it was a moment ago, inside.
    """
    library.write(fs, "documents/thing")
    assert library.read(fs, "documents/thing") == library.expected
    os.rename(scratch.root / "thing", scratch.outside / "thing")
    (scratch.root / "link").symlink_to("../outside/thing")
    (scratch.root / "up").symlink_to("../outside")
    scratch.remember()  # and after the test all is as it is now
    with pytest.raises(library.refusal):
        library.read(fs, f"documents/{planted}")
    if library.replaces and planted == "link":
        library.write(fs, "documents/link")
        assert not (scratch.root / "link").is_symlink()
        assert library.read(fs, "documents/link") == library.expected
    else:
        with pytest.raises(library.refusal):
            library.write(fs, f"documents/{planted}")


def test_a_link_to_nothing_makes_nothing_outside(
    library: Library, fs: SafeFileSystem, scratch: Scratch
) -> None:
    (scratch.root / "link").symlink_to("../outside/new")
    if library.replaces:
        library.write(fs, "documents/link")
    else:
        with pytest.raises(library.refusal):
            library.write(fs, "documents/link")
    assert not (scratch.outside / "new").exists()
