"""Boxes: the lecture's examples, pixels counted one by one, and greedy suppression written out."""

import math
import time

import numpy as np
import pytest

from nn import vision


def random_boxes(rng, n, size=20, smallest=1):
    """Boxes with whole numbers as corners, so that pixels can be counted."""
    start = rng.integers(0, size, (n, 2))
    return np.concatenate([start, start + rng.integers(smallest, size, (n, 2))], -1).astype(float)


def painted(box, size=40):
    x1, y1, x2, y2 = map(int, box)
    picture = np.zeros((size, size), bool)
    picture[y1:y2, x1:x2] = True
    return picture


# ---- formats and overlap


def test_formats_turn_into_each_other():
    boxes = np.array([[10.0, 20.0, 30.0, 60.0], [0.0, 0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(vision.centred(boxes), [[20, 40, 20, 40], [0, 0, 0, 0]])
    np.testing.assert_array_equal(vision.corners(vision.centred(boxes)), boxes)
    np.testing.assert_array_equal(vision.relative(boxes, 100, 200)[0], [0.1, 0.1, 0.3, 0.3])
    np.testing.assert_allclose(vision.pixels(vision.relative(boxes, 100, 200), 100, 200), boxes)
    np.testing.assert_array_equal(vision.clip([[-5, 3, 50, 70]], 40, 60), [[0, 3, 40, 60]])
    np.testing.assert_array_equal(vision.area(boxes), [800, 0])


def test_the_course_example():  # C4W3-iou
    assert vision.iou((2, 1, 4, 3), (1, 2, 3, 4)) == 1 / 7


def test_overlaps_are_those_of_counted_pixels():
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 40), random_boxes(rng, 40)
    for x, y in zip(a, b):
        p, q = painted(x), painted(y)
        hull = painted([*np.minimum(x, y)[:2], *np.maximum(x, y)[2:]])
        share = (p & q).sum() / (p | q).sum()
        assert vision.iou(x, y) == pytest.approx(share)
        assert vision.giou(x, y) == pytest.approx(share - (hull & ~(p | q)).sum() / hull.sum())
        apart = math.dist((x[:2] + x[2:]) / 2, (y[:2] + y[2:]) / 2)
        diagonal = math.dist(np.minimum(x, y)[:2], np.maximum(x, y)[2:])
        assert vision.diou(x, y) == pytest.approx(share - apart**2 / diagonal**2)
        angles = [math.atan((z[2] - z[0]) / (z[3] - z[1])) for z in (x, y)]
        v = 4 / math.pi**2 * (angles[0] - angles[1]) ** 2
        alpha = v / (1 - share + v) if v else 0
        assert vision.ciou(x, y) == pytest.approx(share - apart**2 / diagonal**2 - alpha * v)
    np.testing.assert_allclose(np.diagonal(vision.iou(a[:, None], b)), vision.iou(a, b))


@pytest.mark.parametrize("overlap", [vision.iou, vision.giou, vision.diou, vision.ciou])
def test_overlap_is_symmetric_and_1_of_a_box_with_itself(overlap):
    rng = np.random.default_rng(1)
    a, b = random_boxes(rng, 30), random_boxes(rng, 30)
    np.testing.assert_allclose(overlap(a, b), overlap(b, a))
    np.testing.assert_allclose(overlap(a, a), 1)
    assert overlap(np.zeros((0, 1, 4)), b).shape == (0, 30)
    assert overlap((3, 3, 3, 3), (3, 3, 3, 3)) == 0  # no area at all
    far = overlap((0, 0, 1, 1), (99, 99, 100, 100))
    assert far == 0 if overlap is vision.iou else -1 <= far < -0.9


@pytest.mark.parametrize(
    ("boxes", "said"),
    [
        (
            [3, 1, 1, 2],
            r"1 of 1 boxes end before they start, such as \[3.0, 1.0, 1.0, 2.0\].*corners\(boxes\)",
        ),
        ([1, 2, 3], r"4 numbers on the last axis, got shape \(3,\)"),
        ([[0, 0, math.nan, 1]], "1 boxes are not finite"),
        (["a", "b", "c", "d"], "must be numbers"),
    ],
)
def test_bad_boxes_are_refused(boxes, said):
    for call in (
        vision.area,
        vision.centred,
        lambda b: vision.iou(b, (0, 0, 1, 1)),
        lambda b: vision.clip(b, 9, 9),
        lambda b: vision.nms(b, [0.5]),
    ):
        with pytest.raises(ValueError, match=said):
            call(boxes)


def test_other_refusals():
    with pytest.raises(ValueError, match="widths and heights must not be negative"):
        vision.corners([0, 0, -1, 2])
    with pytest.raises(ValueError, match="width and height > 0, got 0 and 5"):
        vision.relative([0, 0, 1, 1], 0, 5)
    with pytest.raises(ValueError, match=r"needs? scores \(n,\), got \(2, 4\) and \(1,\)"):
        vision.nms([[0, 0, 1, 1]] * 2, [1.0])
    with pytest.raises(ValueError, match="labels are class numbers"):
        vision.nms([[0, 0, 1, 1]], [1.0], labels=[0.5])
    with pytest.raises(ValueError, match="1 of 1 scores are NaN"):
        vision.nms([[0, 0, 1, 1]], [math.nan])
    with pytest.raises(ValueError, match=r"in \(0, 1\], got 1.5"):
        vision.nms([[0, 0, 1, 1]], [1.0], 1.5)


# ---- suppression


def greedy(boxes, scores, threshold, labels, min_score):
    """The lecture's three lines, one class after the other."""
    kept = []
    for label in set(labels.tolist()):
        rest = [i for i in np.argsort(-scores, kind="stable") if labels[i] == label and scores[i] > min_score]
        while rest:
            best, *rest = rest
            kept.append(best)
            rest = [i for i in rest if vision.iou(boxes[best], boxes[i]) < threshold]
    return sorted(kept, key=lambda i: (-scores[i], i))


@pytest.mark.parametrize("threshold", [0.2, 0.5, 1.0])
def test_suppression_is_the_lectures(threshold):  # C4W3-nms
    rng = np.random.default_rng(2)
    boxes, labels = random_boxes(rng, 120), rng.integers(0, 3, 120)
    scores = rng.integers(0, 20, 120) / 20  # many are equal
    expected = greedy(boxes, scores, threshold, labels, 0.3)
    assert 0 < len(expected) < 100
    assert vision.nms(boxes, scores, threshold, labels, 0.3).tolist() == expected
    alone = greedy(boxes, scores, threshold, 0 * labels, -1)
    assert vision.nms(boxes, scores, threshold).tolist() == alone


def test_suppression_at_the_edge_of_its_thresholds():
    boxes = [
        [0, 0, 2, 1],
        [0, 0, 1, 1],
        [5, 5, 6, 6],
    ]  # IoU 1/2 of the first two: at the threshold, so dropped
    assert vision.nms(boxes, [0.9, 0.8, 0.6]).tolist() == [0, 2]
    assert vision.nms(boxes, [0.9, 0.8, 0.6], min_score=0.6).tolist() == [0]
    assert vision.nms(boxes, [0.9, 0.8, 0.7], labels=[0, 1, 0]).tolist() == [0, 1, 2]
    assert vision.nms([], []).tolist() == []


def test_ten_thousand_boxes_are_no_wait():
    rng = np.random.default_rng(3)
    start = rng.uniform(0, 1000, (10_000, 2))
    boxes = np.concatenate([start, start + rng.uniform(10, 100, (10_000, 2))], -1)
    scores, labels = rng.random(10_000), rng.integers(0, 80, 10_000)
    vision.nms(boxes[:2], scores[:2])  # compiles
    began = time.perf_counter()
    kept = vision.nms(boxes, scores, labels=labels)
    assert time.perf_counter() - began < 0.5  # 3 ms on a machine that does nothing else
    assert len(kept) > 9000


# ---- targets of a grid


def test_a_cells_vector():  # C4W3-yolo: 3x3x8 on a picture of 100x100
    middle, size = np.array([1.4, 1.3]) / 3, np.array([0.5, 0.9]) / 3
    box = vision.corners([*middle, *size])
    targets = vision.grid_targets([box], [1], num_classes=3)
    assert targets.shape == (3, 3, 8)
    np.testing.assert_allclose(targets[1, 1], [1, 0.4, 0.3, 0.9, 0.5, 0, 1, 0], atol=1e-6)
    assert np.count_nonzero(targets) == 6  # all in that cell
    wide = vision.grid_targets([[0.1, 0.3, 0.9, 0.7]], [0], 3)
    assert wide[1, 1, 4] == pytest.approx(2.4)  # sizes may exceed 1, midpoints may not


def test_two_anchors():  # C4W3-anchors: 3x3x16 = 3x3x2x8
    tall, wide = [0.5, 2.0], [2.0, 0.6]  # of a pedestrian and a car
    pedestrian = vision.corners(np.array([1.5, 2.5, 0.4, 1.9]) / 3)
    car = vision.corners(np.array([1.5, 2.4, 1.8, 0.7]) / 3)
    both = vision.grid_targets([pedestrian, car], [0, 1], 3, anchors=[tall, wide])
    assert both.shape == (3, 3, 2, 8)
    assert both.reshape(3, 3, 16).shape == (3, 3, 16)
    np.testing.assert_allclose(both[2, 1, 0], [1, 0.5, 0.5, 1.9, 0.4, 1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(both[2, 1, 1], [1, 0.5, 0.4, 0.7, 1.8, 0, 1, 0], atol=1e-6)
    alone = vision.grid_targets([car], [1], 3, anchors=[tall, wide])
    assert not alone[2, 1, 0].any()
    np.testing.assert_array_equal(alone[2, 1, 1], both[2, 1, 1])


def test_sizes_of_the_full_grid():  # C4W3-yolofull
    anchors = np.arange(1, 11).reshape(5, 2)
    assert vision.grid_targets([], [], 3, (19, 19), anchors).reshape(19, 19, -1).shape == (19, 19, 40)
    assert vision.grid_targets([], [], 80, (19, 19), anchors).reshape(19, 19, -1).shape == (19, 19, 425)


def test_more_objects_than_their_best_anchor_holds():
    anchors = [[1, 1], [3, 3]]
    box = vision.corners(np.array([0.5, 0.5, 1, 1]) / 3)
    targets = vision.grid_targets([box] * 3, [0, 1, 2], 3, anchors=anchors)
    assert targets[0, 0, :, 5:].tolist() == [[1, 0, 0], [0, 1, 0]]  # the next best, then none is left


def test_what_is_encoded_is_decoded():
    rng = np.random.default_rng(4)
    sizes = rng.uniform(0.05, 0.4, (6, 2))
    middles = (np.array([[0, 1], [2, 3], [4, 0], [1, 1], [3, 4], [5, 5]]) + rng.random((6, 2))) / 7
    boxes, labels = vision.corners(np.concatenate([middles, sizes], -1)), rng.integers(0, 4, 6)
    for anchors in (None, [[1.0, 1.0], [2.0, 1.0]]):
        found, scores, classes = vision.grid_boxes(vision.grid_targets(boxes, labels, 4, (7, 7), anchors))
        assert len(found) == 49 * (1 if anchors is None else 2)
        kept = vision.nms(found, scores, labels=classes, min_score=0.6)
        assert len(kept) == 6
        order = np.lexsort(boxes.T)
        again = np.lexsort(found[kept].T)
        np.testing.assert_allclose(found[kept][again], boxes[order], atol=1e-6)
        assert classes[kept][again].tolist() == labels[order].tolist()


def test_targets_that_cannot_be():
    with pytest.raises(ValueError, match="a midpoint lies outside the image"):
        vision.grid_targets([[0.9, 0.1, 1.3, 0.2]], [0], 3)
    with pytest.raises(ValueError, match="class numbers 0 to 2, got"):
        vision.grid_targets([[0.1, 0.1, 0.3, 0.2]], [3], 3)
    with pytest.raises(ValueError, match="1 boxes need as many labels"):
        vision.grid_targets([[0.1, 0.1, 0.3, 0.2]], [1, 2], 3)
    with pytest.raises(ValueError, match=r"vectors are .* got \(3, 8\)"):
        vision.grid_boxes(np.zeros((3, 8)))


# ---- anchors


def test_overlap_of_shapes():
    np.testing.assert_allclose(
        vision.shape_iou([[1, 1], [2, 1]], [[1, 1], [1, 2]]), [[1, 1 / 2], [1 / 2, 1 / 3]]
    )
    with pytest.raises(ValueError, match="numbers > 0"):
        vision.shape_iou([[0, 1]], [[1, 1]])
    with pytest.raises(ValueError, match=r"\(n, 2\).* got shape \(3,\)"):
        vision.shape_iou([1, 2, 3], [[1, 1]])


def test_anchors_of_a_training_set():
    rng = np.random.default_rng(5)
    shapes = np.array([[1.0, 2.0], [4.0, 3.0], [9.0, 10.0]])
    sizes = np.repeat(shapes, 50, 0) * rng.uniform(0.95, 1.05, (150, 2))
    found = vision.anchor_sizes(sizes, 3, np.random.default_rng(0))
    assert vision.shape_iou(found, shapes).max(1).min() > 0.9
    assert vision.shape_iou(sizes, found).max(1).mean() > 0.9
    with pytest.raises(ValueError, match="4 anchors of 1 different sizes"):
        vision.anchor_sizes([[1, 1]] * 9, 4, rng)


def test_anchors_around_places():
    # the nine of Ren et al. 2015 for the first place, rounded as torchvision rounds them
    first = vision.anchor_grid((2, 3), (16, 16), (128, 256, 512), (0.5, 1.0, 2.0))
    assert first.shape == (2 * 3 * 9, 4)
    assert first[0].tolist() == [-91, -45, 91, 45]  # 128 / sqrt(1/2) = 181.02 wide, 90.5 high
    assert first[3].tolist() == [-64, -64, 64, 64]
    assert first[8].tolist() == [-181, -362, 181, 362]
    np.testing.assert_array_equal(first[9], first[0] + [16, 0, 16, 0])  # to the right
    np.testing.assert_array_equal(first[27], first[0] + [0, 16, 0, 16])  # down
    with pytest.raises(ValueError, match="must be > 0"):
        vision.anchor_grid((1, 1), (1, 1), (0,), (1,))


def test_which_anchor_has_which_object():
    anchors = [[0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 4], [50, 50, 60, 60], [20, 20, 30, 30]]
    boxes = [
        [0, 0, 10, 10],
        [55, 50, 65, 60],
    ]  # IoU with the first: 1, .5, .4, 0; with the second 0, 0, 0, 1/3
    assert vision.match(anchors, boxes, 0.7, 0.45).tolist() == [0, -2, -1, -1, -1]
    assert vision.match(anchors, boxes, 0.7, 0.3).tolist() == [0, -2, -2, -2, -1]
    assert vision.match(anchors, boxes, 0.7, 0.3, keep_best=True).tolist() == [0, -2, -2, 1, -1]
    assert vision.match(anchors, [], 0.7, 0.3).tolist() == [-1] * 5
    with pytest.raises(ValueError, match="low=0.8 must not be over high=0.5"):
        vision.match(anchors, boxes, 0.5, 0.8)


def test_deltas():
    anchor = vision.corners([50.0, 50.0, 20.0, 10.0])
    box = vision.corners([54.0, 48.0, 20 * math.e, 5.0])
    np.testing.assert_allclose(vision.encode_deltas(box, anchor), [0.2, -0.2, 1, -math.log(2)])
    np.testing.assert_allclose(
        vision.encode_deltas(box, anchor, (10, 10, 5, 5)), [2, -2, 5, -5 * math.log(2)], atol=1e-12
    )
    rng = np.random.default_rng(6)
    a, b = random_boxes(rng, 30), random_boxes(rng, 30)
    for weights in ((1, 1, 1, 1), (10, 10, 5, 5)):
        np.testing.assert_allclose(
            vision.decode_deltas(vision.encode_deltas(b, a, weights), a, weights), b, atol=1e-9
        )
    grown = vision.centred(vision.decode_deltas([0, 0, 99, 0], anchor))
    np.testing.assert_allclose(grown, [50, 50, 20 * 62.5, 10])
    with pytest.raises(ValueError, match="no area"):
        vision.encode_deltas([1, 1, 1, 2], anchor)
