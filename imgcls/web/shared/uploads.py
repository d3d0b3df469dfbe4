"""The only files an event takes are those that a visitor has uploaded.

Gradio reads a "file" in any event's data, a drop-down's too: its path is copied to where visitors can fetch it, an
address is downloaded. It checks that the path was uploaded only for applications that it has launched itself, not for
mounted ones, and addresses never; without what is done here anybody could read any file of the server.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from gradio_client.utils import is_http_url_like

from imgcls.errors import InputError
from imgcls.web.i18n.translator import Translator
from imgcls.workspace import Workspace

MADE = ".downloads"  # a folder of the workspace


def only_uploads(page: gr.Blocks, words: Translator) -> gr.Blocks:
    """Before it is mounted."""
    page.has_launched = True  # what the check asks for
    for block in page.blocks.values():
        _fetch_nothing(block, words)
    return page


def uploaded(path: object) -> Path:
    """The file of that path, as the upload answered it. Raises InputError for any other."""
    folder = os.path.realpath(get_upload_folder())
    found = os.path.realpath(path) if isinstance(path, str) and "\0" not in path else ""
    if not found.startswith(folder + os.sep) or not os.path.isfile(found):
        raise InputError("The file is not there any more: uploads are kept for an hour. Choose it again.")
    return Path(found)


def made_folder(workspace: Workspace) -> Path:
    """Where files lie that are made for a download; they go as uploads do."""
    folder = workspace.root / MADE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def stored() -> int:
    """Bytes of uploads that are kept."""
    total = 0
    for folder, _, names in os.walk(get_upload_folder()):
        for name in names:
            with contextlib.suppress(OSError):  # cleaned up meanwhile
                total += os.stat(os.path.join(folder, name)).st_size
    return total


def _fetch_nothing(block: Any, words: Translator) -> None:
    move = block.async_move_resource_to_block_cache

    async def moved(file: str | Path | None) -> str | None:
        if file is not None and is_http_url_like(str(file)):
            raise gr.Error(words("Upload the file itself: nothing is fetched from other machines."))
        return await move(file)

    block.async_move_resource_to_block_cache = moved
