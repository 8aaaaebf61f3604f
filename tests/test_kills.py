"""A writer is killed before each single system call, and what it leaves is looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safefs.operations import replace
from safefs.testing import kills
from safefs.testing.interposing import Undisturbed
from safefs.testing.undertakings import UNDERTAKINGS, Undertaking, World, each_resolver
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.usefixtures("untraced"), pytest.mark.timeout(1800)]

EVERY = {"dev": 40, "ci": 8, "prove": 1}[PROFILE]  # so many calls; all in the end
PARTS = 4  # of the table, for as many processes


@pytest.mark.parametrize("part", range(PARTS))
def test_a_writer_that_is_killed_before_any_call_leaves_every_file_old_or_new(
    part: int, counted: Callable[..., None]
) -> None:
    """Nothing else but temporary names, which ``sweep`` removes: locks end with their holder."""
    chosen = list(each_resolver())[part::PARTS]
    found = kills.survey(chosen, every=EVERY)
    assert not found.wrong, "\n".join(found.wrong[:20])
    assert found.kills >= sum(found.points.values()) // EVERY - len(found.points)
    assert found.left, "some must have been killed in the middle"
    counted(
        f"kills, part {part + 1} of {PARTS}",
        f"{found.kills:,} kill points of {sum(found.points.values()):,} "
        f"({len(found.points)} undertakings and resolvers), {found.left:,} left temporary names",
        seconds=found.seconds,
        disagreements=len(found.wrong),
    )


def test_the_names_of_undertakings_are_their_own() -> None:
    names = [each.name for each in UNDERTAKINGS]
    assert len(names) == len(set(names))


# -- the kit itself --------------------------------------------------------------------------------


def _kill(act: Callable[[World], object], *, whole: bool = True) -> list[str]:
    broken = Undertaking("broken", act, ("d/small",), whole)
    return kills.survey([(broken, "openat2")]).wrong


def _in_place(world: World) -> None:
    world.root.write_bytes("d/small", b"new")


def test_a_write_in_place_is_found_out() -> None:
    assert any("d/small is neither old nor new" in said for said in _kill(_in_place))


def test_a_file_that_is_removed_before_its_copy_is_there_is_found_out() -> None:
    def act(world: World) -> None:
        content = world.one.get("d/small")
        world.one.delete("d/small")
        world.one.put("d/moved", content)

    assert any(
        said.endswith("lost: b'd/small of old, and small\\n'") for said in _kill(act, whole=False)
    )


def test_two_files_that_are_not_replaced_at_once_are_found_out() -> None:
    def act(world: World) -> None:
        world.one.put("d/small", b"new")
        world.one.put("d/large", b"new")

    assert any("some of it is old, and some of it new" in said for said in _kill(act))


def test_a_leftover_that_nobody_would_recognise_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replace, "temporary_name", lambda: b"small.part")
    wrong = _kill(lambda world: world.one.put("d/small", b"new"))
    assert any("d/small.part is neither old nor new" in said for said in wrong)


def test_a_leftover_that_is_not_swept_up_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safefs.disk.Disk.sweep", lambda *_, **__: [])
    wrong = _kill(lambda world: world.one.put("d/small", b"new"))
    assert any("not swept up: " in said for said in wrong)


def test_who_is_not_killed_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kills, "Killed", lambda _: Undisturbed())
    wrong = _kill(lambda world: world.one.put("d/small", b"new"))
    assert any("it was not killed, but ended with 0" in said for said in wrong)
