from __future__ import annotations

from pathlib import Path

import pytest

from baselines import registry
from benchmark.scores import predictions
from leaderboard.board_files import Board
from leaderboard.columns import RankedTable
from leaderboard.columns import views as views_of
from leaderboard.entries import ReportedRecord
from leaderboard.submitting import submit
from tests.leaderboard.boards import AT, candidate

SCRIPT = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
"""What a hostile submission puts into every text."""
PATHS = {"u0-0": [[0, 1, 3], [2]], "u2-0": [[1, 2]]}
"""What one submission drew."""


@pytest.fixture(scope="session")
def stocked(mini, tmp_path_factory) -> Board:
    """A board with submissions of every sort on two splits; tests only read it."""
    root = tmp_path_factory.mktemp("stocked") / "board"
    for split in ("loo", "kfold"):
        for number, knows in enumerate((0.1, 0.5, 0.9)):
            submit(root, [candidate(f"sim-{knows:g}", mini, split, knows=knows, random_state=number)], registry, now=AT)
    own = candidate("clicks-only", mini, knows=0.4, parts=("probabilities",), random_state=7)
    labelled = candidate("labelled", mini, knows=0.7, target="label", attention_target="label", random_state=8)
    oracle = candidate("peeper", mini, knows=1.0, kind="oracle", inputs=("gaze-test",), random_state=9)
    hostile = candidate(
        SCRIPT,
        mini,
        version=SCRIPT,
        knows=0.3,
        random_state=10,
        **dict.fromkeys(("contact", "licence", "description", "backbone", "size", "training_data"), SCRIPT),
        **dict.fromkeys(("attention_source", "hardware", "cost", "notice", "kind"), SCRIPT),
        link="javascript:document.title='owned'",
        authors=(SCRIPT, "</script><b>bold</b>"),
        inputs=(SCRIPT, "image"),
    )
    personal = candidate("personal", mini, knows=0.8, random_state=11)
    shared = candidate("personal", mini, knows=0.4, random_state=12).predictions
    swapped = candidate("personal", mini, knows=0.4, random_state=13).predictions
    import dataclasses

    several = {"own": personal.predictions, "shared": shared, "swapped": swapped}
    joined = predictions.joined(predictions.renamed(said, simulator=name) for name, said in several.items())
    personal = dataclasses.replace(personal, predictions=joined, paths=PATHS)
    stated = ReportedRecord(SCRIPT, SCRIPT, "javascript:alert(1)", "mini", "loo", 0, {"KL": 0.1, SCRIPT: 1.0}, SCRIPT)
    for one in (own, labelled, oracle, hostile, personal):
        submit(root, [one], registry, now=AT)
    submit(root, [], registry, reported=[stated], now=AT)
    return Board.open(root)


@pytest.fixture(scope="session")
def views(stocked) -> list[RankedTable]:
    """The ranked tables of the stocked board: kfold, then loo."""
    return views_of(stocked)


@pytest.fixture(scope="session")
def site(stocked, views, mini, tmp_path_factory) -> Path:
    """The site of the stocked board."""
    from leaderboard.site import build

    tasks = {digest: mini for digest in mini.digests.values()}
    out = tmp_path_factory.mktemp("site") / "site"
    build(out, stocked, views, tasks)
    return out
