"""Every operation made of several system calls, as it is met by an attacker between two of them.

Each works where the moves of ``attackers`` strike: on ``a/d``, its files ``f`` and ``g``, its link
``l`` to ``f``, its tree ``sub``, the name ``new`` in it, and ``way``, a link to ``a/d``. Each
succeeds where nobody attacks. What an operation returns is what came back, as plain values.
"""

from __future__ import annotations

import io
import os
import tarfile
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from safefs.budget import Budget
from safefs.disk import Disk
from safefs.drivers.local import LocalDriver
from safefs.paths import RelPath
from safefs.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from safefs.testing.moves import Place

    Opener = Callable[[str], AbstractContextManager[Any]]
    Act = Callable[[Any], object]


class Operation:
    """What is done with a subject: an open Root, Disk, or whatever ``opener`` makes of a directory.

    The opening is the ambient act, and not attacked. ``dangerous`` are those whose failing would
    destroy or disclose most: they are met in every run of the tests. ``deepen`` adds to the layout
    before the root is opened. ``meets``: the moves it meets, by what they strike at; None for all.
    ``finds_drafts``: there are drafts already, and what is left of them is not the operation's.
    """

    __slots__ = ("act", "dangerous", "deepen", "finds_drafts", "meets", "name", "opener")

    def __init__(
        self,
        name: str,
        act: Act,
        opener: Opener = Root,
        *,
        dangerous: bool = False,
        deepen: Callable[[str], object] | None = None,
        meets: frozenset[Place] | None = None,
        finds_drafts: bool = False,
    ) -> None:
        self.name = name
        self.act = act
        self.opener = opener
        self.dangerous = dangerous
        self.deepen = deepen
        self.meets = meets
        self.finds_drafts = finds_drafts

    def __repr__(self) -> str:
        return f"<Operation {self.name}>"


OPERATIONS: list[Operation] = []


def _add(name: str, act: Act, opener: Opener = Root, **more: Any) -> None:
    OPERATIONS.append(Operation(name, act, opener, **more))


# -- files -----------------------------------------------------------------------------------------


def _opened(path: str, mode: str, *, atomic: bool = False) -> Callable[[Root], object]:
    def act(root: Root) -> object:
        with root.open(path, mode, atomic=atomic) as file:
            if "r" in mode:
                return file.read()
            file.write(b"more")
        return None

    return act


_add("open r", _opened("a/d/f", "rb"))
_add("open r through a link", _opened("way/l", "rb"), dangerous=True)
_add("open w", _opened("a/d/f", "wb"))
_add("open w through a link", _opened("way/l", "wb"), dangerous=True)
_add("open w of a new file", _opened("a/d/new", "wb"))
_add("open x", _opened("a/d/new", "xb"))
_add("open a", _opened("a/d/f", "ab"))
_add("open r+", _opened("a/d/sub/../f", "r+b"))
_add("open atomic w", _opened("a/d/f", "wb", atomic=True), dangerous=True)
_add("open atomic x", _opened("way/new", "xb", atomic=True))
_add("read_bytes", lambda root: root.read_bytes("a/d/sub/f"))
_add("read_bytes by dots", lambda root: root.read_bytes("a/d/sub/deep/../../f"), dangerous=True)
_add("read_many", lambda root: root.read_many(["a/d/f", "a/d/l", "a/d/sub/f", "a/d/sub/f"]))
_add("write_bytes", lambda root: root.write_bytes("a/d/f", b"more"))
_add("replace_file", lambda root: root.replace_file("a/d/f", b"more"), dangerous=True)
_add("replace_file durable", lambda root: root.replace_file("a/d/new", b"more", durable=True))
_add(
    "replace_file preserving",
    lambda root: root.replace_file("way/f", b"more", preserve=("ownership", "xattr")),
    dangerous=True,
)
_add("truncate", lambda root: root.truncate("a/d/f", 1))

# -- attributes ------------------------------------------------------------------------------------

_add("stat", lambda root: root.stat("a/d/sub/f"))
_add("stat_many", lambda root: root.stat_many(["a/d/f", "a/d/l", "a/d/sub/f", "a/d/sub/f"]))
_add("stat through a link", lambda root: root.stat("way/l"))
_add("lstat", lambda root: root.lstat("a/d/f"))
_add("exists", lambda root: (root.exists("a/d/f"), root.is_dir("way"), root.is_symlink("a/d/l")))
_add("chmod", lambda root: root.chmod("a/d/f", 0o606))
_add("chmod of a directory", lambda root: root.chmod("way", 0o707))
_add("utime", lambda root: root.utime("a/d/f", ns=(1, 1)))


def _attributes(root: Root) -> object:
    """One after the other on the same path; resolved anew each time."""
    root.setxattr("a/d/f", "user.mark", b"inside")
    answers = root.getxattr("a/d/f", "user.mark"), root.listxattr("a/d/f")
    root.removexattr("a/d/f", "user.mark")
    return answers


_add("extended attributes", _attributes)


# -- directories -----------------------------------------------------------------------------------


def _scanned(root: Root) -> object:
    with root.scandir("a/d") as entries:
        return [(entry.name, entry.stat()) for entry in entries]


_add("listdir", lambda root: root.listdir("a/d"))
_add("listdir through a link", lambda root: root.listdir("way/sub"))
_add("scandir", _scanned)
_add("walk", lambda root: list(root.walk("a")), dangerous=True)
_add("walk bottom up", lambda root: list(root.walk("a", topdown=False)))
_add("find", lambda root: list(root.find("a")))
_add("glob", lambda root: list(root.glob("a/**/f")))
_add("glob through a link", lambda root: list(root.glob("way/s*/*")))
_add("disk_usage", lambda root: root.disk_usage("a"))
_add("mkdir", lambda root: root.mkdir("a/d/new"))
_add("makedirs", lambda root: root.makedirs("a/d/new/er/est"), dangerous=True)
_add("makedirs exist_ok", lambda root: root.makedirs("way/new/er", exist_ok=True))
_add("rmdir", lambda root: (root.unlink("a/d/sub/deep/f"), root.rmdir("a/d/sub/deep")))
_add("remove_tree", lambda root: root.remove_tree("a/d").steps, dangerous=True)
_add("remove_tree through a link", lambda root: root.remove_tree("way/sub").steps)
_add("copy_tree", lambda root: root.copy_tree("a/d/sub", "a/d/new").steps, dangerous=True)
_add("copy_tree from above", lambda root: root.copy_tree("a/d", "a/copy").steps)
_add(
    "copy_tree of what is counted first",
    lambda root: (
        root.copy_tree("a/d", "a/copy", budget=Budget(bytes=1 << 20), hard_links=True).steps
    ),
)
_add("move_tree", lambda root: root.move_tree("a/d/sub", "a/d/new").steps, dangerous=True)

# -- names -----------------------------------------------------------------------------------------

_add("unlink", lambda root: root.unlink("a/d/f"))
_add("rename", lambda root: root.rename("a/d/f", "a/d/new"))
_add("rename out of", lambda root: root.rename("a/d/sub", "taken"))
_add("rename into", lambda root: root.rename("spare", "way/new"))
_add("rename without replacing", lambda root: root.rename("a/d/f", "a/d/new", replace=False))
_add("copy", lambda root: root.copy("a/d/f", "a/d/new"), dangerous=True)
_add("copy through a link", lambda root: root.copy("way/l", "a/d/g"))
_add("copy without replacing", lambda root: root.copy("a/d/f", "a/d/new", replace=False))
_add("link", lambda root: root.link("a/d/f", "a/d/new"))
_add("symlink", lambda root: root.symlink("f", "a/d/new"))
_add("readlink", lambda root: root.readlink("a/d/l"))


def _in_subroot(root: Root) -> object:
    with root.subroot("way") as inner:
        inner.write_bytes("g", b"more")
        return inner.listdir(), inner.read_bytes("sub/f"), inner.stat("f")


_add("subroot", _in_subroot)


def _unpacked(root: Root) -> object:
    """What an unpacker does as the members come: each path resolved anew, links made on the way."""
    members: list[tuple[str, bytes | str]] = [
        ("a/d/new/deep/one", b"first"),
        ("a/d/new/in", "deep"),
        ("a/d/new/in/two", b"second, through the link"),
    ]
    for path, content in members:
        root.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(content, str):
            root.symlink(content, path)
        else:
            root.write_bytes(path, content)
    return root.read_bytes("a/d/new/deep/two")


_add("archive members as they come", _unpacked, dangerous=True)


# -- disks -----------------------------------------------------------------------------------------


@contextmanager
def _two_disks(directory: str) -> Iterator[tuple[Disk, Disk]]:
    with Disk(directory) as one, Disk(directory) as other:
        yield one, other


_add("Disk.get", lambda disk: disk.get("a/d/f"), Disk)
_add("Disk.put", lambda disk: disk.put("a/d/f", b"more"), Disk)
_add("Disk.put with parents", lambda disk: disk.put("a/d/new/er/f", b"more"), Disk)
_add("Disk.append", lambda disk: disk.append("a/d/f", b"more"), Disk)
_add("Disk.append with parents", lambda disk: disk.append("a/d/new/f", b"more"), Disk)
_add(
    "Disk.put durable, preserving",
    lambda disk: disk.put("way/f", b"more", durable=True, preserve=("ownership", "xattr")),
    Disk,
)
_add(
    "Disk.put durable, with parents",
    lambda disk: disk.put("a/d/new/er/f", b"more", durable=True),
    Disk,
)


def _atomically(disk: Disk) -> None:
    with disk.open("way/f", "w", atomic=True, durable=True) as file:
        file.write("more")


_add("Disk.open atomic", _atomically, Disk)
_add("Disk.prepend", lambda disk: disk.prepend("way/f", b"more"), Disk)
_add("Disk.copy", lambda disk: disk.copy("a/d/f", "a/d/new/f"), Disk)
_add("Disk.move", lambda disk: disk.move("a/d/f", "a/d/new/f"), Disk)
_add("Disk.delete", lambda disk: disk.delete("a/d/f", "a/d/l"), Disk)
_add("Disk.delete_directory", lambda disk: disk.delete_directory("way/sub").steps, Disk)
_add("Disk.make_directory", lambda disk: disk.make_directory("way/new/er"), Disk)
_add("Disk.files", lambda disk: (disk.files("a/d"), disk.directories("a/d")), Disk)
_add("Disk.all_files", lambda disk: disk.all_files("a"), Disk)
_add("Disk.all_directories", lambda disk: disk.all_directories("a"), Disk)
_add("Disk.checksum", lambda disk: disk.checksum("a/d/f"), Disk)
_add("Disk.size", lambda disk: disk.size("a/d/f"), Disk)
_add("Disk.set_visibility", lambda disk: disk.set_visibility("a/d/f", "private"), Disk)
_add("Disk.copy between disks", lambda two: two[0].copy("a/d/f", two[1] / "a/d/new/f"), _two_disks)
_add(
    "Disk.copy between disks, overwriting nothing",
    lambda two: two[0].copy("a/d/f", two[1] / "a/d/new", overwrite=False),
    _two_disks,
)
_add(
    "Disk.move between disks",
    lambda two: two[0].move("a/d/f", two[1] / "a/d/new"),
    _two_disks,
)


_add(
    "Disk.copy_tree between disks",
    lambda two: two[0].copy_tree("a/d", two[1] / "a/new/copy", hard_links=True).steps,
    _two_disks,
)
_add(
    "Disk.move_tree between disks",
    lambda two: two[0].move_tree("a/d/sub", two[1] / "a/d/new").steps,
    _two_disks,
)


def _prepare_mirror(root: str) -> None:
    """A target in which something is new, changed, of another kind, too much, and a link."""
    os.makedirs(f"{root}/a/m/sub")
    os.makedirs(f"{root}/a/m/g")
    os.makedirs(f"{root}/a/m/more/deep")
    os.symlink("sub", f"{root}/a/m/f")
    for path in ("a/m/g/f", "a/m/sub/f", "a/m/more/deep/f", "a/m/sub/deep"):
        with open(f"{root}/{path}", "xb") as file:
            file.write(b"of the target")


_add(
    "Disk.sync_to between disks",
    lambda two: two[0].sync_to(two[1] / "a/m", source="a/d", delete=True).steps,
    _two_disks,
    deepen=_prepare_mirror,
)
_add(
    "Disk.sync_to by checksum",
    lambda two: two[0].sync_to(two[1] / "a/m", source="a/d", delete=True, checksum=True).steps,
    _two_disks,
    deepen=_prepare_mirror,
)


def _abandon_drafts(root: str) -> None:
    """What two writers have left behind that were killed: a file, and a tree half copied."""
    os.makedirs(f"{root}/a/d/.safefs-fedcba9876543210.tmp/deep")
    for draft in ("a/.safefs-0123456789abcdef.tmp", "a/d/.safefs-fedcba9876543210.tmp/f"):
        with open(f"{root}/{draft}", "xb") as file:
            file.write(b"inside\n")


_add(
    "Disk.sweep",
    lambda disk: disk.sweep("a", older_than=-60),
    Disk,
    deepen=_abandon_drafts,
    finds_drafts=True,
)


def _packed(**contents: bytes) -> bytes:
    """A tar of files, and of a link among them with a file through it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for name, kind, target in (
            ("in", tarfile.SYMTYPE, "one"),
            ("in/g", tarfile.REGTYPE, ""),
            ("h", tarfile.LNKTYPE, "in/g"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info, io.BytesIO())
    return packed.getvalue()


_ARCHIVE = _packed(one__f=b"more")


def _extracted(into: str, **how: bool) -> Act:
    return lambda disk: disk.extract(io.BytesIO(_ARCHIVE), into, **how).steps


def _repacked(disk: Disk) -> object:
    packed = io.BytesIO()
    disk.archive("way/sub", packed, format="tar")
    return packed.getvalue()


_add("Disk.extract", _extracted("way/new"), Disk, dangerous=True)
_add("Disk.extract with parents", _extracted("a/d/new/er"), Disk)
_add("Disk.extract beside what is there", _extracted("a/d"), Disk)
_add("Disk.extract in part", _extracted("way/sub", partial=True), Disk)
_add("Disk.archive", lambda disk: disk.archive("a/d/sub", "way/new/s.tar").steps, Disk)
_add("Disk.archive into a file object", _repacked, Disk)


def _driver(directory: str) -> AbstractContextManager[LocalDriver]:
    return closing(LocalDriver.at(directory))


def _surveyed(driver: LocalDriver) -> object:
    """A tree in bulk, as fsspec lists it."""
    levels = driver.survey(RelPath.parse("a"))
    return [(each.path, each.directories, each.files, each.links) for each in levels]


_add("Driver.survey", _surveyed, _driver)


# -- deeper than what is held ----------------------------------------------------------------------


def _deepen(root: str) -> None:
    """A tree with more levels than the trail holds, so that the way back is found anew."""
    os.makedirs(f"{root}/a/d/sub/deep" + "/x" * 64)


# Here it is the way back that is in question, and each run is long.
_DIRECTORIES: frozenset[Place] = frozenset({"directory"})
_add(
    "walk of a deep tree",
    lambda root: len(list(root.walk("a", topdown=False))),
    deepen=_deepen,
    meets=_DIRECTORIES,
)
_add(
    "remove_tree of a deep tree",
    lambda root: root.remove_tree("a/d").steps,
    deepen=_deepen,
    meets=_DIRECTORIES,
)
