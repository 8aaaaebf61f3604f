"""What a member may be called. Pure: names to names, or a refusal that says why."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from safefs.audit import refused
from safefs.errors import ArchiveError, EscapeError
from safefs.folding import folded
from safefs.operations.replace import is_temporary
from safefs.paths import RelPath

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST = 16  # bytes: two paths of one digest take some 2**64 attempts to find


def settled_name(archive: str | None, name: str, *, is_directory: bool) -> RelPath:
    """The path of a member beneath the place it is unpacked to; ``.`` is the place itself.

    ``./`` before it, ``/./`` in it and, for a directory, ``/`` behind it say nothing and go. What
    leaves, or would on any system, is ``EscapeError``: an absolute name, a drive letter, ``..``
    that goes above. What means different things to different programs, or nothing, is
    ``ArchiveError``: a backslash, NUL, ``..`` elsewhere, no name at all, the name of a draft.
    """
    where = "a member's name"
    _check_text(archive, name, name, where)
    _check_roots(name, name)
    names = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in names:
        _refuse_dots(archive, name, names)
    if name.endswith("/") and not is_directory:
        raise ArchiveError(archive, name, "what is no directory has a name that ends in '/'")
    if any(is_temporary(part) for part in names):
        raise ArchiveError(archive, name, "it has the name of a draft, which listings hide")
    path = RelPath.parse("/".join(names) or ".")
    return RelPath(path.raw, name)


def check_target(archive: str | None, member: str, target: str) -> None:
    """The text of a symbolic link, as far as text can be judged; the rest is the kernel's."""
    _check_text(archive, member, target, "the text of its link")
    if target[:1] == "/":
        raise refused(EscapeError(member, target, EscapeError.ABSOLUTE_LINK))
    _check_roots(member, target)
    RelPath.parse(target)


def _check_text(archive: str | None, member: str, text: str, where: str) -> None:
    if not text:
        raise ArchiveError(archive, member, f"{where} is empty")
    if "\0" in text:
        raise ArchiveError(archive, member, f"{where} holds NUL")
    if "\\" in text:
        raise ArchiveError(archive, member, f"{where} holds a backslash, which parts names or not")


def _check_roots(member: str, text: str) -> None:
    if text[:1] == "/":
        raise refused(EscapeError(member, None, EscapeError.ABSOLUTE_PATH))
    if text[1:2] == ":" and text[0].isascii() and text[0].isalpha():
        raise refused(EscapeError(member, text[:2], EscapeError.ABSOLUTE_PATH))


def _refuse_dots(archive: str | None, name: str, names: list[str]) -> None:
    depth = 0
    for part in names:
        depth += -1 if part == ".." else 1
        if depth < 0:
            raise refused(EscapeError(name, "..", EscapeError.ABOVE_ROOT))
    raise ArchiveError(archive, name, "its name holds '..'")


class Spellings:
    """Finds names that some file systems take for one: by case, or by Unicode normalisation.

    A path is known by a digest, and kept as its last name alone: whole paths, in two spellings and
    once for each directory on their way, would be what a hostile archive fills memory with.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, bytes] = {}  # of all that are taken for one, the first
        self._names: dict[bytes, tuple[bytes, str]] = {}  # what is above it, and its last name
        self._directories: set[bytes] = set()
        self._last: tuple[str, list[tuple[bytes, bytes, str]]] = "", []

    def _digests(self, text: str) -> list[tuple[bytes, bytes, str]]:
        """Each path is asked about twice, one time after the other."""
        if self._last[0] != text:
            self._last = text, list(_digests(text))
        return self._last[1]

    def new_directories(self, path: RelPath) -> Iterator[int]:
        """The depth of each directory on its way that no member before had on its own."""
        digests = [digest for digest, _, _ in self._digests(path.text)]
        for depth in range(len(digests) - 1, 0, -1):
            if digests[depth - 1] in self._directories:
                return
            self._directories.add(digests[depth - 1])
            yield depth

    def collisions(self, path: RelPath) -> Iterator[tuple[str, str]]:
        """(the name met first, this one), for the path and each directory on its way."""
        above = b""
        end = -1
        for digest, alike, name in self._digests(path.text):
            end += 1 + len(name)
            first = self._seen.setdefault(alike, digest)
            if first == digest:
                self._names[digest] = above, name
            else:
                self._names.setdefault(digest, (above, name))
                yield self._text(first), path.text[:end]
            above = digest

    def _text(self, digest: bytes) -> str:
        names = []
        while digest:
            digest, name = self._names[digest]
            names.append(name)
        return "/".join(reversed(names))


def _digests(text: str) -> Iterator[tuple[bytes, bytes, str]]:
    """Of each directory on the way and the path itself: of its spelling, and of all like it."""
    exact, alike = blake2b(digest_size=_DIGEST), blake2b(digest_size=_DIGEST)
    for name in text.split("/"):
        exact.update(b"/" + name.encode("utf-8", "surrogatepass"))
        alike.update(b"/" + folded(name).encode("utf-8", "surrogatepass"))
        yield exact.digest(), alike.digest(), name
