"""A ready graph in the place of a network."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

# (1, 3, H, W) float32, normalised -> (1, classes, h, w) float32 logits
RunOriginal = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class ReadyGraph(nn.Module):
    """A graph that came without its network's code: normalised pictures -> logits.

    model: an OpenVINO model, (1, 3, H, W) float32 -> (1, classes, h, w) float32 logits, which is
        exported. run_original: the same by the original file in its own runtime, which is the
        reference of the export.
    """

    def __init__(self, model: Any, run_original: RunOriginal):
        super().__init__()
        self.model, self._run_original = model, run_original

    def forward(self, image: Tensor) -> Tensor:
        """Run the original: normalised (N, 3, H, W) float32 -> logits (N, classes, h, w)."""
        pictures = image.detach().cpu().numpy()
        found = [self._run_original(pictures[i : i + 1]) for i in range(len(pictures))]
        return torch.from_numpy(np.concatenate(found)).to(image.device)
