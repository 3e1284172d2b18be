"""GoogLeNet and Inception v3."""

from tests.model_rows import Row

GOOGLENET = {  # Szegedy et al. 2014, table 1
    "3a": (192, 64, 96, 128, 16, 32, 32),
    "3b": (256, 128, 128, 192, 32, 96, 64),
    "4a": (480, 192, 96, 208, 16, 48, 64),
    "4b": (512, 160, 112, 224, 24, 64, 64),
    "4c": (512, 128, 128, 256, 24, 64, 64),
    "4d": (512, 112, 144, 288, 32, 64, 64),
    "4e": (528, 256, 160, 320, 32, 128, 128),
    "5a": (832, 256, 160, 320, 32, 128, 128),
    "5b": (832, 384, 192, 384, 48, 128, 128),
}


def torch_googlenet(
    torch,
    paper=False,
    num_classes=1000,
    in_channels=3,
    aux_logits=True,
    small=False,
    width=1.0,
    dropout=0.2,
    dropout_aux=0.7,
):
    tnn, F = torch.nn, torch.nn.functional

    def wide(c):
        return max(1, round(c * width))

    class Conv(tnn.Module):
        def __init__(self, depth, channels, size, stride=1):
            super().__init__()
            self.conv = tnn.Conv2d(depth, channels, size, stride, size // 2, bias=paper)
            if not paper:
                self.bn = tnn.BatchNorm2d(channels, eps=1e-3)

        def forward(self, x):
            return (self.conv(x) if paper else self.bn(self.conv(x))).relu()

    class Module(tnn.Module):
        def __init__(self, depth, a, b, c, d, e, f):
            super().__init__()
            self.branch1 = Conv(depth, a, 1)
            self.branch2 = tnn.Sequential(Conv(depth, b, 1), Conv(b, c, 3))
            self.branch3 = tnn.Sequential(Conv(depth, d, 1), Conv(d, e, 5 if paper else 3))
            self.branch4 = tnn.Sequential(tnn.MaxPool2d(3, 1, 1), Conv(depth, f, 1))

        def forward(self, x):
            return torch.cat([branch(x) for branch in self.children()], 1)

    class Head(tnn.Module):
        def __init__(self, depth):
            super().__init__()
            self.conv = Conv(depth, wide(128), 1)
            self.fc1 = tnn.Linear(16 * wide(128), wide(1024))
            self.drop = tnn.Dropout(dropout_aux)
            self.fc2 = tnn.Linear(wide(1024), num_classes)

        def forward(self, x):
            x = F.avg_pool2d(x, 5, 3) if paper else F.adaptive_avg_pool2d(x, 4)
            return self.fc2(self.drop(self.fc1(self.conv(x).flatten(1)).relu()))

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = Conv(in_channels, wide(64), *((3, 1) if small else (7, 2)))
            self.conv2 = Conv(wide(64), wide(64), 1)
            self.conv3 = Conv(wide(64), wide(192), 3)
            depth = wide(192)
            for name, (_, *channels) in GOOGLENET.items():
                a, b, c, d, e, f = map(wide, channels)
                self.add_module(f"inception{name}", Module(depth, a, b, c, d, e, f))
                depth = a + c + e + f
                if aux_logits and name in ("4a", "4d"):
                    self.add_module("aux1" if name == "4a" else "aux2", Head(depth))
            self.dropout = tnn.Dropout(dropout)
            self.fc = tnn.Linear(depth, num_classes)

        def forward(self, x):
            pool = (lambda x: x) if small else (lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True))
            norm = (lambda x: F.local_response_norm(x, 5, 1e-4, 0.75, 1.0)) if paper else (lambda x: x)
            x = pool(norm(self.conv3(self.conv2(norm(pool(self.conv1(x)))))))
            aux = {}
            for name in GOOGLENET:
                x = self.get_submodule(f"inception{name}")(x)
                if name in ("4a", "4d") and aux_logits and self.training:
                    aux[name] = self.get_submodule("aux1" if name == "4a" else "aux2")(x)
                if name == "3b":
                    x = F.max_pool2d(x, 3, 2, ceil_mode=True)
                if name == "4e":
                    x = F.max_pool2d(x, 3 if paper else 2, 2, ceil_mode=True)
            logits = self.fc(self.dropout(x.mean((2, 3))))
            return (logits, aux["4d"], aux["4a"]) if aux else logits

    return Net()


def torch_googlenet_paper(torch, **options):
    return torch_googlenet(torch, paper=True, **({"dropout": 0.4} | options))


# Szegedy et al. 2015, table 1 and figures 5, 6, 7 and 10, with the names of torchvision's layers. A module:
# branches of (name, rows, columns, channels, stride); "max", "max2" and "mean" are 3x3 pools.
def a_module(pool):
    return (
        (("branch1x1", 1, 1, 64),),
        (("branch5x5_1", 1, 1, 48), ("branch5x5_2", 5, 5, 64)),
        (("branch3x3dbl_1", 1, 1, 64), ("branch3x3dbl_2", 3, 3, 96), ("branch3x3dbl_3", 3, 3, 96)),
        ("mean", ("branch_pool", 1, 1, pool)),
    )


def c_module(c):
    return (
        (("branch1x1", 1, 1, 192),),
        (("branch7x7_1", 1, 1, c), ("branch7x7_2", 1, 7, c), ("branch7x7_3", 7, 1, 192)),
        (("branch7x7dbl_1", 1, 1, c), ("branch7x7dbl_2", 7, 1, c), ("branch7x7dbl_3", 1, 7, c))
        + (("branch7x7dbl_4", 7, 1, c), ("branch7x7dbl_5", 1, 7, 192)),
        ("mean", ("branch_pool", 1, 1, 192)),
    )


B_MODULE = (
    (("branch3x3", 3, 3, 384, 2),),
    (("branch3x3dbl_1", 1, 1, 64), ("branch3x3dbl_2", 3, 3, 96), ("branch3x3dbl_3", 3, 3, 96, 2)),
    ("max",),
)
D_MODULE = (
    (("branch3x3_1", 1, 1, 192), ("branch3x3_2", 3, 3, 320, 2)),
    (("branch7x7x3_1", 1, 1, 192), ("branch7x7x3_2", 1, 7, 192), ("branch7x7x3_3", 7, 1, 192))
    + (("branch7x7x3_4", 3, 3, 192, 2),),
    ("max",),
)
E_MODULE = (
    (("branch1x1", 1, 1, 320),),
    (("branch3x3_1", 1, 1, 384), (("branch3x3_2a", 1, 3, 384), ("branch3x3_2b", 3, 1, 384))),
    (("branch3x3dbl_1", 1, 1, 448), ("branch3x3dbl_2", 3, 3, 384))
    + ((("branch3x3dbl_3a", 1, 3, 384), ("branch3x3dbl_3b", 3, 1, 384)),),
    ("mean", ("branch_pool", 1, 1, 192)),
)
INCEPTION = {
    "Mixed_5b": a_module(32),
    "Mixed_5c": a_module(64),
    "Mixed_5d": a_module(64),
    "Mixed_6a": B_MODULE,
    "Mixed_6b": c_module(128),
    "Mixed_6c": c_module(160),
    "Mixed_6d": c_module(160),
    "Mixed_6e": c_module(192),
    "Mixed_7a": D_MODULE,
    "Mixed_7b": E_MODULE,
    "Mixed_7c": E_MODULE,
}


def torch_inception_v3(
    torch, num_classes=1000, in_channels=3, aux_logits=True, small=False, width=1.0, dropout=0.5
):
    tnn, F = torch.nn, torch.nn.functional

    def wide(c):
        return max(1, round(c * width))

    class Conv(tnn.Module):
        def __init__(self, depth, rows, columns, channels, stride=1, padding=None):
            super().__init__()
            if padding is None:  # a stride takes only places inside
                padding = (rows // 2, columns // 2) if stride == 1 else 0
            self.conv = tnn.Conv2d(depth, channels, (rows, columns), stride, padding, bias=False)
            self.bn = tnn.BatchNorm2d(channels, eps=1e-3)

        def forward(self, x):
            return self.bn(self.conv(x)).relu()

    class Mixed(tnn.Module):
        def __init__(self, depth, branches):
            super().__init__()
            self.branches, self.depth = branches, 0
            for branch in branches:
                channels = depth
                for step in branch:
                    if isinstance(step, str):
                        continue
                    parts = step if isinstance(step[0], tuple) else (step,)
                    for name, rows, columns, c, *stride in parts:
                        self.add_module(name, Conv(channels, rows, columns, wide(c), *stride))
                    channels = sum(wide(part[3]) for part in parts)
                self.depth += channels

        def step(self, x, step):
            if step == "mean":
                return F.avg_pool2d(x, 3, 1, 1)
            if step == "max":
                return F.max_pool2d(x, 3, 2)
            if isinstance(step[0], tuple):
                return torch.cat([self.step(x, part) for part in step], 1)
            return self.get_submodule(step[0])(x)

        def forward(self, x):
            outputs = []
            for branch in self.branches:
                y = x
                for step in branch:
                    y = self.step(y, step)
                outputs.append(y)
            return torch.cat(outputs, 1)

    class Aux(tnn.Module):
        def __init__(self, depth):
            super().__init__()
            self.conv0 = Conv(depth, 1, 1, wide(128))
            self.conv1 = Conv(wide(128), 5, 5, wide(768), padding=2 if small else 0)
            self.fc = tnn.Linear(wide(768), num_classes)

        def forward(self, x):
            return self.fc(self.conv1(self.conv0(F.avg_pool2d(x, 5, 3))).mean((2, 3)))

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            stride, padding = (1, 1) if small else (2, 0)
            self.Conv2d_1a_3x3 = Conv(in_channels, 3, 3, wide(32), stride, padding)
            self.Conv2d_2a_3x3 = Conv(wide(32), 3, 3, wide(32), 1, padding)
            self.Conv2d_2b_3x3 = Conv(wide(32), 3, 3, wide(64))
            self.Conv2d_3b_1x1 = Conv(wide(64), 1, 1, wide(80))
            self.Conv2d_4a_3x3 = Conv(wide(80), 3, 3, wide(192), 1, padding)
            depth = wide(192)
            for name, branches in INCEPTION.items():
                mixed = Mixed(depth, branches)
                self.add_module(name, mixed)
                depth = mixed.depth
                if name == "Mixed_6e" and aux_logits:
                    self.AuxLogits = Aux(depth)
            self.dropout = tnn.Dropout(dropout)
            self.fc = tnn.Linear(depth, num_classes)

        def forward(self, x):
            pool = (lambda x: x) if small else (lambda x: F.max_pool2d(x, 3, 2))
            x = pool(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))
            x = pool(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))
            aux = ()
            for name in INCEPTION:
                x = self.get_submodule(name)(x)
                if name == "Mixed_6e" and aux_logits and self.training:
                    aux = (self.AuxLogits(x),)
            logits = self.fc(self.dropout(x.mean((2, 3))))
            return (logits, *aux) if aux else logits

    return Net()


GOOGLENET_SHAPES = {
    "conv1": (112, 112, 64),
    "maxpool1": (56, 56, 64),
    "conv3": (56, 56, 192),
    "maxpool2": (28, 28, 192),
    "inception3a": (28, 28, 256),
    "inception3b": (28, 28, 480),
    "maxpool3": (14, 14, 480),
    "inception4a": (14, 14, 512),
    "inception4d": (14, 14, 528),
    "inception4e": (14, 14, 832),
    "maxpool4": (7, 7, 832),
    "inception5a": (7, 7, 832),
    "inception5b": (7, 7, 1024),
    "avgpool": (1024,),
}

ROWS = [
    Row(
        "googlenet",
        parameters=13_004_888,  # 6,624,904 without the side heads
        multiply_adds="1.498 G",
        source="torchvision.models.googlenet",
        shapes=GOOGLENET_SHAPES,
        tiny=dict(num_classes=5, small=True, width=1 / 16, dropout=0.0, dropout_aux=0.0),
        tiny_shape=(16, 16, 3),
        twin=torch_googlenet,
        second=True,
        batch=6,
    ),
    Row(
        "googlenet_paper",
        parameters=13_378_280,  # 6,998,552 without the side heads
        multiply_adds=None,
        source="Szegedy et al. 2014, table 1; counted by layer in Keras's re-implementations",
        shapes=GOOGLENET_SHAPES,
        tiny=dict(num_classes=5, small=True, width=1 / 16, dropout=0.0, dropout_aux=0.0),
        tiny_shape=(28, 28, 3),
        twin=torch_googlenet_paper,
        exempt={
            "multiply_adds": "the paper's table counts 34M for the first layer's 118M; "
            "tests/test_models_costs.py has its figures for the other layers"
        },
    ),
    Row(
        "inception_v3",
        parameters=27_161_264,  # 23,834,568 without the side head
        multiply_adds="5.713 G",
        source="torchvision.models.inception_v3",
        shapes={
            "Conv2d_1a_3x3": (149, 149, 32),
            "Conv2d_2a_3x3": (147, 147, 32),
            "Conv2d_2b_3x3": (147, 147, 64),
            "maxpool1": (73, 73, 64),
            "Conv2d_4a_3x3": (71, 71, 192),
            "maxpool2": (35, 35, 192),
            "Mixed_5d": (35, 35, 288),
            "Mixed_6e": (17, 17, 768),
            "Mixed_7a": (8, 8, 1280),
            "Mixed_7c": (8, 8, 2048),
            "avgpool": (2048,),
        },
        tiny=dict(num_classes=5, small=True, width=1 / 16, dropout=0.0),
        tiny_shape=(17, 17, 3),
        twin=torch_inception_v3,
        second=True,
        batch=6,
    ),
]
