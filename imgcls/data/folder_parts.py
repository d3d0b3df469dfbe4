"""How a folder of photos is divided: through folders that only wrap it, into train, val and test or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imgcls.data.folder_problems import ScanReport, listed
from imgcls.errors import DatasetError
from imgcls.imaging.image_files import find_images, is_image_name, is_litter, leads_to, natural_key
from imgcls.messages import Message

MAX_WRAPPERS = 6  # folders inside folders that are seen through
WORDS = {
    "train": ("train", "training", "trn", "训练", "訓練"),
    "val": ("val", "valid", "validation", "dev", "eval", "验证", "驗證"),
    "test": ("test", "testing", "holdout", "测试", "測試"),
}
THINGS = (
    "set|sets|data|dataset|images|image|imgs|img|photos|pictures|samples|split|folder"
    "|集|数据|数据集|样本|图片|图像|照片"
)
SPLIT_NAME = re.compile(
    "|".join(f"(?P<{split}>{'|'.join(synonyms)})" for split, synonyms in WORDS.items()).join(("(?:", ")"))
    + f"(?: ?(?:{THINGS}))*(?P<number> ?[0-9]{{1,4}})?"
)
PLAIN = frozenset(("train", "training", "val", "valid", "validation", "test", "testing"))  # which need no explaining


@dataclass(frozen=True)
class SplitName:
    """What a folder's name says: `split`; `before`: what stands before it ("seg" in seg_train); numbered: "test1"."""

    split: str
    before: str = ""
    numbered: bool = False


def split_name(folder: str) -> SplitName | None:
    """None where the name is no split's. Letter case, "_" and "-" do not matter."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", folder)
    spaced = re.sub(r"[\W_]+", " ", spaced).strip().casefold().replace("hold out", "holdout")
    starts = [0, *(space.end() for space in re.finditer(" ", spaced))]
    for start in starts:
        if match := SPLIT_NAME.fullmatch(spaced, start):
            split = next(name for name in WORDS if match[name])
            return SplitName(split, spaced[:start].strip(), bool(match["number"]))
    return None


def see_through(root: Path, *, in_split: bool = False) -> Path:
    """Down through folders that hold one folder and nothing else, as long as that holds folders itself.

    in_split: `root` is a split already; one of its name in it only wraps it.
    """
    for _ in range(MAX_WRAPPERS):
        inside = folders_in(root)
        if len(inside) != 1 or images_in(root) or (_is_plain(inside[0]) and not in_split) or not folders_in(inside[0]):
            break
        root = inside[0]
    return root


def find_parts(root: Path, report: ScanReport) -> dict[str, Path] | None:
    """Split -> its folder where `root` is divided into train, val and test; None where it holds classes.

    Their images lie in class folders, or have their labels in their names or in a table.
    """
    inside = folders_in(root)
    named = _splits_among(inside)
    if not named:
        return None
    everything = len(named) == len(inside)
    nested = [folder for folder in named if any(_has_image(c) for c in folders_in(folder))]
    flat = any(split == "train" and images_in(folder) for folder, split in named.items())
    if not nested and not (everything and flat):
        for folder in named:
            report.note(
                "class-named-like-part",
                Message(
                    "{name} has a class called {folder}: if that is a part of the data and not a class, put the class "
                    "folders inside it.",
                    name=report.name,
                    folder=folder.name,
                ),
            )
        return None
    splits: dict[str, Path] = {}
    for folder, split in named.items():
        if split in splits:
            raise DatasetError(
                "{name} has two folders for {part}, {folder} and {other}: join them into one.",
                name=report.name,
                part=split,
                folder=splits[split].name,
                other=folder.name,
            )
        splits[split] = folder
    if "train" not in splits:
        if not everything:
            return None
        raise DatasetError(
            "{name} has {folders} but no train folder: add one.",
            name=report.name,
            folders=listed([f.name for f in named]),
        )
    for folder in inside:
        if folder not in named:
            report.note(
                "folder-beside-parts",
                Message(
                    "{name}/{folder} is left out: beside train only val and test are used.",
                    name=report.name,
                    folder=folder.name,
                ),
            )
    return splits


def _splits_among(inside: Sequence[Path]) -> dict[Path, str]:
    """Folder -> split. With something before the word, or a number behind it, only beside a train folder of the kind:
    seg_train and seg_test, train and test1, and not a class called "crash test"."""
    names = {folder: name for folder in inside if (name := split_name(folder.name))}
    kinds: dict[str, set[str]] = {}
    for name in names.values():
        kinds.setdefault(name.before, set()).add(name.split)
    splits = {}
    for folder, name in names.items():
        beside = kinds[name.before]
        if (not name.before and not name.numbered) or ("train" in beside and len(beside) > 1):
            splits[folder] = name.split
    return splits


def _is_plain(folder: Path) -> bool:
    name = split_name(folder.name)
    return name is not None and not name.before and not name.numbered


def folders_in(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            names = [e.name for e in entries if not is_litter(e.name) and leads_to(e, os.DirEntry.is_dir)]
    except OSError:
        raise DatasetError("The folder {root} cannot be read: check that you may.", root=root) from None
    return [root / name for name in sorted(names, key=natural_key)]


def images_in(root: Path) -> int:
    with os.scandir(root) as entries:
        return sum(is_image_name(e.name) and not is_litter(e.name) for e in entries)


def _has_image(folder: Path) -> bool:
    return next(find_images(folder), None) is not None
