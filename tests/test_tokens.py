"""Tokens: what is issued, what a scope allows, and every way to come by one that is not."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import math
import os
import pickle
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safefs import (
    EscapeError,
    Grant,
    InvalidPathError,
    SafefsError,
    Scope,
    Storage,
    TokenError,
    UnknownDiskError,
)
from safefs.age import Hidden, X25519Identity
from safefs.secrets import revocations, signing, tokens
from tests.keyed import Keyring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safefs.testing.fake import FakeStorage

SCOPE = Scope("documents", "a/b", verbs=["read", "list"])
HOURS = 60 * 60


@pytest.fixture
def key() -> Keyring:
    return Keyring(X25519Identity.generate())


@pytest.fixture
def storage(key: Keyring, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStorage]:
    with Storage.fake() as storage:
        monkeypatch.setattr(Storage, "key", property(lambda self: key))
        yield storage


def _refused(storage: Storage, token: Any, **asked: Any) -> str:
    with pytest.raises(TokenError) as caught:
        storage.verify_token(token, **asked)
    shown = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert not isinstance(token, str) or len(token) < 20 or token not in shown
    return caught.value.reason


# -- scopes --------------------------------------------------------------------------------------

_ALLOWED: list[tuple[str, str, str | bytes, bool]] = [
    ("a/b", "documents", "a/b", True),
    ("a/b", "documents", "a/b/", True),
    ("a/b", "documents", "a/b/c", True),
    ("a/b", "documents", "a//b/./c", True),
    ("a/b", "documents", "./a/b/c/d", True),
    ("a/b", "documents", b"a/b/c", True),
    ("a/b", "documents", "a/bc", False),
    ("a/b", "documents", "a/bc/d", False),
    ("a/b", "documents", "a/b c", False),
    ("a/b", "documents", "a", False),
    ("a/b", "documents", "", False),
    ("a/b", "documents", "b", False),
    ("a/b", "documents", "A/b", False),
    ("a/b", "documents", "a/b/../c", False),
    ("a/b", "documents", "a/b/..", False),
    ("a/b", "documents", "a/b/../b/c", False),
    ("a/b", "documents", "../a/b", False),
    ("a/b", "documents", "/a/b", False),
    ("a/b", "documents", "a/b\0", False),
    ("a/b", "documents", "a/b/\0/c", False),
    ("a/b", "documents", "a\\b", False),
    ("a/b", "documents", "a/b\n", False),
    ("a/b", "pictures", "a/b", False),
    ("a/b", "Documents", "a/b", False),
    ("a/b", "", "a/b", False),
    ("", "documents", "", True),
    ("", "documents", "anything/at/all", True),
    ("", "documents", "..", False),
    ("", "documents", "/etc", False),
    ("", "pictures", "", False),
    (".", "documents", "a", True),
    ("a/./b//", "documents", "a/b/c", True),
    ("é", "documents", "é/x", True),
    ("é", "documents", "e\u0301/x", False),
]


@pytest.mark.parametrize(("prefix", "disk", "path", "allowed"), _ALLOWED)
def test_a_scope_is_of_whole_names(
    prefix: str, disk: str, path: str | bytes, allowed: bool
) -> None:
    assert Scope("documents", prefix, verbs=["read"]).allows("read", disk, path) is allowed


@pytest.mark.parametrize("verb", ["write", "", "rea", "read ", "READ", "readlist", "*"])
def test_a_scope_is_of_its_verbs_alone(verb: str) -> None:
    assert SCOPE.allows("read", "documents", "a/b")
    assert not SCOPE.allows(verb, "documents", "a/b")


_PARTS = st.lists(st.sampled_from(["a", "b", "ab", "..", ".", "", "a b"]), max_size=5).map("/".join)


@given(_PARTS, _PARTS)
def test_what_a_scope_allows_lies_beneath_it(prefix: str, path: str) -> None:
    try:
        scope = Scope("documents", prefix, verbs=["read"])
    except (EscapeError, InvalidPathError):
        return
    plain = os.path.normpath(path)
    beneath = scope.path == "" or f"{plain}/".startswith(f"{scope.path}/")
    is_plain = ".." not in path.split("/") and not path.startswith("/")
    assert scope.allows("read", "documents", path) is (beneath and is_plain)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("..", InvalidPathError),
        ("a/../b", InvalidPathError),
        ("a/..", InvalidPathError),
        ("a\0b", InvalidPathError),
        ("/a", EscapeError),
        ("x" * 1025, ValueError),
        (7, TypeError),
        (None, TypeError),
    ],
)
def test_a_scope_has_a_plain_path(path: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Scope("documents", path, verbs=["read"])


@pytest.mark.parametrize(
    ("disk", "verbs", "kind"),
    [
        ("", ["read"], ValueError),
        ("a\n", ["read"], ValueError),
        (None, ["read"], TypeError),
        ("documents", [], ValueError),
        ("documents", "read", TypeError),
        ("documents", [""], ValueError),
        ("documents", ["Read"], ValueError),
        ("documents", ["*"], ValueError),
        ("documents", ["x" * 33], ValueError),
        ("documents", [f"v{'abcdefghij'[n % 10] * (n // 10 + 1)}" for n in range(65)], ValueError),
        ("documents", 7, TypeError),
    ],
)
def test_a_scope_has_a_disk_and_verbs(disk: Any, verbs: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        Scope(disk, "a", verbs=verbs)


def test_a_scope_is_a_frozen_value() -> None:
    other = Scope("documents", "./a//b/", verbs={"list", "read"})
    assert other == SCOPE
    assert hash(other) == hash(SCOPE)
    assert repr(SCOPE) == "Scope(disk='documents', path='a/b', verbs=('list', 'read'))"
    assert pickle.loads(pickle.dumps(SCOPE)) == copy.deepcopy(SCOPE) == SCOPE
    with pytest.raises(AttributeError):
        SCOPE.path = ""


# -- issued and verified -------------------------------------------------------------------------


def test_a_token_says_what_it_was_issued_for(storage: Storage) -> None:
    before = int(time.time())
    grant = storage.verify_token(storage.issue_token(SCOPE, timedelta(hours=1)))
    assert grant.scope == SCOPE
    assert grant.audience == storage.app
    assert before <= grant.issued <= time.time()
    assert grant.expires == grant.issued + HOURS
    assert grant.expires_at == datetime.fromtimestamp(grant.expires, tz=UTC)
    assert pickle.loads(pickle.dumps(grant)) == grant


def test_each_token_is_another_one_of_enough_randomness(storage: Storage) -> None:
    issued = [storage.issue_token(SCOPE) for _ in range(50)]
    ids = {storage.verify_token(token).id for token in issued}
    assert len(ids) == len(set(issued)) == 50
    assert all(len(base64.urlsafe_b64decode(each)) * 8 >= 128 for each in ids)


@pytest.mark.parametrize(
    "scope",
    [
        Scope("documents", b"\xff\xfe/x", verbs=["read"]),
        Scope("documents", "ž" * 500, verbs=["read"]),
        Scope("home", "", verbs=[f"{a}{b}" * 16 for a in "abcdefgh" for b in "abcdefgh"]),
        Scope("documents", 'a"b\\c\n', verbs=["read"]),
    ],
)
def test_any_scope_travels(storage: Storage, scope: Scope) -> None:
    token = storage.issue_token(scope, audience="x" * 255)
    assert storage.verify_token(token, audience="x" * 255).scope == scope
    assert token.isascii()


_TTLS: list[tuple[Any, int | type[Exception]]] = [
    (1, 1),
    (1.9, 1),
    (timedelta(seconds=90), 90),
    (timedelta(hours=48) - timedelta(microseconds=1), 48 * HOURS - 1),
    (48 * HOURS - 1, 48 * HOURS - 1),
    (48 * HOURS, ValueError),
    (timedelta(hours=48), ValueError),
    (timedelta(days=365), ValueError),
    (timedelta.max, ValueError),
    (10**400, ValueError),
    (0, ValueError),
    (0.5, ValueError),
    (-1, ValueError),
    (timedelta(seconds=-5), ValueError),
    (math.inf, ValueError),
    (math.nan, ValueError),
    (True, TypeError),
    ("900", TypeError),
    (None, TypeError),
]


@pytest.mark.parametrize(("ttl", "outcome"), _TTLS)
def test_a_token_lives_for_less_than_48_hours(
    storage: Storage, ttl: Any, outcome: int | type[Exception]
) -> None:
    if isinstance(outcome, int):
        claims = _json(storage.issue_token(SCOPE, ttl).split(".")[1])
        assert claims["exp"] - claims["iat"] == outcome
        return
    with pytest.raises(outcome, match=r"ttl is a timedelta|less than 48 hours"):
        storage.issue_token(SCOPE, ttl)


def test_a_token_lives_for_a_short_time_where_nothing_is_said(storage: Storage) -> None:
    grant = storage.verify_token(storage.issue_token(SCOPE))
    assert grant.expires - grant.issued == 15 * 60


def test_a_token_expires(storage: Storage) -> None:
    token = storage.issue_token(SCOPE, 2)
    grant = storage.verify_token(token)
    time.sleep(max(0.0, grant.expires - time.time()) + 0.01)
    assert _refused(storage, token) == "expired"


def test_a_token_is_for_its_audience(storage: Storage) -> None:
    token = storage.issue_token(SCOPE, audience="bridge")
    assert storage.verify_token(token, audience="bridge").audience == "bridge"
    for other in (None, "bridg", "bridge ", "Bridge", "fake"):
        assert _refused(storage, token, audience=other) == "audience"
    assert _refused(storage, storage.issue_token(SCOPE), audience="bridge") == "audience"


@pytest.mark.parametrize(
    ("audience", "kind"),
    [("", ValueError), ("a\n", ValueError), ("x" * 256, ValueError), (["a"], TypeError)],
)
def test_an_audience_is_a_word(storage: Storage, audience: Any, kind: type[Exception]) -> None:
    token = storage.issue_token(SCOPE)
    with pytest.raises(kind, match="audience"):
        storage.issue_token(SCOPE, audience=audience)
    with pytest.raises(kind, match="audience"):
        storage.verify_token(token, audience=audience)


def test_a_token_is_for_its_scope(storage: Storage) -> None:
    token = storage.issue_token(SCOPE)
    storage.verify_token(token, verb="read", disk="documents", path="a/b/c")
    for verb, disk, path in [
        ("write", "documents", "a/b"),
        ("read", "pictures", "a/b"),
        ("read", "documents", "a/bc"),
        ("read", "documents", "a/b/../c"),
        ("read", "documents", ""),
    ]:
        assert _refused(storage, token, verb=verb, disk=disk, path=path) == "scope"
    assert _refused(storage, token, verb="read", disk="documents") == "scope"
    for half in ({"verb": "read"}, {"disk": "documents"}):
        with pytest.raises(TypeError, match="with both"):
            storage.verify_token(token, **half)
    alone: list[Any] = ["a/b", b"a/b", Path("elsewhere")]
    for each in alone:  # it would be taken for what was asked
        with pytest.raises(TypeError, match="with a verb"):
            storage.verify_token(token, path=each)


def test_what_is_no_scope_or_no_disk_is_told_when_it_is_issued(storage: Storage) -> None:
    with pytest.raises(UnknownDiskError):
        storage.issue_token(Scope("documens", verbs=["read"]))
    with pytest.raises(TypeError, match="give a Scope, not dict"):
        storage.issue_token({"disk": "documents"})  # type: ignore[arg-type]


# -- attacks -------------------------------------------------------------------------------------


def _b64(data: bytes | str) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _json(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=="))


class Forger:
    """Who has a good token, and in some cases even the key."""

    def __init__(self, storage: Storage, secret: bytes) -> None:
        self.good = storage.issue_token(SCOPE, HOURS)
        self.header, self.payload, self.signature = self.good.split(".")
        self.claims: dict[str, Any] = _json(self.payload)
        self.raw = base64.urlsafe_b64decode(self.signature + "=")
        self.key = secret
        self.now = int(time.time())

    def resigned(self, signature: bytes) -> str:
        return f"{self.header}.{self.payload}.{_b64(signature)}"

    def signed(self, payload: str | None = None, **header: Any) -> str:
        """By the right key, whatever the header says."""
        head = _b64(json.dumps({"alg": "HS256", "typ": "JWT", **header}))
        return self.sealed(f"{head}.{self.payload if payload is None else payload}")

    def sealed(self, text: str) -> str:
        return f"{text}.{_b64(hmac.digest(self.key, text.encode(), 'sha256'))}"

    def saying(self, **claims: Any) -> str:
        """By the right key, with these claims in the place of the good ones; ... is none."""
        said = {**self.claims, **claims}
        return self.signed(_b64(json.dumps({k: v for k, v in said.items() if v is not ...})))

    def with_claims_of_mine(self) -> str:
        mine = {**self.claims, "scope": {"disk": "home", "path": "", "verbs": ["read"]}}
        return f"{self.header}.{_b64(json.dumps(mine))}.{self.signature}"

    def scoped(self, **scope: Any) -> str:
        said = {**self.claims["scope"], **scope}
        return self.saying(scope={k: v for k, v in said.items() if v is not ...})


def _unsigned(forger: Forger, alg: str) -> str:
    return f"{_b64(json.dumps({'alg': alg, 'typ': 'JWT'}))}.{forger.payload}."


def _other_algorithm(forger: Forger, alg: str) -> str:
    return str(jwt.encode(forger.claims, forger.key * 2, algorithm=alg))


def _saying(name: str, value: Any) -> Callable[[Forger], str]:
    return lambda forger: forger.saying(**{name: value})


def _public_key_as_secret(forger: Forger) -> str:
    """RS256 to HS256: signed with a key that everybody knows, as if it were the secret."""
    text = f"{forger.header}.{forger.payload}"
    return f"{text}.{_b64(hmac.digest(b'-----BEGIN PUBLIC KEY-----', text.encode(), 'sha256'))}"


_TWICE = '{"alg": "none", "alg": "HS256", "typ": "JWT"}'
_MAL, _SIG = "malformed", "signature"
ATTACKS: dict[str, tuple[str, Callable[[Forger], Any]]] = {
    # No key.
    "alg none": (_SIG, lambda f: _unsigned(f, "none")),
    "alg None": (_SIG, lambda f: _unsigned(f, "None")),
    "alg nOnE": (_SIG, lambda f: _unsigned(f, "nOnE")),
    "alg none, with the signature": (_SIG, lambda f: _unsigned(f, "none") + f.signature),
    "no alg": (_SIG, lambda f: f"{_b64('{}')}.{f.payload}.{f.signature}"),
    "alg of another type": (_SIG, lambda f: f.signed(alg=["HS256"])),
    "HS384 with the right key": (_SIG, lambda f: _other_algorithm(f, "HS384")),
    "HS512 with the right key": (_SIG, lambda f: _other_algorithm(f, "HS512")),
    "RS256 over the right bytes": (_SIG, lambda f: f.signed(alg="RS256")),
    "a public key as the secret": (_SIG, _public_key_as_secret),
    "another key": (_SIG, lambda f: str(jwt.encode(f.claims, b"k" * 32, algorithm="HS256"))),
    "no signature": (_SIG, lambda f: f"{f.header}.{f.payload}."),
    "the signature cut": (_SIG, lambda f: f.resigned(f.raw[:-3])),
    "the signature of nothing": (_SIG, lambda f: f"{f.header}.{f.payload}.{_b64(bytes(32))}"),
    "claims of mine": (_SIG, Forger.with_claims_of_mine),
    "another's payload": (
        _SIG,
        lambda f: f"{f.header}.{_b64(json.dumps({**f.claims, 'jti': 'x' * 32}))}.{f.signature}",
    ),
    "a claim added": (
        _SIG,
        lambda f: f"{f.header}.{_b64(json.dumps({**f.claims, 'admin': True}))}.{f.signature}",
    ),
    "a bit of the signature": (_SIG, lambda f: f.resigned(bytes([f.raw[0] ^ 1]) + f.raw[1:])),
    "a longer signature": (_SIG, lambda f: f.resigned(f.raw + b"\0")),
    # The spelling.
    "nothing": (_MAL, lambda f: ""),
    "dots": (_MAL, lambda f: ".."),
    "one part": (_MAL, lambda f: f.payload),
    "two parts": (_MAL, lambda f: f.good.rpartition(".")[0]),
    "four parts": (_MAL, lambda f: f.good + "."),
    "five parts": (_MAL, lambda f: f.good + ".a.b"),
    "cut": (_MAL, lambda f: f.good[:-2]),
    "padding": (_MAL, lambda f: f.good + "="),
    "a space before": (_MAL, lambda f: " " + f.good),
    "a line behind": (_MAL, lambda f: f.good + "\n"),
    "Bearer": (_MAL, lambda f: "Bearer " + f.good),
    "a spare bit": (_MAL, lambda f: f.good[:-1] + chr(ord(f.good[-1]) + 1)),
    "the other alphabet": (_MAL, lambda f: f.good[:-2] + "+/"),
    "text of the whole world": (_MAL, lambda f: f.good + "žluťoučký🐎"),
    "digits of another script": (_MAL, lambda f: f.good.replace("1", "\u0661") + "\u0661"),
    "half a character": (_MAL, lambda f: f.good + "\ud800"),
    "NUL": (_MAL, lambda f: f.good + "\0"),
    "huge": (_MAL, lambda f: "a" * 10_000_000),
    "a huge payload": (_MAL, lambda f: f.signed(_b64(json.dumps({**f.claims, "x": "y" * 20_000})))),
    "bytes": (_MAL, lambda f: f.good.encode()),
    "None": (_MAL, lambda f: None),
    "a number": (_MAL, lambda f: 7),
    "a list": (_MAL, lambda f: [f.good]),
    # Headers, by the right key.
    "a key id": (_MAL, lambda f: f.signed(kid="../../dev/null")),
    "a key": (_MAL, lambda f: f.signed(jwk={"kty": "oct", "k": _b64(b"k" * 32)})),
    "where to find a key": (_MAL, lambda f: f.signed(jku="http://127.0.0.1:9/")),
    "something critical": (_MAL, lambda f: f.signed(crit=["b64"], b64=False)),
    "another type of token": (_MAL, lambda f: f.signed(typ="JWE")),
    "a header twice": (
        _MAL,
        lambda f: f.sealed(_b64(_TWICE) + "." + f.payload),
    ),
    "a header that is a list": (_MAL, lambda f: f.sealed(f"{_b64('[]')}.{f.payload}")),
    "a header that is nested deep": (
        _MAL,
        lambda f: f.sealed(f"{_b64('[' * 9000)}.{f.payload}"),
    ),
    # Claims, by the right key.
    "a claim twice": (
        _MAL,
        lambda f: f.signed(_b64(json.dumps(f.claims)[:-1] + f', "exp": {f.now + 60}}}')),
    ),
    "a verb list twice": (
        _MAL,
        lambda f: f.signed(
            _b64(json.dumps(f.claims).replace('"verbs"', '"verbs": ["write"], "verbs"'))
        ),
    ),
    "no object": (_MAL, lambda f: f.signed(_b64("[]"))),
    "no JSON": (_MAL, lambda f: f.signed(_b64("x"))),
    "JSON in UTF-16": (_MAL, lambda f: f.signed(_b64(json.dumps(f.claims).encode("utf-16")[:-1]))),
    "nothing claimed": (_MAL, lambda f: f.signed(_b64("{}"))),
    **{f"no {name}": (_MAL, _saying(name, ...)) for name in sorted(tokens._CLAIMS)},
    **{f"{name} null": (_MAL, _saying(name, None)) for name in sorted(tokens._CLAIMS)},
    "one claim more": (_MAL, lambda f: f.saying(admin=True)),
    "an issuer": (_MAL, lambda f: f.saying(iss="me")),
    "48 hours": (_MAL, lambda f: f.saying(exp=f.claims["iat"] + 48 * HOURS)),
    "ten years": (_MAL, lambda f: f.saying(exp=f.now + 10 * 365 * 24 * HOURS)),
    "the end of time": (_MAL, lambda f: f.saying(exp=10**30)),
    "issued long ago": (_MAL, lambda f: f.saying(iat=f.now - 90 * HOURS, nbf=f.now - 90 * HOURS)),
    "a number of many digits": (
        _MAL,
        lambda f: f.signed(_b64(json.dumps(f.claims).replace('"exp": ', f'"exp": 1{"0" * 5000}'))),
    ),
    "for ever": (_MAL, lambda f: f.saying(exp=math.inf)),
    "not a number": (_MAL, lambda f: f.saying(exp=math.nan)),
    "a time as text": (_MAL, lambda f: f.saying(exp=str(f.now + 60))),
    "a part of a second": (_MAL, lambda f: f.saying(exp=f.now + 60.5)),
    "a time that is true": (_MAL, lambda f: f.saying(iat=True, nbf=True, exp=f.now + 60)),
    "an end before the beginning": (
        "expired",
        lambda f: f.saying(exp=f.claims["iat"] - 1),
    ),
    "expired": ("expired", lambda f: f.saying(iat=f.now - 60, nbf=f.now - 60, exp=f.now - 30)),
    "expired just now": ("expired", lambda f: f.saying(iat=f.now - 60, nbf=f.now - 60, exp=f.now)),
    "of the future": (
        "early",
        lambda f: f.saying(iat=f.now + 600, nbf=f.now + 600, exp=f.now + 900),
    ),
    "not yet": ("early", lambda f: f.saying(nbf=f.now + 600)),
    "an id that is a number": (_MAL, lambda f: f.saying(jti=7)),
    "no word for an id": (_MAL, lambda f: f.saying(jti="")),
    "another's audience": ("audience", lambda f: f.saying(aud="bridge")),
    "many audiences": ("audience", lambda f: f.saying(aud=["fake", "bridge"])),
    "another generation": ("revoked", lambda f: f.saying(gen="x" * 22)),
    "a scope that is text": (_MAL, lambda f: f.saying(scope="documents")),
    "a scope of another path": (_MAL, lambda f: f.scoped(path="../etc")),
    "a scope that leads out and back": (_MAL, lambda f: f.scoped(path="a/../b")),
    "an absolute scope": (_MAL, lambda f: f.scoped(path="/etc")),
    "a scope with NUL": (_MAL, lambda f: f.scoped(path="a\0")),
    "a scope spelled otherwise": (_MAL, lambda f: f.scoped(path="a//b")),
    "a scope without a path": (_MAL, lambda f: f.scoped(path=...)),
    "a scope with more": (_MAL, lambda f: f.scoped(more=1)),
    "verbs as one text": (_MAL, lambda f: f.scoped(verbs="read")),
    "any verb": (_MAL, lambda f: f.scoped(verbs=["*"])),
    "no verb": (_MAL, lambda f: f.scoped(verbs=[])),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_other_token_is_taken(storage: Storage, key: Keyring, attack: str) -> None:
    reason, forge = ATTACKS[attack]
    forger = Forger(storage, key.derive(tokens.PURPOSE).reveal())
    forged = forge(forger)
    assert forged != forger.good
    assert _refused(storage, forged) == reason
    storage.verify_token(forger.good)


def test_the_forger_with_the_key_makes_good_ones(storage: Storage, key: Keyring) -> None:
    """Else all the attacks above with the right key would be refused for another reason."""
    forger = Forger(storage, key.derive(tokens.PURPOSE).reveal())
    for good in (
        forger.signed(),
        forger.saying(),
        forger.scoped(),
        forger.saying(exp=forger.now + 120),
    ):
        assert storage.verify_token(good).scope == SCOPE
    assert forger.sealed(f"{forger.header}.{forger.payload}") == forger.good


def test_any_letter_that_is_changed_is_noticed(storage: Storage) -> None:
    token = storage.issue_token(SCOPE)
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert _refused(storage, changed) in (_SIG, _MAL), at


@given(st.text() | st.binary() | st.none() | st.integers())
def test_whatever_it_is_the_answer_is_one_error(said: object) -> None:
    found = tokens.hidden_token(said)
    if found is not None:
        refused = signing.verified(found, Hidden(b"k" * 32), audience="a")
        assert isinstance(refused, TokenError)


def test_the_library_is_held_to_one_algorithm_too() -> None:
    """Behind the check of the header, as a second wall."""
    key = Hidden(b"k" * 64)
    for alg in ("HS384", "HS512"):
        token = jwt.encode({"a": 1}, key.reveal(), algorithm=alg)
        with pytest.raises(jwt.InvalidAlgorithmError):
            jwt.decode(token, key.reveal(), algorithms=[signing._ALGORITHM])


def test_after_a_rotation_of_the_key_a_token_is_void(storage: Storage, key: Keyring) -> None:
    token = storage.issue_token(SCOPE)
    key.rotate()
    assert _refused(storage, token) == "signature"
    storage.verify_token(storage.issue_token(SCOPE))


def test_the_token_of_another_installation_is_none(key: Keyring, storage: Storage) -> None:
    token = storage.issue_token(SCOPE)
    key.all = [X25519Identity.generate()]
    assert _refused(storage, token) == "signature"
    with pytest.raises(TokenError, match="signature"):
        storage.revoke_token(token)


# -- revoked -------------------------------------------------------------------------------------


def test_one_that_is_revoked_is_void_and_the_others_are_not(storage: Storage) -> None:
    one, other = storage.issue_token(SCOPE), storage.issue_token(SCOPE)
    storage.revoke_token(one)
    storage.revoke_token(one)
    assert _refused(storage, one) == "revoked"
    storage.revoke_token(storage.verify_token(other))
    assert _refused(storage, other) == "revoked"
    storage.verify_token(storage.issue_token(SCOPE))


def test_all_that_were_issued_can_be_revoked_at_once(storage: Storage) -> None:
    issued = [storage.issue_token(SCOPE) for _ in range(3)]
    storage.revoke_token(issued[0])
    storage.revoke_tokens()
    assert [_refused(storage, token) for token in issued] == ["revoked"] * 3
    storage.revoke_token(issued[1])
    storage.verify_token(storage.issue_token(SCOPE))


@pytest.mark.parametrize("token", ["", "a.b.c", None, b"a", 7])
def test_what_is_no_token_cannot_be_revoked(storage: Storage, token: Any) -> None:
    with pytest.raises(TokenError, match="malformed"):
        storage.revoke_token(token)


def _ledger(storage: Storage) -> Any:
    return storage._own.get().json(revocations.FILE)


def test_a_revocation_is_forgotten_when_it_says_nothing_more(
    storage: Storage, key: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the token is not good again when the clock is set back to its time."""
    old, other = storage.issue_token(SCOPE, 60), storage.issue_token(SCOPE, 2 * HOURS)
    storage.revoke_token(old)
    expires = _ledger(storage)["revoked"].popitem()[1]
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: expires + revocations._KEPT - 1.0)
        storage.revoke_token(other)
        assert len(_ledger(storage)["revoked"]) == 2
        patched.setattr(time, "time", lambda: expires + revocations._KEPT + 1.0)
        storage.revoke_token(other)
        assert len(_ledger(storage)["revoked"]) == 1
    assert _ledger(storage)["forgotten"] == expires
    assert _refused(storage, old) == "expired"
    assert _refused(storage, other) == "revoked"


def test_a_clock_far_ahead_does_not_bar_all_that_is_issued_after_it(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now + 1000.0 * HOURS)
        storage.revoke_token(storage.issue_token(SCOPE, 60))
        patched.setattr(time, "time", lambda: now + 2000.0 * HOURS)
        storage.revoke_token(storage.issue_token(SCOPE, 60))
    assert _ledger(storage)["forgotten"] > now + 999 * HOURS
    token = storage.issue_token(SCOPE)
    storage.verify_token(token)
    assert _ledger(storage)["forgotten"] == 0


_LISTS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "no generation": b'{"revoked": {}}',
    "another member": b'{"generation": "a", "revoked": {}, "x": 1}',
    "another type": b'{"generation": "a", "revoked": []}',
    "no number": b'{"generation": "a", "revoked": {"a": "b"}}',
    "nested deep": b"[" * 100_000,
}


@pytest.mark.parametrize("damage", _LISTS)
def test_with_a_damaged_list_every_token_is_void(storage: Storage, damage: str) -> None:
    token = storage.issue_token(SCOPE)
    storage._own.get().put(revocations.FILE, _LISTS[damage])
    assert _refused(storage, token) == "revoked"
    storage.verify_token(storage.issue_token(SCOPE))
    assert _refused(storage, token) == "revoked"


def test_with_a_lost_list_no_revoked_token_comes_back(storage: Storage) -> None:
    token, other = storage.issue_token(SCOPE), storage.issue_token(SCOPE)
    storage.revoke_token(token)
    storage._own.get().delete(revocations.FILE)
    storage.revoke_token(token)
    assert [_refused(storage, each) for each in (token, other)] == ["revoked"] * 2
    storage.issue_token(SCOPE)
    assert [_refused(storage, each) for each in (token, other)] == ["revoked"] * 2


def test_what_another_process_revokes_is_void_here(
    key: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Storage, "key", property(lambda self: key))
    with Storage.fake(memory=False) as storage:
        issued = [storage.issue_token(SCOPE) for _ in range(20)]
        children = []
        for at in range(4):
            pid = os.fork()
            if not pid:
                try:
                    for token in issued[at * 4 : at * 4 + 4]:
                        storage.revoke_token(token)
                finally:
                    os._exit(0)
            children.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
        assert [_refused(storage, token) for token in issued[:16]] == ["revoked"] * 16
        for token in issued[16:]:
            storage.verify_token(token)


def test_threads_revoke_and_issue_at_once(storage: Storage) -> None:
    issued: list[str] = []

    def work() -> None:
        for _ in range(10):
            token = storage.issue_token(SCOPE)
            storage.verify_token(token)
            storage.revoke_token(token)
            issued.append(token)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [_refused(storage, token) for token in issued] == ["revoked"] * 40


# -- errors and the extra ------------------------------------------------------------------------


def test_the_error_survives_pickle_and_is_of_the_family() -> None:
    error = TokenError(TokenError.EXPIRED, "its time is over")
    again = pickle.loads(pickle.dumps(error))
    assert (again.reason, again.detail, str(again)) == (error.reason, error.detail, str(error))
    assert isinstance(again, SafefsError)
    assert isinstance(again, PermissionError)


def test_without_the_extra_it_says_what_to_install(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = storage.issue_token(SCOPE)
    monkeypatch.setitem(sys.modules, "jwt", None)
    for act in (lambda: storage.issue_token(SCOPE), lambda: storage.verify_token(token)):
        with pytest.raises(ImportError, match=r"install safefs\[crypto\]"):
            act()


def test_the_signature_is_that_of_the_standard(storage: Storage, key: Keyring) -> None:
    """RFC 7515 by hand, with nothing of the library."""
    text, _, signature = storage.issue_token(SCOPE).rpartition(".")
    secret = key.derive("safefs tokens v1").reveal()
    assert _b64(hmac.new(secret, text.encode(), hashlib.sha256).digest()) == signature
    assert _json(text.split(".")[0]) == {"alg": "HS256", "typ": "JWT"}


def test_the_grant_is_what_verify_returns() -> None:
    grant = Grant("id", SCOPE, "app", 1, 2, "gen")
    assert repr(grant).startswith("Grant(")
    assert grant.expires_at.year == 1970
