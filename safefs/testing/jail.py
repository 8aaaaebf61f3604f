"""A child process that can write nothing but its scratch: where what may leak is run.

A subject without containment, handed ``..`` often enough, deletes the machine it is tested on. In
the jail it finds every mount read-only except its scratch. It has no network, not even loopback
(network namespace), and its processes are its own: it can neither see nor signal others, and when
it ends or its time is up the kernel ends all that it has started, whatever that did to get away
(PID namespace). All of this, or it is not taken for a jail of its kind: ``mounts`` for root,
``user namespace`` for others. Root that may have no such namespaces gives up root instead
(``nobody``, uid 65534): that one keeps the network, and what leaves its session outlives it. A user
without user namespaces gets no jail at all, and ``JailUnavailable``: nothing is ever run outside by
mistake.

    python -m safefs.testing.jail SCRATCH [--seconds N] -- COMMAND ...

What the jail does not do: hide what may be read, nor other processes in /proc (which is the one
from outside, with their numbers outside); keep from services that listen on a socket in the tree;
limit memory or disk space; or stop a subject that opens a block device by name. Linux only.
"""

from __future__ import annotations

import argparse
import io
import os
import pickle
import select
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from safefs.testing.children import Child, close_all_but
from safefs.testing.confinement import (
    AS_NOBODY,
    MOUNTS,
    NOBODY,
    OF_NAMESPACES,
    USER_NAMESPACE,
    JailUnavailable,
    confine_as,
    end_with_parent,
)
from safefs.testing.planting import clear
from safefs.testing.warden import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Answer = TypeVar("Answer")

__all__ = [
    "NOBODY",
    "JailError",
    "JailUnavailable",
    "confine",
    "forked",
    "jailed",
    "kind",
    "main",
    "scratch_directory",
]


class JailError(Exception):
    """What ran in the jail raised, or died; the text tells how."""


@cache
def kind() -> str | None:
    """The jail that this process can have: "mounts", "user namespace", "nobody", or None."""
    if not sys.platform.startswith("linux"):
        return None
    with scratch_directory() as scratch:
        for word in _kinds():
            try:
                _in_child(word, lambda: True, scratch, seconds=30)
            except (JailUnavailable, JailError, TimeoutError):
                continue
            return word
    return None


def _kinds() -> tuple[str, ...]:
    return (MOUNTS, AS_NOBODY) if os.geteuid() == 0 else (USER_NAMESPACE,)


def jailed(function: Callable[[], Answer], *, scratch: Path, seconds: float = 60) -> Answer:
    """What ``function`` returns in a forked child that can write only beneath ``scratch``.

    The answer must be picklable. No descriptor but the standard ones is inherited, since an open
    directory would lead out of the jail; the working directory is ``scratch``, and so is TMPDIR.
    Raises ``JailError`` when the function raised or the child died, ``TimeoutError`` after
    ``seconds``, ``JailUnavailable`` where there is no jail: then nothing was run. However it ends,
    all that it has started is gone by then (as "nobody": all in its session).
    """
    word = kind()
    if word is None:
        raise JailUnavailable(_WHY_NOT)
    return _in_child(word, function, scratch, seconds=seconds)


def forked(function: Callable[[], Answer], *, seconds: float = 60) -> Answer:
    """As ``jailed``, in a forked child that nothing confines.

    For what is in a jail already, and for what may be run without.
    """
    return _in_child(None, function, Path(), seconds=seconds)


_WHY_NOT = "no jail: it takes Linux, and root or user namespaces; nothing was run"


def _in_child(
    word: str | None, function: Callable[[], Answer], scratch: Path, *, seconds: float
) -> Answer:
    deadline = time.monotonic() + seconds
    read_end, write_end = os.pipe()
    work = partial(_be_the_child, word, function, scratch, write_end)
    child = Child.started(work, warden=word in OF_NAMESPACES)
    try:
        os.close(write_end)
        with open(read_end, "rb", buffering=0) as pipe:
            sent = _all_in_time(pipe.fileno(), deadline)
        in_time = sent is not None and child.ends(deadline)
    finally:
        status = child.end()
    if sent is None or not in_time:
        raise TimeoutError(f"no answer in {seconds:g} s")
    if not sent:
        raise JailError(f"died: {_told(status)}")
    ending, answer = _the_one_answer(sent)
    if ending == "unavailable":
        raise JailUnavailable(answer)
    if ending == "raised":
        raise JailError(answer)
    told: Answer = answer
    return told


def _the_one_answer(sent: bytes) -> tuple[str, Any]:
    """What our own child has said; who forks comes back twice, and then neither is believed."""
    stream = io.BytesIO(sent)
    try:
        ending, answer = pickle.load(stream)  # noqa: S301  (our own child's)
    except Exception as error:
        raise JailError(f"died: what it said cannot be read ({type(error).__name__})") from error
    if stream.read(1):
        raise JailError("died: it forked, and more than one process came back")
    return ending, answer


def _be_the_child(
    word: str | None, function: Callable[[], object], scratch: Path, write_end: int, leash: int
) -> NoReturn:
    def answer() -> NoReturn:
        _say_and_exit(write_end, _ended(function))

    try:
        os.setsid()
        close_all_but(write_end, leash)
        try:
            if word is None:
                end_with_parent()
            else:
                confine_as(word, scratch, own_processes=word in OF_NAMESPACES)
        except (OSError, JailUnavailable) as error:
            _say_and_exit(write_end, ("unavailable", f"no jail ({word}): {error}"))
        if word in OF_NAMESPACES:
            watch(answer, leash, kept=[write_end])
        os.close(leash)
        answer()
    finally:
        os._exit(0)


def _say_and_exit(write_end: int, result: tuple[str, object]) -> NoReturn:
    try:
        with open(write_end, "wb") as pipe:
            pickle.dump(result, pipe)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(0)


def _ended(function: Callable[[], object]) -> tuple[str, object]:
    try:
        answer = function()
        pickle.dumps(answer)
    except BaseException:  # noqa: BLE001  (the parent reports it)
        return "raised", traceback.format_exc()
    return "returned", answer


def _all_in_time(fd: int, deadline: float) -> bytes | None:
    """All that is written until the pipe is closed; None where it is not closed in time."""
    parts: list[bytes] = []
    while select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
        part = os.read(fd, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return None


def _told(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"exit status {os.WEXITSTATUS(status)}, and nothing said"


# -- from inside -------------------------------------------------------------------------------


def confine(scratch: Path) -> str:
    """From here on this process, and all it starts, can write only beneath ``scratch``.

    Irreversible. Returns the kind of jail. Raises ``JailUnavailable``; then the process may be half
    in, and should end; also where other threads run, as mounts and capabilities are a thread's own.
    Descriptors that are already open stay what they are: close them first. Processes are not set
    apart: who is to be ended with all it has started is run by ``jailed``.
    """
    word = kind()
    if word is None:
        raise JailUnavailable(_WHY_NOT)
    confine_as(word, scratch)
    return word


@contextmanager
def scratch_directory(
    prefix: str = "safefs-jail-", *, directory: str | None = None
) -> Iterator[Path]:
    """A temporary directory that every kind of jail can reach; gone afterwards.

    It is emptied by descriptor first. Who worked in it may have left anything, and what Python
    clears a temporary directory with recurses, and in some versions follows a link (CVE-2023-6597).
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=directory) as name:
        os.chmod(name, 0o755)  # noqa: S103  (for nobody)
        try:
            yield Path(name)
        finally:
            with suppress(FileNotFoundError, NotADirectoryError):  # moved away, where no jail is
                clear(name)


# -- the command -------------------------------------------------------------------------------


class _Arguments(NamedTuple):
    scratch: Path
    seconds: float
    command: list[str]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command in the jail; its exit status, 124 when its time ran out, 125 without a jail."""
    arguments = _parsed(argv)
    word = kind()
    if word is None:
        _say(_WHY_NOT)
        return 125
    work = partial(_be_the_command, word, arguments)
    child = Child.started(work, warden=word in OF_NAMESPACES)
    try:
        in_time = child.ends(time.monotonic() + arguments.seconds)
    finally:
        status = child.end()
    if not in_time:
        _say(f"safefs.testing.jail: ended after {arguments.seconds:g} s")
        return 124
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code  # as a shell shows a signal


def _be_the_command(word: str, arguments: _Arguments, leash: int) -> NoReturn:
    def execute() -> NoReturn:
        try:
            os.execvp(arguments.command[0], arguments.command)  # noqa: S606
        except OSError as error:
            _say(f"safefs.testing.jail: {error}")
        finally:
            os._exit(125)

    try:
        os.setsid()
        close_all_but(leash)
        confine_as(word, arguments.scratch, own_processes=word in OF_NAMESPACES)
        if word in OF_NAMESPACES:
            watch(execute, leash)
        execute()
    except (OSError, JailUnavailable) as error:
        _say(f"safefs.testing.jail: {error}")
    finally:
        os._exit(125)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _parsed(argv: Sequence[str] | None) -> _Arguments:
    parser = argparse.ArgumentParser(prog="python -m safefs.testing.jail", allow_abbrev=False)
    parser.add_argument("scratch", type=Path, help="the one directory that can be written")
    parser.add_argument("--seconds", type=float, default=600, help="after which it is ended")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    known = parser.parse_args(argv)
    if not known.scratch.is_dir():
        parser.error(f"not a directory: {known.scratch}")
    return _Arguments(known.scratch, known.seconds, known.command)


if __name__ == "__main__":
    sys.exit(main())
