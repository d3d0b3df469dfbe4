"""An image of an evaluation, handed over to the Classify room, which explains what a network makes of one picture.

A digit of a built-in set becomes a drawing for the pad, ink on paper; anything else a photo, as if uploaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageOps

from imgcls.checkpoints.format import read_meta
from imgcls.errors import InputError
from imgcls.files import storage_error
from imgcls.web.evaluate.results import Evaluations, as_url
from imgcls.web.server.gradio_internals import keep_file, keep_picture, upload_folder
from imgcls.web.shared.uploads import stored
from imgcls.web.shared.work_gate import opened_picture

if TYPE_CHECKING:
    from imgcls.inference.evaluation import Evaluation
    from imgcls.web.shared.limits import Limits

VISITOR_PX = 1024  # pixels: the longer side of what a visitor of a shared lab gets


def send_to_classify(evaluations: Evaluations, evaluation: Evaluation, place: int, limits: Limits) -> dict[str, str]:
    """{"drawing": a data URL} or {"photo": where it lies among the uploads}. Raises ImgclsError.

    The file itself, or, to a visitor of a shared lab, a smaller picture without what else a photo says (where it was
    taken); it counts among the uploads of all.
    """
    folder = upload_folder()
    if stored() > limits.all_uploads_mb * 1_000_000:
        raise InputError("The lab has no room for another upload: try again in an hour.")
    try:
        if evaluation.paths is not None:
            path = Path(evaluation.paths[int(evaluation.indices[place])])
            near = VISITOR_PX if limits.public else 1
            with opened_picture(path, name=path.name, near=near) as image:  # says what is wrong with it
                if not limits.public:
                    return {"photo": keep_file(path)}
                image.thumbnail((VISITOR_PX, VISITOR_PX))
                return {"photo": keep_picture(image, "photo", "jpeg")}
        with evaluations.original(evaluation, place) as image:
            if read_meta(Path(evaluation.checkpoint)).preprocess.resize_mode == "digit":
                return {"drawing": as_url(ImageOps.invert(image.convert("L")))}
            return {"photo": keep_picture(image, f"{evaluation.part}-{place}", "png")}
    except OSError as error:
        raise storage_error(folder, error) from None
