"""The mutants themselves: that each can be made, and that the runner tells what it should.

No mutant of safefs is run here; ``make mutants`` does. The runner is tried on a small project with
a safefs of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from safefs.testing import jail
from tests.mutants import __main__ as program
from tests.mutants.catalogue import CATALOGUE, EVERYTHING, LEFT_OUT
from tests.mutants.judge import BaselineError, Court, Outcome
from tests.mutants.mutant import Edit, Mutant, StaleMutantError, mutant
from tests.mutants.trial import LATE, PROJECT, Verdict, _judged, trial

if TYPE_CHECKING:
    from pathlib import Path

needs_jail = pytest.mark.skipif(jail.kind() is None, reason="needs a jail")


# -- the catalogue -----------------------------------------------------------------------------


def test_there_are_mutants_enough_and_each_has_its_own_name_and_a_reason() -> None:
    names = [mutant.name for mutant in CATALOGUE]
    assert len(names) >= 15
    assert len(set(names)) == len(names)
    assert all(mutant.why and mutant.first for mutant in CATALOGUE)


@pytest.mark.parametrize("each", CATALOGUE, ids=lambda each: each.name)
def test_a_mutant_can_be_made_and_is_python(each: Mutant) -> None:
    """Text only: it is compiled, and neither imported nor run."""
    for file, text in each.applied(PROJECT).items():
        assert text != (PROJECT / file).read_text("utf-8")
        compile(text, file, "exec")


def test_every_test_that_is_named_is_there() -> None:
    named = {test for mutant in CATALOGUE for test in mutant.first}
    for test in named | set(EVERYTHING) | set(LEFT_OUT):
        file, _, function = test.partition("::")
        name = function.partition("[")[0].rpartition("::")[2]
        assert f"def {name}" in (PROJECT / file).read_text("utf-8"), test


def test_a_mutant_whose_text_is_gone_or_there_twice_is_stale() -> None:
    edit = Edit("file", "x = 1", "x = 2")
    assert edit.applied("y\nx = 1\n") == "y\nx = 2\n"
    for text in ("x = 3", "x = 1\nx = 1\n"):
        with pytest.raises(StaleMutantError):
            edit.applied(text)


# -- the runner --------------------------------------------------------------------------------

_SAFEFS = "LIMIT = 40\n\ndef above(n):\n    return n > LIMIT\n"
_TESTS = """
import pytest
import safefs

def test_forty_is_allowed():
    assert not safefs.above(40)

def test_a_hundred_is_not():
    assert safefs.above(100)
"""
_OWN = ("tests/test_it.py",)


@pytest.fixture
def court(tmp_path: Path) -> Court:
    """A project whose tests see nothing between 40 and 100."""
    for name, text in {
        "safefs/__init__.py": _SAFEFS,
        "tests/test_it.py": _TESTS,
        "pyproject.toml": "[tool.pytest.ini_options]\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return Court(_OWN, project=tmp_path, jobs=2)


def _mutant(old: str, new: str) -> Mutant:
    return mutant(new, "why not", "safefs/__init__.py", old, new, *_OWN)


def _outcomes(court: Court, *mutants: Mutant) -> list[Outcome]:
    return list(court.outcomes(mutants))


@needs_jail
def test_a_mutant_is_killed_survives_or_is_an_error_and_the_runner_says_which(
    court: Court,
) -> None:
    """What the interpreter refuses, no test has noticed: it is an error, and so is a stale one."""
    killed, importing, naming, stale, survived = _outcomes(
        court,
        _mutant("LIMIT = 40", "LIMIT = 39"),
        _mutant("LIMIT = 40", "import nothing_of_this_name"),
        _mutant("n > LIMIT", "n > LIMITS"),
        _mutant("LIMIT = 41", "LIMIT = 42"),
        _mutant("LIMIT = 40", "LIMIT = 41"),
    )
    assert str(killed).startswith(
        "LIMIT = 39: killed by tests/test_it.py::test_forty_is_allowed in"
    )
    assert [each.ending for each in (importing, naming, stale)] == ["ERROR"] * 3
    assert "nothing_of_this_name" in importing.said
    assert "0 places read" in stale.said
    assert survived.ending == "SURVIVED"
    assert str(survived).startswith("LIMIT = 41: SURVIVED")


@needs_jail
def test_a_mutant_that_hangs_is_killed_by_the_test_that_it_hangs_in(court: Court) -> None:
    impatient = _TESTS.replace("def test_forty", "@pytest.mark.timeout(1)\ndef test_forty")
    (court.project / _OWN[0]).write_text(impatient)
    hanging = _mutant("    return n > LIMIT", "    while n == 40: pass")
    verdict = trial(hanging, _OWN, project=court.project, seconds=60)
    assert verdict.by == "tests/test_it.py::test_forty_is_allowed"
    assert (verdict.ending, verdict.said) == ("failed", "ran out of time")


def _told_in_turn(monkeypatch: pytest.MonkeyPatch, *said: str) -> list[dict[str, Any]]:
    """What each run of a mutant is to end in (killed, with these words; or passed, without)."""
    asked: list[dict[str, Any]] = []
    endings = iter(said)

    def run(mutant: Mutant | None, *_: object, **options: Any) -> Verdict:
        if mutant is None:
            return Verdict("passed", "", "", 1, 2)
        asked.append(options)
        words = next(endings)
        return Verdict("failed" if words else "passed", "test_x" if words else "", words, 1)

    monkeypatch.setattr("tests.mutants.judge.trial", run)
    return asked


@pytest.mark.parametrize("hangs", [False, True])
def test_a_mutant_that_is_late_twice_is_killed_only_if_it_is_one_that_hangs(
    hangs: bool, court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _told_in_turn(monkeypatch, LATE, LATE)
    [outcome] = _outcomes(court, replace(_mutant("LIMIT = 40", "LIMIT = 39"), hangs=hangs))
    assert outcome.ending == ("killed" if hangs else "ERROR")
    assert ("undecided: test_x ran out of time twice" in str(outcome)) is not hangs
    once, again = asked
    assert again["seconds"] > once["seconds"]
    assert again["longest"] > once["longest"]


def test_a_mutant_that_is_late_once_is_judged_by_what_it_does_alone(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    _told_in_turn(monkeypatch, LATE, "AssertionError: no")
    [outcome] = _outcomes(court, _mutant("LIMIT = 40", "LIMIT = 39"))
    assert (outcome.ending, outcome.said) == ("killed", "AssertionError: no")
    _told_in_turn(monkeypatch, LATE, "", "")
    [outcome] = _outcomes(court, _mutant("LIMIT = 40", "LIMIT = 39"))
    assert outcome.ending == "SURVIVED"


def test_a_run_that_is_ended_names_the_test_that_was_running(tmp_path: Path) -> None:
    told = {"running": "tests/test_it.py::test_forty_is_allowed", "passed": 3}
    verdict = _judged(124, "", told, tmp_path, 60)
    assert (verdict.ending, verdict.by) == ("failed", told["running"])
    assert _judged(124, "", {}, tmp_path, 60).ending == "broken", "it had not begun"


@needs_jail
def test_nothing_is_shown_where_a_test_fails_on_the_sound_copy(
    court: Court, capsys: pytest.CaptureFixture[str]
) -> None:
    test = court.project / _OWN[0]
    test.write_text(f"{_TESTS}\ndef test_never():\n    assert False\n")
    with pytest.raises(BaselineError, match="test_never"):
        _outcomes(court, _mutant("LIMIT = 40", "LIMIT = 39"))
    assert program.main(["--only", CATALOGUE[0].name], court=court) == 2
    assert "nothing is shown" in capsys.readouterr().out


@needs_jail
def test_a_test_that_is_left_out_is_not_run(court: Court) -> None:
    test = court.project / _OWN[0]
    test.write_text(f"{_TESTS}\ndef test_never():\n    assert False\n")
    assert trial(None, _OWN, project=court.project, seconds=60).ending == "failed"
    left_out = ["tests/test_it.py::test_never"]
    sound = trial(None, _OWN, project=court.project, left_out=left_out, seconds=60)
    assert (sound.ending, sound.passed) == ("passed", 2)


@needs_jail
def test_a_copy_that_is_not_what_was_imported_shows_nothing(court: Court) -> None:
    """As where the tests are installed ones, and find the installed safefs."""
    test = court.project / _OWN[0]
    test.write_text(f"import sys\nsys.path.insert(0, {str(PROJECT)!r})\n{_TESTS}")
    verdict = trial(None, _OWN, project=court.project, seconds=60)
    assert verdict.ending == "broken"
    assert "not the copy was imported" in verdict.said


@needs_jail
def test_what_is_run_can_write_nothing_but_its_copy(court: Court, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch()
    writing = f"\ndef test_writing():\n    open({str(victim)!r}, 'w')\n"
    (court.project / _OWN[0]).write_text(_TESTS + writing)
    verdict = trial(None, _OWN, project=court.project, seconds=60)
    assert verdict.by == "tests/test_it.py::test_writing"
    assert verdict.said.startswith(("OSError: [Errno 30]", "PermissionError"))


def test_without_a_jail_nothing_is_run(
    court: Court, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(jail, "kind", lambda: None)
    monkeypatch.setattr("tests.mutants.trial.lay", lambda *_: pytest.fail("it was laid out"))
    with pytest.raises(jail.JailUnavailable):
        trial(None, _OWN, project=court.project, seconds=60)
    assert program.main([], court=court) == 2
    assert "no mutant is run" in capsys.readouterr().out
