"""Pictures of what an audit found: photos from their folder, digits from the set, which is kept in memory."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imgcls.data.catalog import folder_of, own_folders
from imgcls.data.registry import is_builtin
from imgcls.errors import ImgclsError
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.web.evaluate.results import as_url
from imgcls.web.shared.kept import Kept
from imgcls.web.shared.work_gate import opened_picture
from imgcls.workspace import Workspace

if TYPE_CHECKING:
    from imgcls.data.datasets import DataSet

THUMBNAIL_PX = 200  # pixels
SETS = 2  # in memory, some tens of MB each
Places = dict[str, tuple[str, int]]  # of each image's name: its split, and its index there


class Pictures:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._sets: Kept[tuple[DataSet, Places]] = Kept(SETS)

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

    def to_load(self, dataset: str) -> bool:
        """Whether the set has to be read as a whole before one of its images is shown."""
        return is_builtin(dataset) and dataset not in self._sets

    def load(self, dataset: str) -> None:
        """Read it, which takes seconds. Of what cannot be read there is no picture."""
        with suppress(ImgclsError, ValueError, LookupError):
            self._set(dataset)

    def _set(self, dataset: str) -> tuple[DataSet, Places]:
        from imgcls.data.datasets import load_dataset
        from imgcls.data.index_names import names_in_files

        def read() -> tuple[DataSet, Places]:
            settings = with_recipe({"dataset": dataset})
            data = load_dataset(settings, self.workspace, preprocess_for(settings))
            called = names_in_files(data)
            return data, {name: (split, i) for split in called for i, name in enumerate(called[split])}

        return self._sets.get(dataset, read)

    def _known(self, dataset: str, path: str) -> Image.Image:
        """path: "train/12", the image's place in the set's own file."""
        data, places = self._set(dataset)
        split_name, index = places[path]
        array = getattr(data, split_name).image(index).permute(1, 2, 0).numpy()
        return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[-1] == 1 else array))


def _small(image: Image.Image) -> str:
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    return as_url(image)


def short(path: str) -> str:
    """ "rose/12.jpg" of "train/rose/12.jpg"."""
    return "/".join(Path(path).parts[-2:])
