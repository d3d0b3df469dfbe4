"""From pressing Start to 98 % and 99 % validation accuracy: LeNet on the whole of MNIST, process start included.

    python -m benchmarks.time_to_accuracy [--rounds 1] [--json]

The lab is started as the page starts it (a process of its own) and read from its event stream; the plain loop is a
fresh process too, with the settings that the course would take (SGD 0.01, momentum 0.9, batch 64), validating after
each epoch, best of 0 and 2 workers. Both in one run, one after the other, because the machine's speed drifts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
GOALS = (0.98, 0.99)
LONGEST = 400.0  # seconds


def ours(seed: int) -> dict[str, float]:
    from imgcls.recipes import with_recipe
    from imgcls.runs.launcher import start_run
    from imgcls.runs.reader import EventLogReader
    from imgcls.workspace import Workspace

    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        run = start_run(with_recipe({"dataset": "mnist", "model": "lenet", "seed": str(seed)}), Workspace(Path(folder)))
        follower, reached = EventLogReader(run), {}
        while follower.look().live and time.time() - began < LONGEST:
            time.sleep(0.05)
        for epoch in follower.look().epochs:
            for goal in GOALS:
                if epoch.val_accuracy >= goal:
                    reached.setdefault(f"{goal:.0%}", epoch.time - began)
        seen = follower.view
        reached["first progress"] = seen.progress[0].time - began
        reached["end"] = seen.ending.time - began
        reached["val accuracy"] = seen.best.val_accuracy
        return reached


PLAIN = """
import sys, time
began = float(sys.argv[1]); workers = int(sys.argv[2]); seed = int(sys.argv[3])
import torch
from pathlib import Path
from benchmarks import plain
torch.manual_seed(seed)
train, val = plain.mnist(Path("data"), seed=seed)
net = plain.LeNet(1, 2)
optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
made, seen, goals = plain.steps(net, optimizer, train, batch_size=64, workers=workers), 0, [0.98, 0.99]
while goals and time.time() - began < 400:
    while seen < len(train):
        seen += next(made)
    seen = 0
    reached = plain.accuracy(net, val, workers=workers)
    while goals and reached >= goals[0]:
        print(f"{goals.pop(0):.0%}", time.time() - began, flush=True)
"""


def plain(workers: int, seed: int) -> dict[str, float]:
    said = subprocess.run(
        [sys.executable, "-c", PLAIN, str(time.time()), str(workers), str(seed)],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    return {goal: float(seconds) for goal, seconds in (line.split() for line in said.stdout.splitlines())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only-ours", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for number in range(1, arguments.rounds + 1):
        row = {"ours": ours(number)}
        if not arguments.only_ours:
            row |= {f"plain, {w} workers": plain(w, number) for w in (0, 2)}
        if arguments.json:
            print(json.dumps(row), flush=True)
            continue
        for name, figures in row.items():
            print(f"round {number}  {name:18}", "  ".join(f"{k} {v:.3g}" for k, v in figures.items()), flush=True)


if __name__ == "__main__":
    main()
