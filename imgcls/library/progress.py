"""How far something is, for whoever waits: a bar in the terminal, curves that grow in a notebook, lines in a file."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Any

from imgcls.training import events
from imgcls.training.loggers.console import BarConsole, PlainConsole

REFRESH_SECONDS = 0.5


class Display(contextlib.AbstractContextManager["Display"]):
    """`told` takes a run's events. `drawing`: what a notebook shows, made anew at each look."""

    def __init__(self, drawing: Callable[[], str], *, shown: bool) -> None:
        self._stack = contextlib.ExitStack()
        self.told: Callable[[events.Event], Any] = lambda event: None
        if not shown:
            return
        if in_notebook():
            self.told = NotebookCard(drawing)
        elif sys.stderr.isatty():
            self.told = self._stack.enter_context(BarConsole())
        else:
            self.told = PlainConsole(sys.stderr)

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class NotebookCard:
    """One output that is drawn anew as the run goes on."""

    def __init__(self, drawing: Callable[[], str]) -> None:
        self._drawing, self._handle, self._shown = drawing, None, 0.0

    def __call__(self, event: events.Event) -> None:
        now = time.monotonic()
        if now - self._shown < REFRESH_SECONDS and not isinstance(event, events.EpochEnded | events.ENDINGS):
            return
        self._shown = now
        from IPython.display import HTML, display

        if self._handle is None:
            self._handle = display(HTML(self._drawing()), display_id=True)
        else:
            self._handle.update(HTML(self._drawing()))


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")
