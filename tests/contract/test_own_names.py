"""Page and gateway answer to the same names; they share no code, so the two rules are compared."""

import pytest

from gateway.keys import access
from ui import guard

NAMES = frozenset({"seg.example.org"})


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("localhost:8501", True),
        ("my-machine", True),
        ("segserve.localhost:8501", True),
        ("SEG.example.org:8443", True),
        ("evil.test", False),
        ("127.0.0.1.evil.test", False),
        ("evil.test:127.0.0.1", False),
        ("evil.testlocalhost", False),
        ("xseg.example.org", False),
        ("localhost.", False),
        ("[broken", False),
        ("127.1", False),
        ("::1", False),
        ("*", False),
    ],
)
def test_page_and_gateway_agree_on_their_names(host: str, expected: bool) -> None:
    """Addresses, local names and those of the settings are answered, others refused."""
    assert access.is_own(host.encode(), NAMES) is expected
    assert guard.is_own(host, NAMES) is expected
