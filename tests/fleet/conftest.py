"""Fixtures: a fleet, with a second version whose masks differ."""

from collections.abc import Iterator

import pytest

from tests.fleet.fleet import STABLE, Fleet, running
from tests.rollouts.colours import Colours

SECOND = "2.0"


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Colours:
    """Archives of two tiny networks."""
    return Colours(tmp_path_factory.mktemp("colours"))


@pytest.fixture(scope="session")
def running_fleet(colours: Colours, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two gateways and two nodes; version 2.0 is added."""
    with running(tmp_path_factory.mktemp("f"), colours) as fleet:
        fleet.add(SECOND, 1)
        yield fleet


@pytest.fixture
def fleet(running_fleet: Fleet) -> Iterator[Fleet]:
    """The fleet; afterwards the first version is stable again, without canary and shadow."""
    yield running_fleet
    running_fleet.promote(STABLE)
    running_fleet.change("PATCH", "/traffic", json={"canary": None, "shadow": None})
