"""Original and Segmented: what is shown of a result, and the words when there is none."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import download_labels, html, image_urls, press
from tests.unit.ui.gateway_double import Answer, GatewayDouble, problem


def test_a_result_has_legend_downloads_and_provenance(page: AppTest) -> None:
    """Names with shares, both files, and which version made it under which request id."""
    press(page.run(), "Cat")
    assert ">person<" in html(page)
    assert "37.6 %" in html(page)
    assert download_labels(page) == ["Download mask", "Download overlay"]
    assert "**deeplabv3** version **1\\.0**" in page.caption[-1].value
    assert "Request id: req\\-1" in page.caption[-1].value


def test_the_slider_asks_the_gateway_nothing_more(page: AppTest, gateway: GatewayDouble) -> None:
    """The result stays in memory; only the picture is drawn again."""
    press(page.run(), "Cat")
    before = image_urls(page)
    page.slider[0].set_value(10).run()
    assert sum(path.startswith("/segmentation") for path in gateway.asked) == 1
    after = image_urls(page)
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)


def test_the_map_has_no_opacity(page: AppTest) -> None:
    """The colours alone: the slider rests and the overlay is not offered."""
    press(page.run(), "Cat")
    page.button_group[0].set_value("Map").run()
    assert page.slider[0].disabled
    assert download_labels(page) == ["Download mask"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (problem(422, "Unreadable image", "Send a whole JPEG."), "Send a whole JPEG"),
        (problem(503, "Overloaded", "Try again in 2 seconds."), "Try again in 2 seconds"),
        (Answer(500, "text/html", b"<h1>boom</h1>"), "does not understand"),
        (Answer(200, "image/png", b"not a png"), "cannot be read"),
    ],
    ids=["refused", "unavailable", "not ours", "no mask"],
)
def test_an_error_is_words_and_never_a_picture(
    page: AppTest, gateway: GatewayDouble, answer: Answer, words: str
) -> None:
    """Title, what to do, request id; no second image, no stack trace."""
    gateway.segmentation = answer
    press(page.run(), "Cat")
    assert words in page.error[0].value
    assert "Request id: req" in page.error[0].value
    assert len(page.get("image")) == 1
    assert not page.exception


def test_a_file_that_is_no_picture_goes_to_the_gateway_all_the_same(
    page: AppTest, gateway: GatewayDouble
) -> None:
    """The page has no opinion of its own on formats; it says only that it has no preview."""
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


def test_a_gateway_that_stays_silent_is_given_up_in_words(
    page: AppTest, gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page's own time-out ends the wait; the visitor reads how long it was."""
    monkeypatch.setenv("SEGSERVE_UI_TIMEOUT_S", "0.5")
    gateway.silent_s = 1
    press(page.run(), "Cat")
    assert "silent for 0\\.5 seconds" in page.error[0].value
    assert "Request id: " in page.error[0].value
