"""Runs that go on for all who look at them, and take no processor meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


@contextmanager
def paused(logs: Path) -> Iterator[None]:
    """The process of the run whose folder this is sleeps. What is asked of the run is done when it wakes."""
    process = psutil.Process(json.loads((logs / "state.json").read_text())["process"]["pid"])
    process.suspend()
    try:
        yield
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()
