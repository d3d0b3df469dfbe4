"""Collect: name classes, take photos with the camera or drop them, see and delete them, save them as a data set.

The browser makes every photo small and upright before it sends it (tens of kilobytes, no place or camera data in it),
so that a class with a poor network can collect. The draft lies on the server: a refresh loses nothing.
"""

from __future__ import annotations

import base64
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
from imgcls.web.shared.server_functions import ServerFunction, ServerHTML, server_function
from imgcls.web.shared.work_gate import opened_picture
from imgcls.workspace import Workspace

PREFIX = "data:image/jpeg;base64,"
MAX_CHARS = 3_000_000  # characters; a photo of 1,024 pixels has about 300,000
THUMBNAIL_PX = 96  # pixels


class Collect(ServerHTML):
    """`change` fires when a data set has been saved; the handler gets its name."""

    def __init__(self, translate: Translator, workspace: Workspace, limits: Limits, **options: Any) -> None:
        functions = server_functions(translate, workspace, limits)
        super().__init__("collect", _said(translate), functions, longest=200, **options)


def _said(translate: Translator) -> dict[str, str]:
    """What `collect.js` and the template say, by the names they know."""
    return {
        "camera_on": translate("Camera on"),
        "camera_off": translate("Camera off"),
        "camera_is_off": translate("The camera is off"),
        "take": translate("Take"),
        "take_more": translate("Hold for a photo every quarter of a second"),
        "drop_here": translate("Drop photos here, or click to choose"),
        "class_name": translate("Name of a class, e.g. cat"),
        "add_class": translate("Add class"),
        "set_name": translate("Name of the data set"),
        "save_set": translate("Save"),
        "clear_draft": translate("Clear"),
        "clear_draft_sure": translate("Throw all these photos away?"),
        "remove_class": translate("Remove class"),
        "remove_photo": translate("Delete this photo"),
        "photo_removed": translate("The photo is deleted."),
        "undo": translate("Undo"),
        "here_go_photos": translate("Photos go here"),
        "photos_go_here": translate("Photos go here now: take or drop some."),
        "no_photos_yet": translate("No photos yet."),
        "two_classes": translate("Add at least two classes, with some photos of each."),
        "no_camera": translate("The camera could not be opened: allow it in the browser, or drop photos instead."),
        "not_readable": translate("{file} cannot be read by this browser: save it as JPEG or PNG."),
        "no_answer": translate("The lab does not answer: is the network there? Try again."),
        "camera_gone": translate("The camera is gone: plug it in again, or choose another, and start it once more."),
        "no_webcam": translate(
            "The camera works at http://127.0.0.1 and over https only: from another computer's plain "
            "http address, the browser keeps it closed. Upload a photo instead."
        ),
    }


def server_functions(translate: Translator, workspace: Workspace, limits: Limits) -> list[ServerFunction]:
    """What the browser may ask for: each takes one object and returns one, with `error` where a sentence is due."""
    return CollectFunctions(translate, workspace, limits).functions()


class CollectFunctions:
    """A payload has the token of its draft."""

    def __init__(self, translate: Translator, workspace: Workspace, limits: Limits) -> None:
        self.translate, self.workspace, self.limits = translate, workspace, limits

    def functions(self) -> list[ServerFunction]:
        small = (
            self.collect_class,
            self.collect_unclass,
            self.collect_unphoto,
            self.collect_restore,
            self.collect_clear,
        )
        return [
            server_function(self.collect_open, self.translate, "picture"),
            server_function(self.collect_photo, self.translate, "picture"),
            server_function(self.collect_save, self.translate, "dataset"),
            *(server_function(function, self.translate, "state") for function in small),
        ]

    def _draft(self, payload: dict[str, Any]) -> Draft:
        token, visitor = payload.get("token"), payload["visitor"]
        if isinstance(token, str):
            return Draft(self.workspace, token, self.limits.collect, visitor=visitor)
        return Draft.new(self.workspace, self.limits.collect, visitor=visitor)

    def collect_open(self, payload: dict[str, Any]) -> dict[str, Any]:
        """The draft of that token with its thumbnails, or a new one."""
        class_draft = self._draft(payload)
        classes = {
            name: [[photo, small] for photo in photos if (small := _thumbnail(class_draft.folder / name / photo))]
            for name, photos in class_draft.classes().items()
        }
        return {"token": class_draft.token, "classes": [[name, photos] for name, photos in classes.items()]}

    def collect_class(self, payload: dict[str, Any]) -> dict[str, Any]:
        name = str(payload["name"]).strip()
        self._draft(payload).add_class(name)
        return {"name": name}

    def collect_unclass(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._draft(payload).remove_class(str(payload["name"]))
        return {}

    def collect_photo(self, payload: dict[str, Any]) -> dict[str, Any]:
        class_draft, name = self._draft(payload), str(payload["name"])
        with _image(payload["image"]) as image:
            return {"photo": class_draft.add(name, image, burst=str(payload.get("burst") or ""))}

    def collect_unphoto(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._draft(payload).remove(str(payload["name"]), str(payload["photo"]))
        return {}

    def collect_restore(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"photo": self._draft(payload).restore(str(payload["name"]), str(payload["photo"])).name}

    def collect_save(self, payload: dict[str, Any]) -> dict[str, Any]:
        room_for_one_more(self.workspace, self.limits)
        return {"saved": self._draft(payload).save(str(payload["name"])).name}

    def collect_clear(self, payload: dict[str, Any]) -> dict[str, Any]:
        self._draft(payload).clear()
        return {}


def room_for_one_more(workspace: Workspace, limits: Limits) -> None:
    """Raises DatasetError where a shared lab holds as many data sets as it may."""
    if limits.public and len(own_folders(workspace)) >= limits.data_sets:
        raise DatasetError(
            "This shared lab has {count} data sets of its visitors already: its host can delete some.",
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
        except (ValueError, InputError):
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
