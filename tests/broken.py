"""Storages that get out, each by one mistake that people make. For a jail, and nothing else."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from safefs import EscapeError, Root
from safefs.testing.adapters import RootSubject
from safefs.testing.subjects import Subject

if TYPE_CHECKING:
    from collections.abc import Iterable


class Joined(Subject):
    """The root and the path, joined."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)

    def at(self, path: str) -> str:
        """Where a path leads: what each storage here has an idea of its own about."""
        return os.path.join(self.root, path)

    def inside(self, place: str) -> bool:
        return os.path.commonpath([self.root, place]) == self.root

    def read(self, path: str) -> bytes:
        return Path(self.at(path)).read_bytes()

    def exists(self, path: str) -> bool:
        return os.path.exists(self.at(path))

    def size(self, path: str) -> int:
        return os.path.getsize(self.at(path))

    def stat(self, path: str) -> object:
        return os.stat(self.at(path))

    def list(self, path: str) -> Iterable[object]:
        return os.listdir(self.at(path))

    def walk(self, path: str) -> Iterable[object]:
        return os.walk(self.at(path))

    def write(self, path: str, data: bytes) -> None:
        Path(self.at(path)).write_bytes(data)

    def append(self, path: str, data: bytes) -> None:
        with open(self.at(path), "ab") as file:
            file.write(data)

    def create(self, path: str, data: bytes) -> None:
        with open(self.at(path), "xb") as file:
            file.write(data)

    def mkdir(self, path: str) -> None:
        os.mkdir(self.at(path))

    def copy(self, source: str, target: str) -> None:
        shutil.copyfile(self.at(source), self.at(target))

    def rename(self, source: str, target: str) -> None:
        os.rename(self.at(source), self.at(target))

    def remove(self, path: str) -> None:
        os.remove(self.at(path))

    def remove_tree(self, path: str) -> None:
        shutil.rmtree(self.at(path))


class Lexical(Joined):
    """``..`` is taken out of the text, and links are not looked at."""

    def at(self, path: str) -> str:
        place = os.path.normpath(os.path.join(self.root, path))
        if not self.inside(place):
            raise ValueError("outside")
        return os.path.join(self.root, path)


class Realpath(Joined):
    """By hand, and nearly right: resolved, compared, and then opened by name once more."""

    def at(self, path: str) -> str:
        place = os.path.realpath(os.path.join(self.root, path))
        if not self.inside(place):
            raise ValueError("outside")
        return place


class StartsWith(Realpath):
    """Compared as text: ``root-evil`` begins with ``root``."""

    def inside(self, place: str) -> bool:
        return place.startswith(self.root)


class LooksAtTheEnd(Lexical):
    """Refuses a link, if that is what the path ends in."""

    def at(self, path: str) -> str:
        place = super().at(path)
        if os.path.islink(place):
            raise ValueError("a link")
        return place


class ReadsOneLink(Lexical):
    """Looks where a link leads, and not whether that is a link."""

    def at(self, path: str) -> str:
        place = super().at(path)
        if os.path.islink(place):
            led = os.path.normpath(os.path.join(os.path.dirname(place), os.readlink(place)))
            if not self.inside(led):
                raise ValueError("outside")
        return place


class MindsRelativeLinks(Lexical):
    """Refuses a link with ``..`` in its text; others are taken to stay."""

    def at(self, path: str) -> str:
        place = super().at(path)
        for part in (place, os.path.dirname(place)):
            if os.path.islink(part) and ".." in os.readlink(part):
                raise ValueError("a link that climbs")
        return place


class MindsWhatIsThere(Realpath):
    """What does not exist cannot lead anywhere."""

    def at(self, path: str) -> str:
        place = os.path.join(self.root, path)
        return super().at(path) if os.path.exists(place) else Lexical.at(self, path)  # type: ignore[arg-type]


class Unquotes(Realpath):
    """Decodes what it has checked."""

    def at(self, path: str) -> str:
        super().at(path)
        return os.path.join(self.root, unquote(path))


class Expands(Realpath):
    """Expands what it has checked."""

    def at(self, path: str) -> str:
        super().at(path)
        return os.path.join(self.root, os.path.expandvars(os.path.expanduser(path)))


class CutsAtNul(Realpath):
    """Hands a path on to C, which reads to the NUL, when Python has given up on it."""

    def at(self, path: str) -> str:
        try:
            return super().at(path)
        except ValueError as error:
            if "null byte" not in str(error):
                raise
            return os.path.join(self.root, path.partition("\0")[0])


class Careful(RootSubject):
    """safefs's own Root, to be broken in one word."""

    def __init__(self, root: Path) -> None:
        super().__init__(Root(root))
        self.root = str(root)

    def at(self, path: str) -> str:
        return os.path.join(self.root, path)


class FollowsInWalks(Careful):
    def walk(self, path: str) -> Iterable[object]:
        super().list(path)
        return os.walk(self.at(path), followlinks=True)


class TellsSizes(Careful):
    def size(self, path: str) -> int:
        return os.stat(self.at(path)).st_size


class TellsWhatExists(Careful):
    def exists(self, path: str) -> bool:
        return os.path.exists(self.at(path))


class TellsByItsErrors(Careful):
    """Refuses what is there, and cannot find what is not."""

    def read(self, path: str) -> bytes:
        if not os.path.exists(self.at(path)):
            raise FileNotFoundError(path)
        return super().read(path)


class ChecksTextOnly(Careful):
    """``bytes`` are somebody's own business."""

    def read(self, path: str | bytes) -> bytes:
        if isinstance(path, bytes):
            return Path(self.root, os.fsdecode(path)).read_bytes()
        return super().read(path)


class TrustsPaths(Careful):
    """Whoever has a path object is taken to have checked it."""

    def write(self, path: str | bytes | os.PathLike[str], data: bytes) -> None:
        if not isinstance(path, str):
            Path(self.root, os.fsdecode(path)).write_bytes(data)
        else:
            super().write(path, data)


class TellsByTheTextOfItsErrors(Careful):
    """The same type of error, in other words."""

    def read(self, path: str) -> bytes:
        try:
            return super().read(path)
        except EscapeError:
            word = "forbidden" if os.path.exists(self.at(path)) else "missing"
            raise ValueError(f"{word}: {path}") from None


class ReadsIntoABuffer(Careful):
    """``bytearray``, ``memoryview`` and the like are bytes too."""

    def read(self, path: str) -> bytes:
        return bytearray(Path(self.at(path)).read_bytes())  # type: ignore[return-value]


class ReadsText(Careful):
    def read(self, path: str) -> bytes:
        return Path(self.at(path)).read_text()  # type: ignore[return-value]


class QuotesInItsErrors(Careful):
    """Refuses what it has read, and says what that was."""

    def read(self, path: str) -> bytes:
        data = Path(self.at(path)).read_bytes()
        if data != b"inside":
            raise ValueError(f"no picture: {data[:60]!r}")
        return data


class NamesInItsErrors(Careful):
    def list(self, path: str) -> Iterable[object]:
        names = sorted(os.listdir(self.at(path)))
        if "g" not in names or len(names) > 2:
            raise FileExistsError(17, "unknown", f"{path}/{names[-1]}")
        return names


class Entry:
    def __init__(self, found: os.stat_result) -> None:
        self.size = found.st_size


class TellsSizesInAnObject(Careful):
    def stat(self, path: str) -> object:
        return Entry(os.stat(self.at(path)))


class Remembers(Careful):
    """What was inside once is taken to be there for good."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.good: set[str] = set()

    def read(self, path: str) -> bytes:
        if path in self.good:
            return Path(self.at(path)).read_bytes()
        data = super().read(path)
        self.good.add(path)
        return data


class RefusesOnce(Careful):
    """Refuses, and remembers only that it has looked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.seen: set[str] = set()

    def read(self, path: str) -> bytes:
        if path in self.seen:
            return Path(self.at(path)).read_bytes()
        self.seen.add(path)
        return super().read(path)


class IsElsewhere(Subject):
    """Sees nothing of the root: what is written goes to some other place."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        raise FileNotFoundError(path)

    def write(self, path: str, data: bytes) -> None:
        (self.root.parent / "written").write_bytes(data)


class ReadsInCapitals(Careful):
    def read(self, path: str) -> bytes:
        data = Path(self.at(path)).read_bytes()
        return data if data == b"inside" else data.upper().replace(b":", b" ")


class TellsSizesAsText(Careful):
    def stat(self, path: str) -> object:
        return {"kind": 1, "size": str(os.stat(self.at(path)).st_size)}


class TellsTimesAsText(Careful):
    def stat(self, path: str) -> object:
        changed = datetime.fromtimestamp(os.stat(self.at(path)).st_mtime, UTC)
        return {"kind": 1, "changed": changed.isoformat()}


class CopiesByName(Careful):
    def copy(self, source: str, target: str) -> None:
        shutil.copyfile(self.at(source), self.at(target))


class LinksIn(Careful):
    """A copy that costs nothing."""

    def copy(self, source: str, target: str) -> None:
        os.link(os.path.realpath(self.at(source)), self.at(target))


class RemovesByName(Careful):
    def remove_tree(self, path: str) -> None:
        shutil.rmtree(self.at(path))


class FollowsWhenRemoving(Careful):
    """Empties a directory before it removes it, whatever way it got there."""

    def remove_tree(self, path: str) -> None:
        super().stat(path)
        self._empty(self.at(path))

    def _empty(self, place: str) -> None:
        for name in os.listdir(place):
            entry = os.path.join(place, name)
            if os.path.isdir(entry):
                self._empty(entry)
            else:
                os.remove(entry)


# -- bad in other ways -------------------------------------------------------------------------


class Hangs(Careful):
    def read(self, path: str) -> bytes:
        while True:
            time.sleep(0.05)


class HangsOnLinks(Careful):
    def read(self, path: str) -> bytes:
        try:
            return super().read(path)
        except EscapeError:
            while True:
                signal.pause()


class Dies(Careful):
    def read(self, path: str) -> bytes:
        os.kill(os.getpid(), signal.SIGSEGV)
        return b""


class Exits(Careful):
    def read(self, path: str) -> bytes:
        raise SystemExit(3)


class CannotBeMade(Careful):
    def __init__(self, root: Path) -> None:
        raise RuntimeError("no licence")


class LeaksDescriptors(Careful):
    def read(self, path: str) -> bytes:
        fd = os.open(self.at("f"), os.O_RDONLY)
        assert fd > 0
        return super().read(path)


class LeaksWhenMade(Careful):
    def __init__(self, root: Path) -> None:
        super().__init__(root)
        os.open(root, os.O_RDONLY)


class LeaksWhenItRefuses(Careful):
    def mkdir(self, path: str) -> None:
        try:
            super().mkdir(path)
        except EscapeError:
            os.open(self.root, os.O_RDONLY)
            raise


class WalksWithoutEnd(Careful):
    """In a circle, and nothing but what is inside."""

    def walk(self, path: str) -> Iterable[object]:
        super().list(path)
        return itertools.cycle(["d/g", "d/e"])


class WalksLinksWithoutEnd(Careful):
    def walk(self, path: str) -> Iterable[object]:
        if os.path.lexists(self.at("d/l")):
            return itertools.cycle(["d/g", "d/e"])
        return super().walk(path)


class LeavesThreads(Careful):
    """One for each, that waits for work."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        threading.Thread(target=threading.Event().wait, daemon=True).start()


class LeavesThreadsWhenItRefuses(Careful):
    def mkdir(self, path: str) -> None:
        try:
            super().mkdir(path)
        except EscapeError:
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            raise


class RefusesEverything(Subject):
    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        raise PermissionError(path)

    def remove(self, path: str) -> None:
        raise PermissionError(path)


class OffersNothing(Subject):
    def __init__(self, root: Path) -> None:
        self.root = root
