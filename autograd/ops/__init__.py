"""The chapters of ops. Importing one declares its primitives; which chapter an op is in, `autograd/README.md`
tells."""

from . import activation as activation
from . import arrange as arrange
from . import attention as attention
from . import calculus as calculus
from . import conv as conv
from . import convnd as convnd
from . import elementwise as elementwise
from . import fourier as fourier
from . import functions as functions
from . import gru as gru
from . import index as index
from . import keywords as keywords
from . import linalg as linalg
from . import linear_algebra as linear_algebra
from . import matrix as matrix
from . import normalize as normalize
from . import padding as padding
from . import picking as picking
from . import polynomial as polynomial
from . import pool as pool
from . import products as products
from . import recurrent as recurrent
from . import reduce as reduce
from . import resize as resize
from . import roi as roi
from . import selection as selection
from . import shape as shape
from . import softmax as softmax
from . import special as special
from . import statistics as statistics
