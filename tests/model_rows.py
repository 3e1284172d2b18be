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

import nn

CHECKS = ("multiply_adds", "shapes", "torch")


def flat(outputs) -> list:
    """The tensors of a model's output: one, or those of a tuple."""
    if isinstance(outputs, (tuple, list)):
        return [y for part in outputs for y in flat(part)]
    return [outputs]


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
    step; `batch` images of `tiny_shape` are learned by heart with Adam at rate `lr` in at most `steps`
    steps. `cost(outputs, labels)` is what is then minimised. `exempt` maps a check (CHECKS) to the reason it
    does not apply, such as `{"multiply_adds": "the paper gives none"}` with `multiply_adds=None`."""

    name: str
    parameters: int
    multiply_adds: int | str | None
    source: str
    shapes: Mapping[str, tuple[int, ...]]
    tiny: Mapping[str, Any]
    tiny_shape: tuple[int, ...]
    twin: Callable[..., Any] | None
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


def all_rows() -> list[Row]:
    """The rows of every file."""
    files = sorted(pathlib.Path(__file__).parent.glob("model_rows_*.py"))
    return [row for file in files for row in importlib.import_module(f"tests.{file.stem}").ROWS]
