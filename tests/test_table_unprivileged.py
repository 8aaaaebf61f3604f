"""The whole table once more as a user who may do little, and may hold few descriptors open.

Root ignores permission bits, so much that fails for a user only passes for root.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from safefs.testing.scratch import Scratch
from tests import layouts
from tests.attackers import NOBODY, in_child


@pytest.mark.parametrize("word", ["openat2", "walk"])
def test_the_table_holds_for_uid_65534_with_256_descriptors(word: str) -> None:
    """As root this gives up root; otherwise it runs as whoever runs the tests."""
    with tempfile.TemporaryDirectory(prefix="safefs-table-") as name:  # pytest's own is 0700
        if os.geteuid() == 0:
            os.chown(name, NOBODY, NOBODY)

        def table() -> list[str]:
            scratch = Scratch.make(Path(name))
            problems = layouts.run_all(scratch, word)
            shutil.rmtree(scratch.top)
            return problems

        problems = in_child(table, uid=NOBODY, descriptors=256, seconds=100)
    assert not problems, "\n".join(problems)
