"""220 digits that 11 people drew with a pen (UJI Pen Characters), rendered under many conditions. Never trained on.

Source: F. Prat et al., UJI Pen Characters, UCI; drawn-digits-uji.json holds its digits.
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from imgcls.imaging.digits import mnist_normalize
from imgcls.imaging.strokes import render

UJI = json.loads((Path(__file__).parent / "drawn-digits-uji.json").read_text())
LABELS = [str(d["label"]) for d in UJI]


def drawn(side=280, size=0.6, place=(0.5, 0.5), brush=0.07):
    """Every drawing on a canvas: `size` of the side, its middle at `place`, a brush of so much of the side."""
    images = []
    for drawing in UJI:
        half, centre = size * side / 2, [p * side for p in place]
        box = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
        images.append(render(drawing["strokes"], side=side, width=max(1, brush * side), box=box))
    return images


def dark_on_white(image):
    return ImageOps.invert(image)


def transparent(image):
    """Dark ink on nothing, as a PNG from a drawing program."""
    made = Image.new("RGBA", image.size, (20, 30, 60, 0))
    made.putalpha(image)
    return made


def light_on_transparent(image):
    made = Image.new("RGBA", image.size, (255, 255, 255, 0))
    made.putalpha(image)
    return made


def coloured(image):
    return ImageOps.colorize(image, black="#fff3c0", white="#c02020")


def photographed(image, seed=0):
    """Pencil on shaded, noisy paper, slightly out of focus."""
    random = np.random.default_rng(seed)
    ink = np.asarray(image.filter(ImageFilter.GaussianBlur(image.width / 250)), np.float32) / 255
    y, x = np.mgrid[-1 : 1 : ink.shape[0] * 1j, -1 : 1 : ink.shape[1] * 1j]
    paper = 190 + 30 * x - 18 * y - 12 * x * y + random.normal(0, 5, ink.shape)
    return Image.fromarray(np.clip(paper * (1 - ink) + 60 * ink, 0, 255).astype(np.uint8)).convert("RGB")


CONDITIONS = {
    "as the pad draws": {},
    "tiny": {"size": 0.2, "brush": 0.02},
    "small": {"size": 0.35, "brush": 0.04},
    "large": {"size": 0.92},
    "top left": {"size": 0.4, "place": (0.22, 0.22), "brush": 0.05},
    "bottom right": {"size": 0.4, "place": (0.78, 0.78), "brush": 0.05},
    "hairline": {"brush": 0.006},
    "fine": {"brush": 0.03},
    "broad": {"brush": 0.11},
    "very broad": {"size": 0.75, "brush": 0.14},
    "canvas of 100": {"side": 100},
    "canvas of 700": {"side": 700},
    "canvas of 1200, fine": {"side": 1200, "brush": 0.015},
}
PAPERS = {
    "dark on white": dark_on_white,
    "dark on transparent": transparent,
    "light on transparent": light_on_transparent,
    "red on yellow": coloured,
    "photographed": photographed,
}


INKS = {"": {}, ", fine and small": {"size": 0.4, "brush": 0.025}, ", broad": {"brush": 0.1}}
NAMES = [*CONDITIONS, *(paper + ink for paper in PAPERS for ink in INKS)]


def under(name):
    """The 220 drawings under one condition."""
    if name in CONDITIONS:
        return drawn(**CONDITIONS[name])
    paper, ink = next((p, i) for p in PAPERS for i in INKS if p + i == name)
    return [PAPERS[paper](image) for image in drawn(**INKS[ink])]


def seen(name):
    """What the network is given of them: uint8 (220, 28, 28)."""
    return np.stack([mnist_normalize(image) for image in under(name)])
