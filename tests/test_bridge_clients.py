"""Programs that others have made, against a disk that is served to them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bridged import authority, needs, serving, settle, tree_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from safefs import Disk
    from safefs.bridge.serving import Bridge


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Bridge, Disk]]:
    with serving(tmp_path) as (bridge, disk):
        (tmp_path / "ca.pem").write_text(bridge.certificate)
        yield bridge, disk
        settle(bridge)


def run(tmp_path: Path, *command: str, status: int | None = 0, **options: object) -> str:
    """What it prints; with a home of its own."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb"}
    environment |= {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}  # for those that know no option
    done = subprocess.run(
        command,
        cwd=home,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert status is None or done.returncode == status, done.stdout + done.stderr
    return str(done.stdout) + str(done.stderr)


@needs("litmus")
def test_litmus_passes_whole(served: tuple[Bridge, Disk], tmp_path: Path) -> None:
    bridge, disk = served
    said = run(tmp_path, "litmus", "-k", f"{bridge.url}docs/", "any", bridge.key.reveal())
    found = re.findall(r"of (\d+) tests run: (\d+) passed, (\d+) failed", said)
    assert len(found) == 5
    # It counts 104, of which it skips one over TLS: that a body is asked for, which is tried here
    # in test_an_expected_body_is_asked_for.
    assert sum(int(passed) for _, passed, _ in found) == 103
    assert all(failed == "0" for _, _, failed in found)
    assert "WARNING" not in said
    disk.delete_directory("litmus", missing_ok=True)
    assert tree_of(tmp_path / "docs") == {}


@needs("curl")
def test_curl_puts_gets_and_goes_on(served: tuple[Bridge, Disk], tmp_path: Path) -> None:
    bridge, disk = served
    data = os.urandom(2_000_000)
    (tmp_path / "data").write_bytes(data)
    (tmp_path / "curlrc").write_text(f'user = "any:{bridge.key.reveal()}"\n')
    curl = ("curl", "-sSf", "-K", str(tmp_path / "curlrc"), "--cacert", str(tmp_path / "ca.pem"))
    run(tmp_path, *curl, "-T", str(tmp_path / "data"), f"{bridge.url}docs/data")
    assert disk.get("data") == data
    (tmp_path / "got").write_bytes(data[:1000])
    run(tmp_path, *curl, "-C", "-", "-o", str(tmp_path / "got"), f"{bridge.url}docs/data")
    assert (tmp_path / "got").read_bytes() == data
    chunked = ("-H", "Transfer-Encoding: chunked", "-T", "-")
    with (tmp_path / "data").open("rb") as file:
        run(tmp_path, *curl, *chunked, f"{bridge.url}docs/again", stdin=file)
    assert disk.get("again") == data
    run(tmp_path, *curl, f"{bridge.url}docs/missing", status=22)


@needs("curl")
def test_curl_does_not_believe_another_certificate(
    served: tuple[Bridge, Disk], tmp_path: Path
) -> None:
    bridge, _ = served
    run(tmp_path, "curl", "-sS", "--cacert", os.devnull, f"{bridge.url}docs/", status=77)
    (tmp_path / "other").mkdir()
    with serving(tmp_path / "other") as (another, _):
        ca = tmp_path / "other.pem"
        ca.write_text(another.certificate)
        run(tmp_path, "curl", "-sS", "--cacert", str(ca), f"{bridge.url}docs/", status=60)


@needs("curl")
def test_curl_comes_over_a_socket_of_unix(tmp_path: Path) -> None:
    with serving(tmp_path, socket=tmp_path / "s") as (bridge, disk):
        disk.put("a", b"over the socket")
        (tmp_path / "ca.pem").write_text(bridge.certificate)
        (tmp_path / "curlrc").write_text(f'oauth2-bearer = "{bridge.key.reveal()}"\n')
        curl = (
            "curl",
            "-sSf",
            "-K",
            str(tmp_path / "curlrc"),
            "--cacert",
            str(tmp_path / "ca.pem"),
        )
        where = ("--unix-socket", str(tmp_path / "s"), f"{bridge.url}docs/a")
        assert run(tmp_path, *curl, *where) == "over the socket"
        settle(bridge)


@needs("cadaver")
def test_cadaver_has_a_session(served: tuple[Bridge, Disk], tmp_path: Path) -> None:
    bridge, disk = served
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "data").write_text("by cadaver")
    netrc = tmp_path / "home" / ".netrc"
    host = authority(bridge).partition(":")[0]
    netrc.write_text(f"machine {host} login any password {bridge.key.reveal()}\n")
    netrc.chmod(0o600)
    session = "y\nmkcol box\nput data box/data\ncopy box/data copied\nmove copied moved\nls\nquit\n"
    terminal = (sys.executable, str(Path(__file__).with_name("terminal.py")))
    said = run(tmp_path, *terminal, "cadaver", f"{bridge.url}docs/", input=session)
    assert disk.all_files() == ["box/data", "moved"], said
    assert disk.get("moved") == b"by cadaver"


@needs("rclone")
def test_rclone_copies_checks_moves_and_purges(served: tuple[Bridge, Disk], tmp_path: Path) -> None:
    bridge, disk = served
    for i in range(200):
        file = tmp_path / "tree" / f"folder {i % 7}" / f"file {i} ä%.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.urandom(i * 37))
    config = tmp_path / "rclone.conf"
    config.write_text(
        f"[b]\ntype = webdav\nurl = {bridge.url}docs\nvendor = other\n"
        f"bearer_token = {bridge.key.reveal()}\n"
    )
    rclone = ("rclone", "--config", str(config), "--ca-cert", str(tmp_path / "ca.pem"))
    run(tmp_path, *rclone, "copy", str(tmp_path / "tree"), "b:tree")
    assert tree_of(tmp_path / "docs" / "tree") == tree_of(tmp_path / "tree")
    said = run(tmp_path, *rclone, "check", "--download", str(tmp_path / "tree"), "b:tree")
    assert "0 differences found" in said
    run(tmp_path, *rclone, "moveto", "b:tree", "b:moved")
    assert tree_of(tmp_path / "docs" / "moved") == tree_of(tmp_path / "tree")
    run(tmp_path, *rclone, "purge", "b:moved")
    assert disk.all_files() == []


# The command


class Command:
    """``safefs serve``, with the disk ``docs`` in a configuration of its own."""

    def __init__(self, tmp_path: Path, *options: str, pass_fds: tuple[int, ...] = ()) -> None:
        (tmp_path / "docs").mkdir(exist_ok=True)
        config = tmp_path / "safefs.toml"
        config.write_text(f'[disks.docs]\npath = "{tmp_path / "docs"}"\n')
        home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "safefs", "--config", str(config), "serve", "docs", *options],
            env=home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
        )

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


def fetched(said: dict[str, Any], path: str, *, cut: bytes | None = None) -> bytes:
    """By nothing but what the line says; ``cut`` is sent as the beginning of an upload."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=said["certificate"])
    host, _, port = said["url"].removeprefix("https://").rstrip("/").rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=20) as raw,
        context.wrap_socket(raw, server_hostname=host) as sock,
    ):
        head = f"Host: {host}:{port}\r\nAuthorization: Bearer {said['key']}\r\n"
        if cut is None:
            sock.sendall(f"GET {path} HTTP/1.1\r\n{head}Connection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: sock.recv(65536), b""))
        sock.sendall(f"PUT {path} HTTP/1.1\r\n{head}Content-Length: 99999999\r\n\r\n".encode())
        while True:
            sock.sendall(cut)


def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    command = Command(tmp_path)
    said = command.line()
    (tmp_path / "docs" / "a").write_text("by the command")
    assert b"by the command" in fetched(said, "/docs/a")
    assert said["disks"] == ["docs"]
    assert command.end() == (0, "", "")


def test_the_command_hands_over_where_it_is_told_to(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    command = Command(tmp_path, "--hand-over", str(writing), "--read-only", pass_fds=(writing,))
    os.close(writing)
    with os.fdopen(reading) as end:
        said = json.loads(end.readline())
    assert b" 404 " in fetched(said, "/docs/a")
    # Neither in its arguments nor in its environment, which others of this user can read.
    for name in ("cmdline", "environ"):
        assert said["key"].encode() not in Path(f"/proc/{command.process.pid}/{name}").read_bytes()
    assert command.end()[:2] == (0, "")


@pytest.mark.parametrize("options", [["nothing"], ["--port", "99999"], ["--origin", "*"]])
def test_the_command_says_on_one_line_what_is_wrong(tmp_path: Path, options: list[str]) -> None:
    command = Command(tmp_path, *options)
    out, err = command.process.communicate(timeout=20)
    assert command.process.returncode in (1, 2)
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_killed_in_the_middle_of_uploads_it_has_published_no_half(tmp_path: Path) -> None:
    command = Command(tmp_path)
    said = command.line()
    (tmp_path / "docs" / "0").write_text("before")

    def upload(name: int) -> None:
        try:
            fetched(said, f"/docs/{name}", cut=b"x" * 65536)
        except OSError:
            pass

    threads = [threading.Thread(target=upload, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    assert command.end(signal.SIGKILL)[0] == -signal.SIGKILL
    for thread in threads:
        thread.join()
    left = [path.name for path in (tmp_path / "docs").iterdir()]
    assert [name for name in left if not name.startswith(".safefs-")] == ["0"]
    assert len(left) > 1  # drafts: it was in the middle
    assert (tmp_path / "docs" / "0").read_text() == "before"
