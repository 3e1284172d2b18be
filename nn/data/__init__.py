"""Real data as plain NumPy arrays, and batches of them: no Tensor in here."""

from .augment import shift as shift
from .digits import digit_in_picture as digit_in_picture
from .digits import load_digits as load_digits
from .images import grey as grey
from .images import read_image as read_image
from .loader import Loader as Loader
from .loader import split as split
