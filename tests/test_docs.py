"""The examples in the documents are run as they are printed, in a home of their own."""

from __future__ import annotations

import logging
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from safefs import Disk, EscapeError, InvalidPathError, PolicyError, Storage

PROJECT = Path(__file__).parent.parent
DOCUMENTS = (
    "README.md",
    "docs/bridge.md",
    "docs/disks.md",
    "docs/durability.md",
    "docs/fsspec.md",
    "docs/locks.md",
    "docs/pathlib.md",
    "docs/performance.md",
    "docs/policy.md",
    "docs/secrets.md",
    "docs/trees.md",
    "docs/watching.md",
)
REFUSALS = {f"# {kind.__name__}": kind for kind in (EscapeError, InvalidPathError, PolicyError)}


def _examples(document: str) -> list[tuple[str, str]]:
    parts = (PROJECT / document).read_text(encoding="utf-8").split("```python\n")[1:]
    return [(f"{document} {number}", part.split("```")[0]) for number, part in enumerate(parts, 1)]


def _refusal(line: str) -> type[Exception] | None:
    return next((kind for mark, kind in REFUSALS.items() if mark in line), None)


EXAMPLES = [example for document in DOCUMENTS for example in _examples(document)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    home = tmp_path / "m" / "m" / "home"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    return home


def _run(code: str, home: Path) -> None:
    """Lines marked ``# EscapeError`` or the like must raise that; their paths stay in the scratch.

    The home is bare, as on a fresh machine.
    """
    code = code.replace("/srv/uploads", str(home / "uploads")).replace("../../etc/passwd", "../x")
    names: dict[str, object] = {}
    refused = {line: kind for line in code.splitlines() if (kind := _refusal(line))}
    peaceful = "\n".join(line for line in code.splitlines() if line not in refused)
    try:
        exec(compile(peaceful, "<example>", "exec"), names)
        for line, kind in refused.items():
            with pytest.raises(kind):
                exec(line, names)
    finally:
        logging.getLogger("safefs.audit").setLevel(logging.NOTSET)  # which an example sets
        for value in list(names.values()):
            if isinstance(value, Disk | Storage):
                value.close()
        names.clear()


@pytest.mark.parametrize("document", ["docs/archives.md"])
def test_examples_that_go_on_with_one_another_do_what_they_say(document: str, home: Path) -> None:
    _run("\n".join(code for _, code in _examples(document)), home)


@pytest.mark.parametrize("code", [code for _, code in EXAMPLES], ids=[name for name, _ in EXAMPLES])
def test_an_example_does_what_it_says(code: str, home: Path) -> None:
    _run(code, home)


@pytest.mark.usefixtures("_no_loops")
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # pyarrow and duckdb leave them
def test_the_page_on_libraries_is_one_session_that_prints_what_it_says(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """But for its last two examples, which are a project, in tests/test_libraries_dask.py."""
    parts = [code for _, code in _examples("docs/libraries.md")]
    assert [part.partition("\n")[0][:7] for part in parts[-2:]] == ["# disks", "# clust"]
    code = "".join(parts[:-2])
    _run(code, home)
    printed = capsys.readouterr().out.splitlines()
    for line in code.splitlines():
        if line.lstrip().startswith("print(") and "  # " in line:
            assert line.rpartition("  # ")[2] in printed, line


def test_there_are_examples_to_run() -> None:
    assert len(EXAMPLES) >= 5


def test_the_example_of_the_conformance_suite_runs(tmp_path: Path) -> None:
    code = next(code for _, code in EXAMPLES if "DiskConformance" in code)
    (tmp_path / "test_mine.py").write_text(code, encoding="utf-8")
    # Of its own, or it would tidy up what all other runs have left.
    place = f"--basetemp={tmp_path / 'base'}"
    options = ["-q", "-p", "no:cacheprovider", place, "-k", "test_get_gives_the_content"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    "document",
    sorted(PROJECT.glob("*.md")) + sorted(PROJECT.glob("docs/*.md")),
    ids=lambda d: d.name,
)
def test_every_link_between_documents_leads_somewhere(document: Path) -> None:
    for part in document.read_text(encoding="utf-8").split("](")[1:]:
        target = part.split(")")[0]
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_the_api_document_is_what_the_docstrings_say() -> None:
    make_api = runpy.run_path(str(PROJECT / "docs" / "make_api.py"))
    written = (PROJECT / "docs" / "api.md").read_text(encoding="utf-8")
    assert written == make_api["document"](), "docs/api.md is out of date; write it with: make docs"
