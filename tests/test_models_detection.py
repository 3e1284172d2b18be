"""Localisation, YOLO and Faster R-CNN: their costs entry by entry, and what they find."""

import math

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, no_grad
from autograd.tensor import writable
from nn import init, models, vision
from optim import Adam


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def boxed(x, y, w, h):
    return (x - w / 2, y - h / 2, x + w / 2, y + h / 2)


def share(a, b):
    """IoU of two boxes, in plain numbers."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(c[2] - c[0]) * (c[3] - c[1]) for c in (a, b)]
    return width * height / (sum(areas) - width * height)


# ---- one object


def test_eight_squares_or_one():  # C4W3-localize
    predictions = np.arange(1, 9, dtype=np.float32) / 10
    with_object = np.array([1, 0.5, 0.7, 0.3, 0.4, 0, 1, 0], np.float32)
    expected = sum((float(p) - float(y)) ** 2 for p, y in zip(predictions, with_object))
    assert nn.LocalizationLoss()(predictions[None], with_object[None]) == pytest.approx(expected)
    nothing = np.array([0, *[np.nan] * 7], np.float32)  # "do not care"
    given = Tensor(predictions[None], requires_grad=True)
    loss = nn.LocalizationLoss()(given, nothing[None])
    assert loss.item() == pytest.approx(0.1**2)
    loss.backward()
    np.testing.assert_allclose(given.grad.numpy(), [[0.2, *[0] * 7]], atol=1e-7)
    for wrong, said in (
        ([0.5, *[0] * 7], "first number of a target is 1 or 0"),
        ([1, *[np.nan] * 7], "has NaN"),
    ):
        with pytest.raises(ValueError, match=said):
            nn.LocalizationLoss()(predictions[None], np.array([wrong], np.float32))


@pytest.mark.slow
def test_outputs_of_the_heads():  # C4W3-localize, C4W3-landmark
    image = np.zeros((1, 32, 32, 3), np.float32)
    small = dict(small=True, width=4)
    assert models.localizer(**small)(image).shape == (1, 8)
    assert models.landmarks(**small)(image).shape == (1, 129)
    assert models.pose(**small)(image).shape == (1, 65)


# ---- YOLO


def v1_cost(outputs, targets, boxes, grid, coordinates=5, no_object=0.5):
    """Equation 3 of the paper, term by term."""
    total = 0.0
    for i in range(grid):
        for j in range(grid):
            y, t = outputs[i, j], targets[i, j]
            told = [y[5 * b : 5 * b + 5] for b in range(boxes)]
            responsible = None
            if t[0] == 1:
                own = boxed(t[1] / grid, t[2] / grid, t[4] / grid, t[3] / grid)
                shares = [share(boxed(p[1] / grid, p[2] / grid, p[4] ** 2, p[3] ** 2), own) for p in told]
                responsible = int(np.argmax(shares))
                p = told[responsible]
                total += coordinates * ((p[1] - t[1]) ** 2 + (p[2] - t[2]) ** 2)
                total += coordinates * (p[3] - math.sqrt(t[3] / grid)) ** 2
                total += coordinates * (p[4] - math.sqrt(t[4] / grid)) ** 2
                total += (p[0] - shares[responsible]) ** 2
                total += sum((y[5 * boxes + c] - t[5 + c]) ** 2 for c in range(len(t) - 5))
            total += sum(no_object * p[0] ** 2 for b, p in enumerate(told) if b != responsible)
    return total


def v2_cost(outputs, targets, anchors, objects=5, ignore=0.6):
    rows, columns, total = *outputs.shape[:2], 0.0
    there = [index for index in np.ndindex(targets.shape[:3]) if targets[index][0] == 1]

    def truth(index):
        i, j, _ = index
        t = targets[index]
        return boxed(j + t[1], i + t[2], t[4], t[3])

    for i, j, a in np.ndindex(rows, columns, len(anchors)):
        y, t = outputs[i, j].reshape(len(anchors), -1)[a], targets[i, j, a]
        p, bx, by = map(sigmoid, y[:3])
        told = boxed(j + bx, i + by, anchors[a][0] * math.exp(y[4]), anchors[a][1] * math.exp(y[3]))
        if (i, j, a) in there:
            squares = (bx - t[1]) ** 2 + (by - t[2]) ** 2
            squares += (y[3] - math.log(t[3] / anchors[a][1])) ** 2 + (
                y[4] - math.log(t[4] / anchors[a][0])
            ) ** 2
            total += (2 - t[3] * t[4] / (rows * columns)) / 2 * squares
            total += objects / 2 * (p - share(told, truth((i, j, a)))) ** 2
            total += math.log(sum(map(math.exp, y[5:]))) - y[5 + int(np.argmax(t[5:]))]
        elif max([0, *(share(told, truth(k)) for k in there)]) <= ignore:
            total += p * p / 2
    return total


ANCHORS = ((0.6, 0.9), (1.5, 1.1))


def two_objects(rng, anchors, grid=3):
    middles = (np.array([[0, 1], [2, 2]]) + rng.uniform(0.3, 0.7, (2, 2))) / grid
    boxes = vision.corners(np.concatenate([middles, rng.uniform(0.2, 0.5, (2, 2))], -1))
    return vision.grid_targets(boxes, [0, 2], 3, (grid, grid), anchors)


def test_the_cost_of_the_first_yolo():
    rng = np.random.default_rng(0)
    targets = np.stack([two_objects(rng, None), np.zeros((3, 3, 8), np.float32)])
    outputs = rng.uniform(0.1, 0.9, (2, 3, 3, 13))
    expected = sum(v1_cost(o, t, 2, 3) for o, t in zip(outputs, targets)) / 2
    assert models.YOLOv1Loss()(outputs, targets) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match=r"need targets \(2, 3, 3, 8\), got \(2, 3, 3, 9\)"):
        models.YOLOv1Loss()(outputs, np.zeros((2, 3, 3, 9)))


def test_the_cost_of_the_second_yolo():
    rng = np.random.default_rng(1)
    targets = np.stack([two_objects(rng, ANCHORS), np.zeros((3, 3, 2, 8), np.float32)])
    outputs = rng.normal(size=(2, 3, 3, 16))
    place = tuple(
        np.argwhere(targets[0, ..., 0] == 1)[0]
    )  # the other anchor of an object's cell tells the same box
    t, other = targets[0][place], 1 - place[2]
    told = outputs[0, place[0], place[1]].reshape(2, 8)[other]
    told[1:3] = np.log(t[1:3] / (1 - t[1:3]))
    told[3:5] = np.log(t[3:5] / ANCHORS[other][::-1])
    expected = sum(v2_cost(o, t, ANCHORS) for o, t in zip(outputs, targets)) / 2
    strict = sum(v2_cost(o, t, ANCHORS, ignore=1.1) for o, t in zip(outputs, targets)) / 2
    assert strict != pytest.approx(expected, rel=1e-3)  # so a box was ignored
    assert models.YOLOv2Loss(ANCHORS)(outputs, targets) == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match=r"2 anchors need targets \(2, 3, 3, 2, 8\), got \(2, 3, 3, 16\)"):
        models.YOLOv2Loss(ANCHORS)(outputs, np.zeros((2, 3, 3, 16)))


def test_what_costs_least_is_what_is_there():
    rng = np.random.default_rng(2)
    plain, anchored = two_objects(rng, None), two_objects(rng, ANCHORS)
    first, second = models.YOLOv1(3, grid=3, width=0.02, hidden=8), models.YOLOv2(3, ANCHORS, width=0.05)
    roots = np.sqrt(plain[..., 3:5] / 3)
    outputs = np.concatenate([plain[..., :3], roots, 0 * plain[..., :5], plain[..., 5:]], -1)
    found, scores, labels = vision.detections(first.vectors(outputs[None])[0])
    assert models.YOLOv1Loss()(outputs[None], plain[None]) == pytest.approx(0, abs=1e-10)
    expected, _, classes = vision.grid_boxes(plain[plain[..., 0] == 1][:, None, :][None].reshape(1, 2, 8))
    assert len(found) == 2
    assert sorted(labels) == sorted(classes) == [0, 2]
    assert scores == pytest.approx(1)
    t = anchored.reshape(3, 3, 2, 8)
    has = t[..., :1] == 1
    near = np.clip(t[..., :3], 1e-6, 1 - 1e-6)
    sizes = np.log(np.where(has, t[..., 3:5], 1) / np.array(ANCHORS)[:, ::-1])
    raw = np.concatenate([np.log(near / (1 - near)), np.where(has, sizes, 0), 40 * t[..., 5:]], -1)
    assert models.YOLOv2Loss(ANCHORS)(raw.reshape(1, 3, 3, 16), t[None]) == pytest.approx(0, abs=1e-6)
    found, _, labels = vision.detections(second.vectors(raw.reshape(1, 3, 3, 16))[0])
    wanted, sure, classes = vision.grid_boxes(t)
    order, again = np.argsort(labels), np.argsort(classes[sure > 0.5])
    np.testing.assert_allclose(found[order], wanted[sure > 0.5][again], atol=1e-5)


@pytest.mark.slow
def test_the_lectures_head():  # C4W3-yolofull
    net = models.YOLOv2(width=0.02)
    assert net.head.out_channels == 425 == 5 * (5 + 80)
    assert net(np.zeros((1, 416, 416, 3), np.float32)).shape == (1, 13, 13, 425)
    assert models.YOLOv2(3, width=0.02).head.out_channels == 40 == 5 * (5 + 3)


# ---- regions


def small_rcnn(**options):
    autograd.seed(0)
    net = models.faster_rcnn(num_classes=3, layers=(1, 1, 1, 1), width=8, channels=16, hidden=32, **options)
    with no_grad():
        for p in net.parameters():
            if p.ndim == 4:
                init.he_normal_(p)
    return net


def a_bright_square(rng):
    image = rng.normal(scale=0.1, size=(1, 64, 64, 3)).astype(np.float32)
    image[0, 16:48, 12:44] += 2
    return image, [[[12.0, 16.0, 44.0, 48.0]]], [[2]]


def test_proposals_lie_in_the_image_and_apart():
    net = small_rcnn().eval()
    image, _, _ = a_bright_square(np.random.default_rng(0))
    with no_grad():
        maps = net.backbone(image)
        (found,) = net.proposals(maps, (64, 64), *net.rpn(maps))
    assert 10 < len(found) <= 1000
    assert found.min() >= 0 and found.max() <= 64
    assert [m.shape[1] for m in maps] == [16, 8, 4, 2, 1]


def test_a_region_is_read_from_the_map_of_its_scale():
    """Equation 1 of Lin et al. 2016: 224 pixels of the map at 1/16."""
    net = small_rcnn()
    maps = [np.full((1, 512 // s, 512 // s, 2), float(s), np.float32) for s in (4, 8, 16, 32, 64)]
    boxes = np.array([[0, 0, n, n] for n in (60, 113, 224, 447, 448, 500)], np.float32)
    found = net.roi_heads.pooled(maps, boxes, np.zeros(6, int))
    assert found[:, 3, 3, 0].tolist() == [4, 8, 16, 16, 32, 32]


@pytest.mark.slow
def test_faster_rcnn_learns_a_picture_and_finds_what_is_in_it():
    net, (image, boxes, labels) = small_rcnn(), a_bright_square(np.random.default_rng(1))
    optimizer, costs = Adam(net.parameters(), lr=3e-3), []
    for _ in range(120):
        cost = net.losses(image, boxes, labels)
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
        costs.append(cost.item())
    assert np.mean(costs[-5:]) < 0.25 * costs[0]
    ((found, scores, classes),) = net.eval().detect(image)
    assert classes[0] == 2
    assert scores[0] > 0.5
    assert vision.iou(found[0], boxes[0][0]) > 0.6
    assert (np.diff(scores) <= 0).all()


def test_fast_rcnn_is_told_where_to_look():
    net = models.fast_rcnn(num_classes=3, layers=(1, 1, 1, 1), width=4, channels=8, hidden=16).eval()
    image, boxes, labels = a_bright_square(np.random.default_rng(2))
    logits, deltas = net(image, boxes)
    assert (logits.shape, deltas.shape) == ((1, 3), (1, 12))
    ((found, _, classes),) = net.detect(image, boxes, min_score=0.0)
    assert len(found) == 2 and set(classes) == {1, 2}  # each region for each class but the background
    wide = [[*boxes[0], [0, 0, 20, 20], [30, 40, 64, 64]]]
    logits, deltas = net(image, [[*wide[0], *boxes[0]]])  # in training the objects are regions too
    classes = nn.CrossEntropyLoss()(logits, np.array([2, 0, 0, 2]))
    moves = deltas.numpy().reshape(4, 3, 4)[[0, 3], 2]  # of the two that are the object, to stay
    huber = np.where(abs(moves) < 1 / 9, 4.5 * moves**2, abs(moves) - 1 / 18)
    assert net.losses(image, boxes, labels, wide).item() == pytest.approx(
        classes.item() + huber.sum() / 4, rel=1e-4
    )
    for call in (lambda: net(image), lambda: net.losses(image, boxes, labels)):
        with pytest.raises(ValueError, match=r"does not propose regions itself: call model\(images, boxes\)"):
            call()


def test_what_has_no_box_still_costs():
    net, (image, _, _) = small_rcnn(), a_bright_square(np.random.default_rng(3))
    cost = net.losses(image, [np.zeros((0, 4))], [[]])
    cost.backward()
    assert cost.item() > 0
    assert all(np.isfinite(writable(p.grad)).all() for p in net.parameters() if p.grad is not None)
