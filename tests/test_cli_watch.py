"""safefs watch: a line for each change, until it is interrupted."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import IO, TYPE_CHECKING

import pytest

from safefs.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    documents = tmp_path / "home" / "Documents"
    (documents / "sub").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return documents


class Watching:
    """A watch that has begun: it was seen to tell of a file made before."""

    def __init__(self, child: subprocess.Popen[str], directory: Path) -> None:
        self.child = child
        assert child.stdout is not None
        self.out: IO[str] = child.stdout
        number = 0
        # Nothing says when it has begun, so files are made until it tells of one.
        while not select.select([self.out], [], [], 0.05)[0]:
            number += 1
            (directory / f"begin-{number:06}").touch()
        self.told = ""
        while f"begin-{number:06}" not in self.told:
            self.told = self.out.readline()
            assert self.told, child.communicate()


@pytest.fixture
def started(request: pytest.FixtureRequest, documents: Path) -> Iterator[Watching]:
    command = [sys.executable, "-m", "safefs", "watch", *request.param]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            yield Watching(child, documents)
        finally:
            child.kill()


@pytest.mark.parametrize("started", [["documents:"], ["documents:", "--polling"]], indirect=True)
def test_it_prints_a_line_for_each_change_until_it_is_interrupted(
    started: Watching, documents: Path
) -> None:
    (documents / "sub" / "f").write_text("x")
    assert started.out.readline() == "created   documents:sub/f\n"
    os.rename(documents / "sub" / "f", documents / "g\x1b[1m")
    assert started.out.readline() == "renamed   documents:sub/f -> documents:g\\x1b[1m\n"
    started.child.send_signal(signal.SIGINT)
    out, err = started.child.communicate(timeout=60)
    assert (out, err, started.child.returncode) == ("", "", 130)


@pytest.mark.parametrize("started", [["--json", "documents:"]], indirect=True)
def test_as_json_each_line_is_an_object(started: Watching, documents: Path) -> None:
    (documents / "f").write_text("four")
    assert json.loads(started.out.readline()) == {
        "change": "created",
        "place": "documents:f",
        "old_place": None,
        "kind": "file",
        "size": 4,
    }


@pytest.mark.parametrize("started", [["documents:"]], indirect=True)
def test_a_place_that_is_moved_away_ends_it(started: Watching, documents: Path) -> None:
    os.rename(documents, documents.parent / "Elsewhere")
    out, err = started.child.communicate(timeout=60)
    assert (out, err, started.child.returncode) == ("root_moved  documents:\n", "", 1)


@pytest.mark.parametrize("started", [["documents:", "--flat"]], indirect=True)
def test_flat_is_the_directory_itself_alone(started: Watching, documents: Path) -> None:
    (documents / "sub" / "f").touch()
    (documents / "g").touch()
    assert started.out.readline() == "created   documents:g\n"


def test_it_ends_after_so_many_changes(documents: Path) -> None:
    command = [sys.executable, "-m", "safefs", "watch", "documents:", "--count", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        number = 0
        while child.poll() is None:
            (documents / f"{number:06}").touch()
            number += 1
            try:
                child.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        assert child.stdout is not None
        lines = child.stdout.read().splitlines()
    assert child.returncode == 0
    assert len(lines) == 2
    assert all(line.startswith("created   documents:0") for line in lines)


def test_what_is_no_directory_is_one_error(
    documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (documents / "f").touch()
    assert main(["watch", "documents:f"]) == 1
    assert capsys.readouterr().err == "safefs: documents:f: Not a directory\n"
    assert main(["watch", "documents:../x"]) == 1
    assert capsys.readouterr().err.startswith("safefs: documents:../x: path leaves the root")


def test_it_says_when_it_has_come_to_polling(
    documents: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from safefs.watch.held import Held
    from safefs.watch.watcher import Watcher

    def end(watcher: Watcher) -> None:
        raise StopIteration

    monkeypatch.setattr(Held, "listen", lambda held: "there is no inotify on this system")
    monkeypatch.setattr(Watcher, "__next__", end)
    assert main(["watch", "documents:"]) == 0
    said = "safefs: documents:: is looked at again and again: there is no inotify on this system\n"
    assert capsys.readouterr().err == said
