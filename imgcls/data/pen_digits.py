"""pen-digits: 7,494 digits as strokes of a pen -> images that went through strokes.py, as the drawing pad's do.

Every rendering takes another brush, size, place and paper, so that a network learns from exactly what drawing sends.
The images are kept beside the data once made. Knows no training and no split. Source: E. Alpaydin and F. Alimoglu,
Pen-Based Recognition of Handwritten Digits, UCI, CC BY 4.0.
"""

from __future__ import annotations

import gzip
import json
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from hashlib import blake2b
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from imgcls.data.registry import Arrays, Source
from imgcls.errors import DatasetError, InputError
from imgcls.imaging.digits import IMAGE_PX, mnist_normalize
from imgcls.imaging.strokes import render
from imgcls.progress import Progress

CHUNK = 500  # drawings a task
BOX = 500  # units of the tablet; y points up
Drawing = list[list[list[float]]]


def read_drawings(path: Path) -> tuple[list[Drawing], list[int]]:
    """(drawings, labels). Raises DatasetError where the file is broken."""
    try:
        written = json.loads(gzip.decompress(path.read_bytes()))
        return [d["strokes"] for d in written], [int(d["label"]) for d in written]
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        raise DatasetError(
            "{path} is missing or broken: copy it again from where the lab came from.", path=path
        ) from None


RENDERING = b"2"  # count up when the pictures made of a drawing change: kept ones are then made anew


def read_renderings(source: Source) -> Arrays:
    """Every drawing as often as the set's row says; one set of renderings for every run, because making them takes a
    minute."""
    renderings_of = source.spec.renderings
    split = load_pen_digits(
        source.file(source.spec.files[0]),
        renderings=renderings_of.each if renderings_of else 1,
        seed=0,
        cache=source.cache,
        progress=source.progress,
    )
    return {"train": split}


def load_pen_digits(
    path: Path, *, renderings: int, seed: int, cache: Path | None = None, progress: Progress | None = None
) -> tuple[Tensor, Tensor]:
    """(uint8 (N * renderings, 1, 28, 28), int64 labels), rendering-major: image i shows drawing i % N.

    cache: a folder in which the images are kept for the next time. progress: called with (images done, in all).
    Raises DatasetError where the file is broken.
    """
    drawings, labels = read_drawings(path)
    digest = blake2b(path.read_bytes() + RENDERING, digest_size=8)
    cache_file = cache / f"pen-digits-{digest.hexdigest()}-{renderings}-{seed}.npy" if cache else None
    images = _kept(cache_file, len(drawings) * renderings)
    if images is None:
        images = _render_all(drawings, renderings, seed, progress)
        if cache_file:
            _keep(cache_file, images)
    return torch.from_numpy(images)[:, None], torch.tensor(labels).repeat(renderings)


def load_some_pen_digits(path: Path, *, count: int, validation_every: int, seed: int) -> tuple[Tensor, Tensor]:
    """(uint8 (count, 1, 28, 28), int64 labels) of drawings that are trained on: not of the last one in
    `validation_every`."""
    drawings, labels = read_drawings(path)
    random = np.random.default_rng(seed)
    chosen = random.choice(len(drawings) - len(drawings) // validation_every, size=count, replace=False)
    images = np.stack([render_by_chance(drawings[i], random) for i in chosen])
    return torch.from_numpy(images)[:, None], torch.tensor([labels[i] for i in chosen])


def _kept(path: Path | None, count: int) -> np.ndarray | None:
    if path is None or not path.is_file():
        return None
    try:
        images = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return images if images.shape == (count, IMAGE_PX, IMAGE_PX) and images.dtype == np.uint8 else None


def _keep(path: Path, images: np.ndarray) -> None:
    """A full or read-only disk only costs the next run a minute."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.save(file, images, allow_pickle=False)
        os.replace(temporary, path)


def _render_all(drawings: list[Drawing], renderings: int, seed: int, progress: Progress | None) -> np.ndarray:
    tasks = [
        (drawings[start : start + CHUNK], [seed, rendering, start])
        for rendering in range(renderings)
        for start in range(0, len(drawings), CHUNK)
    ]
    # Processes, because most of the time goes into many small numpy calls that hold the interpreter.
    with ProcessPoolExecutor(min(os.cpu_count() or 1, 8, len(tasks)), mp_context=get_context("spawn")) as pool:
        rendered = []
        for done, images in enumerate(pool.map(_render_some, tasks), 1):
            rendered.append(images)
            if progress:
                progress(done * len(drawings) * renderings // len(tasks), len(drawings) * renderings)
        return np.concatenate(rendered)


def _render_some(task: tuple[list[Drawing], list[int]]) -> np.ndarray:
    drawings, seed = task
    random = np.random.default_rng(seed)
    return np.stack([render_by_chance(drawing, random) for drawing in drawings])


def render_by_chance(drawing: Drawing, random: np.random.Generator) -> np.ndarray:
    """uint8 (28, 28): one drawing with a brush, size, place and paper of its own."""
    flipped = [[(x, BOX - y) for x, y in stroke] for stroke in drawing]
    while True:
        side = int(random.integers(96, 241))
        size = random.uniform(0.25, 0.85) * side
        left, top = random.uniform(0.04 * side, 0.96 * side - size, 2)
        width = max(1.0, np.exp(random.uniform(np.log(0.012), np.log(0.17))) * size)
        image = render(flipped, side=side, width=width, box=(left, top, left + size, top + size))
        try:
            return mnist_normalize(_photographed(image, random) if random.random() < 0.25 else image)
        except InputError:
            continue  # a hairline lost in the noise: another brush


def _photographed(ink: Image.Image, random: np.random.Generator) -> Image.Image:
    """Dark ink on shaded, noisy paper, a little out of focus."""
    shape = np.asarray(ink.filter(ImageFilter.GaussianBlur(random.uniform(0, 0.012) * ink.width)), np.float32) / 255
    side = ink.width
    across = np.linspace(-1, 1, side, dtype=np.float32)
    slope = random.uniform(-25, 25, 2)
    paper = random.uniform(150, 235) + slope[0] * across[None, :] + slope[1] * across[:, None]
    noise = random.normal(0, random.uniform(1, 7), (side, side))
    grey = paper * (1 - shape) + random.uniform(10, 80) * shape + noise
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
