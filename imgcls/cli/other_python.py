"""The lab's command, or the same by another Python where this one lacks the packages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from imgcls.environment import advice, is_required, python_of_venv


def run_command(arguments: Sequence[str] | None = None) -> int:
    """The exit code. None: what stands on the command line."""
    try:
        from imgcls.cli.main import main

        return main(arguments)
    except ModuleNotFoundError as error:
        if not is_required(error):
            raise
        return _go_on_elsewhere(error)


def _go_on_elsewhere(error: ModuleNotFoundError) -> int:
    other = python_of_venv()
    if other is None:
        print(f"imgcls: {advice(error)}", file=sys.stderr)
        return 1
    command = [str(other), *sys.orig_argv[1:]]
    if os.name == "nt":  # there execv returns to the shell at once
        return subprocess.call(command)
    sys.stdout.flush()
    os.execv(other, command)
