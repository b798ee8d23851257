"""Depthwise convolutions with fast gradients on a CPU.

torch's own gradients of 5 x 5, dilated and strided depthwise convolutions run up to fifteen times
as long as the forward pass on a CPU. The same gradients, put together from kernels that are fast:

- of the input: a forward convolution with the turned filter;
- of the filter: 3 x 3 filters have a fast kernel, and a larger filter is covered by 3 x 3 windows;
- with dilation: the picture's phases are convolved one by one without dilation.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WINDOW = 3
MOST_DILATION = 4  # above it the phases are so small that torch's own kernels win
CHANNELS_LAST = torch.channels_last


class FastDepthwise(nn.Conv2d):
    """A depthwise convolution with odd square filters; same result, faster gradients on a CPU."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, ceil(H / stride), ceil(W / stride))."""
        if features.is_cuda or not torch.is_grad_enabled():
            return super().forward(features)
        weight, bias = self.weight, self.bias
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            features, weight = features.to(kind), weight.to(kind)
            bias = None if bias is None else bias.to(kind)
        features = features.contiguous(memory_format=CHANNELS_LAST)
        rate, (stride, _) = int(self.dilation[0]), self.stride
        if rate == 1:
            return _apply(features, weight, bias, stride)
        height, width = features.shape[2:]
        convolved = _apply(to_phases(features, rate), weight, bias, 1)
        return from_phases(convolved, rate, height, width)


def use_fast_gradients(network: nn.Module) -> None:
    """Replace depthwise convolutions by FastDepthwise; parameters keep their names."""
    for parent in network.modules():
        for name, child in parent.named_children():
            if type(child) is nn.Conv2d and _is_fit(child):
                setattr(parent, name, _replacement(child))


def _is_fit(conv: nn.Conv2d) -> bool:
    size, rate, stride = conv.kernel_size[0], conv.dilation[0], conv.stride[0]
    return (
        conv.groups == conv.in_channels == conv.out_channels > 1
        and conv.kernel_size == (size, size)
        and size % 2 == 1
        and size >= WINDOW
        and conv.stride == (stride, stride)
        and conv.dilation == (rate, rate)
        and conv.padding == (rate * (size // 2),) * 2
        and conv.padding_mode == "zeros"
        and rate <= MOST_DILATION
        and (stride == 1 or rate == 1)
    )


def _replacement(conv: nn.Conv2d) -> FastDepthwise:
    fast = FastDepthwise(
        conv.in_channels,
        conv.out_channels,
        (conv.kernel_size[0], conv.kernel_size[1]),
        stride=(conv.stride[0], conv.stride[1]),
        padding=(int(conv.padding[0]), int(conv.padding[1])),
        dilation=(conv.dilation[0], conv.dilation[1]),
        groups=conv.groups,
        bias=conv.bias is not None,
    )
    fast.weight, fast.bias = conv.weight, conv.bias
    return fast.train(conv.training)


def to_phases(features: Tensor, rate: int) -> Tensor:
    """(N, C, H, W) -> (N * rate^2, C, ceil(H / rate), ceil(W / rate)): every rate-th pixel."""
    count, channels, height, width = features.shape
    rows, columns = -(-height // rate), -(-width // rate)
    last = features.permute(0, 2, 3, 1)
    last = F.pad(last, (0, 0, 0, columns * rate - width, 0, rows * rate - height))
    split = last.reshape(count, rows, rate, columns, rate, channels).permute(0, 2, 4, 1, 3, 5)
    return split.reshape(count * rate * rate, rows, columns, channels).permute(0, 3, 1, 2)


def from_phases(phases: Tensor, rate: int, height: int, width: int) -> Tensor:
    """The inverse of to_phases, for a picture of ``height`` x ``width``."""
    many, channels, rows, columns = phases.shape
    split = phases.permute(0, 2, 3, 1).reshape(-1, rate, rate, rows, columns, channels)
    whole = split.permute(0, 3, 1, 4, 2, 5).reshape(
        many // rate**2, rows * rate, columns * rate, channels
    )
    return whole[:, :height, :width].permute(0, 3, 1, 2).contiguous(memory_format=CHANNELS_LAST)


def _apply(features: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    result: Tensor = _Depthwise.apply(features, weight, bias, stride)  # type: ignore[no-untyped-call]  # torch has no types here
    return result


class _Depthwise(torch.autograd.Function):
    """An undilated depthwise convolution with padding "same"."""

    @staticmethod
    def forward(ctx, features, weight, bias, stride):  # type: ignore[no-untyped-def]  # torch's protocol
        ctx.save_for_backward(features, weight)
        ctx.stride, ctx.has_bias = stride, bias is not None
        return F.conv2d(features, weight, bias, stride, weight.shape[2] // 2, 1, weight.shape[0])

    @staticmethod
    def backward(ctx, upstream):  # type: ignore[no-untyped-def]  # torch's protocol
        features, weight = ctx.saved_tensors
        upstream = upstream.contiguous(memory_format=CHANNELS_LAST)
        of_input = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_input = input_gradient(upstream, features, weight, ctx.stride)
        if ctx.needs_input_grad[1]:
            of_weight = weight_gradient(upstream, features, weight, ctx.stride)
        if ctx.has_bias and ctx.needs_input_grad[2]:
            of_bias = upstream.sum((0, 2, 3))
        return of_input, of_weight, of_bias, None


def input_gradient(upstream: Tensor, features: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The gradient of the input, computed as a forward convolution."""
    if stride > 1:
        upstream = _spread(upstream, features, stride)
    return F.conv2d(upstream, weight.flip(2, 3), None, 1, weight.shape[2] // 2, 1, weight.shape[0])


def _spread(upstream: Tensor, features: Tensor, stride: int) -> Tensor:
    """The upstream gradient at stride 1: zero where the stride skipped."""
    spread = torch.empty_like(features, memory_format=CHANNELS_LAST).zero_()
    spread[:, :, ::stride, ::stride] = upstream
    return spread


def weight_gradient(upstream: Tensor, features: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The gradient of the filter, assembled from 3 x 3 windows that cover it."""
    size = weight.shape[2]
    if size == WINDOW:
        return _window_gradient(upstream, features, weight, stride)
    if stride > 1:
        upstream, stride = _spread(upstream, features, stride), 1
    count, channels, height, width = features.shape
    reach = size // 2
    rows, columns = height + 2 * reach, width + 2 * reach
    # Both stand in frames of the same size, laid out one pixel after the other, so that a window
    # of other taps is the same memory read from a later pixel on: nothing is copied for it.
    window_reach = (size - WINDOW) * (columns + 1)
    flat = features.new_zeros((count * rows * columns + window_reach) * channels)
    shape = (count, channels, rows, columns)
    strides = (rows * columns * channels, 1, columns * channels, channels)
    frame = flat.as_strided(shape, strides)
    frame[:, :, reach : reach + height, reach : reach + width] = features
    framed = torch.empty_like(frame).zero_()
    framed[:, :, 1 : 1 + height, 1 : 1 + width] = upstream
    window = weight[:, :, :WINDOW, :WINDOW].contiguous()
    gradient = torch.empty_like(weight)
    for top in _window_starts(size):
        for left in _window_starts(size):
            shifted = flat.as_strided(shape, strides, (top * columns + left) * channels)
            gradient[:, :, top : top + WINDOW, left : left + WINDOW] = _window_gradient(
                framed, shifted, window, 1
            )
    return gradient


def _window_starts(size: int) -> list[int]:
    return sorted({*range(0, size - WINDOW, WINDOW - 1), size - WINDOW})


def _window_gradient(upstream: Tensor, part: Tensor, window: Tensor, stride: int) -> Tensor:
    _, gradient, _ = torch.ops.aten.convolution_backward(
        upstream,
        part,
        window,
        None,
        [stride, stride],
        [1, 1],
        [1, 1],
        False,
        [0, 0],
        window.shape[0],
        [False, True, False],
    )
    result: Tensor = gradient
    return result
