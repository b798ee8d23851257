"""Two real versions of the model side by side, from the command line to the page."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import expect

from tests.archives import renumbered
from tests.browser import screen
from tests.browser.conftest import OpenPage
from tests.stack import ROOT, Stack
from ui.client.gateway_client import GatewayClient
from ui.client.responses import ModelVersion, Readiness

SECOND = "1.0.1"


def test_a_second_version_can_be_chosen(stack: Stack, open_page: OpenPage, tmp_path: Path) -> None:
    """Loaded while everything runs, it appears in the page, and makes the result it is named in."""
    with second_version(stack, tmp_path):
        page = open_page(stack.ui_url)
        page.get_by_role("combobox").click()
        page.get_by_role("option", name=SECOND).click()
        screen.settle(page)
        screen.press(page, "Cat")
        screen.wait_for_result(page)
        expect(page.get_by_text(f"version {SECOND}")).to_be_visible()


def test_the_page_understands_every_response_of_the_gateway(stack: Stack) -> None:
    """The real gateway responds as the double of the other tests does."""
    client = GatewayClient(stack.gateway_url, 30)
    assert client.readiness() == Readiness("deeplabv3", "1.0")
    assert ModelVersion("1.0", default=True, ready=True) in client.models()[0].versions
    labels = {label.id: label for label in client.labels("deeplabv3", "1.0")}
    assert (labels[15].name, labels[15].colours["seed"]) == ("person", "#0f78d2")
    astronaut = (ROOT / "ui" / "examples" / "astronaut.jpg").read_bytes()
    result = client.segment(astronaut, "1.0")
    assert (result.model, result.version) == ("deeplabv3", "1.0")
    assert sum(result.class_pixels.values()) == 512 * 512


@contextlib.contextmanager
def second_version(stack: Stack, folder: Path) -> Iterator[None]:
    """Load the bundled archive once more under another version; leaves nothing behind."""
    copied = renumbered(stack.model_store / "deeplabv3-1.0.mar", folder / "second.mar", SECOND)
    stack.versions("add", str(copied), "--workers", "1").check_returncode()
    yield
    stack.versions("remove", SECOND).check_returncode()
