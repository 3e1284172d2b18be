"""One Generator that initialisation, dropout and data loaders draw from."""

import threading

import numpy as np


class _Own(threading.local):
    generator: np.random.Generator | None = None


_own = _Own()
_shared = np.random.default_rng()


def seed(n: int) -> np.random.Generator:
    """Restarts the generator from `n`. Called in the main thread it holds for the whole process; called in
    another thread it gives that thread a generator of its own, so two seeded threads do not disturb each
    other."""
    global _shared
    fresh = np.random.default_rng(n)
    if threading.current_thread() is threading.main_thread():
        _shared = fresh
    else:
        _own.generator = fresh
    return fresh


def generator() -> np.random.Generator:
    """The Generator the calling thread draws from."""
    return _own.generator or _shared
