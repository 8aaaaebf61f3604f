"""``storage.secrets``: small secrets by name, each an age file that holds its name as well."""

from __future__ import annotations

from base64 import b32decode, b32encode
from typing import TYPE_CHECKING

from safefs.age.frames import without_frames
from safefs.age.hidden import Hidden
from safefs.errors import MissingSecretError, SealedFileError
from safefs.secrets.private import put, refuse_shared
from safefs.secrets.sealing import opened, sealed
from safefs.secrets.secret import Secret, secret_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from safefs.age.opening import Key
    from safefs.disk import Disk

FOLDER = ".secrets"  # in the folder of the state, where no disk shows it
_SUFFIX = ".age"
_LOCK = "safefs secrets"
MAX_NAME = 128  # bytes: in base 32, with what belongs to it, still less than the 255 of a file name
MAX_VALUE = 60 * 1024  # bytes: of a chunk of the format, which is opened as a whole or not at all
_MAX_FILE = 128 * 1024  # bytes, with room for a header of many recipients
_TEXT, _BYTES = b"text\n", b"bytes\n"
_NO_DEFAULT: Any = object()


class Secrets:
    """The secrets of an application: small values by name, sealed with its key. See ``Storage``.

    A name is text that can be printed, at most 128 bytes in UTF-8; upper case and lower case are
    two names, and so are two spellings of one letter. A value is str or bytes, at most 60 KiB. Each
    is a file of mode 0600 in the folder ``.secrets`` (0700) of the state, where no disk shows it
    but one that lies above that folder (docs/secrets.md); it is replaced as a whole, and set once
    ``set`` returns, also after a crash of the machine.
    Threads and processes may use it at once.

    What is not hidden: how many there are, their names, how long each is, and when it was set. Nor
    is it noticed that an old value was put back, or that somebody who may write there and knows the
    public key has sealed a value of his own. A file that stands under another's name is noticed.
    """

    def __init__(self, disk: Callable[[], Disk], key: Callable[[], Key]) -> None:
        """Both are asked for when they are needed: to see the names takes no key."""
        self._disk = disk
        self._key = key

    def set(self, name: str, value: str | bytes | Secret) -> None:
        """Seal ``value`` under ``name``, in the place of what it was.

        ``ValueError`` and ``TypeError``, without the value, for a name or a value that can be none.
        """
        secret = secret_of(value)
        del value  # a traceback may show what a frame holds
        if not isinstance(secret, Secret):
            raise secret
        path = _path(name)
        if len(secret.hidden) > MAX_VALUE:
            raise ValueError(f"the secret {name!r} is longer than {MAX_VALUE} bytes")
        with self._disk().lock(_LOCK):
            self._put(path, name, secret)

    def get(self, name: str, default: Any = _NO_DEFAULT) -> Secret | Any:
        """The secret of this name, or ``default``, if one is given, where there is none.

        ``MissingSecretError``, a KeyError, where there is none. ``SealedFileError`` where the file
        was changed or is another secret's; ``WrongKeyError`` where neither the key of this
        installation nor one that it had before opens it. ``UnsafeFolderError`` where others may
        write to the folder, as of ``set``.
        """
        path = _path(name)
        try:
            return self._get(path, name)
        except FileNotFoundError:
            pass
        if default is _NO_DEFAULT:
            raise MissingSecretError(name)
        return default

    def delete(self, name: str, *, missing_ok: bool = False) -> None:
        """Forget it. ``MissingSecretError`` where there is none, unless ``missing_ok``.

        The file is removed, and its bytes may stay on the medium: sealed.
        """
        path = _path(name)
        disk = self._disk()
        with disk.lock(_LOCK):
            try:
                disk.delete(path)
                return
            except FileNotFoundError:
                pass
        if not missing_ok:
            raise MissingSecretError(name)

    def names(self) -> list[str]:
        """The names, sorted; what else lies in the folder is passed over. It takes no key."""
        try:
            files = self._disk().files(FOLDER)
        except FileNotFoundError:
            return []
        return sorted(name for name in map(_name, files) if name is not None)

    def __contains__(self, name: object) -> bool:
        """Whether there is a file for it, whatever it holds. False for what can be no name."""
        try:
            path = _path(name)
        except (TypeError, ValueError):
            return False
        return self._disk().file_exists(path)

    def rewrap(self) -> list[str]:
        """Seal all anew, each for the key there is now; their names. To be done after a rotation.

        One after the other, each in one step: who is killed between leaves some for the old key and
        some for the new one, which both open, and the next run does all again. What cannot be
        opened is left as it is and does not keep the others from it; the first such error is
        raised when all is done.
        """
        done, errors = [], []
        for name in self.names():
            try:
                if self._rewrap(name):
                    done.append(name)
            except SealedFileError as error:
                errors.append(error)
        if errors:
            raise errors[0]
        return done

    def _rewrap(self, name: str) -> bool:
        path = _path(name)
        with self._disk().lock(_LOCK):  # or a value that is set meanwhile would be lost
            try:
                secret = self._get(path, name)
            except FileNotFoundError:
                return False
            self._put(path, name, secret)
        return True

    def _put(self, path: str, name: str, secret: Secret) -> None:
        kind = _TEXT if secret.is_text else _BYTES
        content = Hidden(kind + secret.hidden.reveal())
        put(self._disk(), path, sealed(_what(name), content, self._key()))

    def _get(self, path: str, name: str) -> Secret:
        disk = self._disk()
        refuse_shared(disk, FOLDER)
        with disk.read_stream(path) as file:
            data = file.read(_MAX_FILE + 1)
        try:
            if len(data) > _MAX_FILE:
                raise SealedFileError(SealedFileError.PAYLOAD, "it is longer than any secret")
            key = self._key()
            return without_frames(lambda: _parsed(opened(_what(name), data, key)))
        except SealedFileError as error:
            failure = error.at(name)
        raise failure

    def __repr__(self) -> str:
        return "<Secrets>"


def _what(name: str) -> str:
    return f"safefs secret: {name}"


def _parsed(content: Hidden) -> Secret:
    secret = _value(content)
    if secret is None:
        raise SealedFileError(SealedFileError.PAYLOAD, "it is no value that was set here")
    return secret


def _value(content: Hidden) -> Secret | None:
    """It raises nothing: the error of a decoding holds what it decodes."""
    if content.reveal().startswith(_BYTES):
        return Secret(content.reveal()[len(_BYTES) :])
    if not content.reveal().startswith(_TEXT):
        return None
    try:
        return Secret(content.reveal()[len(_TEXT) :].decode())
    except UnicodeDecodeError:
        return None


def _path(name: object) -> str:
    """Where it is kept. In base 32, for a file system may take two names for one that are not."""
    if not isinstance(name, str):
        raise TypeError(f"the name of a secret is a str, not {type(name).__name__}")
    if not name or not name.isprintable() or name != name.strip():
        raise ValueError(
            f"the name of a secret can be printed and has no space at its ends, not {name!r}"
        )
    raw = name.encode()
    if len(raw) > MAX_NAME:
        raise ValueError(f"the name of a secret is at most {MAX_NAME} bytes; {len(raw)}: {name!r}")
    return f"{FOLDER}/{b32encode(raw).decode().rstrip('=').lower()}{_SUFFIX}"


def _name(path: str) -> str | None:
    """What ``_path`` was made of; None for what it did not make."""
    text = path.removeprefix(f"{FOLDER}/").removesuffix(_SUFFIX)
    try:
        name = b32decode(text.upper() + "=" * (-len(text) % 8)).decode()
        return name if _path(name) == path else None
    except ValueError:  # UnicodeDecodeError and binascii.Error too
        return None
