"""The first convolutional network of the lectures: convolutions only, halving with their stride.

Lecture C4W1, a simple convolutional network (row C4W1-convnet of the course).

    layer                  output          parameters    multiply-adds
    image                  39 x 39 x 3
    conv 3x3               37 x 37 x 10           280          369,630
    conv 5x5, stride 2     17 x 17 x 20         5,020        1,445,000
    conv 5x5, stride 2      7 x 7 x 40         20,040          980,000
    fully connected                 1           1,961            1,960
                                               27,301        2,796,590
"""

from ..layers import Conv2d, Flatten, Linear, ReLU, Sequential
from ..module import Module
from .catalog import Entry


class ConvNet39(Module):
    """Logits `(m, num_classes)` of images `(m, 39, 39, in_channels)`: a single one, cat or not, for
    `BCEWithLogitsLoss`, or one a class for `CrossEntropyLoss`."""

    def __init__(self, num_classes: int = 1, in_channels: int = 3):
        super().__init__()
        self.features = Sequential(
            Conv2d(in_channels, 10, 3),  # (m, 37, 37, 10)
            ReLU(),
            Conv2d(10, 20, 5, stride=2),  # (m, 17, 17, 20)
            ReLU(),
            Conv2d(20, 40, 5, stride=2),  # (m, 7, 7, 40)
            ReLU(),
        )
        self.classifier = Sequential(
            Flatten(),  # (m, 1960)
            Linear(1960, num_classes, spatial=(7, 7, 40)),
        )

    def forward(self, images):
        return self.classifier(self.features(images))


def convnet39(num_classes: int = 1, in_channels: int = 3) -> ConvNet39:
    """The network of the table. COURSE.md C4W1-convnet."""
    return ConvNet39(num_classes, in_channels)


ENTRIES = (
    Entry(
        "convnet39",
        convnet39,
        (39, 39, 3),
        27_301,
        2_796_590,
        "C4W1-convnet",
        "the course's slides",
    ),
)
