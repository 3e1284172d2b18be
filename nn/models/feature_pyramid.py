"""A feature pyramid: what a classifier knows, at every scale.

Lin, Dollar, Girshick, He, Hariharan, Belongie, "Feature Pyramid Networks for Object Detection",
arXiv:1612.03144, 2016. The maps of ResNet's four stages (`resnet.py`) become 256 channels each, and each is
joined by the one above it, doubled.

    body.layer4   n / 32, 2048    1x1 256                  3x3 256     and every second place of it, n / 64
    body.layer3   n / 16, 1024    1x1 256, + from above    3x3 256
    body.layer2   n / 8,   512    1x1 256, + from above    3x3 256
    body.layer1   n / 4,   256    1x1 256, + from above    3x3 256
"""

import numpy as np

from autograd import Tensor
from autograd.ops.resize import interpolate

from .. import init
from ..layers import BatchNorm2d, Conv2d, ModuleList, Sequential
from ..layers.normalization import batch_norm
from ..module import Module
from .resnet import Bottleneck, ResNet


class FrozenBatchNorm2d(Module):
    """Batch normalisation whose statistics, scale and shift stay as they are: a few images a batch would
    spoil them. All four are buffers, torchvision's names."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int):
        super().__init__()
        for name, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            self.register_buffer(name, Tensor(np.full(num_features, value, np.float32)))

    def forward(self, x, relu=False):
        return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, relu=relu)


class Body(Module):
    """ResNet's stages without its head, their normalisations frozen: (m, n_H, n_W, 3) to four maps."""

    def __init__(self, layers, width):
        super().__init__()
        net = ResNet(Bottleneck, layers, width=width)
        self.stages = net.stages
        self.conv1, self.bn1, self.maxpool = net.conv1, net.bn1, net.maxpool
        for stage in self.stages:
            setattr(self, stage, getattr(net, stage))
        for module in list(self.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, BatchNorm2d):
                    setattr(module, name, FrozenBatchNorm2d(child.num_features))

    def forward(self, images):
        x = self.maxpool(self.bn1(self.conv1(images), relu=True))
        found = []
        for stage in self.stages:
            x = getattr(self, stage)(x)
            found.append(x)
        return found


class TopDown(Module):
    """Maps (m, n_H, n_W, depth), the finest first, to maps of `channels` each, and one more of half the
    places."""

    def __init__(self, depths, channels):
        super().__init__()
        self.inner_blocks = ModuleList([Sequential(Conv2d(depth, channels, 1)) for depth in depths])
        self.layer_blocks = ModuleList([Sequential(Conv2d(channels, channels, 3, padding=1)) for _ in depths])
        for path, p in self.named_parameters():
            if path.endswith("bias"):
                init.zeros_(p)
            else:
                init.kaiming_uniform_(p, a=1)

    def forward(self, maps):
        maps = [inner(x) for inner, x in zip(self.inner_blocks, maps)]
        for k in range(len(maps) - 2, -1, -1):
            maps[k] = maps[k] + interpolate(maps[k + 1], size=maps[k].shape[1:3])
        found = [layer(x) for layer, x in zip(self.layer_blocks, maps)]
        return [*found, found[-1][:, ::2, ::2]]


class FeaturePyramid(Module):
    """Maps (m, n_H / s, n_W / s, channels) with s = 4, 8, 16, 32 and 64 of images (m, n_H, n_W, 3): the
    pyramid on a ResNet of bottlenecks. FeaturePyramid(layers=(3, 4, 6, 3), width=64, channels=256)."""

    def __init__(self, layers: tuple[int, ...] = (3, 4, 6, 3), width: int = 64, channels: int = 256):
        super().__init__()
        self.body = Body(layers, width)
        self.fpn = TopDown([4 * width << k for k in range(len(layers))], channels)

    def forward(self, images):
        return self.fpn(self.body(images))
