"""What a disk allows: a frozen value and one check. Pure; the kernel asks it, never the reverse."""

from __future__ import annotations

from safefs.audit import refused
from safefs.errors import PolicyError
from safefs.paths import unportable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, NoReturn

    from safefs.paths import RelPath

_FIELDS = ("read_only", "symlinks", "same_filesystem", "portable_names", "top_level_dot_entries")

# Every value that a field can have, each after those that allow more.
_STRICTNESS = (False, "inside", "allow", True, "never", "refuse")


class Policy:
    """What is allowed beneath a root. Frozen; equal, hashed and printed by every field.

    read_only
        Nothing is created, changed, renamed or removed.
    symlinks
        ``"inside"``: a link is followed as long as it stays beneath the root. ``"never"``: a path
        through a link is refused, and so is making one; looking at a link itself (lstat, readlink)
        and removing or renaming it are not following it, and work.
    same_filesystem
        A path that crosses a mount point is an ``OSError`` with EXDEV.
    portable_names
        A name that Windows or macOS would refuse or change is refused, wherever it stands in a
        path (``safefs.paths.unportable`` has the list).
    top_level_dot_entries
        ``"allow"``, or ``"refuse"``: entries directly beneath the root whose name begins with a
        dot are refused, by whatever path they are reached, and are in no listing. This is how the
        ``home`` disk leaves ``.ssh`` and ``.bashrc`` to the programs that own them.

    Refusals are ``PolicyError``. Raises ``ValueError`` for a word, and ``TypeError`` for a type, a
    field does not have.
    """

    __slots__ = _FIELDS

    read_only: bool
    symlinks: Literal["inside", "never"]
    same_filesystem: bool
    portable_names: bool
    top_level_dot_entries: Literal["allow", "refuse"]

    def __init__(
        self,
        *,
        read_only: bool = False,
        symlinks: Literal["inside", "never"] = "inside",
        same_filesystem: bool = False,
        portable_names: bool = False,
        top_level_dot_entries: Literal["allow", "refuse"] = "allow",
    ) -> None:
        store = object.__setattr__
        store(self, "read_only", _flag("read_only", read_only))
        store(self, "symlinks", _word("symlinks", symlinks, ("inside", "never")))
        store(self, "same_filesystem", _flag("same_filesystem", same_filesystem))
        store(self, "portable_names", _flag("portable_names", portable_names))
        words = ("allow", "refuse")
        store(self, "top_level_dot_entries", _word(_FIELDS[4], top_level_dot_entries, words))

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
        fields = (f"{field}={getattr(self, field)!r}" for field in _FIELDS)
        return f"Policy({', '.join(fields)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (dict(zip(_FIELDS, self._values(), strict=True)),)

    def replace(self, **changes: Any) -> Policy:
        """A policy with these fields changed."""
        return Policy(**{**dict(zip(_FIELDS, self._values(), strict=True)), **changes})

    def narrowed(self, other: Policy) -> Policy:
        """What both policies allow: never more than either."""
        strictest = {
            field: max(getattr(self, field), getattr(other, field), key=_STRICTNESS.index)
            for field in _FIELDS
        }
        return Policy(**strictest)

    def check(self, path: RelPath, *, writes: bool) -> None:
        """Refuse what can be refused without looking: called between resolve and act.

        What only the resolver can know (which links, which mounts, what was reached) it enforces
        itself, from the same fields.
        """
        if writes and self.read_only:
            raise refused(PolicyError(path.shown, "read_only", "the disk is read-only"))
        if self.portable_names:
            self._check_names(path)

    def _check_names(self, path: RelPath) -> None:
        for name in path.text.split("/"):
            problem = unportable(name)
            if problem and name not in ("", ".", ".."):
                raise refused(PolicyError(path.shown, "portable_names", f"{name!r}: {problem}"))

    def hides(self, name: bytes) -> bool:
        """Whether an entry of this name, directly beneath the root, is refused."""
        return name[:1] == b"." and self.top_level_dot_entries == "refuse"


def _restore(fields: dict[str, Any]) -> Policy:
    return Policy(**fields)


def _flag(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{field} is True or False, not {value!r}")
    return value


def _word(field: str, value: object, words: tuple[str, ...]) -> str:
    if value not in words:
        raise ValueError(f"{field} is one of {', '.join(words)}; not {value!r}")
    return str(value)
