"""Writes ``docs/comparison.md``: how safefs and others fare under attack. ``make comparison``.

All of it is measured: each subject is attacked in a jail by ``safefs.testing.fuzz``, and the
document says what came of it. Needs the extra ``comparison``; what is missing is an error.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safefs import Disk
from safefs.testing.adapters import OpenDALSubject
from safefs.testing.attacks import GROUPS
from safefs.testing.card import CLASSES
from safefs.testing.fuzz import examined
from safefs.testing.subjects import Subject
from tests.broken import Realpath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from safefs.testing.fuzz import Card
    from safefs.testing.trial import Result

    Make = Callable[[Path], object]

DOCUMENT = Path(__file__).parent.parent / "docs" / "comparison.md"
EXAMPLES = 60
SECONDS = 120


# Each is loaded in the jail: what a library does when it is imported, it does there.


def _disk() -> Make:
    return Disk


def _by_hand() -> Make:
    return Realpath


def _dirfs() -> Make:
    from fsspec.implementations.dirfs import DirFileSystem
    from fsspec.implementations.local import LocalFileSystem

    return lambda root: DirFileSystem(path=str(root), fs=LocalFileSystem())


def _osfs() -> Make:
    import warnings

    warnings.simplefilter("ignore")  # of pkg_resources, which it is built upon
    osfs: Any = __import__("fs.osfs", fromlist=["OSFS"]).OSFS
    return lambda root: osfs(str(root), expand_vars=False)


def _opendal() -> Make:
    import opendal

    class WithoutWalk(OpenDALSubject):
        walk = Subject.walk

    return lambda root: WithoutWalk(opendal.Operator("fs", root=str(root)))


def _obstore() -> Make:
    from obstore.store import LocalStore

    return lambda root: LocalStore(prefix=str(root))


def _django() -> Make:
    from django.conf import settings
    from django.core.files.storage import FileSystemStorage

    settings.configure()
    return lambda root: FileSystemStorage(location=str(root))


@dataclass(frozen=True, slots=True)
class Entry:
    """A subject of the comparison, and what it is for, in fairness."""

    name: str
    package: str
    load: Callable[[], Make]
    about: str

    @property
    def version(self) -> str:
        """Of the package that it is from; Python's own for what stands in no package."""
        return version(self.package) if self.package else platform.python_version()


ENTRIES = (
    Entry(
        "safefs.Disk",
        "safefs",
        _disk,
        "A directory that paths cannot leave, whoever wrote them and whatever moves meanwhile.",
    ),
    Entry(
        "realpath by hand",
        "",
        _by_hand,
        "`os.path.realpath`, `os.path.commonpath`, and then `open`: what is often advised. Right"
        " as long as nothing beneath the root changes between the check and the use.",
    ),
    Entry(
        "fsspec DirFileSystem",
        "fsspec",
        _dirfs,
        "A prefix for the paths of another file system, here `LocalFileSystem`. A path that climbs"
        " above the root is refused by its text; links are followed as `LocalFileSystem` does.",
    ),
    Entry(
        "PyFilesystem2 OSFS",
        "fs",
        _osfs,
        "One interface to many file systems. A path that climbs above the root is refused by its"
        " text; links are the operating system's affair.",
    ),
    Entry(
        "OpenDAL fs",
        "opendal",
        _opendal,
        "One interface to many storage services, of which a local directory is one. Its root is"
        " where paths begin. Asked without `walk`, since `Operator.scan('../absent/')` of this"
        " version does not return.",
    ),
    Entry(
        "obstore LocalStore",
        "obstore",
        _obstore,
        "A local directory in the role of an object store: keys and not paths. A key with `..` in"
        " it is refused by its text.",
    ),
    Entry(
        "Django FileSystemStorage",
        "Django",
        _django,
        "Where a site keeps its uploads. Names that lead out by their text are refused; nothing but"
        " the site is expected to make links in there.",
    ),
)


def main() -> int:
    """Examine all, and write the document. What is under way is said on standard error."""
    cards = []
    for entry in ENTRIES:
        sys.stderr.write(f"{entry.name} {entry.version}\n")
        cards.append(examined(entry.name, entry.load, examples=EXAMPLES, seconds=SECONDS))
    DOCUMENT.write_text(document(cards), "utf-8")
    return 0 if cards[0].verdict == "contained" else 1


def document(cards: Sequence[Card]) -> str:
    """All of ``docs/comparison.md``."""
    parts = [_head(cards), *(_line(row) for row in table(cards)), ""]
    for entry, card in zip(ENTRIES, cards, strict=True):
        parts += _section(entry, card)
    return "\n".join(parts)


def _head(cards: Sequence[Card]) -> str:
    versions = ", ".join(f"{entry.package} {entry.version}" for entry in ENTRIES if entry.package)
    linux = ".".join(platform.release().split(".")[:2])
    judged = sum(result.examples for card in cards for result in card.results)
    return f"""\
# Comparison

<!-- Written by tests/comparison.py. Do not edit; run: make comparison -->

How safefs, five other libraries and the check by hand (`realpath`) fare under the attacks of
[`safefs fuzz`](testing.md): each class of attack, with what reads, what writes and what
deletes. Measured by `make comparison` on
{datetime.now(UTC):%Y-%m-%d}, on Linux {linux} with Python {platform.python_version()}, in a jail
({cards[0].jail}), with at most {EXAMPLES} cases for each class and group, {judged:,} cases in all.
Versions: {versions}.

"contained": no case of the class got out. That is a measurement, and no proof. "escaped": one did,
with the words of the groups that are named; the smallest is given below, where `{{scratch}}` is the
directory that holds the root and the outside. "-": the library has no such operation. Most of the
others promise less than is measured here, and are fine where the paths and the tree are one's own:
see what each is for.
"""


def table(cards: Sequence[Card]) -> Iterator[tuple[str, ...]]:
    """The head, the rule, and a row for each class of attack."""
    yield ("class of attack", *(card.target for card in cards))
    yield tuple("---" for _ in range(len(cards) + 1))
    for each in CLASSES:
        yield (
            f"{each.name}: {each.about}",
            *(cell(_of_class(card.results, each.name)) for card in cards),
        )


def cell(results: Iterable[Result]) -> str:
    """What came of one class of attack on one subject."""
    by_ending: dict[str, list[str]] = {}
    for result in results:
        by_ending.setdefault(result.ending, []).append(result.group or "")
    offered = {ending: groups for ending, groups in by_ending.items() if ending != "not offered"}
    if not offered:
        return "-"
    if list(offered) == ["contained"]:
        return "contained"
    return "; ".join(
        f"{f'**{ending}**' if ending != 'contained' else ending}: {', '.join(groups)}"
        for ending, groups in sorted(offered.items(), key=lambda item: item[0] == "contained")
    )


def _of_class(results: Iterable[Result], name: str) -> list[Result]:
    found = [result for result in results if result.attack == name]
    return sorted(found, key=lambda result: GROUPS.index(result.group) if result.group else -1)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _section(entry: Entry, card: Card) -> list[str]:
    tried = [result for result in card.results if result.group and result.ending != "not offered"]
    contained = [
        each.name for each in CLASSES if cell(_of_class(card.results, each.name)) == "contained"
    ]
    with_any = sum(cell(_of_class(card.results, each.name)) != "-" for each in CLASSES)
    lines = [f"## {entry.name}", "", entry.about, ""]
    if len(contained) == with_any:
        lines += [f"Contained all {with_any} classes.", ""]
    elif contained:
        lines += [f"Contained {len(contained)} of {with_any} classes: {', '.join(contained)}.", ""]
    else:
        lines += [f"Contained none of {with_any} classes.", ""]
    subject = card.results[0]
    if subject.ending != "contained":
        lines += [f"As a subject: {subject}", ""]
    idle = sorted({word for result in tried for word in result.idle})
    if idle:
        lines += [f"Not shown, as it does nothing on plain paths either: {', '.join(idle)}.", ""]
    bad = [result for result in tried if result.ending != "contained"]
    if bad:
        lines += ["```text", *(f"{each.attack}, {each.group}: {each}" for each in bad), "```", ""]
    return lines


if __name__ == "__main__":
    sys.exit(main())
