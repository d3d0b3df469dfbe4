"""What is in a data set, before anything is trained on it: images a class, sizes, broken and double files, imbalance.

Every photo is opened once, as training would open it, so what is reported as broken is what training leaves out.
Built-in sets are counted from their own files. Knows no settings and no page; findings carry a code so that they can
be translated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from imgcls.data.folder_problems import NAMED, Problem
from imgcls.data.grouping import duplicates
from imgcls.data.image_folders import PhotoFolder, scan
from imgcls.data.registry import DATASETS, absent, classes_of, is_builtin, parts_of
from imgcls.errors import InputError
from imgcls.imaging.image_io import notes_of, opened_image, size_of
from imgcls.messages import Message, plural
from imgcls.processes import available_cores
from imgcls.progress import Progress
from imgcls.workspace import Workspace

DECODE_PX = 64  # pixels: decoding a JPEG at an eighth finds what is broken, at a fraction of the time
IMBALANCE = 3.0  # times as many images in the largest class as in the smallest, from which it is worth a word
LISTED = 20  # broken and double files named; the rest are counted


@dataclass(frozen=True)
class Report:
    """counts: part -> images of each class that can be read, in the order of `classes`; sizes: (width, height) of
    the smallest, the median and the largest image by area; broken: (file, sentence); doubles: groups of equal files."""

    name: str
    classes: tuple[str, ...]
    counts: dict[str, tuple[int, ...]]
    sizes: tuple[tuple[int, int], ...]
    broken: tuple[tuple[str, Message], ...] = ()
    doubles: tuple[tuple[str, ...], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def images(self) -> int:
        return sum(map(sum, self.counts.values()))

    def as_dict(self) -> dict[str, Any]:
        record = asdict(self)
        record["broken"] = [(file, str(why)) for file, why in self.broken]
        record["problems"] = [problem.as_dict() for problem in self.problems]
        record["images"] = self.images
        record["counts"] = {split: dict(zip(self.classes, n, strict=True)) for split, n in self.counts.items()}
        return record


def report(name: str, workspace: Workspace, *, progress: Progress | None = None) -> Report:
    """The report of a built-in set, a folder under data/ or a path. Raises DatasetError where there is none."""
    if is_builtin(name):
        return _builtin(name, workspace)
    from imgcls.data.catalog import folder_of

    folder = scan(folder_of(name, workspace))
    files = [(split, path, label) for split, photos in folder.splits.items() for path, label in photos]
    pool = ThreadPoolExecutor(min(8, available_cores()), thread_name_prefix="report")
    try:
        looked = []
        for done, looked_at in enumerate(pool.map(_look, [path for _, path, _ in files]), 1):
            looked.append(looked_at)
            if progress and (done % 50 == 0 or done == len(files)):
                progress(done, len(files))
    finally:  # whoever no longer wants to know does not wait for the rest
        pool.shutdown(cancel_futures=True)
    return _of_photos(name, folder, files, looked)


@dataclass(frozen=True)
class _Looked:
    size: tuple[int, int] | None
    error: Message | None = None
    notes: tuple[Message, ...] = ()


def _look(path: Path) -> _Looked:
    try:
        with opened_image(path, near=DECODE_PX) as image:
            notes = notes_of(image)
        return _Looked(size_of(path), notes=notes)
    except (InputError, OSError) as error:
        return _Looked(None, error.message if isinstance(error, InputError) else Message(str(error)))


def _of_photos(name: str, photos: PhotoFolder, files: list[tuple[str, Path, int]], looked: list[_Looked]) -> Report:
    def shown(path: Path) -> str:
        return path.relative_to(photos.root).as_posix()

    counts = {split: [0] * len(photos.classes) for split in photos.splits}
    broken, sound = [], []
    for file, looked_at in zip(files, looked, strict=True):
        if looked_at.error:
            broken.append((shown(file[1]), looked_at.error))
            continue
        counts[file[0]][file[2]] += 1
        sound.append(file)
    same = duplicates([path for _, path, _ in sound]).values()
    groups = sorted([(shown(path), split, label) for split, path, label in map(sound.__getitem__, g)] for g in same)
    noted = [note for looked_at in looked for note in looked_at.notes]
    problems = [*photos.problems, *_findings(photos, counts, groups, len(broken)), *_noted(noted)]
    return Report(
        name=name,
        classes=photos.classes,
        counts={split: tuple(n) for split, n in counts.items()},
        sizes=_sizes([looked_at.size for looked_at in looked if looked_at.size]),
        broken=tuple(broken[:LISTED]),
        doubles=tuple(tuple(path for path, _, _ in group) for group in groups[:LISTED]),
        problems=tuple(problems),
    )


def _alike(group: list[tuple[str, str, int]], column: int) -> bool:
    """Whether the files of a group have one part (column 1), one label (column 2)."""
    return len({file[column] for file in group}) == 1


def _noted(notes: list[Message]) -> list[Problem]:
    """Images that were read all the same: the first few by name."""
    problems = [Problem("odd-image", note) for note in notes[:NAMED]]
    if rest := len(notes) - NAMED:
        more = plural("{count} more image is like that.", "{count} more images are like that.", count=rest)
        problems += [Problem("odd-image", more)] if rest > 0 else []
    return problems


def _findings(
    photos: PhotoFolder, counts: dict[str, list[int]], groups: list[list[tuple[str, str, int]]], broken: int
) -> list[Problem]:
    """What a person should know before training, worst first."""
    problems = []
    if broken:
        problems.append(
            Problem(
                "broken",
                plural(
                    "{count} file cannot be read and will be left out.",
                    "{count} files cannot be read and will be left out.",
                    count=broken,
                ),
            )
        )
    mixed = [group for group in groups if not _alike(group, 2)]
    if mixed:
        problems.append(
            Problem(
                "double-labels",
                plural(
                    "{count} image stands in more than one class, e.g. {example} and {other}: only one can be right.",
                    "{count} images stand in more than one class, e.g. {example} and {other}: only one can be right.",
                    count=len(mixed),
                    **_pair(mixed[0], lambda file: file[2]),
                ),
            )
        )
    leaked = [group for group in groups if not _alike(group, 1)]
    if leaked:
        problems.append(
            Problem(
                "leak",
                plural(
                    "{count} image stands in more than one part, e.g. {example} and {other}: the accuracy measured "
                    "on it will be too high.",
                    "{count} images stand in more than one part, e.g. {example} and {other}: the accuracy measured "
                    "on them will be too high.",
                    count=len(leaked),
                    **_pair(leaked[0], lambda file: file[1]),
                ),
            )
        )
    plain = sum(_alike(group, 1) and _alike(group, 2) for group in groups)
    if plain:
        problems.append(
            Problem(
                "doubles",
                plural(
                    "{count} image is there more than once.", "{count} images are there more than once.", count=plain
                ),
            )
        )
    train = counts["train"]
    most, least = max(train), min(train)
    if least and most / least >= IMBALANCE:
        large, small = photos.classes[train.index(most)], photos.classes[train.index(least)]
        problems.append(
            Problem(
                "imbalance",
                Message(
                    "{large} has {most} images and {small} only {least}: the network will prefer {large}.",
                    large=large,
                    most=most,
                    small=small,
                    least=least,
                ),
            )
        )
    if most < 10:
        problems.append(
            Problem(
                "few",
                plural(
                    "No class has more than {count} image: collect more.",
                    "No class has more than {count} images: collect more.",
                    count=most,
                ),
            )
        )
    return problems


def _pair(group: list[tuple[str, str, int]], side: Callable[[tuple[str, str, int]], Any]) -> dict[str, str]:
    """Two files of a group of equal ones that stand on different sides: in two classes, or in two parts."""
    first = group[0]
    other = next(file for file in group if side(file) != side(first))
    return {"example": first[0], "other": other[0]}


def _sizes(sizes: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    if not sizes:
        return ()
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    middle = (round(median(w for w, _ in sizes)), round(median(h for _, h in sizes)))
    return ordered[0], middle, ordered[-1]


def _builtin(name: str, workspace: Workspace) -> Report:
    from imgcls.data.download import load_arrays

    counts: dict[str, Counter] = {}
    for spec in parts_of(name):
        spec.require(workspace)
        if spec.renderings:
            labels = spec.renderings.read_labels(spec.source(workspace).file(spec.files[0]))
            counts.setdefault("train", Counter()).update(labels)
            continue
        for split, (_, labels) in load_arrays(spec.name, workspace).items():
            counts.setdefault(split, Counter()).update(labels.tolist())
    classes, side = classes_of(name), parts_of(name)[0].storage_side
    return Report(
        name=name,
        classes=classes,
        counts={split: tuple(per_class[i] for i in range(len(classes))) for split, per_class in counts.items()},
        sizes=((side, side),) * 3,
    )


def available_datasets(workspace: Workspace) -> list[tuple[str, bool]]:
    """Every data set's name and whether it is here: built-in ones, then one's own folders."""
    from imgcls.data.catalog import own_folders

    builtin = [(name, not absent(name, workspace)) for name in DATASETS]
    return builtin + [(name, True) for name in own_folders(workspace)]
