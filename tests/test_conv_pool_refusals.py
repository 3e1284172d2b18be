"""What convolution and pooling say to bad input."""

import numpy as np
import pytest

from autograd.ops.conv import conv2d, conv2d_input_grad, conv2d_weight_grad
from autograd.ops.pool import avg_pool2d, max_pool2d, pool_gather, pool_scatter

X, W = np.ones((2, 5, 6, 4), np.float32), np.ones((3, 3, 4, 6), np.float32)
BAD = [
    (lambda: conv2d(X[0], W), ValueError, r"x has 3 dimensions, needs 4: .*x\[None\]"),
    (lambda: conv2d(X, W[0]), ValueError, r"w has shape \(3, 4, 6\), needs \(f, f, n_C_prev / groups, n_C\)"),
    (
        lambda: conv2d(X[..., :3], W),
        ValueError,
        r"x has 3 channels, the filters w take 4 \[x .*2, 5, 6, 3.*w .*3, 3, 4, 6",
    ),
    (
        lambda: conv2d(X, W, groups=2),
        ValueError,
        "x has 4 channels, the filters w take 4 in each of 2 groups, 8 in all",
    ),
    (lambda: conv2d(X, W, groups=3), ValueError, "groups=3 does not divide the 4 input channels"),
    (lambda: conv2d(X, W[:, :, :1, :], groups=4), ValueError, "groups=4 does not divide the 6 filters"),
    (lambda: conv2d(X, W, groups=0), ValueError, "groups must be at least 1, got 0"),
    (lambda: conv2d(X, W, groups=(1, 1)), TypeError, "groups is an int"),
    (lambda: conv2d(X, W, np.ones(5)), ValueError, r"b has shape \(5,\), needs \(6,\)"),
    (lambda: conv2d(X, W, stride=0), ValueError, "stride must be at least 1, got 0"),
    (lambda: conv2d(X, W, stride=1.5), TypeError, "stride is an int or a pair of ints, got 1.5"),
    (
        lambda: conv2d(X, W, stride=(1, 2, 3)),
        TypeError,
        r"stride is an int or a pair of ints, got \(1, 2, 3\)",
    ),
    (lambda: conv2d(X, W, dilation=(1, -1)), ValueError, r"dilation must be at least 1, got \(1, -1\)"),
    (lambda: conv2d(X, W, padding=-1), ValueError, "padding must be at least 0, got -1"),
    (lambda: conv2d(X, W, padding="sane"), ValueError, 'padding is "same", "valid", .*\'sane\''),
    (lambda: conv2d(X, np.ones((7, 3, 4, 6))), ValueError, "kernel of 7x3 is larger than the image, 5x6"),
    (
        lambda: conv2d(X, W, dilation=4, padding=1),
        ValueError,
        "3x3, spread to 9x9 by its dilation, .*7x8 with its padding",
    ),
    (lambda: conv2d(X[:, :0], W), ValueError, "larger than the image, 0x6"),
    (lambda: conv2d_input_grad(X, W, (5, 6)), ValueError, r"g has shape \(2, 5, 6, 4\), .* \(m, 3, 4, 6\)"),
    (lambda: conv2d_weight_grad(X, X, 3), ValueError, r"g has shape \(2, 5, 6, 4\), .* \(m, 3, 4, n_C\)"),
    (lambda: conv2d_weight_grad(X, X[:1], 1), ValueError, "x has 2 images, g 1"),
    (lambda: max_pool2d(X[0, 0], 2), ValueError, "x has 2 dimensions, needs 4"),
    (lambda: max_pool2d(X, 6), ValueError, "kernel of 6x6 is larger than the image, 5x6"),
    (lambda: max_pool2d(X, 3, padding=2), ValueError, "padding 2 is more than half of the kernel, 3x3"),
    (lambda: avg_pool2d(X, 0), ValueError, "kernel_size must be at least 1, got 0"),
    (lambda: avg_pool2d(X, 2, stride=(2, 0)), ValueError, "stride must be at least 1"),
    (
        lambda: pool_gather(X, np.full((2, 1, 1, 4), 30)),
        IndexError,
        "index outside the plane of 5x6 = 30 pixels",
    ),
    (
        lambda: pool_gather(X, np.full((2, 1, 1, 4), -1)),
        IndexError,
        "index outside the plane of 5x6 = 30 pixels",
    ),
    (lambda: pool_gather(X, np.full((2, 1, 1, 4), 2**32)), IndexError, "index outside the plane"),
    (lambda: pool_gather(X, np.ones((2, 1, 1, 4))), TypeError, "as integers, got float64"),
    (
        lambda: pool_gather(X, np.ones((2, 1, 1, 3), int)),
        ValueError,
        r"index has shape .*, needs \(2, 1, 1, 4\)",
    ),
    (
        lambda: pool_scatter(X, np.ones((2, 5, 5, 4), int), (9, 9)),
        ValueError,
        r"index has shape .*, needs \(2, 5, 6, 4\)",
    ),
    (
        lambda: pool_scatter(X, np.full(X.shape, 81), (9, 9)),
        IndexError,
        "index outside the plane of 9x9 = 81 pixels",
    ),
]


@pytest.mark.parametrize(("call", "kind", "text"), BAD, ids=range(len(BAD)))
def test_bad_input_is_one_clear_line(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert "\n" not in str(caught.value)
