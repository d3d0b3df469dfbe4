"""A trained network from a checkpoint, as something to call with images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, overload

from imgcls.checkpoints.store import checkpoint_path
from imgcls.errors import CheckpointError, InputError
from imgcls.library.html import html
from imgcls.plugins import load_plugins
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from torch import Tensor, nn

    from imgcls.inference.classify import Classification
    from imgcls.inference.predictor import Predictor
    from imgcls.library.training import Run

    Picture: TypeAlias = str | os.PathLike[str] | Image.Image | np.ndarray | Tensor

BATCH_IMAGES = 64
SHOWN_CLASSES = 5


@dataclass(frozen=True)
class Prediction:
    """What a network says of an image. In a notebook it shows itself as bars.

    Attributes:
        label: the likeliest class; of several digits side by side, the number that they make.
        confidence: its probability, 0 to 1.
        top: (class, probability) pairs, likeliest first.
        is_confident: whether the image looks like those that the network was trained on; an unusual one is answered
            all the same.
        model_input: uint8 (H, W) or (H, W, 3), the image as the network got it.
    """

    label: str
    confidence: float
    top: tuple[tuple[str, float], ...]
    is_confident: bool
    model_input: np.ndarray = field(repr=False, compare=False)

    def _repr_html_(self) -> str:
        return html("prediction", prediction=self, shown=self.top[:SHOWN_CLASSES], picture=_data_url(self.model_input))


class Net:
    """A trained network: call it with an image, or with a list of images, which go through it in batches.

    An image is a path, a PIL image, a numpy array (uint8, or float from 0 to 1; (H, W), (H, W, 1) or (H, W, 3)) or a
    torch tensor (uint8, or float from 0 to 1; (H, W), (1, H, W) or (3, H, W)). An array or a tensor with four
    dimensions counts as a list. Each image is preprocessed as in training: do not resize or normalise it yourself.

    Attributes:
        name: of the run that it comes from.
        path: its checkpoint.
        classes: class names, in the order of the network's outputs.
        model: the plain torch.nn.Module, in eval mode, with its weights.
    """

    def __init__(self, path: Path) -> None:
        from imgcls.inference.predictor import Predictor

        self.path = path
        self.name = path.parent.name
        self._predictor: Predictor = Predictor.load(path)

    @property
    def model(self) -> nn.Module:
        return self._predictor.model

    @property
    def classes(self) -> tuple[str, ...]:
        return self._predictor.meta.classes

    def __repr__(self) -> str:
        return f"Net({self.name!r}, model={self._predictor.meta.model!r}, classes={len(self.classes)})"

    @overload
    def __call__(self, images: Picture, /, *, top: int | None = None) -> Prediction: ...

    @overload
    def __call__(self, images: Sequence[Picture], /, *, top: int | None = None) -> list[Prediction]: ...

    def __call__(self, images: Any, /, *, top: int | None = None) -> Prediction | list[Prediction]:
        """Classify an image, or each of a list. `top`: how many classes to name, all by default.

        Raises InputError where an image cannot be read or has nothing on it.
        """
        if isinstance(images, list | tuple) or (not isinstance(images, str) and getattr(images, "ndim", 0) == 4):
            return [answer for batch in _batches(images) for answer in self._classify(batch, top)]
        return self._classify([images], top)[0]

    def _classify(self, images: Sequence[Any], top: int | None) -> list[Prediction]:
        from imgcls.inference.classify import classify_prepared, prepare

        prepared = [prepare(self._predictor.meta.preprocess, as_picture(image)) for image in images]
        return [_prediction(reading) for reading in classify_prepared(self._predictor, prepared, top=top)]


def load(checkpoint: str | os.PathLike[str] | Run) -> Net:
    """Load a trained network.

    Args:
        checkpoint: a run, a run's name ("lenet-digits", "lenet-mnist" and "imagenet" ship), "name/last" for the last
            epoch's weights instead of the best, or a checkpoint file.

    Raises CheckpointError where there is none, or where it cannot be used.
    """
    load_plugins()
    return Net(path_of(checkpoint, Workspace.from_environment()))


def path_of(checkpoint: str | os.PathLike[str] | Run, workspace: Workspace) -> Path:
    """The file of what the library takes for a checkpoint. Raises CheckpointError."""
    name = checkpoint if isinstance(checkpoint, str | os.PathLike) else getattr(checkpoint, "name", None)
    if not isinstance(name, str | os.PathLike):
        raise CheckpointError(
            "A checkpoint is given as a run, by a run's name or by its file, not as {kind}.",
            kind=type(checkpoint).__name__,
        )
    return checkpoint_path(name, workspace)


def as_picture(image: Any) -> Image.Image:
    """A path, a PIL image, an array or a tensor as a PIL image. Raises InputError."""
    from PIL import Image

    if isinstance(image, str | os.PathLike):
        from imgcls.imaging.image_io import open_image

        return open_image(os.fspath(image), keep_alpha=True)
    if isinstance(image, Image.Image):
        from imgcls.imaging.image_io import upright

        return upright(image)
    return Image.fromarray(_as_uint8(image))


def _as_uint8(image: Any) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3). Raises InputError where an array or a tensor is no image."""
    import numpy as np

    if hasattr(image, "detach"):  # a tensor: channels first
        array = image.detach().cpu().numpy()
        array = np.moveaxis(array, 0, -1) if array.ndim == 3 else array
    elif isinstance(image, np.ndarray):
        array = image
    else:
        raise InputError(
            "An image is a path, a PIL image, a numpy array or a torch tensor, not {kind}.", kind=type(image).__name__
        )
    array = array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3) or 0 in array.shape:
        raise InputError(
            "An array of shape {shape} is not an image: give (height, width) or (height, width, 3), or as a tensor "
            "(height, width), (1, height, width) or (3, height, width).",
            shape=tuple(image.shape),
        )
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind != "f" or not np.isfinite(array).all() or array.min() < 0 or array.max() > 1:
        raise InputError(
            "The values of an image are whole numbers from 0 to 255 (uint8), or floats from 0 to 1: give it as it was "
            "before it was normalised."
        )
    return np.rint(array * 255).astype(np.uint8)


def _batches(images: Any) -> list[Any]:
    return [images[i : i + BATCH_IMAGES] for i in range(0, len(images), BATCH_IMAGES)]


def _prediction(reading: Classification) -> Prediction:
    return Prediction(
        label=reading.label,
        confidence=reading.confidence,
        top=reading.top,
        is_confident=reading.sure,
        model_input=reading.parts[0].model_input,
    )


def _data_url(pixels: np.ndarray) -> str:
    import base64
    import io

    from PIL import Image

    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG")
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
