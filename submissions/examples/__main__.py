"""``python -m submissions.examples``: write the examples again."""

from __future__ import annotations

import sys

from submissions.examples import FOLDER
from submissions.examples.generate import write

if __name__ == "__main__":
    write(FOLDER)
    sys.stdout.write(f"{FOLDER}\n")
