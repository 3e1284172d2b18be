"""R3D-18: a residual network of short films.

Tran, Wang, Torresani, Ray, LeCun, Paluri, "A Closer Look at Spatiotemporal Convolutions for Action
Recognition", arXiv:1711.11248, 2017; lecture C4W4, 1D and 3D generalizations. ResNet-18 (`resnet.py`) with
filters over time too.

    stem      16 x 56 x 56    3x7x7, 64, stride 1x2x2
    layer1    16 x 56 x 56    [3x3x3,  64; 3x3x3,  64] x2
    layer2     8 x 28 x 28    [3x3x3, 128; 3x3x3, 128] x2
    layer3     4 x 14 x 14    [3x3x3, 256; 3x3x3, 256] x2
    layer4     2 x  7 x  7    [3x3x3, 512; 3x3x3, 512] x2
    fc                        mean over the places, then 400

    parameters 33,371,472; multiply-adds 40,696,553,472 of 16 pictures of 112 x 112
"""

from autograd.ops.activation import relu

from .. import init
from ..layers import BatchNorm3d, Conv3d, GlobalAvgPool, Linear, Sequential
from ..module import Module
from .catalog import Entry


class Block3d(Module):
    """Two 3x3x3 convolutions of `filters` channels, the first with the stride, and the shortcut."""

    downsample: Module | None

    def __init__(self, in_channels, filters, stride):
        super().__init__()
        self.conv1 = _convolution(in_channels, filters, 3, stride)
        self.conv2 = _convolution(filters, filters, 3, 1)
        same = stride == 1 and in_channels == filters
        self.downsample = None if same else _convolution(in_channels, filters, 1, stride)

    def forward(self, x):
        z = self.conv2(relu(self.conv1(x)))
        return relu(z + (x if self.downsample is None else self.downsample(x)))


def _convolution(in_channels, filters, size, stride) -> Sequential:
    conv = Conv3d(in_channels, filters, size, stride, padding=size // 2, bias=False)
    return Sequential(conv, BatchNorm3d(filters))


class VideoResNet(Module):
    """Logits `(m, num_classes)` of films `(m, n_T, n_H, n_W, in_channels)`.

    VideoResNet(layers, num_classes=400, in_channels=3, width=64): `layers` are the blocks of each stage,
    `width` the channels of the first, which double from stage to stage while time and places halve. Names
    are torchvision's."""

    def __init__(
        self, layers: tuple[int, ...], num_classes: int = 400, in_channels: int = 3, width: int = 64
    ):
        super().__init__()
        conv = Conv3d(in_channels, width, (3, 7, 7), (1, 2, 2), padding=(1, 3, 3), bias=False)
        self.stem = Sequential(conv, BatchNorm3d(width))
        self.stages = tuple(f"layer{k}" for k in range(1, len(layers) + 1))
        depth = width
        for k, (stage, count) in enumerate(zip(self.stages, layers)):
            blocks = Sequential()
            for b in range(count):
                blocks.append(Block3d(depth, width << k, 2 if k and not b else 1))
                depth = width << k
            setattr(self, stage, blocks)
        self.avgpool = GlobalAvgPool()
        self.fc = Linear(depth, num_classes)
        for layer in self.modules():
            if isinstance(layer, Conv3d):
                init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        init.normal_(self.fc.weight, std=0.01)

    def forward(self, films):
        x = relu(self.stem(films))  # (m, n_T, n_H / 2, n_W / 2, width)
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(self.avgpool(x))


def r3d_18(**options) -> VideoResNet:
    """33,371,472 parameters. `options` are those of `VideoResNet`."""
    return VideoResNet((2, 2, 2, 2), **options)


ENTRIES = (
    Entry(
        "r3d_18",
        r3d_18,
        (16, 112, 112, 3),
        33_371_472,
        40_696_553_472,
        "C4W4-conv3d",
        "Tran et al. 2017",
    ),
)
