"""The vocabulary of hostile paths: the words that ``safefs.testing.strategies`` makes its texts of.

Every absolute path among them is a placeholder (``{outside}``, ``{root}``, ``{scratch}``) that
``safefs.testing.scratch.filled`` puts in full, so that it leads into the scratch; a slash in any
dress at the front of a text is followed by ``{outside_rel}``. No word climbs more than one
directory, and what opens ``//?/`` or names a host is left out: one normalisation further it would
be an absolute path of the machine.
"""

from __future__ import annotations

# ".." as it is, then as decoders, normalisers and other systems would make it.
UPS = (
    "..",
    "%2e%2e",
    "%2E.",
    "%252e%252e",
    "%25252e%25252e",
    "%c0%ae%c0%ae",  # overlong UTF-8, percent-encoded
    "\udcc0\udcae\udcc0\udcae",  # overlong UTF-8 itself: os.fsencode gives the bytes C0 AE C0 AE
    "\udce0\udc80\udcae\udce0\udc80\udcae",  # the same in three bytes
    "%u002e%u002e",
    ".\\u002e",
    "&#46;&#46;",
    "\uff0e\uff0e",  # FULLWIDTH FULL STOP: NFKC makes it a dot
    "\u2024\u2024",  # ONE DOT LEADER
    "\u2025",  # TWO DOT LEADER
    ".\u200b.",  # ZERO WIDTH SPACE
    ".\u00ad.",  # SOFT HYPHEN
    "..;",  # a path parameter, as servlet containers cut them off
    ".. ",
    "... ",
    "..\t",
    "..\u202e",
    "....",  # what a filter leaves of it that takes ".." out once
    "..\0",
)

# "/" as it is, then in the same dresses.
SEPARATORS = (
    "/",
    "\\",
    "//",
    "/./",
    "\\/",
    "%2f",
    "%5C",
    "%252f",
    "%255c",
    "%c0%af",
    "\udcc0\udcaf",
    "%u2215",
    "\uff0f",  # FULLWIDTH SOLIDUS
    "\uff3c",  # FULLWIDTH REVERSE SOLIDUS
    "\u2044",  # FRACTION SLASH
    "\u2215",  # DIVISION SLASH
    "\u29f8",  # BIG SOLIDUS
    "\u2216",  # SET MINUS
    "\u29f5",  # REVERSE SOLIDUS OPERATOR
)

# What stands in the outside of a scratch, seen from the directory of its root.
TARGETS = ("outside/secret.txt", "outside", "outside/dir/inner.txt", "outside/link", "root-evil")

# Absolute paths. ``{outside_rel}`` is ``{outside}`` without its first slash.
PLACES = (
    "{outside}/secret.txt",
    "{outside}",
    "{outside}/dir",
    "{outside}/new.txt",
    "{root}/a",
    "{root}",
    "{root}-evil/secret.txt",
    "{root}/../outside/secret.txt",
    "{scratch}/outside/secret.txt",
    "{scratch}",
)
# Two slashes and no third would be followed by the name of a host, for one who reads it as a URL.
_PAIRS = ("//", "\\/")
ABSOLUTE = (
    *(f"{one}{{outside_rel}}/secret.txt" for one in SEPARATORS if one not in _PAIRS),
    *(f"{pair}{{outside}}/secret.txt" for pair in _PAIRS),
)
BEFORE = ("", " ", "\t", "\n", "\ufeff", "\u200b", "./", ".", '"', "'")

# A drive of Windows, with and without a directory, and a share.
DRIVES = (
    "C:secret.txt",
    "C:..",
    "c:..\\outside\\secret.txt",
    "C:{outside}/secret.txt",
    "C:\\{outside_rel}\\secret.txt",
    "C:/{outside_rel}/secret.txt",
    "C|{outside}",
    "Z:\\{outside_rel}",
    "\\\\{outside}\\secret.txt",
    "//{outside}/secret.txt",
)

_PORTS = tuple(f"{port}{digit}" for port in ("COM", "LPT") for digit in "19\u00b9\u00b2\u00b3")
DEVICES = ("NUL", "CON", "PRN", "AUX", "CONIN$", "CONOUT$", "CLOCK$", *_PORTS)
DEVICE_SUFFIXES = ("", ".txt", ".tar.gz", " ", ".", ":", " .txt", "::$DATA")

SCHEMES = (
    "file",
    "safefs",
    "FILE",
    "http",
    "https",
    "ftp",
    "sftp",
    "smb",
    "ssh",
    "s3",
    "gs",
    "az",
    "hdfs",
    "local",
    "memory",
    "data",
    "jar",
    "zip",
    "tar",
    "github",
    "git",
    "svn+ssh",
    "gopher",
    "ldap",
    "dict",
    "php",
    "view-source",
    "javascript",
    "simplecache",
    "file::file",
    "zip::file",
    "simplecache::file",
)
SCHEME_ENDS = (
    "://{outside}/secret.txt",
    "://{outside}",
    ":{outside}/secret.txt",
    ":/{outside_rel}",
    "%3a//{outside}",
    "%3A%2F%2F{outside}",
    ":\\/\\/{outside}",
    ":..",
    ":../outside/secret.txt",
)

# Over-long names and paths; filled() writes them out.
LONG = (
    "{rep:a:255}",
    "{rep:a:256}",
    "{rep:\u00e9:128}",  # 128 letters, 256 bytes
    "{rep:a:4095}",
    "{rep:a:4096}",
    f"{{rep:{'a' * 31}/:127}}",  # below PATH_MAX, and no deeper than a clean-up can go
    f"{{rep:{'a' * 31}/:128}}",
    "{rep:./:2047}a",
    "{rep:./:2048}a",
    "a{rep:/:4094}b",
    "a/{rep:b:255}/{rep:c:256}",
    "{rep:a:70000}",
)

# Where text, bytes and C strings part ways.
NULS = ("\0", "a\0", "\0a", "a.txt\0.png", "a/\0/b", "{outside}/secret.txt\0.png", "a%00.png")
SURROGATES = (
    "\ud800",  # lone: no encoding holds it
    "a\udfffb",
    "\ud83d/\ude00",  # a pair, parted
    "\udcff",  # a byte that is no UTF-8, as os.fsdecode gives it
    "a\udc80/b",
    "\udced\udca0\udc80",  # a surrogate, encoded as if it were a letter (WTF-8)
)

# Names that some system reads as another name, or as none.
NAMES = (
    "",
    ".",
    "a.",
    "a ",
    "a...",
    "a . .",
    " a",
    "a/",
    "a//",
    "a/.",
    "./a",
    "...",
    ". ",
    ".a",
    "A",
    "-rf",
    "--",
    "a\nb",
    "a\r\n",
    "\a\b\x1b[2J",
    "\x7f",
    "a\tb",
    "a:b",
    "a:$DATA",
    "a|b",
    "a;b",
    "a&b",
    "`a`",
    "$(a)",
    "a<b>",
    'a"b',
    "PROGRA~1",
    "a\u202etxt.exe",  # shown from right to left
    "\u2066a\u2069",
    "a\u200d",
    "caf\u00e9",  # composed, and below decomposed
    "cafe\u0301",
    "\u00c5/A\u030a/\u212b",  # three spellings of one letter
    "\ufb01",
    "\u0130",
    "\u1e9e",
    ".git",
    ".GIT/config",
    "git~1",
    ".g\u200cit",
    ".safefs-0123456789abcdef.tmp",
)
GLOBS = ("*", "?", "**", "a*", "[a]", "[!x]", "{a,b}", "**/*", "../*", "*/../..", ".*", "!a", "#a")

# What a shell, a library or a configuration expands; of things there are none of on any machine.
EXPANSIONS = (
    "~safefs.nobody",
    "~safefs.nobody/a",
    "$SAFEFS_NOTHING",
    "$SAFEFS_NOTHING{outside}/secret.txt",
    "${SAFEFS_NOTHING}{outside}/secret.txt",
    "%SAFEFS_NOTHING%",
    "%SAFEFS_NOTHING%{outside}/secret.txt",
    "{0}",
    "{0.__class__}",
    "%(a)s",
    "%s",
    "%n",
)
# What is there on every machine: for a subject whose HOME and APPDATA lead into the scratch.
HOMES = ("~", "~/a", "$HOME", "${HOME}/a", "$HOME/../..", "%APPDATA%", "%USERPROFILE%\\a")
