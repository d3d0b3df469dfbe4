"""Collect: name classes, take photos with the camera or drop them, see and delete them, save them as a data set.

The browser makes every photo small and upright before it sends it (tens of kilobytes, no place or camera data in it),
so that a class with a poor network can collect. The draft lies on the server: a refresh loses nothing.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from imgcls.data.catalog import own_folders
from imgcls.data.collect import MAX_PHOTO_PX, Draft
from imgcls.errors import DatasetError, InputError
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.server_functions import Answering, AskingHTML, answering
from imgcls.web.shared.work_gate import opened_picture
from imgcls.workspace import Workspace

PREFIX = "data:image/jpeg;base64,"
MAX_CHARS = 3_000_000  # characters; a photo of 1,024 pixels has about 300,000
THUMBNAIL_PX = 96  # pixels


class Collect(AskingHTML):
    """`change` fires when a data set has been saved; the handler gets its name."""

    def __init__(self, words: Translator, workspace: Workspace, limits: Limits, **options: Any) -> None:
        functions = server_functions(words, workspace, limits)
        super().__init__("collect", _said(words), functions, longest=200, **options)


def _said(words: Translator) -> dict[str, str]:
    """What `collect.js` and the template say, by the names they know."""
    return {
        "camera_on": words("Camera on"),
        "camera_off": words("Camera off"),
        "camera_is_off": words("The camera is off"),
        "take": words("Take"),
        "take_more": words("Hold for a photo every quarter of a second"),
        "drop_here": words("Drop photos here, or click to choose"),
        "class_name": words("Name of a class, e.g. cat"),
        "add_class": words("Add class"),
        "set_name": words("Name of the data set"),
        "save_set": words("Save"),
        "clear_draft": words("Clear"),
        "clear_draft_sure": words("Throw all these photos away?"),
        "remove_class": words("Remove class"),
        "remove_photo": words("Delete this photo"),
        "photo_removed": words("The photo is deleted."),
        "undo": words("Undo"),
        "here_go_photos": words("Photos go here"),
        "photos_go_here": words("Photos go here now: take or drop some."),
        "no_photos_yet": words("No photos yet."),
        "two_classes": words("Add at least two classes, with some photos of each."),
        "no_camera": words("The camera could not be opened: allow it in the browser, or drop photos instead."),
        "not_readable": words("{file} cannot be read by this browser: save it as JPEG or PNG."),
        "no_answer": words("The lab does not answer: is the network there? Try again."),
        "camera_gone": words("The camera is gone: plug it in again, or choose another, and start it once more."),
        "no_webcam": words(
            "The camera works at http://127.0.0.1 and over https only: from another computer's plain "
            "http address, the browser keeps it closed. Upload a photo instead."
        ),
    }


def server_functions(words: Translator, workspace: Workspace, limits: Limits) -> list[Answering]:  # noqa: C901 - functions that share a draft
    """What the browser may ask for: each takes one object and returns one, with `error` where a sentence is due."""

    def draft(asked: dict[str, Any]) -> Draft:
        token, visitor = asked.get("token"), asked["visitor"]
        if isinstance(token, str):
            return Draft(workspace, token, limits.collect, visitor=visitor)
        return Draft.new(workspace, limits.collect, visitor=visitor)

    def collect_open(asked: dict[str, Any]) -> dict[str, Any]:
        """The draft of that token with its thumbnails, or a new one."""
        made = draft(asked)
        classes = {
            name: [[photo, small] for photo in photos if (small := _thumbnail(made.folder / name / photo))]
            for name, photos in made.classes().items()
        }
        return {"token": made.token, "classes": [[name, photos] for name, photos in classes.items()]}

    def collect_class(asked: dict[str, Any]) -> dict[str, Any]:
        name = str(asked["name"]).strip()
        draft(asked).add_class(name)
        return {"name": name}

    def collect_unclass(asked: dict[str, Any]) -> dict[str, Any]:
        draft(asked).remove_class(str(asked["name"]))
        return {}

    def collect_photo(asked: dict[str, Any]) -> dict[str, Any]:
        made, name = draft(asked), str(asked["name"])
        with _image(asked["image"]) as image:
            return {"photo": made.add(name, image, burst=str(asked.get("burst") or ""))}

    def collect_unphoto(asked: dict[str, Any]) -> dict[str, Any]:
        draft(asked).remove(str(asked["name"]), str(asked["photo"]))
        return {}

    def collect_restore(asked: dict[str, Any]) -> dict[str, Any]:
        return {"photo": draft(asked).restore(str(asked["name"]), str(asked["photo"])).name}

    def collect_save(asked: dict[str, Any]) -> dict[str, Any]:
        room_for_one_more(workspace, limits)
        return {"saved": draft(asked).save(str(asked["name"])).name}

    def collect_clear(asked: dict[str, Any]) -> dict[str, Any]:
        draft(asked).clear()
        return {}

    small = (collect_class, collect_unclass, collect_unphoto, collect_restore, collect_clear)
    return [
        answering(collect_open, words, "picture"),
        answering(collect_photo, words, "picture"),
        answering(collect_save, words, "dataset"),
        *(answering(function, words, "state") for function in small),
    ]


def room_for_one_more(workspace: Workspace, limits: Limits) -> None:
    """Raises DatasetError where a shared lab holds as many data sets as it may."""
    if limits.public and len(own_folders(workspace)) >= limits.data_sets:
        raise DatasetError(
            "This shared lab has {count} data sets of its visitors already: one has to be deleted first.",
            count=limits.data_sets,
        )


@contextmanager
def _image(sent: Any) -> Iterator[Image.Image]:
    if not isinstance(sent, str) or len(sent) > MAX_CHARS or not sent.startswith(PREFIX):
        raise InputError("The photo cannot be read: take it again.")
    with ExitStack() as stack:
        try:
            content = base64.b64decode(sent[len(PREFIX) :], validate=True)
            image = stack.enter_context(opened_picture(content, near=MAX_PHOTO_PX, name="The photo"))
        except (binascii.Error, InputError):
            raise InputError("The photo cannot be read: take it again.") from None
        yield image


def _thumbnail(path: Path) -> str | None:
    """None for a file that a killed server left half-written."""
    file = io.BytesIO()
    try:
        with opened_picture(path, near=THUMBNAIL_PX, name=path.name) as image:
            image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
            image.save(file, "JPEG", quality=70)
    except (OSError, InputError):
        return None
    return PREFIX + base64.b64encode(file.getvalue()).decode()
