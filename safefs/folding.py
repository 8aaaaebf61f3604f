"""Names that some file system takes for the same. Pure."""

from __future__ import annotations

import unicodedata


def folded(name: str) -> str:
    """Equal for names that differ in case, in normalisation, in what is not seen, or at the end.

    As file systems fold: ext4 and f2fs by NFD and case folding without what Unicode calls ignorable
    (Documentation/admin-guide/ext4.rst, fs/unicode), APFS and HFS+ likewise; those of Windows drop
    dots and spaces from the end. Normalised on both sides of folding: either may undo the other
    (Unicode 3.13, D145).
    """
    if name.isascii():
        name = name.lower()
    else:
        name = unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
        name = "".join(char for char in name if not _is_ignorable(char))
    return name.rstrip(". ") or name if name[-1:] in (".", " ") else name


def _is_ignorable(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f" or char == "\u034f"


class Spelling:
    """A name, and what it may be for a file system: made out where that is asked."""

    __slots__ = ("_alike", "_folded", "exact")

    def __init__(self, exact: str) -> None:
        self.exact = exact
        self._folded: str | None = None
        self._alike: tuple[str, ...] | None = None

    @property
    def folded(self) -> str:
        if self._folded is None:
            self._folded = folded(self.exact)
        return self._folded

    @property
    def alike(self) -> tuple[str, ...]:
        """Spellings of the same, this one first: in each normalisation, with its end and without.

        A wildcard stands for one character, and how many a name has hangs on how it is spelled.
        """
        if self._alike is None:
            cased = cases(self.exact)
            short = [text.rstrip(". ") or text for text in cased]
            self._alike = tuple(dict.fromkeys((self.exact, *cased, *short, self.folded)))
        return self._alike


def cases(text: str) -> tuple[str, ...]:
    """A text without its case, composed and taken apart."""
    if text.isascii():
        return (text.lower(),)
    apart = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return (
        unicodedata.normalize("NFC", text),
        unicodedata.normalize("NFD", text),
        unicodedata.normalize("NFC", apart),
        apart,
    )
