"""Choosing elements by conditions and by indices, and putting others in their place as a function. Composed,
so every order comes for free."""

import numpy as np

from ..dispatch import composed, nondiff, without_derivative
from ..tensor import Tensor, dispatch, leaves_graph, unwrap
from .index import put_add, take_along_axis
from .products import array
from .selection import where

nondiff(np.unique_counts, np.histogram_bin_edges)


def _counting(function):
    """A histogram: its counts are plain arrays; weights that require grad would lose their gradient."""

    def run(*args, **kwargs):
        for weights in (*args[4:], kwargs.get("weights")):
            if isinstance(weights, Tensor) and weights.requires_grad:
                name = f"np.{function.__name__} with weights="
                raise leaves_graph(weights, name, "sum them with np.bincount of np.digitize")
        return function(*map(unwrap, args), **{k: unwrap(v) for k, v in kwargs.items()})

    return run


for _function in (np.histogram, np.histogram2d, np.histogramdd):
    dispatch[_function] = _counting(_function)
    without_derivative.add(_function)


@composed(np.bincount)
def bincount(x, weights=None, minlength=0):
    """How often each integer from 0 stands in x, a plain array; or the sums of their weights."""
    x = np.asarray(unwrap(x))
    if weights is None:
        return np.bincount(x, minlength=minlength)
    return put_add(array(weights), x, (max(minlength, x.max(initial=-1) + 1),))


@composed(np.select)
def select(condlist, choicelist, default=0.0):
    """At each place the choice of the first condition that holds there, or `default`. Raises ValueError when
    the lists differ in length."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(f"select: {len(condlist)} conditions for {len(choicelist)} choices")
    y = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist)):
        y = where(unwrap(condition), choice, y)
    return y


def within(indices, n, mode):
    """Indices from 0 to n - 1 out of any, in mode 'wrap' or 'clip'; in 'raise' as they are. Raises ValueError
    on another mode."""
    if mode == "raise":
        return indices
    if mode not in ("wrap", "clip"):
        raise ValueError(f"mode is 'raise', 'wrap' or 'clip', got {mode!r}")
    indices = np.asarray(unwrap(indices))
    return indices % n if mode == "wrap" else np.clip(indices, 0, n - 1)


@composed(np.choose)
def choose(a, choices, mode="raise"):
    """At each place the element of `choices[a]` at that place, for an integer array `a`; in mode 'wrap' or
    'clip' integers beyond the ends come back in."""
    a = within(np.asarray(unwrap(a)), len(choices), mode)
    choices = [array(c) for c in choices]
    if a.dtype.kind not in "iub":
        raise TypeError(f"choose: takes integers that choose, got {a.dtype}")
    if a.size and not (0 <= a.min() and a.max() < len(choices)):
        raise ValueError(
            f"choose: the integers run from {a.min()} to {a.max()}, there are {len(choices)} choices"
        )
    shape = np.broadcast_shapes(a.shape, *(c.shape for c in choices))
    stacked = np.stack([np.broadcast_to(c, shape) for c in choices])
    return take_along_axis(stacked, np.broadcast_to(a, shape)[None], 0)[0]


@composed(np.compress)
def compress(condition, a, axis=None):
    """The slices along an axis where the condition holds; of the flattened array when it is None."""
    return np.take(a, np.flatnonzero(unwrap(condition)), axis)


@composed(np.extract)
def extract(condition, arr):
    """The elements where the condition holds, in one row."""
    return np.take(arr, np.flatnonzero(unwrap(condition)))


@composed(np.sort_complex)
def sort_complex(a):
    """The elements as complex numbers, along the last axis by real part, then by imaginary part."""
    y = np.sort(array(a), axis=-1)
    return y if np.iscomplexobj(y) else y.astype(complex)


@composed(np.partition)
def partition(a, kth, axis=-1):
    """The kth element in its sorted place along an axis, smaller ones before it, larger ones behind."""
    if axis is None:
        a, axis = np.ravel(a), 0
    order = np.argpartition(unwrap(a), kth, axis)
    return take_along_axis(a, order, axis)


# ---- sets: their elements are taken from where they stand first


@composed(np.unique)
def unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True):
    """The different elements in ascending order, or along an axis the different slices; then, if asked for,
    plain arrays: where each stands first, which of them each element is, and how often each occurs."""
    if not hasattr(ar, "node"):
        ar = array(ar)
    _, first, *rest = np.unique(unwrap(ar), True, return_inverse, return_counts, axis, equal_nan=equal_nan)
    values = np.take(ar, first, axis)
    found = (values, *([first] if return_index else []), *rest)
    return found if len(found) > 1 else values


@composed(np.unique_values)
def unique_values(x):
    """The different elements, in ascending order."""
    return unique(x, equal_nan=False)


@composed(np.unique_inverse)
def unique_inverse(x):
    """(values, inverse_indices): the different elements, and which of them each element is."""
    return type(np.unique_inverse(np.zeros(1)))(*unique(x, return_inverse=True, equal_nan=False))


@composed(np.unique_all)
def unique_all(x):
    """(values, indices, inverse_indices, counts), as `unique` gives them."""
    return type(np.unique_all(np.zeros(1)))(*unique(x, True, True, True, equal_nan=False))


@composed(np.union1d)
def union1d(ar1, ar2):
    """The different elements of both arrays."""
    return unique(np.concatenate([ar1, ar2], axis=None))


@composed(np.intersect1d)
def intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    """The different elements of ar1 that ar2 has too; with `return_indices` also where both have them, as
    plain arrays. The derivative goes to ar1."""
    _, of_1, of_2 = np.intersect1d(unwrap(ar1), unwrap(ar2), assume_unique, True)
    values = np.take(ar1, of_1)
    return (values, of_1, of_2) if return_indices else values


@composed(np.setdiff1d)
def setdiff1d(ar1, ar2, assume_unique=False):
    """The different elements of ar1 that ar2 has not."""
    values = np.ravel(ar1) if assume_unique else unique(ar1)
    return values[~np.isin(unwrap(values), unwrap(ar2))]


@composed(np.setxor1d)
def setxor1d(ar1, ar2, assume_unique=False):
    """The different elements that only one of the arrays has, in ascending order."""
    return np.sort(np.concatenate([setdiff1d(ar1, ar2), setdiff1d(ar2, ar1)]))


@composed(np.trim_zeros)
def trim_zeros(filt, trim="fb"):
    """A vector without its zeros in front ('f'), at the back ('b'), or both."""
    places = np.flatnonzero(unwrap(filt))
    if not places.size:
        return filt[:0]
    start = places[0] if "f" in trim.lower() else 0
    return filt[start : places[-1] + 1 if "b" in trim.lower() else None]


# ---- updates as functions: NumPy's put family writes in place, these return the updated array


def put(a, ind, v):
    """a with `v` (repeated as needed) at flat indices `ind`: np.put as a function."""
    ind = np.asarray(ind).reshape(-1) % max(a.size, 1)
    values = np.ravel(array(v))
    values = values[np.arange(ind.size) % max(values.shape[0], 1)]
    return _replaced(np.ravel(a), ind, values).reshape(a.shape)


def put_along_axis(arr, indices, values, axis):
    """arr with `values` at `indices` along an axis, as `take_along_axis` reads them: np.put_along_axis as a
    function."""
    indices = np.asarray(indices)
    if axis is None:
        return put(arr, indices, values)
    shape = list(np.broadcast_shapes(_but(arr.shape, axis), _but(indices.shape, axis)))
    shape[axis] = indices.shape[axis]
    indices = np.broadcast_to(indices, shape) % arr.shape[axis]
    key = [np.arange(n).reshape((n, *(1,) * (len(shape) - 1 - k))) for k, n in enumerate(shape)]
    key[axis] = indices
    flat = np.ravel_multi_index(tuple(np.broadcast_arrays(*key)), arr.shape)
    return put(arr, flat, np.broadcast_to(values, shape))


def _but(shape, axis):
    return tuple(1 if i == axis % len(shape) else n for i, n in enumerate(shape))


def _replaced(row, places, values):
    """A vector with other values at some places; where a place repeats, the last value stands."""
    last = np.full(row.shape[0], -1)
    last[places] = np.arange(places.size)
    winners = last[last >= 0]
    mask = last >= 0
    return where(mask, put_add(values[winners], mask, (row.shape[0],)), row)


def place(arr, mask, vals):
    """arr with `vals` (repeated as needed) where the mask holds, in order: np.place as a function."""
    return put(arr, np.flatnonzero(unwrap(mask)), vals)


def putmask(a, mask, values):
    """a with `values` where the mask holds, each at its own place: np.putmask as a function."""
    values = np.ravel(array(values))
    repeated = values[np.arange(a.size) % max(values.shape[0], 1)].reshape(a.shape)
    return where(unwrap(mask), repeated, a)


def fill_diagonal(a, val):
    """A matrix with `val` on its diagonal: np.fill_diagonal as a function."""
    n = min(a.shape)
    return put(a, np.arange(n) * (a.shape[1] + 1), val)


@composed(np.piecewise)
def piecewise(x, condlist, funclist, *args, **kw):
    """At each place the function of the last condition that holds there, called with those elements of x; one
    more function than conditions is for where none holds. Numbers stand for constant functions. Raises
    ValueError when the lists do not fit."""
    conditions = [
        np.asarray(unwrap(c), bool) for c in (condlist if isinstance(condlist, (list, tuple)) else [condlist])
    ]
    if len(conditions) == 1 and conditions[0].ndim == x.ndim + 1:
        conditions = list(conditions[0])
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.logical_or.reduce(conditions))
    if len(funclist) != len(conditions):
        raise ValueError(f"piecewise: {len(funclist)} functions for {len(conditions)} conditions")
    y = np.zeros(x.shape, x.dtype)
    for condition, function in zip(conditions, funclist):
        condition = np.broadcast_to(condition, x.shape)
        if callable(function):
            values = function(x[condition], *args, **kw)
            values = put_add(
                np.broadcast_to(values, (int(condition.sum()),)).astype(x.dtype), condition, x.shape
            )
        else:
            values = function
        y = where(condition, values, y)
    return y
