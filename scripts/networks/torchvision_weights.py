"""torchvision's segmentation networks and their published weights."""

import importlib
import os
import pickle
import urllib.error
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from scripts.archives.digests import file_sha256
from scripts.archives.paths import ROOT
from scripts.networks.architectures import LRASPP_ARCHITECTURES


class DownloadError(RuntimeError):
    """The published weights are not available; the text names the alternatives."""


class LowResolutionLogits(nn.Module):
    """torchvision's DeepLabV3 or FCN without its upsampling."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    def forward(self, image: Tensor) -> Tensor:
        """Normalised RGB (N, 3, H, W) float32 -> logits (N, classes, h, w)."""
        logits: Tensor = self.classifier(self.backbone(image)["out"])
        return logits


class LowResolutionLraspp(nn.Module):
    """torchvision's LR-ASPP without its upsampling; its head takes two levels of the backbone."""

    def __init__(self, backbone: nn.Module, classifier: nn.Module):
        super().__init__()
        self.backbone = backbone
        self.classifier = classifier

    def forward(self, image: Tensor) -> Tensor:
        """Normalised RGB (N, 3, H, W) float32 -> logits (N, classes, h, w)."""
        logits: Tensor = self.classifier(self.backbone(image))
        return logits


def prepare() -> None:
    """Make torchvision importable; see ``_segmentation``."""
    _segmentation()


def build_network(architecture: str, classes: int) -> nn.Module:
    """The architecture without weights."""
    build = getattr(_segmentation(), architecture)
    if architecture in LRASPP_ARCHITECTURES:
        lraspp = build(weights=None, weights_backbone=None, num_classes=classes)
        return LowResolutionLraspp(lraspp.backbone, lraspp.classifier)
    whole = build(weights=None, weights_backbone=None, num_classes=classes, aux_loss=False)
    return LowResolutionLogits(whole.backbone, whole.classifier)


def fetch_weights(architecture: str) -> Path:
    """Download (once) the published weights, with a progress bar and a check of the hash.

    Raises DownloadError without a network, or when the content is not what was published.
    """
    weights = _segmentation().__dict__[_weights_name(architecture)].DEFAULT
    file = _file_of(weights)
    try:
        return _fetch(weights, file)
    except (urllib.error.URLError, OSError, RuntimeError) as exc:
        if isinstance(exc, DownloadError):
            raise
        raise DownloadError(
            f"the published weights of {architecture} could not be downloaded ({exc}). "
            f"Either put {file.name} into {file.parent} by hand and try again, "
            "or leave --model out: the bundled model needs no download."
        ) from exc


def backbone_state(architecture: str) -> dict[str, Tensor]:
    """The backbone's ImageNet weights, downloaded once; raises what downloading raises.

    torchvision's own way would run the code in a pickled file, and would not check its hash if it
    was in the cache.
    """
    backbone = cast(nn.Module, build_network(architecture, classes=2).backbone)
    models = importlib.import_module("torchvision.models")
    weights = models.__dict__[_backbone_name(architecture)].DEFAULT
    file = _fetch(weights, _file_of(weights))
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as exc:
        raise DownloadError(f"{file} holds more than tensors: delete it") from exc
    # MobileNet's classifier wraps its layers; of both families the last layers are not used.
    inner = {name.removeprefix("features."): value for name, value in state.items()}
    return {name: inner[name] for name in backbone.state_dict()}


def _file_of(weights: Any) -> Path:
    return weights_folder() / str(weights.url).rsplit("/", 1)[-1]


def _fetch(weights: Any, file: Path) -> Path:
    expected_hash = file.stem.rsplit("-", 1)[-1]  # torchvision names files <name>-<hash>.pth
    if file.exists():
        _check_hash(file, expected_hash)
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(weights.url, str(file), hash_prefix=expected_hash)
    return file


def _check_hash(file: Path, expected: str) -> None:
    if not file_sha256(file).startswith(expected):
        raise DownloadError(f"{file} is not what was published (its hash differs): delete it")


def weights_folder() -> Path:
    """The folder of downloads: .cache/weights, or SEGSERVE_EXPORT_CACHE."""
    default = ROOT / ".cache" / "weights"
    return Path(os.environ.get("SEGSERVE_EXPORT_CACHE", default))


def _weights_name(architecture: str) -> str:
    return {
        "deeplabv3_resnet101": "DeepLabV3_ResNet101_Weights",
        "deeplabv3_resnet50": "DeepLabV3_ResNet50_Weights",
        "deeplabv3_mobilenet_v3_large": "DeepLabV3_MobileNet_V3_Large_Weights",
        "fcn_resnet101": "FCN_ResNet101_Weights",
        "fcn_resnet50": "FCN_ResNet50_Weights",
        "lraspp_mobilenet_v3_large": "LRASPP_MobileNet_V3_Large_Weights",
    }[architecture]


def _backbone_name(architecture: str) -> str:
    return {
        "deeplabv3_resnet101": "ResNet101_Weights",
        "deeplabv3_resnet50": "ResNet50_Weights",
        "deeplabv3_mobilenet_v3_large": "MobileNet_V3_Large_Weights",
        "fcn_resnet101": "ResNet101_Weights",
        "fcn_resnet50": "ResNet50_Weights",
        "lraspp_mobilenet_v3_large": "MobileNet_V3_Large_Weights",
    }[architecture]


def declare_operators() -> None:
    """Make torchvision importable by other libraries too, also next to PyTorch's CPU wheel."""
    _segmentation()


def _segmentation() -> Any:
    """Import torchvision.models.segmentation.

    torchvision's CUDA wheel next to PyTorch's CPU wheel lacks its compiled operators, and its
    import fails where it registers shapes for them. Declaring the two is enough: no
    segmentation network calls them. With matching wheels they exist and nothing is declared.
    """
    try:
        return importlib.import_module("torchvision.models.segmentation")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # torch has no types here
        _KEPT.append(library)  # the declaration ends with the object
        for name in ("nms", "qnms"):
            schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]  # as above
        return importlib.import_module("torchvision.models.segmentation")


_KEPT: list[torch.library.Library] = []
