"""Does classical saliency say where people look on a result page? Spectral residual and centre-surround contrast.

python tests/performance/saliency_of_slots.py --data FOLDER --split kfold

Both maps are computed on the shrunken grey screen and summed over each slot. The mean over the pixels of a slot is what
the picture adds to its area; it is compared with the gaze per pixel, and multiplied with priors.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy import ndimage, stats

sys.path.insert(0, str(Path(__file__).parents[2]))

import tasks  # noqa: E402
from baselines import registry  # noqa: E402
from benchmark.metrics import evaluate_sessions  # noqa: E402
from tasks.definition import quiet  # noqa: E402
from tests.performance.printing import script  # noqa: E402

WIDTH = 128
"""Pixels of the map's width; the spectral residual looks at coarse structure, 64 to 128 pixels wide."""


def spectral_residual(grey: np.ndarray) -> np.ndarray:
    """Hou and Zhang 2007: what the logarithm of the amplitude spectrum has over its local mean, back in space."""
    spectrum = np.fft.fft2(grey)
    amplitude = np.log(np.abs(spectrum) + 1e-9)
    residual = amplitude - ndimage.uniform_filter(amplitude, 3, mode="wrap")
    back = np.abs(np.fft.ifft2(np.exp(residual + 1j * np.angle(spectrum)))) ** 2
    return ndimage.gaussian_filter(back, WIDTH / 32)


def centre_surround(grey: np.ndarray) -> np.ndarray:
    """The intensity channel of Itti, Koch and Niebur 1998: differences of Gaussians over a few pairs of scales."""
    pairs = ((1, 4), (1, 8), (2, 8), (2, 16))
    return sum(np.abs(ndimage.gaussian_filter(grey, c) - ndimage.gaussian_filter(grey, s)) for c, s in pairs)


MAPS = {"spectral residual": spectral_residual, "centre-surround contrast": centre_surround}


def of_slots(session, make) -> np.ndarray:
    """Return the mean of a map over each slot's pixels, shape (K,)."""
    picture = session.image.open().convert("L")
    by = WIDTH / picture.width
    found = make(np.asarray(picture.resize((WIDTH, max(1, round(picture.height * by)))), dtype=float) / 255)
    means = []
    for slot in session.slots:
        x0, y0, x1, y1 = (int(edge * by) for edge in slot.box)
        means.append(found[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)].mean())
    return np.maximum(means, 1e-12)


def by_user(sessions, values) -> np.ndarray:
    """Return the mean per user of a value per session."""
    found = defaultdict(list)
    for session, value in zip(sessions, values, strict=True):
        found[session.user].append(value)
    return np.array([np.mean(found[user]) for user in sorted(found)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="adserp")
    parser.add_argument("--data", type=Path, required=True, help="raw or prepared folder")
    parser.add_argument("--split", default="kfold")
    chosen = parser.parse_args()
    task = tasks.load(chosen.task, chosen.data, progress=quiet)
    sessions, priors = [], defaultdict(list)
    for train, test in task.split(chosen.split).folds:
        sessions += task.sessions_at(test)
        for name in ("kind-position-prior", "geometry"):
            prior = registry.build(name, {})
            prior.fit(task.sessions_at(train), 0)
            priors[name] += [said.attention for said in prior.simulate([s.stimulus() for s in task.sessions_at(test)])]
    area = [
        np.array([max((b[2] - b[0]) * (b[3] - b[1]), 1.0) for b in (slot.box for slot in s.slots)]) for s in sessions
    ]

    def kl(weights) -> np.ndarray:
        shares = [w / w.sum() for w in weights]
        found = evaluate_sessions(
            gaze=[s.gaze_ms for s in sessions], click=[s.click for s in sessions], attention=shares
        )
        return by_user(sessions, found["KL"])

    users = len({session.user for session in sessions})
    print(f"{task.name} {task.version}, {chosen.split}: {len(sessions)} sessions of {users} users")
    print(f"KL of uniform {kl([np.ones(len(a)) for a in area]).mean():.3f}, area {kl(area).mean():.3f}")
    for name, make in MAPS.items():
        density = [of_slots(session, make) for session in sessions]
        total = [d * a for d, a in zip(density, area, strict=True)]
        like = [stats.spearmanr(t, a).statistic for t, a in zip(total, area, strict=True)]
        right = [stats.spearmanr(d, s.gaze / a).statistic for d, s, a in zip(density, sessions, area, strict=True)]
        known = np.nanmean(by_user(sessions, np.nan_to_num(right)))
        print(
            f"\n{name}: KL of sums {kl(total).mean():.3f}; rank correlation of sums with areas {np.nanmean(like):.2f}, "
            f"of means with gaze per pixel {known:+.2f}"
        )
        for prior, shares in {"area": area, **priors}.items():
            change = kl([w * d for w, d in zip(shares, density, strict=True)]) - kl(shares)
            half = stats.t.ppf(0.975, len(change) - 1) * change.std(ddof=1) / len(change) ** 0.5
            print(
                f"  {prior} times it: KL {kl(shares).mean():.3f} {change.mean():+.3f} [{change.mean() - half:+.3f}, "
                f"{change.mean() + half:+.3f}]"
            )


if __name__ == "__main__":
    script(main)
