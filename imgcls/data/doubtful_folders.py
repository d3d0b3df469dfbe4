"""Folders that are not the classes that they would be taken for: versions, parts, and what belongs to images.

They are refused, with what to do, because a network would learn to tell versions apart without a word.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from imgcls.data.file_labels import is_generic
from imgcls.data.folder_parts import folders_in, see_through, split_name
from imgcls.data.folder_problems import listed
from imgcls.errors import DatasetError
from imgcls.imaging.image_files import find_images, natural_key

# Folders of what belongs to each image, as segmentation and detection have them.
COMPANIONS = frozenset(
    "mask masks label labels annotation annotations segmentation segmentations gt ground_truth".split()
)


def check_versions(root: Path, shown: str) -> None:
    """Folders that share their sub-folders' names are versions of one data set, or splits under names unknown here:
    DatasetError, they must not be learnt as classes."""
    inside = {folder: names for folder in folders_in(root) if len(names := _would_be_classes(folder)) > 1}
    for first, other in itertools.combinations(inside, 2):
        shared = set(inside[first]) & set(inside[other])
        if len(shared) < 2 or 2 * len(shared) < max(len(inside[first]), len(inside[other])) or are_splits(shared):
            continue
        alike = [folder for folder in inside if shared & set(inside[folder])]
        raise DatasetError(
            "In {name} the folders {folders} hold the same folders ({shared}): they look like versions or parts of "
            "one data set, not like classes. Use one of them as the data set, e.g. {name}/{first}, or, where they are "
            "classes, put their images directly into them.",
            name=shown,
            folders=listed([folder.name for folder in alike]),
            shared=listed(sorted((inside[first][name] for name in shared), key=natural_key)),
            first=first.name,
        )


def _would_be_classes(folder: Path) -> dict[str, str]:
    """What were classes in `folder`, if that were a data set of its own: behind folders that only wrap them, and in its
    train folder."""
    inner = see_through(folder, in_split=True)
    names = subfolders(inner)
    if not are_splits(set(names)):
        return names
    train = next(name for folded, name in names.items() if (split := split_name(folded)) and split.split == "train")
    return subfolders(see_through(inner / train, in_split=True)) or names


def check_companions(names: Sequence[str], shown: str) -> None:
    """DatasetError where the folders are images and what belongs to them: masks, boxes."""
    folded = {name.casefold() for name in names}
    if folded & COMPANIONS and all(name in COMPANIONS or is_generic(name) for name in folded):
        raise DatasetError(
            "{name} has the folders {folders}: they look like images and what belongs to each of them, not like "
            "classes. Make a folder for each class, and put only the images into it.",
            name=shown,
            folders=listed(list(names)),
        )


def subfolders(folder: Path) -> dict[str, str]:
    """Folders with images in `folder`: name, folded -> name."""
    return {f.name.casefold(): f.name for f in folders_in(folder) if next(find_images(f), None) is not None}


def are_splits(names: set[str]) -> bool:
    """Whether they are names of splits, train among them."""
    splits = [split_name(name) for name in names]
    return all(s and not s.before for s in splits) and any(s and s.split == "train" for s in splits)
