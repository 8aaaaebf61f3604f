"""A disk that is served: what clients get, and what comes of everything else that is sent."""

# ruff: noqa: E501  (requests, and rows of tables, stand here in full)

from __future__ import annotations

import json
import logging
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import pytest

from safefs import Disk, Policy, Scope, Storage
from safefs.bridge.callers import AUDIENCE
from safefs.bridge.server import Patience
from safefs.bridge.serving import Bridge
from safefs.bridge.sockets import loopback
from tests.bridged import (
    Conversation,
    answer_on,
    ask,
    basic,
    bearer,
    connected,
    context_of,
    head_of,
    plain,
    serving,
    settle,
    tree_of,
    where,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORIGIN = "https://app.example"
Headers = dict[str, "str | None"]


class House(NamedTuple):
    bridge: Bridge
    disk: Disk
    storage: Storage
    folder: Path  # of all; the disks are ``docs`` and ``other`` in it


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("bridge") / "moat" / "moat" / "house"
    for name in ("docs", "other", "outside"):
        (folder / name).mkdir(parents=True)
    with (
        Disk(folder / "docs", name="docs", locks=folder / "locks") as docs,
        Disk(folder / "other", name="other", locks=folder / "locks") as other,
        Storage.fake(disks=["docs", "other"]) as storage,
        Bridge(
            {"docs": docs, "other": other},
            storage=storage,
            origins=[ORIGIN],
            **where(folder.parent),
        ) as bridge,
    ):
        ask(bridge, "OPTIONS", "/")  # what a first request opens for good, it opens now
        docs.put("first", b"", if_none_match="*")
        docs.put("first", b"", if_match="*")
        settle(bridge)
        yield House(bridge, docs, storage, folder)


@pytest.fixture
def house(kept: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr("safefs.bridge.callers._DELAY", 0.02)
    for path in (kept.folder / "docs").iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    (kept.folder / "outside" / "secret.txt").write_bytes(b"secret")
    kept.disk.put("a.txt", b"hello, world")
    kept.disk.put("tree/one.txt", b"1")
    kept.disk.put("tree/sub/two.txt", b"2")
    yield kept
    settle(kept.bridge)


# What clients get


def test_a_file_is_got_with_what_tells_its_version(house: House) -> None:
    answer = ask(house.bridge, "GET", "/docs/a.txt")
    assert (answer.status, answer.body) == (200, b"hello, world")
    assert answer.headers["etag"] == f'"{house.disk.etag("a.txt")}"'
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["accept-ranges"] == "bytes"


def test_nothing_that_is_served_can_be_a_page_of_the_bridge(house: House) -> None:
    house.disk.put("evil.html", b"<script>fetch('/docs/a.txt')</script>")
    headers = ask(house.bridge, "GET", "/docs/evil.html").headers
    assert headers["content-disposition"] == "attachment"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "set-cookie" not in headers


def test_head_says_what_get_would(house: House) -> None:
    got, said = ask(house.bridge, "GET", "/docs/a.txt"), ask(house.bridge, "HEAD", "/docs/a.txt")
    assert (said.status, said.body) == (200, b"")
    for name in ("etag", "content-length", "content-type", "last-modified"):
        assert said.headers[name] == got.headers[name]


def test_a_range_is_got(house: House) -> None:
    answer = ask(house.bridge, "GET", "/docs/a.txt", {"Range": "bytes=7-"})
    assert (answer.status, answer.body) == (206, b"world")
    assert answer.headers["content-range"] == "bytes 7-11/12"


def test_a_range_beyond_the_end_says_where_that_is(house: House) -> None:
    answer = ask(house.bridge, "GET", "/docs/a.txt", {"Range": "bytes=99-"})
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */12")


@pytest.mark.parametrize(("tag", "status"), [("right", 206), ('"wrong"', 200), ("junk", 200)])
def test_a_range_of_another_version_is_the_whole(house: House, tag: str, status: int) -> None:
    tag = f'"{house.disk.etag("a.txt")}"' if tag == "right" else tag
    headers: Headers = {"Range": "bytes=0-1", "If-Range": tag}
    assert ask(house.bridge, "GET", "/docs/a.txt", headers).status == status


def test_a_version_that_is_known_is_not_sent_again(house: House) -> None:
    tag = f'"{house.disk.etag("a.txt")}"'
    answer = ask(house.bridge, "GET", "/docs/a.txt", {"If-None-Match": tag})
    assert (answer.status, answer.body) == (304, b"")


def test_a_large_file_comes_whole_and_goes_whole(house: House) -> None:
    data = os.urandom(3_000_001)
    assert ask(house.bridge, "PUT", "/docs/large", body=data).status == 201
    assert house.disk.get("large") == data
    assert ask(house.bridge, "GET", "/docs/large").body == data


def test_a_file_is_put_and_replaced(house: House) -> None:
    made = ask(house.bridge, "PUT", "/docs/new.txt", body=b"one")
    assert made.status == 201
    assert made.headers["etag"] == f'"{house.disk.etag("new.txt")}"'
    assert ask(house.bridge, "PUT", "/docs/new.txt", body=b"two").status == 204
    assert house.disk.get("new.txt") == b"two"


def test_a_body_in_chunks_is_put(house: House) -> None:
    chunks = b"3\r\none\r\n4;x=y\r\n two\r\n0\r\n\r\n"
    with connected(house.bridge) as sock:
        headers = {"Transfer-Encoding": "chunked"}
        sock.sendall(head_of(house.bridge, "PUT", "/docs/c", headers, None) + chunks)
        assert answer_on(sock).status == 201
    assert house.disk.get("c") == b"one two"


@pytest.mark.parametrize("end", [b"", b"0\r\n"[:1], b"zz\r\n", b"-1\r\n", b"5\r\nabc"])
def test_chunks_without_their_end_publish_nothing(house: House, end: bytes) -> None:
    before = tree_of(house.folder)
    with connected(house.bridge) as sock:
        headers = {"Transfer-Encoding": "chunked"}
        head = head_of(house.bridge, "PUT", "/docs/a.txt", headers, None)
        sock.sendall(head + b"3\r\none\r\n" + end)
        sock.shutdown(1)
        sock.settimeout(5)
        while sock.recv(4096):
            pass
    settle(house.bridge)
    assert tree_of(house.folder) == before


def test_an_upload_that_ends_early_publishes_nothing(house: House) -> None:
    before = tree_of(house.folder)
    with connected(house.bridge) as sock:
        sock.sendall(head_of(house.bridge, "PUT", "/docs/a.txt", {}, 1000) + b"x" * 999)
    settle(house.bridge)
    assert tree_of(house.folder) == before


def test_nothing_is_seen_of_an_upload_before_its_end(house: House) -> None:
    with connected(house.bridge) as sock:
        sock.sendall(head_of(house.bridge, "PUT", "/docs/slow", {}, 1000) + b"x" * 500)
        time.sleep(0.1)
        assert ask(house.bridge, "GET", "/docs/slow").status == 404
        assert b"slow" not in ask(house.bridge, "PROPFIND", "/docs/", {"Depth": "1"}).body
        sock.sendall(b"x" * 500)
        assert answer_on(sock).status == 201
    assert house.disk.size("slow") == 1000


CONDITIONS: list[tuple[str, Headers, int]] = [
    ("a.txt", {"If-Match": "<etag>"}, 204),
    ("a.txt", {"If-Match": '"other"'}, 412),
    ("a.txt", {"If-Match": "*"}, 204),
    ("missing", {"If-Match": "*"}, 412),
    ("missing", {"If-Match": '"other"'}, 412),
    ("a.txt", {"If-None-Match": "*"}, 412),
    ("missing", {"If-None-Match": "*"}, 201),
    ("a.txt", {"If-None-Match": "<etag>"}, 412),
    ("a.txt", {"If-None-Match": '"other"'}, 204),
    ("a.txt", {"Content-Range": "bytes 0-1/2"}, 400),
    ("a.txt", {"Content-Encoding": "gzip"}, 415),
    ("tree", {}, 405),
    ("new/", {}, 405),
    ("a.txt/b", {}, 409),
    ("no/b", {}, 409),
]


@pytest.mark.parametrize(("name", "headers", "status"), CONDITIONS)
def test_a_put_under_a_condition(house: House, name: str, headers: Headers, status: int) -> None:
    before = tree_of(house.folder)
    tag = f'"{house.disk.etag("a.txt")}"'
    sent: Headers = {key: tag if value == "<etag>" else value for key, value in headers.items()}
    assert ask(house.bridge, "PUT", f"/docs/{name}", sent, b"new").status == status
    assert (tree_of(house.folder) == before) is (status >= 400)


def test_of_puts_that_mean_the_same_version_one_wins(house: House) -> None:
    tag = f'"{house.disk.etag("a.txt")}"'
    statuses: list[int] = []

    def put(text: bytes) -> None:
        statuses.append(ask(house.bridge, "PUT", "/docs/a.txt", {"If-Match": tag}, text).status)

    threads = [threading.Thread(target=put, args=(bytes([65 + i]),)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [204, *[412] * 5]


CHANGES: list[tuple[str, str, Headers, int, set[str]]] = [
    # what is asked, its status, and the files that are there afterwards beside those that stay
    ("MKCOL", "new", {}, 201, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("MKCOL", "tree", {}, 405, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("MKCOL", "no/new", {}, 409, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("DELETE", "a.txt", {}, 204, {"tree/one.txt", "tree/sub/two.txt"}),
    ("DELETE", "tree", {}, 204, {"a.txt"}),
    ("DELETE", "tree/", {"Depth": "1"}, 400, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("DELETE", "missing", {}, 404, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("DELETE", "", {}, 403, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "a.txt", {"Destination": "/docs/b"}, 201, {"a.txt", "b", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "a.txt", {"Destination": "/docs/tree/one.txt", "Overwrite": "F"}, 412, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "a.txt", {"Destination": "/docs/tree"}, 204, {"a.txt", "tree"}),
    ("COPY", "a.txt", {"Destination": "/docs/no/b"}, 409, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "a.txt", {"Destination": "/docs/a.txt"}, 403, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "a.txt", {"Destination": "/other"}, 403, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "a.txt", {"Destination": "/"}, 403, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "a.txt", {"Destination": "/nowhere/b"}, 409, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "a.txt", {}, 400, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "tree", {"Destination": "/docs/t"}, 201, {"a.txt", "tree/one.txt", "tree/sub/two.txt", "t/one.txt", "t/sub/two.txt"}),
    ("COPY", "tree", {"Destination": "/docs/t", "Depth": "0"}, 201, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "tree", {"Destination": "/docs/t", "Depth": "1"}, 400, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "tree", {"Destination": "/docs/a.txt"}, 204, {"a.txt/one.txt", "a.txt/sub/two.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("COPY", "tree", {"Destination": "/docs/tree/sub/x"}, 403, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("MOVE", "a.txt", {"Destination": "/docs/b"}, 201, {"b", "tree/one.txt", "tree/sub/two.txt"}),
    ("MOVE", "a.txt", {"Destination": "/docs/tree/one.txt"}, 204, {"tree/one.txt", "tree/sub/two.txt"}),
    ("MOVE", "tree", {"Destination": "/docs/t"}, 201, {"a.txt", "t/one.txt", "t/sub/two.txt"}),
    ("MOVE", "tree", {"Destination": "/docs/tree/t"}, 403, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    # What lies in what would be removed for it would be gone with it.
    ("MOVE", "tree/sub", {"Destination": "/docs/tree"}, 403, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("MOVE", "tree/sub", {"Destination": "/docs"}, 403, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("MOVE", "", {"Destination": "/docs/t"}, 403, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("POST", "a.txt", {}, 405, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
    ("TRACE", "a.txt", {}, 405, {"a.txt", "tree/one.txt", "tree/sub/two.txt"}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "name", "headers", "status", "files"), CHANGES)
def test_a_change(
    house: House, method: str, name: str, headers: Headers, status: int, files: set[str]
) -> None:
    assert ask(house.bridge, method, f"/docs/{name}", headers).status == status
    assert set(house.disk.all_files()) == files


def test_a_file_and_a_tree_go_to_another_disk(house: House) -> None:
    for name in ("a.txt", "tree"):
        there = {"Destination": f"{house.bridge.url}other/{name}"}
        assert ask(house.bridge, "COPY", f"/docs/{name}", there).status == 201
        assert ask(house.bridge, "DELETE", f"/other/{name}").status == 204
        assert ask(house.bridge, "MOVE", f"/docs/{name}", there).status == 201
        assert ask(house.bridge, "DELETE", f"/other/{name}").status == 204
    assert house.disk.all_files() == []


def test_a_directory_is_listed_and_has_no_page(house: House) -> None:
    listed = ask(house.bridge, "PROPFIND", "/docs/", {"Depth": "1"})
    assert listed.status == 207
    for name in (b"/docs/a.txt<", b"/docs/tree/<"):
        assert name in listed.body
    assert b"one.txt" not in listed.body
    assert ask(house.bridge, "GET", "/docs/tree/").status == 403
    assert ask(house.bridge, "GET", "/docs/").status == 403
    assert ask(house.bridge, "GET", "/").status == 403
    assert ask(house.bridge, "GET", "/docs/a.txt/").status == 404


def test_all_of_a_disk_is_not_listed_in_one_answer(house: House) -> None:
    assert ask(house.bridge, "PROPFIND", "/docs/", {"Depth": "infinity"}).status == 403
    assert ask(house.bridge, "PROPFIND", "/docs/").status == 403


def test_the_root_lists_the_disks(house: House) -> None:
    listed = ask(house.bridge, "PROPFIND", "/", {"Depth": "1"})
    assert listed.status == 207
    assert b"/docs/<" in listed.body
    assert b"/other/<" in listed.body


def test_any_name_that_a_disk_can_hold_can_be_said(house: House) -> None:
    names = [b"\xff\xfe", b"a\nb", b"a\\b", b"%2e%2e", b"a&<b>", "ä€😀".encode(), b"a?b#c", b"\x01"]
    for name in names:
        (house.folder / "docs" / os.fsdecode(name)).write_bytes(name)
    listed = ask(house.bridge, "PROPFIND", "/docs/", {"Depth": "1"})
    assert listed.status == 207
    hrefs = [part.split(b"<")[0].decode() for part in listed.body.split(b"href>")[1::2]]
    got = {ask(house.bridge, "GET", href).body for href in hrefs if not href.endswith("/")}
    assert got == {*names, b"hello, world"}


def test_drafts_are_neither_listed_nor_named(house: House) -> None:
    draft = ".safefs-0123456789abcdef.tmp"
    (house.folder / "docs" / draft).write_bytes(b"x")
    assert draft.encode() not in ask(house.bridge, "PROPFIND", "/docs/", {"Depth": "1"}).body
    for method in ("GET", "DELETE", "PUT"):
        assert ask(house.bridge, method, f"/docs/{draft}", body=b"").status == 400
    (house.folder / "docs" / draft).unlink()


# What leaves the disk

HOSTILE = [
    *("/docs/../outside/secret.txt", "/docs/%2e%2e/outside/secret.txt", "/../outside/secret.txt"),
    *("/docs/%252e%252e/outside/secret.txt", "/docs/..%2foutside%2fsecret.txt"),
    *("/docs/..%252foutside%252fsecret.txt", "/docs/%2e%2e%5coutside%5csecret.txt"),
    *(
        "/docs/..\\outside\\secret.txt",
        "/docs/..%5coutside%5csecret.txt",
        "/docs/tree/../../outside",
    ),
    *("/docs/a.txt%00", "/docs/%00", "/docs/a.txt%00.png", "//outside/secret.txt", "/docs//a.txt"),
    *("/docs/./a.txt", "/docs/.", "/docs/..", "/docs/%2e", "/%2e%2e/", "/outside/secret.txt"),
    *("/docs/link/secret.txt", "/docs/leak.txt", "/docs/up/outside/secret.txt", "/docs/dangling"),
    *("/docs/..;/outside/secret.txt", "/docs/%c0%ae%c0%ae/outside/secret.txt", "/docs/a.txt?x=y"),
    *("/docs/%u002e%u002e/outside/secret.txt", "/docs/a.txt#x", "/.docs/a.txt", "/DOCS/a.txt"),
    *("http://127.0.0.1/docs/a.txt", "https://127.0.0.1/docs/a.txt", "docs/a.txt", "*", ""),
]


def plant_links(house: House) -> None:
    docs = house.folder / "docs"
    (docs / "link").symlink_to(house.folder / "outside")
    (docs / "leak.txt").symlink_to(house.folder / "outside" / "secret.txt")
    (docs / "up").symlink_to("..")
    (docs / "dangling").symlink_to(house.folder / "outside" / "new.txt")


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "MOVE", "LOCK"])
def test_no_path_leaves_the_disk(house: House, method: str) -> None:
    plant_links(house)
    before = tree_of(house.folder)
    headers: Headers = {"Depth": "0", "Destination": "/docs/taken"}
    with Conversation(house.bridge) as conversation:
        for path in HOSTILE:
            answer = conversation.ask(method, path, headers)
            assert answer.status in range(400, 503), path
            assert b"secret" not in answer.body, path
            assert tree_of(house.folder) == before, path


@pytest.mark.parametrize("method", ["PUT", "COPY", "MOVE", "DELETE", "MKCOL"])
def test_no_change_leaves_the_disk(house: House, method: str) -> None:
    """A link in the last place is replaced or removed, as by ``Disk``: what it led to stays."""
    plant_links(house)
    leak = house.folder / "docs" / "leak.txt"
    with Conversation(house.bridge) as conversation:
        for path in HOSTILE:
            leak.unlink(missing_ok=True)
            leak.symlink_to(house.folder / "outside" / "secret.txt")
            house.disk.put("from.txt", b"evil")
            if method in ("COPY", "MOVE"):
                conversation.ask(method, "/docs/from.txt", {"Destination": path})
            else:
                conversation.ask(method, path, body=b"evil" if method == "PUT" else None)
            assert tree_of(house.folder / "outside") == {"secret.txt": b"secret"}, path
            assert not list((house.folder / "other").iterdir()), path
            names = sorted(each.name for each in house.folder.iterdir())
            assert names == ["docs", "locks", "other", "outside"], path


def test_a_link_that_leaves_is_in_no_listing(house: House) -> None:
    plant_links(house)
    listed = ask(house.bridge, "PROPFIND", "/docs/", {"Depth": "1"}).body
    for name in (b"link", b"leak", b"up", b"dangling"):
        assert b"/docs/" + name not in listed


@pytest.mark.parametrize(
    ("destination", "status"),
    [
        ("https://example.org/docs/b", 502),
        ("http://{host}/docs/b", 502),
        ("https://127.0.0.1:1/docs/b", 502),
        ("https://{host}/docs/../b", 400),
        ("//{host}/docs/b", 400),
        ("https://{host}/docs/b", 201),
    ],
)
def test_a_destination_is_on_this_server(house: House, destination: str, status: int) -> None:
    host = house.bridge.url.removeprefix("https://").rstrip("/")
    there = {"Destination": destination.format(host=host)}
    assert ask(house.bridge, "COPY", "/docs/a.txt", there).status == status


# Who may


@pytest.mark.parametrize("user", ["", "anybody", "key"])
def test_the_key_is_a_bearer_or_the_password_of_anybody(house: House, user: str) -> None:
    key = house.bridge.key.reveal()
    for headers in (bearer(key), basic(key, user)):
        assert ask(house.bridge, "GET", "/docs/a.txt", dict(headers)).status == 200


KEYS = [
    "",
    "Bearer",
    "Bearer ",
    "Basic",
    "Basic !",
    "Basic eA==",
    "Digest x",
    "<key>",
    "Token <key>",
]


@pytest.mark.parametrize("header", KEYS)
def test_without_a_key_there_is_nothing(house: House, header: str) -> None:
    before = tree_of(house.folder)
    sent: Headers = {"Authorization": header.replace("<key>", house.bridge.key.reveal())}
    for method in ("GET", "PUT", "DELETE", "PROPFIND", "OPTIONS", "NONSENSE"):
        answer = ask(house.bridge, method, "/docs/a.txt", sent, b"" if method == "PUT" else None)
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
        if "eA==" in header:
            break  # a wrong key is slow
    assert tree_of(house.folder) == before


def test_a_wrong_key_is_slow_and_logged_without_it(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safefs.bridge.callers._DELAY", 0.5)
    before, wrong = time.monotonic(), house.bridge.key.reveal()[:-1] + "~"
    with caplog.at_level(logging.DEBUG):
        assert ask(house.bridge, "GET", "/docs/a.txt", dict(bearer(wrong))).status == 401
    assert time.monotonic() - before > 0.4
    assert "refused 'GET'" in caplog.text
    assert wrong not in caplog.text


def test_many_wrong_keys_do_not_keep_the_right_one_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safefs.bridge.callers._DELAY", 0.5)
    statuses: list[int] = []

    def guess() -> None:
        answer = ask(house.bridge, "GET", "/docs/a.txt", dict(bearer("guess")))
        statuses.append(answer.status)

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    began = time.monotonic()
    assert ask(house.bridge, "GET", "/docs/a.txt").status == 200
    assert time.monotonic() - began < 0.4
    for thread in threads:
        thread.join()
    assert set(statuses) == {401, 429}


def test_a_refused_upload_is_not_asked_for(house: House) -> None:
    headers: Headers = {"Authorization": None, "Expect": "100-continue"}
    with connected(house.bridge) as sock:
        sock.sendall(head_of(house.bridge, "PUT", "/docs/big", headers, 1 << 40))
        assert answer_on(sock).status == 401  # and no 100 before it


def test_an_expected_body_is_asked_for(house: House) -> None:
    with connected(house.bridge) as sock:
        sock.sendall(head_of(house.bridge, "PUT", "/docs/e", {"Expect": "100-continue"}, 3))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert answer_on(sock).status == 201


def token(house: House, *verbs: str, path: str = "", audience: str | None = AUDIENCE) -> Headers:
    scope = Scope("docs", path, verbs=verbs)
    given = house.storage.issue_token(scope, timedelta(minutes=5), audience=audience)
    return dict(bearer(given))


def test_a_token_does_what_it_is_for_and_no_more(house: House) -> None:
    reads = token(house, "read", path="tree")
    assert ask(house.bridge, "GET", "/docs/tree/one.txt", reads).body == b"1"
    assert ask(house.bridge, "PROPFIND", "/docs/tree", {**reads, "Depth": "1"}).status == 207
    before = tree_of(house.folder)
    for path in ("/docs/a.txt", "/docs/treehouse", "/docs/", "/other/x"):
        assert ask(house.bridge, "GET", path, reads).status == 403
    assert ask(house.bridge, "GET", "/docs/tree/../a.txt", reads).status == 400
    assert ask(house.bridge, "PROPFIND", "/", {**reads, "Depth": "1"}).status == 403
    for method in ("PUT", "DELETE", "MKCOL", "LOCK", "PROPPATCH"):
        assert ask(house.bridge, method, "/docs/tree/one.txt", reads, b"").status == 403
    there: Headers = {**reads, "Destination": "/docs/tree/copy"}
    assert ask(house.bridge, "COPY", "/docs/tree/one.txt", there).status == 403
    assert tree_of(house.folder) == before


def test_no_link_leads_out_of_what_a_token_is_for(house: House) -> None:
    (house.folder / "docs" / "tree" / "out").symlink_to("../a.txt")
    assert ask(house.bridge, "GET", "/docs/tree/out").status == 200
    all_of_it = token(house, "read", "write", path="tree")
    assert ask(house.bridge, "GET", "/docs/tree/out", all_of_it).status == 403
    assert ask(house.bridge, "DELETE", "/docs/tree", all_of_it).status == 409  # nor is it above
    assert house.disk.get("a.txt") == b"hello, world"


def test_a_token_writes_where_it_may(house: House) -> None:
    writes = token(house, "write", "read", path="tree")
    assert ask(house.bridge, "PUT", "/docs/tree/new", writes, b"x").status == 201
    there: Headers = {**writes, "Destination": "/docs/tree/moved"}
    assert ask(house.bridge, "MOVE", "/docs/tree/new", there).status == 201
    away: Headers = {**writes, "Destination": "/docs/moved"}
    assert ask(house.bridge, "MOVE", "/docs/tree/moved", away).status == 403
    assert house.disk.files("tree") == ["tree/moved", "tree/one.txt"]


def test_a_token_that_is_not_for_the_bridge_is_none(house: House) -> None:
    with Storage.fake(disks=["docs"]) as another:
        foreign = another.issue_token(Scope("docs", verbs=["read"]), audience=AUDIENCE)
    good = token(house, "read")
    revoked = token(house, "read")
    house.storage.revoke_token(str(revoked["Authorization"]).removeprefix("Bearer "))
    expired = house.storage.issue_token(Scope("docs", verbs=["read"]), 1, audience=AUDIENCE)
    changed = str(good["Authorization"])[:-2] + "xx"
    time.sleep(1.1)
    assert ask(house.bridge, "GET", "/docs/a.txt", good).status == 200
    for header in (
        *(token(house, "read", audience=None), token(house, "read", audience="else"), revoked),
        *(dict(bearer(foreign)), dict(bearer(expired)), {"Authorization": changed}),
    ):
        assert ask(house.bridge, "GET", "/docs/a.txt", dict(header)).status == 401


def test_a_lock_is_its_holders(house: House) -> None:
    body = b'<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    body += b"<D:locktype><D:write/></D:locktype></D:lockinfo>"
    locked = ask(house.bridge, "LOCK", "/docs/a.txt", {"Depth": "0"}, body)
    assert locked.status == 200
    held = locked.headers["lock-token"]
    other = token(house, "write", "read")
    for headers in ({}, other, {**other, "If": f"({held})"}):
        status = ask(house.bridge, "PUT", "/docs/a.txt", dict(headers), b"x").status
        assert status == (412 if "If" in headers else 423)
    assert ask(house.bridge, "DELETE", "/docs/a.txt").status == 423
    assert ask(house.bridge, "PUT", "/docs/a.txt", {"If": f"({held})"}, b"x").status == 204
    assert ask(house.bridge, "UNLOCK", "/docs/a.txt", {"Lock-Token": held, **other}).status == 403
    assert ask(house.bridge, "UNLOCK", "/docs/a.txt", {"Lock-Token": held}).status == 204


# The browser


def test_a_page_of_a_listed_origin_may_use_it_with_a_key(house: House) -> None:
    fetch: Headers = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    answer = ask(house.bridge, "GET", "/docs/a.txt", fetch)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, ORIGIN)
    assert "access-control-allow-credentials" not in answer.headers
    assert answer.headers["vary"] == "Origin"
    without = ask(house.bridge, "GET", "/docs/a.txt", {**fetch, "Authorization": None})
    assert without.status == 401
    assert not without.headers["www-authenticate"].startswith("Basic")  # nobody is asked


def test_a_preflight_is_answered_to_a_listed_origin_alone(house: House) -> None:
    asks: Headers = {"Authorization": None, "Access-Control-Request-Method": "PUT"}
    answer = ask(house.bridge, "OPTIONS", "/docs/a.txt", {**asks, "Origin": ORIGIN})
    assert answer.status == 204
    assert "PUT" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    refused = ask(
        house.bridge, "OPTIONS", "/docs/a.txt", {**asks, "Origin": "https://evil.example"}
    )
    assert refused.status == 403
    assert not [name for name in refused.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "<own>"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
        {"Service-Worker": "script"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1"},
        {"Host": None},
        {"Host": ""},
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_even_with_the_key_no_other_page_gets_anything(
    house: House, headers: Headers, method: str
) -> None:
    before = tree_of(house.folder)
    own = house.bridge.url.rstrip("/")
    sent: Headers = {k: own if v == "<own>" else v for k, v in headers.items()}
    answer = ask(house.bridge, method, "/docs/a.txt", sent, b"x" if method == "PUT" else None)
    assert answer.status in (400, 403, 421)
    assert b"hello" not in answer.body
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert tree_of(house.folder) == before


def test_an_old_browser_is_not_made_to_ask_for_a_password(house: House) -> None:
    headers: Headers = {"Authorization": None, "Accept": "text/html,*/*"}
    answer = ask(house.bridge, "GET", "/docs/a.txt", headers)
    assert (answer.status, answer.headers["www-authenticate"][:6]) == (401, "Bearer")


# What is no request


SENT = [
    ("two hosts", b"GET /docs/a.txt HTTP/1.1\r\nHost: {host}\r\nHost: evil\r\n{key}\r\n", 400),
    ("two keys", b"GET /docs/a.txt HTTP/1.1\r\nHost: {host}\r\n{key}{key}\r\n", 400),
    ("two lengths", b"PUT /docs/x HTTP/1.1\r\nHost: {host}\r\n{key}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    ("length and chunks", b"PUT /docs/x HTTP/1.1\r\nHost: {host}\r\n{key}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("negative length", b"PUT /docs/x HTTP/1.1\r\nHost: {host}\r\n{key}Content-Length: -1\r\n\r\n", 400),
    ("odd length", b"PUT /docs/x HTTP/1.1\r\nHost: {host}\r\n{key}Content-Length: +1\r\n\r\na", 400),
    ("another coding", b"PUT /docs/x HTTP/1.1\r\nHost: {host}\r\n{key}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("folded", b"GET /docs/a.txt HTTP/1.1\r\nHost: {host}\r\nX: y\r\n z\r\n{key}\r\n", 400),
    ("space before colon", b"GET /docs/a.txt HTTP/1.1\r\nHost : {host}\r\n{key}\r\n", 400),
    ("old", b"GET /docs/a.txt HTTP/1.0\r\nHost: {host}\r\n{key}\r\n", 505),
    ("bare newlines", b"GET /docs/a.txt HTTP/1.1\nHost: {host}\n{key}\n", 400),
    ("too much", b"GET /docs/a.txt HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 413),
    ("too many", b"GET /docs/a.txt HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % i for i in range(99)) + b"\r\n", 400),
    ("large XML", b"PROPFIND /docs/ HTTP/1.1\r\nHost: {host}\r\n{key}Depth: 0\r\nContent-Length: 99999999\r\n\r\n", 413),
    ("XML in chunks", b"PROPFIND /docs/ HTTP/1.1\r\nHost: {host}\r\n{key}Depth: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
    ("a body for GET", b"GET /docs/a.txt HTTP/1.1\r\nHost: {host}\r\n{key}Content-Length: 1\r\n\r\na", 415),
    ("an entity", b'PROPFIND /docs/ HTTP/1.1\r\nHost: {host}\r\n{key}Depth: 0\r\nContent-Length: 56\r\n\r\n<!DOCTYPE x [<!ENTITY e SYSTEM "file:///dev/null">]><x/>', 400),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "status"), [row[1:] for row in SENT], ids=[row[0] for row in SENT]
)
def test_what_could_be_read_in_two_ways_is_refused(house: House, sent: bytes, status: int) -> None:
    before = tree_of(house.folder)
    host = house.bridge.url.removeprefix("https://").rstrip("/").encode()
    key = f"Authorization: Bearer {house.bridge.key.reveal()}\r\n".encode()
    with connected(house.bridge) as sock:
        sock.sendall(sent.replace(b"{host}", host).replace(b"{key}", key))
        assert answer_on(sock).status == status
    assert tree_of(house.folder) == before


def test_no_request_hides_in_the_body_of_another(house: House) -> None:
    """A body that is not read ends the connection, or is read and thrown away."""
    hidden = head_of(house.bridge, "DELETE", "/docs/a.txt", {}, None)
    for headers in ({"Transfer-Encoding": "chunked"}, {"Content-Length": str(len(hidden))}):
        with connected(house.bridge) as sock:
            sent: Headers = {**headers, "Host": "evil.example"}
            sock.sendall(head_of(house.bridge, "PUT", "/docs/x", sent, None) + hidden)
            assert answer_on(sock).status == 421
            sock.settimeout(0.3)
            try:
                assert sock.recv(100) == b""
            except TimeoutError:
                pass
    assert house.disk.exists("a.txt")


def test_several_requests_come_over_one_connection(house: House) -> None:
    with connected(house.bridge) as sock:
        for _ in range(5):
            sock.sendall(head_of(house.bridge, "GET", "/docs/a.txt", {}, None))
            assert answer_on(sock).body == b"hello, world"
        sock.sendall(head_of(house.bridge, "GET", "/docs/a.txt", {}, None) * 2)
        assert answer_on(sock).status == 200


# TLS


def test_plain_http_is_told_that_tls_is_spoken_here(house: House) -> None:
    with plain(house.bridge) as sock:
        sock.sendall(head_of(house.bridge, "GET", "/docs/a.txt", {}, None))
        assert sock.recv(100).startswith(b"HTTP/1.1 400 ")


def test_no_tls_below_1_3_is_spoken(house: House) -> None:
    context = context_of(house.bridge)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError), connected(house.bridge, context):
        pass


def test_the_certificate_is_that_of_the_fingerprint(house: House) -> None:
    import hashlib

    with connected(house.bridge) as sock:
        der = sock.getpeercert(binary_form=True)
        assert der is not None
        assert hashlib.sha256(der).hexdigest() == house.bridge.fingerprint
        assert sock.version() == "TLSv1.3"


def test_who_does_not_know_the_certificate_does_not_believe_it(house: House) -> None:
    unknowing = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError), connected(house.bridge, unknowing):
        pass


# Starting and stopping


def test_the_policy_of_the_disk_holds(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    policy = Policy(max_file_size=10, deny=["*.secret"], top_level_dot_entries="refuse")
    with Disk(tmp_path / "docs", policy=policy) as disk, Bridge({"docs": disk}) as bridge:
        assert ask(bridge, "PUT", "/docs/a", body=b"x" * 11).status == 413
        assert ask(bridge, "PUT", "/docs/a.secret", body=b"x").status == 403
        assert ask(bridge, "PUT", "/docs/.hidden", body=b"x").status == 403
        assert ask(bridge, "PUT", "/docs/a", body=b"x").status == 201
        assert ask(bridge, "PUT", "/docs/a", {"If-Match": "*"}, b"y").status == 501  # no locks
        settle(bridge)
    with Disk(tmp_path / "docs", policy=Policy(quota_bytes=5)) as disk, Bridge({"docs": disk}) as b:
        assert ask(b, "PUT", "/docs/b", body=b"x" * 9).status == 507
        settle(b)
    assert tree_of(tmp_path) == {"docs": None, "docs/a": b"x"}


def test_what_is_served_read_only_is_not_changed() -> None:
    with Storage.fake(disks=["docs"]) as storage:
        storage.disk("docs").put("a", b"x")
        with storage.serve("docs", read_only=True, max_body=10) as bridge:
            assert ask(bridge, "GET", "/docs/a").body == b"x"
            for method in ("PUT", "DELETE", "MKCOL"):
                path = "/docs/new" if method == "MKCOL" else "/docs/a"
                assert ask(bridge, method, path).status == 403
            assert ask(bridge, "PUT", "/docs/a", body=b"x" * 11).status == 413
            settle(bridge)


def test_a_key_is_of_one_start(tmp_path: Path) -> None:
    with serving(tmp_path) as (first, _):
        before, key = first.fingerprint, first.key.reveal()
    with serving(tmp_path) as (second, _):
        assert second.fingerprint != before
        assert len(key) == 43
        assert ask(second, "GET", "/docs/", dict(bearer(key))).status == 401
        settle(second)


def test_a_bridge_shows_its_key_to_nobody_who_did_not_ask(tmp_path: Path) -> None:
    with serving(tmp_path) as (bridge, _):
        key = bridge.key.reveal()
        assert key not in repr(bridge) + repr(vars(bridge)) + str(bridge.key)
        assert key not in repr(vars(bridge._server.wsgi_app._doorkeeper))
        with pytest.raises(TypeError):
            bridge.__reduce_ex__(2)


def test_the_hand_over_is_a_line_in_a_file_of_its_owner(tmp_path: Path) -> None:
    with serving(tmp_path) as (bridge, _):
        bridge.hand_over(tmp_path / "line")
        assert (tmp_path / "line").stat().st_mode & 0o777 == 0o600
        said = json.loads((tmp_path / "line").read_text())
        assert said["key"] == bridge.key.reveal()
        assert said["url"] == bridge.url
        assert said["fingerprint"] == bridge.fingerprint
        assert said["disks"] == ["docs"]
    assert not (tmp_path / "line").exists()


def test_the_hand_over_goes_to_a_descriptor(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with serving(tmp_path) as (bridge, _), os.fdopen(reading) as end:
        bridge.hand_over(writing)
        os.close(writing)
        lines = end.readlines()
        assert [json.loads(line)["key"] for line in lines] == [bridge.key.reveal()]


def test_a_socket_of_unix_is_its_owners_and_goes_at_the_end(tmp_path: Path) -> None:
    name = tmp_path / "s"
    with serving(tmp_path, socket=name) as (bridge, disk):
        disk.put("a", b"x")
        assert name.stat().st_mode & 0o777 == 0o600
        assert ask(bridge, "GET", "/docs/a").body == b"x"
        assert ask(bridge, "GET", "/docs/a", {"Authorization": None}).status == 401
        with pytest.raises(OSError, match="in use"), Bridge({"docs": disk}, socket=name):
            pass
        settle(bridge)
    assert not name.exists()


def test_a_socket_that_was_left_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))
    with serving(tmp_path, socket=tmp_path / "s"):
        pass
    (tmp_path / "s").write_text("a file")
    with pytest.raises(OSError, match="in use"), serving(tmp_path, socket=tmp_path / "s"):
        pass
    assert (tmp_path / "s").read_text() == "a file"


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "", "192.0.2.1", "example.org", "10.0.0.1", "::ffff:127.0.0.1", "1", "127.1"],
)
def test_no_other_address_is_listened_at(host: str) -> None:
    with pytest.raises(ValueError, match="a bridge listens on"):
        loopback(host, 0)


def test_stopping_ends_uploads_of_which_nothing_is_published(tmp_path: Path) -> None:
    with serving(tmp_path) as (bridge, disk):
        disk.put("a", b"before")
        before = threading.active_count()
        with connected(bridge) as one, connected(bridge) as two, connected(bridge):
            for sock, name in ((one, "a"), (two, "b")):
                sock.sendall(head_of(bridge, "PUT", f"/docs/{name}", {}, 1000) + b"x" * 500)
            time.sleep(0.2)
            began = time.monotonic()
            bridge.__exit__(None, None, None)
            assert time.monotonic() - began < 2
    assert threading.active_count() < before
    assert tree_of(tmp_path) == {"docs": None, "docs/a": b"before"}


def test_who_is_slow_is_cut_off_and_keeps_nobody_out(tmp_path: Path) -> None:
    """More of them than there are threads: in TLS, in a request line, in a body."""
    patience = Patience(begin=0.3, step=0.5, threads=2)
    with serving(tmp_path, patience=patience) as (bridge, disk):
        disk.put("a", b"x")
        with plain(bridge) as idle, plain(bridge) as hello, connected(bridge) as line:
            hello.sendall(b"\x16")
            line.sendall(b"GET /docs/a HT")
            with connected(bridge) as body:
                body.sendall(head_of(bridge, "PUT", "/docs/b", {}, 1000) + b"x")
                assert ask(bridge, "GET", "/docs/a").status == 200
                for slow in (idle, hello):
                    slow.settimeout(5)
                    assert slow.recv(10) == b""
                for cut in (line, body):
                    cut.settimeout(5)
                    with suppress(ConnectionError, ssl.SSLError):
                        while cut.recv(1000):
                            pass
        settle(bridge)
    assert tree_of(tmp_path) == {"docs": None, "docs/a": b"x"}


def test_there_are_no_more_connections_than_there_may_be(tmp_path: Path) -> None:
    with serving(tmp_path, patience=Patience(connections=3)) as (bridge, _):
        with ExitStack() as held:
            for _ in range(3):
                held.enter_context(connected(bridge))
            with pytest.raises(OSError), connected(bridge):
                pass
        settle(bridge)
        assert ask(bridge, "PROPFIND", "/docs/", {"Depth": "0"}).status == 207
        settle(bridge)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_another_user_neither_connects_nor_reads(shared_root: Path) -> None:
    """In folders that everybody may enter: what keeps him out is the mode of what is made."""
    code = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for attempt in (
    lambda: socket.socket(socket.AF_UNIX).connect("s"),
    lambda: open("line"),
    lambda: os.listdir(f"/proc/{sys.argv[1]}/fd"),
):
    try:
        attempt()
    except PermissionError:
        continue
    print("got in")
"""
    folder = shared_root
    with serving(folder, socket=folder / "s") as (bridge, _):
        bridge.hand_over(folder / "line")
        said = subprocess.run(
            [sys.executable, "-c", code, str(os.getpid())],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (said.returncode, said.stdout) == (0, ""), said.stderr
        settle(bridge)


def test_another_process_is_known_by_its_user(tmp_path: Path) -> None:
    """Where the mode of the socket were not enough, as root's own is not."""
    with serving(tmp_path, socket=tmp_path / "s") as (bridge, disk):
        disk.put("a", b"x")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("safefs.bridge.server.os.geteuid", lambda: os.getuid() + 1)
            with pytest.raises(OSError), connected(bridge):
                pass
        settle(bridge)
        assert ask(bridge, "GET", "/docs/a").status == 200
        settle(bridge)
