"""An Excel workbook -> the rows of its first sheet that has any, as a CSV file would have them."""

from __future__ import annotations

import itertools
import zipfile
from pathlib import Path

MAX_UNPACKED_BYTES = 30_000_000  # of the workbook's parts together; openpyxl holds its texts in memory
MAX_ROWS = 1_000_000
MAX_COLUMNS = 200


def sheet_rows(path: Path) -> list[list[str]]:
    """[] where the file is no workbook, is damaged or unpacks to more than a table of labels would have."""
    try:
        from openpyxl import load_workbook

        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED_BYTES:
                return []
        book = load_workbook(path, read_only=True, data_only=True)
        try:
            for sheet in book.worksheets:
                rows = itertools.islice(sheet.iter_rows(max_col=MAX_COLUMNS, values_only=True), MAX_ROWS)
                cells = [[_text(value) for value in row] for row in rows]
                if filled := [_without_end(row) for row in cells if any(row)]:
                    return filled
        finally:
            book.close()
    except Exception:  # openpyxl raises whatever a damaged part makes it; where it is not installed, a CSV file helps
        return []
    return []


def _text(value: object) -> str:
    """3.0, as Excel keeps whole numbers, is 3."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def _without_end(row: list[str]) -> list[str]:
    while row and not row[-1]:
        row = row[:-1]
    return row
