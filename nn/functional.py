"""Layers and losses as functions, with the names of torch.nn.functional: maths that holds no state."""

from autograd.ops import poolnd
from autograd.ops.activation import leaky_relu as leaky_relu
from autograd.ops.activation import relu as relu
from autograd.ops.activation import sigmoid as sigmoid
from autograd.ops.conv import conv2d as conv2d
from autograd.ops.convnd import conv1d as conv1d
from autograd.ops.convnd import conv3d as conv3d
from autograd.ops.convnd import conv_transpose1d as conv_transpose1d
from autograd.ops.convnd import conv_transpose2d as conv_transpose2d
from autograd.ops.convnd import conv_transpose3d as conv_transpose3d
from autograd.ops.elementwise import tanh as tanh
from autograd.ops.linalg import linear as linear
from autograd.ops.normalize import group_norm as group_norm
from autograd.ops.normalize import layer_norm as layer_norm
from autograd.ops.normalize import local_response_norm as local_response_norm
from autograd.ops.normalize import rms_norm as rms_norm
from autograd.ops.padding import pad as pad
from autograd.ops.resize import channel_shuffle as channel_shuffle
from autograd.ops.resize import interpolate as interpolate
from autograd.ops.resize import pixel_shuffle as pixel_shuffle
from autograd.ops.resize import pixel_unshuffle as pixel_unshuffle
from autograd.ops.roi import roi_align as roi_align
from autograd.ops.roi import roi_pool as roi_pool
from autograd.ops.units import celu as celu
from autograd.ops.units import elu as elu
from autograd.ops.units import gelu as gelu
from autograd.ops.units import hardshrink as hardshrink
from autograd.ops.units import hardsigmoid as hardsigmoid
from autograd.ops.units import hardswish as hardswish
from autograd.ops.units import hardtanh as hardtanh
from autograd.ops.units import logsigmoid as logsigmoid
from autograd.ops.units import mish as mish
from autograd.ops.units import prelu as prelu
from autograd.ops.units import relu6 as relu6
from autograd.ops.units import selu as selu
from autograd.ops.units import silu as silu
from autograd.ops.units import softplus as softplus
from autograd.ops.units import softshrink as softshrink
from autograd.ops.units import softsign as softsign
from autograd.ops.units import tanhshrink as tanhshrink
from autograd.ops.units import threshold as threshold

from .layers.activation import glu as glu
from .layers.activation import log_softmax as log_softmax
from .layers.activation import rrelu as rrelu
from .layers.activation import softmax as softmax
from .layers.activation import softmin as softmin
from .layers.attention import scaled_dot_product_attention as scaled_dot_product_attention
from .layers.distance import cosine_similarity as cosine_similarity
from .layers.distance import normalize as normalize
from .layers.distance import pairwise_distance as pairwise_distance
from .layers.dropout import alpha_dropout as alpha_dropout
from .layers.dropout import dropout as dropout
from .layers.dropout import dropout1d as dropout1d
from .layers.dropout import dropout2d as dropout2d
from .layers.dropout import dropout3d as dropout3d
from .layers.dropout import feature_alpha_dropout as feature_alpha_dropout
from .layers.embedding import embedding as embedding
from .layers.embedding import embedding_bag as embedding_bag
from .layers.fold import fold as fold
from .layers.fold import unfold as unfold
from .layers.fractional import fractional_max_pool
from .layers.linear import bilinear as bilinear
from .layers.normalization import batch_norm as batch_norm
from .layers.normalization import instance_norm as instance_norm
from .layers.shape import flatten as flatten
from .layers.shape import unflatten as unflatten
from .losses.binary import binary_cross_entropy as binary_cross_entropy
from .losses.binary import binary_cross_entropy_with_logits as binary_cross_entropy_with_logits
from .losses.binary import multilabel_soft_margin_loss as multilabel_soft_margin_loss
from .losses.binary import soft_margin_loss as soft_margin_loss
from .losses.classification import cross_entropy as cross_entropy
from .losses.classification import kl_div as kl_div
from .losses.classification import multi_margin_loss as multi_margin_loss
from .losses.classification import multilabel_margin_loss as multilabel_margin_loss
from .losses.classification import nll_loss as nll_loss
from .losses.ctc import ctc_loss as ctc_loss
from .losses.detection import localization_loss as localization_loss
from .losses.distance import all_triplet_loss as all_triplet_loss
from .losses.distance import contrastive_loss as contrastive_loss
from .losses.distance import cosine_embedding_loss as cosine_embedding_loss
from .losses.distance import hard_triplet_loss as hard_triplet_loss
from .losses.distance import hard_triplets as hard_triplets
from .losses.distance import hinge_embedding_loss as hinge_embedding_loss
from .losses.distance import margin_ranking_loss as margin_ranking_loss
from .losses.distance import semi_hard_triplet_loss as semi_hard_triplet_loss
from .losses.distance import semi_hard_triplets as semi_hard_triplets
from .losses.distance import triplet_margin_loss as triplet_margin_loss
from .losses.distance import triplet_margin_with_distance_loss as triplet_margin_with_distance_loss
from .losses.output import linear_cross_entropy as linear_cross_entropy
from .losses.overlap import dice_loss as dice_loss
from .losses.overlap import soft_iou_loss as soft_iou_loss
from .losses.regression import gaussian_nll_loss as gaussian_nll_loss
from .losses.regression import huber_loss as huber_loss
from .losses.regression import l1_loss as l1_loss
from .losses.regression import mse_loss as mse_loss
from .losses.regression import poisson_nll_loss as poisson_nll_loss
from .losses.regression import smooth_l1_loss as smooth_l1_loss
from .losses.style import content_loss as content_loss
from .losses.style import gram_matrix as gram_matrix
from .losses.style import style_loss as style_loss
from .losses.style import total_variation_loss as total_variation_loss
from .losses.tasks import multitask_loss as multitask_loss
from .losses.tasks import weighted as weighted
from .losses.words import glove_loss as glove_loss
from .losses.words import hierarchical_softmax_loss as hierarchical_softmax_loss
from .losses.words import huffman as huffman
from .losses.words import negative_sampling_loss as negative_sampling_loss
from .losses.words import sampling_distribution as sampling_distribution

# one function for sequences, images and volumes: the number of axes is that of its input
max_pool1d = max_pool2d = max_pool3d = poolnd.max_pool
max_unpool1d = max_unpool2d = max_unpool3d = poolnd.max_unpool
avg_pool1d = avg_pool2d = avg_pool3d = poolnd.avg_pool
lp_pool1d = lp_pool2d = lp_pool3d = poolnd.lp_pool
adaptive_avg_pool1d = adaptive_avg_pool2d = adaptive_avg_pool3d = poolnd.adaptive_avg_pool
adaptive_max_pool1d = adaptive_max_pool2d = adaptive_max_pool3d = poolnd.adaptive_max_pool
global_avg_pool, global_max_pool = poolnd.global_avg_pool, poolnd.global_max_pool
fractional_max_pool2d = fractional_max_pool3d = fractional_max_pool
