"""Mutants of what is given away without the secrets in it."""

from __future__ import annotations

from tests.mutants.mutant import mutant

_REDACTION = "safefs/secrets/redaction.py"
_EXPORTING = "safefs/secrets/exporting.py"
_CORPUS = "tests/test_redaction_corpus.py::test_nothing_of_a_secret_is_left[{}]".format
_TEST = "tests/test_export.py::test_{}".format

EXPORTS = (
    mutant(
        "look at the keys alone",
        "the password is in DATABASE_URL too",
        _REDACTION,
        "        row.gone = rules.removes(row.key) or _holds(row.spellings, secret)\n",
        "        row.gone = rules.removes(row.key)\n",
        _CORPUS("a secret in the value of another key"),
        _TEST("what_is_removed_of_one_environment_is_in_no_other"),
    ),
    mutant(
        "take a reference for a name",
        "${AWS_KEY:-the key itself} travels",
        _REDACTION,
        "    _follow_references(every, rules)\n",
        "",
        _CORPUS("a default of a reference to what is defined elsewhere"),
    ),
    mutant(
        "follow no reference of a secret",
        "X_SECRET=${SHARED}, and SHARED travels",
        _REDACTION,
        "for value in row.spellings | meant if",
        "for value in row.spellings if",
        _CORPUS("a secret that is a reference to what is kept"),
    ),
    mutant(
        "take a line for a name without a value",
        "the second line of a key without quotes is written anew as a name",
        _REDACTION,
        "        if not _EXPORT.match(written):\n            raise",
        "        if False:\n            raise",
        _CORPUS("a second line without quotes"),
    ),
    mutant(
        "tell lines apart as the parser does",
        "what is one value to it is an assignment to somebody else",
        _REDACTION,
        "    if odd is not None:\n",
        "    if False:\n",
        "tests/test_redaction.py::test_what_only_some_take_for_the_end_of_a_line_stops_an_allow_list_too",
    ),
    mutant(
        "raise what was read together with the error",
        "who prints the locals of a traceback prints the secrets",
        _REDACTION,
        "        problem = RedactionError(error.line, error.reason, error.path)\n",
        "        problem = error\n",
        _TEST("no_frame_of_an_error_shows_what_was_read"),
    ),
    mutant(
        "export an environment of which nothing is said",
        "who forgets --redact gives everything away",
        _EXPORTING,
        "        if not self._rules.given:\n",
        "        if False:\n",
        _TEST("environments_stay_behind_where_nothing_says_what_may_stay"),
    ),
    mutant(
        "know a file by its name",
        "a hard link to the environment is copied as it is",
        _EXPORTING,
        "            elif entry.found.identity in names and not is_environment(entry.path):\n",
        "            elif False:\n",
        _TEST("another_name_of_a_file_does_not_carry_it_out"),
    ),
    mutant(
        "know what is left out by its name",
        "a hard link to the key is copied",
        _EXPORTING,
        "            if other is not None:\n",
        "            if False:\n",
        _TEST("another_name_of_a_file_does_not_carry_it_out"),
    ),
    mutant(
        "read whatever has the name by now",
        "between the look and the copy a harmless name is given to the environment",
        _EXPORTING,
        "                if found.identity != entry.found.identity or found != entry.found:\n",
        "                if found.kind != entry.found.kind:\n",
        _TEST("what_is_replaced_after_it_was_looked_at_does_not_travel"),
    ),
    mutant(
        "read whatever the file holds by now",
        "what was looked through for secrets is not what travels",
        _EXPORTING,
        "                if found.identity != entry.found.identity or found != entry.found:\n",
        "                if found.identity != entry.found.identity:\n",
        _TEST("what_is_written_anew_in_place_between_the_look_and_the_copy_is_noticed"),
    ),
    mutant(
        "look at a link of an environment, and not at what it leads to",
        "of .env -> shared/environment all of shared/environment travels",
        _EXPORTING,
        "                names |= self._led_to(link)\n",
        "                pass\n",
        _TEST("what_a_link_of_such_a_name_leads_to_is_treated_as_that"),
    ),
    mutant(
        "copy any link",
        "in the export it leads to whatever is there",
        _EXPORTING,
        "            if reason is not None:\n                self._leave(link.path, reason)\n",
        "            if reason == '':\n                self._leave(link.path, reason)\n",
        _TEST("a_link_travels_as_one_where_what_it_leads_to_does"),
    ),
    mutant(
        "export into what is exported",
        "the export holds a part of itself, and the original is not what it was",
        _EXPORTING,
        "        if entry.found.identity in self._around:\n",
        "        if False:\n",
        _TEST("a_destination_within_the_source_is_refused"),
    ),
    mutant(
        "fill what is not empty",
        "what was there before is taken for exported",
        _EXPORTING,
        "    for _ in there.driver.scan(there.path):\n",
        "    for _ in ():\n",
        _TEST("what_is_there_stays_there"),
    ),
    mutant(
        "let everybody in where only the owner was",
        "the top of a private tree becomes a directory for all",
        _EXPORTING,
        "lambda made: made & top",
        "lambda made: made",
        _TEST("modes_and_times_are_kept_as_far_as_they_are_nobodys_gift"),
    ),
    mutant(
        "tell names apart by case",
        "SERVER.PEM travels",
        "safefs/secrets/selection.py",
        "        folded = path.casefold()\n",
        "        folded = path\n",
        _TEST("patterns_are_of_names_of_paths_and_of_directories"),
    ),
    mutant(
        "write over what was read",
        "the only copy of a secret is lost",
        "safefs/cli/exporting.py",
        "        raise SameFileError(file, out)\n",
        "        pass\n",
        "tests/test_cli_export.py::test_redact_env_never_writes_over_what_it_reads",
    ),
)
