"""What every test stands on: the resolver, a scratch with a moat, and two guards.

The guards ask of every test, without being asked: that it leaves the descriptors of this process
as it found them, and (where it uses ``scratch``) that nothing outside the root was changed.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from tests.counts import COUNTS, Count, table

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from safefs.testing.scratch import Scratch

# dev: while writing; ci: what `make test` has time for; prove: the full counts, `make prove`.
_SCALES = {"dev": 0.2, "ci": 1.0, "prove": 20.0}
PROFILE = os.environ.get("SAFEFS_PROFILE", "ci")
if PROFILE not in _SCALES:
    raise pytest.UsageError(f"SAFEFS_PROFILE is one of {', '.join(_SCALES)}; not {PROFILE!r}")

for _name, _examples in (("dev", 20), ("ci", 100), ("prove", 3000)):
    settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,  # a shared machine of two cores stalls now and then
        derandomize=_name == "ci",
        database=None,
        # monkeypatch and tmp_path do not change between the examples of one test.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
settings.load_profile(PROFILE)


_PATIENCE = 1800  # seconds for a test of full counts that sets no limit of its own


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What ends a test that hangs in ci would end one that counts thirty times as far in prove."""
    if PROFILE == "prove":
        for item in items:
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(_PATIENCE))


@pytest.fixture(scope="session")
def scaled() -> Callable[[int], int]:
    """A count for the profile in use: as given in ci, a fifth in dev, twentyfold in prove."""
    return lambda count: max(1, int(count * _SCALES[PROFILE]))


@pytest.fixture(params=["openat2", "walk"])
def resolver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Force each resolver in turn; a test that asks for this runs on both."""
    from safefs.kernel import probe

    monkeypatch.setattr(probe, "forced", request.param)
    return str(request.param)


class Calls(list[tuple[str, tuple[object, ...], object]]):
    """The system calls that safefs made, in order: (name, arguments, answer or errno)."""

    def named(self, *names: str) -> list[tuple[str, tuple[object, ...], object]]:
        return [call for call in self if call[0] in names]

    def most_open(self) -> int:
        """How many descriptors were open at once, of those opened since the recording began."""
        held: set[object] = set()
        most = 0
        for name, arguments, answer in self:
            if name in ("open", "openat2") and isinstance(answer, int) and answer >= 0:
                held.add(answer)
                most = max(most, len(held))
            elif name == "close":
                held.discard(arguments[0])
        return most


_PLAIN = (int, str, bytes, type(None), tuple)
_NO_CALLS = ("open_how",)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    """Record every system call of safefs from here on, but not those of other tests' garbage."""
    from safefs.kernel import syscalls

    recorded = Calls()

    def record(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **keywords: object) -> object:
            given = (*args, *keywords.values())
            shown = tuple(a if isinstance(a, _PLAIN) else type(a).__name__ for a in given)
            try:
                answer = real(*args, **keywords)
            except OSError as error:
                recorded.append((name, shown, f"errno {error.errno}"))
                raise
            recorded.append((name, shown, answer if isinstance(answer, int) else None))
            return answer

        return call

    for name, real in list(vars(syscalls).items()):
        if callable(real) and name.islower() and name[0] != "_" and name not in _NO_CALLS:
            monkeypatch.setattr(syscalls, name, record(name, real))
    gc.disable()
    yield recorded
    gc.enable()


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """For a test whose worth is a number: it is in the summary, and in the table of `make prove`.

    ``counted("interleavings", "12,345 triples", seconds=3.2, escapes=0)``
    """

    def count(
        what: str,
        how_many: str,
        *,
        seconds: float,
        escapes: int | None = None,
        disagreements: int | None = None,
    ) -> None:
        # A plain tuple: what travels from one process of the run to another is of plain types.
        record_property("counted", tuple(Count(what, how_many, seconds, escapes, disagreements)))

    return count


@pytest.fixture
def untraced() -> Iterator[None]:
    """Coverage is for other tests to take: traced, thousands of runs take twice as long."""
    tracer = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(tracer)


_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember what failed: its traceback keeps its frames alive, with all they hold open."""
    report = yield
    if call.excinfo is not None:
        if report.failed:
            item.session.stash[_failed] = True
        item.stash[_failed] = True  # as it should, perhaps
    return report


# What the runtimes of some libraries keep for their threads, and never give back: no files.
_OF_RUNTIMES = ("anon_inode:[eventpoll]", "anon_inode:[eventfd]")


def _descriptors() -> dict[int, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue  # the one that listed the directory
        if target not in _OF_RUNTIMES:
            found[int(name)] = target
    return found


def _leaked_and_lost(before: dict[int, str]) -> tuple[dict[int, str], dict[int, str]]:
    """The number of a closed Root leads to os.devnull until its last reference goes, which may be
    that of an earlier test's error: its going is no loss.
    """
    after = _descriptors()
    leaked = {fd: name for fd, name in after.items() if before.get(fd) != name}
    gone = {fd: name for fd, name in before.items() if after.get(fd) != name}
    return leaked, {fd: name for fd, name in gone.items() if name != os.devnull}


def _assert_same_descriptors(before: dict[int, str]) -> None:
    # What was caught by pytest.raises is a cycle that holds the frames of its test. It is young,
    # so the cheap collections usually do; the full one costs more than most tests.
    for generation in range(3):
        if not any(_leaked_and_lost(before)):
            return
        gc.collect(generation)
    # The threads of a library (pyarrow's, for one) may not have let go of a file yet.
    patience = time.monotonic() + 5
    while any(_leaked_and_lost(before)) and time.monotonic() < patience:
        time.sleep(0.1)
        gc.collect()  # what a thread has let go of may be garbage then
    leaked, lost = _leaked_and_lost(before)
    assert not leaked, f"descriptors left open: {leaked}"
    assert not lost, f"descriptors closed that were another's: {lost}"


@pytest.fixture(autouse=True, scope="session")
def _no_descriptor_leaks_in_the_whole_run(request: pytest.FixtureRequest) -> Iterator[None]:
    before = _descriptors()
    yield
    if not request.session.stash.get(_failed, False):
        _assert_same_descriptors(before)


@pytest.fixture(autouse=True)
def _no_descriptor_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Not asked after a failure: what is open then is the failed test's, and may go at any time.

    A closed Root keeps its number until its last reference goes, and pytest holds the values of
    fixtures beyond their teardown, so those are let go first.
    """
    before = _descriptors()
    yield
    if isinstance(request.node, pytest.Function):
        request.node.funcargs.clear()
    if not any(each.stash.get(_failed, False) for each in (request.session, request.node)):
        _assert_same_descriptors(before)


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    """A root and an outside under a moat; after the test the outside must be as it was."""
    from safefs.testing.scratch import Scratch

    made = Scratch.make(tmp_path)
    made.remember()
    yield made
    changes = made.changes()
    assert not changes, f"changed outside the root: {changes}"


@pytest.fixture
def fs(scratch: Scratch) -> Iterator[Any]:
    """``safefs://`` with one disk, ``documents``, on the root of the scratch."""
    import fsspec

    from safefs import Disk, Storage

    with (
        Disk(scratch.root) as disk,
        Storage("app", disks={"documents": disk}) as storage,
        storage.register("documents"),
    ):
        yield fsspec.filesystem("safefs")


def _end_loop() -> None:
    """That of fsspec, if there is one: it starts it in a thread, and never ends it."""
    import fsspec.asyn

    loop, thread = fsspec.asyn.loop[0], fsspec.asyn.iothread[0]
    if loop is not None:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        fsspec.asyn.loop[0] = fsspec.asyn.iothread[0] = None


@pytest.fixture(scope="module")
def _own_loop() -> Iterator[None]:
    """A loop of fsspec's before the descriptors of any test of the module are looked at."""
    import fsspec.asyn

    fsspec.asyn.get_loop()
    yield
    _end_loop()


@pytest.fixture
def _no_loops() -> Iterator[None]:
    """zarr and fsspec start an event loop in a thread, and never end it."""
    from zarr.core import sync

    yield
    sync.cleanup_resources()
    _end_loop()


@pytest.fixture
def shared_root() -> Iterator[Path]:
    """An empty root, under a moat, that the user nobody owns and can reach (tmp_path is 0700)."""
    from safefs.testing.scratch import Scratch
    from tests.attackers import NOBODY

    with tempfile.TemporaryDirectory(prefix="safefs-tests-") as name:
        Path(name).chmod(0o755)
        made = Scratch.make(Path(name))
        if os.geteuid() == 0:
            os.chown(made.root, NOBODY, NOBODY)
        made.remember()
        yield made.root
        changes = made.changes()
        for directory, _, _ in os.walk(made.root):
            os.chmod(directory, 0o700)
        assert not changes, f"changed outside the root: {changes}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """`make prove` proves nothing about what it skipped, so there a skip is a failure.

    But for the replays, whose skips are counted by name, and for what another kernel would have.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if PROFILE != "prove" or reporter is None or session.exitstatus != pytest.ExitCode.OK:
        return
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if "replay" not in dict(report.user_properties) and "this kernel" not in reason:
            reporter.write_line(f"skipped, and make prove may not: {report.nodeid}: {reason}")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was counted, by the tests that ask for ``counted``, and of the replays."""
    found = [
        Count(*said)
        for report in terminalreporter.stats.get("passed", [])
        if report.when == "call"
        for name, said in report.user_properties
        if name == "counted"
    ]
    if found:
        terminalreporter.section("counted")
        for line in table(found):
            terminalreporter.line(line)
    if COUNTS:
        outcomes = {
            outcome: len(terminalreporter.stats.get(outcome, []))
            for outcome in ("passed", "failed", "error", "skipped")
        }
        with open(COUNTS, "w") as file:
            json.dump({"counted": found, **outcomes}, file)
    _summarise_replays(terminalreporter)


def _summarise_replays(terminalreporter: pytest.TerminalReporter) -> None:
    """How many replays ran, and how many were skipped for which reason."""
    tallies: dict[str, Counter[str]] = {}
    for outcome in ("passed", "failed", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            properties = dict(getattr(report, "user_properties", ()))
            if "replay" in properties and (report.when == "call" or outcome == "skipped"):
                tallies.setdefault(properties["replay"], Counter())[properties["replay-ran"]] += 1
    if not tallies:
        return
    terminalreporter.section("replays of published escapes")
    for name, tally in sorted(tallies.items()):
        ran = tally.pop("", 0)
        terminalreporter.line(f"{name}: {ran} ran, {tally.total()} skipped")
        for reason, count in sorted(tally.items()):
            terminalreporter.line(f"    {count:3} {reason}")
