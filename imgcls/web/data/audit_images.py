"""Pictures of what an audit found: photos from their folder, digits from the set, which is kept in memory."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imgcls.data.catalog import folder_of, own_folders
from imgcls.data.registry import is_builtin
from imgcls.errors import ImgclsError
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.web.evaluate.results import as_url
from imgcls.web.shared.work_gate import opened_picture
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.data.datasets import DataSet

THUMBNAIL_PX = 200  # pixels


class Pictures:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._set: tuple[str, DataSet, dict[str, tuple[str, int]]] | None = None  # the last one: some tens of MB

    def thumbnail(self, dataset: str, path: str) -> str:
        """A data URL; "" where the image cannot be read any more. path: as an audit says it."""
        try:
            if is_builtin(dataset):
                return _small(self._known(dataset, path))
            with opened_picture(
                folder_of(dataset, self.workspace) / path, name=short(path), near=THUMBNAIL_PX
            ) as image:
                return _small(image)
        except (ImgclsError, ValueError, LookupError):
            return ""

    def may_change(self, dataset: str) -> bool:
        """Whether it is a person's own."""
        return dataset in own_folders(self.workspace)

    def _known(self, dataset: str, path: str) -> Image.Image:
        """path: "train/12", the image's place in the set's own file."""
        with self._lock:
            if self._set is None or self._set[0] != dataset:
                from imgcls.data.datasets import load_dataset
                from imgcls.data.index_names import names_in_files

                settings = with_recipe({"dataset": dataset})
                data = load_dataset(settings, self.workspace, preprocess_for(settings))
                called = names_in_files(data)
                self._set = (
                    dataset,
                    data,
                    {name: (split, i) for split in called for i, name in enumerate(called[split])},
                )
            _, data, places = self._set
        split_name, index = places[path]
        array = getattr(data, split_name).image(index).permute(1, 2, 0).numpy()
        return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[-1] == 1 else array))


def _small(image: Image.Image) -> str:
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    return as_url(image)


def short(path: str) -> str:
    """ "rose/12.jpg" of "train/rose/12.jpg"."""
    return "/".join(Path(path).parts[-2:])
