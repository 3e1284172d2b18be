"""Rows of localisation, landmarks, Darknet and YOLO."""

import numpy as np

import nn
from nn import vision
from tests.model_rows import Row
from tests.model_rows_classic import stages
from tests.model_rows_residual import torch_resnet

BASIC = {"layer1": (56, 56, 64), "layer4": (7, 7, 512), "avgpool": (512,)}


def some_images(size, targets):
    """Images, and for each the targets (an array a call)."""
    return lambda rng, m: ((rng.normal(size=(m, size, size, 3)),), np.array([targets(rng) for _ in range(m)]))


def one_object(rng):
    """[p_c, b_x, b_y, b_h, b_w, c_1, c_2, c_3]"""
    return np.array([rng.random() < 0.7, *rng.random(4), *np.eye(3)[rng.integers(3)]], np.float32)


def some_points(count):
    return lambda rng: np.array([1, *rng.random(2 * count)], np.float32)


def torch_localizer(torch, num_classes=3, **options):
    return torch_resnet(torch, (2, 2, 2, 2), num_classes=5 + num_classes, **options)


def torch_points(usual):
    def build(torch, points=usual, **options):
        return torch_resnet(torch, (2, 2, 2, 2), num_classes=1 + 2 * points, **options)

    return build


def head(name, outputs, tiny, **options):
    return Row(
        name,
        parameters=11_176_512 + 513 * outputs,  # of torchvision.models.resnet18 without its 1,000 classes
        multiply_adds=1_813_561_344 + 512 * outputs,
        source="torchvision.models.resnet18; COURSE.md C4W3",
        shapes=BASIC | {"": (outputs,)},
        tiny=dict(tiny, small=True, width=8),
        cost=nn.LocalizationLoss(),
        lr=5e-3,
        **options,
    )


def torch_darknet_layers(torch, depth, convolutions, width=1.0):
    """Pairs of size and channels; 0 is a pool."""
    layers = []
    for size, channels in convolutions:
        if not size:
            layers.append(torch.nn.MaxPool2d(2, 2))
            continue
        channels = max(1, round(channels * width))
        layers.append(torch.nn.Conv2d(depth, channels, size, padding=size // 2, bias=False))
        layers += [torch.nn.BatchNorm2d(channels), torch.nn.LeakyReLU(0.1)]
        depth = channels
    return torch.nn.Sequential(*layers), depth


POOL = (0, 0)
TABLE_6 = (
    *((3, 32), POOL, (3, 64), POOL),
    *((3, 128), (1, 64), (3, 128), POOL),
    *((3, 256), (1, 128), (3, 256), POOL),
    *((3, 512), (1, 256), (3, 512), (1, 256), (3, 512)),
)
END_OF_TABLE_6 = ((3, 1024), (1, 512), (3, 1024), (1, 512), (3, 1024))


def torch_darknet19(torch, num_classes=1000, in_channels=3, width=1.0):
    features, depth = torch_darknet_layers(torch, in_channels, (*TABLE_6, POOL, *END_OF_TABLE_6), width)
    places = torch.nn.AdaptiveAvgPool2d(1)
    classifier = torch.nn.Conv2d(depth, num_classes, 1)
    return stages(torch, features=features, classifier=classifier, mean=places, flat=torch.nn.Flatten())


FIGURE_3 = (
    *((7, 64, 2), POOL, (3, 192, 1), POOL),
    *((1, 128, 1), (3, 256, 1), (1, 256, 1), (3, 512, 1), POOL),
    *((1, 256, 1), (3, 512, 1)) * 4,
    *((1, 512, 1), (3, 1024, 1), POOL),
    *((1, 512, 1), (3, 1024, 1)) * 2,
    *((3, 1024, 1), (3, 1024, 2), (3, 1024, 1), (3, 1024, 1)),
)


def torch_yolo_v1(torch, num_classes=20, boxes=2, grid=7, width=1.0, hidden=4096, dropout=0.5):
    tnn, layers, depth = torch.nn, [], 3
    for step in FIGURE_3:
        if step == POOL:
            layers.append(tnn.MaxPool2d(2, 2))
            continue
        size, channels, stride = step
        channels = max(1, round(channels * width))
        layers += [tnn.Conv2d(depth, channels, size, stride, size // 2), tnn.LeakyReLU(0.1)]
        depth = channels
    net = stages(
        torch,
        features=tnn.Sequential(*layers),
        flatten=tnn.Flatten(),
        fc1=tnn.Linear(grid * grid * depth, hidden),
        leaky=tnn.LeakyReLU(0.1),
        dropout=tnn.Dropout(dropout),
        fc2=tnn.Linear(hidden, grid * grid * (5 * boxes + num_classes)),
        grid=tnn.Unflatten(1, (grid, grid, 5 * boxes + num_classes)),
    )
    net.append(permuted(torch, 0, 3, 1, 2))
    return net


def permuted(torch, *axes):
    class Permute(torch.nn.Module):
        def forward(self, x):
            return x.permute(axes)

    return Permute()


def torch_yolo_v2(torch, num_classes=80, anchors=(None,) * 5, in_channels=3, width=1.0):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.early, depth = torch_darknet_layers(torch, in_channels, TABLE_6, width)
            plan = (POOL, *END_OF_TABLE_6, (3, 1024), (3, 1024))
            self.late, last = torch_darknet_layers(torch, depth, plan, width)
            self.passthrough, passed = torch_darknet_layers(torch, depth, ((1, 64),), width)
            self.joined, last = torch_darknet_layers(torch, 4 * passed + last, ((3, 1024),), width)
            self.head = tnn.Conv2d(last, len(anchors) * (5 + num_classes), 1)

        def forward(self, x):
            x = self.early(x)
            aside = tnn.functional.pixel_unshuffle(self.passthrough(x), 2)
            return self.head(self.joined(torch.cat([aside, self.late(x)], 1)))

    return Net()


TINY_ANCHORS = ((0.4, 0.6), (1.2, 0.9))


def grid_of(anchors):
    """Two objects an image, on a grid of 2x2."""

    def targets(rng):
        middles = (np.array([[0, 1], [1, 0]]) + rng.random((2, 2))) / 2
        boxes = vision.corners(np.concatenate([middles, rng.uniform(0.2, 0.7, (2, 2))], -1))
        return vision.grid_targets(boxes, rng.integers(0, 3, 2), 3, (2, 2), anchors)

    return targets


ROWS = [
    head("localizer", 8, dict(num_classes=3), twin=torch_localizer, examples=some_images(16, one_object)),
    head("landmarks", 129, dict(points=4), twin=torch_points(64), examples=some_images(16, some_points(4))),
    head("pose", 65, dict(points=2), twin=torch_points(32), examples=some_images(16, some_points(2))),
    Row(
        "darknet19",
        parameters=20_842_376,
        multiply_adds="2.79 G",
        source="Redmon and Farhadi 2016: 5.58 billion operations; darknet19.weights, 80 MB",
        shapes={
            "features.2": (224, 224, 32),
            "features.3": (112, 112, 32),
            "features.7": (56, 56, 64),
            "features.17": (28, 28, 128),
            "features.27": (14, 14, 256),
            "features.43": (7, 7, 512),
            "features.58": (7, 7, 1024),
            "classifier": (7, 7, 1000),
        },
        tiny=dict(num_classes=3, width=0.05),
        tiny_shape=(64, 64, 3),
        twin=torch_darknet19,
        lr=5e-3,
    ),
    Row(
        "yolo_v1",
        parameters=271_703_550,
        multiply_adds=20_285_153_280,  # places times weights, by the figure
        source="Redmon et al. 2015, figure 3",
        shapes={
            "features.2": (112, 112, 64),
            "features.5": (56, 56, 192),
            "features.14": (28, 28, 512),
            "features.35": (14, 14, 1024),
            "features.51": (7, 7, 1024),
            "fc1": (4096,),
            "": (7, 7, 30),
        },
        tiny=dict(num_classes=3, grid=2, width=0.05, hidden=32, dropout=0.0),
        twin=torch_yolo_v1,
        examples=some_images(128, grid_of(None)),
        cost=nn.models.YOLOv1Loss(),
        lr=3e-3,
    ),
    Row(
        "yolo_v2",
        parameters=50_962_889,
        multiply_adds="31.47 G",
        source="the authors' site: 62.94 Bn operations at 608; the course's yolo.h5: 50,962,889 trainable",
        shapes={
            "early": (38, 38, 512),
            "late": (19, 19, 1024),
            "passthrough": (19, 19, 256),
            "joined": (19, 19, 1024),
            "head": (19, 19, 425),
        },
        tiny=dict(num_classes=3, anchors=TINY_ANCHORS, width=0.05),
        twin=torch_yolo_v2,
        examples=some_images(64, grid_of(TINY_ANCHORS)),
        cost=nn.models.YOLOv2Loss(TINY_ANCHORS),
        second=True,
        lr=5e-3,
    ),
]
