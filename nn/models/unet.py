"""U-Net: a class for each pixel.

Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
arXiv:1505.04597, 2015, figure 1; lecture C4W3, U-Net architecture. On the way down places halve and channels
double; on the way up transposed convolutions double the places, and what was there on the way down is put
beside them.

    unet_2015 (no padding)                       unet (padding keeps the size; the course's exercise)
    572 x 572 x 1    two 3x3,   64 -> 568        96 x 128 x 3    two 3x3,  32
    284              two 3x3,  128 -> 280        48 x  64        two 3x3,  64
    140              two 3x3,  256 -> 136        24 x  32        two 3x3, 128
     68              two 3x3,  512 ->  64        12 x  16        two 3x3, 256
     32              two 3x3, 1024 ->  28         6 x   8        two 3x3, 512
     56, crop        two 3x3,  512 ->  52        12 x  16        two 3x3, 256
    104, crop        two 3x3,  256 -> 100        24 x  32        two 3x3, 128
    200, crop        two 3x3,  128 -> 196        48 x  64        two 3x3,  64
    392, crop        two 3x3,   64 -> 388        96 x 128        three 3x3, 32
    1x1, 2 classes: 388 x 388 x 2                1x1, 23 classes: 96 x 128 x 23
    up: 2x2, stride 2                            up: 3x3, stride 2
    parameters       31,030,658                  8,640,471
"""

import numpy as np

from .. import init
from ..layers import Conv2d, ConvTranspose2d, Dropout, MaxPool2d, ModuleList, ReLU, Sequential
from ..module import Module
from .catalog import Entry


class UNet(Module):
    """Logits `(m, n_H', n_W', num_classes)`, one for each class and pixel, of images `(m, n_H, n_W,
    in_channels)`; with padding n' = n.

    UNet(num_classes=2, in_channels=1, width=64, depth=4, padding=0, up_size=2, last=2, dropout=0.5): `width`
    is the number of channels at the top, `depth` how often places halve, `padding` that of the 3x3
    convolutions, 0 or 1, `up_size` the size of the transposed convolutions, 2 or 3, `last` the number of
    convolutions before the classes, `dropout` that at the end of the last two levels of the way down. Raises
    ValueError for images that do not halve so often. COURSE.md C4W3-unet."""

    def __init__(
        self,
        num_classes: int = 2,
        in_channels: int = 1,
        width: int = 64,
        depth: int = 4,
        padding: int = 0,
        up_size: int = 2,
        last: int = 2,
        dropout: float = 0.5,
    ):
        super().__init__()
        if up_size not in (2, 3):
            raise ValueError(f"UNet: up_size is 2 or 3, got {up_size}")
        self.depth, self.padding = depth, padding
        channels = [width << level for level in range(depth + 1)]
        self.down = ModuleList()
        for level, (before, filters) in enumerate(zip([in_channels, *channels], channels)):
            block = _convolutions(before, filters, 2, padding)
            if level >= depth - 1:
                block.append(Dropout(dropout))
            self.down.append(block)
        self.pool = MaxPool2d(2)
        self.up, self.joined = ModuleList(), ModuleList()
        beside = dict(padding=1, output_padding=1) if up_size == 3 else {}
        for filters in reversed(channels[:-1]):
            self.up.append(ConvTranspose2d(2 * filters, filters, up_size, stride=2, **beside))
            count = last if filters == width else 2
            self.joined.append(_convolutions(2 * filters, filters, count, padding))
        self.classes = Conv2d(width, num_classes, 1)
        for layer in self.modules():
            if isinstance(layer, Conv2d):
                init.kaiming_normal_(layer.weight, nonlinearity="relu")

    def forward(self, images):
        self._check(*images.shape[1:3])
        x, passed = images, []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            passed.append(x)
        for up, joined, aside in zip(self.up, self.joined, reversed(passed[:-1])):
            x = up(x)  # twice the places, half the channels
            x = joined(np.concatenate((_cropped(aside, x), x), axis=-1))
        return self.classes(x)

    def _check(self, *sides):
        for side in sides:
            if not self._fits(side):
                near = [str(n) for n in range(max(side - 32, 1), side + 33) if self._fits(n)]
                raise ValueError(
                    f"UNet: a side of {side} does not halve {self.depth} times; sides near it that do: "
                    f"{', '.join(near) or 'none'}"
                )

    def _fits(self, side):
        """Every pool needs an even number of places, or the ways down and up do not meet."""
        lost = 4 - 4 * self.padding  # by two convolutions
        for _ in range(self.depth):
            side -= lost
            if side <= 0 or side % 2:
                return False
            side //= 2
        return side > lost


def _convolutions(in_channels, filters, count, padding):
    layers = []
    for k in range(count):
        layers += [Conv2d(filters if k else in_channels, filters, 3, padding=padding), ReLU()]
    return Sequential(*layers)


def _cropped(aside, x):
    """The middle of what comes from the side."""
    if aside.shape[1:3] == x.shape[1:3]:
        return aside
    top, left = ((a - n) // 2 for a, n in zip(aside.shape[1:3], x.shape[1:3]))
    return aside[:, top : top + x.shape[1], left : left + x.shape[2]]


def unet_2015(**options) -> UNet:
    """The paper's, without padding: 31,030,658 parameters. `options` are those of `UNet`."""
    return UNet(**options)


def unet(num_classes: int = 23, **options) -> UNet:
    """A class for each pixel of the image: 8,640,471 parameters with the 23 classes of the course's
    exercise."""
    usual = dict(in_channels=3, width=32, padding=1, up_size=3, last=3, dropout=0.3)
    return UNet(num_classes, **(usual | options))


ENTRIES = (
    Entry(
        "unet_2015",
        unet_2015,
        (572, 572, 1),
        31_030_658,
        150_428_424_448,
        "C4W3-unet",
        "Ronneberger et al. 2015",
    ),
    Entry("unet", unet, (96, 128, 3), 8_640_471, 2_511_077_376, "C4W3-unet", "Ronneberger et al. 2015"),
)
