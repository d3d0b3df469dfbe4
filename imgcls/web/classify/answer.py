"""A drawing or a photo, and the checkpoint that somebody chose -> what the page shows of it: HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from imgcls.checkpoints.format import read_meta
from imgcls.errors import ImgclsError
from imgcls.imaging.ink import NoInk
from imgcls.inference.classify import read
from imgcls.web.classify import answer_view
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.work_gate import Kind, network, network_kind

ORDERED = 10  # up to so many classes the bars stay in their own order, so that they do not jump while one draws


def kind_of(watch: RunCache, chosen: str | None) -> Kind:
    """The pool in which the chosen checkpoint's answer is made; where it is none, the sentence that says so."""
    try:
        return network_kind(watch.checkpoint(chosen))
    except ImgclsError:
        return "picture"


def of_drawing(watch: RunCache, words: Translator, drawing: Image.Image | None, chosen: str) -> str:
    """What the checkpoint makes of a drawing: HTML."""
    return _answer(watch, words, drawing, chosen, lambda: nothing_drawn(words))


def of_photo(watch: RunCache, words: Translator, image: Image.Image | None, chosen: str) -> str:
    """What the checkpoint makes of a photo: HTML."""
    return _answer(watch, words, image, chosen, lambda: no_photo(words, _known(watch, words, chosen)), photo=True)


def nothing_drawn(words: Translator) -> str:
    return answer_view.empty(words("Draw something"), words("The answer appears here while you draw."), words)


def no_photo(words: Translator, known: str) -> str:
    """`known`: what the chosen network can answer."""
    more = words("Upload a file, paste a picture or use the camera.")
    return answer_view.empty(words("Choose a photo"), f"{more} {known}".strip(), words)


def _known(watch: RunCache, words: Translator, chosen: str) -> str:
    """Without its weights; '' where it cannot be read."""
    try:
        path = watch.checkpoint(chosen)
        return answer_view.knowledge(_name(chosen), read_meta(path).names(words.language), words)
    except ImgclsError:
        return ""


def _answer(
    watch: RunCache,
    words: Translator,
    image: Image.Image | None,
    chosen: str,
    nothing: Callable[[], str],
    *,
    photo: bool = False,
) -> str:
    """`nothing`: what stands there where there is nothing to read."""
    if image is None:
        try:
            watch.checkpoint(chosen)
        except ImgclsError as error:
            return answer_view.problem(words.message(error.message), words)
        return nothing()
    try:
        predictor = network(watch.checkpoint(chosen))
        reading = read(predictor, [image], language=words.language)[0]
    except NoInk:
        return no_writing(words, chosen, predictor.meta.names(words.language)) if photo else nothing()
    except ImgclsError as error:
        return answer_view.problem(words.message(error.message), words)
    classes = predictor.meta.names(words.language)
    order = classes if len(classes) <= ORDERED else None
    known = "" if answer_view.are_digits(classes) else answer_view.knowledge(_name(chosen), classes, words)
    return answer_view.answer(reading, words, keep_order=order, knows=known)


def no_writing(words: Translator, chosen: str, classes: Sequence[str]) -> str:
    """A photo without any ink, given to a network that reads ink."""
    known = answer_view.knowledge(_name(chosen), classes, words)
    return answer_view.problem(words("{known} It finds no writing here.", known=known), words)


def _name(chosen: str) -> str:
    return chosen.split("/")[0]
