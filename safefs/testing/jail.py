"""A child process that can write nothing but its scratch: where what may leak is run.

A subject without containment, handed ``..`` often enough, deletes the machine it is tested on. In
the jail it finds every mount read-only except its scratch. Where mounts of one's own are not to be
had, root gives up root instead (uid 65534); a user without user namespaces gets no jail at all, and
``JailUnavailable``: nothing is ever run outside by mistake.

    python -m safefs.testing.jail SCRATCH [--seconds N] -- COMMAND ...

What the jail does not do: hide what may be read, keep from the network, limit memory, or stop a
subject that opens a block device by name. Linux only.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import io
import os
import pickle
import select
import signal
import stat
import sys
import tempfile
import time
import traceback
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from safefs.testing.mounts import check, fork, rebind, unshare_mounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Answer = TypeVar("Answer")

NOBODY = 65534
_SYS_MOUNT_SETATTR = 442  # the same on every architecture but alpha
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_RDONLY = 1  # MOUNT_ATTR_RDONLY, linux/mount.h
_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h
# What a test of files needs of root's powers: chown, to pass by permission bits, set-id bits, to
# become another user, and leases. Not: to mount, to make devices, to trace or to load modules.
_KEPT = frozenset({0, 1, 2, 3, 4, 6, 7, 28})
_LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)


class JailUnavailable(RuntimeError):  # noqa: N818  (what is the case, as BrokenPipe)
    """There is no jail to be had here, so what was to run in it was not run."""


class JailError(Exception):
    """What ran in the jail raised, or died; the text tells how."""


class _MountAttr(ctypes.Structure):
    """struct mount_attr of mount_setattr(2)."""

    _fields_ = tuple(
        (name, ctypes.c_uint64) for name in ("attr_set", "attr_clr", "propagation", "userns_fd")
    )


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
    return ("mounts", "nobody") if os.geteuid() == 0 else ("user namespace",)


def jailed(function: Callable[[], Answer], *, scratch: Path, seconds: float = 60) -> Answer:
    """What ``function`` returns in a forked child that can write only beneath ``scratch``.

    The answer must be picklable. No descriptor but the standard ones is inherited, since an open
    directory would lead out of the jail; the working directory is ``scratch``, and so is TMPDIR.
    Raises ``JailError`` when the function raised or the child died, ``TimeoutError`` after
    ``seconds`` (the child and what it started in its session are ended), ``JailUnavailable`` where
    there is no jail: then nothing was run.
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
    read_end, write_end = os.pipe()
    child = fork()
    if child == 0:
        _be_the_child(word, function, scratch, write_end)
    try:
        os.close(write_end)
        with open(read_end, "rb", buffering=0) as pipe:
            sent = _all_in_time(pipe.fileno(), seconds)
    finally:
        status = _end(child)
    if sent is None:
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


def _close_all_but(kept: int) -> None:
    """The standard three and one more stay open; a directory among the three does not."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    os.closerange(3, kept)
    os.closerange(max(3, kept + 1), highest + 1)
    for fd in range(3):
        with suppress(OSError):
            if stat.S_ISDIR(os.fstat(fd).st_mode):  # it would lead out
                os.dup2(os.open(os.devnull, os.O_RDWR), fd)


def _be_the_child(
    word: str | None, function: Callable[[], object], scratch: Path, write_end: int
) -> NoReturn:
    result: tuple[str, object]
    try:
        os.setsid()
        _close_all_but(write_end)
        try:
            if word is not None:
                _confine(word, scratch)
            else:
                check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
        except (OSError, JailUnavailable) as error:
            result = "unavailable", f"no jail ({word}): {error}"
        else:
            result = _ended(function)
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


def _all_in_time(fd: int, seconds: float) -> bytes | None:
    """All that is written until the pipe is closed; None where it is not closed in time."""
    parts: list[bytes] = []
    deadline = time.monotonic() + seconds
    while select.select([fd], [], [], max(0, deadline - time.monotonic()))[0]:
        part = os.read(fd, 1 << 16)
        if not part:
            return b"".join(parts)
        parts.append(part)
    return None


def _end(child: int) -> int:
    """End the child and what it has started in its session; its status."""
    for end in (os.killpg, os.kill):
        try:
            end(child, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # gone, or, seen from within a jail, another user's that is about to go
    return os.waitpid(child, 0)[1]


def _told(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"signal {os.WTERMSIG(status)}"
    return f"exit status {os.WEXITSTATUS(status)}, and nothing said"


# -- from inside -------------------------------------------------------------------------------


def confine(scratch: Path) -> str:
    """From here on this process, and all it starts, can write only beneath ``scratch``.

    Irreversible. Returns the kind of jail. Raises ``JailUnavailable``; then the process may be half
    in, and should end; also where other threads run, as mounts and capabilities are a thread's own.
    Descriptors that are already open stay what they are: close them first.
    """
    word = kind()
    if word is None:
        raise JailUnavailable(_WHY_NOT)
    _confine(word, scratch)
    return word


def _confine(word: str, scratch: Path) -> None:
    if len(os.listdir("/proc/self/task")) > 1:
        raise JailUnavailable("other threads run here, and would stay outside")
    check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    scratch = scratch.absolute()
    if word == "nobody":
        _give_up_root(scratch)
    else:
        _mount_all_read_only_but(scratch, own_user=word == "user namespace")
        _drop_capabilities()
    check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    os.chdir(scratch)
    os.environ["TMPDIR"] = str(scratch)
    tempfile.tempdir = None
    _prove(scratch)


def _mount_all_read_only_but(scratch: Path, *, own_user: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()
    unshare_mounts(_CLONE_NEWUSER if own_user else 0)
    if own_user:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            Path("/proc/self", name).write_text(text, "ascii")
    rebind(scratch)
    _set_attributes(Path("/"), _MountAttr(attr_set=_RDONLY), _AT_RECURSIVE)
    _set_attributes(scratch, _MountAttr(attr_clr=_RDONLY), 0)


def _set_attributes(place: Path, attributes: _MountAttr, flags: int) -> None:
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    check(
        _libc.syscall(
            _SYS_MOUNT_SETATTR,
            _AT_FDCWD,
            os.fsencode(place),
            flags,
            ctypes.byref(attributes),
            size,
        ),
        place,
    )


def _drop_capabilities() -> None:
    """Without CAP_SYS_ADMIN nobody mounts anything writable again."""
    for number in range(_LAST_CAPABILITY + 1):
        if number not in _KEPT and _libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) < 0:
            break  # past the last that this kernel knows
    kept = sum(1 << number for number in _KEPT)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    sets = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    check(_libc.capset(header, sets))


def _give_up_root(scratch: Path) -> None:
    for directory, _, names in os.walk(scratch):
        for name in (".", *names):
            os.chown(f"{directory}/{name}", NOBODY, NOBODY, follow_symlinks=False)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def _prove(scratch: Path) -> None:
    """Try it: a file in the scratch can be made, one beside it and one at the top cannot."""
    name = f".safefs-jail-{os.getpid()}"
    try:
        _make_and_remove(scratch / name)
    except OSError as error:
        raise JailUnavailable(f"the scratch cannot be written: {error}") from error
    for outside in {scratch.parent, Path("/"), Path(__file__).parent, Path.home()}:
        try:
            _make_and_remove(outside / name)
        except OSError as error:
            if error.errno in (errno.EROFS, errno.EACCES, errno.ENOENT, errno.EPERM):
                continue
            raise
        if stat.S_ISVTX & outside.stat().st_mode and os.geteuid() == NOBODY:
            continue  # as in /tmp: what may be made there is one's own, and nothing else is touched
        raise JailUnavailable(f"{outside} can be written from inside")


def _make_and_remove(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    path.unlink()


@contextmanager
def scratch_directory(prefix: str = "safefs-jail-") -> Iterator[Path]:
    """A temporary directory that every kind of jail can reach; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        os.chmod(name, 0o755)  # noqa: S103  (for nobody)
        yield Path(name)


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
    child = fork()
    if child == 0:
        try:
            os.setsid()
            _close_all_but(2)
            _confine(word, arguments.scratch)
            os.execvp(arguments.command[0], arguments.command)  # noqa: S606
        except (OSError, JailUnavailable) as error:
            _say(f"safefs.testing.jail: {error}")
        finally:
            os._exit(125)
    return _waited(child, arguments.seconds)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _waited(child: int, seconds: float) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            code = os.waitstatus_to_exitcode(_end_session(child))
            return code if code >= 0 else 128 - code  # as a shell shows a signal
        time.sleep(0.02)
    _end(child)
    _say(f"safefs.testing.jail: ended after {seconds:g} s")
    return 124


def _end_session(child: int) -> int:
    """The status of a child that has ended, after what it left running has been ended too."""
    try:
        os.killpg(child, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    return os.waitpid(child, 0)[1]


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
