"""``Storage.run``: a program that is locked down before it executes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from errno import ENOENT
from typing import TYPE_CHECKING, NamedTuple

from safefs.errors import LockdownUnavailable
from safefs.folders import TemporaryFolder
from safefs.kernel import syscalls
from safefs.lockdown import needs, ruleset
from safefs.lockdown.arguments import Asked
from safefs.lockdown.disks import Left, named
from safefs.lockdown.launcher import READY
from safefs.lockdown.rights import EXECUTE, WRITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from safefs.lockdown.arguments import Paths
    from safefs.storage import Storage

# The packages by their place alone: what they import themselves takes twice as long as the rest.
_BOOT = """
import sys
place = sys.argv.pop(1)
for name in ("safefs", "safefs.kernel", "safefs.lockdown"):
    package = sys.modules[name] = type(sys)(name)
    package.__path__ = [place + name[len("safefs"):].replace(".", "/")]
from safefs.lockdown.launcher import main
main(sys.argv[1:])
"""
_PATH = "/usr/local/bin:/usr/bin:/bin"
_KEPT = ("LANG", "LANGUAGE", "TZ", "TERM", "COLUMNS", "LINES")
LIMITS = ("as", "core", "cpu", "data", "fsize", "nofile", "nproc", "stack")


class Streams(NamedTuple):
    """What is written to its standard input, or None to hand on our own; the others likewise."""

    given: bytes | None
    captured: bool


class Way(NamedTuple):
    """How it is started: what is around it, and what it may use."""

    env: Mapping[str, str]
    cwd: str | None
    limits: Mapping[str, int]
    timeout: float | None
    isolate: bool


def run(
    storage: Storage,
    command: Sequence[str | os.PathLike[str]],
    disks: Iterable[str] | None,
    network: object,
    extra: tuple[Paths, Paths, Paths],
    streams: Streams,
    way: Way,
) -> subprocess.CompletedProcess[bytes]:
    """See ``Storage.run``."""
    words = _words(command)
    asked = Asked.checked(network, *extra)
    limits = _limits(way.limits)
    abi = ruleset.available(sys.platform)
    ruleset.check_abi(abi, asked.network)
    file = found(words[0])
    left = named(storage, disks)
    with ExitStack() as stack:
        folder = TemporaryFolder(storage.app)
        stack.callback(folder.remove)
        rules = stack.enter_context(ruleset.new_ruleset(abi, asked.network))
        for each in left:
            each.allow_in(rules)
        rules.allow(folder.root.fileno(), "temporary files", WRITE, "its own")
        asked.allow_in(rules)
        rules.allow_path(file, EXECUTE, "the program")
        rules.allow_needs(needs.of_programs())
        asked.allow_python_in(rules)
        directory = _directory(way.cwd, left, folder)
        environment = _environment(folder.path, way.env)
        around = _isolated(network=asked.network != "deny") if way.isolate else []
        with _pipe() as (told, tell):
            fds = (tell, rules.fd, directory)
            launcher = [*around, *_launcher(fds, limits, file, words)]
            try:
                process = _started(launcher, environment, fds, streams)
            finally:
                syscalls.close(tell)
            return _ended(process, told, words, file, streams.given, way.timeout)


def _words(command: Sequence[str | os.PathLike[str]]) -> list[str]:
    if isinstance(command, str | bytes):
        raise TypeError("a command is a list of words, as in ['ls', '-l']: no shell takes it apart")
    words = [os.fspath(word) for word in command]
    if not words:
        raise ValueError("a command is at least a program")
    return words


def _limits(limits: Mapping[str, int]) -> str:
    for name, number in limits.items():
        if name not in LIMITS:
            raise ValueError(f"a limit is one of {', '.join(LIMITS)}; not {name!r}")
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"the limit {name} is a whole number, not {number!r}")
    return ",".join(f"{name}={number}" for name, number in limits.items())


def found(program: str) -> str:
    """Where the program is: by its path, or in PATH. ``FileNotFoundError`` where it is not."""
    if "/" in program:
        return os.path.join(os.getcwd(), program)
    for directory in os.environ.get("PATH", _PATH).split(os.pathsep):
        path = os.path.join(directory or ".", program)
        if syscalls.access(path, os.X_OK):
            return os.path.join(os.getcwd(), path)
    raise FileNotFoundError(ENOENT, os.strerror(ENOENT), program)


def _directory(name: str | None, left: list[Left], folder: TemporaryFolder) -> int:
    """The descriptor of where it begins: a disk by its name, or its own temporary directory."""
    if name is None:
        return folder.root.fileno()
    for each in left:
        if each.name == name and each.root is not None:
            return each.root.fileno()
    raise ValueError(f"cwd is one of the disks that are left, not {name!r}")


def _environment(temporary: str, more: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if name in _KEPT or name.startswith("LC_")
    }
    return {**kept, "PATH": _PATH, "HOME": temporary, "TMPDIR": temporary, **more}


def _launcher(fds: tuple[int, ...], limits: str, file: str, words: list[str]) -> list[str]:
    if not sys.executable:
        raise LockdownUnavailable("there is no Python to start the launcher with (sys.executable)")
    import safefs

    place = os.path.dirname(os.path.join(os.getcwd(), safefs.__file__))
    return [sys.executable, "-I", "-S", "-c", _BOOT, place, *map(str, fds), limits, file, *words]


def _isolated(*, network: bool) -> list[str]:
    """bubblewrap, with namespaces of its own around the launcher."""
    try:
        bwrap = found("bwrap")
    except FileNotFoundError:
        raise LockdownUnavailable("isolate needs bubblewrap (bwrap), which is not there") from None
    spaces = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    tree = ["--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc"]
    return [
        bwrap,
        *spaces,
        *([] if network else ["--unshare-net"]),
        "--die-with-parent",
        *tree,
        "--",
    ]


@contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """The end that is read, which is closed afterwards, and the one that is handed on."""
    told, tell = syscalls.pipe()
    try:
        yield told, tell
    finally:
        syscalls.close(told)


def _started(
    command: list[str], environment: dict[str, str], fds: tuple[int, ...], streams: Streams
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  (no shell)
        command,
        stdin=None if streams.given is None else subprocess.PIPE,
        stdout=subprocess.PIPE if streams.captured else None,
        stderr=subprocess.PIPE if streams.captured else None,
        env=environment,
        pass_fds=fds,
        start_new_session=True,
    )


def _ended(
    process: subprocess.Popen[bytes],
    told: int,
    words: list[str],
    file: str,
    given: bytes | None,
    timeout: float | None,
) -> subprocess.CompletedProcess[bytes]:
    with process:
        try:
            out, err = process.communicate(given, timeout=timeout)
        except BaseException as error:
            _kill(process)
            if isinstance(error, subprocess.TimeoutExpired) and timeout is not None:
                error.cmd, error.timeout = (
                    words,
                    timeout,
                )  # it knows the launcher, and what was left
            raise
    _check_started(syscalls.read(told, 256), file, process.returncode)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """It and what is in its session; it has not been waited for, so the number is still its own."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _check_started(said: bytes, file: str, status: int) -> None:
    """Raise what kept it from starting."""
    if said == READY:
        return
    step, _, number = said.removeprefix(READY).decode().partition(" ")
    if not step:
        raise LockdownUnavailable(
            f"the launcher ended with status {status} and locked nothing down"
        )
    error = int(number)
    if step in ("exec", "limits", "directory"):
        raise OSError(error, os.strerror(error), file if step == "exec" else step)
    raise ruleset.refused(-error, step)
