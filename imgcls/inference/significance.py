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
    made, highest = [1.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        made[i] = highest
    return made


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
