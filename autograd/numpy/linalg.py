"""np.linalg, whose names are NumPy's own."""

from typing import Any

import numpy

from ..tensor import Tensor
from .creation import array


def norm(x, *args, **kwargs):
    """np.linalg.norm, also of a list of tensors."""
    return numpy.linalg.norm(array(x) if isinstance(x, (list, tuple)) else x, *args, **kwargs)


def eigh(a, UPLO="L"):
    """np.linalg.eigh. All of the derivative goes to the triangle that is read, as in HIPS/autograd and in
    finite differences; by NumPy's own name a Hermitian matrix has it in both, as in PyTorch."""
    if isinstance(a, Tensor):
        half = numpy.tril(a, -1) if UPLO.upper() == "L" else numpy.triu(a, 1)
        n = a.shape[-1]
        a = half + numpy.conj(numpy.swapaxes(half, -1, -2)) + numpy.real(a) * numpy.eye(n, dtype=a.dtype)
    return numpy.linalg.eigh(a, UPLO)


def eigvalsh(a, UPLO="L"):
    """The eigenvalues alone, of which the same is true."""
    return eigh(a, UPLO)[0] if isinstance(a, Tensor) else numpy.linalg.eigvalsh(a, UPLO)


def __getattr__(name: str) -> Any:
    return getattr(numpy.linalg, name)


def __dir__() -> list[str]:
    return dir(numpy.linalg)
