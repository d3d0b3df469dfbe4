"""What a folder of few photos is worth, from Python."""

from __future__ import annotations

import os

from imgcls.library.catalog import dataset_name
from imgcls.plugins import load_plugins
from imgcls.training import cross_validation
from imgcls.training.cross_validation import CrossValidation
from imgcls.workspace import Workspace


def cross_validate(dataset: str | os.PathLike[str], *, folds: int = cross_validation.FOLDS) -> CrossValidation:
    """Ask about every photo of a folder once, by a last layer that has not learnt from it: an accuracy from all photos,
    with its interval, in seconds. For folders of so few photos that a validation part says little. No run is made.

    Args:
        dataset: a folder of photos, as for `train`.
        folds: into how many parts it is cut.

    Raises DatasetError where there are too few photos, or WeightsError.
    """
    load_plugins()
    return cross_validation.cross_validate(dataset_name(dataset), Workspace.from_environment(), folds=folds)
