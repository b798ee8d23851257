"""Two implementations of the same work: our engine code, and eager PyTorch as in tutorials.

Every competitor calls one of the two, which the environment chooses; the frameworks differ, the
work does not: bytes of a photograph in, PNG of class ids at the photograph's size out.
"""

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from benchmarks.setup.settings import ARCHITECTURE, ARCHIVE, ENGINE, VARIANT, WEIGHTS, WORKERS
from deeplab.busy_workers import BusyWorkers
from deeplab.decode import MAX_PIXELS
from deeplab.engines import load_shared_engine
from deeplab.pipeline import segment
from deeplab.preprocess import network_size
from deeplab.spec import read_spec
from scripts.networks.architectures import ModelChoice
from scripts.networks.facts import MEAN, STD
from scripts.readers.chain import load_checkpoint

Segmenter = Callable[[bytes], bytes]

ASKED_FOR = os.environ.get(VARIANT, ENGINE)
WORKER_PROCESSES = int(os.environ.get(WORKERS, "1"))
ENGINE_THREADS = 2  # of a worker, as handler/model-config.yaml has it


def segmenter() -> Segmenter:
    """The implementation that the environment chooses."""
    if ASKED_FOR == ENGINE:
        return EngineSegmenter(Path(os.environ[ARCHIVE]))
    return EagerSegmenter(os.environ[ARCHITECTURE], Path(os.environ[WEIGHTS]))


class EngineSegmenter:
    """The handler's stages and engine, set up as in the handler, without TorchServe."""

    def __init__(self, archive: Path):
        torch.set_num_threads(1)  # it only resizes pictures
        self._spec = read_spec(archive / "model.json")
        # The workers of one server, and no other processes, have the same parent.
        self._workers = BusyWorkers(archive / f"working-{os.getppid()}", str(os.getpid()))
        cores = os.cpu_count() or 1
        self._engine = load_shared_engine(
            archive / "network", self._spec, ENGINE_THREADS, self._workers, cores
        )
        self._lock = threading.Lock()  # a request of the engine is for one thread at a time

    def __call__(self, data: bytes) -> bytes:
        """Bytes of a photograph -> 8-bit grey PNG of class ids."""
        with self._lock, self._workers.busy():
            return segment(data, self._engine, self._spec.input, MAX_PIXELS).png


class EagerSegmenter:
    """PyTorch as its tutorials show it: eager, float32, Pillow and torch with their defaults."""

    def __init__(self, architecture: str, weights: Path):
        checkpoint = load_checkpoint(ModelChoice(architecture, weights))
        self._network, self._input = checkpoint.network, checkpoint.input
        self._mean, self._std = (torch.tensor(values).view(3, 1, 1) for values in (MEAN, STD))
        self._palette = [value for index in range(256) for value in _colour(index)]

    def __call__(self, data: bytes) -> bytes:
        """Bytes of a photograph -> indexed PNG of class ids."""
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        small = picture.resize(network_size(picture.size, self._input))
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
        with torch.inference_mode():
            logits = self._network(((pixels - self._mean) / self._std).unsqueeze(0))
            size = (small.height, small.width)
            full = F.interpolate(
                logits, size=size, mode="bilinear", align_corners=self._input.aligned
            )
            ids = full.argmax(dim=1)[0].byte().numpy()
        mask = Image.fromarray(ids).resize(picture.size, Image.Resampling.NEAREST)
        mask.putpalette(self._palette)
        buffer = io.BytesIO()
        mask.save(buffer, "PNG")
        return buffer.getvalue()


def _colour(index: int) -> tuple[int, int, int]:
    """The RGB colour of a class in the prototype's palette."""
    red, green, blue = (index * (2**power - 1) % 255 for power in (25, 15, 21))
    return red, green, blue
