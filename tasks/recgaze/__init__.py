"""RecGaze: choosing a film from a page of carousels (PROTOCOL section 2)."""

from functools import partial

from tasks.definition import LabelDrawing, TaskDefinition, TaskInfo
from tasks.recgaze.files import EVENTS
from tasks.recgaze.reader import read
from tasks.recgaze.render import draw_letters, letter_areas
from tasks.recgaze.sample import NOTICE, write_sample

_CITATION = """@inproceedings{deleonmartinez2025recgaze,
  author    = {de Leon-Martinez, Santiago and Kang, Jingwei and Moro, Robert and de Rijke, Maarten and
               Kveton, Branislav and Oosterhuis, Harrie and Bielikova, Maria},
  title     = {{RecGaze}: The First Eye Tracking and User Interaction Dataset for Carousel Interfaces},
  booktitle = {Proceedings of the 48th International ACM SIGIR Conference on Research and Development in
               Information Retrieval},
  pages     = {3702--3711},
  year      = {2025},
  doi       = {10.1145/3726302.3730301}
}"""
_LICENCE = (
    "restricted access: the terms of the data set's Zenodo record apply, and posters belong to their owners; "
    "prepared data must not be passed on without the authors' consent"
)
_SOURCE = (
    "summary_feedback.csv, item_features.csv, user_features.csv and click_feedback.csv of the RecGaze data set "
    "(description: https://github.com/santideleon/RecGaze_Dataset; files: Zenodo, access on request)"
)
_SCREEN = (
    "A user looked at a page of film carousels, five films of each visible at a time, and clicked one. A session "
    "holds the 15 films of the first three carousels at the click (swipes replayed), the user's favourite genres, "
    "dwell time of gaze and cursor per slot, and the clicked slot. Kept are free and semi-free browsing screens "
    "(TaskID 1 to 35) without a fixation below the third carousel whose last click is on a film. "
)
_LEAKS = (
    "Split loo: training sessions of other users show the screens of the test sessions.",
    "The film looked at longest is often the one clicked: gaze and cursor are targets, never inputs, and the oracles "
    "that use them are not ranked.",
)
_SHARED_DEVIATIONS = (
    "Where the swipes on record leave the clicked film out of sight, its carousel is shown on the clicked film's page "
    "and the session is flagged page-mismatch.",
    "Where no poster folder is given, posters are drawn from title, year and genre.",
    "Sessions whose user said afterwards that the selection was none or an accident (click_feedback.csv) are flagged "
    "accident; recgaze keeps them, as the paper does, and recgaze-visible drops them.",
    "A file whose durations cannot fit into the time that passed, or whose clock has lost its resolution, is refused.",
)


def _definition(name: str, title: str, dwell: str, ours: tuple[str, ...], *, visible: bool) -> TaskDefinition:
    """Return one of the two tasks: its name and title, what its dwell counts, and its own deviations."""
    return TaskDefinition(
        info=TaskInfo(
            name=name,
            version="1.0",
            title=title,
            description=_SCREEN + dwell,
            citation=_CITATION,
            licence=_LICENCE,
            source=_SOURCE,
            answer_format="letter",
            leaks=_LEAKS,
            deviations=_SHARED_DEVIATIONS + ours,
        ),
        layouts=("raw",),
        detect=lambda path: "raw" if (path / EVENTS).is_file() else None,
        read=partial(read, visible=visible),
        write_sample=write_sample,
        sample_notice=NOTICE,
        sample_size=(480, 288),
        labels=LabelDrawing(letter_areas, draw_letters),
    )


RECGAZE = _definition(
    "recgaze",
    "RecGaze: film choice on a carousel page",
    "Dwell counts fixations on films 1 to 5 of each carousel, as in the paper, also after a swipe has moved them "
    "out of sight.",
    (
        "The screen and the slots' texts are those of the click; after a swipe they are not the films 1 to 5 that "
        "dwell counts (sessions flagged swiped). recgaze-visible counts what the screen shows.",
    ),
    visible=False,
)

RECGAZE_VISIBLE = _definition(
    "recgaze-visible",
    "RecGaze: film choice on a carousel page, dwell on the visible films",
    "Dwell counts fixations on the films that are visible at the click, so that gaze, click and screen speak of the "
    "same 15 films; otherwise as recgaze.",
    (
        "The whole task is ours: dwell counts the films visible at the click instead of films 1 to 5; sessions of "
        "recgaze whose visible films got no dwell, and accidents, are dropped.",
    ),
    visible=True,
)
