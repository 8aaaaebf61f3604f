"""Every operation of Root over the whole table of containment, on both resolvers."""

from __future__ import annotations

import os
from errno import errorcode
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs.errors import EscapeError
from safefs.kernel import probe
from safefs.root import Root
from tests import layouts

if TYPE_CHECKING:
    from safefs.testing.scratch import Scratch


def test_the_table_has_sixty_rows_and_each_has_its_own_name() -> None:
    names = [case.name for case in layouts.TABLE]
    assert len(names) >= 60
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", layouts.TABLE, ids=lambda case: case.name)
def test_every_operation_ends_as_the_plain_one_would_inside_and_refuses_the_rest(
    case: layouts.Case, resolver: str, scratch: Scratch
) -> None:
    problems = layouts.run(case, scratch)
    assert not problems, "\n".join([f"{case.path!r} by {resolver}", *problems])


@pytest.mark.parametrize("case", layouts.TABLE, ids=lambda case: case.name)
def test_rule_18_both_resolvers_end_every_operation_alike(
    case: layouts.Case, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only as they should, which leaves some latitude, but as one another."""
    scratch.remember(scratch.base / "reference")
    endings = []
    for word in ("openat2", "walk"):
        monkeypatch.setattr(probe, "forced", word)
        bench = layouts.Bench(case, scratch)
        endings.append({op.name: bench.ending(op) for op in layouts.OPERATIONS})
    assert endings[0] == endings[1]


_NAMES = st.sampled_from(["a", "b", "l", "m", "..", ".", "", "out"])
_PATHS = st.lists(_NAMES, max_size=6).map("/".join).filter(lambda path: not path.startswith("/"))
_TARGETS = _PATHS.filter(bool)
_LINES = st.one_of(
    st.builds("{} => {}".format, st.sampled_from(["l", "m", "a/l", "a/b/m"]), _TARGETS),
    st.sampled_from(["a/", "a/b/", "b", "a/f", "a/b/f"]),
)


@pytest.mark.timeout(900)
@given(lines=st.lists(_LINES, max_size=5), path=_PATHS, flag=st.sampled_from([0, os.O_NOFOLLOW]))
def test_both_resolvers_come_to_the_same_file_or_the_same_error(
    lines: list[str], path: str, flag: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two that were written apart must agree; what they reach is beneath the root."""
    from safefs.testing.scratch import Scratch

    scratch = Scratch.make(tmp_path_factory.mktemp("agree"))
    _lay_what_can_be(lines, scratch)
    with Root(scratch.root) as root:
        ends = {word: _end(root, path, word, follow=not flag) for word in ("openat2", "walk")}
    assert ends["openat2"] == ends["walk"]
    assert ends["walk"] in {"escape"} | _inside(scratch) or str(ends["walk"]).startswith("E")


def _lay_what_can_be(lines: list[str], scratch: Scratch) -> None:
    """Random lines may ask for a file where a directory stands; those are left out."""
    for line in lines:
        try:
            layouts.lay((line,), str(scratch.root), scratch)
        except OSError:
            continue


def _end(root: Root, path: str, resolver: str, *, follow: bool) -> object:
    before, probe.forced = probe.forced, resolver
    try:
        seen = root.stat(path) if follow else root.lstat(path)
    except EscapeError:
        return "escape"
    except OSError as error:
        return errorcode[error.errno or 0]
    finally:
        probe.forced = before
    return seen.st_dev, seen.st_ino


def _inside(scratch: Scratch) -> set[object]:
    found: set[object] = set()
    for directory, names, others in os.walk(scratch.root):
        for path in [directory, *(os.path.join(directory, name) for name in names + others)]:
            seen = os.lstat(path)
            found.add((seen.st_dev, seen.st_ino))
    return found
