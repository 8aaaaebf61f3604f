"""Functions over a root's handle and a ``RelPath``, a family per file."""
