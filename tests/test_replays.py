"""Every published escape, replayed against Root on both resolvers."""

from __future__ import annotations

import dataclasses
import errno
import threading
from typing import TYPE_CHECKING

import pytest

from safefs.testing import replays
from safefs.testing.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import NoReturn

    from safefs.policy import Policy

CASES = replays.load()
RUNNABLE = [case for case in CASES if replays.runnable(case) is None]


def test_there_are_101_of_them_and_each_names_its_source() -> None:
    assert len(CASES) == 101
    assert len({case.id for case in CASES}) == 101
    assert all(case.source.startswith(("CVE-", "GHSA-", "https://")) for case in CASES)


def test_at_least_85_can_be_tried_here() -> None:
    assert len(RUNNABLE) >= 85


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_published_escape_ends_as_it_must(
    case: replays.Case,
    resolver: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    result = replays.replay(case, tmp_path)
    record_property("replay", resolver)
    record_property("replay-ran", result.skipped or "")
    if result.skipped:
        pytest.skip(result.skipped)
    assert result.passed, f"{case.summary}\n{case.source}: {result.tried}\n{result.failure}"
    assert result.said


# -- the judge bites: a replay that could not fail would prove nothing ---------------------------


class Puppet(replays.RootSubject):
    """Root, but for one operation that does as it is told. It reaches for nothing outside."""

    def __init__(self, directory: Path, policy: Policy, **does: Callable[..., object]) -> None:
        super().__init__(directory, policy)
        vars(self).update(does)


def _judged(name: str, tmp_path: Path, **does: Callable[..., object]) -> replays.Result:
    case = next(case for case in CASES if case.id == name)
    return replays.replay(case, tmp_path, subject=lambda at, policy: Puppet(at, policy, **does))


def test_an_answer_where_refusal_was_due_is_found_out(tmp_path: Path) -> None:
    result = _judged("dotdot-01", tmp_path, read=lambda _: b"harmless")
    assert result.failure == "ok (returned b'harmless') where refuse was due"
    assert not result.passed


def test_bytes_from_outside_are_found_out(tmp_path: Path) -> None:
    result = _judged("over-refusal-07", tmp_path, list=lambda _: ["a.txt", "OUTSIDE-SECRET\n"])
    assert str(result.failure).startswith("came back with something of the outside")


def test_a_name_from_outside_is_found_out(tmp_path: Path) -> None:
    result = _judged("over-refusal-07", tmp_path, list=lambda _: ["a.txt", "OUTSIDE-SENTINEL"])
    assert str(result.failure).startswith("came back with something of the outside")


def test_the_stat_of_something_outside_is_found_out(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.id == "metadata-oracle-01")
    case = dataclasses.replace(case, verdict="ok")
    base = Scratch.under(tmp_path / "unused").base.relative_to(tmp_path / "unused")
    secret = tmp_path / base / "outside" / "secret.txt"
    result = replays.replay(
        case, tmp_path, subject=lambda at, policy: Puppet(at, policy, stat=lambda _: secret.stat())
    )
    assert str(result.failure).startswith("came back with something of the outside")


def test_a_change_outside_is_found_out(tmp_path: Path) -> None:
    """The puppet changes its own scratch, by the scratch's own path."""

    def subject(at: Path, policy: Policy) -> Puppet:
        def write(*_: object, **__: object) -> None:
            (at.parent / "outside" / "victim.txt").chmod(0o600)
            raise PermissionError(errno.EACCES, "refused, but too late")

        return Puppet(at, policy, write=write)

    case = next(case for case in CASES if case.id == "dotdot-03")
    result = replays.replay(case, tmp_path, subject=subject)
    assert str(result.failure).startswith("changed outside the root")


def test_what_was_copied_in_is_found_out(tmp_path: Path) -> None:
    def subject(at: Path, policy: Policy) -> Puppet:
        def copy(*_: object) -> None:
            (at / "stolen.txt").write_text("OUTSIDE-SECRET\n")
            raise PermissionError(errno.EACCES, "refused, but too late")

        return Puppet(at, policy, copy=copy)

    case = next(case for case in CASES if case.id == "copy-through-link-02")
    assert replays.replay(case, tmp_path, subject=subject).failure == (
        "stolen.txt holds bytes from outside"
    )


def test_an_oracle_is_found_out(tmp_path: Path) -> None:
    def stat(path: str) -> NoReturn:
        raise PermissionError(errno.EACCES if "secret" in path else errno.EPERM, "refused")

    result = _judged("metadata-oracle-01", tmp_path, stat=stat)
    assert str(result.failure).startswith("tells what is there from what is not")


def test_a_hang_is_found_out(tmp_path: Path) -> None:
    case = dataclasses.replace(
        next(case for case in CASES if case.id == "special-file-01"), timeout_s=0.05
    )
    awake = threading.Event()
    result = replays.replay(
        case,
        tmp_path,
        subject=lambda at, policy: Puppet(at, policy, read=lambda _: awake.wait(10)),
    )
    awake.set()
    assert result.verdict == "hang"
    assert not result.passed


def test_a_crash_is_found_out(tmp_path: Path) -> None:
    result = _judged("dotdot-01", tmp_path, read=lambda _: 1 // 0)
    assert result.verdict == "crash"
    assert not result.passed


def test_an_unmet_expectation_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    kept = _judged("delete-through-link-03", tmp_path / "a", remove_all=lambda _: None)
    assert kept.failure == "root/t is still there"
    other = _judged("over-refusal-04", tmp_path / "b", read=lambda _: b"Q\n")
    assert other.failure == "returned b'Q\\\\n', not 'P\\n'"
