"""``safefs key``: what it prints and asks, and that it never shows a key."""

from __future__ import annotations

import getpass
import io
import stat
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from safefs import Storage
from safefs.age import X25519Identity
from safefs.cli import keys, main
from safefs.secrets import stores
from tests.installations import APP, FILES, keys_of, names_in
from tests.installations import home as home
from tests.installations import no_keyring as no_keyring
from tests.test_cli import Shell

if TYPE_CHECKING:
    from pathlib import Path


class Typing(io.StringIO):
    """A terminal at which this is typed."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def sh(
    home: Path,
    no_keyring: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Shell:
    monkeypatch.chdir(home)
    monkeypatch.setattr(stores, "WORK_FACTOR", 2)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "correct horse")
    return Shell(capsys)


def key(sh: Shell, *words: str) -> str:
    return sh("--app", APP, "key", *words)


def fails(sh: Shell, *words: str, status: int = 1) -> str:
    return sh.fails("--app", APP, "key", *words, status=status)


@pytest.fixture
def recipient(sh: Shell) -> str:
    """That of a key that the application has made."""
    return made("file")


def made(source: Any) -> str:
    with Storage(APP, key_source=source, passphrase=lambda _: "correct horse") as storage:
        return str(storage.key.recipient)


def types(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", Typing(text))


def test_show_source_says_where_it_would_be_and_makes_none(sh: Shell, home: Path) -> None:
    assert key(sh, "show-source") == "source  file\nmade    not yet\n"
    assert sh.json("--app", APP, "key", "show-source") == {"source": "file", "made": False}
    assert not keys_of(home).exists()


def test_show_source_says_where_it_is_and_why(sh: Shell) -> None:
    with Storage(APP) as storage:
        recipient = str(storage.key.recipient)
    shown = sh.json("--app", APP, "key", "show-source")
    assert shown == {
        "source": "file",
        "made": True,
        "recipient": recipient,
        "why": "there is no keyring but keyring.backends.fail.Keyring",
    }


def test_show_source_asks_for_no_passphrase(sh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    made("passphrase")
    monkeypatch.setattr("getpass.getpass", lambda prompt: pytest.fail("it was asked for"))
    assert key(sh, "show-source").startswith("source     passphrase\nmade       yes\n")


def test_rotate_makes_another(sh: Shell, recipient: str) -> None:
    assert fails(sh, "rotate") == "key rotate is to be confirmed: give --yes"
    shown = key(sh, "rotate", "--yes").split()
    assert shown == ["recipient", made("file")]
    assert shown[1] != recipient


def test_where_there_is_none_there_is_nothing_to_rotate_or_export(sh: Shell) -> None:
    for words in (["rotate"], ["export", "x"]):
        assert fails(sh, *words, "--yes").endswith("there is none yet")


def test_export_writes_a_new_file_that_only_its_owner_may_read(
    sh: Shell, home: Path, recipient: str
) -> None:
    assert fails(sh, "export", "x") == "key export is to be confirmed: give --yes"
    assert not (home / "x").exists()
    assert key(sh, "export", "x", "--yes") == ""
    assert stat.S_IMODE((home / "x").stat().st_mode) == 0o600
    assert f"# public key: {recipient}\n" in (home / "x").read_text()
    assert fails(sh, "export", "x", "--yes") == "x: File exists"
    (home / "link").symlink_to("elsewhere")
    assert fails(sh, "export", "link", "--yes") == "link: File exists"
    assert fails(sh, "export", "no/x", "--yes").startswith("no")
    assert {path.name for path in home.iterdir()} == {".local", "x", "link"}


def test_export_goes_to_a_pipe_but_not_to_a_terminal(
    sh: Shell, recipient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"# public key: {recipient}\n" in key(sh, "export", "-", "--yes")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "not printed to a terminal" in fails(sh, "export", "-", "--yes")


def test_who_is_asked_types_the_word_or_nothing_is_done(
    sh: Shell,
    home: Path,
    recipient: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for typed, status in (("yes\n", 1), ("", 1), ("export\n", 0)):
        types(monkeypatch, typed)
        assert main(["--app", APP, "key", "export", "x"]) == status
        assert (home / "x").exists() == (status == 0)
        said = capsys.readouterr().err
        assert "opens all that acme has sealed" in said
        assert "Type export to go on: " in said


def test_import_makes_it_the_key_and_keeps_the_one_before(
    sh: Shell,
    home: Path,
    recipient: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = X25519Identity.generate()
    (home / "x").write_text(given.reveal())
    assert "open to others (mode 0644)" in fails(sh, "import", "x", "--yes")
    (home / "x").chmod(0o600)
    assert fails(sh, "import", "x") == "key import is to be confirmed: give --yes"
    assert made("file") == recipient
    types(monkeypatch, "import\n")
    assert main(["--app", APP, "key", "import", "x"]) == 0
    out, err = capsys.readouterr()
    assert out.split() == ["recipient", str(given.recipient)]
    assert f"instead of {recipient}, which goes on opening what it sealed" in err
    assert made("file") == str(given.recipient)
    assert f"# retired: {recipient}\n" in key(sh, "export", "-", "--yes")


def test_import_reads_a_pipe_and_says_where_to_keep_it(
    sh: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = X25519Identity.generate()

    def piped(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    piped(given.reveal())
    assert fails(sh, "import", "-") == "key import is to be confirmed: give --yes"
    piped("no key")
    assert fails(sh, "import", "-", "--yes").startswith("this is no exported key")
    piped(given.reveal())
    key(sh, "import", "-", "--yes", "--source", "passphrase")
    assert names_in(home) == FILES["passphrase"]
    assert made("passphrase") == str(given.recipient)


def test_import_gives_up_a_key_that_cannot_be_read_only_when_it_is_told_to(
    sh: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made("passphrase")
    given = X25519Identity.generate()
    (home / "x").write_text(given.reveal())
    (home / "x").chmod(0o600)
    with monkeypatch.context() as patch:
        patch.setattr("getpass.getpass", lambda prompt: "mistyped")
        assert "the passphrase is wrong" in fails(sh, "import", "x", "--yes")
        assert names_in(home) == FILES["passphrase"]
        key(sh, "import", "x", "--yes", "--give-up-old-key")
    assert len(names_in(home)) == 3
    assert "the passphrase is wrong" in fails(sh, "export", "y", "--yes")


MISUSED = [
    ["rotate", "--give-up-old-key"],
    ["rotate", "x"],
    ["show-source", "x"],
    ["export"],
    ["import"],
    ["export", "x", "--source", "file"],
    [],
    ["forget"],
]


@pytest.mark.parametrize("words", MISUSED, ids=" ".join)
def test_what_is_not_understood_is_said_so(sh: Shell, words: list[str]) -> None:
    assert "(see safefs key --help)" in fails(sh, *words, status=2)


def test_read_only_changes_no_key(sh: Shell, home: Path, recipient: str) -> None:
    assert "--read-only" in sh.fails("--read-only", "--app", APP, "key", "rotate", "--yes")
    assert "--read-only" in sh.fails("--read-only", "--app", APP, "key", "import", "x", "--yes")
    assert made("file") == recipient


def test_a_key_that_is_not_to_be_had_is_one_line(sh: Shell, home: Path, recipient: str) -> None:
    path = keys_of(home) / stores.KEY_FILE
    path.chmod(0o640)
    assert "is open to others (mode 0640)" in fails(sh, "rotate", "--yes")
    path.unlink()
    assert "it is gone from" in fails(sh, "rotate", "--yes")
    assert key(sh, "show-source").startswith("source     file\n")


def test_a_passphrase_without_a_terminal_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """getpass itself would warn, and then read what is piped, and show it."""

    def warns(prompt: str) -> str:
        warnings.warn("cannot control echo", getpass.GetPassWarning, stacklevel=1)
        return "shown"

    monkeypatch.setattr("getpass.getpass", warns)
    with pytest.raises(ValueError, match="asked for at a terminal, and there is none"):
        keys._ask("Passphrase: ")


def test_an_option_may_stand_before_the_file(sh: Shell, home: Path, recipient: str) -> None:
    assert recipient
    key(sh, "export", "--yes", str(home / "key.txt"))
    key(sh, "import", "--yes", str(home / "key.txt"))
    assert "unrecognized arguments: one two" in fails(sh, "export", "--yes", "one", "two", status=2)


def test_a_missing_extra_is_one_line(
    sh: Shell, recipient: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert recipient
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert "install safefs[crypto]" in fails(sh, "rotate", "--yes")
