"""Layers and losses as functions, with the names of torch.nn.functional: maths that holds no state."""

from autograd.ops.activation import leaky_relu as leaky_relu
from autograd.ops.activation import relu as relu
from autograd.ops.activation import sigmoid as sigmoid
from autograd.ops.activation import softplus as softplus
from autograd.ops.conv import conv2d as conv2d
from autograd.ops.elementwise import tanh as tanh
from autograd.ops.linalg import linear as linear
from autograd.ops.pool import avg_pool2d as avg_pool2d
from autograd.ops.pool import max_pool2d as max_pool2d
from autograd.ops.softmax import log_softmax as log_softmax
from autograd.ops.softmax import softmax as softmax

from .layers.dropout import dropout as dropout
from .layers.shape import flatten as flatten
from .losses.classification import binary_cross_entropy as binary_cross_entropy
from .losses.classification import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from .losses.classification import cross_entropy as cross_entropy
from .losses.regression import l1_loss as l1_loss
from .losses.regression import mse_loss as mse_loss
