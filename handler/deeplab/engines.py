"""What runs the exported graph: OpenVINO on a CPU, PyTorch on a CUDA device.

Both take (1, h, w, 3) uint8 RGB and give (h, w) uint8 class ids of the same size.
"""

import sys
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from deeplab.spec import ModelSpec, Precision

PREPARED_LAYERS = 300  # about five sizes of the bundled network's sixty convolutions


class Engine(Protocol):
    """Runs the network on one picture at a time; not for use from several threads."""

    name: str
    precision: Precision

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(1, h, w, 3) uint8 RGB -> (h, w) uint8 class ids."""
        ...


class OpenVINOEngine:
    """OpenVINO's IR on the CPU. Picture sizes are free: the compiled network is dynamic."""

    name = "openvino"

    def __init__(self, artefact: Path, precision: Precision, threads: int):
        core = import_openvino().Core()
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
        hint = str(compiled.get_property("INFERENCE_PRECISION_HINT"))
        self.precision: Precision = "bf16" if "bfloat16" in hint else "f32"
        self._request = compiled.create_infer_request()

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(1, h, w, 3) uint8 RGB -> (h, w) uint8 class ids."""
        result = self._request.infer({0: pixels}, share_inputs=True, share_outputs=True)
        ids: NDArray[np.uint8] = result[0][0]
        return ids


def import_openvino() -> Any:
    """OpenVINO without its telemetry: nothing that we start may report to anybody.

    Its package falls back to a stub where the telemetry package is missing, as it is made to seem
    here. Imported on demand, so that a CUDA worker need not have it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # means: missing
    import openvino

    return openvino


class TorchEngine:
    """The exported program in PyTorch; on CUDA with bf16 autocast."""

    name = "torch"

    def __init__(self, artefact: Path, device: str, precision: Precision):
        import torch

        self._torch = torch
        self._device = torch.device(device)
        self.precision: Precision = precision
        self._program = torch.export.load(artefact).module().to(self._device)

    def predict(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(1, h, w, 3) uint8 RGB -> (h, w) uint8 class ids."""
        torch = self._torch
        bf16 = torch.autocast(
            self._device.type, dtype=torch.bfloat16, enabled=self.precision == "bf16"
        )
        with torch.inference_mode(), bf16:
            image = torch.from_numpy(pixels.copy()).to(self._device)  # ours: writable
            ids: NDArray[np.uint8] = self._program(image)[0].cpu().numpy()
        return ids


def load_engine(folder: Path, spec: ModelSpec, threads: int, device: str = "cuda") -> Engine:
    """Load the archive's artefact. ``threads`` is for the CPU, ``device`` for the torch engine."""
    artefact = folder / spec.artefact
    if spec.engine == "openvino":
        return OpenVINOEngine(artefact, spec.precision, threads)
    return TorchEngine(artefact, device, spec.precision)
