"""The same command by another Python, where this one lacks the lab's packages."""

from __future__ import annotations

import os
import subprocess
import sys

from imgcls.environment import advice, is_own, python_of_venv


def go_on_elsewhere(error: ModuleNotFoundError) -> int:
    """The same command by the Python of `.venv`, or a sentence; the exit code. Raises `error` where it is a module of
    the lab's own that is missing."""
    other = python_of_venv()
    if is_own(error):
        raise error
    if other is None:
        print(f"imgcls: {advice(error)}", file=sys.stderr)
        return 1
    command = [str(other), *sys.orig_argv[1:]]
    if os.name == "nt":  # there execv returns to the shell at once
        return subprocess.call(command)
    os.execv(other, command)
