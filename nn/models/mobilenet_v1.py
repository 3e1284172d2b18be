"""MobileNet v1: depthwise separable convolutions, a 3x3 of each channel alone and then a 1x1.

Howard, Zhu, Chen et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
Applications", 2017; lecture C4W2, MobileNet. A separable convolution costs 1/n_C' + 1/f^2 of a usual one.

    layer                         output           parameters
    conv 3x3, stride 2            112 x 112 x 32          928
    separable                     112 x 112 x 64        2,528
    separable, stride 2            56 x  56 x 128       9,152
    separable                      56 x  56 x 128      18,176
    separable, stride 2            28 x  28 x 256      34,688
    separable                      28 x  28 x 256      68,864
    separable, stride 2            14 x  14 x 512     134,912
    separable, 5 times             14 x  14 x 512   1,339,904
    separable, stride 2             7 x   7 x 1024    531,968
    separable                       7 x   7 x 1024  1,061,888
    mean over the places, fc              1000      1,025,000
                                                    4,231,976 (with batch norm's, as trained)

    width     parameters    multiply-adds at 224x224
    1.0       4,231,976     568,740,352
    0.75        2.6 M         325 M
    0.5         1.3 M         149 M
    0.25        0.5 M          41 M
"""

from .. import init
from ..layers import BatchNorm2d, Conv2d, Dropout, GlobalAvgPool, Linear, ReLU, Sequential
from ..module import Module
from .catalog import Entry

# channels and stride of the 13 separable convolutions
LAYERS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    groups: int = 1,
    activation: type[Module] | None = ReLU,
    eps: float = 1e-5,
    momentum: float = 0.1,
) -> Sequential:
    """Convolution that keeps the places but for the stride, without biases; batch normalisation; and the
    activation, if one is given. (m, n_H, n_W, in_channels) to (m, ceil(n_H / stride), ceil(n_W / stride),
    out_channels)."""
    padding = kernel_size // 2
    layers = Sequential(
        Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False),
        BatchNorm2d(out_channels, eps, momentum),
    )
    return layers if activation is None else layers.append(activation())


def separable(in_channels: int, out_channels: int, stride: int = 1) -> Sequential:
    """A 3x3 of each channel alone (depthwise), then a 1x1 (pointwise), each with batch normalisation and
    ReLU. COURSE.md C4W2-dwsep."""
    return Sequential(
        conv_norm(in_channels, in_channels, 3, stride, groups=in_channels),
        conv_norm(in_channels, out_channels, 1),
    )


class MobileNetV1(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)`.

    MobileNetV1(num_classes=1000, in_channels=3, small=False, width=1.0, dropout=0.001): `width` is the
    paper's alpha, which scales all numbers of channels; its rho is the size of the images. `small` is for
    images of about 32x32: the first two strides are 1."""

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        small: bool = False,
        width: float = 1.0,
        dropout: float = 0.001,
    ):
        super().__init__()
        depth = max(1, int(32 * width))
        self.features = Sequential(conv_norm(in_channels, depth, stride=1 if small else 2))
        for k, (channels, stride) in enumerate(LAYERS):
            channels = max(1, int(channels * width))
            self.features.append(separable(depth, channels, 1 if small and k < 2 else stride))
            depth = channels
        self.avgpool = GlobalAvgPool()
        self.classifier = Sequential(Dropout(dropout), Linear(depth, num_classes))
        start_weights(self)

    def forward(self, images):
        return self.classifier(self.avgpool(self.features(images)))


def start_weights(model: Module) -> None:
    """Draws the weights as torchvision's mobile networks do: convolutions from N(0, 2 / fan_out), fully
    connected layers from N(0, 0.01^2), biases 0."""
    for module in model.modules():
        if isinstance(module, Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, Linear):
            init.normal_(module.weight, std=0.01)
        bias = getattr(module, "bias", None)
        if bias is not None:
            init.zeros_(bias)


def mobilenet_v1(**options) -> MobileNetV1:
    """4,231,976 parameters at width 1. `options` are those of `MobileNetV1`."""
    return MobileNetV1(**options)


ENTRIES = (
    Entry(
        "mobilenet_v1",
        mobilenet_v1,
        (224, 224, 3),
        4_231_976,
        568_740_352,
        "C4W2-mobilenet1",
        "Howard et al. 2017",
    ),
)
