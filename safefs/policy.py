"""What a disk allows: a frozen value and one check. Pure; the kernel asks it, never the reverse."""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISLNK, S_ISREG

from safefs.audit import refused
from safefs.errors import PolicyError
from safefs.paths import unportable
from safefs.rules import PathRules, Rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Literal, NoReturn

    from safefs.paths import RelPath

    Symlinks = Literal["inside_absolute", "inside", "never"]
    Permission = Literal["allow", "refuse"]

_FLAGS = ("read_only", "append_only", "same_filesystem", "portable_names")
_PERMISSIONS = ("allow", "refuse")
# The words of each field, each after those that allow more.
_WORDS = {
    "symlinks": ("inside_absolute", "inside", "never"),
    "hard_links": _PERMISSIONS,
    "special_files": _PERMISSIONS,
    "top_level_dot_entries": _PERMISSIONS,
    "denied": ("refuse", "missing"),
}
_LIMITS = ("max_path_length", "max_file_size", "quota_bytes", "quota_files")
_PATTERNS = ("deny", "allow")
FIELDS = (*_FLAGS, *_WORDS, *_LIMITS, *_PATTERNS)  # what a configuration may set
_FIELDS = (*FIELDS, "above")


class Policy:
    """What is allowed beneath a root. Frozen; equal, hashed and printed by every field.

    read_only
        Nothing is created, changed, renamed or removed.
    append_only
        New names are made and files grow at their end; what is there is not overwritten, cut,
        replaced, renamed or removed, and keeps its mode, times and attributes.
    symlinks
        ``"inside"``: a link is followed as long as it stays beneath the root. ``"never"``: a path
        through a link is refused, and so is making one; looking at a link itself (lstat, readlink)
        and removing or renaming it are not following it, and work. ``"inside_absolute"``: as
        ``"inside"``, and a link with an absolute target is followed where that begins with the
        place at which the root lies now, as procfs says of its descriptor; the rest is walked
        beneath the root. Without procfs such a link is an escape, as it is elsewhere.
    hard_links
        ``"allow"``, or ``"refuse"``: a regular file that has more than one name is not read, not
        written in place, and keeps its mode, times and attributes; no further name is made of a
        file. Its names can be looked at, replaced, renamed and removed.
    special_files
        What is no regular file is never read or written (ENXIO). ``"allow"``: that is found out by
        opening it, which does not block, but may wake who waits at a FIFO, break a lease or touch a
        device. ``"refuse"``: it is looked at first, without opening it, and refused.
    same_filesystem
        A path that crosses a mount point is refused, with EXDEV, as the kernel refuses it.
    portable_names
        A name that Windows or macOS would refuse or change is refused, wherever it stands in a
        path (``safefs.paths.unportable`` has the list); and so is making one beside another that
        some system takes for the same, by case or normalisation. Two that are made in the same
        moment are not found out, nor one that is made through a link that leads nowhere.
    top_level_dot_entries
        ``"allow"``, or ``"refuse"``: entries directly beneath the root whose name begins with a
        dot are refused, by whatever path they are reached, and are in no listing. This is how the
        ``home`` disk leaves ``.ssh`` and ``.bashrc`` to the programs that own them.
    deny
        Patterns as in gitignore(5), on the path from the disk's root: what matches, and all beneath
        it, is in no listing and is not read, changed, made, moved or removed, by whatever path it
        is reached: through a link inside the disk or ``..``, and whatever the case and the Unicode
        normalisation of its name. A directory that holds what is denied, or would at its new place,
        is not removed, renamed or replaced. A regular file that has a denied name too (a hard link)
        is not read or changed by its other names. That is known of names beneath this root; where
        the root lies in a disk that denies, a file with names elsewhere counts as denied. Short
        names (``SECRET~1``) of FAT and NTFS, and a directory that is mounted twice, are not seen
        through.
    allow
        Patterns likewise, or None: only what matches, and all beneath it, is there, in its exact
        spelling. Directories that may lead to it can be listed and made. ``deny`` goes before it.
        A slash at the end of a pattern, here and above, says nothing.
    denied
        How reading what is denied is answered: ``"refuse"`` by ``PolicyError``; ``"missing"`` as if
        it did not exist. Making it is refused in both cases.
    above
        The rules of the disks that this one was narrowed from (``safefs.rules.PathRules``), which
        hold as well. Set by narrowing.
    max_path_length
        The most bytes that a path may have, as it is spelled by the caller; None for what the
        system takes.
    max_file_size
        The most bytes that a file may come to have. Whatever would make one larger is refused
        before its bytes go down: a write through an open file object as a whole, and what is put,
        copied or unpacked with nothing left of it. A file that is larger already can be read,
        removed, cut, and overwritten within its length.
    quota_bytes, quota_files
        How many bytes the regular files beneath the root may have, as their sizes say, and how many
        names there may be that are no directories, links included. It holds for whatever is made
        from this root too; one that is set on a root made from it is counted beneath that, and both
        hold. A file with several names has its bytes counted once. What is replaced makes room for
        what replaces it. With more on the disk than there may be, nothing grows, and all can be
        read, replaced by what is no larger, cut and removed.

        How exact: nothing that is written through roots and disks with this quota exceeds it, by
        threads of a process, and by processes where a disk has a place for locks (``Disk(...,
        locks=)``, every disk of a ``Storage``). Without one each process counts by itself, and so
        does each after a fork. It is counted at first use, again before anything is refused, and
        while it is in use once a minute (more rarely where that takes long): what others do to the
        directory (a program, a process that was killed, or a wider disk without this quota) is seen
        then. Past it go a memory map, what is written by way of ``fileno()``, and a file that has
        lost its last name but is still open, which only has to fit alone. While a file is replaced
        both take room on the file system, and for another process both count.

    Refusals are ``PolicyError``. Raises ``ValueError`` for a word or a number, and ``TypeError``
    for a type, a field does not have.
    """

    __slots__ = (*_FIELDS, "_rules")

    _rules: Rules | None
    read_only: bool
    append_only: bool
    symlinks: Symlinks
    hard_links: Permission
    special_files: Permission
    same_filesystem: bool
    portable_names: bool
    top_level_dot_entries: Permission
    denied: Literal["refuse", "missing"]
    max_path_length: int | None
    max_file_size: int | None
    quota_bytes: int | None
    quota_files: int | None
    deny: tuple[str, ...]
    allow: tuple[str, ...] | None
    above: tuple[PathRules, ...]

    def __init__(
        self,
        *,
        read_only: bool = False,
        append_only: bool = False,
        symlinks: Symlinks = "inside",
        hard_links: Permission = "allow",
        special_files: Permission = "allow",
        same_filesystem: bool = False,
        portable_names: bool = False,
        top_level_dot_entries: Permission = "allow",
        denied: Literal["refuse", "missing"] = "refuse",
        max_path_length: int | None = None,
        max_file_size: int | None = None,
        quota_bytes: int | None = None,
        quota_files: int | None = None,
        deny: Iterable[str] = (),
        allow: Iterable[str] | None = None,
        above: Iterable[PathRules] = (),
    ) -> None:
        store = object.__setattr__
        store(self, "read_only", _flag("read_only", read_only))
        store(self, "append_only", _flag("append_only", append_only))
        store(self, "symlinks", _word("symlinks", symlinks))
        store(self, "hard_links", _word("hard_links", hard_links))
        store(self, "special_files", _word("special_files", special_files))
        store(self, "same_filesystem", _flag("same_filesystem", same_filesystem))
        store(self, "portable_names", _flag("portable_names", portable_names))
        words = _word("top_level_dot_entries", top_level_dot_entries)
        store(self, "top_level_dot_entries", words)
        store(self, "denied", _word("denied", denied))
        store(self, "max_path_length", _limit("max_path_length", max_path_length))
        store(self, "max_file_size", _limit("max_file_size", max_file_size))
        store(self, "quota_bytes", _limit("quota_bytes", quota_bytes))
        store(self, "quota_files", _limit("quota_files", quota_files))
        if deny == () and allow is None:
            store(self, "deny", ())
            store(self, "allow", None)
        else:
            self._store_patterns(deny, allow)
        store(self, "above", _layered(above))
        store(self, "_rules", self._compiled())

    def _store_patterns(self, deny: Iterable[str], allow: Iterable[str] | None) -> None:
        from safefs.gitignore import check_contradiction, checked  # most have no patterns

        object.__setattr__(self, "deny", checked("deny", deny))
        object.__setattr__(self, "allow", None if allow is None else checked("allow", allow))
        check_contradiction(self.deny, self.allow)

    def _compiled(self) -> Rules | None:
        layers = [each for each in (PathRules("", self.deny, self.allow), *self.above) if each]
        dots = self.top_level_dot_entries == "refuse"
        if not layers and not dots:
            return None
        return Rules(layers, dots=dots, missing=self.denied == "missing")

    @property
    def rules(self) -> Rules | None:
        """What decides on names, or None where every name is allowed."""
        return self._rules

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a Policy is frozen; use .replace({name}=...)")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Policy is frozen")

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, field) for field in _FIELDS)

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, Policy) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        if not all(hasattr(self, field) for field in _FIELDS):
            return "<Policy>"  # half made, as a traceback may show it
        fields = (f"{field}={getattr(self, field)!r}" for field in _FIELDS)
        return f"Policy({', '.join(fields)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (dict(zip(_FIELDS, self._values(), strict=True)),)

    def replace(self, **changes: Any) -> Policy:
        """A policy with these fields changed."""
        return Policy(**{**dict(zip(_FIELDS, self._values(), strict=True)), **changes})

    def narrowed(self, other: Policy) -> Policy:
        """What both policies allow: never more than either."""
        kept = {
            field: _stricter(field, getattr(self, field), getattr(other, field))
            for field in (*_FLAGS, *_WORDS, *_LIMITS)
        }
        return Policy(**kept, **_joined({*self._layers(), *other._layers()}))

    def _layers(self) -> tuple[PathRules, ...]:
        return (PathRules("", self.deny, self.allow), *self.above)

    def beneath(self, path: RelPath, place: bytes) -> Policy:
        """The policy of a root on a directory of this one: ``place`` is its true path from here.

        It allows what this one allows there: a limit of lengths is what ``path`` has left of it, by
        which it was reached, and the rule of dot entries belongs to the top and stays with it.
        A quota is shown as it is, and goes on counting what there is beneath the root on which it
        was set.
        """
        left = self.max_path_length
        if left is not None and path.raw.strip(b"./"):
            left = max(0, left - len(path.raw.rstrip(b"/")) - 1)
        kept = self.replace(max_path_length=left)
        if not place or self._rules is None:
            return kept
        layers = {each.beneath(os.fsdecode(place)) for each in self._layers()}
        return kept.replace(top_level_dot_entries="allow", **_joined(layers))

    @property
    def lies_beneath(self) -> bool:
        """Whether the rules of a disk hold here of which this root is a part."""
        return any(each.at for each in self.above)

    @property
    def counts(self) -> bool:
        """Whether there is a quota."""
        return self.quota_bytes is not None or self.quota_files is not None

    @property
    def is_checked(self) -> bool:
        """Whether ``check`` may refuse anything."""
        return self.read_only or self.append_only or self.asks_readers

    @property
    def asks_readers(self) -> bool:
        """Whether ``check`` may refuse anything to those who only read."""
        return self.portable_names or self.max_path_length is not None

    def check(self, path: RelPath, *, writes: bool, adds: bool = False) -> None:
        """Refuse what can be refused without looking: called between resolve and act.

        ``adds``: what is written is new, and leaves what is there as it is. What only the resolver
        can know (which links, which mounts, what was reached) it enforces itself, from the same
        fields.
        """
        if writes and self.read_only:
            raise refused(PolicyError(path.shown, "read_only", "the disk is read-only"))
        if writes and self.append_only and not adds:
            raise self.no_change(path)
        if self.max_path_length is not None and len(path.raw) > self.max_path_length:
            reason = f"the path is longer than {self.max_path_length} bytes"
            raise refused(PolicyError(path.shown, "max_path_length", reason))
        if self.portable_names:
            self._check_names(path)

    @staticmethod
    def no_change(path: RelPath) -> PolicyError:
        """The refusal, to be raised, of what would change what is there."""
        return refused(
            PolicyError(path.shown, "append_only", "what is there is kept, and only added to")
        )

    def _check_names(self, path: RelPath) -> None:
        for name in path.text.split("/"):
            problem = unportable(name)
            if problem and name not in ("", ".", ".."):
                raise refused(PolicyError(path.shown, "portable_names", f"{name!r}: {problem}"))

    def check_file(self, shown: str | bytes, found: os.stat_result) -> None:
        """Refuse what was reached: called before its content, mode, times or attributes are."""
        if self.hard_links == "refuse" and found.st_nlink > 1 and S_ISREG(found.st_mode):
            raise refused(PolicyError(shown, "hard_links", "the file has another name"))

    @staticmethod
    def alias(shown: str | bytes) -> PolicyError:
        """The refusal, to be raised, of a file that has a denied name beside the one asked for."""
        return refused(PolicyError(shown, "deny", "it has another name, which is denied"))

    @staticmethod
    def crossing(shown: str | bytes | None) -> PolicyError:
        """The refusal, not reported yet, of what lies beyond a mount point."""
        return PolicyError(shown, "same_filesystem", "it lies beyond a mount point")

    def check_kind(self, shown: str | bytes, mode: int) -> None:
        """Refuse what is no file, directory or link: called before it is opened."""
        if not (S_ISREG(mode) or S_ISDIR(mode) or S_ISLNK(mode)):
            raise refused(PolicyError(shown, "special_files", "it is no regular file"))

    def check_size(self, shown: str | bytes, size: int) -> None:
        """Refuse to let a file grow to so many bytes: called before they go down."""
        if self.max_file_size is not None and size > self.max_file_size:
            reason = f"the file would be larger than {self.max_file_size} bytes"
            raise refused(PolicyError(shown, "max_file_size", reason))

    def check_link(self, shown: str | bytes) -> None:
        """Refuse to give a file one more name."""
        if self.hard_links == "refuse":
            raise refused(PolicyError(shown, "hard_links", "a file has one name here"))


def _restore(fields: dict[str, Any]) -> Policy:
    return Policy(**fields)


def _joined(layers: set[PathRules]) -> dict[str, Any]:
    """The fields that hold these rules, the same for the same."""
    left = sorted((each for each in layers if each), key=PathRules.order)
    own = left.pop(0) if left and not left[0].at else PathRules()
    return {"deny": own.deny, "allow": own.allow, "above": tuple(left)}


def _stricter(field: str, one: Any, other: Any) -> Any:
    """What allows no more than either of two values of a field."""
    if field in _WORDS:
        return max(one, other, key=_WORDS[field].index)
    if field in _LIMITS:
        return min((limit for limit in (one, other) if limit is not None), default=None)
    return one or other


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{field} is True or False, not {value!r}")
    return value


def _word(field: str, value: object) -> str:
    if value not in _WORDS[field]:
        raise ValueError(f"{field} is one of {', '.join(_WORDS[field])}; not {value!r}")
    return str(value)


def _layered(above: Iterable[PathRules]) -> tuple[PathRules, ...]:
    found = tuple(above)
    for each in found:
        if not isinstance(each, PathRules):
            raise TypeError(f"above holds what the policy of a narrower disk has, not {each!r}")
    return found


def _limit(field: str, value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{field} is a whole number or None, not {value!r}")
    if value < 0:
        raise ValueError(f"{field} is 0 or more, not {value}")
    return value
