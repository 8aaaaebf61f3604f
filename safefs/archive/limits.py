"""What an archive may be unless the caller says otherwise, and what its reading may take."""

from __future__ import annotations

from safefs.budget import Budget

# More than the largest source trees hold (Linux: 90,000), and few enough names to keep in memory.
_ENTRIES = 200_000
# An archive that is larger is no accident of an upload; who expects one says so.
_BYTES = 8 << 30
# Text and logs come to 5 to 40; what shrinks further was made to.
_RATIO = 200
# Deeper than any tree of node_modules.
_DEPTH = 100
# PATH_MAX of macOS, the least of the systems.
_PATH_LENGTH = 1024

DEFAULT_BUDGET = Budget(
    entries=_ENTRIES, bytes=_BYTES, depth=_DEPTH, ratio=_RATIO, path_length=_PATH_LENGTH
)

SMALL = 16 << 20  # bytes that any archive may hold, whatever the ratio: they are no bomb
CHUNK = 1 << 16  # bytes that are decompressed at a time
DICTIONARY = 128 << 20  # bytes of memory for the dictionary of xz, whose level 9 takes 65 MiB
LONGEST_HEADER = 1 << 20  # bytes of one header of tar (names, pax records): far above PATH_MAX
HEADERS = 8 << 10  # bytes of headers and padding that each entry of a tar may have on average
HEADERS_AT_ALL = 16 << 20  # and a whole archive on top: its last record, maps of sparse files
DIRECTORY = 32 << 20  # bytes of a zip's central directory, which is read into memory as a whole
SPOOL = 256 << 20  # bytes of a zip that comes from a stream, and is kept in memory to be read
GLOBALS = 100  # records of pax for all members, which tarfile copies for each; git writes one
LONGEST_LINK = 4096  # bytes of a link's text: PATH_MAX of Linux
COLLISIONS = 1000  # pairs of names that some take for one, of which a report tells
