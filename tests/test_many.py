"""read_many and stat_many answer as read_bytes and stat of each would, and leave nothing behind."""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import Policy, Root
from safefs.errors import EscapeError, InvalidPathError, PolicyError
from safefs.kernel import syscalls
from safefs.testing import planting
from safefs.testing.strategies import hostile_paths, relative_paths, trees
from tests import layouts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.scratch import Scratch
    from tests.conftest import Calls

_NAMES = ("a", "A", "b", ".c")
POLICIES = [
    Policy(),
    Policy(symlinks="never"),
    Policy(symlinks="inside_absolute"),
    Policy(hard_links="refuse", special_files="refuse", same_filesystem=True),
    Policy(portable_names=True, max_path_length=4),
    Policy(deny=["a/b", "f", "l"]),
    Policy(deny=["b", "/d"], denied="missing"),
]


@pytest.fixture
def root(scratch: Scratch) -> Iterator[Root]:
    layout = ("d/one = 1", "d/two = 22", "d/l => one", "d/out => ../../outside")
    layouts.lay(layout, str(scratch.root), scratch)
    with Root(scratch.root) as opened:
        yield opened


def _said(act: Callable[[str], object], path: str) -> object:
    try:
        return _plain(act(path))
    except (OSError, ValueError) as error:
        return _plain(error)


def _plain(answer: object) -> object:
    """An answer without the time of access, which asking changes; an error by all it tells."""
    if isinstance(answer, os.stat_result):
        return answer[:7], answer.st_mtime_ns
    if isinstance(answer, BaseException):
        return type(answer), str(answer), getattr(answer, "filename", None)
    return answer


@pytest.mark.usefixtures("resolver")
@given(
    tree=trees(names=_NAMES),
    asked=st.lists(
        st.one_of(relative_paths(names=_NAMES), hostile_paths(names=_NAMES)), max_size=12
    ),
    policy=st.sampled_from(POLICIES),
)
def test_they_answer_as_one_after_the_other_would(
    scratch: Scratch, tree: Any, asked: list[str], policy: Policy
) -> None:
    planting.plant(scratch, tree)
    asked = sorted(asked) + asked  # so that many lie beside others in their directory
    with Root(scratch.root, policy=policy) as root:
        read = root.read_many(asked, return_exceptions=True)
        seen = root.stat_many(asked, return_exceptions=True)
        assert [_plain(each) for each in read] == [_said(root.read_bytes, path) for path in asked]
        assert [_plain(each) for each in seen] == [_said(root.stat, path) for path in asked]
    assert not scratch.changes()


@pytest.mark.usefixtures("resolver")
def test_the_first_error_is_raised_or_stands_in_its_place(root: Root) -> None:
    paths: list[str | bytes] = [
        "d/one",
        "d/out/secret.txt",
        "d/l",
        "d/none",
        "d/a\0",
        "/d/one",
        b"d/two",
    ]
    for many in (root.read_many, root.stat_many):
        with pytest.raises(EscapeError) as caught:
            many(paths[:3])
        assert caught.value.filename == "d/out/secret.txt"
        with pytest.raises(InvalidPathError):
            many(["d/one", "d/a\0"])
    kinds = [bytes, EscapeError, bytes, FileNotFoundError, InvalidPathError, EscapeError, bytes]
    assert list(map(type, root.read_many(paths, return_exceptions=True))) == kinds
    assert root.read_many(iter(["d/one", "d/two", "d/l"])) == [b"1", b"22", b"1"]
    assert root.read_many([]) == []
    for one in ("d/one", b"d/one"):
        with pytest.raises(TypeError, match="an iterable of paths, not one"):
            root.read_many(one)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        root.read_many([3])  # type: ignore[list-item]
    with root.subroot(".", policy=Policy(deny=["two"])) as narrow, pytest.raises(PolicyError):
        narrow.read_many(["d/one", "d/two"])
    root.close()
    with pytest.raises(ValueError, match="closed"):
        root.read_many([])


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 16) + 1, 300_000])
def test_a_file_of_any_size_comes_whole(scratch: Scratch, root: Root, size: int) -> None:
    content = os.urandom(size)
    (scratch.root / "d" / "sized").write_bytes(content)
    assert root.read_many(["d/one", "d/sized"]) == [b"1", content]


def test_what_is_no_file_is_refused_and_not_waited_for(scratch: Scratch, root: Root) -> None:
    os.mkfifo(scratch.root / "d" / "pipe")
    (scratch.root / "d" / "within").mkdir()
    read = root.read_many(["d/one", "d/pipe", "d/within"], return_exceptions=True)
    assert [_plain(each) for each in read] == [
        b"1",
        _said(root.read_bytes, "d/pipe"),
        _said(root.read_bytes, "d/within"),
    ]


def test_a_directory_is_resolved_once_for_so_many_and_closed(
    scratch: Scratch, root: Root, calls: Calls
) -> None:
    paths = [f"d/{number}" for number in range(600)]
    for path in paths:
        (scratch.root / path).touch()
    before = set(os.listdir("/proc/self/fd"))
    assert root.read_many(paths) == [b""] * 600
    assert set(os.listdir("/proc/self/fd")) == before
    directories = [
        arguments
        for name, arguments, _ in calls.named("open", "openat2")
        if name == "openat2" or arguments[0] == b"d"
    ]
    assert len(directories) == 3


def test_each_file_is_an_open_of_its_own_path(root: Root) -> None:
    heard: list[object] = []
    listening = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "safefs.open":
            heard.append(arguments[0])

    sys.addaudithook(hook)
    root.read_many(["d/one", b"d/two"])
    listening = False
    assert heard[-2:] == ["d/one", b"d/two"]


def test_a_path_that_is_too_long_is_one_also_beside_others(root: Root) -> None:
    path = "d" + "/" * 4092 + "one"
    assert len(path) == 4096
    for many, one in ((root.read_many, root.read_bytes), (root.stat_many, root.stat)):
        answers = many([path, path], return_exceptions=True)
        assert [_plain(each) for each in answers] == [_said(one, path)] * 2
    assert root.read_many([path[:1] + path[2:]] * 2) == [b"1"] * 2


def test_errors_that_are_kept_keep_nothing_open(scratch: Scratch) -> None:
    os.mkfifo(scratch.root / "pipe")
    (scratch.root / "d").mkdir()
    (scratch.root / "f").touch()
    before = set(os.listdir("/proc/self/fd"))
    gc.disable()
    try:
        for _ in range(10):
            opened = Root(scratch.root)
            kept = opened.read_many(["d", "pipe", "f/x", "d", "pipe"], return_exceptions=True)
            assert all(isinstance(each, OSError) for each in kept)
            del opened
        assert set(os.listdir("/proc/self/fd")) == before
    finally:
        gc.enable()


@pytest.mark.usefixtures("resolver")
def test_a_link_in_a_directory_that_is_held_is_not_followed_outside(
    scratch: Scratch, root: Root
) -> None:
    (scratch.root / "d" / "leak").symlink_to("../../outside/secret.txt")
    (scratch.root / "d" / "far").symlink_to(scratch.outside / "secret.txt")
    for many in (root.read_many, root.stat_many):
        found = many(["d/one", "d/leak", "d/far", "d/two"], return_exceptions=True)
        assert [isinstance(each, EscapeError) for each in found] == [False, True, True, False]


def test_no_more_is_read_once_the_root_is_closed(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their directory is held, so that it would still answer."""
    real, read = syscalls.pread, []

    def closing(fd: int, size: int, offset: int) -> bytes:
        read.append(fd)
        root.close()
        return real(fd, size, offset)

    monkeypatch.setattr(syscalls, "pread", closing)
    with pytest.raises(ValueError, match="closed"):
        root.read_many(["d/one", "d/two", "d/two"])
    assert len(read) == 2  # of the first file


def test_a_root_that_is_closed_under_it_says_so(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = syscalls.pread

    def closing(fd: int, size: int, offset: int) -> bytes:
        root.close()
        return real(fd, size, offset)

    monkeypatch.setattr(syscalls, "pread", closing)
    with pytest.raises(ValueError, match="closed"):
        root.read_many(["d/one", "d/two", "d/l"], return_exceptions=True)
