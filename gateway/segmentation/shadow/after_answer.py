"""Work that starts when a response has been sent."""

import logging
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

logger = logging.getLogger(__name__)

_STATE: Final = "after_answer"


def after_answer(scope: Scope, call: Callable[[], object]) -> None:
    """Call ``call`` once the response of this request has been sent, or could not be."""
    scope["state"].setdefault(_STATE, []).append(call)


class AfterAnswer:
    """ASGI middleware: calls what routes left to be done after their responses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, then make the calls; none of them can fail the request."""
        try:
            await self._app(scope, receive, send)
        finally:
            for call in scope.get("state", {}).get(_STATE, ()):
                try:
                    call()
                except Exception:  # the answer was sent: the request cannot fail any more
                    logger.exception("work after a response failed")
