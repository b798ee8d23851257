"""File descriptors of the process: detect that connections of clients use almost all of them."""

import asyncio
import logging
import resource
import time
from typing import Final

logger = logging.getLogger(__name__)

# Left to connections to TorchServe, to files, and to clients that are refused; seconds between two
# log lines.
_RESERVED: Final = 32
_LOG_INTERVAL_S: Final = 60.0


class DescriptorLimit:
    """The limit on the process's open files, compared with each new connection."""

    def __init__(self) -> None:
        self._logged_at: float | None = None

    def is_close(self, transport: asyncio.BaseTransport) -> bool:
        """Whether a new connection has one of the last descriptors; logged once a minute."""
        # The kernel gives the lowest free number. Once none is left, libuv accepts and closes
        # connections without an error.
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        descriptor: int = transport.get_extra_info("socket").fileno()
        if descriptor < limit - min(_RESERVED, limit // 4):
            return False
        now = time.monotonic()
        if self._logged_at is None or now - self._logged_at > _LOG_INTERVAL_S:
            self._logged_at = now
            logger.warning(
                "almost all of the %d file descriptors are in use: new connections get a 503; "
                "raise the limit (ulimit -n)",
                limit,
            )
        return True
