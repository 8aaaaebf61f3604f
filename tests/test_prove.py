"""The end of ``make prove``: the word PROVED is for the whole, and for nothing less."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.counts import Count
from tests.prove import __main__ as prove

if TYPE_CHECKING:
    from pathlib import Path

ROW = Count("exhaustion", "3 cases", 1.0, 0, 0)
PARTS = [part for lane in prove.lanes(1) for part in lane]


def _ended(part: prove.Part, status: int = 0, *rows: Count) -> prove.Ending:
    return prove.Ending(part, status, 1.0, list(rows))


def test_proved_is_said_of_all_parts_that_ended_well() -> None:
    assert prove.verdict([_ended(part, 0, ROW) for part in PARTS], len(PARTS)) == "PROVED"


@pytest.mark.parametrize(
    "last",
    [
        _ended(PARTS[-1]),
        _ended(PARTS[-1], 1, ROW),
        _ended(PARTS[-1], 0, ROW, ROW._replace(escapes=1)),
        _ended(PARTS[-1], 0, ROW._replace(disagreements=1)),
    ],
    ids=["counted nothing", "failed", "an escape", "a disagreement"],
)
def test_proved_is_not_said_where_one_part(last: prove.Ending) -> None:
    assert last.failed
    endings = [*(_ended(part, 0, ROW) for part in PARTS[:-1]), last]
    assert prove.verdict(endings, len(PARTS)) == "NOT PROVED"


def test_some_parts_alone_prove_nothing() -> None:
    assert prove.verdict([_ended(PARTS[0], 0, ROW)], len(PARTS)).endswith("NOT PROVED")
    assert prove.verdict([], len(PARTS)).endswith("NOT PROVED")


def test_a_part_that_there_is_not_is_no_choice(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        prove.main(["--only", "nosuch"])
    assert ended.value.code == 2
    assert "invalid choice: 'nosuch'" in capsys.readouterr().err


@pytest.mark.parametrize("left", ["", "[]"])
def test_a_part_that_leaves_no_findings_has_failed(left: str, tmp_path: Path) -> None:
    program = f"import sys; {left!r} and open(sys.argv[1], 'w').write({left!r})"
    words = (sys.executable, "-c", program, "{json}")
    assert prove.run(prove.Part("idle", words, prove._fuzzing), tmp_path).failed


def test_what_a_failed_part_said_is_told_as_it_ends_and_all_of_it_stays_in_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bytes that are no text, too; and of a long speech only the end is printed."""
    program = "import os; print(*range(1000), sep='\\n', flush=True); os.write(2, b'\\xff!'); 1 / 0"
    part = prove.Part("loud", (sys.executable, "-c", program), prove._fuzzing)
    assert prove.run(part, tmp_path).status == 1
    told, file = capsys.readouterr().out, tmp_path / "loud.txt"
    assert f"loud: begun; what it says is in {file}\nloud: FAILED (1) after " in told
    assert "\n999\n\ufffd!" in told
    assert "ZeroDivisionError" in told
    assert "\n500\n" not in told
    assert file.read_bytes().startswith(b"0\n1\n2\n")


def test_what_a_part_has_said_stays_in_its_file_though_the_part_is_killed(tmp_path: Path) -> None:
    program = "import os, signal; print('so far'); os.kill(os.getpid(), signal.SIGKILL)"
    part = prove.Part("killed", (sys.executable, "-c", program), prove._fuzzing)
    assert prove.run(part, tmp_path).status == -9
    assert (tmp_path / "killed.txt").read_text() == "so far\n"
