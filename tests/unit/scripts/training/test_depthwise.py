"""The fast depthwise convolutions have torch's results and gradients."""

import pytest
import torch
from torch import Tensor, nn

from scripts.networks.checkpoints import build_network
from scripts.training.depthwise import (
    FastDepthwise,
    from_phases,
    to_phases,
    use_fast_gradients,
)


def _pair(conv: nn.Conv2d) -> tuple[nn.Conv2d, FastDepthwise]:
    """The same convolution twice, with shared parameters."""
    holder = nn.Sequential(conv)
    use_fast_gradients(holder)
    fast = holder[0]
    assert isinstance(fast, FastDepthwise)
    return conv, fast


def _gradients(conv: nn.Conv2d, features: Tensor, upstream: Tensor) -> tuple[Tensor, ...]:
    parameters = (features, *conv.parameters())
    return torch.autograd.grad(conv(features), parameters, upstream)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("size", [(17, 22), (16, 16), (5, 3)])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation"),
    [(3, 1, 1), (3, 2, 1), (3, 1, 2), (5, 1, 1), (5, 2, 1), (5, 1, 2), (5, 1, 4), (7, 1, 1)],
)
def test_result_and_gradients_are_torchs(
    kernel: int, stride: int, dilation: int, size: tuple[int, int], bias: bool
) -> None:
    """For every kind of depthwise convolution in the networks, odd and even sizes."""
    torch.manual_seed(0)
    padding = dilation * (kernel // 2)
    slow, fast = _pair(nn.Conv2d(8, 8, kernel, stride, padding, dilation, 8, bias))
    features = torch.randn(2, 8, *size, requires_grad=True)
    expected = slow(features)
    assert torch.allclose(fast(features), expected, atol=1e-6)
    upstream = torch.randn_like(expected)
    for ours, theirs in zip(
        _gradients(fast, features, upstream), _gradients(slow, features, upstream), strict=True
    ):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_in_mixed_precision_they_are_as_exact_as_bf16() -> None:
    """Relative to the largest gradient, which is what an optimiser sees."""
    torch.manual_seed(0)
    slow, fast = _pair(nn.Conv2d(16, 16, 5, padding=4, dilation=2, groups=16))
    features = torch.randn(2, 16, 21, 21, requires_grad=True)
    upstream = torch.randn(2, 16, 21, 21)
    exact = _gradients(slow, features, upstream)
    with torch.autocast("cpu", torch.bfloat16):
        result = fast(features)
    assert result.dtype == torch.bfloat16
    found = torch.autograd.grad(result, (features, *fast.parameters()), upstream.to(torch.bfloat16))
    for ours, theirs in zip(found, exact, strict=True):
        assert ours.dtype == torch.float32
        assert float((ours - theirs).abs().max() / theirs.abs().max()) < 0.02


def test_a_frozen_input_costs_no_gradient() -> None:
    """The first trained layer's input needs none."""
    _, fast = _pair(nn.Conv2d(4, 4, 3, padding=1, groups=4))
    (gradient,) = torch.autograd.grad(fast(torch.ones(1, 4, 6, 6)).sum(), [fast.weight])
    assert gradient.shape == (4, 1, 3, 3)


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(8, 8, 3, padding=1),
        nn.Conv2d(8, 16, 3, padding=1, groups=8),
        nn.Conv2d(8, 8, 3, padding=0, groups=8),
        nn.Conv2d(8, 8, 3, padding=6, dilation=6, groups=8),
        nn.Conv2d(8, 8, 3, stride=2, padding=2, dilation=2, groups=8),
        nn.Conv2d(8, 8, (3, 5), padding=(1, 2), groups=8),
        nn.Conv2d(8, 8, 3, padding=1, groups=8, padding_mode="reflect"),
    ],
    ids=["dense", "widening", "unpadded", "wide", "strided", "oblong", "reflecting"],
)
def test_other_convolutions_stay_as_they_are(conv: nn.Conv2d) -> None:
    """Convolutions that the kernels do not cover are left to torch."""
    holder = nn.Sequential(conv)
    use_fast_gradients(holder)
    assert holder[0] is conv


@pytest.mark.parametrize(
    ("architecture", "replaced"),
    [("deeplabv3_efficientnet_lite2", 21), ("deeplabv3_mobilenet_v3_large", 15)],
)
def test_a_networks_parameters_and_names_stay(architecture: str, replaced: int) -> None:
    """A checkpoint of the trained network loads into the plain one."""
    with torch.device("meta"):
        network = build_network(architecture, 3)
        before = list(network.state_dict())
        use_fast_gradients(network)
    assert list(network.state_dict()) == before
    assert sum(isinstance(each, FastDepthwise) for each in network.modules()) == replaced


@pytest.mark.parametrize(("height", "width"), [(6, 9), (7, 7), (1, 5)])
@pytest.mark.parametrize("rate", [2, 3, 4])
def test_phases_are_put_together_again(rate: int, height: int, width: int) -> None:
    """For any size."""
    features = torch.arange(2 * 3 * height * width).float().view(2, 3, height, width)
    phases = to_phases(features, rate)
    assert phases.shape == (2 * rate**2, 3, -(-height // rate), -(-width // rate))
    assert torch.equal(from_phases(phases, rate, height, width), features)
