"""HIPS/autograd's place of the vector spaces of arrays."""

from ..core import ArrayVSpace as ArrayVSpace
from ..core import ComplexArrayVSpace as ComplexArrayVSpace
