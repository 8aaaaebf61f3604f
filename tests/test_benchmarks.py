"""The benchmarks: that all subjects of a workload do the same, and what is made of numbers.

Nothing here asserts how long anything takes.
"""

from __future__ import annotations

import json
import math
import os
import random
import subprocess
import sys
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from benchmarks import clock, peers, places, report
from benchmarks.__main__ import chosen, main
from benchmarks.figures import LEAST_ROUNDS, Summary, Verdict, compared, summary, verdict
from benchmarks.ground import FULL, QUICK, TINY, Ground, directories, share
from benchmarks.plot import as_svg
from benchmarks.running import DisagreementError, Manner, Outcome, Row, agree, judged, run
from benchmarks.work import across, registry
from benchmarks.workload import (
    Exponent,
    More,
    Ratio,
    RatioOver,
    SkippedError,
    Subject,
    Workload,
    slope,
)
from safefs import Root
from safefs.testing import mounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = Path(__file__).parent.parent
BUILT = "go"  # needs a program that takes a while to build; has a test of its own


# Workloads


def test_each_workload_runs_and_its_subjects_agree(tmp_path: Path) -> None:
    """In a process of its own: what the peers keep open is theirs."""
    works = [work for work in registry(TINY) if work.group != BUILT]
    only = [word for group in {work.group: 0 for work in works} for word in ("--only", group)]
    written = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--tiny", "--json", str(written), *only],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = {each["title"]: each for each in json.loads(written.read_text())["workloads"]}
    for work in works:
        outcome = told[work.title]
        if outcome["reason"]:
            assert work.place or work.group in ("policy", "lockdown"), outcome
            continue
        assert outcome["rounds"] == 1
        rows = {row["name"]: row for row in outcome["rows"]}
        for figure in work.figures:
            absent = set(figure.needs()) & outcome["skipped"].keys()
            assert absent or rows[figure.name]["most"] == figure.most
        assert work.baseline in outcome["medians"]
        assert len(outcome["medians"]) >= 2


@pytest.mark.parametrize("scale", [FULL, QUICK, TINY], ids=lambda scale: scale.name)
def test_no_two_workloads_have_one_title(scale: object) -> None:
    assert isinstance(scale, type(FULL))
    titles = [work.title for work in registry(scale)]
    assert len(titles) == len(set(titles))


def test_titles_and_groups_choose_workloads() -> None:
    works = registry(TINY)
    assert chosen(works, []) == works
    assert {work.group for work in chosen(works, ["policy"])} == {"policy"}
    assert [work.title for work in chosen(works, ["read 1 MiB"])] == ["read 1 MiB, depth 4"]


def test_a_peer_that_is_not_installed_is_skipped_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(peers, "version", none)
    with Ground(str(tmp_path), TINY) as ground:
        found = peers.subjects(ground, "read", ground.file(2))
        assert found.keys() == {peers.BY_HAND, peers.PATHLIB}
        assert ground.skipped["OpenDAL"] == "opendal is not installed"
        assert found.keys() | ground.skipped.keys() == peers.PEERS.keys()
        assert {subject.act() for subject in found.values()} == {b"x" * 1024}
    assert peers.versions() == {}


def test_subjects_that_do_not_do_the_same_are_not_compared() -> None:
    work = Workload("g", "t", lambda _: {})
    agree(work, {"os": Subject(lambda: 1), "other": Subject(lambda: 2, lambda answer: answer - 1)})
    with pytest.raises(DisagreementError, match="other came to 2, and os to 1"):
        agree(work, {"os": Subject(lambda: 1), "other": Subject(lambda: 2)})
    apart = Workload("g", "t", lambda _: {}, like=lambda name: name)
    agree(apart, {"os": Subject(lambda: 1), "other": Subject(lambda: 2)})


def test_subjects_that_only_count_are_held_to_what_they_count() -> None:
    work = Workload("g", "t", lambda _: {})
    alike = {"os": Subject(lambda: 1, whole=lambda: {"a"})}
    agree(work, alike | {"other": Subject(lambda: 1, whole=lambda: {"a"})})
    with pytest.raises(DisagreementError):
        agree(work, alike | {"other": Subject(lambda: 1, whole=lambda: {"b"})})


@pytest.mark.parametrize("word", ["walk", "find"])
def test_a_walk_that_gives_other_names_is_not_compared(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., Iterator[Any]] = getattr(Root, word)

    def wrong(*given: Any) -> Iterator[Any]:
        for found in real(*given):
            yield f"{found[:-1]}?" if word == "find" else (*found[:2], ["?"] * len(found[2]))

    monkeypatch.setattr(peers, "PEERS", {})  # some keep sockets open
    monkeypatch.setattr(Root, word, wrong)
    work = next(each for each in registry(TINY) if each.title == f"{word} 40 files")
    with pytest.raises(DisagreementError):
        run(work, Manner(TINY, str(tmp_path), str(tmp_path)))


# The command


def _status(*arguments: str) -> int:
    try:
        return main(["--tiny", *arguments])
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "walk", "--only", "wlak"], "has wlak"),
        (["--only", ""], "has nothing"),
        (["--only", "walk", "--memory", "{top}/none"], "none is no directory to write in"),
        (["--only", "walk", "--disk", "{top}/file"], "file is no directory to write in"),
        (["--only", "walk", "--json", "{top}/none/x"], "x cannot be written: No such file"),
        (["--only", "walk", "--svg", "{top}"], "cannot be written: Is a directory"),
        (["--quick"], "not allowed with argument --tiny"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_measured(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert _status(*[each.format(top=tmp_path) for each in arguments]) == 2
    told = capsys.readouterr()
    assert said in told.err.splitlines()[-1]
    assert not told.out


@pytest.mark.parametrize(("error", "status"), [(ValueError("broken"), 1), (KeyboardInterrupt, 130)])
def test_what_was_measured_is_written_though_a_workload_fails_or_the_run_is_interrupted(
    error: BaseException, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def one_then_none(work: Workload, manner: Manner) -> Outcome:
        begun.append(work.title)
        if len(begun) == 2:
            raise error
        return run(work, manner)

    monkeypatch.setattr(peers, "PEERS", {})  # some keep sockets open
    monkeypatch.setattr("benchmarks.__main__.run", one_then_none)
    monkeypatch.setattr("benchmarks.__main__.signal.signal", lambda *_: None)
    written = [tmp_path / name for name in ("json", "markdown", "summary")]
    options = [word for path in written for word in (f"--{path.name}", str(path))]
    place = ["--memory", str(tmp_path)]
    wanted = [word for depth in (1, 4, 16) for word in ("--only", f"Stat, depth {depth}")]
    assert _status(*wanted, *place, *options) == status
    told = json.loads(written[0].read_text())["workloads"]
    assert [each["title"] for each in told][:1] == ["stat, depth 1"]
    assert len(told) == (1 if status == 130 else 3)
    for path in written[1:]:
        assert "| stat, depth 1 |" in path.read_text()
    assert "bare calls" in written[2].read_text()


def test_what_cannot_be_tried_is_told_with_its_reason(tmp_path: Path) -> None:
    def make(_: Ground) -> dict[str, Subject]:
        raise SkippedError("there is none")

    manner = Manner(TINY, str(tmp_path), str(tmp_path))
    assert run(Workload("g", "t", make), manner).reason == "there is none"
    left_out = run(Workload("g", "t", make, full_only="too large"), replace(manner, scale=QUICK))
    assert left_out.reason == "full form only: too large"


def test_what_goes_wrong_on_a_new_file_system_is_not_taken_for_a_reason_to_skip(
    tmp_path: Path,
) -> None:
    if (reason := mounts.lacking("ext4")) is not None:
        pytest.skip(reason)
    subjects = {"os": Subject(lambda: 1), "other": Subject(lambda: 2)}
    work = Workload("g", "t", lambda _: subjects, place="ext4")
    elsewhere = places.in_memory() if places.kind_of(str(tmp_path)) == "ext4" else str(tmp_path)
    with pytest.raises(DisagreementError):
        run(work, Manner(TINY, elsewhere, elsewhere))


def test_without_a_go_toolchain_the_comparison_with_go_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(across, "toolchain", lambda: None)
    across.built.cache_clear()
    manner = Manner(TINY, str(tmp_path), str(tmp_path))
    reasons = {run(work, manner).reason for work in across.workloads(TINY)}
    assert len(reasons) == 1
    assert "no Go toolchain" in reasons.pop()


@pytest.mark.parametrize("depth", [1, 4, 16, 64])
@pytest.mark.parametrize("files", [1, 64, 250, 1000, 10_000])
def test_a_tree_has_as_many_files_and_is_as_deep_as_it_is_said_to_be(
    files: int, depth: int
) -> None:
    places = list(directories(files, depth))
    assert len(places) == len(set(places))
    counts = [share(files, depth, number) for number in range(len(places))]
    assert sum(counts) == files
    assert all(0 < count <= 100 for count in counts)
    deepest = max(place.count("/") + 1 for place in places)
    assert deepest == min(depth, files)


def test_a_tree_is_laid_as_planned(tmp_path: Path) -> None:
    with Ground(str(tmp_path), TINY) as ground:
        top = tmp_path / ground.tree(250, 2, b"1234")
        assert ground.tree(250, 2, b"1234") == top.name
    sizes = [path.stat().st_size for path in top.rglob("*") if path.is_file()]
    assert sizes == [4] * 250


# Rounds


def test_each_round_calls_all_subjects_as_often_as_they_are_to_be_in_any_order() -> None:
    called: list[str] = []
    subjects = {name: Subject(partial(called.append, name)) for name in "abc"}
    chance = random.Random(1)
    orders = set()
    with clock.settled():
        for _ in range(60):
            called.clear()
            took = clock.one_round(subjects, {"a": 1, "b": 2, "c": 3}, chance)
            assert sorted(called) == list("abbccc")
            assert set(took) == set("abc")
            orders.add("".join(dict.fromkeys(called)))
    assert len(orders) == 6


def test_what_must_be_made_ready_is_called_once_a_round_and_made_ready_before() -> None:
    done: list[str] = []
    subject = Subject(lambda: done.append("act"), ready=lambda: done.append("ready"))
    assert clock.calls_for(subject, 1.0) == 1
    clock.one_round({"a": subject}, {"a": 1}, random.Random(1))
    assert done == ["ready", "act"]


def test_what_is_quick_is_called_more_often_in_a_round() -> None:
    assert clock.calls_for(Subject(lambda: sum(range(100_000))), 1e-9) == 1
    assert clock.calls_for(Subject(lambda: None), 1.0) > 10


def test_time_is_told_for_each_time_the_thing_is_done() -> None:
    """A batch of one call that does it a thousand times is a thousandth of itself."""
    once = clock.batch(Subject(lambda: sum(range(20_000))), 1)
    often = clock.batch(Subject(lambda: sum(range(20_000)), per=1_000_000), 1)
    assert 0 < often["wall"] < once["wall"]
    assert math.isnan(clock.batch(Subject(int, outside=True), 1)["cpu"])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs procfs")
def test_the_peak_of_memory_is_that_of_the_call() -> None:
    kept: list[bytes] = []
    little = clock.peak(Subject(lambda: kept.append(b"")))
    much = clock.peak(Subject(lambda: len(bytearray(os.urandom(1)) * (64 << 20))))
    assert little < 16
    assert 60 < much < 80
    assert kept == []  # it was a child's


def test_a_child_that_fails_has_no_peak() -> None:
    assert math.isnan(clock.peak(Subject(lambda: os._exit(1))))


# Numbers


def test_the_interval_holds_the_median_with_95_percent_and_is_the_narrowest() -> None:
    """The true median is above a value with even chance, so ranks are a binomial matter."""
    for rounds in range(LEAST_ROUNDS, 60):
        found = summary([float(number) for number in range(rounds)])
        rank = int(found.low)
        assert found.high == rounds - 1 - rank
        assert _chance_within(rounds, rank) >= 0.95
        assert _chance_within(rounds, rank + 1) < 0.95


def _chance_within(rounds: int, rank: int) -> float:
    outside = sum(math.comb(rounds, below) for below in range(rank + 1))
    return 1 - 2 * outside / float(2**rounds)


def test_too_few_rounds_have_no_interval() -> None:
    for values in ([], [1.0], [1.0, 2.0], [1.0] * (LEAST_ROUNDS - 1)):
        assert math.isnan(summary(values).low)
        assert verdict(summary(values), 9.0, 0.0) is Verdict.TOO_FEW
    assert verdict(summary([1.0] * LEAST_ROUNDS), 9.0, 0.0) is Verdict.MET


def test_a_summary_has_median_and_quartiles_and_passes_over_what_is_no_number() -> None:
    found = summary([5.0, 1.0, 2.0, math.nan, 4.0, 3.0])
    assert (found.rounds, found.median, found.quartiles) == (5, 3.0, (2.0, 4.0))


def _found(low: float, median: float, high: float) -> Summary:
    return Summary(9, median, (low, high), low, high)


@pytest.mark.parametrize(
    ("found", "most", "margin", "expected"),
    [
        (_found(0.90, 0.95, 0.99), 1.0, 0.0, Verdict.MET),
        (_found(0.90, 1.00, 1.00), 1.0, 0.0, Verdict.MET),
        (_found(1.01, 1.05, 1.10), 1.0, 0.0, Verdict.MISSED),
        (_found(0.90, 0.95, 1.01), 1.0, 0.0, Verdict.UNDECIDED),
        (_found(0.99, 1.05, 1.10), 1.0, 0.0, Verdict.UNDECIDED),
        (_found(0.94, 0.95, 0.96), 1.0, 0.06, Verdict.UNDECIDED),
        (_found(1.94, 1.95, 1.96), 2.0, 0.04, Verdict.MET),
        (_found(1.94, 1.95, 1.96), 2.0, 0.06, Verdict.UNDECIDED),
        (_found(3.00, 3.10, 3.20), 1.0, math.inf, Verdict.UNDECIDED),
        (_found(3.00, 3.10, 3.20), None, 0.0, Verdict.NONE),
        (_found(math.nan, 3.10, math.nan), 1.0, 0.0, Verdict.TOO_FEW),
    ],
)
def test_a_target_is_met_or_missed_only_beyond_the_noise(
    found: Summary, most: float | None, margin: float, expected: Verdict
) -> None:
    assert verdict(found, most, margin) is expected


@pytest.mark.parametrize(
    ("found", "neutral", "margin", "expected"),
    [
        (_found(0.90, 0.95, 0.99), 1.0, 0.0, "less"),
        (_found(1.01, 1.05, 1.10), 1.0, 0.0, "more"),
        (_found(0.90, 0.95, 1.01), 1.0, 0.0, "no difference beyond noise"),
        (_found(0.90, 0.95, 0.99), 1.0, 0.1, "no difference beyond noise"),
        (_found(1.01, 1.05, 1.10), None, 0.0, ""),
        (_found(math.nan, 1.05, math.nan), 1.0, 0.0, "too few rounds to tell"),
    ],
)
def test_two_are_told_apart_only_beyond_the_noise(
    found: Summary, neutral: float | None, margin: float, expected: str
) -> None:
    assert compared(found, neutral, margin) == expected


def test_the_noise_of_a_run_keeps_it_from_conclusions() -> None:
    """Ten rounds in which ours takes 0.95, on a machine that strays by 1 % and by 20 %."""
    assert _verdict_with([1.01, 0.99] * 5) is Verdict.MET
    assert _verdict_with([1.20, 0.80] * 5) is Verdict.UNDECIDED


def _verdict_with(again: list[float]) -> Verdict:
    work = Workload("g", "t", lambda _: {}, (Ratio("ours", most=1.0),))
    rounds = [{"os": 1.0, "ours": 0.95, "the baseline again": each} for each in again]
    measured = {"wall": rounds, "cpu": rounds, "memory": []}
    subjects = {"os": Subject(int), "ours": Subject(int)}
    outcome = judged(work, subjects, measured, "wall", Ground("/", TINY))
    return outcome.rows[0].verdict


def test_figures_are_what_they_say() -> None:
    took = {"ours": 3.0, "os": 2.0, "bare": 1.0}
    assert Ratio("ours").value(took) == 1.5
    assert RatioOver("ours", "os", "bare").value(took) == 2.0
    assert math.isnan(RatioOver("ours", "bare", "os").value(took))
    assert More("ours", "os").value(took) == 1.0


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_is_found(power: float) -> None:
    sizes = (1_000, 10_000, 100_000)
    took = {str(size): 3e-6 * size**power for size in sizes}
    figure = Exponent("files", tuple((size, str(size)) for size in sizes))
    assert figure.value(took) == pytest.approx(power)


def test_where_times_stray_figures_stray_as_far_as_these_take_them() -> None:
    """Two times that are 20 % apart are 20 % of a ratio, and 0.04 of an exponent over 1 to 100."""
    assert Ratio("ours").margin(2.0, 0.2) == pytest.approx(0.4)
    assert More("ours", "os").margin(2.0, 0.2) == 0.0
    points = ((1.0, "1"), (100.0, "100"))
    figure = Exponent("files", points)
    assert figure.margin(1.05, 0.2) == pytest.approx(figure.value({"1": 1.0, "100": 1.2}))


def test_a_slope_is_that_of_least_squares() -> None:
    assert slope([(0.0, 0.0), (1.0, 1.0), (2.0, 1.0)]) == pytest.approx(0.5)


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="needs procfs")
def test_a_directory_is_known_by_its_file_system() -> None:
    assert places.kind_of("/proc/self") == "proc"


# What is written


def _row(name: str, median: float, most: float | None) -> Row:
    found = summary([median * factor for factor in (0.98, 0.99, 1.0, 1.0, 1.01, 1.02, 1.03)])
    return Row(name, "wall", found, found, most, verdict(found, most, 0.0), "more")


OUTCOMES = [
    Outcome(
        "small",
        "glob **/*.x, a | b & <c>",
        "os",
        "tmpfs",
        rounds=7,
        rows=(_row("ours / os", 1.1, 1.2), _row("theirs / os", 3.0, None)),
        medians={"os": {"wall": 1e-6}},
        skipped={"Peer": "peer is not installed"},
    ),
    Outcome(
        "trees",
        "copy",
        "os",
        "btrfs",
        rounds=7,
        noise=math.inf,
        rows=(
            _row("ours / os", 0.0002, 0.001),
            _row("theirs / os", 500.0, 2.0),
            _row("ours - os (MiB)", 0.5, 2.0),
            _row("undecided / os", 1.0, 1.0),
        ),
        medians={"os": {"wall": 2.0}},
    ),
    Outcome("go", "Go: stat", "os", reason="no Go toolchain"),
]
MACHINE = {"system": "a machine", "python": "3"}


def test_json_comes_out_whole_and_without_what_json_has_no_word_for() -> None:
    told = json.loads(report.as_json(MACHINE, OUTCOMES), parse_constant=_refused)
    assert told["machine"] == MACHINE
    assert [each["title"] for each in told["workloads"]] == [each.title for each in OUTCOMES]
    assert told["workloads"][1]["noise"] is None
    assert told["workloads"][0]["rows"][0]["found"]["median"] == pytest.approx(1.1)
    assert told["workloads"][0]["rows"][0]["verdict"] == "met"


def _refused(word: str) -> None:
    raise AssertionError(word)


def test_markdown_has_a_row_for_each_figure_and_says_what_was_skipped() -> None:
    lines = report.as_markdown(MACHINE, OUTCOMES).splitlines()
    table = [line.replace(r"\|", "") for line in lines if line.startswith("|")]
    assert len(table) == 2 + 6
    assert {line.count("|") for line in table} == {8}
    assert r"glob \*\*/\*.x, a \| b" in lines[5]
    assert "- Go: stat: skipped, no Go toolchain" in lines
    assert "- Peer: skipped, peer is not installed" in lines


def test_the_plot_is_whole_and_has_a_mark_for_each_ratio_with_a_target() -> None:
    top = ET.fromstring(as_svg("safefs & others", OUTCOMES))  # of our own making
    name = "{http://www.w3.org/2000/svg}"
    marks = list(top.iter(f"{name}circle"))
    assert [mark.get("class") for mark in marks] == ["met", "met", "missed", "undecided"]
    width, height = (float(top.get(side) or 0) for side in ("width", "height"))
    assert all(0 < float(mark.get("cx") or 0) < width for mark in marks)
    assert all(0 < float(mark.get("cy") or 0) < height for mark in marks)
    spoken = [each.text or "" for each in top.iter(f"{name}title")]
    assert spoken[0].startswith("glob **/*.x, a | b & <c>: ours / os: 1.10 (")


def test_the_plot_of_nothing_is_a_plot() -> None:
    ET.fromstring(as_svg("nothing", []))


def test_the_end_says_what_was_met_missed_and_left_open() -> None:
    said = report.conclusion(OUTCOMES)
    assert "3 met, 1 missed, 1 undecided: noise" in said
    assert "missed: copy: theirs / os 500.00" in said
    assert "undecided: noise: copy: undecided / os 1.00" in said
    assert "skipped: Go: stat: no Go toolchain" in said


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2.5, "2.5 s"), (0.0125, "12.5 ms"), (4.2e-6, "4.2 us"), (3e-10, "0.3 ns"), (math.nan, "-")],
)
def test_seconds_are_told_in_a_unit_that_fits(value: float, expected: str) -> None:
    assert report.seconds(value) == expected


def test_text_tells_of_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    said = [report.text(each) for each in OUTCOMES]
    assert "noise 0.0%" in said[0]
    assert "noise unknown" in said[1]
    assert said[2].endswith("skipped: no Go toolchain")
    assert all(row.name in said[1] for row in OUTCOMES[1].rows)
