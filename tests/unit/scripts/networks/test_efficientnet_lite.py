"""The bundled networks have the shapes of their tables, and the weights that were trained."""

import json
from pathlib import Path

import pytest
import torch

from scripts.networks.architectures import BUNDLED, LITE_ARCHITECTURES, STAGES, ModelChoice
from scripts.networks.efficientnet_lite import DeepLabV3EfficientNetLite, EfficientNetLite
from scripts.readers.chain import load_checkpoint

GOLDEN = Path(__file__).with_name("golden_logits.json")


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [(32, 32, 2, 2), (65, 97, 5, 7), (384, 513, 24, 33), (33, 1024, 3, 64)],
)
def test_the_output_stride_is_16(height: int, width: int, rows: int, columns: int) -> None:
    """For any image size the logits have a sixteenth of it, rounded up."""
    network = DeepLabV3EfficientNetLite(BUNDLED, classes=21).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, height, width)).shape == (1, 21, rows, columns)


@pytest.mark.parametrize(("name", "channels"), [*zip(STAGES, (320, 320, 352), strict=True)])
def test_the_backbone_ends_with_the_last_stage(name: str, channels: int) -> None:
    """The pyramid is built for its width."""
    with torch.inference_mode():
        features = EfficientNetLite(STAGES[name]).eval()(torch.zeros(1, 3, 64, 64))
    assert features.shape == (1, channels, 4, 4)


@pytest.mark.parametrize(
    ("architecture", "parameters"),
    [*zip(LITE_ARCHITECTURES, (3_692_933, 4_451_781, 5_125_917), strict=True)],
)
def test_the_number_of_parameters_is_the_documented_one(architecture: str, parameters: int) -> None:
    """It determines the size of a weights file."""
    with torch.device("meta"):  # shapes only
        network = DeepLabV3EfficientNetLite(architecture, classes=21)
    assert sum(each.numel() for each in network.parameters()) == parameters


def test_on_the_grid_the_logits_lie_on_every_sixteenth_pixel() -> None:
    """Upsampling with aligned corners shifts nothing: checked with a mirrored image.

    With mirrored filters a mirrored picture must give mirrored logits; it does only if the first
    and the last logit are as far from their borders.
    """
    torch.manual_seed(0)
    network = EfficientNetLite(STAGES["efficientnet_lite0"]).eval()
    with torch.inference_mode():
        for name, weight in network.state_dict().items():
            if name.endswith("weight") and weight.shape[-1] > 1:
                weight.copy_((weight + weight.flip(3)) / 2)
        picture = torch.rand(1, 3, 65, 97)
        features, mirrored = network(picture), network(picture.flip(3))
    assert torch.allclose(features, mirrored.flip(3), atol=1e-5)


def test_the_classes_are_free() -> None:
    """A user's checkpoint may have any number of classes."""
    network = DeepLabV3EfficientNetLite(BUNDLED, classes=2).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 32, 32)).shape[1] == 2


def test_an_unknown_backbone_is_an_error() -> None:
    """Only the backbones in the tables exist."""
    with pytest.raises(KeyError, match="efficientnet_lite9"):
        DeepLabV3EfficientNetLite("deeplabv3_efficientnet_lite9", classes=21)


def test_the_bundled_weights_give_the_golden_logits() -> None:
    """The golden logits come from the network as it was trained."""
    wave = torch.sin(torch.arange(3 * 65 * 97, dtype=torch.float64) * 0.37) * 2
    with torch.inference_mode():
        logits = load_checkpoint(ModelChoice()).network(wave.float().view(1, 3, 65, 97))[0]
    for place, expected in json.loads(GOLDEN.read_text()).items():
        row, column = map(int, place.split(","))
        assert logits[:, row, column].tolist() == pytest.approx(expected, abs=1e-3)
