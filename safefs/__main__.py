"""``python -m safefs``, and the command ``safefs``."""

import sys


def run() -> int:
    """As ``safefs.cli.main``; who interrupts it while it is still being imported is heard too."""
    try:
        from safefs.cli import main
    except KeyboardInterrupt:
        return 130  # safefs.cli.printing.INTERRUPTED
    return main()


if __name__ == "__main__":
    sys.exit(run())
