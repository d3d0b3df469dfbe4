"""Any image file -> a decoded RGB (or RGBA) PIL image that stands upright.

One place that knows every way in which a photo can be odd: turned by EXIF, CMYK, a palette, 1 bit, 16 bits,
transparent, animated, cut off, enormous, or not a photo at all. Knows neither data sets nor networks.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from imgcls.errors import InputError
from imgcls.imaging.pixel_modes import to_rgb

MAX_PIXELS = 89_000_000  # just under where Pillow itself warns of a bomb
MAX_DECODED = 400_000_000  # bytes that one image may take while it becomes RGB: 50 million pixels of a PNG
IN_FLIGHT = 800_000_000  # bytes that all images together may take at that moment; the others wait
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # of a pixel in memory; others take 4
MAX_FILE_BYTES = 100_000_000

# Named one by one: Pillow would also hand PostScript to Ghostscript, and open formats that no camera writes.
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "JPEG2000", "PPM")
ORIENTATION = 0x0112
# Source: EXIF 2.3, table 4, Orientation.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
READABLE = "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF"


def open_image(
    source: str | Path | bytes | BinaryIO,
    *,
    keep_alpha: bool = False,
    near: int | None = None,
    name: str | None = None,
) -> Image.Image:
    """`source` decoded, upright and as RGB; transparency lies over white, or stays (RGBA) with `keep_alpha`.

    near: a shorter side that is enough, in pixels: a larger JPEG is then decoded at 1/2, 1/4 or 1/8, never below it.
    name: what to call the image in an error; the path by default. An animation gives its first frame.
    Raises InputError with one sentence that names the image.
    """
    called = name or _name(source)
    try:
        with _opened(source, called) as file, Image.open(file, formats=_formats()) as image:
            _check_pixels(image.size, called)
            if near:
                image.draft(None, (near, near))  # only JPEG can; a quarter of the time for a phone's photo
            with _room.taken(_check_bytes(image, called)):
                image.load()
                turn = _turn(image)
                plain = to_rgb(image, keep_alpha)
                return plain if turn is None else plain.transpose(turn)
    except InputError:
        raise
    except UnidentifiedImageError:
        raise _unreadable(called) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        raise _too_many_pixels(called, MAX_PIXELS) from None
    # Decoders of damaged files raise whatever they stumble on: OSError, SyntaxError, ValueError, struct.error, ...
    except Exception:
        raise InputError("{file} is cut off or damaged: save or copy it again.", file=called) from None


def size_of(source: str | Path | BinaryIO) -> tuple[int, int]:
    """(width, height) of the upright image, from its header alone. Raises InputError."""
    called = _name(source)
    try:
        with _opened(source, called) as file, Image.open(file, formats=_formats()) as image:
            width, height = image.size
            turn = _turn(image)
    except InputError:
        raise
    except Exception:
        raise _unreadable(called) from None
    sideways = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270, Image.Transpose.TRANSPOSE,
                Image.Transpose.TRANSVERSE)  # fmt: skip
    return (height, width) if turn in sideways else (width, height)


def _formats() -> list[str]:
    """Those of FORMATS that this Pillow was built with."""
    Image.init()
    return [f for f in FORMATS if f in Image.OPEN]


def _name(source: str | Path | bytes | BinaryIO) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    given = getattr(source, "name", None)
    return given if isinstance(given, str) else "The image"


@contextmanager
def _opened(source: str | Path | bytes | BinaryIO, called: str) -> Iterator[BinaryIO]:
    """`source` at its start, neither empty nor too large; closed at the end if it was opened here."""
    if isinstance(source, (str, Path)):
        file = _open_file(Path(source), called)
    else:
        file = BytesIO(source) if isinstance(source, bytes) else source
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size == 0:
            raise InputError("{file} is empty (0 bytes): save or copy it again.", file=called)
        if size > MAX_FILE_BYTES:
            raise InputError(
                "{file} has {size:.0f} MB and at most {most:.0f} can be read: save it smaller.",
                file=called,
                size=size / 1e6,
                most=MAX_FILE_BYTES / 1e6,
            )
        yield file
    finally:
        if file is not source:
            file.close()


def _open_file(path: Path, called: str) -> BinaryIO:
    try:
        if path.is_file():  # asked first: opening a named pipe would wait for ever
            return path.open("rb")
        if path.is_dir():
            raise InputError("{file} is a folder: choose an image file.", file=called)
        if path.exists():
            raise InputError("{file} is not a file: choose an image file.", file=called)
    except (OSError, ValueError):
        raise InputError("{file} cannot be opened: check its name and that you may read it.", file=called) from None
    raise InputError("There is no file {file}: check its name.", file=called)


class _Room:
    """Memory for images that are being decoded: forty requests of 89 million pixels at once would be 17 GB."""

    def __init__(self, most: int) -> None:
        self.most, self.used, self.changed = most, 0, threading.Condition()

    @contextmanager
    def taken(self, needed: int) -> Iterator[None]:
        with self.changed:
            self.changed.wait_for(lambda: not self.used or self.used + needed <= self.most)
            self.used += needed
        try:
            yield
        finally:
            with self.changed:
                self.used -= needed
                self.changed.notify_all()


_room = _Room(IN_FLIGHT)


def _check_bytes(image: Image.Image, called: str) -> int:
    """Bytes that decoding takes: the image as it is stored, and as RGB. InputError where that is too much."""
    each = BYTES.get(image.mode, 4) + 4
    needed = image.size[0] * image.size[1] * each
    if needed > MAX_DECODED:
        raise _too_many_pixels(called, MAX_DECODED // each)
    return needed


def _check_pixels(size: tuple[int, int], called: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_many_pixels(called, MAX_PIXELS)
    if min(size) < 1:
        raise InputError("{file} has no pixels: save or copy it again.", file=called)


def _too_many_pixels(called: str, most: int) -> InputError:
    return InputError(
        "{file} has more than {most} million pixels: make it smaller.", file=called, most=most // 1_000_000
    )


def _unreadable(called: str) -> InputError:
    if called.lower().endswith((".heic", ".heif")):
        return InputError("{file} is a HEIC photo, which cannot be read here: save it as JPEG.", file=called)
    return InputError("{file} is not an image that can be read: use {kinds}.", file=called, kinds=READABLE)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What EXIF says must be done to stand it upright. Asked after load(): Pillow turns a TIFF by itself there."""
    with suppress(Exception):  # a broken EXIF block says nothing about the pixels
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    return None
