"""The table of models: every entry of `nn.models` has one row in a file `tests/model_rows_*.py`, or the suite
fails. Adding a model is a file in `nn/models` and a row here:

    ROWS = [
        Row(
            "vgg16",                              # the entry's name
            parameters=138_357_544,               # as published
            multiply_adds="15.47 G",              # as published: rounded to these digits; an int is exact
            source="torchvision.models.vgg16",    # where the two figures stand
            shapes={"features.4": (112, 112, 64), "avgpool": (7, 7, 512)},  # the paper's table, by path
            tiny=dict(num_classes=5, width=8, hidden=16, dropout=0.0),      # arguments of a small one
            tiny_shape=(32, 32, 3),
            twin=torch_vgg16,                     # torch_vgg16(torch, **tiny) -> torch.nn.Module
            second=True,                          # once a family
        ),
    ]

What does not take one batch of images has, in the place of `tiny_shape`, `examples(rng, m)`: the arguments of
a forward pass and the targets, such as `((ids, lengths), labels)`, and for the loss `cost(outputs, targets)`.
`layout="sequence"` gives PyTorch's twin arrays as they are and takes its outputs so, `(m, T, n)`, where
"images" brings channels to the front. Integer arrays become int64 there; only floats get gradients.

`tests/test_models.py` then checks, at the published size (built without drawing random numbers, one image,
`eval()`): parameters, multiply-adds and shapes against the row; names and shapes of the state_dict, the
multiply-adds that PyTorch counts and the dropout probabilities against `twin(torch)`, which is built on the
"meta" device and costs nothing. With `tiny`, in float32: outputs, gradients and running statistics against
`twin(torch, **tiny)` in float64 with random weights, in training and `eval()`, Winograd off and on; one batch
learned by heart; saving and loading; second derivatives where `second` says so.

The twin is written from the published description and takes the same arguments as ours. Its state_dict has
torchvision's names where torchvision has the model, else ours; its images are `(m, n_C, n_H, n_W)`. It shares
no code with ours, and gives its outputs in the same order (side heads in training: a tuple).
"""

import importlib
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import nn

CHECKS = ("multiply_adds", "flops", "shapes", "torch")


def flat(outputs) -> list:
    """The tensors of a model's output: one, or those of a tuple."""
    if isinstance(outputs, (tuple, list)):
        return [y for part in outputs for y in flat(part)]
    return [outputs]


def is_float(x) -> bool:
    """Whether that argument of a model gets a gradient."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def classified(outputs, labels):
    """Cross-entropy, of side heads too; of a single logit the binary one."""
    total = 0.0
    for logits in flat(outputs):
        if logits.shape[-1] == 1:
            target = (labels % 2)[:, None].astype(logits.dtype)
            total = nn.BCEWithLogitsLoss()(logits, target) + total
        else:
            total = nn.CrossEntropyLoss()(logits, labels) + total
    return total


@dataclass(frozen=True)
class Row:
    """One constructor; the fields are told at the top of the file.

    `shapes` are without the batch, the paths those of `named_modules`. `tiny` leaves dropout and other
    randomness out, keeps two pixels or more where batch norm is trained, and takes well under a second a
    step; `batch` examples are learned by heart with Adam at rate `lr` in at most `steps` steps.
    `cost(outputs, targets)` is what is then minimised. `exempt` maps a check (CHECKS) to the reason it
    does not apply: "multiply_adds" where none are published (with `multiply_adds=None`), "flops" where
    PyTorch counts others or the twin does not run on "meta", "shapes", "torch"."""

    name: str
    parameters: int
    multiply_adds: int | str | None
    source: str
    shapes: Mapping[str, tuple[int, ...]]
    tiny: Mapping[str, Any]
    twin: Callable[..., Any] | None
    tiny_shape: tuple[int, ...] = ()
    examples: Callable[[np.random.Generator, int], tuple[tuple, Any]] | None = None
    layout: str = "images"
    second: bool = False
    batch: int = 4
    lr: float = 2e-3
    steps: int = 200
    cost: Callable[..., Any] = classified
    exempt: Mapping[str, str] = field(default_factory=dict)

    def __str__(self):
        return self.name

    @property
    def build(self) -> Callable[..., nn.Module]:
        """The constructor."""
        return nn.models.find(self.name).build

    def batch_of(self, dtype=np.float32) -> tuple[tuple, Any]:
        """The arguments of a forward pass of the tiny network, their floats in `dtype`, and the targets."""
        rng = np.random.default_rng(0)
        if self.examples is None:
            inputs, targets = (rng.normal(size=(self.batch, *self.tiny_shape)),), np.arange(self.batch) % 3
        else:
            inputs, targets = self.examples(rng, self.batch)
        return tuple(x.astype(dtype) if is_float(x) else x for x in inputs), targets


def all_rows() -> list[Row]:
    """The rows of every file."""
    files = sorted(pathlib.Path(__file__).parent.glob("model_rows_*.py"))
    return [row for file in files for row in importlib.import_module(f"tests.{file.stem}").ROWS]
