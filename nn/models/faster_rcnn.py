"""Regions and what is in them: Fast and Faster R-CNN.

Girshick, "Fast R-CNN", arXiv:1504.08083, 2015; Ren, He, Girshick, Sun, "Faster R-CNN: Towards Real-Time
Object Detection with Region Proposal Networks", arXiv:1506.01497, 2015; lecture C4W3, region proposals. Who
proposes where to look, and how often convolutions run:

    R-CNN          segments of the picture, some 2,000    once for each of them
    Fast R-CNN     the same                               once for the picture
    Faster R-CNN   a small network on the same maps       once for the picture

    backbone       ResNet-50's stages, 256 channels at 1/4, 1/8, 1/16, 1/32, 1/64: `feature_pyramid.py`
    rpn.head       3x3 256; 1x1 3 objectness, 1x1 12 deltas: an anchor each of ratio 1/2, 1 and 2
    roi_heads      7x7 of each region, 12,544 - 1024 - 1024; 91 classes, 364 deltas

    network         parameters    multiply-adds
    fast_rcnn       41,161,351      8,365,060,096 of 224 x 224 and 100 regions
    faster_rcnn     41,755,286    134,379,721,216 of 800 x 800 and 1,000 regions, torchvision's 134.38 G
"""

import numpy as np

import autograd
from autograd.modes import no_grad
from autograd.ops.activation import relu
from autograd.ops.roi import roi_align
from autograd.ops.softmax import softmax
from autograd.tensor import as_array, unwrap

from .. import init, vision
from ..layers import Conv2d, Linear, ModuleDict, ReLU, Sequential
from ..losses.binary import binary_cross_entropy_with_logits
from ..losses.classification import cross_entropy
from ..losses.regression import smooth_l1_loss
from ..module import Module
from .catalog import Entry
from .feature_pyramid import FeaturePyramid

STRIDES = (4, 8, 16, 32)
SIZES = (32, 64, 128, 256, 512)  # of the anchors, a size a map
RATIOS = (0.5, 1.0, 2.0)
WEIGHTS = (10.0, 10.0, 5.0, 5.0)  # of the last deltas, so that they are about as large as logits


class ProposalHead(Module):
    """Objectness (m, n_H, n_W, A) and deltas (m, n_H, n_W, 4 A) of a map (m, n_H, n_W, channels)."""

    def __init__(self, channels: int, anchors: int):
        super().__init__()
        self.conv = Sequential(Sequential(Conv2d(channels, channels, 3, padding=1), ReLU()))
        self.cls_logits = Conv2d(channels, anchors, 1)
        self.bbox_pred = Conv2d(channels, 4 * anchors, 1)
        for path, p in self.named_parameters():
            if path.endswith("bias"):
                init.zeros_(p)
            else:
                init.normal_(p, std=0.01)

    def forward(self, x):
        x = self.conv(x)
        return self.cls_logits(x), self.bbox_pred(x)


class ProposalNetwork(Module):
    """Of a pyramid's maps: objectness logits (m, N) and deltas (m, N, 4) of its N anchors, finest map
    first."""

    def __init__(self, channels: int):
        super().__init__()
        self.head = ProposalHead(channels, len(RATIOS))

    def forward(self, maps):
        told = [self.head(x) for x in maps]
        m = maps[0].shape[0]
        objectness = np.concatenate([logits.reshape((m, -1)) for logits, _ in told], axis=1)
        return objectness, np.concatenate([deltas.reshape((m, -1, 4)) for _, deltas in told], axis=1)

    @staticmethod
    def anchors(maps, height: int, width: int) -> list[np.ndarray]:
        """The anchors (n, 4) of each map, of an image of that size."""
        places = [x.shape[1:3] for x in maps]
        return [
            vision.anchor_grid((h, w), (height // h, width // w), (size,), RATIOS)
            for (h, w), size in zip(places, SIZES)
        ]


class RegionHeads(Module):
    """Class logits (K, num_classes) and deltas (K, 4 num_classes) of K regions."""

    def __init__(self, num_classes: int, channels: int, hidden: int, scale: int, places: int = 7):
        super().__init__()
        self.places, self.scale = places, scale
        fc6 = Linear(places * places * channels, hidden, spatial=(places, places, channels))
        self.box_head = ModuleDict({"fc6": fc6, "fc7": Linear(hidden, hidden)})
        cls_score, bbox_pred = Linear(hidden, num_classes), Linear(hidden, 4 * num_classes)
        self.box_predictor = ModuleDict({"cls_score": cls_score, "bbox_pred": bbox_pred})

    def forward(self, maps, boxes, image):
        x = self.pooled(maps, boxes, image).reshape((len(boxes), -1))
        x = relu(self.box_head["fc7"](relu(self.box_head["fc6"](x))))
        return self.box_predictor["cls_score"](x), self.box_predictor["bbox_pred"](x)

    def pooled(self, maps, boxes, image):
        """Each region of the map for its size: one of `scale` pixels of that at 1/16. (K, places, places,
        channels)"""
        sides = np.sqrt(vision.area(boxes))
        power = np.floor(4 + np.log2(sides / self.scale + 1e-6))
        level = np.clip(power, 2, 1 + len(STRIDES)).astype(int) - 2
        parts, order = [], []
        for k, stride in enumerate(STRIDES):
            (here,) = np.nonzero(level == k)
            if len(here):
                parts.append(roi_align(maps[k], boxes[here], image[here], self.places, 1 / stride, 2))
                order.append(here)
        if not parts:
            return roi_align(maps[0], boxes, image, self.places, 1 / STRIDES[0], 2)
        return np.concatenate(parts, axis=0)[np.argsort(np.concatenate(order))]


class RegionCNN(Module):
    """Class logits (K, num_classes) and deltas (K, 4 num_classes) of the regions in images (m, n_H, n_W, 3),
    whose class 0 is background; with its own proposals also their objectness (m, N) and deltas (m, N, 4).

    RegionCNN(num_classes=91, proposes=True, layers=(3, 4, 6, 3), width=64, channels=256, hidden=1024,
    scale=224): with `proposes` it is Faster R-CNN, else Fast R-CNN, which is told where to look. A region of
    `scale` pixels, the size of ImageNet's pictures, is read from the map at 1/16. Called with images and
    optionally proposals: for each image corners (k, 4) in pixels. Names are torchvision's. COURSE.md
    C4W3-rcnn."""

    rpn: ProposalNetwork | None

    def __init__(
        self,
        num_classes: int = 91,
        proposes: bool = True,
        layers: tuple[int, ...] = (3, 4, 6, 3),
        width: int = 64,
        channels: int = 256,
        hidden: int = 1024,
        scale: int = 224,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.backbone = FeaturePyramid(layers, width, channels)
        self.rpn = ProposalNetwork(channels) if proposes else None
        self.roi_heads = RegionHeads(num_classes, channels, hidden, scale)

    def forward(self, images, proposals=None):
        maps = self.backbone(images)
        told: tuple = () if self.rpn is None else self.rpn(maps)
        if proposals is None:
            proposals = self.proposals(maps, images.shape[1:3], *told)
        return *self.roi_heads(maps, *_joined(proposals)), *told

    def proposals(self, maps, size, objectness=None, deltas=None) -> list[np.ndarray]:
        """For each image the boxes (k, 4) in which the proposal network sees something, the likeliest first:
        of each map's 2,000 best (1,000 after `eval()`) those that do not overlap a better one with IoU >=
        0.7, and of all as many again."""
        if self.rpn is None:
            raise ValueError(
                "RegionCNN: Fast R-CNN does not propose regions itself: call model(images, boxes)"
            )
        count = 2000 if self.training else 1000
        height, width = size
        scores, moves = unwrap(objectness), unwrap(deltas)
        anchors = self.rpn.anchors(maps, height, width)
        ends = np.cumsum([len(a) for a in anchors])
        found = []
        for score, move in zip(scores, moves):
            best = [
                end - len(a) + np.argsort(-score[end - len(a) : end], kind="stable")[:count]
                for a, end in zip(anchors, ends)
            ]
            level = np.repeat(np.arange(len(best)), [len(b) for b in best])
            best = np.concatenate(best)
            boxes = vision.decode_deltas(move[best], np.concatenate(anchors)[best])
            boxes = vision.clip(boxes, width, height)
            large = (boxes[:, 2:] - boxes[:, :2] >= 1e-3).all(1)
            boxes, level, best = boxes[large], level[large], best[large]
            stay = vision.nms(boxes, score[best], 0.7, level)[:count]
            found.append(boxes[stay].astype(np.float32))
        return found

    def detect(self, images, proposals=None, min_score=0.05, threshold=0.5, count=100) -> list[tuple]:
        """For each image boxes (k, 4) in pixels, scores and labels (k,), the best first, at most `count`:
        every region for each class but the background, after suppression within the class."""
        height, width = images.shape[1:3]
        with no_grad():
            maps = self.backbone(images)
            if proposals is None:
                told: tuple = () if self.rpn is None else self.rpn(maps)
                proposals = self.proposals(maps, (height, width), *told)
            boxes, image = _joined(proposals)
            logits, deltas = map(unwrap, self.roi_heads(maps, boxes, image))
        shares = softmax(logits)
        moved = vision.decode_deltas(deltas.reshape(len(boxes), -1, 4), boxes[:, None], WEIGHTS)
        moved = vision.clip(moved, width, height)
        found = []
        for i in range(len(images)):
            region, label = np.nonzero(shares[image == i][:, 1:] > min_score)
            label += 1
            at, score = moved[image == i][region, label], shares[image == i][region, label]
            stay = vision.nms(at, score, threshold, label)[:count]
            found.append((at[stay], score[stay], label[stay]))
        return found

    def losses(self, images, boxes, labels, proposals=None):
        """What training minimises, the sum of it: the class and the deltas of regions, and with proposals
        the objectness and the deltas of anchors. `boxes` and `labels` are for each image corners (k, 4) in
        pixels and class numbers from 1; Fast R-CNN needs `proposals`.

        As in torchvision: of each image 256 anchors count, at most half of them with an object (IoU >= 0.7,
        or the best for an object; none: < 0.3), and 512 regions, at most a quarter with an object (IoU >=
        0.5); drawn from `autograd.random`. Classes cost cross-entropy, deltas of what has an object
        `smooth_l1_loss` with beta = 1/9, both over the number of those drawn."""
        height, width = images.shape[1:3]
        maps = self.backbone(images)
        told: tuple = () if self.rpn is None else self.rpn(maps)
        if proposals is None:
            proposals = self.proposals(maps, (height, width), *told)
        boxes = [_corners(b) for b in boxes]
        cost = 0.0
        if self.rpn is not None:
            objectness, deltas = told
            anchors = np.concatenate(self.rpn.anchors(maps, height, width))
            found = [vision.match(anchors, b, 0.7, 0.3, keep_best=True) for b in boxes]
            image, place, own = _drawn(found, 256, 0.5)
            cost = binary_cross_entropy_with_logits(objectness[image, place], (own >= 0).astype(np.float32))
            cost = cost + _moves(deltas[image, place], anchors[place], boxes, image, own, (1.0,) * 4)
        proposals = [np.concatenate([_corners(p), b]) for p, b in zip(proposals, boxes)]
        image, place, own = _drawn(
            [vision.match(p, b, 0.5, 0.5) for p, b in zip(proposals, boxes)], 512, 0.25
        )
        regions = np.array([proposals[i][k] for i, k in zip(image, place)], np.float32).reshape(-1, 4)
        logits, deltas = self.roi_heads(maps, regions, image)
        classes = np.array([labels[i][k] if k >= 0 else 0 for i, k in zip(image, own)], int)
        cost = cost + cross_entropy(logits, classes)
        told = deltas.reshape((len(regions), -1, 4))[np.arange(len(regions)), classes]
        return cost + _moves(told, regions, boxes, image, own, WEIGHTS)


def _corners(boxes):
    return np.asarray(as_array(boxes), np.float32).reshape(-1, 4)


def _joined(proposals):
    """All boxes (K, 4) and the image of each (K,)."""
    boxes = [_corners(b) for b in proposals]
    return np.concatenate(boxes), np.repeat(np.arange(len(boxes)), [len(b) for b in boxes])


def _drawn(found, count, share):
    """Of what `match` found in each image `count` places, at most `share` of them with an object: images,
    places, and the object of each or -1."""
    rng, images, places = autograd.random.generator(), [], []
    for i, own in enumerate(found):
        (some,), (none,) = np.nonzero(own >= 0), np.nonzero(own == -1)
        some = rng.permutation(some)[: int(count * share)]
        none = rng.permutation(none)[: count - len(some)]
        places.append(np.sort(np.concatenate([some, none])))
        images.append(np.full(len(places[-1]), i))
    owners = [own[place] for own, place in zip(found, places)]
    return tuple(map(np.concatenate, (images, places, owners)))


def _moves(deltas, starts, boxes, image, own, weights):
    """The cost of deltas (n, 4) where there is an object."""
    (some,) = np.nonzero(own >= 0)
    if not len(some):
        return 0.0 * deltas.sum()
    wanted = np.array([boxes[i][k] for i, k in zip(image[some], own[some])])
    targets = vision.encode_deltas(wanted, starts[some], weights).astype(np.float32)
    return smooth_l1_loss(deltas[some], targets, "sum", 1 / 9) / len(own)


def fast_rcnn(**options) -> RegionCNN:
    """Fast R-CNN on ResNet-50 and a pyramid: 41,161,351 parameters. `options` are those of `RegionCNN`."""
    return RegionCNN(proposes=False, **options)


def faster_rcnn(**options) -> RegionCNN:
    """Faster R-CNN on ResNet-50 and a pyramid, torchvision's fasterrcnn_resnet50_fpn: 41,755,286
    parameters."""
    return RegionCNN(**options)


def _pictures(side, count):
    """Pictures and `count` regions in each."""

    def make(rng, m):
        corner = rng.integers(0, side // 2, (m, count, 2))
        boxes = np.concatenate([corner, corner + rng.integers(side // 8, side // 2, corner.shape)], axis=-1)
        return rng.standard_normal((m, side, side, 3), np.float32), boxes

    return make


ENTRIES = (
    Entry(
        "fast_rcnn",
        fast_rcnn,
        (224, 224, 3),
        41_161_351,
        8_365_060_096,
        "C4W3-rcnn",
        "Girshick 2015",
        _pictures(224, 100),
    ),
    Entry(
        "faster_rcnn",
        faster_rcnn,
        (800, 800, 3),
        41_755_286,
        134_379_721_216,
        "C4W3-rcnn",
        "Ren et al. 2015",
        _pictures(800, 1000),
    ),
)
