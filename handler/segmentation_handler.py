"""TorchServe's entry point: one answer per item of a batch, each with its own status.

TorchServe takes the one class of this module; a second class here would be an error.
"""

import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch

from deeplab.batches import Answer, answered, warm_up
from deeplab.busy_workers import Neighbours
from deeplab.decode import MAX_PIXELS
from deeplab.engines import Engine, load_engine, load_shared_engine
from deeplab.errors import RejectedImageError, TooManyPixelsError
from deeplab.formats import FORMATS
from deeplab.pipeline import Segmentation, Steps, segmenting
from deeplab.preprocess import network_size
from deeplab.render_options import LABELS, Form, InvalidFormError, read_form
from deeplab.spec import read_labels, read_spec
from deeplab.torch_engine import DeviceLostError
from deeplab.tracing import start_tracing

logger = logging.getLogger(__name__)

BODY_FIELDS = ("body", "data", "file")  # TorchServe's names for a raw body, ours for a form's part


FORM = "x-segserve-form"  # which form of the result is wanted, in JSON: deeplab/render_options.py
DEADLINE = "x-segserve-deadline"  # Unix time in seconds, after which nobody waits any more
MAX_ANSWER_BYTES = 67_000_000


class SegmentationHandler:
    """Image bytes in, 8-bit grey PNG of class ids out, facts as headers.

    Every failure is one item's own: an exception that left ``handle`` would fail the whole batch.
    """

    def initialize(self, context: Any) -> None:
        """Load the network of the unpacked archive; TorchServe calls this once per worker."""
        properties = context.system_properties
        root = Path(properties["model_dir"])
        operations = (context.model_yaml_config or {}).get("handler", {})
        self._spec = read_spec(root / "model.json")
        self._labels = read_labels(root / "deeplab" / "labels.json")
        self._max_pixels = int(operations.get("maxPixels", MAX_PIXELS))
        self._max_answer = int(operations.get("maxAnswerBytes", MAX_ANSWER_BYTES))
        gpu = properties.get("gpu_id")
        device = "cpu" if gpu is None else f"cuda:{gpu}"
        threads = int(os.environ.get("SEGSERVE_HANDLER_THREADS") or operations.get("threads", 0))
        torch.set_num_threads(1)  # it only resizes pictures; the engine has threads of its own
        self._neighbours = Neighbours(root / "working", str(os.getpid()))
        self._engine = self._load_engine(root / "network", device, threads)
        self._identity = {
            "X-Model": context.manifest["model"]["modelName"],
            "X-Model-Version": context.manifest["model"]["modelVersion"],
        }
        # At INFO TorchServe's worker has two lines for each request, and after this nothing else.
        # One its server throws away. The other wakes the server to make its metric PredictionTime
        # of it; the gateway counts the same by stages, from a header of the answer. By the level:
        # a filter would stop them too, but a fifth of a millisecond later.
        logging.getLogger().setLevel(logging.WARNING)
        self._tracing = start_tracing(os.environ, logger.warning)
        # The first picture compiles kernels: not at the expense of the first user.
        warm_up(self._engine, network_size((4, 3), self._spec.input))

    def _load_engine(self, folder: Path, device: str, threads: int) -> Engine:
        if self._spec.engine == "torch":
            return load_engine(folder, self._spec, threads, device)
        return load_shared_engine(
            folder, self._spec, threads, self._neighbours, os.cpu_count() or 1
        )

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[bytes]:
        """One answer per item: a PNG with status 200, or a JSON error with its own status.

        Where the engine takes several pictures at once, those of one size go through it together.
        """
        answers = [self._answer(index, item, context) for index, item in enumerate(data)]
        try:
            return answered(answers, self._engine, self._max_pixels)
        except DeviceLostError as exc:
            # TorchServe starts another worker, whose device works.
            sys.exit(f"the CUDA device is lost to this worker: {exc}")

    def _answer(self, index: int, item: dict[str, Any], context: Any) -> Answer:
        if context.get_request_header(index, "describe") == "True":
            return json.dumps(self._describe()).encode()
        for name, value in self._identity.items():
            context.set_response_header(index, name, value)
        image = next((item[name] for name in BODY_FIELDS if name in item), None)
        # TorchServe parses JSON and text: those come as other types, and bytes(n) would be n zeros.
        if not isinstance(image, bytes | bytearray):
            detail = "No picture was sent: it belongs in the request's body, as image/*."
            return _refuse(context, index, 422, "invalid_request", detail)
        headers = _headers(context, index)
        if _is_late(headers):
            detail = "The deadline passed before the model's turn. Send the picture again later."
            return _refuse(context, index, 504, "deadline_exceeded", detail)
        try:
            with self._tracing.picture(headers) as took:
                result = yield from self._segmenting(bytes(image), _form(headers))
                took(result.timings)
        except InvalidFormError as exc:
            return _refuse(context, index, 422, "invalid_request", str(exc))
        except RejectedImageError as exc:
            return _refuse(context, index, exc.status, exc.code, str(exc))
        except Exception:  # one picture's failure must not fail its neighbours
            logger.exception("segmentation failed")
            detail = "The model failed on this picture. Try again later."
            return _refuse(context, index, 503, "model_unavailable", detail)
        return _accept(context, index, result)

    def _segmenting(self, image: bytes, form: Form) -> Steps:
        with self._neighbours.working():
            found = yield from segmenting(image, self._spec.input, self._max_pixels, form)
        if len(found.png) > self._max_answer:
            raise TooManyPixelsError(
                f"This {form.render} of the picture takes {len(found.png):,} bytes, the limit is "
                f"{self._max_answer:,}. Send a smaller picture, or ask for labels."
            )
        return found

    def _describe(self) -> dict[str, object]:
        """What the management API tells of this version (``?customized=true``)."""
        return {
            "architecture": self._spec.architecture,
            "labels": {str(index): name for index, name in self._labels.items()},
            "engine": self._engine.name,
            "precision": self._engine.precision,
            "long_side": self._spec.input.long_side,
            "sha256": self._spec.sha256,
            "image_formats": list(FORMATS),
            "max_pixels": self._max_pixels,
        }


def _headers(context: Any, index: int) -> dict[str, str]:
    """A request's headers by their names in lower case."""
    found = context.get_all_request_header(index)
    return {str(name).lower(): str(value) for name, value in found.items()}


def _is_late(headers: dict[str, str]) -> bool:
    try:
        return float(headers[DEADLINE]) < time.time()
    except (KeyError, ValueError):
        return False


def _form(headers: dict[str, str]) -> Form:
    text = headers.get(FORM)
    return LABELS if text is None else read_form(text)


def _accept(context: Any, index: int, result: Segmentation) -> bytes:
    counts = ",".join(f"{id_}={pixels}" for id_, pixels in result.class_pixels.items())
    timings = ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in result.timings.items())
    context.set_response_content_type(index, "image/png")
    context.set_response_header(index, "X-Class-Pixels", counts)
    context.set_response_header(index, "Server-Timing", timings)
    context.set_response_header(index, "X-Confidence", f"{result.confidence:.4f}")
    if result.class_confidence:
        sure = ",".join(f"{id_}={share:.4f}" for id_, share in result.class_confidence.items())
        context.set_response_header(index, "X-Class-Confidence", sure)
    return result.png


def _refuse(context: Any, index: int, status: int, code: str, detail: str) -> bytes:
    context.set_response_status(code=status, phrase=code, idx=index)
    context.set_response_content_type(index, "application/json")
    return json.dumps({"code": code, "detail": detail}).encode()
