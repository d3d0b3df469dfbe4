"""An image of an evaluation, handed over to the Classify room, which explains what a network makes of one picture.

A digit of a known set becomes a drawing for the pad, ink on paper; anything else a photo, as if it had been uploaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gradio.processing_utils import save_file_to_cache, save_pil_to_cache
from gradio.utils import get_upload_folder
from PIL import ImageOps

from imgcls.checkpoints.format import read_meta
from imgcls.files import storage_error
from imgcls.imaging.reading import open_image
from imgcls.web.evaluations import Evaluations, as_url

if TYPE_CHECKING:
    from imgcls.inference.evaluation import Evaluation


def hand_over(kept: Evaluations, made: Evaluation, place: int) -> dict[str, str]:
    """{"drawing": a data URL} or {"photo": where it lies among the uploads}. Raises ImgclsError."""
    if made.paths is not None:
        path = Path(made.paths[int(made.indices[place])])
        open_image(path, near=1)  # says what is wrong with it
        try:
            return {"photo": save_file_to_cache(path, get_upload_folder())}
        except OSError as error:
            raise storage_error(Path(get_upload_folder()), error) from None
    image = kept.original(made, place)
    if read_meta(Path(made.checkpoint)).preprocess.resize_mode == "digit":
        return {"drawing": as_url(ImageOps.invert(image.convert("L")))}
    return {"photo": save_pil_to_cache(image, get_upload_folder(), name=f"{made.part}-{place}", format="png")}
