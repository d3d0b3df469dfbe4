"""What killed processes left behind in a workspace, removed or finished when a server starts; never what is in use."""

from __future__ import annotations

import contextlib

from imgcls.errors import ImgclsError
from imgcls.files import remove_leftovers
from imgcls.runs.renaming import finish_all
from imgcls.runs.state import read_state
from imgcls.workspace import Workspace


def remove_workspace_leftovers(workspace: Workspace) -> None:
    """Half-written files, half-unpacked uploads, half-deleted folders, and features of runs that nobody works on."""
    for folder in (workspace.data, workspace.weight, workspace.train_logs, workspace.checkpoints):
        remove_leftovers(folder)
    for folder in (*workspace.train_logs.glob("*/"), *workspace.checkpoints.glob("*/")):
        remove_leftovers(folder)
    with contextlib.suppress(ImgclsError):
        finish_all(workspace)
    for features in workspace.checkpoints.glob("*/features.f32"):
        state = read_state(workspace.train_logs / features.parent.name)
        if state is None or not state.live:
            with contextlib.suppress(OSError):
                features.unlink()
