"""One running product for all end-to-end tests."""

from collections.abc import Iterator

import httpx
import pytest

from tests.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """TorchServe, gateway and page, as ``make run`` starts them."""
    with running_stack() as running:
        yield running


@pytest.fixture
def gateway(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the public API."""
    with httpx.Client(base_url=stack.gateway_url, timeout=30.0) as client:
        yield client
