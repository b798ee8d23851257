"""Examples of the probes and metrics for the OpenAPI document."""

from typing import Final

from gateway.openapi.schemas import Examples
from gateway.operations.schemas import Health, Readiness

METRICS: Final = """# HELP segserve_images_total Images that were answered.
# TYPE segserve_images_total counter
segserve_images_total{model="deeplabv3",version="1.0"} 23.0
"""

EXAMPLES: Final[Examples] = {
    Health: {"status": "ok"},
    Readiness: {"status": "ready", "model": "deeplabv3", "version": "1.0", "workers": 2},
}
