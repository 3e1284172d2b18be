"""LeNet-5 as it is built today: ReLU, max pooling, a softmax head.

LeCun, Bottou, Bengio, Haffner, "Gradient-Based Learning Applied to Document Recognition", 1998; lecture
C4W2, classic networks (row C4W2-lenet5). The paper's own, with trained pooling, a sparse second layer and
60,000 parameters, is in `lenet1998.py`.

    layer               output          parameters    multiply-adds
    image               28 x 28 x 1
    conv 5x5, pad 2     28 x 28 x 6            156          117,600
    max pool 2x2        14 x 14 x 6
    conv 5x5            10 x 10 x 16         2,416          240,000
    max pool 2x2         5 x 5 x 16
    fully connected             120         48,120           48,000
    fully connected              84         10,164           10,080
    fully connected              10            850              840
                                            61,706          416,520

Lecture C4W1 has one "inspired by LeNet-5", of colour images and with 8 filters first (row C4W1-lenet):

    image               32 x 32 x 3
    conv 5x5            28 x 28 x 8            608          470,400
    max pool 2x2        14 x 14 x 8
    conv 5x5            10 x 10 x 16         3,216          320,000
    max pool 2x2         5 x 5 x 16
    fully connected             120         48,120           48,000
    fully connected              84         10,164           10,080
    fully connected              10            850              840
                                            62,958          849,320
"""

from ..layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential
from ..module import Module
from .catalog import Entry


class LeNet5(Module):
    """Logits `(m, num_classes)` of images `(m, 28, 28, in_channels)`, or of `(m, 32, 32, in_channels)` with
    `padding=0`: the paper's input is the same 28x28 with two empty pixels around it. `filters` are those of
    the first convolution."""

    def __init__(self, num_classes: int = 10, in_channels: int = 1, padding: int = 2, filters: int = 6):
        super().__init__()
        self.features = Sequential(
            Conv2d(in_channels, filters, 5, padding=padding),  # (m, 28, 28, 6)
            ReLU(),
            MaxPool2d(2),  # (m, 14, 14, 6)
            Conv2d(filters, 16, 5),  # (m, 10, 10, 16)
            ReLU(),
            MaxPool2d(2),  # (m, 5, 5, 16)
        )
        self.classifier = Sequential(
            Flatten(),  # (m, 400)
            Linear(400, 120, spatial=(5, 5, 16)),
            ReLU(),
            Linear(120, 84),
            ReLU(),
            Linear(84, num_classes),
        )

    def forward(self, images):
        return self.classifier(self.features(images))


def lenet_like(num_classes: int = 10, in_channels: int = 3) -> LeNet5:
    """The lecture's table for colour images of 32x32. COURSE.md C4W1-lenet."""
    return LeNet5(num_classes, in_channels, padding=0, filters=8)


ENTRIES = (
    Entry("lenet", LeNet5, (28, 28, 1), 61_706, 416_520, "C4W2-lenet5", "LeCun et al. 1998"),
    Entry(
        "lenet_like",
        lenet_like,
        (32, 32, 3),
        62_958,
        849_320,
        "C4W1-lenet",
        "the course's slides",
    ),
)
