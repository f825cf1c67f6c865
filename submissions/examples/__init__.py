"""Two small submissions for the simulated sample of RecGaze: ``good``, and ``faulty`` with ten faults.

``docs/example_submissions.py`` writes both again, which is needed when the sample changes.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
GOOD = FOLDER / "good"
FAULTY = FOLDER / "faulty"
"""The folders."""
