"""Every row of the course as a real run, and docs/results.md from what the runs wrote.

    IMGCLS_HOME=LAB python -m benchmarks.results [--rows KEY,...] [--write docs/results.md]

LAB/data holds cifar-10-batches-bin and flowers5, LAB/weight the pre-trained weights. A row whose run has finished is
not run again, one that has no run in LAB keeps its line, and one whose data or weights are not there is named as not
run, with the reason. Only figures of finished runs are written.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from imgcls.checkpoints.format import read_meta
from imgcls.recipes import with_recipe

PROJECT = Path(__file__).resolve().parent.parent
STAND_IN = "--transfer {} --weights resnet18-cifar10-48px.pth"


@dataclass(frozen=True)
class Row:
    """`flags` are those of `imgcls train`; `shows`: what a class learns from the row."""

    key: str
    data: str
    flags: str
    shows: str


CIFAR = "CIFAR-10 (JPEG re-encode)"
FLOWERS = "five flowers, 1,000 photos"
FEW = "--train-images 10000 --val-split 2000"
ROWS = (
    Row("lenet-defaults", "MNIST", "--dataset mnist --model lenet", "the defaults: 99 % in half a minute"),
    Row("lenet-fashion", "Fashion-MNIST", "--dataset fashion-mnist --model lenet", "the same network, harder pictures"),
    Row("lenet-cifar", CIFAR, "--dataset cifar10 --model lenet", "three channels; a small network reaches its limit"),
    Row(
        "lenet-cifar-xavier",
        CIFAR,
        "--dataset cifar10 --model lenet --init xavier-uniform",
        "initialisation A against B: with ReLU and a sound learning rate the two end close together",
    ),
    Row(
        "lenet-cifar-too-small",
        CIFAR,
        "--dataset cifar10 --model lenet --init too-small --epochs 5",
        "weights too small: the signal dies, the network guesses (10 %)",
    ),
    Row(
        "alexnet-cifar",
        CIFAR,
        f"--dataset cifar10 --model alexnet --image-size 64 --epochs 5 {FEW}",
        "64 pixels, a fifth of the images, 5 epochs: AlexNet needs more of all three",
    ),
    Row(
        "alexnet-mnist",
        "MNIST",
        f"--dataset mnist --model alexnet --epochs 2 {FEW}",
        "one input channel, digits enlarged to 64 pixels",
    ),
    Row(
        "resnet18-mnist",
        "MNIST",
        f"--dataset mnist --model resnet18 --image-size 32 --epochs 2 {FEW}",
        "BatchNorm learns fast: two passes over 10,000 digits, enlarged to 32 pixels",
    ),
    Row(
        "resnet18-cifar",
        CIFAR,
        f"--dataset cifar10 --model resnet18 --image-size 32 --augment crop-flip --epochs 6 {FEW}",
        "from scratch at 32 pixels on a fifth of the images",
    ),
    Row(
        "lenet-flowers",
        FLOWERS,
        "--dataset flowers5 --model lenet",
        "1,000 photos at 32 pixels are little to learn from",
    ),
    Row(
        "alexnet-flowers",
        FLOWERS,
        "--dataset flowers5 --model alexnet --image-size 64 --epochs 12",
        "a large network from scratch on few photos",
    ),
    Row(
        "resnet18-flowers-scratch",
        FLOWERS,
        "--dataset flowers5 --model resnet18 --image-size 64 --epochs 10",
        "structure only: what head-only and fine-tuning are to be compared with",
    ),
    Row(
        "resnet18-flowers-head",
        FLOWERS,
        f"--dataset flowers5 --model resnet18 --image-size 64 {STAND_IN.format('head')}",
        "2,565 of 11 million parameters learn, in a sixth of the time; what CIFAR-10 taught at 48 pixels says little "
        "of flowers: pre-training helps as far as it fits",
    ),
    Row(
        "resnet18-flowers-finetune",
        FLOWERS,
        f"--dataset flowers5 --model resnet18 --image-size 64 --epochs 6 {STAND_IN.format('finetune')}",
        "the backbone learns on, at a tenth of the rate: as good as ten epochs from scratch after six",
    ),
    Row(
        "resnet18-flowers-unfreeze",
        FLOWERS,
        f"--dataset flowers5 --model resnet18 --image-size 64 --epochs 6 --unfreeze-epochs 1 "
        f"{STAND_IN.format('finetune')}",
        "one stage more is unfrozen each epoch",
    ),
    Row(
        "joined-flowers-head",
        FLOWERS,
        "--dataset flowers5",
        "the defaults for photos: the ImageNet weights that ship, the last layer alone, which sees two depths, at 224 "
        "pixels",
    ),
    Row(
        "lite0-flowers-head",
        FLOWERS,
        "--dataset flowers5 --model efficientnet-lite0",
        "the ImageNet weights that ship, the last layer alone, at 160 pixels: the defaults until 2026-11-30",
    ),
    Row(
        "lite0-flowers-finetune",
        FLOWERS,
        "--dataset flowers5 --model efficientnet-lite0 --transfer finetune",
        "every layer learns on, at a tenth of the rate",
    ),
    Row(
        "lite0-flowers-head-224",
        FLOWERS,
        "--dataset flowers5 --model efficientnet-lite0 --image-size 224",
        "the last layer alone, at the size that the weights learnt from",
    ),
    Row(
        "lite0-flowers-finetune-224",
        FLOWERS,
        "--dataset flowers5 --model efficientnet-lite0 --transfer finetune --image-size 224",
        "every layer, at 224 pixels",
    ),
    Row(
        "lite0-flowers-scratch",
        FLOWERS,
        "--dataset flowers5 --model efficientnet-lite0 --transfer scratch",
        "the same network without its weights: what pre-training on the right data is worth",
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", help="keys, separated by commas (all)")
    parser.add_argument("--write", type=Path, default=PROJECT / "docs" / "results.md")
    arguments = parser.parse_args()
    wanted = arguments.rows.split(",") if arguments.rows else [row.key for row in ROWS]
    failures = {}
    for row in ROWS:
        if row.key in wanted and row.key not in finished():
            said = _imgcls("train", *shlex.split(row.flags), "--name", row.key)
            print(f"{row.key}: exit code {said.returncode}", flush=True)
            if said.returncode:
                failures[row.key] = said.stderr.strip().splitlines()[-1].removeprefix("imgcls: ")
    before = arguments.write.read_text("utf-8") if arguments.write.is_file() else ""
    arguments.write.write_text(page(finished(), failures, before), encoding="utf-8")


def _imgcls(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "imgcls", *arguments], cwd=PROJECT, capture_output=True, text=True)


def finished() -> dict[str, dict]:
    return {run["name"]: run for run in json.loads(_imgcls("runs", "--json").stdout) if run["state"] == "finished"}


def page(runs: dict[str, dict], failures: dict[str, str], before: str) -> str:
    """`before`: the page as it was, for rows that have no run here."""
    kept = {line.split(" | ")[7].rstrip(" |"): line for line in before.splitlines() if line.count(" | ") >= 7}

    lines = [
        "# Results",
        "",
        "Written by `python -m benchmarks.results` from runs that happened; every row is the last line of one run.",
        f"Machine: {os.cpu_count()} processor cores ({_processor()}), no GPU, shared with other work while it ran, so "
        "that times are no more than a hint.",
        "Seed 1 throughout. Settings that a command does not name are the recipe's; a run's `settings.json` has all.",
        "",
        "- *CIFAR-10 (JPEG re-encode)*: the 60,000 images after one lossy JPEG compression, in CIFAR-10's binary form "
        "(`python -m benchmarks.cifar_from_jpeg`); figures are not to be compared with those on the original.",
        "- *Stand-in weights*: `resnet18-cifar10-48px.pth`, a ResNet18 trained on CIFAR-10 (JPEG re-encode) at 48 "
        "pixels, in place of ImageNet's, which could not be fetched where these rows were run.",
        "- Rows at fewer pixels, images or epochs than the course's say so in their command.",
        "",
        "| network, data | validation | test | epochs | time | measured | what it shows | command |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in ROWS:
        command = f"`python -m imgcls train {row.flags}`"
        network = with_recipe(given(row.flags)).model
        if row.key not in runs:
            reason = failures.get(row.key, "not run here").split(":")[0]
            missing = f"| {network}, {row.data} | – | – | – | not run: {reason} | – | {row.shows} | {command} |"
            lines.append(missing if row.key in failures else kept.get(command, missing))
            continue
        run = runs[row.key]
        test = "–" if run["test_accuracy"] is None else f"{run['test_accuracy']:.2%}"
        minutes, seconds = divmod(round(run["seconds"]), 60)
        figures = f"{run['val_accuracy']:.2%} | {test} | {run['epochs']} | {minutes}:{seconds:02d}"
        lines.append(f"| {network}, {row.data} | {figures} | {_measured(run)} | {row.shows} | {command} |")
    _, section, more = before.partition("\n## ")  # what other benchmarks have written below
    return "\n".join(lines) + "\n" + section + more


def given(flags: str) -> dict[str, str]:
    words = shlex.split(flags)
    return {
        name.removeprefix("--").replace("-", "_"): value for name, value in zip(words[::2], words[1::2], strict=True)
    }


def _measured(run: dict) -> str:
    """When, and by which version of torch."""
    version = read_meta(Path(run["checkpoint"])).versions.get("torch", "").split("+")[0]
    return f"{datetime.fromtimestamp(run['created']):%Y-%m-%d}, torch {version}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
