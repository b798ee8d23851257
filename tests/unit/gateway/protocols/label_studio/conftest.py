"""A Label Studio server for the tests of its protocol."""

from collections.abc import Iterator

import pytest

from tests.unit.gateway.protocols.label_studio.label_studio_double import (
    LabelStudioDouble,
    running,
)


@pytest.fixture
def studio() -> LabelStudioDouble:
    """A Label Studio with one upload."""
    return LabelStudioDouble()


@pytest.fixture
def url(studio: LabelStudioDouble) -> Iterator[str]:
    """Its address."""
    with running(studio) as address:
        yield address
