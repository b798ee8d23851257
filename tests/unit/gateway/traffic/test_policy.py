"""Versions by name, alias and share: sticky, monotone, and close to the percent."""

import random
from collections import Counter
from itertools import count
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ModelUnavailableError, NotFoundError
from gateway.traffic.policy import (
    balanced_salt,
    position,
    resolve,
    shadow_of,
    side,
    unevenness,
)
from tests.unit.gateway.traffic.models import Model, Version

PERCENTS = (0, 1, 5, 10, 25, 50, 75, 90, 99, 100)


def clients(number: int, seed: int) -> list[str]:
    """Identities as they come: keys, sessions and addresses."""
    dice = random.Random(seed)  # noqa: S311  # no secret
    kinds = ("key:{:08x}", "session:{:032x}", "address:10.0.{}.7")
    return [dice.choice(kinds).format(dice.getrandbits(32) + each) for each in range(number)]


@given(st.text(), st.text(), st.floats(0, 100), st.floats(0, 100))
def test_a_client_keeps_its_side_while_the_share_grows(
    identity: str, salt: str, first: float, second: float
) -> None:
    """Whatever the identity; and it does not depend on when it is asked."""
    smaller, larger = sorted((first, second))
    assert side(identity, salt, smaller) <= side(identity, salt, larger)
    assert side(identity, salt, smaller) == side(identity, salt, smaller)


@given(st.text(), st.text())
def test_no_share_and_the_whole_share_are_exact(identity: str, salt: str) -> None:
    """0 % reach nobody, 100 % everybody."""
    assert not side(identity, salt, 0)
    assert side(identity, salt, 100)
    assert 0 <= position(identity, salt) < 1


@given(st.text(), st.text(), st.text(), st.text())
def test_salt_and_identity_are_not_mixed_up(a: str, b: str, c: str, d: str) -> None:
    """Different pairs have different places, unless one has the separator."""
    if (a, b) != (c, d) and "\0" not in a + b + c + d:
        assert position(a, b) != position(c, d)


@pytest.mark.parametrize("seed", range(3))
def test_the_share_of_known_clients_is_within_two_points(seed: int) -> None:
    """5,000 requests of 500 clients, under the salt that was chosen for them."""
    known, dice = clients(500, seed), random.Random(seed)  # noqa: S311  # no secret
    salt = balanced_salt(known, lambda: f"{dice.getrandbits(64):x}")
    requests = known * 10
    dice.shuffle(requests)
    for percent in PERCENTS:
        model = Model(canary_percent=percent, salt=salt)
        answered = Counter(resolve(model, None, identity) for identity in requests)
        assert abs(100 * answered["2.0"] / 5000 - percent) <= 2


@pytest.mark.parametrize("percent", PERCENTS)
def test_the_share_of_unknown_clients_is_right_on_average(percent: int) -> None:
    """Any salt divides them as a coin would: over 50,000 clients within a point."""
    hits = (side(identity, "any", percent) for identity in clients(50_000, 7))
    assert abs(100 * mean(hits) - percent) < 1


@given(st.sets(st.text(), max_size=60), st.text(), st.integers(0, 100))
def test_unevenness_bounds_the_error_of_every_share(
    identities: set[str], salt: str, percent: int
) -> None:
    """It is what the choice of a salt relies on."""
    there = sum(side(identity, salt, percent) for identity in identities)
    error = abs(there / len(identities) - percent / 100) if identities else 0.0
    assert error <= unevenness(identities, salt) + 1e-9


def test_a_salt_is_found_without_clients_and_for_few() -> None:
    """A single client is on one side or the other: the search has an end."""
    assert balanced_salt([], lambda: "first") == "first"
    numbers = count()
    assert balanced_salt(["one"], lambda: f"{next(numbers)}") != ""
    assert next(numbers) == 1000


def test_a_request_without_a_version_goes_to_stable_or_canary() -> None:
    """By the client's side."""
    assert resolve(Model(), None, "key:1") == "1.0"
    assert resolve(Model(canary_percent=100), None, "key:1") == "2.0"
    without = Model(canary_percent=100, aliases={"stable": "1.0"})
    assert resolve(without, None, "key:1") == "1.0"


@pytest.mark.parametrize(
    ("wanted", "version"),
    [("1.0", "1.0"), ("2.0", "2.0"), ("stable", "1.0"), ("canary", "2.0"), ("blue", "2.0")],
)
@pytest.mark.parametrize("percent", [0, 100])
def test_a_name_or_an_alias_is_followed(wanted: str, version: str, percent: int) -> None:
    """Whatever the share."""
    aliases = {"stable": "1.0", "canary": "2.0", "blue": "2.0"}
    assert resolve(Model(aliases=aliases, canary_percent=percent), wanted, "key:1") == version


@pytest.mark.parametrize(
    ("wanted", "line"),
    [
        ("9.9", "deeplabv3 has no version 9.9. It has: 1.0, 2.0. "),
        ("shadow", "deeplabv3 has no version shadow. "),
        ("0.9", "Version 0.9 of deeplabv3 is retired. It has: 1.0, 2.0. "),
        ("old", "Version old of deeplabv3 is retired. "),
        ("", "deeplabv3 has no version ''. "),
        ("x" * 100, f"deeplabv3 has no version {'x' * 64}. "),
    ],
)
def test_an_unknown_version_is_answered_with_the_known_ones(wanted: str, line: str) -> None:
    """Retired ones are not among them, nor their aliases."""
    model = Model(aliases={"stable": "1.0", "canary": "2.0", "old": "0.9"})
    with pytest.raises(NotFoundError) as refused:
        resolve(model, wanted, "key:1")
    assert refused.value.detail.startswith(line)
    assert refused.value.detail.endswith(" Aliases: stable, canary.")


def test_a_model_without_versions_says_so() -> None:
    """The list is empty."""
    with pytest.raises(NotFoundError, match="It has: none"):
        resolve(Model(versions={}, aliases={}), "1.0", "key:1")


@pytest.mark.parametrize(
    "aliases", [{}, {"canary": "2.0"}, {"stable": "0.9"}, {"stable": "missing"}]
)
def test_without_a_stable_version_there_is_no_answer(aliases: dict[str, str]) -> None:
    """One line says what to do."""
    with pytest.raises(ModelUnavailableError, match="segserve versions promote"):
        resolve(Model(aliases=aliases), None, "key:1")


def test_a_retired_canary_gets_nothing() -> None:
    """Its share goes to the stable version."""
    model = Model(aliases={"stable": "1.0", "canary": "0.9"}, canary_percent=100)
    assert resolve(model, None, "key:1") == "1.0"


def test_a_version_comes_before_an_alias_of_the_same_name() -> None:
    """A name of a version always means it."""
    model = Model(versions={"1": Version(), "2": Version()}, aliases={"1": "2"})
    assert resolve(model, "1", "key:1") == "1"


@pytest.mark.parametrize(
    ("aliases", "answered_by", "shadow"),
    [
        ({"stable": "1.0", "shadow": "2.0"}, "1.0", "2.0"),
        ({"stable": "1.0", "shadow": "2.0"}, "2.0", None),
        ({"stable": "1.0", "shadow": "1.0"}, "1.0", None),
        ({"stable": "1.0", "shadow": "0.9"}, "1.0", None),
        ({"stable": "1.0", "shadow": "missing"}, "1.0", None),
        ({"stable": "1.0"}, "1.0", None),
        ({"shadow": "2.0"}, "1.0", None),
    ],
)
def test_the_shadow_gets_what_stable_answered(
    aliases: dict[str, str], answered_by: str, shadow: str | None
) -> None:
    """If it is another version, and available."""
    assert shadow_of(Model(aliases=aliases), answered_by) == shadow
