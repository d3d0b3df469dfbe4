"""What a log says of requests that no page sends: a line each, and not many of them, whoever sends them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

A_MINUTE = 30  # lines


class ShortLog:
    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._lock = threading.Lock()
        self._began, self._said, self._left_out = clock(), 0, 0

    def note(self, line: str) -> None:
        with self._lock:
            if self._clock() - self._began >= 60:
                self._began, self._said = self._clock(), 0
                if self._left_out:
                    line += f" ({self._left_out} more before it)"
                    self._left_out = 0
            self._said += 1
            if self._said > A_MINUTE:
                self._left_out += 1
                return
        self._say(line.replace("\n", " ").replace("\r", " ")[:300])


note = ShortLog(logging.getLogger("imgcls.web").warning).note
