"""What runs the exported graph: OpenVINO on a CPU, PyTorch on a CUDA device.

The graph goes from (1, h, w, 3) uint8 RGB to (1, classes, h', w') coarse logits.
"""

import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deeplab.busy_workers import Neighbours
from deeplab.spec import ModelSpec, Precision
from deeplab.torch_engine import TorchEngine
from deeplab.upsample import class_ids

PREPARED_LAYERS = 300  # about five sizes of the bundled network's sixty convolutions


class Engine(Protocol):
    """Runs the network on one picture at a time; not for use from several threads."""

    name: str
    precision: Precision
    aligned: bool  # whether the corners of the logits lie on the picture's
    largest_batch: int  # pictures of one size that it takes together; 1: it has no ``batch``

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (classes, h', w') logits, valid until the next call."""
        ...


class BatchEngine(Engine, Protocol):
    """Takes several pictures of one size at once."""

    def batch(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, h, w, 3) uint8 RGB -> (n, classes, h', w') logits, valid until the next call."""
        ...


def predict(engine: Engine, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(1, h, w, 3) uint8 RGB -> (h, w) uint8 class ids."""
    return class_ids(engine.logits(pixels), pixels.shape[1:3], aligned=engine.aligned)


class OpenVINOEngine:
    """OpenVINO's IR on the CPU. Picture sizes are free: the compiled network is dynamic."""

    name = "openvino"
    largest_batch = 1

    def __init__(self, artefact: Path, precision: Precision, threads: int, *, aligned: bool):
        self.aligned = aligned
        core = _core()
        # Pinning would put every worker's threads on the same core.
        options: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_NUM_THREADS": threads,
            # What was prepared for each size of picture is kept: 2 MB a size. Without this limit a
            # worker grows to gigabytes; with it a size that comes back costs 1 ms more.
            "CPU_RUNTIME_CACHE_CAPACITY": PREPARED_LAYERS,
        }
        # Left alone, OpenVINO takes bf16 where the CPU has it and f32 elsewhere.
        if precision == "f32":
            options["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = core.compile_model(artefact, "CPU", options)
        self.precision: Precision = precision
        if precision != "int8":  # which is in the artefact itself
            hint = str(compiled.get_property("INFERENCE_PRECISION_HINT"))
            self.precision = "bf16" if "bfloat16" in hint else "f32"
        self._request = compiled.create_infer_request()
        self._tensor = import_openvino().Tensor
        self._input: Any = None

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (classes, h', w') logits, valid until the next call."""
        # Not as arguments of infer, which looks at every kind of input that there may be.
        writable = np.require(pixels, requirements=["C", "W"])
        self._input = self._tensor(writable, shared_memory=True)  # the request does not keep it
        self._request.set_input_tensor(self._input)
        self._request.infer(share_outputs=True)
        logits: NDArray[np.float32] = self._request.get_output_tensor().data[0]
        return logits


@lru_cache(maxsize=1)
def _core() -> Any:
    """The one of this process, for good.

    Each gives the main thread a stack for its signals and, at its end, puts back the one that it
    found. If two of them end in the order of their beginning, that one is gone: the next signal
    kills the process.
    """
    return import_openvino().Core()


def import_openvino() -> Any:
    """OpenVINO without its telemetry: nothing that we start may report to anybody.

    Its package falls back to a stub where the telemetry package is missing, as it is made to seem
    here. Imported on demand, so that a CUDA worker need not have it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # means: missing
    import openvino

    return openvino


class SharedCoresEngine:
    """Uses several cores while it is alone, and one while its neighbours need the others.

    Two workers with two threads each on two cores wait for each other; with one thread each they
    gave 8 % more. A single user waits a third less with two (decision record 0018).
    """

    largest_batch = 1

    def __init__(self, wide: Engine, narrow: Engine, is_crowded: Callable[[], bool]):
        self.name, self.precision, self.aligned = wide.name, wide.precision, wide.aligned
        self._wide, self._narrow = wide, narrow
        self._is_crowded = is_crowded

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (classes, h', w') logits, valid until the next call."""
        engine = self._narrow if self._is_crowded() else self._wide
        return engine.logits(pixels)


def load_shared_engine(
    folder: Path, spec: ModelSpec, threads: int, neighbours: Neighbours, cores: int
) -> Engine:
    """An engine of ``threads`` threads (0: all cores) that makes room for its neighbours."""
    wide = load_engine(folder, spec, threads)
    each = threads or cores
    if each == 1 or 2 * each <= cores:  # there is room for two: no more than that is asked for
        return wide
    narrow = load_engine(folder, spec, 1)
    return SharedCoresEngine(wide, narrow, lambda: (neighbours.count() + 1) * each > cores)


def load_engine(folder: Path, spec: ModelSpec, threads: int, device: str = "cuda") -> Engine:
    """Load the archive's artefact. ``threads`` is for the CPU, ``device`` for the torch engine."""
    artefact = folder / spec.artefact
    aligned = spec.input.aligned
    if spec.engine == "openvino":
        return OpenVINOEngine(artefact, spec.precision, threads, aligned=aligned)
    return TorchEngine(artefact, device, spec.precision, aligned=aligned)
