"""Lingering close: after an early error, drain the request body before closing the connection.

Closing a connection with unread bytes resets it, and the reset may overtake the response: a client
that sends its whole body before it reads would see a broken pipe instead of its 413.
"""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import ModelUnavailableError
from gateway.http.problems import render

# Timeouts between two chunks of the discarded body, and in total.
IDLE_S: Final = 2.0
_TOTAL_S: Final = 30.0
_MAX_BYTES: Final = 256 * 1024 * 1024


class LingeringClose:
    """ASGI middleware: after an early error, drain the body and then close the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; after an error, drain what was not read of its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        unread = _announces_body(scope)
        lingers = started = False

        async def noting_receive() -> Message:
            nonlocal unread
            message = await receive()
            unread = message.get("more_body", False)
            return message

        async def lingering_send(message: Message) -> None:
            nonlocal lingers, started
            if message["type"] == "http.response.start":
                started = True
                lingers = unread and message["status"] >= 400
                if lingers:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            elif lingers and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await _discard(receive)
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        try:
            await self._app(scope, noting_receive, lingering_send)
        except asyncio.CancelledError:
            # uvicorn cancels what has not ended in the time to stop, and sends a plain 500.
            if started:
                raise
            error = ModelUnavailableError("The gateway is stopping. Send the request again.")
            await render(error, scope["state"]["request_id"])(scope, receive, send)


def _announces_body(scope: Scope) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


async def _discard(receive: Receive) -> None:
    """Read the body to its end, up to the limits on time and bytes."""
    size = 0
    try:
        async with asyncio.timeout(_TOTAL_S):
            while size <= _MAX_BYTES:
                message = await asyncio.wait_for(receive(), IDLE_S)
                if not message.get("more_body", False):
                    return
                size += len(message["body"])
    except TimeoutError:
        return
