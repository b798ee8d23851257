"""Shutdown in order: readiness first, then the listener, then the requests in flight."""

import asyncio
import signal
import socket
import time
from types import FrameType
from typing import Final

import uvicorn
from starlette.applications import Starlette

# Seconds for the requests on connections that were accepted last to arrive.
_READ_S: Final = 0.5


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which serves on for some seconds after the first signal to stop.

    Meanwhile /readyz is 503, so that load balancers send their next requests elsewhere. A second
    signal ends this time.
    """

    def __init__(self, config: uvicorn.Config, app: Starlette, drain_s: float) -> None:
        super().__init__(config)
        self._app = app
        self._drain_s = drain_s
        self._stops_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; at a second signal stop."""
        if self._stops_at is None and getattr(self, "servers", []):
            self._app.state.is_stopping = True  # models/readiness.py reads it
            self._stops_at = time.monotonic() + self._drain_s
            self._captured_signals.append(signal.Signals(sig))
        else:
            super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listener, then the connections without a request, then wait for the others."""
        for server in self.servers:
            server.close()
        # uvicorn closes accepted connections whose request has not been read yet.
        await asyncio.sleep(_READ_S)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Stop when the time to drain is over; called ten times per second."""
        if self._stops_at is not None and time.monotonic() >= self._stops_at:
            self.should_exit = True
        return await super().on_tick(counter)
