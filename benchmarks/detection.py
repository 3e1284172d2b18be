"""A training step of YOLO, its loss included, and the same loss in PyTorch's words."""

import numpy as np

BOXES, COORDINATES, NO_OBJECT = 2, 5.0, 0.5  # of a cell; the weights of the paper


def pictures(rng, m, n, grid, classes, objects, options):
    """m images of n x n, and for each the vectors [p_c, b_x, b_y, b_h, b_w, classes] of a grid, in which
    some cells have an object: midpoints in the cell, sizes in cells."""
    targets = np.zeros((m, grid * grid, 5 + classes), np.float32)
    for image in targets:
        cells = rng.choice(grid * grid, objects, replace=False)
        image[cells, 0] = 1
        image[cells, 1:3] = rng.random((objects, 2))
        image[cells, 3:5] = rng.uniform(0.5, grid, (objects, 2))
        image[cells, 5 + rng.integers(0, classes, objects)] = 1
    return {
        "inputs": [rng.standard_normal((m, n, n, 3), np.float32)],
        "targets": [targets.reshape(m, grid, grid, -1)],
        "options": options,
    }


def cost(functional, outputs, targets):
    """Redmon et al. 2015, equation 3, the mean over images."""
    if functional.__name__.startswith("torch"):
        return _torch_cost(outputs[0].movedim(1, -1), targets.movedim(1, -1))
    from nn.models import YOLOv1Loss

    return YOLOv1Loss(BOXES, COORDINATES, NO_OBJECT)(outputs[0], targets)


def _torch_cost(outputs, targets):
    import torch

    told = outputs[..., : 5 * BOXES].unflatten(-1, (BOXES, 5))  # (m, S, S, boxes, 5)
    has, cells = targets[..., 0], outputs.shape[1]
    wanted = torch.cat([targets[..., 1:3], (targets[..., 3:5] / cells).sqrt()], -1).unsqueeze(-2)
    with torch.no_grad():
        shares = _iou(told[..., 1:], wanted, cells)
        best = torch.nn.functional.one_hot(shares.argmax(-1), BOXES)
        responsible = has.unsqueeze(-1) * best  # (m, S, S, boxes)
    places = (told[..., 1:] - wanted).square().sum(-1)
    p = told[..., 0]
    boxes = responsible * (COORDINATES * places + (p - shares).square())
    empty = NO_OBJECT * (1 - responsible) * p.square()
    classes = has * (outputs[..., 5 * BOXES :] - targets[..., 5:]).square().sum(-1)
    return (boxes.sum() + empty.sum() + classes.sum()) / len(outputs)


def _iou(a, b, cells):
    """Of boxes [b_x, b_y, root of b_h, root of b_w], midpoints in the cell, sizes in shares of the image."""
    (low_a, high_a), (low_b, high_b) = _corners(a, cells), _corners(b, cells)
    both = (high_a.minimum(high_b) - low_a.maximum(low_b)).clamp(min=0).prod(-1)
    return both / ((high_a - low_a).prod(-1) + (high_b - low_b).prod(-1) - both)


def _corners(boxes, cells):
    middle, half = boxes[..., :2] / cells, boxes[..., 2:].square().flip(-1) / 2  # x, y; w, h
    return middle - half, middle + half
