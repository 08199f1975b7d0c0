"""Is a difference more than noise? Student's t for paired rounds, without a library of statistics.

Each round gives one ratio; their logarithms are averaged, and the interval around the mean says between which values
the true ratio lies with a probability of 95 %, as far as rounds differ by chance alone. The values within a process are
not independent of one another (where its memory lies is settled when it starts), so a round counts once.
"""

import math
import statistics
from dataclasses import dataclass

# Quantiles of Student's t, two-sided 95 %, by degrees of freedom from 1 on.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120)
_T_MANY = 1.960


@dataclass(frozen=True)
class Difference:
    """A ratio and the interval in which it lies with a probability of 95 %."""

    ratio: float
    low: float
    high: float

    @property
    def significant(self) -> bool:
        """Whether the interval leaves 1 out."""
        return not self.low <= 1 <= self.high

    @property
    def verdict(self) -> str:
        """In a word."""
        return ("faster" if self.ratio < 1 else "slower") if self.significant else "within noise"


def t_quantile(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t (Hill's expansion beyond the table: three digits)."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    z = _T_MANY
    return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)


def compare(ratios: list[float]) -> Difference:
    """What `ratios`, one of each round, say. Raises ValueError for fewer than two."""
    if len(ratios) < 2:
        raise ValueError("one round says nothing about noise: measure at least two")
    logarithms = [math.log(ratio) for ratio in ratios]
    mean = statistics.fmean(logarithms)
    half = t_quantile(len(ratios) - 1) * statistics.stdev(logarithms) / math.sqrt(len(ratios))
    return Difference(math.exp(mean), math.exp(mean - half), math.exp(mean + half))
