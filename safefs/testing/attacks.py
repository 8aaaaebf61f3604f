"""The classes of attack on a root: how the way out is dressed, and what is done at its end.

A class makes *ways*: links to be planted beneath the root, and a path that leads outside through
them. Each word of a subject (``safefs.testing.subjects``) is then tried at the end of the way. All
that is absolute is a placeholder of ``safefs.testing.scratch.filled``, and no way climbs
more than ``MOST_UPS`` directories, so that nothing here reaches beyond a scratch with its moat.

What stands outside is fixed (``OUTSIDE``), what stands inside too (``INSIDE``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from hypothesis import strategies as st

from safefs.testing.strategies import hostile_paths, link_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hypothesis.strategies import SearchStrategy

Group = Literal["read", "write", "delete"]
Role = Literal["file", "directory", "new"]

GROUPS: tuple[Group, ...] = ("read", "write", "delete")
MOST_UPS = 8

# Beside the root, in the directory that holds it. The kit knows each of them by its size.
OUTSIDE: Mapping[str, int] = {
    "outside/secret": 4001,
    "outside/victim": 4003,
    "outside/vault/inner": 4007,
    "root-evil/secret": 4013,
    "outside/g": 4019,  # there is a g inside too, to be mistaken for it in a race
    "outside/secret.txt": 4021,  # these two are what hostile_text asks for
    "outside/dir/inner.txt": 4027,
}
INSIDE: Mapping[str, bytes] = {"f": b"inside", "d/g": b"inside", "d/e/h": b"inside"}

_TARGETS: Mapping[Role, tuple[str, ...]] = {
    "file": ("outside/secret", "outside/vault/inner"),
    "directory": ("outside", "outside/vault"),
    "new": ("outside/new", "outside/vault/new"),
}
_EVIL: Mapping[Role, tuple[str, ...]] = {
    "file": ("root-evil/secret",),
    "directory": ("root-evil",),
    "new": ("root-evil/new",),
}


class Way(NamedTuple):
    """A path, and the links beneath the root (place, text) that it goes through."""

    path: str
    links: tuple[tuple[str, str], ...] = ()


class Call(NamedTuple):
    """One word of a subject and the paths that it is given, as what ``given`` makes of text."""

    word: str
    paths: tuple[str, ...]
    given: Literal["", "fsencode", "PurePosixPath"] = ""

    def __str__(self) -> str:
        shown = (f"{self.given}({path!a})" if self.given else ascii(path) for path in self.paths)
        return f"{self.word}({', '.join(shown)})"


class Case(NamedTuple):
    """A call that should lead nowhere; with a ``twin``, one whose answer should not differ."""

    call: Call
    links: tuple[tuple[str, str], ...] = ()
    twin: Call | None = None

    def __str__(self) -> str:
        through = ", ".join(f"{place} => {ascii(text)[1:-1]}" for place, text in self.links)
        called = f"{self.call} and {self.twin}" if self.twin else str(self.call)
        return f"{called} through {through}" if through else called


@dataclass(frozen=True, slots=True)
class Attack:
    """One class of attack: ``cases`` of a group, for a choice of words; None if it has none."""

    name: str
    about: str
    words: Mapping[Group, tuple[str, ...]]
    make: Callable[[Sequence[str]], SearchStrategy[Case]]

    def cases(self, words: Sequence[str]) -> SearchStrategy[Case]:
        """Cases that use only these words, all of one group."""
        return self.make(words)


# -- what is done at the end of a way ----------------------------------------------------------

# For each word, what it can be given: the role of what stands at the end of the way, and with a
# second path a plain name beneath the root, one that is there (f) or one that is not (n).
_CALLS: Mapping[str, tuple[tuple[Role | Literal["f", "n"], ...], ...]] = {
    "read": (("file",),),
    "exists": (("file",), ("directory",)),
    "size": (("file",),),
    "stat": (("file",), ("directory",)),
    "list": (("directory",),),
    "walk": (("directory",),),
    "glob": (("directory",),),
    "write": (("new",), ("file",)),
    "create": (("new",),),
    "append": (("file",), ("new",)),
    "mkdir": (("new",),),
    "chmod": (("file",),),
    "copy": (("file", "n"), ("f", "new"), ("f", "file")),
    "rename": (("file", "n"), ("f", "new"), ("f", "file")),
    "remove": (("file",),),
    "remove_tree": (("directory",),),
}
_ROLES: tuple[Role, ...] = ("file", "directory", "new")

_READ = ("read", "list", "walk", "glob")
_WRITE = ("write", "create", "append", "mkdir", "chmod")
_DELETE = ("remove", "remove_tree")
_ALL: Mapping[Group, tuple[str, ...]] = {"read": _READ, "write": _WRITE, "delete": _DELETE}


def _at_the_end(
    ways: Callable[[Role], SearchStrategy[Way]], roles: Sequence[Role] = _ROLES
) -> Callable[[Sequence[str]], SearchStrategy[Case]]:
    """Every word with the roles it has, at the end of every way there is for that role."""

    def make(words: Sequence[str]) -> SearchStrategy[Case]:
        return st.one_of(
            [
                _called(word, shape, ways)
                for word in words
                for shape in _CALLS[word]
                if any(role in roles for role in shape)
            ]
        )

    return make


def _called(
    word: str, shape: Sequence[str], ways: Callable[[Role], SearchStrategy[Way]]
) -> SearchStrategy[Case]:
    role: Role = next(role for role in _ROLES if role in shape)

    def case(way: Way) -> Case:
        path = f"{way.path}/*" if word == "glob" else way.path
        paths = tuple(path if each == role else each for each in shape)
        return Case(Call(word, paths), way.links)

    return ways(role).map(case)


def _words(roles: Sequence[Role], *groups: Group) -> Mapping[Group, tuple[str, ...]]:
    """The common words of these groups that have one of these roles."""
    fitting = {
        group: tuple(
            word for word in _ALL[group] if any(set(shape) & set(roles) for shape in _CALLS[word])
        )
        for group in groups
    }
    return {group: words for group, words in fitting.items() if words}


_PLACES = ("l", "d/l", "d/e/l")


def _text(place: str, target: str) -> str:
    """The text of a link at a place beneath the root that leads to a target beside the root."""
    return ("../" * (place.count("/") + 1) + target).rstrip("/")


# -- ways out: by the path alone ---------------------------------------------------------------

_ONWARD = ("", "./", "d/../", "d/e/../../", "d/../d/../")  # of no effect, before a way out


def _dot_dot(role: Role) -> SearchStrategy[Way]:
    return st.builds(
        lambda target, before, up: Way(f"{before}{up}{target}"),
        st.sampled_from(_TARGETS[role]),
        st.sampled_from(_ONWARD),
        st.sampled_from(("../", ".././", "..//", "../root/../", "../../m/")),
    )


def _absolute(role: Role) -> SearchStrategy[Way]:
    return st.builds(
        lambda target, before: Way(f"{before}{target}"),
        st.sampled_from(_TARGETS[role]),
        st.sampled_from(("{scratch}/", "/{scratch}/", "{root}/../", "file://{scratch}/")),
    )


def _sibling(role: Role) -> SearchStrategy[Way]:
    return st.builds(
        lambda target, before: Way(before + target),
        st.sampled_from(_EVIL[role]),
        st.sampled_from(("{scratch}/", "../", "d/../../", "{root}/../")),
    )


def _link_to_sibling(role: Role) -> SearchStrategy[Way]:
    return st.builds(_led, st.sampled_from(_EVIL[role]), st.sampled_from(_PLACES))


def _led(target: str, place: str) -> Way:
    first, slash, rest = target.partition("/")
    return Way(f"{place}{slash}{rest}", ((place, _text(place, first)),))


_DRESSES: tuple[tuple[str, str], ...] = (
    ("../", "..%2f"),
    ("../", "%2e%2e/"),
    ("../", "%2e%2e%2f"),
    ("../", "%252e%252e%252f"),
    ("../", "..%5c"),
    ("../", "..\\"),
    ("../", "....//"),
    ("../", "..././"),
    ("../", "..;/"),
    ("../", ".. /"),
    ("../", " ../"),
    ("../", "\uff0e\uff0e/"),  # fullwidth full stop
    ("../", "\u2024\u2024/"),  # one dot leader
    ("../", "\u2025/"),  # two dot leader
    ("../", "..\u2215"),  # division slash
    ("../", "..\uff0f"),  # fullwidth solidus
    ("../", "\udcc0\udcae\udcc0\udcae/"),  # an overlong full stop of UTF-8
    ("../", "%c0%ae%c0%ae/"),
    ("/", "\\"),
    ("/", "%2f"),
)


def _encoded(role: Role) -> SearchStrategy[Way]:
    return st.builds(
        lambda target, before, dress: Way(f"{before}../{target}".replace(*dress)),
        st.sampled_from(_TARGETS[role]),
        st.sampled_from(("", "d/../")),
        st.sampled_from(_DRESSES),
    )


def _expanding(role: Role) -> SearchStrategy[Way]:
    """What a shell would expand; the kit sets HOME and OUTSIDE to the outside."""
    return st.builds(
        lambda target, before: Way(before + target.removeprefix("outside").lstrip("/")),
        st.sampled_from(_TARGETS[role]),
        st.sampled_from(("~/", "$HOME/", "$OUTSIDE/", "${OUTSIDE}/", "d/../$OUTSIDE/", "./~/")),
    )


def _with_nul(role: Role) -> SearchStrategy[Way]:
    return st.builds(
        lambda way, after: Way(f"{way.path}\0{after}", way.links),
        st.one_of(_dot_dot(role), _in_the_middle(role), _last(role)),
        st.sampled_from(("", ".txt", "/f")),
    )


# -- ways out: through links -------------------------------------------------------------------


def _last(role: Role) -> SearchStrategy[Way]:
    return st.builds(
        lambda target, place: Way(place, ((place, _text(place, target)),)),
        st.sampled_from(_TARGETS[role]),
        st.sampled_from(_PLACES),
    )


def _in_the_middle(role: Role) -> SearchStrategy[Way]:
    return st.sampled_from(_TARGETS[role]).flatmap(
        lambda target: st.builds(
            lambda head, place: _through(place, head, target, _text(place, head)),
            st.sampled_from(_heads(target)),
            st.sampled_from(_PLACES),
        )
    )


def _heads(target: str) -> tuple[str, ...]:
    """The directories above a target, the nearest first, and last the one that holds the root."""
    names = target.split("/")
    return tuple("/".join(names[:count]) for count in range(len(names) - 1, -1, -1))


def _through(place: str, head: str, target: str, text: str) -> Way:
    rest = target.removeprefix(head).lstrip("/")
    return Way(f"{place}/{rest}" if rest else place, ((place, text),))


def _by_absolute_link(role: Role) -> SearchStrategy[Way]:
    return st.sampled_from(_TARGETS[role]).flatmap(
        lambda target: st.builds(
            lambda head, place: _through(place, head, target, f"{{scratch}}/{head}".rstrip("/")),
            st.sampled_from((target, *_heads(target))),
            st.sampled_from(_PLACES),
        )
    )


def _by_chain(role: Role) -> SearchStrategy[Way]:
    return st.builds(
        _chained,
        st.one_of(_last(role), _in_the_middle(role)),
        st.lists(st.sampled_from(("j", "d/j", "d/e/j")), min_size=1, max_size=3),
    )


def _chained(way: Way, places: Sequence[str]) -> Way:
    """The way again, its link reached only through other links, each of which stays inside."""
    ((last, _),) = way.links
    links = list(way.links)
    for number, place in enumerate(places):
        here = f"{place}{number}"
        links.append((here, "../" * here.count("/") + links[-1][0]))
    return Way(links[-1][0] + way.path.removeprefix(last), tuple(links))


_UP_AFTER = (  # a link to a directory beneath the root, and what leads out after it
    ("d/l", "..", "/../"),
    ("d/e/l", "../..", "/../"),
    ("d/e/l", "..", "/../../"),
    ("d/l", "e", "/../../../"),
    ("d/e/l", "../../d", "/../../"),
)


def _up_after_a_link(role: Role) -> SearchStrategy[Way]:
    """To strip ``x/..`` from a path is to miss where ``x`` leads: lexically these stay inside."""
    return st.builds(
        _turned,
        st.sampled_from(_TARGETS[role]),
        st.sampled_from(_UP_AFTER),
        st.booleans(),
    )


def _turned(target: str, start: tuple[str, str, str], hidden: bool) -> Way:  # noqa: FBT001
    place, text, up = start
    way = f"{place}{up}{target}"
    return Way("j", ((place, text), ("j", way))) if hidden else Way(way, ((place, text),))


def _slashed(role: Role) -> SearchStrategy[Way]:
    return st.builds(
        lambda way, end: Way(way.path + end, way.links),
        _last(role),
        st.sampled_from(("/", "/.", "//", "/./", "/./.")),
    )


def _dangling(role: Role) -> SearchStrategy[Way]:
    return st.one_of(_last(role), _by_absolute_link(role)).filter(lambda way: way.path[-1] == "l")


def _any_link(role: Role) -> SearchStrategy[Way]:
    return st.one_of(_last(role), _in_the_middle(role), _by_absolute_link(role), _slashed(role))


def _any_way(role: Role) -> SearchStrategy[Way]:
    return st.one_of(_any_link(role), _dot_dot(role), _up_after_a_link(role))


# -- attacks that are not a way and a word -----------------------------------------------------


def _planted() -> SearchStrategy[tuple[tuple[str, str], ...]]:
    """Links to the outside in a directory that itself is plain."""
    link = st.builds(
        lambda place, target, absolute: (
            place,
            f"{{scratch}}/{target}" if absolute else _text(place, target),
        ),
        st.sampled_from(("d/l", "d/e/l", "d/k", "d/e/k")),
        st.sampled_from(("outside", "outside/vault", "outside/secret", "")),
        st.booleans(),
    )
    return st.lists(link, min_size=1, max_size=3, unique_by=lambda link: link[0]).map(tuple)


_PATTERNS = ("d/*", "d/*/*", "*/*/*", "**", "**/*", "d/**/*", "d/[kl]/*")


def _entering(words: Sequence[str]) -> SearchStrategy[Case]:
    def case(links: tuple[tuple[str, str], ...], word: str, at: str, pattern: str) -> Case:
        return Case(Call(word, (pattern if word == "glob" else at,)), links)

    return st.builds(
        case,
        _planted(),
        st.sampled_from(tuple(words)),
        st.sampled_from(("d", "d/e")),
        st.sampled_from(_PATTERNS),
    )


_NOTHING = "outside/absent"  # as long as what it stands in for


def _telling(words: Sequence[str]) -> SearchStrategy[Case]:
    """Two calls, one at what is there outside and one at what is not: they must end alike."""

    def case(word: str, way: tuple[str, str, str, str]) -> Case:
        real, there, unreal, nothing = way
        links = ((real, there), (unreal, nothing)) if there else ()
        return Case(Call(word, (real,)), links, Call(word, (unreal,)))

    real, nothing = "outside/secret", _NOTHING
    pairs = (
        *(
            (place, _text(place, real), f"{place[:-1]}k", _text(place, nothing))
            for place in _PLACES
        ),
        ("l", f"{{scratch}}/{real}", "k", f"{{scratch}}/{nothing}"),
        (f"../{real}", "", f"../{nothing}", ""),
        (f"d/../../{real}", "", f"d/../../{nothing}", ""),
        (f"{{scratch}}/{real}", "", f"{{scratch}}/{nothing}", ""),
    )
    return st.builds(case, st.sampled_from(tuple(words)), st.sampled_from(pairs))


def _of_another_type(words: Sequence[str]) -> SearchStrategy[Case]:
    """Who looks at text only may let pass what is none."""

    def given(case: Case, kind: Literal["fsencode", "PurePosixPath"]) -> Case:
        return case._replace(call=case.call._replace(given=kind))

    def ways(role: Role) -> SearchStrategy[Way]:
        return st.one_of(_any_way(role), _absolute(role))

    return st.builds(
        given, _at_the_end(ways)(words), st.sampled_from(("fsencode", "PurePosixPath"))
    )


def _removing(words: Sequence[str]) -> SearchStrategy[Case]:
    within = _planted().map(lambda links: Case(Call("remove_tree", ("d",)), links))
    return st.one_of(within, _at_the_end(_any_way)(words))


_HOSTILE_NAMES = ("f", "d", "l", "n")


def _hostile(words: Sequence[str]) -> SearchStrategy[Case]:
    """Whatever ``hostile_paths`` makes, over links that lead anywhere."""
    path = hostile_paths(names=_HOSTILE_NAMES, homes=True).filter(_is_shallow)
    link = st.tuples(st.sampled_from(("l", "d/l")), link_targets(names=_HOSTILE_NAMES))
    links = st.lists(link, max_size=2, unique_by=lambda link: link[0]).map(tuple)
    return st.builds(
        lambda word, path, links: Case(Call(word, (path,)), links),
        st.sampled_from(tuple(words)),
        path,
        links,
    )


def _is_shallow(path: str) -> bool:
    """Not two thousand directories, which a subject may make and a scratch has to be rid of."""
    return "{rep:a/" not in path


# -- the list ----------------------------------------------------------------------------------


def _attack(
    name: str,
    about: str,
    ways: Callable[[Role], SearchStrategy[Way]],
    roles: Sequence[Role] = _ROLES,
    groups: Sequence[Group] = GROUPS,
) -> Attack:
    return Attack(name, about, _words(roles, *groups), _at_the_end(ways, roles))


ATTACKS: tuple[Attack, ...] = (
    _attack("dot-dot", "`..` in the path", _dot_dot),
    _attack("absolute path", "a path that begins at the top", _absolute),
    _attack("sibling of like name", "`root-evil`, whose name begins as the root's does", _sibling),
    _attack("encoded", "`..` or `/` in percent, backslash, Unicode or doubled dress", _encoded),
    _attack("expansion", "`~` and `$NAME`, as a shell reads them", _expanding),
    _attack("NUL", "a NUL, at which C stops reading", _with_nul),
    _attack("link to a file", "a link to an outside file", _last, ("file",)),
    _attack("link to a directory", "a link to an outside directory", _last, ("directory",)),
    _attack("link in the middle", "a path through a link to an outside directory", _in_the_middle),
    _attack("absolute link", "a link whose text begins at the top", _by_absolute_link),
    _attack("link to a sibling", "a link to `root-evil`", _link_to_sibling),
    _attack("chain of links", "links to a link that leads out", _by_chain),
    _attack("dangling link", "a link to an outside name that is free", _dangling, ("new",)),
    _attack("dot-dot after a link", "`..` after a link, where it is not undone", _up_after_a_link),
    _attack("slash after a link", "`link/` and `link/.`", _slashed),
    Attack(
        "hostile text",
        "whatever `safefs.testing.strategies` makes, over links that lead anywhere",
        # Not remove_tree, nor rename: much of that text names the root, whose removal is no escape.
        {"read": _READ, "write": _WRITE, "delete": ("remove",)},
        _hostile,
    ),
    Attack(
        "path of another type",
        "a path as bytes, or as an object of `pathlib`",
        _words(_ROLES, *GROUPS),
        _of_another_type,
    ),
    Attack("listing", "lists, walks and globs over links", {"read": _READ[1:]}, _entering),
    Attack(
        "metadata",
        "sizes and times of the outside",
        {"read": ("stat", "size")},
        _at_the_end(_any_way, ("file", "directory")),
    ),
    Attack(
        "existence",
        "what is there outside told apart from what is not",
        {"read": ("exists", "stat", "size", "read")},
        _telling,
    ),
    Attack(
        "copy and rename",
        "copies and renames out of, onto and through a way out",
        {"write": ("copy", "rename")},
        _at_the_end(_any_way, ("file", "new")),
    ),
    Attack(
        "removing a tree",
        "links in and on the way to a tree that is removed",
        {"delete": ("remove_tree",)},
        _removing,
    ),
)
