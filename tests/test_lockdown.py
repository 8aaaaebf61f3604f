"""Lock-down: what is denied by whatever way it is asked for, and what goes on working.

Each process that is locked down is a child; see ``tests/lockeddown.py``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from safefs import LockdownUnavailable, Policy, Storage
from safefs.kernel import syscalls
from safefs.lockdown import arguments, needs, rights, ruleset, selftest, threads
from safefs.lockdown.report import LockdownReport, enforcements
from tests.lockeddown import HERE, NEEDS_LANDLOCK, lay_out, program, says, told

if TYPE_CHECKING:
    from pathlib import Path

    from safefs.lockdown.report import Network

pytestmark = NEEDS_LANDLOCK

# Of a file that is only to be moved or linked the kernel says that it is on another file system.
_OTHERWISE = {"link in": "EXDEV"}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    lay_out(tmp_path)
    return tmp_path


def outside(top: Path) -> dict[str, str]:
    """All that there is outside, and what it holds."""
    found = sorted((top / "outside").rglob("*"))
    return {
        str(path.relative_to(top)): path.read_bytes().hex() if path.is_file() else "directory"
        for path in found
    }


# -- denials, by every way ---------------------------------------------------------------------


WAYS = ("python", "libc", "thread", "fork", "spawn", "subprocess", "shell")


class Tried(NamedTuple):
    """What became of each act, by way, and what was outside before and after."""

    found: dict[str, dict[str, str]]
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """One process, which tries every way: as nothing succeeds, all find the same."""
    top = tmp_path_factory.mktemp("locked")
    lay_out(top)
    ways: tuple[str, ...] = WAYS
    if shutil.which("cc") is not None:
        _compile(top)
        ways = (*WAYS, "c")
    before = outside(top)
    found = json.loads(program(",".join(ways), top))
    return Tried(found, before, outside(top))


@pytest.mark.parametrize("way", [*WAYS, "c"])
def test_nothing_outside_is_opened_or_changed_by_whatever_way(locked: Tried, way: str) -> None:
    if way not in locked.found:
        pytest.skip("needs a C compiler (cc)")
    found = locked.found[way]
    refused = "failed" if way == "shell" else "EACCES"
    assert found == {act: _OTHERWISE.get(act, refused) for act in found}
    assert len(found) >= 6


def test_what_lies_outside_is_as_it_was(locked: Tried) -> None:
    assert locked.after == locked.before


@pytest.mark.parametrize("way", ["python", "libc", "c", "shell"])
def test_each_of_those_acts_succeeds_in_a_process_that_is_not_locked_down(
    top: Path, way: str
) -> None:
    if way == "c":
        if shutil.which("cc") is None:
            pytest.skip("needs a C compiler (cc)")
        _compile(top)
    found: dict[str, dict[str, str]] = json.loads(program(way, top, "free"))
    assert set(found[way].values()) == {"done"}


def _compile(top: Path) -> None:
    subprocess.run(["cc", "-o", str(top / "inside" / "acts"), str(HERE / "locked.c")], check=True)


# -- what goes on working ----------------------------------------------------------------------


def test_inside_the_disks_everything_goes_on(top: Path) -> None:
    lines = says(
        """
        s = storage()
        disk = s.disk("inside")
        print(s.lockdown(disks=["inside"]).disks)
        disk.put("deep/er/b", "b")
        disk.append("deep/er/b", "c")
        disk.move("deep/er/b", "c")
        disk.copy("c", "d")
        with open(f"{top}/inside/d", "rb") as file:
            disk.put_file_as(".", file, "e")
        disk.put("d", "new", if_match=disk.etag("d"))
        with disk.lock("work"):
            print(disk.get_text("c"), disk.get_text("d"))
        disk.delete_directory("deep")
        print(disk.all_files(), outcome(disk.get, "link"))
        with tempfile.NamedTemporaryFile("w+") as file:
            print(file.write("x"))
        s.disk("temp").put("t", "t")
        s.close()
        print("closed")
        """,
        top,
    )
    assert lines == ["('inside',)", "bc new", "['a', 'c', 'd', 'e'] EACCES", "1", "closed"]
    assert (top / "inside" / "d").read_text() == "new"
    left = [path for path in top.glob("acme-*") if list(path.iterdir())]
    assert not left, "the temporary directory stays, but empty"


def test_modules_are_imported_late(top: Path) -> None:
    code = """
    storage().lockdown()
    import decimal, sqlite3, ssl, xml.dom.minidom, zoneinfo, concurrent.futures
    import pytest, hypothesis
    zoneinfo.ZoneInfo("Europe/Vienna")
    print(ssl.create_default_context().verify_mode.name, outcome(open, "/dev/null", "w"))
    import safefs.watch.watcher, safefs.integrations.fsspec
    """
    assert says(code, top) == ["CERT_REQUIRED done"]


def test_secrets_go_on(top: Path) -> None:
    pytest.importorskip("cryptography")
    code = """
    import logging
    logging.disable()
    s = storage(key_source="file")
    s.secrets.set("mail", "hunter2")
    s.lockdown()
    print(s.secrets.get("mail").reveal(), s.decrypt_text(s.encrypt_text("x")))
    s.secrets.set("other", "thing")
    print(sorted(s.secrets.names()))
    """
    assert says(code, top) == ["hunter2 x", "['mail', 'other']"]


def test_every_other_disk_is_closed_and_says_why(top: Path) -> None:
    code = """
    s = storage()
    other = s.disk("other")
    s.lockdown(disks=["inside"])
    for name in ("other", "documents"):
        try:
            s.disk(name)
        except LockedDownError as error:
            print(error.disk, error)
    print(outcome(Disk(f"{top}/other").get, "o"), outcome(Disk(f"{top}/inside").get, "a"))
    try:
        other.get("o")
    except ValueError as error:
        print(error)
    """
    said = "was left out when this process was locked down"
    assert says(code, top) == [
        f"other [Errno 13] the disk 'other' {said}",
        f"documents [Errno 13] the disk 'documents' {said}",
        "EACCES done",
        "operation on a closed Disk",
    ]


# -- policies ----------------------------------------------------------------------------------

ALL = rights.bits(rights.WRITE)


@pytest.mark.parametrize(
    ("policy", "gone"),
    [
        (Policy(), ()),
        (Policy(append_only=True), ("truncate",)),
        (Policy(symlinks="never"), ("make_sym",)),
        (Policy(special_files="refuse"), ("make_sock", "make_fifo")),
        (Policy(max_file_size=1), ()),
    ],
)
def test_a_policy_leaves_the_rights_that_safefs_needs_for_it(
    policy: Policy, gone: tuple[str, ...]
) -> None:
    assert rights.bits(rights.left_by(policy)) == ALL & ~rights.bits(gone)


def test_a_read_only_policy_leaves_reading_alone() -> None:
    assert rights.left_by(Policy(read_only=True, append_only=True)) == ("read_file", "read_dir")


def test_what_landlock_has_no_word_for_is_told() -> None:
    policy = Policy(quota_bytes=1, append_only=True, read_only=True)
    assert rights.not_expressed(policy) == ("append_only", "quota_bytes")


def test_a_read_only_disk_cannot_be_written_past_safefs(top: Path) -> None:
    code = """
    disk = Disk(f"{top}/inside", policy=Policy(read_only=True))
    s = storage(disks={"inside": disk})
    report = s.lockdown()
    print([each.rights for each in report.granted if each.what == "disk inside"])
    print(outcome(open, f"{top}/inside/a"), outcome(open, f"{top}/inside/a", "w"))
    print(outcome(os.unlink, f"{top}/inside/a"), outcome(open, f"{top}/inside/new", "x"))
    """
    assert says(code, top) == [
        "[('read_file', 'read_dir')]",
        "done EACCES",
        "EACCES EACCES",
    ]


def test_an_append_only_disk_takes_what_is_added_and_is_not_cut(top: Path) -> None:
    code = """
    disk = Disk(f"{top}/inside", policy=Policy(append_only=True))
    s = storage(disks={"inside": disk})
    s.lockdown()
    disk.append("a", "b")
    disk.put("deep/new", "n")
    print(disk.get_text("a"), disk.all_files())
    print(outcome(os.truncate, f"{top}/inside/a", 0), outcome(open, f"{top}/inside/a", "w"))
    """
    assert says(code, top) == ["ab ['a', 'deep/new']", "EACCES EACCES"]


def test_renames_cross_directories_in_a_disk_and_disks_of_like_rights(top: Path) -> None:
    """Between two disks the kernel renames unless more would be allowed at the new place."""
    code = """
    readers = Disk(f"{top}/outside", policy=Policy(read_only=True))
    s = storage(disks={"inside": f"{top}/inside", "other": f"{top}/other", "readers": readers})
    s.disk("inside").make_directory("d")
    s.lockdown(disks=["inside", "other", "readers"])
    at = f"{top}/inside"
    print(outcome(os.rename, f"{at}/a", f"{at}/d/a"), outcome(os.link, f"{at}/d/a", f"{at}/b"))
    print(outcome(os.rename, f"{at}/b", f"{top}/other/b"))
    print(outcome(os.rename, f"{at}/d/a", f"{top}/outside/b"))
    print(outcome(os.link, f"{top}/outside/open", f"{at}/open"))
    s.disk("readers").copy("open", s.disk("inside") / "copied")
    print(s.disk("inside").get_text("copied"))
    """
    assert says(code, top) == ["done done", "done", "EACCES", "EXDEV", "secret"]


# -- extra paths and programs ------------------------------------------------------------------


def test_extra_paths_are_left_with_the_rights_that_were_said(top: Path) -> None:
    code = """
    os.mkdir(f"{top}/extra")
    s = storage()
    s.lockdown(
        extra_read=[f"{top}/outside/open"],
        extra_write=["extra"],
        execute=[f"{top}/outside/program"],
    )
    print(outcome(open, f"{top}/outside/open"), outcome(open, f"{top}/outside/open", "a"))
    print(outcome(open, f"{top}/outside/write"), outcome(open, f"{top}/extra/new", "x"))
    print(subprocess.run([f"{top}/outside/program"]).returncode)
    print(outcome(subprocess.run, ["/bin/ls"]))
    """
    assert says(code, top) == ["done EACCES", "EACCES done", "0", "EACCES"]


# -- the network, signals, abstract sockets ----------------------------------------------------

_NETWORK = """
here = socket.create_server(("127.0.0.1", 0))
there = socket.create_server(("127.0.0.1", 0))
port, other = here.getsockname()[1], there.getsockname()[1]
free = socket.create_server(("127.0.0.1", 0))
unused = free.getsockname()[1]
free.close()
storage().lockdown(network=eval(sys.argv[2]))
def connect(to):
    with socket.create_connection(("127.0.0.1", to)):
        pass
def bind(to):
    with socket.socket() as s:
        s.bind(("127.0.0.1", to))
print(outcome(connect, port), outcome(connect, other), outcome(bind, unused))
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
    print(outcome(udp.sendto, b"x", ("127.0.0.1", 9)))
"""


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("'deny'", "EACCES EACCES EACCES"),
        ("'allow'", "done done done"),
        ("[port]", "done EACCES EACCES"),
        ("(port, unused)", "done EACCES done"),
    ],
)
def test_tcp_is_kept_in_as_asked_and_udp_is_not(top: Path, network: str, expected: str) -> None:
    assert says(_NETWORK, top, network) == [expected, "done"]


def test_signals_and_abstract_sockets_reach_only_those_that_are_locked_down_too(top: Path) -> None:
    if syscalls.landlock_abi() < 6:
        pytest.skip("scopes need Landlock ABI 6")
    code = r"""
    sys.stdout.reconfigure(line_buffering=True)
    name = "\0" + os.path.basename(top) + str(os.getpid())
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen()
    free = subprocess.Popen(["sleep", "60"])
    def connect(to):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(to)
    print(outcome(connect, name), outcome(os.kill, free.pid, 0))
    child = os.fork()
    if child == 0:
        storage().lockdown()
        kill = os.kill
        print(outcome(connect, name), outcome(kill, free.pid, 0), outcome(kill, os.getppid(), 0))
        mate = os.fork()
        if mate == 0:
            time.sleep(60)
        print(outcome(os.kill, mate, 9), flush=True)
        os.waitpid(mate, 0)
        os._exit(0)
    os.waitpid(child, 0)
    free.kill()
    free.wait()
    server.close()
    """
    assert says(code, top) == ["done done", "EPERM EPERM EPERM", "done"]


# -- threads -----------------------------------------------------------------------------------


def test_a_sibling_thread_stays_free_which_is_why_strict_refuses(top: Path) -> None:
    if syscalls.landlock_abi() >= rights.TSYNC_SINCE:
        pytest.skip("this kernel locks down all threads at once")
    code = """
    locked, read = threading.Event(), []
    def sibling():
        locked.wait()
        read.append(open(f"{top}/outside/open").read())
    thread = threading.Thread(target=sibling)
    thread.start()
    s = storage()
    try:
        s.lockdown()
    except LockdownUnavailable as error:
        print(error.reason)
    print(outcome(open, f"{top}/outside/open"))
    report = s.lockdown(strict=False)
    print([meaning for what, meaning in report.unenforced if what == "sibling threads"])
    locked.set()
    thread.join()
    print(read, outcome(open, f"{top}/outside/open"))
    """
    lines = says(code, top)
    assert lines[0].startswith("1 other threads run, which would stay free")
    assert lines[1:] == [
        "done",
        "['1 threads that ran before are as free as they were']",
        "['secret'] EACCES",
    ]


def test_all_threads_are_locked_down_at_once_where_the_kernel_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[int] = []

    def restrict(_: int, flags: int) -> int:
        given.append(flags)
        return 0

    monkeypatch.setattr(syscalls, "set_no_new_privs", lambda: 0)
    monkeypatch.setattr(syscalls, "landlock_restrict_self", restrict)
    ruleset.Ruleset(-1, 8).enforce(all_threads=True)
    assert given == [rights.TSYNC]
    monkeypatch.setattr(threads, "sibling_threads", lambda: 5)
    threads.check_alone(8)
    with pytest.raises(LockdownUnavailable, match="5 other threads"):
        threads.check_alone(7)
    monkeypatch.setattr(threads, "sibling_threads", lambda: None)
    with pytest.raises(LockdownUnavailable, match="cannot be told"):
        threads.check_alone(7)


# -- it fails closed ---------------------------------------------------------------------------

_REFUSALS = {
    "a path that is not there": ("extra_read=[f'{top}/missing']", "FileNotFoundError"),
    "a program that is not there": ("execute=[f'{top}/missing']", "FileNotFoundError"),
    "paths as one text": ("extra_write=f'{top}/inside'", "TypeError"),
    "disks as one text": ("disks='inside'", "TypeError"),
    "a disk that there is not": ("disks=['nothing']", "UnknownDiskError"),
    "a word for the network": ("network='maybe'", "ValueError"),
    "a port that is none": ("network=[0]", "ValueError"),
    "a port that is a truth": ("network=[True]", "ValueError"),
    "a network that is a number": ("network=80", "ValueError"),
    "a disk that its maker has closed": ("disks=['given']", "ValueError"),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each of them raises, in one process, which is as free afterwards as before."""
    top = tmp_path_factory.mktemp("refused")
    lay_out(top)
    code = """
    disk = Disk(f"{top}/inside", name="given")
    s = storage(disks={"given": disk, "other": f"{top}/other"})
    disk.close()
    for words in sys.argv[2:]:
        try:
            s.lockdown(**eval(f"dict({words})", globals(), {"disks": ["other"]}))
        except Exception as error:
            print(type(error).__name__)
        else:
            print("locked")
    with open("/proc/self/status") as file:
        print([line.split()[1] for line in file if line.startswith("NoNewPrivs")])
    print(outcome(open, f"{top}/outside/open"), s.disk("other").get_text("o"))
    """
    words = [
        words if "disks=" in words else f"disks=disks, {words}" for words, _ in _REFUSALS.values()
    ]
    *found, privileges, after = says(code, top, *words)
    assert (privileges, after) == ("['0']", "done o")
    return dict(zip(_REFUSALS, found, strict=True))


@pytest.mark.parametrize("case", _REFUSALS)
def test_what_cannot_be_meant_is_one_error_and_nothing_is_locked(
    refused: dict[str, str], case: str
) -> None:
    assert refused[case] == _REFUSALS[case][1]


def test_a_closed_storage_is_refused(top: Path) -> None:
    code = """
    s = storage()
    s.close()
    try:
        s.lockdown()
    except ValueError as error:
        print(error, outcome(open, f"{top}/outside/open"))
    """
    assert says(code, top) == ["the Storage is closed done"]


def test_the_seventeenth_layer_is_refused_and_the_sixteen_hold(top: Path) -> None:
    code = """
    s = storage()
    for layer in range(20):
        try:
            s.lockdown(disks=["inside"])
        except LockdownUnavailable as error:
            print(layer, error.reason)
            break
    print(s.disk("inside").get_text("a"), outcome(open, f"{top}/outside/open"))
    """
    assert says(code, top) == [
        (
            "16 this process has been locked down 16 times, and the kernel allows no more "
            "(landlock_restrict_self answers E2BIG)"
        ),
        "a EACCES",
    ]


def test_a_second_lock_down_narrows_the_first(top: Path) -> None:
    code = """
    s = storage()
    s.lockdown(disks=["inside", "other"])
    print(outcome(open, f"{top}/other/o"))
    s.lockdown(disks=["inside"])
    print(outcome(open, f"{top}/other/o"), outcome(open, f"{top}/inside/a"))
    """
    assert says(code, top) == ["done", "EACCES done"]


def test_a_filter_that_forbids_the_calls_is_told_and_nothing_is_locked(top: Path) -> None:
    pytest.importorskip("pyseccomp")
    code = """
    import pyseccomp
    s = storage()
    s.disk("inside")
    sys.stdout.reconfigure(line_buffering=True)
    for call in ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"):
        for number in (errno.EPERM, errno.ENOSYS):
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                continue
            rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
            rules.add_rule(pyseccomp.ERRNO(number), call)
            rules.load()
            try:
                s.lockdown()
            except LockdownUnavailable as error:
                print(error.reason, outcome(open, f"{top}/outside/open"))
            os._exit(0)
    """
    lines = says(code, top)
    calls = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
    assert len(lines) == 2 * len(calls)
    for call, (filtered, missing) in zip(
        calls, zip(lines[::2], lines[1::2], strict=True), strict=True
    ):
        assert filtered.startswith("a filter (seccomp) of this process forbids it")
        assert missing.startswith("the kernel has no Landlock")
        assert call in filtered
        assert call in missing
        assert (filtered[-5:], missing[-5:]) == (" done", " done")


def test_without_landlock_what_is_not_strict_says_that_nothing_is_enforced(top: Path) -> None:
    code = """
    from safefs.kernel import syscalls
    syscalls.landlock_abi = lambda: -errno.EOPNOTSUPP
    s = storage()
    report = s.lockdown(disks=["inside"], strict=False)
    print(report.enforced, report.abi, report.granted, {each.reason for each in report.rights})
    print(outcome(open, f"{top}/outside/open"), outcome(s.disk, "other"))
    """
    lines = says(code, top)
    assert lines[0].startswith("False 0 () {'Landlock is switched off")
    assert lines[1:] == ["done EACCES"]


# -- kernels and systems that are not this one -------------------------------------------------


@pytest.mark.parametrize(("abi", "network"), [(1, "allow"), (2, "allow"), (3, "deny"), (3, (80,))])
def test_a_kernel_that_would_leave_a_gap_is_refused(abi: int, network: Network) -> None:
    with pytest.raises(LockdownUnavailable, match=f"ABI {abi}"):
        ruleset.check_abi(abi, network)


def test_older_kernels_are_asked_only_for_what_they_know() -> None:
    assert rights.handled("file", 1) == (1 << 13) - 1
    assert rights.handled("file", 2) == (1 << 14) - 1
    assert rights.handled("file", 3) == (1 << 15) - 1
    assert rights.handled("file", 5) == (1 << 16) - 1
    assert (rights.handled("network", 3), rights.handled("network", 4)) == (0, 3)
    assert (rights.handled("scope", 5), rights.handled("scope", 6)) == (0, 3)
    missing = [each.right for each in enforcements(4, "deny") if not each.enforced]
    assert missing == ["ioctl_dev", "abstract_unix_socket", "signal"]


def test_a_file_is_left_only_what_a_file_can_have() -> None:
    mask = rights.fitting(rights.bits(rights.WRITE), 7, directory=False)
    assert mask == rights.bits(("read_file", "write_file", "truncate"))


def test_a_right_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'fly' is no right"):
        rights.bits(["read_file", "fly"])
    with pytest.raises(ValueError, match="'signal' is no right to files"):
        rights.bits(["signal"])


def test_a_right_that_the_kernel_does_not_know_is_refused_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rights, "handled", lambda kind, abi: 1 << 40)
    with (
        pytest.raises(LockdownUnavailable, match="landlock_create_ruleset answers EINVAL"),
        ruleset.new_ruleset(7, "allow"),
    ):
        pass


@pytest.mark.parametrize(
    ("platform", "said"),
    [("darwin", "App Sandbox"), ("win32", "AppContainer"), ("sunos5", "no Landlock on sunos5")],
)
def test_other_systems_are_told_what_they_offer_instead(platform: str, said: str) -> None:
    with pytest.raises(LockdownUnavailable, match=said):
        ruleset.available(platform)


def test_the_report_tells_what_was_left_and_what_is_not_denied(top: Path) -> None:
    code = """
    report = storage().lockdown(disks=["inside"])
    rows = report.rows()
    print(all(len(row) == 3 for row in rows), report.enforced, report.network, report.strict)
    print(sorted({each.why for each in report.granted if each.what == "/dev/null"}))
    print([what for what, _ in report.unenforced][:2], report.temporary == tempfile.gettempdir())
    print([each.what for each in report.granted if top in each.what])
    """
    assert says(code, top) == [
        "True True deny True",
        "['a device that keeps nothing']",
        "['stat', 'chmod, chown, utime, setxattr'] True",
        "[]",
    ]


def test_no_home_and_no_working_directory_is_left_for_imports(
    top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", ["", str(top), str(top / "site-packages")])
    paths = {need.path for need in needs.of_python()}
    assert str(top / "site-packages") in paths
    assert str(top) not in paths
    assert arguments.not_imported_from() == ["(the working directory)", str(top)]


def test_a_storage_in_memory_can_be_locked_down_too(top: Path) -> None:
    code = """
    s = Storage.fake()
    s.disk("documents").put("a", "a")
    report = s.lockdown()
    print(report.disks, s.disk("documents").get_text("a"), outcome(open, f"{top}/outside/open"))
    """
    assert says(code, top) == ["('documents',) a EACCES"]


def test_the_example_of_the_document_does_what_it_says(top: Path) -> None:
    text = (HERE.parent / "docs" / "lockdown.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    (top / "inbox").mkdir()
    lines = says(code, top)
    assert lines[0] == "[Errno 13] Permission denied: '/etc/hostname'"
    assert (top / "inbox" / "a.txt").read_text() == "hello"


def test_is_open_opens_nothing(top: Path) -> None:
    with Storage("acme", disks={"inside": top / "inside"}) as storage:
        assert not storage.is_open("inside")
        storage.disk("inside")
        assert storage.is_open("inside")


# -- the self-test -----------------------------------------------------------------------------


def test_the_self_test_proves_the_claims_of_the_report(top: Path) -> None:
    lines = told([sys.executable, "-m", "safefs.lockdown", "--self-test"], top).splitlines()
    found = {line[:30].strip(): line.split(":")[-1].split(maxsplit=1)[1] for line in lines}
    assert set(found.values()) <= {"holds", "could not be tried"}
    tried = {claim for claim, word in found.items() if word == "holds"}
    assert {right.name for right in rights.RIGHTS} - tried <= {"make_char", "make_block"}
    assert {"stat (not denied)", "chmod (not denied)", "UDP (not denied)"} <= tried
    assert not list(top.glob("safefs-selftest-*"))


def test_the_self_test_finds_a_claim_that_does_not_hold() -> None:
    report = LockdownReport(7, True, "deny", (), (), enforcements(5, "deny"), ())
    free = dict.fromkeys([right.name for right in rights.RIGHTS], "done") | {"stat": "done"}
    locked = dict.fromkeys(free, "denied") | {"read_file": "done", "execute": "ENOENT"}
    verdicts = {each.claim: each.holds for each in selftest.verdicts(report, free, locked)}
    wrong = {claim for claim, holds in verdicts.items() if not holds}
    assert wrong == {"read_file", "execute", "stat (not denied)", "abstract_unix_socket", "signal"}
    free["read_file"] = "denied"
    assert selftest.verdicts(report, free, locked)[2].holds is None
