"""What the browser sends to have looked at: a drawing, or a photo that it has uploaded; and how many are looked at."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from PIL import Image

from imgcls.errors import InputError
from imgcls.imaging.image_io import open_image
from imgcls.web.classify.pad import drawing_of
from imgcls.web.shared.uploads import uploaded

AT_ONCE = 2  # visitors whose pictures go through networks on demand; a drawing's usual answer does not wait for them
PATIENCE = 20.0  # seconds

_turns = threading.BoundedSemaphore(AT_ONCE)


def picture(asked: Mapping[str, Any]) -> Image.Image:
    """{"drawing": a PNG's data URL} or {"photo": a path that the upload answered}. Raises InputError."""
    if "photo" in asked:
        return open_image(uploaded(asked["photo"]), keep_alpha=True, name="The photo")
    drawing = drawing_of(asked.get("drawing"))
    if drawing is None:
        raise InputError("There is nothing to read: draw something first.")
    return drawing


@contextmanager
def turn() -> Iterator[None]:
    """One of AT_ONCE. Raises InputError where it does not come within PATIENCE."""
    if not _turns.acquire(timeout=PATIENCE):
        raise InputError("Many people are asking just now: try again in a moment.")
    try:
        yield
    finally:
        _turns.release()
