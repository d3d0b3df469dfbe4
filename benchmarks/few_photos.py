"""How well few photos teach: validation accuracy of the recipe for photos by photos a class, the median of some seeds.

    python -m benchmarks.few_photos FOLDER [--each 200 10] [--classes 5] [--seeds 1 2 3] [--model NAME] [--transfer WAY]

FOLDER: photos as train/<class>/*.jpg and val/<class>/*.jpg, e.g. shared/data/flowers5.tar unpacked; it stays as it is.
A run learns from EACH training photos of the first CLASSES classes, drawn by its seed; all of val validates it.
The best epoch is chosen by those same photos; what the last one reached stands beside it.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from pathlib import Path

from benchmarks.photo_folders import class_names, link_photos


def few(folder: Path, into: Path, seed: int, each: int, classes: int) -> None:
    """Links to the photos of a run."""
    rng = random.Random(seed)
    for name in class_names(folder)[:classes]:
        photos = sorted((folder / "train" / name).iterdir())
        link_photos(rng.sample(photos, min(each, len(photos))), into / "train" / name)
        link_photos(sorted((folder / "val" / name).iterdir()), into / "val" / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, nargs="+", default=[200, 10])
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--model")
    parser.add_argument("--transfer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder.resolve().parent) as home:
        os.environ["IMGCLS_HOME"] = home
        measure(arguments, Path(home) / "data")


def measure(arguments: argparse.Namespace, data: Path) -> None:
    import imgcls

    chosen = {"model": arguments.model, "transfer": arguments.transfer}
    given = {name: value for name, value in chosen.items() if value}
    for each in arguments.each:
        best, last = [], []
        for seed in arguments.seeds:
            name = f"few{each}-{seed}"
            few(arguments.folder, data / name, seed, each, arguments.classes)
            run = imgcls.train(name, seed=seed, progress=False, **given)
            best.append(run.val_accuracy)
            last.append(run.history[-1].val_accuracy)
            print(f"{each} a class, seed {seed}: {best[-1]:.2%}, last epoch {last[-1]:.2%}", flush=True)
        middle, end = statistics.median(best), statistics.median(last)
        print(f"{each} a class: median {middle:.2%}, of the last epochs {end:.2%}", flush=True)


if __name__ == "__main__":
    main()
