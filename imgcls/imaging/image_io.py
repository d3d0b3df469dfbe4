"""Any image file -> a decoded RGB (or RGBA) PIL image that stands upright.

One place that knows every way in which a photo can be odd: turned by EXIF, CMYK, a palette, 1 bit, 16 bits,
transparent, animated, cut off, enormous, or not a photo at all. Knows neither data sets nor networks.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from imgcls.errors import InputError
from imgcls.imaging.ink import NoInk
from imgcls.imaging.pixel_modes import SIDEWAYS, dark_range, has_transparency, strips, to_rgb
from imgcls.messages import Message

MAX_PIXELS = 89_000_000  # just under where Pillow itself warns of a bomb
MAX_SIDE_PIXELS = 65_535  # the longest JPEG; resizing keeps some bytes for every pixel of a side
MAX_DECODED_BYTES = 400_000_000  # that one image may take while it is read: 50 million pixels of a PNG
IN_FLIGHT_BYTES = 500_000_000  # that all images together may take while they are read and made small; the others wait
RGB_BYTES = 4  # of a pixel in memory, RGB and RGBA alike
MODE_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}  # of a pixel; other modes take 4
# What decoding itself takes, bytes a pixel, the decoded image included: measured at 50 million pixels as the growth of
# the process (WebP 15.8, AVIF 10.1 at 8 bits without transparency, JPEG 2000 18.9). Others take the image alone.
DECODER_BYTES = {"WEBP": 16, "AVIF": 16, "HEIF": 16, "JPEG2000": 20, "TIFF": 8}
PROGRESSIVE_BYTES = 2  # a pixel and channel: a progressive JPEG's coefficients are all in memory, at full size
MAX_FILE_BYTES = 100_000_000

# Named one by one: Pillow would also hand PostScript to Ghostscript, and open formats that no camera writes.
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF", "HEIF", "JPEG2000", "PPM")
NOTES = "imgcls-notes"  # in an image's info
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
READABLE = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"
MISSING_GREY = 127, 129  # what libjpeg fills in where a file ends too soon
MOST_MISSING = 0.5  # of the rows: a JPEG that lacks more is refused
ANIMATIONS = ("GIF", "PNG", "WEBP", "AVIF")
BLANK_FRAMES = 20  # of an animation that are passed over
END_OF_JPEG = b"\xff\xd9"


def open_image(
    source: str | Path | bytes | BinaryIO,
    *,
    keep_alpha: bool = False,
    near: int | None = None,
    name: str | None = None,
) -> Image.Image:
    """`source` decoded, upright and as RGB; transparency lies over white, or stays (RGBA) with `keep_alpha`.

    near: a shorter side that is enough, in pixels: a larger JPEG is then decoded at 1/2, 1/4 or 1/8, never below it.
    name: what to call the image in an error; the path by default.

    An animation gives its first frame that is not of one colour.
    Raises InputError with one sentence that names the image.
    """
    with ExitStack() as booked:
        return _decoded(source, keep_alpha, near, name or _name(source), booked)


@contextmanager
def opened_image(
    source: str | Path | bytes | BinaryIO,
    *,
    keep_alpha: bool = False,
    near: int | None = None,
    name: str | None = None,
) -> Iterator[Image.Image]:
    """As `open_image`, for many at once: the image's memory stays booked until the block ends, where it is given back.

    The block must not read another image.

    Where the block finds no ink or no memory for it, InputError says so of this image.
    """
    called = name or _name(source)
    with ExitStack() as booked:
        image = _decoded(source, keep_alpha, near, called, booked)
        try:
            yield image
        except NoInk:
            raise NoInk(called) from None
        except MemoryError:
            raise _out_of_memory(called) from None
        finally:
            image.close()  # the name that the block gave it outlives the block


def upright(image: Image.Image) -> Image.Image:
    """A picture that somebody has opened, RGB or RGBA and turned as its camera says. Raises InputError where its pixels
    cannot be read."""
    called = "The image"
    try:
        image.load()
        return to_rgb(image, keep_alpha=True, turn=_turn(image))
    except MemoryError:
        raise _out_of_memory(called) from None
    except Exception:  # decoders of damaged files raise whatever they stumble on
        raise _damaged(called) from None


def notes_of(image: Image.Image) -> tuple[Message, ...]:
    """What a person should know of an image that was read all the same."""
    return image.info.get(NOTES, ())


def _decoded(
    source: str | Path | bytes | BinaryIO, keep_alpha: bool, near: int | None, called: str, booked: ExitStack
) -> Image.Image:
    try:
        with _opened(source, called) as file:
            formats = _formats(file)
            with Image.open(file, formats=formats) as image:
                rgb = _as_rgb(image, keep_alpha, near, called, booked)
            if rgb is None:  # a JPEG that ends too soon
                with Image.open(BytesIO(_bytes_of(file) + END_OF_JPEG), formats=formats) as image:
                    rgb = _as_rgb(image, keep_alpha, near, called, booked)
                if rgb is None:
                    raise _damaged(called)
                _check_missing(rgb, called)
            return rgb
    except InputError:
        raise
    except UnidentifiedImageError:
        raise _unreadable(called) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(called, MAX_PIXELS) from None
    except MemoryError:
        raise _out_of_memory(called) from None
    # Decoders of damaged files raise whatever they stumble on: OSError, SyntaxError, ValueError, struct.error, ...
    except Exception:
        raise _damaged(called) from None


def _as_rgb(
    image: Image.Image, keep_alpha: bool, near: int | None, called: str, booked: ExitStack
) -> Image.Image | None:
    """None where it is a JPEG that ends too soon."""
    _check_pixels(image.size, called)
    size = image.size
    if near:
        image.draft(None, (near, near))  # only JPEG can; a quarter of the time for a phone's photo
    booked.enter_context(_room.taken(_check_bytes(image, size, keep_alpha, called)))
    try:
        image.load()
    except OSError:
        booked.close()
        if image.format in ("JPEG", "MPO"):
            return None
        raise
    _pass_over_blank(image)
    notes = []
    if dark := dark_range(image):
        notes.append(
            Message("{file} has no value above {most:,} of 65,535: it is made brighter.", file=called, most=dark)
        )
    rgb = to_rgb(image, keep_alpha, _turn(image))
    rgb.info[NOTES] = tuple(notes)
    return rgb


def _pass_over_blank(image: Image.Image) -> None:
    """To the first frame of an animation that shows something, where there is one.

    The pages of a TIFF are pictures of their own, of any size. A frame is as large as what was checked and booked, or
    it is not decoded; one that cannot be read ends the search, not the file.
    """
    if image.format not in ANIMATIONS or not getattr(image, "is_animated", False) or not _is_blank(image):
        return
    size = image.size
    with contextlib.suppress(EOFError, OSError, ValueError, SyntaxError):
        for frame in range(1, BLANK_FRAMES):
            image.seek(frame)
            if image.size != size:
                break
            image.load()
            if not _is_blank(image):
                return
    image.seek(0)
    image.load()


def _is_blank(image: Image.Image) -> bool:
    return image.getcolors(1) is not None


def _check_missing(image: Image.Image, called: str) -> None:
    """Notes that a JPEG lacks its end; InputError where less than half of it is there."""
    low, high = MISSING_GREY
    missing = 0
    for strip, _ in reversed(list(strips(image))):
        rows = np.asarray(strip)
        filled = np.flatnonzero(((rows < low) | (rows > high)).any(axis=(1, 2)))
        missing += len(rows) - (filled[-1] + 1 if len(filled) else 0)
        if len(filled):
            break
    if missing > MOST_MISSING * image.height:
        raise _damaged(called)
    note = Message("{file} lacks its end: what is there is used. Save or copy it again.", file=called)
    image.info[NOTES] = (*notes_of(image), note)


def _bytes_of(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _damaged(called: str) -> InputError:
    return InputError("{file} is cut off or damaged: save or copy it again.", file=called)


def size_of(source: str | Path | BinaryIO) -> tuple[int, int]:
    """(width, height) of the upright image, from its header alone. Raises InputError."""
    called = _name(source)
    try:
        with _opened(source, called) as file, Image.open(file, formats=_formats(file)) as image:
            width, height = image.size
            turn = _turn(image)
    except InputError:
        raise
    except Exception:
        raise _unreadable(called) from None
    return (height, width) if turn in SIDEWAYS else (width, height)


def _formats(file: BinaryIO) -> list[str]:
    """Those of FORMATS that can be read here. HEIC's reader is loaded when the first such file comes."""
    Image.init()
    start = file.read(12)
    file.seek(0)
    if start[4:8] == b"ftyp" and start[8:11] != b"avi":
        with suppress(ImportError):
            pillow_heif = import_module("pillow_heif")
            pillow_heif.register_heif_opener()
    return [f for f in FORMATS if f in Image.OPEN]


def _name(source: str | Path | bytes | BinaryIO) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "The image"


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


_room = _Room(IN_FLIGHT_BYTES)


def _check_bytes(image: Image.Image, full: tuple[int, int], keep_alpha: bool, called: str) -> int:
    """Bytes that reading takes at its worst moment: the decoder at work; the image beside its RGB; an image with
    transparency beside what it is over white. `full`: the size before a JPEG is decoded smaller. InputError where that
    is too much."""
    pixels, kind = image.size[0] * image.size[1], image.format or ""
    # What follows a GIF's first frame is RGB.
    stored = 4 if getattr(image, "is_animated", False) else MODE_BYTES.get(image.mode, 4)
    decoding = max(DECODER_BYTES.get(kind, 0), stored) * pixels
    if "progressive" in image.info:
        decoding += PROGRESSIVE_BYTES * len(image.getbands()) * full[0] * full[1]
    flattening = RGB_BYTES if keep_alpha and has_transparency(image) else stored
    needed = max(decoding, (max(stored, flattening) + RGB_BYTES) * pixels)
    if needed > MAX_DECODED_BYTES:
        raise _too_many_pixels(called, full[0] * full[1] * MAX_DECODED_BYTES // needed)
    return needed


def _check_pixels(size: tuple[int, int], called: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_many_pixels(called, MAX_PIXELS)
    if min(size) < 1:
        raise InputError("{file} has no pixels: save or copy it again.", file=called)
    if max(size) > MAX_SIDE_PIXELS:
        raise InputError(
            "{file} has {width:,} x {height:,} pixels and a side may have {most:,} at most: cut it into pieces.",
            file=called,
            width=size[0],
            height=size[1],
            most=MAX_SIDE_PIXELS,
        )


def _out_of_memory(called: str) -> InputError:
    return InputError("There is not enough memory for {file}: make it smaller.", file=called)


def _too_many_pixels(called: str, most: int) -> InputError:
    return InputError(
        "{file} has more than {most} million pixels: make it smaller.", file=called, most=most // 1_000_000
    )


def _unreadable(called: str) -> InputError:
    if called.lower().endswith((".heic", ".heif")):
        return InputError(
            "{file} is a HEIC photo that cannot be read here: save it as JPEG, or install `pillow-heif`.", file=called
        )
    return InputError("{file} is not an image that can be read: use {kinds}.", file=called, kinds=READABLE)


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What EXIF says must be done to stand it upright. Asked after load(): Pillow turns a TIFF by itself there."""
    with suppress(Exception):  # a broken EXIF block says nothing about the pixels
        return TURNS.get(image.getexif().get(ORIENTATION, 1))
    return None
