"""Unequal classes with and without balance: balanced accuracy of the last layer alone, the median of some seeds.

    python -m benchmarks.imbalance FOLDER [--seeds 1 2 3] [--many 200] [--few 20]

FOLDER: photos as train/<class>/*.jpg and val/<class>/*.jpg, e.g. shared/data/flowers5.tar unpacked; it stays as it is.
Of every second class a run gets MANY of the training photos, of the others FEW, drawn by its seed; it validates on a
fifth of them, as unequal, and is measured on FOLDER's val, whose classes are equal. Sprint: one view of each photo.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from pathlib import Path

from benchmarks.photo_folders import class_names, link_photos

WAYS = ("none", "weights", "sampling")


def unequal(folder: Path, into: Path, seed: int, many: int, few: int) -> None:
    """Links to the photos of a run."""
    rng = random.Random(seed)
    for number, name in enumerate(class_names(folder)):
        photos = sorted((folder / "train" / name).iterdir())
        link_photos(rng.sample(photos, min(len(photos), few if number % 2 else many)), into / "train" / name)
        link_photos(sorted((folder / "val" / name).iterdir()), into / "test" / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--many", type=int, default=200)
    parser.add_argument("--few", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder.resolve().parent) as home:
        os.environ["IMGCLS_HOME"] = home
        figures = measured(arguments, Path(home) / "data")
    print("| balance | " + " | ".join(f"seed {seed}" for seed in arguments.seeds) + " | median |")
    print("| --- |" + " --- |" * (len(arguments.seeds) + 1))
    for way, row in figures.items():
        said = [f"{value:.1%}" for value in (*row, statistics.median(row))]
        print(f"| {way} | " + " | ".join(said) + " |")


def measured(arguments: argparse.Namespace, data: Path) -> dict[str, list[float]]:
    """{way: balanced accuracy of each seed}."""
    import imgcls

    figures: dict[str, list[float]] = {way: [] for way in WAYS}
    for seed in arguments.seeds:
        unequal(arguments.folder, data / f"unequal{seed}", seed, arguments.many, arguments.few)
        for way in WAYS:
            run = imgcls.train(f"unequal{seed}", preset="sprint", balance=way, seed=seed, progress=False)
            found = imgcls.evaluate(run, split="test")
            assert found.balanced_accuracy is not None
            figures[way].append(found.balanced_accuracy)
            print(f"seed {seed}, {way}: {found.balanced_accuracy:.1%}, accuracy {found.accuracy:.1%}", flush=True)
    return figures


if __name__ == "__main__":
    main()
