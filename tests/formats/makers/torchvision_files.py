"""torchvision's networks in the files that trainers save, behind torchvision's own transforms."""

import argparse
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import segmentation  # type: ignore[import-untyped]  # it has no types
from torchvision.transforms import v2  # type: ignore[import-untyped]  # as above

from scripts.networks.facts import MEAN, STD
from tests.formats.fitting import fit
from tests.formats.makers.answers import Author, Network, by_torchvision, long_side, normal
from tests.formats.photographs import Pixels

CLASSES = 4
FINE = 0.01  # deviation of the weights of LR-ASPP's fine detail
OWN_SIZE = 520  # of the short side, as published
SHORT = 128  # the size that a trainer chose, to be fast: in segserve.toml beside the weights
WHOLE_LONG_SIDE, WHOLE_MULTIPLE = 512, 32  # what is assumed for a pickled network
PICKLED = '''"""A trainer's own network."""

from torch import nn


class CrackNet(nn.Sequential):
    """Four classes at a quarter of the picture's size."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 12, 3, stride=2, padding=1),
            nn.BatchNorm2d(12),
            nn.ReLU(),
            nn.Conv2d(12, 16, 3, stride=2, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 4, 1),
            nn.UpsamplingBilinear2d(scale_factor=4),
        )
'''


def fitted(name: str, classes: int = CLASSES, *, aux: bool = False) -> Any:
    """An architecture of torchvision, shown the photographs."""
    torch.manual_seed(0)
    auxiliary = {"aux_loss": True} if aux else {}
    build: Callable[..., Any] = getattr(segmentation, name)
    network = build(weights=None, weights_backbone=None, num_classes=classes, **auxiliary)
    head = network.classifier
    last: Any = head[4] if isinstance(head, nn.Sequential) else head.high_classifier
    if not isinstance(head, nn.Sequential):  # random fine detail would hide what is fitted
        nn.init.normal_(head.low_classifier.weight, std=FINE)
    centre, spread = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    fit(network, last, lambda images: (images - centre) / spread)
    return network


def author(network: Any, size: int, threshold: float = 0.5) -> Author:
    """The network behind torchvision's transforms of tensors; it upsamples by itself."""
    transforms = v2.Compose(
        [
            v2.Resize(size, antialias=True),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )

    def prepare(picture: Pixels) -> Tensor:
        prepared: Tensor = transforms(torch.tensor(picture).permute(2, 0, 1))[None]
        return prepared

    return Network(prepare, lambda image: network(image)["out"], threshold)


def small(folder: Path) -> None:
    """The facts that a trainer wrote beside the weights."""
    (folder / "segserve.toml").write_text(f'size = "short={SHORT}"\n')


def plain(name: str, size: int) -> Callable[[Path], Author]:
    """A maker of a bare state dict."""

    def make(path: Path) -> Author:
        network = fitted(name)
        torch.save(network.state_dict(), path)
        if size != OWN_SIZE:
            small(path.parent)
        return author(network, size)

    return make


def reference_script(path: Path) -> Author:
    """As torchvision's references/segmentation/train.py saves it."""
    network = fitted("deeplabv3_mobilenet_v3_large", aux=True)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=30)
    saved = {
        "model": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "lr_scheduler": schedule.state_dict(),
        "epoch": 29,
        "args": argparse.Namespace(dataset="coco", lr=0.01, output_dir=Path()),
    }
    torch.save(saved, path)
    small(path.parent)
    return author(network, SHORT)


def lightning(path: Path) -> Author:
    """As Lightning saves a module that holds the network as ``self.model``."""
    network = fitted("lraspp_mobilenet_v3_large")
    state = {f"model.{name}": value for name, value in network.state_dict().items()}
    saved = {
        "state_dict": state | {"loss.weight": torch.ones(CLASSES)},
        "pytorch-lightning_version": "2.5.0",
        "epoch": 3,
        "hyper_parameters": {"lr": 0.01},
    }
    torch.save(saved, path)
    small(path.parent)
    return author(network, SHORT)


def safetensors(path: Path) -> Author:
    """As safetensors' own function writes it."""
    network = fitted("deeplabv3_mobilenet_v3_large")
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)
    small(path.parent)
    return author(network, SHORT)


def one_output(threshold: float) -> Callable[[Path], Author]:
    """A maker of a network with one output."""

    def make(path: Path) -> Author:
        network = fitted("deeplabv3_mobilenet_v3_large", classes=1)
        torch.save({"model_state_dict": network.state_dict(), "epoch": 3}, path)
        small(path.parent)
        return author(network, SHORT, threshold)

    return make


def whole(path: Path) -> Author:
    """A whole network of a class of the trainer's own, whose code lies beside it."""
    (path.parent / "crack_net.py").write_text(PICKLED)
    sys.modules.pop("crack_net", None)
    sys.path.insert(0, str(path.parent))
    try:
        torch.manual_seed(0)
        network: nn.Sequential = importlib.import_module("crack_net").CrackNet()
    finally:
        sys.path.remove(str(path.parent))
    last = network[6]
    assert isinstance(last, nn.Conv2d)
    centre, spread = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, STD))
    fit(network, last, lambda images: (images - centre) / spread)
    torch.save(network, path)

    def prepare(picture: Pixels) -> Tensor:
        size = long_side(picture, WHOLE_LONG_SIDE, WHOLE_MULTIPLE)
        return normal(by_torchvision(picture, size), MEAN, STD)

    return Network(prepare, network)
