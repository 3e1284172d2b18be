"""What losses say to bad input: one line that names both sides."""

import numpy as np
import pytest

import nn
from autograd import Tensor
from nn import functional as F

logits = Tensor(np.zeros((4, 3), np.float32))
column = Tensor(np.full((4, 1), 0.5, np.float32))
ones = np.ones((4, 3))
frames = np.log(np.full((2, 5, 4), 0.25))
words = np.ones((4, 2))


@pytest.mark.parametrize(
    "function",
    [
        F.mse_loss,
        F.l1_loss,
        F.huber_loss,
        F.smooth_l1_loss,
        F.poisson_nll_loss,
        F.binary_cross_entropy,
        F.binary_cross_entropy_with_logits,
        F.soft_margin_loss,
        F.hinge_embedding_loss,
        F.kl_div,
        F.multilabel_soft_margin_loss,
    ],
)
def test_a_column_of_predictions_against_a_row_of_targets(function):
    with pytest.raises(ValueError, match=r"\(4, 1\) and targets \(4,\) must have one shape: reshape one"):
        function(column, np.ones(4))
    with pytest.raises(ValueError, match=r"\(4, 1\) and targets \(5, 1\) must have one shape$"):
        function(column, np.ones((5, 1)))


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: F.cross_entropy(logits, [0, 1, 2, 3]), ValueError, "0..2, got 3"),
        (lambda: F.cross_entropy(logits, [0, 1, -1, 2]), ValueError, "0..2, got -1"),
        (lambda: F.cross_entropy(logits, [0.0, 1.0, 2.0, 1.0]), TypeError, "must be integers, got float"),
        (lambda: F.cross_entropy(logits, [True, False, True, True]), TypeError, "must be integers, got bool"),
        (lambda: F.cross_entropy(logits, [[0], [1], [2], [1]]), ValueError, "shape (4, 1), logits (4, 3)"),
        (lambda: F.cross_entropy(logits, [0, 1, 2]), ValueError, "labels have shape (3,), logits (4, 3)"),
        (
            lambda: F.cross_entropy(logits, ones * 2),
            ValueError,
            "one-hot labels must be in [0, 1], got 2 to 2",
        ),
        (lambda: F.cross_entropy([0, 1], [0]), TypeError, "logits must be a Tensor or an ndarray, got list"),
        (lambda: F.cross_entropy(np.zeros((4, 3), int), [0] * 4), TypeError, "must be floats, got int64"),
        (lambda: F.cross_entropy(np.zeros((4, 0)), [0] * 4), ValueError, "(4, 0) have no class"),
        (lambda: F.cross_entropy(np.zeros(()), 0), ValueError, "() have no class"),
        (
            lambda: F.cross_entropy(logits, [0] * 4, weight=[1.0, 2.0]),
            ValueError,
            "a class, (3,), got shape (2,)",
        ),
        (lambda: F.cross_entropy(logits, [0] * 4, label_smoothing=1.5), ValueError, "in [0, 1], got 1.5"),
        (lambda: F.cross_entropy(logits, [-100] * 4), ValueError, "no entry counts: 4 losses"),
        (lambda: F.nll_loss(logits, [0, 1, 2, 5]), ValueError, "nll_loss: labels must lie in 0..2, got 5"),
        (
            lambda: F.mse_loss(np.zeros(3, int), np.zeros(3)),
            TypeError,
            "are predictions and targets swapped?",
        ),
        (lambda: F.mse_loss([1.0], [1.0]), TypeError, "must be a Tensor or an ndarray, got list"),
        (lambda: F.mse_loss(column, np.ones((4, 1), complex)), TypeError, "real numbers, got complex128"),
        (
            lambda: F.binary_cross_entropy(column * 3, np.ones((4, 1))),
            ValueError,
            "in [0, 1], got 1.5 to 1.5",
        ),
        (lambda: F.binary_cross_entropy(column, -np.ones((4, 1))), ValueError, "[0, 1], got -1 to -1"),
        (lambda: F.binary_cross_entropy(column * np.nan, np.ones((4, 1))), ValueError, "got nan to nan"),
        (
            lambda: F.binary_cross_entropy_with_logits(column, [[-1], [1], [1], [1]]),
            ValueError,
            "got -1 to 1: use 0 and 1",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(column, [["1"]] * 4),
            TypeError,
            "a tensor holds numbers",
        ),
        (
            lambda: F.binary_cross_entropy_with_logits(logits, ones, weight=np.ones(4)),
            ValueError,
            "weight (4,) does not broadcast to the losses (4, 3)",
        ),
        (lambda: F.huber_loss(ones, ones, delta=0), ValueError, "delta must be over 0, got 0"),
        (lambda: F.smooth_l1_loss(ones, ones, beta=-1), ValueError, "beta must not be negative, got -1"),
        (lambda: F.gaussian_nll_loss(ones, ones, -ones), ValueError, "a variance is not negative, got -1"),
        (
            lambda: F.gaussian_nll_loss(ones, ones, np.ones(3)),
            ValueError,
            "need var (4, 3) or (4,), got (3,)",
        ),
        (
            lambda: F.kl_div(ones, -ones),
            ValueError,
            "targets are probabilities, got -1; is log_target meant?",
        ),
        (lambda: F.kl_div(ones, ones, "batch"), ValueError, '"mean", "batchmean", "sum" or "none", got'),
        (
            lambda: F.soft_margin_loss(ones, ones * 0),
            ValueError,
            "-1 or 1, got 0: of 0 and 1 they are 2 * y - 1",
        ),
        (lambda: F.hinge_embedding_loss(ones, ones * 2), ValueError, "targets are -1 or 1, got 2"),
        (lambda: F.margin_ranking_loss(ones, ones[:2], ones), ValueError, "(2, 3) and first (4, 3)"),
        (lambda: F.cosine_embedding_loss(ones, ones, ones), ValueError, "need targets (4,) of -1 and 1"),
        (lambda: F.multi_margin_loss(ones, [0] * 4, p=3), ValueError, "p is 1 or 2, got 3"),
        (lambda: F.multilabel_margin_loss(ones, [[0, 1, 3]] * 4), ValueError, "in -1..2, got 0 to 3"),
        (lambda: F.multilabel_margin_loss(ones, [0, 1, 2]), ValueError, "(4, 3) and labels (3,)"),
        (lambda: F.triplet_margin_loss(ones, ones, ones[:3]), ValueError, "(3, 3) and anchor (4, 3)"),
        (lambda: F.triplet_margin_loss(ones, ones, ones, p=0.5), ValueError, "p must be at least 1, got 0.5"),
        (lambda: F.contrastive_loss(ones, ones, [1, 0, 2, 1]), ValueError, "1 or 0 of each pair, (4,)"),
        (lambda: F.hard_triplet_loss(ones, [0, 1]), ValueError, "need labels (m,), got (4, 3) and (2,)"),
        (lambda: F.hard_triplet_loss(ones, [0, 1, 2, 3]), ValueError, "a batch needs a label twice"),
        (lambda: F.semi_hard_triplet_loss(ones, [1, 1, 1, 1]), ValueError, "no triplet among 4 labels"),
        (
            lambda: F.dice_loss(ones * 2, ones),
            ValueError,
            "in [0, 1], got 2 to 2: apply a softmax or a sigmoid",
        ),
        (lambda: F.dice_loss(ones, np.ones((4, 2))), ValueError, "(4, 3) and targets (4, 2)"),
        (lambda: F.dice_loss(np.ones(3), np.ones(3)), ValueError, "need shape (m, ..., C), got (3,)"),
        (lambda: F.gram_matrix(ones), ValueError, "need shape (m, n_H, n_W, n_C), got (4, 3)"),
        (
            lambda: F.style_loss(np.ones((1, 2, 2, 3)), [ones]),
            TypeError,
            "generated is a list of one array a layer",
        ),
        (
            lambda: F.style_loss([ones], [ones, ones]),
            ValueError,
            "1 layers of the generated image, 2 of the style",
        ),
        (
            lambda: F.multitask_loss(ones, ones[:2]),
            ValueError,
            "multitask_loss: logits (4, 3) and targets (2, 3)",
        ),
        (lambda: F.multitask_loss(ones, ones * 2), ValueError, "multitask_loss: targets must be in [0, 1]"),
        (lambda: F.weighted(ones, [1, 2]), ValueError, "losses (4, 3) need weights (4,), got (2,)"),
        (lambda: F.weighted(ones, [1, 2, -1, 0]), ValueError, "must not be negative, got -1"),
        (lambda: F.weighted(ones, [0] * 4), ValueError, "no entry counts"),
        (lambda: nn.WeightedLoss(nn.ReLU()), TypeError, "weighs a loss such as nn.MSELoss(), got ReLU"),
        (
            lambda: F.negative_sampling_loss(words, np.ones((9, 3)), [0] * 4, [[1]] * 4),
            ValueError,
            "vectors (4, 2) need a table (V, d) of that d, got (9, 3)",
        ),
        (
            lambda: F.negative_sampling_loss(words, np.ones((9, 2)), [9] * 4, [[1]] * 4),
            ValueError,
            "labels must lie in 0..8, got 9",
        ),
        (
            lambda: F.negative_sampling_loss(words, np.ones((9, 2)), [0] * 4, [[9]] * 4),
            IndexError,
            "the table has rows 0 to 8",
        ),
        (
            lambda: F.negative_sampling_loss(words, np.ones((9, 2)), [0] * 4, [1] * 4),
            ValueError,
            "need negatives (4, k), got (4,)",
        ),
        (lambda: nn.NegativeSamplingLoss([1, 2], k=0), ValueError, "at least 1, got 0"),
        (lambda: F.sampling_distribution([0, 0]), ValueError, "not all 0"),
        (lambda: F.huffman([3]), ValueError, "at least 2 words"),
        (lambda: F.glove_loss(ones, -ones), ValueError, "none negative"),
        (lambda: nn.HierarchicalSoftmax(2, [1, 2, 3])(words, [0, 1, 2, 3]), ValueError, "0..2, got 3"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 10, [5, 3]), ValueError, "rise strictly from at least 1"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 10, [10]), ValueError, "below 10 classes, got [10]"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [3])(words, [0] * 4), ValueError, "(m, 4), got (4, 2)"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(2, 9, [3])(words, [9] * 4), ValueError, "0..8, got 9"),
        (lambda: F.ctc_loss(frames[0], [[1]]), ValueError, "(m, T, C), got (5, 4): one example is x[None]"),
        (lambda: F.ctc_loss(frames, [[1], [4]]), ValueError, "0..3 other than the blank 0, got 4"),
        (lambda: F.ctc_loss(frames, [[1], [0]]), ValueError, "0..3 other than the blank 0, got 0"),
        (
            lambda: F.ctc_loss(frames, [[1]]),
            ValueError,
            "need targets (2, S) and lengths (2,), got targets (1, 1)",
        ),
        (
            lambda: F.ctc_loss(frames, [[1], [2]], [5, 6]),
            ValueError,
            "input_lengths must lie in 0..5, got 5 to 6",
        ),
        (lambda: F.ctc_loss(frames, [[1], [2]], None, [2, 1]), ValueError, "target_lengths must lie in 0..1"),
        (lambda: F.ctc_loss(frames, [1, 2, 3]), ValueError, "in one row (3,) need target_lengths (2,)"),
        (lambda: F.ctc_loss(frames, [1, 2, 3], None, [1, 1]), ValueError, "3 targets in one row need 2"),
        (lambda: F.ctc_loss(frames, [[1.0], [2.0]]), TypeError, "targets must be integers, got float32"),
        (lambda: F.ctc_loss(frames, [[1], [2]], blank=4), ValueError, "the blank is a class, 0..3, got 4"),
    ],
)
def test_losses_refuse(call, kind, said):
    with pytest.raises(kind) as caught:
        call()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_reduction():
    with pytest.raises(ValueError, match='reduction is "mean", "sum" or "none", got \'average\''):
        nn.MSELoss("average")
    with pytest.raises(ValueError, match="got None"):
        F.cross_entropy(logits, [0] * 4, reduction=None)
    with pytest.raises(ValueError, match="batchmean"):
        nn.KLDivLoss("average")
    with pytest.raises(ValueError, match="got 'all'"):
        nn.HierarchicalSoftmax(2, [1, 2], reduction="all")
