"""``python -m benchmark``, also installed as ``gazebench``."""

from __future__ import annotations

import sys

from benchmark.cli import main

if __name__ == "__main__":
    sys.exit(main())
