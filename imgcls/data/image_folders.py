"""A folder of photos -> its classes, its parts and what is odd about it, by names alone: no image is opened.

Understands `root/<class>/*`, `root/<split>/<class>/*` and `root/<class>/<split>/*` under the names that others give
splits (folder_parts.py), and images whose labels stand in their names or in a table (file_labels.py); any of them
inside more folders (what a zip of a folder unpacks to). What was understood is noted where it is not plain, and what is
doubtful is refused. Knows nothing of pixels, tensors or settings.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from imgcls.data.doubtful_folders import are_splits, check_companions, check_versions, subfolders
from imgcls.data.file_labels import (
    NAMED_FILES,
    FileLabels,
    is_generic,
    name_labels,
    other_table,
    table_labels,
    tables_in,
)
from imgcls.data.folder_parts import PLAIN, find_parts, folders_in, images_in, see_through, split_name
from imgcls.data.folder_problems import Problem, ScanReport, listed
from imgcls.errors import DatasetError
from imgcls.imaging.image_files import find_images, is_image_name, is_litter
from imgcls.messages import Message, Setting, plural, readable

MAX_FILES = 1_000_000
MAX_CLASSES = 1_000
MIN_CLASSES = 2


@dataclass(frozen=True)
class PhotoFolder:
    """`root`: where the classes or parts lie, wrappers seen through; `splits`: part -> [(path, class index)]; `sorted`:
    an image's class is the folder that it lies in, so that moving it changes its class.

    `splits` always has "train"; "val" and "test" only where the folder brings them.
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    splits: dict[str, list[tuple[Path, int]]]
    problems: tuple[Problem, ...] = ()
    sorted: bool = True

    @property
    def notes(self) -> tuple[Message, ...]:
        return tuple(problem.message for problem in self.problems)


@dataclass(frozen=True)
class _Labelled:
    """A folder's images: class names and [(path, class index)]; `how`: a note, where no folders are the classes."""

    names: tuple[str, ...]
    files: list[tuple[Path, int]]
    how: Message | None = None
    splits: dict[Path, str] = field(default_factory=dict)


def scan(root: Path, *, name: str | None = None, least: int = MIN_CLASSES) -> PhotoFolder:
    """The photos under `root`. Raises DatasetError where there is nothing that can be trained on.

    Classes are sorted naturally ("2" before "10"); a class holds every image below its folder, as torchvision's
    ImageFolder has it. A path in `splits` starts with `root` as it was given. name: what to call it in sentences.
    least: classes that it must have; one is enough to measure a network on.
    """
    name = name or f"{root.parent.name}/{root.name}".lstrip("/")
    if not os.path.isdir(root):
        raise DatasetError("There is no folder {root}: check its name.", root=root)
    report = ScanReport(name)
    inner = see_through(root)
    split_folders = find_parts(inner, report)
    tables = tables_in(root)
    if split_folders is None:
        whole = _labelled(inner, name, tables, report)
        if len(whole.names) < least:
            _too_few(whole.names, inner, report)
        classes, splits, by_folder = _by_class_first(whole, inner, report)
        by_folder = by_folder and whole.how is None
    else:
        classes, splits, by_folder = _split(split_folders, tables, report)
        if len(classes) < least:
            _too_few(classes, inner, report)
    _other_files(inner, report)
    return PhotoFolder(name, inner, classes, splits, tuple(report.problems), by_folder)


def folder_state(root: Path) -> Iterator[tuple[str, int, int]]:
    """Name below `root`, size and time (nanoseconds) of every image there, behind links too; nothing is read."""
    start = os.path.join(root, "")
    for path in find_images(root):
        try:
            stat = os.stat(path)
        except OSError:
            continue
        yield str(path).removeprefix(start), stat.st_size, stat.st_mtime_ns


def _split(
    split_folders: dict[str, Path], tables: list[Path], report: ScanReport
) -> tuple[tuple[str, ...], dict[str, list[tuple[Path, int]]], bool]:
    train = _labelled(
        see_through(split_folders["train"], in_split=True),
        f"{report.name}/{split_folders['train'].name}",
        tables,
        report,
    )
    if not train.names:
        _no_classes_in_train(split_folders, report)
    classes, splits, by_folder = train.names, {"train": train.files}, train.how is None
    index = {name.casefold(): i for i, name in enumerate(classes)}
    for split in ("val", "test"):
        if split not in split_folders:
            continue
        folder = split_folders[split]
        labelled = _labelled(see_through(folder, in_split=True), f"{report.name}/{folder.name}", tables, report)
        if not any(name.casefold() in index for name in labelled.names):
            report.note(
                "part-without-classes",
                Message(
                    "{name}/{folder} is left out: it has none of the classes that train has.",
                    name=report.name,
                    folder=folder.name,
                ),
            )
            continue
        unknown = [name for name in labelled.names if name.casefold() not in index]
        if unknown:
            raise DatasetError(
                "{name}/{folder} has the class {unknown}, which train has not: rename it, or add it to train.",
                name=report.name,
                folder=folder.name,
                unknown=unknown[0],
            )
        splits[split] = [(path, index[labelled.names[i].casefold()]) for path, i in labelled.files]
        by_folder = by_folder and labelled.how is None
        present = {name.casefold() for name in labelled.names}
        missing = [name for name in classes if name.casefold() not in present]
        if missing:
            report.note(
                "class-missing-in-part",
                Message(
                    "{name}/{folder} has no images of {classes}.",
                    name=report.name,
                    folder=folder.name,
                    classes=listed(missing),
                ),
            )
    for split, files in splits.items():
        if split_folders[split].name.casefold() not in PLAIN:
            report.note("split", _understood(split, split_folders[split].name, classes, files))
    return classes, splits, by_folder


def _understood(split: str, folder: str, classes: tuple[str, ...], files: list[tuple[Path, int]]) -> Message:
    return Message(
        "{folder} is used as {part}: {classes} classes, {count:,} images.",
        folder=folder,
        part=Setting("part", split),
        classes=len({i for _, i in files}) if split != "train" else len(classes),
        count=len(files),
    )


def _no_labels(name: str, table: str) -> DatasetError:
    return DatasetError(
        "{name} has no class folders, and {table} is no table of one label for each image: make a folder for each "
        "class, or a CSV file with the images' names in one column and their labels in another.",
        name=name,
        table=table,
    )


def _no_classes_in_train(splits: dict[str, Path], report: ScanReport) -> None:
    for folder in (splits["train"], splits["train"].parent):
        if table := other_table(folder):
            raise _no_labels(report.name, table)
    if all(images_in(folder) and not folders_in(folder) for folder in splits.values()):
        raise DatasetError(
            "In {name} the images lie directly in {folders}: make a folder for each class inside, e.g. {first}/cats.",
            name=report.name,
            folders=listed(sorted(f.name for f in splits.values())),
            first=splits["train"].name,
        )
    raise DatasetError(
        "{name}/{folder} has no class folders with images: add them.", name=report.name, folder=splits["train"].name
    )


def _labelled(root: Path, shown: str, tables: list[Path], report: ScanReport) -> _Labelled:
    """The images of one folder with their labels: from class folders, a table beside them, or their names."""
    names, files = _classes(root, shown, report)
    if len(names) >= MIN_CLASSES:
        labels = table_labels([path for path, _ in files], tables) if tables else None
        if labels is not None and labels.named < NAMED_FILES * len(files):  # somebody's notes on a few of them
            labels = None
        if labels is None or _agree(labels, files):
            check_versions(root, shown)
            check_companions(names, shown)
            return _Labelled(names, files, splits=labels.splits if labels else {})
    else:
        images = list(find_images(root))
        labels = table_labels(images, tables)
        if labels is None and all(is_generic(name) or split_name(name) for name in names):
            labels = name_labels(images)
        if labels is None:
            return _Labelled(names, files)
    report.forget("loose-images", "empty-class")
    how = _how(labels, shown)
    report.note("labels", how)
    if labels.unnamed:
        report.note(
            "unlabelled",
            plural(
                "{name} has {count} image without a label: left out.",
                "{name} has {count} images without a label: left out.",
                count=labels.unnamed,
                name=shown,
            ),
        )
    return _Labelled(labels.names, labels.files, how, labels.splits)


def _agree(table: FileLabels, files: list[tuple[Path, int]]) -> bool:
    """Whether the table says of the images in each folder the same, and of two folders not: they are the classes."""
    folder_of = dict(files)
    pairs = {(folder_of[path], label) for path, label in table.files}
    return len(pairs) == len({folder for folder, _ in pairs}) == len({label for _, label in pairs})


def _how(labels: FileLabels, shown: str) -> Message:
    fields = {"name": shown, "classes": len(labels.names), "count": len(labels.files), "listed": listed(labels.names)}
    if labels.table is None:
        return Message(
            "{name}: the labels are what the file names begin with: {classes} classes ({listed}), {count:,} images.",
            **fields,
        )
    return Message(
        "{name}: the labels stand in {table}: {classes} classes ({listed}), {count:,} images.",
        table=labels.table.name,
        **fields,
    )


def _by_class_first(
    whole: _Labelled, root: Path, report: ScanReport
) -> tuple[tuple[str, ...], dict[str, list[tuple[Path, int]]], bool]:
    """`cats/train/1.jpg`: each class with its own splits; or what a table says of each image."""
    if whole.splits:
        return whole.names, _splits_of_table(whole, report), False
    inside = [] if whole.how else [names for names in map(subfolders, folders_in(root)) if names]
    named = [{name for name in names if (split := split_name(name)) and not split.before} for names in inside]
    # A class may lack a split that others have, but train.
    if len(named) < 2 or not all(map(are_splits, named)):
        return whole.names, {"train": whole.files}, True
    split_of_name = {name: split.split for name in set[str]().union(*named) if (split := split_name(name))}
    return whole.names, _splits_within(whole.files, root, split_of_name, report), False


def _splits_of_table(whole: _Labelled, report: ScanReport) -> dict[str, list[tuple[Path, int]]]:
    by_split: dict[str, list[tuple[Path, int]]] = {"train": [], "val": [], "test": []}
    without = 0
    for path, label in whole.files:
        if split := whole.splits.get(path):
            by_split[split].append((path, label))
        else:
            without += 1
    counts = {split: len(files) for split, files in by_split.items()}
    report.note(
        "split",
        Message(
            "{name}: the table also divides the images: train {train:,}, val {val:,}, test {test:,}.",
            name=report.name,
            **counts,
        ),
    )
    if without:
        report.note(
            "unlabelled",
            plural(
                "{name} has {count} image for which the table names no split: left out.",
                "{name} has {count} images for which the table names no split: left out.",
                count=without,
                name=report.name,
            ),
        )
    return {split: files for split, files in by_split.items() if files or split == "train"}


def _splits_within(
    files: list[tuple[Path, int]], root: Path, split_of_name: dict[str, str], report: ScanReport
) -> dict[str, list[tuple[Path, int]]]:
    by_split: dict[str, list[tuple[Path, int]]] = {"train": []}
    for path, label in files:
        components = path.relative_to(root).parts
        split = split_of_name.get(components[1].casefold(), "train") if len(components) > 2 else "train"
        by_split.setdefault(split, []).append((path, label))
    for name, split in sorted(split_of_name.items()):
        classes = tuple(str(i) for i in {label for _, label in by_split[split]})
        report.note("split", _understood(split, name, classes, by_split[split]))
    return {split: by_split[split] for split in ("train", "val", "test") if split in by_split}


def _classes(root: Path, shown: str, report: ScanReport) -> tuple[tuple[str, ...], list[tuple[Path, int]]]:
    """Class names and [(path, class index)] of the folders in `root`; a folder without images is no class."""
    names: list[str] = []
    names_seen: set[str] = set()
    photos: list[tuple[Path, int]] = []
    empty: list[str] = []
    elsewhere: list[Path] = []
    for folder in folders_in(root):
        name = class_name(folder.name)
        if name.casefold() in names_seen:  # Cat and cat are one folder on Windows and macOS
            raise DatasetError("{place} has two folders called {name}: join them into one.", place=shown, name=name)
        closed: list[Path] = []
        inside = list(find_images(folder, closed=closed, leave_out=elsewhere))
        for closed_folder in closed:
            report.note("closed-folder", _closed(closed_folder.relative_to(root).as_posix(), shown))
        report.files += len(inside)
        if report.files > MAX_FILES:
            raise DatasetError("{name} has more than {most:,} images: use fewer.", name=report.name, most=MAX_FILES)
        if not inside:
            empty.append(name)
            continue
        photos.extend((path, len(names)) for path in inside)
        names.append(name)
        names_seen.add(name.casefold())
    if len(names) > MAX_CLASSES:
        raise DatasetError(
            "{name} has {count} classes and at most {most:,} are allowed: use fewer.",
            name=report.name,
            count=len(names),
            most=MAX_CLASSES,
        )
    if elsewhere:
        report.note(
            "links-back",
            Message(
                "{name} has a link that leads back into the data set ({example}): left out.",
                name=shown,
                example=os.path.relpath(elsewhere[0], root).replace(os.sep, "/"),
            ),
        )
    if empty and names:
        report.note(
            "empty-class",
            Message("{name} has no images of {classes}: left out.", name=shown, classes=listed(empty)),
        )
    loose = images_in(root)
    if loose and names:
        report.note(
            "loose-images",
            plural(
                "{name} has {count} image outside its class folders: left out.",
                "{name} has {count} images outside its class folders: left out.",
                count=loose,
                name=shown,
            ),
        )
    return tuple(names), photos


def _closed(folder: str, shown: str) -> Message:
    return Message("{name}/{folder} may not be read and is left out: check who may.", name=shown, folder=folder)


def class_name(folder: str) -> str:
    """What the class in a folder of that name is called: macOS archives spell é as e plus an accent, and a name from a
    system with other letters may be no text here."""
    return unicodedata.normalize("NFC", readable(folder))


def _too_few(classes: tuple[str, ...], root: Path, report: ScanReport) -> None:
    if (table := other_table(root)) and next(find_images(root), None) is not None:
        raise _no_labels(report.name, table)
    if classes:
        raise DatasetError(
            "{name} has 1 class; classification needs at least {least}: make a folder for each class.",
            name=report.name,
            least=MIN_CLASSES,
        )
    loose = images_in(root)
    if loose:
        raise DatasetError(
            plural(
                "{name} has {count} image but no class folders: make a folder for each class and sort the images "
                "into them.",
                "{name} has {count} images but no class folders: make a folder for each class and sort the images "
                "into them.",
                count=loose,
                name=report.name,
            )
        )
    raise DatasetError("{name} has no images: make a folder for each class and put images into them.", name=report.name)


def _other_files(root: Path, report: ScanReport) -> None:
    """Says which files are there that no one will read."""
    kinds: Counter[str] = Counter()
    for _, folders, files in os.walk(root):
        folders[:] = [f for f in folders if not is_litter(f)]
        kinds.update(os.path.splitext(f)[1].lower() for f in files if not is_image_name(f) and not is_litter(f))
    if kinds:
        count = sum(kinds.values())
        report.note(
            "other-files",
            plural(
                "{name} has {count} file of another kind: left out.",
                "{name} has {count} files of other kinds: left out.",
                count=count,
                name=report.name,
            ),
        )
