"""A result is decoded once, limited in size, and shown even without a preview or labels."""

import io

import pytest
from PIL import Image

from tests.unit.ui.conftest import Encode
from tests.unit.ui.gateway_double import CannedResponse, GatewayDouble, mask_png
from ui import result
from ui.client.errors import UnexpectedResponseError
from ui.client.gateway_client import GatewayClient
from ui.imaging import input_image

LIMIT = 50_000_000


@pytest.fixture
def client(gateway: GatewayDouble) -> GatewayClient:
    """Build a client of the double."""
    return GatewayClient(gateway.url, 10)


def test_an_image_is_segmented_with_its_legend(client: GatewayClient, cat_jpeg: bytes) -> None:
    """The mask has the preview's size; names and shares come with it."""
    shown = result.segment(client, input_image.load("cat.jpg", cat_jpeg, LIMIT), None)
    assert (shown.mask_size, shown.can_overlay) == ((451, 300), True)
    assert shown.image.preview is not None
    assert shown.mask.size == shown.image.preview.size
    assert [row.name for row in shown.classes] == ["person", "background"]


def test_a_large_image_is_shown_small_and_kept_whole(client: GatewayClient, encode: Encode) -> None:
    """The screen gets a smaller mask; the one to download keeps every pixel."""
    data = encode(Image.new("RGB", (3000, 2000)), "JPEG")
    shown = result.segment(client, input_image.load("large.jpg", data, LIMIT), None)
    assert (shown.mask_size, shown.mask.size) == ((3000, 2000), (1280, 853))
    assert Image.open(io.BytesIO(shown.response.mask_png)).size == (3000, 2000)


def test_without_a_preview_the_mask_is_shown_alone(client: GatewayClient, encode: Encode) -> None:
    """An image that only the service can decode shows its classes, and why it has no overlay."""
    image = input_image.load("p.png", encode(Image.new("RGB", (30, 20))), max_pixels=10)
    shown = result.segment(client, image, None)
    assert (image.preview, shown.can_overlay) == (None, False)
    assert "30 x 20 pixels" in shown.no_overlay_reason
    assert Image.open(io.BytesIO(result.segmented_image(shown, 0.5))).mode == "P"


def test_a_mask_that_does_not_fit_is_shown_alone(
    client: GatewayClient, gateway: GatewayDouble, cat_jpeg: bytes
) -> None:
    """A mask is never stretched over an image of another shape."""
    gateway.headers = {"X-Class-Pixels": "0=2000"}
    gateway.segmentation = CannedResponse(200, "image/png", mask_png((20, 100), {}))
    shown = result.segment(client, input_image.load("cat.jpg", cat_jpeg, LIMIT), None)
    assert not shown.can_overlay
    assert "does not fit" in shown.no_overlay_reason


def test_a_png_that_is_no_mask_is_refused_with_its_request_id(
    client: GatewayClient, gateway: GatewayDouble, cat_jpeg: bytes
) -> None:
    """A response is not shown just because its type is image/png."""
    gateway.segmentation = CannedResponse(200, "image/png", b"no png")
    with pytest.raises(UnexpectedResponseError, match="cannot be read") as caught:
        result.segment(client, input_image.load("cat.jpg", cat_jpeg, LIMIT), None)
    assert caught.value.request_id == "req-1"


@pytest.mark.parametrize(("opacity", "expected"), [(0.5, "JPEG"), (None, "PNG")])
def test_the_segmented_image_is_an_overlay_or_the_map(
    client: GatewayClient, cat_jpeg: bytes, opacity: float | None, expected: str
) -> None:
    """A photograph goes to the browser as JPEG, flat colours as PNG."""
    shown = result.segment(client, input_image.load("cat.jpg", cat_jpeg, LIMIT), None)
    assert expected == Image.open(io.BytesIO(result.segmented_image(shown, opacity))).format


def test_the_overlay_to_download_is_larger_than_the_one_on_the_screen(
    client: GatewayClient, encode: Encode
) -> None:
    """It is drawn from the file, up to a limit of its own."""
    data = encode(Image.new("RGB", (5000, 2000)), "JPEG")
    shown = result.segment(client, input_image.load("wide.jpg", data, LIMIT), None)
    overlay = Image.open(io.BytesIO(result.overlay_png(shown, 0.5, LIMIT)))
    assert (overlay.format, overlay.mode, overlay.size) == ("PNG", "RGB", (2500, 1000))
