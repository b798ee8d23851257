"""PyTorch on a CUDA device: the exported program, recorded once for each size of batch.

A network of a hundred small kernels spends most of its time on starting them one by one. CUDA
replays a recording of all of them, and of the copies to and from the device, at one command.
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
MOST_RECORDINGS = 64  # sizes of batch; each takes some megabytes, and 20 ms to make
Shape = tuple[int, ...]


class DeviceLostError(RuntimeError):
    """After an error of its own making CUDA refuses a process everything, for good."""


class TorchEngine:
    """The exported program in PyTorch, on CUDA or, without recordings, on a processor.

    precision: what is in the artefact.
    """

    name = "torch"

    def __init__(self, artefact: Path, device: str, precision: Precision, *, aligned: bool):
        self.aligned = aligned
        self.precision: Precision = precision
        self._device = torch.device(device)
        # Not module().to(): the program itself says on which device each step's input lies.
        program = move_to_device_pass(torch.export.load(artefact), device)
        self._network: Any = program.module()
        self._records = self._device.type == "cuda"
        self.largest_batch = LARGEST_BATCH if self._records else 1
        self._seen: set[Shape] = set()
        self._recordings: OrderedDict[Shape, _Recording] = OrderedDict()
        # One after the other they use the same memory.
        self._pool = torch.cuda.graph_pool_handle() if self._records else None

    def logits(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(1, h, w, 3) uint8 RGB -> (classes, h', w') logits, valid until the next call."""
        logits: NDArray[np.float32] = self.batch(pixels)[0]
        return logits

    def batch(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, h, w, 3) uint8 RGB -> (n, classes, h', w') logits, valid until the next call."""
        try:
            with torch.inference_mode():
                recording = self._recording(pixels.shape)
                return self._plain(pixels) if recording is None else recording.replay(pixels)
        except RuntimeError as exc:
            self._check_device(exc)
            raise

    def _check_device(self, error: RuntimeError) -> None:
        """Raises DeviceLostError unless the device still works, as after a lack of memory."""
        if not self._records:
            return
        try:
            torch.cuda.synchronize(self._device)
        except RuntimeError:
            raise DeviceLostError(str(error).splitlines()[0]) from error

    def _plain(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        image = torch.from_numpy(pixels.copy()).to(self._device)  # ours: writable
        logits: NDArray[np.float32] = self._network(image).cpu().numpy()
        return logits

    def _recording(self, shape: Shape) -> "_Recording | None":
        """None the first time: most odd sizes never come back, and CUDA wants a trial first."""
        if not self._records:
            return None
        if shape not in self._seen:
            self._seen.add(shape)
            return None
        if shape not in self._recordings:
            self._recordings[shape] = _Recording(self._network, shape, self._device, self._pool)
        self._recordings.move_to_end(shape)
        if len(self._recordings) > MOST_RECORDINGS:
            oldest, _ = self._recordings.popitem(last=False)
            self._seen.discard(oldest)
        return self._recordings[shape]


class _Recording:
    """All that the device does for a batch of one size, from host memory to host memory."""

    def __init__(self, network: Any, shape: Shape, device: Any, pool: Any) -> None:
        host = torch.empty(shape, dtype=torch.uint8, pin_memory=True)
        # Once more without a recording: it tells the shape of the logits.
        logits = torch.empty_like(network(host.to(device)), device="cpu", pin_memory=True)
        torch.cuda.synchronize(device)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.device(device), torch.cuda.graph(self._graph, pool=pool):
            logits.copy_(network(host.to(device, non_blocking=True)), non_blocking=True)
        self._pixels: NDArray[np.uint8] = host.numpy()
        self._logits: NDArray[np.float32] = logits.numpy()
        # Waits without turning: other workers need the core.
        self._done: Any = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]  # torch has no types here
        self._stream = torch.cuda.current_stream(device)

    def replay(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The logits of ``pixels``, of this recording's shape; valid until the next replay."""
        self._pixels[...] = pixels
        self._graph.replay()
        self._done.record(self._stream)
        self._done.synchronize()
        return self._logits
