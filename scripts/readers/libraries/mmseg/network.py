"""mmsegmentation's DeepLabV3 and V3+ with its parameters' names, so that mmseg is not needed."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.readers.libraries.mmseg.backbones import ConvModule, MobileNetV2, ResNet
from scripts.readers.libraries.mmseg.design import Design


class SeparableConvModule(nn.Module):
    """A depthwise 3 x 3 convolution and a pointwise one."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1):
        super().__init__()
        self.depthwise_conv = ConvModule(
            inputs, inputs, 3, dilation=dilation, groups=inputs, activation=nn.ReLU()
        )
        self.pointwise_conv = ConvModule(inputs, outputs, 1, activation=nn.ReLU())

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.pointwise_conv(self.depthwise_conv(features))
        return result


class Head(nn.Module):
    """The atrous pyramid, and for V3+ the finer features, up to the classes' logits."""

    def __init__(self, design: Design):
        super().__init__()
        width, inputs = design.channels, design.inputs
        self.align_corners = design.align_corners
        self.image_pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), _convolution(inputs, width, 1))
        self.aspp_modules = nn.ModuleList(
            _pyramid_step(inputs, width, rate, separable=design.plus) for rate in design.rates
        )
        self.bottleneck = _convolution((len(design.rates) + 1) * width, width, 3)
        self.c1_bottleneck = (
            _convolution(design.c1_inputs, design.c1_channels, 1) if design.c1_inputs else None
        )
        self.sep_bottleneck = nn.Sequential(
            *(
                SeparableConvModule(width + extra, width)
                for extra in ((design.c1_channels, 0) if design.plus else ())
            )
        )
        self.conv_seg = nn.Conv2d(width, design.classes, 1)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        pooled = self._resized(self.image_pool(coarse), coarse)
        steps = [pooled, *(step(coarse) for step in self.aspp_modules)]
        features = self.bottleneck(torch.cat(steps, dim=1))
        if self.c1_bottleneck is not None:
            detail = self.c1_bottleneck(fine)
            features = torch.cat([self._resized(features, detail), detail], dim=1)
        logits: Tensor = self.conv_seg(self.sep_bottleneck(features))
        return logits

    def _resized(self, features: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(
            features, size=like.shape[2:], mode="bilinear", align_corners=self.align_corners
        )


def _convolution(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> ConvModule:
    return ConvModule(inputs, outputs, kernel, dilation=dilation, activation=nn.ReLU())


def _pyramid_step(inputs: int, width: int, rate: int, *, separable: bool) -> nn.Module:
    if rate == 1:
        return _convolution(inputs, width, 1)
    if separable:
        return SeparableConvModule(inputs, width, rate)
    return _convolution(inputs, width, 3, rate)


class MmsegDeepLab(nn.Module):
    """Normalised (N, 3, H, W) float32 -> coarse logits (N, classes, h, w)."""

    def __init__(self, design: Design):
        super().__init__()
        self.backbone = MobileNetV2(design) if design.mobile else ResNet(design)
        self.decode_head = Head(design)

    def forward(self, image: Tensor) -> Tensor:
        fine, coarse = self.backbone(image)
        logits: Tensor = self.decode_head(fine, coarse)
        return logits
