"""What the browser sends to have looked at: a drawing, or a photo that it has uploaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from PIL import Image

from imgcls.errors import InputError
from imgcls.web.classify.pad import drawing_of
from imgcls.web.shared.uploads import uploaded
from imgcls.web.shared.work_gate import opened_picture


@contextmanager
def input_image(payload: Mapping[str, Any]) -> Iterator[Image.Image]:
    """{"drawing": a PNG's data URL} or {"photo": a path that the upload answered}, while the block lasts. Raises
    InputError."""
    if "photo" in payload:
        with opened_picture(uploaded(payload["photo"]), keep_alpha=True, name="The photo") as image:
            yield image
        return
    drawing = drawing_of(payload.get("drawing"))
    if drawing is None:
        raise InputError("There is nothing to read: draw something first.")
    yield drawing
