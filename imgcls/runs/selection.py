"""Which runs, in which order: words, conditions, tags, a column to sort by. Rows in, rows out."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from imgcls.errors import SettingsError
from imgcls.runs.run_index import Row
from imgcls.settings import TrainSettings

CONDITION = re.compile(r"\s*([A-Za-z_-]+)\s*(!=|>=|<=|=|>|<|~)\s*(.*?)\s*")
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
COLUMNS = ("name", "state", "created", "seconds", "epochs", "best_epoch", "val_accuracy", "val_loss", "test_accuracy",
           "owner", "parent", "note", "pinned")  # fmt: skip


def value(row: Row, column: str) -> Any:
    """A figure of the run or a setting of it; the figure where both have the name: the epochs that it has had."""
    return row[column] if column in COLUMNS else (row["settings"] or {}).get(column)


def check_column(name: str) -> str:
    """As rows call it. Raises SettingsError."""
    column = name.strip().replace("-", "_")
    if column not in COLUMNS and column not in TrainSettings.model_fields:
        raise SettingsError(
            "There is no column '{name}': choose a setting, or one of {known}.", name=name, known=", ".join(COLUMNS)
        )
    return column


def condition(text: str) -> Callable[[Row], bool]:
    """ "lr>0.01", "state=finished", "note~blurred". Raises SettingsError."""
    match = CONDITION.fullmatch(text)
    if not match:
        raise SettingsError("A condition is written like lr>0.01 or state=finished: '{text}' is not.", text=text)
    column, sign, target = check_column(match[1]), match[2], match[3]

    def holds(row: Row) -> bool:
        cell = value(row, column)
        if sign == "~":
            return target.lower() in str(cell).lower()
        if isinstance(cell, bool):
            return OPERATORS[sign](str(cell).lower(), target.lower())
        if isinstance(cell, int | float):
            try:
                return OPERATORS[sign](float(cell), float(target))
            except ValueError:
                return sign == "!="
        return cell is not None and OPERATORS[sign](str(cell), target)

    return holds


def select(
    rows: Iterable[Row],
    *,
    words: str = "",
    conditions: Sequence[str] = (),
    tags: Sequence[str] = (),
    sort: str = "",
) -> list[Row]:
    """Those that have every word, meet every condition and bear every tag. `sort`: a column, with - before it the
    largest first; runs without a value come last, pinned ones first."""
    tests = [condition(text) for text in conditions]
    terms = words.lower().split()
    matching = [
        row
        for row in rows
        if all(word in _text(row) for word in terms)
        and all(test(row) for test in tests)
        and set(tags) <= set(row["tags"])
    ]
    if sort:
        column = check_column(sort.removeprefix("-"))
        having = [row for row in matching if value(row, column) is not None]
        having.sort(key=lambda row: _sortable(value(row, column)), reverse=sort.startswith("-"))
        matching = having + [row for row in matching if value(row, column) is None]
    return sorted(matching, key=lambda row: not row["pinned"])


def _text(row: Row) -> str:
    settings = row["settings"] or {}
    searched = (row["name"], row["state"], row["note"], row["owner"] or "", *row["tags"], *map(str, settings.values()))
    return " ".join(searched).lower()


def _sortable(cell: Any) -> tuple[int, Any]:
    return (0, cell) if isinstance(cell, int | float) else (1, str(cell))
