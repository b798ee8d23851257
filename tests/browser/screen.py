"""Actions on the page and what it shows, as functions."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

PERSON = (15, 120, 210)
CAT = (8, 251, 248)


def press(page: Page, name: str) -> None:
    """Press a button by its label."""
    page.get_by_role("button", name=name, exact=True).click()


def upload(page: Page, path: Path) -> None:
    """Choose a file and wait until the page knows it."""
    page.locator('input[type="file"]').set_input_files(path)
    expect(page.get_by_role("button", name="Get segmentation map")).to_be_enabled()


def wait_for_result(page: Page) -> None:
    """Wait until a result with its provenance is there and its image is loaded."""
    expect(page.get_by_text("Made by")).to_be_visible(timeout=60_000)
    settle(page)


def settle(page: Page) -> None:
    """Wait until the page has stopped drawing and its images are loaded."""
    expect(page.locator('[data-testid="stApp"]')).to_have_attribute(
        "data-test-script-state", "notRunning"
    )
    page.wait_for_function("[...document.images].every(image => image.complete)")


def segmented(page: Page) -> Image.Image:
    """Take a screenshot of the segmented image."""
    return Image.open(io.BytesIO(page.locator(".st-key-segmented img").screenshot())).convert("RGB")


def share_of(colour: tuple[int, int, int], image: Image.Image) -> float:
    """Compute the share of pixels of a colour, with a tolerance for JPEG."""
    near = sum(
        count
        for count, pixel in image.getcolors(image.width * image.height) or []
        if isinstance(pixel, tuple)
        and all(abs(a - b) <= 12 for a, b in zip(pixel, colour, strict=True))
    )
    return near / (image.width * image.height)


def set_opacity(page: Page, key: str) -> None:
    """Move the slider to its End (100 %) or Home (0 %)."""
    with redrawn(page):
        page.get_by_role("slider").press(key)


def show_map(page: Page) -> None:
    """Switch to the map: the mask without the image."""
    with redrawn(page):
        page.get_by_role("radio", name="Map").click()


@contextmanager
def redrawn(page: Page) -> Iterator[None]:
    """Wait until the actions inside have changed the segmented image."""
    image = page.locator(".st-key-segmented img")
    before = image.get_attribute("src") or ""
    yield
    expect(image).not_to_have_attribute("src", before)
    settle(page)
