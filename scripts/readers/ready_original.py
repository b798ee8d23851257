"""The original of a ready graph, behind the preprocessing that its facts describe."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional as F

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
        """(height, width, 3) uint8 upright RGB -> (classes, height, width) float32 logits."""
        small = resized(image, self.facts.input)
        coarse = torch.from_numpy(self.run(normalised(small, self.facts)))
        mode = "nearest" if self.meaning.kind == "ids" else "bilinear"
        full: NDArray[np.float32] = F.interpolate(coarse, image.shape[:2], mode=mode)[0].numpy()
        return full


def normalised(image: NDArray[np.uint8], facts: InputFacts) -> NDArray[np.float32]:
    """(h, w, 3) uint8 RGB -> (1, 3, h, w) float32 in the facts' channel order."""
    values = (image.astype(np.float64) / 255 - facts.mean) / facts.std
    ordered = values[..., ::-1] if facts.channels == "bgr" else values
    return np.ascontiguousarray(ordered.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)


def resized(image: NDArray[np.uint8], wanted: InputSize) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 -> (h, w, 3) uint8 at the size for the network, by Pillow."""
    height, width = image.shape[:2]
    size = target_size(width, height, wanted)
    if wanted.antialias:
        picture = Image.fromarray(image).resize(size, RESAMPLING[wanted.interpolation])
        return np.asarray(picture)
    planes = torch.from_numpy(image).permute(2, 0, 1)[np.newaxis].float()
    small = F.interpolate(planes, (size[1], size[0]), mode=wanted.interpolation)
    return small.round().clamp(0, 255).byte()[0].permute(1, 2, 0).numpy()


def target_size(width: int, height: int, wanted: InputSize) -> tuple[int, int]:
    """(width, height) for the network."""
    if wanted.fit == "fixed":
        return wanted.width, wanted.height
    scale = 1.0
    if wanted.fit == "long_side":
        scale = wanted.long_side / max(width, height)
    elif wanted.fit == "short_side":
        scale = wanted.short_side / min(width, height)
    step = wanted.multiple
    sides = [max(1, round(side * scale / step)) * step for side in (width, height)]
    return sides[0], sides[1]
