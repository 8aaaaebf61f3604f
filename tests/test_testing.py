"""safefs.testing: what it says to those who have not got it right yet."""

from __future__ import annotations

import subprocess
import sys

import pytest

from safefs import Storage


@pytest.mark.parametrize("memory", [True, False])
def test_a_fake_takes_a_list_of_disks_and_no_word(memory: bool) -> None:
    """Or "uploads" would be seven disks, one for each letter."""
    with pytest.raises(TypeError, match=r"a list of names: disks=\['uploads'\]"):
        Storage.fake(memory=memory, disks="uploads")


def test_without_pytest_it_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "try: from safefs.testing import DiskConformance\n"
        "except ImportError as error: print(error.name, error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60
    )
    assert said.stdout.startswith("pytest DiskConformance needs pytest")
    assert said.stdout.endswith("pip install pytest\n")
