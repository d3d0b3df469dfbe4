"""What the Evaluate tab asks for: figures, images of a cell, one image with all that is said of it.

Evaluations lie on the disk; the last few are kept in memory here, with the images of the sets that ship.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imgcls.checkpoints.format import read_meta
from imgcls.data.catalog import own_folders
from imgcls.errors import DatasetError, ImgclsError
from imgcls.inference.predictor import Prediction
from imgcls.runs.evaluations import Request, find_evaluation, images_for, settings_of
from imgcls.web.shared.kept import Kept
from imgcls.web.shared.work_gate import network, opened_picture
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from torch import Tensor

    from imgcls.data.splitting import Split
    from imgcls.inference.evaluation import Evaluation

CACHE_ENTRIES = 8  # evaluations, some MB each at most
SETS = 2  # of images in memory
THUMBNAIL_PX = 112  # pixels
PAGE = 48  # images at once


@dataclass(frozen=True)
class ImageFilter:
    """Which images: of class `true`, taken for `predicted` (None: any), "right" or "wrong", "sure" or "unsure", with a
    confidence from `low` to `high`."""

    true: int | None = None
    predicted: int | None = None
    verdict: str = ""
    sure: str = ""
    low: float = 0.0
    high: float = 1.0


class Evaluations:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._evaluations: Kept[Evaluation | None] = Kept(CACHE_ENTRIES)
        self._splits: Kept[Split] = Kept(SETS)

    def get(self, request: Request) -> Evaluation:
        """Raises DatasetError where it has to be made (again)."""
        found = self._evaluations.get(
            request, lambda: find_evaluation(request.checkpoint, self.workspace, **request.of)
        )
        if found is None:
            raise DatasetError("This evaluation is not there any more: evaluate again.")
        return found

    def fresh(self, request: Request) -> Evaluation | None:
        """As it lies on the disk now."""
        self._evaluations.forget(request)
        try:
            return self.get(request)
        except DatasetError:
            return None

    def choose(self, evaluation: Evaluation, image_filter: ImageFilter) -> Tensor:
        """Places in the evaluation, wrong before right, and in either the most confident first."""
        out, right, confidence = evaluation.outputs, evaluation.outputs.right, evaluation.outputs.confidence
        chosen = (confidence >= image_filter.low) & (confidence <= image_filter.high)
        if image_filter.true is not None:
            chosen &= out.labels == image_filter.true
        if image_filter.predicted is not None:
            chosen &= out.classes[:, 0] == image_filter.predicted
        if image_filter.verdict:
            chosen &= right == (image_filter.verdict == "right")
        if image_filter.sure:
            chosen &= out.sure == (image_filter.sure == "sure")
        places = chosen.nonzero()[:, 0]
        return places[(right[places].float() * 2 - confidence[places]).argsort(stable=True)]

    def thumbnail(self, evaluation: Evaluation, place: int) -> str:
        """A data URL; "" where the image cannot be read any more."""
        try:
            with self.original(evaluation, place, near=THUMBNAIL_PX) as image:
                image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
                return as_url(image)
        except ImgclsError:
            return ""

    def large(self, evaluation: Evaluation, place: int, *, side: int = 480) -> str:
        with self.original(evaluation, place, near=side) as image:
            image.thumbnail((side, side))
            return as_url(image)

    def predict(self, evaluation: Evaluation, place: int) -> tuple[Prediction, list[str]]:
        """(what the checkpoint says of this image, the training images most like it)."""
        import torch

        predictor = network(Path(evaluation.checkpoint))
        form = predictor.meta.preprocess
        if evaluation.paths is None:
            stored = self._split(evaluation).image(int(evaluation.indices[place]))[None]
        else:
            path = Path(evaluation.paths[int(evaluation.indices[place])])
            with opened_picture(path, name=path.name, keep_alpha=True) as image:
                stored = form.to_stored(image)[None]
        (prediction,) = predictor.predict_stored(stored, top=10)
        if predictor.calibration is None:
            return prediction, []
        with torch.inference_mode():
            _, features = predictor.run(form.to_input(stored))
        return prediction, predictor.calibration.nearest(features, 6)[0]

    def name(self, evaluation: Evaluation, place: int) -> str:
        """ "rose/12.jpg", or the number of the image in its part."""
        if evaluation.paths is None:
            return f"{evaluation.part} {int(evaluation.indices[place]):,}"
        return "/".join(Path(evaluation.paths[int(evaluation.indices[place])]).parts[-2:])

    def own_path(self, evaluation: Evaluation, place: int) -> str | None:
        """The image below its data set's folder, where the set is a person's own and may be changed."""
        if evaluation.paths is None or evaluation.dataset not in own_folders(self.workspace):
            return None
        root = self.workspace.data / evaluation.dataset
        try:
            return Path(evaluation.paths[int(evaluation.indices[place])]).relative_to(root).as_posix()
        except ValueError:
            return None

    @contextmanager
    def original(self, evaluation: Evaluation, place: int, *, near: int | None = None) -> Iterator[Image.Image]:
        """The image, while the block lasts. near: a photo may be read smaller, but no smaller than this."""
        index = int(evaluation.indices[place])
        if evaluation.paths is not None:
            path = Path(evaluation.paths[index])
            with opened_picture(path, name=path.name, near=near) as image:
                yield image
            return
        array = self._split(evaluation).image(index).permute(1, 2, 0).numpy()
        yield Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[-1] == 1 else array))

    def to_load(self, evaluation: Evaluation) -> Hashable:
        """Names the images that have to be read as a whole before one of them is shown; None where none have."""
        if evaluation.paths is not None:
            return None
        key = self._images(evaluation)
        return None if key in self._splits else key

    def load(self, evaluation: Evaluation) -> None:
        """Read them, which takes seconds. What is wrong with them is told where one is asked for."""
        with suppress(ImgclsError):
            self._split(evaluation)

    def _split(self, evaluation: Evaluation) -> Split:
        """The part of a built-in set that was evaluated."""
        path = Path(evaluation.checkpoint)

        def load() -> Split:
            return images_for(path, self.workspace, dataset=evaluation.dataset, part=evaluation.part).split

        return self._splits.get(self._images(evaluation), load)

    def _images(self, evaluation: Evaluation) -> Hashable:
        meta = read_meta(Path(evaluation.checkpoint))
        which = meta.manifest or evaluation.checkpoint  # without a manifest its own settings say which images
        return evaluation.dataset, evaluation.part, meta.preprocess, which


def training_image(checkpoint: Path, name: str, workspace: Workspace) -> str:
    """The image that the checkpoint's calibration calls `name`, as a data URL; "" where it is not there (any more)."""
    trained = settings_of(checkpoint).dataset
    if trained not in own_folders(workspace) or ".." in name:
        return ""
    root = workspace.data / trained
    for path in (root / name, root / "train" / name):
        if root in path.parents and path.is_file():  # a name of a checkpoint is not trusted: it may be absolute
            return thumbnail(path)
    return ""


def thumbnail(path: Path, side: int = THUMBNAIL_PX) -> str:
    """A small picture of it as a data URL; "" where it cannot be read."""
    try:
        with opened_picture(path, name=path.name, near=side) as image:
            image.thumbnail((side, side))
            return as_url(image)
    except ImgclsError:
        return ""


def as_url(image: Image.Image) -> str:
    """PNG for what is small and grey (digits), JPEG for photos."""
    file = io.BytesIO()
    small = max(image.size) <= 64
    image.save(file, "PNG" if small else "JPEG", **({} if small else {"quality": 82}))
    kind = "png" if small else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(file.getvalue()).decode()
