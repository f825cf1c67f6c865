"""The smallest difference that a test set can resolve (PROTOCOL section 8)."""

import math
from functools import lru_cache


def smallest_resolvable(error: float, degrees: int, alpha: float = 0.05, power: float = 0.80) -> float:
    """Return the smallest true mean difference that a paired t-test finds with the given power.

    ``error`` is the standard error of the mean difference, in the metric's unit, ``alpha`` the two-sided level. For
    many users it tends to the textbook (z(1 - alpha/2) + z(power)) * error. The level is that of one test: a corrected
    family resolves less. NaN for error 0 or NaN: differences without spread say nothing about what could be resolved.
    """
    return _noncentrality(degrees + 1, alpha, power) * error if error > 0 else math.nan


def paired_t_power(noncentrality: float, n: int, alpha: float = 0.05) -> float:
    """Return the power of the two-sided paired t-test over n users, at least two, exactly.

    Under normal differences t follows the noncentral t with n - 1 degrees of freedom and the noncentrality
    mean * sqrt(n) / sd; both tails count.
    """
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
    while paired_t_power(high, n, alpha) < power:
        high *= 2
    root: float = optimize.brentq(lambda value: paired_t_power(value, n, alpha) - power, 0.0, high, xtol=1e-10)
    return root
