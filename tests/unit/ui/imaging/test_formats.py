"""The extensions in the uploader belong to the formats that are previewed."""

import pytest
from PIL import Image

from ui.imaging.formats import EXTENSIONS


@pytest.mark.parametrize("name", EXTENSIONS)
def test_extensions_are_those_of_the_format(name: str) -> None:
    """Pillow registers each of them for it."""
    registered = Image.registered_extensions()
    assert {registered[f".{extension}"] for extension in EXTENSIONS[name]} == {name}
