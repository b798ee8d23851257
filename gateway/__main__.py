"""Start the gateway: `python -m gateway`."""

import gc
import math
import os
import sys

import uvicorn
from pydantic import ValidationError

from gateway.app import create_app
from gateway.errors import GatewayError
from gateway.http.server import ProblemProtocol
from gateway.keys.access import startup_refusal
from gateway.operations.shutdown import DrainingServer
from gateway.settings import Settings
from gateway.telemetry import tracing
from gateway.telemetry.logs import log_to_stderr

# uvicorn's own exit status.
_STARTUP_FAILURE = 3
# Seconds beyond the deadline of an image for requests in flight to finish.
_GRACE_S = 3
# Longer than clients and load balancers keep idle connections. The client must be the one that
# closes: otherwise a request could arrive on a connection that the server is just closing.
_KEEPALIVE_S = 75


def main() -> None:
    """Run the server until a signal ends it."""
    try:
        settings = Settings()
    except ValidationError as exc:
        sys.exit(f"The gateway's settings (SEGSERVE_GATEWAY_*) are not valid: {exc}")
    if refusal := startup_refusal(settings):
        sys.exit(refusal)
    log_to_stderr(settings.log_level, settings.log_format)
    try:
        app = create_app(settings, tracing=tracing.from_environment(os.environ))
    except GatewayError as exc:
        sys.exit(exc.detail)
    except OSError as exc:
        sys.exit(f"The state cannot be opened: {exc.filename}: {exc.strerror}")
    # Everything imported and built so far lives as long as the process. Without the freeze, each
    # full collection would scan it again and stop every request for 20 ms.
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(
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
        proxy_headers=False,  # see gateway/http/proxies.py
        timeout_keep_alive=_KEEPALIVE_S,
        timeout_graceful_shutdown=math.ceil(settings.deadline_s) + _GRACE_S,
    )
    server = DrainingServer(config, app, settings.drain_s)
    server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILURE)


if __name__ == "__main__":
    main()
