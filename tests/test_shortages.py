"""What the system itself says when there is no more of something, and what is left then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from safefs.operations import replace
from safefs.testing import shortages
from safefs.testing.mounts import in_own_mounts, may_mount
from safefs.testing.undertakings import Undertaking, each_resolver
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from safefs.testing.faults import Faults
    from safefs.testing.shortages import Chosen

    Survey = Callable[[Path, Chosen, int], Faults]

pytestmark = [pytest.mark.usefixtures("untraced"), pytest.mark.timeout(900)]

FULL = PROFILE == "prove"
# (what runs out, of how many amounts one is tried in `make test`)
SHORTAGES: list[tuple[Survey, int]] = [
    (shortages.full_of_bytes, 9),
    (shortages.full_of_inodes, 2),
    (shortages.turned_read_only, 9),
]


def _chosen() -> list[tuple[Undertaking, str]]:
    return list(each_resolver())[:: 1 if FULL else 3]


def _said(found: Faults) -> dict[str, Any]:
    """What comes back from a child."""
    return {
        "runs": found.combinations,
        "failed": found.failed,
        "left": found.left,
        "seconds": found.seconds,
        "wrong": found.wrong,
    }


def _count(what: str, found: dict[str, Any], counted: Callable[..., None]) -> None:
    assert "failure" not in found, found["failure"]
    assert not found["wrong"], "\n".join(found["wrong"][:20])
    assert found["failed"] > 10, "there must have been too little"
    assert found["runs"] > found["failed"], "there must have been enough in the end"
    counted(
        what,
        f"{found['runs']:,} runs, {found['failed']:,} of which failed as they should",
        seconds=found["seconds"],
        disagreements=len(found["wrong"]),
    )


@pytest.mark.skipif(not may_mount(), reason="needs the right to mount")
@pytest.mark.parametrize(
    ("survey", "every"), SHORTAGES, ids=lambda each: getattr(each, "__name__", "")
)
def test_a_real_shortage_loses_nothing_and_leaves_nothing(
    survey: Survey, every: int, tmp_path: Path, counted: Callable[..., None]
) -> None:
    """Of a file system that has turned read-only, what is left is swept up when it can be again."""
    found = in_own_mounts(lambda: _said(survey(tmp_path, _chosen(), 1 if FULL else every)))
    _count(survey.__name__.replace("_", " "), found, counted)


def test_want_of_descriptors_loses_nothing_and_leaves_nothing(
    tmp_path: Path, counted: Callable[..., None]
) -> None:
    found = _said(shortages.out_of_descriptors(tmp_path, _chosen()))
    _count("out of descriptors", found, counted)


def test_a_draft_that_is_left_in_want_of_descriptors_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Someone who needs one more to clear up."""
    monkeypatch.setattr(replace.Draft, "discard", lambda _: None)
    chosen = [(each, name) for each, name in each_resolver("copy a large file", "prepend")]
    found = shortages.out_of_descriptors(tmp_path, chosen)
    assert any("left behind" in said for said in found.wrong)
