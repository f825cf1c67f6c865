"""AdSERP: gaze, cursor and clicks on commercial search result pages (PROTOCOL section 3)."""

from collections.abc import Callable, Sequence
from functools import partial

from PIL.Image import Image

from tasks.adserp.reader import LAYOUTS, detect, read
from tasks.adserp.sample import write_sample
from tasks.adserp.screen import draw_numbers, number_areas
from tasks.adserp.sessions import TRUTH
from tasks.adserp.trial import SCREEN_WIDTH
from tasks.definition import LabelDrawing, PublicSource, TaskDefinition, TaskInfo
from tasks.types import Slot

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

_DIALOG = (
    "Every AdSERP number measured with version 1 of the ground truth, and with the published code, depends on 1 to 3 s "
    "of looking at a dialog. Every press on a result opened one at the top centre of the window, and the logged click "
    "is its dismissal, 0.9 to 2.9 s after the press in seven raw trials. In 94 replay trials 87 % of the fixation time "
    "in the last 300 ms before the last click is where it was, 5 % of that 2.5 to 4 s before. 16 of these trials have "
    "several clicks: all but the last are dismissed dialogs, and 9 of the 16 end on another slot than the first click "
    "names. On adserp the slot looked at last is the clicked one in 42 % of sessions with version 1, in 73 % with "
    "version 2; on adserp-page in 35 % and 72 %. docs/ground_truth.py measures it.",
    "The dialog is inferred: no document of the data set names it.",
    "Version 2: the last click is the choice (several clicks: flag reconsidered). Gaze and cursor end at its press; "
    "time between any press and its click counts for nothing; fixations and pointer positions count for the part that "
    "lies inside the window. The screen is that of the press.",
    "The raw layout holds the press (mouseup). In the replay layout it is estimated from the fixations on the dialog's "
    "place before the click and from the last movement of mouse and page (flag press-estimated); on seven raw "
    "trials that misplaces 120 ms of fixation time on average (median 113), the logged click 1146 ms (median 1095). "
    "tests/performance/press_estimate.py measures it.",
    "The simulated sample simulates the dialog too, in the replay layout: its presses are estimated.",
    "Version 1 (--truth 1; first click, whole fixations up to the logged click) is kept for comparison with published "
    "numbers, under its own version and digests.",
)
"""The finding and the rule, for the card."""

_RULE = {
    1: (
        "Version 1: the first click is the choice (several clicks: flag several-clicks); fixations count whole if they "
        "ended by the logged click. It is kept for comparison with published numbers: the click is the dismissal of a "
        "dialog that people looked at for 1 to 3 s, and version 2 takes that out.",
    ),
    2: _DIALOG,
}

_SHARED_DEVIATIONS = (
    "Mouse positions are page-space CSS pixels times 1280 / window width on both axes; scroll is never added, unlike "
    "published code. A fixation's timestamp is taken as its END.",
    "The slot numbers are drawn next to the boxes, so that an answer can name them.",
    "Clicks within 10 px of a slot's edge count for it and are flagged click-beside-slot.",
    "Cursor positions are those of mousemove and click events, in both layouts.",
    "Widgets (related questions, image packs, pagination) are not slots, and gaze on them counts nowhere.",
    "Organic results of the raw layout are found in the screenshot: their boxes are not published. In the replay "
    "layout they are the upstream extraction, slightly tight.",
    "Equal boxes of one kind are one slot, and a box without area on the page is none; both are noted.",
    "Texts of results are not published: prepare --texts reads them from the screenshots (Tesseract), the line of the "
    "largest letters first. Without it slots have no texts.",
    "Sessions are ordered by trial id compared as text.",
)


def _draw_labels(image: Image, slots: Sequence[Slot]) -> None:
    """Draw the slots' numbers next to their boxes."""
    boxes, labels = [slot.box for slot in slots], [slot.label for slot in slots]
    image.paste(draw_numbers(image, boxes, labels, image.width / SCREEN_WIDTH))


def _info(
    truth: int, name: str, title: str, description: str, leaks: tuple[str, ...], deviations: tuple[str, ...]
) -> TaskInfo:
    """Return the metadata of a task from what is its own."""
    return TaskInfo(
        name=name,
        version=str(truth),
        title=title,
        description=description,
        citation=_CITATION,
        licence="MIT",
        source=_SOURCE,
        answer_format="number",
        leaks=(*leaks, *_SHARED_LEAKS),
        deviations=(*deviations, *_SHARED_DEVIATIONS),
        truth=_RULE[truth],
    )


def _view(truth: int) -> TaskInfo:
    end = {1: "click", 2: "press"}[truth]
    before_pause = {
        1: "A pointer position reported before the last pause counts for nothing in it, because the page has moved "
        "under the pointer since.",
        2: "A pointer position lasts until the next mouse event; the part that lies in the last pause counts.",
    }
    return _info(
        truth,
        name="adserp",
        title="AdSERP: result pages, the viewport at the click",
        description=(
            "People searched for a product to buy on a result page with organic results and advertisements and "
            f"clicked one. Shown is the part of the page that was visible at the {end}, with a number next to each "
            "result; to be predicted are the number that was clicked and the share of the gaze that each result "
            f"received in the last pause of scrolling before the {end} (400 ms or more). Slots are the results and "
            "ads with at least half their height in view, and the clicked one."
        ),
        leaks=(
            "In the last pause the cursor ends on the target: cursor dwell all but gives the click away. Use it as a "
            "stand-in for gaze in training only, never as an input.",
            f"The viewport is the one at the {end}, so the clicked result is always in view; a result that is kept "
            "although most of it is hidden is flagged clicked-slot-mostly-hidden and is the clicked one.",
        ),
        deviations=(before_pause[truth],),
    )


def _page(truth: int) -> TaskInfo:
    return _info(
        truth,
        name="adserp-page",
        title="AdSERP: the full result page (ours)",
        description=(
            "The same trials as adserp, but the whole page is shown with all its results and ads, and gaze and cursor "
            f"count from the load to the {({1: 'first click', 2: 'press of the last click'})[truth]}."
        ),
        leaks=(
            "The cursor ends on the target: cursor dwell points to the click. Use it as a stand-in for gaze in "
            "training only, never as an input.",
        ),
        deviations=(
            "The whole task is ours: the paper shows the viewport at the click and counts the last pause only.",
            "Nobody saw the page as one image; results further down were seen late or never.",
        ),
    )


def _definition(info: Callable[[int], TaskInfo], whole_page: bool, size: tuple[int, int]) -> TaskDefinition:
    truths = {truth: info(truth) for truth in _RULE}
    return TaskDefinition(
        info=truths[TRUTH],
        layouts=LAYOUTS,
        detect=detect,
        read=partial(read, whole_page=whole_page),
        write_sample=write_sample,
        sample_notice=_NOTICE,
        sample_size=size,
        labels=LabelDrawing(number_areas, _draw_labels),
        truths=truths,
        public=PublicSource(
            "https://github.com/andyed/approach-retreat", "site/replay/data", "4b1a010c", "102 MB of 192 MB, MIT"
        ),
    )


ADSERP = _definition(_view, whole_page=False, size=(640, 512))
ADSERP_PAGE = _definition(_page, whole_page=True, size=(480, 960))
