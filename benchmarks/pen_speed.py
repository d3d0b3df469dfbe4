"""What the pen augmentation costs: microseconds of one core an image, and of torch's own calls for the same.

    python -m benchmarks.pen_speed [--images 640] [--rounds 30]

Processor time on one thread, in turns, medians: other work on the machine counts less than in seconds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from imgcls.data import pen_augmentation as ours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    n = arguments.images
    images = torch.rand(n, 1, 28, 28, generator=generator) * (torch.rand(n, 1, 28, 28, generator=generator) > 0.8)
    theta = torch.eye(2, 3).expand(n, -1, -1)
    knots = torch.rand(n, 2, ours.KNOTS, ours.KNOTS, generator=generator)
    ways: dict[str, Callable[[], object]] = {
        "the whole": lambda: ours.pen(images, generator=generator),
        "its grid": lambda: ours._grid(images, generator),
        "torch's affine grid and bicubic enlargement": lambda: (
            F.affine_grid(theta, list(images.shape), align_corners=False)
            + F.interpolate(knots, (28, 28), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
        ),
        "the largest of 3 neighbours": lambda: ours._among_neighbours(images, torch.maximum, 3),
        "torch's pool over 3": lambda: F.max_pool2d(images, (1, 3), stride=1, padding=(0, 1)),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(arguments.rounds + 1):  # the first warms up
        for name, way in ways.items():
            began = time.process_time()
            way()
            if turn:
                taken[name].append((time.process_time() - began) / n * 1e6)
    for name, each in taken.items():
        print(f"{statistics.median(each):6.1f} µs ({min(each):.1f} to {max(each):.1f})  {name}")


if __name__ == "__main__":
    main()
