"""From predictions under conditions to the rows of a stress test, each with a sentence that says how to read it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pandas as pd
import pyarrow as pa

from benchmark.metrics import get
from benchmark.metrics.families import apart_metrics, main_metrics
from benchmark.naming import LAYOUT, OWN, RELABEL, STEER, STEER_RANDOM, SWAP_USERS, TRUE_LABEL, WRONG_LABEL
from benchmark.output.units import p_text
from benchmark.parts import part_names
from benchmark.parts.answer import choice
from benchmark.parts.ragged import apart as differences
from benchmark.scores import predictions, scoring
from benchmark.stress import measures as m
from benchmark.stress.conditions import LABEL_LEAK
from benchmark.stress.measures import Estimate, estimate
from benchmark.stress.records import StressRow
from tasks.altered import Altered
from tasks.task import Task
from tasks.types import Session

FEW = 4
"""Metrics without a difference are counted instead of named where there are more."""
NOT_APPLICABLE = "not applicable"
_TOP = "Of sessions in which the slot looked at most was moved."

Labels = Callable[[int, str], tuple[Sequence[str], Sequence[str]]]
"""Given seed and session id, by what the simulator names each slot, before and after."""
Line = tuple[str, Estimate, str]
"""What a number is, the number, and how to read it."""


def not_applicable(test: str, simulator: str, why: str) -> StressRow:
    """Return the row that says why a test does not apply."""
    return StressRow(test, simulator, NOT_APPLICABLE, None, None, None, None, 0, why)


def scored(task: Task, split: str, frames: Mapping[str, pa.Table]) -> pd.DataFrame:
    """Return the metrics of predictions under several conditions, one row per condition, seed and session.

    Attention for an offered label counts as attention.
    """
    named = [predictions.renamed(found, simulator=name, target="none") for name, found in frames.items()]
    return scoring.score(task, split, predictions.joined(named))


def side_by_side(scores: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return one metric: columns user, session_id and one per condition, averaged over seeds."""
    keys = _keys(scores)
    if metric not in scores:
        nothing: pd.DataFrame = pd.DataFrame(columns=keys)
        return nothing
    wide = scores.pivot_table(index=keys, columns="simulator", values=metric, aggfunc="mean")
    table: pd.DataFrame = wide.reset_index()
    return table


def _keys(table: pd.DataFrame) -> list[str]:
    """Return the columns that say which session a row is of; older tables of boards do not know screens."""
    return [name for name in ("user", "session_id", "screen") if name in table]


def followed(
    own: pa.Table, other: pa.Table, altered: Mapping[str, Altered], sessions: Mapping[str, Session], labels: Labels
) -> pd.DataFrame:
    """Return what every prediction goes with, one row per seed and session; see ``measures.following``.

    ``own`` are the predictions on the unaltered stimuli, ``other`` those on the altered ones; ``altered`` and
    ``sessions`` go by session id.
    """
    before = predictions.by_session(own)
    found = []
    for (seed, session), row in predictions.by_session(other).items():
        values = m.following(before[seed, session], row, altered[session], labels(seed, session))
        found.append({**_about(seed, sessions[session]), **values})
    table: pd.DataFrame = pd.DataFrame(found)
    return table


def _about(seed: int, session: Session) -> dict[str, object]:
    return {"seed": seed, "session_id": session.session_id, "user": session.user, "screen": session.screen}


def relabel(name: str, following: pd.DataFrame, scores: pd.DataFrame, drawn: str) -> list[StressRow]:
    """Return the rows of ``relabel``, from what :func:`followed` and :func:`scored` return.

    ``drawn`` says what a label is, ``letter`` or ``number``.
    """
    item, label = (estimate(following, column, m.CHANCE) for column in (m.ITEM, m.LABEL))
    chance = estimate(following, m.CHANCE)
    apart = estimate(following, m.ITEM, m.LABEL, difference=True)
    shares = f"{_percent(item.value)} of the answers stay with the item, {_percent(label.value)} with the {drawn}"
    first = "the answer follows the item, or its place ('layout' tells these apart)"
    lines = [
        (f"answer: item minus {drawn}", apart, _decides(shares, apart, first, f"the answer follows the {drawn}")),
        ("answer stays with the item", item, _against_chance(item, chance)),
        (f"answer stays with the {drawn}", label, _against_chance(label, chance)),
        ("chance", chance, "What each of the two would be if answers were drawn evenly."),
    ]
    for metric in ("Accuracy", "KL"):
        lines += _before_and_after(RELABEL, scores, metric, f"the {drawn}s are dealt again")
    return _rows(RELABEL, name, lines) or [not_applicable(RELABEL, name, "It gives neither answers nor attention.")]


def _decides(shares: str, apart: Estimate, first: str, second: str) -> str:
    """Return which of two a difference of their shares speaks for."""
    if not apart.shown or not apart.value:
        return f"{shares}: which of the two decides is not shown ({p_text(apart.p)})."
    return f"{shares}: {first if apart.value > 0 else second} ({p_text(apart.p)})."


def _against_chance(found: Estimate, chance: Estimate) -> str:
    if not found.shown:
        return f"Not shown to differ from chance, {_percent(chance.value)}."
    more = (found.value or 0.0) > (chance.value or 0.0)
    return f"{'More' if more else 'Less'} often than chance, {_percent(chance.value)}."


def _before_and_after(test: str, scores: pd.DataFrame, metric: str, what: str) -> list[Line]:
    table = side_by_side(scores, metric)
    if OWN not in table or test not in table:
        return []
    after, before = (estimate(table, column, metric=metric) for column in (test, OWN))
    change = estimate(table, test, OWN, difference=True)
    arrow = get(metric).arrow
    return [
        (f"{metric}{arrow} before", before, "On the stimuli as they were seen."),
        (f"{metric}{arrow} after", after, f"After {what}."),
        (f"{metric}{arrow}: after minus before", change, _changed(change, metric)),
    ]


def _changed(change: Estimate, metric: str) -> str:
    if change.value == 0 and change.p in (None, 1.0):
        return "Nothing changes."
    way = _way(change, metric)
    if way == 0:
        return f"No change is shown ({p_text(change.p)})."
    return f"It gets {'better' if way > 0 else 'worse'} ({p_text(change.p)})."


def swap_users(
    name: str, scores: pd.DataFrame, references: Mapping[str, pd.DataFrame], *, unchanged: bool
) -> list[StressRow]:
    """Return the rows of ``swap-users``; ``unchanged``: not a single prediction changed.

    The whole gain is compared with ``references``: simulator -> its metrics on the same sessions, columns as of
    ``scores``.
    """
    test = SWAP_USERS
    if unchanged:
        return [not_applicable(test, name, "No prediction changes when the user does: it ignores who the user is.")]
    lines: list[Line] = []
    found: dict[str, Estimate] = {}
    for metric in (*main_metrics(), *apart_metrics()):
        table = side_by_side(scores, metric)
        if OWN not in table or test not in table:
            continue
        found[metric] = apart = estimate(table, OWN, test, difference=True)
        arrow = get(metric).arrow
        lines += [
            (f"{metric}{arrow}: own minus swapped", apart, _personal(apart, metric)),
            (f"{metric}{arrow} swapped", estimate(table, test, metric=metric), "As another user."),
        ]
        for reference, theirs in references.items():
            joined = table.merge(side_by_side(theirs, metric), on=_keys(table))
            if reference in joined:
                gain = estimate(joined, OWN, reference, difference=True)
                said = f"The gain over {reference}; compare the part that swapping takes away with it."
                lines.append((f"{metric}{arrow}: own minus {reference}", gain, said))
    return _rows(test, name, lines, _personal_on_all(found) if found else "")


def _personal(apart: Estimate, metric: str) -> str:
    way = _way(apart, metric)
    if way == 0:
        return f"That a user's own does better than another's on {metric} is not shown ({p_text(apart.p)})."
    if way > 0:
        return f"A user's own does better than another's on {metric} ({p_text(apart.p)})."
    return f"Another user's does better than the user's own on {metric} ({p_text(apart.p)})."


def _personal_on_all(found: Mapping[str, Estimate]) -> str:
    """Return what several metrics say together of swapping users; each is named."""
    better, worse, open_ = _by_way(found)
    if not better and not worse:
        return f"That a user's own does better than another's is shown on no metric: {_said(open_)}."
    parts = [f"a user's own does better than another's on {_said(better)}"] if better else []
    parts += [f"another user's does better than the user's own on {_said(worse)}"] if worse else []
    parts += [f"no difference is shown on {_said(open_)}"] if open_ else []
    verdict = "" if worse else ". The gain is personal" + (" there" if open_ else "")
    text = "; ".join(parts) + verdict
    return f"{text[0].upper()}{text[1:]}."


def _way(apart: Estimate, metric: str) -> int:
    """Return 1 for a difference that is shown and better, -1 for one that is worse, 0 for one that is not shown."""
    if not apart.value or not apart.shown:
        return 0
    return 1 if (apart.value > 0) == get(metric).higher_is_better else -1


_Named = list[tuple[str, "float | None"]]
"""Metrics and the p of each."""


def _by_way(found: Mapping[str, Estimate]) -> tuple[_Named, _Named, _Named]:
    """Return the metrics on which a difference is better, worse, and not shown."""
    ways: dict[int, _Named] = {1: [], -1: [], 0: []}
    for metric, apart in found.items():
        ways[_way(apart, metric)].append((metric, apart.p))
    return ways[1], ways[-1], ways[0]


def _said(named: _Named) -> str:
    """Return metrics with their p: ``KL (p <0.001) and AUC (p = 0.004)``."""
    each = [f"{metric} ({p_text(p)})" for metric, p in named]
    return " and ".join([", ".join(each[:-1]), each[-1]] if len(each) > 1 else each)


def on_offered(frames: Mapping[str, pa.Table], sessions: Sequence[Session], wrong: Mapping[str, int]) -> pd.DataFrame:
    """Return how often the largest attention is on the slot whose label was offered.

        Of ``frames``, condition -> predictions, those under ``true-label`` and ``wrong-label`` are used; ``wrong`` is
    session id -> the slot that is offered under ``wrong-label``. The columns are condition, seed, session_id, user,
    screen, ``top_offered`` and ``chance``.
    """
    about = {s.session_id: s for s in sessions}
    found = []
    for condition in (TRUE_LABEL, WRONG_LABEL):
        rows = predictions.by_session(frames[condition]) if condition in frames else {}
        for (seed, session_id), row in rows.items():
            session = about[session_id]
            slot = session.click if condition == TRUE_LABEL else wrong[session_id]
            values = {m.OFFERED: m.offered(row.attention, slot), m.CHANCE: 1.0 / len(session.slots)}
            found.append({"condition": condition, **_about(seed, session), **values})
    table: pd.DataFrame = pd.DataFrame(found)
    return table


def label_leak(name: str, scores: pd.DataFrame, there: pd.DataFrame) -> list[StressRow]:
    """Return the rows of ``label-leak``, from CSH@1 under three conditions and what :func:`on_offered` returns."""
    test = LABEL_LEAK
    table = side_by_side(scores, "CSH@1")
    if any(column not in table or table[column].isna().all() for column in (OWN, TRUE_LABEL, WRONG_LABEL)):
        return [not_applicable(test, name, "It gives no attention.")]
    lines: list[Line] = []
    for which, condition in (("true", TRUE_LABEL), ("wrong", WRONG_LABEL)):
        shift = estimate(table, condition, OWN, difference=True)
        lines.append((f"CSH@1↑: {which} label minus own answer", shift, _leaks(shift, which)))
    words = {OWN: "own answer", TRUE_LABEL: "true label", WRONG_LABEL: "wrong label"}
    for condition, word in words.items():
        said = f"The true click has the largest attention, computed for the {word}."
        lines.append((f"CSH@1↑, {word}", estimate(table, condition, metric="CSH@1"), said))
    for condition in (TRUE_LABEL, WRONG_LABEL):
        of_it = there[there["condition"] == condition]
        share, chance = estimate(of_it, m.OFFERED, m.CHANCE), estimate(of_it, m.CHANCE)
        measure = f"largest attention on the offered slot, {words[condition]}"
        lines.append((measure, share, _against_chance(share, chance)))
    return _rows(test, name, lines)


def _leaks(shift: Estimate, which: str) -> str:
    if shift.value == 0 and shift.p in (None, 1.0):
        return "Offering a label moves nothing."
    if not shift.shown or not shift.value:
        return f"That the {which} label moves attention on the click is not shown ({p_text(shift.p)})."
    if which == "true" and shift.value > 0:
        return f"The true label lifts the score by itself: label-conditioned attention leaks it ({p_text(shift.p)})."
    return f"The {which} label moves the score {'up' if shift.value > 0 else 'down'} ({p_text(shift.p)})."


def steer(name: str, frames: Mapping[str, pa.Table], pushed: Mapping[str, tuple[Session, int]]) -> list[StressRow]:
    """Return the rows of ``steer``: how often the answer is the slot that attention was pushed to.

    ``pushed`` is session id -> the session and the slot. Sessions whose answer was that slot before say nothing.
    """
    by_condition = {condition: predictions.by_session(frame) for condition, frame in frames.items()}
    found = []
    for (seed, session_id), before in by_condition[OWN].items():
        session, slot = pushed[session_id]
        rows = [before, *(by_condition[condition][seed, session_id] for condition in (STEER, STEER_RANDOM))]
        shares = [choice(row.answer, row.probabilities, len(session.slots)) for row in rows]
        there = [None if share is None else float(share[slot]) for share in shares]
        if there[0] == 0:
            found.append({**_about(seed, session), STEER: there[1], STEER_RANDOM: there[2]})
    if not found:
        return [not_applicable(STEER, name, "No answer could have moved.")]
    table = pd.DataFrame(found)
    own, other = estimate(table, STEER), estimate(table, STEER_RANDOM)
    apart = estimate(table, STEER, STEER_RANDOM, difference=True)
    shown = f"{_percent(own.value)} of the answers move to the slot, {_percent(other.value)} with random heads"
    said = _decides(shown, apart, "these heads steer the answer", "random heads steer it more")
    lines = [
        ("answer moves to the slot: own heads minus random heads", apart, said),
        ("answer moves to the slot, own heads", own, "Of sessions whose answer was another slot."),
        ("answer moves to the slot, random heads", other, "As many heads, drawn for each session."),
    ]
    return _rows(STEER, name, lines)


def layout(name: str, following: pd.DataFrame, scores: pd.DataFrame, sees_screen: bool) -> list[StressRow]:
    """Return the rows of ``layout``, from what :func:`followed` and :func:`scored` return.

    ``sees_screen``: the simulator is shown the screen or the places of the items.
    """
    test = LAYOUT
    item, place = estimate(following, m.ITEM, m.CHANCE), estimate(following, m.PLACE, m.CHANCE)
    chance, neither = estimate(following, m.CHANCE), estimate(following, m.NEITHER)
    apart = estimate(following, m.ITEM, m.PLACE, difference=True)
    stays, elsewhere = _against_chance(item, chance), "With neither content nor place."
    if place.value is None:
        stays = f"{_percent(item.value)} of the answers stay with the result that was moved across the screen. {stays}"
        elsewhere = "Nothing takes another one's place here; only the horizontal position has changed."
    where = "place" if sees_screen else "slot's number (it sees no places)"
    shares = f"{_percent(item.value)} of the answers move with the content, {_percent(place.value)} keep the {where}"
    paired = "Pearson's r of attention before and after over the slots that moved, paired by the same"
    lines = [
        ("answer: content minus place", apart, _decides(shares, apart, "content decides", "position decides")),
        ("answer stays with the content", item, stays),
        ("answer stays with the place", place, _against_chance(place, chance)),
        ("answer goes elsewhere", neither, elsewhere),
        ("chance", chance, "What each share would be if answers were drawn evenly."),
        ("largest attention stays with the content", estimate(following, m.TOP_ITEM), _TOP),
        ("largest attention stays with the place", estimate(following, m.TOP_PLACE), _TOP),
        ("correlation of attention by content", estimate(following, m.R_ITEM), f"{paired} item."),
        ("correlation of attention by place", estimate(following, m.R_PLACE), f"{paired} place."),
    ]
    for metric in apart_metrics():
        three = _before_and_after(test, scores, metric, "the items and the path over them are mirrored")
        lines += [*three[2:], *three[:2]]  # the change first: its reading is the one that is printed
    why = "It gives no answer and no attention that could have moved."
    return _rows(test, name, lines) or [not_applicable(test, name, why)]


def transfer(
    test: str, name: str, scores: pd.DataFrame, metrics: Sequence[str], references: Sequence[str], fitted_on: str
) -> list[StressRow]:
    """Return the rows of a transfer to another task, from the metrics there of a simulator and its references.

    ``test`` is ``transfer TASK``; a reference is, for example, the same backbone without a tuned prompt.
    """
    lines: list[Line] = []
    found: dict[str, dict[str, Estimate]] = {other: {} for other in references}
    for metric in metrics:
        table = side_by_side(scores, metric)
        if name not in table:
            continue
        arrow = get(metric).arrow
        there = f"{metric} there, as fitted on {fitted_on}."
        lines.append((f"{metric}{arrow}", estimate(table, name, metric=metric), there))
        for other in references:
            if other in table:
                found[other][metric] = apart = estimate(table, name, other, difference=True)
                lines.append((f"{metric}{arrow}: minus {other}", apart, _transfers(apart, metric, other)))
    together = " ".join(_transfers_on_all(apart, other) for other, apart in found.items() if apart)
    return _rows(test, name, lines, together)


def _transfers(apart: Estimate, metric: str, other: str) -> str:
    way = _way(apart, metric)
    if way == 0:
        return f"A difference to {other} on {metric} is not shown ({p_text(apart.p)})."
    return f"{'Better' if way > 0 else 'Worse'} than {other} on {metric} ({p_text(apart.p)})."


def _transfers_on_all(found: Mapping[str, Estimate], other: str) -> str:
    """Return what all metrics say together of a transfer compared with something else; each is named."""
    better, worse, open_ = _by_way(found)
    parts = [f"better on {_said(better)}"] if better else []
    parts += [f"worse on {_said(worse)}"] if worse else []
    if open_ and parts and len(open_) > FEW:
        parts.append(f"no difference is shown on the other {len(open_)} metrics")
    elif open_:
        named = ", ".join(metric for metric, _ in open_)
        parts.append(f"no difference is shown on {named}" if parts else f"no difference is shown on any of {named}")
    return f"Compared with {other}: {'; '.join(parts)}."


def same_predictions(own: pa.Table, other: pa.Table) -> bool:
    """Return whether two tables hold the same predictions, session by session, to the last digit."""
    a, b = (found.sort_by([("seed", "ascending"), ("session_id", "ascending")]) for found in (own, other))
    if not all(a[key].equals(b[key]) for key in ("seed", "session_id")):
        return False
    first, second = predictions.cells_of(a), predictions.cells_of(b)
    return all(not differences(first[name], second[name]).any() for name in part_names())


def _rows(test: str, name: str, lines: Sequence[Line], together: str = "") -> list[StressRow]:
    """Return a row per line that has a number; ``together`` takes the place of the first one's reading."""
    rows = [StressRow(test, name, what, e.value, e.low, e.high, e.p, e.n, said) for what, e, said in lines if e.n]
    return [replace(rows[0], reading=together), *rows[1:]] if rows and together else rows


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.0f} %"
