"""From a photograph to a visible mask, on the whole product."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser import screen

EXAMPLES = Path(__file__).parents[2] / "ui" / "examples"


def test_an_upload_becomes_a_visible_mask(page: Page) -> None:
    """Upload, press, and the person in the photograph has the person's colour."""
    screen.upload(page, EXAMPLES / "astronaut.jpg")
    screen.press(page, "Get segmentation map")
    screen.wait_for_result(page)
    expect(page.get_by_role("heading", name="Original")).to_be_visible()
    expect(page.get_by_role("heading", name="Segmented")).to_be_visible()
    expect(page.locator("ul.legend li").first).to_contain_text("person")
    screen.set_opacity(page, "End")
    assert screen.share_of(screen.PERSON, screen.segmented(page)) > 0.2


@pytest.mark.parametrize(
    ("example", "name", "colour"),
    [("Astronaut", "person", screen.PERSON), ("Cat", "cat", screen.CAT)],
)
def test_a_click_on_an_example_segments_it(
    page: Page, example: str, name: str, colour: tuple[int, int, int]
) -> None:
    """The image's subject is the largest class, in the legend and on the map."""
    screen.press(page, example)
    screen.wait_for_result(page)
    expect(page.locator("ul.legend li").first).to_contain_text(name)
    screen.show_map(page)
    assert screen.share_of(colour, screen.segmented(page)) > 0.2


def test_the_slider_fades_the_classes(page: Page) -> None:
    """At 0 % the photograph, at 100 % the colours, without another request."""
    screen.press(page, "Astronaut")
    screen.wait_for_result(page)
    made = page.get_by_text("Request id").inner_text()
    screen.set_opacity(page, "Home")
    assert screen.share_of(screen.PERSON, screen.segmented(page)) < 0.01
    screen.set_opacity(page, "End")
    assert screen.share_of(screen.PERSON, screen.segmented(page)) > 0.2
    assert page.get_by_text("Request id").inner_text() == made


def test_the_mask_can_be_downloaded(page: Page) -> None:
    """An indexed PNG of the photograph's own size that holds the person's class."""
    screen.upload(page, EXAMPLES / "astronaut.jpg")
    screen.press(page, "Get segmentation map")
    screen.wait_for_result(page)
    with page.expect_download() as download:
        screen.press(page, "Download mask")
    assert download.value.suggested_filename == "astronaut_mask.png"
    mask = Image.open(download.value.path())
    assert (mask.format, mask.mode, mask.size) == ("PNG", "P", (512, 512))
    assert mask.histogram()[15] > 0


def test_the_overlay_can_be_downloaded(page: Page) -> None:
    """An RGB image of the photograph's size, drawn on request."""
    screen.press(page, "Astronaut")
    screen.wait_for_result(page)
    with page.expect_download() as download:
        screen.press(page, "Download overlay")
    overlay = Image.open(download.value.path())
    assert (overlay.format, overlay.mode, overlay.size) == ("PNG", "RGB", (512, 512))


@pytest.mark.parametrize("name", ["broken.jpg", "note.jpg", "empty.png"])
def test_a_file_that_is_no_image_gives_a_message_with_a_request_id(
    page: Page, tmp_path: Path, name: str
) -> None:
    """The gateway's message is shown, never a stack trace or a broken image."""
    whole = (EXAMPLES / "cat.jpg").read_bytes()
    content = {"broken.jpg": whole[:300], "note.jpg": b"just words", "empty.png": b""}[name]
    (tmp_path / name).write_bytes(content)
    screen.upload(page, tmp_path / name)
    screen.press(page, "Get segmentation map")
    expect(page.get_by_role("alert")).to_contain_text("Request id: ")
    expect(page.locator(".st-key-segmented")).to_have_count(0)
    expect(page.get_by_text("Traceback")).to_have_count(0)


def test_a_sideways_photograph_is_shown_upright(page: Page, tmp_path: Path) -> None:
    """EXIF orientation is applied to the original and to the mask alike."""
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(EXAMPLES / "cat.jpg") as cat:
        cat.rotate(90, expand=True).save(tmp_path / "cat.jpg", exif=exif)
    screen.upload(page, tmp_path / "cat.jpg")
    screen.press(page, "Get segmentation map")
    screen.wait_for_result(page)
    expect(page.get_by_text("451 x 300 pixels")).to_be_visible()
    shown = Image.open(io.BytesIO(page.locator(".st-key-original img").screenshot()))
    assert shown.width > shown.height


@pytest.mark.parametrize(
    ("name", "mode"),
    [("cat.gif", "P"), ("cat.tiff", "I;16"), ("cat.tif", "CMYK"), ("cat.avif", "RGB")],
)
def test_odd_images_are_shown_and_segmented(
    page: Page, tmp_path: Path, name: str, mode: str
) -> None:
    """Formats and modes that a browser cannot show are shown all the same."""
    with Image.open(EXAMPLES / "cat.jpg") as cat:
        odd = cat.convert("I").point(lambda level: level * 257) if mode == "I;16" else cat
        odd.convert(mode).save(tmp_path / name)
    screen.upload(page, tmp_path / name)
    screen.press(page, "Get segmentation map")
    screen.wait_for_result(page)
    assert len(screen.segmented(page).getcolors(1 << 24) or []) > 100
