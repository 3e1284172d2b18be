"""Regions of interest: boxes on maps of features, each pooled to the same small grid whatever its size. Both
families are closed under differentiation by the map; the boxes are constants, as in torchvision."""

import numpy as np

from ..primitive import primitive
from .window import float_type, images, pair, whole


@primitive(residuals=("shape",))
def roi_align(x, boxes, batch_index, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    """Each box on its map x (m, n_H, n_W, n_C), cut into a grid of `output_size` bins, each bin the mean of
    bilinear interpolation at points spread evenly over it: (K, *output_size, n_C).

    `boxes` (K, 4) are x1, y1, x2, y2 in pixels of the image, `batch_index` (K,) says which of the m each is
    on, `spatial_scale` is the map's size by the image's (1/16). A bin has `sampling_ratio` points along each
    axis, or, with -1, ceil(its length in pixels of the map). With `aligned` pixel i is the place i + 1/2, as
    it should be, and a box may be empty; without, pixels are a half off, as they were first, and boxes are
    at least 1 wide. A point more than a pixel outside the map counts as 0, one less far as the border.
    Values are torchvision.ops.roi_align's. Raises ValueError and TypeError for shapes and numbers that do not
    fit, IndexError for a batch_index outside. He et al. 2017, "Mask R-CNN"."""
    from ..kernels import roi, threads

    x = images(x, "x")
    dtype, work = float_type(x)
    options = boxes, batch_index, output_size, spatial_scale, sampling_ratio, aligned
    image, rows, columns = _taps(x.shape, work, *options)
    y = roi.align(threads.ready(x, work), image, rows, columns)
    return y.astype(dtype, copy=False), x.shape


@roi_align.vjp("x")
def _(g, shape, boxes, batch_index, output_size, spatial_scale, sampling_ratio, aligned):
    return roi_align_grad(g, shape, boxes, batch_index, output_size, spatial_scale, sampling_ratio, aligned)


@primitive()
def roi_align_grad(
    g, shape, boxes, batch_index, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False
):
    """The cotangent of `roi_align`'s x, of `shape` (m, n_H, n_W, n_C), from that of its output, g (K,
    *output_size, n_C): each bin spreads its share over the pixels it read. Arguments and errors as in
    `roi_align`; raises ValueError where g is not of the size that they give."""
    from ..kernels import roi, threads

    g = images(g, "g")
    dtype, work = float_type(g)
    options = boxes, batch_index, output_size, spatial_scale, sampling_ratio, aligned
    image, rows, columns = _taps(shape, work, *options)
    _check_cotangent(g, (len(image), *pair(output_size, "output_size", 1), shape[3]))
    dx = roi.align_grad(threads.ready(g, work), image, rows, columns, shape)
    return dx.astype(dtype, copy=False)


@roi_align_grad.vjp("g")
def _(u, boxes, batch_index, output_size, spatial_scale, sampling_ratio, aligned):
    return roi_align(u, boxes, batch_index, output_size, spatial_scale, sampling_ratio, aligned)


@primitive(residuals=("index", "shape"))
def roi_pool(x, boxes, batch_index, output_size, spatial_scale=1.0):
    """Each box on its map x (m, n_H, n_W, n_C), cut into a grid of `output_size` bins, each bin its maximum:
    (K, *output_size, n_C).

    A box is rounded to whole pixels of the map, both ends inside and at least one pixel each way; bin i of a
    side of n pixels and p bins goes from floor(i n / p) to ceil((i + 1) n / p), so bins may share pixels. A
    bin outside the map is 0. `boxes`, `batch_index`, `spatial_scale` and errors are as in `roi_align`. The
    gradient goes to the bin's first maximum, as in torchvision.ops.roi_pool; a NaN wins. Girshick 2015,
    "Fast R-CNN"."""
    from ..kernels import roi, threads

    x = images(x, "x")
    dtype, work = float_type(x)
    boxes, image = _boxes(x.shape, boxes, batch_index, work)
    bins = pair(output_size, "output_size", 1)
    scaled = np.asarray(boxes * work(spatial_scale), np.float64)
    corners = np.copysign(np.floor(np.abs(scaled) + 0.5), scaled).astype(np.int64)  # halves away from 0
    rows = _bins(corners[:, 1], corners[:, 3], bins[0], x.shape[1], work)
    columns = _bins(corners[:, 0], corners[:, 2], bins[1], x.shape[2], work)
    y, index = roi.pool(threads.ready(x, work), image, rows, columns)
    return y.astype(dtype, copy=False), index, x.shape


@roi_pool.vjp("x")
def _(g, batch_index, index, shape):
    return roi_scatter(g, batch_index, index, shape)


def _bins(first, last, bins, size, work):
    """Where each box's bins along an axis begin and end, (K, bins, 2), cut off at the map's border."""
    step = np.maximum(last - first + 1, 1).astype(work) / work(bins)
    edges = np.arange(bins + 1, dtype=work) * step[:, None]
    ends = np.stack([np.floor(edges[:, :-1]), np.ceil(edges[:, 1:])], -1).astype(np.int64)
    return np.ascontiguousarray(np.clip(ends + first[:, None, None], 0, size))


@primitive(residuals=("shape",))
def roi_gather(x, batch_index, index):
    """Reads maps x (m, n_H, n_W, n_C) at the places that `roi_pool` found: y[k, i, j, c] = x[n, h, w, c]
    where n = batch_index[k] and index[k, i, j, c] = h * n_W + w; 0 where the index is -1. Raises IndexError
    for a place outside, ValueError and TypeError for an index that does not fit."""
    from ..kernels import roi, threads

    x = images(x, "x")
    dtype, work = float_type(x)
    image, index = _places(x.shape, batch_index, index)
    return roi.gather(threads.ready(x, work), image, index).astype(dtype, copy=False), x.shape


@roi_gather.vjp("x")
def _(g, batch_index, index, shape):
    return roi_scatter(g, batch_index, index, shape)


@primitive()
def roi_scatter(g, batch_index, index, shape):
    """The transpose of `roi_gather`: zeros of `shape` (m, n_H, n_W, n_C) to which g (K, n_H', n_W', n_C) is
    added at the places of `index`. Errors as in `roi_gather`."""
    from ..kernels import roi, threads

    g = images(g, "g")
    dtype, work = float_type(g)
    image, index = _places(shape, batch_index, index)
    _check_cotangent(g, index.shape)
    return roi.scatter(threads.ready(g, work), image, index, shape).astype(dtype, copy=False)


@roi_scatter.vjp("g")
def _(u, batch_index, index):
    return roi_gather(u, batch_index, index)


# ---- what both share


def _taps(shape, work, boxes, batch_index, output_size, spatial_scale, sampling_ratio, aligned):
    """The map of each box, and what its bins read along rows and columns. The arithmetic is in the map's own
    precision, as torchvision's: how many points a bin has may hang on it."""
    from ..kernels import roi

    boxes, image = _boxes(shape, boxes, batch_index, work)
    bins, ratio = pair(output_size, "output_size", 1), whole(sampling_ratio, "sampling_ratio", -1)
    corners = boxes * work(spatial_scale) - work(0.5 if aligned else 0.0)
    tables = []
    for axis, n, size in ((1, bins[0], shape[1]), (0, bins[1], shape[2])):  # rows, columns
        start, length = corners[:, axis], corners[:, axis + 2] - corners[:, axis]
        if not aligned:
            length = np.maximum(length, work(1.0))
        step = length / work(n)
        grid = np.full(len(step), ratio) if ratio > 0 else np.ceil(step).astype(np.int64)
        tables.append(roi.taps(np.ascontiguousarray(start), step, grid, size, n))
    return image, tables[0], tables[1]


def _boxes(shape, boxes, batch_index, work):
    """The boxes, and which map each is on, as kernels take them."""
    boxes, image = np.asarray(boxes, work), _image_of(shape, batch_index)
    if boxes.shape != (len(image), 4):
        raise ValueError(f"boxes are (K, 4), one for each batch_index, got {boxes.shape} and {image.shape}")
    if not np.isfinite(boxes).all():
        raise ValueError(f"box {np.flatnonzero(~np.isfinite(boxes).all(1))[0]} is not finite")
    return boxes, image


def _image_of(shape, batch_index):
    image = np.asarray(batch_index)
    if image.ndim != 1 or (image.size and image.dtype.kind not in "iu"):
        raise TypeError(f"batch_index holds integers (K,), got {image.dtype} of shape {image.shape}")
    if 0 in shape[1:3]:
        raise ValueError(f"a map of shape {tuple(shape)} has no pixels")
    if image.size and not 0 <= image.min() <= image.max() < shape[0]:
        raise IndexError(f"batch_index holds {image.min()} to {image.max()}, there are {shape[0]} maps")
    return np.ascontiguousarray(image, np.int64)


def _places(shape, batch_index, index):
    image, index = _image_of(shape, batch_index), images(index, "index")
    if index.dtype.kind not in "iu":
        raise TypeError(f"index holds places h * n_W + w as integers, got {index.dtype}")
    if (len(index), index.shape[3]) != (len(image), shape[3]):
        raise ValueError(
            f"index {index.shape} is (K, n_H', n_W', n_C) of {len(image)} boxes, {shape[3]} channels"
        )
    if index.size and not -1 <= index.min() <= index.max() < shape[1] * shape[2]:
        raise IndexError(
            f"index holds {index.min()} to {index.max()}, a map has {shape[1]}x{shape[2]} pixels"
        )
    return image, np.ascontiguousarray(index, np.int32)


def _check_cotangent(g, shape):
    if g.shape != shape:
        raise ValueError(f"g has shape {g.shape}, the output of such a pooling {shape}")
