"""The card of a stand-in: what it is, what it saw, what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from baselines.backbones.checkpoint import describe
from baselines.backbones.loading import load_backbone
from baselines.pocket_training.evaluation import PER_SCREEN, SCREENS, HeldOut, OnTask, Reading, held_out, on_task
from baselines.pocket_training.population import TEST_FILMS, TRAIN_FILMS
from baselines.pocket_training.sequences import OPERATOR, Sequences
from baselines.pocket_training.steering import SHIFT, Steered, steer
from baselines.pocket_training.training import RECORD
from tasks.decoding import read_json
from tasks.errors import InputError

_CLASSES = {
    "pocket-qwen3vl": ("Qwen3VLForConditionalGeneration", "Qwen3-VL"),
    "pocket-internvl": ("InternVLForConditionalGeneration", "InternVL with the text model Qwen3"),
}


def table(found: Measured, plain: Measured | None = None) -> str:
    """Return what was measured as a Markdown table, the plain variant in a second column if it is given."""
    both = [found] if plain is None else [found, plain]
    rows: list[list[str]] = [["measured", "stand-in", "plain variant"][: 1 + len(both)]]

    def add(what: str, values: list[str]) -> None:
        rows.append([what, *values])

    add("genre read from image tokens", [f"{one.reading.genre:.1%}" for one in both])
    add("letter read from image tokens", [f"{one.reading.letter:.1%}" for one in both])
    held = [one.held_out for one in both]
    add(f"held-out sample, n = {held[0].sessions}: accuracy (chance 0.067)", [f"{h.accuracy:.3f}" for h in held])
    add("... of the population's expected clicks", [f"{h.best_accuracy:.3f}" for h in held])
    add("... LogLoss (uniform 2.708)", [f"{h.logloss:.3f}" for h in held])
    add("... of the population's expected clicks", [f"{h.best_logloss:.3f}" for h in held])
    add("... probability of the 15 letters in the vocabulary", [f"{h.letters:.4f}" for h in held])
    add(f"... KL of gaze from relevance, {OPERATOR}", [f"{h.kl:.3f}" for h in held])
    add("... of gaze from the mean gaze per slot", [f"{h.prior_kl:.3f}" for h in held])
    for task in found.tasks:
        on = [one.tasks[task] for one in both]
        add(
            f"sample {task}, n = {on[0].sessions}: accuracy (chance {on[0].chance:.3f})",
            [f"{t.accuracy:.3f}" for t in on],
        )
        add(f"... LogLoss (uniform {on[0].uniform:.3f})", [f"{t.logloss:.3f}" for t in on])
        add(f"... KL, {OPERATOR} (uniform {on[0].uniform_kl:.3f})", [_divergence(t) for t in on])
    for name in found.steering:
        add(f"steering, {name}: KL / LogLoss / accuracy", [_steered(one.steering[name]) for one in both])
    lines = [" | ".join(row) for row in rows]
    lines.insert(1, " | ".join(["---"] + ["---:"] * len(both)))
    return "\n".join(f"| {line} |" for line in lines)


def write_card(folder: Path, found: Measured, plain: Measured | None = None, repeated: str = "") -> None:
    """Write the folder's README.md; arguments as in ``card``."""
    (folder / "README.md").write_text(card(found, plain, repeated), encoding="utf-8")


def card(found: Measured, plain: Measured | None = None, repeated: str = "") -> str:
    """Return the card's text, with what was measured, also of the plain variant, and how a second run compares."""
    record = found.record
    name, schedule = record["name"], record["schedule"]
    architecture, family = _CLASSES[name]
    option = " --plain" if record["plain"] else ""
    folders = "FOLDER" if plain is None else "FOLDER --plain PLAIN_FOLDER"
    return f"""---
library_name: transformers
pipeline_tag: image-text-to-text
license: mit
tags: [pocket-stand-in, simulated]
---

# {name}: a pocket stand-in, not {family}

A model of the class `{architecture}` with {found.parameters:,} parameters
({found.weight_bytes / 1e6:.2f} MB in bfloat16), trained from nothing on simulated screens. It is a stand-in that
lets the benchmark run end to end on a laptop. It shares code paths with {family}, not weights, knowledge
or ability: nothing measured with it says anything about that model, or about people.

## What it saw

- Screens of 480 x 288 pixels, drawn by this project's renderer: three carousels of five invented films with drawn
  posters. Film seed {TRAIN_FILMS} (held out: {TEST_FILMS}; the sample tasks use 3).
- Profile texts `Top_genre: X, Preferred_genres: Y, Z` before the image; a question of three words; one letter as
  answer. In one step of ten of stage 2 it was asked for a number instead, with a made-up search query and clicks that
  depend on place alone. It never saw a result page: on AdSERP it works mechanically and is not meant to be good.
- Simulated users of a population of their own. Score per slot = place + taste + noise (SD 0.5). Place falls by row and
  column with mean slopes 0.55 and 0.35 and personal deviations (slopes SD 0.45 and 0.25, single rows 0.6, single
  columns 0.3). Taste is 2.2 for the top genre and 0.9 for other preferred ones, times exp(N(0, 0.35)). Gaze is
  softmax(1.4 score). The click is on the most looked at slot in 75 %, on the second in 19 %, else in proportion to
  gaze. The sample task's users differ: a flatter place effect (0.68 from best to worst slot), tastes beyond the
  profile, second genres, fixations that are counted, clicks that depend on liking.

## How it was trained

1. Captions, {schedule["captions"]} steps: every image token says genre and letter of its slot. Then image embeddings
   are brought to the scale of word embeddings; from here on the vision tower is frozen.
2. Answers, {schedule["answers"]} steps: expected click chances of users with the given profile. In the first half
   every image token also says whether its film is of the top genre, a preferred one, or neither.
3. Personas, {schedule["personas"]} steps: in two thirds of the loss, 16 tokens that describe a person's habits take
   the place of a soft prompt (before everything, or between image and question); the target is that person's clicks.
   This makes the model steerable by soft prompts, by design.

{_SHAPED.format(weight=schedule["attention"], operator=record["shaped"]) if schedule["attention"] else _PLAIN}

`python -m baselines.pocket_training train --name {name}{option} --seed {record["seed"]} --threads {record["threads"]}`
took {record["processor_seconds"] / 60:.1f} minutes of processor time ({record["seconds"] / 60:.1f} on the clock, with
other work running) with torch {record["torch"]} and transformers {record["transformers"]}.
{repeated}

## What was measured

`python -m baselines.pocket_training evaluate {folders}`; all users and screens are simulated.

{table(found, plain)}

The held-out sample is {SCREENS} new screens with {PER_SCREEN} new users each, of the training population. The sample
tasks are other populations, taken with all their sessions and without any tuning: compare those scores with the uniform
ones in brackets, which they need not beat. Steering: 60 users with 8 training
and 4 test sessions each, of a population shifted by {SHIFT[0]:+g} in row slope and {SHIFT[1]:+g} in column slope;
prompts of 16 tokens, 8 bases, 8 epochs, attention by {OPERATOR}. With 240 test sessions, differences
in accuracy below about 0.06 are noise.
"""


_SHAPED = """**Attention was shaped.** Stage 3 also minimises KL(expected gaze || relevance of the slots), weight
{weight:g}. The relevance is that of the operator {operator}, for the model's own answer in every second step and for a
letter drawn from the expected clicks in the others. So what the operator reads is drawn to where simulated users look;
attention that agrees with gaze is not a discovery of this model. Other operators were not shaped. The plain variant
leaves this out."""
_PLAIN = "Attention was not shaped: this is the plain variant."


def _divergence(found: OnTask) -> str:
    return f"{found.kl:.3f}" + (f" ({found.missing} missing)" if found.missing else "")


def _steered(found: Steered) -> str:
    return f"{found.kl:.3f} / {found.logloss:.3f} / {found.accuracy:.3f}"


TASKS = ("recgaze", "adserp")


@dataclass(frozen=True, slots=True)
class Measured:
    """A stand-in's facts: its ``training.RECORD``, size, and scores; ``steering`` is empty if it was left out."""

    record: dict[str, Any]
    parameters: int
    weight_bytes: int
    held_out: HeldOut
    reading: Reading
    steering: dict[str, Steered]
    tasks: dict[str, OnTask]


def measure(folder: Path, *, steering: bool = True) -> Measured:
    """Measure the stand-in in ``folder``.

    Raises:
        InputError: The folder is not that of a stand-in.
    """
    import tasks

    record = _record(folder)
    vlm = load_backbone(folder, device="cpu", dtype="float32", features=None)
    known = describe(folder)
    # The samples first: Sequences replaces the patch embedding by an equal, faster one.
    on_tasks = {name: on_task(vlm, tasks.load(name, data="sample")) for name in TASKS}
    sequences = Sequences(vlm)
    scores, words = held_out(sequences)
    return Measured(
        record=record,
        parameters=known.parameters,
        weight_bytes=(folder / "model.safetensors").stat().st_size,
        held_out=scores,
        reading=words,
        steering=steer(sequences) if steering else {},
        tasks=on_tasks,
    )


def repetition(folder: Path, again: Path) -> str:
    """Say in one sentence how a second training run with the same seed, in the folder ``again``, compares.

    Raises:
        InputError: A folder is not that of a stand-in, or seeds, schedules or shapes differ.
    """
    first, second = _record(folder), _record(again)
    for key in ("name", "seed", "plain", "schedule", "shape"):
        if first[key] != second[key]:
            raise InputError(f"{again} does not repeat {folder}: its {key} is {second[key]}, not {first[key]}.")
    how = f"A second run with the same seed (torch threads: {second['threads']}, in the first {first['threads']})"
    if (folder / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes():
        return f"{how} gave the same weights, bit by bit."
    pair = []
    for one in (folder, again):
        scores, words = held_out(Sequences(load_backbone(one, device="cpu", dtype="float32", features=None)))
        pair.append((scores.accuracy, scores.logloss, scores.kl, words.genre))
    accuracy, logloss, kl, genre = (abs(a - b) for a, b in zip(*pair, strict=True))
    return (
        f"{how} gave other weights; on the held-out sample its scores differ by {accuracy:.3f} in accuracy, "
        f"{logloss:.3f} in LogLoss, {kl:.3f} in KL and {genre:.2%} in genres read."
    )


def _record(folder: Path) -> dict[str, Any]:
    """Return what the making of a pocket stand-in wrote down."""
    return read_json(dict[str, Any], folder / RECORD, "give the folder of a pocket stand-in")
