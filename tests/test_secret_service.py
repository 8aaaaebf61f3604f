"""The keyring of a real desktop: gnome-keyring, on a bus of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.installations import FILES, names_in
from tests.installations import home as home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRAMS = ("dbus-run-session", "gnome-keyring-daemon")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, PROGRAMS)),
    reason="needs dbus and gnome-keyring (make tools)",
)

# Nothing is started by the bus itself, which nobody could end.
_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:dir={place}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""


def session(home: Path, *scene: str) -> list[str]:
    """What a scene of ``tests.desktop`` prints, played in a session of its own."""
    run = home / "run"
    run.mkdir(mode=0o700)
    (home / "bus.conf").write_text(_BUS.format(place=run))
    command = ["dbus-run-session", f"--config-file={home / 'bus.conf'}", "--", sys.executable]
    done = subprocess.run(
        [*command, "-m", "tests.desktop", *scene],
        env={"HOME": str(home), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(run)},
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_key_is_kept_in_it_and_many_processes_at_once_make_one(
    home: Path, scaled: Callable[[int], int]
) -> None:
    count = min(16, scaled(4))
    lines = session(home, "first_runs", str(count))
    assert len(lines) == count
    assert len(set(lines)) == 1
    assert lines[0].startswith("keyring age1")
    assert names_in(home) == FILES["keyring"]
    secret = b"AGE-SECRET-KEY-1"
    for path in home.rglob("*"):
        assert not path.is_file() or secret not in path.read_bytes()


def test_it_is_found_again_rotated_and_missed(home: Path) -> None:
    source, rotated, gone = session(home, "a_life")
    assert source == "keyring"
    assert rotated == "the same after a rotation: True"
    there = "keyring.backends.SecretService.Keyring is not there; there is keyring.backends.fail"
    assert gone.startswith(f"gone: the key of this installation (keyring): {there}")
    assert names_in(home) == FILES["keyring"]


def test_one_that_is_locked_with_nobody_to_unlock_it_is_passed_over_and_that_is_said(
    home: Path,
) -> None:
    said, source = session(home, "locked")
    assert source == "file"
    assert said.endswith("installation.key: KeyringLocked: Failed to unlock the collection!")
    assert names_in(home) == FILES["file"]


def test_a_bus_without_one_is_passed_over_and_that_is_said(home: Path) -> None:
    said, source = session(home, "none")
    assert source == "file"
    assert said.endswith("there is no keyring but keyring.backends.fail.Keyring")
