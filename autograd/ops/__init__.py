"""The chapters of ops. Importing one declares its primitives; which chapter an op is in, `autograd/README.md`
tells."""

from . import activation as activation
from . import attention as attention
from . import conv as conv
from . import convnd as convnd
from . import elementwise as elementwise
from . import gru as gru
from . import index as index
from . import linalg as linalg
from . import normalize as normalize
from . import pool as pool
from . import recurrent as recurrent
from . import reduce as reduce
from . import resize as resize
from . import selection as selection
from . import shape as shape
from . import softmax as softmax
