"""The examples are there, small, and have a known origin."""

import pytest
from PIL import Image

from ui.widgets.examples import EXAMPLES, Example, thumbnails_css

EACH = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.key)


@EACH
def test_an_example_is_a_small_jpeg(example: Example) -> None:
    """A click on it is answered at once and the repository stays light."""
    assert example.path.stat().st_size <= 150_000
    with Image.open(example.path) as picture:
        assert picture.format == "JPEG"


@EACH
def test_an_example_names_its_origin(example: Example) -> None:
    """SOURCES.md says who made each picture and under which terms it is given."""
    sources = example.path.with_name("SOURCES.md").read_text(encoding="utf-8")
    row = next(line for line in sources.splitlines() if f"`{example.path.name}`" in line)
    assert "public domain" in row or "CC0" in row


@EACH
def test_each_example_has_a_thumbnail(example: Example) -> None:
    """The style puts a picture on the button of each, and stays light."""
    assert f".st-key-example-{example.key} button" in thumbnails_css()
    assert len(thumbnails_css()) < 100_000
