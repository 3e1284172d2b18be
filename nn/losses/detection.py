"""Losses of vectors that tell whether there is something, and then where and what."""

import numpy as np

from .reduction import Loss, like_predictions, reduced


def localization_loss(predictions, targets, reduction="mean"):
    """sum_k (yhat_k - y_k)^2 where the target's first number is 1, there is an object; (yhat_1 - y_1)^2
    alone, where it is 0, and the others may be anything. Vectors [p_c, b_x, b_y, b_h, b_w, c_1, ...] (m, ...,
    n), losses (m, ...): a grid is as many vectors. Raises ValueError for other shapes, a first number that is
    neither, and NaN in what counts. COURSE.md C4W3-localize, C4W3-landmark."""
    name = "localization_loss"
    y = like_predictions(predictions, targets, name)
    if not y.ndim or not y.shape[-1]:
        raise ValueError(f"{name}: predictions need shape (m, ..., n), got {predictions.shape}")
    has = y[..., :1]
    if not np.isin(has, (0, 1)).all():
        raise ValueError(f"{name}: the first number of a target is 1 or 0: is there an object or not")
    counts = np.concatenate([np.ones_like(has, bool), np.repeat(has == 1, y.shape[-1] - 1, -1)], axis=-1)
    y = np.where(counts, y, 0)
    if np.isnan(y).any():
        raise ValueError(f"{name}: a target with an object has NaN")
    errors = np.where(counts, predictions - y, 0.0)
    return reduced(np.sum(errors * errors, axis=-1), reduction, name)


class LocalizationLoss(Loss):
    """`localization_loss(predictions, targets)`. LocalizationLoss(reduction="mean")."""

    function = staticmethod(localization_loss)
