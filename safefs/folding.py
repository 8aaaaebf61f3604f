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
