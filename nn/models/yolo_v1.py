"""YOLO: one pass over the image fills a grid with boxes.

Redmon, Divvala, Girshick, Farhadi, "You Only Look Once: Unified, Real-Time Object Detection",
arXiv:1506.02640, 2015, figure 3 and equation 3; lecture C4W3, YOLO algorithm. Leaky ReLU (slope 0.1) follows
all layers but the last.

    448 x 448    7x7   64, stride 2, pool
    112 x 112    3x3  192, pool
     56 x  56    1x1  128, 3x3 256, 1x1 256, 3x3 512, pool
     28 x  28    1x1  256, 3x3 512, four times; 1x1 512, 3x3 1024, pool
     14 x  14    1x1  512, 3x3 1024, twice; 3x3 1024; 3x3 1024, stride 2
      7 x   7    3x3 1024, 3x3 1024
                 50,176 - 4096 - dropout - 7 x 7 x 30 fully connected

    parameters 271,703,550; multiply-adds 20,285,153,280
"""

import numpy as np

from autograd.ops.activation import leaky_relu
from autograd.tensor import unwrap

from .. import init
from ..layers import Conv2d, Dropout, Flatten, LeakyReLU, Linear, MaxPool2d, Sequential
from ..losses.reduction import check_predictions
from ..module import Module
from ..vision import iou
from .catalog import Entry
from .darknet import scaled

# Size, channels and stride of each convolution; None is a pool.
PLAN: tuple[tuple[int, int, int] | None, ...] = (
    (7, 64, 2),
    None,
    (3, 192, 1),
    None,
    *((1, 128, 1), (3, 256, 1), (1, 256, 1), (3, 512, 1)),
    None,
    *((1, 256, 1), (3, 512, 1)) * 4,
    *((1, 512, 1), (3, 1024, 1)),
    None,
    *((1, 512, 1), (3, 1024, 1)) * 2,
    *((3, 1024, 1), (3, 1024, 2), (3, 1024, 1), (3, 1024, 1)),
)


class YOLOv1(Module):
    """Outputs `(m, grid, grid, 5 boxes + num_classes)` of images `(m, 64 grid, 64 grid, in_channels)`: for
    each cell `boxes` times [p_c, b_x, b_y, root of b_h, root of b_w], then the classes, all plain numbers.
    b_x and b_y lie in the cell, b_h and b_w are shares of the image; the network tells their square roots, as
    the loss compares these.

    YOLOv1(num_classes=20, boxes=2, grid=7, in_channels=3, width=1.0, hidden=4096, dropout=0.5): `width`
    scales all numbers of channels, `hidden` is the width of the fully connected layer."""

    def __init__(
        self,
        num_classes: int = 20,
        boxes: int = 2,
        grid: int = 7,
        in_channels: int = 3,
        width: float = 1.0,
        hidden: int = 4096,
        dropout: float = 0.5,
    ):
        super().__init__()
        self.num_classes, self.boxes, self.grid = num_classes, boxes, grid
        layers: list[Module] = []
        depth = in_channels
        for step in PLAN:
            if step is None:
                layers.append(MaxPool2d(2))
                continue
            size, channels, stride = step
            (channels,) = scaled([channels], width)
            conv = Conv2d(depth, channels, size, stride, padding=size // 2)
            init.kaiming_normal_(conv.weight, a=0.1, nonlinearity="leaky_relu")
            layers += [conv, LeakyReLU(0.1)]
            depth = channels
        self.features = Sequential(*layers)  # (m, grid, grid, 1024)
        self.flatten = Flatten()
        self.fc1 = Linear(grid * grid * depth, hidden, spatial=(grid, grid, depth))
        self.dropout = Dropout(dropout)
        self.fc2 = Linear(hidden, grid * grid * (5 * boxes + num_classes))

    def forward(self, images):
        x = self.flatten(self.features(images))
        x = self.fc2(self.dropout(leaky_relu(self.fc1(x), 0.1)))
        return x.reshape((x.shape[0], self.grid, self.grid, -1))

    def vectors(self, outputs) -> np.ndarray:
        """Outputs as the lecture's vectors [p_c, b_x, b_y, b_h, b_w, c_1, ...], sizes in cells: `(m, grid,
        grid, boxes, 5 + num_classes)`, one image of which `nn.vision.detections` takes."""
        y = unwrap(outputs)
        told = y[..., : 5 * self.boxes].reshape(*y.shape[:3], self.boxes, 5)
        sizes = self.grid * np.square(told[..., 3:])
        classes = np.broadcast_to(y[..., None, 5 * self.boxes :], (*told.shape[:-1], self.num_classes))
        return np.concatenate([told[..., :3], sizes, classes], axis=-1)


class YOLOv1Loss(Module):
    """Equation 3 of the paper: squared errors of outputs (m, S, S, 5 boxes + C) against the grid's vectors of
    `nn.vision.grid_targets`, (m, S, S, 5 + C), summed over the grid, the mean over images.

    Of a cell's boxes the one with the largest IoU is responsible for its object: its p_c is to be that IoU,
    and its midpoint and the roots of its sizes count `coordinates` times; the p_c of all others is to be 0,
    and counts `no_object` times. Classes count in cells with an object.

    YOLOv1Loss(boxes=2, coordinates=5.0, no_object=0.5). Raises ValueError for shapes that do not belong
    together."""

    def __init__(self, boxes: int = 2, coordinates: float = 5.0, no_object: float = 0.5):
        super().__init__()
        self.boxes, self.coordinates, self.no_object = boxes, coordinates, no_object

    def forward(self, outputs, targets):
        check_predictions(outputs, "YOLOv1Loss", "outputs")
        t = np.asarray(unwrap(targets), outputs.dtype)
        m, rows, columns, n = outputs.shape
        if t.shape != (m, rows, columns, n - 5 * self.boxes + 5):
            raise ValueError(
                f"YOLOv1Loss: outputs {outputs.shape} of {self.boxes} boxes need targets "
                f"{(m, rows, columns, n - 5 * self.boxes + 5)}, got {t.shape}"
            )
        told = outputs[..., : 5 * self.boxes].reshape((m, rows, columns, self.boxes, 5))
        roots = np.sqrt(t[..., None, 3:5] / (rows, columns))
        wanted = np.concatenate([t[..., None, 1:3], roots], axis=-1)  # (m, S, S, 1, 4)
        shares = iou(_corners(unwrap(told)[..., 1:], rows, columns), _corners(wanted, rows, columns))
        has = t[..., :1] == 1
        responsible = has & (np.arange(self.boxes) == shares.argmax(-1)[..., None])  # (m, S, S, boxes)
        places = np.sum((told[..., 1:] - wanted.astype(outputs.dtype)) ** 2, axis=-1)
        p = told[..., 0]
        classes = np.sum((outputs[..., 5 * self.boxes :] - t[..., 5:]) ** 2, axis=-1)
        sure = np.where(responsible, (p - shares.astype(p.dtype)) ** 2, self.no_object * p * p)
        boxes = np.where(responsible, self.coordinates * places, 0.0) + sure
        return (np.sum(boxes) + np.sum(np.where(has[..., 0], classes, 0.0))) / m


def _corners(vectors, rows, columns):
    """[b_x, b_y, root of b_h, root of b_w] to corners from the cell's, in shares of the image."""
    x, y, h, w = np.moveaxis(np.asarray(vectors, np.float64), -1, 0)
    x, y, h, w = x / columns, y / rows, h * h / 2, w * w / 2
    return np.stack([x - w, y - h, x + w, y + h], axis=-1)


def yolo_v1(**options) -> YOLOv1:
    """271,703,550 parameters, 7 x 7 x 30. `options` are those of `YOLOv1`."""
    return YOLOv1(**options)


ENTRIES = (
    Entry(
        "yolo_v1",
        yolo_v1,
        (448, 448, 3),
        271_703_550,
        20_285_153_280,
        "C4W3-yolo",
        "Redmon et al. 2015",
    ),
)
