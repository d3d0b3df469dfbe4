"""What a sweep is asked for, checked: the settings that all its runs share, those that vary, seeds and search.

As words come from a terminal, a page or Python, as they stand in `sweep.json`. Starts nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from imgcls.errors import SettingsError
from imgcls.messages import Setting
from imgcls.processes import available_cores
from imgcls.recipes import family_of, with_recipe
from imgcls.runs import search
from imgcls.runs.search import Combination, Range
from imgcls.runs.state import Owner
from imgcls.settings import TrainSettings

MOST_JOBS = 64
MAX_NAME_CHARS = 60  # characters of a sweep's name: its runs' names are longer
SMALL = ("lenet",)  # families that train side by side, a run a core with one thread (benchmarks/sweep_speed.py)


@dataclass(frozen=True)
class Request:
    """What was asked. base: the settings that were said and are the same for all; combinations: those that are tried,
    in order; going: whether it is to go on; left_out: runs that somebody stopped, each by itself;
    engine: "local", or "ray", whose runs no server goes on with."""

    base: dict[str, Any]
    factors: search.Factors
    seeds: tuple[int, ...]
    search: str = "grid"
    trials: int = 0
    jobs: int = 1
    combinations: list[Combination] = field(default_factory=list)
    going: bool = True
    left_out: tuple[str, ...] = ()
    at_once: int | None = None
    engine: str = "local"
    owner: Owner | None = None
    created: float = field(default_factory=time.time)

    def to_json(self) -> bytes:
        factors = {
            name: {"low": values.low, "high": values.high} if isinstance(values, Range) else list(values)
            for name, values in self.factors.items()
        }
        owner = asdict(self.owner) if self.owner else None
        return json.dumps(vars(self) | {"factors": factors, "owner": owner}, indent=2).encode()

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Raises ValueError, KeyError or TypeError for what is none."""
        values = {name: value for name, value in json.loads(text).items() if name in cls.__dataclass_fields__}
        values["factors"] = {
            name: Range(**said) if isinstance(said, dict) else tuple(said) for name, said in values["factors"].items()
        }
        for name in ("seeds", "left_out"):
            values[name] = tuple(values[name])
        values["owner"] = Owner(**values["owner"]) if values.get("owner") else None
        return cls(**values)


def plan(
    base: Mapping[str, Any],
    vary: Mapping[str, Sequence[Any]],
    seeds: Sequence[Any],
    *,
    kind: str = "grid",
    trials: int = 0,
    jobs: int = 0,
) -> Request:
    """What these words ask for, everything checked that needs no data. Raises SettingsError.

    `jobs` 0: a run a core with one thread for small networks on a processor; otherwise one after the other.
    """
    if not vary:
        raise SettingsError("Name a setting that varies, and its values: lr=0.01,0.1.", field="vary")
    if both := set(vary) & set(base):
        raise SettingsError(
            "{setting} is said twice: once for all, and once as what varies.",
            setting=Setting(min(both)), field=min(both),
        )  # fmt: skip
    search.check_names(vary)
    factors = {name: _values(name, list(values)) for name, values in vary.items()}
    search.check_search(kind, trials, factors)
    request = Request(_typed(base), factors, _seeds(seeds), kind, trials, _jobs(jobs))
    request = replace(request, combinations=search.combinations(factors, trials))
    return _settled(request, jobs)


def _values(name: str, values: list[Any]) -> tuple[search.Value, ...] | Range:
    """As the setting has them. Raises SettingsError for the first that is none."""
    if found := search.as_range(values):
        if TrainSettings.model_fields[name].annotation not in (int, float):
            raise SettingsError("{setting} is no number: name its values.", setting=Setting(name), field=name)
        for end in (found.low, found.high):
            checked_value(name, int(end) if TrainSettings.model_fields[name].annotation is int else end)
        return found
    return tuple(dict.fromkeys(checked_value(name, value) for value in values))


def checked_value(name: str, value: Any) -> search.Value:
    """Checked by itself; how values go together is seen when a run's settings are made."""
    more = {"transfer": {"weights": "imagenet"}, "weights": {"transfer": "finetune"}}.get(name, {})
    more = more if value not in ("scratch", "") else {}
    more |= {"warmup_epochs": {"epochs": 1000}, "momentum": {"nesterov": False}}.get(name, {})
    return getattr(TrainSettings.checked({**more, name: value}), name)


def _typed(base: Mapping[str, Any]) -> dict[str, Any]:
    return {name: checked_value(name, value) for name, value in base.items()}


def _seeds(seeds: Sequence[Any]) -> tuple[int, ...]:
    checked = tuple(dict.fromkeys(int(checked_value("seed", seed)) for seed in seeds))
    if not checked:
        raise SettingsError("A sweep needs at least one seed ({setting}).", setting=Setting("seeds"), field="seeds")
    return checked


def check_name(name: str) -> str:
    """As a run's, but shorter. Raises SettingsError."""
    if len(name) > MAX_NAME_CHARS:
        raise SettingsError(
            "{setting} is longer than {most} characters: choose a shorter one.",
            setting=Setting("name"),
            most=MAX_NAME_CHARS,
            field="name",
        )
    return str(checked_value("name", name))


def _jobs(jobs: int) -> int:
    if not 0 <= jobs <= MOST_JOBS:
        raise SettingsError(
            "{setting} is {value}, but must be a whole number from 1 to {most}.",
            setting=Setting("jobs"), value=jobs, most=MOST_JOBS, field="jobs",
        )  # fmt: skip
    return jobs


def _settled(request: Request, jobs: int) -> Request:
    """With how many run side by side, and with how many threads: the same for all, so that a run goes on exactly."""
    runs = len(request.combinations) * len(request.seeds)
    if runs > search.MOST_RUNS:
        raise SettingsError(
            "That would be {count} runs, but a sweep has {most} at the most: name fewer values, or choose random "
            "search.",
            count=runs, most=search.MOST_RUNS, field="vary",
        )  # fmt: skip
    settings_of_trials = [with_recipe({**request.base, **one}) for one in request.combinations]
    small = all(
        family_of(settings.model).like in SMALL and settings.device in ("auto", "cpu")
        for settings in settings_of_trials
    )
    side_by_side = jobs or (available_cores() if small and not _has_gpu(settings_of_trials) else 1)
    base = request.base if side_by_side == 1 and not small else {"threads": 1, **request.base}
    return replace(request, base=base, jobs=side_by_side)


def _has_gpu(settings_of_trials: Sequence[TrainSettings]) -> bool:
    from imgcls.training.device import choose_device

    return any(
        settings.device == "auto" and choose_device(settings).device.type != "cpu"
        for settings in settings_of_trials[:1]
    )


def default_name(request: Request) -> str:
    """The same for the same question, however many seeds: asked again it goes on."""
    usual = with_recipe({**request.base, **request.combinations[0]})
    question = json.loads(request.to_json())
    said = {name: question[name] for name in ("base", "factors", "search", "trials")}
    data = usual.default_name().rsplit("-", 2)[0]
    return f"sweep-{data[:40]}-{digest(json.dumps(said, sort_keys=True))}"


def again(
    before: Request,
    base: Mapping[str, Any],
    vary: Mapping[str, Sequence[Any]],
    seeds: Sequence[Any],
    *,
    kind: str | None = None,
    trials: int = 0,
    jobs: int = 0,
) -> Request:
    """The same question, with what is said anew beside what was said before. Raises SettingsError."""
    search.check_names(vary)
    for name, value in base.items():
        if checked_value(name, value) != before.base.get(name):
            raise SettingsError(
                "{setting} was another one when this sweep began: start a sweep of its own.",
                setting=Setting(name), field=name,
            )  # fmt: skip
    if other := next((name for name in vary if name not in before.factors), None):
        raise SettingsError(
            "{setting} does not vary in this sweep: start a sweep of its own.", setting=Setting(other), field="vary"
        )
    if kind and kind != before.search:
        raise SettingsError(
            "{setting} was another one when this sweep began: start a sweep of its own.",
            setting=Setting("search"), field="search",
        )  # fmt: skip
    factors = before.factors | {name: _values(name, list(values)) for name, values in vary.items()}
    search.check_search(before.search, trials or before.trials, factors)
    said = replace(
        before,
        factors=factors,
        seeds=_seeds(seeds) if seeds else before.seeds,
        trials=trials or before.trials,
        jobs=_jobs(jobs) or before.jobs,
    )
    return said


def enlarged(before: Request, request: Request, name: str) -> Request:
    """Both together. Raises SettingsError where they are two questions."""
    kept, now = (one.base | {"threads": 0} for one in (before, request))
    other = next((field for field in sorted({*kept, *now}) if kept.get(field) != now.get(field)), None)
    if other or set(before.factors) != set(request.factors) or before.search != request.search:
        raise SettingsError(
            "The sweep {name} is there already with another {setting}: choose another name.",
            name=name,
            setting=Setting(other or ("vary" if before.search == request.search else "search")),
            field="name",
        )
    factors: search.Factors = {}
    for field_name, values in before.factors.items():
        more = request.factors[field_name]
        if isinstance(values, tuple) and isinstance(more, tuple):
            factors[field_name] = tuple(dict.fromkeys((*values, *more)))
        else:
            factors[field_name] = more
    trials = max(before.trials, request.trials)
    drawn = search.combinations(factors, trials, before.combinations)
    seeds = tuple(dict.fromkeys((*before.seeds, *request.seeds)))
    larger = replace(
        before,
        factors=factors,
        trials=trials,
        combinations=drawn,
        seeds=seeds,
        jobs=request.jobs,
        engine=request.engine,
    )
    return _settled(larger, larger.jobs)


def digest(text: str) -> str:
    """Eight letters that stand for a text in a name."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]
