"""API keys and their stored form."""

import hashlib
import re

import pytest
from pydantic import ValidationError

from gateway.keys.api_key import issue, split


def test_a_key_shows_its_id_and_256_random_bits() -> None:
    """A key is sgs_<id>_<secret> with a random secret of 256 bits."""
    (first, presented), (_, other) = (issue("app", "user", None, None) for _ in range(2))
    assert re.fullmatch(rf"sgs_{first.id}_[0-9a-f]{{64}}", presented)
    assert len({presented, other}) == 2


def test_what_is_kept_is_a_digest_of_the_secret() -> None:
    """The stored form has only the secret's digest, which its repr does not show."""
    key, presented = issue("app", "user", None, None)
    secret = presented.rpartition("_")[2]
    assert key.digest == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in key.model_dump_json()
    assert key.digest not in repr(key)


@pytest.mark.parametrize(
    ("presented", "expected"),
    [
        ("sgs_0123_abc", ("0123", "abc")),
        ("sgs_0123_a_b", ("0123", "a_b")),
        ("sgs_0123", ("0123", "")),
        ("xyz_0123_abc", ("", "abc")),
        ("0123_abc", ("", "")),
        ("", ("", "")),
        ("\u00e9", ("", "")),
    ],
)
def test_anything_can_be_split(presented: str, expected: tuple[str, str]) -> None:
    """A string that is not a key has no id."""
    assert split(presented) == expected


@pytest.mark.parametrize(
    ("name", "rate", "concurrency"),
    [
        ("", None, None),
        ("x" * 65, None, None),
        ("a\nb", None, None),
        ("a\x7fb", None, None),
        ("app", "many", None),
        ("app", "0/minute", None),
        ("app", None, 0),
    ],
)
def test_an_invalid_key_is_not_made(name: str, rate: str | None, concurrency: int | None) -> None:
    """The name must fit a line, and the limits must be valid."""
    with pytest.raises(ValidationError):
        issue(name, "user", rate, concurrency)
