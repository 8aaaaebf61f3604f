"""The kit bites: for each class of attack there is a storage that gets out by it, and is caught.

Every storage here is bad, and so is met in a jail only. Where a test takes the jail away, what
could be harmed is a victim of its own, and what must not be called says so by a file.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from safefs import Disk, Root
from safefs.testing import ContainmentSuite, as_subject, jail
from safefs.testing.attacks import ATTACKS, INSIDE, OUTSIDE
from safefs.testing.card import CLASSES, Examination, verdict
from safefs.testing.oracle import Directory, File, Link, Node, resolve
from safefs.testing.scratch import snapshot
from safefs.testing.subjects import Subject
from safefs.testing.swaps import race
from safefs.testing.trial import Trial
from tests import broken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.attacks import Attack, Case, Group
    from safefs.testing.trial import Ending, Result

PROJECT = Path(__file__).parent.parent
needs_jail = pytest.mark.skipif(jail.kind() is None, reason="needs a jail")
pytestmark = [needs_jail, pytest.mark.timeout(300), pytest.mark.usefixtures("untraced")]

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
        "hostile text",
        "delete",
        broken.Joined,
        "remove('../outside/secret.txt'): removed outside/secret.txt",
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
        "link to a file",
        "read",
        broken.RefusesOnce,
        "read('l') through l => ../outside/secret: returned the content of outside/secret",
    ),
    (
        "swap race",
        "read",
        broken.Remembers,
        (
            "read('d/g') while d is exchanged for a link to ../outside "
            "before it is called again: returned the content of outside/g"
        ),
    ),
    (
        "link to a file",
        "read",
        broken.ReadsInCapitals,
        "read('l') through l => ../outside/secret: returned 4001 bytes that stand nowhere inside",
    ),
    (
        "metadata",
        "read",
        broken.TellsSizesAsText,
        "stat('l') through l => ../outside/secret: told the size of outside/secret",
    ),
    (
        "metadata",
        "read",
        broken.TellsTimesAsText,
        "stat('l') through l => ../outside/secret: told the time of outside/secret",
    ),
    (
        "metadata",
        "read",
        broken.TellsSizesInAnObject,
        "stat('l') through l => ../outside/secret: told the size of outside/secret",
    ),
    (
        "link to a file",
        "read",
        broken.ReadsIntoABuffer,
        "read('l') through l => ../outside/secret: returned the content of outside/secret",
    ),
    (
        "link to a file",
        "read",
        broken.ReadsText,
        "read('l') through l => ../outside/secret: returned the content of outside/secret",
    ),
    (
        "link to a file",
        "read",
        broken.QuotesInItsErrors,
        "read('l') through l => ../outside/secret: told the content of outside/secret in its error",
    ),
    (
        "link to a directory",
        "read",
        broken.NamesInItsErrors,
        "list('l') through l => ../outside: named victim, which is outside, in its error",
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
        "existence",
        "read",
        broken.TellsByTheTextOfItsErrors,
        (
            "read('l') and read('k') through l => ../outside/secret, k => ../outside/absent: "
            "told what is there outside from what is not by its errors "
            "('forbidden: _', then 'missing: _')"
        ),
    ),
    (
        "path of another type",
        "read",
        broken.ChecksTextOnly,
        (
            "read(fsencode('l')) through l => ../outside/secret: "
            "returned the content of outside/secret"
        ),
    ),
    (
        "path of another type",
        "write",
        broken.TrustsPaths,
        "write(fsencode('l')) through l => ../outside/new: created outside/new",
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


def test_by_hand_nothing_gets_out_while_nothing_moves() -> None:
    """The check before the use is wrong only in between: the kit has to make that moment."""
    with _examined(broken.Realpath, examples=20) as examination:
        found = {
            str(examination.result(each.name, "read"))
            for each in CLASSES[:-1]
            if "read" in each.groups
        }
    assert found == {"contained"}


# -- the attacks are what they say ---------------------------------------------------------------

_IN_DISGUISE = ("encoded", "expansion", "NUL", "hostile text", "listing", "removing a tree")
_PLAIN_WAYS = [each for each in ATTACKS if each.name not in _IN_DISGUISE]
_FEWER = settings(
    max_examples=max(10, (settings.default or settings()).max_examples // 4),
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("attack", _PLAIN_WAYS, ids=lambda each: each.name)
@_FEWER
@given(data=st.data())
def test_every_way_out_is_one_by_the_oracle(attack: Attack, data: st.DataObject) -> None:
    words = [word for group in attack.words.values() for word in group]
    case: Case = data.draw(attack.cases(words))
    tree = _in_memory(case)
    for path in case.call.paths:
        if path not in ("f", "n") and not path.startswith("file:"):
            assert resolve(tree, _filled(path)).error == "escape", path


def _filled(text: str) -> str:
    return text.replace("{scratch}", "/s").replace("{root}", "/s/root")


def _in_memory(case: Case) -> Directory:
    tree = Directory()
    nodes: list[tuple[str, Node]] = [(name, File(data)) for name, data in INSIDE.items()]
    nodes += [(place, Link(_filled(text))) for place, text in case.links]
    for name, node in nodes:
        *above, last = name.split("/")
        here = tree
        for part in above:
            found = here.entries.setdefault(part, Directory())
            assert isinstance(found, Directory)
            here = found
        here.entries[last] = node
    return tree


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda each: each.name)
@_FEWER
@given(data=st.data())
def test_no_case_climbs_higher_than_the_moat_nor_names_a_real_place(
    attack: Attack, data: st.DataObject
) -> None:
    words = [word for group in attack.words.values() for word in group]
    case: Case = data.draw(attack.cases(words))
    texts = [*case.call.paths, *(text for _, text in case.links)]
    assert sum(text.count("..") for text in texts) <= 12
    assert not [text for text in texts if text.startswith("/") and "{" not in text]


def test_each_object_outside_is_told_by_its_size() -> None:
    assert len(set(OUTSIDE.values())) == len(OUTSIDE)


# -- bad subjects --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "ending", "said"),
    [
        (broken.CannotBeMade, "no subject", "RuntimeError: no licence"),
        (broken.Hangs, "hung", "read('f'): no end in 5 s"),
        (broken.Dies, "died", f"read('f'): signal {signal.SIGSEGV:d}"),
        (broken.Exits, "died", "read('f'): SystemExit: 3"),
        (broken.LeaksDescriptors, "leaks descriptors", "more are open after 12 rounds"),
        (broken.LeaksWhenMade, "leaks descriptors", "more are open after 12 rounds"),
        (broken.WalksWithoutEnd, "hung", "walk('d'): does not end (more than 10,000 answers)"),
        (broken.LeavesThreads, "leaves threads", "12 more run after 12 subjects were closed"),
        (broken.RefusesEverything, "refuses everything", "read('f') raised PermissionError: f"),
        (broken.OffersNothing, "not offered", "offers no operation"),
        (lambda root: str(root), "no subject", "TypeError: the kit cannot ask a str; give it"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", None),
)
def test_what_is_no_subject_is_reported_as_what_it_is(
    subject: Callable[[Path], object], ending: Ending, said: str
) -> None:
    with _examined(subject, seconds=5 if said.endswith("5 s") else 60) as examination:
        result = examination.subject()
        assert result.ending == ending
        assert said in result.example
        found = {examination.result("dot-dot", group).ending for group in ("read", "write")}
    assert "contained" not in found or ending in ("leaks descriptors", "leaves threads")
    assert verdict([result]) == ending


def test_who_is_too_slow_to_be_tried_enough_does_not_pass_by_it() -> None:
    def tried() -> list[Result]:
        trial = Trial(broken.Careful, Path.cwd(), examples=200, seconds=60)
        trial.arena.prepare = _but_late(trial, trial.arena.prepare, calls=30)
        dot_dot = next(each for each in ATTACKS if each.name == "dot-dot")
        return [trial.run(dot_dot, "read"), race(trial, "read", rounds=2)]

    with jail.scratch_directory() as scratch:
        found = jail.jailed(tried, scratch=scratch)
    assert [result.ending for result in found] == ["too slow"] * 2, found
    assert found[0].example.endswith(" of 200 cases in 60 s")
    assert verdict(found) == "too slow"
    assert not any(result.passed for result in found)


def _but_late(trial: Trial, prepare: Callable[..., None], *, calls: int) -> Callable[..., None]:
    """Time is up after so many preparations, however long they took."""
    left = iter(range(calls))

    def prepared(*links: Any) -> None:
        if next(left, None) is None:
            trial.deadline = 0
        prepare(*links)

    return prepared


def test_who_sees_nothing_of_the_root_is_asked_to_write_nothing(victim: Path) -> None:
    """It may be a bucket of somebody's, where what the kit writes and removes is not its own."""
    with _examined(broken.IsElsewhere) as examination:
        result = examination.subject()
        found = {examination.result("dot-dot", group).ending for group in ("write", "delete")}
    assert (result.ending, result.idle) == ("refuses everything", ("read",))
    assert found == {"refuses everything"}


def test_who_hangs_at_an_attack_only_is_tried_three_times_and_no_more() -> None:
    with _examined(broken.HangsOnLinks) as examination:
        assert examination.subject().passed
        examination.seconds = 2
        found = [examination.result(each.name, "read") for each in CLASSES[:5]]
    assert [result.ending for result in found] == ["hung"] * 3 + ["not run"] * 2
    assert found[0].example.endswith(": no end in 2 s")
    assert str(found[4]) == "not run: it hung 3 times before"


def test_who_is_too_slow_for_a_single_case_has_not_passed() -> None:
    with jail.scratch_directory() as scratch:
        found = jail.jailed(
            lambda: Trial(broken.Careful, scratch, seconds=0).run(ATTACKS[0], "read"),
            scratch=scratch,
        )
    assert str(found) == "not run: there was no time for a single case"


def test_who_leaks_a_descriptor_when_it_refuses_is_caught_at_that() -> None:
    with _examined(broken.LeaksWhenItRefuses) as examination:
        assert examination.subject().passed
        result = examination.result("link in the middle", "write")
    assert result.ending == "leaks descriptors"


def test_who_leaves_a_thread_when_it_refuses_is_caught_at_that() -> None:
    with _examined(broken.LeavesThreadsWhenItRefuses) as examination:
        assert examination.subject().passed
        result = examination.result("link in the middle", "write")
    assert result.ending == "leaves threads", result


def test_who_gives_answers_without_end_at_an_attack_only_hangs_at_that() -> None:
    with _examined(broken.WalksLinksWithoutEnd) as examination:
        assert examination.subject().passed
        result = examination.result("listing", "read")
    assert result.ending == "hung", result
    assert result.example.endswith("does not end (more than 10,000 answers)")


def test_who_refuses_everything_of_one_word_passes_no_class_by_it() -> None:
    class RefusesToRead(broken.Careful):
        def read(self, path: str) -> bytes:
            raise PermissionError(path)

    with _examined(RefusesToRead) as examination:
        assert examination.subject().idle == ("read",)
        assert examination.result("link to a file", "read").ending == "refuses everything"
        mixed = examination.result("link in the middle", "read")
    assert (mixed.ending, mixed.idle) == ("contained", ("read",))
    assert "read" not in mixed.words


# -- no accidents --------------------------------------------------------------------------------


@pytest.fixture
def victim() -> Iterator[Path]:
    """A directory beside every scratch of the kit, which must not change."""
    with jail.scratch_directory() as top:
        (top / "d").mkdir()
        (top / "d" / "f").write_text("precious")
        before = snapshot(top)
        yield top
        assert snapshot(top) == before


def test_who_removes_trees_by_name_removes_none_outside_the_scratch(victim: Path) -> None:
    """As root, and with a subject that is out for it: see what it tries besides."""

    class RemovesAll(broken.Joined):
        def remove_tree(self, path: str) -> None:
            for place in (self.at(path), str(victim), f"{victim}/d", "../../.."):
                shutil.rmtree(place, ignore_errors=True)

        def remove(self, path: str) -> None:
            self.remove_tree(path)

        def close(self) -> None:
            self.remove_tree(self.root)

    with _examined(RemovesAll, examples=10) as examination:
        examination.result("dot-dot", "read")
        found = [
            str(examination.result(name, "delete"))
            for name in ("dot-dot", "absolute path", "removing a tree", "hostile text")
        ]
    assert [said.partition(":")[0] for said in found] == ["escaped"] * 4, found
    assert (victim / "d" / "f").read_text() == "precious"


def test_without_a_jail_a_subject_that_leaks_is_not_asked_to_write_or_delete(
    victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = victim.parent / f"{victim.name}-called"

    class ReadsAnything(broken.Joined):
        def write(self, path: str, data: bytes) -> None:
            called.touch()

        append = create = write

        def mkdir(self, path: str) -> None:
            called.touch()

        def copy(self, source: str, target: str) -> None:
            called.touch()

        rename = copy

        def remove(self, path: str) -> None:
            called.touch()

        remove_tree = remove

    monkeypatch.setattr(jail, "kind", lambda: None)
    with _examined(ReadsAnything, examples=3) as examination:
        results = examination.results()
    writing = [result for result in results if result.group in ("write", "delete")]
    assert {result.ending for result in writing} == {"not run"}
    assert {result.example for result in writing} == {
        "it leaks, and there is no jail here to let it write or delete in"
    }
    assert verdict(results) == "escaped"
    assert not called.exists()


def test_without_a_jail_a_subject_that_has_passed_what_reads_is_asked_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jail, "kind", lambda: None)
    with _examined(Root, examples=2) as examination:
        assert str(examination.result("link in the middle", "delete")) == "contained"


# -- as pytest has it ------------------------------------------------------------------------------


def test_the_example_in_the_documents_does_what_they_say_in_fifteen_lines(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "testing.md").read_text("utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    printed = page.partition("```text\n")[2].partition("\n")[0]
    assert len(code.splitlines()) <= 15
    (tmp_path / "test_mine.py").write_text(code)
    options = ["-q", "-p", "no:cacheprovider", "-rfs", "-k", "subject or dot-dot or listing"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "test_mine.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PROJECT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert printed in run.stdout.splitlines(), run.stdout
    assert "Traceback" not in run.stdout
    assert "not offered: dot-dot, write" in run.stdout


def test_make_subject_has_to_be_given() -> None:
    from safefs.testing import ContainmentSuite

    with pytest.raises(NotImplementedError, match="make_subject"):
        ContainmentSuite().make_subject(Path())


@pytest.mark.parametrize("thing", [3, "text", object(), None])
def test_what_no_adapter_knows_is_said_to_be_so(thing: object) -> None:
    with pytest.raises(TypeError, match=f"cannot ask a {type(thing).__name__}; give it a"):
        as_subject(thing)


@pytest.mark.parametrize(
    "make",
    [
        lambda root: root,
        lambda root: UPath(f"file://{root}"),
        lambda root: Disk(root) / ".",
        lambda root: DirFileSystem(path=str(root), fs=LocalFileSystem()),
        lambda root: Disk(root).fs,
    ],
    ids=["Path", "UPath", "DiskPath", "DirFileSystem", "Disk.fs"],
)
def test_an_adapter_asks_in_the_words_of_its_library(make: Callable[[Path], object]) -> None:
    with _examined(make) as examination:
        result = examination.subject()
    assert {"read", "list", "write", "remove", "rename"} <= set(result.words), result
    assert not result.idle


def test_a_subject_is_its_own_adapter(tmp_path: Path) -> None:
    subject: Subject = broken.RefusesEverything(tmp_path)
    assert as_subject(subject) is subject


def _raises(text: str) -> Subject:
    raise NameError(text)


class _Slips(Subject):
    """What its author meant is plain, and none of it is there."""

    def raed(self, path: str) -> bytes:
        return b""


class _Raises(Subject):
    def read(self, path: str) -> bytes:
        _raises("name 'opne' is not defined")
        return b""


class _ReadsText(Subject):
    def read(self, path: str) -> bytes:
        return "inside"  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("subject", "ending", "says"),
    [
        (_Slips, "not offered", "offers no operation; did you mean read by raed?"),
        (_Raises, "refuses everything", "read('f') raised NameError: name 'opne' is not defined"),
        (_ReadsText, "refuses everything", "read('f') returned str, not bytes"),
    ],
)
def test_a_slip_in_the_subject_is_told_and_is_no_pass(
    subject: type[Subject], ending: str, says: str
) -> None:
    class Suite(ContainmentSuite):
        def make_subject(self, root_directory: Path) -> object:
            return subject()

    with closing(Examination(lambda _: subject(), examples=1, seconds=30)) as examination:
        result = examination.subject()
    assert (result.ending, result.passed) == (ending, False)
    assert says in result.example
    with pytest.raises(pytest.fail.Exception, match=re.escape(says)):
        Suite().test_there_is_a_subject()
    Suite.teardown_class()
