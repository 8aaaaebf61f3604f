"""The jail: what runs in it can write its scratch and nothing else, and always ends.

Every path outside that a test here has the jail attack is a victim of the test's own, in tmp_path.
"""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safefs.testing import confinement, jail
from safefs.testing.scratch import snapshot
from tests.attackers import NOBODY, in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

needs_jail = pytest.mark.skipif(jail.kind() is None, reason="needs a jail")
needs_own_processes = pytest.mark.skipif(
    jail.kind() not in confinement.OF_NAMESPACES, reason="needs a jail of namespaces"
)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def places() -> Iterator[tuple[Path, Path]]:
    """A scratch, and beside it a victim that must not change."""
    with jail.scratch_directory() as top:
        scratch, victim = top / "scratch", top / "victim"
        scratch.mkdir()
        (victim / "d").mkdir(parents=True)
        (victim / "d" / "f").write_text("precious")
        before = snapshot(victim)
        yield scratch, victim
        assert snapshot(victim) == before


ATTACKS: dict[str, Callable[[Path], object]] = {
    "rmtree": lambda victim: shutil.rmtree(victim, ignore_errors=True),
    "unlink": lambda victim: (victim / "d" / "f").unlink(),
    "write": lambda victim: (victim / "d" / "f").write_text("spoilt"),
    "create": lambda victim: (victim / "new").touch(),
    "chmod": lambda victim: (victim / "d" / "f").chmod(0o777),
    "utime": lambda victim: os.utime(victim / "d" / "f", (1, 1)),
    "rename": lambda victim: (victim / "d").rename(victim / "e"),
    "link": lambda victim: (victim / "hard").hardlink_to(victim / "d" / "f"),
    "a program": lambda victim: subprocess.run(["rm", "-rf", str(victim)], check=False),
    "up from the scratch": lambda victim: shutil.rmtree(
        Path.cwd() / ".." / victim.name, ignore_errors=True
    ),
}


@needs_jail
@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_outside_the_scratch_can_be_changed(attack: str, places: tuple[Path, Path]) -> None:
    scratch, victim = places

    def attempt() -> None:
        try:
            ATTACKS[attack](victim)
        except OSError:
            pass
        Path("proof").write_text("it ran")

    jail.jailed(attempt, scratch=scratch)
    assert (scratch / "proof").read_text() == "it ran"


@needs_jail
def test_an_open_directory_of_the_parent_does_not_lead_out(places: tuple[Path, Path]) -> None:
    """A descriptor from before knows the mounts from before."""
    scratch, victim = places
    fd = os.open(victim, os.O_RDONLY | os.O_DIRECTORY)

    def attempt() -> str:
        try:
            os.unlink("d/f", dir_fd=fd)
        except OSError as error:
            return os.strerror(error.errno or 0)
        return "unlinked"

    try:
        assert jail.jailed(attempt, scratch=scratch) == "Bad file descriptor"
    finally:
        os.close(fd)


@needs_jail
@pytest.mark.parametrize("highest", [False, True])
def test_no_directory_is_inherited_under_any_number(
    highest: bool,
    places: tuple[Path, Path],
) -> None:
    """Standard input may be one (``< /``), and numbers may be higher than is usual."""
    scratch, victim = places
    fd = os.open(victim, os.O_RDONLY | os.O_DIRECTORY)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = min(70_000, limits[1] % 2**31 - 1) if highest else 0

    def attempt() -> str:
        try:
            os.unlink("d/f", dir_fd=number)
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return "unlinked"

    def outer() -> str:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(limits[0], number + 1), limits[1]))
        os.dup2(fd, number)
        return jail.jailed(attempt, scratch=scratch)

    try:
        assert in_child(outer) in ("EBADF", "ENOTDIR")
    finally:
        os.close(fd)


@needs_jail
def test_who_comes_back_twice_is_not_believed(places: tuple[Path, Path]) -> None:
    """A subject that forks goes on in both: the one that answers first need not be the true one."""
    scratch, _ = places

    def twice() -> int:
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        return child

    with pytest.raises(jail.JailError, match="more than one process came back"):
        jail.jailed(twice, scratch=scratch)


@needs_jail
def test_a_garbled_answer_is_a_death(places: tuple[Path, Path]) -> None:
    scratch, _ = places

    def garble() -> int:
        for name in os.listdir("/proc/self/fd"):
            try:
                os.write(int(name), b"\x80 garbled")
            except OSError:
                pass
        return 1

    with pytest.raises(jail.JailError, match="cannot be read"):
        jail.jailed(garble, scratch=scratch)


def test_a_process_of_several_threads_is_not_confined(places: tuple[Path, Path]) -> None:
    """Each thread has mounts and capabilities of its own: the others would stay outside."""
    scratch, victim = places

    def attempt() -> str:
        done = threading.Event()
        other = threading.Thread(target=done.wait)
        other.start()
        try:
            jail.confine(scratch)
        except jail.JailUnavailable as error:
            return str(error)
        finally:
            done.set()
            other.join()
        shutil.rmtree(victim, ignore_errors=True)
        return "confined"

    if jail.kind() is not None:
        assert jail.forked(attempt) == "other threads run here, and would stay outside"


@needs_jail
def test_the_jail_cannot_be_mounted_open_again(places: tuple[Path, Path]) -> None:
    scratch, victim = places

    def attempt() -> int:
        words = ["mount", "-o", "remount,rw,bind", "/"]
        return subprocess.run(words, check=False, capture_output=True).returncode

    assert jail.jailed(attempt, scratch=scratch) != 0
    jail.jailed(lambda: shutil.rmtree(victim, ignore_errors=True), scratch=scratch)


@needs_jail
def test_what_returns_is_returned_and_what_raises_is_told(places: tuple[Path, Path]) -> None:
    scratch, _ = places
    assert jail.jailed(lambda: {"n": [1, 2]}, scratch=scratch) == {"n": [1, 2]}
    with pytest.raises(jail.JailError, match="ZeroDivisionError"):
        jail.jailed(lambda: 1 // 0, scratch=scratch)
    with pytest.raises(jail.JailError, match=f"signal {signal.SIGSEGV:d}"):
        jail.jailed(lambda: os.kill(os.getpid(), signal.SIGSEGV), scratch=scratch)
    with pytest.raises(jail.JailError, match="exit status 3"):
        jail.jailed(lambda: os._exit(3), scratch=scratch)
    with pytest.raises(jail.JailError, match=r"[Pp]ickle"):
        jail.jailed(lambda: lambda: 0, scratch=scratch)


def _leave_a_holder(*, detached: bool) -> None:
    """A process that goes on holding a lock in the scratch; detached, it has left the session."""
    came_up, come_up = os.pipe()
    if os.fork():
        os.close(come_up)
        os.read(came_up, 1)
        return
    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if detached:
            os.setsid()
            if os.fork():
                os._exit(0)
        fcntl.flock(os.open("held", os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
        os.write(come_up, b"!")
        while True:
            time.sleep(1)
    finally:
        os._exit(1)


def _is_still_held(scratch: Path) -> bool:
    with open(scratch / "held", "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@needs_jail
@pytest.mark.parametrize("detached", [False, pytest.param(True, marks=needs_own_processes)])
@pytest.mark.parametrize("late", [False, True])
def test_all_that_was_started_is_gone_when_the_jail_is_left(
    late: bool, detached: bool, places: tuple[Path, Path]
) -> None:
    """At once, and also what has left the session, as a daemon does."""
    scratch, _ = places

    def leave() -> str:
        _leave_a_holder(detached=detached)
        while late:
            time.sleep(1)
        return "left"

    if late:
        with pytest.raises(TimeoutError, match="no answer in 1 s"):
            jail.jailed(leave, scratch=scratch, seconds=1)
    else:
        assert jail.jailed(leave, scratch=scratch) == "left"
    assert not _is_still_held(scratch)


@needs_own_processes
@pytest.mark.parametrize("seconds", [60, 1])
def test_a_command_leaves_no_daemon_behind(seconds: float, places: tuple[Path, Path]) -> None:
    scratch, _ = places
    code = "from tests.test_jail import leave_a_daemon; leave_a_daemon()"
    late = seconds == 1
    code += "; import signal; signal.pause()" if late else ""
    said = _command(scratch, sys.executable, "-c", code, seconds=seconds + 2 * late)
    assert said.returncode == (124 if late else 0), said
    assert not _is_still_held(scratch)


def leave_a_daemon() -> None:
    _leave_a_holder(detached=True)


@needs_own_processes
def test_no_process_outside_can_be_signalled(places: tuple[Path, Path]) -> None:
    """``kill(-1)`` of root ends all there are; that is done within a PID namespace only."""
    scratch, _ = places
    here = os.readlink("/proc/self/ns/pid")
    bystander = subprocess.Popen(["sleep", "1000"])

    def kill_all() -> str:
        if os.readlink("/proc/self/ns/pid") == here:
            return "they would be ended"
        with pytest.raises(ProcessLookupError):
            os.kill(bystander.pid, signal.SIGKILL)
        with pytest.raises(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # the init, and oneself, are left out
        return "none"

    try:
        assert jail.jailed(kill_all, scratch=scratch) == "none"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@needs_own_processes
def test_the_process_that_keeps_watch_outside_cannot_be_got_at(places: tuple[Path, Path]) -> None:
    """/proc is that of outside; what the warden holds is not to be had by that."""
    scratch, _ = places

    def parent_of(number: int) -> int:
        stat_line = Path(f"/proc/{number}/stat").read_text()
        return int(stat_line.rpartition(")")[2].split()[1])

    def attempt() -> str:
        init = parent_of(int(os.readlink("/proc/self")))
        warden = parent_of(init)
        try:
            os.close(os.open(f"/proc/{warden}/mem", os.O_RDONLY))
        except OSError as error:
            return errno.errorcode[error.errno or 0]
        return "opened"

    assert jail.jailed(attempt, scratch=scratch) == "EACCES"


@needs_own_processes
def test_there_is_no_network_in_the_jail(places: tuple[Path, Path]) -> None:
    scratch, _ = places
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()

        def attempt() -> tuple[str, bool]:
            own = {name for _, name in socket.if_nameindex()} <= {"lo"}
            try:
                socket.create_connection(address, timeout=10).close()
            except OSError as error:
                return errno.errorcode[error.errno or 0], own
            return "connected", own

        assert jail.jailed(attempt, scratch=scratch) == ("ENETUNREACH", True)
        assert jail.forked(attempt)[0] == "connected"


@needs_jail
def test_who_closes_the_way_back_and_goes_on_is_late(places: tuple[Path, Path]) -> None:
    scratch, _ = places

    def hide() -> None:
        os.closerange(3, 1000)
        while True:
            time.sleep(1)

    with pytest.raises(TimeoutError, match="no answer in 1 s"):
        jail.jailed(hide, scratch=scratch, seconds=1)


@needs_jail
def test_a_command_runs_in_the_jail_and_its_status_comes_back(places: tuple[Path, Path]) -> None:
    scratch, victim = places
    assert _command(scratch, "true").returncode == 0
    assert _command(scratch, "sh", "-c", "exit 7").returncode == 7
    assert _command(scratch, "sh", "-c", "kill -9 $$").returncode == 128 + 9
    assert _command(scratch, "rm", "-rf", str(victim)).returncode == 1
    assert _command(scratch, "touch", str(scratch / "made")).returncode == 0
    assert (scratch / "made").exists()
    assert _command(scratch, "no-such-program-anywhere").returncode == 125
    late = _command(scratch, "sleep", "60", seconds=1)
    assert (late.returncode, late.stderr) == (124, "safefs.testing.jail: ended after 1 s\n")


def test_a_command_without_its_scratch_is_refused_in_one_line(tmp_path: Path) -> None:
    said = _command(tmp_path / "missing", "true")
    assert said.returncode == 2
    assert said.stderr.splitlines()[-1].endswith(f"not a directory: {tmp_path / 'missing'}")


def _command(scratch: Path, *command: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "safefs.testing.jail", "--seconds", str(seconds), str(scratch)]
    return subprocess.run(
        [*words, "--", *command], capture_output=True, text=True, check=False, timeout=100
    )


def test_without_a_jail_nothing_is_run(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, victim = places
    monkeypatch.setattr(jail, "kind", lambda: None)
    with pytest.raises(jail.JailUnavailable, match="nothing was run"):
        jail.jailed(lambda: shutil.rmtree(victim), scratch=scratch)
    with pytest.raises(jail.JailUnavailable, match="nothing was run"):
        jail.confine(scratch)


@needs_jail
def test_a_jail_that_is_open_after_all_is_no_jail(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried from inside, whatever the calls that made it said."""
    scratch, victim = places
    monkeypatch.setattr(confinement, "_mount_all_read_only_but", lambda *_, **__: None)
    with pytest.raises(jail.JailUnavailable, match="can be written from inside"):
        jail.jailed(lambda: shutil.rmtree(victim), scratch=scratch)


@as_root
def test_root_that_may_not_mount_becomes_nobody(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch, victim = places
    monkeypatch.setattr(jail, "kind", lambda: "nobody")

    def attempt() -> int:
        shutil.rmtree(victim, ignore_errors=True)
        Path("mine").touch()
        return os.geteuid()

    assert jail.jailed(attempt, scratch=scratch) == NOBODY
    assert (scratch / "mine").stat().st_uid == NOBODY


@as_root
def test_a_plain_user_has_a_jail_by_a_user_namespace_or_none() -> None:
    with jail.scratch_directory() as top:
        scratch, victim = top / "scratch", top / "victim"
        for directory in (scratch, victim):
            directory.mkdir()
            os.chown(directory, NOBODY, NOBODY)
        (victim / "f").write_text("precious")
        before = snapshot(victim)

        def attempt() -> str | None:
            jail.kind.cache_clear()
            word = jail.kind()
            if word is not None:
                jail.jailed(lambda: shutil.rmtree(victim, ignore_errors=True), scratch=scratch)
            return word

        assert in_child(attempt, uid=NOBODY) in ("user namespace", None)
        assert snapshot(victim) == before


def test_a_plain_child_is_confined_by_nothing_and_ends_in_time_all_the_same(tmp_path: Path) -> None:
    jail.forked(lambda: (tmp_path / "made").touch())
    assert (tmp_path / "made").exists()
    with pytest.raises(jail.JailError, match="ZeroDivisionError"):
        jail.forked(lambda: 1 // 0)
    with pytest.raises(TimeoutError, match="no answer in 1 s"):
        jail.forked(signal.pause, seconds=1)


# -- the scratch that is left ----------------------------------------------------------------------


def test_a_scratch_that_is_deeper_than_python_recurses_is_gone_afterwards() -> None:
    with jail.scratch_directory() as scratch:
        fd = os.open(scratch, os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("d", dir_fd=fd)
            below = os.open("d", os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        os.close(fd)
    assert not scratch.exists()


def test_what_a_link_in_the_scratch_leads_to_is_left_as_it_is() -> None:
    """CVE-2023-6597: what could not be removed had its mode changed, through a link."""

    def leave(victim: Path) -> tuple[bool, int]:
        victim.mkdir(mode=0o500)
        with jail.scratch_directory(directory=str(victim.parent)) as scratch:
            for mode in (0o500, 0o000):
                planted = scratch / f"{mode}"
                (planted / "deeper").mkdir(parents=True)
                (planted / "link").symlink_to(victim)
                (planted / "deeper").chmod(mode)
                planted.chmod(mode)
        return scratch.exists(), victim.stat().st_mode & 0o777

    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o777)
        assert in_child(lambda: leave(Path(top, "victim")), uid=NOBODY) == (False, 0o500)
