"""Fixtures: archives of two tiny networks, and a product for each database."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests import postgres
from tests.rollouts.colours import Colours
from tests.rollouts.product import Product, running
from tests.rollouts.rollout import FIRST, Rollout
from tests.rollouts.segmenting import Segmenting

DATABASES = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Colours:
    """The archives."""
    return Colours(tmp_path_factory.mktemp("colours"))


@pytest.fixture(scope="module", params=DATABASES)
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The URL of an empty database; None for the product's own file."""
    with ExitStack() as stack:
        server = None if request.param == "sqlite" else stack.enter_context(postgres.running())
        yield server.create_database() if server else None


@pytest.fixture(scope="module")
def rollout(
    database: str | None, colours: Colours, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rollout]:
    """A product for each database."""
    product = Product(tmp_path_factory.mktemp("p"), colours.archive(FIRST, 0), database)
    with serving(product, colours) as rollout:
        yield rollout


@contextmanager
def serving(product: Product, colours: Colours) -> Iterator[Rollout]:
    """A product that serves its first version, and a client that segments throughout."""
    with running(product):
        segmenting = Segmenting(product.url, product.admin_key, colours)
        rollout = Rollout(product, colours, segmenting)
        with segmenting.going_on():
            rollout.begin()
            yield rollout
    for name, took in sorted(rollout.took.items(), key=lambda each: -each[1]):
        print(f"{took:5.1f} s  {name}")  # with pytest's -s, or after a failure
