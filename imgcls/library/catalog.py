"""What there is to train on and to train, and what may be wrong with a data set."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgcls.errors import DatasetError
from imgcls.models.registry import REGISTRY, ModelSpec
from imgcls.plugins import load_plugins
from imgcls.workspace import Workspace, typed_path

if TYPE_CHECKING:
    from imgcls.audit.findings import Audit


@dataclass(frozen=True)
class DatasetInfo:
    """A data set that there is. `is_here`: whether its files are; otherwise `imgcls fetch NAME` gets them."""

    name: str
    is_here: bool


def datasets() -> list[DatasetInfo]:
    """Every data set: the built-in and registered ones, then the folders under data/."""
    from imgcls.data.report import available_datasets

    load_plugins()
    return [DatasetInfo(name, is_here) for name, is_here in available_datasets(Workspace.from_environment())]


def dataset_name(dataset: str | os.PathLike[str]) -> str:
    """As the settings have it: a Path is a path even where it has one part only, which as text would be a name. Raises
    DatasetError where it is neither."""
    if not isinstance(dataset, str | os.PathLike):
        raise DatasetError(
            "A data set is given by its name or its folder, not as {kind}: register_dataset gives a set of your own a "
            "name.",
            kind=type(dataset).__name__,
        )
    return dataset if isinstance(dataset, str) else str(typed_path(dataset))


def models() -> list[ModelSpec]:
    """Every network: the lab's own, registered ones, and torchvision's classification networks."""
    load_plugins()
    return list(REGISTRY.values())


def audit(
    dataset: str | os.PathLike[str], *, train_images: int = 0, progress: Callable[[int, int], None] | None = None
) -> Audit:
    """Look for labels that are probably wrong, duplicates and images that are like no other.

    Args:
        dataset: a data set's name, or the path of a folder with a folder of images a class.
        train_images: look only at those that a run with this setting learns from; 0: at all.
        progress: called with (images done, images in all).

    Returns the findings, the worst of each kind first; the page shows them, too. Raises DatasetError.
    """
    from imgcls.runs.audits import Request, make_audit

    load_plugins()
    request = Request(dataset_name(dataset), train_images=train_images)
    return make_audit(request, Workspace.from_environment(), progress=progress)
