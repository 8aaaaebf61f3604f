"""Coverage-guided fuzzing of gate 1 and of the walk: ``python -m tests.fuzz TARGET --seconds N``.

A target is a function of bytes that raises when safefs has done anything but what it promises. It
runs in a child of its own, in which atheris (libFuzzer) counts the branches of safefs that are
taken and mutates whatever input took a new one.
"""
