"""A checkpoint answers: `Predictor.load(path)(images) -> predictions`.

Every answer comes with the picture that the network really saw. Knows neither the trainer nor data sets; what happens
to an image is what the checkpoint says.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgcls.checkpoints.format import Meta, load_checkpoint, read_extra

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor, nn

    from imgcls.inference.calibration import Calibration

TIMED = 4  # images that go forward to see how many threads are fastest
CONFIDENT_FROM = 0.5  # familiarity from which an answer counts
CACHE_ENTRIES = 8  # loaded networks; a ResNet18 takes 45 MB
OFTEN = 32  # answers after which a network that stays in memory is likely to be asked for many more
KEPT_BYTES = 1_000_000_000  # of their weights together; an AlexNet takes 233 MB


@dataclass(frozen=True)
class Prediction:
    """`top`: (class name, probability), likeliest first. `model_input`: uint8 (H, W) or (H, W, 3).

    `sure`: it looks like what the network was trained on; `familiarity`: how much, from 0 to 1, None where the
    checkpoint is not calibrated; `nearest`: the class it looks most like; `place`: where it lies on the checkpoint's
    map, in -1..1.
    """

    label: str
    confidence: float
    top: tuple[tuple[str, float], ...]
    model_input: np.ndarray
    sure: bool = True
    familiarity: float | None = None
    nearest: str | None = None
    place: tuple[float, float] | None = None


class Predictor:
    _kept: OrderedDict[tuple[Path, int, int], Predictor] = OrderedDict()
    _lock = threading.Lock()
    _loading: dict[tuple[Path, int, int], threading.Lock] = {}

    def __init__(self, model: nn.Module, meta: Meta, calibration: Calibration | None = None) -> None:
        from imgcls.inference.features import FeatureExtractor

        self.model, self.meta, self.calibration = model, meta, calibration
        self.run = FeatureExtractor(model)
        self._weights = sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
        self._stays, self._answered, self._hastening = False, 0, threading.Lock()

    @property
    def bytes(self) -> int:
        """Of the weights in memory, another program's included."""
        return self._weights + self.run.bytes

    @classmethod
    def load(cls, path: Path | str) -> Predictor:
        """Raises CheckpointError with one sentence when the file cannot be used."""
        from imgcls.inference.calibration import Calibration

        predictor = cls(*load_checkpoint(path))
        predictor.calibration = Calibration.from_tensors(
            read_extra(Path(path)),
            features=predictor.run.features,
            activation_count=predictor.run.width,
            classes=len(predictor.meta.classes),
        )
        return predictor

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
            loading = cls._loading.setdefault(key, threading.Lock())
        with loading:  # however many ask for the first time, one of them loads it
            with cls._lock:
                if key in cls._kept:
                    return cls._kept[key]
            try:
                predictor = cls.load(path)
                with cls._lock:
                    cls._keep(key, predictor)
            finally:
                with cls._lock:
                    cls._loading.pop(key, None)
        return predictor

    @classmethod
    def _keep(cls, key: tuple[Path, int, int], predictor: Predictor) -> None:
        cls._kept[key], predictor._stays = predictor, True
        while len(cls._kept) > 1 and (
            len(cls._kept) > CACHE_ENTRIES or sum(predictor.bytes for predictor in cls._kept.values()) > KEPT_BYTES
        ):
            cls._kept.popitem(last=False)

    def __call__(
        self, images: Sequence[Image.Image], *, top: int | None = None, language: str = "en"
    ) -> list[Prediction]:
        """One prediction an image, with its `top` likeliest classes (all by default), named in `language` where the
        checkpoint has names in it.

        Raises InputError where an image cannot be used, e.g. a blank drawing.
        """
        import torch

        if not images:
            return []
        return self.predict_stored(
            torch.stack([self.meta.preprocess.to_stored(i) for i in images]), top=top, language=language
        )

    @contextmanager
    def threads(self, images: int) -> Iterator[None]:
        """Inside, torch has the number of threads that answers for `images` images soonest, here and now, and another
        program runs most of the network where that pays."""
        import torch

        from imgcls.models.threads import fastest_threads

        form, device = self.meta.preprocess, next(self.model.parameters()).device
        if device.type != "cpu":
            yield
            return
        inputs = torch.zeros(TIMED, form.channels, form.size, form.size)

        def forward() -> None:
            with torch.inference_mode():
                self.run(inputs)

        with fastest_threads(forward, images / TIMED):
            generator = torch.Generator().manual_seed(0)
            self.run.hasten(torch.randn(inputs.shape, generator=generator), images=images)
            yield

    def _hasten(self, inputs: Tensor) -> None:
        """Once it has been asked often; one thread tries what is faster, the others go on meanwhile."""
        self._answered += len(inputs)
        if self._stays and self._answered >= OFTEN and self._hastening.acquire(blocking=False):  # and keeps it
            self.run.hasten(inputs[:TIMED], images=math.inf)

    def predict_stored(self, stored: Tensor, *, top: int | None = None, language: str = "en") -> list[Prediction]:
        """The same for images already brought to the stored form: uint8 (N, C, stored, stored)."""
        import torch

        inputs, names = self.meta.preprocess.to_input(stored), self.meta.names(language)
        self._hasten(inputs)
        with torch.inference_mode():
            logits, activations = self.run(inputs)
            details = self._familiar(activations, names)
            calibration = self.calibration
            probabilities = calibration.probabilities(logits) if calibration else logits.softmax(dim=1)
        pictures = self.meta.preprocess.picture(inputs).numpy()
        count = min(top or len(self.meta.classes), len(self.meta.classes))
        values, indices = probabilities.topk(count, dim=1)
        answers = []
        for row, (ps, classes) in enumerate(zip(values.tolist(), indices.tolist(), strict=True)):
            named = tuple((names[c], p) for c, p in zip(classes, ps, strict=True))
            picture = pictures[row, 0] if pictures.shape[1] == 1 else pictures[row].transpose(1, 2, 0)
            answers.append(Prediction(named[0][0], named[0][1], named, picture, **details[row]))
        return answers

    def _familiar(self, activations: Tensor, names: Sequence[str]) -> list[dict[str, Any]]:
        """What a Prediction says of familiarity, a row each."""
        if self.calibration is None:
            return [{} for _ in activations]
        familiarity, nearest = self.calibration.familiarity(activations)
        rows = zip(familiarity.tolist(), nearest.tolist(), self.calibration.place(activations).tolist(), strict=True)
        return [
            {"sure": f >= CONFIDENT_FROM, "familiarity": f, "nearest": names[c], "place": (x, y)}
            for f, c, (x, y) in rows
        ]


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
