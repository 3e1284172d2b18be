"""MobileNet v1 and v2, EfficientNet B0 to B7."""

import math
from functools import partial

from tests.model_rows import Row


def conv_norm(torch, depth, channels, size, stride, groups, activation, **norm):
    tnn = torch.nn
    conv = tnn.Conv2d(depth, channels, size, stride, (size - 1) // 2, groups=groups, bias=False)
    layers = [conv, tnn.BatchNorm2d(channels, **norm)]
    return tnn.Sequential(*layers, activation()) if activation else tnn.Sequential(*layers)


def classifier(torch, features, depth, dropout, num_classes):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.features = tnn.Sequential(*features)
            self.classifier = tnn.Sequential(tnn.Dropout(dropout), tnn.Linear(depth, num_classes))

        def forward(self, x):
            return self.classifier(self.features(x).mean((2, 3)))

    return Net()


def torch_mobilenet_v1(torch, num_classes=1000, in_channels=3, small=False, width=1.0, dropout=0.001):
    """Howard et al. 2017, table 1."""
    block = partial(conv_norm, torch, activation=torch.nn.ReLU)
    table = "64 1, 128 2, 128 1, 256 2, 256 1, 512 2, 512 1, 512 1, 512 1, 512 1, 512 1, 1024 2, 1024 1"
    depth = int(32 * width)
    features = [block(in_channels, depth, 3, 1 if small else 2, 1)]
    for k, line in enumerate(table.split(", ")):
        channels, stride = map(int, line.split())
        channels, stride = int(channels * width), 1 if small and k == 1 else stride
        features.append(
            torch.nn.Sequential(block(depth, depth, 3, stride, depth), block(depth, channels, 1, 1, 1))
        )
        depth = channels
    return classifier(torch, features, depth, dropout, num_classes)


def eights(x):
    """To a multiple of 8, at least 8, never down by more than a tenth, as TensorFlow's slim has it."""
    rounded = max(8, 8 * math.floor(x / 8 + 0.5))
    return rounded if rounded >= 0.9 * x else rounded + 8


def torch_mobilenet_v2(torch, num_classes=1000, in_channels=3, small=False, width=1.0, dropout=0.2):
    """Sandler et al. 2018, table 2."""
    tnn = torch.nn
    block = partial(conv_norm, torch, activation=tnn.ReLU6)

    class Bottleneck(tnn.Module):
        def __init__(self, depth, channels, stride, t):
            super().__init__()
            self.adds, hidden = stride == 1 and depth == channels, t * depth
            layers = [block(depth, hidden, 1, 1, 1)] if t > 1 else []
            layers += [block(hidden, hidden, 3, stride, hidden)]
            layers += [tnn.Conv2d(hidden, channels, 1, bias=False), tnn.BatchNorm2d(channels)]
            self.conv = tnn.Sequential(*layers)

        def forward(self, x):
            return self.conv(x) + x if self.adds else self.conv(x)

    table = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2))
    table += ((6, 320, 1, 1),)
    depth = eights(32 * width)
    features = [block(in_channels, depth, 3, 1 if small else 2, 1)]
    for t, c, n, s in table:
        for k in range(n):
            stride = s if k == 0 and not (small and c == 24) else 1
            features.append(Bottleneck(depth, eights(c * width), stride, t))
            depth = eights(c * width)
    last = eights(1280 * max(1.0, width))
    features.append(block(depth, last, 1, 1, 1))
    return classifier(torch, features, last, dropout, num_classes)


def torch_efficientnet(
    torch,
    num_classes=1000,
    in_channels=3,
    small=False,
    width=1.0,
    depth=1.0,
    dropout=0.2,
    stochastic_depth=0.0,
    eps=1e-5,
    momentum=0.1,
):
    """Tan and Le 2019, table 1, and torchvision's documentation. Without stochastic depth, which has no
    weights and does nothing in `eval()`."""
    tnn = torch.nn
    block = partial(conv_norm, torch, eps=eps, momentum=momentum)

    class Attention(tnn.Module):
        def __init__(self, channels, squeezed):
            super().__init__()
            self.fc1, self.fc2 = tnn.Conv2d(channels, squeezed, 1), tnn.Conv2d(squeezed, channels, 1)

        def forward(self, x):
            share = self.fc2(tnn.functional.silu(self.fc1(x.mean((2, 3), keepdim=True))))
            return torch.sigmoid(share) * x

    class MBConv(tnn.Module):
        def __init__(self, n, channels, size, stride, t):
            super().__init__()
            self.adds, hidden = stride == 1 and n == channels, eights(t * n)
            layers = [block(n, hidden, 1, 1, 1, tnn.SiLU)] if t > 1 else []
            layers += [block(hidden, hidden, size, stride, hidden, tnn.SiLU), Attention(hidden, n // 4)]
            self.block = tnn.Sequential(*layers, block(hidden, channels, 1, 1, 1, None))

        def forward(self, x):
            return self.block(x) + x if self.adds else self.block(x)

    table = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))
    table += ((6, 5, 2, 192, 4), (6, 3, 1, 320, 1))
    n = eights(32 * width)
    features = [block(in_channels, n, 3, 1 if small else 2, 1, tnn.SiLU)]
    for t, size, s, c, count in table:
        stage = []
        for k in range(math.ceil(count * depth)):
            stride = s if k == 0 and not (small and c == 24) else 1
            stage.append(MBConv(n, eights(c * width), size, stride, t))
            n = eights(c * width)
        features.append(tnn.Sequential(*stage))
    features.append(block(n, 4 * n, 1, 1, 1, tnn.SiLU))
    return classifier(torch, features, 4 * n, dropout, num_classes)


def scaled(**usual):
    return lambda torch, **options: torch_efficientnet(torch, **(usual | options))


efficientnet = partial(
    Row,
    source="torchvision.models.efficientnet_b0 to b7; Tan and Le 2019, table 2",
    tiny=dict(num_classes=5, small=True, width=0.1, depth=0.5, dropout=0.0, stochastic_depth=0.0),
    tiny_shape=(16, 16, 3),
)

ROWS = [
    Row(
        "mobilenet_v1",
        parameters=4_231_976,
        multiply_adds="568.7 M",
        source="keras.applications.MobileNet, what is trained of its 4,253,864; Howard et al. 2017: 569M",
        shapes={
            "features.0": (112, 112, 32),
            "features.1": (112, 112, 64),
            "features.3": (56, 56, 128),
            "features.5": (28, 28, 256),
            "features.11": (14, 14, 512),
            "features.13": (7, 7, 1024),
            "avgpool": (1024,),
        },
        tiny=dict(num_classes=5, small=True, width=0.25, dropout=0.0),
        second=True,
        tiny_shape=(16, 16, 3),
        twin=torch_mobilenet_v1,
    ),
    Row(
        "mobilenet_v2",
        parameters=3_504_872,
        multiply_adds="300.8 M",
        source="torchvision.models.mobilenet_v2: 3,504,872 and 0.301 G",
        shapes={
            "features.0": (112, 112, 32),
            "features.1": (112, 112, 16),
            "features.3": (56, 56, 24),
            "features.6": (28, 28, 32),
            "features.10": (14, 14, 64),
            "features.13": (14, 14, 96),
            "features.16": (7, 7, 160),
            "features.17": (7, 7, 320),
            "features.18": (7, 7, 1280),
            "avgpool": (1280,),
        },
        tiny=dict(num_classes=5, small=True, width=0.1, dropout=0.0),
        tiny_shape=(16, 16, 3),
        twin=torch_mobilenet_v2,
        second=True,
        batch=8,
    ),
    efficientnet(
        "efficientnet_b0",
        parameters=5_288_548,
        multiply_adds="0.386 G",
        shapes={
            "features.0": (112, 112, 32),
            "features.1": (112, 112, 16),
            "features.2": (56, 56, 24),
            "features.3": (28, 28, 40),
            "features.4": (14, 14, 80),
            "features.5": (14, 14, 112),
            "features.6": (7, 7, 192),
            "features.7": (7, 7, 320),
            "features.8": (7, 7, 1280),
            "avgpool": (1280,),
        },
        twin=torch_efficientnet,
        second=True,
    ),
    efficientnet(
        "efficientnet_b1",
        parameters=7_794_184,
        multiply_adds="0.687 G",
        shapes={"features.0": (120, 120, 32), "avgpool": (1280,)},
        twin=scaled(depth=1.1),
    ),
    efficientnet(
        "efficientnet_b2",
        parameters=9_109_994,
        multiply_adds="1.0 G",
        shapes={"features.0": (130, 130, 32), "avgpool": (1408,)},
        twin=scaled(width=1.1, depth=1.2, dropout=0.3),
    ),
    efficientnet(
        "efficientnet_b3",
        parameters=12_233_232,
        multiply_adds="1.827 G",
        shapes={"features.0": (150, 150, 40), "avgpool": (1536,)},
        twin=scaled(width=1.2, depth=1.4, dropout=0.3),
    ),
    efficientnet(
        "efficientnet_b4",
        parameters=19_341_616,
        multiply_adds="4.394 G",
        shapes={"features.0": (190, 190, 48), "avgpool": (1792,)},
        twin=scaled(width=1.4, depth=1.8, dropout=0.4),
    ),
    efficientnet(
        "efficientnet_b5",
        parameters=30_389_784,
        multiply_adds="10.266 G",
        shapes={"features.0": (228, 228, 48), "avgpool": (2048,)},
        twin=scaled(width=1.6, depth=2.2, dropout=0.4, eps=1e-3, momentum=0.01),
    ),
    efficientnet(
        "efficientnet_b6",
        parameters=43_040_704,
        multiply_adds="19.068 G",
        shapes={"features.0": (264, 264, 56), "avgpool": (2304,)},
        twin=scaled(width=1.8, depth=2.6, dropout=0.5, eps=1e-3, momentum=0.01),
    ),
    efficientnet(
        "efficientnet_b7",
        parameters=66_347_960,
        multiply_adds="37.746 G",
        shapes={"features.0": (300, 300, 64), "avgpool": (2560,)},
        twin=scaled(width=2.0, depth=3.1, dropout=0.5, eps=1e-3, momentum=0.01),
    ),
]
