"""Names of versions: those that a client can ask for."""

import pytest

from gateway.models.parameters import VERSION_PATTERN
from scripts.archives.names import PATTERN, InvalidNameError, check_name


def test_the_pattern_is_the_gateways() -> None:
    """A version that the commands load can be asked for."""
    assert PATTERN == VERSION_PATTERN


@pytest.mark.parametrize("name", ["1.0", "2", "1.0-rc.1", "A_b", "x" * 32])
def test_a_name_that_fits_is_taken(name: str) -> None:
    """As it is."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", " ", "1.0 ", "1.0\n", "-1", ".1", "ü", "a/b", "../x", "1%2e5", "all", "x" * 33]
)
def test_any_other_name_is_refused(name: str) -> None:
    """In one line, whatever is in the name."""
    with pytest.raises(InvalidNameError) as refusal:
        check_name(name)
    assert "\n" not in str(refusal.value)
