"""Images/s of one process and of two (gloo, a thread each) that train LeNet on MNIST with the same batches, in turns.

python -m benchmarks.two_processes [--rounds 5]

Beside them two that know nothing of each other, each with half of the images in half batches: what two could do at
most if nothing had to be said.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rows import PROJECT
from imgcls.runs.reader import view
from imgcls.runs.store import find_run
from imgcls.workspace import Workspace

TRAIN = ["-m", "imgcls", "train", "--dataset", "mnist", "--model", "lenet", "--epochs", "1", "--device", "cpu"]
TWO = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"]
HALF = ["--threads", "1", "--batch-size", "64", "--train-images", "27500"]


def begun(
    workspace: Workspace, name: str, *, launched: Sequence[str] = (), more: Sequence[str] = ()
) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *launched, *TRAIN, "--name", name, *more],
        cwd=PROJECT,
        env={**os.environ, "IMGCLS_HOME": str(workspace.root)},
        stdout=subprocess.DEVNULL,
    )


def rate(workspace: Workspace, processes: dict[str, subprocess.Popen]) -> float:
    """Images/s of these runs' only epoch, together."""
    failed = [name for name, process in processes.items() if process.wait()]
    if failed:
        raise SystemExit(f"{failed[0]} failed")
    return sum(view(find_run(name, workspace)).epochs[-1].images_per_second for name in processes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    found: dict[str, list[float]] = {"two": [], "apart": []}
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        for number in range(rounds):
            one = rate(workspace, {f"one-{number}": begun(workspace, f"one-{number}")})
            two = rate(workspace, {f"two-{number}": begun(workspace, f"two-{number}", launched=TWO)})
            names = f"left-{number}", f"right-{number}"
            apart = rate(workspace, {name: begun(workspace, name, more=HALF) for name in names})
            found["two"].append(one / two)
            found["apart"].append(one / apart)
            print(
                f"one {one:,.0f} images/s; two {two:,.0f}, {one / two:.2f} times the time; two that do not talk "
                f"{apart:,.0f}, {one / apart:.2f} times",
                flush=True,
            )
    for name, ratios in found.items():
        print(f"{name}: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
