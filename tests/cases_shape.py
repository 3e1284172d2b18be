"""Rows of autograd/ops/shape.py."""

import numpy as np

from .cases import Case


def of(shape, *options):
    """One array, then the options."""
    return lambda rng: (rng.standard_normal(shape), *options)


def many(*shapes):
    """A list of arrays."""
    return lambda rng: ([rng.standard_normal(s) for s in shapes],)


X = (2, 3, 4)


def put_diagonal_by_loop(values, shape, offset=0, axis1=0, axis2=1):
    y = np.zeros(shape)
    for index in np.ndindex(*shape):
        if index[axis2] - index[axis1] == offset:
            rest = [k for axis, k in enumerate(index) if axis not in (axis1 % len(shape), axis2 % len(shape))]
            y[index] = values[(*rest, min(index[axis1], index[axis2]) % values.shape[-1])]
    return y


CASES = [
    Case("reshape", of(X, (4, -1)), np.reshape),
    Case("reshape", of(X, -1), np.reshape, note="to one row"),
    Case("reshape", of((), (1, 1)), np.reshape, note="0-d"),
    Case("reshape", of((0, 3), (3, 0, 2)), np.reshape, note="empty"),
    Case("ravel", of(X), np.ravel),
    Case("ravel", of(()), np.ravel, note="0-d"),
    Case("expand_dims", of(X, 1), np.expand_dims),
    Case("expand_dims", of(X, (0, -1)), np.expand_dims, note="two axes"),
    Case("expand_dims", of((), 0), np.expand_dims, note="0-d"),
    Case("squeeze", of((1, 2, 1, 3)), np.squeeze),
    Case("squeeze", of((1, 2, 1, 3), -2), np.squeeze, note="one axis"),
    Case("squeeze", of((1, 2, 1, 3), (0, 2)), np.squeeze, note="two axes"),
    Case("squeeze", of((1, 1)), np.squeeze, note="to 0-d"),
    Case("transpose", of(X), np.transpose),
    Case("transpose", of(X, (1, 2, 0)), np.transpose, note="a cycle"),
    Case("transpose", of(X, (-1, 0, -2)), np.transpose, note="negative axes"),
    Case("transpose", of(()), np.transpose, note="0-d"),
    Case("transpose", of((0, 3)), np.transpose, note="empty"),
    Case("swapaxes", of(X, 0, -1), np.swapaxes),
    Case("moveaxis", of(X, 0, -1), np.moveaxis),
    Case("moveaxis", of(X, (0, 1), (-1, 0)), np.moveaxis, note="two axes"),
    Case("broadcast_to", of((3, 1), (2, 3, 4)), np.broadcast_to),
    Case("broadcast_to", of((), (2, 3)), np.broadcast_to, note="0-d"),
    Case("broadcast_to", of((1, 3), (0, 3)), np.broadcast_to, note="to empty"),
    Case("concatenate", many((2, 3), (1, 3), (0, 3)), np.concatenate),
    Case("concatenate", many((2, 3), (2, 1)), np.concatenate, {"axis": -1}, note="last axis"),
    Case("concatenate", many((2, 3), (2,), ()), np.concatenate, {"axis": None}, note="flattened"),
    Case("stack", many((2, 3), (2, 3)), np.stack),
    Case("stack", many((2, 3), (2, 3), (2, 3)), np.stack, {"axis": -1}, note="last axis"),
    Case("stack", many((), ()), np.stack, note="0-d"),
    Case("pad", of(X, 1), np.pad),
    Case("pad", of(X, (1, 2)), np.pad, note="one pair for all"),
    Case("pad", of(X, ((0, 0), (1, 2), (2, 0))), np.pad, {"constant_values": -1.5}, note="a pair an axis"),
    Case("pad", of((2, 3), ((1, 0),)), np.pad, {"constant_values": ((1.0, 2.0),)}, note="a value a side"),
    Case("pad", of((0, 2), 1), np.pad, note="empty"),
    Case("flip", of(X), np.flip),
    Case("flip", of(X, -2), np.flip, note="one axis"),
    Case("flip", of(X, (0, 2)), np.flip, note="two axes"),
    Case("roll", of(X, 5), np.roll),
    Case("roll", of(X, -1, 1), np.roll, note="one axis"),
    Case("roll", of(X, (1, -2), (0, 2)), np.roll, note="two axes"),
    Case("roll", of(X, 1, (0, 2)), np.roll, note="one shift for two axes"),
    Case("repeat", of(X, 2), np.repeat),
    Case("repeat", of(X, 3, 1), np.repeat, note="one axis"),
    Case("repeat", of(X, (1, 0, 2), -2), np.repeat, note="a number an element"),
    Case("repeat", of((2, 2), (0, 1, 2, 3)), np.repeat, note="flattened, a number an element"),
    Case("repeat", of(X, (2,), 0), np.repeat, note="one number in a tuple"),
    Case("repeat", of((), 3), np.repeat, note="0-d"),
    Case("repeat", of((2, 3), 0, 0), np.repeat, note="none"),
    Case("tile", of((2, 3), 2), np.tile),
    Case("tile", of((2, 3), (3, 1, 2)), np.tile, note="new axes"),
    Case("tile", of(X, (2, 2)), np.tile, note="fewer numbers than axes"),
    Case("tile", of((), 3), np.tile, note="0-d"),
    Case("tile", of((2, 3), 0), np.tile, note="none"),
    Case("diagonal", of((3, 4)), np.diagonal),
    Case("diagonal", of(X, 1, 1, 2), np.diagonal, note="above, later axes"),
    Case("diagonal", of(X, -1, -1, 0), np.diagonal, note="below, negative axis"),
    Case("diagonal", of((2, 3), 7), np.diagonal, note="beyond"),
    Case("put_diagonal", of((3,), (3, 4)), put_diagonal_by_loop),
    Case("put_diagonal", of((2, 3), (2, 3, 4), 1, 1, 2), put_diagonal_by_loop, note="above, later axes"),
    Case("put_diagonal", of((3, 2), (2, 3, 4), -1, -1, 0), put_diagonal_by_loop, note="below, negative axis"),
    Case("put_diagonal", of((2, 1), (2, 3, 3), 0, 1, 2), put_diagonal_by_loop, note="one value a diagonal"),
    Case("trace", of((3, 4)), np.trace),
    Case("trace", of(X, -1, 2, 1), np.trace, note="below, later axes"),
]
