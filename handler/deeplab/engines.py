"""Inference engines for the exported graph: OpenVINO on a CPU, PyTorch on a CUDA device.

The graph maps (1, h, w, 3) uint8 RGB, 0..255, to (1, classes, h', w') float32 coarse logits.
"""

import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deeplab.busy_workers import BusyWorkers
from deeplab.spec import ModelSpec, Precision
from deeplab.torch_engine import TorchEngine
from deeplab.upsample import class_ids

CACHED_LAYERS = 300  # about five image sizes times the bundled network's sixty convolutions


class Engine(Protocol):
    """Runs the network on one image at a time; not thread-safe.

    aligned: whether the corners of the logits lie on the corners of the image.
    largest_batch: most images of one size in a batch; 1 if the engine has no ``batch``.
    """

    name: str
    precision: Precision
    aligned: bool
    largest_batch: int

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (classes, h', w') logits, valid until the next call."""
        ...


class BatchEngine(Engine, Protocol):
    """Runs the network on several images of one size at once."""

    def batch(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, h, w, 3) uint8 RGB -> (n, classes, h', w') logits, valid until the next call."""
        ...


def predict(engine: Engine, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(1, h, w, 3) uint8 RGB -> (h, w) uint8 class ids."""
    return class_ids(engine.logits(pixels), pixels.shape[1:3], aligned=engine.aligned)


class OpenVINOEngine:
    """OpenVINO IR on the CPU. Any image size will do: the compiled network is dynamic."""

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
            # Kernels prepared for each image size are cached, 2 MB per size. Without this limit a
            # worker grows to gigabytes; with it a size that was evicted costs 1 ms more.
            "CPU_RUNTIME_CACHE_CAPACITY": CACHED_LAYERS,
        }
        # By default OpenVINO uses bf16 if the CPU supports it, otherwise f32.
        if precision == "f32":
            options["INFERENCE_PRECISION_HINT"] = "f32"
        compiled = core.compile_model(artefact, "CPU", options)
        self.precision: Precision = precision
        if precision != "int8":  # int8 is part of the artefact itself
            hint = str(compiled.get_property("INFERENCE_PRECISION_HINT"))
            self.precision = "bf16" if "bfloat16" in hint else "f32"
        self._request = compiled.create_infer_request()
        self._tensor = import_openvino().Tensor
        self._input: Any = None

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (classes, h', w') logits, valid until the next call."""
        # Not as an argument of infer(), which first checks for every kind of input.
        writable = np.require(pixels, requirements=["C", "W"])
        self._input = self._tensor(writable, shared_memory=True)  # the request does not keep it
        self._request.set_input_tensor(self._input)
        self._request.infer(share_outputs=True)
        logits: NDArray[np.float32] = self._request.get_output_tensor().data[0]
        return logits


@lru_cache(maxsize=1)
def _core() -> Any:
    """The process's only OpenVINO core, which is never destroyed.

    Each core installs a signal stack for the main thread and restores the previous one on its
    destruction. If two cores are destroyed in the order of their creation, the stack that is
    restored last no longer exists, and the next signal kills the process.
    """
    return import_openvino().Core()


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, on demand: a CUDA worker need not have it installed.

    OpenVINO falls back to a stub if its telemetry package is missing, which is simulated here.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: missing
    import openvino

    return openvino


class SharedCoresEngine:
    """Runs on several cores while other workers are idle, and on one core under contention.

    Two workers with two threads each on two cores wait for each other; one thread each gave 8 %
    more throughput. A single client waits a third less with two threads (decision record 0018).
    """

    largest_batch = 1

    def __init__(
        self, multi_threaded: Engine, single_threaded: Engine, is_contended: Callable[[], bool]
    ):
        self.name, self.precision = multi_threaded.name, multi_threaded.precision
        self.aligned = multi_threaded.aligned
        self._multi_threaded, self.single_threaded = multi_threaded, single_threaded
        self._is_contended = is_contended

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (classes, h', w') logits, valid until the next call."""
        engine = self.single_threaded if self._is_contended() else self._multi_threaded
        return engine.logits(pixels)


def load_shared_engine(
    folder: Path, spec: ModelSpec, threads: int, workers: BusyWorkers, cores: int
) -> Engine:
    """Load an engine of ``threads`` threads (0: all cores) that yields cores to busy workers."""
    multi_threaded = load_engine(folder, spec, threads)
    used = threads or cores
    if used == 1 or 2 * used <= cores:  # two workers fit: the second engine would not be used
        return multi_threaded
    single_threaded = load_engine(folder, spec, 1)
    return SharedCoresEngine(
        multi_threaded, single_threaded, lambda: (workers.count_others() + 1) * used > cores
    )


def one_core(engine: Engine) -> Engine:
    """The engine that computes in the thread that calls it, if there is one; else the same."""
    return engine.single_threaded if isinstance(engine, SharedCoresEngine) else engine


def load_engine(folder: Path, spec: ModelSpec, threads: int, device: str = "cuda") -> Engine:
    """Load the archive's artefact. ``threads``: for OpenVINO only; ``device``: for PyTorch only."""
    artefact = folder / spec.artefact
    aligned = spec.input.aligned
    if spec.engine == "openvino":
        return OpenVINOEngine(artefact, spec.precision, threads, aligned=aligned)
    return TorchEngine(artefact, device, spec.precision, aligned=aligned)
