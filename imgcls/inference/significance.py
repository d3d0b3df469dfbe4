"""How far a figure measured on so many images can be trusted, and whether one network is better than another.

Plain numbers in, plain numbers out; no tensors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

Z = 1.959963984540054  # the normal's 97.5 % point: intervals of 95 %
EXACT_UP_TO = 1000  # images on which two networks differ; beyond it the normal is the binomial
LEVEL = 0.05


def wilson_interval(right: int, images: int) -> tuple[float, float]:
    """95 % interval for a share. Source: Wilson 1927; unlike p ± 2 sd it stays within 0..1 and holds near the ends."""
    if not images:
        return 0.0, 1.0
    share, scale = right / images, 1 + Z**2 / images
    middle = (share + Z**2 / (2 * images)) / scale
    half = Z * math.sqrt(share * (1 - share) / images + Z**2 / (4 * images**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar(only_first: int, only_second: int) -> float:
    """p-value that two networks are equally good, from the images that only one of them got right.

    The exact binomial test, two-sided; beyond EXACT_UP_TO images McNemar's chi-square with continuity correction.
    Source: McNemar 1947.
    """
    differ, fewer = only_first + only_second, min(only_first, only_second)
    if not differ:
        return 1.0
    if differ <= EXACT_UP_TO:
        return min(1.0, 2 * sum(math.comb(differ, k) for k in range(fewer + 1)) / 2**differ)
    return math.erfc(math.sqrt(max(abs(only_first - only_second) - 1, 0) ** 2 / (2 * differ)))


def paired_interval(only_first: int, only_second: int, images: int) -> tuple[float, float]:
    """95 % interval for (second's accuracy - first's) on the same images.

    Source: Agresti and Min 2005: half an image added to each of the four counts, then Wald's interval.
    """
    first, second, count = only_first + 0.5, only_second + 0.5, images + 2
    middle = (second - first) / count
    half = Z * math.sqrt(first + second - (second - first) ** 2 / count) / count
    return max(-1.0, middle - half), min(1.0, middle + half)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for asking so many questions at once. Source: Holm 1979."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def mean_and_spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The mean, and the sample's standard deviation; None where there are too few values for one."""
    if not values:
        return None, None
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def student_quantile(degrees: int, level: float = LEVEL) -> float:
    """t with a two-sided tail of `level`. Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4, by bisection."""
    low, high = 0.0, 1e8
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - _student_within(middle, degrees) > level else (low, middle)
    return (low + high) / 2


def _student_within(t: float, degrees: int) -> float:
    """P(|T| < t)."""
    angle = math.atan(t / math.sqrt(degrees))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term = cosine if odd else 1.0
    total = term if degrees > 1 else 0.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def paired_mean_interval(differences: Sequence[float], comparisons: int = 1) -> tuple[float, float] | None:
    """95 % interval for the mean of paired differences (Student's t); `comparisons`: of how many this one was chosen,
    each then tested at its share of the level (Bonferroni). None for fewer than two pairs."""
    mean, spread = mean_and_spread(differences)
    if mean is None or spread is None:
        return None
    half = student_quantile(len(differences) - 1, LEVEL / comparisons) * spread / math.sqrt(len(differences))
    return mean - half, mean + half


@dataclass(frozen=True)
class Comparison:
    """Two networks on the same images. `difference`: second's accuracy - first's; `p`: adjusted for all pairs asked."""

    first: str
    second: str
    images: int
    only_first: int
    only_second: int
    difference: float
    interval: tuple[float, float]
    p: float

    @property
    def better(self) -> str | None:
        """The better one's name, or None where the images cannot tell."""
        if self.p >= LEVEL or self.only_first == self.only_second:
            return None
        return self.second if self.only_second > self.only_first else self.first

    def __str__(self) -> str:
        low, high = self.interval
        figures = f"{self.difference:+.2%} (95 %: {low:+.2%} to {high:+.2%}; McNemar p = {self.p:.3g})"
        if self.better is None:
            return f"{self.second} against {self.first}: {figures}: {self.images:,} images cannot tell which is better."
        return f"{self.better} is better: {self.second} against {self.first}: {figures}, {self.images:,} images."


Pair = tuple[str, str, Sequence[bool], Sequence[bool]]  # two names, and which of the same images each got right


def compare(right: dict[str, Sequence[bool]]) -> list[Comparison]:
    """Every pair of `right`: name -> which of the same images it got right."""
    return compare_pairs([(a, b, right[a], right[b]) for a, b in combinations(right, 2)])


def compare_pairs(pairs: Sequence[Pair]) -> list[Comparison]:
    """Each pair on images of its own."""
    counts = [
        (
            sum(x and not y for x, y in zip(first, second, strict=True)),
            sum(y and not x for x, y in zip(first, second, strict=True)),
        )
        for _, _, first, second in pairs
    ]
    adjusted = holm([mcnemar(*count) for count in counts])
    return [
        Comparison(
            first=a,
            second=b,
            images=len(rights),
            only_first=first,
            only_second=second,
            difference=(second - first) / max(len(rights), 1),
            interval=paired_interval(first, second, len(rights)),
            p=p,
        )
        for (a, b, rights, _), (first, second), p in zip(pairs, counts, adjusted, strict=True)
    ]
