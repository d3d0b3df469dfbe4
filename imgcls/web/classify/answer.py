"""A drawing or a photo, and the checkpoint that somebody chose -> what the page shows of it: HTML."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PIL import Image

from imgcls.checkpoints.format import read_meta
from imgcls.errors import ImgclsError
from imgcls.imaging.ink import NoInk
from imgcls.inference.classify import classify
from imgcls.web.classify import answer_view
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.shared.work_gate import Kind, network, network_kind, work

ORDERED = 10  # up to so many classes the bars stay in their own order, so that they do not jump while one draws


async def pool_of(run_cache: RunCache, chosen: str | None, user: str) -> Kind:
    """The pool in which the chosen checkpoint's answer is made; where it is none, the sentence that says so."""

    def pool() -> Kind:
        try:
            return network_kind(run_cache.checkpoint(chosen))
        except ImgclsError:
            return "picture"

    return await work("state", None, pool, user)


def of_drawing(run_cache: RunCache, translate: Translator, drawing: Image.Image | None, chosen: str) -> str:
    """What the checkpoint makes of a drawing: HTML."""
    return _answer(run_cache, translate, drawing, chosen, lambda: nothing_drawn(translate))


def of_photo(run_cache: RunCache, translate: Translator, image: Image.Image | None, chosen: str) -> str:
    """What the checkpoint makes of a photo: HTML."""
    return _answer(
        run_cache,
        translate,
        image,
        chosen,
        lambda: no_photo(translate, _known(run_cache, translate, chosen)),
        photo=True,
    )


def nothing_drawn(translate: Translator) -> str:
    return answer_view.empty(
        translate("Draw something"), translate("The answer appears here while you draw."), translate
    )


def no_photo(translate: Translator, knowledge: str) -> str:
    """`knowledge`: what the chosen network can answer."""
    more = translate("Upload a file, paste a picture or use the camera.")
    return answer_view.empty(translate("Choose a photo"), f"{more} {knowledge}".strip(), translate)


def _known(run_cache: RunCache, translate: Translator, chosen: str) -> str:
    """Without its weights; '' where it cannot be read."""
    try:
        path = run_cache.checkpoint(chosen)
        return answer_view.knowledge(_name(chosen), read_meta(path).names(translate.language), translate)
    except ImgclsError:
        return ""


def _answer(
    run_cache: RunCache,
    translate: Translator,
    image: Image.Image | None,
    chosen: str,
    nothing: Callable[[], str],
    *,
    photo: bool = False,
) -> str:
    """`nothing`: what stands there where there is nothing to read."""
    if image is None:
        try:
            run_cache.checkpoint(chosen)
        except ImgclsError as error:
            return answer_view.problem(translate.message(error.message), translate)
        return nothing()
    try:
        predictor = network(run_cache.checkpoint(chosen))
        reading = classify(predictor, [image], language=translate.language)[0]
    except NoInk:
        return no_writing(translate, chosen, predictor.meta.names(translate.language)) if photo else nothing()
    except ImgclsError as error:
        return answer_view.problem(translate.message(error.message), translate)
    classes = predictor.meta.names(translate.language)
    order = classes if len(classes) <= ORDERED else None
    knowledge = "" if answer_view.are_digits(classes) else answer_view.knowledge(_name(chosen), classes, translate)
    return answer_view.answer(reading, translate, keep_order=order, knows=knowledge)


def no_writing(translate: Translator, chosen: str, classes: Sequence[str]) -> str:
    """A photo without any ink, given to a network that reads ink."""
    knowledge = answer_view.knowledge(_name(chosen), classes, translate)
    return answer_view.problem(translate("{known} It finds no writing here.", known=knowledge), translate)


def _name(chosen: str) -> str:
    return chosen.split("/")[0]
