"""Every odd kind of image file is read right, or refused with one sentence that names it."""

import io
import os
import resource
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgcls.errors import InputError
from imgcls.imaging.image_files import find_images, natural_key
from imgcls.imaging.image_io import MAX_PIXELS, _Room, notes_of, open_image


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def halves(mode: str, left, right) -> Image.Image:
    """20 wide, 10 high."""
    image = Image.new(mode, (20, 10), right)
    image.paste(left, (0, 0, 10, 10))
    return image


def test_path_string_bytes_and_stream_give_the_same(tmp_path):
    data = encoded(halves("RGB", "red", "blue"))
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with path.open("rb") as stream:
        made = [open_image(s) for s in (path, str(path), data, io.BytesIO(data), stream)]
        assert not stream.closed
    assert all(m.mode == "RGB" and m.tobytes() == made[0].tobytes() for m in made)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_exif_orientation(kind, orientation):
    upright = Image.new("RGB", (32, 16), "white")
    upright.paste("red", (0, 0, 16, 8))
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # PIL's transposes that undo each orientation
    stored = upright.transpose(Image.Transpose(inverse[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    read = open_image(encoded(stored, kind, exif=exif, **options))
    assert read.size == (32, 16)
    assert np.abs(np.asarray(read, int) - np.asarray(upright, int)).max() <= 8


def test_broken_exif_says_nothing_about_the_pixels():
    data = encoded(Image.new("RGB", (8, 8), "red"), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff garbage")
    assert open_image(data).size == (8, 8)


@pytest.mark.parametrize(
    ("image", "kind", "left", "right"),
    [
        (halves("1", 0, 1), "PNG", (0, 0, 0), (255, 255, 255)),
        (halves("L", 40, 200), "PNG", (40, 40, 40), (200, 200, 200)),
        (halves("RGB", (9, 99, 199), "blue").quantize(2), "PNG", (9, 99, 199), (0, 0, 255)),
        (halves("CMYK", (0, 255, 255, 0), (255, 255, 0, 0)), "TIFF", (255, 0, 0), (0, 0, 255)),
        (halves("CMYK", (0, 255, 255, 0), (255, 255, 0, 0)), "JPEG", (255, 0, 0), (0, 0, 255)),
        (halves("LA", (0, 255), (0, 0)), "PNG", (0, 0, 0), (255, 255, 255)),
        (halves("RGBA", (255, 0, 0, 255), (0, 0, 0, 0)), "PNG", (255, 0, 0), (255, 255, 255)),
        (halves("RGBA", (0, 0, 0, 128), (0, 0, 0, 0)), "WEBP", (127, 127, 127), (255, 255, 255)),
    ],
    ids=["1-bit", "grey", "palette", "cmyk-tiff", "cmyk-jpeg", "la", "rgba", "rgba-webp"],
)
def test_modes(image, kind, left, right):
    read = open_image(encoded(image, kind))
    assert read.mode == "RGB"
    assert np.allclose(read.getpixel((3, 5)), left, atol=4) and np.allclose(read.getpixel((16, 5)), right, atol=4)


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_transparent_colour_lies_over_white_or_stays(mode):
    image = halves("RGB", "red", "blue").quantize(2) if mode == "P" else halves(mode, 10 if mode == "L" else "red", 0)
    key = image.getpixel((16, 5))
    data = encoded(image, "PNG", transparency=key)
    assert open_image(data).getpixel((16, 5)) == (255, 255, 255)
    kept = open_image(data, keep_alpha=True)
    assert kept.mode == "RGBA" and kept.getpixel((16, 5))[3] == 0 and kept.getpixel((3, 5))[3] == 255


def test_keep_alpha_leaves_opaque_images_rgb():
    assert open_image(encoded(Image.new("RGB", (4, 4))), keep_alpha=True).mode == "RGB"


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_clipped(kind):
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    read = np.asarray(open_image(encoded(Image.fromarray(values), kind)))[..., 0]
    assert np.array_equal(read.ravel(), np.arange(256))


@pytest.mark.parametrize("top", [1.0, 255.0, 8000.0])
def test_float_grey(top):
    values = np.linspace(0, top, 256, dtype=np.float32).reshape(16, 16)
    read = np.asarray(open_image(encoded(Image.fromarray(values), "TIFF")))[..., 0]
    assert np.abs(read.ravel().astype(int) - np.arange(256)).max() <= 1


@pytest.mark.filterwarnings("error")
def test_what_is_no_number_in_float_grey_darkens_nothing(tmp_path):
    values = np.tile(np.linspace(0, 0.9, 32, dtype=np.float32), (32, 1))
    values[0, :4] = np.nan, np.inf, -np.inf, np.nan
    Image.fromarray(values).save(tmp_path / "f.tif")
    grey = np.asarray(open_image(tmp_path / "f.tif"))[..., 0]
    assert grey[5, 31] > 200 and grey[5, 0] == 0 and list(grey[0, :4]) == [0, 255, 0, 0]
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(tmp_path / "n.tif")
    assert open_image(tmp_path / "n.tif").size == (9, 9)


def test_one_tone_of_float_grey_is_no_crash():
    values = np.full((4, 4), -7, np.float32)
    assert open_image(encoded(Image.fromarray(values), "TIFF")).size == (4, 4)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    read = open_image(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert np.allclose(read.getpixel((4, 4)), (255, 0, 0), atol=4)


def test_near_decodes_a_large_jpeg_smaller_but_never_below(tmp_path):
    data = encoded(Image.new("RGB", (1600, 800), "red"), "JPEG")
    assert open_image(data, near=100).size == (200, 100)
    assert open_image(data, near=500).size == (1600, 800)
    assert open_image(encoded(Image.new("RGB", (1600, 800))), near=100).size == (1600, 800)


def test_too_many_pixels_are_refused_before_decoding():
    side = int(MAX_PIXELS**0.5) + 1

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    for width in (side, 60_000):
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, width, 8, 2, 0, 0, 0))
        bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
        with pytest.raises(InputError, match="bomb.png has more than 89 million pixels"):
            open_image(bomb, name="bomb.png")


def test_what_cannot_be_read_says_so_in_one_sentence(tmp_path):
    jpeg = encoded(Image.new("RGB", (64, 64), "red"), "JPEG")
    cases = {
        "empty.jpg": (b"", "is empty"),
        "text.jpg": (b"this is no picture", "is not an image"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "cut off or damaged"),
        "page.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is not an image"),
        "photo.heic": (b"\0\0\0\x18ftypheic", "HEIC"),
    }
    for name, (data, said) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=said) as error:
            open_image(tmp_path / name)
        assert name in str(error.value) and "\n" not in str(error.value)
    for missing, said in (
        (tmp_path, "is a folder"),
        (tmp_path / "no.png", "There is no file"),
        ("a\0b", "opened|no file"),
    ):
        with pytest.raises(InputError, match=said):
            open_image(missing)


GOOD = [
    encoded(halves("RGB", "red", "blue"), kind) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF")
]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(GOOD), st.data())
def test_damaged_files_raise_nothing_but_input_error(good, data):
    changed = bytearray(good)
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=6)):
        changed[place] = value
    cut = data.draw(st.integers(0, len(good)))
    try:
        assert open_image(bytes(changed[:cut] if cut % 3 == 0 else changed)).mode == "RGB"
    except InputError as error:
        assert str(error).startswith("The image ")


def test_find_images_is_sorted_and_skips_what_is_hidden(tmp_path):
    for name in (
        "b/10.jpg",
        "b/9.JPG",
        "a.png",
        ".ipynb_checkpoints/x.png",
        "__MACOSX/._a.png",
        "b/._9.jpg",
        "b/n.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [p.relative_to(tmp_path).as_posix() for p in find_images(tmp_path)] == ["a.png", "b/9.JPG", "b/10.jpg"]
    assert list(find_images(tmp_path / "none")) == []


@pytest.mark.skipif(os.name == "nt", reason="making links needs a right on Windows")
def test_find_images_ends_where_links_go_round(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    assert len(list(find_images(tmp_path))) == 1


def test_natural_order():
    assert sorted(["10", "2", "a10", "a9", "图片2", "图片10", "B1"], key=natural_key) == [
        "2",
        "10",
        "a9",
        "a10",
        "B1",
        "图片2",
        "图片10",
    ]


@pytest.mark.parametrize("mode", ["P", "RGBA", "I;16", "F"])
def test_decoding_takes_no_more_memory_than_is_counted(mode, tmp_path):
    """In a process of its own: what the system gave it, against the bytes that MAX_DECODED is held against."""
    noise = np.random.default_rng(0).integers(1, 255, (3000, 3000, 4), dtype=np.uint8)
    image = {
        "P": lambda: Image.fromarray(noise[..., 0]).convert("P"),
        "RGBA": lambda: Image.fromarray(noise),
        "I;16": lambda: Image.fromarray(noise[..., 0].astype(np.uint16) * 99),
        "F": lambda: Image.fromarray(noise[..., 0].astype(np.float32)),
    }[mode]()
    assert image.mode == mode
    large, small = (tmp_path / f"{name}.{'tif' if mode == 'F' else 'png'}" for name in ("large", "small"))
    image.save(large, **({} if mode == "F" else {"compress_level": 1}))
    image.crop((0, 0, 8, 8)).save(small)
    code = (
        "import resource, sys\nfrom imgcls.imaging.image_io import open_image\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "open_image(sys.argv[2]); before = peak(); open_image(sys.argv[1]); print(peak() - before)"
    )
    said = subprocess.run([sys.executable, "-c", code, large, small], capture_output=True, text=True, check=True)
    counted = image.width * image.height * ({"P": 1, "I;16": 2}.get(mode, 4) + 4)
    assert int(said.stdout) < counted + 45_000_000  # a strip, the file, the decoder


def test_large_images_take_turns():
    """What is in flight together stays below the limit; one that is larger than that alone still gets its turn."""
    room, seen = _Room(100), []

    def decode(needed):
        with room.taken(needed):
            seen.append(room.used)
            time.sleep(0.001)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(decode, [30, 60, 90, 20, 150] * 8))
    assert len(seen) == 40 and max(seen) == 150 and all(used <= 100 or used == 150 for used in seen) and room.used == 0


@pytest.mark.parametrize(("mode", "most"), [("P", 80), ("RGB", 50), ("RGBA", 50)])
def test_an_image_that_would_take_too_much_memory_is_refused_before_decoding(mode, most):
    width = int((most * 1_000_000) ** 0.5) + 2
    with pytest.raises(InputError, match=f"wide.png has more than {most} million pixels"):
        open_image(encoded(Image.new(mode, (width, width)), compress_level=1), name="wide.png")


def noisy(width: int = 320, height: int = 240) -> Image.Image:
    """No row is of one grey, so that what is missing can be told."""
    small = np.random.default_rng(4).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}], ids=str)
@pytest.mark.parametrize("lacking", [1, 2, 7, 400])
@pytest.mark.parametrize("near", [None, 64])
def test_a_jpeg_that_lacks_its_end_is_read_with_a_note(options, lacking, near):
    """As every viewer shows it."""
    whole = encoded(noisy(), "JPEG", quality=90, **options)
    read = open_image(whole[:-lacking], near=near, name="cut.jpg")
    assert [str(note) for note in notes_of(read)] == [
        "cut.jpg lacks its end: what is there is used. Save or copy it again."
    ]
    there = open_image(whole, near=near)
    assert notes_of(there) == () and read.size == there.size
    half = (0, 0, read.width, read.height // 2)
    apart = np.abs(np.asarray(read.crop(half), int) - np.asarray(there.crop(half), int))
    assert apart.mean() < 3


@pytest.mark.parametrize("share", [0.05, 0.3, 0.45])
def test_a_jpeg_of_which_less_than_half_is_there_is_refused(share):
    whole = encoded(noisy(), "JPEG", quality=90)
    with pytest.raises(InputError, match="cut.jpg is cut off or damaged"):
        open_image(whole[: int(share * len(whole))], name="cut.jpg")


def test_other_files_that_lack_their_end_are_refused():
    for kind in ("PNG", "GIF", "WEBP"):
        whole = encoded(noisy(), kind)
        with pytest.raises(InputError, match="cut off or damaged|not an image"):
            open_image(whole[: len(whole) // 2])


@pytest.mark.parametrize("blank", [1, 2, 5])
def test_a_blank_first_frame_is_passed_over(blank):
    frames = [Image.new("P", (16, 16), 7 + i) for i in range(blank)] + [halves("P", 3, 9).resize((16, 16))]
    palette = [value for i in range(256) for value in (i * 20 % 256, i * 7 % 256, i * 3 % 256)]
    for frame in frames:
        frame.putpalette(palette)
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], optimize=False, disposal=2)
    assert len(open_image(data).getcolors()) > 1


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_the_pages_of_a_tiff_are_no_animation(mode, tmp_path):
    """The first page is the picture, blank or not; a huge one behind it is never decoded, whatever its mode."""
    file, first = tmp_path / "pages.tif", Image.new(mode, (4, 4))
    first.save(file, save_all=True, append_images=[Image.new("1", (6000, 6000))], compression="tiff_deflate")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert open_image(file).size == (4, 4)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak - before < 30_000  # KB; the second page alone has 36 million pixels


def test_a_broken_frame_ends_the_search_not_the_file():
    """A blank first frame, and a second one that lacks its end."""
    file = io.BytesIO()
    noise = Image.frombytes("L", (64, 64), os.urandom(4096)).convert("P")
    Image.new("P", (64, 64), 7).save(file, "GIF", save_all=True, append_images=[noise], loop=0)
    assert open_image(file.getvalue()[:-3000]).size == (64, 64)


def test_an_animation_that_is_blank_throughout_stays_so():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    read = open_image(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert np.allclose(read.getpixel((4, 4)), (255, 0, 0), atol=4)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize(("most", "levels"), [(4095, 256), (2000, 125), (40_000, 157)])
def test_twelve_bits_in_sixteen_are_made_brighter_and_it_is_said(kind, most, levels):
    values = np.linspace(0, most, 64 * 64).astype(np.uint16).reshape(64, 64)
    read = open_image(encoded(Image.fromarray(values), kind), name="x-ray")
    found = len(np.unique(np.asarray(read)))
    assert abs(found - levels) <= 1
    said = [str(note) for note in notes_of(read)]
    assert said == ([f"x-ray has no value above {most:,} of 65,535: it is made brighter."] if most < 5000 else [])


@pytest.mark.parametrize("suffix", ["heic", "HEIF", "avif"])
def test_a_phone_s_photos_are_read(tmp_path, suffix):
    import pillow_heif

    path = tmp_path / f"photo.{suffix}"
    if suffix == "avif":
        halves("RGB", "red", "blue").resize((64, 32)).save(path)
    else:
        pillow_heif.from_pillow(halves("RGB", "red", "blue").resize((64, 32))).save(path, quality=95, format="HEIF")
    read = open_image(path)
    assert read.mode == "RGB" and read.size == (64, 32)
    assert np.allclose(read.getpixel((8, 16)), (255, 0, 0), atol=40)
    assert [found.name for found in find_images(tmp_path)] == [path.name]


def test_a_heic_photo_without_its_reader_says_what_to_do(monkeypatch, tmp_path):
    import pillow_heif

    path = tmp_path / "photo.heic"
    pillow_heif.from_pillow(Image.new("RGB", (64, 32), "red")).save(path, format="HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    with pytest.raises(InputError, match="photo.heic is a HEIC photo that cannot be read here: save it as JPEG"):
        open_image(path)


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "1.jpg").touch()
    (tmp_path / "shut").mkdir()
    before = os.scandir

    def scandir(path):
        if os.fspath(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return before(path)

    monkeypatch.setattr(os, "scandir", scandir)
    closed = []
    assert [path.name for path in find_images(tmp_path, closed=closed)] == ["1.jpg"]
    assert closed == [tmp_path / "shut"]
