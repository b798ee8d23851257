"""The eager network in fp32: the reference of every export, and a predictor that needs none."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deeplab.decode import decode
from deeplab.postprocess import resize_class_ids
from deeplab.preprocess import min_long_side, preprocess
from scripts.export.graphs import graph_of
from scripts.networks.checkpoints import Checkpoint

CPU = torch.device("cpu")


class EagerModel:
    """A checkpoint's network on whole images, with the handler's own decoding and resizing."""

    def __init__(self, checkpoint: Checkpoint):
        self._graph, self._input = graph_of(checkpoint), checkpoint.input

    def predict(self, data: bytes) -> NDArray[np.uint8]:
        """An encoded image -> (height, width) uint8 class ids at its upright size.

        Raises RejectedImageError.
        """
        decoded = decode(data, min_long_side(self._input))
        small = eager(self._graph, preprocess(decoded, self._input))
        return resize_class_ids(small, decoded.size)


def eager(
    graph: nn.Module, pixels: NDArray[np.uint8], device: torch.device = CPU
) -> NDArray[np.uint8]:
    """(1, h, w, 3) uint8 RGB -> (h, w) uint8 class ids of the eager ``graph``, in fp32."""
    with torch.inference_mode():
        ids: NDArray[np.uint8] = graph(torch.from_numpy(pixels.copy()).to(device))[0].cpu().numpy()
    return ids
