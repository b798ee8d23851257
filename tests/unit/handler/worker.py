"""The handler's environment in a worker: TorchServe's own context, and batches."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ts.context import Context, RequestProcessor

from deeplab.spec import Precision
from segmentation_handler import SegmentationHandler

MANIFEST = {"model": {"modelName": "deeplabv3", "modelVersion": "1.0"}}


class FailsOnTallImages:
    """An engine that fails on some images, as one that runs out of memory does."""

    name = "fails"
    precision: Precision = "f32"
    largest_batch = 1
    aligned = True

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (21, h', w') float32 logits."""
        if pixels.shape[1] > pixels.shape[2]:
            raise RuntimeError("CUDA out of memory")
        return np.zeros((21, 2, 2), dtype=np.float32)


def worker_context(folder: Path, operations: dict[str, Any] | None = None) -> Any:
    """The context that a worker creates for an unpacked archive."""
    return Context("deeplabv3", str(folder), MANIFEST, 1, None, "0", model_yaml_config=operations)


def handle(
    handler: SegmentationHandler, data: list[dict[str, Any]], *headers: dict[str, str]
) -> tuple[list[bytes], Any]:
    """Handle a batch: (bodies, the context with statuses and headers)."""
    context = worker_context(Path())
    context.request_processor = [
        RequestProcessor(headers[index] if index < len(headers) else {})
        for index in range(len(data))
    ]
    return handler.handle(data, context), context


def statuses(context: Any, count: int) -> list[int]:
    """The status of each of the first ``count`` items."""
    return [context.get_response_status(index)[0] for index in range(count)]
