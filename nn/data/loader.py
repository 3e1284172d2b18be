"""Batches of examples, and the part of them that is held out."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Batch = tuple[np.ndarray, ...]


def generator_of(seed: int | np.random.Generator | None) -> np.random.Generator:
    """A Generator as it is, or a new one from a whole number; raises TypeError on anything else."""
    if isinstance(seed, np.random.Generator):
        return seed
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool) and seed >= 0:
        return np.random.default_rng(seed)
    raise TypeError(f"seed must be a whole number >= 0 or a numpy Generator, got {seed!r}")


def _length(arrays) -> int:
    """The number of examples, the same in every array."""
    if not arrays:
        raise ValueError("no arrays given: pass inputs and labels, such as Loader(x, y)")
    lengths = [len(a) if np.ndim(a) else None for a in arrays]
    if None in lengths:
        raise ValueError(
            f"array {lengths.index(None)} is a single number: every array needs a first axis of examples"
        )
    if len(set(lengths)) > 1:
        raise ValueError(f"arrays of different lengths: {', '.join(map(str, lengths))} examples")
    if not lengths[0]:
        raise ValueError("no examples: the arrays are empty")
    return lengths[0]


class Loader:
    """Goes through examples in batches, once for every `for` loop over it.

    Args: `arrays`, each `(m, ...)`: a batch is a tuple with a part of each, the last batch being smaller
    when m is not a multiple of `batch_size` (`drop_last` leaves it out). `shuffle` draws a new order for
    every pass from `seed`, a whole number or a Generator: `seed=autograd.random.generator()` follows
    `autograd.seed`. `transform(x, rng)` changes the first array of each batch, for augmentation, and draws
    from the same Generator. `state_dict()` says where a pass stands; after `load_state_dict(state)` the next
    pass is the rest of that one, with the same batches.

    Raises ValueError for arrays of different lengths, no examples, a batch size below 1, or chance without
    a seed. Source: mini-batches of C2W2 (X^{t}, Y^{t}).
    """

    def __init__(
        self,
        *arrays,
        batch_size: int = 32,
        shuffle: bool = False,
        drop_last: bool = False,
        seed: int | np.random.Generator | None = None,
        transform: Callable[[np.ndarray, np.random.Generator], np.ndarray] | None = None,
    ):
        self.arrays = tuple(np.asarray(a) for a in arrays)
        self.examples = _length(self.arrays)
        if not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise ValueError(f"batch_size must be a whole number >= 1, got {batch_size!r}")
        if drop_last and batch_size > self.examples:
            raise ValueError(f"drop_last leaves no batch: {self.examples} examples, batch_size {batch_size}")
        if (shuffle or transform) and seed is None:
            raise ValueError(
                "shuffle and transform need seed=: a number, or a Generator (autograd.random.generator())"
            )
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.transform = transform
        self.rng = None if seed is None else generator_of(seed)
        self._done, self._before = 0, self._random()  # batches of this pass, and the generator before it
        self._rest: dict[str, Any] | None = None  # of a pass to be resumed

    def __len__(self) -> int:
        """The number of batches."""
        whole, rest = divmod(self.examples, self.batch_size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        rest, self._rest = self._rest, None
        if rest is None:
            self._done, self._before = 0, self._random()
        elif self.rng:
            self.rng.bit_generator.state = rest["before"]
        order = self.rng.permutation(self.examples) if self.rng and self.shuffle else np.arange(self.examples)
        if rest and self.rng:
            self.rng.bit_generator.state = rest["now"]
        for k in range(self._done, len(self)):
            self._done = k + 1
            chosen = order[k * self.batch_size : (k + 1) * self.batch_size]
            first, *others = (a[chosen] for a in self.arrays)
            yield (self.transform(first, self.rng) if self.transform and self.rng else first, *others)
        self._done = 0

    def _random(self):
        return None if self.rng is None else self.rng.bit_generator.state

    def state_dict(self) -> dict[str, Any]:
        """How many batches of the present pass were given, the generator's state now and before the pass, and
        what the batches are made of."""
        made_of = {"examples": self.examples, "batch_size": self.batch_size, "shuffle": bool(self.shuffle)}
        return {**made_of, "done": self._done, "before": self._before, "now": self._random()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Sets the generator, and makes the next pass the rest of the one that `state` was taken in. Raises
        ValueError, and has changed nothing, when it is of other batches."""
        own = self.state_dict()
        if state.keys() != own.keys():
            raise ValueError(f"this is no state_dict of a Loader: it needs {', '.join(own)}")
        for name in ("examples", "batch_size", "shuffle"):
            if state[name] != own[name]:
                raise ValueError(f"the Loader had {name}={state[name]}, now {name}={own[name]}")
        if (state["now"] is None) != (self.rng is None):
            raise ValueError("one Loader has a generator, the other has none: give both seed=, or neither")
        if self.rng is not None:
            self.rng.bit_generator.state = state["now"]
        self._done, self._before = state["done"], state["before"]
        self._rest = dict(state) if self._done else None


def split(*arrays, held_out: float = 0.2, seed: int | np.random.Generator) -> tuple[Batch, Batch]:
    """`(rest, held)`: two tuples with a part of every array, the second a random fraction `held_out` of the
    examples.

    Raises ValueError when a part would be empty, or the arrays differ in length.
    """
    m = _length(arrays)
    held = round(held_out * m)
    if not 0 < held < m:
        raise ValueError(
            f"held_out={held_out} of {m} examples leaves {held} held out and {m - held} to train on"
        )
    order = generator_of(seed).permutation(m)
    parts = [np.asarray(a)[chosen] for chosen in (order[held:], order[:held]) for a in arrays]
    return tuple(parts[: len(arrays)]), tuple(parts[len(arrays) :])
