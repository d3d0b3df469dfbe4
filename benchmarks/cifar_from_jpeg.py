"""CIFAR-10 as image files -> the binary files that `--dataset cifar10` reads, where the original cannot be fetched.

    python -m benchmarks.cifar_from_jpeg FOLDER DATA

FOLDER/{train,test}/<class>/* is read, DATA/cifar-10-batches-bin is made.

What was lossy stays lossy: figures on a JPEG re-encode are to be called that.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from imgcls.data.registry import CIFAR_FILES, classes_of


def main(source: Path, data: Path) -> None:
    place = data / "cifar-10-batches-bin"
    place.mkdir(parents=True, exist_ok=True)
    for part, files in CIFAR_FILES.items():
        found = [
            (path, i)
            for i, name in enumerate(classes_of("cifar10"))
            for path in sorted((source / part / name).iterdir())
        ]
        order = np.random.default_rng(0).permutation(len(found))  # each of the original's files mixes the classes
        with ThreadPoolExecutor(4) as pool:
            rows = list(pool.map(_row, [found[i] for i in order]))
        for file, chunk in zip(files, np.array_split(np.stack(rows), len(files)), strict=True):
            chunk.tofile(place / file)


def _row(item: tuple[Path, int]) -> np.ndarray:
    path, label = item
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return np.concatenate([np.array([label], np.uint8), pixels.transpose(2, 0, 1).ravel()])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
