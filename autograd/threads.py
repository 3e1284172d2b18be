"""How many threads the kernels use. Reading or setting it loads them, and with them Numba."""


def set_num_threads(n: int) -> None:
    """Sets how many threads a kernel uses, from any Python thread. Raises ValueError beyond 1..cores."""
    from .kernels import threads

    threads.set_num_threads(n)


def get_num_threads() -> int:
    """How many threads a kernel uses."""
    from .kernels import threads

    return threads.get_num_threads()
