"""What architectures cost, against the lecture's and the papers' own figures, by `summary`."""

import numpy as np
import pytest

import nn
from autograd.tensor import unwrap
from nn import init, models
from nn.models.mobilenet_v1 import separable
from tests.model_rows_residual import torch_resnet
from tests.test_models import undrawn


def cost(model, *shape):
    return nn.summary(model, (1, *shape))


# ---- the lecture's worked figures


def test_a_bottleneck_costs_a_tenth():  # C4W2-incepcost
    direct = cost(nn.Conv2d(192, 32, 5, padding="same"), 28, 28, 192)
    assert direct.multiply_adds == 28 * 28 * 32 * 5 * 5 * 192 == 120_422_400
    module = models.Inception(192, 64, 96, 128, 16, 32, 32)  # the lecture's module is GoogLeNet's 3a
    rows = {row.name: row for row in cost(module, 28, 28, 192).rows}
    branch = [rows[f"branch3.{k}.conv"].multiply_adds for k in range(2)]
    assert branch == [2_408_448, 10_035_200]
    assert sum(branch) == 12_443_648


def test_an_inception_module_puts_256_channels_together():  # C4W2-inception
    module = models.Inception(192, 64, 96, 128, 16, 32, 32)
    rows = cost(module, 28, 28, 192).rows
    channels = [row.shape[-1] for row in rows if row.name.endswith("conv")]
    assert [channels[k] for k in (0, 2, 4, 5)] == [64, 128, 32, 32]
    assert module(np.zeros((1, 28, 28, 192), np.float32)).shape == (1, 28, 28, 256)


def test_a_separable_convolution_costs_a_fifth_and_a_ninth():  # C4W2-dwsep
    usual = cost(nn.Conv2d(3, 5, 3), 6, 6, 3).multiply_adds
    assert usual == 2160
    parts = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 5, 1))
    rows = [row.multiply_adds for row in cost(parts, 6, 6, 3).rows]
    assert rows == [432, 240]
    assert sum(rows) == 672
    assert 672 * 45 == 2160 * (9 + 5)  # 672 / 2160 = 1/5 + 1/9 exactly
    large = cost(separable(512, 512), 14, 14, 512).multiply_adds
    dense = cost(nn.Conv2d(512, 512, 3, padding=1), 14, 14, 512).multiply_adds
    assert large * 512 * 9 == dense * (9 + 512)  # 1/512 + 1/9: 8.8 times less


def test_a_1x1_convolution_is_a_product_with_a_number():  # C4W2-1x1
    layer = nn.Conv2d(1, 1, 1, bias=False)
    init.constant_(layer.weight, 2)
    row = np.array([[1, 2, 3, 6, 5, 8]], np.float32)[None, ..., None]
    assert unwrap(layer(row)).ravel().tolist() == [2, 4, 6, 12, 10, 16]
    assert cost(nn.Conv2d(192, 32, 1), 28, 28, 192).rows[0].shape == (1, 28, 28, 32)


# ---- the papers' tables


@pytest.mark.slow
def test_googlenet_by_module():
    """Table 1 of Szegedy et al. 2014, in millions; it counts 34 for the first layer, which has 118, and 54
    for 5a, which has 51."""
    table = {"conv": 360, "3a": 128, "3b": 304, "4a": 73, "4b": 88, "4c": 100, "4d": 119, "4e": 170, "5b": 71}
    with undrawn():
        found = cost(models.googlenet_paper(aux_logits=False), 224, 224, 3)
    costs, sizes = dict.fromkeys(table, 0), {}
    for row in found.rows:
        name = row.name.partition(".")[0]
        name = "conv" if name in ("conv2", "conv3") else name.removeprefix("inception")
        if name in costs:
            costs[name] += row.multiply_adds
            sizes[name] = sizes.get(name, 0) + row.parameters
    assert all(abs(costs[name] / 1e6 - millions) < 1 for name, millions in table.items()), costs
    assert (sizes["3a"], sizes["5b"]) == (163_696, 1_444_080)
    assert found.parameters == 6_998_552


@pytest.mark.slow
def test_without_side_heads():
    with undrawn():
        assert sum(p.size for p in models.googlenet(aux_logits=False).parameters()) == 6_624_904
        assert sum(p.size for p in models.inception_v3(aux_logits=False).parameters()) == 23_834_568


@pytest.mark.slow
def test_the_stride_of_the_paper_costs_less(torch):
    """ResNet-50 of 2015: 3.86 G against 4.09 G where the stride is in the 3x3, with the same parameters."""
    from torch.utils.flop_counter import FlopCounterMode

    with undrawn():
        found = cost(models.resnet50(stride_in_1x1=True), 224, 224, 3)
    assert found.parameters == 25_557_032
    assert f"{found.multiply_adds / 1e9:.2f}" == "3.86"
    with torch.device("meta"):
        theirs = torch_resnet(torch, (3, 4, 6, 3), bottleneck=True, stride_in_1x1=True).eval()
        image = torch.empty(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        theirs(image)
    assert found.multiply_adds == counter.get_total_flops() / 2


def test_projections_of_cifar_networks():
    """Option B: 1x1 convolutions 16 to 32 and 32 to 64 channels, each with batch norm."""
    with undrawn():
        plain, projected = models.resnet20(), models.resnet20(shortcut="projection")
    sizes = [sum(p.size for p in model.parameters()) for model in (plain, projected)]
    assert sizes == [269_722, 269_722 + 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "side", "millions", "parameters"),
    [  # Howard et al. 2017, tables 6 and 7
        (0.75, 224, 325, "2.6"),
        (0.5, 224, 149, "1.3"),
        (0.25, 224, 41, "0.5"),
        (1.0, 192, 418, "4.2"),
        (1.0, 160, 290, "4.2"),
        (1.0, 128, 186, "4.2"),
    ],
)
def test_width_and_resolution_of_mobilenet_v1(width, side, millions, parameters):
    with undrawn():
        found = cost(models.mobilenet_v1(width=width), side, side, 3)
    assert abs(found.multiply_adds / 1e6 - millions) < 1  # the paper rounds some down
    assert f"{found.parameters / 1e6:.1f}" == parameters


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "millions", "parameters"),
    [  # keras.applications and TensorFlow's slim, which count no batch norm
        (1.4, 582, "6.06"),
        (1.3, 509, "5.34"),
        (1.0, 300, "3.47"),
        (0.75, 209, "2.61"),
        (0.5, 97, "1.95"),
        (0.35, 59, "1.66"),
    ],
)
def test_width_of_mobilenet_v2(width, millions, parameters):
    with undrawn():
        model = models.mobilenet_v2(width=width)
    found = cost(model, 224, 224, 3)
    normal = sum(m.weight.size + m.bias.size for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    assert abs(found.multiply_adds / 1e6 - millions) < 1
    assert f"{(found.parameters - normal) / 1e6:.2f}" == parameters


def test_compound_scaling_doubles():  # C4W2-efficientnet
    """Tan and Le 2019: alpha beta^2 gamma^2 is about 2 for depth 1.2, width 1.1 and resolution 1.15."""
    assert 1.2 * 1.1**2 * 1.15**2 == pytest.approx(2, rel=0.05)
    with undrawn():
        small = models.EfficientNet(small=True)
        wide, deep = models.EfficientNet(small=True, width=1.1), models.EfficientNet(small=True, depth=1.2)
    base = cost(small, 32, 32, 3).multiply_adds
    assert cost(small, 64, 64, 3).multiply_adds == pytest.approx(4 * base, rel=0.05)  # squares with the side
    assert cost(wide, 32, 32, 3).multiply_adds == pytest.approx(1.1**2 * base, rel=0.2)  # and with the width
    assert cost(deep, 32, 32, 3).multiply_adds > base
