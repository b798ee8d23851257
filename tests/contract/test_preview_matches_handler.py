"""The page previews what the model sees: one image policy (docs/api.md), implemented twice."""

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin

from deeplab.decode import decode
from deeplab.formats import FORMATS
from deeplab.preprocess import upright
from tests.neighbours.groups import GROUPS
from tests.neighbours.tiff import COLOURS, tiff_neighbours
from ui.imaging.formats import EXTENSIONS
from ui.imaging.preview import decode_upright

SIZE = (37, 23)
MAX_PIXELS = 4_000_000
MODES = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "WEBP": ("L", "RGB", "RGBA"),
    "GIF": ("1", "L", "P", "RGB"),
    "TIFF": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "AVIF": ("L", "RGB", "RGBA"),
}
CARRY_EXIF = ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
ORIENTATIONS = (*range(1, 9), 0, 9, 255)  # the last three do not exist; cameras write them
DAMAGED_EXIF = {
    "empty": b"Exif\0\0",
    "points outside": b"Exif\0\0II*\0\xff\xff\xff\xff",
    "text for a number": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abc\0\0\0\0\0",
    "noise": b"Exif\0\0" + b"\xff" * 40,
    "no byte order": b"Exif\0\0XX*\0\x08\0\0\0",
}
RANDOM = np.random.default_rng(0)
LEVELS_16 = RANDOM.integers(0, 2**16, SIZE[::-1])
LEVELS_16.flat[:6] = (0, 255, 256, 0x7FFF, 0xFF00, 0xFFFF)
LEVELS_32 = RANDOM.integers(-(2**31), 2**31, SIZE[::-1]).astype(np.int32)
FLOATS = RANDOM.normal(0.5, 3, SIZE[::-1]).astype(np.float32)


def difference(data: bytes, long_side: int) -> int:
    """Compare what the handler decodes with what the page shows: the largest step, 0 to 255."""
    model = upright(decode(data, long_side)).astype(int)
    page = np.asarray(decode_upright(data, long_side, MAX_PIXELS)).astype(int)
    assert page.shape == model.shape
    return int(abs(page - model).max())


def noise(mode: str = "RGB", size: tuple[int, int] = SIZE, seed: int = 0) -> Image.Image:
    """Make an image of random pixels in a mode of Pillow's."""
    shape = (size[1], size[0], 4)
    rgba = Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8))
    if mode in ("LA", "PA", "RGBA"):
        return rgba.convert(mode)
    return rgba.convert("RGB").convert(mode)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    """Encode an image in a format of Pillow's."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_16(colour_type: int, samples: NDArray[np.generic], *extra: bytes) -> bytes:
    """Write a 16-bit PNG of (h, w * channels) big-endian samples, with extra chunks."""
    header = struct.pack(">IIBBBBB", *SIZE, 16, colour_type, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + row.tobytes() for row in samples))
    chunks = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Write a chunk of a PNG."""
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def test_the_page_previews_the_formats_that_the_handler_takes() -> None:
    """A new format is one entry in each."""
    assert set(EXTENSIONS) == set(FORMATS)


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind in MODES for mode in MODES[kind]])
def test_every_mode_of_every_format(kind: str, mode: str) -> None:
    """Grey, palette, 1 bit, alpha, CMYK and LAB, in every format that has them."""
    assert difference(encode(noise(mode), kind), max(SIZE)) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (300, 7), (7, 300), (641, 479)])
@pytest.mark.parametrize("kind", FORMATS)
def test_odd_sizes(kind: str, size: tuple[int, int]) -> None:
    """Single pixels, lines, and sides that no block size divides."""
    assert difference(encode(noise(size=size), kind), max(size)) == 0


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", CARRY_EXIF)
def test_exif_orientation(kind: str, orientation: int) -> None:
    """Every orientation, and those that do not exist."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    assert difference(encode(noise(), kind, exif=exif), max(SIZE)) == 0


@pytest.mark.parametrize(
    ("kind", "image"),
    [
        ("PNG", noise("P")),
        ("PNG", Image.fromarray(LEVELS_16.astype(np.uint16))),
        ("TIFF", Image.fromarray(LEVELS_16.astype(np.uint16))),
        ("TIFF", Image.fromarray(FLOATS)),
        ("JPEG", noise("CMYK")),
    ],
    ids=lambda value: getattr(value, "mode", value),
)
def test_exif_orientation_of_converted_modes(kind: str, image: Image.Image) -> None:
    """A conversion does not lose the orientation."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    assert difference(encode(image, kind, exif=exif), max(SIZE)) == 0


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("exif", DAMAGED_EXIF.values(), ids=DAMAGED_EXIF)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif(kind: str, exif: bytes) -> None:
    """The image is shown as it is stored."""
    assert difference(encode(noise(), kind, exif=exif), max(SIZE)) == 0


@pytest.mark.parametrize("byte_order", ["<u2", ">u2"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey(kind: str, byte_order: str) -> None:
    """The high byte."""
    assert difference(encode(Image.fromarray(LEVELS_16.astype(byte_order)), kind), max(SIZE)) == 0


@pytest.mark.parametrize(
    ("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)], ids=["L", "RGB", "LA", "RGBA"]
)
def test_16_bit_png(colour_type: int, channels: int) -> None:
    """All channels, alpha too."""
    width, height = SIZE
    samples = RANDOM.integers(0, 2**16, (height, width * channels)).astype(">u2")
    assert difference(png_16(colour_type, samples), max(SIZE)) == 0


@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3)], ids=["L", "RGB"])
def test_16_bit_png_with_a_transparent_colour(colour_type: int, channels: int) -> None:
    """Transparent where both bytes are the colour's."""
    samples = np.repeat(LEVELS_16, channels, axis=1).astype(">u2")
    transparent = chunk(b"tRNS", struct.pack(">H", 256) * channels)
    assert difference(png_16(colour_type, samples, transparent), max(SIZE)) == 0


@pytest.mark.parametrize(
    "levels",
    [
        LEVELS_32,
        np.full_like(LEVELS_32, 7),
        FLOATS,
        np.full_like(FLOATS, 7),
        np.where(FLOATS > 5, np.nan, FLOATS),
        np.where(FLOATS > 5, np.inf, np.where(FLOATS < -5, -np.inf, FLOATS)),
        np.full_like(FLOATS, np.nan),
        FLOATS * np.float32(1e-40),
        FLOATS * np.float32(1e37),
    ],
    ids=["I", "I flat", "F", "F flat", "NaN", "infinite", "only NaN", "denormal", "huge"],
)
def test_32_bit_levels(levels: NDArray[np.int32] | NDArray[np.float32]) -> None:
    """From the darkest to the brightest; what is not finite counts as 0."""
    assert difference(encode(Image.fromarray(levels), "TIFF"), max(SIZE)) == 0


@pytest.mark.parametrize("group", GROUPS)
def test_neighbours_of_ordinary_images(group: str) -> None:
    """Whatever the handler takes of rare files, the page shows in the same way."""
    taken = [each for each in GROUPS[group]() if each.seen is not None]
    assert taken
    differing = {each.name: difference(each.data, 48) for each in taken}
    assert {name: step for name, step in differing.items() if step} == {}


@pytest.mark.parametrize("colours", COLOURS)
def test_tiff_files_of_all_layouts(colours: str) -> None:
    """Every depth, byte order, packing, layout and order of planes that is taken."""
    depths = COLOURS[colours].taken
    neighbours = [each for depth in depths for each in tiff_neighbours(colours, depth)]
    differing = {
        each.name: difference(each.data, 48) for each in neighbours if each.seen is not None
    }
    assert {name: step for name, step in differing.items() if step} == {}


def test_16_bit_signed_levels() -> None:
    """No high byte: heights above and below the sea are stretched as 32-bit levels are."""
    image = Image.fromarray(LEVELS_16.astype(np.uint16))
    data = encode(image, "TIFF", tiffinfo={TiffImagePlugin.SAMPLEFORMAT: 2})
    assert Image.open(io.BytesIO(data)).mode == "I"
    assert difference(data, max(SIZE)) == 0


@pytest.mark.parametrize(
    ("kind", "mode", "transparency"),
    [
        ("PNG", "P", 3),
        ("PNG", "P", bytes(range(0, 256, 2))),
        ("PNG", "1", 0),
        ("PNG", "L", 100),
        ("PNG", "RGB", (0, 0, 0)),
        ("GIF", "P", 3),
        ("GIF", "L", 100),
    ],
)
def test_transparent_colours(kind: str, mode: str, transparency: object) -> None:
    """On white, as alpha is."""
    assert difference(encode(noise(mode), kind, transparency=transparency), max(SIZE)) == 0


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_first_frame(kind: str) -> None:
    """Of animations and of documents with pages."""
    first, *others = (noise(seed=seed) for seed in range(3))
    data = encode(first, kind, save_all=True, append_images=others)
    assert difference(data, max(SIZE)) == 0


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_codings(subsampling: str, progressive: bool) -> None:
    """The handler decodes the ordinary ones with another library."""
    data = encode(noise(), "JPEG", progressive=progressive, subsampling=subsampling)
    assert difference(data, max(SIZE)) == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("divisor", [2, 4, 8])
def test_a_jpeg_at_a_fraction_of_its_size(mode: str, divisor: int) -> None:
    """Both decode it at 1/2, 1/4 or 1/8."""
    data = encode(noise(mode, (1600, 1200)), "JPEG", subsampling=0)
    assert difference(data, 1600 // divisor) <= 1
