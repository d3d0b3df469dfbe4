"""From pressing Start to 98 % and 99 % validation accuracy: LeNet on the whole of MNIST, by wall clock.

    python -m benchmarks.time_to_accuracy [--seeds 5] [--goal 0.98] [--ways warm terminal sgd-0 ...] [--json]

Ways: `warm` and `warm-standard` are the presets Sprint and Standard as the page starts them, by the process that stands
by; `terminal` is Sprint from a process start; `sgd-0`, `sgd-2`, `adam-0`, `adam-2` are the plain loop, SGD at 0.01 with
momentum 0.9 or Adam at 0.001, batches of 64, with 0 or 2 workers, validating after each epoch, from a process start;
`lightning` is the same loop as PyTorch Lightning runs it, where that is installed (it is none of the lab's needs).
All in turns within one run, because the machine's speed drifts; median and spread over the seeds.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LONGEST = 400.0  # seconds
WAYS = ("warm", "terminal", "warm-standard", "sgd-0", "sgd-2", "adam-0", "adam-2", "lightning")
STAND_BY = 60.0  # seconds that a process may take to import everything
POLL = 0.02


def ours(workspace, *, seed: int, goal: float, preset: str, warm: bool) -> dict[str, float]:
    """Seconds from the call that the page's Start makes to the event that announces the accuracy. A process stands by
    where `launcher.keep_worker_warm` was called before; without `warm` the run gets one of its own."""
    from imgcls.inference.predictor import warm as ready_as_a_server
    from imgcls.recipes import with_recipe
    from imgcls.runs import launcher
    from imgcls.runs.reader import EventLogReader

    if warm:
        ready_as_a_server(workspace.shipped("checkpoints", "lenet-digits", "best.safetensors"))
        launcher.keep_worker_warm(workspace)
        worker = launcher._warm_worker
        if not worker.ready_to_work.wait(STAND_BY):
            raise SystemExit("No process stands by.")
        worker.ready = lambda: None  # the next one would import beside a later measurement
        time.sleep(1)
    began = time.time()
    run = launcher.start_run(with_recipe({"seed": seed, "preset": preset}), workspace)
    reader = EventLogReader(run)
    while reader.read().is_active and time.time() - began < LONGEST:
        time.sleep(POLL)
    view = reader.view
    launcher._warm_worker = None
    reached = next((epoch.time - began for epoch in view.epochs if epoch.val_accuracy >= goal), float("inf"))
    accuracy = view.best.val_accuracy if view.best else 0.0
    return {"seconds": reached, "first point": view.progress[0].time - began, "accuracy": accuracy}


PLAIN = """
import sys, time
began, kind, workers = float(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seed, goal = int(sys.argv[4]), float(sys.argv[5])
import torch
from pathlib import Path
from benchmarks import plain
torch.manual_seed(seed)
train, val = plain.mnist(Path("data"), seed=seed)
net = plain.LeNet(1, 2)
sgd = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3) if kind == "adam" else sgd
made, seen, reached = plain.steps(net, optimizer, train, batch_size=64, workers=workers), 0, 0.0
while reached < goal and time.time() - began < 400:
    while seen < len(train):
        seen += next(made)
    seen, reached = 0, plain.accuracy(net, val, workers=workers)
print(time.time() - began, reached)
"""

LIGHTNING = """
import logging, sys, time, warnings
began, seed, goal = float(sys.argv[1]), int(sys.argv[4]), float(sys.argv[5])
warnings.simplefilter("ignore")
import torch, lightning as L
from pathlib import Path
from torch.utils.data import DataLoader
from benchmarks import plain
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
L.seed_everything(seed, verbose=False)
train, val = plain.mnist(Path("data"), seed=seed)

class Lit(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net, self.right, self.count = plain.LeNet(1, 2), 0, 0
    def training_step(self, batch, number):
        return torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
    def validation_step(self, batch, number):
        self.right += (self.net(batch[0]).argmax(1) == batch[1]).sum().item()
        self.count += len(batch[1])
    def on_validation_epoch_end(self):
        reached, self.right, self.count = self.right / self.count, 0, 0
        if reached >= goal:
            print(time.time() - began, reached, flush=True)
            self.trainer.should_stop = True
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)

L.Trainer(max_epochs=60, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
          enable_model_summary=False, num_sanity_val_steps=0).fit(
    Lit(), DataLoader(train, batch_size=64, shuffle=True), DataLoader(val, batch_size=256))
"""


def plain(way: str, *, seed: int, goal: float) -> dict[str, float]:
    script = LIGHTNING if way == "lightning" else PLAIN
    kind, _, workers = way.partition("-")
    said = subprocess.run(
        [sys.executable, "-c", script, str(time.time()), kind, workers or "0", str(seed), str(goal)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    seconds, accuracy = map(float, said.stdout.split()[-2:])
    return {"seconds": seconds if accuracy >= goal else float("inf"), "accuracy": accuracy}


def measured(way: str, *, seed: int, goal: float) -> dict[str, float]:
    from imgcls.workspace import Workspace

    if way not in ("warm", "terminal", "warm-standard"):
        return plain(way, seed=seed, goal=goal)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        preset = "standard" if way == "warm-standard" else "sprint"
        return ours(Workspace(Path(folder)), seed=seed, goal=goal, preset=preset, warm=way.startswith("warm"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--goal", type=float, default=0.98)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    ways = [w for w in arguments.ways if w != "lightning" or importlib.util.find_spec("lightning")]
    made: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for seed in range(1, arguments.seeds + 1):
        for way in ways:
            made[way].append(measured(way, seed=seed, goal=arguments.goal))
            print(
                f"seed {seed}  {way:14}", "  ".join(f"{k} {v:.4g}" for k, v in made[way][-1].items()), file=sys.stderr
            )
    for way, rows in made.items():
        seconds = sorted(row["seconds"] for row in rows)
        row = {
            "way": way,
            "goal": arguments.goal,
            "median_s": statistics.median(seconds),
            "spread_s": [seconds[0], seconds[-1]],
            "reached": sum(s < LONGEST for s in seconds),
            "seeds": len(rows),
            "accuracy": statistics.median(row["accuracy"] for row in rows),
        }
        print(json.dumps(row) if arguments.json else "  ".join(f"{k} {v}" for k, v in row.items()), flush=True)


if __name__ == "__main__":
    main()
