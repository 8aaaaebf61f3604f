"""One operation on a tree: what was asked for, and what has come of it so far."""

from __future__ import annotations

from safefs.budget import UNLIMITED, Spending, checked
from safefs.errors import BudgetError
from safefs.kernel.trail import Moved
from safefs.operations.parent import crossing_told
from safefs.progress import Meter
from safefs.report import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from safefs.budget import Budget
    from safefs.progress import Listener
    from safefs.report import Action, Kind, TreeReport

    OnError = Callable[[OSError], object]


class WholeError(OSError):
    """Not of one entry but of the whole operation, so that no ``on_error`` is asked about it."""


# Likewise: going on would pass the limit, or lose the way.
_ENDS = (BudgetError, Moved, WholeError)


class Job:
    """Counts against the budget, tells of the progress, writes the report, hands on the errors.

    ``at`` is what the top is called in errors. Paths are from the top.
    """

    __slots__ = (
        "_meter",
        "_on_error",
        "_record",
        "_spending",
        "at",
        "budget",
        "checksum",
        "dry_run",
        "excused",
        "failed_in",
        "hard_links",
        "lost",
        "skipped",
        "told",
    )

    def __init__(
        self,
        *,
        on_error: OnError | None = None,
        progress: Listener | None = None,
        budget: Budget | None = None,
        dry_run: bool = False,
        hard_links: bool = False,
        checksum: bool = False,
    ) -> None:
        if on_error is not None and not callable(on_error):
            raise TypeError(f"on_error is a callable, not {type(on_error).__name__}")
        self.budget = checked(budget)
        self.dry_run = dry_run
        self.hard_links = hard_links
        self.checksum = checksum
        self.at = ""
        self.told = 0
        # The directories that cannot be done with, for something in them could not.
        self.failed_in: set[str] = set()
        self.skipped: set[str] = set()
        # Of those, how many were left out for what they are; and directories that have no target.
        self.excused = 0
        self.lost: set[str] = set()
        self._on_error = on_error
        self._meter = Meter(progress)
        self._spending = Spending(self.budget)
        self._record = Record()

    @property
    def surveys(self) -> bool:
        """Whether the tree is to be gone through before anything is changed."""
        return self.budget is not UNLIMITED or self._meter.wanted

    @property
    def watched(self) -> bool:
        """Whether somebody waits to hear of a long file's progress."""
        return self._meter.wanted

    @property
    def goes_on(self) -> bool:
        """Whether an entry that fails is passed over."""
        return self._on_error is not None

    def rehearsal(self) -> Job:
        """One that only counts: errors are for the real run to hand on."""
        silent = (lambda _: None) if self.goes_on else None
        return Job(on_error=silent, budget=self.budget, hard_links=self.hard_links)

    def counter(self) -> Job:
        """One that counts, and takes no offence at anything but too much."""
        return Job(on_error=lambda _: None, budget=self.budget, hard_links=self.hard_links)

    def expect(self, rehearsal: Job) -> None:
        """That the real run will do what the rehearsal did."""
        self._meter.expect(rehearsal._record.entries, rehearsal._record.bytes)

    def total(self, entries: int, size: int) -> None:
        """How much there is to do."""
        self._meter.expect(entries, size)

    def teller(self, path: str, counted: int, size: int) -> Callable[[int], None]:
        """What is to be told of bytes copied, of a file of ``size`` with so many counted before."""
        more = [counted]

        def tell(copied: int) -> None:
            before = min(0, more[0])
            more[0] -= copied
            beyond = before - min(0, more[0])
            if copied == size:
                self.bytes(path, beyond)  # all at once: what is done says so
            else:
                self.moved(path, copied, beyond)

        return tell

    # On the way

    def entry(self, path: str, depth: int) -> None:
        """An entry is about to be taken on."""
        if self.budget is not UNLIMITED:
            self._spending.entry(path, depth)

    def bytes(self, path: str, size: int) -> None:
        """So many bytes of it are taken on, or more of them than was known."""
        if self.budget is not UNLIMITED:
            self._spending.add(path, size)

    def moved(self, path: str, size: int, beyond: int = 0) -> None:
        """So many bytes of a file are done, though it is not; ``beyond`` were not counted yet."""
        self.bytes(path, beyond)
        self.told += size
        self._meter.advance(path, entries=0, size=size)

    def done(self, action: Action, path: str, kind: Kind, size: int = 0) -> None:
        """An entry is done, with so many bytes."""
        self._record.steps.append((action, path, kind))
        self._record.bytes += size
        if self._meter.wanted:
            self._meter.advance(path, size=size - self.told)
            self.told = 0

    @property
    def note(self) -> Callable[[tuple[Action, str, Kind]], object]:
        """What writes a step down that nobody waits to hear of, and that has no bytes."""
        return self._record.steps.append

    def failed(self, error: OSError, path: str, kind: Kind) -> None:
        """Raise it, or hand it on and leave the entry out."""
        self.told = 0
        if self._on_error is None or isinstance(error, _ENDS):
            if path:
                error.add_note(f"at {path!r} in the tree")  # its names are those of the two trees
            try:
                raise error
            finally:
                del error  # or it is a cycle, and keeps what its frames have open
        whole = f"{self.at}/{path}" if self.at and path else path or self.at or "."
        crossing_told(error, whole)
        error.filename = whole
        error.filename2 = None
        self._record.add("skip", path, kind)
        self.skipped.add(path)
        above = path.rpartition("/")[0]
        while above and above not in self.failed_in:
            self.failed_in.add(above)
            above = above.rpartition("/")[0]
        self.failed_in.add("")
        self._on_error(error)

    @property
    def begun(self) -> bool:
        """Whether anything has been done, or left out."""
        return bool(self._record.steps)

    def report(self) -> TreeReport:
        return self._record.report()


def whereabouts(text: str) -> str:
    """What the top of a tree is called in errors: the caller's path, from the root."""
    text = text.rstrip("/")
    return "" if text in ("", ".") else text
