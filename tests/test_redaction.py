"""An .env file without its secrets: nothing of them is left, and all else is as it was."""

from __future__ import annotations

import copy
import io
import pickle
import re
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from safefs.secrets.redaction import Redacted, RedactionError, redact_env

parser = pytest.importorskip("dotenv.parser")

# Those that NativePHP ships; the cases are ones that a filter of lines lets through.
PATTERNS = [
    *("AWS_*", "AZURE_*", "GITHUB_*", "DO_SPACES_*", "*_SECRET", "ZEPHPYR_*"),
    *("NATIVEPHP_UPDATER_PATH", "NATIVEPHP_APPLE_ID", "NATIVEPHP_APPLE_ID_PASS"),
    *("NATIVEPHP_APPLE_TEAM_ID", "NATIVEPHP_AZURE_*"),
]
PEM = "-----BEGIN KEY-----\nMIICANARY\nCANARY==\n-----END KEY-----\n"
LEAKS = {
    "as it comes": "AWS_KEY=CANARY\n",
    "several lines": f'APPLE_SECRET="{PEM}"\n',
    "several lines in single quotes": f"APPLE_SECRET='{PEM}'\n",
    "indented": "   AWS_KEY=CANARY\n\tGITHUB_TOKEN=CANARY\n",
    "lower case": "aws_key=CANARY\ngithub_token=CANARY\n",
    "mixed case": "Aws_Key=CANARY\nmy_Secret=CANARY\n",
    "export": "export AWS_KEY=CANARY\n",
    "export, indented": "  export   AWS_KEY = CANARY\n",
    "quotes": "AWS_KEY=\"CANARY\"\nX_SECRET='CANARY'\n",
    "a key in quotes": "'AWS_KEY'=CANARY\n",
    "a BOM": "\ufeffAWS_KEY=CANARY\n",
    "CRLF": "AWS_KEY=CANARY\r\nNAME=x\r\nX_SECRET='CANARY'\r\n",
    "CRLF within": 'APPLE_SECRET="CANARY\r\nCANARY"\r\n',
    "no end of line": "AWS_KEY=CANARY",
    "spaces about": "AWS_KEY = CANARY\n",
    "twice": "AWS_KEY=CANARY\nAWS_KEY=CANARY2\n",
    "a comment": "# AWS_KEY=CANARY\nNAME=x # CANARY\n",
    "escaped quotes": 'X_SECRET="a\\"CANARY\\""\n',
    "an equals sign in it": "X_SECRET=CANARY=CANARY\n",
    "also in another value": "X_SECRET=CANARY\nURL=https://me:CANARY@host/\n",
    "a hash in it": "X_SECRET=CANARY#CANARY\n",
}


@pytest.mark.parametrize("case", LEAKS)
def test_nothing_of_a_secret_is_left(case: str) -> None:
    before = "APP_NAME='My App'\n"
    if LEAKS[case].startswith("\ufeff"):
        content = (LEAKS[case] + before).encode()
    else:
        content = (before + LEAKS[case]).encode()
    found = redact_env(content, redact=PATTERNS)
    assert b"CANARY" not in found.content
    assert b"KEY-----" not in found.content
    assert b"APP_NAME='My App'\n" in found.content
    assert found.removed or found.comments


STOPS = {
    "a quote that is never closed": 'NAME="x\nAWS_KEY=CANARY\n',
    "a quote that is closed too late": 'NAME="x\nAWS_KEY=CANARY\nOTHER="y"\n',
    "no assignment": "NAME=x\n= CANARY\n",
    "text behind a value": "NAME='x' CANARY\n",
    "a key with a space": "'my key'=CANARY\n",
    "a line separator": "NAME=x\u2028AWS_KEY=CANARY\n",
    "a vertical tab": "NAME=x\x0bAWS_KEY=CANARY\n",
    "a lone carriage return": "NAME=x\rAWS_KEY=CANARY\n",
    "a key without quotes": f"X_SECRET={PEM}",
    "a second line": "NAME=x\nCANARY\n",
    "the end of a line in base64": "NAME=x\nCANARY==\n",
    "NUL": "NAME=x\0\nAWS_KEY=CANARY\n",
    "an assignment in a value": "RUN='AWS_KEY=CANARY ./run'\n",
    "a query": "URL=https://host/?id=1&client_secret=CANARY\n",
}


@pytest.mark.parametrize("case", STOPS)
def test_what_cannot_be_read_for_certain_stops_all(case: str) -> None:
    with pytest.raises(RedactionError) as caught:
        redact_env(("A=1\n" + STOPS[case]).encode(), redact=PATTERNS)
    assert caught.value.line in (2, 3)
    assert "CANARY" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(copy.copy(caught.value))


def test_what_is_no_utf8_stops_all_and_says_where() -> None:
    with pytest.raises(RedactionError, match="line 3: this is no UTF-8"):
        redact_env(b"A=1\nB=2\nNAME=\xff\n")


REMOVED = [
    # the file, what is removed where AWS_* is: in full, by what it holds, by what it refers to
    ("AWS_KEY=CANARY\nA=${AWS_KEY}\nB=x$A\nC=$B\nD=1\n", ["AWS_KEY", "A", "B", "C"]),
    ("A=${aws_key:-x}\nB=${AWSX}\nC=$AWS\nD='$AWS_ID'\n", ["A", "D"]),
    ("A=${#AWS_KEY}\nB=${!AWS_KEY}\nC=${X:-${AWS_KEY}}\nD=$$\n", ["A", "B", "C"]),
    ("A=CANARY\nAWS_KEY=${A}\nB=CANARY2\nC=CANAR\n", ["A", "AWS_KEY", "B"]),
    ("AWS_KEY=short\nA=short\n", ["AWS_KEY"]),  # which may well be a word
]


@pytest.mark.parametrize(("content", "removed"), REMOVED)
def test_what_holds_or_refers_to_a_secret_goes_with_it(content: str, removed: list[str]) -> None:
    assert list(redact_env(content.encode(), redact=["AWS_*"]).removed) == removed


@pytest.mark.parametrize(
    "end", ["\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
)
def test_what_only_some_take_for_the_end_of_a_line_stops_an_allow_list_too(end: str) -> None:
    with pytest.raises(RedactionError, match="line 2: it holds a character that some take"):
        redact_env(f"A=1\nNAME=x{end}OTHER=CANARY\n".encode(), keep=["NAME"])


FOREIGN = [
    "export NAME=1 TOKEN=CANARY\n",
    "NAME=1; TOKEN=CANARY\n",
    "NAME=1;TOKEN=CANARY\n",
    "NAME=1&&TOKEN=CANARY\n",
    "NAME=1 TOKEN+=CANARY\n",
    "NAME=1 TOKEN[0]=CANARY\n",
    'NAME="x\nTOKEN=CANARY"\n',
    "NAME='tis\nTOKEN=CANARY\nB=dogs'\n",
    "NAME='x\n\t\"TOKEN\" = CANARY'\n",
]


@pytest.mark.parametrize("content", FOREIGN)
def test_an_allow_list_lets_no_other_key_through_within_a_value(content: str) -> None:
    with pytest.raises(RedactionError, match=r"line 1: .* a key that is not kept"):
        redact_env(content.encode(), keep=["NAME"])


PLAIN = [
    # what is no other key, and goes on being kept
    ("NAME=https://host/?id=1&token=2\n", ["NAME"]),
    ("NAME='base64: QUJDREVGRw=='\n", ["NAME"]),
    ("NAME='QUJDREVG\nQUJD=\n'\n", ["NAME"]),
    ("NAME='1 B=2'\n", ["NAME", "b"]),
    ("NAME=a=b\n", ["NAME"]),
    ("NAME=a 'quoted' word\n", ["NAME"]),
    ("NAME=${HOST:-x}(1)\n", ["NAME"]),
]


@pytest.mark.parametrize(("content", "keep"), PLAIN)
def test_a_value_that_holds_no_other_key_is_kept(content: str, keep: list[str]) -> None:
    assert redact_env(content.encode(), keep=keep).kept == ("NAME",)


def test_an_empty_key_behind_a_removed_one_is_no_end_of_it_as_keys_are_called() -> None:
    digest = "0123456789abcdef" * 4
    for before in ("word", digest, '"' + "MIIEabc0" * 8 + '"', "x y", "MIIEabc0" * 7 + "$"):
        assert redact_env(f"A_SECRET={before}\nDEBUG=\n".encode(), redact=["*_SECRET"]).kept
    long = f"A_SECRET={'MIIEabc0' * 8}\nMAIL_HOST=\n".encode()
    assert redact_env(long, redact=["*_SECRET"]).kept == ("MAIL_HOST",)


@pytest.mark.parametrize(
    "pattern", ["", " ", "*_secret ", "A_SECRET,B", "A B", "1*", "[0-9]A", "A[+]", "[A", "A=", "É"]
)
@pytest.mark.parametrize("word", ["redact", "keep"])
def test_a_pattern_that_no_key_can_match_is_an_error(word: str, pattern: str) -> None:
    wrong: Any = {word: ["GOOD_*", pattern]}
    with pytest.raises(ValueError, match="matches no name"):
        redact_env(b"A=1\n", **wrong)
    with pytest.raises(TypeError, match="is a str"):
        redact_env(b"A=1\n", **{word: [pattern.encode()]})  # type: ignore[arg-type]


def test_a_pattern_that_matched_nothing_is_told() -> None:
    patterns = ["aws_*", "[A-C]", "*1", "?[!X]*", "*-x", "[]A]"]
    found = redact_env(b"AWS_KEY=1\nB=2\n", redact=patterns)
    assert found.unused == ("*1", "*-x", "[]A]")
    assert redact_env(b"", redact=["AWS_*"]).unused == ("AWS_*",)
    assert redact_env(b"A=1\n", keep=["B"]).unused == ()


REFERENCES = [
    # what AWS_KEY is; another key, which holds a value that it may have
    ("${A:=$B}", "B"),
    ("${A%$B}", "A"),
    ("${!D}", "A"),
    ("${UNKNOWN-CANARY-A}", "A"),
    ("${UNKNOWN?}${A}", "A"),
    ("${MY-KEY}", "MY-KEY"),
    ("$a", "A"),
    ("${C}", "A"),
    ("${A${B}", None),
    ("$$ ${} ${1} $", None),
    ("${LOOP}", None),
]


@pytest.mark.parametrize(("value", "removed"), REFERENCES)
def test_a_reference_means_all_that_it_may(value: str, removed: str | None) -> None:
    content = (
        f"AWS_KEY='{value}'\nA=CANARY-A\nB=CANARY-Bx\nMY-KEY=CANARY-M\nC=${{A}}\nD=A\n"
        "LOOP=${LOOP2}\nLOOP2=$LOOP\n"
    )
    found = redact_env(content.encode(), redact=["AWS_*"])
    assert {*found.removed} >= {"AWS_KEY", *([removed] if removed else [])}
    assert "LOOP" in found.kept
    assert removed or len(found.removed) == 1


def test_references_that_go_deep_or_fork_stop_it() -> None:
    deep = "\n".join(f"A{n}=${{A{n + 1}}}" for n in range(2000))
    forks = "AWS_KEY=" + "${X:-1}" * 30 + "\nX=2\n"
    for content in (deep, forks):
        with pytest.raises(RedactionError, match="line 1: its references make too much of it"):
            redact_env(content.encode(), redact=["AWS_*"])


def test_references_that_multiply_are_not_followed_for_ever() -> None:
    lines = ["A0=xxxxxxxxxx", *(f"A{n}=" + f"${{A{n - 1}}}" * 10 for n in range(1, 12))]
    with pytest.raises(RedactionError, match="line 7: its references make too much of it"):
        redact_env("\n".join(lines).encode(), redact=["A11"])


def test_no_frame_of_an_error_shows_what_was_read() -> None:
    def attempt() -> RedactionError:
        with pytest.raises(RedactionError) as caught:
            redact_env(b"AWS_KEY=CANARY\nNAME='x\n", redact=["AWS_*"])
        return caught.value

    error: BaseException | None = attempt()
    while error is not None:
        frame = error.__traceback__
        while frame is not None:
            if frame.tb_frame.f_code.co_filename.endswith("secrets/redaction.py"):
                assert "CANARY" not in repr(frame.tb_frame.f_locals)
            frame = frame.tb_next
        error = error.__context__


def test_what_is_left_is_told_with_what_is_not() -> None:
    content = b"# who\nA=1\nexport B\nAWS_KEY=x\nC='two words'\n\n# more\nD=\"it's\"\n"
    assert redact_env(content, redact=["aws_*"]) == Redacted(
        b"A=1\nexport B\nC='two words'\nD=\"it's\"\n", ("A", "B", "C", "D"), ("AWS_KEY",), 2
    )
    assert redact_env(content, keep=["a", "AWS_*"], redact=["AWS_*"]).kept == ("A",)
    assert redact_env(content, keep=[]).content == b""
    assert redact_env(b"").content == b""
    with pytest.raises(TypeError, match="redact is a list"):
        redact_env(content, redact="AWS_*")


_KEYS = st.from_regex(r"[A-Z_][A-Z0-9_]{0,6}", fullmatch=True)
_VALUES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], include_characters="\n\t'\"\\$#= "),
    max_size=12,
)


def _double(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _single(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@given(
    pairs=st.lists(
        st.tuples(_KEYS, _VALUES, st.booleans(), st.sampled_from(["", "export ", "  "])), max_size=6
    ),
    secrets=st.sets(_KEYS, max_size=3),
)
def test_what_is_kept_means_what_it_meant(
    pairs: list[tuple[str, str, bool, str]], secrets: set[str]
) -> None:
    marked = [
        (key, f"CANARY{value}" if key in secrets else value, double, before)
        for key, value, double, before in pairs
    ]
    content = "".join(
        f"{before}{key}={_double(value) if double else _single(value)}\n"
        for key, value, double, before in marked
    )
    # Neither what may look like an assignment, nor what refers to another key.
    assume(not any("=" in value or re.search(r"\$[^ $]", value) for _, value, *_ in marked))
    found = redact_env(content.encode(), redact=secrets)
    assert "CANARY" not in found.content.decode()
    left = [
        (each.key, each.value) for each in parser.parse_stream(io.StringIO(found.content.decode()))
    ]
    gone = {value for key, value, *_ in marked if key in secrets and len(value) >= 6}
    assert left == [
        (key, value)
        for key, value, *_ in marked
        if key not in secrets and not any(secret in value for secret in gone)
    ]
