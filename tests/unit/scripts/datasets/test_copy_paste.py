"""Copy-paste augmentation: exact masks for pasted objects, the originals unchanged."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image

from scripts.datasets.copy_paste import add_cutouts, paste, read_cutout
from scripts.datasets.split import TRUSTED
from scripts.datasets.voc import IMAGES, MASKS, DataError, list_pairs, read_names
from tests.unit.handler.files import EXAMPLES
from tests.unit.scripts.commands import command
from tests.unit.scripts.voc_folder import make

main = command("prepare", "copy-paste")

COW = 10


def _never(_: bytes) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    raise AssertionError("a cut-out needs no network")


def _cutout(path: Path, size: tuple[int, int] = (60, 40), margin: int = 10) -> Path:
    """A red rectangle on a transparent background."""
    picture = Image.new("RGBA", (size[0] + 2 * margin, size[1] + 2 * margin))
    picture.paste((255, 0, 0, 255), (margin, margin, margin + size[0], margin + size[1]))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images: one without objects, one with a trusted mask."""
    data = make(tmp_path / "data", 3)
    first = list_pairs(data)[0]
    Image.fromarray(np.zeros_like(first.read_mask())).save(first.mask)
    (data / TRUSTED).write_text(f"{first.name}\n")
    return data


def test_a_cutout_is_cut_to_what_is_visible(tmp_path: Path) -> None:
    """The file's own alpha is used."""
    cutout = read_cutout(_cutout(tmp_path / "cow.png"), _never)
    assert (cutout.mode, cutout.size) == ("RGBA", (60, 40))


def test_an_opaque_photograph_is_cut_out_by_what_was_found_in_it(tmp_path: Path) -> None:
    """An opaque image is cut out by its predicted objects, of any class."""
    Image.new("RGB", (80, 60), "red").save(tmp_path / "photograph.png")
    ids = np.zeros((60, 80), dtype=np.uint8)
    ids[20:40, 30:70] = 12
    cutout = read_cutout(tmp_path / "photograph.png", lambda _: ids)
    assert cutout.size == pytest.approx((40, 20), abs=2)
    assert cutout.getpixel((20, 10)) == (255, 0, 0, 255)


def test_a_photograph_that_lies_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    """EXIF orientation is applied to the image and to the network's input alike."""
    stored = Image.new("RGB", (80, 60), "blue")
    stored.paste("red", (0, 0, 40, 60))  # its left half is the upright picture's upper one
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored.save(tmp_path / "phone.jpg", exif=exif, quality=95)

    def all_of_it(data: bytes) -> NDArray[np.uint8]:
        return np.ones(np.asarray(Image.open(io.BytesIO(data))).shape[:2], dtype=np.uint8)

    cutout = read_cutout(tmp_path / "phone.jpg", all_of_it)
    assert cutout.size == (60, 80)
    upper, lower = cutout.getpixel((30, 10)), cutout.getpixel((30, 70))
    assert upper == pytest.approx((255, 0, 0, 255), abs=5)
    assert lower == pytest.approx((0, 0, 255, 255), abs=5)


@pytest.mark.parametrize("alpha", [0, 10])
def test_nothing_to_see_is_an_error(tmp_path: Path, alpha: int) -> None:
    """The error names the file."""
    Image.new("RGBA", (8, 8), (255, 0, 0, alpha)).save(tmp_path / "empty.png")
    with pytest.raises(DataError, match=r"empty\.png: there is no object"):
        read_cutout(tmp_path / "empty.png", _never)


@pytest.mark.parametrize("seed", range(8))
def test_the_mask_is_where_the_object_is(seed: int) -> None:
    """Red pixels have the class, green ones none, and blended ones are ignored."""
    cutout, ground = (
        Image.new("RGBA", (30, 20), (255, 0, 0, 255)),
        Image.new("RGB", (90, 60), "lime"),
    )
    picture, mask = paste(cutout, COW, ground, np.random.default_rng(seed))
    pixels = np.asarray(picture)
    assert mask.shape == pixels.shape[:2]
    assert set(np.unique(mask)) <= {0, COW, 255}
    assert (mask == COW).any()
    assert (pixels[mask == COW][:, 0] > 220).all()
    assert (pixels[mask == 0][:, 1] > 220).all()


def test_the_folder_is_copied_and_added_to(folder: Path, tmp_path: Path) -> None:
    """The new masks are trusted, and identical in each run."""
    _cutout(tmp_path / "stamps" / "cow.png")
    table = {"cow": ["cow.png"], "background": ["cow.png"]}
    outputs = [tmp_path / name for name in ("one", "two")]
    for output in outputs:
        assert add_cutouts(folder, table, tmp_path / "stamps", output, each=2) == 4
    before = {pair.name for pair in list_pairs(folder)}
    pairs = {pair.name: pair for pair in list_pairs(outputs[0])}
    new = pairs.keys() - before
    assert len(new) == 4
    assert set((outputs[0] / TRUSTED).read_text().split()) == new | {min(before)}
    found = {name: set(np.unique(pairs[name].read_mask())) - {0, 255} for name in new}
    assert [found[name] for name in sorted(new)] == [set(), set(), {COW}, {COW}]
    for part in (IMAGES, MASKS):
        for file in (outputs[0] / part).iterdir():
            assert file.read_bytes() == (outputs[1] / part / file.name).read_bytes()


@pytest.mark.parametrize(
    ("before", "kept"),
    [("p00", {"p00"}), ("p00\n", {"p00"}), ("p00\n\np01", {"p00", "p01"}), ("", set())],
)
def test_the_list_of_trusted_masks_may_lack_its_last_end_of_line(
    folder: Path, tmp_path: Path, before: str, kept: set[str]
) -> None:
    """Each name gets a line of its own, and an empty list gets no empty line."""
    (folder / TRUSTED).write_text(before)
    _cutout(tmp_path / "cow.png")
    add_cutouts(folder, {"cow": ["cow.png"]}, tmp_path, tmp_path / "out", each=1)
    text = (tmp_path / "out" / TRUSTED).read_text()
    assert read_names(tmp_path / "out" / TRUSTED, list_pairs(tmp_path / "out")) == {
        *kept,
        "cutout_cow_cow_0",
    }
    assert not text.startswith("\n")
    assert text.endswith("\n")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"unicorn": ["cow.png"]}, "unicorn is no class"),
        ({"cow": ["missing.png"]}, "missing.png does not exist"),
        (["cow.png"], "is no table of class to files"),
        ({"cow": "cow.png"}, "is no table of class to files"),
    ],
)
def test_a_wrong_table_is_one_line(
    folder: Path, tmp_path: Path, table: object, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 1 and the reason, before anything is written."""
    (tmp_path / "table.json").write_text(json.dumps(table))
    options = ["--data", str(folder), "--table", str(tmp_path / "table.json")]
    options += ["--root", str(EXAMPLES), "--output", str(tmp_path / "out")]
    assert main(options) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("segserve: ")
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_folder_without_room_is_an_error(tmp_path: Path) -> None:
    """Every image contains an object already."""
    data = make(tmp_path / "data", 2)
    for pair in list_pairs(data):
        Image.fromarray(np.full_like(pair.read_mask(), 7)).save(pair.mask)
    with pytest.raises(DataError, match="no picture without an object"):
        add_cutouts(data, {}, tmp_path, tmp_path / "out")
