"""Watching a disk: what is told is what is there, and nothing of what is outside."""

from __future__ import annotations

import asyncio
import copy
import ctypes
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
from contextlib import closing
from errno import EMFILE, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Change, Disk, Policy, Resync, RootGone, RootMoved, Storage, Watcher
from safefs.drivers.memory import MemoryDriver
from tests.watching import Mirror, portrait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIFE = Path(__file__).parent / "watching.py"
INOTIFY = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="this kernel has no inotify"
)
SOON = 10.0  # seconds; nothing takes as long, and nothing depends on it


@pytest.fixture(params=[pytest.param("inotify", marks=INOTIFY), "polling"])
def polling(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "polling")


class Ground:
    """A root and another directory beside it, which the tests change too."""

    def __init__(self, base: Path) -> None:
        self.root, self.elsewhere = base / "root", base / "elsewhere"
        self.root.mkdir(parents=True)
        self.elsewhere.mkdir()


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path / "m" / "m")


@pytest.fixture
def disk(ground: Ground) -> Iterator[Disk]:
    with Disk(ground.root) as made:
        yield made


def read_until(watcher: Watcher, path: str, mirror: Mirror | None = None) -> list[Change]:
    """All changes up to the one that tells of ``path``."""
    found: list[Change] = []
    for change in watcher:
        found.append(change)
        if mirror is not None:
            mirror.take(change)
        if change.path == path:
            return found
    raise AssertionError(f"it ended with {found[-1:]}")


def settle(watcher: Watcher, root: Path, mirror: Mirror | None = None) -> list[Change]:
    """All changes that came of what has been done by now.

    The first file may be seen by a look that an older hint caused. The hint that it caused itself
    came behind all older ones; and a look that sees the second has taken those.
    """
    found = []
    for name in ("settled-1", "settled-2"):
        (root / name).touch()
        found += read_until(watcher, name, mirror)
    found += watcher.poll()
    return [change for change in found if not change.path.startswith("settled-")]


def said(changes: list[Change]) -> list[tuple[str, ...]]:
    return [tuple(filter(None, (change.kind, change.old_path, change.path))) for change in changes]


@pytest.mark.usefixtures("untraced")
def test_a_mirror_kept_from_events_alone_is_the_disk_after_a_long_life(
    ground: Ground,
    resolver: str,
    polling: bool,
    scaled: Callable[[int], int],
    counted: Callable[..., None],
) -> None:
    """Another process creates, writes, replaces, renames in, out and within, deletes, swaps links.

    The mirror refuses what cannot be: a second creation, a removal of what is not there, an entry
    without its directory.
    """
    began = time.monotonic()
    root, outside = ground.root, ground.elsewhere
    (root / "a" / "b").mkdir(parents=True)
    count = scaled(500)
    mirror = Mirror(portrait(root))
    with (
        Disk(root) as disk,
        disk.watch(polling=polling, interval=0.02, debounce=0.001) as watcher,
    ):
        command = [sys.executable, str(LIFE), str(root), str(outside), "7", str(count)]
        with subprocess.Popen(command) as life:
            while life.poll() is None:
                for change in watcher.poll(0.01):
                    mirror.take(change)
        assert life.returncode == 0
        settle(watcher, root, mirror)
        mirror.take_all(watcher.poll())
        assert mirror.entries == portrait(root)
        assert watcher.mode == ("polling" if polling else "inotify")
    told = sum(mirror.kinds.values())
    assert told > count / 10
    counted(
        f"a life watched by {watcher.mode} ({resolver})",
        f"{count:,} changes, {told:,} events",
        seconds=time.monotonic() - began,
        disagreements=0,
    )


def test_nothing_is_told_of_a_directory_that_was_moved_out(
    ground: Ground,
    resolver: str,
    polling: bool,
    scaled: Callable[[int], int],
    counted: Callable[..., None],
) -> None:
    """While it is moved, right after, and long after; it was watched, and so were those in it."""
    began = time.monotonic()
    root, outside = ground.root, ground.elsewhere
    count = scaled(100)
    with Disk(root) as disk, disk.watch(polling=polling, interval=0.02, debounce=0.001) as watcher:
        (root / "d" / "e").mkdir(parents=True)
        (root / "d" / "f").touch()
        settle(watcher, root)
        (root / "settled-1").unlink()
        (root / "settled-2").unlink()
        watcher.poll()
        os.rename(root / "d", outside / "d")
        for number in range(count):
            (outside / "d" / f"secret-{number}").write_text("x")
            (outside / "d" / "e" / f"secret-{number % 7}").write_text("x" * number)
            if number == count // 2:
                told = settle(watcher, root)
        (root / "settled-1").unlink()
        (root / "settled-2").unlink()
        watcher.poll()
        told += settle(watcher, root)
    assert [each for each in said(told) if "settled" not in each[1]] == [
        ("removed", "d/f"),
        ("removed", "d/e"),
        ("removed", "d"),
    ]
    counted(
        f"writes in what was moved out ({'polling' if polling else 'inotify'}, {resolver})",
        f"{2 * count:,}",
        seconds=time.monotonic() - began,
        escapes=0,
    )


def test_a_directory_that_is_moved_out_is_unwatched_and_one_moved_in_is_watched(
    ground: Ground, disk: Disk, polling: bool
) -> None:
    elsewhere = ground.elsewhere
    (elsewhere / "d").mkdir()
    (elsewhere / "d" / "f").touch()
    with disk.watch(polling=polling, interval=0.03) as watcher:
        os.rename(elsewhere / "d", ground.root / "d")
        assert said(watcher.poll(SOON)) == [("created", "d"), ("created", "d/f")]
        (ground.root / "d" / "g").touch()
        assert said(watcher.poll(SOON)) == [("created", "d/g")]
        os.rename(ground.root / "d", elsewhere / "d")
        assert said(watcher.poll(SOON)) == [
            ("removed", "d/g"),
            ("removed", "d/f"),
            ("removed", "d"),
        ]
        inotify = watcher._held._inotify
        assert inotify is None or list(inotify._watches) == [""]


def test_each_kind_of_change_is_told_once(ground: Ground, disk: Disk, polling: bool) -> None:
    root = ground.root
    with disk.watch(polling=polling, interval=0.03) as watcher:

        def told() -> list[tuple[str, ...]]:
            return said(watcher.poll(SOON))

        (root / "f").write_text("one")
        assert told() == [("created", "f")]
        with open(root / "f", "a") as file:
            file.write("more")
        assert told() == [("modified", "f")]
        disk.put("f", "as a whole")
        assert told() == [("modified", "f")]
        os.chmod(root / "f", 0o600)
        assert told() == [("modified", "f")]
        os.rename(root / "f", root / "g")
        assert told() == [("renamed", "f", "g")]
        disk.put("a/b/c", "deep")
        assert told() == [("created", "a"), ("created", "a/b"), ("created", "a/b/c")]
        os.rename(root / "a", root / "z")
        assert told() == [("renamed", "a", "z")]
        (root / "z" / "b" / "d").touch()
        assert told() == [("created", "z/b/d")]
        os.chmod(root / "z" / "b", 0o700)
        assert told() == [("modified", "z/b")]
        (root / "l").symlink_to("z")
        assert told() == [("created", "l")]
        disk.delete_directory("z")
        assert told() == [
            ("removed", "z/b/d"),
            ("removed", "z/b/c"),
            ("removed", "z/b"),
            ("removed", "z"),
        ]
        assert watcher.poll() == []


def test_a_change_carries_what_was_seen(disk: Disk) -> None:
    with disk.watch() as watcher:
        disk.put("f", "four")
        (created,) = watcher.poll(SOON)
        assert created.stat == disk.stat("f")
        disk.delete("f")
        (removed,) = watcher.poll(SOON)
        assert removed.stat == created.stat


def test_temporary_names_are_not_told(ground: Ground, disk: Disk, polling: bool) -> None:
    with disk.watch(polling=polling, interval=0.03) as watcher:
        (ground.root / ".safefs-0123456789abcdef.tmp").write_text("half")
        assert settle(watcher, ground.root) == []


def test_links_are_not_followed(ground: Ground, disk: Disk, polling: bool) -> None:
    """Neither one that leads outside nor one that leads to a directory of the disk."""
    outside = ground.elsewhere
    (ground.root / "real").mkdir()
    with disk.watch(polling=polling, interval=0.03) as watcher:
        (ground.root / "out").symlink_to(outside)
        (ground.root / "in").symlink_to("real")
        settle(watcher, ground.root)
        (outside / "secret").touch()
        (ground.root / "real" / "f").touch()
        assert said(watcher.poll(SOON)) == [("created", "real/f")]


def test_a_directory_swapped_for_a_link_that_leads_out_shows_nothing_of_outside(
    ground: Ground, disk: Disk, polling: bool, resolver: str
) -> None:
    root, outside = ground.root, ground.elsewhere
    (outside / "secret").touch()
    (root / "d").mkdir()
    (root / "d" / "f").touch()
    with disk.watch(polling=polling, interval=0.03) as watcher:
        os.rename(root / "d", root / "aside")
        (root / "d").symlink_to(outside)
        assert said(settle(watcher, root)) == [("renamed", "d", "aside"), ("created", "d")]
        (outside / "secret-2").touch()
        (root / "aside" / "g").touch()
        assert said(watcher.poll(SOON)) == [("created", "aside/g")]


@pytest.mark.usefixtures("untraced")
def test_a_directory_swapped_for_a_link_again_and_again_shows_nothing_of_outside(
    ground: Ground,
    disk: Disk,
    polling: bool,
    resolver: str,
    scaled: Callable[[int], int],
    counted: Callable[..., None],
) -> None:
    """The watcher looks all the while; d is a directory, or leads to where secrets are."""
    began, count = time.monotonic(), scaled(1000)
    root, outside = ground.root, ground.elsewhere
    (outside / "e").mkdir()
    for name in ("secret", "e/secret"):
        (outside / name).touch()
    (root / "d" / "e").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    mirror = Mirror(portrait(root))
    swap = (
        "import os, sys; os.chdir(sys.argv[1])\n"
        "for n in range(int(sys.argv[2])):\n"
        "    os.rename('d', 'aside'); os.rename('link', 'd'); open('f', 'w').close()\n"
        "    open('aside/e/g', 'a').write('x'); os.rename('d', 'link'); os.rename('aside', 'd')\n"
        "    open(f'link/e/secret-{n % 9}', 'a').write('x')\n"
    )
    told = 0
    with disk.watch(polling=polling, interval=0.001, debounce=0) as watcher:
        command = [sys.executable, "-c", swap, str(root), str(count)]
        with subprocess.Popen(command) as swapper:
            while swapper.poll() is None:
                for change in watcher.poll(0.001):
                    assert "secret" not in change.path
                    mirror.take(change)
                    told += 1
        assert swapper.returncode == 0
        settle(watcher, root, mirror)
        mirror.take_all(watcher.poll())
        assert mirror.entries == portrait(root)
    counted(
        f"swaps for a link that leads out ({'polling' if polling else 'inotify'}, {resolver})",
        f"{count:,} swaps, {told:,} events",
        seconds=time.monotonic() - began,
        escapes=0,
    )


def test_what_the_policy_hides_is_not_told(ground: Ground, polling: bool) -> None:
    with (
        Disk(ground.root, policy=Policy(top_level_dot_entries="refuse")) as disk,
        disk.watch(polling=polling, interval=0.03) as watcher,
    ):
        (ground.root / ".hidden").mkdir()
        (ground.root / ".hidden" / "f").touch()
        assert settle(watcher, ground.root) == []


def test_a_part_of_a_disk_is_watched_under_paths_of_the_disk(disk: Disk, polling: bool) -> None:
    disk.put("a/b/f", "")
    disk.put("c", "")
    with disk.watch("a", polling=polling, interval=0.03) as watcher:
        disk.put("c", "other")
        disk.put("a/b/f", "other")
        assert said(watcher.poll(SOON)) == [("modified", "a/b/f")]
        disk.move("a/b", "a/z")
        assert said(watcher.poll(SOON)) == [("renamed", "a/b", "a/z")]
        assert repr(watcher).startswith("<Watcher 'a' ")


def test_without_recursion_only_the_directory_itself_is_told(disk: Disk, polling: bool) -> None:
    disk.put("a/f", "")
    with disk.watch(recursive=False, polling=polling, interval=0.03) as watcher:
        disk.put("a/f", "other")
        disk.put("a/b/f", "")
        disk.put("z/f", "")
        assert said(watcher.poll(SOON)) == [("created", "z")]


def test_another_directory_under_the_name_is_not_told_as_the_one_that_was(
    ground: Ground, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It becomes a link to another of the disk, after its parent was listed and before it is."""
    disk.put("d/f", "")
    disk.put("other/g", "")
    with disk.watch(polling=True) as watcher:
        looker = watcher._held.looker
        real = looker._list

        def listed(path: str) -> Any:
            if path == "d":
                os.rename(ground.root / "d", ground.root / "aside")
                (ground.root / "d").symlink_to("other")
            return real(path)

        with monkeypatch.context() as patched:
            patched.setattr(looker, "_list", listed)
            assert ("created", "d/g") not in said(watcher.poll())
        watcher.poll()
        assert watcher._tree.directories.keys() == {"", "aside", "other"}


@INOTIFY
def test_what_comes_while_a_directory_is_listed_is_told(
    ground: Ground, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safefs.kernel import syscalls

    late = ground.root / "d" / "late"

    class Reading:
        """What ``os.scandir`` gives; when the first name is asked for it reads all that there are.

        Then one more comes.
        """

        def __init__(self, fd: int) -> None:
            self._fd = fd
            self._real = real(fd)
            self._found: list[Any] | None = None

        def __next__(self) -> Any:
            if self._found is None:
                self._found = list(self._real)
                if os.readlink(f"/proc/self/fd/{self._fd}") == str(late.parent):
                    late.touch()
            if not self._found:
                raise StopIteration
            return self._found.pop()

        def close(self) -> None:
            self._real.close()

    real = syscalls.scandir
    monkeypatch.setattr(syscalls, "scandir", Reading)
    with disk.watch(debounce=0) as watcher:
        late.parent.mkdir()
        told = said(settle(watcher, ground.root))
    # touch() makes the file and then sets its time, and a look may come between.
    assert told[:2] == [("created", "d"), ("created", "d/late")]


def test_a_root_that_moves_while_it_is_looked_at_shows_nothing_more(
    ground: Ground, disk: Disk, polling: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safefs.kernel import syscalls

    disk.put("sub/f", "")
    real, inside = syscalls.scandir, ground.root / "sub"

    def scandir(fd: int) -> Any:
        """It has been opened where it was, and is read where it is now."""
        if inside.exists():
            os.rename(inside, ground.elsewhere / "sub")
            (ground.elsewhere / "sub" / "secret").touch()
        return real(fd)

    with disk.watch("sub", polling=polling, interval=0.03) as watcher:
        monkeypatch.setattr(syscalls, "scandir", scandir)
        disk.put("sub/g", "")
        assert list(watcher) == [RootMoved("sub")]


def test_a_directory_that_may_not_be_read_is_told_and_not_what_is_in_it(
    disk: Disk, polling: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another user would meet it; and it is read as soon as it may be."""
    from safefs.kernel import syscalls

    disk.put("a/f", "")
    real, closed = syscalls.scandir, [True]

    def scandir(fd: int) -> Any:
        if closed[0] and os.readlink(f"/proc/self/fd/{fd}").endswith("/a"):
            raise PermissionError(13, "Permission denied")
        return real(fd)

    monkeypatch.setattr(syscalls, "scandir", scandir)
    with disk.watch(polling=polling, interval=0.03) as watcher:
        closed[0] = False
        disk.set_visibility("a", "private")
        assert said(watcher.poll(SOON)) == [("created", "a/f"), ("modified", "a")]


# The root


@pytest.mark.parametrize("path", ["", "sub"])
def test_a_root_that_is_moved_ends_it(ground: Ground, disk: Disk, polling: bool, path: str) -> None:
    root = ground.root / path
    root.mkdir(exist_ok=True)
    with disk.watch(path, polling=polling, interval=0.05) as watcher:
        os.rename(root, ground.elsewhere / "root")
        (ground.elsewhere / "root" / "secret").touch()
        assert list(watcher) == [RootMoved(path)]
        assert watcher.stopped
        assert watcher.poll() == []


@pytest.mark.parametrize("path", ["", "sub"])
def test_a_root_that_is_swapped_for_a_link_ends_it(
    ground: Ground, disk: Disk, polling: bool, path: str
) -> None:
    root, elsewhere = ground.root / path, ground.elsewhere
    root.mkdir(exist_ok=True)
    (elsewhere / "secret").touch()
    with disk.watch(path, polling=polling, interval=0.05) as watcher:
        os.rename(root, ground.root.parent / "aside")
        root.symlink_to(elsewhere)
        assert list(watcher) == [RootMoved(path)]
    root.unlink()
    os.rename(ground.root.parent / "aside", root)


@pytest.mark.parametrize("path", ["", "sub"])
def test_a_root_that_is_removed_ends_it(
    ground: Ground, disk: Disk, polling: bool, path: str
) -> None:
    root = ground.root / path
    root.mkdir(exist_ok=True)
    (root / "f").touch()
    with disk.watch(path, polling=polling, interval=0.05) as watcher:
        (root / "f").unlink()
        root.rmdir()
        assert list(watcher)[-1] == RootGone(path)
    root.mkdir(exist_ok=True)


def test_a_link_to_the_directory_that_is_watched_led_elsewhere_ends_it(
    ground: Ground, disk: Disk, polling: bool
) -> None:
    for name in ("one", "two"):
        (ground.root / name).mkdir()
    (ground.root / "current").symlink_to("one")
    with disk.watch("current", polling=polling, interval=0.05) as watcher:
        (ground.root / "one" / "f").touch()
        assert said(watcher.poll(SOON)) == [("created", "current/f")]
        (ground.root / "current").unlink()
        (ground.root / "current").symlink_to("two")
        assert list(watcher) == [RootMoved("current")]


# Lost hints


def test_more_than_may_wait_are_compared_after_a_resync(ground: Ground, disk: Disk) -> None:
    for name in "abc":
        disk.put(f"{name}/f", "")
    mirror = Mirror(portrait(ground.root))
    with disk.watch(limit=1) as watcher:
        for name in "abc":
            disk.put(f"{name}/f", "other")
            disk.put(f"{name}/{name}/g", "")
        found = settle(watcher, ground.root, mirror)
        assert found[0] == Resync("")
        assert said(found).count(("modified", "a/f")) == 1
        assert mirror.entries == portrait(ground.root)


@INOTIFY
def test_what_the_kernel_drops_is_compared_after_a_resync(ground: Ground, disk: Disk) -> None:
    from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent, WatchDescriptor

    disk.put("a/f", "")
    with disk.watch(debounce=0) as watcher:
        inotify = watcher._held._inotify
        assert inotify is not None
        assert inotify._instance is not None
        overflow = InotifyEvent(WatchDescriptor(-1), InotifyConstants.IN_Q_OVERFLOW, 0, b"")
        inotify._instance.handle_event(overflow)
        assert watcher.poll(SOON) == [Resync("")]
        disk.put("a/f", "other")
        assert said(settle(watcher, ground.root)) == [("modified", "a/f")]


@INOTIFY
def test_a_watch_that_the_kernel_took_away_is_set_anew_after_a_resync(
    ground: Ground, disk: Disk
) -> None:
    from watchdog.observers.inotify_c import inotify_rm_watch

    disk.put("a/b/f", "")
    with disk.watch(debounce=0) as watcher:
        inotify = watcher._held._inotify
        assert inotify is not None
        assert inotify._instance is not None
        inotify_rm_watch(inotify._instance._inotify_fd, inotify._watches["a"][0])
        assert watcher.poll(SOON) == [Resync("a")]
        disk.put("a/g", "")
        disk.put("a/b/f", "other")
        told = said(settle(watcher, ground.root))
        assert sorted(told) == [("created", "a/g"), ("modified", "a/b/f")]


@INOTIFY
def test_a_directory_made_anew_is_no_lost_watch(ground: Ground, disk: Disk) -> None:
    disk.put("a/f", "")
    with disk.watch() as watcher:
        for _ in range(5):
            disk.delete_directory("a")
            disk.put("a/g", "")
        told = settle(watcher, ground.root)
        assert {change.kind for change in told} <= {"created", "removed", "renamed", "modified"}
        disk.put("a/h", "")
        assert said(watcher.poll(SOON)) == [("created", "a/h")]


class Limited:
    """inotify_add_watch that gives so many watches, and no more."""

    def __init__(self, count: int, error: int) -> None:
        from watchdog.observers import inotify_c

        self.left, self.error, self.real = count, error, inotify_c.inotify_add_watch

    def __call__(self, *arguments: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            ctypes.set_errno(self.error)
            return -1
        return self.real(*arguments)


@INOTIFY
@pytest.mark.parametrize("count", [0, 2])
def test_with_no_watches_left_it_polls_and_says_so(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("watchdog.observers.inotify_c.inotify_add_watch", Limited(count, ENOSPC))
    disk.put("a/b/f", "")
    with disk.watch(interval=0.05) as watcher:
        assert (watcher.mode, watcher.reason) == ("polling", "inotify watch limit reached")
        disk.put("a/b/f", "other")
        assert said(watcher.poll(SOON)) == [("modified", "a/b/f")]


@INOTIFY
def test_with_no_watches_left_later_on_it_compares_all_and_polls_from_there(
    ground: Ground, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watchdog.observers.inotify_c.inotify_add_watch", Limited(4, ENOSPC))
    disk.put("a/f", "")
    mirror = Mirror(portrait(ground.root))
    with disk.watch(interval=0.05) as watcher:
        assert watcher.reason is None
        for name in "bcdef":
            disk.put(f"{name}/{name}/f", "")
        found = settle(watcher, ground.root, mirror)
        assert Resync("") in found
        assert watcher.mode == "polling"
        mirror.take_all(watcher.poll())
        disk.put("f/f/f", "other")
        mirror.take_all(watcher.poll(SOON))
        assert mirror.entries == portrait(ground.root)


@INOTIFY
def test_with_no_instance_of_inotify_left_it_polls_and_says_so(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        ctypes.set_errno(EMFILE)
        return -1

    monkeypatch.setattr("watchdog.observers.inotify_c.inotify_init", refuse)
    with disk.watch(interval=0.05) as watcher:
        assert (watcher.mode, watcher.reason) == (
            "polling",
            "[Errno 24] inotify instance limit reached",
        )


def test_a_disk_in_memory_is_compared() -> None:
    with closing(Disk._over(MemoryDriver())) as disk:
        disk.put("a/f", "")
        with disk.watch(interval=0.05) as watcher:
            assert watcher.mode == "polling"
            assert watcher.reason is not None
            disk.put("a/g", "")
            disk.move("a/f", "f")
            assert said(watcher.poll(SOON)) == [("created", "a/g"), ("renamed", "a/f", "f")]
        with disk.watch("a", interval=0.05) as watcher:
            disk.delete_directory("a")
            assert list(watcher) == [RootGone("a")]


def test_a_fake_storage_is_watched_too() -> None:
    with Storage.fake() as storage, storage.disk("documents").watch() as watcher:
        storage.disk("documents").put("f", "")
        assert said(watcher.poll()) == [("created", "f")]


def test_an_error_meets_the_reader_and_loses_nothing(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, polling: bool
) -> None:
    from safefs.kernel import syscalls

    def fail(fd: int) -> Any:
        raise OSError(EMFILE, "Too many open files")

    with disk.watch(polling=polling, interval=0.05) as watcher:
        disk.put("a/f", "")
        with monkeypatch.context() as patched:
            patched.setattr(syscalls, "scandir", fail)
            with pytest.raises(OSError, match="Too many"):
                next(watcher)
        assert said(watcher.poll(SOON)) == [("created", "a"), ("created", "a/f")]


# Forms


def test_it_is_an_iterator_that_ends_when_another_thread_stops_it(disk: Disk) -> None:
    watcher = disk.watch()
    disk.put("f", "")
    assert next(watcher) == Change("created", "f")
    timer = threading.Timer(0.05, watcher.stop)
    timer.start()
    assert list(watcher) == []
    timer.join()


def test_it_is_an_async_iterator(disk: Disk, polling: bool) -> None:
    async def first_two() -> list[Change]:
        found = []
        with disk.watch(polling=polling, interval=0.05) as watcher:
            asyncio.get_running_loop().call_later(0.02, disk.put, "a/f", "")
            async for change in watcher:
                found.append(change)
                if len(found) == 2:
                    break
        return found

    assert asyncio.run(first_two()) == [Change("created", "a"), Change("created", "a/f")]


def test_a_reader_that_is_cancelled_loses_nothing(disk: Disk) -> None:
    async def read() -> list[Change]:
        found: list[Change] = []
        with disk.watch(debounce=0.001) as watcher:
            for number in range(20):
                disk.put(f"{number:02}", "")
                try:
                    async with asyncio.timeout(0.001 * (number % 5)):
                        found.append(await anext(watcher))
                except TimeoutError:
                    pass
            while len(found) < 20:
                found.append(await anext(watcher))
        return found

    assert asyncio.run(read()) == [Change("created", f"{number:02}") for number in range(20)]


def test_an_async_reader_ends_when_another_thread_stops_it(disk: Disk) -> None:
    async def read() -> list[Change]:
        watcher = disk.watch()
        timer = threading.Timer(0.05, watcher.stop)
        timer.start()
        return [change async for change in watcher]

    assert asyncio.run(read()) == []


def test_it_calls_a_function_from_a_thread_of_its_own(disk: Disk, polling: bool) -> None:
    found: list[Change] = []
    enough = threading.Event()

    def take(change: Change) -> None:
        found.append(change)
        if len(found) == 2:
            enough.set()

    with disk.watch(callback=take, polling=polling, interval=0.05):
        disk.put("a/f", "")
        assert enough.wait(SOON)
    assert found == [Change("created", "a"), Change("created", "a/f")]


def test_a_callback_that_cannot_be_called_is_refused_at_once(disk: Disk) -> None:
    with pytest.raises(TypeError, match="callback is a callable, not int"):
        disk.watch(callback=5)  # type: ignore[arg-type]


def test_a_callback_may_stop_it(disk: Disk) -> None:
    ended = threading.Event()

    def take(change: Change) -> None:
        watcher.stop()
        ended.set()

    watcher = disk.watch(callback=take)
    disk.put("f", "")
    assert ended.wait(SOON)
    watcher.stop()
    assert "safefs-watch" not in {thread.name for thread in threading.enumerate()}


def test_a_callback_that_fails_ends_it_and_is_reported(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_value))

    def fail(change: Change) -> None:
        raise KeyError(change.path)

    watcher = disk.watch(callback=fail)
    disk.put("f", "")
    thread = watcher._thread
    assert thread is not None
    thread.join(SOON)
    assert [repr(error) for error in reported] == ["KeyError('f')"]
    assert watcher.stopped
    watcher.stop()


# What is left


def watching_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.daemon]


def inotify_descriptors() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if "inotify" in target:
            found.append(name)
    return found


@pytest.mark.parametrize("how", ["stopped", "dropped", "dropped in a cycle", "ended"])
def test_no_thread_and_no_descriptor_is_left(disk: Disk, how: str, polling: bool) -> None:
    gc.collect()  # what earlier tests have left
    threads, descriptors = watching_threads(), set(os.listdir("/proc/self/fd"))
    watcher = disk.watch(polling=polling, interval=0.03)
    disk.put("f", "")
    assert next(watcher) == Change("created", "f")
    if how == "stopped":
        watcher.stop()
        watcher.stop()
    elif how == "ended":
        disk.put("g", "")
        with watcher:
            next(watcher)
    elif how == "dropped":
        del watcher
    else:
        watcher.__dict__["itself"] = watcher
        del watcher
        gc.collect()
    assert watching_threads() == threads
    assert set(os.listdir("/proc/self/fd")) == descriptors


def test_a_look_that_is_closed_under_is_the_end_and_no_error(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a finalizer does at the interpreter's end, while a callback's thread looks."""
    watcher = disk.watch(polling=True)
    held, real = watcher._held, watcher._held.looker._list

    def listed(path: str) -> Any:
        held.close()
        return real(path)

    monkeypatch.setattr(held.looker, "_list", listed)
    disk.put("f", "")
    assert watcher.poll() == []
    assert list(watcher) == []


def test_a_program_may_end_while_a_callback_is_called(ground: Ground) -> None:
    code = (
        "import sys, threading, safefs; disk = safefs.Disk(sys.argv[1]); told = threading.Event()\n"
        "disk.watch(callback=lambda change: told.set(), debounce=0)\n"
        "for n in range(200): disk.put(str(n), '')\n"
        "assert told.wait(20)\n"
        "for n in range(200): disk.put(str(n), 'again')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(ground.root)], stderr=subprocess.PIPE, check=True
    )
    assert ended.stderr == b""


@INOTIFY
def test_no_program_that_is_started_inherits_the_descriptors(disk: Disk) -> None:
    with disk.watch():
        code = "import os; print([os.readlink(f'/proc/self/fd/{n}') for n in range(3, 64)"
        code += " if os.path.lexists(f'/proc/self/fd/{n}')])"
        shown = subprocess.run(
            [sys.executable, "-c", code],
            close_fds=False,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    assert "inotify" not in shown.stdout


def test_a_fork_leaves_the_child_nothing_and_the_parent_all(disk: Disk, polling: bool) -> None:
    with disk.watch(polling=polling, interval=0.05) as watcher:
        pid = os.fork()
        if pid == 0:  # the child says by its exit status what it found
            status = 1
            try:
                next(watcher)
            except ValueError:
                status = 0 if not inotify_descriptors() and watcher.stopped else 2
                watcher.stop()
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        disk.put("f", "")
        assert next(watcher) == Change("created", "f")


def test_closing_the_disk_does_not_end_it(ground: Ground) -> None:
    disk = Disk(ground.root)
    with disk.watch() as watcher:
        disk.close()
        (ground.root / "f").touch()
        assert next(watcher) == Change("created", "f")


def test_revoking_ends_the_watchers_of_what_was_made_from_a_disk_and_not_its_own(
    disk: Disk, polling: bool
) -> None:
    """Else a plug-in whose disk was taken back would be told of each change for ever."""
    disk.put("part/f", "")
    part = disk.scoped("part")
    lent = part.read_only().watch(polling=polling)  # the watcher outlives its disk
    with disk.watch(polling=polling) as own, part.watch(polling=polling) as taken:
        part.revoke()
        assert (lent.stopped, taken.stopped) == (True, False)
        disk.put("part/g", "")
        assert taken.poll(SOON) == [Change("created", "g")]
        disk.put("part/h", "")
        disk.revoke()
        assert taken.stopped
        assert list(taken) == lent.poll(SOON) == []
        assert [change.path for change in own.poll(SOON)] == ["part/g", "part/h"]
        with pytest.raises(ValueError, match="revoked"):
            part.watch()


def test_a_reader_who_waits_is_woken_when_its_disk_is_revoked(disk: Disk) -> None:
    lent = disk.read_only()
    watcher = lent.watch(callback=lambda change: None)
    thread = watcher._thread
    assert thread is not None
    disk.revoke()
    thread.join(SOON)
    assert not thread.is_alive()


def test_a_callback_may_revoke_the_disk_that_is_watched(disk: Disk) -> None:
    told: list[Change] = []
    ended = threading.Event()

    def take(change: Change) -> None:
        told.append(change)
        disk.revoke()
        ended.set()

    lent = disk.read_only()
    watcher = lent.watch(callback=take)
    disk.put("a/f", "")
    assert ended.wait(SOON)
    watcher.stop()
    assert told == [Change("created", "a")]


# What is refused


def test_what_is_no_directory_is_refused(disk: Disk) -> None:
    disk.put("f", "")
    with pytest.raises(NotADirectoryError):
        disk.watch("f")
    with pytest.raises(FileNotFoundError):
        disk.watch("nothing")
    with pytest.raises(PermissionError):
        disk.watch("../x")


@pytest.mark.parametrize(
    "wrong",
    [
        {"debounce": -1},
        {"debounce": float("nan")},
        {"interval": 0},
        {"interval": float("inf")},
        {"limit": 0},
    ],
    ids=str,
)
def test_numbers_that_cannot_be_are_refused(disk: Disk, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        disk.watch(**wrong)  # type: ignore[arg-type]


def test_a_watcher_refuses_pickle_and_copy(disk: Disk) -> None:
    with disk.watch() as watcher:
        for attempt in (pickle.dumps, copy.copy):
            with pytest.raises(TypeError, match="open directory"):
                attempt(watcher)


def test_changes_survive_pickle_and_copy() -> None:
    for change in (Change("renamed", "a", "b"), Resync("a"), RootMoved(""), RootGone("")):
        assert pickle.loads(pickle.dumps(change)) == change
        assert copy.copy(change) == change


def test_watchdog_is_not_loaded_before_it_is_needed() -> None:
    code = "import sys, safefs; safefs.Disk; safefs.Watcher; assert 'watchdog' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
