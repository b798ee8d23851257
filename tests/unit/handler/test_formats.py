"""Formats that we do not take are told from bytes that are no picture."""

import pytest
from PIL import Image

from deeplab.decode import decode
from deeplab.errors import UnsupportedFormatError
from deeplab.formats import FORMAT_NAMES, FORMATS, is_other_format
from tests.odd_files.foreign import BEGINNINGS, OTHERS, WRITTEN, foreign_files
from tests.odd_files.junk import TEXTS
from tests.odd_files.odd_file import UNSUPPORTED, OddFile
from tests.unit.handler.files import encode, quarters

FOREIGN = [file for file in foreign_files() if file.statuses == (UNSUPPORTED,)]


@pytest.mark.parametrize("file", FOREIGN, ids=lambda file: file.name)
def test_other_formats_are_unsupported(file: OddFile) -> None:
    """415, and the formats that we take are listed."""
    with pytest.raises(UnsupportedFormatError, match=FORMAT_NAMES):
        decode(file.data, 96)


def test_every_format_that_pillow_reads_is_among_them() -> None:
    """The policy decides, not what the library happens to know; a new release may know more."""
    Image.init()
    assert set(Image.OPEN) - set(FORMATS) == {*WRITTEN, *BEGINNINGS, "PPM"}
    assert len(OTHERS) > 10


@pytest.mark.parametrize("kind", FORMATS)
def test_no_format_of_ours_is_taken_for_another(kind: str) -> None:
    """A damaged picture of ours is unreadable, which is another status."""
    data = encode(quarters(), kind)
    assert not any(is_other_format(data[:size]) for size in (4, 8, 12, 16, 100, len(data)))


@pytest.mark.parametrize("brand", [b"avif", b"avis", b"a", b""])
def test_a_damaged_avif_is_not_taken_for_heic(brand: bytes) -> None:
    """Both begin with the same kind of box."""
    assert not is_other_format(b"\0\0\0\x18ftyp" + brand)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_is_no_format(text: bytes) -> None:
    """Three of Pillow's formats begin with text, and none of these is theirs."""
    assert not is_other_format(text)
