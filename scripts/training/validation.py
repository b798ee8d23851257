"""Validation of the averaged weights on held-out images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deeplab.postprocess import resize_class_ids
from deeplab.spec import InputSize
from scripts.datasets.voc import LabelledImage
from scripts.evaluation.scores import Scores, confusion_matrix, scores
from scripts.export.eager import eager
from scripts.export.export_check import network_input
from scripts.export.graphs import SegmentationGraph


@dataclass(frozen=True)
class ValidationImage:
    """An image at the network's size; its mask stays on disk, as at full size all would not fit.

    pixels: (1, h, w, 3) uint8 RGB at the network's size.
    """

    pair: LabelledImage
    pixels: NDArray[np.uint8]


class Validation:
    """Scores weights with the decoding and resizing of the exported network.

    network: any instance of the architecture; its weights are overwritten.
    """

    def __init__(
        self, network: nn.Module, pairs: Sequence[LabelledImage], wanted: InputSize, classes: int
    ):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        graph = SegmentationGraph(network, aligned=wanted.aligned)
        self._graph = graph.to(self._device).eval()
        self._classes = classes
        self._prepared = [
            ValidationImage(pair, network_input(pair.image, wanted)) for pair in pairs
        ]

    def __call__(self, weights: dict[str, Tensor]) -> Scores:
        """The scores of a state dict over all pictures. DataError if a mask is gone."""
        self._graph.logits.network.load_state_dict(weights)
        return scores(sum(map(self._confusion, self._prepared), self._nothing()))

    def _confusion(self, picture: ValidationImage) -> NDArray[np.int64]:
        ids = picture.pair.read_mask()
        small = eager(self._graph, picture.pixels, self._device)
        found = resize_class_ids(small, (ids.shape[1], ids.shape[0]))
        return confusion_matrix(ids, found, self._classes)

    def _nothing(self) -> NDArray[np.int64]:
        return np.zeros((self._classes, self._classes), dtype=np.int64)
