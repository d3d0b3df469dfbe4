"""A sweep's throughput: runs one after the other against runs side by side, by the same command.

    python -m benchmarks.sweep_speed [--images 10000] [--epochs 1] [--runs 4] [--jobs 1 2] [--turns 3]

LeNet on MNIST; each way in a workspace of its own, in turns. seconds: the whole command, processes and data included;
training images/s: of all runs together, over the whole command. "measured": as many threads as each run measures to
be the fastest, as `train` does by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time


def seconds(jobs: int, threads: int, asked: argparse.Namespace) -> float:
    """Of one sweep, in a process of its own."""
    seeds = ",".join(str(seed) for seed in range(1, asked.runs // 2 + 1))
    command = [
        sys.executable, "-m", "imgcls", "sweep", "--dataset", "mnist", "--model", "lenet", "--vary", "lr=0.05,0.1",
        "--seeds", seeds, "--epochs", str(asked.epochs), "--train-images", str(asked.images), "--val-split", "1000",
        "--jobs", str(jobs), "--threads", str(threads), "--json", "--device", "cpu",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        said = subprocess.run(
            command, env=os.environ | {"IMGCLS_HOME": home}, capture_output=True, text=True, check=True
        ).stdout
        took = time.perf_counter() - began
    assert sum(json.loads(line)["n"] for line in said.splitlines()) == 2 * (asked.runs // 2)
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--turns", type=int, default=3)
    asked = parser.parse_args()
    ways = [(1, 0), *((jobs, 1) for jobs in asked.jobs)]
    took: dict[tuple[int, int], list[float]] = {way: [] for way in ways}
    for _ in range(asked.turns):
        for way in ways:
            took[way].append(seconds(*way, asked))
    images = 2 * (asked.runs // 2) * asked.epochs * asked.images
    print("| jobs | threads a run | seconds | training images/s |\n| --- | --- | --- | --- |")
    for jobs, threads in ways:
        found = took[jobs, threads]
        middle = statistics.median(found)
        spread = f"{min(found):.1f} to {max(found):.1f}"
        print(f"| {jobs} | {threads or 'measured'} | {middle:.1f} ({spread}) | {images / middle:,.0f} |")


if __name__ == "__main__":
    main()
