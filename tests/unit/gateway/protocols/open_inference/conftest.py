"""Fixtures: Triton's own client."""

from collections.abc import Iterator
from typing import Any

import pytest
import tritonclient.http as triton

from tests.unit.gateway.doubles import TorchServeDouble, application, serving


@pytest.fixture
def server(torchserve: TorchServeDouble) -> Iterator[Any]:
    """Triton's client of a gateway on a real socket."""
    with serving(application(torchserve)) as port:
        client = triton.InferenceServerClient(f"127.0.0.1:{port}")
        yield client
        client.close()
