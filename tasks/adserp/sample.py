"""The simulated sample: a small folder in the ``replay`` layout with fictional pages and simulated people.

Every person has stable habits (how far down they read, how much they avoid ads, how long they look) and reads a
page from the top, scrolls, returns to the result they like best, looks around it and presses it. A confirmation dialog
opens at the top of the window, and the logged click dismisses it, as in the recordings (``tasks.adserp.dialogs``).
Nothing in it is recorded, and nothing of AdSERP is in it.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tasks.adserp.sample_pages import Item, Page, draw_page, make_page
from tasks.adserp.trial import SCREEN_WIDTH, SLOT_KINDS, VIEWPORT_HEIGHT
from tasks.definition import SIMULATED_MARK
from tasks.errors import InputError
from tasks.types import Box

USERS, TRIALS_PER_USER, PAGES = 24, 5, 40
WINDOW_WIDTH = 1422
_SCALE = SCREEN_WIDTH / WINDOW_WIDTH

README = """SIMULATED, NOT AdSERP

This folder was written by the program to try it out without the recorded data. The result pages, shops and
products are fictional and the people are simulated: no eye, mouse or click in it was recorded, and no result
obtained on it says anything about people. It has the layout `replay` of AdSERP: trials/*.json and png/*.jpg.
"""


@dataclass(frozen=True, slots=True)
class Person:
    """Stable habits.

    Attributes:
        top_bias: How fast the chance of reading falls with each result further down.
        ad_avoidance: Chance of passing over an ad unread; also lowers the liking for ads.
        thoroughness: Mean number of fixations on a result that is read.
        pace: Mean fixation duration, milliseconds.
        taste: Weight of relevance in the liking.
        follows: Chance that the cursor follows the reading.
    """

    top_bias: float
    ad_avoidance: float
    thoroughness: float
    pace: float
    taste: float
    follows: float


def make_person(rng: np.random.Generator) -> Person:
    """Draw a person's habits."""
    return Person(
        top_bias=float(rng.uniform(0.03, 0.3)),
        ad_avoidance=float(rng.beta(1.0, 1.6)),
        thoroughness=float(rng.uniform(1.5, 5.0)),
        pace=float(rng.uniform(180, 280)),
        taste=float(rng.uniform(2.0, 6.0)),
        follows=float(rng.uniform(0.2, 0.8)),
    )


@dataclass(slots=True)
class _Recorder:
    """Writes down what one person does on one page; screenshot pixels, milliseconds since the load."""

    rng: np.random.Generator
    page: Page
    t: float = 400.0
    top: float = 0.0
    at: tuple[float, float] = (640.0, 300.0)
    fixations: list[dict[str, int]] = field(default_factory=list)
    cursor: list[dict[str, Any]] = field(default_factory=list)

    def fixate(self, x: float, y: float, mean_ms: float) -> None:
        duration = max(60, int(self.rng.gamma(4.0, mean_ms / 4.0)))
        self.t += 30 + duration
        x, y = float(np.clip(x, 0, SCREEN_WIDTH - 1)), float(np.clip(y, 0, self.page.height - 1))
        self.fixations.append({"t": int(self.t), "x": round(x), "y": round(y), "duration": duration})

    def read(self, box: Box, count: int, mean_ms: float) -> None:
        """Fixate points in a box, more often in its left part and towards its title."""
        x0, y0, x1, y1 = box
        for _ in range(count):
            across, down = self.rng.beta(1.3, 2.0), self.rng.beta(1.5, 1.8)
            self.fixate(x0 + across * (x1 - x0), y0 + down * (min(y1, y0 + 300) - y0), mean_ms)
            if self.rng.random() < 0.08:
                self.fixate(self.rng.uniform(0, 1200), self.top + self.rng.uniform(20, 1000), mean_ms)

    def confirm(self) -> None:
        """Look at the dialog that a press has just opened, and log the click that dismisses it."""
        end = self.t + float(self.rng.uniform(900, 3000))
        self.t += 250
        while self.t < end:
            self.fixate(self.rng.uniform(560, 860), self.top + self.rng.uniform(80, 260), 200.0)
        self.event("click", *self.at)

    def event(self, kind: str, x: float, y: float) -> None:
        css_y = int(y / _SCALE) if kind == "scroll" else round(y / _SCALE)
        self.cursor.append({"t": int(self.t), "x": round(x), "y": css_y, "event": kind})

    def move(self, x: float, y: float) -> None:
        steps = int(self.rng.integers(4, 9))
        for step in range(1, steps + 1):
            self.t += float(self.rng.integers(16, 60))
            share = step / steps
            self.event("mousemove", self.at[0] + share * (x - self.at[0]), self.at[1] + share * (y - self.at[1]))
        self.at = (x, y)

    def scroll_into_view(self, box: Box) -> None:
        """Scroll in wheel steps until the box is well within the viewport, if it is not."""
        if self.top <= box[1] and min(box[3], box[1] + 500) <= self.top + VIEWPORT_HEIGHT:
            return
        goal = float(np.clip(box[1] - 250, 0, max(0, self.page.height - VIEWPORT_HEIGHT)))
        while abs(goal - self.top) > 1:
            self.top += float(np.clip(goal - self.top, -60, 60))
            self.t += float(self.rng.integers(14, 40))
            self.event("scroll", 0, self.top)
        self.at = (self.at[0], float(np.clip(self.at[1], self.top + 5, self.top + VIEWPORT_HEIGHT - 5)))
        self.t += 450


def simulate_trial(person: Person, page: Page, rng: np.random.Generator, oddity: str = "") -> dict[str, Any]:
    """Return one trial as the replay layout writes it.

    ``oddity`` is ``no-click``, ``two-clicks``, ``click-outside``, or nothing.
    """
    record = _Recorder(rng, page)
    liked: list[tuple[float, Item]] = []
    for place, item in enumerate(page.items):
        ad = item.kind != "organic_result"
        chance = np.exp(-person.top_bias * place) * (1.0 - 0.95 * person.ad_avoidance * ad)
        if (liked or ad) and rng.random() > max(chance, 0.02):
            continue
        record.scroll_into_view(item.box)
        if rng.random() < person.follows:
            record.move(item.box[0] + rng.uniform(20, 350), min(item.box[1] + 40, item.box[3]))
        record.read(item.box, 1 + int(rng.poisson(person.thoroughness * (0.4 + item.relevance))), person.pace)
        liking = person.taste * item.relevance - 2.0 * person.ad_avoidance * ad + rng.gumbel(0.0, 0.7)
        liked.append((float(liking), item))
        if liking > person.taste + 0.6:
            break
    target = max(liked, key=lambda pair: pair[0])[1]
    record.scroll_into_view(target.box)
    near = [item for item in page.items if abs(item.box[1] - target.box[1]) < 320 and item is not target]
    for item in near:
        if record.top <= item.box[1] < record.top + 950 and rng.random() < 0.55 * (
            1.0 - person.ad_avoidance * (item.kind != "organic_result")
        ):
            record.read(item.box, 1 + int(rng.poisson(1.0)), person.pace)
    record.read(target.box, 1 + int(rng.poisson(1.2)), person.pace)
    record.move(target.box[0] + rng.uniform(15, 200), min(target.box[1] + rng.uniform(26, 44), target.box[3] - 4))
    record.t += 250
    if oddity == "click-outside":
        record.move(1180, record.top + 700)
    if oddity == "two-clicks":
        record.confirm()
        record.read(target.box, 2, person.pace)
    if oddity != "no-click":
        record.confirm()
    return _document(page, record)


def _document(page: Page, record: _Recorder) -> dict[str, Any]:
    bboxes: dict[str, list[dict[str, Any]]] = {kind: [] for kind in SLOT_KINDS}
    for item in page.items:
        entry: dict[str, Any] = {**_located(item.box), "title": item.title}
        if item.kind == "organic_result":
            entry = {"position": len(bboxes["organic_result"]) + 1, **entry}
        bboxes[item.kind].append(entry)
    bboxes["widget"] = [{**_located(box), "type": "unknown_widget"} for box in page.widgets]
    slug = page.query.replace(" ", "-")
    return {
        "screenshot": f"png/{page.name}.jpg",
        "screenshot_width": SCREEN_WIDTH,
        "doc_height": round(page.height / _SCALE),
        "win_width": WINDOW_WIDTH,
        "ratio_x": round(_SCALE, 4),
        "duration_ms": int(record.t),
        "task": f"batch_0_trial_0 | {slug}",
        "url": f"http://localhost/page.php?q={slug}",
        "bboxes": bboxes,
        "cursor": record.cursor,
        "fixations": record.fixations,
        "_meta": {"source": "simulated, not AdSERP", "t0_unix_ms": 0},
    }


def _located(box: Box) -> dict[str, Any]:
    x0, y0, x1, y1 = (round(value) for value in box)
    return {"location": {"x": x0, "y": y0}, "size": {"width": x1 - x0, "height": y1 - y0}}


def _oddity(number: int) -> str:
    """Spread the oddities of the real recordings over the trials: each as rare as its divisor says."""
    rare = {29: "no-click", 19: "two-clicks", 41: "click-outside"}
    return next((oddity for every, oddity in rare.items() if number % every == 11), "")


def write_sample(out: Path, seed: int = 2025) -> None:
    """Write the simulated folder: 24 people, five trials each, on 40 pages, so that each page is seen by three.

    InputError if the folder cannot be written.
    """
    page_rng, person_rng, *trial_rngs = np.random.default_rng(seed).spawn(2 + USERS * TRIALS_PER_USER)
    pages = [make_page(f"page-{number + 1:02d}", number, page_rng) for number in range(PAGES)]
    people = [make_person(person_rng) for _ in range(USERS)]
    try:
        for folder in ("trials", "png"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        (out / SIMULATED_MARK).write_text("simulated, not AdSERP\n", encoding="utf-8")
        (out / "README.txt").write_text(README, encoding="utf-8")
        for page in pages:
            draw_page(page).save(out / "png" / f"{page.name}.jpg", format="JPEG", quality=90)
        for number, rng in enumerate(trial_rngs):
            user, trial = divmod(number, TRIALS_PER_USER)
            trial_id = f"p{user + 1:03d}-b1-t{trial + 1}"
            document = simulate_trial(people[user], pages[number % PAGES], rng, _oddity(number))
            text = json.dumps({"trial_id": trial_id, **document}, separators=(",", ":"))
            (out / "trials" / f"{trial_id}.json").write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: the sample cannot be written ({error.strerror}).") from error
