"""The bundled network: DeepLabV3's atrous pyramid over EfficientNet-Lite, as plain convolutions.

Batch normalisation is folded into the convolutions' weights, also while it is trained: any size
of batch will do, and what is trained is what is served.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scripts.networks.architectures import STAGES, Stage

STEM_WIDTH = 32
HEAD_WIDTH = 256
ATROUS_RATES = (6, 12, 18)


def pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    """A 1 x 1 convolution."""
    return nn.Conv2d(inputs, outputs, kernel_size=1)


def depthwise(width: int, kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A depthwise convolution with "same" padding."""
    return nn.Conv2d(
        width,
        width,
        kernel,
        stride=stride,
        padding=dilation * (kernel // 2),
        dilation=dilation,
        groups=width,
    )


class InvertedResidual(nn.Module):
    """An inverted residual block: expand, depthwise, project, and a skip where shapes agree."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, dilation: int, expansion: int
    ):
        super().__init__()
        width = inputs * expansion
        self.expand = pointwise(inputs, width) if expansion > 1 else None
        self.depthwise = depthwise(width, kernel, stride, dilation)
        self.project = pointwise(width, outputs)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        hidden: Tensor = features if self.expand is None else F.relu6(self.expand(features))
        hidden = self.project(F.relu6(self.depthwise(hidden)))
        return features + hidden if self.residual else hidden


class EfficientNetLite(nn.Module):
    """The backbone: (N, 3, H, W) float32 -> (N, width, ceil(H / 16), ceil(W / 16)) float32."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM_WIDTH, kernel_size=3, stride=2, padding=1)
        blocks: list[nn.Module] = []
        width, dilation = STEM_WIDTH, 1
        for stage in stages:
            stride = stage.stride
            for _ in range(stage.blocks):
                blocks.append(
                    InvertedResidual(
                        width, stage.width, stage.kernel, stride, dilation, stage.expansion
                    )
                )
                width, stride, dilation = stage.width, 1, stage.dilation
        self.blocks = nn.ModuleList(blocks)

    def forward(self, image: Tensor) -> Tensor:
        features = F.relu6(self.stem(image))
        for block in self.blocks:
            features = block(features)
        return features


class SeparableAtrous(nn.Module):
    """A dilated 3 x 3 filter per channel, then a 1 x 1 convolution."""

    def __init__(self, inputs: int, outputs: int, rate: int):
        super().__init__()
        self.depthwise = depthwise(inputs, kernel=3, dilation=rate)
        self.pointwise = pointwise(inputs, outputs)

    def forward(self, features: Tensor) -> Tensor:
        return F.relu6(self.pointwise(F.relu6(self.depthwise(features))))


class AtrousPyramidHead(nn.Module):
    """Atrous spatial pyramid pooling (Chen et al. 2017, arXiv:1706.05587), with separable filters.

    (N, 320, h, w) -> logits (N, classes, h, w).
    """

    def __init__(self, inputs: int, classes: int):
        super().__init__()
        self.pointwise = pointwise(inputs, HEAD_WIDTH)
        self.atrous = nn.ModuleList(
            SeparableAtrous(inputs, HEAD_WIDTH, rate) for rate in ATROUS_RATES
        )
        self.pooling = pointwise(inputs, HEAD_WIDTH)
        self.project = pointwise(HEAD_WIDTH * (2 + len(ATROUS_RATES)), HEAD_WIDTH)
        self.classifier = pointwise(HEAD_WIDTH, classes)

    def forward(self, features: Tensor) -> Tensor:
        pooled = F.relu6(self.pooling(features.mean(dim=(2, 3), keepdim=True)))
        branches = [
            F.relu6(self.pointwise(features)),
            *(branch(features) for branch in self.atrous),
            pooled.expand(-1, -1, features.shape[2], features.shape[3]),
        ]
        logits: Tensor = self.classifier(F.relu6(self.project(torch.cat(branches, dim=1))))
        return logits


class DeepLabV3EfficientNetLite(nn.Module):
    """Normalised RGB (N, 3, H, W) float32 -> logits (N, classes, ceil(H / 16), ceil(W / 16)).

    On the grid of sides 16 k + 1 the first and the last logit of a row lie on its first and last
    pixel, so there logits are upsampled with aligned corners.
    """

    def __init__(self, architecture: str, classes: int):
        super().__init__()
        stages = STAGES[architecture.removeprefix("deeplabv3_")]
        self.backbone = EfficientNetLite(stages)
        self.head = AtrousPyramidHead(stages[-1].width, classes)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(image))
        return logits
