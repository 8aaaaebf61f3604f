"""The kit bites: for each class of attack there is a storage that only it would catch.

Every storage here really gets out, and so is only ever met in a jail; see also the victims below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from safefs.testing import jail
from safefs.testing.card import CLASSES, Examination
from tests import broken

if TYPE_CHECKING:
    from safefs.testing.attacks import Group

needs_jail = pytest.mark.skipif(jail.kind() is None, reason="needs a jail")
pytestmark = [needs_jail, pytest.mark.timeout(300)]

BITES: tuple[tuple[str, Group, type, str], ...] = (
    (
        "dot-dot",
        "read",
        broken.Joined,
        "read('../outside/secret'): returned the content of outside/secret",
    ),
    ("dot-dot", "write", broken.Joined, "write('../outside/new'): created outside/new"),
    ("dot-dot", "delete", broken.Joined, "remove('../outside/secret'): removed outside/secret"),
    (
        "absolute path",
        "read",
        broken.Joined,
        "read('{scratch}/outside/secret'): returned the content of outside/secret",
    ),
    (
        "sibling of like name",
        "read",
        broken.StartsWith,
        "read('{scratch}/root-evil/secret'): returned the content of root-evil/secret",
    ),
    (
        "encoded",
        "read",
        broken.Unquotes,
        "read('..%2foutside/secret'): returned the content of outside/secret",
    ),
    (
        "expansion",
        "write",
        broken.Expands,
        "write('~/new'): created outside/new",
    ),
    (
        "NUL",
        "read",
        broken.CutsAtNul,
        r"read('../outside/secret\x00'): returned the content of outside/secret",
    ),
    (
        "link to a file",
        "read",
        broken.Lexical,
        "read('l') through l => ../outside/secret: returned the content of outside/secret",
    ),
    (
        "link to a file",
        "write",
        broken.Lexical,
        "write('l') through l => ../outside/secret: changed the content of outside/secret",
    ),
    (
        "link to a directory",
        "read",
        broken.Lexical,
        "list('l') through l => ../outside: named secret, which is outside",
    ),
    (
        "link in the middle",
        "read",
        broken.LooksAtTheEnd,
        "read('l/secret') through l => ../outside: returned the content of outside/secret",
    ),
    (
        "link in the middle",
        "write",
        broken.LooksAtTheEnd,
        "write('l/new') through l => ../outside: created outside/new",
    ),
    (
        "link in the middle",
        "delete",
        broken.LooksAtTheEnd,
        "remove('l/secret') through l => ../outside: removed outside/secret",
    ),
    (
        "absolute link",
        "read",
        broken.MindsRelativeLinks,
        "read('l') through l => {scratch}/outside/secret: returned the content of outside/secret",
    ),
    (
        "link to a sibling",
        "read",
        broken.StartsWith,
        "read('l/secret') through l => ../root-evil: returned the content of root-evil/secret",
    ),
    (
        "chain of links",
        "read",
        broken.ReadsOneLink,
        (
            "read('j0') through l => ../outside/secret, j0 => l: "
            "returned the content of outside/secret"
        ),
    ),
    (
        "dangling link",
        "write",
        broken.MindsWhatIsThere,
        "write('l') through l => ../outside/new: created outside/new",
    ),
    (
        "dot-dot after a link",
        "read",
        broken.LooksAtTheEnd,
        "read('d/l/../outside/secret') through d/l => ..: returned the content of outside/secret",
    ),
    (
        "slash after a link",
        "read",
        broken.LooksAtTheEnd,
        "read('l/') through l => ../outside/secret: returned the content of outside/secret",
    ),
    (
        "listing",
        "read",
        broken.FollowsInWalks,
        "walk('d') through d/l => ../../outside: named inner, which is outside",
    ),
    (
        "metadata",
        "read",
        broken.TellsSizes,
        "size('l') through l => ../outside/secret: told the size of outside/secret",
    ),
    (
        "existence",
        "read",
        broken.TellsWhatExists,
        (
            "exists('l') and exists('k') through l => ../outside/secret, k => ../outside/absent: "
            "told what is there outside from what is not (True, then False)"
        ),
    ),
    (
        "existence",
        "read",
        broken.TellsByItsErrors,
        (
            "read('l') and read('k') through l => ../outside/secret, k => ../outside/absent: "
            "told what is there outside from what is not (EscapeError 13, then FileNotFoundError)"
        ),
    ),
    (
        "copy and rename",
        "write",
        broken.CopiesByName,
        "copy('l', 'n') through l => ../outside/secret: copied outside/secret in, as n",
    ),
    (
        "copy and rename",
        "write",
        broken.LinksIn,
        "copy('l', 'n') through l => ../outside/secret: made another name for outside/secret",
    ),
    (
        "removing a tree",
        "delete",
        broken.RemovesByName,
        "remove_tree('l/outside') through l => ..: removed outside",
    ),
    (
        "removing a tree",
        "delete",
        broken.FollowsWhenRemoving,
        "remove_tree('d') through d/l => ../../outside: removed outside/g",
    ),
    (
        "swap race",
        "read",
        broken.Realpath,
        (
            "read('d/g') while d is exchanged for a link to ../outside "
            "before its file operation 1: returned the content of outside/g"
        ),
    ),
    (
        "swap race",
        "write",
        broken.Realpath,
        (
            "write('d/new') while d is exchanged for a link to ../outside "
            "before its file operation 1: created outside/new"
        ),
    ),
    (
        "swap race",
        "delete",
        broken.Realpath,
        (
            "remove('d/g') while d is exchanged for a link to ../outside "
            "before its file operation 1: removed outside/g"
        ),
    ),
)


def _examined(subject: Any, **more: Any) -> Examination:
    return Examination(subject, **{"examples": 60, "seconds": 60, **more})


@pytest.mark.parametrize(
    ("attack", "group", "subject", "said"),
    BITES,
    ids=[f"{attack}-{group}-{subject.__name__}" for attack, group, subject, _ in BITES],
)
def test_what_gets_out_is_caught_with_the_smallest_example(
    attack: str, group: Group, subject: type, said: str
) -> None:
    with _examined(subject) as examination:
        result = examination.result(attack, group)
    assert str(result) == f"escaped: {said}"


def test_every_class_of_attack_has_something_to_bite() -> None:
    assert {attack for attack, *_ in BITES} == {each.name for each in CLASSES}
