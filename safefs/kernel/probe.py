"""What this kernel offers, and the walk's self-test; ``safefs doctor`` prints it."""

from __future__ import annotations

import os
import sys
from errno import errorcode

from safefs.errors import ConfigError, SafefsError
from safefs.kernel import openat2, syscalls, walk
from safefs.kernel.handle import Handle
from safefs.kernel.procfs import proc_fds
from safefs.paths import RelPath
from safefs.policy import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Forced = str | None

VARIABLE = "SAFEFS_RESOLVER"
RESOLVERS = ("openat2", "walk")


def _forced(word: str | None) -> Forced:
    if word is None or word in RESOLVERS:
        return word
    raise ConfigError("environment", VARIABLE, f"is one of {', '.join(RESOLVERS)}; not {word!r}")


# The resolver that every open uses, or None for openat2 with the walk behind it. Tests set it.
forced: Forced = _forced(os.environ.get(VARIABLE))


class Report:
    """What was found, field by field; each is a line of ``safefs doctor``."""

    __slots__ = ("fields", "resolver", "selftest")

    def __init__(
        self, resolver: str, selftest: list[str], fields: list[tuple[str, str, str]]
    ) -> None:
        self.resolver = resolver
        self.selftest = selftest
        self.fields = fields

    @property
    def healthy(self) -> bool:
        """Whether every case of the self-test came out as it must."""
        return not self.selftest

    def rows(self) -> list[tuple[str, str, str]]:
        """(name, value, what it means), in the order to be read."""
        return list(self.fields)


def report() -> Report:
    """Look at this system. Works in a temporary directory, which is gone afterwards."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="safefs-probe-") as scratch:
        fd = syscalls.open(scratch, syscalls.DIRECTORY)
        handle = Handle(fd, Policy())
        answer = openat2.open_beneath(handle, b".", syscalls.DIRECTORY, 0)
        if answer >= 0:
            syscalls.close(answer)
        failures = _selftest(handle)
        resolver, why = _choice(answer)
        fields = [
            ("system", f"{os.uname().sysname} {os.uname().release}", os.uname().machine),
            ("python", sys.version.split()[0], sys.implementation.name),
            ("resolver", resolver, why),
            ("openat2", _said(answer), "resolves beneath the root in one call (Linux 5.6)"),
            ("walk self-test", "failed" if failures else "ok", "; ".join(failures) or _WALK),
            ("fchmodat2", _said(_fchmodat2(fd)), "chmod of an O_PATH descriptor (Linux 6.6)"),
            ("renameat2", _said(_noreplace(fd)), "rename that replaces nothing"),
            ("copy_file_range", _yes(hasattr(syscalls, "copy_file_range")), "copies in the kernel"),
            ("procfs", _yes(_has_procfs()), "stands in for calls that lack AT_EMPTY_PATH"),
            ("file names", sys.getfilesystemencoding(), "the encoding of names given as str"),
        ]
    return Report(resolver, failures, fields)


_WALK = "refuses every escape it was shown"


def _choice(answer: int) -> tuple[str, str]:
    if forced:
        return forced, f"forced by {VARIABLE}"
    if answer >= 0:
        return "openat2", "the kernel has it; the walk stands behind it, call by call"
    return "walk", f"openat2 answers {errorcode.get(-answer, -answer)}"


def _said(answer: int) -> str:
    return "yes" if answer >= 0 else f"no ({errorcode.get(-answer, -answer)})"


def _yes(answer: bool) -> str:  # noqa: FBT001
    return "yes" if answer else "no"


def _fchmodat2(dir_fd: int) -> int:
    syscalls.close(syscalls.open("probe", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, dir_fd=dir_fd))
    fd = syscalls.open("probe", syscalls.O_PATH | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        return syscalls.fchmodat2(fd, 0o600)
    finally:
        syscalls.close(fd)


def _noreplace(dir_fd: int) -> int:
    return syscalls.rename_noreplace(dir_fd, b"probe", dir_fd, b"probed")


def _has_procfs() -> bool:
    fd = proc_fds()
    if fd is not None:
        syscalls.close(fd)
    return fd is not None


def _selftest(handle: Handle) -> list[str]:
    """What the walk got wrong, in words; every name it is given lies in the scratch."""
    fd = handle.fd
    syscalls.mkdir("in", dir_fd=fd)
    syscalls.mkdir("in/d", dir_fd=fd)
    syscalls.close(syscalls.open("in/d/f", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, dir_fd=fd))
    syscalls.close(syscalls.open("out", os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, dir_fd=fd))
    for target, name in (("d/f", "to-f"), ("../out", "up"), ("/out", "abs"), ("loop", "loop")):
        syscalls.symlink(target, f"in/{name}", dir_fd=fd)
    inside = Handle(syscalls.open("in", syscalls.DIRECTORY, dir_fd=fd), Policy())
    opens: Callable[[bytes], str] = lambda path: _outcome(inside, path)  # noqa: E731
    return [
        f"{path.decode()} gave {opens(path)} and not {expected}"
        for path, expected in _CASES
        if opens(path) != expected
    ]


_CASES = (
    (b"d/f", "ok"),
    (b"to-f", "ok"),
    (b"d/../d/f", "ok"),
    (b"../out", "EscapeError"),
    (b"d/../../in/d/f", "EscapeError"),
    (b"up", "EscapeError"),
    (b"abs", "EscapeError"),
    (b"loop", "ELOOP"),
    (b"d/f/", "ENOTDIR"),
    (b"missing", "ENOENT"),
)


def _outcome(handle: Handle, raw: bytes) -> str:
    try:
        fd = walk.open_beneath(handle, RelPath(raw, raw), os.O_RDONLY | os.O_CLOEXEC)
    except SafefsError as error:
        return type(error).__name__
    except OSError as error:
        return errorcode.get(error.errno or 0, "an error")
    syscalls.close(fd)
    return "ok"
