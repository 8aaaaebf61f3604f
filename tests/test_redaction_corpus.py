"""NativePHP's own patterns on what its filter of lines lets through: nothing leaks here."""

from __future__ import annotations

import hashlib
import json
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from safefs import Disk
from safefs.secrets.redaction import RedactionError, redact_env

pytest.importorskip("dotenv")

CORPUS = json.loads(
    (Path(__file__).parent / "data" / "redaction" / "corpus.json").read_text(encoding="utf-8")
)
PATTERNS: list[str] = CORPUS["patterns"]
CASES: list[dict[str, Any]] = CORPUS["cases"]
BEFORE = "APP_NAME='My App'\n"
each_case = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])


def _content(case: dict[str, Any]) -> bytes:
    """With a line that is to stay, before it, or behind what is only at the very beginning."""
    text: str = case["content"]
    return (text + BEFORE if text.startswith("\ufeff") else BEFORE + text).encode()


def _filtered(content: bytes) -> bytes:
    """What a filter of lines makes of it: each by what is before its first equals sign."""
    lines = [line.removesuffix("\r") for line in content.decode().split("\n")]
    return "\n".join(
        line
        for line in lines
        if line
        and line[0] != "#"
        and not any(fnmatchcase(line.partition("=")[0], pattern) for pattern in PATTERNS)
    ).encode()


@each_case
def test_each_case_bites_a_filter_of_lines_leaks_it(case: dict[str, Any]) -> None:
    assert b"CANARY" in _filtered(_content(case))


@each_case
def test_nothing_of_a_secret_is_left(case: dict[str, Any]) -> None:
    if case["stops"]:
        with pytest.raises(RedactionError) as caught:
            redact_env(_content(case), redact=PATTERNS)
        assert "CANARY" not in str(caught.value)
        assert caught.value.path is None
        return
    found = redact_env(_content(case), redact=PATTERNS)
    assert b"CANARY" not in found.content
    assert b"KEY-----" not in found.content
    assert b"APP_NAME='My App'\n" in found.content
    assert "CANARY" not in repr(found)


@each_case
@pytest.mark.parametrize("form", ["directory", "archive"])
def test_nothing_of_a_secret_is_in_what_is_exported(
    case: dict[str, Any], form: str, tmp_path: Path
) -> None:
    source = tmp_path / "app"
    source.mkdir()
    (source / "readme.txt").write_text("hello\n")
    env = source / ".env"
    env.write_bytes(_content(case))
    before = _portrait(source)
    target = tmp_path / ("out" if form == "directory" else "out.tar")
    with Disk(source) as disk:
        if case["stops"]:
            with pytest.raises(RedactionError, match=r"^\.env: line ") as caught:
                disk.export(target, redact=PATTERNS)
            assert caught.value.path == ".env"
            assert sorted(each.name for each in tmp_path.iterdir()) == ["app"]
        else:
            report = disk.export(target, redact=PATTERNS)
            assert b"CANARY" not in _everything(target)
            assert b"APP_NAME='My App'\n" in _everything(target)
            assert "CANARY" not in f"{report}{report!r}{report.as_json()}"
    assert _portrait(source) == before


def _everything(target: Path) -> bytes:
    files = [target] if target.is_file() else sorted(target.rglob("*"))
    return b"".join(file.read_bytes() for file in files if file.is_file())


def _portrait(source: Path) -> list[tuple[object, ...]]:
    return [
        (
            file.name,
            hashlib.sha256(file.read_bytes()).hexdigest(),
            file.stat().st_mtime_ns,
            file.stat().st_ctime_ns,
        )
        for file in sorted(source.iterdir())
    ]
