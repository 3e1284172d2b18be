"""Rows of convolutions along one axis and along three."""

from tests.model_rows import Row


def torch_small(axes):
    def build(torch, num_classes=2, in_channels=1):
        conv = torch.nn.Conv1d if axes == 1 else torch.nn.Conv3d

        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                relu = torch.nn.ReLU()
                self.features = torch.nn.Sequential(conv(in_channels, 16, 5), relu, conv(16, 32, 5), relu)
                self.fc = torch.nn.Linear(32, num_classes)

            def forward(self, x):
                return self.fc(self.features(x).flatten(2).mean(2))

        return Net()

    return build


def torch_r3d_18(torch, num_classes=400, in_channels=3, width=64):
    """Table 1 of Tran et al. 2017, R3D with 18 layers, in torchvision's names."""
    tnn = torch.nn

    def conv(depth, filters, size, stride):
        return (
            tnn.Conv3d(depth, filters, size, stride, size // 2, bias=False),
            tnn.BatchNorm3d(filters),
        )

    class Block(tnn.Module):
        def __init__(self, depth, filters, stride):
            super().__init__()
            self.conv1 = tnn.Sequential(*conv(depth, filters, 3, stride), tnn.ReLU())
            self.conv2 = tnn.Sequential(*conv(filters, filters, 3, 1))
            if stride > 1 or depth != filters:
                self.downsample = tnn.Sequential(*conv(depth, filters, 1, stride))

        def forward(self, x):
            aside = self.downsample(x) if hasattr(self, "downsample") else x
            return (self.conv2(self.conv1(x)) + aside).relu()

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            first = tnn.Conv3d(in_channels, width, (3, 7, 7), (1, 2, 2), (1, 3, 3), bias=False)
            self.stem = tnn.Sequential(first, tnn.BatchNorm3d(width), tnn.ReLU())
            for k, filters in enumerate((width, 2 * width, 4 * width, 8 * width), 1):
                before, stride = (width, 1) if k == 1 else (filters // 2, 2)
                blocks = Block(before, filters, stride), Block(filters, filters, 1)
                self.add_module(f"layer{k}", tnn.Sequential(*blocks))
            self.fc = tnn.Linear(8 * width, num_classes)

        def forward(self, x):
            x = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(x)))))
            return self.fc(x.mean((2, 3, 4)))

    return Net()


ROWS = [
    Row(
        "signal_network",
        parameters=96 + 2592 + 33 * 2,
        multiply_adds=10 * 5 * 16 + 6 * 5 * 16 * 32 + 32 * 2,
        source="COURSE.md C4W4-conv1d, and two logits",
        shapes={"features.0": (10, 16), "features.2": (6, 32)},
        tiny=dict(num_classes=3),
        tiny_shape=(14, 1),
        twin=torch_small(1),
        second=True,
        lr=1e-2,
    ),
    Row(
        "volume_network",
        parameters=2016 + 64032 + 33 * 2,
        multiply_adds=10**3 * 5**3 * 16 + 6**3 * 5**3 * 16 * 32 + 32 * 2,
        source="COURSE.md C4W4-conv3d, and two logits",
        shapes={"features.0": (10, 10, 10, 16), "features.2": (6, 6, 6, 32)},
        tiny=dict(num_classes=3),
        tiny_shape=(9, 9, 9, 1),
        twin=torch_small(3),
        lr=5e-3,
    ),
    Row(
        "r3d_18",
        parameters=33_371_472,
        multiply_adds="40.697 G",
        source="torchvision.models.video.r3d_18",
        shapes={
            "stem": (16, 56, 56, 64),
            "layer1": (16, 56, 56, 64),
            "layer2": (8, 28, 28, 128),
            "layer3": (4, 14, 14, 256),
            "layer4": (2, 7, 7, 512),
        },
        tiny=dict(num_classes=3, width=4),
        tiny_shape=(8, 32, 32, 3),
        twin=torch_r3d_18,
        second=True,
        lr=5e-3,
    ),
]
