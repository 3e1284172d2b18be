"""Connectionist temporal classification: sequences whose labels are not aligned with time."""

import numpy as np

from autograd.ops.ctc import ctc
from autograd.tensor import as_array

from .reduction import Loss, check_predictions, check_reduction, reduced


def ctc_loss(
    log_probabilities,
    targets,
    input_lengths=None,
    target_lengths=None,
    blank=0,
    reduction="mean",
    zero_infinity=False,
):
    """- log of the probability that the labels come out, summed over all ways to spread them over time: a way
    gives each step a label or the blank, and is read by merging repeats, then dropping blanks ("ttt_h_eee" is
    "the").

    `log_probabilities` (m, T, C), from a log-softmax (PyTorch has (T, m, C)); `targets` (m, S) class numbers,
    padded with anything, or those of all examples in one row (sum of target_lengths,); `input_lengths` and
    `target_lengths` (m,), by default T and S for all; `blank` is the number of the blank.

    Labels that do not fit into the time (repeats need a blank between) cost infinity, or 0 with
    `zero_infinity`; their gradient is 0. The "mean" divides each loss by its number of labels first, as
    PyTorch does. Raises ValueError for other shapes, lengths and labels out of range. Graves et al. 2006;
    COURSE.md C5W3-ctc."""
    name = "ctc_loss"
    check_reduction(reduction)
    check_predictions(log_probabilities, name, "log_probabilities")
    if log_probabilities.ndim != 3:
        shape = log_probabilities.shape
        hint = ": one example is x[None]" if len(shape) == 2 else ""
        raise ValueError(f"{name}: log_probabilities need shape (m, T, C), got {shape}{hint}")
    m, T = log_probabilities.shape[:2]
    targets = as_array(targets)
    if targets.ndim == 1:
        targets, target_lengths = _rows(targets, target_lengths, m, name)
    if targets.ndim == 2 and len(targets) == T != m:
        raise ValueError(
            f"{name}: log_probabilities {log_probabilities.shape} and targets {targets.shape}: "
            "the batch comes first, log_probabilities.transpose(1, 0, 2)"
        )
    lengths = [
        np.full(m, full) if given is None else as_array(given)
        for given, full in ((input_lengths, T), (target_lengths, targets.shape[-1] if targets.ndim else 0))
    ]
    losses = ctc(log_probabilities, targets, *lengths, blank)
    if zero_infinity:
        losses = np.where(np.isfinite(losses), losses, 0.0)
    if reduction == "mean":
        losses = losses / np.maximum(lengths[1], 1).astype(losses.dtype)
    return reduced(losses, reduction, name)


def _rows(targets, lengths, m, name):
    """Targets that follow each other as padded rows."""
    if lengths is None:
        raise ValueError(f"{name}: targets in one row {targets.shape} need target_lengths ({m},)")
    lengths = as_array(lengths)
    if lengths.shape != (m,) or lengths.sum() != len(targets) or (m and lengths.min() < 0):
        raise ValueError(
            f"{name}: {len(targets)} targets in one row need {m} target_lengths that sum to it, got {lengths}"
        )
    rows = np.zeros((m, int(lengths.max(initial=0))), targets.dtype)
    rows[np.arange(rows.shape[1]) < lengths[:, None]] = targets
    return rows, lengths


class CTCLoss(Loss):
    """`ctc_loss(log_probabilities, targets, input_lengths, target_lengths)`. CTCLoss(blank=0,
    reduction="mean", zero_infinity=False)."""

    function = staticmethod(ctc_loss)

    def __init__(self, blank=0, reduction="mean", zero_infinity=False):
        super().__init__(reduction, blank=blank, zero_infinity=zero_infinity)
