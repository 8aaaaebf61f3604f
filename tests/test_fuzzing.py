"""The fuzzing guided by coverage: it runs, it counts, and it finds what is put in to be found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from safefs.errors import InvalidPathError
from safefs.kernel import open_beneath, probe, trail, walk
from safefs.paths import RelPath
from tests.fuzz import gate1, planted, targets
from tests.fuzz import walk as fuzz_walk
from tests.fuzz.__main__ import NAMES, Run, repeat
from tests.fuzz.reading import Choices

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.kernel.handle import Handle

with_atheris = pytest.mark.skipif(
    find_spec("atheris") is None, reason="the fuzzing needs atheris (the extra 'fuzz')"
)


def _fuzz(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


@with_atheris
def test_a_short_run_of_all_targets_finds_nothing(tmp_path: Path) -> None:
    ran = _fuzz(
        "all", "--seconds", "2", "--json", str(tmp_path / "counts"), "--keep", str(tmp_path)
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    counts = json.loads((tmp_path / "counts").read_text(encoding="utf-8"))
    assert [count["target"] for count in counts] == list(NAMES)
    for count in counts:
        assert count["executions"] >= len(targets.SEEDS[count["target"]]())
        assert count["edges"] > 50
        assert (count["crashes"], count["input"]) == (0, None)
        assert f"fuzz {count['target']}: {count['executions']:,} executions" in ran.stdout


@with_atheris
@pytest.mark.parametrize(("name", "fault"), [("gate1", "KeyError: "), ("walk", "ELOOP")])
def test_a_planted_fault_is_found_and_its_input_kept(name: str, fault: str, tmp_path: Path) -> None:
    """It has as long as it takes to give up; a few seconds are what it takes on an idle machine."""
    ran = _fuzz(name, "--planted", "--seconds", "90", "--keep", str(tmp_path))
    assert ran.returncode == 1, ran.stdout
    assert fault in ran.stdout
    assert "crashes 1" in ran.stdout
    (kept,) = tmp_path.iterdir()
    assert f"--input {kept} --planted" in ran.stdout
    repeat(name, kept.read_bytes())  # without the fault nothing is wrong with it
    again = _fuzz(name, "--planted", "--input", str(kept))
    assert again.returncode == 1
    assert fault in again.stderr


@pytest.mark.parametrize("name", NAMES)
def test_no_seed_of_a_target_finds_anything(name: str, tmp_path: Path) -> None:
    """Without atheris, so that the targets are run everywhere."""
    for seed in targets.SEEDS[name]():
        repeat(name, seed)


def test_a_planted_fault_is_of_the_child_only() -> None:
    assert set(planted.FAULTS) == set(NAMES)
    assert walk.MAX_LINKS == 40
    assert RelPath.parse("\x19\x19").raw == b"\x19\x19"
    assert probe.forced is None
    assert trail.Trail.__init__.__defaults__ == (trail.MAX_HELD,)


def test_gate_1_is_caught_when_it_lets_a_nul_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(path: object) -> RelPath:
        return RelPath(b"a\0b", "a\0b")

    monkeypatch.setattr(RelPath, "parse", parse)
    with pytest.raises(AssertionError, match="took for a path what is none"):
        gate1.run(b"\0a\0b")


def test_gate_1_is_caught_when_it_refuses_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def parse(path: object) -> RelPath:
        raise InvalidPathError("a", "for no reason")

    monkeypatch.setattr(RelPath, "parse", parse)
    with pytest.raises(AssertionError, match="refused what is a path"):
        gate1.run(b"\0a")


@contextmanager
def _walk_target(tmp_path: Path) -> Iterator[Callable[[bytes], None]]:
    with targets.opened("walk", tmp_path) as target:
        yield target


def test_the_walk_is_caught_when_it_hands_out_what_is_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outside(*_: object) -> int:
        return os.open(tmp_path, os.O_PATH)

    with _walk_target(tmp_path) as target:
        monkeypatch.setattr(fuzz_walk, "open_beneath", outside)
        with pytest.raises(fuzz_walk.DisagreementError, match="an object outside"):
            target(b"")


def test_the_walk_is_caught_when_it_leaves_a_descriptor_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = []

    def leaking(handle: Handle, path: RelPath, flags: int, mode: int = 0) -> int:
        left.append(os.dup(0))
        return open_beneath(handle, path, flags, mode)

    with _walk_target(tmp_path) as target:
        monkeypatch.setattr(fuzz_walk, "open_beneath", leaking)
        with pytest.raises(AssertionError, match="a descriptor is left over"):
            target(b"")
    for fd in left:
        os.close(fd)


def test_the_walk_is_caught_when_it_changes_the_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoiling(handle: Handle, path: RelPath, flags: int, mode: int = 0) -> int:
        next(tmp_path.rglob("victim.txt")).write_text("spoilt")
        return open_beneath(handle, path, flags, mode)

    with _walk_target(tmp_path) as target:
        monkeypatch.setattr(fuzz_walk, "open_beneath", spoiling)
        with pytest.raises(AssertionError, match=r"victim\.txt: .* became"):
            target(bytes((0, 0, 10, 1, 0)))


def test_choices_end_in_zeros() -> None:
    choices = Choices(bytes((7, 3)))
    assert [choices.below(5), choices.of(("a", "b", "c")), choices.below(9)] == [2, "a", 0]


def test_a_run_is_told_in_one_line() -> None:
    run = Run("walk", 12345, 206, 300.2, 0, None, "")
    assert str(run) == "fuzz walk: 12,345 executions, 206 edges, 300 s, crashes 0"
