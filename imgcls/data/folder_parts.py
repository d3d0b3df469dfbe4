"""How a folder of photos is divided: through folders that only wrap it, into train, val and test or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imgcls.data.folder_problems import ScanReport, listed
from imgcls.errors import DatasetError
from imgcls.imaging.image_files import find_images, is_image_name, is_litter, leads_to, natural_key
from imgcls.messages import Message

MAX_WRAPPERS = 12  # folders inside folders that are seen through: as many as an archive may have
WORDS = {
    "train": ("train", "training", "trn", "trainval", "train val", "train valid", "训练", "訓練"),
    "val": ("val", "valid", "validation", "dev", "eval", "验证", "驗證", "校验"),
    "test": ("test", "testing", "holdout", "测试", "測試"),
}
# No word here may be made of others of them: a name could then be read in 2^n ways, and all of them are tried.
THINGS = "sets|set|data|images|image|imgs|img|photos|pictures|samples|split|folder|dir|集|数据|样本|图片|图像|照片"
MAX_NAME = 80  # characters of a split's name: a table's cell may have millions
SPLIT_NAME = re.compile(
    "|".join(f"(?P<{split}>{'|'.join(synonyms)})" for split, synonyms in WORDS.items()).join(("(?:", ")"))
    + f"(?: ?(?:{THINGS}))*(?P<number> ?[0-9]{{1,4}})?"
)
# The same words anywhere in a name: "1_train", "train_224x224", 水果训练集. Only beside their likes; see _splits_among.
CHINESE = "|".join(f"(?:{word})(?:{THINGS})*" for words in WORDS.values() for word in words if not word.isascii())
WORD_IN_NAME = re.compile(
    rf"(?:(?<= )|^)(?:{'|'.join(w for ws in WORDS.values() for w in ws if w.isascii())})(?= |$)|{CHINESE}"
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
    if len(folder) > MAX_NAME:
        return None
    spaced = _spaced(folder)
    starts = [0, *(space.end() for space in re.finditer(" ", spaced))]
    for start in starts:
        if match := SPLIT_NAME.fullmatch(spaced, start):
            split = next(name for name in WORDS if match[name])
            return SplitName(split, spaced[:start].strip(), bool(match["number"]))
    return None


def _spaced(folder: str) -> str:
    """Its words: "trainA", "train_a" and "Train-A" are "train a"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", folder)
    return re.sub(r"[\W_]+", " ", spaced).strip().casefold().replace("hold out", "holdout")


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
    kinds: dict[str, dict[Path, str]] = {}
    for folder, name in names.items():
        kinds.setdefault(name.before, {})[folder] = name.split
    among_their_likes = _only_group(kinds.values())
    splits = {
        folder: name.split
        for folder, name in names.items()
        if (not name.before and not name.numbered) or folder in among_their_likes
    }
    return splits or _splits_by_word(inside)


def _splits_by_word(inside: Sequence[Path]) -> dict[Path, str]:
    """Folder -> split by a word anywhere in the names, where what stands around it is the same in all of them. Raises
    DatasetError where it differs: train_cat, train_dog, test_cat, test_dog are splits and classes in one."""
    kinds: dict[str, dict[Path, str]] = {}
    for folder in inside:
        spaced = _spaced(folder.name)
        words = list(WORD_IN_NAME.finditer(spaced))
        if len(words) == 1 and (name := split_name(words[0][0])):
            around = re.sub(r"^\d{1,3} ?", "", spaced[: words[0].start()]) + "|" + spaced[words[0].end() :]
            kinds.setdefault(around, {})[folder] = name.split
    group = _only_group(kinds.values())
    return group if all(_has_image(folder) for folder in group) else {}


def _only_group(groups: Iterable[dict[Path, str]]) -> dict[Path, str]:
    """The one of the groups that has a train folder and others."""
    divided = [group for group in groups if "train" in group.values() and len(set(group.values())) > 1]
    if len(divided) > 1:
        first, other = (sorted(folder.name for folder in group) for group in divided[:2])
        raise DatasetError(
            "The folders {first} and {other} look like splits and classes in one: make a folder for each split, and in "
            "it one for each class, e.g. train/cats and test/cats.",
            first=listed(first),
            other=listed(other),
        )
    return divided[0] if divided else {}


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
