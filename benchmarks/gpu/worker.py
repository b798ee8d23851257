"""A worker's handler without TorchServe around it: ``python -m benchmarks.gpu.worker FOLDER``.

It prints a line when it is ready. Then each line that it reads, "BATCH SECONDS", is answered with
how many photographs it has segmented meanwhile.
"""

import json
import sys
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ts.context import Context, RequestProcessor

from benchmarks.setup.photographs import usual
from segmentation_handler import SegmentationHandler

WARM_UP = 3  # the third batch of a size is the first that comes from a recording


def worker_context(folder: Path, device: int | None) -> Any:
    """The context that a TorchServe worker gives its handler. device: a CUDA device's number."""
    manifest = json.loads((folder / "MAR-INF" / "MANIFEST.json").read_text())
    return Context("deeplabv3", str(folder), manifest, 1, device, "0", model_yaml_config={})


def photographs_handled(
    handler: SegmentationHandler, context: Any, batch: int, seconds: float
) -> int:
    """Count the photographs handled within ``seconds``, ``batch`` at a time.

    Raises RuntimeError if one gets no mask.
    """
    data = [{"body": bytearray(usual().jpeg)} for _ in range(batch)]
    for _ in range(WARM_UP):
        _handle(handler, context, data)
    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        _handle(handler, context, data)
        count += batch
    return count


def _handle(handler: SegmentationHandler, context: Any, data: list[dict[str, Any]]) -> None:
    context.request_processor = [RequestProcessor({}) for _ in data]
    handler.handle(data, context)
    statuses = {context.get_response_status(index)[0] for index in range(len(data))}
    if statuses != {HTTPStatus.OK}:
        raise RuntimeError(f"the handler answered with {statuses}")


def main() -> None:
    """Serve the lines of standard input until it ends."""
    folder = Path(sys.argv[1])
    handler, context = SegmentationHandler(), worker_context(folder, 0)
    handler.initialize(context)
    print("ready", flush=True)
    for line in sys.stdin:
        batch, seconds = line.split()
        print(photographs_handled(handler, context, int(batch), float(seconds)), flush=True)


if __name__ == "__main__":
    main()
