"""YOLO v2: anchors on a finer grid, and details of an earlier layer beside the last one.

Redmon and Farhadi, "YOLO9000: Better, Faster, Stronger", arXiv:1612.08242, 2016, section 2, and the authors'
yolov2.cfg; lecture C4W3, YOLO algorithm.

    image            416 x 416             608 x 608 (the lecture's)
    Darknet-19, without its classifier; its places before the last pool go by the side:
                      26 x 26 x 512         38 x 38 x 512
    3x3 1024, twice   13 x 13 x 1024        19 x 19 x 1024
    by the side: 1x1 64, and 2x2 places reorganised as channels
                      13 x 13 x 256         19 x 19 x 256
    both (route), 3x3 1024
                      13 x 13 x 1024        19 x 19 x 1024
    1x1               13 x 13 x 425         19 x 19 x 425 = 5 anchors x (5 + 80 classes)

    parameters 50,962,889; multiply-adds 31,469,126,656 at 608, the authors' "62.94 Bn" operations
"""

from collections.abc import Sequence

import numpy as np

from autograd.ops.activation import sigmoid
from autograd.ops.softmax import log_softmax, softmax
from autograd.tensor import unwrap

from ..layers import Conv2d, MaxPool2d, PixelUnshuffle, Sequential
from ..losses.reduction import check_predictions
from ..module import Module
from ..vision import corners, iou
from .catalog import Entry
from .darknet import LAST, STAGES, convolutions, scaled, stage

# Widths and heights in cells, from the sizes of the objects in COCO.
ANCHORS = (
    (0.57273, 0.677385),
    (1.87446, 2.06253),
    (3.33843, 5.47434),
    (7.88282, 3.52778),
    (9.77052, 9.16828),
)


class YOLOv2(Module):
    """Outputs `(m, n_H / 32, n_W / 32, A (5 + num_classes))` of images `(m, n_H, n_W, in_channels)` whose
    sides are multiples of 32: for each cell and anchor [p_c, b_x, b_y, b_h, b_w, c_1, ...] before sigmoid,
    exponential and softmax, which `vectors` applies.

    YOLOv2(num_classes=80, anchors=ANCHORS, in_channels=3, width=1.0): `anchors` are A pairs of width and
    height in cells, `width` scales all numbers of channels. The passed places go from 2x2xC to 1x1x4C as
    `PixelUnshuffle` orders them, not as Darknet does. COURSE.md C4W3-yolofull."""

    def __init__(
        self,
        num_classes: int = 80,
        anchors: Sequence[Sequence[float]] = ANCHORS,
        in_channels: int = 3,
        width: float = 1.0,
    ):
        super().__init__()
        self.num_classes, self.anchors = num_classes, np.array(anchors, np.float32)
        layers, depth = [], in_channels
        for k, channels in enumerate(STAGES):
            layers += [*([MaxPool2d(2)] if k else []), *stage(depth, scaled(channels, width))]
            depth = scaled(channels, width)[-1]
        last = scaled(LAST, width)
        (passed,) = scaled([64], width)
        self.early = Sequential(*layers)  # (m, n_H / 16, n_W / 16, 512)
        self.late = Sequential(
            MaxPool2d(2), *stage(depth, last), *convolutions(last[-1], (last[-1],) * 2, (3, 3))
        )
        self.passthrough = Sequential(*convolutions(depth, (passed,), (1,)), PixelUnshuffle(2))
        self.joined = Sequential(*convolutions(4 * passed + last[-1], (last[-1],), (3,)))
        self.head = Conv2d(last[-1], len(self.anchors) * (5 + num_classes), 1)

    def forward(self, images):
        x = self.early(images)
        route = np.concatenate((self.passthrough(x), self.late(x)), axis=-1)  # (m, n_H / 32, n_W / 32, 1280)
        return self.head(self.joined(route))

    def vectors(self, outputs) -> np.ndarray:
        """Outputs as the lecture's vectors, `(m, S_H, S_W, A, 5 + num_classes)`: p_c, b_x and b_y by sigmoid,
        b_h and b_w e^t times the anchor's, in cells, shares of the classes by softmax. `nn.vision.detections`
        takes one image of them."""
        y = unwrap(outputs)
        y = y.reshape(*y.shape[:3], len(self.anchors), -1)
        sizes = np.exp(y[..., 3:5]) * self.anchors[:, ::-1]
        return np.concatenate([sigmoid(y[..., :3]), sizes, softmax(y[..., 5:])], axis=-1)


class YOLOv2Loss(Module):
    """The cost of outputs (m, S_H, S_W, A (5 + C)) against the grid's vectors of `nn.vision.grid_targets`
    with these anchors, (m, S_H, S_W, A, 5 + C), summed over the grid, the mean over images; as in the
    authors' region layer.

    Where an anchor has an object: (2 - its share of the image) / 2 times the squared errors of b_x, b_y and
    of ln(b_h / a_h), ln(b_w / a_w); `objects` / 2 times (p_c - IoU of its box with the object)^2; and the
    cross-entropy of the class. Where it has none p_c^2 / 2, unless its box overlaps some object with IoU
    over `ignore`.

    YOLOv2Loss(anchors=ANCHORS, objects=5.0, ignore=0.6). Raises ValueError for other shapes."""

    def __init__(
        self, anchors: Sequence[Sequence[float]] = ANCHORS, objects: float = 5.0, ignore: float = 0.6
    ):
        super().__init__()
        self.anchors, self.objects, self.ignore = np.array(anchors, np.float32), objects, ignore

    def forward(self, outputs, targets):
        check_predictions(outputs, "YOLOv2Loss", "outputs")
        t = np.asarray(unwrap(targets), outputs.dtype)
        m, rows, columns, n = outputs.shape
        a = len(self.anchors)
        if n % a or t.shape != (m, rows, columns, a, n // a):
            raise ValueError(
                f"YOLOv2Loss: outputs {outputs.shape} of {a} anchors need targets "
                f"{(m, rows, columns, a, n // a)}, got {t.shape}"
            )
        y = outputs.reshape(t.shape)
        has, shapes = t[..., 0] == 1, self.anchors[:, ::-1]
        told = sigmoid(y[..., :3])
        own, most = _overlaps(unwrap(told), np.exp(unwrap(y)[..., 3:5]) * shapes, t, has)
        logarithms = np.log(np.where(has[..., None], t[..., 3:5], 1) / shapes).astype(y.dtype)
        places = np.sum((told[..., 1:] - t[..., 1:3]) ** 2, axis=-1)
        places = places + np.sum((y[..., 3:5] - logarithms) ** 2, axis=-1)
        larger = 2 - t[..., 3] * t[..., 4] / (rows * columns)
        p = told[..., 0]
        classes = np.sum(log_softmax(y[..., 5:]) * t[..., 5:], axis=-1)
        found = 0.5 * (larger * places + self.objects * (p - own) ** 2) - classes
        nothing = np.where(most > self.ignore, 0.0, 0.5 * p * p)
        return np.sum(np.where(has, found, nothing)) / m


def _overlaps(told, sizes, targets, has):
    """IoU of each box with its own object, 0 where it has none, and the largest with any of its image."""
    rows, columns = has.shape[1:3]
    y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    cells = np.stack([x, y], axis=-1)[None, :, :, None]
    boxes = corners(np.concatenate([told[..., 1:3] + cells, sizes[..., ::-1]], axis=-1))
    objects = corners(np.concatenate([targets[..., 1:3] + cells, targets[..., 4:2:-1]], axis=-1))
    own = np.where(has, iou(boxes, objects), 0)
    most = np.zeros_like(own)
    for i in range(len(boxes)):
        if has[i].any():
            most[i] = iou(boxes[i][..., None, :], objects[i][has[i]]).max(-1)
    return own.astype(told.dtype), most


def yolo_v2(**options) -> YOLOv2:
    """50,962,889 parameters with 80 classes. `options` are those of `YOLOv2`."""
    return YOLOv2(**options)


ENTRIES = (
    Entry(
        "yolo_v2",
        yolo_v2,
        (608, 608, 3),
        50_962_889,
        31_469_126_656,
        "C4W3-yolofull",
        "Redmon and Farhadi 2016",
    ),
)
