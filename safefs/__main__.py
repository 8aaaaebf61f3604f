"""``python -m safefs``."""

import sys

from safefs.cli import main

if __name__ == "__main__":
    sys.exit(main())
