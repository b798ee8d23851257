"""A training of one second: a real network of a few weights on drawn squares."""

from pathlib import Path

import torch
from torch import Tensor, nn

from deeplab.spec import InputSize
from scripts.datasets.crops import Augmentation
from scripts.datasets.sampling import Balance, Samples
from scripts.datasets.voc import inspect_pairs, list_pairs
from scripts.training.loop import Training
from scripts.training.options import Plan
from scripts.training.validation import Validation
from tests.unit.scripts.voc_folder import make

CLASSES = 3
WANTED = InputSize(long_side=97, grid=4)


class TinyNetwork(nn.Module):
    """Output stride 4, with dropout and batch normalisation, whose state must survive too."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU6(),
            nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8),
        )
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Conv2d(8, CLASSES, 1))

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 3, ceil(H / 4), ceil(W / 4))."""
        logits: Tensor = self.head(self.backbone(image))
        return logits


def network() -> TinyNetwork:
    """A network that always has the same initial weights."""
    torch.manual_seed(0)
    return TinyNetwork()


def training(folder: Path, plan: Plan) -> Training:
    """A training on eight squares, which are drawn into ``folder`` if they are missing."""
    if not folder.exists():
        make(folder, 8)
    pictures = inspect_pairs(list_pairs(folder), CLASSES)
    steps = len(pictures) // plan.batch
    samples = Samples(
        pictures,
        CLASSES,
        Balance(),
        Augmentation(plan.crop, WANTED.long_side),
        plan.seed,
        length=plan.epochs * steps * plan.batch,
    )
    return Training(network(), samples, steps, plan, WANTED)


def validation(folder: Path) -> Validation:
    """The validation on the same squares."""
    return Validation(TinyNetwork(), list_pairs(folder), WANTED, CLASSES)
