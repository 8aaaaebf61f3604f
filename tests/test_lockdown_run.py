"""Programs that are locked down before they execute: ``Storage.run`` and ``safefs run``."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Disk, LockdownUnavailable, Policy, Storage, UnknownDiskError
from safefs.cli import main
from safefs.kernel import syscalls
from safefs.lockdown import prospect, running
from tests.lockeddown import NEEDS_LANDLOCK, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = NEEDS_LANDLOCK


@pytest.fixture
def top(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lay_out(tmp_path)
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


@pytest.fixture
def storage(top: Path) -> Iterator[Storage]:
    disks = {"inside": top / "inside", "other": top / "other"}
    with Storage("acme", disks=disks) as storage:
        yield storage


def sh(storage: Storage, script: str, **options: Any) -> tuple[int, str, str]:
    """Status, output and errors of a shell script."""
    options.setdefault("disks", ["inside"])
    done = storage.run(["/bin/sh", "-c", script], capture_output=True, timeout=60, **options)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_status_and_output_are_passed_on(storage: Storage) -> None:
    assert sh(storage, "echo out; echo err >&2; exit 7") == (7, "out\n", "err\n")
    assert sh(storage, "kill -9 $$")[0] == -9
    assert sh(storage, "cat", input=b"given")[1] == "given"
    with pytest.raises(subprocess.CalledProcessError):
        storage.run(["false"], check=True)


def test_it_has_its_disks_and_nothing_else(storage: Storage, top: Path) -> None:
    outside = top / "outside"
    script = f"""
    cat a && echo b > b && mkdir d && mv b d/b
    cat {outside}/open || cat {top}/other/o || ls {top} || ls {top}/home
    echo x > {outside}/new; echo x > {outside}/write; {outside}/program && echo started
    :
    """
    status, out, err = sh(storage, script, cwd="inside")
    assert (status, out) == (0, "a")
    assert err.count("Permission denied") == 4 + 3
    assert (top / "inside" / "d" / "b").read_text() == "b\n"
    assert not (outside / "new").exists()
    assert (outside / "write").read_text() == "secret"


def test_the_parent_stays_as_it_is(storage: Storage, top: Path) -> None:
    assert sh(storage, ":")[0] == 0
    assert (top / "outside" / "open").read_text() == "secret"
    assert storage.disk("other").get_text("o") == "o"


def test_a_read_only_disk_is_read(top: Path) -> None:
    disk = Disk(top / "inside", policy=Policy(read_only=True))
    with disk, Storage("acme", disks={"inside": disk}) as storage:
        assert sh(storage, "cat a; echo x > a", cwd="inside")[:2] == (2, "a")
    assert (top / "inside" / "a").read_text() == "a"


def test_extra_paths_and_programs_are_left(storage: Storage, top: Path) -> None:
    out = top / "outside"
    paths = {"extra_read": [out / "open"], "extra_write": [out / "empty"]}
    script = f"cat {out}/open; echo x > {out}/empty/new; cat {out}/write; {out}/program; echo $?"
    assert sh(storage, script, execute=[out / "program"], **paths)[1] == "secret0\n"
    assert storage.run([out / "program"]).returncode == 0, "the program itself needs no word"


def test_environment_descriptors_and_privileges_are_clean(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    with open("/dev/null") as file:
        os.set_inheritable(file.fileno(), True)
        script = (
            "env; grep NoNewPrivs /proc/self/status; "
            "for fd in 3 4 5 6 7 8 9; do (: <&$fd) 2>/dev/null && echo open $fd; done; ps 2>&1"
        )
        _, out, _ = sh(storage, script, extra_read=["/proc"], env={"MORE": "more"})
    assert "hunter2" not in out
    assert "open" not in out
    assert "MORE=more" in out
    assert "NoNewPrivs:\t1" in out


def test_it_has_a_temporary_directory_of_its_own_that_goes(storage: Storage) -> None:
    script = 'echo x > "$TMPDIR/t" && pwd && mktemp && [ "$HOME" = "$TMPDIR" ] && echo "$TMPDIR"'
    status, out, _ = sh(storage, script)
    assert status == 0
    begins, _, ends = out.split()
    assert begins == ends
    assert not Path(begins).exists()


def test_at_the_timeout_its_whole_session_is_ended(storage: Storage, top: Path) -> None:
    began = time.monotonic()
    script = "(sleep 1.5; echo late > late) & sleep 60"
    with pytest.raises(subprocess.TimeoutExpired) as caught:
        storage.run(["sh", "-c", script], disks=["inside"], cwd="inside", timeout=0.8)
    assert time.monotonic() - began < 30
    assert caught.value.cmd == ["sh", "-c", script]
    time.sleep(1.2)
    assert not (top / "inside" / "late").exists()


def test_limits_are_set(storage: Storage) -> None:
    status, out, _ = sh(storage, "ulimit -n; ulimit -c", limits={"nofile": 32, "core": 0})
    assert (status, out) == (0, "32\n0\n")


def test_tcp_is_kept_in_as_asked(storage: Storage) -> None:
    import socket

    code = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = [sys.executable, "-S", "-c", code, str(port)]
        done = storage.run(command, capture_output=True)
        assert b"PermissionError" in done.stderr
        assert storage.run(command, network=[port], capture_output=True).returncode == 0


# -- what it is for: a parser that executes what it reads ---------------------------------------

_VICTIMS = {
    "pickle": "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))",
    "yaml": "import yaml, sys; yaml.unsafe_load(open(sys.argv[1]))",
    "jinja2": "import jinja2, sys; jinja2.Template(open(sys.argv[1]).read()).render()",
}


class _Payload:
    """Unpickles by running code."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (self.code,)


def _hostile(victim: str, code: str) -> bytes:
    if victim == "pickle":
        return pickle.dumps(_Payload(code), 0)
    if victim == "yaml":
        return f"!!python/object/apply:builtins.exec [{json.dumps(code)}]".encode()
    return b"{{ cycler.__init__.__globals__.__builtins__.exec(%s) }}" % repr(code).encode()


_CODE = """
import os, socket
def attempt(act):
    try: act()
    except Exception as error: print(type(error).__name__)
    else: print('done')
def read(): print(open({canary!r}).read())
def write(): open({canary!r}, 'w').write('changed')
def send(): socket.create_connection(('127.0.0.1', {port})).sendall(b'stolen')
def started(): print(os.popen('cat ' + {canary!r}).read())
def inside(): open('mark', 'w').write('it ran')
for act in (read, write, send, started, inside): attempt(act)
"""


@pytest.mark.parametrize("victim", _VICTIMS)
@pytest.mark.parametrize("locked", [True, False], ids=["locked down", "free"])
def test_a_parser_that_runs_hostile_code_gets_at_nothing_outside(
    storage: Storage, top: Path, victim: str, locked: bool
) -> None:
    import socket

    if victim != "pickle":
        pytest.importorskip(victim)
    canary = top / "outside" / "open"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        code = _CODE.format(canary=str(canary), port=server.getsockname()[1])
        (top / "inside" / "input").write_bytes(_hostile(victim, f"exec({code!r}, {{}})"))
        command = [sys.executable, "-c", _VICTIMS[victim], f"{top}/inside/input"]
        if locked:
            done = storage.run(command, disks=["inside"], cwd="inside", capture_output=True)
        else:
            done = subprocess.run(command, cwd=top / "inside", capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert (top / "inside" / "mark").read_text() == "it ran"
        said = done.stdout.decode().split()
        if not locked:
            assert said == ["secret", "done", "done", "done", "changed", "done", "done"]
            return
        assert said == ["PermissionError"] * 3 + ["done"] * 2
        assert canary.read_text() == "secret"
        with pytest.raises(TimeoutError):
            server.accept()


# -- it fails closed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        (["no-such-program"], {}, FileNotFoundError),
        (["./missing"], {}, FileNotFoundError),
        (["true"], {"extra_read": ["missing"]}, FileNotFoundError),
        (["true"], {"disks": ["nothing"]}, UnknownDiskError),
        (["true"], {"cwd": "other"}, ValueError),
        (["true"], {"limits": {"luck": 1}}, ValueError),
        (["true"], {"limits": {"cpu": -1}}, ValueError),
        (["true"], {"network": "maybe"}, ValueError),
        ([], {}, ValueError),
        ("true", {}, TypeError),
    ],
)
def test_what_cannot_be_meant_is_one_error(
    storage: Storage, command: Any, options: dict[str, Any], expected: type[Exception]
) -> None:
    options.setdefault("disks", ["inside"])
    with pytest.raises(expected):
        storage.run(command, **options)


def test_a_file_that_is_no_program_is_told(storage: Storage, top: Path) -> None:
    text = top / "inside" / "text"
    text.write_text("no program")
    with pytest.raises(PermissionError) as caught:
        storage.run([text])
    assert caught.value.filename == str(text)


def test_without_landlock_nothing_is_started(
    storage: Storage, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "landlock_abi", lambda: -38)
    with pytest.raises(LockdownUnavailable, match="no Landlock"):
        storage.run(["touch", top / "inside" / "started"], disks=["inside"])
    assert not (top / "inside" / "started").exists()


def test_what_the_launcher_cannot_do_is_raised_here(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_BOOT", "raise SystemExit(3)")
    with pytest.raises(LockdownUnavailable, match="ended with status 3 and locked nothing down"):
        storage.run(["true"])
    boot = "import sys, os; os.write(int(sys.argv[2]), b'landlock_restrict_self 7')"
    monkeypatch.setattr(running, "_BOOT", boot)
    with pytest.raises(LockdownUnavailable, match="locked down 16 times"):
        storage.run(["true"])


def test_isolation_needs_bubblewrap(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    real = running.found
    monkeypatch.setattr(running, "found", lambda name: _absent(name) or real(name))
    with pytest.raises(LockdownUnavailable, match="bubblewrap"):
        storage.run(["true"], isolate=True)


def _absent(name: str) -> str:
    if name == "bwrap":
        raise FileNotFoundError
    return ""


def test_bubblewrap_is_put_around_the_launcher(
    storage: Storage, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a stand-in that says what it was asked for and starts it: the real one may be missing."""
    bwrap = top / "bin" / "bwrap"
    bwrap.parent.mkdir()
    asked = top / "inside" / "asked"
    bwrap.write_text(
        f'#!/bin/sh\necho "$@" > {asked}\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n'
    )
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bwrap.parent}:{os.environ['PATH']}")
    done = storage.run(["cat", top / "outside" / "open"], isolate=True, capture_output=True)
    assert done.returncode == 1
    assert b"Permission denied" in done.stderr
    for option in ("--unshare-pid", "--unshare-ipc", "--unshare-net", "--die-with-parent"):
        assert option in asked.read_text()
    storage.run(["true"], isolate=True, network="allow")
    assert "--unshare-net" not in asked.read_text()


# -- the command -------------------------------------------------------------------------------


@pytest.fixture
def toml(top: Path) -> str:
    path = top / "safefs.toml"
    path.write_text(f'[disks.inside]\npath = "{top}/inside"\n')
    return str(path)


def test_the_command_passes_on_output_and_status(
    top: Path, toml: str, capfd: pytest.CaptureFixture[str]
) -> None:
    script = f"cat a; cat {top}/outside/open; exit 9"
    common = ["run", "--config", toml, "--disk", "inside", "--cwd", "inside"]
    assert main([*common, "--", "sh", "-c", script]) == 9
    out, err = capfd.readouterr()
    assert out == "a"
    assert err.count("Permission denied") == 1
    assert main([*common, "--read", f"{top}/outside/open", "--", "sh", "-c", script]) == 9
    assert capfd.readouterr() == ("asecret", "")
    assert main([*common, "--read-only", "--", "sh", "-c", "echo x > a"]) == 2
    assert (top / "inside" / "a").read_text() == "a"
    assert main([*common, "--limit", "nofile=20", "--", "sh", "-c", "kill -9 $$"]) == 137


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        (["--", "no-such-program"], 125, "no-such-program: No such file or directory"),
        (["--disk", "nothing", "--", "true"], 125, "no disk is named 'nothing'"),
        (["--read", "/no/such/path", "--", "true"], 125, "/no/such/path: No such file"),
        (["--timeout", "0.3", "--", "sleep", "60"], 124, "ended after 0.3 s: sleep"),
        (["--limit", "luck=1", "--", "true"], 125, "a limit is one of"),
        (["--net", "maybe", "--", "true"], 2, "neither deny nor allow nor ports"),
        (["--net", "99999", "--", "true"], 125, "a port is a number from 1 to 65535"),
        (["--timeout", "soon", "--", "true"], 2, "no number of seconds"),
        (["--limit", "cpu", "--", "true"], 2, "no limit; write NAME=NUMBER"),
        ([], 2, "COMMAND"),
    ],
)
def test_the_command_complains_on_one_line(
    argv: list[str], status: int, said: str, toml: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "--config", toml, *argv]) == status
    out, err = capfd.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("safefs: ")
    assert said in err


def test_doctor_tells_of_lock_down(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (name, value, meaning), (isolation, _, _) = prospect.rows()
    assert (name, isolation) == ("lock-down", "bubblewrap")
    assert value == f"Landlock ABI {syscalls.landlock_abi()}"
    monkeypatch.setattr(syscalls, "landlock_abi", lambda: 5)
    meaning = prospect.rows()[0][2]
    assert "signal (ABI 6), all threads at once (ABI 8)" in meaning
    monkeypatch.setattr(syscalls, "landlock_abi", lambda: -95)
    assert prospect.rows()[0][:2] == ("lock-down", "no")
