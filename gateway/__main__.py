"""Starts the gateway: `python -m gateway`."""

import gc
import logging
import sys

import uvicorn
from pydantic import ValidationError

from gateway.app import create_app
from gateway.protocol import ProblemProtocol
from gateway.settings import Settings

# Seconds in which requests may finish after the signal to stop.
_GRACE_S = 10
# Longer than clients and load balancers keep idle connections: who closes first must be them, or
# a request could meet a connection that is just being closed.
_KEEPALIVE_S = 75


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    # A line per request to TorchServe says nothing that ours does not.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # A malformed form is the client's business: it is told.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def main() -> None:
    """Runs until a signal ends it."""
    try:
        settings = Settings()
    except ValidationError as exc:
        sys.exit(f"The gateway's settings (SEGSERVE_GATEWAY_*) are not valid: {exc}")
    _log_to_stderr(settings.log_level)
    app = create_app(settings)
    # What was imported and built stays for good: no collection needs to look at it again, which
    # would stop every request for 20 ms.
    gc.collect()
    gc.freeze()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=ProblemProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEPALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


if __name__ == "__main__":
    main()
