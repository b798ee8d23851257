"""TorchServe's entry point: one response per item of a batch, each with its own status.

TorchServe uses the only class of this module; a second class here would be an error.
"""

import json
import logging
import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from deeplab import deadlines
from deeplab.background import BackgroundThread, is_background
from deeplab.batches import ItemSteps, run_batch, warm_up
from deeplab.busy_workers import BusyWorkers
from deeplab.decode import MAX_PIXELS
from deeplab.engines import Engine, load_engine, load_shared_engine, one_core
from deeplab.errors import NotANumberError, RejectedImageError, TooManyPixelsError
from deeplab.formats import FORMATS
from deeplab.pipeline import Segmentation, Steps, Tiling, segmentation_steps
from deeplab.preprocess import network_size
from deeplab.render import RENDERS
from deeplab.render_options import (
    DEFAULT_OPTIONS,
    InvalidRenderOptionsError,
    RenderOptions,
    read_render_options,
)
from deeplab.spec import has_background, read_about, read_labels, read_spec
from deeplab.tiles import MAX_TILES
from deeplab.torch_engine import DeviceLostError
from deeplab.tracing import start_tracing

logger = logging.getLogger(__name__)

BODY_FIELDS = ("body", "data", "file")  # TorchServe's names for a raw body, ours for a form's part

RENDER_OPTIONS_HEADER = "x-segserve-form"  # JSON: deeplab/render_options.py
MAX_ANSWER_BYTES = 67_000_000
LOWEST_PRIORITY = 19


class SegmentationHandler:
    """Encoded images in, 8-bit grey PNGs of class ids out, facts as headers.

    Every failure concerns one item: an exception that left ``handle`` would fail the whole batch.
    """

    def initialize(self, context: Any) -> None:
        """Load the network of the unpacked archive; TorchServe calls this once per worker."""
        properties = context.system_properties
        root = Path(properties["model_dir"])
        operations = (context.model_yaml_config or {}).get("handler", {})
        self._spec = read_spec(root / "model.json")
        self._labels = read_labels(root / "deeplab" / "labels.json")
        self._about = read_about(root)
        self._max_pixels = int(operations.get("maxPixels", MAX_PIXELS))
        self._max_tiles = int(operations.get("maxTiles", MAX_TILES))
        self._max_answer_bytes = int(operations.get("maxAnswerBytes", MAX_ANSWER_BYTES))
        gpu = properties.get("gpu_id")
        device = "cpu" if gpu is None else f"cuda:{gpu}"
        threads = int(os.environ.get("SEGSERVE_HANDLER_THREADS") or operations.get("threads", 0))
        torch.set_num_threads(1)  # torch only resizes images; the engine has its own threads
        self._deadlines = deadlines.Deadlines()
        self._workers = BusyWorkers(root / "working", str(os.getpid()))
        self._engine = self._load_engine(root / "network", device, threads)
        self._one_core = one_core(self._engine)
        self._background = BackgroundThread(_take_lowest_priority)
        self._identity = {
            "X-Model": _header_value(context.manifest["model"]["modelName"]),
            "X-Model-Version": _header_value(context.manifest["model"]["modelVersion"]),
        }
        # At INFO TorchServe's worker logs two lines per request, and nothing else from here on. Its
        # server discards one. The other wakes the server to update its metric PredictionTime, which
        # the gateway measures by stages from a response header. By the level, because a filter
        # would run a fifth of a millisecond later.
        logging.getLogger().setLevel(logging.WARNING)
        self._tracing = start_tracing(os.environ, logger.warning)
        # The first image compiles kernels: not at the expense of the first user.
        warm_up(self._engine, network_size((4, 3), self._spec.input))

    def _load_engine(self, folder: Path, device: str, threads: int) -> Engine:
        if self._spec.engine == "torch":
            return load_engine(folder, self._spec, threads, device)
        return load_shared_engine(folder, self._spec, threads, self._workers, os.cpu_count() or 1)

    def handle(self, data: list[dict[str, Any]], context: Any) -> list[bytes]:
        """One response per item: a PNG with status 200, or a JSON error with its own status.

        If the engine takes batches, images of one size go through it together.
        """
        headers = [_headers(context, index) for index in range(len(data))]
        items = [
            self._respond(index, item, context, headers[index]) for index, item in enumerate(data)
        ]
        if is_background(headers):
            return self._background.run(lambda: self._run(items, self._one_core))
        return self._run(items, self._engine)

    def _run(self, items: list[ItemSteps], engine: Engine) -> list[bytes]:
        self._deadlines.begin()
        try:
            return run_batch(items, engine, self._max_pixels)
        except DeviceLostError as exc:
            # TorchServe starts another worker, whose device works.
            sys.exit(f"the CUDA device is lost to this worker: {exc}")
        finally:
            self._deadlines.end()

    def _respond(
        self, index: int, item: dict[str, Any], context: Any, headers: dict[str, str]
    ) -> ItemSteps:
        if context.get_request_header(index, "describe") == "True":
            return json.dumps(self._describe()).encode()
        for name, value in self._identity.items():
            context.set_response_header(index, name, value)
        image = next((item[name] for name in BODY_FIELDS if name in item), None)
        # TorchServe parses JSON and text into other types, and bytes(n) would be n zeros.
        if not isinstance(image, bytes | bytearray):
            detail = "No image was sent: it belongs in the request's body, as image/*."
            return _error_response(context, index, 422, "invalid_request", detail)
        seconds_left = self._deadlines.seconds_left(headers.get(deadlines.HEADER))
        if seconds_left < 0:
            detail = "The deadline passed before the model's turn. Send the image again later."
            return _error_response(context, index, 504, "deadline_exceeded", detail)
        try:
            with self._tracing.image_span(headers) as record_stages:
                result = yield from self._segment(
                    bytes(image), _render_options(headers), time.monotonic() + seconds_left
                )
                record_stages(result.timings)
        except InvalidRenderOptionsError as exc:
            return _error_response(context, index, 422, "invalid_request", str(exc))
        except RejectedImageError as exc:
            return _error_response(context, index, exc.status, exc.code, str(exc))
        except NotANumberError as exc:
            version = self._identity["X-Model-Version"]
            logger.warning("version %s: %s", version, exc)
            detail = (
                f"Version {version} answered with values that are no numbers. "
                "Choose another version."
            )
            return _error_response(context, index, 503, "model_unavailable", detail)
        except Exception:  # one image's failure must not fail the batch
            logger.exception("segmentation failed")
            detail = "The model failed on this image. Try again later."
            return _error_response(context, index, 503, "model_unavailable", detail)
        return _mask_response(context, index, result)

    def _segment(self, image: bytes, options: RenderOptions, expires: float) -> Steps:
        """The steps for an image. expires: when the client gives up, on the monotonic clock."""
        tiling = Tiling(
            default=self._spec.tile,
            max_tiles=self._max_tiles,
            seconds_left=lambda: expires - time.monotonic(),
            has_background=has_background(self._labels),
        )
        with self._workers.busy():
            result = yield from segmentation_steps(
                image, self._spec.input, self._max_pixels, options, tiling
            )
        if len(result.png) > self._max_answer_bytes:
            raise TooManyPixelsError(
                f"This {options.render} of the image takes {len(result.png):,} bytes, the limit "
                f"is {self._max_answer_bytes:,}. Send a smaller image, or ask for labels."
            )
        return result

    def _describe(self) -> dict[str, object]:
        """The management API's description of this version (``?customized=true``)."""
        return {
            "architecture": self._spec.architecture,
            "labels": {str(index): name for index, name in self._labels.items()},
            "engine": self._engine.name,
            "precision": self._engine.precision,
            "long_side": self._spec.input.long_side,
            "input": asdict(self._spec.input),
            "mean": self._spec.mean,
            "std": self._spec.std,
            "channels": self._spec.channels,
            "output": self._spec.output,
            "threshold": self._spec.threshold,
            "tile": self._spec.tile,
            "sha256": self._spec.sha256,
            "image_formats": list(FORMATS),
            "max_pixels": self._max_pixels,
            **self._about,
            "max_tiles": self._max_tiles,
            # Their process ids: the version commands end no worker that is computing.
            "busy_workers": [int(name) for name in self._workers.busy_others()],
        }


def _take_lowest_priority() -> None:
    """Let this thread run only in time that no other needs."""
    with suppress(OSError, AttributeError):  # a system without priorities of threads
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)


def _header_value(text: str) -> str:
    """Printable ASCII: another character would end the connection instead of the header."""
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def _headers(context: Any, index: int) -> dict[str, str]:
    """The item's request headers, with their names in lower case."""
    headers = context.get_all_request_header(index)
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _render_options(headers: dict[str, str]) -> RenderOptions:
    text = headers.get(RENDER_OPTIONS_HEADER)
    return DEFAULT_OPTIONS if text is None else read_render_options(text, RENDERS)


def _mask_response(context: Any, index: int, result: Segmentation) -> bytes:
    counts = ",".join(f"{id_}={pixels}" for id_, pixels in result.class_pixels.items())
    timings = ", ".join(f"{stage};dur={ms:.2f}" for stage, ms in result.timings.items())
    if result.tiles:
        timings += f", tiles;desc={result.tiles}"
    context.set_response_content_type(index, "image/png")
    context.set_response_header(index, "X-Class-Pixels", counts)
    context.set_response_header(index, "Server-Timing", timings)
    context.set_response_header(index, "X-Confidence", f"{result.confidence:.4f}")
    if result.class_confidence:
        confidences = ",".join(
            f"{id_}={share:.4f}" for id_, share in result.class_confidence.items()
        )
        context.set_response_header(index, "X-Class-Confidence", confidences)
    return result.png


def _error_response(context: Any, index: int, status: int, code: str, detail: str) -> bytes:
    context.set_response_status(code=status, phrase=code, idx=index)
    context.set_response_content_type(index, "application/json")
    return json.dumps({"code": code, "detail": detail}).encode()
