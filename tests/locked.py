"""A program that locks itself down and then tries to get at what lies outside, in many ways.

    python tests/locked.py WAYS TOP [free]

It says as JSON what became of each act, by way: ``"done"`` or the name of the errno. ``free``
leaves the lock-down out, so that each act is seen to succeed.
"""

from __future__ import annotations

import ctypes
import json
import multiprocessing
import os
import subprocess
import sys
import threading
from errno import errorcode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    Acts = dict[str, Callable[[], object]]


def _read(path: str) -> None:
    with open(path) as file:
        file.read()


def _write(path: str, mode: str) -> None:
    with open(path, mode) as file:
        file.write("changed")


def acts(top: str) -> Acts:
    """By Python; each has a file of its own to act on."""
    out, inside = f"{top}/outside", f"{top}/inside"
    return {
        "open": lambda: _read(f"{out}/open"),
        "open to write": lambda: _write(f"{out}/write", "w"),
        "open to append": lambda: _write(f"{out}/append", "a"),
        "os.open": lambda: os.close(os.open(f"{out}/os.open", os.O_RDONLY)),
        "by a link inside": lambda: _read(f"{inside}/link"),
        "list": lambda: os.listdir(out),
        "create": lambda: _write(f"{out}/new", "x"),
        "mkdir": lambda: os.mkdir(f"{out}/made"),
        "symlink": lambda: os.symlink("a", f"{out}/symlink"),
        "mkfifo": lambda: os.mkfifo(f"{out}/fifo"),
        "rename": lambda: os.rename(f"{out}/rename", f"{out}/renamed"),
        "rename out": lambda: os.rename(f"{inside}/a", f"{out}/from-inside"),
        "rename in": lambda: os.rename(f"{out}/moved", f"{inside}/from-outside"),
        "link": lambda: os.link(f"{out}/link", f"{out}/linked"),
        "link in": lambda: os.link(f"{out}/link-in", f"{inside}/linked"),
        "truncate": lambda: os.truncate(f"{out}/truncate", 1),
        "unlink": lambda: os.unlink(f"{out}/unlink"),
        "rmdir": lambda: os.rmdir(f"{out}/empty"),
        "execute": lambda: subprocess.run([f"{out}/program"], check=True),
    }


def libc_acts(top: str) -> Acts:
    """By calls to the C library, which no hook of Python sees."""
    libc, out = ctypes.CDLL(None, use_errno=True), f"{top}/outside"

    def call(name: str, *given: object) -> Callable[[], object]:
        def act() -> None:
            arguments = [each.encode() if isinstance(each, str) else each for each in given]
            if getattr(libc, name)(*arguments) < 0:
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error))

        return act

    return {
        "open": call("open", f"{out}/open", os.O_RDONLY),
        "open to write": call("open", f"{out}/write", os.O_WRONLY),
        "list": call("open", out, os.O_RDONLY | os.O_DIRECTORY),
        "create": call("open", f"{out}/new", os.O_CREAT | os.O_WRONLY, 0o600),
        "mkdir": call("mkdir", f"{out}/made", 0o700),
        "rename": call("rename", f"{out}/rename", f"{out}/renamed"),
        "link": call("link", f"{out}/link", f"{out}/linked"),
        "truncate": call("truncate", f"{out}/truncate", ctypes.c_long(1)),
        "unlink": call("unlink", f"{out}/unlink"),
        "rmdir": call("rmdir", f"{out}/empty"),
    }


def outcomes(tried: Acts) -> dict[str, str]:
    return {name: _outcome(act) for name, act in tried.items()}


def _outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as error:
        return errorcode.get(error.errno or 0, str(error))
    return "done"


def by_python(top: str) -> dict[str, str]:
    return outcomes(acts(top))


def by_libc(top: str) -> dict[str, str]:
    return outcomes(libc_acts(top))


def by_thread(top: str) -> dict[str, str]:
    found: dict[str, str] = {}
    thread = threading.Thread(target=lambda: found.update(by_python(top)))
    thread.start()
    thread.join()
    return found


def _send(pipe: Connection, top: str) -> None:
    pipe.send(by_python(top))


def _by_process(method: str, top: str) -> dict[str, str]:
    context: Any = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=_send, args=(theirs, top))
    process.start()
    theirs.close()
    found: dict[str, str] = ours.recv()
    process.join()
    return found


def by_fork(top: str) -> dict[str, str]:
    return _by_process("fork", top)


def by_spawn(top: str) -> dict[str, str]:
    return _by_process("spawn", top)


def by_subprocess(top: str) -> dict[str, str]:
    """A Python of its own, which has never heard of safefs."""
    command = [sys.executable, "-I", "-S", __file__, "python", top, "free"]
    return _told(command)


def by_c(top: str) -> dict[str, str]:
    return _told([f"{top}/inside/acts", f"{top}/outside"])


_SHELL = """
cd "$1"
try() {
  name=$1; shift
  if (eval "$*") >/dev/null 2>&1; then echo "$name=done"; else echo "$name=failed"; fi
}
try open ': < open'
try 'open to write' 'echo changed > write'
try 'open to append' 'echo changed >> append'
try create 'echo new > new'
try execute './program'
set -- *
if [ "$1" = '*' ]; then echo list=failed; else echo list=done; fi
"""


def by_shell(top: str) -> dict[str, str]:
    done = subprocess.run(
        ["/bin/sh", "-c", _SHELL, "sh", f"{top}/outside"], capture_output=True, text=True
    )
    return dict(line.split("=") for line in done.stdout.splitlines())


def _told(command: list[str]) -> dict[str, str]:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    told: dict[str, Any] = json.loads(done.stdout)
    found: dict[str, str] = told.get("python", told)
    return found


WAYS: dict[str, Callable[[str], dict[str, str]]] = {
    "python": by_python,
    "libc": by_libc,
    "thread": by_thread,
    "fork": by_fork,
    "spawn": by_spawn,
    "subprocess": by_subprocess,
    "c": by_c,
    "shell": by_shell,
}


def main(ways: str, top: str, free: str = "") -> None:
    chosen = ways.split(",")
    if not free:
        from safefs import Storage

        storage = Storage("acme", disks={"inside": f"{top}/inside"})
        storage.disk("inside")
        compiled = [f"{top}/inside/acts"] if "c" in chosen else []
        storage.lockdown(
            extra_read=[os.path.dirname(__file__)],
            execute=[os.path.realpath(sys.executable), "/bin/sh", *compiled],
        )
    print(json.dumps({way: WAYS[way](top) for way in chosen}))


if __name__ == "__main__":
    main(*sys.argv[1:])
