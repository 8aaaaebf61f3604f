"""``python -m safefs.lockdown --self-test``: whether lock-down does here what it says."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

_USAGE = "usage: python -m safefs.lockdown --self-test\n"


def main(words: list[str]) -> int:
    """Its status: 0 if all holds, 1 if something does not, or there is no lock-down here."""
    if words[:1] == ["--in"] and len(words) == 2:
        return _told(words[1])
    if words != ["--self-test"]:
        sys.stderr.write(_USAGE)
        return 2
    with tempfile.TemporaryDirectory(prefix="safefs-selftest-") as top:
        # Another process is locked down, so that this one can clear away; with a home of its own.
        os.mkdir(f"{top}/home", 0o700)
        kept = {name: text for name, text in os.environ.items() if not name.startswith("XDG_")}
        environment = {**kept, "HOME": f"{top}/home", "TMPDIR": top}
        command = [sys.executable, "-m", "safefs.lockdown", "--in", top]
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603


def _told(top: str) -> int:
    from safefs.errors import LockdownUnavailable
    from safefs.lockdown import selftest

    try:
        return selftest.main(top)
    except LockdownUnavailable as error:
        sys.stderr.write(f"safefs.lockdown: {error.strerror}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
