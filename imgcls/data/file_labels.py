"""Labels of images that lie in no class folder: in a table beside them, or at the beginning of their names.

A table is CSV, TSV, an Excel workbook or lines of text. Which column names the files and which the label is found by
what stands in them; columns of zeros and ones are one label a row, and a column of train, val and test divides the
images. Opens no image.
"""

from __future__ import annotations

import codecs
import csv
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from imgcls.data.folder_parts import split_name
from imgcls.data.spreadsheets import sheet_rows
from imgcls.imaging.image_files import is_image_name, is_litter, natural_key

SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx")
MAX_BYTES = 64_000_000  # of a table
MAX_TABLES = 20
DEPTH = 3  # folders below the data set in which tables are looked for
NAMED_FILES = 0.9  # of a table's rows, or of the images: so many must be named
LABELLED_NAMES = 0.95  # of the images without a table: so many must begin with a label
CLASS_LISTS = ("classes.txt", "_classes.txt", "class_names.txt", "labels.txt")
# Headers of a label's column, the likeliest first.
LABELS = (
    "label", "labels", "class", "class_name", "classname", "category", "target", "species", "breed", "diagnosis", "dx",
    "class_id", "label_id", "type", "y", "标签", "类别", "类",
)  # fmt: skip
# What cameras, phones and programs call files, which is no label.
GENERIC = frozenset(
    "img image images photo photos picture pictures pic pics dsc dscn dscf dcim pxl frame screenshot file scan sample "
    "test train val whatsapp_image download unnamed untitled data dataset screen_shot snapshot capture mvimg dji vid "
    "video gopr cimg sam page slide mmexport wx_camera".split()
) | {"图片", "图像", "照片", "样本", "微信图片", "qq图片", "屏幕截图", "屏幕快照", "截图", "微信截图", "拍照", "扫描"}
NO_LABEL = frozenset(("", "nan", "n/a", "<na>", "null"))  # as programs write that there is none
TRUTHS = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}
OTHER_TABLES = (".xls", ".ods", ".json", ".jsonl", ".mat", ".parquet", ".xml")
NUMBERED = re.compile(r"(.*?)[\s._!-]*[(\[]?\d+[)\]]?")
BOXES = re.compile(r"\d+(?:,\d+){3},(\d+)")


@dataclass(frozen=True)
class FileLabels:
    """names: classes in natural order; files: [(path, class index)]; unnamed: images without a label; table: where the
    labels stand, None where in the names; named: images that it names, with a label or without; splits: what it says
    of each image, where it divides them."""

    names: tuple[str, ...]
    files: list[tuple[Path, int]]
    unnamed: int
    table: Path | None = None
    named: int = 0
    splits: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Table:
    named: int
    labels: dict[Path, str]
    splits: dict[Path, str]


def tables_in(root: Path) -> list[Path]:
    """Files that may hold labels, near the top."""
    tables: list[Path] = []
    for folder, folders, names in os.walk(root):
        depth = len(Path(folder).relative_to(root).parts)
        folders[:] = sorted(f for f in folders if not is_litter(f)) if depth < DEPTH else []
        for name in sorted(names):
            path = Path(folder, name)
            if name.lower().endswith(SUFFIXES) and not name.startswith(".") and _size(path) <= MAX_BYTES:
                tables.append(path)
    return tables[:MAX_TABLES]


def is_generic(name: str) -> bool:
    """Whether it is what programs call files and folders of images, and no label."""
    return re.sub(r"[\s-]+", "_", name.casefold()) in GENERIC


def table_labels(images: Sequence[Path], tables: Sequence[Path]) -> FileLabels | None:
    paths_by_name = _known(images)
    best: tuple[Path, _Table] | None = None
    for table in tables:
        found = _labelled(table, paths_by_name, len(images))
        if found and (best is None or len(found.labels) > len(best[1].labels)):
            best = table, found
    if best is None:
        return None
    table, found = best
    return replace(_indexed(found.labels, images), table=table, named=found.named, splits=found.splits)


def other_table(root: Path) -> str | None:
    """The name of a file near the top that may be meant as a table of labels, though none is read from it."""
    names = [table.name for table in tables_in(root) if table.suffix.lower() != ".txt"]
    with suppress(OSError):
        names += sorted(name for name in os.listdir(root) if name.lower().endswith(OTHER_TABLES))
    return names[0] if names else None


def _indexed(labels: Mapping[Path, str], images: Sequence[Path]) -> FileLabels:
    """Labels that differ in the case of letters alone are one, spelt as most of them are."""
    counts = Counter(labels.values())
    spelling: dict[str, str] = {}
    for label in sorted(counts, key=lambda label: (-counts[label], label.swapcase())):
        spelling.setdefault(label.casefold(), label)
    names = tuple(sorted(spelling.values(), key=natural_key))
    index = {name.casefold(): i for i, name in enumerate(names)}
    files = [(path, index[labels[path].casefold()]) for path in images if path in labels]
    return FileLabels(names, files, len(images) - len(files))


def name_labels(images: Sequence[Path]) -> FileLabels | None:
    """`cat.0.jpg`, `cat_1.jpg`, `cat (2).jpg`: what stands before the number."""
    labels: dict[Path, str] = {}
    for path in images:
        match = NUMBERED.fullmatch(path.stem)
        if match and any(letter.isalpha() for letter in match[1]):
            labels[path] = _before_number(match[1].strip(" ._!-"))
    counts = Counter(label.casefold() for label in labels.values())
    if (
        len(labels) < LABELLED_NAMES * len(images)
        or len(counts) < 2
        or any(map(is_generic, counts))
        or min(counts.values()) < 2
    ):
        return None
    return _indexed(labels, images)


def _before_number(label: str) -> str:
    """`cat_001_aug` of cat_001_aug_2.jpg is a cat; "Class 1" is a class."""
    front = re.split(r"[\s._-]+\d+[\s._-]+(?=\D)", label, maxsplit=1)[0]
    return front if any(letter.isalpha() for letter in front) else label


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return MAX_BYTES + 1


def _known(images: Sequence[Path]) -> dict[str, Path]:
    """Every way in which a table may call an image -> the image; what two could be called stands for none."""
    candidates: dict[str, Path | None] = {}
    top = len(Path(os.path.commonpath([path.parent for path in images])).parts) if images else 0
    for path in images:
        components = path.parts[max(0, top - 1) :]
        ways = {path.stem, *("/".join(components[i:]) for i in range(len(components)))}
        for way in {way.casefold() for way in ways}:
            candidates[way] = None if way in candidates and candidates[way] != path else path
    return {way: path for way, path in candidates.items() if path is not None}


def _labelled(table: Path, paths_by_name: Mapping[str, Path], images: int) -> _Table | None:
    """None where this is no table of labels. An image with two different labels has none."""
    rows = _rows(table)
    if len(rows) < 2:
        return None
    width = max(map(len, rows))
    named = [sum(_image(row, column, paths_by_name) is not None for row in rows) for column in range(width)]
    column = max(range(width), key=named.__getitem__)
    header = rows[0] if _image(rows[0], column, paths_by_name) is None else None
    body = rows[1:] if header else rows
    known = {_image(row, column, paths_by_name) for row in body} - {None}
    if not body or (named[column] < NAMED_FILES * len(body) and len(known) < NAMED_FILES * images):
        return None
    listed = _class_list(table)
    labels = _one_hot(header, body, column) or _column(header, body, column)
    if labels is None:
        return None
    candidates: dict[Path, str | None] = {}
    for row, label in zip(body, labels, strict=True):
        path = _image(row, column, paths_by_name)
        if path is None or label.casefold() in NO_LABEL:
            continue
        if label.isdecimal() and len(label) < 10 and int(label) < len(listed):
            label = listed[int(label)]
        candidates[path] = None if path in candidates and candidates[path] != label else label
    label_of_path = {path: label for path, label in candidates.items() if label is not None}
    if len({label.casefold() for label in label_of_path.values()}) < 2:
        return None
    return _Table(len(known), label_of_path, _divided(body, column, paths_by_name))


def _divided(body: Sequence[Sequence[str]], files: int, paths_by_name: Mapping[str, Path]) -> dict[Path, str]:
    """Image -> split, by a column of nothing but names of splits, train among them, and blanks: images of none."""
    for column in range(max(map(len, body))):
        splits = _splits(body, column) if column != files else []
        if "train" in splits and len({*splits} - {""}) > 1:
            named = ((_image(row, files, paths_by_name), split) for row, split in zip(body, splits, strict=True))
            return {path: split for path, split in named if path is not None and split}
    return {}


def _splits(body: Sequence[Sequence[str]], column: int) -> list[str]:
    """What a column says of each row, "" where it is blank; nothing where anything but splits stands in it."""
    splits: list[str] = []
    for row in body:
        blank = column >= len(row) or row[column].strip().casefold() in NO_LABEL
        split = "" if blank else _split(row, column)
        if split is None:
            return []
        splits.append(split)
    return splits if any(splits) else []


def _split(row: Sequence[str], column: int) -> str | None:
    name = split_name(row[column]) if column < len(row) else None
    return name.split if name and not name.before and not name.numbered else None


def _image(row: Sequence[str], column: int, paths_by_name: Mapping[str, Path]) -> Path | None:
    if column >= len(row):
        return None
    way = row[column].strip().replace("\\", "/").removeprefix("./").casefold()
    components = way.strip("'\"").split("/")
    tails = ["/".join(components[i:]) for i in range(len(components))]
    if is_image_name(components[-1]):  # converted since: .png in the table, .jpg here
        tails.append(os.path.splitext(components[-1])[0])
    return next((paths_by_name[tail] for tail in tails if tail in paths_by_name), None)


def _one_hot(header: Sequence[str] | None, body: Sequence[Sequence[str]], files: int) -> list[str] | None:
    """Columns of zeros and ones: the one that is one; nothing for a row that has several, or none."""
    if header is None:
        return None
    columns = [i for i in range(len(header)) if i != files and all(len(r) > i and r[i].lower() in TRUTHS for r in body)]
    if len(columns) < 2:
        return None
    ones = [[i for i in columns if TRUTHS[row[i].lower()]] for row in body]
    if sum(len(matches) == 1 for matches in ones) < NAMED_FILES * len(body):
        return None
    return [header[matches[0]] if len(matches) == 1 else "" for matches in ones]


def _column(header: Sequence[str] | None, body: Sequence[Sequence[str]], files: int) -> list[str] | None:
    """The label's column: by its header, or the only one beside the files' that has as few values as labels have."""
    width = max(map(len, body))
    columns = [i for i in range(width) if i != files and not _splits(body, i)]
    called = {_header(name): i for i, name in enumerate(header or ()) if i in columns}
    chosen = [called[name] for name in LABELS if name in called] or (columns if len(columns) == 1 else [])
    if not chosen and not header and columns:
        chosen = columns[:1]  # "file label x y x y": what follows the file
    for column in chosen:
        values = [row[column] if column < len(row) else "" for row in body]
        if 2 <= len({value.casefold() for value in values} - NO_LABEL) <= max(2, len(values) // 2):
            return values
    return None


def _header(name: str) -> str:
    """ "ClassId" and "class id" are class_id."""
    return re.sub(r"[\s-]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.strip())).casefold()


def _rows(table: Path) -> list[list[str]]:
    if table.suffix.lower() == ".xlsx":
        return sheet_rows(table)
    lines = [line for line in _text(table).splitlines() if line.strip() and not line.startswith("#")]
    if lines and lines[0].lower().startswith("sep="):  # Excel's own first line
        lines = lines[1:]
    text = "\n".join(lines)
    if table.suffix.lower() == ".txt" and "\t" not in text and not _is_list(text, ",") and not _is_list(text, "|"):
        return [_words(line) for line in lines]
    separator = max("\t;,|", key=lines[0].count) if lines else ","
    try:
        rows = csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True)
        return [[cell.strip() for cell in row] for row in rows if any(map(str.strip, row))]
    except csv.Error:
        return []


def _is_list(text: str, separator: str) -> bool:
    """Whether every line has as many separators as the first, and some."""
    counts = {line.count(separator) for line in text.splitlines()[:100] if line.strip()}
    return len(counts) == 1 and counts != {0}


def _words(line: str) -> list[str]:
    """ "a b.jpg 3" -> the file and its label; boxes ("x,y,x,y,label") count by their label, where it is one."""
    file, *rest = line.split()
    boxes = [BOXES.fullmatch(word) for word in rest]
    if rest and all(boxes):
        labels = {box[1] for box in boxes if box}
        return [file, labels.pop() if len(labels) == 1 else ""]
    if rest and is_image_name(file):  # a label may be two words
        return [file, " ".join(rest)]
    return line.strip().rsplit(None, 1) if rest else [file]


def _class_list(table: Path) -> list[str]:
    """Names of numbered classes, one a line, beside the table or one folder above."""
    for folder in (table.parent, table.parent.parent):
        for name in CLASS_LISTS:
            path = folder / name
            if path != table and path.is_file() and _size(path) <= MAX_BYTES:
                return [line.strip() for line in _text(path).splitlines() if line.strip()]
    return []


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # Excel's "Unicode text"
        return content.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")
