"""AlexNet: as published, on two GPUs; without its groups; and the single column of two years later.

Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", 2012;
Krizhevsky, "One weird trick for parallelizing convolutional neural networks", arXiv:1404.5997, 2014, which
torchvision follows; lecture C4W2, classic networks (row C4W2-alexnet).

    layer                     2012            parameters    ungrouped    2014            parameters
    image                     227 x 227 x 3                              224 x 224 x 3
    conv 11x11, stride 4       55 x  55 x 96      34,944       34,944     55 x  55 x 64      23,296
    normalise, max pool 3x3    27 x  27 x 96                              27 x  27 x 64
    conv 5x5, 2 groups         27 x  27 x 256    307,456      614,656     27 x  27 x 192    307,392
    normalise, max pool 3x3    13 x  13 x 256                             13 x  13 x 192
    conv 3x3                   13 x  13 x 384    885,120      885,120     13 x  13 x 384    663,936
    conv 3x3, 2 groups         13 x  13 x 384    663,936    1,327,488     13 x  13 x 256    884,992
    conv 3x3, 2 groups         13 x  13 x 256    442,624      884,992     13 x  13 x 256    590,080
    max pool 3x3                6 x   6 x 256                              6 x   6 x 256
    fully connected                 4096      37,752,832   37,752,832          4096      37,752,832
    fully connected                 4096      16,781,312   16,781,312          4096      16,781,312
    fully connected                 1000       4,097,000    4,097,000          1000       4,097,000
                                              60,965,224   62,378,344                    61,100,840
    multiply-adds                            724,406,816  1,135,256,096                 714,188,480

Pools have stride 2 and overlap; the convolutions after the first are padded to keep the size. The paper
writes 224 for its input, but 55 places take 227. In 2014 nothing is normalised, no convolution has groups,
the image is padded by 2, and dropout stands before the fully connected layers that it stood behind.
"""

from .. import init
from ..layers import (
    AdaptiveAvgPool2d,
    Conv2d,
    Dropout,
    Flatten,
    Linear,
    LocalResponseNorm,
    MaxPool2d,
    ReLU,
    Sequential,
)
from ..module import Module
from .catalog import Entry


class AlexNet2012(Module):
    """Logits `(m, num_classes)` of images `(m, size, size, in_channels)`.

    AlexNet2012(num_classes=1000, in_channels=3, groups=2, size=227, width=96, hidden=4096, dropout=0.5,
    std=0.01): `groups` is 2 for the two GPUs, 1 for none; `width` the filters of the first convolution, of
    which the others have 8/3 and 4 times as many; `hidden` the width of the fully connected layers. Weights
    start from N(0, std^2), the biases of the second, fourth and fifth convolution and of the hidden fully
    connected layers at 1, the others at 0, as in the paper."""

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        groups: int = 2,
        size: int = 227,
        width: int = 96,
        hidden: int = 4096,
        dropout: float = 0.5,
        std: float = 0.01,
    ):
        super().__init__()
        second, third = width * 8 // 3, width * 4
        places = (size - 11) // 4 + 1  # 55
        for _ in range(3):  # 27, 13, 6
            places = (places - 3) // 2 + 1
        self.features = Sequential(
            Conv2d(in_channels, width, 11, stride=4),  # (m, 55, 55, 96)
            ReLU(),
            LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0),
            MaxPool2d(3, stride=2),  # (m, 27, 27, 96)
            Conv2d(width, second, 5, padding=2, groups=groups),  # (m, 27, 27, 256)
            ReLU(),
            LocalResponseNorm(5, alpha=5 * 1e-4, beta=0.75, k=2.0),
            MaxPool2d(3, stride=2),  # (m, 13, 13, 256)
            Conv2d(second, third, 3, padding=1),  # (m, 13, 13, 384)
            ReLU(),
            Conv2d(third, third, 3, padding=1, groups=groups),
            ReLU(),
            Conv2d(third, second, 3, padding=1, groups=groups),  # (m, 13, 13, 256)
            ReLU(),
            MaxPool2d(3, stride=2),  # (m, 6, 6, 256)
        )
        features = places * places * second
        self.classifier = Sequential(
            Flatten(),  # (m, 9216)
            Linear(features, hidden, spatial=(places, places, second)),
            ReLU(),
            Dropout(dropout),
            Linear(hidden, hidden),
            ReLU(),
            Dropout(dropout),
            Linear(hidden, num_classes),
        )
        ones = ("features.4", "features.10", "features.12", "classifier.1", "classifier.4")
        for path, p in self.named_parameters():
            if p.ndim > 1:
                init.normal_(p, std=std)
            else:
                init.constant_(p, float(path.removesuffix(".bias") in ones))

    def forward(self, images):
        return self.classifier(self.features(images))


class AlexNet(Module):
    """Logits `(m, num_classes)` of images `(m, n_H, n_W, in_channels)` of 63 pixels or more.

    AlexNet(num_classes=1000, in_channels=3, width=64, hidden=4096, dropout=0.5): `width` is the filters of
    the first convolution, of which the others have 3, 6, 4 and 4 times as many. Layers, names and
    initialisation are torchvision's; images other than 224 are brought to 6x6 places by averaging."""

    def __init__(
        self,
        num_classes: int = 1000,
        in_channels: int = 3,
        width: int = 64,
        hidden: int = 4096,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.features = Sequential(
            Conv2d(in_channels, width, 11, stride=4, padding=2),  # (m, 55, 55, 64)
            ReLU(),
            MaxPool2d(3, stride=2),  # (m, 27, 27, 64)
            Conv2d(width, 3 * width, 5, padding=2),  # (m, 27, 27, 192)
            ReLU(),
            MaxPool2d(3, stride=2),  # (m, 13, 13, 192)
            Conv2d(3 * width, 6 * width, 3, padding=1),  # (m, 13, 13, 384)
            ReLU(),
            Conv2d(6 * width, 4 * width, 3, padding=1),  # (m, 13, 13, 256)
            ReLU(),
            Conv2d(4 * width, 4 * width, 3, padding=1),
            ReLU(),
            MaxPool2d(3, stride=2),  # (m, 6, 6, 256)
        )
        self.avgpool = AdaptiveAvgPool2d(6)
        self.classifier = Sequential(
            Dropout(dropout),
            Linear(36 * 4 * width, hidden, spatial=(6, 6, 4 * width)),
            ReLU(),
            Dropout(dropout),
            Linear(hidden, hidden),
            ReLU(),
            Linear(hidden, num_classes),
        )
        self.flatten = Flatten()

    def forward(self, images):
        return self.classifier(self.flatten(self.avgpool(self.features(images))))


def alexnet(num_classes: int = 1000, in_channels: int = 3, **options) -> AlexNet:
    """torchvision's, of the 2014 paper; `options` are those of `AlexNet`. COURSE.md C4W2-alexnet."""
    return AlexNet(num_classes, in_channels, **options)


def alexnet_2012(num_classes: int = 1000, in_channels: int = 3, **options) -> AlexNet2012:
    """The published network; `options` are those of `AlexNet2012`. COURSE.md C4W2-alexnet."""
    return AlexNet2012(num_classes, in_channels, **options)


def alexnet_ungrouped(num_classes: int = 1000, in_channels: int = 3, **options) -> AlexNet2012:
    """The published network on one GPU: each filter sees every channel."""
    return AlexNet2012(num_classes, in_channels, groups=1, **options)


_COURSE, _PAPER = "C4W2-alexnet", "Krizhevsky et al. 2012"
ENTRIES = (
    Entry("alexnet", alexnet, (224, 224, 3), 61_100_840, 714_188_480, _COURSE, "Krizhevsky 2014"),
    Entry("alexnet_2012", alexnet_2012, (227, 227, 3), 60_965_224, 724_406_816, _COURSE, _PAPER),
    Entry("alexnet_ungrouped", alexnet_ungrouped, (227, 227, 3), 62_378_344, 1_135_256_096, _COURSE, _PAPER),
)
