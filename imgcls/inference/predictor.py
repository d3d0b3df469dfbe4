"""A checkpoint answers: `Predictor.load(path)(images) -> predictions`.

Every answer comes with the picture that the network really saw. Knows neither the trainer nor data sets; what happens
to an image is what the checkpoint says.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imgcls.checkpoints.format import Meta, load_checkpoint

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor, nn

KEPT = 8  # loaded networks; a ResNet18 takes 45 MB


@dataclass(frozen=True)
class Prediction:
    """`top`: (class name, probability), likeliest first. `model_input`: uint8 (H, W) or (H, W, 3)."""

    label: str
    confidence: float
    top: tuple[tuple[str, float], ...]
    model_input: np.ndarray


class Predictor:
    _kept: OrderedDict[tuple[Path, int, int], Predictor] = OrderedDict()
    _lock = threading.Lock()

    def __init__(self, model: nn.Module, meta: Meta) -> None:
        self.model, self.meta = model, meta

    @classmethod
    def load(cls, path: Path | str) -> Predictor:
        """Raises CheckpointError with one sentence when the file cannot be used."""
        return cls(*load_checkpoint(path))

    @classmethod
    def cached(cls, path: Path | str) -> Predictor:
        """As `load`, but the last few stay in memory until their file changes."""
        path = Path(path)
        try:
            stat = path.stat()
        except OSError:
            return cls.load(path)
        key = (path, stat.st_mtime_ns, stat.st_size)
        with cls._lock:
            if key in cls._kept:
                cls._kept.move_to_end(key)
                return cls._kept[key]
        made = cls.load(path)
        with cls._lock:
            cls._kept[key] = made
            while len(cls._kept) > KEPT:
                cls._kept.popitem(last=False)
        return made

    def __call__(self, images: Sequence[Image.Image], *, top: int | None = None) -> list[Prediction]:
        """One prediction an image, with its `top` likeliest classes (all by default).

        Raises InputError where an image cannot be used, e.g. a blank drawing.
        """
        import torch

        if not images:
            return []
        return self.predict_stored(torch.stack([self.meta.preprocess.to_stored(i) for i in images]), top=top)

    def predict_stored(self, stored: Tensor, *, top: int | None = None) -> list[Prediction]:
        """The same for images already brought to the stored form: uint8 (N, C, stored, stored)."""
        import torch

        inputs = self.meta.preprocess.to_input(stored)
        with torch.inference_mode():
            probabilities = self.model(inputs).softmax(dim=1)
        seen = self.meta.preprocess.picture(inputs).numpy()
        count = min(top or len(self.meta.classes), len(self.meta.classes))
        values, indices = probabilities.topk(count, dim=1)
        answers = []
        for row, (ps, classes) in enumerate(zip(values.tolist(), indices.tolist(), strict=True)):
            named = tuple((self.meta.classes[c], p) for c, p in zip(classes, ps, strict=True))
            picture = seen[row, 0] if seen.shape[1] == 1 else seen[row].transpose(1, 2, 0)
            answers.append(Prediction(named[0][0], named[0][1], named, picture))
        return answers


def warm(path: Path) -> None:
    """Import torch, load the checkpoint at `path` if it is there and run it once, so that the first answer is quick.

    One thread: a drawing's batch is too small to share, and a run beside it needs the other cores.
    """
    import torch

    torch.set_num_threads(1)
    if path.is_file():
        predictor = Predictor.cached(path)
        form = predictor.meta.preprocess
        predictor.predict_stored(
            torch.zeros((1, form.channels, form.storage_size, form.storage_size), dtype=torch.uint8)
        )
