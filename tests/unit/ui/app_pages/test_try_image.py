"""The first screen: the widgets, and the messages while the gateway is not ready."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.unit.ui.conftest import APP, html, image_urls
from tests.unit.ui.gateway_double import GatewayDouble


def test_a_visitor_finds_title_uploader_button_and_examples(page: AppTest) -> None:
    """Before anything is selected."""
    page.run()
    assert page.title[0].value == "DeepLabV3 image segmentation"
    assert page.file_uploader[0].label == "Choose a photograph"
    button = next(each for each in page.button if each.label == "Get segmentation map")
    assert button.disabled
    assert {"Astronaut", "Cat"} <= {each.label for each in page.button}


@pytest.mark.parametrize("name", ["cat.jpe", "cat.jfif", "CAT.JFIF"])
def test_a_jpeg_is_accepted_by_each_of_its_extensions(
    page: AppTest, cat_jpeg: bytes, name: str
) -> None:
    """Browsers on Windows save photographs as .jfif."""
    page.run().file_uploader[0].upload(name, cat_jpeg).run()
    assert not page.exception
    assert len(image_urls(page)) == 1


def test_the_status_names_the_version_that_serves(page: AppTest) -> None:
    """It is visible without a click."""
    page.run()
    assert "Ready: deeplabv3 1.0" in html(page)
    assert not page.warning


def test_the_classes_of_the_model_are_listed(page: AppTest) -> None:
    """The names are the model's, not the page's."""
    page.run()
    assert page.expander[0].label == "What this model can find"
    assert "person" in html(page)


def test_a_model_that_is_not_ready_has_the_gateways_message(
    page: AppTest, gateway: GatewayDouble
) -> None:
    """The page stays usable meanwhile."""
    gateway.ready = False
    page.run()
    assert "Not ready" in html(page)
    assert "No worker is up yet" in page.warning[0].value
    assert not page.exception


def test_the_page_opens_without_a_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the address and what to do about it."""
    monkeypatch.setenv("SEGSERVE_UI_GATEWAY_URL", "http://127.0.0.1:9")
    st.cache_resource.clear()
    page = AppTest.from_file(APP, default_timeout=20).run()
    assert "does not answer" in page.warning[0].value
    assert "make run" in page.warning[0].value
    assert not page.exception
