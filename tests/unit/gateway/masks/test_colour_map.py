"""A colour map is made by rewriting the header of a mask."""

import io
import zlib

import pytest
from PIL import Image

from gateway.masks.colour_map import colour_map
from gateway.masks.grey_png import NotAMaskError
from gateway.masks.palettes import DROP_IN
from tests.unit.gateway.doubles import mask_png


def png_chunks(png: bytes) -> list[bytes]:
    """The types of a PNG's chunks, in order, after verifying their checksums."""
    kinds, at = [], 8
    while at < len(png):
        size = int.from_bytes(png[at : at + 4], "big")
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        checksum = int.from_bytes(png[at + 8 + size : at + 12 + size], "big")
        assert checksum == zlib.crc32(kind + data)
        kinds.append(kind)
        at += 12 + size
    return kinds


def test_the_result_is_an_indexed_png_of_the_same_size_and_ids() -> None:
    """The result has mode P and the mask's size, and each pixel's index is its class id."""
    mask = mask_png((640, 480))
    image = Image.open(io.BytesIO(colour_map(mask, DROP_IN.table)))
    assert (image.mode, image.size) == ("P", (640, 480))
    assert image.tobytes() == Image.open(io.BytesIO(mask)).tobytes()


def test_the_colours_are_the_palettes() -> None:
    """The pixels have the palette's colours."""
    image = Image.open(io.BytesIO(colour_map(mask_png(), DROP_IN.table))).convert("RGB")
    assert (image.getpixel((0, 0)), image.getpixel((3, 0))) == ((15, 120, 210), (0, 0, 0))


def test_the_chunks_are_in_order_with_valid_checksums() -> None:
    """Strict decoders read the result too."""
    assert png_chunks(colour_map(mask_png(), DROP_IN.table)) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]


def test_the_pixel_data_is_passed_on_unchanged() -> None:
    """Everything from the first IDAT on is the handler's; nothing is decoded."""
    mask = mask_png((640, 480))
    assert colour_map(mask, DROP_IN.table).endswith(mask[33:])


@pytest.mark.parametrize(
    "mask",
    [
        b"",
        b"no png",
        mask_png()[:20],
        mask_png()[:-5],
        mask_png(mode="1"),
        mask_png(mode="P"),
        mask_png(mode="RGB"),
        mask_png(mode="I;16"),
        b"\xff\xd8\xff\xe0" + mask_png(),
    ],
    ids=["empty", "text", "header", "cut", "1 bit", "indexed", "rgb", "16 bit", "jpeg"],
)
def test_anything_else_is_refused(mask: bytes) -> None:
    """Bytes that are not an 8-bit grey PNG are never turned into a colour map."""
    with pytest.raises(NotAMaskError):
        colour_map(mask, DROP_IN.table)
