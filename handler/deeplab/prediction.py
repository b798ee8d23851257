"""Prediction: what the network's logits say about an image, at its own size and at the image's."""

import numpy as np
from numpy.typing import NDArray

from deeplab.confidence import class_confidences, confidence_map
from deeplab.postprocess import Mask, full_size, keep_classes
from deeplab.upsample import class_ids


class Prediction:
    """The network's prediction for one image; anything beyond the mask is computed on demand.

    mask: class ids at the image's size.
    """

    def __init__(
        self,
        logits: NDArray[np.float32],
        shape: tuple[int, ...],
        size: tuple[int, int],
        *,
        aligned: bool,
    ) -> None:
        """logits: (classes, h', w'). shape: (h, w) of the network's input. size: (width, height)
        of the image. aligned: whether the logits' corners lie on the input's.
        """
        self._logits, self.size, self._aligned = logits, size, aligned
        self._shape = (shape[0], shape[1])
        self._small = class_ids(logits, self._shape, aligned=aligned)
        self.mask = full_size(self._small, size)

    def mask_of(self, classes: frozenset[int]) -> Mask:
        """The mask with every other class set to background (0)."""
        return full_size(keep_classes(self._small, classes), self.size)

    def class_confidence(self) -> dict[int, float]:
        """Class id -> mean confidence of its pixels, 0..1."""
        return class_confidences(self._small, self.confidences())

    def confidences(self) -> NDArray[np.float32]:
        """(h, w) float32 confidences, 0..1, at the size of the network's input."""
        return confidence_map(self._logits, self._shape, aligned=self._aligned)
