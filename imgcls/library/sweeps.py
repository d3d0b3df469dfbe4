"""Sweeps from Python. One made here is one like any other: the terminal and the page show it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from imgcls.library.catalog import dataset_name
from imgcls.library.html import html
from imgcls.library.training import Run, plain
from imgcls.plugins import load_plugins
from imgcls.runs import sweep as stored
from imgcls.runs import sweep_result
from imgcls.runs.sweep_request import Request, again, plan
from imgcls.settings import TrainSettings
from imgcls.workspace import Workspace


@dataclass(frozen=True)
class Sweep:
    """A sweep, by its name. What it says is read from its runs' folders each time it is asked.

    In a notebook it shows itself as a table. Raises RunError where there is no such sweep.
    """

    name: str
    workspace: Workspace = field(default_factory=Workspace.from_environment, repr=False)

    def __post_init__(self) -> None:
        stored.find(self.name, self.workspace)

    @property
    def _sweep(self) -> stored.Sweep:
        return stored.find(self.name, self.workspace)

    @property
    def status(self) -> str:
        """ "running", "finished", "stopped" or "interrupted"."""
        return self._sweep.status()

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict a combination, as `imgcls sweep --json` prints it: settings, n, mean, std, runs. mean and std are of
        the validation accuracies over the seeds, None where there are too few."""
        return [row.as_dict() for row in sweep_result.result(self._sweep).rows]

    @property
    def best(self) -> TrainSettings | None:
        """Everything that a run with the best combination is told; None before a run has ended."""
        return sweep_result.result(self._sweep).best_settings()

    @property
    def effects(self) -> list[str]:
        """Does it matter? One sentence for each setting that varied, with an interval paired over the seeds."""
        return [str(sentence) for sentence in sweep_result.result(self._sweep).effects()]

    @property
    def runs(self) -> list[Run]:
        """Its runs that have begun."""
        runs_of_trials = (self._sweep.run(trial) for trial in self._sweep.trials())
        return [Run(run.name, self.workspace) for run in runs_of_trials if (run.logs / "settings.json").is_file()]

    def resume(
        self,
        *,
        vary: Mapping[str, Sequence[Any]] | None = None,
        seeds: Sequence[int] = (),
        trials: int = 0,
        jobs: int = 0,
        progress: bool = True,
    ) -> Sweep:
        """Go on where it was; more values, seeds or trials enlarge it. Runs that have ended are not trained again."""
        load_plugins()
        request = again(self._sweep.request(), {}, dict(vary or {}), seeds, trials=trials, jobs=jobs)
        return _followed(request, self.name, self.workspace, progress)

    def stop(self) -> None:
        """Its runs save and end; nothing new begins."""
        stored.stop(self._sweep)

    def delete(self) -> None:
        """Remove it with its runs. Raises RunError while one of them trains."""
        stored.delete(self._sweep)

    def _repr_html_(self) -> str:
        result = sweep_result.result(self._sweep)
        return html(
            "sweep",
            found=result,
            factors=list(result.request.factors),
            effects=[str(sentence) for sentence in result.effects()],
        )


def sweep(
    dataset: str | os.PathLike[str] = "mnist",
    *,
    vary: Mapping[str, Sequence[Any]],
    seeds: Sequence[int] = (1, 2, 3),
    search: str = "grid",
    trials: int = 0,
    jobs: int = 0,
    name: str = "",
    engine: Literal["local", "ray"] = "local",
    address: str = "",
    progress: bool = True,
    **settings: Any,
) -> Sweep:
    """Train with several values of some settings, each combination with several seeds.

    Its runs train in processes of their own and are runs like any other. An interrupt has them save and stop; the same
    call, or `sweep.resume()`, goes on from there. Called again with more values or seeds and the same `name` it trains
    only what is new.

    Args:
        dataset: as for `train`.
        vary: each setting that varies and its values: {"lr": [0.01, 0.1]}; ["0.001..0.1"] is a range, for drawn ones.
        seeds: each combination is trained once with each.
        search: "grid", "random" (`trials` combinations), or "successive-halving" (all begin, the better third of each
            round goes on three times as long).
        trials: how many combinations are drawn; 0: all.
        jobs: runs side by side; 0: for small networks as many as there are cores, with one thread each, otherwise 1.
        name: the sweep's name; empty: made from the question.
        engine: "ray": on the machines of a Ray cluster (docs/cluster.md).
        address: of that cluster; "auto": the one that this machine is part of; "": a Ray of this machine's own.
        progress: print a line for each run that has ended.
        settings: those that are the same for all runs, as for `train`.

    Returns the finished or stopped sweep. Raises ImgclsError, with one sentence that says what to do.
    """
    load_plugins()
    settings_with_dataset = {"dataset": dataset_name(dataset), **{key: plain(value) for key, value in settings.items()}}
    request = plan(settings_with_dataset, vary, seeds, kind=search, trials=trials, jobs=jobs)
    request = replace(request, engine=engine)
    return _followed(request, name, Workspace.from_environment(), progress, address)


def _followed(request: Request, name: str, workspace: Workspace, progress: bool, address: str = "") -> Sweep:
    follow = stored.follow
    if request.engine == "ray":
        from imgcls.runs import ray_engine

        ray_engine.connected(address)  # before anything is made
        follow = partial(ray_engine.follow, address=address)
    stored_sweep = stored.create(request, workspace, name=name)
    done: list[str] = []

    def on_end(trial: stored.Trial) -> None:
        done.append(trial.name)
        if progress:
            print(sweep_result.line(stored_sweep, trial, len(done)), file=sys.stderr, flush=True)

    try:
        for _ in follow(stored_sweep, on_trial=on_end):
            pass
    except KeyboardInterrupt:
        stored.stop(stored_sweep)
        for _ in follow(stored_sweep, on_trial=on_end):
            pass
    return Sweep(stored_sweep.name, workspace)
