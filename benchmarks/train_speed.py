"""Images/s of this trainer, of the loop that everyone writes, and of the limit, in one process and one run.

    python -m benchmarks.train_speed [--rows KEY,...] [--seconds 3] [--rounds 3] [--json]

ours:   the trainer itself, whole epochs of it, loading and validation not counted
plain:  torchvision transforms and DataLoader, best of 0 and 2 workers (plain.py)
limit:  our network and optimizer stepping on one batch that lies in memory, best of every number of threads

The three take turns, because a shared machine's speed drifts; the median of the rounds counts. Rows whose data are not
there are named. Head-only transfer is a whole run of 10 epochs against 10 plain ones with the backbone frozen; its
limit is the backbone running once over every view, nothing else. Peak memory is that of a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import plain
from imgcls.data.catalog import folder_of
from imgcls.data.datasets import load_dataset
from imgcls.errors import ImgclsError
from imgcls.processes import available_cores
from imgcls.recipes import with_recipe
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.training.device import choose_device
from imgcls.training.learner import make_learner
from imgcls.training.threads import candidates
from imgcls.training.trainer import train
from imgcls.workspace import Workspace

PROJECT = Path(__file__).resolve().parent.parent
WEIGHTS = "resnet18-cifar10-48px.pth"


@dataclass(frozen=True)
class Row:
    """`plain`: (workspace, settings) -> (network, data) as the course would write them; `longer`: factor on the
    seconds, where a step takes a third of one."""

    key: str
    settings: dict[str, Any]
    plain: Callable[[Workspace, TrainSettings], tuple[torch.nn.Module, Any]]
    longer: float = 1.0


def _mnist(workspace: Workspace, settings: TrainSettings) -> tuple[torch.nn.Module, Any]:
    return plain.LeNet(1, 2), plain.mnist(PROJECT / "data")[0]


def _cifar(network: Callable[[], torch.nn.Module], form: Callable[[int], Callable]) -> Callable:
    def made(workspace: Workspace, settings: TrainSettings) -> tuple[torch.nn.Module, Any]:
        from imgcls.data.download import load_arrays

        images, labels = load_arrays("cifar10", workspace)["train"]
        return network(), plain.Pictures(images.permute(0, 2, 3, 1).numpy(), labels, form(settings.image_size))

    return made


def _flowers(workspace: Workspace, settings: TrainSettings) -> tuple[torch.nn.Module, Any]:
    folder = folder_of(settings.dataset, workspace)
    folder = folder / "train" if (folder / "train").is_dir() else folder
    data = plain.folder(folder, form=plain.photo_transform(settings.image_size))
    return plain.resnet18(len(data.classes), weights=workspace.weight / WEIGHTS), data


def _alexnet() -> torch.nn.Module:
    from torchvision import models

    return models.alexnet(num_classes=10)


FLOWERS = {"dataset": "flowers5", "model": "resnet18", "image_size": 64, "weights": WEIGHTS, "augment": "resized-crop"}
ROWS = (
    Row("lenet-mnist", {"dataset": "mnist", "model": "lenet", "batch_size": 64}, _mnist),
    Row(
        "lenet-cifar10",
        {"dataset": "cifar10", "model": "lenet", "batch_size": 64, "augment": "none"},
        _cifar(lambda: plain.LeNet(3, 0), lambda _: plain.colour_transform()),
    ),
    Row(
        "alexnet-cifar10-64px",
        {"dataset": "cifar10", "model": "alexnet", "batch_size": 64, "image_size": 64, "augment": "resized-crop"},
        _cifar(_alexnet, plain.photo_transform),
        longer=4,
    ),
    Row(
        "resnet18-cifar10-64px",
        {"dataset": "cifar10", "model": "resnet18", "batch_size": 64, "image_size": 64, "augment": "resized-crop"},
        _cifar(lambda: plain.resnet18(10), plain.photo_transform),
        longer=4,
    ),
    Row("resnet18-flowers-finetune-64px", {**FLOWERS, "transfer": "finetune", "batch_size": 32}, _flowers, longer=4),
    Row("resnet18-flowers-head-64px", {**FLOWERS, "transfer": "head", "batch_size": 32, "epochs": 10}, _flowers),
)


def measured(row: Row, workspace: Workspace, *, seconds: float, rounds: int) -> dict[str, Any]:
    """One line of the table. Raises ImgclsError or OSError where the data or weights are not there."""
    if row.settings.get("transfer") == "head":
        return _head(row, workspace)
    settings = with_recipe({"epochs": 1000, "val_split": 256, "schedule": "constant", **row.settings})
    limit = Limit(settings, workspace)
    seconds = seconds * row.longer
    rough = limit.rate(0.7)
    whole = len(limit.made.data.train)
    settings = settings.model_copy(update={"train_images": min(whole, max(256, int(rough * seconds)))})
    net, data = row.plain(workspace, settings)
    kind = torch.optim.SGD if settings.optimizer == "sgd" else torch.optim.AdamW  # the row's own, as torch has it
    optimizer = kind(net.parameters(), lr=0.001, **({"momentum": 0.9} if settings.optimizer == "sgd" else {}))
    loops = [plain.steps(net, optimizer, data, batch_size=settings.batch_size, workers=n) for n in (0, 2)]
    found: dict[str, list[float]] = {"ours": [], "plain": [], "limit": []}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Workspace(Path(folder))
        for name in ("data", "weight"):
            if (workspace.root / name).exists():
                (scratch.root / name).symlink_to(workspace.root / name)
        mine = _epochs(settings, scratch)
        next(mine)  # the first epoch warms up
        for _ in range(rounds):
            rate, threads = next(mine)
            found["ours"].append(rate)
            torch.set_num_threads(available_cores())
            found["plain"].append(max(plain.rate(loop, seconds / 2) for loop in loops))
            found["limit"].append(limit.rate(seconds / 2))
            torch.set_num_threads(threads)
    rates = {name: statistics.median(values) for name, values in found.items()}
    return {
        "row": row.key,
        "batch": settings.batch_size,
        **rates,
        "ours/plain": rates["ours"] / rates["plain"],
        "ours/limit": statistics.median(o / b for o, b in zip(found["ours"], found["limit"], strict=True)),
        "epoch_seconds": whole / rates["ours"],
        "threads": threads,
        "peak_mb": _peak(row, workspace),
    }


def _epochs(settings: TrainSettings, workspace: Workspace) -> Iterator[tuple[float, int]]:
    """(images/s, threads) of each epoch of the trainer itself."""
    for event in train(settings, workspace=workspace, run="r"):
        if isinstance(event, events.EpochEnded):
            yield event.images_per_second, torch.get_num_threads()


class Limit:
    """The same network and optimizer on one batch in memory."""

    def __init__(self, settings: TrainSettings, workspace: Workspace) -> None:
        self.made = make_learner(settings, load_dataset(settings, workspace), workspace, choose_device(settings))
        self.made.begin_epoch(0)
        self.inputs, self.labels = next(iter(self.made.batches.epoch(0)))

    def rate(self, seconds: float) -> float:
        counts = candidates(available_cores())
        return max(self._with(n, seconds / len(counts)) for n in counts)

    def _with(self, threads: int, seconds: float) -> float:
        torch.set_num_threads(threads)
        self._step()
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            self._step()
            steps += 1
        return steps * len(self.labels) / (time.perf_counter() - began)

    def _step(self) -> None:
        self.made.step(self.inputs, self.labels)


def _head(row: Row, workspace: Workspace) -> dict[str, Any]:
    """Ten epochs, whole: ours from the first feature to the last validation, the plain loop's ten epochs likewise."""
    from imgcls.models import transfer

    settings = with_recipe(row.settings)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Workspace(Path(folder))
        for name in ("data", "weight"):
            (scratch.root / name).symlink_to(workspace.root / name)
        began = time.perf_counter()
        last = list(train(settings, workspace=scratch, run="r"))[-1]
        seconds = time.perf_counter() - began
    threads = torch.get_num_threads()
    made = make_learner(settings, load_dataset(settings, workspace), workspace, choose_device(settings))
    images = len(made.data.train)
    views = 1 if settings.augment == "none" else settings.augment_views
    torch.set_num_threads(available_cores())
    backbone = transfer.split_backbone(made.model.eval())[0]
    inputs = torch.randn(256, 3, settings.image_size, settings.image_size).to(memory_format=torch.channels_last)
    forward = _forward(backbone, inputs)
    limit = (images * views + len(made.data.val)) / forward

    net, data = row.plain(workspace, settings)
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    checked = plain.folder(
        folder_of(settings.dataset, workspace) / "val", form=plain.eval_transform(settings.image_size)
    )
    found = []
    for workers in (0, 2):
        torch.manual_seed(1)
        torch.nn.init.kaiming_uniform_(net.fc.weight)
        torch.nn.init.zeros_(net.fc.bias)
        # Adam at 1e-3 is what the course's notes take for a new last layer.
        optimizer = torch.optim.Adam(net.fc.parameters(), lr=1e-3)
        loop, best, began, seen = plain.steps(net, optimizer, data, batch_size=32, workers=workers), 0.0, None, 0
        began = time.perf_counter()
        for epoch in range(settings.epochs):
            while seen < (epoch + 1) * len(data):
                seen += next(loop)
            best = max(best, plain.accuracy(net, checked, workers=workers))
        found.append((time.perf_counter() - began, best))
    plain_seconds, plain_accuracy = min(found)
    every = images * settings.epochs
    return {
        "row": row.key,
        "batch": settings.batch_size,
        "ours": every / seconds,
        "plain": every / plain_seconds,
        "limit": every / limit,
        "ours/plain": plain_seconds / seconds,
        "ours/limit": limit / seconds,
        "epoch_seconds": seconds / settings.epochs,
        "threads": threads,
        "peak_mb": _peak(row, workspace),
        "accuracy": last.best_val_accuracy,
        "plain_accuracy": plain_accuracy,
    }


@torch.inference_mode()
def _forward(backbone: torch.nn.Module, inputs: torch.Tensor) -> float:
    backbone(inputs)
    began, count = time.perf_counter(), 0
    while time.perf_counter() - began < 3:
        backbone(inputs)
        count += len(inputs)
    return count / (time.perf_counter() - began)


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
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one object a line")
    arguments = parser.parse_args()
    workspace = Workspace.from_environment()
    known = [row.key for row in ROWS]
    wanted = known if arguments.rows == "all" else arguments.rows.split(",")
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
