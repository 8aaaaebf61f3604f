"""What a policy costs, against the same call without one.

At the paths of an ordinary tree, asked again and again: what the rules say of a path is remembered
by then. What this does not show: the first look at a path, which asks the patterns, a path through
a link or ``..``, which goes to the walk, and a file with more than one name.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benchmarks.workload import SkippedError, Subject, Workload
from safefs import Disk, Policy, Root

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.ground import Ground, Scale

PLAIN = "without"
PATTERNS = [
    *(".env", ".env.*", ".git", ".ssh", ".aws", ".npmrc", ".pypirc", ".netrc", "*.pem", "*.key"),
    *("id_rsa*", "secrets", "/conf/private", "**/credentials.json", "*.kdbx", "*.p12", "*.pfx"),
    *("/var/**/token", "node_modules/.cache", "*.sqlite-journal"),
]
READ_ONLY = "read_only"
NAMES = 1_000


def policies() -> dict[str, Policy]:
    return {
        PLAIN: Policy(),
        READ_ONLY: Policy(read_only=True),
        f"deny, {len(PATTERNS)} patterns": Policy(deny=PATTERNS),
        "deny, missing": Policy(deny=PATTERNS, denied="missing"),
        "allow, 2 patterns": Policy(allow=["/d", f"/flat-{NAMES}", "/f"]),
        "hard_links": Policy(hard_links="refuse"),
        "max_file_size": Policy(max_file_size=1 << 30),
    }


def workloads(_: Scale) -> list[Workload]:
    path, data, many = "d/d/d/f", b"y" * 1024, f"flat-{NAMES}"
    size: Callable[[Any], object] = lambda found: found.st_size  # noqa: E731
    return [
        _of_root("read 1 KiB", lambda root: root.read_bytes(path)),
        _of_root("open and close", lambda root: root.open(path, "rb").close()),
        _of_root("stat", lambda root: root.stat(path), size),
        _of_root("exists, missing", lambda root: root.exists(f"{path}-not")),
        _of_root(f"listdir of {NAMES:,}", lambda root: root.listdir(many), sorted),
        _of_disk("get 1 KiB", lambda disk: disk.get(path)),
        _of_disk("put 1 KiB", lambda disk: disk.put(path, data), writes=True),
        _of_disk(f"files of {NAMES:,}", lambda disk: disk.files(many)),
    ]


def _of_root(
    title: str, act: Callable[[Root], Any], shown: Callable[[Any], object] = lambda answer: answer
) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        _lay(ground)
        return {
            name: Subject(partial(act, ground.held(Root(ground.top, policy=policy))), shown)
            for name, policy in policies().items()
        }

    return Workload("policy", f"policy: Root, {title}", make, baseline=PLAIN)


def _of_disk(title: str, act: Callable[[Disk], Any], *, writes: bool = False) -> Workload:
    def make(ground: Ground) -> dict[str, Subject]:
        _lay(ground)
        return {
            name: Subject(partial(act, ground.held(Disk(ground.top, policy=policy))))
            for name, policy in policies().items()
            if not (writes and name == READ_ONLY)
        }

    return Workload("policy", f"policy: Disk, {title}", make, baseline=PLAIN)


def _lay(ground: Ground) -> None:
    if find_spec("pathspec") is None:
        raise SkippedError("patterns need pathspec, of the extra 'patterns'")
    ground.file(4)
    ground.flat(NAMES)
