"""``deny`` and ``allow`` on real trees: what is denied is not there, by whatever way one comes."""

from __future__ import annotations

import io
import os
import tarfile
from typing import TYPE_CHECKING

import pytest

from safefs import Disk, Root, Storage
from safefs.errors import PolicyError
from safefs.policy import Policy
from tests import layouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from safefs.testing.scratch import Scratch

pytestmark = pytest.mark.usefixtures("resolver")

_DENY = [".env", "secret", "/conf/*.key", "d/private"]


@pytest.fixture
def top(scratch: Scratch) -> Path:
    root = scratch.root
    for directory in ("d/private", "conf", "secret", "e"):
        (root / directory).mkdir(parents=True)
    for name in (
        *(
            "f",
            ".env",
            "d/g",
            "d/.env",
            "d/private/p",
            "conf/a.key",
            "conf/a.txt",
            "secret/s",
            "e/h",
        ),
    ):
        (root / name).write_bytes(f"content of {name}".encode())
    for link, target in {
        "to-env": ".env",
        "to-s": "secret/s",
        "to-secret": "secret",
        "to-private": "d/private",
        "e/up": "../conf/a.key",
        "to-f": "f",
        "to-d": "d",
        "chain": "to-private/p",
    }.items():
        os.symlink(target, root / link)
    return root


_DENIED = [
    *(".env", "secret", "secret/s", "d/.env", "d/private", "d/private/p", "conf/a.key"),
    *(
        "to-env",
        "to-s",
        "to-secret/s",
        "to-private/p",
        "e/up",
        "chain",
        "to-d/.env",
        "to-d/private/p",
    ),
    *(
        "d/../.env",
        "./secret/s",
        "e/../d/./private/p",
        "secret/../f",
        "to-d/../secret/s",
        "secret//s",
    ),
]
_LEFT = ["f", "d/g", "conf/a.txt", "e/h", "to-f", "to-d/g", "to-d/../f", "d/../e/h", "conf/./a.txt"]

_ACTS: dict[str, Callable[[Root, str], object]] = {
    "read_bytes": lambda root, path: root.read_bytes(path),
    "read_many": lambda root, path: root.read_many([path, path])[1],
    "stat_many": lambda root, path: root.stat_many([path, path])[1],
    "open": lambda root, path: root.open(path).close(),
    "open to update": lambda root, path: root.open(path, "r+").close(),
    "open to write": lambda root, path: root.open(path, "w").close(),
    "open to append": lambda root, path: root.open(path, "a").close(),
    "open anew": lambda root, path: root.open(path, "x").close(),
    "stat": lambda root, path: root.stat(path),
    "chmod": lambda root, path: root.chmod(path, 0o600),
    "utime": lambda root, path: root.utime(path),
    "truncate": lambda root, path: root.truncate(path, 0),
    "write_bytes": lambda root, path: root.write_bytes(path, b""),
    "copy": lambda root, path: root.copy(path, "new"),
    "listdir": lambda root, path: root.listdir(path),
    "walk": lambda root, path: list(root.walk(path)),
    "subroot": lambda root, path: root.subroot(path).close(),
    "copy_tree": lambda root, path: root.copy_tree(path, "new"),
}


@pytest.fixture(params=["refuse", "missing"])
def denied(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("act", _ACTS.values(), ids=_ACTS.keys())
def test_what_is_denied_is_refused_by_whatever_way_one_comes(
    act: Callable[[Root, str], object], top: Path, denied: Any
) -> None:
    before = layouts.portrait(str(top))
    with Root(top, policy=Policy(deny=_DENY, denied=denied)) as root:
        for path in _DENIED:
            with pytest.raises(OSError) as caught:
                act(root, path)
            error = caught.value
            assert error.filename == path or (path, error.filename2) == (error.filename, "new")
            if isinstance(error, PolicyError):
                assert error.rule == "deny"
            else:
                reason = (path, error)
                assert denied == "missing" or isinstance(error, FileExistsError), reason
                assert isinstance(error, FileNotFoundError | FileExistsError), reason
            assert not root.exists(path)
    assert layouts.portrait(str(top)) == before


def test_what_is_left_is_used_as_ever(top: Path, denied: Any) -> None:
    with Root(top, policy=Policy(deny=_DENY, denied=denied)) as root:
        for path in _LEFT:
            assert root.read_bytes(path) == (top / path).read_bytes()
            root.write_bytes(path, b"new")
            assert (top / path).read_bytes() == b"new"
        with root.open("d/new", "x") as file:
            file.write("1")
        root.makedirs("g/h")
        root.rename("g", "i")
        root.copy_tree("e", "j")
        root.remove_tree("i")
        with root.subroot("to-d") as sub:
            assert sorted(sub.listdir()) == ["g", "new"]
            with pytest.raises(OSError, match="private"):
                sub.read_bytes("private/p")


def test_what_is_denied_is_in_no_listing(top: Path, denied: Any) -> None:
    with Disk(top, policy=Policy(deny=_DENY, denied=denied)) as disk:
        shown = {*disk.all_files(), *disk.all_directories(), *disk.directories("d")}
        with Root(top, policy=disk.policy) as root:
            found = {*root.find("."), *root.glob("**"), *root.glob(".*"), *root.glob("*/*")}
            for at, directories, files in root.walk("."):
                found |= {f"{at}/{name}" for name in (*directories, *files)}
            found |= {entry.path for entry in root.scandir("d")} | set(root.listdir("conf"))
            if denied == "refuse":
                with pytest.raises(PolicyError):
                    list(root.glob("secret"))
            else:
                assert list(root.glob("secret")) == []
            for path in shown | found:
                names = path.split("/")
                assert not {".env", "secret", "private", "a.key"} & set(names), path
            assert {"f", "d/g", "conf/a.txt"} <= shown & found
            assert root.disk_usage("conf") == len("content of conf/a.txt")
        assert "private" not in {level for each in disk.fs.find("") for level in each.split("/")}


@pytest.mark.parametrize(
    "act",
    [
        lambda root: root.mkdir("new/secret"),
        lambda root: root.makedirs("new/secret/x"),
        lambda root: root.makedirs("secret/x"),
        lambda root: root.write_bytes("new/.env", b""),
        lambda root: root.replace_file("new/.env", b""),
        lambda root: root.open("new/.ENV", "w"),
        lambda root: root.open("new/.env", "x", atomic=True),
        lambda root: root.symlink("x", "new/.env"),
        lambda root: root.link("f", "new/.env"),
        lambda root: root.rename("f", "new/.env"),
        lambda root: root.copy("f", "new/secret"),
        lambda root: root.copy_tree("e", "new/secret"),
        lambda root: root.rename("e", "new/secret"),
        lambda root: root.move_tree("e", "new/secret"),
        lambda root: root.move_tree("keys", "conf"),
        lambda root: root.rename("keys", "conf"),
        lambda root: root.copy_tree("keys", "conf"),
    ],
)
def test_what_is_denied_is_not_made(act: Callable[[Root], object], top: Path, denied: Any) -> None:
    """A tree whose entries would come to be denied is not put there either."""
    (top / "new").mkdir()
    (top / "keys").mkdir()
    (top / "keys/k.key").write_bytes(b"")
    for name in ("a.key", "a.txt"):
        (top / "conf" / name).unlink()
    (top / "conf").rmdir()
    before = layouts.portrait(str(top))
    with Root(top, policy=Policy(deny=_DENY, denied=denied)) as root:
        with pytest.raises(PolicyError) as caught:
            act(root)
        assert caught.value.rule == "deny"
    assert layouts.portrait(str(top)) == before


@pytest.mark.parametrize(
    "act",
    [
        lambda disk: disk.delete_directory("d"),
        lambda disk: disk.delete_directory("d", dry_run=True),
        lambda disk: disk.move_tree("d", "elsewhere"),
        lambda disk: disk.move("d", "elsewhere"),
        lambda disk: (disk / "other").disk.move_tree("d", "elsewhere"),
        lambda disk: disk.scoped("").delete_directory("d"),
    ],
)
def test_a_directory_that_holds_what_is_denied_stays(
    act: Callable[[Disk], object], top: Path, denied: Any
) -> None:
    before = layouts.portrait(str(top))
    with Disk(top, policy=Policy(deny=_DENY, denied=denied)) as disk, pytest.raises(OSError):
        act(disk)
    assert layouts.portrait(str(top)) == before


@pytest.mark.parametrize("memory", [False, True])
def test_it_is_said_that_what_is_denied_lies_within(memory: bool) -> None:
    """The name that was given is not denied, and to say so would send one looking for it."""
    with Storage.fake(memory=memory) as storage:
        whole = storage.disk("documents")
        whole.put("d/a.key", "")
        whole.put("e/f", "")
        disk = whole.with_policy(Policy(deny=["*.key", "/new/f"]))
        for act, said in (
            (lambda: disk.delete_directory("d"), "it holds something that is denied"),
            (lambda: disk.move("d", "new"), "it holds something that is denied"),
            (lambda: disk.move("e", "new"), "it holds something that would be denied there"),
            (lambda: disk.delete("d/a.key"), "the disk denies this name"),
        ):
            with pytest.raises(PolicyError, match=f"refused by deny: {said}"):
                act()


@pytest.mark.parametrize("memory", [False, True])
def test_a_refusal_names_the_pattern_unless_that_is_of_a_wider_disk(memory: bool) -> None:
    """Patterns of what lies above tell of names that the narrower disk does not know."""
    with Storage.fake(memory=memory) as storage:
        whole = storage.disk("documents")
        whole.put("above/d/a.key", "")
        whole.put("above/b", "")
        patterns = ["*.k??", "!b*", "*.key", "x", "/above/b"]
        disk = whole.with_policy(Policy(deny=patterns))
        for path, pattern in (("above/d/a.key", "*.key"), ("x/new", "x"), ("above/b", "/above/b")):
            with pytest.raises(PolicyError) as caught:
                disk.put(path, "")
            assert caught.value.reason == f"the disk denies this name ({pattern!r})"
        with disk.scoped("above") as narrow, pytest.raises(PolicyError) as caught:
            narrow.get("b")
        assert caught.value.reason == "the disk denies this name"


def test_a_mirror_neither_takes_nor_removes_what_is_denied(top: Path, scratch: Scratch) -> None:
    other = scratch.outside / "other"
    for name in ("gone", "keep", "keep/secret", "h"):
        (other / name).mkdir(parents=True)
    (other / "keep/secret/s").write_bytes(b"theirs")
    (other / "h/secret").write_bytes(b"theirs")
    (other / "secret").write_bytes(b"theirs")
    scratch.remember()
    try:
        with (
            Disk(top, policy=Policy(deny=_DENY)) as source,
            Disk(other, policy=Policy(deny=["secret"])) as target,
        ):
            errors: list[OSError] = []
            source.sync_to(target, delete=True, on_error=errors.append)
            assert {str(error.filename) for error in errors} <= {"keep", "h"}
            assert not target.exists("gone")
            assert target.get("d/g") == b"content of d/g"
            assert "p" not in [path.rpartition("/")[2] for path in target.all_files()]
            assert (other / "keep/secret/s").read_bytes() == b"theirs"
            assert (other / "h/secret").read_bytes() == b"theirs"
            assert (other / "secret").read_bytes() == b"theirs"
        with Disk(top) as whole, Disk(other, policy=Policy(deny=["secret", "*.key"])) as target:
            skipped: list[OSError] = []
            whole.copy_tree("", target / "copied", on_error=skipped.append)
            assert {type(error) for error in skipped} == {PolicyError}
            assert sorted(str(error.filename) for error in skipped) == ["conf/a.key", "secret"]
            assert not (other / "copied/secret").exists()
    finally:
        for directory in sorted(other.rglob("*"), reverse=True):
            is_directory = directory.is_dir() and not directory.is_symlink()
            directory.rmdir() if is_directory else directory.unlink()
        other.rmdir()
        scratch.remember()


def test_an_archive_takes_and_gives_only_what_is_not_denied(top: Path) -> None:

    packed = io.BytesIO()
    with Disk(top, policy=Policy(deny=_DENY)) as disk:
        disk.archive("", packed, format="tar")
        packed.seek(0)
        with tarfile.open(fileobj=packed) as archive:
            names = archive.getnames()
        assert "d/g" in names
        parts = {part for name in names for part in name.split("/")}
        assert not {".env", "secret", "private", "a.key"} & parts
    whole = io.BytesIO()
    with Disk(top) as disk:
        disk.archive("d", whole, format="tar")
    before = layouts.portrait(str(top))
    with Disk(top, policy=Policy(deny=["private"])) as disk:
        for into in ("e", "fresh", "fresh/er"):
            whole.seek(0)
            with pytest.raises(PolicyError):
                disk.extract(whole, into)
    assert layouts.portrait(str(top)) == before


# -- hard links ------------------------------------------------------------------------------------

_READING = {
    "read_bytes": _ACTS["read_bytes"],
    "open": _ACTS["open"],
    "open to write": _ACTS["open to write"],
    "open to append": _ACTS["open to append"],
    "chmod": _ACTS["chmod"],
    "truncate": _ACTS["truncate"],
    "copy": _ACTS["copy"],
}


@pytest.mark.parametrize("act", _READING.values(), ids=_READING.keys())
def test_a_file_that_has_a_denied_name_too_is_not_read_or_changed(
    act: Callable[[Root, str], object], top: Path
) -> None:
    os.link(top / "secret/s", top / "e/alias")
    os.link(top / "f", top / "e/fine")
    before = layouts.portrait(str(top))
    with Root(top, policy=Policy(deny=_DENY)) as root:
        with pytest.raises(PolicyError) as caught:
            act(root, "e/alias")
        assert caught.value.rule == "deny"
        assert layouts.portrait(str(top)) == before
        act(root, "e/fine")
        os.link(top / ".env", top / "e/late")
        with pytest.raises(PolicyError):
            act(root, "e/late")


def test_a_part_of_a_disk_knows_no_names_outside_it(top: Path) -> None:
    os.link(top / "secret/s", top / "e/alias")
    os.link(top / "f", top / "e/outside")
    os.link(top / "e/h", top / "e/within")
    with Root(top, policy=Policy(deny=["secret"])) as root, root.subroot("e") as sub:
        assert sub.read_bytes("within") == b"content of e/h"
        for path in ("alias", "outside"):
            with pytest.raises(PolicyError):
                sub.read_bytes(path)
        assert root.read_bytes("e/outside") == b"content of f"


# -- allow -----------------------------------------------------------------------------------------


def test_only_what_is_allowed_is_there(top: Path) -> None:
    with Disk(top, policy=Policy(allow=["/d/g", "/conf/**", "e/new/*.txt"])) as disk:
        assert disk.all_files() == ["conf/a.key", "conf/a.txt", "d/g"]
        assert disk.all_directories() == ["conf", "d", "e"]
        assert disk.get("d/g") == b"content of d/g"
        for path in ("f", "d/private/p", "to-f", "secret", "e/h", "to-d/x"):
            with pytest.raises(PolicyError) as caught:
                disk.get(path)
            assert caught.value.rule == "allow"
        disk.put("e/new/a.txt", b"1")
        disk.make_directory("e/new")
        for path in ("e/new/a.md", "e/x", "e", "x"):
            with pytest.raises((PolicyError, IsADirectoryError)):
                disk.put(path, b"")
        with pytest.raises(PolicyError):
            disk.make_directory("x")
        with pytest.raises(PolicyError):
            disk.delete_directory("d")
        disk.delete_directory("e/new")
    assert (top / "d/private/p").exists()


def test_a_name_that_only_leads_to_what_is_allowed_is_no_file(top: Path) -> None:
    with Root(top, policy=Policy(allow=["/new/*.md"])) as root:
        for act in (
            lambda: root.write_bytes("new", b""),
            lambda: root.replace_file("new", b""),
            lambda: root.symlink("d", "new"),
            lambda: root.open("new", "x"),
        ):
            with pytest.raises(PolicyError):
                act()
        assert root.listdir() == []
        os.symlink("d", top / "new")
        assert root.listdir() == []
        with pytest.raises(PolicyError):
            root.listdir("new")
        os.unlink(top / "new")
        root.mkdir("new")
        assert root.listdir() == ["new"]


# -- narrowing -------------------------------------------------------------------------------------


def test_a_narrower_disk_is_still_denied_what_the_wider_one_is(top: Path) -> None:
    with Disk(top, policy=Policy(deny=["d/private", "*.key"])) as disk:
        for narrow in (
            disk.scoped("d"),
            disk.read_only().scoped("d"),
            disk.with_policy(Policy(deny=["x", "g"])).scoped("d"),
            disk.scoped("to-d"),
        ):
            with narrow:
                for path in ("private/p", "private"):
                    with pytest.raises(PolicyError):
                        narrow.get(path)
                assert "private" not in narrow.directories()
        with disk.scoped("conf").with_policy(Policy(allow=["a.*"])) as narrow:
            assert narrow.files() == ["a.txt"]
            with pytest.raises(PolicyError):
                narrow.get("a.key")


# -- watching --------------------------------------------------------------------------------------


@pytest.mark.parametrize("polling", [False, True])
def test_what_is_denied_is_silent_to_who_watches(top: Path, polling: bool) -> None:
    with (
        Disk(top, policy=Policy(deny=_DENY)) as disk,
        disk.watch(polling=polling, debounce=0.01) as watcher,
    ):
        (top / "d/private/p").write_bytes(b"changed")
        (top / "secret/new").write_bytes(b"new")
        (top / "d/.env").rename(top / "d/private/moved")
        (top / "e/alias.key").write_bytes(b"shown")
        (top / "conf/b.key").write_bytes(b"not shown")
        (top / "d/g").rename(top / "secret/g")  # to be gone is all that is seen of it
        (top / "last").write_bytes(b"")
        told = []
        awaited = {"e/alias.key", "d/g", "last"}
        for change in watcher:
            told.append(change)
            awaited.discard(change.path)
            if not awaited:
                break
        paths = {path for each in told for path in (each.path, each.old_path) if path}
        for path in paths:
            assert not {".env", "secret", "private"} & set(path.split("/")), told
            assert path != "conf/b.key"
        assert {each.kind for each in told if each.path == "d/g"} == {"removed"}


def test_a_directory_that_only_leads_on_keeps_its_mode(top: Path) -> None:
    before = (top / "d").stat()
    with Root(top, policy=Policy(allow=["/d/g"])) as root:
        with pytest.raises(PolicyError) as caught:
            root.chmod("d", 0o700)
        assert caught.value.rule == "allow"
        with pytest.raises(PolicyError):
            root.utime("d", ns=(0, 0))
        root.chmod("d/g", 0o600)
        root.chmod(".", 0o755)
    after = (top / "d").stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_a_denied_file_is_linked_as_one_that_is_not_there(top: Path, denied: Any) -> None:
    expected = PolicyError if denied == "refuse" else FileNotFoundError
    with Root(top, policy=Policy(deny=_DENY, denied=denied)) as root:
        with pytest.raises(expected) as caught:
            root.link(".env", "new")
        assert caught.value.filename == ".env"


@pytest.mark.parametrize("kind", ["on disk", "in memory"])
@pytest.mark.parametrize(
    "act",
    [
        lambda disk: disk.put("x/y/.env", b""),
        lambda disk: disk.put("x/secret/y", b""),
        lambda disk: disk.append("x/.env", b""),
        lambda disk: disk.open("x/.env", "wb"),
        lambda disk: disk.make_directory("x/secret/y"),
        lambda disk: disk.make_directory("x/y/secret"),
        lambda disk: disk.copy("f", "x/y/.env"),
        lambda disk: disk.move("f", "x/y/.env"),
        lambda disk: disk.copy_tree("e", "x/y/secret"),
        lambda disk: disk.extract(_packed(), "x/secret"),
        lambda disk: disk.extract(_packed(), "x/secret", partial=True),
        lambda disk: disk.archive("e", "x/secret", format="zip"),
        lambda disk: disk.sync_to(disk / "x/y/secret", source="e"),
        lambda disk: disk.fs.pipe_file("/x/y/.env", b""),
    ],
)
def test_no_directory_is_left_of_what_may_not_be_made(
    act: Callable[[Disk], object], kind: str, top: Path
) -> None:
    policy = Policy(deny=_DENY)
    if kind == "on disk":
        disk = Disk(top, policy=policy)
    else:
        memory = Storage.fake().disk("documents")
        memory.put("f", b"")
        memory.put("e/h", b"")
        disk = memory.with_policy(policy)
    with disk:
        before = disk.all_directories()
        with pytest.raises((PolicyError, FileNotFoundError)):
            act(disk)
        assert disk.all_directories() == before


def _packed() -> io.BytesIO:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    packed.seek(0)
    return packed
