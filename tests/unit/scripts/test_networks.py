"""The bundled network is the one that was trained, number by number."""

import json
from pathlib import Path

import pytest
import torch

from scripts.checkpoints import Choice, load_checkpoint
from scripts.networks import DeepLabV3EfficientNetLite0, EfficientNetLite0

GOLDEN = Path(__file__).with_name("golden_logits.json")


@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"),
    [(32, 32, 2, 2), (65, 97, 5, 7), (384, 513, 24, 33), (33, 1024, 3, 64)],
)
def test_the_output_stride_is_16(height: int, width: int, rows: int, columns: int) -> None:
    """Any size of picture works, and the logits are a sixteenth of it, rounded up."""
    network = DeepLabV3EfficientNetLite0(classes=21).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, height, width)).shape == (1, 21, rows, columns)


def test_the_backbone_gives_320_channels() -> None:
    """What the pyramid is built for."""
    with torch.inference_mode():
        assert EfficientNetLite0().eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 320, 4, 4)


def test_the_number_of_parameters_is_the_model_cards() -> None:
    """3.7 million."""
    network = DeepLabV3EfficientNetLite0(classes=21)
    assert sum(each.numel() for each in network.parameters()) == 3_692_933


def test_the_classes_are_free() -> None:
    """A checkpoint of the user's own may have others."""
    with torch.inference_mode():
        assert DeepLabV3EfficientNetLite0(2).eval()(torch.zeros(1, 3, 32, 32)).shape[1] == 2


def test_the_bundled_weights_give_the_golden_logits() -> None:
    """Computed once by a network that matched its trainer's own output to 1e-4."""
    wave = torch.sin(torch.arange(3 * 65 * 97, dtype=torch.float64) * 0.37) * 2
    with torch.inference_mode():
        logits = load_checkpoint(Choice()).network(wave.float().view(1, 3, 65, 97))[0]
    for place, expected in json.loads(GOLDEN.read_text()).items():
        row, column = map(int, place.split(","))
        assert logits[:, row, column].tolist() == pytest.approx(expected, abs=1e-3)
