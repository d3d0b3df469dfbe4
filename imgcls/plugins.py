"""Modules of your own that every process of the lab imports, so that what they register is known everywhere.

IMGCLS_PLUGINS names them, separated by commas, as `import` would. The terminal, the page and every process that either
starts read the variable; nothing else, no checkpoint and no visitor, can name a module.
"""

from __future__ import annotations

import importlib
import os
import sys

from imgcls.errors import InstallError

VARIABLE = "IMGCLS_PLUGINS"


def load_plugins() -> None:
    """Import what IMGCLS_PLUGINS names, once a process; modules in the current directory are found, too. Raises
    InstallError."""
    names = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    if names and os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
    for name in names:
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever its author's code raises
            raise InstallError(
                "The module {name} that {variable} names cannot be imported ({kind}: {reason}): correct it, or take it "
                "out of {variable}.",
                name=name,
                variable=VARIABLE,
                kind=type(error).__name__,
                reason=error,
            ) from error
