"""PyTorch engine: the exported program, captured as a CUDA graph for each batch shape.

A network of a hundred small kernels spends most of its time on launching them one by one. A CUDA
graph replays all of them, and the copies to and from the device, at a single launch.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export.passes import move_to_device_pass

from deeplab.spec import Precision

LARGEST_BATCH = 8
MAX_GRAPHS = 64  # batch shapes; each graph takes some megabytes, and 20 ms to capture
Shape = tuple[int, ...]


class DeviceLostError(RuntimeError):
    """The CUDA context is corrupted: every further call of this process fails."""


class TorchEngine:
    """The exported program in PyTorch, on CUDA or, without graphs, on a CPU.

    precision: that of the artefact.
    """

    name = "torch"

    def __init__(self, artefact: Path, device: str, precision: Precision, *, aligned: bool):
        self.aligned = aligned
        self.precision: Precision = precision
        self._device = torch.device(device)
        # Not module().to(): the program itself names the device of each operation's input.
        program = move_to_device_pass(torch.export.load(artefact), device)
        self._network: Any = program.module()
        self._uses_graphs = self._device.type == "cuda"
        self.largest_batch = LARGEST_BATCH if self._uses_graphs else 1
        self._seen: set[Shape] = set()
        self._graphs: OrderedDict[Shape, _CapturedGraph] = OrderedDict()
        # The graphs are replayed one at a time, so they can share their memory.
        self._pool = torch.cuda.graph_pool_handle() if self._uses_graphs else None

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (classes, h', w') logits, valid until the next call."""
        logits: NDArray[np.float32] = self.batch(pixels)[0]
        return logits

    def batch(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, h, w, 3) uint8 RGB -> (n, classes, h', w') logits, valid until the next call."""
        try:
            with torch.inference_mode():
                graph = self._graph_for(pixels.shape)
                return self._run_eagerly(pixels) if graph is None else graph.replay(pixels)
        except RuntimeError as exc:
            self._check_device(exc)
            raise

    def _check_device(self, error: RuntimeError) -> None:
        """Raise DeviceLostError unless the device still works, as after running out of memory."""
        if not self._uses_graphs:
            return
        try:
            torch.cuda.synchronize(self._device)
        except RuntimeError:
            raise DeviceLostError(str(error).splitlines()[0]) from error

    def _run_eagerly(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        image = torch.from_numpy(pixels.copy()).to(
            self._device
        )  # a copy, because torch needs writable memory
        logits: NDArray[np.float32] = self._network(image).cpu().numpy()
        return logits

    def _graph_for(self, shape: Shape) -> "_CapturedGraph | None":
        """The graph of a batch shape; None for a shape that is new.

        Most shapes never come back, and a capture needs an eager run before it.
        """
        if not self._uses_graphs:
            return None
        if shape not in self._seen:
            self._seen.add(shape)
            return None
        if shape not in self._graphs:
            self._graphs[shape] = _CapturedGraph(self._network, shape, self._device, self._pool)
        self._graphs.move_to_end(shape)
        if len(self._graphs) > MAX_GRAPHS:
            oldest, _ = self._graphs.popitem(last=False)
            self._seen.discard(oldest)
        return self._graphs[shape]


class _CapturedGraph:
    """Everything that the device does for a batch of one shape, from host memory to host memory."""

    def __init__(self, network: Any, shape: Shape, device: Any, pool: Any) -> None:
        host = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        # One more eager run, for the shape of the logits.
        logits = torch.empty_like(network(host.to(device)), device="cpu", pin_memory=True)
        torch.cuda.synchronize(device)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device), torch.cuda.graph(self._graph, pool=pool):
            logits.copy_(network(host.to(device, non_blocking=True)), non_blocking=True)
        self._pixels: NDArray[np.uint8] = host.numpy()
        self._logits: NDArray[np.float32] = logits.numpy()
        # blocking: wait without spinning, because other workers need the core.
        self._done: Any = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # torch has no types here
        self._stream = torch.cuda.current_stream(device)

    def replay(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, h, w, 3) uint8 RGB of the captured shape -> (n, classes, h', w') float32 logits.

        Valid until the next replay.
        """
        self._pixels[...] = pixels
        self._graph.replay()
        self._done.record(self._stream)
        self._done.synchronize()
        return self._logits
