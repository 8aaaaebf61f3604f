"""``safefs demo``: named disks at work on real files, and published escapes that bounce off.

Everything happens in a temporary directory, which for that time is the home directory, the place of
every XDG folder and the place of temporary files. It is gone afterwards.
"""

from __future__ import annotations

import os
import tempfile
import textwrap
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safefs.errors import SafefsError
from safefs.root import Root
from safefs.storage import Storage
from safefs.testing.replays import load, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.replays import Result

    Say = Callable[[str], None]

_WIDTH = 100  # columns
_CODE, _SOURCE, _TRIED, _SAID = 56, 24, 24, 42
_CSV = "item,price\ntea,3.20\ncoffee,4.50\n"
_NO_PANDAS = "pandas is not installed; get it with: pip install pandas"


def run(say: Say) -> int:
    """Show it all, one line at a time; 0 if every step and every replay went as it must."""
    with _throw_away_home() as home:
        _title(say, f"A throw-away home: {home}")
        with Storage("Safefs Demo") as storage:
            _disks(say, storage, home)
            _paths(say, storage)
            _root(say, home)
            complete = _urls(say, storage, home)
            _walls(say, storage, home)
        failures = _replays(say, home.parent / "replays")
    return 0 if complete and not failures else 1


@contextmanager
def _throw_away_home() -> Iterator[Path]:
    before, before_temporary = dict(os.environ), tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="safefs-demo-") as directory:
        top = Path(directory).resolve()
        for name in ("home", "runtime", "temporary"):
            (top / name).mkdir(mode=0o700)
        for name in [name for name in os.environ if name.startswith("XDG_")]:
            del os.environ[name]
        os.environ["HOME"] = str(top / "home")
        os.environ["XDG_RUNTIME_DIR"] = str(top / "runtime")
        os.environ["TMPDIR"] = tempfile.tempdir = str(top / "temporary")
        try:
            yield top / "home"
        finally:
            os.environ.clear()
            os.environ.update(before)
            tempfile.tempdir = before_temporary


# -- the four doors ----------------------------------------------------------------------------


def _disks(say: Say, storage: Storage, home: Path) -> None:
    say(f"storage = Storage('Safefs Demo')   # {len(storage)} disks:")
    _wrapped(say, ", ".join(storage))
    _tried(say, "documents = storage.disk('documents')", lambda: storage.disk("documents"))
    (home / "Documents").mkdir()
    say("    (so it is made)")

    _title(say, "Disk: the words of Laravel's Storage")
    documents, appdata = storage.disk("documents"), storage.disk("appdata")
    documents.put("reports/prices.csv", _CSV)
    size = f"{documents.size('reports/prices.csv')} bytes"
    _showed(say, "documents.put('reports/prices.csv', ...)", size)
    documents.put_json("reports/meta.json", {"currency": "EUR"})
    _showed(say, "documents.json('reports/meta.json')", repr(documents.json("reports/meta.json")))
    _showed(say, "documents.all_files()", repr(documents.all_files()))
    appdata.put("state.json", "{}")
    mode = f"{appdata.visibility('state.json')}: {appdata.stat('state.json').permissions:04o}"
    _showed(say, "appdata.put('state.json', '{}')", mode)


def _paths(say: Say, storage: Storage) -> None:
    _title(say, "DiskPath: the words of pathlib")
    note = storage.disk("documents") / "notes" / "today.md"
    note.parent.mkdir()
    say("note = documents / 'notes' / 'today.md'; note.parent.mkdir()")
    _showed(say, "note.write_text('# Today')", f"{note.write_text('# Today')} characters")
    _showed(say, "note.with_suffix('.txt').name", repr(note.with_suffix(".txt").name))
    names = [path.name for path in note.parent.iterdir()]
    _showed(say, "[path.name for path in note.parent.iterdir()]", repr(names))


def _root(say: Say, home: Path) -> None:
    _title(say, "Root: the words of os")
    with Root(home / "Documents") as root:
        _showed(
            say, "root = Root(home / 'Documents'); root.listdir()", repr(sorted(root.listdir()))
        )
        root.rename("notes/today.md", "notes/monday.md")
        _showed(
            say, "root.rename('notes/today.md', 'notes/monday.md')", repr(root.listdir("notes"))
        )
        with root.open("notes/monday.md") as file:
            _showed(say, "root.open('notes/monday.md').read()", repr(file.read()))


def _urls(say: Say, storage: Storage, home: Path) -> bool:
    """Whether pandas was there to read them."""
    _title(say, "safefs://: fsspec, and what stands on it")
    (home / "private.csv").write_text("item,price\nsecret,1\n", "utf-8")
    (home / "Documents" / "reports" / "link.csv").symlink_to("../../private.csv")
    try:
        import pandas as pd
    except ImportError:
        say(f"  {_NO_PANDAS}")
        return False
    with storage.register("documents"):
        url = "safefs://documents/reports/prices.csv"
        say(f"pandas.read_csv('{url}')")
        for line in pd.read_csv(url).to_string().splitlines():
            say(f"    {line}")
        link = url.replace("prices", "link")
        _tried(say, f"pandas.read_csv('{link}')", lambda: pd.read_csv(link))
    return True


def _walls(say: Say, storage: Storage, home: Path) -> None:
    _title(say, "What stays outside")
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh" / "id_ed25519").write_text("a private key", "utf-8")
    (home / "notes").symlink_to(".ssh")
    documents, user = storage.disk("documents"), storage.disk("home")
    _tried(say, "documents.get('../private.csv')", lambda: documents.get("../private.csv"))
    _tried(say, "documents.get('reports/link.csv')", lambda: documents.get("reports/link.csv"))
    absolute = f"{home}/private.csv"
    _tried(say, f"documents.put('{absolute}', '')", lambda: documents.put(absolute, ""))
    _tried(say, "home.get('.ssh/id_ed25519')", lambda: user.get(".ssh/id_ed25519"))
    _tried(
        say, "home.get('notes/id_ed25519')   # notes -> .ssh", lambda: user.get("notes/id_ed25519")
    )


def _showed(say: Say, code: str, answer: str) -> None:
    say(f"{code:{_CODE}} {_clipped(answer, _WIDTH - _CODE - 1)}")


def _tried(say: Say, code: str, attempt: Callable[[], Any]) -> None:
    """Something that must be refused; that it was not ends the demo."""
    try:
        attempt()
    except SafefsError as error:
        reason = getattr(error, "strerror", None) or str(error)
        say(_clipped(code, _WIDTH))
        _wrapped(say, f"{type(error).__name__}: {reason}")
    else:
        raise SafefsError(f"{code} was not refused")


# -- the replays -------------------------------------------------------------------------------


def _replays(say: Say, scratch: Path) -> int:
    """How many came out as they must not."""
    cases = load()
    _title(say, f"{len(cases)} published escapes, replayed against a disk")
    results = []
    for case in cases:
        (scratch / case.id).mkdir(parents=True)
        results.append(replay(case, scratch / case.id))
        say(_line(results[-1]))
    ran = [result for result in results if result.skipped is None]
    failed = [result for result in ran if not result.passed]
    refused = sum(result.verdict != "ok" for result in ran)
    harmless = len(ran) - refused
    skipped = Counter(result.skipped for result in results if result.skipped is not None)
    _title(say, "Summary")
    say(f"{len(ran):4} run: {refused} refused or not found, {harmless} done without any harm")
    say(f"{len(failed):4} failed")
    say(f"{skipped.total():4} skipped")
    for reason, count in sorted(skipped.items()):
        say(f"     {count:4} {reason}")
    return len(failed)


def _line(result: Result) -> str:
    mark = "skip" if result.skipped else "ok" if result.passed else "FAIL"
    said = result.skipped or result.failure or result.said
    # That the path leaves the root is what the whole list is about.
    said = said.replace(": path leaves the root (", " (").replace("; leave out the first '/'", "")
    cells = (
        (mark, 4),
        (result.source.removeprefix("https://github.com/"), _SOURCE),
        (result.tried, _TRIED),
        (said, _SAID),
    )
    return "  ".join(f"{_clipped(cell, width):{width}}" for cell, width in cells).rstrip()


def _wrapped(say: Say, text: str) -> None:
    for line in textwrap.wrap(text, _WIDTH - 4, break_on_hyphens=False):
        say(f"    {line}")


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _title(say: Say, text: str) -> None:
    say("")
    say(f"── {text} ".ljust(_WIDTH, "─"))
