"""How good predictions are: plain NumPy in, plain numbers out."""

from .classification import accuracy as accuracy
from .classification import confusion_matrix as confusion_matrix
