"""``make mutants``: safefs broken on purpose, one way at a time; the tests must notice each.

A mutant is data (``catalogue``). It is made in a copy of the project that nothing outside the jail
ever imports (``trial``), and judged by what the tests say of it there (``judge``).
"""
