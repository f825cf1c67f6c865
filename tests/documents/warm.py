"""A process that carries out one command of the suite after another, so that Ray is imported once.

It reads a JSON object per line, ``{"words": [...], "folder": ...}``, and answers with one, ``{"status", "said"}``.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback

from benchmark.cli import main


def carry_out(words: list[str]) -> dict[str, object]:
    """Return how a command ended and what it said."""
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(said):
        try:
            status: object = main(words)
        except BaseException:
            status = 1
            said.write(traceback.format_exc())
    return {"status": status, "said": said.getvalue()}


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is written to standard output is no answer
    for line in sys.stdin:
        asked = json.loads(line)
        os.chdir(asked["folder"])
        print(json.dumps(carry_out(asked["words"])), file=answers, flush=True)
