"""The style of one picture on the content of another.

Gatys, Ecker, Bethge, "A Neural Algorithm of Artistic Style", arXiv:1508.06576, 2015; lecture C4W4, neural
style transfer. VGG-19's activations (`vgg.py`) tell what is in a picture, their Gram matrices in what style;
the pixels are what is trained:

    net = vgg19_taps().eval().requires_grad_(False)            # with published weights loaded
    cost = StyleTransferCost(net, content, style)
    picture = Tensor(content, requires_grad=True)
    cost(picture).backward()                                   # G := G - learning_rate dJ/dG

    layers    conv1_1, conv2_1, conv3_1, conv4_1, conv5_1 for the style, conv4_2 for the content
    vgg19_taps: the 13 convolutions up to conv5_1, 12,944,960 parameters
"""

from collections.abc import Mapping, Sequence

from autograd.modes import no_grad
from autograd.tensor import as_array

from ..layers import AvgPool2d, Conv2d, MaxPool2d, ReLU, Sequential
from ..losses.style import content_loss, style_loss, total_variation_loss
from ..module import Module
from .catalog import Entry
from .vgg import DEPTHS

STYLE = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
CONTENT = "conv4_2"


class FeatureTaps(Module):
    """The activations of some layers of VGG, behind their ReLUs, a tuple in the order of the network, of
    images `(m, n_H, n_W, in_channels)`.

    FeatureTaps(depths, layers, width=64, average_pool=False, in_channels=3): `depths` as in `VGG`, `layers`
    names such as "conv3_1", the first convolution behind the second pool. It ends at the last of them, with
    torchvision's names up to there: of a file with all of VGG's weights it loads its own with `strict=False`.
    `average_pool`, as the paper advises for smoother pictures. Raises ValueError for unknown layers."""

    def __init__(
        self,
        depths: Sequence[int],
        layers: Sequence[str],
        width: int = 64,
        average_pool: bool = False,
        in_channels: int = 3,
    ):
        super().__init__()
        known = {f"conv{b}_{k}" for b, depth in enumerate(depths, 1) for k in range(1, depth + 1)}
        if not layers or set(layers) - known:
            raise ValueError(f"FeatureTaps: layers are some of {', '.join(sorted(known))}, got {layers}")
        missing, self.taps = set(layers), {}
        self.features = Sequential()
        for block, depth in enumerate(depths, 1):
            filters = width * 2 ** min(block - 1, 3)
            for k in range(1, depth + 1):
                if not missing:
                    return
                self.features.append(Conv2d(in_channels, filters, 3, padding=1))
                self.features.append(ReLU())
                in_channels = filters
                if (name := f"conv{block}_{k}") in missing:
                    self.taps[len(self.features) - 1] = name
                    missing.remove(name)
            if missing:
                self.features.append(AvgPool2d(2) if average_pool else MaxPool2d(2))

    def forward(self, images):
        found = []
        for k, layer in enumerate(self.features):
            images = layer(images)
            if k in self.taps:
                found.append(images)
        return tuple(found)

    def named(self, images) -> Mapping:
        """The activations by the layers' names."""
        return dict(zip(self.taps.values(), self(images)))


class StyleTransferCost(Module):
    """J(G) = alpha J_content(C, G) + beta J_style(S, G) + variation TV(G) of generated pictures G (m, n_H,
    n_W, 3), a mean over them.

    StyleTransferCost(net, content, style, alpha=1.0, beta=1.0, variation=0.0, layers=STYLE, at=CONTENT):
    `net` is a `FeatureTaps` of these layers; `content` (m, n_H, n_W, 3) and `style`, of any size, are
    pictures, whose activations are computed once. All style layers weigh alike. J_content is `content_loss`,
    1/2 the sum of squares, J_style `style_loss`. COURSE.md C4W4-nst, C4W4-content, C4W4-style."""

    def __init__(
        self,
        net: FeatureTaps,
        content,
        style,
        alpha: float = 1.0,
        beta: float = 1.0,
        variation: float = 0.0,
        layers: Sequence[str] = STYLE,
        at: str = CONTENT,
    ):
        super().__init__()
        self.net, self.layers, self.at = net, tuple(layers), at
        self.alpha, self.beta, self.variation = alpha, beta, variation
        with no_grad():
            self.content = net.named(as_array(content))[at]
            painted = net.named(as_array(style))
        self.style = [painted[name] for name in self.layers]

    def forward(self, generated):
        found = self.net.named(generated)
        cost = self.alpha * content_loss(found[self.at], self.content)
        drawn = [found[name] for name in self.layers]
        cost = cost + self.beta * style_loss(drawn, self.style)
        if self.variation:
            cost = cost + self.variation * total_variation_loss(generated)
        return cost


def vgg19_taps(layers: Sequence[str] = (*STYLE, CONTENT), **options) -> FeatureTaps:
    """VGG-19 up to conv5_1, the layers of the paper: 12,944,960 parameters. `options` are those of
    `FeatureTaps`."""
    return FeatureTaps(DEPTHS[19], layers, **options)


ENTRIES = (
    Entry(
        "vgg19_taps", vgg19_taps, (224, 224, 3), 12_944_960, 18_121_162_752, "C4W4-nst", "Gatys et al. 2015"
    ),
)
