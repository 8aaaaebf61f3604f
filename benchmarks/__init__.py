"""How long safefs takes beside plain ``os`` and beside what a user would pick instead.

``python -m benchmarks`` runs the registry of ``benchmarks.work``; ``docs/performance.md`` says how
to read what comes out, and what it does not show.
"""
