"""Rows of the convolutions."""

import numpy as np

import nn
from tests.layer_table import MANY, Row, normal, same

WINOGRAD = 2e-4  # relative to the RMS of the output, as its transforms lose digits; direct sums keep 1e-5


def rows_of_convolutions():
    yield same("Conv1d", lambda n: n.Conv1d(2, 3, 3), (2, 6, 2))
    yield same("Conv1d, all options", lambda n: n.Conv1d(4, 6, 2, 2, 3, 2, 2, False), (1, 7, 4))
    yield same("Conv1d, same", lambda n: n.Conv1d(2, 2, 3, padding="same", dilation=2), (1, 6, 2))
    yield same("Conv2d", lambda n: n.Conv2d(3, 2, 3), (1, 4, 5, 3))
    yield same("Conv2d, without bias", lambda n: n.Conv2d(2, 2, 3, bias=False), (1, 5, 4, 2))
    yield same("Conv2d, strides", lambda n: n.Conv2d(2, 3, (3, 2), (2, 1), (1, 0)), (1, 5, 4, 2))
    yield same("Conv2d, same", lambda n: n.Conv2d(2, 2, 3, padding="same"), (1, 4, 4, 2))
    yield same("Conv2d, valid", lambda n: n.Conv2d(1, 3, (2, 3), padding="valid"), (1, 4, 5, 1))
    yield same("Conv2d, dilated", lambda n: n.Conv2d(2, 2, 2, dilation=(2, 3)), (1, 5, 5, 2))
    yield same("Conv2d, groups", lambda n: n.Conv2d(4, 6, 2, groups=2), (1, 3, 4, 4))
    yield same("Conv2d, depthwise", lambda n: n.Conv2d(3, 3, 3, padding=1, groups=3), (1, 4, 4, 3))
    for mode in ("reflect", "replicate", "circular"):
        yield same(
            f"Conv2d, {mode}", lambda n, m=mode: n.Conv2d(1, 2, 3, padding=1, padding_mode=m), (1, 4, 3, 1)
        )
    yield same("Conv1d, reflect", lambda n: n.Conv1d(2, 2, 3, padding=2, padding_mode="reflect"), (1, 5, 2))
    yield same("Conv3d", lambda n: n.Conv3d(2, 2, 2), (1, 3, 3, 2, 2))
    yield same(
        "Conv3d, all options",
        lambda n: n.Conv3d(2, 4, (2, 1, 3), (2, 1, 2), (1, 0, 2), (2, 1, 1), 2),
        (1, 4, 2, 3, 2),
    )
    yield same("Conv3d, same", lambda n: n.Conv3d(1, 1, (3, 1, 3), padding="same"), (1, 3, 3, 2, 1))
    # what the fast kernels are made for
    yield same(
        "Conv2d, 3x3 of many channels",
        lambda n: n.Conv2d(24, 40, 3, padding=1),
        (2, 17, 14, 24),
        tolerance=WINOGRAD,
        exempt=MANY,
    )
    for note, make, shape in (
        ("3x3 of many channels with stride", lambda n: n.Conv2d(24, 40, 3, 2, padding=1), (2, 17, 14, 24)),
        ("3x3 of many channels, dilated", lambda n: n.Conv2d(24, 40, 3, 1, 2, 2), (2, 17, 14, 24)),
        ("5x5 of a batch of digits", lambda n: n.Conv2d(1, 6, 5), (16, 20, 20, 1)),
        ("1x1 of many channels", lambda n: n.Conv2d(64, 48, 1), (2, 9, 9, 64)),
        ("5x5 with stride", lambda n: n.Conv2d(16, 32, 5, 2, 2), (2, 15, 16, 16)),
        ("7x7 of colours", lambda n: n.Conv2d(3, 32, 7, 2, 3), (2, 32, 32, 3)),
        ("depthwise of many channels", lambda n: n.Conv2d(48, 48, 3, 1, 1, groups=48), (2, 14, 15, 48)),
        ("groups of many channels", lambda n: n.Conv2d(32, 48, 3, 1, 1, groups=4), (2, 9, 10, 32)),
    ):
        yield same(f"Conv2d, {note}", make, shape, exempt=MANY)
    yield same(
        "Conv1d, many channels",
        lambda n: n.Conv1d(32, 24, 5, padding=2),
        (2, 40, 32),
        exempt=MANY,
    )
    yield same(
        "Conv3d, many channels",
        lambda n: n.Conv3d(8, 16, 3, padding=1),
        (1, 6, 7, 8, 8),
        exempt=MANY,
    )


def rows_of_transposed():
    yield same("ConvTranspose1d", lambda n: n.ConvTranspose1d(2, 3, 3), (1, 4, 2))
    yield same(
        "ConvTranspose1d, all options", lambda n: n.ConvTranspose1d(4, 2, 3, 2, 1, 1, 2, False, 2), (1, 4, 4)
    )
    yield same("ConvTranspose2d", lambda n: n.ConvTranspose2d(2, 3, 3), (1, 3, 4, 2))
    yield same(
        "ConvTranspose2d, doubling",
        lambda n: n.ConvTranspose2d(2, 2, 3, 2, 1, output_padding=1),
        (1, 3, 2, 2),
    )
    yield same(
        "ConvTranspose2d, no padding", lambda n: n.ConvTranspose2d(1, 2, 2, 2, output_padding=1), (1, 3, 2, 1)
    )
    yield same(
        "ConvTranspose2d, groups", lambda n: n.ConvTranspose2d(4, 6, 2, (2, 1), groups=2), (1, 2, 3, 4)
    )
    yield same(  # output_padding between stride and dilation
        "ConvTranspose2d, dilated",
        lambda n: n.ConvTranspose2d(1, 2, (2, 3), 1, (1, 0), (2, 1), dilation=(3, 2)),
        (1, 3, 3, 1),
    )
    yield same(
        "ConvTranspose2d, output size",
        lambda n: n.ConvTranspose2d(2, 1, 3, 3, 1),
        (1, 2, 3, 2),
        call=lambda m, x: m(x, output_size=(6, 8)),
    )
    yield same("ConvTranspose3d", lambda n: n.ConvTranspose3d(2, 1, 2, 2), (1, 2, 2, 1, 2))
    yield same(
        "ConvTranspose3d, all options",
        lambda n: n.ConvTranspose3d(2, 2, (2, 1, 3), (1, 2, 2), (1, 0, 1), (0, 1, 1), 2, True, (2, 1, 1)),
        (1, 2, 2, 2, 2),
    )
    yield same(
        "ConvTranspose2d, many channels",
        lambda n: n.ConvTranspose2d(32, 24, 4, 2, 1),
        (2, 8, 9, 32),
        exempt=MANY,
    )


def lecture(layer, image):
    """C4W3-tconv, the filter of the lecture in the place of the drawn one."""
    return np.array([[0, 4, 0, 1], [10, 7, 6, 3], [0, 7, 0, 2], [6, 3, 4, 2]], float).reshape(1, 4, 4, 1)


def with_filter_of_the_lecture(layer, image):
    layer.weight.data = np.array([[1, 2, 1], [2, 0, 1], [0, 2, 1]], layer.weight.dtype).reshape(3, 3, 1, 1)
    return layer(image)


LECTURE = Row(
    "ConvTranspose2d, the lecture's",
    lambda: nn.ConvTranspose2d(1, 1, 3, 2, 1, output_padding=1, bias=False),
    None,
    lambda rng: (np.array([[2.0, 1.0], [3.0, 2.0]]).reshape(1, 2, 2, 1),),
    expect=lecture,
    call=with_filter_of_the_lecture,
    exempt={"second": "the call sets the filter", "float32": "the call sets the filter"},
)


def taps_of_a_row(layer, x):
    """Each output of a Conv1d, by its definition."""
    w = layer.weight.numpy()
    out = x.shape[1] - len(w) + 1
    windows = np.stack([np.tensordot(x[:, i : i + len(w)], w, 2) for i in range(out)], 1)
    return windows + layer.bias.numpy()


def boxes(layer, x):
    """Each output of a Conv3d, by its definition."""
    w = layer.weight.numpy()
    y = np.empty((len(x), *(n - f + 1 for n, f in zip(x.shape[1:4], w.shape)), w.shape[4]))
    for i, j, k in np.ndindex(y.shape[1:4]):
        y[:, i, j, k] = np.tensordot(x[:, i : i + w.shape[0], j : j + w.shape[1], k : k + w.shape[2]], w, 4)
    return y + layer.bias.numpy()


def stamped(layer, x):
    """Each pixel of a transposed convolution adds its filter."""
    w, s = layer.weight.numpy(), layer.stride
    size = [(n - 1) * step + f for n, step, f in zip(x.shape[1:3], s, w.shape)]
    y = np.zeros((len(x), *size, w.shape[2])) + layer.bias.numpy()
    for i, j in np.ndindex(x.shape[1:3]):
        i0, j0 = i * s[0], j * s[1]
        y[:, i0 : i0 + w.shape[0], j0 : j0 + w.shape[1]] += np.einsum("mc,aekc->maek", x[:, i, j], w)
    return y


BY_DEFINITION = [
    Row("Conv1d, by definition", lambda: nn.Conv1d(2, 3, 3), None, normal((2, 6, 2)), expect=taps_of_a_row),
    Row("Conv3d, by definition", lambda: nn.Conv3d(2, 2, 2), None, normal((1, 3, 3, 2, 2)), expect=boxes),
    Row(
        "ConvTranspose2d, by definition",
        lambda: nn.ConvTranspose2d(2, 2, 3, (2, 1)),
        None,
        normal((2, 2, 3, 2)),
        expect=stamped,
    ),
]

ROWS = [*rows_of_convolutions(), *rows_of_transposed(), LECTURE, *BY_DEFINITION]
