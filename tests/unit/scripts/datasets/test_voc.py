"""Folders in Pascal VOC's layout: listing, reading, and one-line errors that name the file."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from scripts.datasets.voc import (
    DataError,
    LabelledImage,
    class_pixels,
    inspect_pairs,
    list_pairs,
    read_names,
)
from scripts.export.export_check import photographs
from tests.unit.handler.files import chunk, encode
from tests.unit.scripts.voc_folder import GREEN, RED, SIZE, draw, make, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three valid pairs."""
    return make(tmp_path / "data", 3)


def _refusal(folder: Path, classes: int = 3) -> str:
    with pytest.raises(DataError) as refusal:
        inspect_pairs(list_pairs(folder), classes)
    text = str(refusal.value)
    assert "\n" not in text
    return text


def test_the_pairs_are_listed_by_name(folder: Path) -> None:
    """Image and mask are paired by their stem."""
    pairs = list_pairs(folder)
    assert [pair.name for pair in pairs] == ["p00", "p01", "p02"]
    assert pairs[1].image == folder / "JPEGImages" / "p01.jpg"
    assert pairs[1].mask == folder / "SegmentationClass" / "p01.png"


def test_the_ids_of_every_mask_are_counted(folder: Path) -> None:
    """The counts are the basis of class balancing."""
    inspected = inspect_pairs(list_pairs(folder), classes=3)
    ids = draw(0, RED)[1]
    assert inspected[0].pixels[RED] == int((ids == RED).sum())
    assert inspected[0].pixels.sum() == SIZE[0] * SIZE[1]


def test_other_files_are_left_alone(folder: Path) -> None:
    """Lists and thumbnail databases are ignored."""
    (folder / "JPEGImages" / "Thumbs.db").write_bytes(b"x")
    (folder / "SegmentationClass" / "notes.txt").write_text("x")
    assert len(list_pairs(folder)) == 3


@pytest.mark.parametrize("part", ["JPEGImages", "SegmentationClass"])
def test_a_missing_folder_is_named(folder: Path, part: str) -> None:
    """The error says where images and masks belong."""
    (folder / part).rename(folder / "elsewhere")
    text = _refusal(folder)
    assert f"{folder / part}: there is no such folder" in text
    assert "masks in SegmentationClass/" in text


@pytest.mark.parametrize("part", ["JPEGImages", "SegmentationClass"])
def test_an_empty_folder_is_named(folder: Path, part: str) -> None:
    """A folder without pairs is an error."""
    for path in (folder / part).iterdir():
        path.unlink()
    assert _refusal(folder).startswith(f"{folder / part}: holds no ")


def test_a_picture_without_a_mask_is_named(folder: Path) -> None:
    """The error names the missing file."""
    (folder / "SegmentationClass" / "p01.png").unlink()
    text = _refusal(folder)
    assert text.startswith(f"{folder / 'JPEGImages' / 'p01.jpg'}: it has no mask ")
    assert text.endswith("p01.png")


def test_a_mask_without_a_picture_is_named(folder: Path) -> None:
    """A misspelt file name is reported."""
    (folder / "JPEGImages" / "p01.jpg").rename(folder / "JPEGImages" / "p01.bmp")
    expected = f"{folder / 'SegmentationClass' / 'p01.png'}: it has no picture"
    assert _refusal(folder).startswith(expected)


def test_two_pictures_of_one_name_are_refused(folder: Path) -> None:
    """The mask would belong to either of them."""
    Image.new("RGB", SIZE).save(folder / "JPEGImages" / "p01.png")
    assert "p01.jpg has the same name" in _refusal(folder)


def test_a_mask_of_another_size_is_refused(folder: Path) -> None:
    """The error gives both sizes, width first."""
    write(folder, "p01", Image.new("RGB", (50, 40)), np.zeros((41, 50), dtype=np.uint8))
    path = folder / "SegmentationClass" / "p01.png"
    assert _refusal(folder) == f"{path}: 50 x 41 pixels, but its picture has 50 x 40"


def test_an_unknown_id_is_refused(folder: Path) -> None:
    """The error lists the known ids."""
    picture, ids = draw(1, RED)
    ids[0, 0] = 77
    write(folder, "p01", picture, ids)
    path = folder / "SegmentationClass" / "p01.png"
    assert _refusal(folder) == (
        f"{path}: class id 77 is unknown; the labels have 0 to 2, and 255 means ignore"
    )


@pytest.mark.parametrize(
    ("part", "kind"),
    [("JPEGImages/p01.jpg", "picture"), ("SegmentationClass/p01.png", "mask")],
)
@pytest.mark.parametrize("content", [b"", b"not a picture", None], ids=["empty", "text", "cut"])
def test_a_corrupt_file_is_named(folder: Path, part: str, kind: str, content: bytes | None) -> None:
    """Truncated files are found, because every file is read to its end."""
    path = folder / part
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    assert _refusal(folder).startswith(f"{path}: not a readable {kind} (")


def test_a_coloured_mask_is_refused(folder: Path) -> None:
    """An RGB mask has colours instead of ids."""
    path = folder / "SegmentationClass" / "p01.png"
    Image.new("RGB", SIZE).save(path)
    assert _refusal(folder).startswith(f"{path}: mode RGB; a mask is an 8-bit grey or indexed PNG")


def test_an_indexed_mask_is_read_by_its_ids(folder: Path) -> None:
    """Palette indices are the ids, as in Pascal VOC's own masks; the colours are ignored."""
    _, ids = draw(1, RED)
    mask = Image.fromarray(ids)
    mask.putpalette(list(range(255, -1, -1)) * 3)
    path = folder / "SegmentationClass" / "p01.png"
    mask.save(path)
    pair = LabelledImage("p01", folder / "JPEGImages" / "p01.jpg", path)
    assert np.array_equal(pair.read_mask(), ids)


def test_a_turned_picture_is_read_upright(folder: Path) -> None:
    """The mask matches the upright image."""
    path = folder / "JPEGImages" / "p01.jpg"
    turned = Image.new("RGB", (SIZE[1], SIZE[0]))
    turned.getexif()[0x0112] = 6  # orientation: turn by 90 degrees to see it upright
    turned.save(path, exif=turned.getexif())
    assert inspect_pairs(list_pairs(folder), classes=3)[1].pair.read_image().size == SIZE


@pytest.mark.parametrize("kind", ["as it is", "PNG", "indexed", "grey"])
@pytest.mark.parametrize("path", photographs(), ids=lambda path: path.stem)
def test_an_ordinary_picture_is_read_as_pillow_reads_it(
    path: Path, kind: str, tmp_path: Path
) -> None:
    """The pixels equal Pillow's, at full scale."""
    if kind != "as it is":
        photograph = Image.open(path).convert({"indexed": "P", "grey": "L"}.get(kind, "RGB"))
        path = tmp_path / "photograph.png"
        photograph.save(path)
    with Image.open(path) as file:
        expected = np.asarray(ImageOps.exif_transpose(file).convert("RGB"))
    found = LabelledImage("p", path, path).read_image()
    assert found.mode == "RGB"
    assert np.array_equal(np.asarray(found), expected)


def test_a_picture_of_16_bits_is_read_as_the_handler_reads_it(tmp_path: Path) -> None:
    """The high byte is used; Pillow alone would turn nearly all of it white."""
    path = tmp_path / "deep.png"
    levels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 256
    Image.fromarray(levels).save(path)
    found = np.asarray(LabelledImage("deep", path, path).read_image())
    assert np.array_equal(found[..., 1], levels // 256)


def test_what_is_transparent_is_white(tmp_path: Path) -> None:
    """Transparency is composited on white, as in the handler."""
    path = tmp_path / "clear.png"
    Image.new("RGBA", (8, 8), (200, 30, 30, 0)).save(path)
    assert LabelledImage("clear", path, path).read_image().getpixel((3, 3)) == (255, 255, 255)


def test_a_picture_that_the_handler_refuses_is_named(folder: Path) -> None:
    """Too many pixels are reported before the training, not at its first validation."""
    path = folder / "JPEGImages" / "p01.jpg"
    Image.new("1", (7072, 7072)).save(path, "PNG")
    text = _refusal(folder)
    assert text.startswith(f"{path}: not a readable picture (The picture has 7072 x 7072 pixels, ")


def _grey_of(bits: int) -> bytes:
    """A grey PNG whose levels take ``bits`` bits each, all of them 1."""
    whole = encode(Image.new("L", SIZE), "PNG")
    width, height = SIZE
    row = b"\0" + bytes([sum(1 << shift for shift in range(0, 8, bits))]) * (width * bits // 8)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    return (
        whole[:8]
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(row * height))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("bits", "read"), [(2, 85), (4, 17), (8, 1)])
def test_a_grey_mask_of_few_bits_is_refused(folder: Path, bits: int, read: int) -> None:
    """Pillow scales such levels, so that 1 would become another class."""
    path = folder / "SegmentationClass" / "p01.png"
    path.write_bytes(_grey_of(bits))
    with Image.open(path) as file:
        assert (file.mode, file.getpixel((0, 0))) == ("L", read)
    if bits == 8:
        assert inspect_pairs(list_pairs(folder), classes=200)[1].pixels[1] == SIZE[0] * SIZE[1]
    else:
        assert _refusal(folder, classes=200).startswith(f"{path}: grey of less than 8 bits, in ")


def test_an_indexed_mask_of_few_bits_is_read_by_its_ids(folder: Path) -> None:
    """Indexed masks of 2 bits are not scaled."""
    _, ids = draw(1, GREEN)
    ids[ids == 255] = 0
    mask = Image.fromarray(ids)
    mask.putpalette(list(range(256)) * 3)
    path = folder / "SegmentationClass" / "p01.png"
    mask.save(path, bits=2)
    assert np.array_equal(inspect_pairs(list_pairs(folder), classes=3)[1].pair.read_mask(), ids)


def _paint(folder: Path, names: dict[int, int]) -> None:
    """Replace the ids of every mask: old -> new."""
    for path in (folder / "SegmentationClass").iterdir():
        ids = np.asarray(Image.open(path)).copy()
        for old, new in names.items():
            ids[ids == old] = new
        Image.fromarray(ids).save(path)


def test_masks_of_black_and_white_are_refused(folder: Path) -> None:
    """255 is ignored, so a mask of 0 and 255 teaches nothing and scores a mean IoU of 1."""
    _paint(folder, {RED: 255, GREEN: 255})
    assert _refusal(folder) == (
        f"{folder / 'SegmentationClass'}: no class but 0 is shown in any of 3 masks; "
        "255 means ignore, not object"
    )


def test_masks_of_background_alone_can_be_measured(folder: Path) -> None:
    """An evaluation may measure false positives on images without objects."""
    _paint(folder, {RED: 0, GREEN: 0, 255: 0})
    assert class_pixels(inspect_pairs(list_pairs(folder), classes=3))[0] == 3 * SIZE[0] * SIZE[1]


def test_the_pixels_of_all_masks_are_counted(folder: Path) -> None:
    """Pixels are counted by class."""
    inspected = inspect_pairs(list_pairs(folder), classes=3)
    total = class_pixels(inspected)
    assert total.sum() == 3 * SIZE[0] * SIZE[1]
    assert total[RED] == inspected[0].pixels[RED] + inspected[2].pixels[RED]


def test_a_list_of_names_is_read(folder: Path) -> None:
    """The file has one name per line."""
    (folder / "real.txt").write_text("p02\np00\n")
    assert read_names(folder / "real.txt", list_pairs(folder)) == {"p00", "p02"}


def test_a_name_in_a_list_may_have_blanks(folder: Path) -> None:
    """Names such as "IMG 001" are read; empty lines and surrounding blanks are ignored."""
    write(folder, "IMG 001", *draw(9, RED))
    (folder / "real.txt").write_text("\n p00\t\r\n\nIMG 001")
    assert read_names(folder / "real.txt", list_pairs(folder)) == {"p00", "IMG 001"}


def test_a_list_with_a_second_column_is_refused(folder: Path) -> None:
    """Pascal VOC's lists for one class have a second column, where -1 means absent."""
    (folder / "real.txt").write_text("p00  1\np01 -1\n")
    with pytest.raises(DataError, match="there is no picture named p00  1"):
        read_names(folder / "real.txt", list_pairs(folder))


def test_a_list_with_an_unknown_name_is_refused(folder: Path) -> None:
    """Each name must be one of the folder's images."""
    path = folder / "real.txt"
    path.write_text("p00\np77\n")
    with pytest.raises(DataError, match="there is no picture named p77"):
        read_names(path, list_pairs(folder))
