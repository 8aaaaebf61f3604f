"""Refusals and opens are reported to sys.audit and to a logger, and tell nothing of the outside."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from errno import EXDEV
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Disk, Storage
from safefs.audit import refused
from safefs.errors import EscapeError, InvalidPathError, PolicyError
from safefs.kernel import probe
from safefs.paths import RelPath
from safefs.policy import Policy
from safefs.root import Root
from safefs.testing import mounts
from tests.attackers import in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.scratch import Scratch

may_mount = pytest.mark.skipif(not mounts.may_mount(), reason="needs the right to mount")

_listening: list[list[tuple[str, tuple[object, ...]]]] = []


def _hear(event: str, args: tuple[object, ...]) -> None:
    if event.startswith("safefs."):
        for heard in _listening:
            heard.append((event, args))


sys.addaudithook(_hear)  # for as long as the process lives: a hook cannot be taken away


@contextmanager
def _heard() -> Iterator[list[tuple[str, tuple[object, ...]]]]:
    heard: list[tuple[str, tuple[object, ...]]] = []
    _listening.append(heard)
    try:
        yield heard
    finally:
        _listening.remove(heard)


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (EscapeError("../a", "..", EscapeError.ABOVE_ROOT), ("../a", "'..' above the root", "..")),
        (EscapeError(b"/a", None, EscapeError.ABSOLUTE_PATH), (b"/a", "absolute path", None)),
        (PolicyError("a", "read_only", "it is"), ("a", "read_only", None)),
        (InvalidPathError("a\0", "NUL"), ("a\0", "NUL", None)),
    ],
    ids=repr,
)
def test_a_refusal_is_reported_with_its_facts_and_handed_back(
    error: EscapeError, facts: tuple[object, ...]
) -> None:
    with _heard() as heard:
        assert refused(error) is error
    assert heard == [("safefs.denied", (*facts, None, None))]


def test_a_refusal_is_logged_on_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="safefs.audit")
    refused(EscapeError("a\nINFO forged \u2028 line/..", "..", EscapeError.ABOVE_ROOT))
    (record,) = caplog.records
    assert record.name == "safefs.audit"
    assert len(record.getMessage().splitlines()) == 1


@may_mount
def test_a_mount_that_is_not_crossed_is_reported_like_any_refusal(
    scratch: Scratch, resolver: str
) -> None:
    (scratch.root / "t" / "mnt").mkdir(parents=True)

    def crossing() -> list[tuple[str, tuple[object, ...]]]:
        probe.forced = resolver
        mounts.mount_own(scratch.outside, scratch.root / "t" / "mnt")
        denied = []
        with Disk(scratch.root, name="d", policy=Policy(same_filesystem=True)) as disk:
            for act in (disk.get, disk.delete_directory, disk.all_files):
                with _heard() as heard, pytest.raises(PolicyError, match="mount point") as caught:
                    act("t/mnt" if act == disk.get else "t")
                assert caught.value.errno == EXDEV
                denied += [event for event in heard if event[0] == "safefs.denied"]
            with _heard() as heard:  # what is passed over is refused to nobody
                disk.sweep()
            assert [event for event in heard if event[0] == "safefs.denied"] == []
        with Root(scratch.root, policy=Policy(same_filesystem=True)) as root, _heard() as heard:
            assert [at for at, _, _ in root.walk()] == [".", "t"]
            assert list(root.glob("t/**/f")) == []
        assert [event for event in heard if event[0] == "safefs.denied"] == []
        return denied

    assert in_child(crossing) == [
        ("safefs.denied", ("t/mnt", "same_filesystem", None, "d", "Disk.get")),
        ("safefs.denied", ("t", "same_filesystem", None, "d", "Disk.delete_directory")),
        ("safefs.denied", ("t/mnt", "same_filesystem", None, "d", "Disk.all_files")),
    ]


def _through_upath(storage: Storage) -> None:
    from upath import UPath

    UPath("safefs://documents/../a").read_bytes()


def _through_django(storage: Storage) -> None:
    from safefs.integrations.django import SafeStorage

    SafeStorage("documents").size("../a")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("act", "operation"),
    [
        (lambda storage: storage.disk("documents").get("../a"), "Disk.get"),
        (lambda storage: storage.disk("documents").get("/a"), "Disk.get"),
        (lambda storage: storage.disk("documents").files("../a"), "Disk.files"),
        (lambda storage: storage.disk("documents").read_only().put("a", b""), "Disk.put"),
        (lambda storage: storage.disk("documents").exists("../a") or _raise(), "Disk.exists"),
        (lambda storage: storage.disk("documents").copy("a", "../a"), "Disk.copy"),
        (lambda storage: (storage.disk("documents") / "../a").read_text(), "DiskPath.read_text"),
        (lambda storage: storage.disk("documents") / "/a", "Disk.__truediv__"),
        (lambda _: _fs().cat_file("documents/../a"), "SafeFileSystem.cat_file"),
        (lambda _: _fs().cat_file("documents//a"), "SafeFileSystem.cat_file"),
        (lambda storage: storage.disk("documents").fs.cat_file("/../a"), "DiskFileSystem.cat_file"),
        (_through_upath, "SafePath.read_bytes"),
        (_through_django, "SafeStorage.size"),
    ],
)
def test_a_refusal_says_which_disk_and_what_was_called_through_every_door(
    act: Callable[[Storage], object], operation: str, scratch: Scratch
) -> None:
    (scratch.root / "a").touch()
    with (
        Storage("app", disks={"documents": scratch.root}) as storage,
        storage.register("documents"),
        _heard() as heard,
        pytest.raises(Exception),  # noqa: B017  (a door may have its own word for it)
    ):
        act(storage)
    (denied,) = [args for event, args in heard if event == "safefs.denied"]
    assert denied[3:] == ("documents", operation)


def _raise() -> bool:
    raise AssertionError


def _fs() -> Any:
    import fsspec

    return fsspec.filesystem("safefs")


def test_the_record_of_a_refusal_has_its_facts_as_attributes(
    scratch: Scratch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="safefs.audit")
    with Disk(scratch.root, name="uploads") as disk, pytest.raises(EscapeError):
        disk.put("../outside/x", b"")
    (record,) = caplog.records
    assert record.getMessage() == (
        "denied: '../outside/x' by Disk.put on 'uploads' ('..' above the root)"
    )
    facts = vars(record)
    names = ("path", "rule", "component", "disk", "operation")
    assert [facts[name] for name in names] == [
        "../outside/x",
        EscapeError.ABOVE_ROOT,
        "..",
        "uploads",
        "Disk.put",
    ]


def test_the_gate_reports_what_it_refuses() -> None:
    for path, rule in (("/a", EscapeError.ABSOLUTE_PATH), ("a\0", "a path holds no NUL")):
        with _heard() as heard, pytest.raises((EscapeError, InvalidPathError)):
            RelPath.parse(path)
        assert heard == [("safefs.denied", (path, rule, None, None, None))]


@pytest.mark.usefixtures("resolver")
def test_an_open_is_reported_with_the_callers_path_and_flags(scratch: Scratch) -> None:
    (scratch.root / "f").write_text("inside")
    with Root(scratch.root) as root, _heard() as heard, root.open("./f") as file:
        file.read()
    opens = [args for event, args in heard if event == "safefs.open"]
    assert len(opens) == 1
    path, flags = opens[0]
    assert path == "./f"
    assert isinstance(flags, int)


@pytest.mark.usefixtures("resolver")
def test_a_hook_that_raises_prevents_the_open(scratch: Scratch) -> None:

    class VetoError(Exception):
        pass

    class Vetoing(list[tuple[str, tuple[object, ...]]]):
        def append(self, _: object) -> None:
            raise VetoError

    with Root(scratch.root) as root:
        _listening.append(Vetoing())
        try:
            with pytest.raises(VetoError):
                root.write_bytes("f", b"x")
        finally:
            _listening.pop()
    assert not (scratch.root / "f").exists()


@pytest.mark.usefixtures("resolver")
@pytest.mark.parametrize("path", ["../outside/secret.txt", "../outside/x", "l", "l/secret.txt"])
def test_an_escape_is_reported_once_and_names_nothing_of_the_outside(
    path: str, scratch: Scratch
) -> None:
    (scratch.root / "l").symlink_to("../outside")
    with Root(scratch.root) as root, _heard() as heard, pytest.raises(EscapeError):
        root.read_bytes(path)
    denied = [args for event, args in heard if event == "safefs.denied"]
    assert len(denied) == 1
    assert denied[0][0] == path
    assert str(scratch.base) not in repr(denied)


@pytest.mark.usefixtures("resolver")
def test_a_refusal_by_policy_is_reported_once(scratch: Scratch) -> None:
    with (
        Root(scratch.root, policy=Policy(read_only=True)) as root,
        _heard() as heard,
        pytest.raises(PolicyError),
    ):
        root.write_bytes("f", b"x")
    denied = [args for event, args in heard if event == "safefs.denied"]
    assert denied == [("f", "read_only", None, None, "Root.write_bytes")]


@pytest.mark.usefixtures("resolver")
@pytest.mark.parametrize(
    "write",
    [
        lambda root: root.write_bytes("new", b""),
        lambda root: root.replace_file("new", b""),
        lambda root: root.open("new", "w").close(),
        lambda root: root.open("new", "w", atomic=True).close(),
        lambda root: root.copy("f", "new"),
        lambda root: root.copy_tree("d", "new"),
    ],
    ids=["write_bytes", "replace_file", "open", "atomic", "copy", "copy_tree"],
)
def test_every_way_of_writing_is_an_open_of_its_path(
    write: Callable[[Root], object], scratch: Scratch
) -> None:
    (scratch.root / "f").touch()
    (scratch.root / "d").mkdir()
    with Root(scratch.root) as root, _heard() as heard:
        write(root)
    flags = [args[1] for event, args in heard if event == "safefs.open" and args[0] == "new"]
    assert any(isinstance(each, int) and each & os.O_CREAT for each in flags)
