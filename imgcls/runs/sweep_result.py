"""What a sweep has found: each combination's validation accuracy over its seeds, and which settings matter."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from imgcls.inference.significance import mean_and_spread, paired_mean_interval
from imgcls.messages import Message, Setting, Terminal
from imgcls.recipes import needed, with_recipe
from imgcls.runs import search
from imgcls.runs.reader import RunView, view
from imgcls.runs.search import Combination
from imgcls.runs.store import Run
from imgcls.runs.sweep import Sweep, Trial
from imgcls.runs.sweep_request import Request
from imgcls.settings import TrainSettings, command_line


@dataclass(frozen=True)
class Measured:
    """A run that has been as far as it was to go. accuracy: None where it failed."""

    trial: Trial
    accuracy: float | None
    epochs: int
    failure: Message | None = None


@dataclass(frozen=True)
class Row:
    """One combination. runs: those that have ended; mean, std: of their validation accuracies, None for too few."""

    combination: Combination
    measured: tuple[Measured, ...]

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
        return [effect(self.rows, name, values) for name, values in levels(self.request, self.rows).items()]


def result(sweep: Sweep) -> Result:
    """From the runs' own words."""
    asked = sweep.request()
    rows: dict[str, list[Measured]] = {search.key(one): [] for one in asked.combinations}
    for trial in sweep.trials(asked):
        if (found := measured(sweep, trial)) is not None:
            rows[search.key(trial.combination)].append(found)
    made = tuple(Row(one, tuple(rows[search.key(one)])) for one in asked.combinations)
    return Result(sweep.name, asked, sweep.status(), made)


def measured(sweep: Sweep, trial: Trial) -> Measured | None:
    """None while it goes on, or has not begun."""
    run = sweep.run(trial)
    state = run.written()
    if state is None or state.parent != sweep.name or state.live or state.state == "queued":
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
) -> tuple[float | None, int, Message | None] | None:
    """(accuracy, epochs, failure) of a run that has been as far as it was to go."""
    seen = view(run)
    epochs = len(seen.epochs)
    if seen.state == "finished" and seen.best:
        return seen.best.val_accuracy, epochs, None
    if seen.state == "failed":
        return None, epochs, seen.failure
    if seen.state == "stopped" and until and epochs >= until:
        return _best_up_to(seen, until), until, None
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


def levels(asked: Request, rows: Sequence[Row]) -> dict[str, list[search.Value]]:
    """The values of each factor that can be compared: those that several combinations share, and at least two."""
    found = {}
    for name in asked.factors:
        values = list(dict.fromkeys(row.combination[name] for row in rows if row.n))
        if len(values) > 1 and not isinstance(asked.factors[name], search.Range):
            found[name] = values
    return found


def effect(rows: Sequence[Row], name: str, values: Sequence[search.Value]) -> Message:
    """Whether a factor matters: its best value against its worst, the same seed and other settings on both sides.

    The differences of one seed are averaged first: seeds are what chance drew, other settings are not.
    """
    pairs = {pair: _differences(rows, name, *pair) for pair in itertools.permutations(values, 2)}
    compared = {pair: found for pair, found in pairs.items() if found}
    if not compared:
        return Message("{setting}: no two runs differ in it alone.", setting=Setting(name))
    better, worse = max(compared, key=lambda pair: sum(compared[pair]) / len(compared[pair]))
    differences = compared[better, worse]
    points = 100 * sum(differences) / len(differences)
    interval = paired_mean_interval(differences, len(values) * (len(values) - 1) // 2)
    said = {"setting": Setting(name), "better": _text(better), "worse": _text(worse), "points": points}
    if interval is None:
        return Message(
            "{setting}: {better} was {points:.2f} points above {worse}, with one seed: more seeds would tell whether "
            "that is chance.",
            **said,
        )
    low, high = (100 * end for end in interval)
    if low > 0:
        return Message(
            "{setting} matters: {better} is {points:.2f} points better than {worse} (95 %: {low:.2f} to {high:.2f}, "
            "{count} seeds).",
            **said, low=low, high=high, count=len(differences),
        )  # fmt: skip
    return Message(
        "{setting}: no difference shown. {better} was {points:.2f} points above {worse} (95 %: {low:.2f} to "
        "{high:.2f}, {count} seeds).",
        **said, low=low, high=high, count=len(differences),
    )  # fmt: skip


def _differences(rows: Sequence[Row], name: str, first: search.Value, second: search.Value) -> list[float]:
    """First's accuracy over second's: one mean a seed, over the other settings that both were run with."""
    by_rest: dict[str, dict[search.Value, dict[int, float]]] = {}
    for row in rows:
        rest = search.key({other: value for other, value in row.combination.items() if other != name})
        by_rest.setdefault(rest, {})[row.combination[name]] = row.accuracies
    by_seed: dict[int, list[float]] = {}
    for found in by_rest.values():
        one, other = found.get(first, {}), found.get(second, {})
        for seed in one.keys() & other.keys():
            by_seed.setdefault(seed, []).append(one[seed] - other[seed])
    # Only seeds that saw the same settings: otherwise a seed's mean is of something else.
    most = max((len(found) for found in by_seed.values()), default=0)
    return [sum(found) / len(found) for _, found in sorted(by_seed.items()) if len(found) == most]


def _text(value: search.Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)
