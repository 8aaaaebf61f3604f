"""Durable writes, seen by the calls that are made, and what is kept of a file that is replaced."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Disk, PolicyError, Root
from safefs.drivers.local import LocalDriver
from safefs.kernel import probe, syscalls
from safefs.paths import RelPath
from safefs.policy import Policy
from tests import layouts
from tests.attackers import in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safefs.testing.scratch import Scratch
    from tests.conftest import Calls

    Write = Callable[[Disk, str], object]


@pytest.fixture
def disk(scratch: Scratch, resolver: str) -> Iterator[Disk]:
    assert resolver
    layouts.lay(("f", "d/g"), str(scratch.root), scratch)
    with Disk(scratch.root) as disk:
        yield disk


def _opened(disk: Disk, path: str) -> None:
    with disk.open(path, "wb", atomic=True, durable=True) as file:
        file.write(b"new")


def _drafted(disk: Disk, path: str) -> None:
    where = RelPath.parse(path)
    file = disk._driver.draft(where, "wb", durable=True)
    file.write(b"new")
    file.close()
    file.commit()


def _by_root(disk: Disk, act: Callable[[Root], object]) -> None:
    driver = disk._driver
    assert isinstance(driver, LocalDriver)
    act(driver._root)


def _opened_by_root(disk: Disk, path: str) -> None:
    def act(root: Root) -> None:
        with root.open(path, "wb", atomic=True, durable=True) as file:
            file.write(b"new")

    _by_root(disk, act)


DURABLY: dict[str, Write] = {
    "put": lambda disk, path: disk.put(path, b"new", durable=True),
    "put_json": lambda disk, path: disk.put_json(path, 1, durable=True),
    "write_stream": lambda disk, path: disk.write_stream(path, [b"n", b"ew"], durable=True),
    "put_file_as": lambda disk, path: disk.put_file_as(
        os.path.dirname(path), _Reader(b"new"), os.path.basename(path), durable=True
    ),
    "preserving": lambda disk, path: disk.put(
        path, b"new", durable=True, preserve=("ownership", "xattr")
    ),
    "Disk.open": _opened,
    "draft": _drafted,
    "Root.open": _opened_by_root,
    "Root.replace_file": lambda disk, path: _by_root(
        disk, lambda root: root.replace_file(path, b"new", durable=True)
    ),
}
MAKING_PARENTS = ("put", "put_json", "write_stream", "put_file_as", "preserving")


def _Reader(data: bytes) -> Any:  # noqa: N802  (a class to those who call it)
    import io

    return io.BytesIO(data)


def _order(calls: Calls) -> list[str]:
    """fsync of what was made, and of the directory it was made in, by what the descriptor is."""
    told = []
    opened: dict[object, str] = {}
    for name, arguments, answer in calls:
        if name in ("open", "openat2") and isinstance(answer, int):
            flags = arguments[1] if name == "open" and len(arguments) > 1 else 0
            opened[answer] = "file" if flags and int(str(flags)) & os.O_CREAT else "directory"
        elif name == "fsync":
            told.append(f"fsync {opened[arguments[0]]}")
        elif name in ("rename", "rename_noreplace", "mkdir"):
            told.append(name)
    return told


@pytest.mark.parametrize("how", DURABLY)
def test_a_durable_write_synchronises_file_then_name(
    how: str, disk: Disk, calls: Calls, scratch: Scratch
) -> None:
    for path in ("f", "d/new"):
        calls.clear()
        DURABLY[how](disk, path)
        assert _order(calls) == ["fsync file", "rename", "fsync directory"]
        assert (scratch.root / path).read_bytes() in (b"new", b"1")
    assert not [name for name in os.listdir(scratch.root) if name.startswith(".safefs-")]


@pytest.mark.parametrize("how", MAKING_PARENTS)
def test_directories_made_on_the_way_are_synchronised_before_what_is_beneath(
    how: str, disk: Disk, calls: Calls
) -> None:
    """A file that holds in a directory that does not would be lost with it."""
    DURABLY[how](disk, "one/two/new")
    step = ["mkdir", "fsync directory"]
    assert _order(calls) == [*step, *step, "fsync file", "rename", "fsync directory"]


def test_a_directory_that_somebody_else_has_just_made_is_synchronised_too(
    disk: Disk, scratch: Scratch, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was quicker may not have synchronised it."""
    real = syscalls.mkdir

    def late(name: Any, *arguments: Any, **keywords: Any) -> None:
        (scratch.root / "one").mkdir(exist_ok=True)
        real(name, *arguments, **keywords)

    monkeypatch.setattr(syscalls, "mkdir", late)
    disk.put("one/new", b"new", durable=True)
    assert [step for step in _order(calls) if "fsync" in step] == [
        "fsync directory",
        "fsync file",
        "fsync directory",
    ]


def test_nothing_is_synchronised_unasked(disk: Disk, calls: Calls) -> None:
    disk.put("one/two/new", b"new")
    disk.put_json("f", 1)
    with disk.open("f", "w", atomic=True) as file:
        file.write("new")
    assert not calls.named("fsync")


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO])
def test_a_file_system_that_lets_no_time_be_set_takes_files_all_the_same(
    disk: Disk, scratch: Scratch, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The time is set for its fineness alone; an error of the drive is one."""

    def timeless(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    def put() -> None:
        disk.put("a", "new")

    def write() -> None:
        with disk.open("b", "wb", atomic=True) as file:
            file.write(b"new")

    def commit() -> None:
        with disk.fs.transaction, disk.fs.open("/c", "wb") as file:
            file.write(b"new")

    monkeypatch.setattr(syscalls, "utime", timeless)
    for act, name in ((put, "a"), (write, "b"), (commit, "c")):
        if number == errno.EIO:
            with pytest.raises(OSError, match="Input/output"):
                act()
            assert disk.missing(name)
        else:
            act()
            assert disk.get(name) == b"new"


@pytest.mark.parametrize("how", DURABLY)
def test_content_that_cannot_be_synchronised_is_given_up(
    how: str, disk: Disk, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not asked again: the second fsync says yes, for what the first has dropped."""
    asked: list[int] = []

    def failing(fd: int) -> None:
        asked.append(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(syscalls, "fsync", failing)
    before = layouts.portrait(str(scratch.root))
    for path in ("f", "d/new"):
        asked.clear()
        with pytest.raises(OSError) as caught:
            DURABLY[how](disk, path)
        assert caught.value.errno == errno.EIO
        assert not getattr(caught.value, "__notes__", ())
        assert len(asked) == 1
    assert layouts.portrait(str(scratch.root)) == before


@pytest.mark.parametrize("how", DURABLY)
def test_a_name_that_cannot_be_synchronised_is_an_error_that_says_the_change_stands(
    how: str, disk: Disk, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def failing(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(fd)

    monkeypatch.setattr(syscalls, "fsync", failing)
    with pytest.raises(OSError) as caught:
        DURABLY[how](disk, "f")
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, "f")
    assert "the change itself was made" in caught.value.__notes__[0]
    assert (scratch.root / "f").read_bytes() in (b"new", b"1")
    assert sorted(os.listdir(scratch.root)) == ["d", "f"]


@pytest.mark.parametrize("how", DURABLY)
def test_what_is_read_only_makes_no_call_that_could_change_anything(
    how: str, disk: Disk, calls: Calls
) -> None:
    with disk.read_only() as locked:
        calls.clear()
        for path in ("f", "d/new", "one/two/new"):
            with pytest.raises((PolicyError, FileNotFoundError)):
                DURABLY[how](locked, path)
        assert not calls.named("mkdir", "rename", "rename_noreplace", "fsync", "write", "unlink")
        assert not [flags for _, (_, flags, *_), _ in calls.named("open") if _creates(flags)]


def _creates(flags: object) -> bool:
    return isinstance(flags, int) and bool(flags & os.O_CREAT)


def test_a_directory_that_may_not_be_read_is_refused_before_anything_is_written(
    scratch: Scratch, resolver: str
) -> None:
    """To synchronise a directory it must be opened to read, and that is found out first."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    closed = scratch.root / "closed"
    closed.mkdir()
    (closed / "f").write_text("old")
    closed.chmod(0o333)
    for path in (scratch.root, *scratch.root.parents):
        if path.owner() != "root" or len(path.parts) < 3:
            break
        path.chmod(path.stat().st_mode | 0o055)

    def trying() -> tuple[object, list[str]]:
        probe.forced = resolver
        told = []
        with Root(scratch.root) as root:
            for durable in (True, False):
                try:
                    root.replace_file("closed/new", b"new", durable=durable)
                    told.append("done")
                except OSError as error:
                    told.append(errno.errorcode[error.errno or 0])
        return told, []

    assert in_child(trying, uid=65534) == (["EACCES", "done"], [])
    assert sorted(os.listdir(closed)) == ["f", "new"]


def test_fsync_asks_the_drive_where_the_system_has_a_word_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F_FULLFSYNC of macOS, and plain fsync on a file system that has none."""
    asked: list[str] = []
    answers = iter([None, errno.ENOTSUP, errno.EIO])

    def control(_fd: int, command: int) -> None:
        asked.append(f"fcntl {command}")
        answer = next(answers)
        if answer is not None:
            raise OSError(answer, os.strerror(answer))

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", lambda _fd: asked.append("fsync"))
    with open(tmp_path / "f", "wb") as file:
        syscalls._full_fsync(file.fileno())
        assert asked == ["fcntl 51"]
        syscalls._full_fsync(file.fileno())
        assert asked == ["fcntl 51", "fcntl 51", "fsync"]
        with pytest.raises(OSError) as caught:
            syscalls._full_fsync(file.fileno())
    assert caught.value.errno == errno.EIO
    assert asked == ["fcntl 51", "fcntl 51", "fsync", "fcntl 51"]


# -- what is kept ------------------------------------------------------------------------------

ACCESS = "system.posix_acl_access"
DEFAULT = "system.posix_acl_default"
_UNSET = 0xFFFFFFFF


def acl(owner: int, group: int, other: int, *, uid: int, user: int, mask: int) -> bytes:
    """A list of access rights as the kernel takes it: acl(5), linux/posix_acl_xattr.h."""
    entries = [(1, owner, _UNSET), (2, user, uid), (4, group, _UNSET), (16, mask, _UNSET)]
    entries.append((32, other, _UNSET))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def _marked(path: Path, name: str, value: bytes) -> None:
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        if error.errno in (errno.ENOTSUP, errno.EPERM):
            pytest.skip(f"no attribute {name} on this file system")
        raise


def test_extended_attributes_are_kept_where_that_is_asked(disk: Disk, scratch: Scratch) -> None:
    file = scratch.root / "f"
    _marked(file, "user.one", b"1")
    _marked(file, "user.empty", b"")
    disk.put("f", b"new", preserve=("xattr",))
    assert file.read_bytes() == b"new"
    assert {name: os.getxattr(file, name) for name in os.listxattr(file)} == {
        "user.one": b"1",
        "user.empty": b"",
    }
    disk.put("f", b"newer")
    assert os.listxattr(file) == []


def test_a_list_of_access_rights_is_kept_and_the_mode_with_it(disk: Disk, scratch: Scratch) -> None:
    """The group bits of such a file are its mask; chmod before the list would be undone by it."""
    file = scratch.root / "f"
    file.chmod(0o600)
    rights = acl(6, 0, 0, uid=12345, user=4, mask=4)
    _marked(file, ACCESS, rights)
    _marked(file, "user.one", b"1")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    disk.put("f", b"new", preserve=("xattr", "ownership"))
    assert os.getxattr(file, ACCESS) == rights
    assert os.getxattr(file, "user.one") == b"1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_rights_that_the_directory_hands_down_are_not_added_to_what_is_kept(
    disk: Disk, scratch: Scratch
) -> None:
    file = scratch.root / "d" / "g"
    file.chmod(0o640)
    _marked(scratch.root / "d", DEFAULT, acl(7, 5, 5, uid=12345, user=7, mask=7))
    disk.put("d/g", b"new", preserve=("xattr",))
    assert os.listxattr(file) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_others_cannot_open_the_new_file_before_its_rights_stand(
    disk: Disk, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is opened too early is read later, whatever the mode is by then."""
    file = scratch.root / "f"
    rights = acl(6, 0, 0, uid=12345, user=4, mask=4)
    _marked(file, ACCESS, rights)
    seen: list[tuple[str, int]] = []
    for name in ("fchown", "setxattr", "fchmod"):
        real = getattr(syscalls, name)

        def watched(fd: int, *arguments: Any, name: str = name, real: Any = real) -> Any:
            seen.append((name, stat.S_IMODE(os.fstat(fd).st_mode)))
            return real(fd, *arguments)

        monkeypatch.setattr(syscalls, name, watched)
    if os.geteuid() == 0:
        os.chown(file, 12345, 12345)
    disk.put("f", b"new", preserve=("ownership", "xattr"))
    before_rights = [mode for name, mode in seen if name != "fchmod"]
    assert before_rights
    assert set(before_rights) == {0o600}
    assert os.getxattr(file, ACCESS) == rights


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_is_kept_where_that_is_asked(disk: Disk, scratch: Scratch) -> None:
    file = scratch.root / "f"
    os.chown(file, 12345, 54321)
    file.chmod(0o6751)
    disk.put("f", b"new", preserve=("ownership",))
    found = file.stat()
    assert (found.st_uid, found.st_gid) == (12345, 54321)
    assert stat.S_IMODE(found.st_mode) == 0o751  # new content inherits no set-id bits
    disk.put("f", b"newer")
    assert file.stat().st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_owner_that_cannot_be_kept_is_an_error_and_changes_nothing(
    scratch: Scratch, resolver: str
) -> None:
    layouts.lay(("f",), str(scratch.root), scratch)
    scratch.root.chmod(0o777)
    for path in (scratch.root, *scratch.root.parents):
        if len(path.parts) < 3:
            break
        path.chmod(path.stat().st_mode | 0o055)
    before = layouts.portrait(str(scratch.root))

    def trying() -> tuple[object, object]:
        probe.forced = resolver
        with Root(scratch.root) as root:
            try:
                root.replace_file("f", b"new", preserve=("ownership",))
            except OSError as error:
                return (error.errno, error.filename), error.__notes__
        return None, None

    told = in_child(trying, uid=65534)
    assert told == ((errno.EPERM, "f"), ["the owner 0:0 of the file could not be kept"])
    assert layouts.portrait(str(scratch.root)) == before


def test_an_attribute_that_cannot_be_kept_is_an_error_and_changes_nothing(
    disk: Disk, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    _marked(scratch.root / "f", "user.one", b"1")
    before = layouts.portrait(str(scratch.root))

    def refusing(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(syscalls, "setxattr", refusing)
    with pytest.raises(PermissionError) as caught:
        disk.put("f", b"new", preserve=("xattr",))
    assert caught.value.filename == "f"
    assert caught.value.__notes__ == ["the attribute 'user.one' of the file could not be kept"]
    assert layouts.portrait(str(scratch.root)) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives capabilities")
def test_a_capability_is_not_handed_on_to_new_content(disk: Disk, scratch: Scratch) -> None:
    """It is a right like the set-id bits: cap_net_raw would be whoever writes the file's."""
    _marked(
        scratch.root / "f",
        "security.capability",
        struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0),
    )
    disk.put("f", b"new", preserve=("xattr", "ownership"))
    assert "security.capability" not in os.listxattr(scratch.root / "f")


def test_of_a_link_that_is_replaced_nothing_is_kept(disk: Disk, scratch: Scratch) -> None:
    _marked(scratch.root / "f", "user.one", b"1")
    (scratch.root / "l").symlink_to("f")
    disk.put("l", b"new", preserve=("xattr", "ownership"))
    assert not (scratch.root / "l").is_symlink()
    assert os.listxattr(scratch.root / "l") == []
    assert (scratch.root / "f").read_bytes() != b"new"


def test_attributes_are_kept_without_procfs_too(
    disk: Disk, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safefs.operations import preserving

    monkeypatch.setattr(preserving, "proc_fds", lambda: None)
    _marked(scratch.root / "f", "user.one", b"1")
    disk.put("f", b"new", preserve=("xattr",))
    assert os.listxattr(scratch.root / "f") == ["user.one"]


def test_a_system_without_attributes_says_so(
    disk: Disk, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(syscalls, "listxattr")
    before = layouts.portrait(str(scratch.root))
    with pytest.raises(OSError) as caught:
        disk.put("f", b"new", preserve=("xattr",))
    assert caught.value.errno == errno.ENOTSUP
    assert layouts.portrait(str(scratch.root)) == before
    disk.put("f", b"new", preserve=("ownership",))


def test_a_file_system_without_attributes_has_none_to_lose(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    monkeypatch.setattr(syscalls, "listxattr", lacking)
    disk.put("f", b"new", preserve=("xattr",))
    assert disk.get("f") == b"new"


def test_the_words_are_those_of_cp_and_no_others(scratch: Scratch) -> None:
    with Root(scratch.root) as root:
        for words in (("mode",), ["xattr", "links"], ("",)):
            with pytest.raises(ValueError, match="ownership"):
                root.replace_file("f", b"", preserve=words)
        with pytest.raises(TypeError):
            root.replace_file("f", b"", preserve="xattr")
        root.replace_file("f", b"", preserve={"xattr", "ownership"})


def test_permissions_given_are_those_of_the_new_file_whatever_is_kept(
    scratch: Scratch, resolver: str
) -> None:
    assert resolver
    (scratch.root / "f").write_text("old")
    with Root(scratch.root) as root:
        root.replace_file("f", b"new", mode=0o604, preserve=("ownership", "xattr"))
        assert stat.S_IMODE(root.stat("f").st_mode) == 0o604
    driver = LocalDriver(Root(scratch.root), file_mode=0o600)
    with Disk._over(driver) as private:
        private.put("new", b"1", preserve=("ownership", "xattr"), durable=True)
        assert private.stat("new").permissions == 0o600


@pytest.mark.parametrize("policy", [Policy(symlinks="never"), Policy(same_filesystem=True)])
def test_durable_and_preserving_writes_work_under_any_policy_that_allows_them(
    policy: Policy, scratch: Scratch, resolver: str
) -> None:
    assert resolver
    with Disk(scratch.root, policy=policy) as disk:
        for _ in range(2):
            disk.put("one/f", b"1", durable=True, preserve=("ownership", "xattr"))
        assert disk.get("one/f") == b"1"


@pytest.mark.parametrize("preserve", [True, 1])
def test_what_is_to_be_preserved_is_said_in_words(disk: Disk, preserve: object) -> None:
    disk.put("f", b"old")
    with pytest.raises(TypeError, match="preserve takes words"):
        disk.put("f", b"new", preserve=preserve)  # type: ignore[arg-type]
    assert disk.get("f") == b"old"
