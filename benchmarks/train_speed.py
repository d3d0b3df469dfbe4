"""Images/s of this trainer, of the loop that everyone writes, and of the limit, in one process and one run.

    python -m benchmarks.train_speed [--rows KEY,...] [--seconds 3] [--rounds 5] [--json]

ours:   the trainer itself, loading, validation and saving not counted
plain:  torchvision transforms and DataLoader, best of 0 and 2 workers, and of 8 beside a GPU (plain.py)
limit:  our network and optimizer stepping on one batch that lies in memory, in the best way there is (limit.py)

The three take turns, because a shared machine's speed drifts, ours and the limit short ones: ten in every round. The
median of the rounds counts. Rows whose data are not there are named. Head-only transfer is a whole run of 10 epochs
against 10 plain ones with the backbone frozen; its limit is the backbone running once over every view, nothing else.
Peak memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks import head_speed, plain
from benchmarks.limit import Limit
from benchmarks.rows import PROJECT, ROWS, Row
from imgcls.errors import ImgclsError
from imgcls.processes import available_cores
from imgcls.recipes import with_recipe
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.training.trainer import train
from imgcls.workspace import Workspace

TURNS = 10  # in a round


def measured(row: Row, workspace: Workspace, *, seconds: float, rounds: int) -> dict[str, Any]:
    """One line of the table. Raises ImgclsError or OSError where the data or weights are not there."""
    if row.settings.get("transfer") == "head":
        return {**head_speed.measured(row, workspace, seconds=seconds, rounds=rounds), "peak_mb": _peak(row, workspace)}
    # A small rate: at a constant one of LeNet's own some orders of the images diverge, and a step takes as long.
    settings = with_recipe({"epochs": 1000, "val_split": 256, "schedule": "constant", "lr": 1e-3, **row.settings})
    limit = Limit(settings, workspace)
    seconds = seconds * row.longer
    limit.rate(0.7)  # warms up
    whole, device = len(limit.data.train), limit.device
    net, data = row.plain(workspace, settings)
    net.to(device)
    kind = torch.optim.SGD if settings.optimizer == "sgd" else torch.optim.AdamW  # the row's own, as torch has it
    optimizer = kind(net.parameters(), lr=0.001, **({"momentum": 0.9} if settings.optimizer == "sgd" else {}))
    workers = (0, 2) if device.type == "cpu" else (0, 2, 8)
    loops = [plain.steps(net, optimizer, data, batch_size=settings.batch_size, workers=n) for n in workers]
    found: dict[str, list[float]] = {"ours": [], "plain": [], "limit": []}
    ways: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Workspace(Path(folder))
        for name in ("data", "weight"):
            if (workspace.root / name).exists():
                (scratch.root / name).symlink_to(workspace.root / name)
        mine = _figures(settings, scratch)
        for _ in range(rounds):
            made = [_turn(mine, limit, seconds / 2 / TURNS) for _ in range(TURNS)]
            found["ours"].append(statistics.median(ours for ours, _, _ in made))
            ways.append({way: statistics.median(rates[way] for _, rates, _ in made) for way in made[0][1]})
            found["limit"].append(max(ways[-1].values()))
            threads = made[-1][2]
            torch.set_num_threads(available_cores())
            found["plain"].append(max(plain.rate(loop, seconds / 2) for loop in loops))
            torch.set_num_threads(threads)
    rates = {name: statistics.median(values) for name, values in found.items()}
    ratios = [o / b for o, b in zip(found["ours"], found["limit"], strict=True)]
    return {
        "row": row.key,
        "batch": settings.batch_size,
        **rates,
        "ours/plain": rates["ours"] / rates["plain"],
        "ours/limit": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
        "limits": {way: statistics.median(one[way] for one in ways) for way in ways[0]},
        "epoch_seconds": whole / rates["ours"],
        "threads": threads,
        "peak_mb": _peak(row, workspace) if device.type == "cpu" else torch.cuda.max_memory_allocated() / 1e6,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
    }


def _turn(figures: Iterator[events.Progress], limit: Limit, seconds: float) -> tuple[float, dict[str, float], int]:
    """(images/s of the trainer's next steps, those of each way of the limit, the trainer's threads), for about
    `seconds` each."""
    next(figures)  # its time began when the trainer was left
    threads, rates, passed = torch.get_num_threads(), [], time.perf_counter()
    while not rates or time.perf_counter() - passed < seconds:
        rates.append(next(figures).images_per_second)
    limit.rate(seconds)
    torch.set_num_threads(threads)
    return statistics.median(rates), dict(limit.ways), threads


def _figures(settings: TrainSettings, workspace: Workspace) -> Iterator[events.Progress]:
    """The points of a run's curve, each some tenths of a second of steps."""
    for event in train(settings, workspace=workspace, run="r"):
        if isinstance(event, events.Progress):
            yield event


def _peak(row: Row, workspace: Workspace) -> float:
    """MB of a process that trains this row for a moment."""
    code = (
        "import sys; from benchmarks.train_speed import *; from benchmarks.train_speed import _first_seconds\n"
        "_first_seconds(sys.argv[1], Path(sys.argv[2]))"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, row.key, str(workspace.root)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(said.stdout.split()[-1])


def _first_seconds(key: str, root: Path) -> None:
    row = next(row for row in ROWS if row.key == key)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Workspace(Path(folder))
        for name in ("data", "weight"):
            if (root / name).exists():
                (scratch.root / name).symlink_to(root / name)
        began = time.perf_counter()
        for _ in train(with_recipe({"val_split": 256, **row.settings}), workspace=scratch, run="r"):
            if time.perf_counter() - began > 15:
                break
    # Not getrusage: on Linux its peak is handed down by the process that started this one.
    status = Path("/proc/self/status")
    if status.exists():
        peak = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1e3
    else:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(peak)


def main(default_rows: str = "lenet-mnist") -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default=default_rows, help="keys, separated by commas, or 'all'")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="one object a line")
    arguments = parser.parse_args()
    workspace = Workspace.from_environment()
    known = [row.key for row in ROWS]
    here = [row.key for row in ROWS if row.gpu == torch.cuda.is_available()]
    wanted = here if arguments.rows == "all" else arguments.rows.split(",")
    if unknown := set(wanted) - set(known):
        parser.error(f"there is no row {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    if not arguments.json:
        print(
            "| row | batch | ours, images/s | plain | limit | ours/plain | ours/limit | epoch | threads | peak memory |"
        )
        print("| --- " * 10 + "|")
    for row in ROWS:
        if row.key not in wanted:
            continue
        try:
            made = measured(row, workspace, seconds=arguments.seconds, rounds=arguments.rounds)
        except (ImgclsError, OSError) as error:
            print(json.dumps({"row": row.key, "error": str(error)}) if arguments.json else f"| {row.key} | {error} |")
            continue
        print(json.dumps(made) if arguments.json else _line(made), flush=True)


def _line(made: dict[str, Any]) -> str:
    line = (
        f"| {made['row']} | {made['batch']} | {made['ours']:,.0f} | {made['plain']:,.0f} | {made['limit']:,.0f} | "
        f"{made['ours/plain']:.2f} | {made['ours/limit']:.2f} | {made['epoch_seconds']:.1f} s | {made['threads']} | "
        f"{made['peak_mb']:,.0f} MB |"
    )
    if "accuracy" in made:
        line += f"  <!-- validation: ours {made['accuracy']:.1%}, plain {made['plain_accuracy']:.1%} -->"
    return line


if __name__ == "__main__":
    main()
