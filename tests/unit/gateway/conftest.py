"""Fixtures of the gateway's tests."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.postgres import Postgres, running
from tests.unit.gateway.doubles import TorchServeDouble, client


@pytest.fixture
def anyio_backend() -> str:
    """asyncio, the event loop of the gateway."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL for the whole session."""
    with running() as server:
        yield server


@pytest.fixture
def torchserve() -> TorchServeDouble:
    """A TorchServe with version 1.0 on two workers."""
    return TorchServeDouble()


@pytest.fixture
async def gateway(torchserve: TorchServeDouble) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway with default settings in front of that TorchServe."""
    async with client(torchserve) as gateway_client:
        yield gateway_client
