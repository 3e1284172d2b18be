"""Row-sparse gradients: what an embedding's backward leaves when only a few rows of a large table were
used."""

import numpy as np

from .tensor import Tensor, as_array, ops, wrap

LARGE = 1 << 15  # float32 elements from which the kernels for rows are worth loading


class Rows:
    """The gradient of a table, zero but in some rows: `values[k]` belongs to row `indices[k]`; rows may
    repeat.

    `indices` (n,) int64, `values` (n, ...) and `shape` of the whole table. Sums of two join their rows; a sum
    with a dense array is dense. Raises IndexError for rows outside the table.
    """

    __array_ufunc__ = None  # so that ndarray + Rows comes to __radd__

    def __init__(self, indices, values, shape):
        self.indices = np.asarray(indices, np.int64).reshape(-1)
        self.shape = tuple(shape)
        self.values = as_array(values).reshape(len(self.indices), *self.shape[1:])
        if self.indices.size and not 0 <= self.indices.min() <= self.indices.max() < self.shape[0]:
            raise IndexError(
                f"rows {self.indices.min()} to {self.indices.max()} of a table of shape {self.shape}"
            )

    @property
    def dtype(self) -> np.dtype:
        """The type of the values."""
        return self.values.dtype

    @property
    def nbytes(self) -> int:
        """Memory of indices and values."""
        return self.indices.nbytes + self.values.nbytes

    def astype(self, dtype) -> "Rows":
        """The same with values of another type."""
        return Rows(self.indices, self.values.astype(dtype), self.shape)

    def coalesce(self) -> "Rows":
        """The same gradient with each row once, in ascending order."""
        if self.dtype == np.float32 and self.values.size >= LARGE:
            from .kernels import embedding

            groups = embedding.grouped(self.indices, self.shape[0])
            values = np.ascontiguousarray(self.values).reshape(len(self.values), -1)
            return known_rows(groups[0], embedding.sums(values, groups), self.shape)
        rows, where = np.unique(self.indices, return_inverse=True)
        values = np.zeros((len(rows), *self.shape[1:]), self.dtype)
        np.add.at(values, where.reshape(-1), self.values)
        return Rows(rows, values, self.shape)

    def to_dense(self) -> Tensor:
        """The whole gradient as a tensor of `shape`."""
        return wrap(ops.scatter_add_rows(self.values, self.indices, self.shape[0]))

    def __add__(self, other):
        if isinstance(other, Rows):
            if other.shape != self.shape:
                raise ValueError(
                    f"rows of a table of shape {self.shape} and of one of {other.shape} cannot be added"
                )
            joined = np.concatenate([self.values, other.values])
            return Rows(np.concatenate([self.indices, other.indices]), joined, self.shape)
        total = self.to_dense()._data + as_array(other)
        return wrap(total) if isinstance(other, Tensor) else total

    __radd__ = __add__

    def __repr__(self):
        return f"Rows({len(self.indices)} rows of a table of shape {self.shape}, dtype={self.dtype})"


def known_rows(indices, values, shape) -> Rows:
    """`Rows` of indices (n,) int64 that are known to lie in the table."""
    rows = object.__new__(Rows)
    rows.indices, rows.shape = indices, shape
    rows.values = values.reshape(len(indices), *shape[1:])
    return rows
