"""``safefs fuzz``: the card of someone's storage, and what is said to those who name none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.registry import known_implementations

from safefs.cli import main
from safefs.testing import confinement, fuzz, jail
from safefs.testing.card import CLASSES, Examination
from safefs.testing.trial import Result
from tests import comparison
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

needs_jail = pytest.mark.skipif(jail.kind() is None, reason="needs a jail")
pytestmark = [needs_jail, pytest.mark.timeout(300)]

DOCUMENT = comparison.DOCUMENT

MINE = """\
    import os, time
    from pathlib import Path
    from safefs import Root
    from safefs.testing import Subject

    print("imported")
    number = 3

    class Leaks(Subject):
        def __init__(self, root):
            self.root = root

        def read(self, path):
            print("read", path)
            return (self.root / path).read_bytes()

    class Contains(Leaks):
        def read(self, path):
            with Root(self.root) as root:
                return root.read_bytes(path)

    def nothing(root):
        raise RuntimeError("not today")
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with modules in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(textwrap.dedent(MINE))
    return tmp_path


def _fuzzed(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["fuzz", "--examples", "3", *arguments])
    said = capfd.readouterr()
    return status, said.out, said.err


def test_a_card_says_class_by_class_what_got_out(
    mine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the subject prints is no part of it."""
    status, out, _ = _fuzzed(capfd, "mine:Leaks")
    lines = out.splitlines()
    assert status == 1
    assert lines[0] == f"mine:Leaks: escaped (jail: {jail.kind()})"
    example = "escaped: read('../outside/secret'): returned the content of outside/secret"
    assert f"dot-dot               read    {example}" in lines
    assert "dot-dot               write   not offered" in lines
    assert len(lines) == 3 + sum(len(each.groups) for each in CLASSES)
    assert re.fullmatch(r"\d+ cases tried; safefs \S+, hypothesis \S+, .*python \S+", lines[-1])
    assert "imported" not in out


def test_what_is_contained_ends_in_0(mine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, out, _ = _fuzzed(capfd, "mine:Contains")
    assert (status, out.splitlines()[0]) == (0, f"mine:Contains: contained (jail: {jail.kind()})")


def test_a_card_can_be_had_as_json(mine: Path, capfd: pytest.CaptureFixture[str]) -> None:
    status, out, _ = _fuzzed(capfd, "--json", "mine:Leaks")
    card: dict[str, Any] = json.loads(out)
    assert (status, card["target"], card["verdict"]) == (1, "mine:Leaks", "escaped")
    assert card["results"][1] == {
        "attack": "dot-dot",
        "about": "`..` in the path",
        "access": "read",
        "result": "escaped",
        "example": "read('../outside/secret'): returned the content of outside/secret",
        "operations": ["read"],
        "not_verified": {},
        "cases": card["results"][1]["cases"],
    }
    assert card["cases"] == sum(result["cases"] for result in card["results"]) > 0
    assert set(card["versions"]) == {"safefs", "hypothesis", "fsspec", "python"}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nosuch.module:thing", "nosuch.module cannot be imported: ModuleNotFoundError"),
        ("mine:nosuch", "mine has no nosuch"),
        ("mine:number", "mine:number cannot be called: it is a int"),
        ("mine:", "'mine:' names no factory: say which one, mine:FACTORY"),
        ("mine", "'mine' is a module here: say which factory, mine:FACTORY"),
        ("./mine:Leaks", "'./mine' is no name of a module: write it as in an import, mine:Leaks"),
        ("lacking", "the package of 'lacking' is missing: Install lacking-fs"),
        ("broken:thing", "broken cannot be imported: ZeroDivisionError: division by zero"),
        ("", "'' is neither module:factory nor an fsspec protocol"),
        (":thing", "':thing' is neither module:factory nor an fsspec protocol"),
        ("nosuch", "'nosuch' is no protocol of fsspec"),
        ("dir::nosuch://", "'nosuch' is no protocol of fsspec"),
        ("dir::", "'dir::' lacks a protocol after '::'"),
        ("dir::file::", "'dir::file::' lacks a protocol after '::'"),
        ("dir::::file", "'dir::::file' lacks a protocol after '::'"),
        ("file:///tmp", "'file:///tmp' has a path; give the protocol alone"),
        ("dir::file:///tmp", "has a path; give the protocol alone"),
    ],
)
def test_a_target_that_names_nothing_is_one_line_and_2(
    target: str,
    said: str,
    mine: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (mine / "broken.py").write_text("1 / 0")
    lacking = {"class": "nosuch_package.Fs", "err": "Install lacking-fs"}
    monkeypatch.setitem(known_implementations, "lacking", lacking)
    status, out, err = _fuzzed(capfd, target)
    lines = [line for line in err.splitlines() if line != "imported"]
    assert (status, out, len(lines)) == (2, "", 1), err
    assert lines[0].startswith("safefs: ")
    assert said in lines[0]


@pytest.mark.parametrize("option", [["--examples", "0"], ["--seconds", "-1"], ["--seconds", "x"]])
def test_a_count_that_is_none_is_one_line_and_2(
    option: Sequence[str], capfd: pytest.CaptureFixture[str]
) -> None:
    status, out, err = _fuzzed(capfd, *option, "file")
    assert (status, out, len(err.splitlines())) == (2, "", 1)


def test_a_module_that_does_not_end_or_dies_when_imported_is_a_bad_subject(
    mine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (mine / "sleepy.py").write_text("import time; time.sleep(1000)")
    (mine / "deadly.py").write_text("import os; os._exit(7)")
    status, out, _ = _fuzzed(capfd, "--seconds", "1", "sleepy:thing")
    assert (status, out.splitlines()[0]) == (1, f"sleepy:thing: hung (jail: {jail.kind()})")
    (mine / "deaf.py").write_text(
        "import signal, time\n"
        "for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):\n"
        "    signal.signal(number, signal.SIG_IGN)\n"
        "time.sleep(1000)"
    )
    status, out, _ = _fuzzed(capfd, "--seconds", "1", "deaf:thing")
    assert (status, out.splitlines()[0]) == (1, f"deaf:thing: hung (jail: {jail.kind()})")
    status, out, _ = _fuzzed(capfd, "deadly:thing")
    assert (status, out.splitlines()[0]) == (1, f"deadly:thing: died (jail: {jail.kind()})")
    assert "died: at import: exit status 7" in out
    (mine / "leaves.py").write_text("raise SystemExit(3)")
    status, out, _ = _fuzzed(capfd, "leaves:thing")
    assert (status, len(out.splitlines())) == (1, 3)
    assert "died: at import: SystemExit: 3" in out


def test_what_a_subject_prints_reaches_the_terminal_as_text(
    mine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (mine / "loud.py").write_text(r"print('\x1b[31mred\x07')" + "\nraise SystemExit(3)")
    _, out, err = _fuzzed(capfd, "loud:thing")
    assert r"\x1b[31mred\x07" in err
    assert "\x1b" not in out + err


def test_an_operation_that_has_a_bug_is_said_with_its_cause(
    mine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = "import mine\nclass Storage(mine.Contains):\n    def write(self, path): pass\n"
    (mine / "bug.py").write_text(code)
    status, out, _ = _fuzzed(capfd, "bug:Storage")
    assert status == 1
    assert "(not verified: write('n') raised TypeError: " in out.splitlines()[1]


def test_a_jail_that_is_not_to_be_had_after_all_is_said_and_nothing_is_run(
    mine: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confinement, "_mount_all_read_only_but", lambda *_, **__: None)
    monkeypatch.setattr(confinement, "_give_up_root", lambda *_, **__: None)
    status, out, _ = _fuzzed(capfd, "mine:Leaks")
    assert status == 1
    assert "not run: no jail" in out


def test_a_subject_that_cannot_be_made_is_no_subject_and_that_is_said_once(
    mine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = _fuzzed(capfd, "mine:nothing")
    assert status == 1
    head, line, _ = out.splitlines()
    assert head.startswith("mine:nothing: no subject")
    assert line.endswith("no subject: RuntimeError: not today")


def test_a_module_is_imported_in_the_jail_and_nowhere_else(
    mine: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    victim = mine / "victim"
    victim.write_text("precious")
    (mine / "harmful.py").write_text(f"open({str(victim)!r}, 'w').write('spoilt')")
    status, _, err = _fuzzed(capfd, "harmful:thing")
    assert status == 2
    assert "harmful cannot be imported: OSError: [Errno 30] Read-only file system" in err or (
        "PermissionError" in err
    )
    assert victim.read_text() == "precious"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("file", "escaped: read('../outside/secret'): returned the content of outside/secret"),
        ("file://", "escaped: read('../outside/secret'): returned the content of outside/secret"),
        ("dir::file", "contained"),
        ("safefs", "contained"),
        ("memory", "refuses everything: read('f') raised FileNotFoundError: "),
    ],
)
def test_an_fsspec_protocol_gets_the_root_of_the_kit(target: str, said: str) -> None:
    make = fuzz.factory(target, Path.cwd())
    with Examination(make, examples=10, seconds=60) as examination:
        assert str(examination.result("dot-dot", "read")).startswith(said)


def test_without_hypothesis_it_says_how_to_get_it() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from safefs.cli import main; sys.exit(main(['fuzz', 'file']))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    said = "safefs: fuzz needs the extra 'testing'; get it with: pip install hypothesis pytest\n"
    assert (run.returncode, run.stdout, run.stderr) == (1, "", said)


# -- docs/comparison.md --------------------------------------------------------------------------


def _table() -> list[list[str]]:
    lines = DOCUMENT.read_text("utf-8").splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]


def test_the_comparison_has_every_class_and_every_subject() -> None:
    head, rule, *rows = _table()
    assert head[1:] == [entry.name for entry in comparison.ENTRIES]
    assert rule == ["---"] * (1 + len(comparison.ENTRIES))
    assert [row[0] for row in rows] == [f"{each.name}: {each.about}" for each in CLASSES]
    assert {len(row) for row in rows} == {len(head)}


def test_what_the_comparison_says_of_safefs_is_so(counted: Callable[..., None]) -> None:
    began = time.monotonic()
    examples = {"dev": 2, "ci": 2, "prove": 200}[PROFILE]
    card = fuzz.examined("safefs.Disk", comparison.ENTRIES[0].load, examples=examples, seconds=300)
    cases = sum(result.examples for result in card.results)
    escapes = sum(result.ending == "escaped" for result in card.results)
    seconds = time.monotonic() - began
    counted("safefs fuzz on a Disk", f"{cases:,} cases", seconds=seconds, escapes=escapes)
    measured = [row[1] for row in list(comparison.table([card]))[2:]]
    assert [row[1] for row in _table()[2:]] == measured
    assert set(measured) == {"contained"}


def test_a_cell_of_the_comparison_tells_the_groups_apart() -> None:
    def of(**endings: Any) -> list[Result]:
        return [Result("x", group, ending) for group, ending in endings.items()]  # type: ignore[arg-type]

    assert comparison.cell(of(read="contained", write="contained")) == "contained"
    assert comparison.cell(of(read="contained", write="not offered")) == "contained"
    assert comparison.cell(of(read="not offered", delete="not offered")) == "-"
    assert (
        comparison.cell(of(read="escaped", write="escaped", delete="contained"))
        == "**escaped**: read, write; contained: delete"
    )
