"""Running a trained model over many examples."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from autograd import Tensor, no_grad

from ..module import Module

Metrics = Mapping[str, Callable[[np.ndarray, np.ndarray], float]]


@contextmanager
def testing(model: Module) -> Iterator[None]:
    """Within it the model behaves as at test time and nothing is recorded; afterwards every module is as
    before."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            yield
    finally:
        for module, mode in before:
            module.training = mode


def evaluate(
    model: Module, batches: Iterable, loss: Callable | None = None, metrics: Metrics | None = None
) -> dict[str, float]:
    """The mean loss and each metric over all batches, as a dict of numbers.

    `batches` gives `(*inputs, target)`; the metrics see the outputs of all of them at once. Raises
    ValueError when there is no batch.
    """
    total, examples, outputs, targets = 0.0, 0, [], []
    with testing(model):
        for *inputs, target in batches:
            output = model(*map(Tensor, inputs))
            if loss is not None:
                cost = loss(output, target)
                total += (cost if cost.ndim == 0 else cost.mean()).item() * len(target)
            examples += len(target)
            outputs.append(output.numpy())
            targets.append(np.asarray(target))
    if not examples:
        raise ValueError("nothing to evaluate: there is no batch")
    result = {} if loss is None else {"loss": total / examples}
    if metrics:
        every, true = np.concatenate(outputs), np.concatenate(targets)
        result.update({name: float(metric(every, true)) for name, metric in metrics.items()})
    return result


def predict(model: Module, inputs: np.ndarray | tuple[np.ndarray, ...], batch_size: int = 256) -> np.ndarray:
    """The model's output for inputs `(m, ...)`, computed in batches; a tuple of such arrays for a model that
    takes several. Raises ValueError when m is 0 or differs between them, or `batch_size` is below 1."""
    arrays = inputs if isinstance(inputs, tuple) else (inputs,)
    lengths = {len(a) for a in arrays}
    if len(lengths) != 1 or 0 in lengths:
        shapes = ", ".join(str(np.shape(a)) for a in arrays) or "none"
        raise ValueError(f"nothing to predict: inputs of shape {shapes}")
    if not isinstance(batch_size, int) or batch_size < 1:
        raise ValueError(f"batch_size must be a whole number >= 1, got {batch_size!r}")
    with testing(model):
        parts = [
            model(*(Tensor(a[start : start + batch_size]) for a in arrays)).numpy()
            for start in range(0, lengths.pop(), batch_size)
        ]
    return np.concatenate(parts)
