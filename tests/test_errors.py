"""The family of errors: what each is, what it carries, and that it survives pickle and copy."""

from __future__ import annotations

import copy
import pickle
from errno import E2BIG, EACCES, ECANCELED, EINVAL, ENOENT, ENOLCK, ENOTSUP, ETIMEDOUT
from typing import TYPE_CHECKING

import pytest

from safefs import errors
from safefs.errors import (
    ArchiveError,
    BudgetError,
    ConfigError,
    EscapeError,
    InvalidPathError,
    KeyFileError,
    KeyUnavailableError,
    LockdownUnavailable,
    LockedDownError,
    LockTimeoutError,
    LockUnavailableError,
    MissingFolderError,
    MissingSecretError,
    PolicyError,
    PreconditionError,
    SafefsError,
    SameFileError,
    SealedFileError,
    TokenError,
    UnknownDiskError,
    UnsafeFolderError,
    WrongKeyError,
    WrongPassphraseError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_ALL: list[SafefsError] = [
    InvalidPathError("a\0", "a path holds no NUL"),
    InvalidPathError(b"a\0", "a path holds no NUL"),
    EscapeError("../a"),
    EscapeError(b"../a", b"..", EscapeError.ABOVE_ROOT, b"b"),
    EscapeError("a", "l", EscapeError.ABSOLUTE_LINK, "b"),
    EscapeError(None),
    PolicyError("a", "read_only", "the disk is read-only"),
    PolicyError("a", "read_only", "the disk is read-only", "b"),
    SameFileError("a"),
    SameFileError("a", "b"),
    BudgetError("a/b", "entries", 3),
    BudgetError(b"a", "ratio", 1.5),
    PreconditionError("a", "1-2", "1-3"),
    PreconditionError(b"a", "*", None),
    LockTimeoutError("import", 0.5),
    LockUnavailableError("lock()"),
    LockdownUnavailable("the kernel has no Landlock"),
    LockedDownError("music"),
    UnknownDiskError("musik", ("music", "videos")),
    UnknownDiskError("musik", ()),
    MissingFolderError("music", "/home/a/Music"),
    UnsafeFolderError("music", "/", "is above home"),
    ArchiveError("a.tar", "a/b", "it is a device"),
    ArchiveError(None, None, "it ends too early"),
    SealedFileError(SealedFileError.PAYLOAD, "it was cut off"),
    SealedFileError(SealedFileError.HEADER, "a line has no end", "a/b.age"),
    WrongKeyError("X25519"),
    WrongKeyError("scrypt", b"a"),
    KeyFileError("/a/installation.key", "is a link"),
    KeyUnavailableError("keyring", "it is gone"),
    WrongPassphraseError(),
    MissingSecretError("mail"),
    TokenError(TokenError.EXPIRED, "its time is over"),
    ConfigError("safefs.toml", "disks.a", "is no table"),
    ConfigError("safefs.toml", "", "is no TOML"),
    ConfigError("safefs.toml", "disks.a", "is no table", 7),
]
_KINDS: dict[type[SafefsError], tuple[type[BaseException], int | None]] = {
    InvalidPathError: (ValueError, None),
    EscapeError: (PermissionError, EACCES),
    PolicyError: (PermissionError, EACCES),
    SameFileError: (OSError, EINVAL),
    BudgetError: (OSError, E2BIG),
    PreconditionError: (OSError, ECANCELED),
    LockTimeoutError: (TimeoutError, ETIMEDOUT),
    LockUnavailableError: (OSError, ENOLCK),
    LockdownUnavailable: (OSError, ENOTSUP),
    LockedDownError: (PermissionError, EACCES),
    UnknownDiskError: (KeyError, None),
    MissingFolderError: (FileNotFoundError, ENOENT),
    UnsafeFolderError: (PermissionError, EACCES),
    ArchiveError: (ValueError, None),
    SealedFileError: (ValueError, None),
    WrongKeyError: (ValueError, None),
    KeyFileError: (PermissionError, EACCES),
    KeyUnavailableError: (LookupError, None),
    WrongPassphraseError: (LookupError, None),
    MissingSecretError: (KeyError, None),
    TokenError: (PermissionError, EACCES),
    ConfigError: (ValueError, None),
}
_FACTS = ("errno", "strerror", "filename", "filename2", "path", "reason", "component", "rule")
_MORE = (
    "name",
    "known",
    "disk",
    "source",
    "key",
    "line",
    "args",
    "__notes__",
    "limit",
    "maximum",
    "archive",
    "member",
    "expected",
    "found",
    "timeout",
    "wanted",
    "part",
    "detail",
)


def _facts(error: SafefsError) -> dict[str, object]:
    return {fact: getattr(error, fact, None) for fact in (*_FACTS, *_MORE)}


def test_every_class_is_tried_here() -> None:
    known = {kind for kind in vars(errors).values() if isinstance(kind, type)}
    family = {kind for kind in known if issubclass(kind, SafefsError)} - {SafefsError}
    assert family == set(_KINDS) == {type(error) for error in _ALL}


@pytest.mark.parametrize(
    "error", [SealedFileError(SealedFileError.MAC, "it was changed"), WrongKeyError("X25519")]
)
def test_what_is_wrong_with_sealed_bytes_is_told_of_the_file_they_are_of(
    error: SealedFileError,
) -> None:
    named = error.at("a/b")
    assert type(named) is type(error)
    assert (named.part, named.reason, named.path) == (error.part, error.reason, "a/b")
    assert str(named) == str(error).replace("the sealed file", "the sealed file 'a/b'")


@pytest.mark.parametrize("error", _ALL, ids=repr)
def test_each_is_of_the_family_and_of_its_builtin_kind(error: SafefsError) -> None:
    builtin, number = _KINDS[type(error)]
    assert isinstance(error, builtin)
    assert getattr(error, "errno", None) == number


@pytest.mark.parametrize("error", _ALL, ids=repr)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_each_survives_pickle_with_equal_attributes(error: SafefsError, protocol: int) -> None:
    back = pickle.loads(pickle.dumps(error, protocol))
    assert type(back) is type(error)
    assert _facts(back) == _facts(error)
    assert str(back) == str(error)


@pytest.mark.parametrize("error", _ALL, ids=repr)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_each_survives_copy_with_equal_attributes(
    error: SafefsError, copied: Callable[[SafefsError], SafefsError]
) -> None:
    back = copied(error)
    assert type(back) is type(error)
    assert _facts(back) == _facts(error)
    assert str(back) == str(error)


def test_what_was_added_to_an_error_travels_with_it() -> None:
    error = EscapeError("../a")
    error.add_note("while unpacking")
    error.request = 17  # type: ignore[attr-defined]
    back = pickle.loads(pickle.dumps(error))
    assert back.__notes__ == ["while unpacking"]
    assert back.request == 17


def test_an_escape_is_never_spelled_exdev() -> None:
    assert EscapeError("a").errno == EACCES


def test_an_escape_shows_the_callers_own_path_and_reason() -> None:
    error = EscapeError("a/../../b", "..", EscapeError.ABOVE_ROOT)
    assert "a/../../b" in str(error)
    assert EscapeError.ABOVE_ROOT in str(error)
    assert error.component == ".."


def test_only_an_absolute_path_is_told_to_leave_out_its_slash() -> None:
    reasons = [word for name, word in vars(EscapeError).items() if name.isupper()]
    assert len(reasons) == 5
    for reason in reasons:
        hint = "leave out" in str(EscapeError("/a", None, reason))
        assert hint == (reason == EscapeError.ABSOLUTE_PATH)


def test_an_unknown_disk_names_those_there_are() -> None:
    assert str(UnknownDiskError("a", ("b", "c"))) == "no disk is named 'a' (there are: b, c)"
    assert "none" in str(UnknownDiskError("a", ()))


def test_a_missing_folder_says_how_to_make_it() -> None:
    assert "mkdir -p '/home/a/My Music'" in str(MissingFolderError("music", "/home/a/My Music"))
    assert "music" in str(MissingFolderError("music", None))


def test_a_configuration_error_says_where() -> None:
    assert str(ConfigError("f.toml", "a.b", "is no text")) == "f.toml: a.b: is no text"
    assert str(ConfigError("f.toml", "", "is no TOML")) == "f.toml: is no TOML"
