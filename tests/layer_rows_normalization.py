"""Rows of the normalisation layers."""

import nn
from tests.layer_table import Row, as_is, normal, same

IMAGES, LARGE = (3, 2, 4, 4), normal((8, 15, 14, 20))

ROWS = [
    same("BatchNorm1d", lambda n: n.BatchNorm1d(4), (5, 4)),
    same("BatchNorm1d, sequences", lambda n: n.BatchNorm1d(4), (3, 5, 4), large=normal((9, 301, 4))),
    same("BatchNorm2d", lambda n: n.BatchNorm2d(4), IMAGES),
    same("BatchNorm2d, wide", lambda n: n.BatchNorm2d(20), (2, 1, 2, 20), large=LARGE),
    same("BatchNorm2d, plain", lambda n: n.BatchNorm2d(4, eps=0.1, affine=False), IMAGES),
    same("BatchNorm2d, untracked", lambda n: n.BatchNorm2d(4, track_running_stats=False), IMAGES),
    same("BatchNorm2d, mean of all", lambda n: n.BatchNorm2d(4, momentum=None), IMAGES),
    same("BatchNorm2d, without biases", lambda n: n.BatchNorm2d(4, bias=False), IMAGES),
    same("BatchNorm3d", lambda n: n.BatchNorm3d(2), (2, 2, 1, 3, 2), large=normal((3, 9, 10, 11, 2))),
    same("InstanceNorm1d", lambda n: n.InstanceNorm1d(3), (2, 5, 3)),
    same("InstanceNorm2d", lambda n: n.InstanceNorm2d(4, affine=True), IMAGES),
    same("InstanceNorm2d, wide", lambda n: n.InstanceNorm2d(20), (2, 2, 1, 20), large=LARGE),
    same("InstanceNorm2d, tracked", lambda n: n.InstanceNorm2d(4, track_running_stats=True), IMAGES),
    same(
        "InstanceNorm2d, all options",
        lambda n: n.InstanceNorm2d(4, 0.1, 0.3, True, True, bias=False),
        IMAGES,
    ),
    same("InstanceNorm3d", lambda n: n.InstanceNorm3d(2), (2, 2, 1, 3, 2)),
    same("GroupNorm", lambda n: n.GroupNorm(2, 4), IMAGES),
    same("GroupNorm, wide", lambda n: n.GroupNorm(5, 20, eps=0.1), (2, 1, 1, 20), large=LARGE),
    same("GroupNorm, rows", lambda n: n.GroupNorm(2, 6, affine=False), (3, 6)),
    same("GroupNorm, without biases", lambda n: n.GroupNorm(2, 4, bias=False), IMAGES),
    same(
        "LayerNorm",
        lambda n: n.LayerNorm(5),
        (2, 3, 5),
        to_torch=as_is,
        from_torch=as_is,
        large=normal((40, 333, 5)),
    ),
    same("LayerNorm, two axes", lambda n: n.LayerNorm((3, 5)), (2, 3, 5), to_torch=as_is, from_torch=as_is),
    Row(
        "LayerNorm, images",
        lambda: nn.LayerNorm((2, 3, 4)),
        lambda torch: torch.nn.LayerNorm((4, 2, 3)),
        normal((2, 2, 3, 4)),
    ),
    same(
        "LayerNorm, plain",
        lambda n: n.LayerNorm(300, eps=0.1, elementwise_affine=False),
        (1, 300),
        to_torch=as_is,
        from_torch=as_is,
        large=normal((9, 31, 300)),
    ),
    same(
        "LayerNorm, no bias", lambda n: n.LayerNorm(5, bias=False), (2, 5), to_torch=as_is, from_torch=as_is
    ),
    same(
        "RMSNorm",
        lambda n: n.RMSNorm(5),
        (2, 3, 5),
        to_torch=as_is,
        from_torch=as_is,
        large=normal((40, 333, 5)),
    ),
    same("RMSNorm, plain", lambda n: n.RMSNorm(5, 0.1, False), (2, 5), to_torch=as_is, from_torch=as_is),
    same("LocalResponseNorm", lambda n: n.LocalResponseNorm(3, alpha=0.5), IMAGES, large=LARGE),
    same("LocalResponseNorm, even", lambda n: n.LocalResponseNorm(4, 0.5, 0.6, 2.0), (2, 3, 6)),
]
