"""Archives that attack whoever unpacks them: nothing outside is touched, and nothing is left."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import lzma
import os
import shutil
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from itertools import count, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from safefs import ArchiveError, Budget, BudgetError, Disk, EscapeError, PolicyError, SafefsError
from safefs.archive import zips
from safefs.archive.limits import CHUNK
from safefs.archive.rules import Spellings
from safefs.archive.sources import Source
from safefs.drivers.memory import MemoryDriver
from safefs.kernel import syscalls
from safefs.paths import RelPath
from safefs.policy import Policy
from safefs.testing.archives import Archive, Member
from safefs.testing.scratch import Scratch, snapshot
from safefs.testing.strategies import archives

if TYPE_CHECKING:
    from collections.abc import Callable

LINK, FILE, DIRECTORY, HARD = "symlink", "file", "directory", "hard link"


def _members(*rows: tuple[str, ...]) -> tuple[Member, ...]:
    """(name, kind, target): the content of a file says where it came from."""
    return tuple(
        Member(row[0], row[1] if len(row) > 1 else FILE, row[2] if len(row) > 2 else "", b"pwned")
        if len(row) < 2 or row[1] == FILE
        else Member(row[0], row[1], row[2] if len(row) > 2 else "")
        for row in rows
    )


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    made = Scratch.make(tmp_path)
    (made.root / "x").mkdir()
    (made.root / "x" / "old").write_text("old\n")
    made.remember()
    return made


def _refused(scratch: Scratch, packed: bytes, into: str, **more: Any) -> BaseException:
    """The error of an extraction that changes nothing anywhere."""
    before = _content(scratch)
    with Disk(scratch.root) as disk:
        with pytest.raises((SafefsError, OSError)) as refusal:
            disk.extract(io.BytesIO(packed), into, **more)
        assert disk.sweep(older_than=-60) == []
    assert _content(scratch) == before
    assert scratch.changes() == []
    return refusal.value


def _content(scratch: Scratch) -> dict[str, object]:
    """Names, kinds, modes and bytes beneath the root; not the times, which a draft changes."""
    found = snapshot(scratch.root)
    return {
        path: (os.lstat(path).st_mode, Path(path).read_bytes() if os.path.isfile(path) else None)
        for path in found
    }


# -- python's own, and zip slip -------------------------------------------------------------------

ROWS: dict[str, tuple[type[Exception], tuple[Member, ...]]] = {
    "CVE-2007-4559, a name with dots": (EscapeError, _members(("../../outside/victim.txt",))),
    "CVE-2007-4559, a name from the root": (EscapeError, _members(("{outside}/victim.txt",))),
    "CVE-2024-12718, a directory above": (EscapeError, _members(("..", DIRECTORY))),
    "CVE-2024-12718, a directory above by way of one": (
        EscapeError,
        _members(("d", DIRECTORY), ("d/../../../outside/dir", DIRECTORY)),
    ),
    "CVE-2024-12718, a directory through a link": (
        EscapeError,
        _members(("l", LINK, "../../outside"), ("l/dir", DIRECTORY)),
    ),
    "CVE-2025-4138, a link whose text changes when it is normalised": (
        EscapeError,
        _members(("d", DIRECTORY), ("d/up", LINK, "."), ("d/e", LINK, "up/up/../../../outside")),
    ),
    "CVE-2025-4330, the same, and a file through it": (
        EscapeError,
        _members(
            ("d", DIRECTORY),
            ("d/up", LINK, "."),
            ("d/e", LINK, "up/up/../../../../outside"),
            ("d/e/victim.txt",),
        ),
    ),
    "CVE-2026-11940, a hard link to a link, at another depth": (
        ArchiveError,
        _members(
            ("a/b", DIRECTORY),
            ("outside", DIRECTORY),
            ("outside/victim.txt",),
            ("a/b/s", LINK, "../../outside/victim.txt"),
            ("s2", HARD, "a/b/s"),
            ("s2",),
        ),
    ),
    "CVE-2026-19672, out and back again": (
        EscapeError,
        _members(("../evil/../x/sub/file",)),
    ),
    "CVE-2001-1267, a file through a link": (
        EscapeError,
        _members(("l", LINK, "../../outside"), ("l/new.txt",)),
    ),
    "a link with an absolute target": (EscapeError, _members(("l", LINK, "{outside}"))),
    "a link that comes to lead out by a later one": (
        EscapeError,
        _members(("l", LINK, "m/../../outside"), ("d", DIRECTORY), ("m", LINK, "d")),
    ),
    "a dangling link with dots behind what is missing": (
        EscapeError,
        _members(
            ("l", LINK, "gone/../../../outside"),
        ),
    ),
    "a link to the directory above": (
        EscapeError,
        _members(
            ("l", LINK, ".."),
        ),
    ),
    "a link to what was there before, one above": (EscapeError, _members(("l", LINK, "../x/old"))),
    "a name with a drive": (EscapeError, _members(("C:/Windows/x.dll",))),
    "a name with a drive and no root": (EscapeError, _members(("c:x.dll",))),
    "a link to a drive": (EscapeError, _members(("l", LINK, "C:/Windows"))),
    "a share": (EscapeError, _members(("//server/share/x",))),
    "a share with backslashes": (ArchiveError, _members(("\\\\server\\share\\x",))),
    "dots with backslashes": (ArchiveError, _members(("..\\..\\outside\\victim.txt",))),
    "dots that stay inside": (ArchiveError, _members(("a/../b",))),
    "one name twice": (ArchiveError, _members(("a",), ("a",))),
    "one name twice, in two spellings": (ArchiveError, _members(("a/b",), ("./a//b",))),
    "one name twice, through a link": (
        ArchiveError,
        _members(("d/f",), ("l", LINK, "d"), ("l/f",)),
    ),
    "a directory where a link is": (
        ArchiveError,
        _members(("d", DIRECTORY), ("l", LINK, "d"), ("l", DIRECTORY)),
    ),
    "a file where a link is": (ArchiveError, _members(("d/f",), ("l", LINK, "d/f"), ("l",))),
    "a link where a directory is": (ArchiveError, _members(("l/f",), ("l", LINK, "."))),
    "a file beneath a file": (NotADirectoryError, _members(("a",), ("a/b",))),
    "the name of a draft": (ArchiveError, _members((".safefs-0123456789abcdef.tmp",))),
    "a file that is the top": (ArchiveError, _members((".",))),
}
TAR_ROWS: dict[str, tuple[type[Exception], tuple[Member, ...]]] = {
    "a hard link to the outside": (
        EscapeError,
        _members(("h", HARD, "../../outside/victim.txt"), ("h",)),
    ),
    "a hard link to an absolute name": (
        EscapeError,
        _members(
            ("h", HARD, "{outside}/victim.txt"),
        ),
    ),
    "a hard link to what was there before": (ArchiveError, _members(("h", HARD, "old"))),
    "a hard link to a file through a link": (
        EscapeError,
        _members(("l", LINK, "../../outside"), ("h", HARD, "l/victim.txt")),
    ),
    "a hard link to a directory": (ArchiveError, _members(("d", DIRECTORY), ("h", HARD, "d"))),
    "a hard link to itself": (ArchiveError, _members(("h", HARD, "h"))),
    "a FIFO": (ArchiveError, _members(("f", "fifo"))),
    "a device": (ArchiveError, _members(("f", "character device"))),
    "a disk": (ArchiveError, _members(("f", "block device"))),
}
CASES = [
    pytest.param(kind, name, *row, id=f"{kind}-{name}")
    for kind, rows in (("tar", ROWS | TAR_ROWS), ("zip", ROWS))
    for name, row in rows.items()
    # tarfile itself takes the slash from the name of what is no directory
    if not (kind == "zip" and any(member.kind == HARD for member in row[1]))
]


@pytest.mark.parametrize("into", ["x", "new/place"])
@pytest.mark.parametrize(("kind", "name", "error", "members"), CASES)
def test_an_archive_that_attacks_is_refused_and_leaves_nothing(
    scratch: Scratch,
    resolver: str,
    kind: str,
    name: str,
    error: type[Exception],
    members: tuple[Member, ...],
    into: str,
) -> None:
    packed = Archive(kind, members).pack(scratch)
    refusal = _refused(scratch, packed, into)
    assert isinstance(refusal, error), f"{name}: {refusal!r}"
    said = getattr(refusal, "filename", None) or getattr(refusal, "member", None)
    assert said, "the member is named"


@pytest.mark.parametrize(("kind", "name", "error", "members"), CASES)
def test_in_part_it_is_refused_too_and_nothing_outside_is_touched(
    scratch: Scratch,
    resolver: str,
    kind: str,
    name: str,
    error: type[Exception],
    members: tuple[Member, ...],
) -> None:
    packed = Archive(kind, members).pack(scratch)
    with Disk(scratch.root) as disk:
        with pytest.raises((SafefsError, OSError)) as refusal:
            disk.extract(io.BytesIO(packed), "x", partial=True)
        assert isinstance(refusal.value, error)
        assert disk.get("x/old") == b"old\n"
        assert disk.sweep(older_than=-60) == []
    assert scratch.changes() == []


@pytest.mark.parametrize(("kind", "name", "error", "members"), CASES)
def test_a_refused_member_is_left_out_where_errors_are_handed_on(
    scratch: Scratch, kind: str, name: str, error: type[Exception], members: tuple[Member, ...]
) -> None:
    """CVE-2025-4435: tarfile extracted what its filter refused, where errors were passed over."""
    packed = Archive(kind, (*members, *_members(("honest",)))).pack(scratch)
    errors: list[BaseException] = []
    with Disk(scratch.root) as disk:
        report = disk.extract(io.BytesIO(packed), "new", on_error=errors.append)
        assert disk.get("new/honest") == b"pwned"
    assert errors
    assert sum(step.action == "skip" for step in report.steps) == len(errors)
    assert scratch.changes() == []


MISPLACED: dict[str, tuple[type[OSError], bytes]] = {
    "beneath a file": (NotADirectoryError, b"a/b"),
    "a directory beneath a file": (NotADirectoryError, b"a/b/"),
    "too long": (OSError, b"n" * 256),
    "beneath what is too long": (OSError, b"n" * 256 + b"/f"),
    "through a loop": (OSError, b"loop/f"),
    "over a directory": (IsADirectoryError, b"d"),
}


@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("name", MISPLACED)
def test_a_member_that_can_have_no_place_is_left_out_where_errors_are_handed_on(
    scratch: Scratch, resolver: str, name: str, partial: bool
) -> None:
    error, member = MISPLACED[name]
    kind = tarfile.DIRTYPE if member.endswith(b"/") else tarfile.REGTYPE
    wrong = _block(member.decode(), kind, b"" if kind == tarfile.DIRTYPE else b"x" * 2000)
    if name == "over a directory" and not partial:
        error = ArchiveError  # type: ignore[assignment]
    packed = b"".join(
        [_file("a", b"a"), _file("d/f", b"f"), _link("loop", "loop"), wrong, _file("z", b"z"), _END]
    )
    errors: list[OSError | ValueError] = []
    more = {"partial": True, "overwrite": True, "duplicates": "last"} if partial else {}
    with Disk(scratch.root) as disk:
        report = disk.extract(io.BytesIO(packed), "new", on_error=errors.append, **more)  # type: ignore[arg-type]
        assert [disk.get(f"new/{each}") for each in ("a", "d/f", "z")] == [b"a", b"f", b"z"]
        assert disk.sweep(older_than=-60) == []
    assert [type(each) for each in errors] == [error]
    assert getattr(errors[0], "filename", None) or getattr(errors[0], "member", None)
    skipped = [step.path for step in report.steps if step.action == "skip"]
    assert [path.rstrip("/") for path in skipped] == [member.decode().rstrip("/")]
    assert scratch.changes() == []


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_links_are_left_out_where_there_are_none_and_errors_are_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As on vfat, which says EPERM. Of a file that says something else: nothing may be made."""

    def linkless(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    packed = _link("l", "a") + _file("a", b"a") + _END
    monkeypatch.setattr(syscalls, "symlink", linkless)
    errors: list[OSError | ValueError] = []
    with Disk(tmp_path) as disk, Disk._over(MemoryDriver()) as memory:
        for each in (disk, memory):
            each.extract(io.BytesIO(packed), "new", on_error=errors.append)
            assert each.all_files("new") == ["new/a"]
        with pytest.raises(OSError) as caught:
            disk.extract(io.BytesIO(packed), "other")
        assert caught.value.errno == number
        monkeypatch.setattr(syscalls, "open", linkless)
        alone = _file("a", b"a") + _END
        with pytest.raises(OSError) as caught:
            disk.extract(io.BytesIO(alone), "", partial=True, on_error=errors.append)
    assert [getattr(error, "errno", None) for error in errors] == [number, errno.EOPNOTSUPP]


def test_a_hard_link_to_what_is_beneath_a_file_is_none_to_a_member(scratch: Scratch) -> None:
    packed = Archive("tar", _members(("a",), ("h", HARD, "a/b"))).pack(scratch)
    refusal = _refused(scratch, packed, "new")
    assert isinstance(refusal, ArchiveError)
    assert refusal.member == "h"


def test_a_name_with_a_drive_is_refused_with_a_hint_of_its_own(scratch: Scratch) -> None:
    refusal = _refused(scratch, _block("f:ads") + _END, "new")
    assert "to Windows 'f:' is a drive" in str(refusal)
    assert "leave out" not in str(refusal)


def test_a_refused_member_that_is_damaged_too_ends_it(scratch: Scratch) -> None:
    raw = _zip(XX=b"content of a file", b=b"more").replace(b"XX", b"/X")
    damaged = raw.replace(raw[32:40], bytes(8))
    assert damaged != raw
    errors: list[OSError | ValueError] = []
    assert isinstance(_refused(scratch, damaged, "new", on_error=errors.append), ArchiveError)
    assert [type(each) for each in errors] == [EscapeError]


def test_links_longer_than_a_path_lead_nowhere_else(scratch: Scratch, resolver: str) -> None:
    """CVE-2025-4517: realpath gave up at PATH_MAX, and what it had not resolved was believed."""
    long, steps = "d" * 247, "abcdefghijklmnop"
    members, here = [], ""
    for step in steps:
        members.append(Member(f"{here}{long}", DIRECTORY))
        members.append(Member(f"{here}{step}", LINK, long))
        here = f"{here}{long}/"
    way = "/".join(steps) + "/" + "l" * 254
    members.append(Member(way, LINK, "../" * len(steps)))
    members.append(Member("escape", LINK, f"{way}/../../outside"))
    members.append(Member("escape/new.txt", content=b"pwned"))
    packed = Archive("tar", tuple(members)).pack(scratch)
    assert isinstance(_refused(scratch, packed, "x"), BudgetError)
    refusal = _refused(scratch, packed, "x", budget=Budget())
    assert isinstance(refusal, EscapeError | OSError)


def test_no_owner_and_no_set_id_bit_comes_out_of_an_archive(tmp_path: Path) -> None:
    """CVE-2026-4360: the owner of a hard link's target was the archive's."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, kind in (("f", tarfile.REGTYPE), ("h", tarfile.LNKTYPE), ("d", tarfile.DIRTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid = kind, 0o7755, 1234, 1234
            info.linkname = "f" if name == "h" else ""
            tar.addfile(info, io.BytesIO())
    packed.seek(0)
    with Disk(tmp_path) as disk:
        disk.extract(packed, "x")
    for name in "fhd":
        found = (tmp_path / "x" / name).stat()
        assert (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())
        assert found.st_mode & 0o7000 == 0


# -- what hits the reader --------------------------------------------------------------------------


def _header(**fields: Any) -> bytes:
    info = tarfile.TarInfo("a")
    for name, value in fields.items():
        setattr(info, name, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def _with_size(header: bytes, field: bytes) -> bytes:
    changed = header[:124] + field + header[136:148] + b" " * 8 + header[156:]
    return changed[:148] + b"%06o\0 " % sum(changed) + changed[156:]


END = bytes(1024)
NEGATIVE = b"\xff" * 11 + b"\x00"
PAX = b"".join([_header(name="p", type=tarfile.XHDTYPE, size=60_000), b"1" * 60_000, bytes(416)])
READER: dict[str, bytes] = {
    "CVE-2025-8194, a size below zero": _with_size(_header(), NEGATIVE) + END,
    "CVE-2025-8194, a size that leads back to its own header": _with_size(
        _header(), b"\xff" * 10 + b"\xfe\x00"
    )
    + END,
    "CVE-2025-8194, a sparse file of size below zero": _with_size(
        _header(type=tarfile.GNUTYPE_SPARSE), b"\xff" * 10 + b"\xfe\x00"
    )
    + END,
    "CVE-2026-11972, a size far beyond the end": _with_size(
        _header(), b"\x80" + (1 << 60).to_bytes(11, "big")
    ),
    "a directory of a size far beyond the end": _with_size(
        _header(type=b"Z"), b"\x80" + (1 << 60).to_bytes(11, "big")
    ),
    "a header that claims gigabytes": _with_size(
        _header(type=tarfile.GNUTYPE_LONGNAME), b"\x80" + (1 << 40).to_bytes(11, "big")
    ),
    "CVE-2024-6232, endless digits in a pax header": PAX + _header() + END,
    "long names without end": _header(type=tarfile.GNUTYPE_LONGNAME, size=0) * 5000,
    "CVE-2019-20907, a pax record of length zero": (
        _header(type=tarfile.XHDTYPE, size=6) + b"0 a=b\n" + bytes(506) + _header() + END
    ),
    "no end": _header(),
    "half an end": _header() + bytes(512),
    "a broken header in the middle": _header() + b"x" * 512 + END,
    "nothing": b"",
    "one byte": b"x",
    "text": b"this is no archive\n" * 100,
    "a gzip of nothing": b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0",
    "the magic of gzip alone": b"\x1f\x8b",
    "the magic of bzip2 alone": b"BZh",
    "the magic of xz alone": b"\xfd7zXZ\x00",
    "the magic of zip alone": b"PK\x03\x04",
    "xz with a dictionary of gigabytes": lzma.compress(
        _header() + END,
        filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}],
    ),
}


@pytest.mark.parametrize("name", READER)
def test_what_hits_the_reader_is_one_error_and_no_hang(scratch: Scratch, name: str) -> None:
    refusal = _refused(scratch, READER[name], "new")
    assert isinstance(refusal, ArchiveError | BudgetError), repr(refusal)


def test_a_number_that_is_no_time_is_none(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for moment in ("nan", "inf", "-inf", "1e300", "-5", "x"):
            info = tarfile.TarInfo(f"f{moment}")
            info.pax_headers = {"mtime": moment}
            tar.addfile(info)
    packed.seek(0)
    with Disk(tmp_path) as disk:
        assert disk.extract(packed).entries == 6


# -- zip -------------------------------------------------------------------------------------------


def _zip(**contents: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_an_encrypted_member_is_said_to_be_one(scratch: Scratch) -> None:
    raw = bytearray(_zip(a=b"secret"))
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    refusal = _refused(scratch, bytes(raw), "new")
    assert "encrypted" in str(refusal)
    assert isinstance(refusal, ArchiveError)
    assert refusal.member == "a"


@pytest.mark.parametrize(
    ("at", "what"), [(8, "method"), (14, "crc"), (18, "packed"), (22, "size"), (30, "name")]
)
def test_a_header_that_disagrees_with_the_directory_is_refused(
    scratch: Scratch, at: int, what: str
) -> None:
    raw = bytearray(_zip(a=b"content of a file"))
    raw[at] ^= 4
    assert isinstance(_refused(scratch, bytes(raw), "new"), ArchiveError), what


@pytest.mark.parametrize("gap", [b"", b"x" * 100_000])
def test_a_member_that_the_directory_does_not_know_is_refused(scratch: Scratch, gap: bytes) -> None:
    """Who reads from the front finds it, and who looks into the directory does not."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", b"seen")
        archive.fp.write(gap)  # type: ignore[union-attr]
        archive.start_dir += len(gap)
        archive.writestr("b", b"hidden")
        archive.writestr("c", b"seen")
        del archive.filelist[1]
    assert "not in the directory" in str(_refused(scratch, packed.getvalue(), "new"))


@pytest.mark.parametrize("compressed", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_directory_with_content_is_refused(scratch: Scratch, compressed: int) -> None:
    """Its size may be said to be nothing: then it is more than was said."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compressed) as archive:
        archive.writestr("d_", b"lost")
    raw = packed.getvalue().replace(b"d_", b"d/")
    assert "it is a directory, and has content" in str(_refused(scratch, raw, "new"))
    without = bytearray(raw)
    for at in (22, raw.index(b"PK\x01\x02") + 24):
        without[at : at + 4] = bytes(4)
    assert isinstance(_refused(scratch, bytes(without), "new"), ArchiveError)


class _Pipe(io.BytesIO):
    """Where a zip is written to in one go, so that each member has a record behind it."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: object) -> int:
        raise io.UnsupportedOperation


def _streamed(*, zip64: bool = False) -> bytes:
    packed = _Pipe()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("a", "w", force_zip64=zip64) as out:
            out.write(b"content")
        archive.writestr("b", b"more")
    return packed.getvalue()


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("signature", [False, True])
def test_a_zip_that_was_written_to_a_stream_unpacks(
    scratch: Scratch, zip64: bool, signature: bool
) -> None:
    raw = _streamed(zip64=zip64)
    if not signature:  # it is optional
        end = raw.index(b"PK\x07\x08", raw.index(b"PK\x07\x08") + 4)
        directory = raw.index(b"PK\x01\x02")
        record = raw[end:directory].replace(b"PK\x07\x08", b"")
        at = struct.unpack("<L", raw[-6:-2])[0] - 4
        raw = raw[:end] + record + raw[directory:-6] + struct.pack("<L", at) + raw[-2:]
    with Disk(scratch.root) as disk:
        disk.extract(io.BytesIO(raw), "new")
        assert [disk.get("new/a"), disk.get("new/b")] == [b"content", b"more"]


@pytest.mark.parametrize("at", range(4, 16))
def test_a_record_behind_the_content_that_lies_is_refused(scratch: Scratch, at: int) -> None:
    raw = bytearray(_streamed())
    raw[raw.index(b"PK\x07\x08") + at] ^= 1
    assert "disagree" in str(_refused(scratch, bytes(raw), "new"))


def test_a_flag_that_promises_a_record_where_none_is_is_refused(scratch: Scratch) -> None:
    raw = bytearray(_zip(a=b"content"))
    raw[6] |= 8
    assert "disagree" in str(_refused(scratch, bytes(raw), "new"))


def test_large_sizes_that_lie_are_refused(scratch: Scratch) -> None:
    """Those of zip64 stand in the extra field, and were not compared."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive, archive.open("a", "w", force_zip64=True) as out:
        out.write(b"content")
    raw = bytearray(packed.getvalue())
    with Disk(scratch.root) as disk:
        disk.extract(io.BytesIO(raw), "honest")
        assert disk.get("honest/a") == b"content"
    assert raw[18:26] == b"\xff" * 8
    raw[30 + 1 + 4] ^= 1
    assert "disagree" in str(_refused(scratch, bytes(raw), "new"))


def test_a_zip_of_more_members_than_the_budget_is_refused_before_any_is_made(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = _zip(**{f"f{number}": b"" for number in range(50)})
    with Disk(scratch.root) as disk:
        assert disk.extract(io.BytesIO(raw), "new", budget=Budget(entries=50)).entries == 50
    made: list[object] = []
    monkeypatch.setattr(zipfile, "ZipInfo", made.append)
    refusal = _refused(scratch, raw, "other", budget=Budget(entries=49))
    assert isinstance(refusal, BudgetError)
    assert (refusal.limit, refusal.maximum, made) == ("entries", 49, [])


def test_members_that_overlap_are_refused(scratch: Scratch) -> None:
    """The bomb of Fifield (2019), whose members all share one kernel."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"0" * 1000)
        twin = zipfile.ZipInfo("a")
        first = archive.getinfo("a")
        for field in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
            setattr(twin, field, getattr(first, field))
        archive.filelist.append(twin)
    refusal = _refused(scratch, packed.getvalue(), "new")
    assert "overlaps" in str(refusal)


def test_what_stands_behind_a_zip_is_no_part_of_it(scratch: Scratch) -> None:
    assert isinstance(_refused(scratch, _zip(a=b"x") + b"behind", "new"), ArchiveError)


def test_a_name_with_nul_is_refused_and_not_cut(scratch: Scratch) -> None:
    raw = _zip(aXb=b"x").replace(b"aXb", b"a\0b")
    refusal = _refused(scratch, raw, "new")
    assert "NUL" in str(refusal)


def test_a_device_in_a_zip_is_refused(scratch: Scratch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        info = zipfile.ZipInfo("f")
        info.create_system, info.external_attr = 3, 0o010644 << 16
        archive.writestr(info, b"")
    assert isinstance(_refused(scratch, packed.getvalue(), "new"), ArchiveError)


def test_lzma_in_a_zip_that_asks_for_gigabytes_is_refused(scratch: Scratch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a", b"x" * 100)
    raw = bytearray(packed.getvalue())
    raw[30 + 1 + 5 : 30 + 1 + 9] = struct.pack("<L", 1 << 31)
    assert "memory" in str(_refused(scratch, bytes(raw), "new"))


# -- bombs -----------------------------------------------------------------------------------------


def _tar(content: bytes, mode: str = "w:gz", count: int = 1) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as tar:  # type: ignore[call-overload]
        for number in range(count):
            info = tarfile.TarInfo(f"f{number}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


ZEROS = bytes(32 << 20)


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_what_swells_is_stopped_by_the_ratio_while_it_does(scratch: Scratch, kind: str) -> None:
    packed = _zip(f=ZEROS) if kind == "zip" else _tar(ZEROS, f"w:{kind[4:]}")
    refusal = _refused(scratch, packed, "new")
    assert isinstance(refusal, BudgetError)
    assert refusal.limit == "ratio"
    with Disk(scratch.root) as disk:
        disk.extract(io.BytesIO(packed), "new", budget=Budget())
        assert disk.size(f"new/{'f' if kind == 'zip' else 'f0'}") == len(ZEROS)


@pytest.mark.parametrize(
    ("limit", "budget", "content", "count"),
    [
        ("bytes", Budget(bytes=9), b"0123456789", 1),
        ("bytes", Budget(bytes=19), b"0123456789", 2),
        ("entries", Budget(entries=2), b"", 3),
        ("path_length", Budget(path_length=1), b"", 1),
    ],
)
def test_what_is_beyond_the_budget_is_one_error(
    scratch: Scratch, limit: str, budget: Budget, content: bytes, count: int
) -> None:
    refusal = _refused(scratch, _tar(content, count=count), "new", budget=budget)
    assert isinstance(refusal, BudgetError)
    assert refusal.limit == limit


def test_a_depth_beyond_the_budget_is_one_error(scratch: Scratch) -> None:
    packed = Archive("tar", _members(("a/b/c",))).pack(scratch)
    assert isinstance(_refused(scratch, packed, "x", budget=Budget(depth=2)), BudgetError)


def test_a_budget_of_zero_is_no_budget(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="more than zero"):
        Budget(entries=0)
    with Disk(tmp_path) as disk, pytest.raises(TypeError, match="budget is a Budget"):
        disk.extract(io.BytesIO(_tar(b"")), budget=5)  # type: ignore[arg-type]


def test_headers_without_end_are_stopped_too(scratch: Scratch) -> None:
    """A pax header before each member is no content, and yet it is read."""
    zeros = zlib.compressobj(wbits=31)
    raw = zeros.compress(_header()) + zeros.compress(bytes(1024) + bytes(64 << 20)) + zeros.flush()
    refusal = _refused(scratch, raw, "new")
    assert isinstance(refusal, BudgetError)


# -- names that some take for one ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "A"),
        ("d/f", "D/g"),
        ("\u00e9", "e\u0301"),
        ("stra\u00dfe", "STRASSE"),
        ("k", "\u212a"),
    ],
)
def test_names_that_some_take_for_one_are_reported_and_refused_where_names_are_portable(
    scratch: Scratch, first: str, second: str
) -> None:
    packed = Archive("tar", _members((first,), (second,))).pack(scratch)
    with Disk(scratch.root) as disk:
        report = disk.extract(io.BytesIO(packed), "new")
        top = first.partition("/")[0], second.partition("/")[0]
        assert report.collisions[0] == top
        assert len(disk.all_files("new")) == 2
        portable = disk.with_policy(Policy(portable_names=True))
        with portable, pytest.raises(PolicyError):
            portable.extract(io.BytesIO(packed), "portable")
    assert scratch.changes() == []


def test_a_report_tells_of_a_thousand_names_that_some_take_for_one(scratch: Scratch) -> None:
    spellings = ["".join(letters) for letters in product("aA", "bB", "cC", *["xX"] * 8)]
    packed = b"".join(_block(name) for name in spellings) + _END
    with Disk(scratch.root) as disk:
        report = disk.extract(io.BytesIO(packed), "new")
    assert report.entries == 2048
    assert report.collisions == tuple((spellings[0], other) for other in spellings[1:1001])


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["A/y", "a/x", "A/X"], [("A", "a"), ("a/x", "A/X")]),
        (["a/b/c", "a/B/c"], [("a/b", "a/B"), ("a/b/c", "a/B/c")]),
        (["a", "b/a", "b/a/c"], []),
    ],
)
def test_the_name_met_first_is_told_as_it_was_spelled(
    names: list[str], found: list[tuple[str, str]]
) -> None:
    seen = Spellings()
    pairs = [pair for name in names for pair in seen.collisions(RelPath.parse(name))]
    assert pairs == found


def test_deep_names_are_not_kept_once_for_each_directory_on_their_way() -> None:
    """A thousand bytes of name, a directory for every ten: 13 KB, were the spellings kept."""
    above = "/".join(["\U00010400" * 2] * 100)
    paths = [RelPath.parse(f"{above}/{number}") for number in range(2000)]
    paths += [RelPath.parse(f"{n}/" + "\U00010400/" * 99 + "f") for n in range(20)]
    seen = Spellings()
    directories = 0
    tracemalloc.start()
    try:
        for path in paths:
            directories += len(list(seen.new_directories(path)))
            assert not list(seen.collisions(path))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert directories == 100 + 20 * 100
    assert kept < 600 * (len(paths) + directories)


def test_links_are_refused_where_the_policy_has_none(scratch: Scratch) -> None:
    packed = Archive("tar", _members(("f",), ("l", LINK, "f"))).pack(scratch)
    with Disk(scratch.root, policy=Policy(symlinks="never")) as disk:
        with pytest.raises(PolicyError):
            disk.extract(io.BytesIO(packed), "new")
        assert disk.missing("new")


def test_a_dot_entry_is_refused_where_the_top_has_none(scratch: Scratch) -> None:
    policy = Policy(top_level_dot_entries="refuse")
    packed = Archive("tar", _members(("f",), (".bashrc",))).pack(scratch)
    with Disk(scratch.root, policy=policy) as disk:
        for how in ({}, {"partial": True}):
            with pytest.raises(PolicyError):
                disk.extract(io.BytesIO(packed), "", **how)  # type: ignore[arg-type]
        with pytest.raises(PolicyError):
            disk.extract(io.BytesIO(packed), ".new")
        disk.extract(io.BytesIO(packed), "new")
        assert disk.get("new/.bashrc") == b"pwned"


# -- generated -------------------------------------------------------------------------------------


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("untraced")
def test_no_generated_archive_writes_outside_or_leaves_a_part(
    tmp_path: Path, counted: Callable[..., None]
) -> None:
    started = time.perf_counter()
    places = count()
    refusals: list[bool] = []

    @given(archive=archives())
    def unpack(archive: Archive) -> None:
        place = tmp_path / str(next(places))
        place.mkdir()
        refusals.append(_refuses(Scratch.make(place), archive))
        shutil.rmtree(place)

    unpack()
    assert len(refusals) / 4 < sum(refusals) < len(refusals)
    counted(
        "hostile archives unpacked",
        f"{len(refusals):,} archives, {sum(refusals):,} refused",
        seconds=time.perf_counter() - started,
        escapes=0,
    )


def _refuses(scratch: Scratch, archive: Archive) -> bool:
    """Whether it was refused; asserts that nothing else came of it, whole and in part."""
    scratch.remember()
    packed = archive.pack(scratch)
    refused = False
    with Disk(scratch.root) as disk:
        try:
            disk.extract(io.BytesIO(packed), "new")
        except (SafefsError, OSError):
            assert os.listdir(scratch.root) == []
            refused = True
        else:
            _assert_inside(scratch.root / "new")
        assert scratch.changes() == []
        try:
            disk.extract(io.BytesIO(packed), "part", partial=True, duplicates="last")
        except (SafefsError, OSError):
            pass
        assert scratch.changes() == []
        assert disk.sweep(older_than=-60) == []
    return refused


def _assert_inside(top: Path) -> None:
    """Each link leads to something beneath the top, or to nothing."""
    for directory, directories, names in os.walk(top):
        for name in (*directories, *names):
            path = Path(directory, name)
            if path.is_symlink():
                assert not os.readlink(path).startswith("/")
                assert not os.path.exists(path) or path.resolve().is_relative_to(top)


# -- what costs much and is hardly there ---------------------------------------------------------


def _block(name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, len(content)
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


_END = bytes(1024)


def test_directories_that_only_names_tell_of_are_entries(scratch: Scratch) -> None:
    deep = "/".join(["d"] * 50)
    packed = _block(f"{deep}/f") + _block(f"{deep}/g") + _END
    error = _refused(scratch, packed, "new", budget=Budget(entries=51))
    assert isinstance(error, BudgetError)
    assert error.limit == "entries"
    with Disk(scratch.root) as disk:
        assert disk.extract(io.BytesIO(packed), "new", budget=Budget(entries=52)).entries == 2


def test_what_is_refused_and_passed_over_counts(scratch: Scratch) -> None:
    packed = _block("../x") * 10 + _END
    passed: list[Exception] = []
    error = _refused(scratch, packed, "new", budget=Budget(entries=9), on_error=passed.append)
    assert isinstance(error, BudgetError)
    assert len(passed) == 9


def test_labels_without_end_are_headers_without_end(scratch: Scratch) -> None:
    packed = lzma.compress(_block("label", b"V") * 40_000 + _END, preset=0)
    assert isinstance(_refused(scratch, packed, "new"), BudgetError)


def test_records_for_all_members_are_few(scratch: Scratch) -> None:
    record = b"".join(b"%d k%d=v\n" % (len(b"00 k%d=v\n" % n), n) for n in range(100, 300))
    packed = _block("g", tarfile.XGLTYPE, record) + _block("f") + _END
    assert "global headers" in str(_refused(scratch, packed, "new"))


class _Endless(io.RawIOBase):
    """Something, and zeros for ever."""

    def __init__(self, head: bytes) -> None:
        self._head = io.BytesIO(head)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._head.read(len(buffer)) or bytes(len(buffer))
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "head",
    [b"", _END, gzip.compress(_END), lzma.compress(_END)],
    ids=["nothing", "tar", "gz", "xz"],
)
def test_a_stream_of_zeros_without_end_has_one(scratch: Scratch, head: bytes) -> None:
    with Disk(scratch.root) as disk, pytest.raises(BudgetError):
        disk.extract(_Endless(head), "new")  # type: ignore[arg-type]


# -- what gives way, and what stays ----------------------------------------------------------------


def _link(name: str, target: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info.tobuf(tarfile.PAX_FORMAT)


def _file(name: str, content: bytes) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % 512)


_MARK = bytes(1024)  # the end of a tar
_LOSING: dict[str, tuple[bytes, type[Exception]]] = {
    "content that is cut": (_file("old", b"new" * 400)[:-900], ArchiveError),
    "more than the budget": (_file("old", b"new" * 400) + _MARK, BudgetError),
    "a link that leads out": (_link("old", "../../outside") + _MARK, EscapeError),
}


@pytest.mark.parametrize("what", _LOSING)
def test_a_file_gives_way_to_nothing_that_is_refused(scratch: Scratch, what: str) -> None:
    packed, expected = _LOSING[what]
    error = _refused(scratch, packed, "x", partial=True, overwrite=True, budget=Budget(bytes=1000))
    assert type(error) is expected


def test_a_refused_link_does_not_take_the_place_of_an_earlier_member(scratch: Scratch) -> None:
    packed = _file("f", b"first") + _link("f", "../../outside") + _MARK
    with Disk(scratch.root) as disk:
        errors: list[OSError | ValueError] = []
        disk.extract(io.BytesIO(packed), "new", duplicates="last", on_error=errors.append)
        assert [type(error) for error in errors] == [EscapeError]
        assert disk.get("new/f") == b"first"


def test_files_and_links_give_way_to_each_other_and_leave_no_draft(scratch: Scratch) -> None:
    hard = tarfile.TarInfo("h")
    hard.type, hard.linkname = tarfile.LNKTYPE, "f"
    packed = (
        _link("old", "f")
        + _file("f", b"one")
        + _file("old", b"two")
        + _link("f", "old")
        + _file("f", b"three")
        + hard.tobuf() * 2
        + _MARK
    )
    with Disk(scratch.root) as disk:
        disk.extract(io.BytesIO(packed), "x", partial=True, overwrite=True, duplicates="last")
        assert {path: disk.get(f"x/{path}") for path in ("old", "f", "h")} == {
            "old": b"two",
            "f": b"three",
            "h": b"three",
        }
    assert sorted(os.listdir(scratch.root / "x")) == ["f", "h", "old"]


@pytest.mark.parametrize("end", [_MARK, b""], ids=["whole", "cut"])
def test_no_link_that_leads_out_stays_of_a_part(scratch: Scratch, end: bytes) -> None:
    directory = tarfile.TarInfo("d")
    directory.type = tarfile.DIRTYPE
    packed = _link("l", "d/../../outside") + directory.tobuf() + _link("in", "d") + end
    with Disk(scratch.root) as disk, pytest.raises((EscapeError, ArchiveError)):
        disk.extract(io.BytesIO(packed), "new", partial=True)
    assert sorted(os.listdir(scratch.root / "new")) == ["d", "in"]


# -- zip: what zipfile would let pass --------------------------------------------------------------


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_no_more_comes_of_one_read_of_a_zip_than_a_piece(method: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("zeros", bytes(32 << 20))
        archive.writestr("some", os.urandom(300_000))
    pieces = []
    with zipfile.ZipFile(packed) as archive:
        packed.seek(0)
        source = Source(packed, None)
        for member in zips.members(source):
            content = hashlib.sha256()
            for chunk in member.read():
                pieces.append(len(chunk))
                content.update(chunk)
            assert content.digest() == hashlib.sha256(archive.read(member.name)).digest()
    assert 0 < max(pieces) <= CHUNK


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_content_that_is_not_what_a_zip_says_is_refused(scratch: Scratch, method: int) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        archive.writestr("f", b"content" * 50)
    for field, at in (("CRC", 14), ("size", 22)):
        raw = bytearray(packed.getvalue())
        for start in (at, raw.index(b"PK\x01\x02") + at + 2):
            raw[start] ^= 1
        assert isinstance(_refused(scratch, bytes(raw), "new"), ArchiveError), field


def test_a_directory_with_another_name_in_its_own_header_is_refused(scratch: Scratch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("aa/", b"")
    raw = packed.getvalue().replace(b"aa/", b"../", 1)
    error = _refused(scratch, raw, "new")
    assert isinstance(error, ArchiveError)
    assert "disagree" in str(error)


def test_a_zip_behind_another_is_refused(scratch: Scratch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f", b"1")
    error = _refused(scratch, packed.getvalue() * 2, "new")
    assert isinstance(error, ArchiveError)
    assert "before its first" in str(error)


# -- what is kept in memory ------------------------------------------------------------------------


def test_headers_of_one_entry_are_limited_however_many_entries_there_are(scratch: Scratch) -> None:
    directory = tarfile.TarInfo("d")
    directory.type = tarfile.DIRTYPE
    sparse = bytearray(tarfile.TarInfo("s").tobuf(tarfile.GNU_FORMAT))
    sparse[156:157], sparse[482] = b"S", 1  # more of the map follows
    sparse[148:156] = b" " * 8
    sparse[148:156] = b"%06o\0 " % sum(sparse)
    piece = b"00000000001\0" * 42 + b"\1" + bytes(7)
    packed = io.BytesIO()
    with lzma.open(packed, "wb", preset=0) as out:
        out.write(directory.tobuf() * 3000)  # which allow for 23 MiB
        out.write(sparse)
        for _ in range(18):
            out.write(piece * 2048)
    error = _refused(scratch, packed.getvalue(), "new")
    assert isinstance(error, BudgetError)
    assert error.limit == "bytes"
