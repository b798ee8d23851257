"""A folder that cannot be used is refused in one line that names the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.voc import DataError, Labelled, inspect_pairs, list_pairs, read_names
from tests.unit.scripts.voc_folder import RED, SIZE, draw, make, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three good pairs."""
    return make(tmp_path / "data", 3)


def _refusal(folder: Path, classes: int = 3) -> str:
    with pytest.raises(DataError) as refusal:
        inspect_pairs(list_pairs(folder), classes)
    text = str(refusal.value)
    assert "\n" not in text
    return text


def test_the_pairs_are_listed_by_name(folder: Path) -> None:
    """Picture and mask belong together by their stem."""
    pairs = list_pairs(folder)
    assert [pair.name for pair in pairs] == ["p00", "p01", "p02"]
    assert pairs[1].picture == folder / "JPEGImages" / "p01.jpg"
    assert pairs[1].mask == folder / "SegmentationClass" / "p01.png"


def test_the_ids_of_every_mask_are_counted(folder: Path) -> None:
    """Once, for the balance of the classes."""
    inspected = inspect_pairs(list_pairs(folder), classes=3)
    ids = draw(0, RED)[1]
    assert inspected[0].pixels[RED] == int((ids == RED).sum())
    assert inspected[0].pixels.sum() == SIZE[0] * SIZE[1]


def test_other_files_are_left_alone(folder: Path) -> None:
    """A list, a thumbnail database."""
    (folder / "JPEGImages" / "Thumbs.db").write_bytes(b"x")
    (folder / "SegmentationClass" / "notes.txt").write_text("x")
    assert len(list_pairs(folder)) == 3


@pytest.mark.parametrize("part", ["JPEGImages", "SegmentationClass"])
def test_a_missing_folder_is_named(folder: Path, part: str) -> None:
    """With where pictures and masks belong."""
    (folder / part).rename(folder / "elsewhere")
    text = _refusal(folder)
    assert f"{folder / part}: there is no such folder" in text
    assert "masks in SegmentationClass/" in text


@pytest.mark.parametrize("part", ["JPEGImages", "SegmentationClass"])
def test_an_empty_folder_is_named(folder: Path, part: str) -> None:
    """Nothing to train on is no success."""
    for path in (folder / part).iterdir():
        path.unlink()
    assert _refusal(folder).startswith(f"{folder / part}: holds no ")


def test_a_picture_without_a_mask_is_named(folder: Path) -> None:
    """And what was looked for."""
    (folder / "SegmentationClass" / "p01.png").unlink()
    text = _refusal(folder)
    assert text.startswith(f"{folder / 'JPEGImages' / 'p01.jpg'}: it has no mask ")
    assert text.endswith("p01.png")


def test_a_mask_without_a_picture_is_named(folder: Path) -> None:
    """A typing error in a name shows up here."""
    (folder / "JPEGImages" / "p01.jpg").rename(folder / "JPEGImages" / "p01.bmp")
    expected = f"{folder / 'SegmentationClass' / 'p01.png'}: it has no picture"
    assert _refusal(folder).startswith(expected)


def test_two_pictures_of_one_name_are_refused(folder: Path) -> None:
    """Which of them would the mask belong to?"""
    Image.new("RGB", SIZE).save(folder / "JPEGImages" / "p01.png")
    assert "p01.jpg has the same name" in _refusal(folder)


def test_a_mask_of_another_size_is_refused(folder: Path) -> None:
    """Both sizes are named, width first."""
    write(folder, "p01", Image.new("RGB", (50, 40)), np.zeros((41, 50), dtype=np.uint8))
    path = folder / "SegmentationClass" / "p01.png"
    assert _refusal(folder) == f"{path}: 50 x 41 pixels, but its picture has 50 x 40"


def test_an_unknown_id_is_refused(folder: Path) -> None:
    """With what is known."""
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
    """A file that is cut short looks whole until it is read to its end."""
    path = folder / part
    path.write_bytes(path.read_bytes()[:-200] if content is None else content)
    assert _refusal(folder).startswith(f"{path}: not a readable {kind} (")


def test_a_coloured_mask_is_refused(folder: Path) -> None:
    """It shows colours, not ids: an export of a drawing program."""
    path = folder / "SegmentationClass" / "p01.png"
    Image.new("RGB", SIZE).save(path)
    assert _refusal(folder).startswith(f"{path}: mode RGB; a mask is an 8-bit grey or indexed PNG")


def test_an_indexed_mask_is_read_by_its_ids(folder: Path) -> None:
    """As Pascal VOC's own are: the palette is decoration."""
    _, ids = draw(1, RED)
    mask = Image.fromarray(ids)
    mask.putpalette(list(range(255, -1, -1)) * 3)
    path = folder / "SegmentationClass" / "p01.png"
    mask.save(path)
    pair = Labelled("p01", folder / "JPEGImages" / "p01.jpg", path)
    assert np.array_equal(pair.read_mask(), ids)


def test_a_turned_picture_is_read_upright(folder: Path) -> None:
    """Its mask lies on what people see."""
    path = folder / "JPEGImages" / "p01.jpg"
    turned = Image.new("RGB", (SIZE[1], SIZE[0]))
    turned.getexif()[0x0112] = 6  # orientation: turn by 90 degrees to see it upright
    turned.save(path, exif=turned.getexif())
    assert inspect_pairs(list_pairs(folder), classes=3)[1].pair.read_picture().size == SIZE


def test_a_list_of_names_is_read(folder: Path) -> None:
    """One name a line."""
    (folder / "real.txt").write_text("p02\np00\n")
    assert read_names(folder / "real.txt", list_pairs(folder)) == {"p00", "p02"}


def test_a_name_in_a_list_may_have_blanks(folder: Path) -> None:
    """Cameras and people write "IMG 001"; empty lines and blanks around a name mean nothing."""
    write(folder, "IMG 001", *draw(9, RED))
    (folder / "real.txt").write_text("\n p00\t\r\n\nIMG 001")
    assert read_names(folder / "real.txt", list_pairs(folder)) == {"p00", "IMG 001"}


def test_a_list_with_a_second_column_is_refused(folder: Path) -> None:
    """As in Pascal VOC's lists of one class, where -1 means that the picture does not have it."""
    (folder / "real.txt").write_text("p00  1\np01 -1\n")
    with pytest.raises(DataError, match="there is no picture named p00  1"):
        read_names(folder / "real.txt", list_pairs(folder))


def test_a_list_with_an_unknown_name_is_refused(folder: Path) -> None:
    """The list belongs to another folder, or the picture is lost."""
    path = folder / "real.txt"
    path.write_text("p00\np77\n")
    with pytest.raises(DataError, match="there is no picture named p77"):
        read_names(path, list_pairs(folder))
