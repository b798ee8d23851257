"""The notation of a rate limit."""

import pytest
from limits import parse
from pydantic import TypeAdapter, ValidationError

from gateway.rate import Rate

ADAPTER: TypeAdapter[str] = TypeAdapter(Rate)


@pytest.mark.parametrize(
    ("rate", "amount", "seconds"),
    [
        ("1/second", 1, 1),
        ("600/minute", 600, 60),
        ("999999999/hour", 999_999_999, 3600),
        ("5/day", 5, 86400),
    ],
)
def test_a_rate_is_a_number_in_a_time(rate: str, amount: int, seconds: int) -> None:
    """Our notation means the same in the package `limits`."""
    item = parse(ADAPTER.validate_python(rate))
    assert (item.amount, item.get_expiry()) == (amount, seconds)


@pytest.mark.parametrize(
    "rate", ["", "600", "0/minute", "-1/minute", "6 per minute", "1/second;2/minute", "1/eon"]
)
def test_nothing_else_is_a_rate(rate: str) -> None:
    """An invalid rate is refused on input, not at the first request."""
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(rate)
