"""Two small submissions for the simulated sample of RecGaze: ``good``, and ``faulty`` with ten faults.

``python -m submissions.examples`` writes both again, which is needed when the sample changes.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
GOOD = FOLDER / "good"
FAULTY = FOLDER / "faulty"
"""The folders."""
