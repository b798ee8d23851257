"""The examples are small, have a known origin, and are segmented at one click."""

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import press, segmentations
from tests.unit.ui.gateway_double import GatewayDouble
from ui.widgets.examples import EXAMPLES, Example, thumbnails_css

EACH = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.key)


@EACH
def test_an_example_is_a_small_jpeg(example: Example) -> None:
    """It is sent quickly, and the repository stays small."""
    assert example.path.stat().st_size <= 150_000
    with Image.open(example.path) as image:
        assert image.format == "JPEG"


@EACH
def test_an_example_names_its_origin(example: Example) -> None:
    """SOURCES.md gives the origin and licence of each."""
    sources = example.path.with_name("SOURCES.md").read_text(encoding="utf-8")
    row = next(line for line in sources.splitlines() if f"`{example.path.name}`" in line)
    assert "public domain" in row or "CC0" in row


@EACH
def test_each_example_has_a_thumbnail(example: Example) -> None:
    """The style puts it on the button, and stays small."""
    assert f".st-key-example-{example.key} button" in thumbnails_css()
    assert len(thumbnails_css()) < 100_000


def test_a_click_on_an_example_segments_it(page: AppTest, gateway: GatewayDouble) -> None:
    """One click, one result."""
    press(page.run(), "Cat")
    assert segmentations(gateway) == ["/segmentation"]
    assert [each.value for each in page.subheader] == ["Original", "Segmented"]


def test_an_example_replaces_an_upload(page: AppTest, cat_jpeg: bytes) -> None:
    """The uploader does not name an image that is no longer selected."""
    page.run().file_uploader[0].upload("mine.jpg", cat_jpeg).run()
    press(page, "Cat")
    assert page.file_uploader[0].value is None
