"""Rows of VGG."""

from tests.model_rows import Row


def torch_vgg(plan, batch_norm):
    """`plan` is a column of table 1 of the paper: the filters of each convolution over 64, "M" for a pool."""

    def build(torch, num_classes=1000, width=64, hidden=4096, places=7, dropout=0.5):
        layers, features, channels = torch.nn, torch.nn.Sequential(), 3
        for step in plan:
            if step == "M":
                features.append(layers.MaxPool2d(2, 2))
                continue
            features.append(layers.Conv2d(channels, step * width, 3, padding=1))
            channels = step * width
            if batch_norm:
                features.append(layers.BatchNorm2d(channels))
            features.append(layers.ReLU())
        net = layers.Sequential()
        net.add_module("features", features)
        net.add_module("avgpool", layers.AdaptiveAvgPool2d(places))
        net.add_module("flatten", layers.Flatten())
        net.add_module(
            "classifier",
            layers.Sequential(
                layers.Linear(places * places * channels, hidden),
                layers.ReLU(),
                layers.Dropout(dropout),
                layers.Linear(hidden, hidden),
                layers.ReLU(),
                layers.Dropout(dropout),
                layers.Linear(hidden, num_classes),
            ),
        )
        return net

    return build


PLANS = {
    "vgg11": (1, "M", 2, "M", 4, 4, "M", 8, 8, "M", 8, 8, "M"),
    "vgg13": (1, 1, "M", 2, 2, "M", 4, 4, "M", 8, 8, "M", 8, 8, "M"),
    "vgg16": (1, 1, "M", 2, 2, "M", 4, 4, 4, "M", 8, 8, 8, "M", 8, 8, 8, "M"),
    "vgg19": (1, 1, "M", 2, 2, "M", 4, 4, 4, 4, "M", 8, 8, 8, 8, "M", 8, 8, 8, 8, "M"),
}


def shapes(plan, batch_norm):
    """What follows each pool, by the place that torchvision's numbering gives it: 112, 56, 28, 14, 7."""
    place, size, filters, found = 0, 224, 0, {}
    for step in plan:
        if step == "M":
            size //= 2
            found[f"features.{place}"] = (size, size, filters)
            place += 1
        else:
            filters = 64 * step
            place += 3 if batch_norm else 2
    return found | {"avgpool": (7, 7, 512), "classifier.0": (4096,), "classifier.3": (4096,)}


def row(name, parameters, multiply_adds, batch_norm=False, **options):
    plan = PLANS[name.removesuffix("_bn")]
    return Row(
        name,
        parameters=parameters,
        multiply_adds=multiply_adds,
        source=f"torchvision's documentation of {name}",
        shapes=shapes(plan, batch_norm),
        tiny=dict(num_classes=3, width=16, hidden=32, places=1, dropout=0.0),
        tiny_shape=(64, 64, 3) if batch_norm else (32, 32, 3),
        twin=torch_vgg(plan, batch_norm),
        lr=3e-4,  # at 1e-3 two of five seeds of the deepest never leave the mean
        **options,
    )


ROWS = [
    row("vgg11", 132_863_336, "7.61 G", second=True),
    row("vgg11_bn", 132_868_840, "7.61 G", batch_norm=True, second=True),
    row("vgg13", 133_047_848, "11.31 G"),
    row("vgg13_bn", 133_053_736, "11.31 G", batch_norm=True),
    row("vgg16", 138_357_544, "15.47 G"),
    row("vgg16_bn", 138_365_992, "15.47 G", batch_norm=True),
    row("vgg19", 143_667_240, "19.63 G"),
    row("vgg19_bn", 143_678_248, "19.63 G", batch_norm=True),
]
