"""Drawing from a distribution over many values, in time that does not grow with their number."""

import numpy as np


class AliasTable:
    """Draws k with probability p_k by Walker's alias method: a value k at random, all alike, and then k
    itself with probability `keep[k]`, else `alias[k]`.

    AliasTable(weights): (K,) numbers >= 0, which need not sum to 1. Building it costs K steps, a draw two
    random numbers, where a search through cumulative sums costs log2 K. Raises ValueError for weights of
    another shape, negative or all 0. Walker 1977, Vose 1991; COURSE.md C5W2-negsamp."""

    def __init__(self, weights):
        weights = np.asarray(weights, np.float64)
        if weights.ndim != 1 or not weights.size or not weights.min() >= 0 or not 0 < weights.sum() < np.inf:
            raise ValueError(f"weights are numbers >= 0 (K,), not all 0, got shape {weights.shape}")
        K = len(weights)
        self.keep, self.alias = K * weights / weights.sum(), np.arange(K)
        small = np.flatnonzero(self.keep < 1).tolist()
        large = np.flatnonzero(self.keep >= 1).tolist()
        while small and large:
            poor, rich = small.pop(), large[-1]
            self.alias[poor] = rich
            self.keep[rich] -= 1.0 - self.keep[poor]
            if self.keep[rich] < 1:
                small.append(large.pop())
        self.keep[small + large] = 1.0  # what rounding left

    def draw(self, shape, rng: np.random.Generator) -> np.ndarray:
        """Integers of that shape."""
        chosen = rng.integers(len(self.keep), size=shape)
        return np.where(rng.random(shape) < self.keep[chosen], chosen, self.alias[chosen])
