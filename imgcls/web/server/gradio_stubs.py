"""Gradio without its stub files.

For every class of a component Gradio parses its source and writes a stub file beside it, at each start, its own
hundred classes included: a third of the time that importing it takes (1.2 of 3.6 s, Gradio 6.31). An installed package
is not written into, and in a checkout nobody reads them. What writes them is replaced as soon as Gradio's own module is
there, before it defines its components.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

DEFINES = "gradio.component_meta"


class StubsLeftOut(MetaPathFinder, Loader):
    """Loads that one module as Python would, and takes the writing of stubs out of it."""

    def __init__(self) -> None:
        self._loader: Loader | None = None

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != DEFINES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        assert self._loader is not None
        self._loader.exec_module(module)
        leave_out(module)


def leave_out(module: ModuleType) -> None:
    assert callable(module.create_or_modify_pyi)
    vars(module)["create_or_modify_pyi"] = lambda component_class, class_name, events: None


def install() -> None:
    """Before anything imports Gradio; where it is imported already, its later classes write no stubs."""
    if DEFINES in sys.modules:
        leave_out(sys.modules[DEFINES])
    elif not any(isinstance(finder, StubsLeftOut) for finder in sys.meta_path):
        sys.meta_path.insert(0, StubsLeftOut())
