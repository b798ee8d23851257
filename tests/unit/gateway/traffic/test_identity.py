"""A client's identity: its key, else the page's session, else its address."""

import pytest

from gateway.traffic.identity import RecentClients, client_identity


@pytest.mark.parametrize(
    ("given", "identity"),
    [
        (("k1", None, "10.0.0.1"), "key:k1"),
        (("k1", "s1", "10.0.0.1"), "key:k1/session:s1"),
        ((None, "s1", "10.0.0.1"), "session:s1"),
        ((None, None, "10.0.0.1"), "address:10.0.0.1"),
        (("", "", "10.0.0.1"), "address:10.0.0.1"),
        ((None, None, None), "address:unknown"),
        ((None, "key:k1", None), "session:key:k1"),
    ],
)
def test_the_first_that_is_known_counts(
    given: tuple[str | None, str | None, str | None], identity: str
) -> None:
    """And no session can pass for a key."""
    assert client_identity(*given) == identity


def test_the_clients_seen_last_are_known() -> None:
    """A client that comes again is not forgotten before those that did not."""
    recent = RecentClients(most=3)
    for identity in ("a", "b", "c", "a", "d"):
        recent.saw(identity)
    assert recent.identities() == ["c", "a", "d"]


def test_a_long_session_is_cut() -> None:
    """What the gateway remembers of a client is bounded; others have other identities."""
    long, other = (client_identity("k1", "x" * 60_000 + tail, None) for tail in "ab")
    assert len(long) <= 64
    assert long != other
