"""`python -m benchmarks.runtimes`: a frozen backbone in PyTorch and in the programs that may take its place, in turns.

Of each: its own rate in its best batches, the rate of the whole feature pass of a head-only run (reading, augmentation
and all), and which share of the processor's arithmetic its own rate is: of what a large product of matrices reaches
with the same threads in the same turn. With one thread it is the processor's own time that counts, which other work
disturbs less. Needs the data set in the workspace (IMGCLS_HOME), as `python -m benchmarks` does.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.rows import ROWS, Row
from imgcls.data.feature_cache import FeatureBatches
from imgcls.data.loader import Batches
from imgcls.models import runtimes
from imgcls.recipes import with_recipe
from imgcls.training.device import choose_device
from imgcls.training.learner import Learner, make_learner
from imgcls.training.loading import load_run_data
from imgcls.workspace import Workspace

BATCHES = (1, 2, 4, 8, 16, 64)
SIDE = 2048  # of the two matrices


def measured(row: Row, workspace: Workspace, *, threads: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Medians; ratios are those of the rounds, with the lowest and the highest."""
    torch.set_num_threads(threads)
    settings = with_recipe(row.settings)
    learner = make_learner(settings, load_run_data(settings, workspace), workspace, choose_device(settings))
    learner.model.eval()
    sample = next(learner.images("val", batch_size=64))[0]
    with tempfile.TemporaryDirectory() as folder:
        ways = runtimes.equal(learner.model, sample[:4], folder=Path(folder))
        best = {way.name: _best_batch(way.run, sample, seconds) for way in ways}
        turns: list[dict[str, tuple[float, float, float]]] = []
        for _ in range(rounds):
            peak = _peak(seconds)
            turns.append(
                {
                    way.name: (_rate(way.run, sample[: best[way.name]], seconds), _pass(learner, way.run, folder), peak)
                    for way in ways
                }
            )
    work = 2 * runtimes.multiplications(learner.model, sample[:1])
    return {
        "row": row.key,
        "threads": threads,
        "matrix_gflops": statistics.median(next(iter(turn.values()))[2] for turn in turns) / 1e9,
        "ways": [
            {
                "name": way.name,
                "batch": best[way.name],
                "difference": way.difference,
                "images/s": statistics.median(turn[way.name][0] for turn in turns),
                "ratio": _spread(turn[way.name][0] / turn["torch"][0] for turn in turns),
                "pass, images/s": statistics.median(turn[way.name][1] for turn in turns),
                "pass ratio": _spread(turn[way.name][1] / turn["torch"][1] for turn in turns),
                "pass/own": _spread(turn[way.name][1] / turn[way.name][0] for turn in turns),
                "share of arithmetic": _spread(work * turn[way.name][0] / turn[way.name][2] for turn in turns),
            }
            for way in ways
        ],
    }


def _spread(values: Any) -> list[float]:
    """[median, lowest, highest]"""
    found = list(values)
    return [round(value, 3) for value in (statistics.median(found), min(found), max(found))]


def _clock() -> Callable[[], float]:
    return time.process_time if torch.get_num_threads() == 1 else time.perf_counter


def _best_batch(run: Callable[[torch.Tensor], torch.Tensor], sample: torch.Tensor, seconds: float) -> int:
    return max((n for n in BATCHES if n <= len(sample)), key=lambda n: _rate(run, sample[:n], seconds / 4))


@torch.inference_mode()
def _rate(run: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor, seconds: float) -> float:
    """Images/s of one batch again and again."""
    run(inputs)
    began, count = (clock := _clock())(), 0
    while clock() - began < seconds:
        run(inputs)
        count += len(inputs)
    return count / (clock() - began)


def _pass(learner: Learner, run: Callable[[torch.Tensor], torch.Tensor], folder: str) -> float:
    """Images/s of one augmented view of the training images, as the trainer makes it."""
    assert isinstance(learner.batches, Batches)
    features = FeatureBatches(learner.batches, views=1, file=Path(folder) / "features.f32")
    began = (clock := _clock())()
    *_, done = features.fill(run, learner.context.autocast)
    return done / (clock() - began)


@torch.inference_mode()
def _peak(seconds: float) -> float:
    """Operations a second of a product of matrices."""
    a, b = torch.randn(SIDE, SIDE), torch.randn(SIDE, SIDE)
    a @ b
    began, count = (clock := _clock())(), 0
    while clock() - began < seconds:
        a @ b
        count += 1
    return 2 * SIDE**3 * count / (clock() - began)


def main() -> None:
    rows = {row.key: row for row in ROWS if row.settings.get("transfer") == "head" and not row.gpu}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", choices=rows, default=list(rows))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each rate in each round")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    for key in asked.rows:
        made = measured(
            rows[key], Workspace.from_environment(), threads=asked.threads, seconds=asked.seconds, rounds=asked.rounds
        )
        print(json.dumps(made, indent=1), flush=True)


if __name__ == "__main__":
    main()
