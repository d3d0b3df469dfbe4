"""LeNet's steps beside busy processes: with one thread, and with all cores as GNU OpenMP waits and as the lab lets it.

    python -m benchmarks.busy_threads [--seconds 1.5] [--busy 0 1 2]

images/s, the median of three turns, each way in a process of its own: how long a thread looks for work before it sleeps
is read when torch is imported.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

from imgcls.processes import available_cores

BATCH = 64
TURNS = 3
SPINNING = "300000"  # GNU OpenMP's own


def images_per_second(threads: int, seconds: float) -> float:
    """Of the trainer's network, steps as plain PyTorch makes them."""
    import torch
    from torch.nn.functional import cross_entropy

    from imgcls.models import build

    torch.set_num_threads(threads)
    model = build("lenet", channels=1, classes=10, image_size=28)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = torch.randn(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))

    def step() -> None:
        optimizer.zero_grad()
        cross_entropy(model(images), labels).backward()
        optimizer.step()

    step()
    rates = []
    for _ in range(TURNS):
        began, steps = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            step()
            steps += 1
        rates.append(steps * BATCH / (time.perf_counter() - began))
    return statistics.median(rates)


def measured(threads: int, seconds: float, spins: str | None) -> float:
    """The same in a new process. `spins`: None as the lab sets it."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    environment |= {"GOMP_SPINCOUNT": spins} if spins else {}
    command = [sys.executable, "-m", "benchmarks.busy_threads", "--once", str(threads), "--seconds", str(seconds)]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--once", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once:
        print(images_per_second(asked.once, asked.seconds))
        return
    cores = available_cores()
    print(f"| busy processes | 1 thread | {cores} threads, spinning | {cores} threads, as the lab sets it |")
    print("| --- | --- | --- | --- |")
    for busy in asked.busy:
        neighbours = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            row = [measured(*way) for way in ((1, asked.seconds, None), (cores, asked.seconds, SPINNING),
                                              (cores, asked.seconds, None))]  # fmt: skip
        finally:
            for neighbour in neighbours:
                neighbour.kill()
        print(f"| {busy} | " + " | ".join(f"{rate:,.0f}" for rate in row) + " |", flush=True)


if __name__ == "__main__":
    main()
