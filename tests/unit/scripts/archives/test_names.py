"""Names of versions: those that a client can ask for."""

import pytest

from gateway.models import parameters
from scripts.archives.names import (
    PATTERN,
    RESERVED,
    InvalidNameError,
    check_name,
    check_own_name,
)


def test_the_rule_is_the_gateways() -> None:
    """A version that the commands load can be asked for, and no archive is refused only there."""
    assert PATTERN == parameters.VERSION_PATTERN
    assert set(RESERVED) == parameters.RESERVED


@pytest.mark.parametrize("name", ["1.0", "2", "1.0-rc.1", "A_b", "x" * 32])
def test_a_name_that_fits_is_taken(name: str) -> None:
    """As it is, of an archive too."""
    assert check_name(name) == check_own_name(name) == name


@pytest.mark.parametrize(
    "name", ["", " ", "1.0 ", "1.0\n", "-1", ".1", "ü", "a/b", "../x", "1%2e5", "all", "x" * 33]
)
def test_any_other_name_is_refused(name: str) -> None:
    """In one line, whatever is in the name."""
    for check in (check_name, check_own_name):
        with pytest.raises(InvalidNameError) as refusal:
            check(name)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("alias", ["stable", "canary", "shadow"])
def test_an_alias_with_a_meaning_can_be_asked_for_but_is_no_archives(alias: str) -> None:
    """It means another version whenever the traffic changes."""
    assert check_name(alias) == alias
    with pytest.raises(InvalidNameError, match=f"'{alias}' is no name of a model: it means"):
        check_own_name(alias, "model")


@pytest.mark.parametrize("name", ["latest", "next", "Stable", "canary-1"])
def test_words_that_mean_nothing_here_are_names(name: str) -> None:
    """Nothing gives `latest` a meaning: a person may."""
    assert check_own_name(name) == name
