"""A classifier as convolutions, which slides over larger images.

Sermanet et al., "OverFeat", arXiv:1312.6229, 2013; Long, Shelhamer, Darrell, "Fully Convolutional Networks
for Semantic Segmentation", arXiv:1411.4038, 2014; lecture C4W3, convolutional sliding windows.

    fully connected                       as a convolution
    5 x 5 x 16 unrolled, 400 -> 120       120 filters of 5 x 5 x 16
    120 -> 84                              84 filters of 1 x 1 x 120
    84 -> 10                               10 filters of 1 x 1 x 84

On an image of the classifier's size there is one place, with the classifier's logits; on a larger one each
place is a crop's, at distances of the product of all strides, and what neighbouring crops share is computed
once.
"""

import copy

import numpy as np

from autograd.modes import no_grad
from autograd.tensor import writable

from ..layers import AdaptiveAvgPool2d, Conv2d, Flatten, Linear, Sequential
from ..module import Module


def fully_convolutional(*stages: Module) -> Sequential:
    """The network that calls these modules one after the other, as convolutions: images (m, n_H, n_W, n_C) to
    logits (m, n_H', n_W', num_classes). Its weights are copies.

        net = fully_convolutional(model.features, model.classifier)     # of a LeNet5, an AlexNet, a VGG

    Sequentials are unpacked, `Flatten` and `AdaptiveAvgPool2d`, which fix the size, fall away, the first
    Linear becomes the convolution over all places that its `spatial` tells, the others 1x1. The logits are
    those of the crops where no convolution is padded; else they differ towards the edges, where a crop sees
    zeros and the larger image what is there. Raises ValueError for a Linear behind a Flatten without
    `spatial`."""
    layers: list[Module] = []
    flattened = any(isinstance(layer, Flatten) for layer in _unpacked(stages))
    for layer in _unpacked(stages):
        if isinstance(layer, (Flatten, AdaptiveAvgPool2d)):
            continue
        if isinstance(layer, Linear):
            if flattened and layer.spatial is None:
                raise ValueError(
                    f"fully_convolutional: Linear({layer.extra_repr()}) stands behind a Flatten: tell what "
                    f"was flattened, as in Linear({layer.in_features}, {layer.out_features}, "
                    "spatial=(n_H, n_W, n_C))"
                )
            flattened = False
            layers.append(_convolution(layer))
        else:
            layers.append(copy.deepcopy(layer))
    return Sequential(*layers)


def _unpacked(modules):
    for module in modules:
        if isinstance(module, Sequential):
            yield from _unpacked(module)
        else:
            yield module


def _convolution(linear: Linear) -> Conv2d:
    height, width, channels = linear.spatial or (1, 1, linear.in_features)
    conv = Conv2d(channels, linear.out_features, (height, width), bias=linear.bias is not None)
    filters = linear.weight.numpy().reshape(linear.out_features, height, width, channels)
    with no_grad():
        writable(conv.weight)[...] = np.moveaxis(filters, 0, -1)  # (n_H, n_W, n_C, n_out)
        if conv.bias is not None and linear.bias is not None:
            writable(conv.bias)[...] = linear.bias.numpy()
    return conv
