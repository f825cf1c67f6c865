"""Snacks: choosing one of several snacks on a screen, after rating each of them (PROTOCOL section 11)."""

from tasks.definition import LabelDrawing, PublicSource, TaskDefinition, TaskInfo
from tasks.snacks.reader import LAYOUTS, detect, read
from tasks.snacks.sample import write_sample
from tasks.snacks.screen import SIZE, draw_numbers, number_areas

_CITATION = """@article{thomas2021uncovering,
  title   = {Uncovering the computational mechanisms underlying many-alternative choice},
  author  = {Thomas, Armin W. and Molter, Felix and Krajbich, Ian},
  journal = {eLife},
  volume  = {10},
  pages   = {e57012},
  year    = {2021},
  doi     = {10.7554/eLife.57012}
}"""

SNACKS = TaskDefinition(
    info=TaskInfo(
        name="snacks",
        version="1",
        title="Snacks: choosing from a grid of pictures",
        description=(
            "People rated snacks one by one. Later they chose the one they would like to eat from a grid of 9, 16, 25 "
            "or 36 pictures, or from a row of a few. To be predicted are the snack that was chosen and the share of "
            "gaze that each received. Slots and profile hold the user's own ratings of the snacks shown, made before "
            "and never derived from the choice, so that personal models can be told from shared ones."
        ),
        citation=_CITATION,
        licence="MIT",
        source=(
            "many-item-choice, https://github.com/athms/many-item-choice (layout grid, MIT); or a table of choices "
            "among a few items, as Krajbich and Rangel 2011 published theirs (layout table, under its own terms)"
        ),
        answer_format="number",
        leaks=(
            "Ratings are inputs: a simulator that reads them needs neither screen nor gaze to do well on clicks.",
            "The snack looked at longest is often the one chosen: gaze is a target, never an input.",
        ),
        deviations=(
            "Each slot's number and its snack's name are drawn below the picture, on white; people saw neither.",
            "People began on a cross in the middle: on grids with a middle item a first gaze on it is not a look at it "
            "and is left out. The card counts them.",
            "The data do not say what a picture shows: a slot's text is the picture's name (nr75). A table has no "
            "pictures and no names: its items are called snack A, B, C on drawn tiles, and all screens are alike.",
            "The cursor is not recorded: cursor_ms is 0 everywhere, and cursor-oracle is uniform.",
            "Every screen was seen once, by one user: unseen-screen is a split of sessions.",
        ),
    ),
    layouts=LAYOUTS,
    detect=detect,
    read=read,
    write_sample=write_sample,
    sample_notice="simulated sample, not many-item-choice: invented snacks and simulated people",
    sample_size=SIZE,
    labels=LabelDrawing(number_areas, draw_numbers),
    public=PublicSource(
        "https://github.com/athms/many-item-choice", "data", "8c28ff4e", "about 600 MB, MIT", excerpts=True
    ),
)
