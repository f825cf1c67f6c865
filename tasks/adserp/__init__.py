"""AdSERP: gaze, cursor and clicks on commercial search result pages (PROTOCOL section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.adserp.reader import LAYOUTS, detect, read
from tasks.definition import LabelDrawing, TaskDefinition, TaskInfo
from tasks.types import Slot

if TYPE_CHECKING:
    from PIL.Image import Image

_CITATION = """@inproceedings{latifzadeh2025adserp,
  title     = {A Versatile Dataset of Mouse and Eye Movements on Search Engine Results Pages},
  author    = {Latifzadeh, Kayhan and Gwizdka, Jacek and Leiva, Luis A.},
  booktitle = {Proceedings of the 48th International ACM SIGIR Conference on Research and Development in
               Information Retrieval},
  year      = {2025},
  doi       = {10.1145/3726302.3730325}
}"""

_SOURCE = (
    "AdSERP, https://zenodo.org/records/15236546 (raw layout), recordings by Latifzadeh, Gwizdka and Leiva; "
    "the replay layout, with boxes of the organic results, is site/replay/data of "
    "https://github.com/andyed/approach-retreat (141 trials, MIT)"
)

_NOTICE = "Simulated sample, not AdSERP: fictional result pages and simulated people"

_SHARED_LEAKS = (
    "A user appears in training and test under every split; a query may appear in both under loo and kfold.",
    "The replay layout holds trials chosen for display, whose last click lies in a box: not a random sample.",
    "Some boxes it gives as organic results are widgets (image packs, lists of places, pieces of related questions); "
    "the raw layout has no slots there.",
)

_SHARED_DEVIATIONS = (
    "Mouse positions are page-space CSS pixels times 1280 / window width on both axes; scroll is never added, unlike "
    "published code. A fixation's timestamp is taken as its END.",
    "The slot numbers are drawn beside the boxes, so that an answer can name them.",
    "The first click counts; trials with several clicks are kept and flagged several-clicks.",
    "Clicks within 10 px of a slot's edge count for it and are flagged click-beside-slot.",
    "Cursor positions are those of mousemove and click events, in both layouts.",
    "Widgets (related questions, image packs, pagination) are no slots, and gaze on them counts nowhere.",
    "Organic results of the raw layout are found in the screenshot: their boxes are not published. In the replay "
    "layout they are the upstream extraction, slightly tight.",
    "Sessions are ordered by trial id compared as text.",
)


def _write_sample(out: Path) -> None:
    """Write the simulated folder; its module is imported only when a sample is built."""
    from tasks.adserp.sample import write_sample

    write_sample(out)


def _label_areas(size: tuple[int, int], slots: Sequence[Slot]) -> list[tuple[int, int, int, int]]:
    """Return where the numbers of a screen are."""
    from tasks.adserp.screen import number_areas
    from tasks.adserp.trial import SCREEN_WIDTH

    boxes, labels = [slot.box for slot in slots], [slot.label for slot in slots]
    return number_areas(size, boxes, labels, size[0] / SCREEN_WIDTH)


def _draw_labels(image: Image, slots: Sequence[Slot]) -> None:
    """Draw the slots' numbers beside their boxes."""
    from tasks.adserp.screen import draw_numbers
    from tasks.adserp.trial import SCREEN_WIDTH

    boxes, labels = [slot.box for slot in slots], [slot.label for slot in slots]
    image.paste(draw_numbers(image, boxes, labels, image.width / SCREEN_WIDTH))


_LABELS = LabelDrawing(_label_areas, _draw_labels)

ADSERP = TaskDefinition(
    info=TaskInfo(
        name="adserp",
        version="1",
        title="AdSERP: result pages, the viewport at the click",
        description=(
            "People searched for a product to buy on a result page with organic results and advertisements and "
            "clicked one. Shown is the part of the page that was visible at the click, with a number beside each "
            "result; to be predicted are the number that was clicked and the share of the gaze that each result "
            "received in the last pause of scrolling before the click (400 ms or more). Slots are the results and "
            "ads with at least half their height in view, and the clicked one."
        ),
        citation=_CITATION,
        licence="MIT",
        source=_SOURCE,
        answer_format="number",
        leaks=(
            "In the last pause the cursor ends on the target: cursor dwell all but gives the click away. Use it as a "
            "stand-in for gaze in training only, never as an input.",
            "The viewport is the one at the click, so the clicked result is always in view; a result that is kept "
            "although most of it is hidden is flagged clicked-slot-mostly-hidden and is the clicked one.",
            *_SHARED_LEAKS,
        ),
        deviations=(
            "A pointer position reported before the last pause counts for nothing in it, because the page has moved "
            "under the pointer since.",
            *_SHARED_DEVIATIONS,
        ),
    ),
    layouts=LAYOUTS,
    detect=detect,
    read=partial(read, whole_page=False),
    write_sample=_write_sample,
    sample_notice=_NOTICE,
    sample_size=(640, 512),
    labels=_LABELS,
)

ADSERP_PAGE = TaskDefinition(
    info=TaskInfo(
        name="adserp-page",
        version="1",
        title="AdSERP: the full result page (ours)",
        description=(
            "The same trials as adserp, but the whole page is shown with all its results and ads, and gaze and cursor "
            "count from the load to the first click."
        ),
        citation=_CITATION,
        licence="MIT",
        source=_SOURCE,
        answer_format="number",
        leaks=(
            "The cursor ends on the target: cursor dwell points to the click. Use it as a stand-in for gaze in "
            "training only, never as an input.",
            *_SHARED_LEAKS,
        ),
        deviations=(
            "The whole task is ours: the paper shows the viewport at the click and counts the last pause only.",
            "Nobody saw the page as one image; results further down were seen late or never.",
            *_SHARED_DEVIATIONS,
        ),
    ),
    layouts=LAYOUTS,
    detect=detect,
    read=partial(read, whole_page=True),
    write_sample=_write_sample,
    sample_notice=_NOTICE,
    sample_size=(480, 960),
    labels=_LABELS,
)
