"""HIPS/autograd's name for what arrays are inside a function: tensors."""

from ..tensor import Tensor

ArrayBox = Tensor
