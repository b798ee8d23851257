"""A real Label Studio, and the product that fetches images from it."""

from collections.abc import Iterator

import pytest

from tests.browser.conftest import browser as browser
from tests.label_studio.server import Server, running_server
from tests.stack import Stack, running_stack


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Label Studio, started once."""
    with running_server() as running:
        yield running


@pytest.fixture(scope="session")
def stack(server: Server) -> Iterator[Stack]:
    """The product without its page, with a personal access token."""
    settings = {
        "LABEL_STUDIO_URL": server.url,
        "LABEL_STUDIO_API_KEY": server.access_token,
        "SEGSERVE_SERVE_UI": "false",
    }
    with running_stack(**settings) as running:
        yield running
