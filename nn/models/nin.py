"""Network in network: each convolution is followed by 1x1 convolutions, a small network at every place, and
the mean over the places takes the place of fully connected layers.

Lin, Chen, Yan, "Network in Network", 2013; lecture C4W2, 1x1 convolutions. The numbers of channels are those
of the authors' two networks for Caffe.

    CIFAR-10              output        parameters    ImageNet                 output        parameters
    image                 32 x 32 x 3                 image                    227 x 227 x 3
    conv 5x5              32 x 32 x 192     14,592    conv 11x11, stride 4      55 x 55 x 96     34,944
    conv 1x1              32 x 32 x 160     30,880    conv 1x1                  55 x 55 x 96      9,312
    conv 1x1              32 x 32 x 96      15,456    conv 1x1                  55 x 55 x 96      9,312
    max pool 3x3, 2       16 x 16 x 96                max pool 3x3, 2           27 x 27 x 96
    conv 5x5              16 x 16 x 192    460,992    conv 5x5                  27 x 27 x 256   614,656
    conv 1x1              16 x 16 x 192     37,056    conv 1x1                  27 x 27 x 256    65,792
    conv 1x1              16 x 16 x 192     37,056    conv 1x1                  27 x 27 x 256    65,792
    average pool 3x3, 2    8 x  8 x 192               max pool 3x3, 2           13 x 13 x 256
    conv 3x3               8 x  8 x 192    331,968    conv 3x3                  13 x 13 x 384   885,120
    conv 1x1               8 x  8 x 192     37,056    conv 1x1                  13 x 13 x 384   147,840
    conv 1x1               8 x  8 x 10       1,930    conv 1x1                  13 x 13 x 384   147,840
    mean over the places            10                max pool 3x3, 2            6 x  6 x 384
                                           966,986    conv 3x3                   6 x  6 x 1024 3,539,968
                                                      conv 1x1                   6 x  6 x 1024 1,049,600
                                                      conv 1x1                   6 x  6 x 1000 1,025,000
                                                      mean over the places             1000
                                                                                              7,595,176
    multiply-adds         222,486,528                                          1,105,996,320
"""

from collections.abc import Sequence

from .. import init
from ..layers import AvgPool2d, Conv2d, Dropout, GlobalAvgPool, MaxPool2d, ReLU, Sequential
from ..module import Module
from .catalog import Entry


def mlpconv(in_channels: int, channels: Sequence[int], kernel_size: int, stride=1, padding=0) -> Sequential:
    """A convolution and two 1x1 convolutions, each with ReLU: (m, n_H, n_W, in_channels) to (m, n_H', n_W',
    channels[-1])."""
    first, second, third = channels
    return Sequential(
        Conv2d(in_channels, first, kernel_size, stride, padding),
        ReLU(),
        Conv2d(first, second, 1),
        ReLU(),
        Conv2d(second, third, 1),
        ReLU(),
    )


class NiN(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)`: `features` is a row of `mlpconv`,
    pools and dropout that ends with `num_classes` channels, whose means are the logits. The last ReLU of the
    authors' networks is left out: a class that is negative at all places would never be learned."""

    def __init__(self, features: Sequential):
        super().__init__()
        *first, last = features
        self.features = Sequential(*first, last[:-1])
        self.avgpool = GlobalAvgPool()
        for layer in self.modules():
            if isinstance(layer, Conv2d) and layer.bias is not None:
                init.kaiming_normal_(layer.weight, nonlinearity="relu")
                init.zeros_(layer.bias)
        init.normal_(last[4].weight, std=0.01)  # small logits: no class is ruled out at the start

    def forward(self, images):
        return self.avgpool(self.features(images))


def nin_cifar10(num_classes: int = 10, in_channels: int = 3, width: float = 1.0, dropout: float = 0.5) -> NiN:
    """For 32x32 images: 966,986 parameters. `width` scales the numbers of channels."""
    c1, c2, c3 = (max(1, round(c * width)) for c in (192, 160, 96))
    return NiN(
        Sequential(
            mlpconv(in_channels, (c1, c2, c3), 5, padding=2),  # (m, 32, 32, 96)
            MaxPool2d(3, 2, ceil_mode=True),  # (m, 16, 16, 96)
            Dropout(dropout),
            mlpconv(c3, (c1, c1, c1), 5, padding=2),  # (m, 16, 16, 192)
            AvgPool2d(3, 2, ceil_mode=True),  # (m, 8, 8, 192)
            Dropout(dropout),
            mlpconv(c1, (c1, c1, num_classes), 3, padding=1),  # (m, 8, 8, num_classes)
        )
    )


def nin_imagenet(
    num_classes: int = 1000, in_channels: int = 3, width: float = 1.0, dropout: float = 0.5
) -> NiN:
    """For 227x227 images: 7,595,176 parameters. `width` scales the numbers of channels."""
    c1, c2, c3, c4 = (max(1, round(c * width)) for c in (96, 256, 384, 1024))
    return NiN(
        Sequential(
            mlpconv(in_channels, (c1, c1, c1), 11, stride=4),  # (m, 55, 55, 96)
            MaxPool2d(3, 2, ceil_mode=True),  # (m, 27, 27, 96)
            mlpconv(c1, (c2, c2, c2), 5, padding=2),  # (m, 27, 27, 256)
            MaxPool2d(3, 2, ceil_mode=True),  # (m, 13, 13, 256)
            mlpconv(c2, (c3, c3, c3), 3, padding=1),  # (m, 13, 13, 384)
            MaxPool2d(3, 2, ceil_mode=True),  # (m, 6, 6, 384)
            Dropout(dropout),
            mlpconv(c3, (c4, c4, num_classes), 3, padding=1),  # (m, 6, 6, num_classes)
        )
    )


def _entry(build, side, parameters, multiply_adds):
    shape = (side, side, 3)
    return Entry(build.__name__, build, shape, parameters, multiply_adds, "C4W2-1x1", "Lin et al. 2013")


ENTRIES = (
    _entry(nin_cifar10, 32, 966_986, 222_486_528),
    _entry(nin_imagenet, 227, 7_595_176, 1_105_996_320),
)
