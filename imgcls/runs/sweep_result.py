"""What a sweep has found: each combination's validation accuracy over its seeds, and which settings matter."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from imgcls.inference.significance import mean_and_spread, paired_mean_interval
from imgcls.messages import Message, Setting, Terminal, joined
from imgcls.recipes import needed, with_recipe
from imgcls.runs import search
from imgcls.runs.reader import RunView, view
from imgcls.runs.search import Combination
from imgcls.runs.store import Run
from imgcls.runs.sweep import Sweep, Trial
from imgcls.runs.sweep_request import Request
from imgcls.settings import TrainSettings, command_line

WIDEST_POINTS = 100  # of an interval that is shown: a wider one reaches beyond what accuracies can differ by


@dataclass(frozen=True)
class Measured:
    """A run that has been as far as it was to go. accuracy: None where it failed; rests: at a rung of a halving, where
    its schedule had more to come."""

    trial: Trial
    accuracy: float | None
    epochs: int
    failure: Message | None = None
    rests: bool = False

    def as_long_as(self, other: Measured) -> bool:
        """Whether accuracies can be compared: both ended by themselves, or at the same epoch."""
        return not (self.rests or other.rests) or self.epochs == other.epochs


@dataclass(frozen=True)
class Row:
    """One combination. runs: those that have ended; mean, std: of their validation accuracies, None for too few."""

    combination: Combination
    measured: tuple[Measured, ...]

    @property
    def by_seed(self) -> dict[int, Measured]:
        """Those that have an accuracy."""
        return {one.trial.seed: one for one in self.measured if one.accuracy is not None}

    @property
    def accuracies(self) -> dict[int, float]:
        """By seed."""
        return {one.trial.seed: one.accuracy for one in self.measured if one.accuracy is not None}

    @property
    def n(self) -> int:
        return len(self.accuracies)

    @property
    def mean(self) -> float | None:
        return mean_and_spread(list(self.accuracies.values()))[0]

    @property
    def std(self) -> float | None:
        return mean_and_spread(list(self.accuracies.values()))[1]

    @property
    def epochs(self) -> int:
        return max((one.epochs for one in self.measured), default=0)

    @property
    def failed(self) -> int:
        return sum(one.failure is not None for one in self.measured)

    @property
    def figure(self) -> str:
        """ "97.12% ± 0.20", the spread being the standard deviation over the seeds, in points."""
        if self.mean is None:
            return "failed" if self.failed else ""
        return f"{self.mean:.2%}" + (f" ± {100 * self.std:.2f}" if self.std is not None else "")

    def as_dict(self) -> dict[str, Any]:
        """What `sweep --json` says of it."""
        names = [one.trial.name for one in self.measured]
        return {"settings": self.combination, "n": self.n, "mean": self.mean, "std": self.std, "runs": names}


@dataclass(frozen=True)
class Result:
    """A sweep at a glance. rows: in the order of what was asked; done, total: runs that have ended, and of how many."""

    name: str
    request: Request
    status: str
    rows: tuple[Row, ...]

    @property
    def done(self) -> int:
        return sum(len(row.measured) for row in self.rows)

    @property
    def total(self) -> int:
        return len(self.rows) * len(self.request.seeds)

    @property
    def is_complete(self) -> bool:
        """Nothing more is to come: what is left out by name does not count."""
        return self.status == "finished" or self.done >= self.total

    @property
    def ranked(self) -> list[Row]:
        """The best one first: those that were trained furthest, of them the most accurate."""
        return sorted(self.rows, key=lambda row: (-row.epochs if row.n else 0, -(row.mean or -1.0)))

    @property
    def best(self) -> Row | None:
        return next((row for row in self.ranked if row.n), None)

    def best_settings(self) -> TrainSettings | None:
        """What a run with the best combination is told; its seed is the first one."""
        if self.best is None:
            return None
        base = {name: value for name, value in self.request.base.items() if name != "threads"}
        return with_recipe({**base, **self.best.combination, "seed": self.request.seeds[0]})

    def best_command(self) -> str | None:
        settings = self.best_settings()
        return command_line(needed(settings)) if settings else None

    def effects(self) -> list[Message]:
        """One sentence a factor: does it matter?"""
        return [
            effect(self.rows, name, values, is_complete=self.is_complete)
            for name, values in levels(self.request, self.rows).items()
        ]


def result(sweep: Sweep) -> Result:
    """From the runs' own words."""
    request = sweep.request()
    rows: dict[str, list[Measured]] = {search.key(one): [] for one in request.combinations}
    for trial in sweep.trials(request):
        if (found := measured(sweep, trial)) is not None:
            rows[search.key(trial.combination)].append(found)
    made = tuple(Row(one, tuple(rows[search.key(one)])) for one in request.combinations)
    return Result(sweep.name, request, sweep.status(), made)


def measured(sweep: Sweep, trial: Trial) -> Measured | None:
    """None while it goes on, or has not begun."""
    run = sweep.run(trial)
    state = run.read_state()
    if state is None or state.parent != sweep.name or state.is_active or state.state == "queued":
        return None
    try:
        written = (run.logs / "events.jsonl").stat().st_mtime_ns
    except OSError:
        written = 0
    found = _ending(run, state.id, state.state, state.until, written)
    return found and Measured(trial, *found)


@lru_cache(maxsize=4096)  # a page looks at a sweep every other second, and its runs' words are some thousand lines
def _ending(
    run: Run, _id: str, _state: str, until: int, _written: int
) -> tuple[float | None, int, Message | None, bool] | None:
    """(accuracy, epochs, failure, rests) of a run that has been as far as it was to go."""
    seen = view(run)
    epochs = len(seen.epochs)
    if seen.state == "finished" and seen.best:
        return seen.best.val_accuracy, epochs, None, False
    if seen.state == "failed":
        return None, epochs, seen.failure, False
    if seen.state == "stopped" and until and epochs >= until:
        return _best_up_to(seen, until), until, None, True
    return None


def _best_up_to(seen: RunView, epoch: int) -> float:
    return max(one.val_accuracy for one in seen.epochs if one.epoch <= epoch)


def line(sweep: Sweep, trial: Trial, done: int) -> str:
    """A run that has ended, as a line for whoever waits."""
    found = measured(sweep, trial)
    said = " ".join(f"{name}={value}" for name, value in trial.combination.items())
    if found is None or found.accuracy is None:
        why = found.failure.said(Terminal()) if found and found.failure else ""
        said = f"{said} seed {trial.seed}: failed. {why}".rstrip()
    else:
        said = f"{said} seed {trial.seed}: {found.accuracy:.2%}"
    return f"{said} ({done} of {len(sweep.trials())})"


def levels(request: Request, rows: Sequence[Row]) -> dict[str, list[search.Value]]:
    """The values of each factor that can be compared: those that several combinations share, and at least two."""
    found = {}
    for name in request.factors:
        values = list(dict.fromkeys(row.combination[name] for row in rows if row.n))
        if len(values) > 1 and not isinstance(request.factors[name], search.Range):
            found[name] = values
    return found


def effect(rows: Sequence[Row], name: str, values: Sequence[search.Value], *, is_complete: bool = True) -> Message:
    """Whether a factor matters where the other settings are at their best: its best value there against its worst,
    the same seeds on both sides. A mean over other settings would be of some that ruin it. Not `is_complete`: nothing
    is concluded yet."""
    places = compared_places(rows, name)
    if not places:
        if not is_complete:
            return Message(
                "{setting}, so far: no two runs that trained as long differ in it alone.", setting=Setting(name)
            )
        return Message("{setting}: no two runs that trained as long differ in it alone.", setting=Setting(name))
    best = places[0]
    pairs = {pair: best.differences(*pair) for pair in itertools.permutations(values, 2)}
    pairs = {pair: found for pair, found in pairs.items() if found}
    better, worse = max(pairs, key=lambda pair: sum(pairs[pair].values()) / len(pairs[pair]))
    differences = list(pairs[better, worse].values())
    said = {
        "setting": Setting(name), "better": Setting(name, _text(better)), "worse": Setting(name, _text(worse)),
        "points": 100 * sum(differences) / len(differences), "at": best.said,
    }  # fmt: skip
    if not is_complete:
        return Message(
            "{setting}, so far: {at}{better} is {points:.2f} points above {worse}; runs are still missing.", **said
        )
    found = _finding(said, differences, len(values) * (len(values) - 1) // 2)
    depends = _dependence(places, better, worse)
    return Message("{finding} {more}", finding=found, more=depends) if depends else found


def _finding(said: dict[str, Any], differences: Sequence[float], comparisons: int) -> Message:
    interval = paired_mean_interval(differences, comparisons)
    if interval is None:
        return Message(
            "{setting}: {at}{better} was {points:.2f} points above {worse}, with one seed: more seeds would tell "
            "whether that is chance.",
            **said,
        )
    low, high = (100 * end for end in interval)
    if low > 0:
        return Message(
            "{setting} matters: {at}{better} is {points:.2f} points better than {worse} (95 %: {low:.2f} to "
            "{high:.2f}, {count} seeds).",
            **said, low=low, high=high, count=len(differences),
        )  # fmt: skip
    if high - low > WIDEST_POINTS:
        return Message(
            "{setting}: no difference shown; {at}{better} was {points:.2f} points above {worse}, but {count} seeds are "
            "too few for runs that differ so much: add some.",
            **said, count=len(differences),
        )  # fmt: skip
    return Message(
        "{setting}: no difference shown; {at}{better} was {points:.2f} points above {worse} (95 %: {low:.2f} to "
        "{high:.2f}, {count} seeds).",
        **said, low=low, high=high, count=len(differences),
    )  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Rows that differ in one factor alone. rest: what they share; found: value -> the row."""

    rest: Combination
    found: dict[search.Value, Row]

    @property
    def top(self) -> tuple[int, float]:
        """How far it was trained, and the best mean of it."""
        return max((row.epochs, row.mean or 0.0) for row in self.found.values())

    @property
    def said(self) -> Message | str:
        """ "with lr 0.03, ", before what holds there; nothing where nothing else varies."""
        return Message("with {others}, ", others=_others(self.rest)) if self.rest else ""

    def differences(self, first: search.Value, second: search.Value) -> dict[int, float]:
        """First's accuracy over second's with each seed that both have and were trained as long with."""
        if first not in self.found or second not in self.found:
            return {}
        one, other = self.found[first].by_seed, self.found[second].by_seed
        return {
            seed: (one[seed].accuracy or 0.0) - (other[seed].accuracy or 0.0)
            for seed in sorted(one.keys() & other.keys())
            if one[seed].as_long_as(other[seed])
        }


def compared_places(rows: Sequence[Row], name: str) -> list[Place]:
    """Where values of a factor can be compared with the same seeds, the best results first."""
    places: dict[str, Place] = {}
    for row in rows:
        rest = {other: value for other, value in row.combination.items() if other != name}
        if row.n:
            places.setdefault(search.key(rest), Place(rest, {})).found[row.combination[name]] = row
    comparable = [
        place
        for place in places.values()
        if any(place.differences(*pair) for pair in itertools.combinations(place.found, 2))
    ]
    return sorted(comparable, key=lambda place: place.top, reverse=True)


def _dependence(places: Sequence[Place], better: search.Value, worse: search.Value) -> Message | None:
    """Where the same two values differ otherwise than at the best place, beyond what chance does: there most of all."""
    here, shown = places[0].differences(better, worse), []
    for place in places[1:]:
        there = place.differences(better, worse)
        changes = [here[seed] - there[seed] for seed in here.keys() & there.keys()]
        interval = paired_mean_interval(changes, len(places) - 1)
        if interval and not interval[0] <= 0 <= interval[1]:
            shown.append((abs(sum(changes) / len(changes)), 100 * sum(there.values()) / len(there), place))
    if not shown:
        return None
    _, points, place = max(shown, key=lambda one: one[0])
    return Message(
        "That depends on the other settings: with {others} the same difference is {points:.2f} points.",
        others=_others(place.rest),
        points=points,
    )


def _others(rest: Combination) -> Message:
    return joined(
        [
            Message("{setting} {value}", setting=Setting(name), value=Setting(name, _text(value)))
            for name, value in rest.items()
        ]
    )


def _text(value: search.Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
