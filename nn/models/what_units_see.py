"""What a unit sees: the parts of pictures that excite it most.

Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901, 2013; lecture C4W4,
what are deep ConvNets learning? Units of early layers look for edges and colours, those of later ones for
textures, parts and things.
"""

from dataclasses import dataclass

import numpy as np

from autograd.modes import enable_grad
from autograd.tensor import Tensor, as_array, unwrap
from autograd.transforms import gradient

from ..module import Module


@dataclass(frozen=True)
class Patch:
    """Where a unit was excited: its value there, the picture's number, its place (i, j) in the layer, and the
    part of the picture that it hung on, rows top to bottom and columns left to right, ends exclusive."""

    value: float
    image: int
    place: tuple[int, int]
    top: int
    bottom: int
    left: int
    right: int

    def of(self, images) -> np.ndarray:
        """That part of the picture."""
        return as_array(images)[self.image, self.top : self.bottom, self.left : self.right]


def top_patches(model: Module, layer: Module, images, unit: int, count: int = 9) -> list[Patch]:
    """The `count` pictures of (m, n_H, n_W, n_C) that excite a unit (a channel) of a layer most, the best
    first, each with its best place; `layer` is a module of `model` that gives (m, n_H', n_W', n_C').

    The patch is the smallest rectangle outside which no pixel moves the value: it is where dvalue / dpixel is
    not 0. The model runs as it is: `eval()` first. Raises ValueError for a layer that does not run, gives no
    map of places, or has no such unit. COURSE.md C4W4-visual."""
    pictures, caught = Tensor(as_array(images), requires_grad=True), []
    with layer.register_forward_hook(lambda module, args, output: caught.append(output)), enable_grad():
        model(pictures)
    if not caught or getattr(caught[-1], "ndim", 0) != 4:
        raise ValueError("top_patches: the layer has to run once and to give (m, n_H, n_W, n_C)")
    maps = caught[-1]
    if not 0 <= unit < maps.shape[-1]:
        raise ValueError(f"top_patches: the layer has units 0 to {maps.shape[-1] - 1}, got {unit}")
    values = unwrap(maps)[..., unit].reshape(len(maps), -1)
    best, columns = values.argmax(1), maps.shape[2]
    found = []
    for image in np.argsort(-values.max(1), kind="stable")[:count]:
        i, j = divmod(int(best[image]), columns)
        (slope,) = gradient(maps[int(image), i, j, unit], [pictures], retain_graph=True)
        moved = np.abs(unwrap(slope)[image]).sum(-1) > 0
        top, bottom, left, right = (*_span(moved.any(1)), *_span(moved.any(0)))
        found.append(Patch(float(values[image].max()), int(image), (i, j), top, bottom, left, right))
    return found


def _span(marked) -> tuple[int, int]:
    (places,) = np.nonzero(marked)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)
