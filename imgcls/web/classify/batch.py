"""Many pictures: files that the page has uploaded, or the entries of a zip, read in batches; a row each.

A picture that cannot be read is a row with its sentence. Progress and stopping are the page's: it asks for one batch
after the other.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image

from imgcls.data.archives import ZippedImages
from imgcls.errors import ImgclsError, InputError
from imgcls.filenames import shown
from imgcls.imaging.image_io import open_image
from imgcls.inference.classify import Prepared, Reading, prepare, read_prepared
from imgcls.inference.predictor import Predictor
from imgcls.processes import available_cores
from imgcls.web.classify import answer_view
from imgcls.web.classify import inputs as given
from imgcls.web.evaluate.results import as_url
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.server_functions import Answering, answering
from imgcls.web.shared.uploads import uploaded

BATCH = {True: 100, False: 16}  # drawings, photos
THUMB = 56  # pixels, of pictures that the page does not have itself
AT_ONCE = 2  # batches of one visitor: one is decoded while the network has the other


def server_functions(words: Translator, cache: RunCache, limits: Limits) -> list[Answering]:
    def many_begin(asked: dict[str, Any]) -> dict[str, Any]:
        """How many pictures there may be, and how they are to be asked for; of a zip how many it holds."""
        predictor = Predictor.cached(cache.checkpoint(str(asked["checkpoint"])))
        photos = predictor.meta.preprocess.resize_mode != "digit"
        said = {"most": limits.many, "batch": BATCH[not photos], "at_once": 1 if limits.public else AT_ONCE}
        if "zip" in asked:
            with ZippedImages(uploaded(asked["zip"]), limits.zip) as found:
                said["total"] = len(found.names)
        return said

    def many_read(asked: dict[str, Any]) -> dict[str, Any]:
        """Rows of one batch: {"files": [[path or data URL, name], ...]}, or {"zip": path, "start": index}."""
        predictor = Predictor.cached(cache.checkpoint(str(asked["checkpoint"])))
        with given.turn():
            if "zip" in asked:
                start = int(asked["start"])
                if not 0 <= start < limits.many:
                    raise InputError("At most {most:,} pictures are read in a go.", most=limits.many)
                with ZippedImages(uploaded(asked["zip"]), limits.zip) as found:
                    wanted = range(start, min(start + max(BATCH.values()), len(found.names), limits.many))
                    wanted = wanted[: BATCH[predictor.meta.preprocess.resize_mode == "digit"]]
                    entries = [(found.names[i], lambda i=i: found.read(i)) for i in wanted]
                    return {"rows": _rows(predictor, _one_by_one(entries), words, thumbs=True)}
            files = asked["files"]
            if not isinstance(files, list) or len(files) > max(BATCH.values()):
                raise InputError("At most {most:,} pictures are read in a go.", most=max(BATCH.values()))
            named = [(shown(str(name)), lambda sent=sent: _content(sent)) for sent, name in files]
            return {"rows": _rows(predictor, named, words, thumbs=False)}

    return [answering(function, words) for function in (many_begin, many_read)]


def _content(sent: Any) -> Path | bytes:
    """A small file comes with the question itself: 100 uploads take Gradio as long as the network 1,000 digits."""
    if not (isinstance(sent, str) and sent.startswith("data:")):
        return uploaded(sent)
    try:
        return base64.b64decode(sent.partition(",")[2], validate=True)
    except binascii.Error:
        raise InputError("The file is cut off or damaged: save or copy it again.") from None


Source = tuple[str, Callable[[], Path | bytes]]


def _one_by_one(entries: Iterable[Source]) -> list[Source]:
    """Read now, in this thread: a zip has one place where it is read."""

    def kept(read: Callable[[], Path | bytes]) -> Callable[[], Path | bytes]:
        try:
            content = read()
        except ImgclsError as error:
            wrong = error

            def broken() -> bytes:
                raise wrong

            return broken
        return lambda: content

    return [(name, kept(read)) for name, read in entries]


def _rows(predictor: Predictor, sources: list[Source], words: Translator, *, thumbs: bool) -> list[dict[str, Any]]:
    form = predictor.meta.preprocess

    def opened(source: Source) -> tuple[Prepared | ImgclsError, str]:
        name, read = source
        try:
            image = open_image(read(), keep_alpha=True, near=form.shorter_side if _shrinks(form) else None, name=name)
            return prepare(form, image), _thumbnail(image) if thumbs else ""
        except ImgclsError as error:
            return error, ""

    with ThreadPoolExecutor(min(4, available_cores())) as pool:
        made = list(pool.map(opened, sources))
    readable = [one for one, _ in made if isinstance(one, Prepared)]
    readings = iter(read_prepared(predictor, readable, language=words.language, top=2))
    rows = []
    for (name, _), (one, thumb) in zip(sources, made, strict=True):
        row = {"name": name, "thumb": thumb}
        if isinstance(one, Prepared):
            rows.append(row | _answer(next(readings), words))
        else:
            rows.append(row | {"error": words.message(one.message)})
    return rows


def _shrinks(form: Any) -> bool:
    """Whether a large photo may be decoded smaller: ink is judged at its own size."""
    return form.resize_mode in ("crop", "square", "stretch")


def _answer(reading: Reading, words: Translator) -> dict[str, Any]:
    familiarity = reading.familiarity
    return {
        "label": reading.label,
        "confidence": round(reading.confidence, 6),
        "sure": reading.sure,
        "note": answer_view.doubt(reading, words),
        "familiarity": None if familiarity is None else round(familiarity, 4),
    }


def _thumbnail(image: Image.Image) -> str:
    small = image.convert("RGB")
    small.thumbnail((THUMB, THUMB))
    return as_url(small)
