"""Residual and plain networks, and Network in Network."""

from functools import partial

from tests.model_rows import Row


def torch_resnet(
    torch,
    layers,
    bottleneck=False,
    num_classes=1000,
    in_channels=3,
    small=False,
    width=64,
    shortcut="projection",
    stride_in_1x1=False,
):
    """Table 1 and section 4.2 of He et al. 2015, and torchvision's documentation on where the stride is."""
    tnn = torch.nn

    class Block(tnn.Module):
        def __init__(self, depth, convolutions):
            """`convolutions`: size, channels and stride of each."""
            super().__init__()
            self.count, given, steps = len(convolutions), depth, 1
            for k, (size, channels, stride) in enumerate(convolutions, 1):
                conv = tnn.Conv2d(depth, channels, size, stride, size // 2, bias=False)
                self.add_module(f"conv{k}", conv)
                self.add_module(f"bn{k}", tnn.BatchNorm2d(channels))
                depth, steps = channels, steps * stride
            self.extra, self.steps = depth - given, steps
            if shortcut == "projection" and (steps > 1 or self.extra):
                conv = tnn.Conv2d(given, depth, 1, steps, bias=False)
                self.downsample = tnn.Sequential(conv, tnn.BatchNorm2d(depth))

        def forward(self, x):
            z = x
            for k in range(1, self.count + 1):
                z = self.get_submodule(f"bn{k}")(self.get_submodule(f"conv{k}")(z))
                z = z.relu() if k < self.count else z
            if shortcut is None:
                return z.relu()
            if hasattr(self, "downsample"):
                return (z + self.downsample(x)).relu()
            kept = x[:, :, :: self.steps, :: self.steps]
            return (z + tnn.functional.pad(kept, (0, 0, 0, 0, 0, self.extra))).relu()

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            size, stride = (3, 1) if small else (7, 2)
            self.conv1 = tnn.Conv2d(in_channels, width, size, stride, size // 2, bias=False)
            self.bn1 = tnn.BatchNorm2d(width)
            depth, channels = width, width
            for k, count in enumerate(layers, 1):
                blocks = []
                for b in range(count):
                    s = 2 if k > 1 and b == 0 else 1
                    if bottleneck:
                        first, second = (s, 1) if stride_in_1x1 else (1, s)
                        shape = ((1, channels, first), (3, channels, second), (1, 4 * channels, 1))
                    else:
                        shape = ((3, channels, s), (3, channels, 1))
                    blocks.append(Block(depth, shape))
                    depth = shape[-1][1]
                self.add_module(f"layer{k}", tnn.Sequential(*blocks))
                channels *= 2
            self.fc = tnn.Linear(depth, num_classes)

        def forward(self, x):
            x = self.bn1(self.conv1(x)).relu()
            x = x if small else tnn.functional.max_pool2d(x, 3, 2, 1)
            for k in range(1, len(layers) + 1):
                x = self.get_submodule(f"layer{k}")(x)
            return self.fc(x.mean((2, 3)))

    return Net()


def of_imagenet(layers, **usual):
    return lambda torch, **options: torch_resnet(torch, layers, **(usual | options))


def of_cifar(n, shortcut="padding"):
    usual = dict(num_classes=10, small=True, width=16, shortcut=shortcut)
    return lambda torch, **options: torch_resnet(torch, (n, n, n), **(usual | options))


BASIC = {
    "conv1": (112, 112, 64),
    "maxpool": (56, 56, 64),
    "layer1": (56, 56, 64),
    "layer2": (28, 28, 128),
    "layer3": (14, 14, 256),
    "layer4": (7, 7, 512),
    "avgpool": (512,),
}
BOTTLENECK = BASIC | {
    "layer1": (56, 56, 256),
    "layer2": (28, 28, 512),
    "layer3": (14, 14, 1024),
    "layer4": (7, 7, 2048),
    "avgpool": (2048,),
}
CIFAR = {"layer1": (32, 32, 16), "layer2": (16, 16, 32), "layer3": (8, 8, 64), "avgpool": (64,)}

imagenet = partial(
    Row,
    shapes=BASIC,
    tiny=dict(num_classes=5, small=True, width=8),
    tiny_shape=(16, 16, 3),
)
cifar = partial(
    Row,
    shapes=CIFAR,
    tiny=dict(num_classes=5, width=8),
    tiny_shape=(8, 8, 3),
    lr=5e-3,
)


def torch_nin(torch, rows, width=1.0, dropout=0.5, num_classes=10, in_channels=3):
    """A row: size, stride, padding, the three numbers of channels, and the pool behind it."""
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            layers, depth = [], in_channels
            for size, stride, padding, channels, pool in rows:
                block = []
                for k, c in enumerate(channels):
                    c = num_classes if c is None else max(1, round(c * width))
                    where = (
                        dict(kernel_size=1) if k else dict(kernel_size=size, stride=stride, padding=padding)
                    )
                    block += [tnn.Conv2d(depth, c, **where), tnn.ReLU()]
                    depth = c
                layers.append(tnn.Sequential(*(block if pool else block[:-1])))
                for name in pool.split():
                    layers.append(
                        {
                            "max": tnn.MaxPool2d(3, 2, ceil_mode=True),
                            "mean": tnn.AvgPool2d(3, 2, ceil_mode=True),
                            "dropout": tnn.Dropout(dropout),
                        }[name]
                    )
            self.features = tnn.Sequential(*layers)

        def forward(self, x):
            return self.features(x).mean((2, 3))

    return Net()


NIN_CIFAR = (
    (5, 1, 2, (192, 160, 96), "max dropout"),
    (5, 1, 2, (192, 192, 192), "mean dropout"),
    (3, 1, 1, (192, 192, None), ""),
)
NIN_IMAGENET = (
    (11, 4, 0, (96, 96, 96), "max"),
    (5, 1, 2, (256, 256, 256), "max"),
    (3, 1, 1, (384, 384, 384), "max dropout"),
    (3, 1, 1, (1024, 1024, None), ""),
)

ROWS = [
    imagenet(
        "resnet18",
        parameters=11_689_512,
        multiply_adds="1.814 G",
        source="torchvision.models.resnet18",
        twin=of_imagenet((2, 2, 2, 2)),
        second=True,
    ),
    imagenet(
        "resnet34",
        parameters=21_797_672,
        multiply_adds="3.664 G",
        source="torchvision.models.resnet34",
        twin=of_imagenet((3, 4, 6, 3)),
    ),
    imagenet(
        "resnet50",
        parameters=25_557_032,
        multiply_adds="4.089 G",
        source="torchvision.models.resnet50",
        shapes=BOTTLENECK,
        twin=of_imagenet((3, 4, 6, 3), bottleneck=True),
        second=True,
    ),
    imagenet(
        "resnet101",
        parameters=44_549_160,
        multiply_adds="7.801 G",
        source="torchvision.models.resnet101",
        shapes=BOTTLENECK,
        twin=of_imagenet((3, 4, 23, 3), bottleneck=True),
    ),
    imagenet(
        "resnet152",
        parameters=60_192_808,
        multiply_adds="11.514 G",
        source="torchvision.models.resnet152",
        shapes=BOTTLENECK,
        twin=of_imagenet((3, 8, 36, 3), bottleneck=True),
    ),
    imagenet(
        "plain18",
        parameters=11_515_688,  # resnet18's without its three projections
        multiply_adds="1.8 G",
        source="He et al. 2015, table 1",
        twin=of_imagenet((2, 2, 2, 2), shortcut=None),
    ),
    imagenet(
        "plain34",
        parameters=21_623_848,  # resnet34's without its three projections
        multiply_adds="3.6 G",
        source="He et al. 2015, table 1",
        twin=of_imagenet((3, 4, 6, 3), shortcut=None),
    ),
    cifar(
        "resnet20",
        parameters=269_722,
        multiply_adds="40.6 M",
        source="He et al. 2015, table 6: 0.27M; He et al. 2018 (soft filter pruning), table 1",
        twin=of_cifar(3),
        second=True,
    ),
    cifar(
        "resnet32",
        parameters=464_154,
        multiply_adds="68.9 M",
        source="He et al. 2015, table 6: 0.46M; He et al. 2018 (soft filter pruning), table 1",
        twin=of_cifar(5),
    ),
    cifar(
        "resnet44",
        parameters=658_586,
        multiply_adds=97_174_144,  # two blocks a stage more than 32 layers, which have two more than 20
        source="He et al. 2015, table 6: 0.66M",
        twin=of_cifar(7),
    ),
    cifar(
        "resnet56",
        parameters=853_018,
        multiply_adds="125 M",
        source="He et al. 2015, table 6: 0.85M; Li et al. 2017 (pruning filters), table 1",
        twin=of_cifar(9),
    ),
    cifar(
        "resnet110",
        parameters=1_727_962,
        multiply_adds="253 M",
        source="He et al. 2015, table 6: 1.7M; Li et al. 2017 (pruning filters), table 1",
        twin=of_cifar(18),
    ),
    cifar(
        "plain20",
        parameters=269_722,
        multiply_adds="40.6 M",
        source="He et al. 2015, section 4.2: those of resnet20, whose shortcuts cost nothing",
        twin=of_cifar(3, None),
    ),
    cifar(
        "plain56",
        parameters=853_018,
        multiply_adds="125 M",
        source="He et al. 2015, section 4.2: those of resnet56, whose shortcuts cost nothing",
        twin=of_cifar(9, None),
    ),
    Row(
        "nin_cifar10",
        parameters=966_986,
        multiply_adds=222_486_528,  # places times weights, by the authors' table of layers
        source="Lin et al. 2013 and their Caffe definition: 0.97M",
        shapes={"features.1": (16, 16, 96), "features.4": (8, 8, 192), "features.6": (8, 8, 10)},
        tiny=dict(num_classes=5, width=0.1, dropout=0.0),
        tiny_shape=(8, 8, 3),
        twin=lambda torch, **options: torch_nin(torch, NIN_CIFAR, **options),
        second=True,
    ),
    Row(
        "nin_imagenet",
        parameters=7_595_176,
        multiply_adds=1_105_996_320,  # places times weights, by the authors' table of layers
        source="Caffe model zoo, Network in Network ImageNet: 7.6M, 29 MiB",
        shapes={"features.0": (55, 55, 96), "features.1": (27, 27, 96), "features.3": (13, 13, 256)}
        | {"features.5": (6, 6, 384), "features.7": (6, 6, 1000), "avgpool": (1000,)},
        tiny=dict(num_classes=5, width=0.1, dropout=0.0),
        tiny_shape=(67, 67, 3),
        twin=lambda torch, **options: torch_nin(torch, NIN_IMAGENET, **({"num_classes": 1000} | options)),
    ),
]
