"""A refusal names the kind that is not taken."""

import pytest
from PIL import Image

from deeplab.decode import decode
from deeplab.errors import UnsupportedFormatError
from deeplab.formats import FORMAT_LIST, FORMATS
from deeplab.kinds import kind_not_taken
from tests.neighbours.kinds import KINDS
from tests.neighbours.neighbour import noise
from tests.unit.handler.files import encode, quarters


@pytest.mark.parametrize("name", KINDS)
def test_the_kind_is_named(name: str) -> None:
    """415, the word for it, and what is taken instead."""
    data, word = KINDS[name]
    with pytest.raises(UnsupportedFormatError) as caught:
        decode(data, 96)
    assert word in str(caught.value)
    assert f"is not taken. Send {FORMAT_LIST}." in str(caught.value)


@pytest.mark.parametrize("kind", FORMATS)
def test_an_ordinary_image_is_of_no_such_kind(kind: str) -> None:
    """Whole or cut short: damage remains another error."""
    data = encode(quarters(), kind)
    assert [kind_not_taken(data[:size]) for size in range(len(data))] == [None] * len(data)


def test_levels_that_look_like_a_signature_are_levels() -> None:
    """A camera's mark is looked for in its place only."""
    grey = Image.fromarray((noise(1)[..., 0] * 255).astype("uint8"))
    grey.putpixel((0, 0), ord("C"))
    grey.putpixel((1, 0), ord("R"))
    assert decode(encode(grey, "TIFF"), 96).size == grey.size
