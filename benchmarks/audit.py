"""How much of what is planted `imgcls audit` finds, and what it costs beside one pass of the network.

    python -m benchmarks.audit FOLDER [--images 1000] [--copies 100]

FOLDER: photos as <class>/*.jpg or train/<class>/*.jpg, e.g. shared/data/flowers5.tar unpacked. A copy of some of its
photos gets a tenth of its labels flipped and near duplicates into a part of their own; FOLDER stays as it is.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
import tempfile
import time
from pathlib import Path

import torch
from PIL import Image, ImageEnhance

from imgcls.audit.audit import audit
from imgcls.audit.features import photo_images, pretrained
from imgcls.data.image_folders import scan
from imgcls.workspace import Workspace


def smaller(image: Image.Image, rng: random.Random) -> Image.Image:
    factor = rng.choice([0.4, 0.6, 1.5])
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def cropped(image: Image.Image, rng: random.Random) -> Image.Image:
    across, down = image.width // 20, image.height // 20
    left, top = rng.randint(0, across), rng.randint(0, down)
    return image.crop((left, top, left + image.width - across, top + image.height - down))


def packed(image: Image.Image, rng: random.Random) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file)


def brighter(image: Image.Image, rng: random.Random) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(rng.choice([0.9, 1.1]))


CHANGES = (smaller, cropped, packed, brighter)


def plant(folder: Path, into: Path, images: int, copies: int, rng: random.Random) -> tuple[set[str], set[frozenset]]:
    """Photos of `folder` as train/, a tenth of them in a wrong class; changed copies of others as val/. Returns
    (paths with a wrong label, pairs that are one picture)."""
    found = scan(folder)
    photos = rng.sample(found.splits["train"], min(images, len(found.splits["train"])))
    wrong, pairs = set(), set()
    flipped = set(rng.sample(range(len(photos)), len(photos) // 10))
    for part in ("train", "val"):
        for name in found.classes:
            (into / part / name).mkdir(parents=True)
    for i, (path, label) in enumerate(photos):
        shown = rng.choice([c for c in range(len(found.classes)) if c != label]) if i in flipped else label
        place = f"train/{found.classes[shown]}/{i:05}.jpg"
        shutil.copy(path, into / place)
        if i in flipped:
            wrong.add(place)
        elif len(pairs) < copies:
            change = CHANGES[len(pairs) % len(CHANGES)]
            with Image.open(path) as image:
                twin = f"val/{found.classes[label]}/{change.__name__}{i:05}.png"
                change(image.convert("RGB"), rng).save(into / twin)
            pairs.add(frozenset((place, twin)))
    return wrong, pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--copies", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        lab = Workspace(Path(temporary))
        into = lab.data / "planted"
        wrong, pairs = plant(asked.folder, into, asked.images, asked.copies, random.Random(asked.seed))
        backbone, preprocess = pretrained("planted", lab)
        photo_images("planted", lab, network=(backbone, preprocess))  # decodes, warms up
        began = time.process_time()
        images = photo_images("planted", lab, network=(backbone, preprocess))
        made = audit("planted", lab, images=images)
        whole = time.process_time() - began
        stored = torch.zeros(len(images), preprocess.channels, preprocess.storage_size, preprocess.storage_size)
        began = time.process_time()
        with torch.inference_mode():
            for batch in stored.split(64):
                backbone(preprocess.to_input(batch))
        once = time.process_time() - began
        named = [s.path for s in made.of("label")][: round(0.15 * len(images))]
        told = {frozenset((s.path, s.suggested)) for s in made.of("duplicate")}
        print(json.dumps({
            "images": len(images),
            "flipped": len(wrong),
            "found_among_first_15_percent": len(wrong & set(named)) / len(wrong),
            "labels_named": len(made.of("label")),
            "copies": len(pairs),
            "copies_found": len(pairs & told) / max(1, len(pairs)),
            "false_copies_per_image": len(told - pairs) / len(images),
            "audit_over_feature_pass": whole / once,
            "seconds_of_processor": [round(whole, 1), round(once, 1)],
        }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
