"""Which combinations of settings a sweep tries, and how far each is trained. Plain values in, plain values out.

grid: every combination. random: so many of them, drawn; a factor may then be a range. successive-halving: all begin,
and after each rung the better third of them goes on, three times as far.
Source of the last: Jamieson and Talwalkar 2016; synchronous, so that the order in which runs end decides nothing.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from imgcls.errors import SettingsError
from imgcls.messages import Setting
from imgcls.settings import TrainSettings

Value = str | int | float | bool
Combination = dict[str, Value]
Score = Callable[[Combination, float], float | None]

SEARCHES = ("grid", "random", "successive-halving")
NOT_FACTORS = ("seed", "name", "threads")  # --seeds, --name, and what has to be the same for all
ETA = 3  # a rung keeps one of three, and trains it three times as far
MOST_RUNS = 1000
DRAWS = 200  # tries to draw a combination that is not there yet, and 20 more for each that is
RATIO = 10.0  # a range that spans this much is drawn by its logarithm
DIGITS = 3  # of a drawn number


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, written low..high."""

    low: float
    high: float

    def draw(self, chance: random.Random, *, whole: bool) -> float | int:
        if self.low > 0 and self.high / self.low >= RATIO:
            value = math.exp(chance.uniform(math.log(self.low), math.log(self.high)))
        else:
            value = chance.uniform(self.low, self.high)
        if whole:
            return min(max(round(value), math.ceil(self.low)), math.floor(self.high))
        return min(max(float(f"{value:.{DIGITS}g}"), self.low), self.high)

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}"


Factors = dict[str, tuple[Value, ...] | Range]


def parse_factor(text: str) -> tuple[str, list[str]]:
    """ "lr=0.01,0.1" -> ("lr", ["0.01", "0.1"]). Values that have commas themselves stand between semicolons."""
    name, equals, values = text.partition("=")
    name = name.strip().replace("-", "_")
    if not equals or not values.strip():
        raise SettingsError("What varies is written like lr=0.01,0.1: '{text}' is not.", text=text, field="vary")
    return name, [value.strip() for value in values.split(";" if ";" in values else ",")]


def as_range(values: Sequence[Any]) -> Range | None:
    """["0.001..0.1"] as the range that it is."""
    if len(values) != 1 or not isinstance(values[0], str) or ".." not in values[0]:
        return None
    low, _, high = values[0].partition("..")
    try:
        parsed = Range(float(low), float(high))
    except ValueError:
        return None
    return parsed if parsed.low < parsed.high else None


def check_names(names: Iterable[str]) -> None:
    for name in names:
        if name not in TrainSettings.model_fields:
            raise SettingsError("There is no setting '{name}'.", name=name, field="vary")
        if name in NOT_FACTORS:
            raise SettingsError(
                "{setting} cannot vary within a sweep: {instead}.",
                setting=Setting(name),
                instead="--seeds" if name == "seed" else "--name" if name == "name" else "--jobs",
                field="vary",
            )


def check_search(search: str, trials: int, factors: Factors) -> None:
    """What does not go together. Raises SettingsError."""
    if search not in SEARCHES:
        raise SettingsError(
            "{setting} is {value}, but must be one of {known}.",
            setting=Setting("search"), value=search, known=", ".join(SEARCHES), field="search",
        )  # fmt: skip
    ranges = [name for name, values in factors.items() if isinstance(values, Range)]
    if search == "grid" and trials:
        raise SettingsError("A grid tries every combination: for some of them choose random search.", field="trials")
    if search == "grid" and ranges:
        raise SettingsError(
            "{setting} is a range, which has no end of values: choose random search, or name its values.",
            setting=Setting(ranges[0]), field="vary",
        )  # fmt: skip
    if search == "random" and not trials:
        raise SettingsError("Random search needs to know how many combinations to try ({setting}).",
                            setting=Setting("trials"), field="trials")  # fmt: skip
    if ranges and not trials:
        raise SettingsError("A range needs to know how many combinations to try ({setting}).",
                            setting=Setting("trials"), field="trials")  # fmt: skip


def combinations(factors: Factors, trials: int, existing: Sequence[Combination] = ()) -> list[Combination]:
    """Those that are `existing`, and then what is missing: every one, or as many drawn ones as make `trials`.

    The same factors are drawn in the same order: more trials begin with those of fewer.
    """
    combinations_so_far = list(existing)
    keys_seen = {key(combination) for combination in combinations_so_far}
    if not trials:
        named = [values for values in factors.values() if isinstance(values, tuple)]  # `check_search`: no ranges here
        for values in itertools.product(*named):
            combination = dict(zip(factors, values, strict=True))
            if key(combination) not in keys_seen:
                combinations_so_far.append(combination)
        return combinations_so_far
    chance = random.Random(repr(sorted((name, str(values)) for name, values in factors.items())))
    missed = 0
    while len(combinations_so_far) < trials and missed < DRAWS + 20 * len(keys_seen):
        combination = {name: _drawn(name, values, chance) for name, values in factors.items()}
        if key(combination) in keys_seen:
            missed += 1
            continue
        missed = 0
        keys_seen.add(key(combination))
        combinations_so_far.append(combination)
    return combinations_so_far


def _drawn(name: str, values: tuple[Value, ...] | Range, chance: random.Random) -> Value:
    if isinstance(values, Range):
        return values.draw(chance, whole=TrainSettings.model_fields[name].annotation is int)
    return chance.choice(values)


def key(combination: Mapping[str, Value]) -> str:
    return repr(sorted(combination.items()))


def shares(search: str, combinations: int, epochs: int) -> list[float]:
    """How far each rung goes, as a share of a run's epochs; the last one goes to the end."""
    if search != "successive-halving":
        return [1.0]
    halvings = min(_log(combinations), _log(epochs))
    return [ETA ** (rung - halvings) for rung in range(halvings + 1)]


def _log(number: int) -> int:
    """How often it can be divided by ETA: whole, and without a float's doubt."""
    count = 0
    while number >= ETA:
        number //= ETA
        count += 1
    return count


def until(share: float, epochs: int) -> int:
    """The epoch after which a rung of this share ends; 0: the run goes to its end."""
    last = max(1, round(share * epochs))
    return 0 if share >= 1 or last >= epochs else last


def survivors(combinations: Sequence[Combination], rungs: Sequence[float], score: Score) -> tuple[list[int], float]:
    """Which combinations are at which rung now. `score`: a combination's accuracy at the end of a rung, None until
    all of its runs are there."""
    alive = list(range(len(combinations)))
    for rung in rungs[:-1]:
        scores = {i: score(combinations[i], rung) for i in alive}
        if any(value is None for value in scores.values()):
            return alive, rung
        best = sorted(alive, key=lambda i: -(scores[i] or 0.0))
        alive = sorted(best[: math.ceil(len(alive) / ETA)])
    return alive, rungs[-1]
