"""What an initialisation does to the signal and the gradient, as pictures of each layer and one sentence.

Bars are logarithmic: each mark is ten times the one before. Knows figures of layers, not how they are measured.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from imgcls.messages import N_
from imgcls.training.layer_statistics import LayerStatistics
from imgcls.web.i18n.translator import Translator

LOWEST, HIGHEST = -8.0, 4.0  # powers of ten that a bar shows
SOUND = (-1.5, 1.0)  # powers of ten between which a signal neither dies out nor explodes
LARGE_GRADIENT = 2.0  # power of ten from which a layer's gradient throws its weights away
LEAST_STEP, MOST_STEP = -6.0, 0.0  # powers of ten that the picture of the first steps shows
USUAL_STEP = -3.0  # Source: A. Karpathy, makemore part 3
FAR_TOO_MUCH = -0.5  # power of ten: a third of the weights
NO_GRADIENT = 1e-9  # below what any optimizer makes a step of
SPREADS = 6  # standard deviations that a histogram is wide: see training/layer_statistics.py
# How models/init.py draws the weights, in the words of who compares them.
RULES = {
    "default": N_("PyTorch's own: weights within ±1/√n, where n is how many inputs a unit adds up."),
    "kaiming-uniform": N_(
        "Spread √(2/n) for a unit that adds up n inputs: the 2 makes up for ReLU, which silences about half of them."
    ),
    "kaiming-normal": N_(
        "Convolutions by Kaiming's rule, n counted where their output goes; linear layers with a spread of 0.01."
    ),
    "xavier-uniform": N_(
        "Spread √(2/(n + m)) for n inputs and m outputs: made for layers without ReLU, which silences about half."
    ),
    "xavier-normal": N_(
        "Spread √(2/(n + m)) for n inputs and m outputs: made for layers without ReLU, which silences about half."
    ),
    "all-zeros": N_("Every weight is 0."),
    "too-small": N_("Weights of about 0.0001, however many inputs a unit adds up."),
    "too-large": N_("Weights of about 1, however many inputs a unit adds up: hundreds of them make a large sum."),
}


@dataclass(frozen=True)
class Bar:
    """`width`: 0 to 1 of the scale; `kind`: "", "dies" or "explodes"; `said`: the number."""

    width: float
    kind: str
    said: str


@dataclass(frozen=True)
class Histogram:
    """`heights`: 0 to 1; `silenced`: how many of them ReLU makes 0; `low` and `high`: the ends, said."""

    heights: tuple[float, ...]
    silenced: int
    low: str
    high: str


@dataclass(frozen=True)
class Layer:
    name: str
    signal: Bar
    gradient: Bar
    dead: str  # share of its units that say nothing on any image, "" where none is
    says: Histogram | None
    update: str  # median log10 of its first steps' change over its weights
    steps: tuple[tuple[tuple[float, float], ...], ...]  # lines through (x, y) of 0 to 1, y downwards: see `_steps`


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
            says=_says(row),
            update=f"{change:.1f}" if (change := _change(row)) is not None else "–",
            steps=_steps(row.updates),
        )
        for row in rows
    ]


def lesson(rows: Sequence[LayerStatistics], translate: Translator) -> str:
    """What happens to the signal on its way through, in one sentence; what that means for learning in another."""
    count, first, last = len(rows), rows[0].given, rows[-1].std
    if last is None or first is None:
        return translate(
            "The signal grows beyond every number before it reaches the last layer: nothing can be learnt."
        )
    if last == 0 or first == 0:
        return translate(
            "Nothing comes through, and all units of a layer are alike: the same gradient moves them all alike, so "
            "they stay alike and the network cannot learn."
        )
    whole = last / first
    each = whole ** (1 / count)
    if each < 0.5:
        sentence = translate(
            "Each layer hands on about 1/{part} of the signal: after {count} layers {left} of it is left.",
            part=_round(1 / each),
            count=count,
            left=_share(whole),
        )
    elif each > 2:
        sentence = translate(
            "Each layer makes the signal about {times} times larger: after {count} layers it is {whole} times what "
            "came in.",
            times=_round(each),
            count=count,
            whole=_share(whole),
        )
    else:
        sentence = translate(
            "Each layer hands on about as much as it gets: after {count} layers the signal is {whole} times what came "
            "in.",
            count=count,
            whole=_share(whole),
        )
    return f"{sentence} {_learning(rows, translate)}".strip()


def movement(rows: Sequence[LayerStatistics], translate: Translator) -> str:
    """How far the first steps move the weights, in one sentence."""
    changes = [change for row in rows if (change := _change(row)) is not None]
    if not changes:
        return translate("Not one weight moves in the first steps.")
    middle = statistics.median(changes)
    if middle > FAR_TOO_MUCH:
        times = _share(10**middle)
        return translate(
            "A step changes the weights by {times} times what they were: it forgets what it had.", times=times
        )
    sentence = translate("A step changes the weights by about 1/{part} of what they were", part=_round(10**-middle))
    if all(row.gradient is not None and row.gradient < NO_GRADIENT for row in rows):
        return translate(
            "{said}, and only by weight decay, which makes them smaller still: nothing is learnt.", said=sentence
        )
    if middle > USUAL_STEP + 1:
        return translate("{said}: a large step, learning is quick or unsteady.", said=sentence)
    if middle < USUAL_STEP - 1.5:
        return translate("{said}: so little that learning takes far too long.", said=sentence)
    return translate("{said}: a usual step.", said=sentence)


def _says(row: LayerStatistics) -> Histogram | None:
    if not any(row.histogram) or row.mean is None or not row.std:
        return None
    half = SPREADS / 2 * row.std
    heights = tuple(n / max(row.histogram) for n in row.histogram)
    low, high = (_share(abs(end)) if end >= 0 else f"−{_share(-end)}" for end in (row.mean - half, row.mean + half))
    zero = min(1.0, max(0.0, 0.5 - row.mean / (SPREADS * row.std)))  # where 0 lies, 0 to 1
    return Histogram(heights, 0 if row.dead is None else round(zero * len(heights)), low, high)


def _change(row: LayerStatistics) -> float | None:
    """log10 of a step's change over the weights, the median of the first steps."""
    updates = [update for update in row.updates if update is not None]
    return statistics.median(updates) if updates else None


def _steps(updates: Sequence[float | None]) -> tuple[tuple[tuple[float, float], ...], ...]:
    """A line over the steps, broken where nothing moved."""
    lines: list[list[tuple[float, float]]] = [[]]
    for step, update in enumerate(updates):
        if update is None:
            lines.append([])
        else:
            y = (MOST_STEP - update) / (MOST_STEP - LEAST_STEP)
            lines[-1].append((step / max(1, len(updates) - 1), min(1.0, max(0.0, y))))
    return tuple(tuple(line) for line in lines if line)


def _learning(rows: Sequence[LayerStatistics], translate: Translator) -> str:
    gradient = rows[0].gradient
    if gradient is None or gradient > 100:
        return translate("The gradients are so large that the first step throws the weights far away.")
    if gradient < 1e-6:
        return translate("Next to no gradient reaches the first layer: it does not learn.")
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
