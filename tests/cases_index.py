"""Rows of autograd/ops/index.py."""

import numpy as np

from .cases import Case

EVERY_THIRD = np.arange(24).reshape(2, 3, 4) % 3 == 0
KEYS = {
    "int": 1,
    "numpy int": np.int64(-1),
    "ints to a number": (0, 1, 2),
    "slice": slice(1, None),
    "slices": (slice(None), slice(None, None, -1), slice(0, 4, 2)),
    "new axes": (None, Ellipsis, None, 0),
    "all": (),
    "nothing": slice(1, 1),
    "list": [0, 1, 1, 0],
    "array beside slices": (slice(None), np.array([2, 0, 0]), slice(1, 3)),
    "arrays apart": ([0, 1], slice(None), [3, 3]),
    "arrays broadcast": (np.array([[0], [1]]), np.array([0, 2, 2]), None, 1),
    "0-d array": np.array(1),
    "no indices": np.array([], int),
    "mask": EVERY_THIRD,
    "mask of an axis": (slice(None), np.array([True, False, True]), 1),
    "mask and array": (np.array([True, False]), [0, 0]),
    "list of bools": [True, False],
    "True": True,
    "many repeats": (np.zeros(40, int), np.arange(40) % 3),
}


def of(shape, *options):
    """One array, then the options."""
    return lambda rng: (rng.standard_normal(shape), *options)


def read(key):
    return lambda rng: (rng.standard_normal((2, 3, 4)), key)


def added(key):
    def make(rng):
        values = rng.standard_normal(np.empty((2, 3, 4))[key].shape)
        return np.asarray(values), key, (2, 3, 4)

    return make


def put_add_by_loop(values, key, shape):
    places = np.arange(np.prod(shape)).reshape(shape)[key]
    y = np.zeros(shape)
    for place, value in zip(np.ravel(places), np.ravel(values), strict=True):
        y.flat[place] += value
    return y


def scatter_by_one_hot(values, indices, rows):
    one_hot = np.eye(rows)[np.asarray(indices, int)]  # (*indices.shape, rows)
    return np.tensordot(one_hot, values, (range(one_hot.ndim - 1),) * 2)


# every kind of key is a row of getitem, and of its adjoint
CASES = [Case("getitem", read(key), lambda a, key: a[key], note=note) for note, key in KEYS.items()]
CASES += [Case("put_add", added(key), put_add_by_loop, note=note) for note, key in KEYS.items()]
CASES += [
    Case("put_add", of((2,), (np.array([1, 1]), 0), (9, 9)), put_add_by_loop, note="few into many"),
    Case("take", of((2, 3), [0, 5, 5]), np.take),
    Case("take", of((2, 3, 4), [[0, 1], [1, 1]], 1), np.take, note="axis"),
    Case("take", of((2, 3, 4), 2, -1), np.take, note="one of an axis"),
    Case("take", of((2, 3, 4), -1), np.take, note="one"),
    Case("take_along_axis", of((2, 3), np.array([[2, 0, 1], [1, 1, 1]])), np.take_along_axis),
    Case("take_along_axis", of((2, 3), np.array([[1, 0, 1]]), 0), np.take_along_axis, note="one row"),
    Case("take_along_axis", of((1, 3), np.array([[1, 0], [2, 2]]), 1), np.take_along_axis, note="stretched"),
    Case("take_along_axis", of((2, 3), np.array([5, 5, 0]), None), np.take_along_axis, note="flattened"),
    Case("sort", of((3, 4)), np.sort),
    Case("sort", of((3, 4), 0), np.sort, note="first axis"),
    Case("sort", of((2, 3), None), np.sort, note="flattened"),
    Case("sort", of((0, 3)), np.sort, note="empty"),
    Case("gather", of((4, 3), np.array([[0, 3], [3, 1]])), lambda table, i: table[i]),
    Case("gather", of((4, 2, 3), np.array(2)), lambda table, i: table[i], note="one row of matrices"),
    Case("gather", of((4, 3), np.array([], int)), lambda table, i: table[i], note="none"),
    Case("scatter_add_rows", of((2, 2, 3), np.array([[0, 3], [3, 1]]), 5), scatter_by_one_hot),
    Case("scatter_add_rows", of((2, 3), np.array(2), 4), scatter_by_one_hot, note="one row of matrices"),
    Case("scatter_add_rows", of((0, 3), np.array([], int), 4), scatter_by_one_hot, note="none"),
]
