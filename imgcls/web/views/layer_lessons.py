"""What an initialisation does to the signal and the gradient, as a picture a layer and one sentence.

Bars are logarithmic: each mark is ten times the one before. Knows figures of layers, not how they are measured.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from imgcls.training.layer_statistics import LayerStatistics
from imgcls.web.i18n.translator import Translator

LOWEST, HIGHEST = -8.0, 4.0  # powers of ten that a bar shows
SOUND = (-1.5, 1.0)  # powers of ten between which a signal neither dies out nor explodes
LARGE_GRADIENT = 2.0  # power of ten from which a layer's gradient throws its weights away


@dataclass(frozen=True)
class Bar:
    """`width`: 0 to 1 of the scale; `kind`: "", "dies" or "explodes"; `said`: the number."""

    width: float
    kind: str
    said: str


@dataclass(frozen=True)
class Layer:
    name: str
    signal: Bar
    gradient: Bar
    dead: str  # share of its units that say nothing on any image, "" where none is
    histogram: tuple[float, ...]  # heights, 0 to 1
    update: str  # median log10 of its first steps' change over its weights


def sound_band() -> tuple[float, float]:
    """(left, width) of the sound range, 0 to 1 of the scale."""
    left, right = (_along(power) for power in SOUND)
    return left, right - left


def layers(rows: Sequence[LayerStatistics]) -> list[Layer]:
    return [
        Layer(
            name=row.layer,
            signal=_bar(row.std),
            gradient=_bar(row.gradient, explodes=LARGE_GRADIENT),
            dead=f"{row.dead:.0%}" if row.dead else "",
            histogram=tuple(n / max(row.histogram) for n in row.histogram) if any(row.histogram) else (),
            update=f"{statistics.median(known):.1f}" if (known := [u for u in row.updates if u is not None]) else "–",
        )
        for row in rows
    ]


def lesson(rows: Sequence[LayerStatistics], words: Translator) -> str:
    """What happens to the signal on its way through, in one sentence; what that means for learning in another."""
    count, first, last = len(rows), rows[0].given, rows[-1].std
    if last is None or first is None:
        return words("The signal grows beyond every number before it reaches the last layer: nothing can be learnt.")
    if last == 0 or first == 0:
        return words(
            "Nothing comes through, and all units of a layer are alike: the same gradient moves them all alike, so "
            "they stay alike and the network cannot learn."
        )
    whole = last / first
    each = whole ** (1 / count)
    if each < 0.5:
        said = words(
            "Each layer hands on about 1/{part} of the signal: after {count} layers {left} of it is left.",
            part=_round(1 / each),
            count=count,
            left=_share(whole),
        )
    elif each > 2:
        said = words(
            "Each layer makes the signal about {times} times larger: after {count} layers it is {whole} times what "
            "came in.",
            times=_round(each),
            count=count,
            whole=_share(whole),
        )
    else:
        said = words(
            "Each layer hands on about as much as it gets: after {count} layers the signal is {whole} times what came "
            "in.",
            count=count,
            whole=_share(whole),
        )
    return f"{said} {_learning(rows, words)}".strip()


def _learning(rows: Sequence[LayerStatistics], words: Translator) -> str:
    gradient = rows[0].gradient
    if gradient is None or gradient > 100:
        return words("The gradients are so large that the first step throws the weights far away.")
    if gradient < 1e-6:
        return words("Next to no gradient reaches the first layer: it does not learn.")
    return ""


def _along(power: float) -> float:
    return min(1.0, max(0.0, (power - LOWEST) / (HIGHEST - LOWEST)))


def _bar(value: float | None, *, explodes: float = SOUND[1]) -> Bar:
    if value is None:
        return Bar(1.0, "explodes", "∞")
    if value <= 0:
        return Bar(0.0, "dies", "0")
    power = math.log10(value)
    kind = "dies" if power < SOUND[0] else "explodes" if power > explodes else ""
    return Bar(max(0.01, _along(power)), kind, _share(value))


def _round(value: float) -> str:
    return f"{value:.0f}" if value < 1000 else f"{float(f'{value:.1g}'):,.0f}"


def _share(value: float) -> str:
    """0.067, 12, and beyond what one reads as a number: 10⁻¹⁵."""
    if 1e-4 <= value < 1e5:
        return f"{float(f'{value:.2g}'):,g}"
    return "10" + str(round(math.log10(value))).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
