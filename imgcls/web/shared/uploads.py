"""The only files an event takes are those that a visitor has uploaded.

Gradio reads a "file" in any event's data, a drop-down's too: its path is copied to where visitors can fetch it, an
address is downloaded. It checks that the path was uploaded only for applications that it has launched itself, not for
mounted ones, and addresses never; without what is done here anybody could read any file of the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import gradio as gr

from imgcls.errors import InputError
from imgcls.files import storage_error
from imgcls.web.i18n.translator import Translator
from imgcls.web.server.gradio_internals import FOLDER, take_uploads_alone, upload_folder
from imgcls.web.shared.work_gate import Busy, work
from imgcls.workspace import Workspace

UPLOADS, MADE = ".uploads", ".downloads"  # folders of the workspace
OWN = "imgcls-uploads"  # in a folder that holds others' files, too: whatever lies in it is swept
KEPT_SECONDS, SWEEP_SECONDS = 3000.0, 300.0  # together less than the hour that the page promises at most

_ours: str | None = None  # what this process has written into the environment


def prepare_uploads(workspace: Workspace) -> Path:
    """The folder of uploads, in the workspace unless GRADIO_TEMP_DIR names another place; for this user's eyes only.
    Before any page is built. Raises StorageError."""
    global _ours
    named, usual = os.environ.get(FOLDER), workspace.root / UPLOADS
    if named is None or named in ("", _ours, str(usual)):
        folder, _ours = usual, str(usual)
    else:
        folder = Path(named) if Path(named).name == OWN else Path(named) / OWN
    os.environ[FOLDER] = str(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise storage_error(folder, error) from None
    return folder


def sweep(workspace: Workspace, *, now: float | None = None) -> None:
    """Removes what was uploaded, or made for a download, long enough ago, whichever server did it: one that was killed
    remembers nothing."""
    oldest = (time.time() if now is None else now) - KEPT_SECONDS
    for root in (upload_folder(), workspace.root / MADE):
        for folder, folders, names in os.walk(root, topdown=False):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):  # gone meanwhile
                    stat = os.lstat(path)
                    # A copy has its original's time of writing, and its own of change.
                    if max(stat.st_mtime, stat.st_ctime) < oldest:
                        os.unlink(path)
            for name in folders:
                with contextlib.suppress(OSError):  # something is in it
                    os.rmdir(os.path.join(folder, name))


async def keep_sweeping(workspace: Workspace) -> None:
    while True:
        with contextlib.suppress(Busy):
            await work("state", ("sweep", str(workspace.root)), lambda: sweep(workspace))
        await asyncio.sleep(SWEEP_SECONDS)


def only_uploads(page: gr.Blocks, translate: Translator) -> gr.Blocks:
    """Before it is mounted."""
    refusal = translate("Upload the file itself: nothing is fetched from other machines.")
    take_uploads_alone(page, lambda: gr.Error(refusal, print_exception=False))
    return page


def uploaded(path: object) -> Path:
    """The file of that path, as the upload answered it. Raises InputError for any other."""
    folder = os.path.realpath(upload_folder())
    real_path = os.path.realpath(path) if isinstance(path, str) and "\0" not in path else ""
    if not real_path.startswith(folder + os.sep) or not os.path.isfile(real_path):
        raise InputError("The file is not there any more: uploads are kept for an hour. Choose it again.")
    return Path(real_path)


def made_folder(workspace: Workspace) -> Path:
    """Where files lie that are made for a download; they go as uploads do."""
    folder = workspace.root / MADE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def stored() -> int:
    """Bytes of uploads that are kept."""
    total = 0
    for folder, _, names in os.walk(upload_folder()):
        for name in names:
            with contextlib.suppress(OSError):  # cleaned up meanwhile
                total += os.stat(os.path.join(folder, name)).st_size
    return total
