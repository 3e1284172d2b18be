"""One object and where it is; points of a face or a body: a classifier whose last layer tells more numbers.

Lecture C4W3, object localization and landmark detection. The network is ResNet-18 (`resnet.py`), whose
1,000 logits become

    network       outputs                                              parameters
    localizer     8:   p_c, b_x, b_y, b_h, b_w and 3 classes           11,180,616
    landmarks     129: a face or none, and 64 points (x, y)            11,242,689
    pose          65:  a person or none, and 32 points                 11,209,857

All are plain numbers, learned by squares as in the lecture: `LocalizationLoss`, which asks for nothing but
the first where there is no object.
"""

from .catalog import Entry
from .resnet import ResNet, resnet18


def localizer(num_classes: int = 3, **options) -> ResNet:
    """Vectors [p_c, b_x, b_y, b_h, b_w, c_1, ...] (m, 5 + num_classes) of images: whether there is an object,
    its midpoint and size in shares of the image, and its class. `options` are those of `ResNet`, here and
    below. COURSE.md C4W3-localize."""
    return resnet18(num_classes=5 + num_classes, **options)


def landmarks(points: int = 64, **options) -> ResNet:
    """Vectors [face, l_1x, l_1y, ...] (m, 1 + 2 points) of images. COURSE.md C4W3-landmark."""
    return resnet18(num_classes=1 + 2 * points, **options)


def pose(points: int = 32, **options) -> ResNet:
    """`landmarks` of a body: 32 points, from the chest to the feet."""
    return landmarks(points, **options)


def _entry(build, parameters, multiply_adds, course):
    return Entry(
        build.__name__, build, (224, 224, 3), parameters, multiply_adds, course, "lecture; He et al. 2015"
    )


_WITHOUT_HEAD, _MULTIPLY_ADDS = 11_689_512 - 513_000, 1_814_073_344 - 512_000

ENTRIES = tuple(
    _entry(build, _WITHOUT_HEAD + 513 * outputs, _MULTIPLY_ADDS + 512 * outputs, course)
    for build, outputs, course in (
        (localizer, 8, "C4W3-localize"),
        (landmarks, 129, "C4W3-landmark"),
        (pose, 65, "C4W3-landmark"),
    )
)
