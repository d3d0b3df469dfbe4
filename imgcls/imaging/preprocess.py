"""What happens to an image between the file and the network, as a value that a checkpoint carries.

Two steps, so that data sets, the trainer and the predictor share one definition and cannot disagree:

    any image --to_stored--> uint8 (C, storage_size, storage_size) --to_input--> float (C, size, size), normalised

Small data sets are kept at their own resolution (`stored` 28 or 32) and enlarged in the batch, so a photo shown to
a network that learnt from 32-pixel images is first brought down to 32 pixels: it sees what it learnt from. For
photos `stored == size`. Knows neither data sets nor networks; random augmentation is not here.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    import numpy as np
    import torch
    from PIL import Image

# The course's Resize(256), CenterCrop(224), at any size: what is left of the shorter side.
CROP = 224 / 256

# A JPEG may be decoded at 1/2, 1/4 or 1/8 as long as it stays this much larger than what is wanted: Pillow's own
# thumbnail() takes 2 as indistinguishable from reducing in one step.
REDUCING_GAP = 2
WHOLE_RESIZED = 8  # times the shorter side: longer pictures are resized in their centre only

HALF = (0.5,)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Channels = Literal[1, 3]
ResizeMode = Literal["digit", "garment", "square", "crop", "stretch"]
Upscale = Literal["whole", "crop"]
Interpolation = Literal["bilinear", "bicubic"]


class Preprocess(BaseModel):
    """How an image becomes the network's input.

    resize_mode:
          "digit"    the ink is found, fitted and centred as MNIST's authors did (strokes.py)
          "garment"  Fashion-MNIST: grey, dark background, longer side fitted, centred
          "square"   shorter side to `stored`, centre square
          "crop"     shorter side to stored / crop, centre square of `stored` (Resize(256), CenterCrop(224))
          "stretch"  Resize((stored, stored)), proportions not kept
    upscale: how a stored image of another size than `size` gets there: the whole of it ("whole"), or
             Resize(size / crop) and CenterCrop(size) ("crop").
    interpolation: between pixels, where photos are made smaller and small images larger.
    """

    # The aliases are the names in checkpoints, which stay.
    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    channels: Channels
    resize_mode: ResizeMode = Field(validation_alias="fit", serialization_alias="fit")
    storage_size: int = Field(ge=1, le=1024, validation_alias="stored", serialization_alias="stored")
    size: int = Field(ge=1, le=1024)
    upscale: Upscale = Field(default="whole", validation_alias="enlarge", serialization_alias="enlarge")
    interpolation: Interpolation = "bilinear"
    crop: float = Field(default=CROP, ge=0.25, le=1)
    mean: tuple[Annotated[float, Field(ge=-1e6, le=1e6)], ...]
    std: tuple[Annotated[float, Field(ge=1e-6, le=1e6)], ...]

    @model_validator(mode="after")
    def _a_value_a_channel(self) -> Preprocess:
        if len(self.mean) != self.channels or len(self.std) != self.channels:
            raise ValueError("mean and std must have a value for each channel")
        return self

    def to_stored(self, image: Image.Image) -> torch.Tensor:
        """uint8 (C, storage_size, storage_size). Raises InputError where no digit is drawn."""
        import numpy as np
        import torch

        if self.resize_mode == "digit":
            from imgcls.imaging.digits import mnist_normalize

            return self.store_digit(mnist_normalize(image))
        if self.resize_mode == "garment":
            array = _garment(image, self.storage_size)
            return torch.from_numpy(array)[None].expand(self.channels, -1, -1).contiguous()
        from imgcls.imaging.pixel_modes import flatten

        flat, mode = flatten(image), "L" if self.channels == 1 else "RGB"
        array = np.array(self._fitted(flat if flat.mode == mode else flat.convert(mode)))
        return torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1).copy())

    def _fitted(self, image: Image.Image) -> Image.Image:
        from PIL import Image

        resampling = Image.Resampling[self.interpolation.upper()]
        if self.resize_mode == "stretch":
            return image.resize((self.storage_size, self.storage_size), resampling)
        return _centre(image, self.shorter_side, self.storage_size, resampling)

    @property
    def shorter_side(self) -> int:
        """What the shorter side of a photo becomes before its centre is cut out, in pixels."""
        return round(self.storage_size / self.crop) if self.resize_mode == "crop" else self.storage_size

    @property
    def decode_side(self) -> int | None:
        """A shorter side from which on a larger JPEG may be decoded smaller; None where every pixel counts."""
        return None if self.resize_mode in ("digit", "garment") else self.shorter_side * REDUCING_GAP

    def store_digit(self, grey: np.ndarray) -> torch.Tensor:
        """uint8 (28, 28), as digits.py makes it -> uint8 (C, storage_size, storage_size)."""
        import numpy as np
        import torch

        if self.storage_size != grey.shape[0]:
            from PIL import Image

            square = Image.fromarray(grey).resize((self.storage_size, self.storage_size), Image.Resampling.BILINEAR)
            grey = np.asarray(square)
        return torch.from_numpy(grey.copy())[None].expand(self.channels, -1, -1).contiguous()

    def to_input(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 or [0, 255] float (N, C, storage_size, storage_size) -> normalised float (N, C, size, size), on the
        images' own device."""
        return self.normalise(self.resize(images.float()))

    def resize(self, images: torch.Tensor) -> torch.Tensor:
        """Float (N, C, h, w) -> (N, C, size, size), without normalising."""
        import torch.nn.functional as F

        if images.shape[-1] == self.size and images.shape[-2] == self.size:
            return images
        side = round(self.size / self.crop) if self.upscale == "crop" else self.size
        images = F.interpolate(images, (side, side), mode=self.interpolation, align_corners=False, antialias=True)
        if self.interpolation == "bicubic":  # it overshoots at edges
            images = images.clamp_(0, 255)
        start = (side - self.size) // 2
        return images[..., start : start + self.size, start : start + self.size]

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Float in [0, 255] -> (x / 255 - mean) / std, a channel each, in one multiply and one add."""
        if len(set(self.mean)) == len(set(self.std)) == 1:
            return images.mul(1 / (255 * self.std[0])).sub_(self.mean[0] / self.std[0])
        factor, offset = _factor_and_offset(self.mean, self.std, images.device)
        return images.mul(factor).sub_(offset)

    def picture(self, inputs: torch.Tensor) -> torch.Tensor:
        """What the network saw: normalised float (N, C, size, size) -> uint8 of the same shape."""
        import torch

        std = torch.tensor(self.std, device=inputs.device).view(-1, 1, 1)
        mean = torch.tensor(self.mean, device=inputs.device).view(-1, 1, 1)
        return inputs.float().mul(std).add_(mean).mul_(255).round_().clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=64)
def _factor_and_offset(
    mean: tuple[float, ...], std: tuple[float, ...], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Kept: making them anew for each batch, the processor would wait for the GPU each time."""
    import torch

    with torch.inference_mode(False):
        deviation = torch.tensor(std, device=device).view(-1, 1, 1)
        return 1 / (255 * deviation), torch.tensor(mean, device=device).view(-1, 1, 1) / deviation


def _centre(image: Image.Image, shorter: int, side: int, resampling: Image.Resampling) -> Image.Image:
    """torchvision's Resize(shorter), CenterCrop(side) on a PIL image, bit for bit.

    Of a picture that is far longer than wide only the centre is resized: 60,000 x 1 pixels would become 7 GB. Pillow
    takes where to begin in single precision, so that such a centre may differ from torchvision's by a grey level.
    """
    width, height = image.size
    if width <= height:
        size = (shorter, max(int(shorter * height / width), side))
    else:
        size = (max(int(shorter * width / height), side), shorter)
    left, top = round((size[0] - side) / 2), round((size[1] - side) / 2)
    if max(size) <= WHOLE_RESIZED * shorter:
        return image.resize(size, resampling).crop((left, top, left + side, top + side))
    x, y = width / size[0], height / size[1]
    return image.resize((side, side), resampling, box=(left * x, top * y, (left + side) * x, (top + side) * y))


def _garment(image: Image.Image, side: int):
    """Fashion-MNIST's recipe in short: grey, light on dark, longer side fitted to the frame, centred.

    Source: Xiao et al. 2017, section 2 (trim, resize the longest edge to 28, negate, extend).
    """
    import numpy as np
    from PIL import Image, ImageChops

    from imgcls.imaging.pixel_modes import flatten

    grey = flatten(image).convert("L")
    width, height = grey.size
    edges = [(0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height)]
    if np.median(np.concatenate([np.asarray(grey.crop(edge)).ravel() for edge in edges])) > 127:
        grey = ImageChops.invert(grey)
    scale = side / max(grey.size)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = grey.resize(size, Image.Resampling.LANCZOS)
    canvas = Image.new("L", (side, side), 0)
    canvas.paste(small, ((side - size[0]) // 2, (side - size[1]) // 2))
    return np.array(canvas)
