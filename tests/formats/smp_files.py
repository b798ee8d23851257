"""Fitted networks of segmentation_models.pytorch."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch

from scripts.networks.facts import MEAN, STD
from scripts.readers.libraries.smp import ASSUMED
from tests.formats.fitting import fit
from tests.formats.photographs import Pixels
from tests.formats.served import ids, resized, upsampled

CLASSES = 4
SMALL = replace(ASSUMED, long_side=256)  # to be fast
# Network, encoder, and what else it is built with.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "v3plus": ("DeepLabV3Plus", "resnet18", {}),
    "v3plus-8-aux": (
        "DeepLabV3Plus",
        "mobilenet_v2",
        {"encoder_output_stride": 8, "aux_params": {"classes": 2}, "activation": "softmax2d"},
    ),
    "v3": ("DeepLabV3", "timm-efficientnet-b0", {"decoder_aspp_separable": True}),
    "unet": ("Unet", "resnet18", {"decoder_channels": (64, 48, 32, 16, 16)}),
    "fpn": ("FPN", "tu-mobilenetv3_small_050", {}),
}


@dataclass(frozen=True)
class Made:
    """A network of the library, fitted."""

    network: Any
    encoder: str

    def mask(self, picture: Pixels, threshold: float = 0.5) -> Pixels:
        """The mask by the library's own preprocessing, at a smaller size than assumed."""
        pixels = resized(picture, SMALL)
        normal = preprocessing(self.encoder)(pixels).astype(np.float32)
        with torch.no_grad():
            found = self.network(torch.from_numpy(normal).permute(2, 0, 1)[None])
        logits = found[0] if isinstance(found, tuple) else found
        return ids(upsampled(logits.numpy(), picture.shape[:2])[0], threshold)


def preprocessing(encoder: str) -> Callable[[Pixels], Any]:
    """The library's function; what it would ask a server for is what it publishes there."""
    if encoder.startswith("tu-"):
        chosen: Callable[[Pixels], Any] = smp.encoders.get_preprocessing_fn(encoder)
        return chosen
    return partial(smp.encoders.preprocess_input, mean=MEAN, std=STD, input_range=[0, 1])


def make(kind: str, classes: int = CLASSES) -> Made:
    """Build and fit one of ``KINDS``."""
    name, encoder, arguments = KINDS[kind]
    torch.manual_seed(0)
    if name.startswith("DeepLab"):
        arguments = {"decoder_channels": 64, **arguments}
    network = getattr(smp, name)(encoder, encoder_weights=None, classes=classes, **arguments)
    centre, spread = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    fit(network, network.segmentation_head[0], lambda images: (images - centre) / spread)
    return Made(network, encoder)
