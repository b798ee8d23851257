"""Prediction: class ids and confidences from the network's logits for one image."""

import numpy as np
from numpy.typing import NDArray

from deeplab.confidence import class_confidences, confidence_map
from deeplab.postprocess import Mask, full_size, keep_classes
from deeplab.upsample import class_ids


class Prediction:
    """The network's prediction for one image; anything beyond the mask is computed on demand.

    size: (width, height) of the upright image at full scale.
    mask: class ids at that size.
    """

    def __init__(
        self,
        logits: NDArray[np.float32],
        shape: tuple[int, ...],
        size: tuple[int, int],
        *,
        aligned: bool,
    ) -> None:
        """Compute the class ids at the network's size, and the mask.

        logits: (classes, h', w') float32. shape: (h, w) of the network's input.
        aligned: whether the corners of the logits lie on the corners of the input.
        """
        self._logits, self._shape, self._aligned = logits, (shape[0], shape[1]), aligned
        self._small = class_ids(logits, self._shape, aligned=aligned)
        self.size = size
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
