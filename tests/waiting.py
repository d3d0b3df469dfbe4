"""Waiting for what another thread or process does, however busy the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable

LONGEST_S = 60
BETWEEN_S = 0.02


def wait_until(condition: Callable[[], object]) -> None:
    """Return once it holds; fail after a minute."""
    end = time.monotonic() + LONGEST_S
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(BETWEEN_S)
