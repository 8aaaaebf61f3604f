"""What must not be read by everybody.

``named`` keeps small secrets, ``texts`` seals a text, ``tokens`` lets others in for a while,
``redaction`` keeps secrets out of what is shipped, and ``disable_core_dumps`` out of what a crash
leaves.
"""

from safefs.secrets.dumps import disable_core_dumps

__all__ = ["disable_core_dumps"]
