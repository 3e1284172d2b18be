"""Rows of segmentation, faces and style transfer."""

import numpy as np

import nn
from tests.model_rows import Row, flat

NONE_PUBLISHED = {"multiply_adds": "none published; nn.summary's are held to those that PyTorch counts"}


def torch_unet(valid):
    """Figure 1 of the paper, and the course's exercise."""

    def build(
        torch,
        num_classes=2 if valid else 23,
        in_channels=1 if valid else 3,
        width=64 if valid else 32,
        depth=4,
        dropout=0.5 if valid else 0.3,
    ):
        tnn = torch.nn

        def block(before, filters, count=2):
            layers = []
            for k in range(count):
                layers.append(tnn.Conv2d(filters if k else before, filters, 3, padding=0 if valid else 1))
                layers.append(tnn.ReLU())
            return tnn.Sequential(*layers)

        def double(filters):
            if valid:
                return tnn.ConvTranspose2d(2 * filters, filters, 2, stride=2)
            return tnn.ConvTranspose2d(2 * filters, filters, 3, stride=2, padding=1, output_padding=1)

        class Net(tnn.Module):
            def __init__(self):
                super().__init__()
                sizes = [width * 2**k for k in range(depth + 1)]
                self.down = tnn.ModuleList(map(block, [in_channels, *sizes], sizes))
                for last in self.down[-2:]:
                    last.append(tnn.Dropout(dropout))
                self.up = tnn.ModuleList(map(double, sizes[-2::-1]))
                count = 2 if valid else 3
                self.joined = tnn.ModuleList(
                    block(2 * n, n, count if n == width else 2) for n in sizes[-2::-1]
                )
                self.classes = tnn.Conv2d(width, num_classes, 1)

            def forward(self, x):
                before = []
                for k, level in enumerate(self.down):
                    x = level(tnn.functional.max_pool2d(x, 2) if k else x)
                    before.append(x)
                for up, joined, aside in zip(self.up, self.joined, before[-2::-1]):
                    x = up(x)
                    cut = (aside.shape[2] - x.shape[2]) // 2
                    aside = aside[:, :, cut : cut + x.shape[2], cut : cut + x.shape[3]]
                    x = joined(torch.cat([aside, x], 1))
                return self.classes(x)

        return Net()

    return build


def maps(size, kept):
    """Images of one channel, and the class of each pixel: which third of the range its brightness is in."""

    def make(rng, m):
        images = rng.normal(size=(m, size, size, 1))
        edge = (size - kept) // 2
        inner = images[:, edge : edge + kept, edge : edge + kept, 0]
        return (images,), np.digitize(inner, (-0.43, 0.43))

    return make


# ---- faces: the lines of OpenFace's nn4.small2.def.lua


def torch_nn4_small2(torch, embedding=128, in_channels=3, width=1.0):
    tnn, F = torch.nn, torch.nn.functional

    def n(channels):
        return max(1, round(channels * width))

    class Conv(tnn.Module):
        def __init__(self, depth, channels, size, stride=1):
            super().__init__()
            self.conv = tnn.Conv2d(depth, channels, size, stride, size // 2)
            self.bn = tnn.BatchNorm2d(channels)

        def forward(self, x):
            return self.bn(self.conv(x)).relu()

    class SquareRoot(tnn.Module):
        def forward(self, x):
            squares = 9 * F.avg_pool2d(x * x, 3, 3)
            return torch.where(squares > 0, squares.clamp(min=1e-30).sqrt(), 0.0)

    class Inception(tnn.Module):
        def __init__(self, depth, kernels, strides, outputs, reduced, pool):
            super().__init__()
            parts = []
            for size, stride, out, before in zip(kernels, strides, outputs, reduced):
                parts.append(tnn.Sequential(Conv(depth, n(before), 1), Conv(n(before), n(out), size, stride)))
            behind, alone = reduced[len(kernels) :]
            parts.append(tnn.Sequential(pool, *([Conv(depth, n(behind), 1)] if behind else [])))
            if alone:
                parts.append(Conv(depth, n(alone), 1))
            self.branches = tnn.ModuleList(parts)
            self.channels = (
                sum(map(n, outputs)) + (n(behind) if behind else depth) + (n(alone) if alone else 0)
            )

        def forward(self, x):
            parts = [part(x) for part in self.branches]
            size = parts[0].shape[2]
            around = []
            for part in parts:  # nn.DepthConcat
                missing = size - part.shape[2]
                before, after = missing // 2, missing - missing // 2
                around.append(F.pad(part, (before, after, before, after)))
            return torch.cat(around, 1)

    largest = tnn.MaxPool2d(3, 2)
    table = {
        "3a": ((3, 5), (1, 1), (128, 32), (96, 16, 32, 64), largest),
        "3b": ((3, 5), (1, 1), (128, 64), (96, 32, 64, 64), SquareRoot()),
        "3c": ((3, 5), (2, 2), (256, 64), (128, 32, None, None), largest),
        "4a": ((3, 5), (1, 1), (192, 64), (96, 32, 128, 256), SquareRoot()),
        "4e": ((3, 5), (2, 2), (256, 128), (160, 64, None, None), largest),
        "5a": ((3,), (1,), (384,), (96, 96, 256), SquareRoot()),
        "5b": ((3,), (1,), (384,), (96, 96, 256), largest),
    }

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = Conv(in_channels, n(64), 7, 2)
            self.conv2 = Conv(n(64), n(64), 1)
            self.conv3 = Conv(n(64), n(192), 3)
            depth = n(192)
            for name, line in table.items():
                module = Inception(depth, *line)
                self.add_module(f"inception{name}", module)
                depth = module.channels
            self.fc = tnn.Linear(depth, embedding)

        def forward(self, x):
            normal = tnn.LocalResponseNorm(5, 0.0001, 0.75)
            x = normal(F.max_pool2d(self.conv1(x), 3, 2, 1))
            x = F.max_pool2d(normal(self.conv3(self.conv2(x))), 3, 2, 1)
            for name in table:
                x = self.get_submodule(f"inception{name}")(x)
            return F.normalize(self.fc(x.mean((2, 3))))

    return Net()


def torch_siamese(torch, embedding=128, **options):
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = torch_nn4_small2(torch, embedding, **options)
            self.head = torch.nn.Linear(embedding, 1)

        def forward(self, first, second):
            return self.head((self.encoder(first) - self.encoder(second)).abs())

    return Net()


def pairs(rng, m):
    """The second of a pair of one person is the first with a little noise."""
    same = np.arange(m) % 2
    first, other = rng.normal(size=(2, m, 96, 96, 3))
    near = first + 0.1 * rng.normal(size=first.shape)
    return (first, np.where(same[:, None, None, None], near, other)), same


def alike(logits, same):
    return nn.MSELoss()(logits[:, 0], 2 * same.astype(np.float32) - 1)


def near_points(outputs, labels):
    """Each embedding to a corner of its own."""
    return nn.MSELoss()(outputs, np.eye(outputs.shape[-1], dtype=np.float32)[labels])


# ---- style


def torch_taps(torch, layers=("1_1", "2_1", "3_1", "4_1", "4_2", "5_1"), width=64, average_pool=False):
    """Table 1 of the VGG paper, column E, up to the last layer that is asked for."""
    layers = [name.removeprefix("conv") for name in layers]
    pool = torch.nn.AvgPool2d(2) if average_pool else torch.nn.MaxPool2d(2)
    column = {1: (1, 1), 2: (2, 2), 3: (4,) * 4, 4: (8,) * 4, 5: (8,) * 4}

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.wanted, depth = torch.nn.Sequential(), [], 3
            for block, sizes in column.items():
                for k, size in enumerate(sizes, 1):
                    if len(self.wanted) == len(layers):
                        return
                    self.features.append(torch.nn.Conv2d(depth, size * width, 3, padding=1))
                    self.features.append(torch.nn.ReLU())
                    depth = size * width
                    if f"{block}_{k}" in layers:
                        self.wanted.append(len(self.features))
                self.features.append(pool)

        def forward(self, x):
            found = []
            for n, layer in enumerate(self.features, 1):
                x = layer(x)
                found += [x] if n in self.wanted else []
            return tuple(found)

    return Net()


def brightness(outputs, labels):
    """The mean activation of each layer is to be 1."""
    return sum((y.mean() - 1.0) ** 2 for y in flat(outputs))


ROWS = [
    Row(
        "unet_2015",
        parameters=31_030_658,
        multiply_adds=None,
        source="figure 1 of Ronneberger et al. 2015: 64, 128, ..., 1024 channels, 2 classes",
        shapes={
            "down.0": (568, 568, 64),
            "down.1": (280, 280, 128),
            "down.2": (136, 136, 256),
            "down.3": (64, 64, 512),
            "down.4": (28, 28, 1024),
            "up.0": (56, 56, 512),
            "joined.0": (52, 52, 512),
            "joined.1": (100, 100, 256),
            "joined.2": (196, 196, 128),
            "joined.3": (388, 388, 64),
            "classes": (388, 388, 2),
        },
        tiny=dict(num_classes=3, width=4, depth=2, dropout=0.0),
        examples=maps(44, 4),
        twin=torch_unet(valid=True),
        second=True,
        lr=1e-2,
        exempt=NONE_PUBLISHED,
    ),
    Row(
        "unet",
        parameters=8_640_471,
        multiply_adds=None,
        source="the course's exercise, Image segmentation with U-Net: model.summary()",
        shapes={
            "down.0": (96, 128, 32),
            "down.4": (6, 8, 512),
            "joined.0": (12, 16, 256),
            "joined.3": (96, 128, 32),
            "classes": (96, 128, 23),
        },
        tiny=dict(num_classes=3, in_channels=1, width=8, depth=2, dropout=0.0),
        examples=maps(16, 16),
        twin=torch_unet(valid=False),
        lr=1e-2,
        exempt=NONE_PUBLISHED,
    ),
    Row(
        "nn4_small2",
        parameters=3_733_968,
        multiply_adds=None,
        source="OpenFace's table of models: 3733968",
        shapes={
            "inception3a": (12, 12, 256),
            "inception3b": (12, 12, 320),
            "inception3c": (6, 6, 640),
            "inception4a": (6, 6, 640),
            "inception4e": (3, 3, 1024),
            "inception5a": (3, 3, 736),
            "inception5b": (3, 3, 736),
            "fc": (128,),
        },
        tiny=dict(embedding=8, width=0.1),
        tiny_shape=(96, 96, 3),
        twin=torch_nn4_small2,
        cost=near_points,
        lr=5e-3,
        exempt=NONE_PUBLISHED,
    ),
    Row(
        "siamese",
        parameters=3_733_968 + 128 + 1,
        multiply_adds=None,
        source="OpenFace's table of models, and a logistic unit: COURSE.md C4W4-binary",
        shapes={"encoder": (128,), "head": (1,)},
        tiny=dict(embedding=8, width=0.1),
        examples=pairs,
        twin=torch_siamese,
        cost=alike,
        lr=2e-2,
        exempt=NONE_PUBLISHED,
    ),
    Row(
        "vgg19_taps",
        parameters=20_024_384 - 3 * (9 * 512 * 512 + 512),  # VGG-19's convolutions without the last three
        multiply_adds=None,
        source="torchvision's documentation of vgg19",
        shapes={
            "": (224, 224, 64),
            "features.6": (112, 112, 128),
            "features.11": (56, 56, 256),
            "features.20": (28, 28, 512),
            "features.22": (28, 28, 512),
            "features.29": (14, 14, 512),
        },
        tiny=dict(layers=("conv1_1", "conv2_1", "conv3_1"), width=4, average_pool=True),
        tiny_shape=(32, 32, 3),
        twin=torch_taps,
        cost=brightness,
        second=True,
        lr=2e-2,
        exempt=NONE_PUBLISHED,
    ),
]
