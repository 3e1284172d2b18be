"""Losses of neural style transfer, on activations (m, n_H, n_W, n_C) of the content, style and generated
images. Gatys, Ecker and Bethge 2015; COURSE.md C4W4-nst."""

import numpy as np

from autograd.tensor import Tensor

from .reduction import Loss, check_predictions, like_predictions, reduced


def _images(a, name):
    check_predictions(a, name, "activations")
    if a.ndim != 4:
        raise ValueError(f"{name}: activations need shape (m, n_H, n_W, n_C), got {a.shape}")


def gram_matrix(activations):
    """G_kl = sum_ij a_ijk a_ijl, (m, n_H, n_W, n_C) to (m, n_C, n_C): how much channels fire together,
    wherever in the image. COURSE.md C4W4-style."""
    _images(activations, "gram_matrix")
    m, n_H, n_W, n_C = activations.shape
    a = activations.reshape((m, n_H * n_W, n_C))
    return np.matmul(a.swapaxes(-1, -2), a)


def content_loss(generated, content, reduction="mean"):
    """|a_C - a_G|^2 / 2 of one layer's activations, for each image; `reduction` is over images. Raises
    ValueError for different shapes. COURSE.md C4W4-content (the assignment divides by 4 n_H n_W n_C)."""
    _images(generated, "content_loss")
    difference = generated - like_predictions(generated, content, "content_loss", "generated", "content")
    return reduced(0.5 * np.sum(difference * difference, axis=(1, 2, 3)), reduction, "content_loss")


def style_loss(generated, style, weights=None, reduction="mean"):
    """sum over layers l of weight_l |G_S - G_G|^2 / (2 n_H n_W n_C)^2, with G = `gram_matrix`, for each
    image.

    `generated` and `style` are lists of one array a layer; `weights` one number a layer, by default shares
    that sum to 1. Raises TypeError for a single array, ValueError for lists of different lengths and layers
    of different shapes. COURSE.md C4W4-style."""
    name = "style_loss"
    for what, layers in (("generated", generated), ("style", style)):
        if isinstance(layers, (Tensor, np.ndarray)):
            raise TypeError(f"{name}: {what} is a list of one array a layer, got one of shape {layers.shape}")
    count = len(generated)
    weights = [1 / max(count, 1)] * count if weights is None else list(weights)
    if not count == len(style) == len(weights) or not count:
        raise ValueError(
            f"{name}: {count} layers of the generated image, {len(style)} of the style, "
            f"{len(weights)} weights: one each, at least one"
        )
    total = 0.0
    for weight, g, s in zip(weights, generated, style):
        _images(g, name)
        s = like_predictions(g, s, name, "generated", "style")
        difference = gram_matrix(g) - gram_matrix(s)
        scale = float(weight) / (2.0 * max(g[0].size if len(g) else 1, 1)) ** 2
        total = total + scale * np.sum(difference * difference, axis=(1, 2))
    return reduced(total, reduction, name)


def total_variation_loss(images, reduction="mean"):
    """sum |x_{i+1,j} - x_ij| + |x_{i,j+1} - x_ij| over places and channels, for each image (m, n_H, n_W,
    n_C): what makes a generated picture rough. Raises ValueError for another number of axes. Mahendran and
    Vedaldi 2015; COURSE.md C4W4-nst."""
    _images(images, "total_variation_loss")
    down, right = images[:, 1:] - images[:, :-1], images[:, :, 1:] - images[:, :, :-1]
    rough = np.sum(np.abs(down), axis=(1, 2, 3)) + np.sum(np.abs(right), axis=(1, 2, 3))
    return reduced(rough, reduction, "total_variation_loss")


class ContentLoss(Loss):
    """`content_loss(generated, content)`. ContentLoss(reduction="mean")."""

    function = staticmethod(content_loss)


class StyleLoss(Loss):
    """`style_loss(generated, style)`. StyleLoss(weights=None, reduction="mean")."""

    function = staticmethod(style_loss)

    def __init__(self, weights=None, reduction="mean"):
        super().__init__(reduction, weights=None if weights is None else tuple(map(float, weights)))


class TotalVariationLoss(Loss):
    """`total_variation_loss(images)`. TotalVariationLoss(reduction="mean")."""

    function = staticmethod(total_variation_loss)
