"""The comparison shows a result, or the error if there is none."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import download_labels, html, image_urls, press
from tests.unit.ui.gateway_double import CannedResponse, GatewayDouble, problem


def test_a_result_has_legend_downloads_and_provenance(page: AppTest) -> None:
    """Names with shares, both files, and which version made it under which request id."""
    press(page.run(), "Cat")
    assert ">person<" in html(page)
    assert "37.6 %" in html(page)
    assert download_labels(page) == ["Download mask", "Download overlay"]
    assert "**deeplabv3** version **1\\.0**" in page.caption[-1].value
    assert "Request id: req\\-1" in page.caption[-1].value


def test_the_slider_sends_the_gateway_no_request(page: AppTest, gateway: GatewayDouble) -> None:
    """The result stays in memory; only the image is drawn again."""
    press(page.run(), "Cat")
    before = image_urls(page)
    page.slider[0].set_value(10).run()
    assert sum(path.startswith("/segmentation") for path in gateway.requests) == 1
    after = image_urls(page)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_the_map_has_no_opacity(page: AppTest) -> None:
    """The colours alone: the slider rests and the overlay is not offered."""
    press(page.run(), "Cat")
    page.button_group[0].set_value("Map").run()
    assert page.slider[0].disabled
    assert download_labels(page) == ["Download mask"]


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (problem(422, "Unreadable image", "Send a whole JPEG."), "Send a whole JPEG"),
        (problem(503, "Overloaded", "Try again in 2 seconds."), "Try again in 2 seconds"),
        (CannedResponse(500, "text/html", b"<h1>boom</h1>"), "does not understand"),
        (CannedResponse(200, "image/png", b"not a png"), "cannot be read"),
    ],
    ids=["refused", "unavailable", "not ours", "no mask"],
)
def test_an_error_is_a_message_and_never_an_image(
    page: AppTest, gateway: GatewayDouble, response: CannedResponse, message: str
) -> None:
    """Title, what to do, request id; no second image, no stack trace."""
    gateway.segmentation = response
    press(page.run(), "Cat")
    assert message in page.error[0].value
    assert "Request id: req" in page.error[0].value
    assert len(page.get("image")) == 1
    assert not page.exception


def test_a_file_that_is_no_image_is_sent_to_the_gateway_all_the_same(
    page: AppTest, gateway: GatewayDouble
) -> None:
    """The gateway decides which formats are accepted; the page only lacks a preview."""
    gateway.segmentation = problem(415, "Unsupported format", "Send a JPEG.")
    page.run().file_uploader[0].upload("note.jpg", b"hello").run()
    assert "No preview" in html(page)
    press(page, "Get segmentation map")
    assert "Send a JPEG" in page.error[0].value


def test_the_next_try_clears_the_error(page: AppTest, gateway: GatewayDouble) -> None:
    """An error does not outlive its cause."""
    gateway.segmentation = problem(503, "Overloaded", "Try again.")
    press(page.run(), "Cat")
    gateway.segmentation = None
    press(page, "Get segmentation map")
    assert not page.error


def test_a_gateway_that_stays_silent_is_given_up_with_a_message(
    page: AppTest, gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's own timeout ends the wait; the message has its length."""
    monkeypatch.setenv("SEGSERVE_UI_TIMEOUT_S", "0.5")
    gateway.delay_s = 1
    press(page.run(), "Cat")
    assert "silent for 0\\.5 seconds" in page.error[0].value
    assert "Request id: " in page.error[0].value
