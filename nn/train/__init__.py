"""Training: the loop, what it remembers, and what it writes."""

from ..files import replacing as replacing
from ..files import writable_folder as writable_folder
from .checkpoint import read_checkpoint as read_checkpoint
from .checkpoint import write_checkpoint as write_checkpoint
from .curves import save_curves as save_curves
from .fit import fit as fit
from .folder import settings_of as settings_of
from .history import History as History
from .logs import Log as Log
from .logs import TensorBoard as TensorBoard
from .run import evaluate as evaluate
from .run import predict as predict
from .training import Training as Training
