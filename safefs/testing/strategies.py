"""Strategies of hypothesis for whoever keeps files under a root: hostile paths, trees, archives.

>>> from hypothesis import find
>>> find(hostile_text(), lambda text: ".." in text)
'..'
>>> find(trees(), lambda tree: "{outside}" in str(tree))
Directory(entries={'a': Link(target='{outside}')}, mode=493)

What they make is safe to give to a subject that leaks. An absolute path in it is a placeholder,
``{outside}``, ``{root}`` or ``{scratch}``: put ``filled(scratch, text)`` of
``safefs.testing.scratch`` before the subject, which leads it into the scratch (and writes over-long
texts out, ``{rep:a:256}``). A whole path climbs at most ``MOST_UPS`` directories, the links of its
tree included, which is less than the moat of the scratch is deep. Both hold in every dress: percent
encoded, normalised, with the slashes the other way round.

Needs hypothesis (the extra ``testing``); ``ImportError`` where it is missing.
"""

from __future__ import annotations

import string
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as error:
    if error.name != "hypothesis":
        raise
    _HINT = "the strategies need hypothesis (the extra 'testing'); get it with: "
    raise ImportError(_HINT + "pip install hypothesis", name="hypothesis") from error

from safefs.testing import archives as packing
from safefs.testing import hostile
from safefs.testing.oracle import Directory, File, Link, Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hypothesis.strategies import SearchStrategy

    from safefs.testing.archives import Archive, Member

    Planned = tuple[tuple[str, ...], object]

__all__ = [
    "MOST_UPS",
    "NAMES",
    "VOCABULARY",
    "Operation",
    "archives",
    "hostile_paths",
    "hostile_text",
    "link_targets",
    "operations",
    "relative_paths",
    "trees",
]

NAMES = ("a", "b", "c")
MOST_UPS = 8  # in a path with all links on its way; half are the path's, half the tree's
_UPS = MOST_UPS // 2


def relative_paths(
    *, names: Sequence[str] = NAMES, max_parts: int = 4, dots: bool = True
) -> SearchStrategy[str]:
    """Ordinary relative paths over a few names: ``a``, ``b/c``, ``a/../b/``, ``.``.

    With ``dots=False`` only names, a single ``/`` between them: a path that may well exist and
    never leaves, links apart. With dots also ``.``, ``..``, doubled slashes and one at the end.
    """
    name = st.sampled_from(tuple(names))
    if not dots:
        return st.lists(name, min_size=1, max_size=max_parts).map("/".join)
    part = st.one_of(name, st.sampled_from((".", "..", "")))
    parts = st.lists(part, max_size=max_parts).map(_within_ups)
    return st.builds(_joined_plainly, parts, st.sampled_from(("", "/")))


def _within_ups(parts: list[str]) -> list[str]:
    """The parts without those ``..`` that are too many, and none empty at the front."""
    kept: list[str] = []
    for part in parts:
        if (part != ".." or kept.count("..") < _UPS) and (part or kept):
            kept.append(part)
    return kept


def _joined_plainly(parts: list[str], end: str) -> str:
    return "/".join(parts) + end if parts else ""


def hostile_text(*, homes: bool = False) -> SearchStrategy[str]:
    """Text that tries to be more than a path, or less.

    Traversal in every dress (separators, percent encodings, overlong UTF-8, look-alikes), absolute
    paths, drives, devices of Windows, URLs, NUL, over-long names and paths, surrogates, names that
    some system reads as another, globs, expansions, and plain text of any script. A byte that is no
    UTF-8 comes as the surrogate escape that ``os.fsencode`` makes that very byte of.

    ``homes``: also ``~``, ``$HOME`` and ``%APPDATA%``. Ask for it only where the environment leads
    all of them into the scratch: a subject that expands them acts on what they name.
    """
    kinds = [
        _traversals(),
        _absolute(),
        st.sampled_from(hostile.NULS),
        st.sampled_from(hostile.DRIVES),
        st.builds(str.__add__, _cased(hostile.DEVICES), st.sampled_from(hostile.DEVICE_SUFFIXES)),
        _urls(),
        st.sampled_from(hostile.LONG),
        st.sampled_from(hostile.SURROGATES),
        st.sampled_from(hostile.NAMES),
        st.sampled_from(hostile.GLOBS),
        st.sampled_from(hostile.EXPANSIONS),
        _plain_text(),
    ]
    return st.one_of(*kinds, *([st.sampled_from(hostile.HOMES)] if homes else []))


def _traversals() -> SearchStrategy[str]:
    """``..`` and what stands beside the root, with dresses drawn for each part."""
    up = st.sampled_from(hostile.UPS)
    separator = st.sampled_from(hostile.SEPARATORS)
    step = st.tuples(up, separator)
    steps = st.lists(step, max_size=_UPS - 1)
    plain = st.builds(lambda steps, last: "".join(map("".join, steps)) + last, steps, up)
    aimed = st.builds(
        lambda steps, step, tail: "".join(map("".join, [*steps, step])) + tail,
        steps,
        step,
        st.sampled_from(hostile.TARGETS),
    )
    return st.one_of(up, plain, aimed)


def _absolute() -> SearchStrategy[str]:
    place = st.sampled_from(hostile.PLACES + hostile.ABSOLUTE)
    return st.builds(lambda before, place: before + place, st.sampled_from(hostile.BEFORE), place)


def _cased(words: Sequence[str]) -> SearchStrategy[str]:
    return st.builds(
        lambda word, cased: cased(word),
        st.sampled_from(words),
        st.sampled_from((str, str.lower, str.title)),
    )


def _urls() -> SearchStrategy[str]:
    rest = st.text(string.ascii_lowercase + string.digits + "+-.", max_size=8)
    of_letters = st.builds(str.__add__, st.sampled_from(string.ascii_lowercase), rest)
    scheme = st.one_of(st.sampled_from(hostile.SCHEMES), of_letters.filter(_climbs_nowhere))
    return st.builds(str.__add__, scheme, st.sampled_from(hostile.SCHEME_ENDS))


def _climbs_nowhere(text: str) -> bool:
    return ".." not in text


# What some reader of a text would take for more than a letter of a name.
_MEANT = frozenset("/\\.:~$%&{};") | {
    char for char in "".join((*hostile.UPS, *hostile.SEPARATORS)) if not char.isalnum()
}


def _plain_text() -> SearchStrategy[str]:
    """Letters of every script, marks and controls, but nothing that some normal form makes meant.

    What stands for a separator or for a dot is in the vocabulary, where it is counted.
    """
    return st.text(st.characters().filter(_is_plain), min_size=1, max_size=8)


def _is_plain(char: str) -> bool:
    return _MEANT.isdisjoint(unicodedata.normalize("NFKC", char) + char)


def hostile_paths(*, names: Sequence[str] = NAMES, homes: bool = False) -> SearchStrategy[str]:
    """What an attacker would give a subject that holds ``names``.

    Relative paths over the names, hostile text, and such text behind a name that exists, in a
    place where a check of the first component has already passed.
    """
    behind = st.builds(
        lambda name, separator, text: f"{name}{separator}{text}",
        st.sampled_from(tuple(names)),
        st.sampled_from(hostile.SEPARATORS),
        hostile_text(homes=homes),
    )
    name = st.sampled_from(tuple(names))  # to shrink to
    return st.one_of(name, relative_paths(names=names), hostile_text(homes=homes), behind)


def link_targets(*, names: Sequence[str] = NAMES) -> SearchStrategy[str]:
    """Texts of symbolic links: to names, out by ``..``, absolute into the scratch, dangling.

    Every ``..`` stands at the front, so that a chain of links climbs no higher than its last one.
    """
    beside = st.sampled_from((*names, "."))
    inside = st.lists(beside, min_size=2, max_size=3).map("/".join)
    ups = st.integers(1, _UPS - 1)
    tails = st.sampled_from(("", *(f"/{place}" for place in (*names, *hostile.TARGETS))))
    out = st.builds(lambda ups, tail: "/".join([".."] * ups) + tail, ups, tails)
    places = st.sampled_from(("{outside}", *hostile.PLACES[:7]))
    odd = st.sampled_from(("nowhere", "nowhere/a", "a/", "..%2foutside", "{rep:a:256}", "a\n"))
    return st.one_of(beside, inside, places, out, odd)


def trees(
    *, names: Sequence[str] = NAMES, max_entries: int = 8, links: bool = True
) -> SearchStrategy[Directory]:
    """Small trees in memory, of the directories, files and links of ``safefs.testing.oracle``.

    Links lead inside, out (relative and absolute), nowhere and in circles; together they hold at
    most half of ``MOST_UPS`` times ``..``. A file may stand under two names. The names are few, so
    that paths over the same names often hit something. Absolute targets are placeholders:
    ``safefs.testing.planting`` puts a tree into a scratch, and gives it back filled.
    """
    path = st.lists(st.sampled_from(tuple(names)), min_size=1, max_size=3).map(tuple)
    made: list[SearchStrategy[object]] = [
        st.builds(File, st.binary(max_size=3)),
        st.builds(Directory),
    ]
    if links:
        made.append(st.builds(Link, link_targets(names=names)))
        made.append(st.just(_HARD_LINK))
    return st.lists(st.tuples(path, st.one_of(made)), max_size=max_entries).map(_grown)


_HARD_LINK = "one more name of the first file"


def _grown(plan: Iterable[Planned]) -> Directory:
    """The tree of a plan, in which what has no place is left out."""
    top, ups, files = Directory(), 0, list[File]()
    for path, made in plan:
        node = files[0] if made is _HARD_LINK and files else made
        if not isinstance(node, Node):
            continue
        if isinstance(node, Link):
            climbs = node.target.count("..")
            if ups + climbs > _UPS:
                continue
            ups += climbs
        if _put(top, path, node) and isinstance(node, File):
            files.append(node)
    return top


def _put(top: Directory, path: tuple[str, ...], node: Node) -> bool:
    here = top
    for name in path[:-1]:
        found = here.entries.setdefault(name, Directory())
        if not isinstance(found, Directory):
            return False
        here = found
    return here.entries.setdefault(path[-1], node) is node


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do: ``name`` is of ``VOCABULARY``, ``paths`` its arguments, ``data`` its bytes.

    ``rename`` and ``copy`` have (source, destination), ``symlink`` (target, path), all others one
    path. The paths are still to be ``filled``.
    """

    name: str
    paths: tuple[str, ...]
    data: bytes = b""


_READERS = ("read", "stat", "exists", "list", "walk")
_WRITERS = ("write", "append", "create")
_MAKERS = ("mkdir", "makedirs", "remove", "remove_tree")
_OF_TWO = ("rename", "copy")
VOCABULARY = (*_READERS, *_WRITERS, *_MAKERS, *_OF_TWO, "symlink")


def operations(
    *,
    paths: SearchStrategy[str] | None = None,
    vocabulary: Sequence[str] = VOCABULARY,
    targets: SearchStrategy[str] | None = None,
) -> SearchStrategy[Operation]:
    """What to ask of a subject, and with which paths: those of ``hostile_paths`` if not given.

    ``vocabulary`` picks from ``VOCABULARY``, else ``ValueError``; ``targets`` are the texts of the
    links that ``symlink`` makes.
    """
    unknown = set(vocabulary) - set(VOCABULARY)
    if unknown:
        raise ValueError(f"operations are {', '.join(VOCABULARY)}; not {', '.join(unknown)}")
    path = hostile_paths() if paths is None else paths
    target = link_targets() if targets is None else targets
    return st.one_of([_operation(name, path, target) for name in vocabulary])


def _operation(
    name: str, path: SearchStrategy[str], target: SearchStrategy[str]
) -> SearchStrategy[Operation]:
    if name == "symlink":
        return st.builds(Operation, st.just(name), st.tuples(target, path))
    if name in _OF_TWO:
        return st.builds(Operation, st.just(name), st.tuples(path, path))
    data = st.sampled_from((b"written", b"")) if name in _WRITERS else st.just(b"")
    return st.builds(Operation, st.just(name), st.tuples(path), data)


def archives(*, names: Sequence[str] = NAMES) -> SearchStrategy[Archive]:
    """Archives of tar and zip with hostile members, and the list of what they attempt.

    Absolute names, ``..``, links and then a file through them, hard links to the outside, one name
    twice, devices and FIFOs (tar), backslashes, over-long names, links by mode bits (zip), sizes
    that are wrong by a little. Nothing in them is large. ``Archive.pack(scratch)`` gives the bytes,
    as the names are first filled; ``Archive.members`` says what is in them.
    """
    return st.one_of([_archives(kind, tuple(names)) for kind in packing.KINDS])


def _archives(kind: str, names: tuple[str, ...]) -> SearchStrategy[Archive]:
    groups = st.lists(_member_groups(kind, names), min_size=1, max_size=3)
    return groups.map(lambda groups: packing.Archive(kind, tuple(sum(groups, ()))))


def _member_groups(kind: str, names: tuple[str, ...]) -> SearchStrategy[tuple[Member, ...]]:
    """A few members that belong together; those of a benign archive come first."""
    member = packing.Member
    content = st.sampled_from((b"written", b""))
    name = st.sampled_from(names)
    evil = hostile_paths(names=names).filter(packing.can_hold)
    target = link_targets(names=names)
    kinds = [
        st.builds(lambda name, data: (member(name, content=data),), name, content),
        st.builds(lambda name, data: (member(name, content=data),), evil, content),
        st.builds(lambda name: (member(name, "directory"),), evil),
        st.builds(lambda name, to: (member(name, "symlink", to),), name, target),
        st.builds(_through_a_link, name, target, name),
        st.builds(lambda name, data: (member(name), member(name, content=data)), name, content),
        st.builds(lambda name, lie: (member(name, content=b"data", lie=lie),), name, _lies()),
    ]
    if kind == "tar":
        other = st.sampled_from(("fifo", "character device", "block device"))
        kinds.append(st.builds(lambda name, kind: (member(name, kind),), name, other))
        kinds.append(st.builds(lambda name, to: (member(name, "hard link", to),), name, evil))
    return st.one_of(kinds)


def _through_a_link(name: str, target: str, below: str) -> tuple[Member, ...]:
    link = packing.Member(name, "symlink", target)
    return link, packing.Member(f"{name}/{below}", content=b"through")


def _lies() -> SearchStrategy[int]:
    return st.integers(-4, 1024).filter(bool)
