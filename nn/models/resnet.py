"""Residual networks, and the plain networks that they are compared with.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", 2015; lecture C4W2, ResNets. A block
computes a[l+2] = g(z[l+2] + a[l]), so where its weights are 0 it is the identity, and depth does no harm.

    stage    output    18           34           50                101                152
    conv1    112x112   7x7, 64, stride 2, in all
    layer1    56x56    max pool 3x3, stride 2, then
                       [3x3,  64]x2          x3  [1x1,  64]
                       [3x3,  64]                [3x3,  64]x3            x3           x3
                                                 [1x1, 256]
    layer2    28x28    2 of 128              x4  4 of 128, 512           x4           x8
    layer3    14x14    2 of 256              x6  6 of 256, 1024         x23          x36
    layer4     7x7     2 of 512              x3  3 of 512, 2048          x3           x3
    fc        1x1      mean over the places, then 1000

    network       parameters    multiply-adds at 224x224
    resnet18      11,689,512     1,814,073,344
    resnet34      21,797,672     3,663,761,408
    resnet50      25,557,032     4,089,184,256    3,857,973,248 as in the paper, with the stride in the 1x1
    resnet101     44,549,160     7,801,405,440
    resnet152     60,192,808    11,513,626,624
    plain18       11,515,688     1,794,805,760    no shortcuts
    plain34       21,623,848     3,644,493,824

For CIFAR (section 4.2) three stages of n blocks each, of 16, 32 and 64 channels at 32x32, 16x16 and 8x8:
6n + 2 layers, 0.27M parameters for 20, 0.46M for 32, 0.66M for 44, 0.85M for 56, 1.7M for 110.
"""

from autograd.ops.activation import relu
from autograd.ops.padding import pad

from .. import init
from ..layers import BatchNorm2d, Conv2d, GlobalAvgPool, Identity, Linear, MaxPool2d, Sequential
from ..module import Module
from .catalog import Entry


class PaddedShortcut(Module):
    """Option A of the paper: every second place, and zeros for the channels that are new. (m, n_H, n_W,
    n_C_prev) to (m, ceil(n_H / stride), ceil(n_W / stride), n_C). It has no parameters."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.extra, self.stride = out_channels - in_channels, stride

    def forward(self, x):
        return pad(x[:, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))

    def extra_repr(self):
        return f"extra={self.extra}, stride={self.stride}"


def _shortcut(kind: str | None, in_channels: int, out_channels: int, stride: int) -> Module | None:
    """What brings a block's input to its output's shape; None where it has that shape."""
    if kind is None or (stride == 1 and in_channels == out_channels):
        return None
    if kind == "padding":
        return PaddedShortcut(in_channels, out_channels, stride)
    project = Conv2d(in_channels, out_channels, 1, stride, bias=False)  # W_s of the lecture
    return Sequential(project, BatchNorm2d(out_channels))


class BasicBlock(Module):
    """Two 3x3 convolutions of `width` channels, the first with the stride, and the shortcut."""

    expansion = 1
    downsample: Module | None

    def __init__(self, in_channels, width, stride, shortcut="projection", stride_in_1x1=False):
        super().__init__()
        self.residual = shortcut is not None
        self.conv1 = Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.downsample = _shortcut(shortcut, in_channels, width, stride)

    def forward(self, x):
        y = self.bn1(self.conv1(x), relu=True)  # (m, n_H / stride, n_W / stride, width)
        return _joined(self, x, self.bn2, self.conv2(y))


class Bottleneck(Module):
    """1x1 to `width` channels, 3x3, 1x1 to 4 `width` channels, and the shortcut. The stride is in the 3x3, as
    torchvision has it (ResNet v1.5), or in the first 1x1, as the paper has it."""

    expansion = 4
    downsample: Module | None

    def __init__(self, in_channels, width, stride, shortcut="projection", stride_in_1x1=False):
        super().__init__()
        first, second = (stride, 1) if stride_in_1x1 else (1, stride)
        self.residual = shortcut is not None
        self.conv1 = Conv2d(in_channels, width, 1, first, bias=False)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, second, padding=1, bias=False)
        self.bn2 = BatchNorm2d(width)
        self.conv3 = Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = BatchNorm2d(4 * width)
        self.downsample = _shortcut(shortcut, in_channels, 4 * width, stride)

    def forward(self, x):
        y = self.bn1(self.conv1(x), relu=True)
        y = self.bn2(self.conv2(y), relu=True)
        return _joined(self, x, self.bn3, self.conv3(y))


def _joined(block, x, norm, z):
    """g(z + a): the block's last normalisation, the shortcut and the activation."""
    if not block.residual:
        return norm(z, relu=True)
    z = norm(z)  # what it was before, and the sum's terms, are not kept until the block is done
    z = z + (x if block.downsample is None else block.downsample(x))
    return relu(z)


class ResNet(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)`.

    ResNet(block, layers, num_classes=1000, in_channels=3, small=False, width=64, shortcut="projection",
    stride_in_1x1=False): `block` is BasicBlock or Bottleneck, `layers` the blocks of each stage, `width` the
    channels of the first stage, which double from stage to stage while the places halve. `small` is for
    images of about 32x32: a stem of 3x3 with stride 1 and no pooling. `shortcut` where the shape changes is a
    "projection" (option B) or "padding" (option A); None makes a plain network. `stride_in_1x1` puts a
    bottleneck's stride where the paper has it. Raises ValueError for another shortcut."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        layers: tuple[int, ...],
        num_classes: int = 1000,
        in_channels: int = 3,
        small: bool = False,
        width: int = 64,
        shortcut: str | None = "projection",
        stride_in_1x1: bool = False,
    ):
        super().__init__()
        if shortcut not in ("projection", "padding", None):
            raise ValueError(f'ResNet: shortcut is "projection", "padding" or None, got {shortcut!r}')
        stem = dict(kernel_size=3, padding=1) if small else dict(kernel_size=7, stride=2, padding=3)
        self.conv1 = Conv2d(in_channels, width, bias=False, **stem)
        self.bn1 = BatchNorm2d(width)
        self.maxpool = Identity() if small else MaxPool2d(3, 2, padding=1)
        self.stages = tuple(f"layer{k}" for k in range(1, len(layers) + 1))
        depth = width
        for k, (stage, count) in enumerate(zip(self.stages, layers)):
            blocks = Sequential()
            for b in range(count):
                stride = 2 if k and not b else 1
                blocks.append(block(depth, width << k, stride, shortcut, stride_in_1x1))
                depth = block.expansion * (width << k)
            setattr(self, stage, blocks)
        self.avgpool = GlobalAvgPool()
        self.fc = Linear(depth, num_classes)
        for module in self.modules():
            if isinstance(module, Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images):
        x = self.maxpool(self.bn1(self.conv1(images), relu=True))  # (m, n_H / 4, n_W / 4, width)
        for stage in self.stages:
            x = getattr(self, stage)(x)
        return self.fc(self.avgpool(x))


def resnet18(**options) -> ResNet:
    """11,689,512 parameters. `options` are those of `ResNet`, here and below."""
    return ResNet(BasicBlock, (2, 2, 2, 2), **options)


def resnet34(**options) -> ResNet:
    """21,797,672 parameters."""
    return ResNet(BasicBlock, (3, 4, 6, 3), **options)


def resnet50(**options) -> ResNet:
    """25,557,032 parameters; `stride_in_1x1=True` as in the paper."""
    return ResNet(Bottleneck, (3, 4, 6, 3), **options)


def resnet101(**options) -> ResNet:
    """44,549,160 parameters."""
    return ResNet(Bottleneck, (3, 4, 23, 3), **options)


def resnet152(**options) -> ResNet:
    """60,192,808 parameters."""
    return ResNet(Bottleneck, (3, 8, 36, 3), **options)


def plain18(**options) -> ResNet:
    """ResNet-18 without its shortcuts."""
    return ResNet(BasicBlock, (2, 2, 2, 2), shortcut=None, **options)


def plain34(**options) -> ResNet:
    """ResNet-34 without its shortcuts."""
    return ResNet(BasicBlock, (3, 4, 6, 3), shortcut=None, **options)


def _cifar(depth, options) -> ResNet:
    """6n + 2 layers: the stem, three stages of n blocks, the head."""
    blocks = (depth - 2) // 6
    usual = dict(num_classes=10, small=True, width=16, shortcut="padding")
    return ResNet(BasicBlock, (blocks,) * 3, **(usual | options))


def resnet20(**options) -> ResNet:
    """For 32x32 images: 269,722 parameters with option A, the paper's; 272,474 with
    `shortcut="projection"`."""
    return _cifar(20, options)


def resnet32(**options) -> ResNet:
    """For 32x32 images: 464,154 parameters."""
    return _cifar(32, options)


def resnet44(**options) -> ResNet:
    """For 32x32 images: 658,586 parameters."""
    return _cifar(44, options)


def resnet56(**options) -> ResNet:
    """For 32x32 images: 853,018 parameters."""
    return _cifar(56, options)


def resnet110(**options) -> ResNet:
    """For 32x32 images: 1,727,962 parameters."""
    return _cifar(110, options)


def plain20(**options) -> ResNet:
    """ResNet-20 without its shortcuts."""
    return _cifar(20, {"shortcut": None, **options})


def plain56(**options) -> ResNet:
    """ResNet-56 without its shortcuts: in the paper it trains worse than plain-20."""
    return _cifar(56, {"shortcut": None, **options})


def _entry(build, side, parameters, multiply_adds):
    return Entry(
        build.__name__, build, (side, side, 3), parameters, multiply_adds, "C4W2-resnet", "He et al. 2015"
    )


ENTRIES = (
    _entry(resnet18, 224, 11_689_512, 1_814_073_344),
    _entry(resnet34, 224, 21_797_672, 3_663_761_408),
    _entry(resnet50, 224, 25_557_032, 4_089_184_256),
    _entry(resnet101, 224, 44_549_160, 7_801_405_440),
    _entry(resnet152, 224, 60_192_808, 11_513_626_624),
    _entry(plain18, 224, 11_515_688, 1_794_805_760),
    _entry(plain34, 224, 21_623_848, 3_644_493_824),
    _entry(resnet20, 32, 269_722, 40_551_040),
    _entry(resnet32, 32, 464_154, 68_862_592),
    _entry(resnet44, 32, 658_586, 97_174_144),
    _entry(resnet56, 32, 853_018, 125_485_696),
    _entry(resnet110, 32, 1_727_962, 252_887_680),
    _entry(plain20, 32, 269_722, 40_551_040),
    _entry(plain56, 32, 853_018, 125_485_696),
)
