"""The smallest difference that a test set can resolve (PROTOCOL section 8)."""

import math
from functools import lru_cache


def paired_t_power(difference: float, sd: float, n: int, alpha: float = 0.05) -> float:
    """Return the power of the two-sided paired t-test, exactly, by the noncentral t distribution.

    Under normal differences with mean ``difference`` and standard deviation ``sd``, t follows the noncentral t with
    n - 1 degrees of freedom and noncentrality difference * sqrt(n) / sd; both tails count.
    There are at least two users, and sd is above 0.
    """
    return _power(abs(difference) * math.sqrt(n) / sd, n, alpha)


def smallest_resolvable_difference(sd: float, n: int, alpha: float = 0.05, power: float = 0.80) -> float:
    """Return the smallest true mean difference that a paired t-test over n users finds with the given power.

    The root of ``paired_t_power(difference, sd, n, alpha) = power``. For many users it tends to the textbook
    (z(1 - alpha/2) + z(power)) * sd / sqrt(n). The level is that of one test: a corrected family resolves less.

    Args:
        sd: Standard deviation of the paired differences between users (ddof = 1), in the metric's unit.
        n: Users.
        alpha: Two-sided level, between 0 and 1.
        power: Wanted power, between alpha and 1.

    Returns:
        A positive difference in the metric's unit. NaN for fewer than two users, and for sd 0 or NaN: differences
        without spread say nothing about what could be resolved.
    """
    if not 0 < alpha < power < 1:
        raise ValueError("expected 0 < alpha < power < 1")
    return smallest_resolvable(sd / math.sqrt(n), n - 1, alpha, power) if n > 1 else math.nan


def smallest_resolvable(error: float, degrees: int, alpha: float = 0.05, power: float = 0.80) -> float:
    """Return the same for a t-test with a given standard error and degrees of freedom; NaN for error 0 or NaN."""
    return _noncentrality(degrees + 1, alpha, power) * error if error > 0 else math.nan


def _power(noncentrality: float, n: int, alpha: float) -> float:
    """Return the chance that |t| exceeds its critical value."""
    from scipy import stats

    if noncentrality == 0:
        return alpha
    critical = stats.t.isf(alpha / 2, n - 1)
    upper = float(stats.nct.sf(critical, n - 1, noncentrality))
    lower = float(stats.nct.cdf(-critical, n - 1, noncentrality))
    # scipy gives NaN for a lower tail too small for it; it is below P(t < 0) = Phi(-noncentrality) in any case.
    return upper if math.isnan(lower) else upper + lower


@lru_cache(maxsize=1024)
def _noncentrality(n: int, alpha: float, power: float) -> float:
    """Return the noncentrality at which the power is reached; the same for every metric of a test set."""
    from scipy import optimize, stats

    high = float(stats.norm.isf(alpha / 2) + stats.norm.isf(1 - power))
    while _power(high, n, alpha) < power:
        high *= 2
    root: float = optimize.brentq(lambda value: _power(value, n, alpha) - power, 0.0, high, xtol=1e-10)
    return root
