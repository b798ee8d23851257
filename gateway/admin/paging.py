"""Paging by cursors: each names the last item seen, so that insertions move nothing."""

import base64
import json
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from gateway.errors import InvalidRequestError

T = TypeVar("T")
Key = tuple[str, ...]

_LARGEST_ID: Final = 2**31 - 1


def cursor_after(*key: str | int) -> str:
    """Return the cursor of an item, by the key in which its list is ordered."""
    data = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def id_of(cursor: str | None) -> int | None:
    """Return the id in a cursor of a list that is ordered by ids; raises InvalidRequestError."""
    if cursor is None:
        return None
    key = _parse(cursor)
    if len(key) != 1 or type(key[0]) is not int or not 0 < key[0] <= _LARGEST_ID:
        raise _foreign()
    return key[0]


def page(
    items: Sequence[T], key: Callable[[T], Key], limit: int, cursor: str | None
) -> tuple[list[T], str | None]:
    """Return the items after the cursor, and the cursor of the next page.

    items: in the order of their keys. Raises InvalidRequestError for a cursor of another list.
    """
    rest = list(items)
    if cursor is not None:
        after = _names(_parse(cursor), len(key(items[0])) if items else None)
        rest = [each for each in items if key(each) > after]
    shown = rest[:limit]
    return shown, cursor_after(*key(shown[-1])) if len(rest) > limit else None


def page_by_id(
    newest: Sequence[T], identity: Callable[[T], int], limit: int
) -> tuple[list[T], str | None]:
    """Do the same for the newest items, of which one more than the limit was read."""
    shown = list(newest[:limit])
    return shown, cursor_after(identity(shown[-1])) if len(newest) > limit else None


def _parse(cursor: str) -> list[object]:
    try:
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise _foreign() from exc
    if not isinstance(key, list):
        raise _foreign()
    return key


def _names(key: list[object], length: int | None) -> Key:
    names = tuple(each for each in key if isinstance(each, str))
    if len(names) != len(key) or length not in (None, len(key)):
        raise _foreign()
    return names


def _foreign() -> InvalidRequestError:
    return InvalidRequestError("The cursor does not belong to this list. Take it from `next`.")
