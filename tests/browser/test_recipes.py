"""The page of docs/recipes.md in a real browser, at an origin of its own."""

import functools
import http.server
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.gateways import second_gateway
from tests.e2e.recipe_pages import ADDRESS, recipes
from tests.stack import ROOT, Stack

PHOTOGRAPH = ROOT / "ui" / "examples" / "cat.jpg"
(PAGE,) = (code.text for code in recipes()["From JavaScript"] if code.language == "html")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server without a log line per request."""

    def log_message(self, *_: object) -> None:
        """Discard the line."""


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[str]:
    """Serve the page from an origin that is not the gateway's."""
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_page_of_another_origin_draws_the_overlay(
    browser: Browser, stack: Stack, origin: str, tmp_path: Path
) -> None:
    """On a canvas of the photograph's size; for another file it shows the reason."""
    page = browser.new_page()
    with second_gateway(stack, CORS_ORIGINS=origin) as gateway:
        (tmp_path / "index.html").write_text(PAGE.replace(ADDRESS, gateway))
        page.goto(origin)
        page.set_input_files("#file", PHOTOGRAPH)
        expect(page.locator("#status")).to_have_text("451 x 300")
        middle = "canvas.getContext('2d').getImageData(225, 150, 1, 1).data[3]"
        assert page.evaluate(middle) == 255
        page.set_input_files("#file", ROOT / "README.md")
        expect(page.locator("#status")).to_contain_text("Send")
    page.close()
