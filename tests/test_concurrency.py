"""Many at once: processes in one directory, threads on one Root, and all on one counter."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
import traceback
from collections import Counter
from contextlib import suppress
from errno import EINVAL, ENOENT
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import pytest

from safefs import Disk, PreconditionError, Root, SameFileError
from safefs.kernel import probe
from tests.conftest import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROCESSES = 8
NAMES = [f"n{number}" for number in range(6)]
LOGS = [f"log{number}" for number in range(3)]

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.usefixtures("untraced"),
    # The children of a fork here run safefs alone, and end by os._exit.
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork.*:DeprecationWarning"),
]


def _seconds(ci: float, prove: float) -> float:
    return {"prove": prove, "ci": ci}.get(PROFILE, ci / 5)


def _in_processes(work: Callable[[int], Counter[str]], seconds: float = 200) -> Counter[str]:
    """What ``work(number)`` counted in each; a child that fails says why."""
    children = [_begun(work, number) for number in range(PROCESSES)]
    total: Counter[str] = Counter()
    failures = []
    for pid, answers in children:
        with os.fdopen(answers, "rb") as file:
            said = file.read().decode()
        status = os.waitpid(pid, 0)[1]
        if status or not said.startswith("ok\n"):
            failures.append(f"status {status}: {said}")
            continue
        for line in said.splitlines()[1:]:
            name, count = line.rsplit(" ", 1)
            total[name] += int(count)
    assert not failures, "\n".join(failures)
    return total


def _begun(work: Callable[[int], Counter[str]], number: int) -> tuple[int, int]:
    answers, said = os.pipe()
    pid = os.fork()
    if pid:
        os.close(said)
        return pid, answers
    signal.alarm(280)  # whatever hangs, hangs no longer than its test
    try:
        counts = work(number)
        words = "ok\n" + "".join(f"{name} {count}\n" for name, count in counts.items())
    except BaseException:
        words = traceback.format_exc()
    with suppress(OSError):
        os.write(said, words.encode()[:60000])
    os._exit(0)


# What an act may be told, as os tells it: another was quicker to remove or move what it names. Who
# writes whole, appends or lists names nothing that must be there.
_GONE = FileNotFoundError, ENOENT
# Both names were the same.
_ITSELF = SameFileError, EINVAL
_FAIR: dict[str, set[tuple[type[OSError], int]]] = {
    "read": {_GONE},
    "read a log": {_GONE},
    "renamed": {_GONE, _ITSELF},
    "copied": {_GONE, _ITSELF},
    "removed": {_GONE},
    "removed a log": {_GONE},
}

# -- contents that can be checked ----------------------------------------------------------------


def _record(writer: int, random: Random) -> bytes:
    """A line that says who wrote it, how long it is, and whether it is whole."""
    text = random.randbytes(random.choice((4, 400, 9000))).hex()
    body = f"{writer} {len(text)} {text}".encode()
    return body + b" " + hashlib.sha256(body).hexdigest().encode() + b"\n"


def _check(content: bytes, what: str) -> int:
    """How many records it holds; each must be whole."""
    lines = content.split(b"\n")
    assert lines.pop() == b"", f"{what} is torn at its end: {content[-80:]!r}"
    for line in lines:
        body, _, digest = line.rpartition(b" ")
        assert hashlib.sha256(body).hexdigest().encode() == digest, f"{what} is torn: {line[:80]!r}"
        writer, length, text = body.split(b" ")
        assert int(writer) < PROCESSES
        assert int(length) == len(text)
    return len(lines)


def _check_whole(content: bytes, what: str) -> None:
    """What is replaced as a whole is one record: not the start of one, and not an empty file."""
    count = _check(content, what)
    assert count == 1, f"{what} holds {count} records"


def _life(directory: Path, until: float, number: int) -> Counter[str]:
    random, counts = Random(number), Counter[str]()
    with Disk(directory) as disk:
        acts: dict[str, Callable[[], object]] = {
            "replaced": lambda: disk.put(random.choice(NAMES), _record(number, random)),
            "appended": lambda: disk.append(random.choice(LOGS), _record(number, random)),
            "read": lambda: _check_whole(disk.get(name := random.choice(NAMES)), name),
            "read a log": lambda: _read_log(disk, random.choice(LOGS)),
            "listed": lambda: _check_names(disk.files()),
            "renamed": lambda: disk.move(random.choice(NAMES), random.choice(NAMES)),
            "copied": lambda: disk.copy(random.choice(NAMES), random.choice(NAMES)),
            "removed": lambda: disk.delete(random.choice(NAMES)),
            "removed a log": lambda: disk.delete(*LOGS[: random.random() < 0.02]),
        }
        while time.monotonic() < until:
            name = random.choice(list(acts))
            try:
                acts[name]()
                counts[name] += 1
            except OSError as error:
                met = type(error), error.errno
                if met not in _FAIR.get(name, ()):
                    raise
                counts["met nothing" if met == _GONE else "met itself"] += 1
    return counts


def _read_log(disk: Disk, name: str) -> None:
    """What is appended in one write is seen whole, but for the last, which may be on its way."""
    content = disk.get(name)
    _check(content[: content.rfind(b"\n") + 1], name)


def _check_names(names: list[str]) -> None:
    assert set(names) <= {*NAMES, *LOGS}, f"a stranger in the list: {names}"


def test_processes_in_one_directory_tear_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Callable[..., None]
) -> None:
    """Beside one another under pytest-xdist; for half of the time on either resolver."""
    began, total = time.monotonic(), Counter[str]()
    for resolver in ("openat2", "walk"):
        monkeypatch.setattr(probe, "forced", resolver)
        until = time.monotonic() + _seconds(5, 30)
        total += _in_processes(partial(_life, tmp_path, until))
        with Disk(tmp_path) as disk:
            for name in disk.files():
                check = _check_whole if name in NAMES else _check
                check(disk.get(name), name)
            assert not [name for name in os.listdir(tmp_path) if name.startswith(".safefs-")]
    acts = {"replaced", "appended", "read", "read a log", "listed", "renamed", "copied", "removed"}
    assert set(total) >= acts
    counted(
        f"{PROCESSES} processes in one directory",
        f"{total.total():,} operations, {total['met nothing']:,} of which met nothing",
        seconds=time.monotonic() - began,
        disagreements=0,
    )


# -- threads on one Root -------------------------------------------------------------------------


def _thread(root: Root, number: int, until: float, failures: list[str]) -> int:
    own, random, done = f"d{number}", Random(number), 0
    mine = f"{number}\n".encode() * 50
    try:
        while not done or time.monotonic() < until:  # on a busy machine some begin late
            other = random.randrange(32)
            expected = f"{other}\n".encode() * 50
            assert root.read_bytes(f"d{other}/f") == expected
            with root.open(f"d{other}/f", "rb") as file, root.subroot(f"d{other}") as sub:
                assert sub.read_bytes("f") == expected
                assert file.read() == expected
                assert {entry.name for entry in sub.scandir()} == {"f", "g"}
            assert sorted(root.listdir(own)) == ["f", "g"]
            root.replace_file(f"{own}/f", mine)
            assert root.stat(f"{own}/f").st_size == len(mine)
            assert root.stat(f"{own}/g").st_size == number
            done += 1
    except BaseException:
        failures.append(traceback.format_exc())
    return done


def test_threads_that_share_a_root_mix_up_no_descriptor(
    tmp_path: Path, resolver: str, counted: Callable[..., None]
) -> None:
    """That none is left open afterwards is asked of every test."""
    for number in range(32):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}/f").write_bytes(f"{number}\n".encode() * 50)
        (tmp_path / f"d{number}/g").write_bytes(b"x" * number)
    failures: list[str] = []
    done: list[int] = []
    began = time.monotonic()
    until = began + _seconds(1, 15)
    with Root(tmp_path) as root:
        threads = [
            threading.Thread(
                target=lambda number=number: done.append(_thread(root, number, until, failures))
            )
            for number in range(32)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures, failures[0]
    assert min(done) > 0
    counted(
        f"32 threads on one Root ({resolver})",
        f"{sum(done):,} rounds of 10 operations",
        seconds=time.monotonic() - began,
        disagreements=0,
    )


# -- one counter ---------------------------------------------------------------------------------


def _increments(directory: Path, locks: Path, number: int, times: int) -> Counter[str]:
    counts = Counter[str]()
    with Disk(directory, locks=locks) as disk, disk.scoped("n") as scoped:
        ways = [(disk, "n/f"), (disk, "n/../n/./f"), (disk, "link/f"), (scoped, "f")]
        for turn in range(times):
            on, path = ways[(number + turn) % len(ways)]
            while True:
                version = on.etag(path)
                value = int(on.get(path))
                try:
                    on.put(path, str(value + 1), if_match=version)
                except PreconditionError:
                    counts["again"] += 1
                    continue
                counts["increments"] += 1
                break
    return counts


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    (tmp_path / "disk" / "n").mkdir(parents=True)
    (tmp_path / "disk" / "n" / "f").write_text("0")
    (tmp_path / "disk" / "link").symlink_to("n")
    return tmp_path


def test_no_increment_is_lost_by_whatever_path_and_disk(
    counter: Path, resolver: str, counted: Callable[..., None]
) -> None:
    times = 2000 if PROFILE == "prove" else 40
    began = time.monotonic()
    total = _in_processes(
        lambda number: _increments(counter / "disk", counter / "locks", number, times)
    )
    assert total["increments"] == PROCESSES * times
    assert (counter / "disk/n/f").read_text() == str(PROCESSES * times)
    counted(
        f"compare-and-swap by {PROCESSES} processes ({resolver})",
        f"{total['increments']:,} increments, {total['again']:,} tried again",
        seconds=time.monotonic() - began,
        disagreements=0,
    )


def _creations(directory: Path, number: int, names: int) -> Counter[str]:
    counts = Counter[str]()
    with Disk(directory) as disk:
        for name in range(names):
            try:
                disk.put(f"made/{name}", f"{number}", if_none_match="*")
                counts[f"won {name}"] += 1
            except FileExistsError:
                counts["lost"] += 1
    return counts


def test_of_all_who_create_a_file_one_does(
    tmp_path: Path, resolver: str, counted: Callable[..., None]
) -> None:
    began = time.monotonic()
    total = _in_processes(lambda number: _creations(tmp_path, number, 200))
    assert {name for name, count in total.items() if count != 1} == {"lost"}
    assert total["lost"] == (PROCESSES - 1) * 200
    written = {int((tmp_path / f"made/{name}").read_bytes()) for name in range(200)}
    assert written <= set(range(PROCESSES))
    counted(
        f"creation of one name by {PROCESSES} processes ({resolver})",
        f"200 names, {total['lost']:,} refusals",
        seconds=time.monotonic() - began,
        disagreements=0,
    )


def test_a_put_between_is_noticed(tmp_path: Path) -> None:
    """Though it has the same size and comes at once, and though there are two of them."""
    with Disk(tmp_path / "disk", create=True, locks=tmp_path / "locks") as disk:
        for _ in range(100):
            disk.put("f", b"0")
            version = disk.etag("f")
            disk.put("f", b"1")
            disk.put("f", b"2")
            with pytest.raises(PreconditionError):
                disk.put("f", b"3", if_match=version)
            assert disk.get("f") == b"2"
