"""When a result was pressed: the confirmation dialog that a trial's clicks ended (PROTOCOL section 3, version 2).

Every press on a result opened a dialog at the top centre of the window. The logged ``click`` is its dismissal, 1 to 4 s
after the press; in between people looked at the dialog. No document names the dialog: it is inferred from the
button events of the raw layout and from where people looked.
"""

import numpy as np
from numpy.typing import NDArray

from tasks.adserp.trial import SCREEN_WIDTH, Fixations, Points, Trial
from tasks.types import Box, Floats, Session

ZONE = (520.0, 900.0, -80.0, 300.0)
"""x from and to, y from and to, in window coordinates (screenshot pixels), edges excluded: where the dialog is."""
LONGEST_MS = 3500.0
REACTION_MS = 300.0
USUAL_MS = 1500.0


def presses(trial: Trial) -> tuple[Floats, bool]:
    """Return when each click's result was pressed, and whether a press is an estimate; there is at least one click.

    Presses are in milliseconds since the load, shape of ``trial.clicks.t``, each at most its click; they are estimated
    if a button event was missing, as always in the replay layout.
    """
    found, estimated = [], False
    before = -np.inf
    for click in trial.clicks.t.tolist():
        if trial.buttons is None:
            found.append(estimate(trial.fixations, trial.cursor, trial.scrolls, click, before))
            estimated = True
        else:
            downs, ups = (t[(t > before) & (t <= click)] for t in trial.buttons)
            last = ups if len(ups) else downs
            found.append(float(last.max()) if len(last) else click)
            estimated |= not len(ups)
        before = click
    return np.array(found), estimated


def estimate(fixations: Fixations, cursor: Points, scrolls: Points, click: float, before: float = -np.inf) -> float:
    """Estimate when the press that ended in a click was, from the eyes and the last movement of the hand.

    The dialog opened at the first fixation on its zone from which on at least half of the fixation time is there; the
    press was ``REACTION_MS`` before. Without such a fixation it was ``USUAL_MS`` before the click. It was not before
    the last mouse or scroll event before the click, nor before the click before it. Milliseconds since the load.
    """
    start = fixations.end - fixations.duration
    rows = np.flatnonzero((fixations.end <= click) & (start >= click - LONGEST_MS) & (start >= before))
    rows = rows[np.argsort(start[rows], kind="stable")]
    hit = on_dialog(fixations, scrolls)[rows]
    time = fixations.duration[rows]
    in_zone, in_all = (np.cumsum(ms[::-1])[::-1] for ms in (time * hit, time))
    opens = np.flatnonzero(hit & (2 * in_zone >= in_all))
    press = float(start[rows[opens[0]]]) - REACTION_MS if opens.size else click - USUAL_MS
    hand = np.concatenate((cursor.t, scrolls.t))
    return float(max(press, before, hand[hand < click].max(initial=-np.inf)))


def place_of_dialog(task: str, session: Session) -> tuple[str, Box] | None:
    """Return a name for the dialog's place and its box in pixels of a session's image.

    None for tasks whose image is not the window: on ``adserp-page`` the place depends on how far the page was scrolled,
    which a prepared session does not say.
    """
    if task != "adserp" or session.image is None:
        return None
    x0, x1, _, y1 = (pixels * session.image.open().width / SCREEN_WIDTH for pixels in ZONE)
    return "confirmation dialog (inferred)", (x0, 0.0, x1, y1)


def on_dialog(fixations: Fixations, scrolls: Points) -> NDArray[np.bool_]:
    """Return which fixations are where the dialog would be, given the scroll position at their end."""
    y = window_y(fixations, scrolls)
    x0, x1, y0, y1 = ZONE
    inside: NDArray[np.bool_] = (x0 < fixations.x) & (fixations.x < x1) & (y0 < y) & (y < y1)
    return inside


def window_y(fixations: Fixations, scrolls: Points) -> Floats:
    """Return y of fixations in window coordinates: page coordinates less the scroll position at their end."""
    tops = np.append(0.0, scrolls.y)
    found: Floats = fixations.y - tops[np.searchsorted(scrolls.t, fixations.end, side="right")]
    return found
