"""Rows of the fully connected networks, the lectures' first convolutional ones, LeNet and AlexNet."""

from tests.model_rows import Row


def torch_dense(torch, sizes):
    """The modules that ours holds in "layers", ReLU between."""
    layers, modules = torch.nn, {"flatten": torch.nn.Flatten()}
    for l in range(1, len(sizes)):
        modules[f"linear{l}"] = layers.Linear(sizes[l - 1], sizes[l])
        if l < len(sizes) - 1:
            modules[f"activation{l}"] = layers.ReLU()
    return stages(torch, layers=chain(torch, modules))


def chain(torch, modules):
    """A Sequential with names."""
    net = torch.nn.Sequential()
    for name, module in modules.items():
        net.add_module(name, module)
    return net


def stages(torch, **modules):
    """Named stages called one after the other."""
    return chain(torch, modules)


def torch_logistic(torch, in_features=12288, num_classes=1):
    return torch_dense(torch, (in_features, num_classes))


def torch_shallow(torch, in_features=3, hidden=4, num_classes=1):
    net = torch_dense(torch, (in_features, hidden, num_classes))
    net.layers.activation1 = torch.nn.Tanh()
    return net


def torch_deep(torch, sizes=(12288, 20, 7, 5, 1), batch_norm=False, dropout=0.0):
    net = torch_dense(torch, sizes)
    if not batch_norm:
        return net
    modules = {}
    for name, module in net.layers.named_children():
        hidden = name[:6] == "linear" and name != f"linear{len(sizes) - 1}"
        if hidden:
            modules[name] = torch.nn.Linear(module.in_features, module.out_features, bias=False)
            modules[f"norm{name[6:]}"] = torch.nn.BatchNorm1d(module.out_features)
        else:
            modules[name] = module
    return stages(torch, layers=chain(torch, modules))


def torch_convnet39(torch, num_classes=1):
    layers = torch.nn
    return stages(
        torch,
        features=layers.Sequential(
            layers.Conv2d(3, 10, 3),
            layers.ReLU(),
            layers.Conv2d(10, 20, 5, stride=2),
            layers.ReLU(),
            layers.Conv2d(20, 40, 5, stride=2),
            layers.ReLU(),
        ),
        classifier=layers.Sequential(layers.Flatten(), layers.Linear(1960, num_classes)),
    )


def torch_lenet(torch, num_classes=10, in_channels=1, padding=2, filters=6):
    layers = torch.nn
    return stages(
        torch,
        features=layers.Sequential(
            layers.Conv2d(in_channels, filters, 5, padding=padding),
            layers.ReLU(),
            layers.MaxPool2d(2),
            layers.Conv2d(filters, 16, 5),
            layers.ReLU(),
            layers.MaxPool2d(2),
        ),
        classifier=layers.Sequential(
            layers.Flatten(),
            layers.Linear(400, 120),
            layers.ReLU(),
            layers.Linear(120, 84),
            layers.ReLU(),
            layers.Linear(84, num_classes),
        ),
    )


# Table I of the paper, by rows: which maps of C3 see each map of S2.
SEEN_BY = (
    (0, 4, 5, 6, 9, 10, 11, 12, 14, 15),
    (0, 1, 5, 6, 7, 10, 11, 12, 13, 15),
    (0, 1, 2, 6, 7, 8, 11, 13, 14, 15),
    (1, 2, 3, 6, 7, 8, 9, 12, 14, 15),
    (2, 3, 4, 7, 8, 9, 10, 12, 13, 15),
    (3, 4, 5, 8, 9, 10, 11, 13, 14, 15),
)


def torch_lenet1998(torch, num_classes=10):
    """Each map of C3 is computed by itself, from the maps of S2 that the table crosses."""
    layers, function = torch.nn, torch.nn.functional

    class Subsampling(layers.Module):
        def __init__(self, channels):
            super().__init__()
            self.weight = layers.Parameter(torch.ones(channels))
            self.bias = layers.Parameter(torch.zeros(channels))

        def forward(self, x):
            ones = torch.ones(x.shape[1], 1, 2, 2, dtype=x.dtype, device=x.device)
            sums = x.unfold(2, 2, 2).unfold(3, 2, 2).sum((-1, -2)) * ones[0, 0, 0, 0]
            return sums * self.weight[:, None, None] + self.bias[:, None, None]

    class Net(layers.Module):
        def __init__(self):
            super().__init__()
            self.c1 = layers.Conv2d(1, 6, 5)
            self.s2 = Subsampling(6)
            self.c3 = layers.ModuleDict(
                {
                    "three": layers.Conv2d(18, 6, 5, groups=6),
                    "four": layers.Conv2d(36, 9, 5, groups=9),
                    "all": layers.Conv2d(6, 1, 5),
                }
            )
            self.s4 = Subsampling(16)
            self.c5 = layers.Conv2d(16, 120, 5)
            self.f6 = layers.Linear(120, 84)
            self.output = layers.Module()
            self.output.register_buffer("codes", torch.sign(torch.rand(num_classes, 84) - 0.5))

        def forward(self, x):
            def f(a):
                return 1.7159 * torch.tanh(2 / 3 * a)

            x = f(self.s2(f(self.c1(x))))
            weights = [w for conv in self.c3.values() for w in conv.weight]
            biases = [b for conv in self.c3.values() for b in conv.bias]
            maps = []
            for k in range(16):
                seen = x[:, [s for s in range(6) if k in SEEN_BY[s]]]
                maps.append(function.conv2d(seen, weights[k][None], biases[k][None]))
            x = f(self.s4(f(torch.cat(maps, 1))))
            x = f(self.f6(f(self.c5(x))[:, :, 0, 0]))
            return -((x[:, None] - self.output.codes) ** 2).sum(-1)

    return Net()


def torch_alexnet(torch, num_classes=1000, width=64, hidden=4096, dropout=0.5):
    layers = torch.nn
    a, b, c, d = width, 3 * width, 6 * width, 4 * width
    return stages(
        torch,
        features=layers.Sequential(
            layers.Conv2d(3, a, 11, stride=4, padding=2),
            layers.ReLU(),
            layers.MaxPool2d(3, 2),
            layers.Conv2d(a, b, 5, padding=2),
            layers.ReLU(),
            layers.MaxPool2d(3, 2),
            layers.Conv2d(b, c, 3, padding=1),
            layers.ReLU(),
            layers.Conv2d(c, d, 3, padding=1),
            layers.ReLU(),
            layers.Conv2d(d, d, 3, padding=1),
            layers.ReLU(),
            layers.MaxPool2d(3, 2),
        ),
        avgpool=layers.AdaptiveAvgPool2d(6),
        flatten=layers.Flatten(),
        classifier=layers.Sequential(
            layers.Dropout(dropout),
            layers.Linear(36 * d, hidden),
            layers.ReLU(),
            layers.Dropout(dropout),
            layers.Linear(hidden, hidden),
            layers.ReLU(),
            layers.Linear(hidden, num_classes),
        ),
    )


def torch_alexnet_2012(groups):
    def build(torch, num_classes=1000, size=227, width=96, hidden=4096, dropout=0.5, std=0.01):
        layers = torch.nn
        second, third, places = width * 8 // 3, width * 4, {227: 6, 99: 2}[size]

        def normalise():  # PyTorch divides alpha by the number of channels
            return layers.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)

        return stages(
            torch,
            features=layers.Sequential(
                layers.Conv2d(3, width, 11, stride=4),
                layers.ReLU(),
                normalise(),
                layers.MaxPool2d(3, 2),
                layers.Conv2d(width, second, 5, padding=2, groups=groups),
                layers.ReLU(),
                normalise(),
                layers.MaxPool2d(3, 2),
                layers.Conv2d(second, third, 3, padding=1),
                layers.ReLU(),
                layers.Conv2d(third, third, 3, padding=1, groups=groups),
                layers.ReLU(),
                layers.Conv2d(third, second, 3, padding=1, groups=groups),
                layers.ReLU(),
                layers.MaxPool2d(3, 2),
            ),
            classifier=layers.Sequential(
                layers.Flatten(),
                layers.Linear(places * places * second, hidden),
                layers.ReLU(),
                layers.Dropout(dropout),
                layers.Linear(hidden, hidden),
                layers.ReLU(),
                layers.Dropout(dropout),
                layers.Linear(hidden, num_classes),
            ),
        )

    return build


LENET = {"features.3": (10, 10, 16), "features.5": (5, 5, 16), "classifier.0": (400,)}
LENET |= {"classifier.1": (120,), "classifier.3": (84,), "classifier.5": (10,)}

ALEXNET_2012 = {  # figure 2 of the paper, both GPUs together
    "features.0": (55, 55, 96),
    "features.3": (27, 27, 96),
    "features.4": (27, 27, 256),
    "features.7": (13, 13, 256),
    "features.8": (13, 13, 384),
    "features.10": (13, 13, 384),
    "features.12": (13, 13, 256),
    "features.14": (6, 6, 256),
    "classifier.0": (9216,),
    "classifier.1": (4096,),
    "classifier.4": (4096,),
    "classifier.7": (1000,),
}
SMALL = dict(num_classes=3, width=6, hidden=16, dropout=0.0)

ROWS = [
    Row(
        "logistic_regression",
        parameters=12_288 + 1,
        multiply_adds=12_288,
        source="COURSE.md C1W2-imgvec: 64*64*3 = 12288, and a bias",
        shapes={"layers.flatten": (12288,), "layers.linear1": (1,)},
        tiny=dict(in_features=12, num_classes=3),
        tiny_shape=(12,),
        twin=torch_logistic,
        second=True,
        lr=0.05,
    ),
    Row(
        "shallow_network",
        parameters=21,
        multiply_adds=3 * 4 + 4,
        source="COURSE.md C1W3-net",
        shapes={"layers.linear1": (4,), "layers.activation1": (4,), "layers.linear2": (1,)},
        tiny=dict(in_features=3, num_classes=3),
        tiny_shape=(3,),
        twin=torch_shallow,
        second=True,
        lr=0.05,
    ),
    Row(
        "deep_network",
        parameters=245_973,
        multiply_adds=12288 * 20 + 20 * 7 + 7 * 5 + 5,
        source="COURSE.md, table of sizes: cats 12288-20-7-5-1",
        shapes={f"layers.linear{l}": (n,) for l, n in enumerate((20, 7, 5, 1), 1)},
        tiny=dict(sizes=(12, 10, 8, 3), batch_norm=True),
        tiny_shape=(12,),
        twin=torch_deep,
        second=True,
        batch=8,
        lr=0.02,
    ),
    Row(
        "convnet39",
        parameters=280 + 5020 + 20040 + 1961,
        multiply_adds=37 * 37 * 10 * 27 + 17 * 17 * 20 * 250 + 7 * 7 * 40 * 500 + 1960,
        source="COURSE.md C4W1-convnet, and one logit",
        shapes={
            "features.0": (37, 37, 10),
            "features.2": (17, 17, 20),
            "features.4": (7, 7, 40),
            "classifier.0": (1960,),
        },
        tiny=dict(num_classes=3),
        tiny_shape=(39, 39, 3),
        twin=torch_convnet39,
        second=True,
    ),
    Row(
        "lenet",
        parameters=61_706,
        multiply_adds=117_600 + 240_000 + 48_000 + 10_080 + 840,
        source="COURSE.md C4W2-lenet5",
        shapes={"features.0": (28, 28, 6), "features.2": (14, 14, 6), **LENET},
        tiny={},
        tiny_shape=(28, 28, 1),
        twin=torch_lenet,
        second=True,
    ),
    Row(
        "lenet_like",
        parameters=608 + 3216 + 48120 + 10164 + 850,
        multiply_adds=28 * 28 * 8 * 75 + 10 * 10 * 16 * 200 + 48_000 + 10_080 + 840,
        source="COURSE.md C4W1-lenet: sizes 6272, 1568, 1600, 400, 120, 84, 10",
        shapes={"features.0": (28, 28, 8), "features.2": (14, 14, 8), **LENET},
        tiny={},
        tiny_shape=(32, 32, 3),
        twin=lambda torch: torch_lenet(torch, in_channels=3, padding=0, filters=8),
    ),
    Row(
        "lenet1998",
        parameters=60_000,
        # the connections of the paper's convolutions and of F6 without those of the biases
        multiply_adds=(122_304 - 4704) + (151_600 - 1600) + (48_120 - 120) + (10_164 - 84),
        source="LeCun et al. 1998, section II.B",
        shapes={
            "c1": (28, 28, 6),
            "s2": (14, 14, 6),
            "c3": (10, 10, 16),
            "s4": (5, 5, 16),
            "c5": (1, 1, 120),
            "f6": (84,),
            "output": (10,),
        },
        tiny=dict(num_classes=3),
        tiny_shape=(32, 32, 1),
        twin=torch_lenet1998,
        second=True,
    ),
    Row(
        "alexnet",
        parameters=61_100_840,
        multiply_adds="0.71 G",
        source="torchvision's documentation, AlexNet_Weights.IMAGENET1K_V1",
        shapes={
            "features.0": (55, 55, 64),
            "features.2": (27, 27, 64),
            "features.3": (27, 27, 192),
            "features.5": (13, 13, 192),
            "features.6": (13, 13, 384),
            "features.8": (13, 13, 256),
            "features.12": (6, 6, 256),
            "classifier.1": (4096,),
            "classifier.6": (1000,),
        },
        tiny=SMALL | dict(width=4),
        tiny_shape=(99, 99, 3),
        twin=torch_alexnet,
        second=True,
    ),
    Row(
        "alexnet_2012",
        parameters=60_965_224,
        multiply_adds="724 M",
        source="COURSE.md, table of sizes; Sze et al., arXiv:1703.09039, table II",
        shapes=ALEXNET_2012,
        tiny=SMALL | dict(size=99, std=0.15),
        tiny_shape=(99, 99, 3),
        twin=torch_alexnet_2012(2),
        second=True,
        lr=5e-3,
    ),
    Row(
        "alexnet_ungrouped",
        parameters=62_378_344,
        multiply_adds="1.14 G",
        source="COURSE.md, table of sizes",
        shapes=ALEXNET_2012,
        tiny=SMALL | dict(size=99, std=0.15),
        tiny_shape=(99, 99, 3),
        twin=torch_alexnet_2012(1),
        lr=5e-3,
    ),
]
