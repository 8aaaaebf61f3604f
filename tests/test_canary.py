"""A canary for a key, a secret and a passphrase, looked for wherever something is shown or left.

One row for each surface and each holder; one for each error. That a surface shows what is not
hidden is tried with a holder that hides nothing.
"""

from __future__ import annotations

import dataclasses
import gc
import io
import json
import logging
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from safefs import Disk, Policy, Scope, Secret, Secrets, Storage
from safefs.age import (
    Hidden,
    ScryptIdentity,
    ScryptRecipient,
    X25519Identity,
    X25519Recipient,
    bech32,
    decrypt_bytes,
    encrypt_bytes,
    rewrap,
)
from safefs.secrets import disable_core_dumps
from safefs.secrets.redaction import redact_env
from tests import canary
from tests.canary import PASSPHRASE, SECRET, SURFACES, Env, everything_shown_of, traces_in
from tests.installations import APP, keys_of
from tests.keyed import everything_done

if TYPE_CHECKING:
    from collections.abc import Iterator

WORK = 2
SCOPE = Scope("documents", "a/b", verbs=["read"])
PROJECT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Env]:
    with pytest.MonkeyPatch.context() as patched:
        home = tmp_path_factory.mktemp("home")
        for name in [name for name in os.environ if name.startswith(("XDG_", "DBUS_"))]:
            patched.delenv(name)
        patched.setenv("HOME", str(home))
        with Storage(APP, key_source="file") as storage:
            storage.import_key(canary.KEY)
            storage.secrets.set("mail", SECRET)
            storage.secrets.set("raw", SECRET.encode())
            everything_done(storage, SECRET)  # and all is open that will be
            made = Env(storage, home)
            yield made
        # Errors hold frames, and these what they had open: in cycles, until they are collected.
        del made.storage, storage
        gc.collect()


# -- what holds one ------------------------------------------------------------------------------

HOLDERS: dict[str, Callable[[Env], object]] = {
    "hidden bytes": lambda env: Hidden(env.secret().encode()),
    "a secret": lambda env: env.storage.secrets.get("mail"),
    "a secret of bytes": lambda env: env.storage.secrets.get("raw"),
    "a secret that was made": lambda env: Secret(env.secret()),
    "a private key": lambda env: X25519Identity(env.key()),
    "a passphrase to open": lambda env: ScryptIdentity(env.passphrase()),
    "a passphrase to seal for": lambda env: ScryptRecipient(env.passphrase(), work_factor=WORK),
    "the key of the installation": lambda env: env.storage.key,
    "that key exported": lambda env: env.storage.export_key(),
    "a key derived from it": lambda env: env.storage.key.derive("a"),
    "the secrets": lambda env: env.storage.secrets,
    "the storage": lambda env: env.storage,
    "its private disk": lambda env: env.storage._own.get(),
    "its tokens": lambda env: env.storage._tokens(),
    "a grant": lambda env: env.storage.verify_token(env.storage.issue_token(SCOPE)),
    "many in one": lambda env: {"a": [Secret(env.secret()), (X25519Identity(env.key()),)]},
    "a redacted file": lambda env: redact_env(
        f"A_SECRET={env.secret()}\nB=1\nC=x{env.secret()}\n".encode(), redact=["*_SECRET"]
    ),
}


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.parametrize("holder", HOLDERS)
def test_no_surface_shows_what_a_holder_holds(env: Env, holder: str, surface: str) -> None:
    shown = str(SURFACES[surface](HOLDERS[holder](env)))
    assert not traces_in(shown)


def test_the_holders_do_hold_it(env: Env) -> None:
    """Else nothing would be hidden above."""
    secrets = env.storage.secrets
    assert secrets.get("mail").reveal() == secrets.get("raw").reveal().decode() == SECRET
    assert canary.KEY in env.storage.export_key().reveal().decode()
    assert str(env.storage.key.recipient) == str(X25519Identity(canary.KEY).recipient)


@dataclasses.dataclass
class Leaky:
    field: Any

    def __hash__(self) -> int:
        raise TypeError(f"unhashable: {self.field}")

    def __iter__(self) -> Iterator[Any]:
        return iter([self.field])

    def __rich_repr__(self) -> Iterator[Any]:
        yield self.field

    def __format__(self, spec: str) -> str:
        return str(self.field)

    def __add__(self, other: object) -> str:
        return str(self.field)


@pytest.mark.parametrize("surface", [name for name in SURFACES if name not in ("json", "bytes")])
def test_each_surface_shows_what_hides_nothing(surface: str) -> None:
    assert traces_in(str(SURFACES[surface](Leaky(SECRET))))


def test_so_do_the_two_that_need_another_holder() -> None:
    assert traces_in(str(SURFACES["json"](SECRET)))
    assert traces_in(str(SURFACES["bytes"](SECRET.encode())))


@pytest.mark.parametrize("spelling", sorted(canary.spellings(SECRET.encode())))
def test_a_canary_is_found_in_each_spelling(spelling: bytes) -> None:
    assert traces_in(b"..." + spelling + b"...")


# -- errors --------------------------------------------------------------------------------------


def _changed(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _sealed(env: Env, size: int = 1) -> bytes:
    return encrypt_bytes(b"a" * size, [env.identity.recipient])


def _nobody() -> X25519Recipient:
    return X25519Recipient(bech32.encoded("age", bytes(32)))


class _Sealing:
    """A key that seals for nobody, so that sealing fails when the content is in hand."""

    recipient = _nobody()

    def unwrap(self, stanzas: object) -> None:
        return None


class _NoKey(_Sealing):
    @property
    def recipient(self) -> X25519Recipient:  # type: ignore[override]
        raise OSError(5, "no key")


def _secrets(env: Env, key: Any = None, policy: Policy | None = None) -> Secrets:
    disk = env.storage._own.get()
    return Secrets(
        lambda: disk if policy is None else disk.with_policy(policy),
        lambda: env.storage.key if key is None else key,
    )


def _damaged(env: Env, name: str, data: bytes) -> Secrets:
    from safefs.secrets.named import _path

    env.storage.secrets.set(name, "a")
    env.storage._own.get().put(_path(name), data)
    return env.storage.secrets


def _text(env: Env, size: int = 1) -> str:
    return env.storage.encrypt_text(env.secret() * size)


def _other_letter(text: str, at: int = -30) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


AGE_ERRORS: dict[str, Callable[[Env], object]] = {
    "no key": lambda env: X25519Identity(env.key() + "Q"),
    "a key in bytes": lambda env: X25519Identity(env.key().encode()),  # type: ignore[arg-type]
    "a key with a letter exchanged": lambda env: X25519Identity(env.key()[:-1] + "Q"),
    "a key for a recipient": lambda env: X25519Recipient(env.key()),
    "a passphrase that cannot be encoded": lambda env: ScryptIdentity(env.passphrase() + "\ud800"),
    "a passphrase of another type": lambda env: ScryptRecipient([env.passphrase()]),  # type: ignore[arg-type]
    "too much work": lambda env: ScryptRecipient(env.passphrase(), work_factor=99),
    "a wrong passphrase": lambda env: decrypt_bytes(
        encrypt_bytes(b"a", [ScryptRecipient("another", work_factor=WORK)]),
        [ScryptIdentity(env.passphrase())],
    ),
    "a changed payload": lambda env: decrypt_bytes(_changed(_sealed(env)), [env.identity]),
    "a changed second chunk": lambda env: decrypt_bytes(
        _changed(_sealed(env, 70_000)), [env.identity]
    ),
    "a changed header": lambda env: decrypt_bytes(
        _sealed(env).replace(b"---", b"--- ", 1), [env.identity]
    ),
    "another's file": lambda env: decrypt_bytes(
        encrypt_bytes(b"a", [env.other.recipient]), [env.identity]
    ),
    "nobody's point": lambda env: encrypt_bytes(b"a", [env.identity.recipient, _nobody()]),
    "rewrapped for nobody": lambda env: rewrap(
        io.BytesIO(_sealed(env)), io.BytesIO(), [env.identity], [_nobody()]
    ),
}
SECRET_ERRORS: dict[str, Callable[[Env], object]] = {
    "no name": lambda env: env.storage.secrets.set("", env.secret()),
    "a name of another type": lambda env: env.storage.secrets.set(7, env.secret()),  # type: ignore[arg-type]
    "too long": lambda env: env.storage.secrets.set("a", env.secret() * 10_000),
    "half a character": lambda env: env.storage.secrets.set("a", env.secret() + "\ud800"),
    "a bytearray": lambda env: env.storage.secrets.set("a", bytearray(env.secret().encode())),  # type: ignore[arg-type]
    "a list": lambda env: env.storage.secrets.set("a", [env.secret()]),  # type: ignore[arg-type]
    "a number beside it": lambda env: Secret({env.secret(): 1}),  # type: ignore[arg-type]
    "a disk that is read-only": lambda env: _secrets(env, policy=Policy(read_only=True)).set(
        "a", env.secret()
    ),
    "a disk that is full": lambda env: _secrets(env, policy=Policy(max_file_size=10)).set(
        "a", env.secret()
    ),
    "sealed for nobody": lambda env: _secrets(env, _Sealing()).set("a", env.secret()),
    "sealed with no key": lambda env: _secrets(env, _NoKey()).set("a", env.secret()),
    "opened with no key": lambda env: _secrets(env, _Sealing()).get("mail"),
    "a missing one": lambda env: env.storage.secrets.get("nothing"),
    "damaged": lambda env: _damaged(env, "a", b"nothing").get("a"),
    "another's": lambda env: _damaged(
        env,
        "a",
        encrypt_bytes(
            f"safefs secret: b\ntext\n{env.secret()}".encode(), [env.storage.key.recipient]
        ),
    ).get("a"),
    "no kind": lambda env: _damaged(
        env,
        "a",
        encrypt_bytes(f"safefs secret: a\n{env.secret()}".encode(), [env.storage.key.recipient]),
    ).get("a"),
    "no text": lambda env: _damaged(
        env,
        "a",
        encrypt_bytes(
            f"safefs secret: a\ntext\n{env.secret()}".encode() + b"\xff",
            [env.storage.key.recipient],
        ),
    ).get("a"),
    "sealed anew": lambda env: _damaged(env, "a", b"nothing").rewrap(),
}
TEXT_ERRORS: dict[str, Callable[[Env], object]] = {
    "bytes": lambda env: env.storage.encrypt_text(env.secret().encode()),  # type: ignore[arg-type]
    "half a character": lambda env: env.storage.encrypt_text(env.secret() + "\ud800"),
    "plain": lambda env: env.storage.decrypt_text(env.secret()),
    "plain bytes": lambda env: env.storage.decrypt_text(env.secret().encode()),  # type: ignore[arg-type]
    "changed": lambda env: env.storage.decrypt_text(_other_letter(_text(env))),
    "changed in its second chunk": lambda env: env.storage.decrypt_text(
        _other_letter(_text(env, 10_000))
    ),
    "changed in its first chunk": lambda env: env.storage.decrypt_text(
        _other_letter(_text(env, 10_000), 2000)
    ),
}
Token = Callable[[], str]


def _revoked(env: Env, token: str) -> None:
    env.storage.revoke_token(token)
    kept = Hidden(token.encode())
    del token
    env.storage.verify_token(kept.reveal().decode())


TOKEN_ERRORS: dict[str, Callable[[Env, Token], object]] = {
    "another audience": lambda env, token: env.storage.verify_token(token(), audience="b"),
    "no audience": lambda env, token: env.storage.verify_token(token(), audience=""),
    "another scope": lambda env, token: env.storage.verify_token(
        token(), verb="write", disk="documents"
    ),
    "half a scope": lambda env, token: env.storage.verify_token(token(), verb="write"),
    "changed": lambda env, token: env.storage.verify_token(_other_letter(token())),
    "cut": lambda env, token: env.storage.verify_token(token()[:-1]),
    "in bytes": lambda env, token: env.storage.verify_token(token().encode()),  # type: ignore[arg-type]
    "in a list": lambda env, token: env.storage.revoke_token([token()]),  # type: ignore[arg-type]
    "twice": lambda env, token: env.storage.revoke_token(token() * 2),
    "revoked": lambda env, token: _revoked(env, token()),
    "of a disk that is not": lambda env, token: env.storage.issue_token(
        Scope("nothing", verbs=["read"])
    ),
    "for too long": lambda env, token: env.storage.issue_token(SCOPE, 10**9),
}
KEY_ERRORS: dict[str, Callable[[Env], object]] = {
    "no exported key": lambda env: env.storage.import_key(env.key() + "Q"),
    "an exported key among other things": lambda env: env.storage.import_key(
        f"{env.key()}\n{env.secret()}"
    ),
    "another one is there": lambda env: env.storage.import_key(env.other.reveal()),
    "a passphrase and not what asks for it": lambda env: Storage(APP, passphrase=env.passphrase()),  # type: ignore[arg-type]
}


def _caught(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind, errors in {
            "age": AGE_ERRORS,
            "secrets": SECRET_ERRORS,
            "texts": TEXT_ERRORS,
            "keys": KEY_ERRORS,
        }.items()
        for name in errors
    ],
)
def test_no_error_shows_one_nor_what_its_frames_hold(env: Env, kind: str, name: str) -> None:
    rows = {"age": AGE_ERRORS, "secrets": SECRET_ERRORS, "texts": TEXT_ERRORS, "keys": KEY_ERRORS}
    error = _caught(lambda: rows[kind][name](env))
    assert not traces_in(everything_shown_of(error))


def _token_of(env: Env) -> tuple[Token, list[str]]:
    """A token, and what would give it or its key away."""
    kept = Hidden(env.storage.issue_token(SCOPE).encode())
    text = kept.reveal().decode()
    key = env.storage.key.derive("safefs tokens v1").reveal()
    return lambda: kept.reveal().decode(), [text, text[-40:-4], repr(key)[2:-1], key.hex()]


@pytest.mark.parametrize("name", TOKEN_ERRORS)
def test_no_error_shows_a_token_or_its_key(env: Env, name: str) -> None:
    token, traces = _token_of(env)
    shown = everything_shown_of(_caught(lambda: TOKEN_ERRORS[name](env, token)))
    assert not traces_in(shown, traces)


@pytest.mark.parametrize("word", ["encode", "decode"])
def test_what_fails_within_the_library_shows_neither(
    env: Env, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    token, traces = _token_of(env)

    def fails(given: object, key: object, *args: object, **keywords: object) -> None:
        raise RuntimeError(f"a bug, with {args}")

    monkeypatch.setattr(jwt, word, fails)
    act = (
        (lambda: env.storage.issue_token(SCOPE))
        if word == "encode"
        else (lambda: env.storage.verify_token(token()))
    )
    assert not traces_in(everything_shown_of(_caught(act)), traces)


REDACTION: dict[str, str] = {
    "no assignment": "nonsense",
    "a quote that is open": "B='",
    "NUL": "B=\0",
    "another end of line": "B=\x0c",
    "an assignment within": "B='x A_SECRET=1'",
    "no name": "1B=2",
}


@pytest.mark.parametrize("line", REDACTION)
def test_no_error_of_redaction_shows_what_it_read(env: Env, line: str) -> None:
    def act() -> object:
        return redact_env(
            f"A_SECRET={env.secret()}\n{REDACTION[line]}\nC={env.secret()}\n".encode(),
            redact=["*_SECRET"],
        )

    assert not traces_in(everything_shown_of(_caught(act)))


def _fails_like_a_careless_one(value: str) -> None:
    raise ValueError("nothing of it in the words")


def _fails_and_says_so(value: str) -> None:
    raise ValueError(value)


def _fails_behind(value: str) -> None:
    try:
        _fails_like_a_careless_one(value)
    except ValueError:
        raise KeyError("another") from None


def _fails_with_it_deep_inside(value: str) -> None:
    held = [{"a": (Leaky(value.encode()),)}]
    del value
    raise ValueError(str(len(held)))


@pytest.mark.parametrize(
    "careless",
    [
        _fails_like_a_careless_one,
        _fails_and_says_so,
        _fails_behind,
        _fails_with_it_deep_inside,
    ],
)
def test_what_a_careless_one_would_show_is_found(careless: Callable[[str], None]) -> None:
    assert traces_in(everything_shown_of(_caught(lambda: careless(SECRET))))


# -- logs ----------------------------------------------------------------------------------------


def test_no_logger_is_told(env: Env, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        everything_done(env.storage, SECRET)
    assert caplog.records  # of the refusal, at least
    assert not traces_in(repr([(each.getMessage(), vars(each)) for each in caplog.records]))


# -- what is left of a process -------------------------------------------------------------------

_CHILD = """
import json, os, signal, sys
import jwt
import cryptography.hazmat.primitives.asymmetric.x25519
from safefs import Storage
from safefs.kernel import syscalls
from tests.keyed import everything_done
told = []
sys.addaudithook(lambda event, args: told.append(repr((event, args))))
canaries = json.loads(sys.stdin.read())
mode, source = sys.argv[1:]
with Storage("acme", key_source=source, passphrase=lambda line: canaries["passphrase"]) as storage:
    storage.import_key(canaries["key"])
    storage.secrets.set("mail", canaries["secret"])
    if mode == "killed":
        def kill(*args, **keywords):
            os.kill(os.getpid(), signal.SIGKILL)
        syscalls.rename = syscalls.link = kill
        storage.secrets.set("other", canaries["secret"])
    everything_done(storage, canaries["secret"])
    storage.disk("temp").put("a.txt", "nothing")
told.append(repr(dict(os.environ)))
told.append(repr(sys.argv))
for name in ("environ", "cmdline", "comm", "maps"):
    with open(f"/proc/self/{name}", "rb") as file:
        told.append(repr(file.read()))
print("\\n".join(told))
"""


def _child(home: Path, mode: str, source: str) -> subprocess.CompletedProcess[str]:
    """All that is secret comes by a pipe."""
    (home / "tmp").mkdir()
    return subprocess.run(
        [sys.executable, "-c", _CHILD, mode, source],
        input=json.dumps({"key": canary.KEY, "secret": SECRET, "passphrase": PASSPHRASE}),
        env={"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home / "tmp")},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )


def _leaks(home: Path) -> dict[str, list[bytes]]:
    """The files that hold one, and which."""
    files = [each for each in home.rglob("*") if each.is_file()]
    assert len(files) > 3
    names = [str(each.relative_to(home)) for each in home.rglob("*")]
    assert not traces_in("\n".join(names))
    found = {str(each.relative_to(home)): traces_in(each.read_bytes()) for each in files}
    return {name: traces for name, traces in found.items() if traces}


@pytest.mark.parametrize(("mode", "source"), [("whole", "file"), ("killed", "file")])
def test_neither_files_nor_the_environment_nor_audit_hooks_have_it(
    tmp_path: Path, mode: str, source: str
) -> None:
    child = _child(tmp_path, mode, source)
    assert child.returncode == (0 if mode == "whole" else -signal.SIGKILL), child.stderr
    assert not traces_in(child.stdout + child.stderr)
    assert mode == "killed" or child.stdout.count("\n") > 100
    # The one place that keeps the key, and nobody but its owner may read it.
    (name,) = _leaks(tmp_path)
    assert name == str(keys_of(tmp_path).relative_to(tmp_path) / "installation.key")
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert not traces_in((tmp_path / name).read_bytes().replace(canary.KEY.encode(), b""))


def test_a_file_that_leaks_would_be_found(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / str(number)).write_text("nothing")
    assert not _leaks(tmp_path)
    (tmp_path / "2").write_bytes(b"\0" * 1000 + SECRET.encode().hex().encode())
    assert list(_leaks(tmp_path)) == ["2"]


# -- core files ----------------------------------------------------------------------------------

_CRASH = """
import os, resource, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
os.chdir(sys.argv[2])
secret = sys.stdin.read()
if sys.argv[1] == "disabled":
    from safefs.secrets import disable_core_dumps
    disable_core_dumps()
    disable_core_dumps()
os.abort()
"""


def _crash(place: Path, word: str) -> bool:
    """Whether the kernel wrote a core."""
    place.mkdir()
    child = subprocess.Popen(
        [sys.executable, "-c", _CRASH, word, str(place)], stdin=subprocess.PIPE, cwd=PROJECT
    )
    assert child.stdin is not None
    child.stdin.write(SECRET.encode())
    child.stdin.close()
    status = os.waitpid(child.pid, 0)[1]
    child.returncode = status
    assert os.WTERMSIG(status) == signal.SIGABRT
    return os.WCOREDUMP(status)


def test_a_crash_leaves_no_core_where_that_was_asked(tmp_path: Path) -> None:
    assert not _crash(tmp_path / "disabled", "disabled")
    assert list((tmp_path / "disabled").iterdir()) == []


def test_without_it_a_crash_leaves_the_secret(tmp_path: Path) -> None:
    if not _crash(tmp_path / "allowed", "allowed"):
        pytest.skip("this kernel or its limits write no cores here")
    for core in (tmp_path / "allowed").iterdir():
        assert SECRET.encode() in core.read_bytes()


def _in_a_child(act: Callable[[], object]) -> int:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    try:
        os._exit(0 if act() else 1)
    finally:
        os._exit(2)


def test_core_files_are_disabled_in_both_ways(tmp_path: Path) -> None:
    import ctypes

    def both() -> bool:
        disable_core_dumps()
        dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)  # PR_GET_DUMPABLE
        return resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) and dumpable == 0

    assert _in_a_child(both) == 0


def test_safefs_works_on_without_core_files_as_any_user(shared_root: Path) -> None:
    """``/proc/self`` is root's then, through which modes and times are set on older kernels."""
    from tests.attackers import NOBODY

    def works() -> bool:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        disable_core_dumps()
        with Disk(shared_root) as disk:
            disk.put("a/b.txt", "text")
            disk.set_visibility("a/b.txt", "private")
            assert disk.visibility("a/b.txt") == "private"
            disk.copy("a/b.txt", "c.txt")
            with disk.watch(polling=False):
                disk.put("d.txt", b"")
            return disk.get_text("c.txt") == "text"

    assert _in_a_child(works) == 0


def test_it_says_why_where_the_system_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    from safefs.kernel import syscalls

    monkeypatch.setattr(syscalls, "make_undumpable", lambda: -1)
    monkeypatch.setattr(resource, "setrlimit", lambda *given: None)
    with pytest.raises(PermissionError):
        disable_core_dumps()


def test_the_walk_is_long_enough_for_what_lies_in_a_storage(env: Env) -> None:
    found = list(canary._found_by_walking(env.storage))
    assert len(found) > 50
