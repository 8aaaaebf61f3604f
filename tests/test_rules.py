"""The eighteen rules of containment (docs/guarantees.md), each by its number, on both resolvers."""

from __future__ import annotations

import copy
import errno
import os
import pickle
import re
import shutil
import socket
import stat
import threading
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from safefs.errors import EscapeError, InvalidPathError, PolicyError, SafefsError, SameFileError
from safefs.kernel import open_beneath, openat2, probe, syscalls
from safefs.operations import listing
from safefs.paths import RelPath
from safefs.policy import Policy
from safefs.root import Root
from safefs.testing import mounts
from tests import layouts
from tests.attackers import MAY_MAKE_DEVICES, NOBODY, in_child
from tests.test_paths import Gives, LyingBytes, LyingStr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.scratch import Scratch
    from tests.conftest import Calls

pytestmark = pytest.mark.usefixtures("resolver")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
may_mount = pytest.mark.skipif(not mounts.may_mount(), reason="needs the right to mount")

with_openat2 = pytest.mark.parametrize("resolver", ["openat2"], indirect=True)
with_the_walk = pytest.mark.parametrize("resolver", ["walk"], indirect=True)

# One call of every operation, on ordinary names.
EVERY: dict[str, Callable[[Root, Any], object]] = {
    "open": lambda root, path: root.open(path).close(),
    "read_bytes": lambda root, path: root.read_bytes(path),
    "read_many": lambda root, path: root.read_many([path, path])[1],
    "read_text": lambda root, path: root.read_text(path),
    "write_bytes": lambda root, path: root.write_bytes(path, b"x"),
    "write_text": lambda root, path: root.write_text(path, "x"),
    "replace_file": lambda root, path: root.replace_file(path, b"x"),
    "stat": lambda root, path: root.stat(path),
    "stat_many": lambda root, path: root.stat_many([path, path])[1],
    "lstat": lambda root, path: root.lstat(path),
    "listdir": lambda root, path: root.listdir(path),
    "scandir": lambda root, path: root.scandir(path).close(),
    "walk": lambda root, path: list(root.walk(path)),
    "find": lambda root, path: list(root.find(path)),
    "glob": lambda root, path: list(root.glob(path)),
    "disk_usage": lambda root, path: root.disk_usage(path),
    "mkdir": lambda root, path: root.mkdir(path),
    "makedirs": lambda root, path: root.makedirs(path),
    "rmdir": lambda root, path: root.rmdir(path),
    "unlink": lambda root, path: root.unlink(path),
    "remove_tree": lambda root, path: root.remove_tree(path),
    "rename from": lambda root, path: root.rename(path, "new"),
    "rename to": lambda root, path: root.rename("f", path),
    "copy from": lambda root, path: root.copy(path, "new"),
    "copy to": lambda root, path: root.copy("f", path),
    "copy_tree from": lambda root, path: root.copy_tree(path, "new"),
    "copy_tree to": lambda root, path: root.copy_tree("d", path),
    "move_tree from": lambda root, path: root.move_tree(path, "new"),
    "move_tree to": lambda root, path: root.move_tree("d", path),
    "link from": lambda root, path: root.link(path, "new"),
    "link to": lambda root, path: root.link("f", path),
    "symlink": lambda root, path: root.symlink("f", path),
    "readlink": lambda root, path: root.readlink(path),
    "chmod": lambda root, path: root.chmod(path, 0o700),
    "utime": lambda root, path: root.utime(path),
    "truncate": lambda root, path: root.truncate(path, 0),
    "getxattr": lambda root, path: root.getxattr(path, "user.x"),
    "setxattr": lambda root, path: root.setxattr(path, "user.x", b""),
    "listxattr": lambda root, path: root.listxattr(path),
    "removexattr": lambda root, path: root.removexattr(path, "user.x"),
    "subroot": lambda root, path: root.subroot(path).close(),
}
ASKING: dict[str, Callable[[Root, Any], bool]] = {
    "exists": lambda root, path: root.exists(path),
    "is_file": lambda root, path: root.is_file(path),
    "is_dir": lambda root, path: root.is_dir(path),
    "is_symlink": lambda root, path: root.is_symlink(path),
}
every_operation = pytest.mark.parametrize("operation", [*EVERY, *ASKING])


def _do(operation: str, root: Root, path: object) -> object:
    return {**EVERY, **ASKING}[operation](root, path)


@pytest.fixture
def root(scratch: Scratch) -> Iterator[Root]:
    """A root with a file, a directory with a file, and links in and out."""
    lines = ("f = inside", "d/g = inside too", "l => f", "m => d", "out => ../outside")
    layouts.lay(lines, str(scratch.root), scratch)
    with Root(scratch.root) as opened:
        yield opened


def test_every_operation_of_root_is_tried_here() -> None:
    known = {name for name in vars(Root) if not name.startswith("_")}
    tried = {name.split(" ")[0] for name in (*EVERY, *ASKING)}
    assert known - tried == {"close", "closed", "fileno", "policy"}


# -- 1: a root is opened once ------------------------------------------------------------------


def test_rule_01_a_root_whose_directory_is_renamed_is_still_that_directory(
    root: Root, scratch: Scratch
) -> None:
    scratch.root.rename(scratch.base / "root-away")
    scratch.root.symlink_to("outside")
    try:
        assert root.read_bytes("f") == b"inside"
        root.write_bytes("new", b"new")
        with pytest.raises(FileNotFoundError):
            root.stat("secret.txt")
        assert sorted(root.listdir("d")) == ["g"]
    finally:
        scratch.root.unlink()
        (scratch.base / "root-away").rename(scratch.root)
    assert (scratch.root / "new").read_bytes() == b"new"


def test_rule_01_a_root_whose_directory_is_replaced_sees_nothing_of_the_other(
    root: Root, scratch: Scratch
) -> None:
    shutil.rmtree(scratch.root)
    scratch.root.mkdir()
    (scratch.root / "f").write_text("another")
    with pytest.raises(FileNotFoundError):
        root.read_bytes("f")
    assert root.listdir() == []
    assert not root.exists("f")


def test_rule_01_every_descriptor_is_closed_on_exec(root: Root) -> None:
    assert not os.get_inheritable(root.fileno())
    with root.open("f") as file, root.scandir() as entries, root.subroot("d") as inner:
        for fd in (file.fileno(), inner.fileno()):
            assert not os.get_inheritable(fd)
        assert next(entries)
        for fd in map(int, os.listdir("/proc/self/fd")):
            if fd > 2 and _leads_to(fd, "root"):
                assert not os.get_inheritable(fd)


def _leads_to(fd: int, name: str) -> bool:
    try:
        return f"/{name}" in os.readlink(f"/proc/self/fd/{fd}")
    except FileNotFoundError:
        return False


@every_operation
@pytest.mark.parametrize("path", ["f", "../x", "a\0b"])
def test_rule_01_an_operation_on_a_closed_root_is_a_value_error(
    operation: str, path: str, root: Root
) -> None:
    root.close()
    assert root.closed
    with pytest.raises(ValueError, match=r"closed|no NUL"):
        _do(operation, root, path)


def test_rule_01_a_closed_root_is_closed_for_good(root: Root) -> None:
    root.close()
    root.close()
    for ask in (root.fileno, root.__enter__, lambda: root.policy):
        with pytest.raises(ValueError, match="closed"):
            ask()
    assert "closed" in repr(root)


def test_rule_01_what_was_opened_before_outlives_the_root(root: Root) -> None:
    with root.subroot("d") as inner, root.open("f") as file:
        root.close()
        assert file.read() == "inside"
        assert inner.read_bytes("g") == b"inside too"


def test_rule_01_the_number_of_a_closed_root_is_not_given_to_another(
    root: Root, scratch: Scratch
) -> None:
    number = root.fileno()
    root.close()
    opened = [os.open(scratch.outside, os.O_RDONLY) for _ in range(8)]
    try:
        assert number not in opened
        assert os.readlink(f"/proc/self/fd/{number}") == "/dev/null"
    finally:
        for fd in opened:
            os.close(fd)


def test_rule_01_a_listing_under_way_when_the_root_closes_meets_no_other_directory(
    root: Root, scratch: Scratch
) -> None:
    steps, paths = root.walk(), root.find()
    next(steps)
    next(paths)
    root.close()
    opened = [os.open(scratch.outside, os.O_RDONLY) for _ in range(8)]
    seen: list[object] = []
    try:
        for under_way in (steps, paths):
            try:
                seen += under_way
            except (OSError, ValueError):
                pass  # an error is as good as going on with what it held
    finally:
        for fd in opened:
            os.close(fd)
    assert "inner.txt" not in repr(seen)


@pytest.mark.timeout(900)
def test_rule_01_a_root_closed_under_eight_threads_never_reads_another_directory(
    scratch: Scratch, scaled: Callable[[int], int]
) -> None:
    """A number freed under a thread in the middle of a call would be the next directory opened.

    So after each close a foreign directory, with a file of the same name, is opened eight times:
    were the number free, one of them would get it.
    """
    (scratch.root / "f").write_bytes(b"inside")
    foreign = scratch.base / "foreign"
    foreign.mkdir()
    (foreign / "f").write_bytes(b"foreign")
    scratch.remember(foreign)
    rounds, readers = scaled(1000), 8
    current: list[Root] = [Root(scratch.root)]
    gate = threading.Barrier(readers + 1)
    seen: set[bytes] = set()
    wrong: list[BaseException] = []

    def read() -> None:
        for _ in range(rounds):
            gate.wait()
            shared = current[0]
            try:
                for _ in range(20):
                    seen.add(shared.read_bytes("f"))
            except (OSError, ValueError):
                pass  # closed, or about to be
            except BaseException as error:
                wrong.append(error)
            gate.wait()

    threads = [threading.Thread(target=read, daemon=True) for _ in range(readers)]
    for thread in threads:
        thread.start()
    errors = 0
    for _ in range(rounds):
        shared = current[0]
        gate.wait()
        shared.close()
        opened = [os.open(foreign, os.O_RDONLY | os.O_DIRECTORY) for _ in range(8)]
        try:
            shared.read_bytes("f")
        except ValueError:
            errors += 1
        gate.wait()
        for fd in opened:
            os.close(fd)
        del shared
        current[0] = Root(scratch.root)
    for thread in threads:
        thread.join()
    current[0].close()
    assert not wrong
    assert seen == {b"inside"}
    assert errors == rounds


def test_rule_01_a_root_refuses_pickle_and_copy(root: Root) -> None:
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="name"):
            duplicate(root)


def test_rule_01_a_root_survives_fork(root: Root) -> None:
    assert in_child(lambda: root.read_bytes("f")) == b"inside"
    assert root.read_bytes("f") == b"inside"


# -- 2: a path is coerced once -----------------------------------------------------------------


@every_operation
def test_rule_02_what_is_no_path_is_a_type_error(operation: str, root: Root) -> None:
    for path in [0, 3, True, None, 1.5, ["f"], bytearray(b"f"), Gives(3)]:
        with pytest.raises(TypeError):
            _do(operation, root, path)


@pytest.mark.parametrize("operation", EVERY)
def test_rule_02_text_that_is_no_path_is_an_invalid_path(operation: str, root: Root) -> None:
    for path in ["f\0", "f\0.png", b"d\0/../../x", chr(0xD800), Gives("f\0")]:
        with pytest.raises(InvalidPathError) as caught:
            _do(operation, root, path)
        assert isinstance(caught.value, ValueError)


def test_rule_02_nul_does_not_cut_a_name_short(root: Root) -> None:
    with pytest.raises(InvalidPathError):
        root.write_bytes("f\0.png", b"spoilt")
    with pytest.raises(InvalidPathError):
        root.symlink("f\0x", "new")
    assert root.read_bytes("f") == b"inside"
    assert not root.is_symlink("new")


@pytest.mark.parametrize("kind", [LyingStr, Gives, PurePosixPath, lambda p: LyingBytes(p.encode())])
def test_rule_02_a_subclass_is_read_for_its_content(kind: Callable[[str], Any], root: Root) -> None:
    assert root.read_bytes(kind("d/g")) == b"inside too"
    with pytest.raises(EscapeError):
        root.read_bytes(kind("../outside/secret.txt"))
    with pytest.raises(FileNotFoundError):
        root.read_bytes(kind("harmless"))


@pytest.mark.parametrize("first", ["f", "d", "none", "d/none", "d/g", "f/x", "out"])
def test_rule_02_a_pathlike_is_asked_once(first: str, root: Root) -> None:
    """Also where something is wrong, and the error is to say of what."""

    class Changing:
        def __init__(self) -> None:
            self.asked = 0

        def __fspath__(self) -> str:
            self.asked += 1
            return first if self.asked == 1 else "../outside/secret.txt"

    for name, operation in {**EVERY, **ASKING}.items():
        path = Changing()
        with suppress(OSError, ValueError):
            operation(root, path)
        most = 2 if name.endswith("_many") else 1  # it is given to these twice
        assert 1 <= path.asked <= most, name


# -- 3: an escape is EscapeError, and an outside name makes no difference ------------------------


@pytest.mark.parametrize("operation", EVERY)
def test_rule_03_an_escape_is_an_escape_error_and_never_exdev(operation: str, root: Root) -> None:
    for path in ["../outside", "out/x", "d/../../outside", "m/../../outside/x"]:
        if operation == "glob" and ".." in path:
            continue  # no pattern at all
        with pytest.raises(EscapeError) as caught:
            _do(operation, root, path)
        assert isinstance(caught.value, PermissionError)
        assert caught.value.errno == errno.EACCES
        assert path in (caught.value.filename, caught.value.filename2)


@pytest.mark.parametrize("operation", EVERY)
def test_rule_03_the_calls_are_the_same_whether_or_not_the_outside_name_exists(
    operation: str, root: Root, calls: Calls
) -> None:
    for way in ["../outside/{}", "out/{}", "out/dir/{}"]:
        if operation == "glob" and ".." in way:
            continue  # no pattern at all
        traces, errors = [], []
        for name in ("secret.txt", "absent.txt", "inner.txt"):
            calls.clear()
            with pytest.raises(EscapeError) as caught:
                _do(operation, root, way.format(name))
            traces.append(_without(name, calls))
            told = str(caught.value).replace(name, "NAME")
            errors.append((told, caught.value.component, caught.value.reason))
        assert traces[0] == traces[1] == traces[2]
        assert len(set(errors)) == 1


def _without(name: str, calls: Calls) -> list[object]:
    return [eval(repr(call).replace(name, "NAME")) for call in calls]


@pytest.mark.parametrize("operation", EVERY)
def test_rule_03_no_system_call_names_anything_outside(
    operation: str, root: Root, calls: Calls
) -> None:
    """openat2 is given the whole path, and told to stay beneath; nothing else may be."""
    for path in ["../outside/secret.txt", "out/secret.txt", "out/dir/inner.txt"]:
        with pytest.raises((EscapeError, InvalidPathError)):
            _do(operation, root, path)
        for name, arguments, _ in calls:
            texts = [os.fsencode(a) for a in arguments if isinstance(a, str | bytes)]
            if name != "openat2":
                assert all(text not in (b"outside", b"secret.txt", b"dir") for text in texts), name
                assert all(b"/" not in text for text in texts), (name, texts)


@pytest.mark.parametrize(
    ("path", "component", "reason"),
    [
        ("../outside/secret.txt", "..", EscapeError.ABOVE_ROOT),
        ("d/../../x", "..", EscapeError.ABOVE_ROOT),
        ("absolute", "absolute", EscapeError.ABSOLUTE_LINK),
        ("out/secret.txt", "..", EscapeError.ABOVE_ROOT),
        ("/x", None, EscapeError.ABSOLUTE_PATH),
    ],
)
def test_rule_03_an_escape_tells_where_it_left(
    path: str, component: str, reason: str, root: Root, scratch: Scratch
) -> None:
    (scratch.root / "absolute").symlink_to(scratch.outside)
    with pytest.raises(EscapeError) as caught:
        root.read_bytes(path)
    assert (caught.value.component, caught.value.reason) == (component, reason)
    assert str(scratch.base) not in str(caught.value)


def test_rule_03_an_escape_in_bytes_is_told_in_bytes(root: Root) -> None:
    with pytest.raises(EscapeError) as caught:
        root.read_bytes(b"d/../../x")
    assert caught.value.filename == b"d/../../x"
    assert caught.value.component == b".."


@with_openat2
def test_rule_03_an_escape_that_cannot_be_explained_is_still_an_escape(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tree may change between the refusal and the walk that asks why."""
    monkeypatch.setattr(syscalls, "openat2", lambda *_: -errno.EXDEV)
    for path in ("f", "d/g"):
        with pytest.raises(EscapeError) as caught:
            root.read_bytes(path)
        assert caught.value.component is None


@may_mount
def test_rule_03_a_forbidden_mount_is_not_told_as_an_escape(
    scratch: Scratch, resolver: str
) -> None:
    def crossing() -> list[object]:
        probe.forced = resolver
        mounts.mount_own(scratch.outside, scratch.root / "mnt")
        with Root(scratch.root, policy=Policy(same_filesystem=True)) as root:
            told: list[object] = []
            for path in ("mnt/secret.txt", "mnt", "mnt/.", "d/../mnt/x"):
                try:
                    root.stat(path)
                except OSError as error:
                    told.append((type(error), error.errno, error.filename == path))
            return told

    (scratch.root / "mnt").mkdir()
    (scratch.root / "d").mkdir()
    told = in_child(crossing)
    assert told == [(PolicyError, errno.EXDEV, True)] * 4


# -- 4: an absolute path is an escape ----------------------------------------------------------


@pytest.mark.parametrize("operation", EVERY)
def test_rule_04_an_absolute_path_is_an_escape_that_says_how_to_mend_it(
    operation: str, root: Root, scratch: Scratch
) -> None:
    for path in ["{root}/f", "{outside}/secret.txt", "//{root}/f", "{root}"]:
        with pytest.raises(EscapeError, match="leave out the first '/'") as caught:
            _do(operation, root, layouts.filled(path, scratch))
        assert caught.value.reason == EscapeError.ABSOLUTE_PATH


# -- 5: ".." means what the kernel means -------------------------------------------------------


def test_rule_05_behind_a_link_dots_are_the_parent_of_where_it_led(
    scratch: Scratch, root: Root
) -> None:
    layouts.lay(
        ("a/b/c/x", "a/b/f = right", "k => a/b/c", "f2 = wrong"), str(scratch.root), scratch
    )
    assert root.read_bytes("k/../f") == b"right"
    with pytest.raises(FileNotFoundError):
        root.read_bytes("k/../f2")


@pytest.mark.parametrize("path", ["../root/f", "d/../../root/f", "m/../../root/f", "out/../root/f"])
def test_rule_05_out_and_back_again_is_an_escape(path: str, root: Root) -> None:
    with pytest.raises(EscapeError):
        root.read_bytes(path)
    assert not root.exists(path)


def test_rule_05_a_path_over_path_max_is_too_long_for_both(root: Root) -> None:
    just = "d/../" * 818  # 4,090 bytes
    assert root.read_bytes(f"{just}./f") == b"inside"
    for path in (f"{just}././././f", "d/../" * 5000 + "f", "x" * 5000):
        for operation in EVERY:
            if operation == "glob":
                continue
            with pytest.raises(OSError) as caught:
                _do(operation, root, path)
            assert caught.value.errno == errno.ENAMETOOLONG, operation


def test_rule_05_a_deep_path_needs_few_descriptors(
    root: Root, scratch: Scratch, calls: Calls
) -> None:
    deep = "/".join(["n"] * 300)
    root.makedirs(deep)
    back = "/".join([".."] * 250)
    (scratch.root / "/".join(["n"] * 50) / "here").write_text("found")
    calls.clear()
    assert root.read_text(f"{deep}/{back}/here") == "found"
    with pytest.raises(EscapeError):
        root.read_text(f"{deep}/" + "/".join([".."] * 301) + "/x")
    assert len(list(root.walk())) == 302
    root.copy_tree("n", "copy")
    root.remove_tree("copy")
    assert calls.most_open() <= 70


@with_the_walk
def test_rule_05_a_directory_moved_out_under_the_walk_leads_nowhere(
    root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond 64 descriptors the walk comes down from the root again, and believes only what is the
    same directory as the first time."""
    away = scratch.base / "away"
    deep = scratch.root / Path(*["n"] * 100)
    deep.mkdir(parents=True)
    scratch.remember(away)
    moved: list[object] = []
    real = syscalls.open

    def move_first(path: object, *args: Any, **keywords: Any) -> int:
        if path == b"n" and keywords["dir_fd"] == root.fileno():
            moved.append(path)
            if len(moved) == 2:
                (scratch.root / Path(*["n"] * 20)).rename(away)
        return real(path, *args, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(syscalls, "open", move_first)
    path = "/".join(["n"] * 100 + [".."] * 95)
    with pytest.raises(OSError) as caught:
        root.listdir(path)
    assert len(moved) >= 2
    assert caught.value.errno in (errno.ESTALE, errno.ENOENT)


# -- 6: links that stay inside -----------------------------------------------------------------


def test_rule_06_forty_links_are_followed_and_the_next_is_a_loop(scratch: Scratch) -> None:
    (scratch.root / "f").write_text("inside")
    for number in range(41):
        (scratch.root / f"l{number}").symlink_to(f"l{number - 1}" if number else "f")
    with Root(scratch.root) as root:
        assert root.read_bytes("l39") == b"inside"
        with pytest.raises(OSError) as caught:
            root.read_bytes("l40")
        assert caught.value.errno == errno.ELOOP
        assert caught.value.filename == "l40"


@pytest.mark.parametrize("target", ["{root}/f", "{outside}/secret.txt", "{root}", "{outside}/x"])
def test_rule_06_an_absolute_link_is_an_escape_wherever_it_leads(
    target: str, root: Root, scratch: Scratch
) -> None:
    (scratch.root / "a").symlink_to(layouts.filled(target, scratch))
    for path in ("a", "a/", "a/x", "d/../a"):
        with pytest.raises(EscapeError) as caught:
            root.stat(path)
        assert caught.value.reason == EscapeError.ABSOLUTE_LINK
        assert caught.value.component == "a"


@pytest.mark.parametrize("path", ["cwd", "root", "exe", "fd/0", "cwd/x", "root/etc", "ns/mnt"])
def test_rule_06_a_magic_link_is_an_escape(path: str) -> None:
    """Only looked at, never written through."""
    with Root("/proc/self") as root, open(os.devnull) as _:
        with pytest.raises(EscapeError) as caught:
            root.stat(path)
        assert caught.value.reason == EscapeError.MAGIC_LINK
        assert stat.S_ISLNK(root.lstat(path.split("/x")[0].split("/etc")[0]).st_mode)


@with_openat2
def test_rule_06_openat2_is_asked_for_no_magic_links_by_name(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RESOLVE_BENEATH refuses them too, but only for now, openat2(2) says."""
    asked: list[int] = []
    real = syscalls.open_how

    def recorded(flags: int, mode: int, resolve: int) -> object:
        asked.append(resolve)
        return real(flags, mode, resolve)

    monkeypatch.setattr(openat2, "_hows", {})
    monkeypatch.setattr(syscalls, "open_how", recorded)
    for operation in EVERY:
        with suppress(OSError):
            _do(operation, root, "d/g")
    always = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_MAGICLINKS
    assert len(asked) >= 5
    assert all(resolve & always == always for resolve in asked)


@pytest.mark.parametrize("path", ["l", "m/g", "l/", "m/../f", "out", "loop"])
def test_rule_06_under_never_a_link_is_refused_by_policy(
    path: str, root: Root, scratch: Scratch
) -> None:
    (scratch.root / "loop").symlink_to("loop")
    with Root(scratch.root, policy=Policy(symlinks="never")) as strict:
        for act in (strict.stat, strict.read_bytes, strict.listdir):
            with pytest.raises(PolicyError) as caught:
                act(path)
            assert caught.value.rule == "symlinks"
        with pytest.raises(PolicyError):
            strict.symlink("f", "new")
        assert strict.readlink("l") == "f"
        assert stat.S_ISLNK(strict.lstat("l").st_mode)
        assert strict.read_bytes("f") == b"inside"
        strict.rename("l", "l2")
        strict.unlink("l2")
    assert root.exists("f")


def test_rule_06_a_link_in_the_last_place_under_nofollow_is_eloop(root: Root) -> None:
    handle = root._handle
    for name in ("l", "m", "out"):
        with pytest.raises(OSError) as caught:
            open_beneath(handle, RelPath.parse(name), os.O_RDONLY | os.O_NOFOLLOW)
        assert caught.value.errno == errno.ELOOP
        assert caught.value.filename == name


# -- 7: when openat2 says no -------------------------------------------------------------------


@pytest.fixture
def answering(
    monkeypatch: pytest.MonkeyPatch, resolver: str
) -> Callable[[Callable[[int], int | None]], list[bytes]]:
    """Put words into openat2's mouth: given the count of calls, an errno, or None for the truth."""

    def put(answer: Callable[[int], int | None]) -> list[bytes]:
        asked: list[bytes] = []
        real = syscalls.openat2

        def openat2_(dir_fd: int, path: bytes, how: object) -> int:
            asked.append(path)
            error = answer(len(asked))
            return real(dir_fd, path, how) if error is None else -error

        monkeypatch.setattr(syscalls, "openat2", openat2_)
        monkeypatch.setattr(openat2, "_has_answered", False)
        if resolver == "openat2":
            monkeypatch.setattr(probe, "forced", None)  # as it is where nobody forces anything
        return asked

    return put


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM, errno.EACCES, errno.EINVAL])
def test_rule_07_a_refused_openat2_leads_to_the_walk_for_that_call(
    number: int, root: Root, answering: Any, resolver: str
) -> None:
    asked = answering(lambda _: number)
    assert root.read_bytes("d/../f") == b"inside"
    with pytest.raises(EscapeError):
        root.read_bytes("out/secret.txt")
    with pytest.raises(FileNotFoundError):
        root.read_bytes("missing")
    assert bool(asked) == (resolver == "openat2")


def test_rule_07_that_it_once_worked_is_never_remembered(
    root: Root, answering: Any, resolver: str
) -> None:
    asked = answering(lambda count: errno.EPERM if count % 2 else None)
    for _ in range(6):
        assert root.read_bytes("d/g") == b"inside too"
    assert len(asked) == (6 if resolver == "openat2" else 0)


def test_rule_07_eagain_on_dots_is_tried_again_and_then_walked(
    root: Root, answering: Any, resolver: str
) -> None:
    asked = answering(lambda _: errno.EAGAIN)
    assert root.read_bytes("d/../f") == b"inside"
    assert len(asked) in ((128, 129) if resolver == "openat2" else (0,))


def test_rule_07_eagain_on_dots_ends_with_the_first_answer(
    root: Root, answering: Any, resolver: str
) -> None:
    asked = answering(lambda count: errno.EAGAIN if count < 10 else None)
    assert root.read_bytes("d/../f") == b"inside"
    assert len(asked) == (10 if resolver == "openat2" else 0)
    asked.clear()
    with pytest.raises(EscapeError):
        root.read_bytes("d/../../outside/secret.txt")


def test_rule_07_an_escape_after_eagain_is_still_an_escape(root: Root, answering: Any) -> None:
    answering(lambda count: errno.EAGAIN if count % 3 else None)
    for path in ("../outside/secret.txt", "d/../../x", "out/../x"):
        with pytest.raises(EscapeError):
            root.read_bytes(path)


def test_rule_07_enoent_is_not_believed_of_a_sandbox_that_lies(
    root: Root, answering: Any, resolver: str
) -> None:
    answering(lambda _: errno.ENOENT)
    assert root.read_bytes("d/g") == b"inside too"
    with pytest.raises(FileNotFoundError):
        root.read_bytes("d/missing")
    with pytest.raises(EscapeError):
        root.read_bytes("out/secret.txt")
    assert resolver


def test_rule_07_enoent_is_believed_once_openat2_has_found_anything(
    root: Root, answering: Any, resolver: str
) -> None:
    asked = answering(lambda _: None)
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            root.read_bytes("d/missing")
    # The first time "." is opened to see whether openat2 tells the truth.
    expected = [b"d/missing", b".", b"d/missing", b"d/missing"]
    assert asked == (expected if resolver == "openat2" else [])


# -- 8: an operation on a name -----------------------------------------------------------------

_ON_A_NAME = ["unlink", "rmdir", "mkdir", "remove_tree", "rename from", "rename to"]
_ON_A_NAME += ["link from", "link to", "symlink"]


@pytest.mark.parametrize("operation", _ON_A_NAME)
def test_rule_08_a_name_that_is_no_name_is_einval(operation: str, root: Root) -> None:
    for path in ["", ".", "./", "d/.", "d/..", "d/../", "m/.", "m/..", "././"]:
        with pytest.raises(OSError) as caught:
            _do(operation, root, path)
        assert caught.value.errno == errno.EINVAL
        assert path in (caught.value.filename, caught.value.filename2)
        assert sorted(root.listdir()) == ["d", "f", "l", "m", "out"]


@pytest.mark.parametrize("operation", _ON_A_NAME)
def test_rule_08_what_escapes_is_told_as_an_escape_first(operation: str, root: Root) -> None:
    for path in ["..", "../", "d/../..", "out/.", "out/..", "../root/.", "m/../.."]:
        with pytest.raises(EscapeError):
            _do(operation, root, path)


@pytest.mark.parametrize("path", ["", ".", b"", b"."])
def test_rule_08_nothing_and_a_dot_both_name_the_root(path: Any, root: Root) -> None:
    names = ["d", "f", "l", "m", "out"]
    assert sorted(root.listdir(path)) == names
    assert sorted(entry.name for entry in root.scandir(path)) == names
    assert [at for at, _, _ in root.walk(path)] == [".", "d"]
    assert sorted(root.find(path)) == ["d/g", "f", "l", "m", "out"]
    assert root.stat(path).st_ino == root.lstat(path).st_ino == os.fstat(root.fileno()).st_ino
    assert root.is_dir(path)
    assert root.disk_usage(path) >= len("inside") + len("inside too")
    with pytest.raises(IsADirectoryError):
        root.open(path)
    root.makedirs(path, exist_ok=True)
    with pytest.raises(FileExistsError):
        root.makedirs(path)


def test_rule_08_the_kernel_acts_on_one_plain_name(root: Root, calls: Calls) -> None:
    """Everything but openat2 is given a single component, or a descriptor."""
    for operation in EVERY:
        try:
            _do(operation, root, "d/g")
        except OSError:
            pass
    assert {"unlink", "mkdir", "rename", "link", "symlink", "readlink", "rmdir"} <= {
        name for name, _, _ in calls
    }
    for name, arguments, _ in calls:
        if name in ("openat2", "symlink"):
            continue
        texts = [os.fsencode(a) for a in arguments if isinstance(a, str | bytes)]
        assert all(
            b"/" not in text or text.startswith((b"/proc/self/fd", b"/dev/null")) for text in texts
        ), (name, texts)


# -- 9: a slash demands a directory ------------------------------------------------------------


@pytest.mark.parametrize("operation", ["unlink", "readlink", "rename from", "lstat", "remove_tree"])
def test_rule_09_a_link_with_a_slash_is_enotdir_where_links_are_not_followed(
    operation: str, root: Root, scratch: Scratch
) -> None:
    (scratch.root / "dangling").symlink_to("missing")
    for link in ("l/", "m/", "out/", "l//", "dangling/"):
        with pytest.raises(NotADirectoryError):
            _do(operation, root, link)
    assert sorted(root.listdir()) == ["d", "dangling", "f", "l", "m", "out"]
    assert (scratch.outside / "secret.txt").exists()


@pytest.mark.parametrize("operation", ["unlink", "readlink", "rename from", "lstat", "remove_tree"])
def test_rule_09_a_file_with_a_slash_is_enotdir(operation: str, root: Root) -> None:
    with pytest.raises(NotADirectoryError):
        _do(operation, root, "f/")


def test_rule_09_a_link_with_a_slash_is_followed_inside_where_links_are(root: Root) -> None:
    assert root.listdir("m/") == ["g"]
    assert root.stat("m/").st_ino == root.stat("d").st_ino
    with pytest.raises(IsADirectoryError):
        root.open("m/")
    for act in (root.stat, root.listdir, root.open):
        with pytest.raises(EscapeError):
            act("out/")
        with pytest.raises(NotADirectoryError):
            act("l/")


def test_rule_09_mkdir_may_have_a_slash_and_a_file_may_not(root: Root) -> None:
    root.mkdir("new/")
    root.makedirs("newer/still/")
    assert root.is_dir("new")
    assert root.is_dir("newer/still")
    for mode in ("w", "x", "a"):
        for path in ("none/", "f/", "d/", "m/"):
            with pytest.raises(IsADirectoryError):
                root.open(path, mode)
    assert not root.exists("none")


def test_rule_09_the_slash_never_reaches_a_call_that_must_not_follow(
    root: Root, calls: Calls
) -> None:
    for operation in EVERY:
        for path in ("l/", "m/", "out/", "d/", "f/", "none/"):
            try:
                _do(operation, root, path)
            except OSError:
                pass
    for name, arguments, _ in calls:
        for text in (os.fsencode(a) for a in arguments if isinstance(a, str | bytes)):
            assert name == "openat2" or not text.endswith(b"/"), (name, text)


# -- 10: opening never blocks and never trusts -------------------------------------------------


@pytest.fixture
def special(root: Root, scratch: Scratch) -> Iterator[Root]:
    """A FIFO, a socket and, where they may be made, devices among the files."""
    os.mkfifo(scratch.root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(scratch.root)  # the whole path would be too long for a socket
        try:
            listening.bind("socket")
            listening.listen()
        finally:
            os.chdir(here)
        if MAY_MAKE_DEVICES:
            for name, minor in (("null", 3), ("zero", 5), ("full", 7), ("urandom", 9)):
                os.mknod(scratch.root / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
        yield root


_DEVICES = ["null", "zero", "full", "urandom"]
_SPECIAL = ["fifo", "socket", *(_DEVICES if MAY_MAKE_DEVICES else [])]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", _SPECIAL)
@pytest.mark.parametrize("mode", ["r", "w", "a", "r+", "w+", "a+", "rb"])
def test_rule_10_what_is_no_file_is_refused_in_every_mode(
    name: str, mode: str, special: Root
) -> None:
    with pytest.raises(OSError) as caught:
        special.open(name, mode)
    assert caught.value.errno == errno.ENXIO
    assert caught.value.filename == name


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", _SPECIAL)
@pytest.mark.parametrize(
    "operation", ["read_bytes", "read_text", "write_bytes", "copy from", "truncate"]
)
def test_rule_10_no_operation_reads_or_writes_what_is_no_file(
    name: str, operation: str, special: Root
) -> None:
    with pytest.raises(OSError) as caught:
        _do(operation, special, name)
    assert caught.value.errno == errno.ENXIO


@pytest.mark.timeout(20)
def test_rule_10_a_tree_with_a_fifo_is_walked_and_removed_without_opening_it(
    special: Root, scratch: Scratch
) -> None:
    special.mkdir("t")
    os.mkfifo(scratch.root / "t" / "fifo")
    assert list(special.find("t")) == ["t/fifo"]
    with pytest.raises(OSError) as caught:
        special.copy_tree("t", "u")
    assert caught.value.errno == errno.ENXIO
    assert sorted(special.listdir("t")) == ["fifo"]
    assert not special.exists("u")
    special.chmod("t/fifo", 0o600)
    special.remove_tree("t")
    assert not special.exists("t")


def test_rule_10_a_directory_is_eisdir(root: Root) -> None:
    for act in (root.open, root.read_bytes, root.read_text):
        with pytest.raises(IsADirectoryError):
            act("d")
    for write in (root.write_bytes, root.replace_file):
        with pytest.raises(IsADirectoryError):
            write("d", b"x")


def test_rule_10_nothing_is_truncated_before_it_is_known_to_be_a_file(
    root: Root, calls: Calls
) -> None:
    with root.open("f", "w") as file:
        file.write("new")
    order = [name for name, _, _ in calls if name in ("open", "openat2", "fstat", "ftruncate")]
    assert order.index("ftruncate") > order.index("fstat")
    for name, arguments, _ in calls.named("open"):
        assert not any(isinstance(a, int) and a & os.O_TRUNC for a in arguments[1:2]), name


def test_rule_10_a_wrong_argument_truncates_nothing(root: Root) -> None:
    for wrong in ({"encoding": "no-such"}, {"newline": "x"}, {"buffering": 0}, {"errors": 3}):
        with pytest.raises((ValueError, LookupError, TypeError)):
            root.open("f", "w", **wrong)
    for mode in ("", "rw", "z", "rbt", "U", "ww", "+", "b", "r" * 3):
        with pytest.raises(ValueError, match="mode"):
            root.open("f", mode)
    assert root.read_bytes("f") == b"inside"


@pytest.mark.parametrize("mode", ["r", "w", "a", "r+", "wb", "xb"])
def test_rule_10_an_opened_file_blocks_as_files_do(mode: str, root: Root) -> None:
    with root.open("new" if mode == "xb" else "f", mode) as file:
        assert os.get_blocking(file.fileno())
        assert isinstance(file.name, int)


# -- 11: creating exclusively never follows ----------------------------------------------------


@pytest.mark.parametrize(
    "target", ["../outside/new", "{outside}/new", "missing", "f", "d", "../outside/secret.txt", "x"]
)
def test_rule_11_creating_exclusively_follows_no_link(
    target: str, root: Root, scratch: Scratch
) -> None:
    (scratch.root / "x").symlink_to(layouts.filled(target, scratch))
    for act in (
        lambda: root.open("x", "x"),
        lambda: root.mkdir("x"),
        lambda: root.symlink("f", "x"),
    ):
        with pytest.raises(FileExistsError):
            act()
    assert root.read_bytes("f") == b"inside"
    assert not root.exists("missing")


@pytest.mark.parametrize("target", ["../outside/new", "{outside}/new"])
@pytest.mark.parametrize("mode", ["w", "a", "w+", "a+", "wb"])
def test_rule_11_a_dangling_link_that_leads_out_creates_nothing_there(
    target: str, mode: str, root: Root, scratch: Scratch
) -> None:
    (scratch.root / "x").symlink_to(layouts.filled(target, scratch))
    with pytest.raises(EscapeError):
        root.open("x", mode)
    with pytest.raises(EscapeError):
        root.write_bytes("x", b"planted")
    root.replace_file("x", b"inside after all")
    assert not root.is_symlink("x")


# -- 12: removing a tree -----------------------------------------------------------------------


def test_rule_12_removing_a_tree_removes_links_and_not_what_they_lead_to(
    root: Root, scratch: Scratch
) -> None:
    lines = ("t/a/b/f", "t/out => ../../outside", "t/a/in => ../../d", "t/abs => {outside}")
    layouts.lay((*lines, "t/loop => loop"), str(scratch.root), scratch)
    root.remove_tree("t")
    assert not root.exists("t")
    assert root.read_bytes("d/g") == b"inside too"


@pytest.mark.parametrize("name", ["*", "?", "[a-z]", "-rf", "~", "$HOME", " ", "\n"])
def test_rule_12_a_name_is_a_name_and_no_pattern(name: str, root: Root) -> None:
    root.mkdir(name)
    root.write_bytes(f"{name}/x", b"")
    root.remove_tree(name)
    assert sorted(root.listdir()) == ["d", "f", "l", "m", "out"]
    with pytest.raises(FileNotFoundError):
        root.remove_tree(name)


@pytest.mark.parametrize("path", ["", ".", "./", "d/..", "m/..", "d/../."])
def test_rule_12_the_root_itself_is_not_removed(path: str, root: Root) -> None:
    with pytest.raises(OSError) as caught:
        root.remove_tree(path)
    assert caught.value.errno == errno.EINVAL
    assert root.read_bytes("f") == b"inside"


def test_rule_12_what_appears_meanwhile_is_removed_too(
    root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    layouts.lay(("t/a/f",), str(scratch.root), scratch)
    late = iter(range(5))
    real = syscalls.rmdir

    def fill_first(name: object, **keywords: Any) -> None:
        if (number := next(late, None)) is not None:
            (scratch.root / "t" / "a" / f"late{number}").write_text("late")
        real(name, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(syscalls, "rmdir", fill_first)
    root.remove_tree("t")
    assert not root.exists("t")


def test_rule_12_a_directory_that_becomes_a_link_meanwhile_is_not_entered(
    root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2022-21658: what was a directory when listed is a link when it is opened."""
    layouts.lay(("t/a/f", "t/b/f", "t/c"), str(scratch.root), scratch)
    real = syscalls.open
    swapped: list[str] = []

    def swap_first(name: Any, *args: Any, **keywords: Any) -> int:
        if name in ("a", "b") and not swapped:
            swapped.append(name)
            shutil.rmtree(scratch.root / "t" / name)
            (scratch.root / "t" / name).symlink_to("../../outside")
        return real(name, *args, **keywords)

    monkeypatch.setattr(syscalls, "open", swap_first)
    root.remove_tree("t")
    assert swapped
    assert not root.exists("t")


# -- 13: listing and walking -------------------------------------------------------------------


def test_rule_13_links_are_listed_and_never_entered(root: Root) -> None:
    steps = {at: (names, others) for at, names, others in root.walk()}
    assert steps == {".": (["d"], ["f", "l", "m", "out"]), "d": ([], ["g"])}
    assert list(root.find()) == ["d/g", "f", "l", "m", "out"]
    assert sorted(root.glob("**")) == [".", "d", "d/g", "f", "l", "m", "out"]
    assert sorted(root.glob("*/*")) == ["d/g"]
    assert sorted(root.glob("**/secret.txt")) == []
    kinds = {entry.name: (entry.is_dir(), entry.is_symlink()) for entry in root.scandir()}
    assert kinds["out"] == kinds["m"] == (False, True)


def test_rule_13_an_entry_keeps_its_stat_when_the_listing_is_closed(
    root: Root, scratch: Scratch
) -> None:
    with root.scandir() as entries:
        kept = {entry.name: entry for entry in entries}
    opened = [os.open(scratch.outside, os.O_RDONLY) for _ in range(8)]
    try:
        (scratch.root / "f").write_text("something much longer")
        assert kept["f"].stat().st_size == len("inside")
        assert kept["f"].is_file()
        assert kept["f"].inode() == kept["f"].stat().st_ino
        assert kept["f"].path == "f"
        assert "DirEntry" not in type(kept["f"]).__name__
        assert not hasattr(kept["f"], "__fspath__")
        assert "f" in repr(kept["f"])
    finally:
        for fd in opened:
            os.close(fd)


def test_rule_13_a_listing_is_closed_when_it_is_left_or_exhausted(root: Root) -> None:
    entries = root.scandir()
    assert len(list(entries)) == 5
    assert list(entries) == []
    with root.scandir("d") as part:
        next(part)
    assert list(part) == []
    assert isinstance(part, listing.Listing)


def test_rule_13_a_walk_left_half_way_leaves_nothing_open(root: Root) -> None:
    under_way: list[Any] = [root.walk(), root.find(), root.glob("**"), root.walk(topdown=False)]
    for generator in under_way:
        next(generator)
        generator.close()


# -- 14: on the resolved object ----------------------------------------------------------------

_CHANGES: dict[str, Callable[[Root, str], object]] = {
    "chmod": lambda root, path: root.chmod(path, 0o604),
    "utime": lambda root, path: root.utime(path, ns=(1, layouts.STAMP)),
    "setxattr": lambda root, path: root.setxattr(path, "user.t", b"v"),
}


def _marked(file: Path | int) -> bool:
    """Whether any of the changes has come to this file, or to this link itself."""
    follow = isinstance(file, int)
    seen = os.stat(file, follow_symlinks=follow)
    if seen.st_mode & 0o777 == 0o604 or seen.st_mtime_ns == layouts.STAMP:
        return True
    return bool(os.listxattr(file, follow_symlinks=follow))


@pytest.mark.parametrize("name", ["fchmodat2", "utimensat", "procfs"])
@pytest.mark.parametrize("change", _CHANGES)
def test_rule_14_a_change_reaches_the_object_on_every_way_there_is(
    change: str, name: str, root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the newer calls, and without procfs as well, it is the next way that serves."""
    if name != "fchmodat2":
        monkeypatch.setattr(syscalls, "utimensat", lambda *_: -errno.ENOSYS)
    monkeypatch.setattr(syscalls, "fchmodat2", lambda *_: -errno.ENOSYS)
    if name == "procfs":
        monkeypatch.setattr(syscalls, "on_procfs", lambda _: False)
    _CHANGES[change](root, "l")
    assert _marked(scratch.root / "f")
    assert not _marked(scratch.root / "l")
    with pytest.raises(EscapeError):
        _CHANGES[change](root, "out")


@pytest.mark.parametrize("change", _CHANGES)
def test_rule_14_without_procfs_what_cannot_be_opened_to_read_is_not_supported(
    change: str, root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(scratch.root / "fifo")
    monkeypatch.setattr(syscalls, "fchmodat2", lambda *_: -errno.ENOSYS)
    monkeypatch.setattr(syscalls, "utimensat", lambda *_: -errno.ENOSYS)
    monkeypatch.setattr(syscalls, "on_procfs", lambda _: False)
    with pytest.raises(OSError) as caught:
        _CHANGES[change](root, "fifo")
    assert caught.value.errno == errno.ENOTSUP
    assert caught.value.filename == "fifo"


@pytest.mark.parametrize("newer", [True, False])
@pytest.mark.parametrize("change", _CHANGES)
def test_rule_14_a_swap_between_resolving_and_acting_changes_nothing_else(
    change: str, newer: bool, root: Root, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as the file has been reached, its name becomes a link to another."""
    (scratch.root / "other").write_text("other")
    kept = os.open(scratch.root / "f", os.O_RDONLY)

    def swapping(name: str) -> Callable[..., object]:
        real: Callable[..., object] = getattr(syscalls, name)

        def swap_first(*args: object, **keywords: object) -> object:
            (scratch.root / "f").unlink(missing_ok=True)
            (scratch.root / "f").symlink_to("other")
            return real(*args, **keywords)

        return swap_first

    if not newer:
        monkeypatch.setattr(syscalls, "fchmodat2", lambda *_: -errno.ENOSYS)
        monkeypatch.setattr(syscalls, "utimensat", lambda *_: -errno.ENOSYS)
    for name in ("fchmodat2", "utimensat", "chmod", "utime", "setxattr"):
        monkeypatch.setattr(syscalls, name, swapping(name))
    _CHANGES[change](root, "f")
    try:
        assert (scratch.root / "f").is_symlink()
        assert not _marked(scratch.root / "other")
        assert _marked(kept)
    finally:
        os.close(kept)


def test_rule_14_no_name_is_ever_given_but_that_of_a_descriptor(root: Root, calls: Calls) -> None:
    for change in _CHANGES.values():
        change(root, "d/g")
        change(root, "l")
    for name, arguments, _ in calls.named("chmod", "utime", "setxattr", "getxattr"):
        assert str(arguments[0]).startswith("/proc/self/fd/") or isinstance(arguments[0], int), name


def test_rule_14_extended_attributes_go_and_come(root: Root) -> None:
    root.setxattr("l", "user.one", b"1")
    assert root.getxattr("f", "user.one") == b"1"
    assert root.listxattr("f") == ["user.one"]
    with pytest.raises(FileExistsError):
        root.setxattr("f", "user.one", b"2", os.XATTR_CREATE)
    root.removexattr("f", "user.one")
    with pytest.raises(OSError) as caught:
        root.getxattr("f", "user.one")
    assert caught.value.errno == errno.ENODATA
    assert caught.value.filename == "f"


# -- 15: exists and its kin --------------------------------------------------------------------

_NOWHERE = ["x", "x/y", "f/x", "f/", "loop", "..", "../outside/secret.txt", "/f", "out"]
_NOWHERE += ["out/secret.txt", "f\0", chr(0xD800), "n" * 256, "d/../..", "dangling"]


@pytest.mark.parametrize("ask", ASKING)
@pytest.mark.parametrize("path", _NOWHERE)
def test_rule_15_what_leads_nowhere_inside_is_not_there(
    ask: str, path: str, root: Root, scratch: Scratch
) -> None:
    (scratch.root / "loop").symlink_to("loop")
    (scratch.root / "dangling").symlink_to("nothing")
    expected = ask == "is_symlink" and path in ("loop", "out", "dangling")
    assert ASKING[ask](root, path) is expected


def test_rule_15_what_is_there_is_told_for_what_it_is(root: Root) -> None:
    told = {
        path: [ask(root, path) for ask in ASKING.values()] for path in ("f", "d", "l", "m", ".")
    }
    assert told == {
        "f": [True, True, False, False],
        "d": [True, False, True, False],
        "l": [True, True, False, True],
        "m": [True, False, True, True],
        ".": [True, False, True, False],
    }


@pytest.mark.parametrize("ask", ASKING)
def test_rule_15_a_refusal_by_policy_is_not_there(ask: str, scratch: Scratch) -> None:
    (scratch.root / "CON").write_text("")
    with Root(scratch.root, policy=Policy(portable_names=True)) as root:
        assert ASKING[ask](root, "CON") is False


@pytest.mark.parametrize("ask", ASKING)
@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES])
def test_rule_15_what_is_no_answer_is_raised(
    ask: str, number: int, root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    # What only has to be there is opened, and not looked at.
    for name in ("stat", "fstat", *(["open"] if ask == "exists" else [])):
        monkeypatch.setattr(syscalls, name, failing)
    if ask == "exists":
        monkeypatch.setattr(syscalls, "openat2", lambda *_: -number)
    for path in ("f", "d/g"):
        with pytest.raises(OSError) as caught:
            ASKING[ask](root, path)
        assert caught.value.errno == number


@as_root
@pytest.mark.parametrize("ask", ASKING)
def test_rule_15_a_directory_one_may_not_search_is_an_error_and_no_absence(
    ask: str, resolver: str, shared_root: Path
) -> None:
    def asking() -> int | None:
        probe.forced = resolver
        with Root(shared_root) as root:
            (shared_root / "locked").mkdir(0)
            try:
                ASKING[ask](root, "locked/x")
            except PermissionError as error:
                return error.errno
            return None

    assert in_child(asking, uid=NOBODY) == errno.EACCES


# -- 16: mounts and hard links -----------------------------------------------------------------


@may_mount
@pytest.mark.parametrize("same_filesystem", [False, True])
def test_rule_16_a_mount_is_crossed_unless_the_policy_says_no(
    same_filesystem: bool, scratch: Scratch, resolver: str
) -> None:
    layouts.lay(("mnt/", "d/x"), str(scratch.root), scratch)

    def crossing() -> dict[str, object]:
        probe.forced = resolver
        mounts.mount_own(scratch.outside, scratch.root / "mnt")
        with Root(scratch.root, policy=Policy(same_filesystem=same_filesystem)) as root:
            ways: dict[str, Callable[[], object]] = {
                "read": lambda: root.read_bytes("mnt/secret.txt"),
                "list": lambda: len(root.listdir("mnt")),
                "stat": lambda: root.stat("mnt").st_size > 0,
                "walk": lambda: [at for at, _, _ in root.walk()],
                "find": lambda: "mnt/secret.txt" in root.find(),
                "write": lambda: root.open("mnt/x", "xb").close(),
                "subroot": lambda: root.subroot("mnt").close(),
            }
            return {name: _said(way) for name, way in ways.items()}

    said = in_child(crossing)
    if same_filesystem:
        exdev = f"errno {errno.EXDEV}"
        assert said.pop("walk") == [".", "d"]
        assert set(said.values()) == {exdev}
    else:
        assert said.pop("read") == b"OUTSIDE-SECRET\n"
        assert f"errno {errno.EXDEV}" not in said.values()
        assert said["find"]
        (scratch.outside / "x").unlink()
        scratch.remember()


def _said(way: Callable[[], object]) -> object:
    try:
        return way()
    except OSError as error:
        return f"errno {error.errno}"


def test_rule_16_a_hard_link_is_inside_by_definition(root: Root, scratch: Scratch) -> None:
    os.link(scratch.outside / "secret.txt", scratch.root / "hard")
    scratch.remember()
    assert root.read_bytes("hard") == b"OUTSIDE-SECRET\n"
    assert root.stat("hard").st_nlink == 2


# -- 17: names are bytes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["e\u0301", "\u00e9", "A", "a", "\udcff", "a ", "a.", "CON", "a\n"]
)
def test_rule_17_a_name_is_kept_byte_for_byte(name: str, root: Root, scratch: Scratch) -> None:
    root.write_bytes(name, b"x")
    assert os.fsencode(name) in os.listdir(os.fsencode(scratch.root))
    assert name in root.listdir()
    for other in ("e\u0301", "\u00e9", "A", "a", "\udcff", "a ", "a.", "CON", "a\n"):
        assert root.exists(other) == (other == name)


def test_rule_17_portable_names_refuses_what_windows_or_macos_would_change(
    scratch: Scratch,
) -> None:
    (scratch.root / "d").mkdir()
    with Root(scratch.root, policy=Policy(portable_names=True)) as root:
        for path in ("a.", "a ", "CON", "nul.txt", "a:b", "d/x?", "\udcff", "a\\b", "n" * 256):
            for operation in ("write_bytes", "mkdir", "stat", "symlink", "unlink", "listdir"):
                with pytest.raises(PolicyError):
                    _do(operation, root, path)
        root.makedirs("a/b.c")
        assert list(root.find()) == []
    assert sorted(os.listdir(scratch.root)) == ["a", "d"]


# -- 18: both resolvers alike ------------------------------------------------------------------


def _documented() -> dict[str, tuple[str, str]]:
    """The table of differences in docs/guarantees.md."""
    text = (Path(__file__).parent.parent / "docs" / "guarantees.md").read_text("utf-8")
    _, _, after = text.partition("## Where the two resolvers may differ")
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", after, re.MULTILINE)
    return {situation: (kernel, walk) for situation, kernel, walk in rows[1:]}


_DIFFERENCES = {
    "an ordinary link in procfs": "test_rule_18_an_ordinary_link_in_procfs",
    "fs.protected_symlinks": "test_rule_18_protected_symlinks",
    "a bind mount of the same file system": "test_rule_18_a_bind_mount_before_linux_5_8",
    "another kind than is asked for": "test_rule_18_a_mount_point_of_another_kind",
    "more than 64 levels above": "test_rule_18_a_directory_moved_again_and_again",
    "no descriptors to spare": "test_rule_18_no_descriptors_to_spare",
    "is replaced, during the call, more than 1,000 times": "test_rule_18_a_component_replaced",
}


def test_rule_18_every_documented_difference_has_its_test_and_the_other_way_round() -> None:
    documented = _documented()
    for words, test in _DIFFERENCES.items():
        assert sum(words in situation for situation in documented) == 1, words
        assert test in globals(), test
    assert len(documented) == len(_DIFFERENCES), sorted(documented)


def test_rule_18_an_ordinary_link_in_procfs(
    root: Root, resolver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few kernels have one, so the scratch is said to be procfs; only the walk has to ask."""
    monkeypatch.setattr(syscalls, "on_procfs", lambda _: True)
    if resolver == "openat2":
        assert root.read_bytes("l") == b"inside"
    else:
        with pytest.raises(EscapeError) as caught:
            root.read_bytes("l")
        assert caught.value.reason == EscapeError.MAGIC_LINK


@as_root
@pytest.mark.parametrize("owner", [12345, NOBODY, 0])
def test_rule_18_protected_symlinks(owner: int, resolver: str, shared_root: Path) -> None:
    """A directory like /tmp: the link of a third user is not followed for anybody."""
    sticky = shared_root / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    os.chown(sticky, 0, 0)
    (sticky / "f").write_text("inside")
    (sticky / "l").symlink_to("f")
    os.lchown(sticky / "l", owner, owner)

    def following() -> object:
        probe.forced = resolver
        with Root(shared_root) as root:
            return _said(lambda: root.read_bytes("sticky/l"))

    said = in_child(following, uid=NOBODY)
    protected = resolver == "walk" or layouts.switched_on("/proc/sys/fs/protected_symlinks")
    expected = f"errno {errno.EACCES}" if owner == 12345 and protected else b"inside"
    assert said == expected


@may_mount
def test_rule_18_a_bind_mount_before_linux_5_8(
    scratch: Scratch, resolver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scratch.root / "mnt").mkdir()
    monkeypatch.setattr(syscalls, "_statx", None)

    def crossing() -> object:
        probe.forced = resolver
        mounts.mount_own(scratch.outside, scratch.root / "mnt")
        with Root(scratch.root, policy=Policy(same_filesystem=True)) as root:
            return _said(lambda: root.read_bytes("mnt/secret.txt"))

    seen = in_child(crossing)
    (row,) = (row for name, row in _documented().items() if "before Linux 5.8" in name)
    if resolver == "openat2":
        words = {f"errno {errno.EXDEV}": "EXDEV", f"errno {errno.EACCES}": "`EscapeError`"}
        assert row[0].startswith(words[str(seen)]), seen
    else:
        assert seen == b"OUTSIDE-SECRET\n"


@may_mount
def test_rule_18_a_mount_point_of_another_kind(scratch: Scratch, resolver: str) -> None:
    (scratch.root / "mnt").mkdir()
    (scratch.root / "file").touch()

    def crossing() -> list[object]:
        probe.forced = resolver
        mounts.mount_own(scratch.outside, scratch.root / "mnt")
        mounts.mount_own(scratch.outside / "secret.txt", scratch.root / "file")
        with Root(scratch.root, policy=Policy(same_filesystem=True)) as root:
            acts = (lambda: root.listdir("file"), lambda: root.write_bytes("mnt", b""))
            return [_said(act) for act in acts]

    (row,) = (row for name, row in _documented().items() if "another kind than" in name)
    said = in_child(crossing)
    if resolver == "openat2":
        assert said == [f"errno {errno.EXDEV}"] * 2
        assert "EXDEV" in row[0]
    else:
        assert said == [f"errno {errno.ENOTDIR}", f"errno {errno.EISDIR}"]
        assert "ENOTDIR, EISDIR" in row[1]


def test_rule_18_a_directory_moved_again_and_again(
    scratch: Scratch, resolver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ESTALE from the walk, and only after it has begun sixteen times."""
    (scratch.root / Path(*["n"] * 100)).mkdir(parents=True)
    path = "/".join(["n"] * 100 + [".."] * 99)
    tries: list[object] = []
    real = syscalls.open
    with Root(scratch.root) as root:

        def moving(name: Any, *args: Any, **keywords: Any) -> int:
            fd = real(name, *args, **keywords)
            if name == b"n" and keywords["dir_fd"] == root.fileno():
                tries.append(name)
                if not len(tries) % 2:  # each second time it is on its way back
                    os.close(fd)
                    return real(scratch.root, os.O_PATH | os.O_CLOEXEC)  # another than it was
            return fd

        monkeypatch.setattr(syscalls, "open", moving)
        if resolver == "openat2":
            assert root.listdir(path) == ["n"]
            return
        with pytest.raises(OSError) as caught:
            root.listdir(path)
    assert caught.value.errno == errno.ESTALE
    assert caught.value.filename == path
    assert len(tries) == 32


def test_rule_18_no_descriptors_to_spare(scratch: Scratch, resolver: str) -> None:
    (scratch.root / Path(*["n"] * 70)).mkdir(parents=True)

    def reaching() -> object:
        probe.forced = resolver
        with Root(scratch.root) as root:
            taken = []
            try:
                while True:
                    taken.append(os.open("/", os.O_PATH))
            except OSError:
                for _ in range(5):
                    os.close(taken.pop())
            return _said(lambda: root.stat("/".join(["n"] * 70)).st_nlink)

    said = in_child(reaching, descriptors=100)
    assert said == (2 if resolver == "openat2" else f"errno {errno.EMFILE}")


def test_rule_18_a_component_replaced(
    scratch: Scratch, resolver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time the walk reads the link that it met, a directory stands there, and a link again."""
    (scratch.root / "d").mkdir()
    (scratch.root / "d" / "f").write_text("inside")
    (scratch.root / "l").symlink_to("d")
    seen = []

    def no_link(name: object, **_: object) -> bytes:
        seen.append(name)
        raise OSError(errno.EINVAL, "not a link")

    monkeypatch.setattr(syscalls, "readlink", no_link)
    with Root(scratch.root) as root:
        if resolver == "openat2":
            assert root.read_bytes("l/f") == b"inside"
            return
        with pytest.raises(OSError) as caught:
            root.read_bytes("l/f")
    assert caught.value.errno == errno.ELOOP
    assert len(seen) == 1001


# -- and of errors -----------------------------------------------------------------------------


@pytest.mark.parametrize("operation", EVERY)
def test_an_error_of_any_operation_survives_pickle_with_the_callers_paths(
    operation: str, root: Root
) -> None:
    facts = ("errno", "strerror", "filename", "filename2", "reason", "component", "path")
    for path in ("../x", "x/y", "f/x", "out", "a\0", b"x/y", b"../x"):
        error = _error_of(operation, root, path)
        back = pickle.loads(pickle.dumps(error))
        assert type(back) is type(error)
        assert [getattr(back, fact, None) for fact in facts] == [
            getattr(error, fact, None) for fact in facts
        ]
        if isinstance(error, OSError):
            assert path in (error.filename, error.filename2)


def _error_of(operation: str, root: Root, path: str | bytes) -> Exception | None:
    try:
        _do(operation, root, path)
    except (OSError, SafefsError) as error:
        return error
    return None


@pytest.mark.parametrize("act", ["rename", "copy", "link", "copy_tree"])
def test_an_operation_on_two_paths_names_both_in_its_errors(act: str, root: Root) -> None:
    for src, dst in (("missing", "d/new"), ("d", "missing/new"), ("out/x", "new"), ("f", "../x")):
        with pytest.raises(OSError) as caught:
            getattr(root, act)(src, dst)
        assert (caught.value.filename, caught.value.filename2) == (src, dst)


def test_a_file_copied_onto_itself_is_left_alone(root: Root) -> None:
    root.link("f", "hard")
    for src, dst in (("f", "f"), ("f", "hard"), ("l", "f"), ("./f", "d/../f")):
        with pytest.raises(SameFileError) as caught:
            root.copy(src, dst)
        assert (caught.value.filename, caught.value.filename2) == (src, dst)
    assert root.read_bytes("f") == b"inside"
