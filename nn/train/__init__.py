"""Training: the loop, what it remembers, and what it writes."""

from .curves import save_curves as save_curves
from .files import replacing as replacing
from .files import writable_folder as writable_folder
from .fit import fit as fit
from .history import History as History
from .run import evaluate as evaluate
from .run import predict as predict
