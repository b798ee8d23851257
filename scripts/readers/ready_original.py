"""The original of a ready graph, behind the preprocessing that its facts describe."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from deeplab.opencv_resize import resize_as_opencv
from deeplab.preprocess import network_size
from deeplab.spec import InputSize
from scripts.networks.facts import InputFacts
from scripts.readers.graphs.outputs import Meaning
from scripts.readers.graphs.running import RunningGraph
from scripts.readers.graphs.signature import ImageInput

RESAMPLING = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class ReadyOriginal:
    """The file in its own runtime: what an export of it is compared with."""

    graph: RunningGraph
    picture: ImageInput
    meaning: Meaning
    facts: InputFacts

    def run(self, normalised: NDArray[np.float32]) -> NDArray[np.float32]:
        """(1, 3, H, W) float32, normalised -> (1, classes, h, w) float32 logits."""
        outputs = self.graph.run(self.picture.arranged(normalised))
        return self.meaning.logits(outputs)[np.newaxis]

    def logits(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(height, width, 3) uint8 upright RGB -> (classes, h, w) float32 logits, not upsampled."""
        small = resized(image, self.facts.input)
        logits: NDArray[np.float32] = self.run(normalised(small, self.facts))[0]
        return logits


def normalised(image: NDArray[np.uint8], facts: InputFacts) -> NDArray[np.float32]:
    """(h, w, 3) uint8 RGB -> (1, 3, h, w) float32 in the facts' channel order."""
    values = (image.astype(np.float64) / 255 - facts.mean) / facts.std
    ordered = values[..., ::-1] if facts.channels == "bgr" else values
    return np.ascontiguousarray(ordered.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)


def resized(image: NDArray[np.uint8], wanted: InputSize) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 -> (h, w, 3) uint8 for the network, by Pillow or as OpenCV."""
    height, width = image.shape[:2]
    size = network_size((width, height), wanted)
    if wanted.antialias:
        picture = Image.fromarray(image).resize(size, RESAMPLING[wanted.interpolation])
        return np.asarray(picture)
    return resize_as_opencv(image, size, wanted.interpolation)
