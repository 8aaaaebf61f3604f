"""An error of the operating system at each single call, and what it leaves."""

from __future__ import annotations

import errno
import inspect
import os
from typing import TYPE_CHECKING, Any

import pytest

from safefs.kernel import syscalls
from safefs.operations import replace
from safefs.testing import faults, interposing
from safefs.testing.faults import FAULTS, Fault
from safefs.testing.undertakings import NEW, Undertaking, World, each_resolver
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.scratch import Scratch

pytestmark = [pytest.mark.usefixtures("untraced"), pytest.mark.timeout(1800)]

EVERY = {"dev": 100, "ci": 10, "prove": 1}[PROFILE]  # so many combinations
PARTS = 4  # of the table, for as many processes


@pytest.mark.parametrize("part", range(PARTS))
def test_no_fault_at_any_call_loses_or_leaves_anything(
    part: int, counted: Callable[..., None]
) -> None:
    found = faults.survey(list(each_resolver())[part::PARTS], every=EVERY)
    assert not found.wrong, "\n".join(found.wrong[:20])
    anywhere = {fault.name for fault in FAULTS if fault.may_meet("open")}
    assert found.by_fault.keys() >= anywhere | {"short", "short each time"}
    assert found.combinations >= 100
    counted(
        f"faults, part {part + 1} of {PARTS}",
        f"{found.combinations:,} combinations ({len(found.undertakings)} undertakings, each call, "
        f"{len(found.by_fault)} faults), {found.failed:,} reported, "
        f"{found.passed.total():,} done without",
        seconds=found.seconds,
        disagreements=len(found.wrong),
    )


@pytest.mark.parametrize("after", range(len(NEW) + 1))
@pytest.mark.parametrize("durable", [False, True])
def test_a_source_that_fails_after_any_chunk_leaves_everything_as_it_was(
    after: int, durable: bool, scratch: Scratch, resolver: str
) -> None:
    """Its own error comes as it is, with no path of ours put into it."""
    raised = OSError(errno.EIO, "the source is gone", "its own name")

    def source() -> Iterator[bytes]:
        yield from NEW[:after]
        raise raised

    from safefs import Disk

    with Disk(scratch.root) as disk:
        disk.put("f", b"old")
        for path in ("f", "new"):
            with pytest.raises(OSError, match="the source is gone") as caught:
                disk.put(path, source(), durable=durable)
            assert caught.value is raised
            assert raised.filename == "its own name"
    assert {entry.name: entry.read_bytes() for entry in scratch.root.iterdir()} == {"f": b"old"}


# -- the kit itself --------------------------------------------------------------------------------


def test_how_each_call_of_the_kernel_layer_answers_is_known() -> None:
    """One that is added and answers in its own way must be added to the kit, too."""
    special = interposing.ANSWERING | interposing.YES_OR_NO | interposing.UNFAILING
    own = {
        name
        for name, value in vars(syscalls).items()
        if inspect.isfunction(value) and name[0] != "_" and value.__module__ == syscalls.__name__
    }
    assert own - {"open_how"} == special


def _strike(act: Callable[[World], object], fault: Fault, *, whole: bool = True) -> list[str]:
    broken = Undertaking("broken", act, ("d/small",), whole)
    return faults.survey([(broken, "openat2")], [fault]).wrong


NO_SPACE = Fault("ENOSPC", errno.ENOSPC)


def _put(world: World) -> None:
    world.one.put("d/small", iter(NEW))


def test_a_put_that_forgets_its_draft_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replace.Draft, "discard", lambda _: None)
    assert any("left behind: " in said for said in _strike(_put, NO_SPACE))


def test_a_put_that_forgets_a_descriptor_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten = []

    def forget(draft: replace.Draft) -> None:
        forgotten.append(draft.fd)
        draft.discard()

    monkeypatch.setattr(replace.Draft, "close", forget)
    wrong = _strike(_put, NO_SPACE)
    for fd in forgotten:
        os.close(fd)
    assert any("descriptors became" in said for said in wrong)


def test_a_put_that_takes_a_short_write_for_a_whole_one_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replace, "write_all", lambda fd, data, _: syscalls.write(fd, data))
    wrong = _strike(_put, Fault("short"))
    assert any("it succeeded, and did not do what it does" in said for said in wrong)


def test_an_error_that_nobody_is_told_of_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def act(world: World) -> None:
        try:
            _put(world)
        except OSError:
            world.one.put("d/small", b"".join(NEW))

    assert any("told nobody of the error" in said for said in _strike(act, NO_SPACE))


def test_another_error_than_the_one_that_was_given_is_found_out() -> None:
    def act(world: World) -> None:
        try:
            _put(world)
        except OSError as error:
            raise OSError(errno.EIO, "something went wrong") from error

    assert any("it raised OSError(5" in said for said in _strike(act, NO_SPACE))


def test_an_error_about_a_name_of_our_own_is_found_out() -> None:
    def act(world: World) -> None:
        try:
            _put(world)
        except OSError as error:
            error.filename = ".safefs-0123456789abcdef.tmp"
            raise

    assert any("the error is about '.safefs-" in said for said in _strike(act, NO_SPACE))


def test_a_change_that_was_made_all_the_same_is_found_out() -> None:
    def act(world: World) -> None:
        world.one.stat("d/small")
        error: Any = None
        try:
            world.one.stat("d/large")
        except OSError as caught:
            error = caught
        with open(f"{world.paths[0]}/d/small", "wb") as file:
            file.write(b"new")
        if error is not None:
            error.filename = "d/small"
            raise error

    assert any("and yet something was changed" in said for said in _strike(act, NO_SPACE))
