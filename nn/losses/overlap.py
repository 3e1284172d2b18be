"""Losses of segmentation by the overlap of two areas, which do not mind how small an area is."""

import numpy as np

from autograd.tensor import Tensor, as_array, unwrap

from .reduction import Loss, check_predictions, check_shares, class_numbers, like_predictions, reduced


def _areas(probabilities, targets, name):
    """sum p t, sum p and sum t over all axes but the first and the last: each (m, C)."""
    check_predictions(probabilities, name, "probabilities")
    if probabilities.ndim < 2:
        raise ValueError(f"{name}: probabilities need shape (m, ..., C), got {probabilities.shape}")
    check_shares(unwrap(probabilities), name, "probabilities", "apply a softmax or a sigmoid")
    t = targets if isinstance(targets, Tensor) else as_array(targets)
    if t.shape == probabilities.shape[:-1]:
        numbers, _ = class_numbers(probabilities, t, name, "probabilities")
        t = np.arange(probabilities.shape[-1]) == numbers[..., None]
    t = like_predictions(probabilities, t, name, "probabilities")
    check_shares(unwrap(t), name, "targets", "use 0 and 1")
    axes = tuple(range(1, probabilities.ndim - 1))
    return [np.sum(x, axis=axes) if axes else x for x in (probabilities * t, probabilities, t)]


def dice_loss(probabilities, targets, smooth=1.0, reduction="mean"):
    """1 - (2 sum p t + smooth) / (sum p + sum t + smooth), for each image and class: one less the Dice
    coefficient, of probabilities p (m, ..., C) and targets of the same shape in [0, 1] or class numbers (m,
    ...). `reduction` is over these (m, C). `smooth` decides for a class that is neither there nor predicted:
    then the loss is 0. Raises ValueError for other shapes and values outside [0, 1]. Milletari et al. 2016
    (V-Net, there with squares below); COURSE.md C4W3-unet."""
    both, p, t = _areas(probabilities, targets, "dice_loss")
    s = float(smooth)
    return reduced(1.0 - (2.0 * both + s) / (p + t + s), reduction, "dice_loss")


def soft_iou_loss(probabilities, targets, smooth=1.0, reduction="mean"):
    """1 - (sum p t + smooth) / (sum p + sum t - sum p t + smooth): one less the intersection over union.
    Arguments and errors of `dice_loss`. Rahman and Wang 2016; COURSE.md C4W3-iou."""
    both, p, t = _areas(probabilities, targets, "soft_iou_loss")
    s = float(smooth)
    return reduced(1.0 - (both + s) / (p + t - both + s), reduction, "soft_iou_loss")


class DiceLoss(Loss):
    """`dice_loss(probabilities, targets)`. DiceLoss(smooth=1.0, reduction="mean")."""

    function = staticmethod(dice_loss)

    def __init__(self, smooth=1.0, reduction="mean"):
        super().__init__(reduction, smooth=smooth)


class SoftIoULoss(Loss):
    """`soft_iou_loss(probabilities, targets)`. SoftIoULoss(smooth=1.0, reduction="mean")."""

    function = staticmethod(soft_iou_loss)

    def __init__(self, smooth=1.0, reduction="mean"):
        super().__init__(reduction, smooth=smooth)
