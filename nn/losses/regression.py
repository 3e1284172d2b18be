"""Losses of real-valued predictions."""

import numpy as np

from .reduction import Loss, like_predictions, reduced


def mse_loss(predictions, targets, reduction="mean"):
    """Squared error (yhat - y)^2, over arrays of one shape; reduced to the mean over all entries, the "sum",
    or "none".

    The course's 1/2 (yhat - y)^2 is half of it (COURSE.md C1W2-bce). Raises ValueError for arrays of
    different shapes, and for the mean of none; TypeError for predictions that are no floats."""
    difference = predictions - like_predictions(predictions, targets, "mse_loss")
    return reduced(difference * difference, reduction, "mse_loss")


def l1_loss(predictions, targets, reduction="mean"):
    """Absolute error |yhat - y|, the course's L1 (COURSE.md N-losses, there the sum). Shapes and errors of
    `mse_loss`."""
    return reduced(
        np.abs(predictions - like_predictions(predictions, targets, "l1_loss")), reduction, "l1_loss"
    )


class MSELoss(Loss):
    """`mse_loss(predictions, targets)`. MSELoss(reduction="mean")."""

    def forward(self, predictions, targets):
        return mse_loss(predictions, targets, self.reduction)


class L1Loss(Loss):
    """`l1_loss(predictions, targets)`. L1Loss(reduction="mean")."""

    def forward(self, predictions, targets):
        return l1_loss(predictions, targets, self.reduction)
