"""Cursors: every item once, whatever is added meanwhile, and junk refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admin.paging import cursor_after, id_of, page
from gateway.errors import InvalidRequestError

_names = st.sets(st.text("abc", min_size=1, max_size=4), max_size=30)


def _key(name: str) -> tuple[str, ...]:
    return (name,)


@given(names=_names, added=_names, limit=st.integers(1, 7))
def test_every_item_that_stays_is_seen_once(names: set[str], added: set[str], limit: int) -> None:
    """Items that are added after the first page neither move nor repeat the others."""
    shown, cursor = page(sorted(names), _key, limit, None)
    seen = list(shown)
    while cursor is not None:
        shown, cursor = page(sorted(names | added), _key, limit, cursor)
        seen += shown
    assert sorted(set(seen)) == sorted(seen)
    assert names <= set(seen)


@given(st.text(max_size=60))
def test_junk_is_refused(cursor: str) -> None:
    """Any text is a cursor or an InvalidRequestError."""
    for read in (id_of, lambda text: page(["a"], _key, 1, text)):
        with suppress(InvalidRequestError):
            read(cursor)


@pytest.mark.parametrize("number", [1, 42, 2**31 - 1])
def test_an_id_comes_back(number: int) -> None:
    """A cursor of an id is that id."""
    assert id_of(cursor_after(number)) == number
