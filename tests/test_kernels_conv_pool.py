"""Convolution and pooling beyond the table of ops: the lecture's examples, PyTorch, edges."""

import numpy as np
import pytest

import autograd
import nn
from autograd import Tensor, no_grad
from autograd.ops.conv import conv2d, conv2d_input_grad, conv2d_weight_grad
from autograd.ops.pool import avg_pool2d, max_pool2d
from autograd.ops.poolnd import max_pool

pytestmark = pytest.mark.slow

IMAGE = np.array(  # the 6x6 image of C4W1-edge
    [
        [3, 0, 1, 2, 7, 4],
        [1, 5, 8, 9, 3, 1],
        [2, 7, 2, 5, 1, 3],
        [0, 1, 3, 1, 7, 8],
        [4, 2, 1, 6, 2, 8],
        [2, 4, 5, 2, 3, 9],
    ],
    np.float32,
)
VERTICAL = np.array([[1, 0, -1]] * 3, np.float32)
SOBEL = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)
SCHARR = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]], np.float32)


def filtered(image, kernel, **options):
    """One filter over one channel."""
    x, w = np.asarray(image, float)[None, :, :, None], np.asarray(kernel, float)[:, :, None, None]
    return conv2d(x, w, **options)[0, ..., 0]


# ---- the lecture's numbers


def test_vertical_edges():
    """C4W1-edge."""
    expected = [[-5, -4, 0, 8], [-10, -2, 2, 3], [0, -2, -4, -7], [-3, -2, -3, -16]]
    np.testing.assert_array_equal(filtered(IMAGE, VERTICAL), expected)


def test_horizontal_edges():
    """C4W1-edge."""
    expected = [[-7, -11, 2, 4], [10, 17, 9, -3], [4, 5, -1, -7], [-7, -6, 1, 2]]
    np.testing.assert_array_equal(filtered(IMAGE, VERTICAL.T), expected)


def test_edges_of_light_and_dark():
    """C4W1-edge2."""
    light = np.repeat([[10, 10, 10, 0, 0, 0]], 6, 0)
    np.testing.assert_array_equal(filtered(light, VERTICAL), [[0, 30, 30, 0]] * 4)
    np.testing.assert_array_equal(filtered(light[:, ::-1], VERTICAL), [[0, -30, -30, 0]] * 4)
    quadrants = np.kron([[10, 0], [0, 10]], np.ones((3, 3)))
    expected = [[0] * 4, [30, 10, -10, -30], [30, 10, -10, -30], [0] * 4]
    np.testing.assert_array_equal(filtered(quadrants, VERTICAL.T), expected)


def test_sobel_and_scharr():
    """C4W1-filters."""
    np.testing.assert_array_equal(filtered(IMAGE, SOBEL)[0], [-12, -8, 5, 16])
    np.testing.assert_array_equal(filtered(IMAGE, SCHARR)[0], [-64, -40, 35, 80])


def test_learning_recovers_the_filter():
    """C4W1-filters: the nine numbers of a filter are learned from its output."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 12, 12, 1)).astype(np.float32)
    target = conv2d(x, SOBEL[:, :, None, None])
    w = Tensor(np.zeros((3, 3, 1, 1), np.float32), requires_grad=True)
    for _ in range(40):
        error = conv2d(x, w) - target
        (slope,) = autograd.gradient(np.sum(error * error), [w])
        w = Tensor(w.numpy() - 0.4 / target.size * slope.numpy(), requires_grad=True)
    np.testing.assert_allclose(w.numpy()[:, :, 0, 0], SOBEL, atol=1e-3)


@pytest.mark.parametrize(("f", "p"), [(3, 1), (5, 2)])
def test_padding(f, p):
    """C4W1-pad."""
    kernel = np.ones((f, f))
    assert filtered(IMAGE, kernel, padding="valid").shape == (6 - f + 1,) * 2
    assert filtered(IMAGE, kernel, padding="same").shape == (6, 6)
    np.testing.assert_array_equal(filtered(IMAGE, kernel, padding="same"), filtered(IMAGE, kernel, padding=p))


def test_stride():
    """C4W1-stride. The slide has 83 for 88 and 127 for 117: two wrong sums."""
    rows = ["2374629", "6698743", "3483897", "7836634", "4218346", "3241983", "0139214"]
    image = np.array([[int(digit) for digit in row] for row in rows])
    kernel = [[3, 4, 4], [1, 0, 2], [-1, 0, 3]]
    np.testing.assert_array_equal(
        filtered(image, kernel, stride=2), [[91, 100, 88], [69, 91, 117], [44, 72, 74]]
    )


def test_cross_correlation_is_convolution_with_the_kernel_turned():
    """C4W1-xcorr: only true convolution is associative."""
    kernel = np.array([[3, 4, 5], [1, 0, 2], [-1, 9, 7]])
    turned = np.rot90(kernel, 2)
    np.testing.assert_array_equal(turned, [[7, 9, -1], [2, 0, 1], [5, 4, 3]])

    def convolved(a, b):
        return filtered(a, np.rot90(b, 2), padding=len(b) - 1)

    def correlated(a, b):
        return filtered(a, b, padding=len(b) - 1)

    left, right = convolved(convolved(IMAGE, kernel), SOBEL), convolved(IMAGE, convolved(kernel, SOBEL))
    np.testing.assert_array_equal(left, right)
    left, right = correlated(correlated(IMAGE, kernel), SOBEL), correlated(IMAGE, correlated(kernel, SOBEL))
    assert (left != right).any()


def test_volume_and_sizes():
    """C4W1-volume and C4W1-convnet."""
    rng = np.random.default_rng(0)
    assert conv2d(rng.random((1, 6, 6, 3)), rng.random((3, 3, 3, 2))).shape == (1, 4, 4, 2)
    x = rng.random((1, 39, 39, 3), np.float32)
    for f, s, channels, size in [(3, 1, 10, 37), (5, 2, 20, 17), (5, 2, 40, 7)]:
        x = conv2d(x, rng.random((f, f, x.shape[3], channels), np.float32), stride=s)
        assert x.shape == (1, size, size, channels)
    assert x.size == 1960


def test_conv_forward_of_the_assignment():
    """The course's seeded value."""
    stream = np.random.RandomState(1)
    a, w, b = stream.randn(10, 4, 4, 3), stream.randn(2, 2, 3, 8), stream.randn(1, 1, 1, 8)
    y = conv2d(a, w, b.reshape(8), padding=2, stride=2)
    assert y.mean() == pytest.approx(0.04899520352885578, rel=1e-13)


def test_pooling_of_the_lecture():
    """C4W1-pool. The second picture has a 4 where the first has a 3."""
    image = np.array([[1, 3, 2, 1], [2, 9, 1, 1], [1, 3, 2, 3], [5, 6, 1, 2]], np.float32)[None, :, :, None]
    np.testing.assert_array_equal(max_pool2d(image, 2)[0, ..., 0], [[9, 2], [6, 3]])
    image[0, 2, 1] = 4
    np.testing.assert_array_equal(avg_pool2d(image, 2)[0, ..., 0], [[3.75, 1.25], [4, 2]])
    wide = np.random.default_rng(0).random((1, 7, 7, 1000), np.float32)
    assert avg_pool2d(wide, 7).shape == (1, 1, 1, 1000)
    np.testing.assert_allclose(avg_pool2d(wide, 7)[0, 0, 0], wide.mean((0, 1, 2)), rtol=1e-5)


# ---- PyTorch


def to_torch(torch, a):
    """Channels last -> PyTorch's layout."""
    return torch.tensor(np.moveaxis(a, -1, 1).copy(), requires_grad=True)


CONVOLUTIONS = [  # images, filters, options: every tail, the layers of LeNet-5, one and many channels
    ((8, 28, 28, 1), (5, 5, 1, 6), {"padding": 2}),
    ((8, 14, 14, 6), (5, 5, 6, 16), {}),
    ((3, 9, 70, 5), (3, 3, 5, 7), {"padding": (1, 2), "stride": (2, 1)}),
    ((2, 13, 11, 8), (3, 2, 4, 12), {"groups": 2, "dilation": (2, 3), "padding": 3}),
    ((2, 12, 12, 17), (3, 3, 1, 34), {"groups": 17, "stride": 2, "padding": 1}),
    ((2, 7, 7, 64), (1, 1, 64, 33), {}),
    ((1, 30, 30, 3), (7, 7, 3, 9), {"stride": 2, "padding": 3}),
    ((2, 6, 6, 4), (3, 3, 4, 5), {"padding": "same", "dilation": 2}),
    ((2, 5, 5, 2), (5, 5, 2, 3), {}),
    # Winograd: tiles cut off, channels that fill no vector and more than one block
    ((2, 9, 10, 17), (3, 3, 17, 35), {"padding": 1}),
    ((1, 5, 3, 70), (3, 3, 70, 16), {}),
    ((3, 6, 7, 40), (3, 3, 40, 130), {"padding": (2, 0)}),
    # two groups of filters; channels in two goes with more tiles than a block has; two outputs of five taps
    ((2, 9, 10, 100), (3, 3, 100, 200), {"padding": 1}),
    ((1, 46, 46, 150), (3, 3, 150, 150), {"padding": 1}),
    ((2, 9, 7, 20), (5, 5, 20, 35), {"padding": (2, 4)}),
    ((1, 6, 7, 140), (5, 5, 140, 16), {"padding": (0, 3)}),
    # maps smaller than a tile or hardly larger, where a tile is mostly border
    ((1, 8, 8, 16), (3, 3, 16, 16), {"padding": 1}),
    ((1, 4, 4, 32), (3, 3, 32, 32), {"padding": 1}),
    ((4, 2, 2, 64), (3, 3, 64, 64), {"padding": 1}),
    ((6, 1, 1, 16), (3, 3, 16, 16), {"padding": 1}),
    # small images of few channels, along the batch and along the row, and filters side by side in a vector
    ((17, 8, 9, 3), (5, 5, 3, 20), {"padding": 2, "stride": (1, 2)}),
    ((8, 5, 70, 2), (3, 3, 2, 34), {"padding": 1, "stride": (2, 1)}),
    ((9, 6, 64, 3), (7, 7, 3, 5), {"padding": 3, "stride": 2}),
    ((8, 6, 6, 1), (3, 2, 1, 4), {"padding": 2, "dilation": (2, 1)}),
    ((8, 3, 3, 2), (1, 1, 2, 3), {"padding": 1}),
    ((8, 60, 120, 3), (3, 3, 3, 4), {"padding": 1}),
    # depthwise: more rows than a line has, more taps than a field, outputs that see nothing
    ((2, 37, 20, 18), (3, 3, 1, 18), {"groups": 18, "padding": 1}),
    ((2, 36, 9, 33), (5, 4, 1, 33), {"groups": 33, "padding": 2, "stride": (2, 1), "dilation": (1, 2)}),
    ((2, 3, 3, 16), (3, 3, 1, 16), {"groups": 16, "padding": 4}),
    # direct: patches longer than a block, input pixels that no output sees, tiles of pixels cut off
    ((1, 7, 8, 200), (3, 3, 200, 40), {"stride": 2, "padding": 1}),
    ((2, 7, 7, 33), (2, 1, 33, 65), {"stride": 3}),
    ((1, 12, 11, 20), (3, 3, 5, 40), {"groups": 4, "padding": 1, "dilation": 2}),
    ((2, 5, 5, 30), (1, 1, 30, 600), {}),
]


@pytest.mark.parametrize(("shape", "filters", "options"), CONVOLUTIONS, ids=str)
@pytest.mark.parametrize(("dtype", "relu"), [(np.float32, False), (np.float32, True), (np.float64, False)])
def test_conv2d_agrees_with_pytorch(torch, shape, filters, options, dtype, relu):
    rng = np.random.default_rng(0)
    x, w, b = (rng.standard_normal(s).astype(dtype) for s in (shape, filters, filters[3:]))
    ours = [Tensor(a, requires_grad=True) for a in (x, w, b)]
    y = conv2d(*ours, **options, relu=relu)
    exact = [to_torch(torch, x.astype(float)), torch.tensor(w.transpose(3, 2, 0, 1).astype(float))]
    theirs = [a.detach().requires_grad_() for a in (*exact, torch.tensor(b.astype(float)))]
    expected = torch.nn.functional.conv2d(*theirs, **options)
    cotangent = rng.standard_normal(y.shape).astype(dtype)
    y.backward(cotangent)
    # which of the outputs near 0 are positive is a matter of rounding: both sides take ours
    passed = cotangent * (y.numpy() > 0) if relu else cotangent
    expected.backward(torch.tensor(np.moveaxis(passed, -1, 1).astype(float)))
    expected = torch.relu(expected) if relu else expected
    grads = [
        np.moveaxis(theirs[0].grad.numpy(), 1, -1),
        theirs[1].grad.numpy().transpose(2, 3, 1, 0),
        theirs[2].grad,
    ]
    pairs = [(y.numpy(), np.moveaxis(expected.detach().numpy(), 1, -1))]
    pairs += [(t.grad.numpy(), np.asarray(g)) for t, g in zip(ours, grads)]
    winograd = filters[0] in (3, 5) and min(filters[2:]) >= 16 and not {"stride", "groups"} & {*options}
    for got, want in pairs:
        assert got.dtype == dtype
        scale = np.sqrt(np.mean(want**2))
        error = 1e-13 if dtype == np.float64 else 2e-4 if winograd else 1e-5
        np.testing.assert_allclose(got, want, rtol=0, atol=scale * error)


def test_the_layer_takes_a_relu_along():
    layer, x = nn.Conv2d(3, 4, 3), np.random.default_rng(0).standard_normal((2, 6, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(layer(x, relu=True).numpy(), np.maximum(layer(x).numpy(), 0))


@pytest.mark.parametrize(
    ("shape", "filters", "options"),
    [
        ((2, 9, 9, 16), (3, 3, 16, 16), {"padding": 1}),
        ((8, 6, 6, 2), (3, 3, 2, 4), {}),
        ((2, 9, 9, 16), (3, 3, 16, 16), {"stride": 2}),
        ((2, 9, 9, 16), (3, 3, 1, 32), {"groups": 16, "relu": True}),
    ],
    ids=["winograd", "few channels", "direct", "depthwise"],
)
def test_gradients_alone_and_together(shape, filters, options):
    """Each argument has a rule of its own, and where several are asked for one serves them all. Both may also
    be differentiated again."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in (shape, filters, filters[3:])]
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    y = conv2d(*tensors, **options)
    cotangent = Tensor(rng.standard_normal(y.shape).astype(np.float32))
    together = autograd.gradient(y, tensors, cotangent, retain_graph=True)
    recorded = autograd.gradient(y, tensors, cotangent, create_graph=True)
    for k, expected in enumerate(together):
        mixed = [t if i == k else a for i, (t, a) in enumerate(zip(tensors, arrays))]
        (alone,) = autograd.gradient(conv2d(*mixed, **options), [tensors[k]], cotangent)
        (one,) = autograd.gradient(y, [tensors[k]], cotangent, retain_graph=True)
        for found in (alone, one, recorded[k]):
            scale = np.abs(expected.numpy()).max()
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=0, atol=1e-5 * scale)


def test_gradient_of_the_input_is_transposed_convolution(torch):
    rng = np.random.default_rng(0)
    g, w = rng.standard_normal((2, 5, 4, 6)), rng.standard_normal((3, 3, 2, 6))
    expected = torch.nn.functional.conv_transpose2d(
        to_torch(torch, g),
        torch.tensor(w.transpose(3, 2, 0, 1).copy()),
        stride=2,
        padding=1,
        output_padding=1,
    )
    got = conv2d_input_grad(g, w, (10, 8), stride=2, padding=1)
    np.testing.assert_allclose(got, np.moveaxis(expected.detach().numpy(), 1, -1), atol=1e-12)


POOLINGS = [
    ((2, 9, 8, 40), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((2, 8, 6, 6), {"kernel_size": 2}),
    ((3, 11, 12, 17), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((1, 9, 10, 3), {"kernel_size": (4, 3), "stride": (3, 1), "padding": (2, 1)}),
]


@pytest.mark.parametrize(("shape", "options"), POOLINGS, ids=str)
@pytest.mark.parametrize("kind", ["max", "average", "average of the image"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pooling_agrees_with_pytorch(torch, shape, options, kind, dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 4, shape).astype(dtype)  # many ties: the first of equals takes the gradient
    t, u = Tensor(x, requires_grad=True), to_torch(torch, x)
    if kind == "max":
        y, expected = max_pool2d(t, **options), torch.nn.functional.max_pool2d(u, **options)
    else:
        how = {**options, "count_include_pad": kind == "average"}
        y, expected = avg_pool2d(t, **how), torch.nn.functional.avg_pool2d(u, **how)
    cotangent = rng.standard_normal(y.shape).astype(dtype)
    y.backward(cotangent)
    expected.backward(torch.tensor(np.moveaxis(cotangent, -1, 1).copy()))
    np.testing.assert_allclose(y.numpy(), np.moveaxis(expected.detach().numpy(), 1, -1), rtol=1e-6)
    np.testing.assert_allclose(t.grad.numpy(), np.moveaxis(u.grad.numpy(), 1, -1), rtol=1e-5, atol=1e-6)


def test_indices_without_a_graph(torch):
    """Under `no_grad` max pooling keeps no index, but gives it to who asks."""
    x = np.random.default_rng(0).integers(0, 4, (2, 6, 7, 5)).astype(np.float32)
    expected, places = torch.nn.functional.max_pool2d(to_torch(torch, x), 3, 2, return_indices=True)
    with no_grad():
        for y in (max_pool2d(Tensor(x), 3, 2), max_pool(Tensor(x), 3, 2, return_indices=True)[0]):
            np.testing.assert_array_equal(y.numpy(), np.moveaxis(expected.detach().numpy(), 1, -1))
        index = max_pool(Tensor(x), 3, 2, return_indices=True)[1]
    np.testing.assert_array_equal(index, np.moveaxis(places.numpy(), 1, -1))


# ---- edges


def test_maxima_of_special_values():
    x = np.full((1, 2, 4, 1), -np.inf, np.float32)
    x[0, 1, 1, 0] = np.nan
    y = max_pool2d(x, 2)[0, 0, :, 0]
    assert np.isnan(y[0])
    assert y[1] == -np.inf
    t = Tensor(x, requires_grad=True)
    max_pool2d(t, 2).backward(np.ones((1, 1, 2, 1), np.float32))
    np.testing.assert_array_equal(t.grad.numpy()[0, ..., 0], [[0, 0, 1, 0], [0, 1, 0, 0]])


def test_means_of_infinity():
    """An infinite pixel makes the means of its own windows infinite, and leaves the others alone."""
    x = np.ones((1, 3, 5, 2), np.float32)
    x[0, 1, 4, 1] = np.inf
    y = avg_pool2d(x, 2, 2, 1, count_include_pad=False)
    expected = np.ones((1, 2, 3, 2))
    expected[0, 1, 2, 1] = np.inf
    np.testing.assert_array_equal(y, expected)


def test_infinite_weights_stay_infinite():
    """The zeros that fill up a patch, or the last filters, never meet an infinity."""
    w = np.full((1, 1, 1, 5), np.inf, np.float32)
    x = np.ones((1, 2, 2, 1), np.float32)
    assert (conv2d(x, w) == np.inf).all()
    assert (conv2d_input_grad(np.ones((1, 2, 2, 5), np.float32), w, (2, 2)) == np.inf).all()
    assert (conv2d_weight_grad(x, np.full((1, 2, 2, 5), np.inf, np.float32), 1) == np.inf).all()


def test_an_empty_batch_gives_an_empty_output():
    for dtype in (np.float32, np.float64):
        x, w, b = (Tensor(np.ones(s, dtype), requires_grad=True) for s in ((0, 5, 5, 2), (3, 3, 2, 4), (4,)))
        y = conv2d(x, w, b)
        assert y.shape == (0, 3, 3, 4)
        y.backward(np.zeros(y.shape, dtype))
        for t in (x, w, b):
            np.testing.assert_array_equal(t.grad.numpy(), np.zeros(t.shape))
        for pool in (max_pool2d, avg_pool2d):
            y = pool(x, 2)
            assert y.shape == (0, 2, 2, 2)
            y.backward(np.zeros(y.shape, dtype))


def test_dtypes():
    pixels = np.arange(32, dtype=np.uint8).reshape(1, 4, 4, 2)
    w = np.ones((2, 2, 2, 1), np.float32)
    assert conv2d(pixels, w).dtype == np.float32
    np.testing.assert_array_equal(conv2d(pixels, w), conv2d(pixels.astype(np.float32), w))
    assert conv2d(pixels.astype(np.float16), w.astype(np.float16)).dtype == np.float16
    assert max_pool2d(pixels, 2).dtype == np.float32
    assert avg_pool2d(pixels.astype(">f8"), 2).dtype == np.float64
    with pytest.raises(TypeError, match="real numbers, got complex128"):
        conv2d(pixels.astype(complex), w)


def test_a_read_only_input_is_not_copied():
    from autograd.kernels.threads import ready

    x = np.ones((2, 3), np.float32)
    x.flags.writeable = False
    given = ready(x, np.float32)
    assert given.flags.writeable
    assert np.shares_memory(given, x)


def test_the_gradient_of_images_is_not_computed(monkeypatch):
    """An input that needs no gradient costs no kernel, and frozen filters keep no images alive."""
    from autograd.kernels import conv

    monkeypatch.setattr(conv, "input_grad", None)
    x, w = np.ones((1, 4, 4, 1), np.float32), np.ones((3, 3, 1, 2), np.float32)
    np.sum(conv2d(x, Tensor(w, requires_grad=True))).backward()
    frozen = conv2d(Tensor(x, requires_grad=True), w)
    assert frozen.node.saved_bytes == w.nbytes
