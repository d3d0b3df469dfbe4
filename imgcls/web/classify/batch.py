"""Many pictures: files that the page has uploaded, or the entries of a zip, read in batches; a row each.

A picture that cannot be read is a row with its sentence. Progress and stopping are the page's: it asks for one batch
after the other.
"""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from imgcls.checkpoints.format import read_meta
from imgcls.data.archives import ZippedImages
from imgcls.errors import ImgclsError, InputError
from imgcls.filenames import shown
from imgcls.imaging.ink import NoInk
from imgcls.inference.classify import Classification, Prepared, classify_prepared, prepare
from imgcls.web.classify import answer_view
from imgcls.web.evaluate.results import as_url
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import Limits
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.server_functions import ServerFunction, server_function
from imgcls.web.shared.uploads import uploaded
from imgcls.web.shared.work_gate import POOLS, Kind, network, network_kind, opened_picture, work

if TYPE_CHECKING:
    from imgcls.imaging.preprocess import Preprocess

BATCH = {True: 100, False: 16}  # drawings, photos
THUMBNAIL_PX = 56  # pixels, of pictures that the page does not have itself
BATCHES_AT_ONCE = 2  # batches of one visitor: one is decoded while the network has the other


def server_functions(translate: Translator, cache: RunCache, limits: Limits) -> list[ServerFunction]:
    def many_begin(payload: dict[str, Any]) -> dict[str, Any]:
        """How many pictures there may be, and how they are to be asked for; of a zip how many it holds."""
        form = read_meta(cache.checkpoint(str(payload["checkpoint"]))).preprocess
        limits_sent = {"most": limits.many, "batch": _batch(form), "at_once": 1 if limits.public else BATCHES_AT_ONCE}
        if "zip" in payload:
            with ZippedImages(uploaded(payload["zip"]), limits.zip) as archive:
                limits_sent["total"] = len(archive.names)
        return limits_sent

    async def many_read(payload: dict[str, Any]) -> dict[str, Any]:
        """Rows of one batch: {"files": [[path or data URL, name], ...]}, or {"zip": path, "start": index}."""
        chosen, user = str(payload["checkpoint"]), payload["visitor"]
        path, form, kind = await work("state", None, lambda: _reader(cache, chosen), user)
        if "zip" in payload:
            start = int(payload["start"])
            if not 0 <= start < limits.many:
                raise InputError("At most {most:,} pictures are read in a go.", most=limits.many)
            archive = await work("picture", None, lambda: ZippedImages(uploaded(payload["zip"]), limits.zip), user)
            with archive:
                indices = range(start, min(start + _batch(form), len(archive.names), limits.many))
                entries = _one_by_one(archive, indices)
                return {"rows": await _rows(path, form, entries, kind, translate, thumbs=True, user=user)}
        files = payload["files"]
        if not isinstance(files, list) or len(files) > max(BATCH.values()):
            raise InputError("At most {most:,} pictures are read in a go.", most=max(BATCH.values()))
        named = [(shown(str(name)), lambda sent=sent: _content(sent)) for sent, name in files]
        return {"rows": await _rows(path, form, named, kind, translate, thumbs=False, user=user)}

    return [server_function(many_begin, translate, "picture"), server_function(many_read, translate)]


def _reader(cache: RunCache, chosen: str) -> tuple[Path, Preprocess, Kind]:
    """(the checkpoint, the form of its images, the pool that its answers come from). Raises CheckpointError."""
    path = cache.checkpoint(chosen)
    return path, read_meta(path).preprocess, network_kind(path)


def _batch(form: Preprocess) -> int:
    return BATCH[form.resize_mode == "digit"]


def _content(sent: Any) -> Path | bytes:
    """A small file comes with the question itself: 100 uploads take Gradio as long as the network 1,000 digits."""
    if not (isinstance(sent, str) and sent.startswith("data:")):
        return uploaded(sent)
    try:
        return base64.b64decode(sent.partition(",")[2], validate=True)
    except ValueError:
        raise InputError("The file is cut off or damaged: save or copy it again.") from None


Source = tuple[str, Callable[[], Path | bytes]]


def _one_by_one(archive: ZippedImages, indices: Iterable[int]) -> list[Source]:
    """An entry is read when its turn comes, by one thread at a time: a zip has one place where it is read."""
    reading = threading.Lock()

    def read(index: int) -> bytes:
        with reading:
            return archive.read(index)

    return [(archive.names[index], partial(read, index)) for index in indices]


async def _rows(
    checkpoint: Path,
    form: Preprocess,
    sources: list[Source],
    kind: Kind,
    translate: Translator,
    *,
    thumbs: bool,
    user: str,
) -> list[dict[str, Any]]:
    """Decoded by all threads that pictures have, then one batch for the network."""

    def opened(source: Source) -> tuple[Prepared | ImgclsError, str]:
        name, read = source
        try:
            near = form.shorter_side if _shrinks(form) else None
            with opened_picture(read(), keep_alpha=True, near=near, name=name) as image:
                return prepare(form, image), _thumbnail(image) if thumbs else ""
        except ImgclsError as error:
            return error, ""

    def opened_all(share: list[Source]) -> list[tuple[Prepared | ImgclsError, str]]:
        return [opened(source) for source in share]

    threads = POOLS["picture"].threads
    shares = [sources[i::threads] for i in range(threads)]
    prepared_of_thread = await asyncio.gather(
        *(work("picture", None, partial(opened_all, share), user) for share in shares)
    )
    prepared_or_error = [prepared_of_thread[i % threads][i // threads] for i in range(len(sources))]
    readable = [item for item, _ in prepared_or_error if isinstance(item, Prepared)]

    def classifications() -> list[Classification]:
        return classify_prepared(network(checkpoint), readable, language=translate.language, top=2)

    readings = iter(await work(kind, None, classifications, user))
    rows = []
    for (name, _), (item, thumb) in zip(sources, prepared_or_error, strict=True):
        row = {"name": name, "thumb": thumb}
        if isinstance(item, Prepared):
            rows.append(row | _answer(next(readings), translate))
        else:
            blank = isinstance(item, NoInk)
            sentence = translate("No ink was found on this picture.") if blank else translate.message(item.message)
            rows.append(row | {"error": sentence, "blank": blank})
    return rows


def _shrinks(form: Preprocess) -> bool:
    """Whether a large photo may be decoded smaller: ink is judged at its own size."""
    return form.resize_mode in ("crop", "square", "stretch")


def _answer(reading: Classification, translate: Translator) -> dict[str, Any]:
    familiarity = reading.familiarity
    return {
        "label": reading.label,
        "confidence": round(reading.confidence, 6),
        "sure": reading.sure,
        "note": answer_view.doubt(reading, translate),
        "familiarity": None if familiarity is None else round(familiarity, 4),
    }


def _thumbnail(image: Image.Image) -> str:
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    return as_url(small)
