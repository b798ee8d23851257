"""Text from outside is escaped."""

import pytest

from ui import messages
from ui.client.errors import RefusedError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words", "plain words"),
        ("![x](http://evil)", r"\!\[x\]\(http\:\/\/evil\)"),
        ("# title\n\n- item", r"\# title \- item"),
        (":red[x] $x$ <b>", r"\:red\[x\] \$x\$ \<b\>"),
    ],
)
def test_escape_disarms_markdown(text: str, expected: str) -> None:
    """Images, headings, directives, formulas and tags are shown as text."""
    assert expected == messages.escape(text)


def test_a_problem_has_title_detail_and_request_id() -> None:
    """All three are shown, the title in bold."""
    text = messages.problem(RefusedError("Not a picture", "Send a JPEG", "req-1"))
    assert text == "**Not a picture**\n\nSend a JPEG\n\nRequest id: req\\-1"


def test_waiting_says_that_the_page_keeps_looking() -> None:
    """No reload is needed."""
    text = messages.waiting(RefusedError("Not ready", "Wait", "req-1"))
    assert text.startswith("**Not ready**\n\nWait")
    assert "looks again" in text
