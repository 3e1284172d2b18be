"""Rows of Fast and Faster R-CNN."""

import numpy as np

import nn
from tests.model_rows import Row
from tests.model_rows_residual import torch_resnet


def torch_frozen(torch, n):
    class Frozen(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
                self.register_buffer(name, torch.full((n,), value))

        def forward(self, x):
            columns = (
                t[:, None, None] for t in (self.weight, self.bias, self.running_mean, self.running_var)
            )
            weight, bias, mean, var = columns
            return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    return Frozen()


def torch_rcnn(
    torch, rpn, num_classes=91, layers=(3, 4, 6, 3), width=64, channels=256, hidden=1024, scale=224
):
    """Lin et al. 2016 and Ren et al. 2015 with torchvision's numbers; regions by RoI align with two points
    along each axis of a bin (He et al. 2017), which `grid_sample` reads."""
    tnn, F = torch.nn, torch.nn.functional

    def freeze(module):
        for name, child in module.named_children():
            if isinstance(child, tnn.BatchNorm2d):
                setattr(module, name, torch_frozen(torch, child.num_features))
            else:
                freeze(child)

    def group(**modules):
        holder = tnn.Module()
        for name, module in modules.items():
            holder.add_module(name, module)
        return holder

    body = torch_resnet(torch, layers, bottleneck=True, width=width)
    del body.fc
    freeze(body)

    def align(x, boxes, stride):
        """(K, C, 7, 7) of one map, with image, x1, y1, x2, y2 of each region."""
        start = boxes[:, 1:3] / stride
        length = (boxes[:, 3:] / stride - start).clamp(min=1.0)
        steps = (torch.arange(14, dtype=x.dtype) + 0.5) / 14
        at = start[:, None] + length[:, None] * steps[:, None]  # (K, 14, 2): points along x and y
        sizes = torch.tensor([x.shape[3], x.shape[2]], dtype=x.dtype)
        at = 2 * at / (sizes - 1) - 1  # -1 is the middle of the first pixel, 1 of the last
        across, down = at[:, None, :, 0].expand(-1, 14, -1), at[:, :, None, 1].expand(-1, -1, 14)
        grid = torch.stack([across, down], -1)
        read = F.grid_sample(x[boxes[:, 0].long()], grid, padding_mode="border", align_corners=True)
        return F.avg_pool2d(read, 2)

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            depths = [4 * width * 2**k for k in range(4)]
            inner = [tnn.Sequential(tnn.Conv2d(depth, channels, 1)) for depth in depths]
            outer = [tnn.Sequential(tnn.Conv2d(channels, channels, 3, padding=1)) for _ in depths]
            pyramid = group(inner_blocks=tnn.ModuleList(inner), layer_blocks=tnn.ModuleList(outer))
            self.backbone = group(body=body, fpn=pyramid)
            if rpn:
                first = tnn.Sequential(tnn.Conv2d(channels, channels, 3, padding=1), tnn.ReLU())
                head = group(
                    conv=tnn.Sequential(first),
                    cls_logits=tnn.Conv2d(channels, 3, 1),
                    bbox_pred=tnn.Conv2d(channels, 12, 1),
                )
                self.rpn = group(head=head)
            self.roi_heads = group(
                box_head=group(fc6=tnn.Linear(49 * channels, hidden), fc7=tnn.Linear(hidden, hidden)),
                box_predictor=group(
                    cls_score=tnn.Linear(hidden, num_classes), bbox_pred=tnn.Linear(hidden, 4 * num_classes)
                ),
            )

        def pyramid(self, x):
            x = F.max_pool2d(body.bn1(body.conv1(x)).relu(), 3, 2, 1)
            maps = []
            for k, inner in enumerate(self.backbone.fpn.inner_blocks, 1):
                x = body.get_submodule(f"layer{k}")(x)
                maps.append(inner(x))
            for k in (2, 1, 0):
                maps[k] = maps[k] + F.interpolate(maps[k + 1], maps[k].shape[2:])
            maps = [outer(x) for outer, x in zip(self.backbone.fpn.layer_blocks, maps)]
            return [*maps, F.max_pool2d(maps[-1], 1, 2)]

        def forward(self, x, proposals):
            m, maps = len(x), self.pyramid(x)
            proposals = proposals.movedim(1, -1).to(x.dtype)  # the table brings the last axis to the front
            image = torch.arange(m).repeat_interleave(proposals.shape[1]).to(x.dtype)
            boxes = torch.cat([image[:, None], proposals.reshape(-1, 4)], 1)
            areas = (boxes[:, 3] - boxes[:, 1]) * (boxes[:, 4] - boxes[:, 2])
            level = (4 + (areas.sqrt() / scale + 1e-6).log2()).floor().clamp(2, 5)
            read = torch.zeros(len(boxes), channels, 7, 7, dtype=x.dtype)
            for k in (2, 3, 4, 5):
                here = level == k
                if here.any():
                    read[here] = align(maps[k - 2], boxes[here], 2**k)
            head, predictor = self.roi_heads.box_head, self.roi_heads.box_predictor
            y = head.fc7(head.fc6(read.flatten(1)).relu()).relu()
            found = [predictor.cls_score(y), predictor.bbox_pred(y)]
            if rpn:
                head = self.rpn.head
                told = [head.conv(x) for x in maps]
                logits = [head.cls_logits(t).permute(0, 2, 3, 1).reshape(m, -1) for t in told]
                moves = [head.bbox_pred(t).permute(0, 2, 3, 1).reshape(m, -1, 4) for t in told]
                found += [torch.cat(logits, 1), torch.cat(moves, 1).movedim(-1, 1)]
            return tuple(found)

    return Net()


def regions(rng, m):
    """Each image with a region for every map of the pyramid: sides of about 21, 126, 77 and 39 pixels."""
    boxes = np.array([[3, 5, 23, 27], [0, 0, 126, 126], [20, 30, 110, 95], [60, 10, 90, 60]])
    boxes = boxes + rng.integers(0, 2, (m, 4, 4))
    return (rng.normal(size=(m, 128, 128, 3)), boxes), np.arange(4 * m) % 3


def learned(outputs, labels):
    logits, *others = outputs
    return nn.CrossEntropyLoss()(logits, labels) + sum((y * y).mean() for y in others)


def row(name, parameters, proposes, side, **options):
    return Row(
        name,
        parameters=parameters,
        multiply_adds="134.38 G" if proposes else None,
        source="torchvision.models.detection.fasterrcnn_resnet50_fpn, 91 classes",
        shapes={
            "backbone.body.layer1": (side // 4, side // 4, 256),
            "backbone.body.layer4": (side // 32, side // 32, 2048),
            "backbone.fpn.layer_blocks.0": (side // 4, side // 4, 256),
            "roi_heads.box_head.fc6": (1024,),
            "roi_heads.box_predictor.bbox_pred": (364,),
        },
        tiny=dict(num_classes=3, layers=(1, 1, 1, 1), width=4, channels=8, hidden=16, scale=56),
        examples=regions,
        twin=lambda torch, **tiny: torch_rcnn(torch, proposes, **tiny),
        batch=2,
        cost=learned,
        lr=5e-3,
        exempt={"flops": "a region's map hangs on its size, and on 'meta' nothing has a size"}
        | ({} if proposes else {"multiply_adds": "torchvision has only Faster R-CNN"}),
        **options,
    )


ROWS = [
    row("fast_rcnn", 41_755_286 - 593_935, False, 224),  # without the 3x3 and the two 1x1 of the rpn
    row("faster_rcnn", 41_755_286, True, 800, second=True),
]
