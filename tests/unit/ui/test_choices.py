"""What a visitor chooses is what is sent, once."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import press
from tests.unit.ui.gateway_double import GatewayDouble


def segmentations(gateway: GatewayDouble) -> list[str]:
    """List the segmentations that the gateway was asked for."""
    return [path for path in gateway.asked if path.startswith("/segmentation")]


def test_an_upload_waits_for_the_button(
    page: AppTest, gateway: GatewayDouble, cat_jpeg: bytes
) -> None:
    """Choosing shows the picture; only the button sends it."""
    page.run().file_uploader[0].upload("cat.jpg", cat_jpeg).run()
    assert len(page.get("image")) == 1
    assert segmentations(gateway) == []
    press(page, "Get segmentation map")
    assert segmentations(gateway) == ["/segmentation"]
    assert len(page.get("image")) == 2


def test_a_click_on_an_example_segments_it(page: AppTest, gateway: GatewayDouble) -> None:
    """One click, one result."""
    press(page.run(), "Cat")
    assert segmentations(gateway) == ["/segmentation"]
    assert [each.value for each in page.subheader] == ["Original", "Segmented"]


def test_an_example_replaces_an_upload(page: AppTest, cat_jpeg: bytes) -> None:
    """The uploader does not name a picture that is no longer on the table."""
    page.run().file_uploader[0].upload("mine.jpg", cat_jpeg).run()
    press(page, "Cat")
    assert page.file_uploader[0].value is None


def test_a_new_upload_takes_the_old_result_away(page: AppTest, cat_jpeg: bytes) -> None:
    """A result never stands beside a picture that it was not made from."""
    press(page.run(), "Astronaut")
    page.file_uploader[0].upload("cat.jpg", cat_jpeg).run()
    assert len(page.get("image")) == 1
    assert not page.caption[1:]


def test_removing_the_upload_empties_the_table(page: AppTest, cat_jpeg: bytes) -> None:
    """Back to the beginning."""
    page.run().file_uploader[0].upload("cat.jpg", cat_jpeg).run()
    page.file_uploader[0].clear().run()
    assert not page.get("image")


def test_one_version_is_no_choice(page: AppTest) -> None:
    """A chooser with one entry would only be in the way."""
    assert not page.run().selectbox


def test_the_chosen_version_makes_the_result(page: AppTest, gateway: GatewayDouble) -> None:
    """The default comes first; another choice is sent and named with the result."""
    gateway.versions = ("0.9", "1.0", "1.1")
    chooser = page.run().selectbox[0]
    assert chooser.options == ["1.0 (default)", "0.9", "1.1"]
    chooser.select("1.1").run()
    press(page, "Cat")
    assert segmentations(gateway) == ["/segmentation?version=1.1"]
    assert "version **1\\.1**" in page.caption[-1].value


@pytest.mark.parametrize("left", [("1.0",), ("1.0", "0.9")])
def test_a_version_that_is_gone_is_no_longer_chosen(
    page: AppTest, gateway: GatewayDouble, left: tuple[str, ...]
) -> None:
    """A version removed meanwhile gives way to the default."""
    gateway.versions = ("1.0", "1.1")
    page.run().selectbox[0].select("1.1").run()
    gateway.versions = left
    press(page.run(), "Cat")
    assert "1.1" not in segmentations(gateway)[0]
