"""safefs.testing: what it says to those who have not got it right yet."""

from __future__ import annotations

import subprocess
import sys

import pytest

from safefs import Root, Storage, testing
from safefs.testing.scratch import Scratch, snapshot


@pytest.mark.parametrize("memory", [True, False])
def test_a_fake_takes_a_list_of_disks_and_no_word(memory: bool) -> None:
    """Or "uploads" would be seven disks, one for each letter."""
    with pytest.raises(TypeError, match=r"a list of names: disks=\['uploads'\]"):
        Storage.fake(memory=memory, disks="uploads")


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("DiskConformance", "pytest"), ("RootMachine", "hypothesis"), ("DiskMachine", "hypothesis")],
)
def test_without_what_it_needs_it_says_how_to_get_it(name: str, lacking: str) -> None:
    code = (
        f"import sys; sys.modules[{lacking!r}] = None\n"
        f"try: from safefs.testing import {name}\n"
        "except ImportError as error: print(error.name, error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60
    )
    assert said.stdout.startswith(f"{lacking} {name} needs the extra 'testing'")
    assert said.stdout.endswith("pip install hypothesis pytest\n")


def test_each_public_name_is_there_and_no_other() -> None:
    assert testing.__all__ == sorted(testing.__all__)
    for name in testing.__all__:
        assert getattr(testing, name).__module__.startswith("safefs.testing.")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        testing.nothing  # noqa: B018


def test_what_lies_deeper_than_a_path_can_be_is_still_seen_to_come(scratch: Scratch) -> None:
    """A subject that makes parents makes them where no judge can name them any more."""
    place = scratch.root
    with Root(place) as root:
        deep = f"{'a' * 31}/" * 126
        root.makedirs(deep)
        before = snapshot(place)
        root.write_bytes(f"{deep}f", b"spoilt")
        after = snapshot(place)
        (new,) = after.keys() - before.keys()
        assert len(new) > 4096
        assert after[new][-1] == b"spoilt"
        root.remove_tree("a" * 31)
