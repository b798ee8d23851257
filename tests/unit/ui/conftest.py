"""Fixtures of the page's unit tests: images, a gateway double, the app without a browser."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import DownloadButton, Html
from streamlit.testing.v1.element_tree import Image as ShownImage

from tests.unit.ui.gateway_double import GatewayDouble, running_double

APP = Path(__file__).parents[3] / "ui" / "app.py"

Encode = Callable[..., bytes]


@pytest.fixture
def encode() -> Encode:
    """Encode an image in memory."""

    def encoded(image: Image.Image, image_format: str = "PNG", **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, image_format, **options)
        return buffer.getvalue()

    return encoded


@pytest.fixture
def gateway() -> Iterator[GatewayDouble]:
    """Serve a gateway double for the length of a test."""
    with running_double() as double:
        yield double


@pytest.fixture
def page(gateway: GatewayDouble, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Build the app of one session, not yet run, with the double as its gateway."""
    monkeypatch.setenv("SEGSERVE_UI_GATEWAY_URL", gateway.url)
    st.cache_resource.clear()
    return AppTest.from_file(APP, default_timeout=20)


@pytest.fixture
def cat_jpeg() -> bytes:
    """Read the cat example, a JPEG of 451 x 300 pixels."""
    return (APP.parent / "examples" / "cat.jpg").read_bytes()


def html(page: AppTest) -> str:
    """Join all HTML on the page."""
    return "\n".join(each.value for each in page.get("html") if isinstance(each, Html))


def image_urls(page: AppTest) -> list[str]:
    """List the URLs of the images on the page."""
    return [url for each in page.get("image") if isinstance(each, ShownImage) for url in each.value]


def download_labels(page: AppTest) -> list[str]:
    """List the labels of the download buttons."""
    return [each.label for each in page.get("download_button") if isinstance(each, DownloadButton)]


def press(page: AppTest, label: str) -> AppTest:
    """Press a button by its label."""
    return next(each for each in page.button if each.label == label).click().run()


def segmentations(gateway: GatewayDouble) -> list[str]:
    """List the segmentation requests that the gateway received, as paths with their query."""
    return [path for path in gateway.requests if path.startswith("/segmentation")]
