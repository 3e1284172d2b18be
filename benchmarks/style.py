"""One step of style transfer (Gatys et al. 2015), where the pixels are what is trained, beside PyTorch with
the same weights. What the content and the style are compared by is computed before the steps; PyTorch's side
keeps the style's Gram matrices, as its tutorial does.
"""

from functools import partial

import numpy as np

from .calls import LAYOUTS
from .case import Case
from .training import RATE, as_torch, built, steps, twin_of

ENTRY, ALPHA, BETA = "vgg19_taps", 10.0, 40.0  # the lecture's weights of the two costs
CONTENT, STYLE = 4, (0, 1, 2, 3, 5)  # the places of conv4_2 and of conv1_1 to conv5_1 among the taps


def pictures(rng, n, options):
    """A content, a style, and where the generated picture starts: its content with noise."""
    content, style, noise = (rng.random((1, n, n, 3), np.float32) for _ in range(3))
    return {"content": content, "style": style, "picture": (content + noise) / 2, "options": options}


def ours(train, inputs):
    import autograd
    import nn
    import optim
    from nn.models import StyleTransferCost

    net = built(ENTRY, inputs["options"]).eval().requires_grad_(False)
    cost = StyleTransferCost(net, inputs["content"], inputs["style"], ALPHA, BETA)
    picture = nn.Parameter(inputs["picture"])
    return steps(
        cost,
        {"picture": picture},
        [picture],
        [],
        lambda outputs: outputs[0],
        optim.Adam([picture], lr=RATE),
        train,
        autograd.no_grad,
        lambda p, a: a.numpy(),
    )


def torch(layout, compiled, train, inputs):
    import torch

    net = twin_of(ENTRY, inputs["options"], layout).eval().requires_grad_(False)
    content, style, picture = (as_torch(inputs[name], layout) for name in ("content", "style", "picture"))
    picture = torch.nn.Parameter(picture.clone(memory_format=torch.preserve_format))

    def gram(activations):
        a = activations.flatten(2)  # (m, n_C, n_H n_W)
        return a @ a.transpose(1, 2)

    with torch.no_grad():
        kept, painted = net(content)[CONTENT], [gram(net(style)[k]) for k in STYLE]

    def cost(picture):
        found = net(picture)
        j_content = 0.5 * (found[CONTENT] - kept).square().sum()
        j_style = sum(
            (gram(found[k]) - g).square().sum() / (2 * found[k].numel()) ** 2
            for k, g in zip(STYLE, painted, strict=True)
        )
        return ALPHA * j_content + BETA * j_style / len(STYLE)

    def array(p, t):
        a = t.detach().numpy()
        return a if p is None else np.ascontiguousarray(np.moveaxis(a, 1, -1))

    return steps(
        torch.compile(cost) if compiled else cost,
        {"picture": picture},
        [picture],
        [],
        lambda outputs: outputs[0],
        torch.optim.Adam([picture], lr=RATE),
        train,
        torch.no_grad,
        array,
    )


def case(what, train):
    build = {"ours": partial(ours, train)}
    build |= {f"torch:{layout}": partial(torch, layout, False, train) for layout in LAYOUTS}
    build["compile"] = partial(torch, LAYOUTS[-1], True, train)
    return Case(
        f"style transfer, 224x224, {what}, 1 picture",
        pictures,
        build,
        {"n": 224, "options": {}},
        {"n": 32, "options": {"width": 4}},
        {"torch": 0.9} if train else {},
        tolerance=5e-3,
        memory=True,
        examples=(1, "pictures"),
    )


CASES = [case("step", True), case("inference", False)]
