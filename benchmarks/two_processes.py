"""Images/s of one process and of two (gloo, a thread each) that train LeNet on MNIST with the same batches, in turns.

python -m benchmarks.two_processes [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rows import PROJECT
from imgcls.runs.reader import view
from imgcls.runs.store import find_run
from imgcls.workspace import Workspace

TRAIN = ["-m", "imgcls", "train", "--dataset", "mnist", "--model", "lenet", "--epochs", "1", "--device", "cpu"]
TWO = ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--main_process_port", "0"]


def rate(workspace: Workspace, name: str, *, launched: list[str]) -> float:
    """Images/s of the run's only epoch."""
    subprocess.run(
        [sys.executable, *launched, *TRAIN, "--name", name],
        cwd=PROJECT,
        env={**os.environ, "IMGCLS_HOME": str(workspace.root)},
        check=True,
        capture_output=True,
    )
    return view(find_run(name, workspace)).epochs[-1].images_per_second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        for number in range(rounds):
            one = rate(workspace, f"one-{number}", launched=[])
            two = rate(workspace, f"two-{number}", launched=TWO)
            ratios.append(one / two)
            print(f"one {one:,.0f} images/s, two {two:,.0f}: {one / two:.2f} times the time", flush=True)
    print(f"median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
