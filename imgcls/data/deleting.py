"""One's own data set leaves data/, at once for everybody."""

from __future__ import annotations

import os
import secrets
import shutil

from imgcls.data.catalog import own_folders
from imgcls.errors import DatasetError
from imgcls.files import DELETED
from imgcls.workspace import Workspace


def delete_dataset(name: str, workspace: Workspace) -> None:
    """Remove one's own data set from data/. Raises DatasetError for any other name."""
    if name not in own_folders(workspace):
        raise DatasetError(
            "{name} is not a data set of your own in {folder}: it stays.", name=name, folder=workspace.data
        )
    gone = workspace.data / f"{DELETED}{secrets.token_hex(6)}"
    try:
        os.rename(workspace.data / name, gone)  # at once gone for everybody, however long the files take
    except OSError as error:
        raise DatasetError(
            "{folder} cannot be written ({reason}).", folder=workspace.data, reason=error.strerror
        ) from None
    if gone.is_symlink():  # the folder that a link led to stays
        gone.unlink(missing_ok=True)
    shutil.rmtree(gone, ignore_errors=True)
