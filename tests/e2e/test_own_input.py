"""A network that was trained at another size and normalisation loses nothing when it is served."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from scripts.export.export_check import photographs
from scripts.networks.architectures import ModelChoice
from scripts.readers.chain import load_checkpoint
from tests.formats.fitting import fit
from tests.formats.photographs import colour_scores, small_batch
from tests.stack import Stack, segserve

LABELS = {0: "bright", 1: "warm", 2: "dark", 3: "cold"}
SIDE = 256  # pixels; of the square to which its author stretches pictures
HALF = 0.5  # his mean and deviation, of values in 0..1, in BGR
RIGHT = ("--size", f"{SIDE}x{SIDE}", "--mean", "0.5", "--std", "0.5", "--bgr", "--no-antialias")
SIZE_ONLY = RIGHT[:2]  # ImageNet's normalisation is assumed, in RGB
MOST_LOST = 0.003  # of the mean IoU, 0..1
LEAST_LOST = 0.05  # with the wrong facts


@dataclass(frozen=True)
class Trained:
    """A checkpoint, labelled pictures, and the mean IoU that its author measured on them, 0..1."""

    checkpoint: Path
    labels: Path
    pictures: Path
    miou: float


def read(path: Path) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 BGR."""
    image = cv2.imread(str(path))
    assert image is not None
    return image.astype(np.uint8)


def regions() -> dict[Path, NDArray[np.uint8]]:
    """Photograph -> (height, width) uint8 ids of its regions of colour."""
    ids = colour_scores(small_batch(128, 192), len(LABELS), (32, 48)).argmax(dim=1)
    found = {}
    for path, small in zip(photographs(), ids.numpy().astype(np.uint8), strict=True):
        height, width = read(path).shape[:2]
        found[path] = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return found


def own_mask(network: nn.Module, path: Path) -> NDArray[np.int64]:
    """(height, width) class ids by the author's own code: OpenCV and PyTorch."""
    bgr = read(path)
    small = cv2.resize(bgr, (SIDE, SIDE)).astype(np.float32) / 255
    image = torch.from_numpy((small - HALF) / HALF).permute(2, 0, 1)[None]
    with torch.inference_mode():
        logits = F.interpolate(network(image), bgr.shape[:2], mode="bilinear")
    ids: NDArray[np.int64] = logits[0].argmax(dim=0).numpy()
    return ids


def mean_iou(pairs: list[tuple[NDArray[np.uint8], NDArray[np.int64]]]) -> float:
    """Over all pixels of (truth, prediction), 0..1."""
    shares = []
    for each in LABELS:
        both = sum(int(((truth == each) & (mask == each)).sum()) for truth, mask in pairs)
        either = sum(int(((truth == each) | (mask == each)).sum()) for truth, mask in pairs)
        shares.append(both / either)
    return float(np.mean(shares))


def started() -> tuple[nn.Module, nn.Conv2d]:
    """The bundled network with a last layer for the labels, and this layer."""
    network: Any = load_checkpoint(ModelChoice()).network
    last = nn.Conv2d(network.head.classifier.in_channels, len(LABELS), 1)
    network.head.classifier = last
    return network, last


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The bundled network with a new last layer, fitted behind its author's own preprocessing."""
    folder = tmp_path_factory.mktemp("trained")
    network, last = started()
    fit(network, last, lambda images: (images.flip(1) - HALF) / HALF, (SIDE, SIDE))
    torch.save({"model": network.state_dict(), "epoch": 3}, folder / "checkpoint.pth")
    (folder / "labels.json").write_text(json.dumps(LABELS))
    truths = regions()
    for part in ("JPEGImages", "SegmentationClass"):
        (folder / part).mkdir()
    for path, truth in truths.items():
        (folder / "JPEGImages" / path.name).write_bytes(path.read_bytes())
        cv2.imwrite(str(folder / "SegmentationClass" / f"{path.stem}.png"), truth)
    own = mean_iou([(truth, own_mask(network, path)) for path, truth in truths.items()])
    return Trained(folder / "checkpoint.pth", folder / "labels.json", folder, own)


def succeed(*arguments: str) -> None:
    """Run a command, which must succeed."""
    done = segserve(*arguments, timeout=240)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def version(stack: Stack, request: pytest.FixtureRequest) -> Iterator[str]:
    """A version's number, which keeps its bytes forever; it is removed whatever happened."""
    yield request.param
    stack.versions("remove", request.param)


def served_miou(
    stack: Stack, trained: Trained, version: str, facts: tuple[str, ...], folder: Path
) -> float:
    """The mean IoU through the gateway of the checkpoint, built with these flags, 0..1."""
    source = ("--weights", str(trained.checkpoint), "--labels", str(trained.labels), *facts)
    target = ("--version", version, "--store", str(folder), "--precision", "fp32")
    succeed("build", *source, *target, "--device", "cpu", "--unproved")
    added = stack.versions("add", str(folder / f"deeplabv3-{version}.mar"), "--workers", "1")
    assert added.returncode == 0, added.stderr
    figures = folder / "figures.json"
    pictures = ("--data", str(trained.pictures), "--labels", str(trained.labels))
    gateway = ("--gateway", stack.gateway_url, "--version", version)
    succeed("evaluate", *pictures, *gateway, "--json", str(figures))
    measured: dict[str, Any] = json.loads(figures.read_text())
    return float(measured["miou"])


@pytest.mark.parametrize(
    ("version", "facts"),
    [("7.0", RIGHT), ("7.1", SIZE_ONLY)],
    ids=["its own facts", "its size only"],
    indirect=["version"],
)
def test_the_mean_iou_is_the_authors_own_with_the_right_facts_only(
    stack: Stack,
    trained: Trained,
    version: str,
    facts: tuple[str, ...],
    tmp_path: Path,
) -> None:
    """Within 0.3 points of its own evaluation; without them many points are lost."""
    served = served_miou(stack, trained, version, facts, tmp_path)
    assert trained.miou > 0.5
    if facts == RIGHT:
        assert served == pytest.approx(trained.miou, abs=MOST_LOST)
    else:
        assert served < trained.miou - LEAST_LOST
