"""What of a tree may travel, by the names in it: pure.

A pattern without a slash is of a name, wherever it stands; one with a slash is of a path from the
top, where ``**`` stands for any number of directories. One that ends in a slash is of directories
alone. What is meant is told apart neither by case nor by who has made the list: ``*.PEM`` is
``*.pem``, and of a directory that is left out nothing travels by a path beneath it.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from safefs.patterns import Pattern, parts_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ENV_FILES = (".env", ".env.*", "*.env")

# What is left out unless it is included by its name: keys, passwords, and what there once was.
LEFT_OUT = (
    # The whole history, with what was removed from it since, and addresses with passwords in them.
    *(".git", ".hg", ".svn", ".git-credentials"),
    # Keys, and what holds them; installation.key and installation.key.age are safefs's own.
    *("*.pem", "*.key", "*.key.age", "*.p8", "*.p12", "*.pfx", "*.ppk", "*.jks", "*.keystore"),
    *("*.kdbx", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".ssh/", ".gnupg/"),
    # Where tools keep what lets them in.
    *(".aws/", ".azure/", ".kube/", "**/.config/gcloud/", "**/.docker/config.json", ".dockercfg"),
    *(".netrc", "_netrc", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".htpasswd", ".vault-token"),
    *("auth.json", "credentials.json", ".terraformrc", "*.tfvars", "*.tfstate", "*.tfstate.*"),
    # Environments that no parser reads, or that are keys alone, and what was typed.
    *(".envrc", ".env.keys", ".*_history"),
)


class Selection:
    """Says of each entry why it stays behind, and of each file whether it is an environment."""

    def __init__(
        self, exclude: Iterable[str], include: Iterable[str], env_files: Iterable[str]
    ) -> None:
        """``TypeError`` for a bare str, ``ValueError`` for a pattern of nothing, or a slip."""
        self._exclude = _patterns("exclude", exclude)
        self._include = _patterns("include", include)
        self._env_files = _patterns("env_files", env_files)

    def reason(self, path: str, *, is_directory: bool) -> str | None:
        """Why it is left out, or None. ``path`` is from the top."""
        for pattern in self._exclude:
            if pattern.matches(path, is_directory=is_directory):
                return f"excluded by {pattern.text!r}"
        for pattern in _USUAL:
            if pattern.matches(path, is_directory=is_directory):
                included = any(
                    each.matches(path, is_directory=is_directory) for each in self._include
                )
                return None if included else f"by its name, {pattern.text!r}"
        return None

    def is_environment(self, path: str) -> bool:
        """Whether a file of this path is read as an environment, and written anew."""
        return any(each.matches(path, is_directory=False) for each in self._env_files)


class _NamePattern:
    """One pattern, of a name or of a path."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._of_directories = text.endswith("/")
        self._parts = parts_of(text.casefold())
        self._is_path = "/" in text.rstrip("/")
        self._pattern = Pattern(self._parts)

    def matches(self, path: str, *, is_directory: bool) -> bool:
        if self._of_directories and not is_directory:
            return False
        folded = path.casefold()
        if not self._is_path:
            return fnmatchcase(folded.rpartition("/")[2], self._parts[0])
        *above, name = folded.split("/")
        states = self._pattern.start()
        for each in above:
            _, states = self._pattern.step(states, each, is_dir=True)
        return self._pattern.step(states, name, is_dir=is_directory)[0]


def _patterns(name: str, given: Iterable[str]) -> tuple[_NamePattern, ...]:
    if isinstance(given, str):
        raise TypeError(f"{name} is a list of patterns, not {given!r}")
    made = []
    for text in given:
        if not isinstance(text, str):
            raise TypeError(f"a pattern of {name} is a str, not {type(text).__name__}")
        if not parts_of(text):
            raise ValueError(f"{text!r} in {name} is the name of nothing")
        if ".." in parts_of(text):
            raise ValueError(f"{text!r} in {name}: paths are from the top, and hold no '..'")
        if text != text.strip():
            raise ValueError(f"{text!r} in {name} begins or ends with a space")
        made.append(_NamePattern(text))
    return tuple(made)


_USUAL = _patterns("LEFT_OUT", LEFT_OUT)
