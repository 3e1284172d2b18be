"""Losses: what a prediction costs, as functions and as modules that remember the reduction."""

from .classification import BCELoss as BCELoss
from .classification import BCEWithLogitsLoss as BCEWithLogitsLoss
from .classification import CrossEntropyLoss as CrossEntropyLoss
from .reduction import Loss as Loss
from .regression import L1Loss as L1Loss
from .regression import MSELoss as MSELoss
