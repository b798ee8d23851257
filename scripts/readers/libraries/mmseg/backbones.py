"""The backbones of mmsegmentation's DeepLabs: ResNet and MobileNetV2, by its parameters' names."""

from torch import Tensor, nn
from torch.nn import functional as F

from scripts.readers.libraries.mmseg.design import Design

BOTTLENECK_EXPANSION = 4
BLOCK_WIDTHS = (64, 128, 256, 512)
# Of MobileNetV2: expansion, width and blocks of each layer.
INVERTED = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))


class ConvModule(nn.Module):
    """A convolution without bias, batch normalisation, and an activation if it has one."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        activation: nn.Module | None = None,
    ):
        super().__init__()
        padding = dilation * (kernel // 2)
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, padding, dilation, groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outputs)
        self.activate = activation or nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = self.activate(self.bn(self.conv(features)))
        return result


class ResidualBlock(nn.Module):
    """A residual block of two 3 x 3 convolutions, or of three with one in the middle."""

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        dilation: int,
        *,
        bottleneck: bool,
        project: bool,
    ):
        super().__init__()
        outputs = width * BOTTLENECK_EXPANSION if bottleneck else width
        strided = {"stride": stride, "padding": dilation, "dilation": dilation, "bias": False}
        if bottleneck:
            self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
            self.conv2 = nn.Conv2d(width, width, 3, **strided)  # type: ignore[arg-type]  # by name
            self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(outputs)
        else:
            self.conv1 = nn.Conv2d(inputs, width, 3, **strided)  # type: ignore[arg-type]  # by name
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.bottleneck = bottleneck
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
            if project
            else nn.Identity()
        )

    def forward(self, features: Tensor) -> Tensor:
        hidden = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(features)))))
        if self.bottleneck:
            hidden = self.bn3(self.conv3(F.relu(hidden)))
        return F.relu(hidden + self.downsample(features))


class ResNet(nn.Module):
    """The residual backbone: image -> the features of its first and last layers."""

    def __init__(self, design: Design):
        super().__init__()
        self.deep_stem = design.deep_stem
        width = design.stem_width
        if design.deep_stem:
            self.stem = _deep_stem(width)
        else:
            self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
        for number in range(len(design.blocks)):
            layer, width = _residual_layer(design, number, width)
            self.add_module(f"layer{number + 1}", layer)
        self.layers = len(design.blocks)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        start = self.stem(image) if self.deep_stem else F.relu(self.bn1(self.conv1(image)))
        fine = coarse = self.get_submodule("layer1")(F.max_pool2d(start, 3, 2, 1))
        for number in range(2, self.layers + 1):
            coarse = self.get_submodule(f"layer{number}")(coarse)
        return fine, coarse


def _deep_stem(width: int) -> nn.Sequential:
    half = width // 2
    widths = ((3, half, 2), (half, half, 1), (half, width, 1))
    modules: list[nn.Module] = []
    for inputs, outputs, stride in widths:
        modules += [
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*modules)


def _residual_layer(design: Design, number: int, inputs: int) -> tuple[nn.Sequential, int]:
    """(a layer, its width); number is from 0, inputs the width of the layer before."""
    width, stride, dilation = (
        BLOCK_WIDTHS[number],
        design.strides[number],
        design.dilations[number],
    )
    outputs = width * BOTTLENECK_EXPANSION if design.bottleneck else width
    first = dilation // 2 if design.contract and dilation > 1 else dilation
    blocks = []
    for index in range(design.blocks[number]):
        is_first = index == 0
        blocks.append(
            ResidualBlock(
                inputs if is_first else outputs,
                width,
                stride if is_first else 1,
                first if is_first else dilation,
                bottleneck=design.bottleneck,
                project=is_first and (stride != 1 or inputs != outputs),
            )
        )
    return nn.Sequential(*blocks), outputs


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, depthwise, project, and a skip where shapes agree."""

    def __init__(self, inputs: int, outputs: int, stride: int, dilation: int, expansion: int):
        super().__init__()
        width = inputs * expansion
        modules = [ConvModule(inputs, width, 1, activation=nn.ReLU6())] if expansion > 1 else []
        depthwise = ConvModule(
            width,
            width,
            3,
            stride=stride,
            dilation=dilation,
            groups=width,
            activation=nn.ReLU6(),
        )
        self.conv = nn.Sequential(*modules, depthwise, ConvModule(width, outputs, 1))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, features: Tensor) -> Tensor:
        hidden: Tensor = self.conv(features)
        return features + hidden if self.residual else hidden


class MobileNetV2(nn.Module):
    """The mobile backbone: image -> the features of its second and last layers."""

    def __init__(self, design: Design):
        super().__init__()
        inputs = 32
        self.conv1 = ConvModule(3, inputs, 3, stride=2, activation=nn.ReLU6())
        for number, (expansion, outputs, blocks) in enumerate(INVERTED):
            stride, dilation = design.strides[number], design.dilations[number]
            layer = [InvertedResidual(inputs, outputs, stride, dilation, expansion)]
            layer += [
                InvertedResidual(outputs, outputs, 1, 1, expansion) for _ in range(blocks - 1)
            ]
            self.add_module(f"layer{number + 1}", nn.Sequential(*layer))
            inputs = outputs

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        fine = coarse = self.conv1(image)
        for number in range(1, len(INVERTED) + 1):
            coarse = self.get_submodule(f"layer{number}")(coarse)
            fine = coarse if number == 2 else fine
        return fine, coarse
