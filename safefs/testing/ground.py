"""The ground on which operations and attackers meet: made anew, and judged, for each encounter.

It must be quick: it is laid out a thousand times a second. Nothing here goes through safefs.
"""

from __future__ import annotations

import hashlib
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from safefs.testing.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

MARK = "OUTSIDE"  # in every byte, name and attribute that must never come back
LARGE = 5000  # bytes of a file outside; what lies inside is smaller even when added up

# Outside stands the same as inside, so that what is led astray finds there what it came for.
_DIRECTORIES = ("a", "a/d", "a/d/sub", "a/d/sub/deep")
_FILES = ("a/d/f", "a/d/g", "a/d/sub/f", "a/d/sub/deep/f")
_INSIDE_LINKS = (("a/d/l", "f"), ("way", "a/d"))
_INSIDE_ONLY = ("spare",)
_BYSTANDERS = ("f", "g", f"{MARK}-name")
_ATTRIBUTE = "user.mark"

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_UNSEEN = getattr(os, "O_NOATIME", 0)  # looking must not look like a read


class Ground:
    """Beneath a moat: ``root``, an ``outside`` of the same shape, and ``elsewhere``.

    ``elsewhere`` is where the attacker takes what it moves out of the root. What it has brought
    there was inside when safefs reached it, and is not judged; all else there is outside, and bears
    the names that whoever goes up by ``..`` would look for.
    ``drafts`` are the temporary names that an operation has left behind, once ``judge`` was asked.
    """

    def __init__(self, directory: Path) -> None:
        self.scratch = Scratch.under(directory)
        base = str(self.scratch.base)
        self.root = f"{base}/root"
        self.outside = f"{base}/outside"
        self.elsewhere = f"{base}/elsewhere"
        self.drafts: list[str] = []
        self._base = base
        self._top = -1
        self._inside = -1
        self._build()

    def close(self) -> None:
        """Close the directories that are held so that names are short to look up."""
        for fd in (self._top, self._inside):
            if fd >= 0:
                os.close(fd)
        self._top = self._inside = -1

    # What operations find

    def _build(self) -> None:
        for place in (self.root, self.outside, self.elsewhere):
            os.mkdir(place)
        self.close()
        self._top = os.open(self._base, _LIST)
        self._inside = os.open(self.root, _LIST)
        self._build_outside()
        self.lay()
        self.scratch.remember(self.scratch.base / "outside", self.scratch.base / "elsewhere")

    def _build_outside(self) -> None:
        names = [*_FILES, *(f"{at}/{MARK}-name" for at in _DIRECTORIES)]
        files = [f"outside/{name}" for name in names]
        files += [f"elsewhere/{name}" for name in _BYSTANDERS]
        directories = ["outside", *(f"outside/{name}" for name in _DIRECTORIES)]
        link = "outside/a/d/l"
        self.told = {MARK}
        for directory in directories[1:]:
            os.mkdir(directory, dir_fd=self._top)
        for number, name in enumerate(files):
            content = (f"{MARK}-".encode() * LARGE)[: LARGE + number]
            _write(self._top, name, content)
            self.told.add(hashlib.sha256(content).hexdigest())
            with suppress(OSError):  # a file system may have no attributes
                os.setxattr(f"{self._base}/{name}", _ATTRIBUTE, MARK.encode())
        os.symlink("f", link, dir_fd=self._top)
        self._places = [*directories, *files, link]
        for name in self._places:
            # relatime marks a read only where the last one lies before the last change.
            changed = os.lstat(name, dir_fd=self._top).st_mtime_ns
            os.utime(name, ns=(0, changed), dir_fd=self._top, follow_symlinks=False)
        self._before = self._portraits()
        self.foreign = {_identity(found) for found in self._looks() if found is not None}

    def lay(self) -> None:
        """Fill the empty root."""
        root = self._inside
        for name in (*_DIRECTORIES, "park"):
            os.mkdir(name, dir_fd=root)
        for name in (*_FILES, *_INSIDE_ONLY):
            _write(root, name, b"inside\n")
        for name, target in _INSIDE_LINKS:
            os.symlink(target, name, dir_fd=root)

    # What has become of it

    def judge(self) -> list[str]:
        """Clear the root and what was moved out of it; what is wrong with them and the outside."""
        self.drafts = []
        wrong: list[str] = []
        try:
            self._clear(wrong)
        except OSError as error:
            wrong.append(f"the ground is not what it was: {error}")
        if self._touched():
            wrong.append(f"the outside was touched: {', '.join(self._touched())}")
        if wrong:
            self._rebuild()
        else:
            self.lay()
        return wrong

    def content_changes(self) -> list[str]:
        """What ``judge`` would only see by its times: names and bytes of the outside, in full."""
        now = self._portraits()
        return [name for name, before in self._before.items() if now[name] != before]

    def reveals(self, answer: object) -> str:
        """What of the outside is in an answer: a plain value, or a list, tuple or dict of such."""
        pending = [answer]
        while pending:
            value = pending.pop()
            if isinstance(value, os.stat_result):
                if _identity(value) in self.foreign:
                    return f"a stat of the outside: {value}"
            elif isinstance(value, bool) or value is None:
                continue
            elif isinstance(value, int):
                if value >= LARGE:
                    return f"a size of the outside: {value}"
            elif isinstance(value, str | bytes):
                text = value if isinstance(value, str) else value.decode("latin-1")
                if any(mark in text for mark in self.told):
                    return f"text of the outside: {text[:80]!r}"
            elif isinstance(value, dict):
                pending += [*value, *value.values()]
            else:
                pending += cast("Iterable[object]", value)
        return ""

    def _clear(self, wrong: list[str]) -> None:
        moved = f"{self.elsewhere}/root"
        if os.path.lexists(moved):
            self._remove(self.root, wrong)
            os.rename(moved, self.root)
        names = set(os.listdir(self._base)) ^ {"root", "outside", "elsewhere"}
        wrong += [f"{name} beside the root" for name in sorted(names)]
        self._empty(self._inside, wrong)
        for name in os.listdir(self.elsewhere):
            if name.startswith("moved"):
                self._remove(f"{self.elsewhere}/{name}", wrong)
            elif name not in _BYSTANDERS:
                wrong.append(f"{name} where the attacker takes what it moves out")
                self._remove(f"{self.elsewhere}/{name}", wrong)

    def _remove(self, path: str, wrong: list[str]) -> None:
        """A link, a file, or a directory that is emptied first."""
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
        fd = os.open(path, _LIST)
        try:
            self._empty(fd, wrong)
        finally:
            os.close(fd)
        os.rmdir(path)

    def _empty(self, top: int, wrong: list[str]) -> None:
        """Empty a directory, looking at what goes: no outside content, no link to its inodes."""
        with os.scandir(top) as entries:
            found = list(entries)
        for entry in found:
            name = entry.name
            if name.endswith(".tmp"):
                self.drafts.append(name)
            if entry.is_dir(follow_symlinks=False):
                fd = os.open(name, _LIST, dir_fd=top)
                try:
                    self._empty(fd, wrong)
                finally:
                    os.close(fd)
                os.rmdir(name, dir_fd=top)
                continue
            if entry.is_file(follow_symlinks=False):
                self._look_at(top, name, wrong)
            os.unlink(name, dir_fd=top)

    def _look_at(self, top: int, name: str, wrong: list[str]) -> None:
        fd = os.open(name, _READ, dir_fd=top)
        try:
            if _identity(os.fstat(fd)) in self.foreign:
                wrong.append(f"{name} inside is a file of the outside")
            elif MARK.encode() in os.read(fd, 4 * LARGE):
                wrong.append(f"{name} inside holds content of the outside")
        finally:
            os.close(fd)

    def _looks(self) -> list[os.stat_result | None]:
        return [_look(self._top, name) for name in self._places]

    def _touched(self) -> list[str]:
        """By their stat alone: the outside is older than the clock's last tick, so that whatever is
        done to it gives it another time of change, or of reading."""
        looks = zip(self._before.items(), self._looks(), strict=True)
        return [name for (name, (before, _)), found in looks if _times(found) != before]

    def _portraits(self) -> dict[str, tuple[object, object]]:
        return {
            name: (_times(_look(self._top, name)), _content(self._top, name))
            for name in self._places
        }

    def _rebuild(self) -> None:
        """All of it, after an escape: the next encounter must not inherit the damage."""
        os.makedirs(self._base, exist_ok=True)
        for name in os.listdir(self._base):
            self._remove(f"{self._base}/{name}", [])
        self._build()


def _write(dir_fd: int, name: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = os.open(name, flags, 0o644, dir_fd=dir_fd)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _look(dir_fd: int, name: str) -> os.stat_result | None:
    try:
        return os.lstat(name, dir_fd=dir_fd)
    except OSError:
        return None


def _times(found: os.stat_result | None) -> tuple[object, ...]:
    """All of a stat, the time when it was last read included: to read it would be an escape too."""
    return () if found is None else (*found[:7], found.st_atime_ns, found.st_ctime_ns)


def _content(dir_fd: int, name: str) -> object:
    """Names or bytes; read so that it does not show as a read."""
    try:
        fd = os.open(name, _READ | _UNSEEN, dir_fd=dir_fd)
    except OSError as error:  # a link, or gone
        return error.errno
    try:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            return sorted(os.listdir(fd))
        return os.read(fd, 4 * LARGE)
    finally:
        os.close(fd)
