"""safefs export and safefs redact-env: what they print, and what they never do."""

from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from safefs.cli import main
from tests import test_cli

if TYPE_CHECKING:
    from pathlib import Path

pytest.importorskip("dotenv")

ENV = "# me\nAPP_NAME='My Shop'\nAWS_KEY=CANARY-1\n"


@pytest.fixture(autouse=True)
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory app in documents:, and a home of its own."""
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    app = tmp_path / "home" / "Documents" / "app"
    (app / "src").mkdir(parents=True)
    (tmp_path / "home" / "Music").mkdir()
    (app / ".env").write_text(ENV)
    (app / "src" / "a.py").write_text("x")
    (app / "server.key").write_text("CANARY-2")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return app


class Shell(test_cli.Shell):
    def fails(self, *argv: str, status: int = 1) -> str:
        said = super().fails(*argv, status=status)
        assert "CANARY" not in said
        return said


@pytest.fixture
def sh(capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(capsys)


TABLE = """\
copied     2 entries; 20 bytes in all
rewritten  .env: without AWS_KEY; 1 comment dropped
left out   server.key: by its name, '*.key'
"""


def test_export_prints_a_table_and_makes_a_directory(sh: Shell, tmp_path: Path) -> None:
    assert sh("export", "-n", "documents:app", "out", "--redact", "AWS_*") == TABLE
    assert not (tmp_path / "out").exists()
    assert sh("export", "documents:app", "out", "--redact", "AWS_*") == TABLE
    assert (tmp_path / "out" / ".env").read_text() == "APP_NAME='My Shop'\n"
    assert (tmp_path / "out" / "src" / "a.py").read_text() == "x"


def test_export_goes_to_a_place_or_an_archive_too(sh: Shell, tmp_path: Path) -> None:
    sh("export", "documents:app", "music:a/b", "--keep", "APP_*", "--exclude", "src")
    music = tmp_path / "home" / "Music"
    assert [str(each.relative_to(music)) for each in sorted(music.rglob("*"))] == [
        *("a", "a/b", "a/b/.env")
    ]
    sh("export", "documents:app", "./music:x", "--include", "*.key", "--exclude", "src/")
    assert os.listdir(tmp_path / "music:x") == ["server.key"]
    sh("--read-only", "export", "documents:app", "out.zip")
    assert (tmp_path / "out.zip").read_bytes()[:2] == b"PK"


def test_export_prints_json(sh: Shell) -> None:
    said: Any = json.loads(sh("export", "documents:app", "out", "--redact", "*_KEY", "--json"))
    assert said["copied"] == ["src", "src/a.py"]
    assert said["rewritten"][0]["removed"] == ["AWS_KEY"]
    assert said["left_out"] == [{"path": "server.key", "reason": "by its name, '*.key'"}]


def test_an_export_that_fails_says_why_on_one_line(
    sh: Shell, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    assert sh.fails("export", "documents:app", "full") == (
        "documents:app -> full: there is something in it; export to what is new, or empty"
    )
    assert sh.fails("export", "documents:app", "documents:app/out") == (
        "documents:app -> documents:app/out: the destination lies in what is to be exported"
    )
    assert "read-only" in sh.fails("--read-only", "export", "documents:app", "music:x")
    assert "Not a directory" in sh.fails("export", "documents:app/.env", "out")
    (app / "src" / "x.env").write_text("A=1\n= CANARY\n")
    assert sh.fails("export", "documents:app", "out", "--redact", "A") == (
        "documents:app: src/x.env: line 2: this is no assignment"
    )
    monkeypatch.setitem(sys.modules, "dotenv.parser", None)
    assert "install safefs[crypto]" in sh.fails("export", "documents:app", "out", "--redact", "A")
    assert sh.fails("export", "documents:app", status=2)
    assert not (tmp_path / "out").exists()


def test_redact_env_prints_what_may_be_seen(
    sh: Shell, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(app / ".env")
    assert sh("redact-env", file, "--redact", "aws_*") == "APP_NAME='My Shop'\n"
    assert sh("redact-env", file, "--keep", "NOTHING") == ""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(ENV.encode())))
    assert sh("redact-env", "-", "--redact", "AWS_*") == "APP_NAME='My Shop'\n"
    assert json.loads(sh("redact-env", file, "--redact", "AWS_*", "--json")) == {
        "kept": ["APP_NAME"],
        "removed": ["AWS_KEY"],
        "comments": 1,
        "unused": [],
        "content": "APP_NAME='My Shop'\n",
    }
    assert sh("redact-env", file, "--redact", "AWS_*", "-o", "shown.env") == ""
    assert (tmp_path / "shown.env").read_text() == "APP_NAME='My Shop'\n"
    assert (app / ".env").read_text() == ENV


def test_redact_env_says_which_pattern_is_of_no_key(
    app: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["redact-env", str(app / ".env"), "--redact", "AWS_*", "--redact", "X"]) == 0
    assert capsys.readouterr() == ("APP_NAME='My Shop'\n", "safefs: 'X': no key is called so\n")


def test_redact_env_never_writes_over_what_it_reads(sh: Shell, app: Path, tmp_path: Path) -> None:
    file = str(app / ".env")
    (tmp_path / "link").symlink_to(file)
    os.link(file, tmp_path / "other-name")
    for out in (file, "link", "other-name"):
        sh.fails("redact-env", file, "--redact", "AWS_*", "-o", out)
    assert (app / ".env").read_text() == ENV


def test_redact_env_says_what_is_wrong_on_one_line(
    sh: Shell, app: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(app / ".env")
    assert "--redact" in sh.fails("redact-env", file)
    for pattern in ("", "A_KEY,B", "*_KEY "):
        assert "matches no name" in sh.fails("redact-env", file, "--redact", pattern)
        assert "matches no name" in sh.fails("export", "documents:app", "o", "--redact", pattern)
    assert sh.fails("redact-env", "none", "--redact", "A") == "none: No such file or directory"
    assert "no-folder/x" in sh.fails("redact-env", file, "--redact", "A", "-o", "no-folder/x")
    (tmp_path / "bad").write_text("A=1\n= CANARY\n")
    assert sh.fails("redact-env", "bad", "--redact", "A") == "bad: line 2: this is no assignment"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff")))
    assert sh.fails("redact-env", "-", "--redact", "A") == (
        "standard input: line 1: this is no UTF-8"
    )
