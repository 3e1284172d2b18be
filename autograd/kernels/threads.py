"""One thread pool: Numba's. Every parallel kernel is launched here.

OpenBLAS's idle workers spin, and starve ours: a kernel of 43 us takes 5,000 us right after `np.matmul`. So
loading the kernels limits OpenBLAS to one thread. Launches take turns, since Numba's `workqueue` layer aborts
when two Python threads launch at once; after `fork`, where GNU OpenMP would end the child, kernels run on one
thread."""

import os
import threading

import numba
import numpy as np
import threadpoolctl

# How often an idle worker of GNU OpenMP looks for work before it sleeps. Measured on two cores: a launch of
# two chunks 20 us after the last; one that finds the worker asleep; ten launches, 50 us of Python before and
# 0.2 ms of work in each, while another process keeps one core busy; and the processor time of a launch and
# 20 ms of rest.
#
#                            launch    woken up    beside a busy process    at rest
#     300,000 (the default)  2.7 us        -              40 ms             4.8 ms
#     10,000                 2.7 us      35 us             5.8 ms           0.3 ms
#     3,000                  2.9 us      45 us             4.7 ms           0.2 ms
#     0 (passive)             60 us      70 us             4.2 ms           0.2 ms
#     workqueue layer        130 us     140 us             5.1 ms           0.3 ms
#
# 10,000 are 0.16 ms, longer than the Python between two kernels of a training step, and 30 times shorter than
# the default, under which a waiting thread keeps from the core the very worker that it waits for. The
# layer is Numba's choice (NUMBA_THREADING_LAYER): OpenMP where it is installed, else its workqueue.
# GOMP_SPINCOUNT or OMP_WAIT_POLICY, set by the user, hold instead.
SPIN = "10000"

CHUNKS = 32  # pieces of work at most
GRAIN = 1 << 16  # operations a chunk at least: under about twice this a second thread does not pay

threadpoolctl.ThreadpoolController().select(internal_api="openblas").limit(limits=1)


class _Pool:
    lock = threading.Lock()
    threads = numba.config.NUMBA_NUM_THREADS
    started = False  # Numba's workers exist in this process
    lost = False  # this process was forked from one whose workers existed


def _after_fork():
    _Pool.lock = threading.Lock()  # another thread of the parent may have held it
    _Pool.lost = _Pool.lost or _Pool.started


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def get_num_threads() -> int:
    """The number of threads that kernels use."""
    return _Pool.threads


def set_num_threads(n: int) -> None:
    """Sets the number of threads that kernels use, from any Python thread. Raises ValueError for a number
    that is not between 1 and the number of CPUs (or NUMBA_NUM_THREADS, when that was set before the
    start)."""
    most = numba.config.NUMBA_NUM_THREADS
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"set_num_threads takes an int, got {type(n).__name__}")
    if not 1 <= n <= most:
        raise ValueError(
            f"set_num_threads got {n}, this process can use 1 to {most}: "
            "set NUMBA_NUM_THREADS before the start to change that"
        )
    _Pool.threads = int(n)


def available() -> int:
    """How many threads the next launch has."""
    return 1 if _Pool.lost else _Pool.threads


def _start() -> None:
    """Loads Numba's threading layer, which starts its workers. GNU OpenMP reads what it is told from the
    environment, at this moment only: afterwards the setting is gone, so that it reaches neither another
    library's OpenMP, PyTorch's for one, nor a child process."""
    told = {name for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY") if name in os.environ}
    if not told:
        os.environ["GOMP_SPINCOUNT"] = SPIN
    try:
        numba.set_num_threads(_Pool.threads)
    finally:
        if not told:
            del os.environ["GOMP_SPINCOUNT"]
    _Pool.started = True


class _Here(threading.local):
    threads = 0  # what Numba was told in this Python thread, for which alone it holds


_here = _Here()


class turn:
    """For the time of a parallel kernel: the only one that runs, on our number of threads."""

    def __enter__(self):
        _Pool.lock.acquire()
        try:
            if not _Pool.started:
                _start()
            if _here.threads != _Pool.threads:  # telling Numba takes 1 us
                numba.set_num_threads(_Pool.threads)
                _here.threads = _Pool.threads
        except BaseException:
            _Pool.lock.release()
            raise

    def __exit__(self, *error):
        _Pool.lock.release()


def chunks_of(rows: int, operations: int, most: int = CHUNKS) -> int:
    """Into how many chunks to cut `range(rows)`: a number of the shape and not of the threads, so that the
    same sums are taken on any machine."""
    return max(1, min(rows, most, operations // GRAIN))


def launch(body, loop, chunks: int, rows: int, *arguments) -> None:
    """Runs a kernel over `range(rows)` in chunks: `body(chunk, first, last, *arguments)` for each.

    `loop(chunks, rows, *arguments)` is the same as a `prange`. It runs for float32; float64 is the plain
    serial path."""
    if chunks == 1 or _Pool.threads == 1 or _Pool.lost or arguments[0].dtype != np.float32:
        for chunk in range(chunks):
            body(chunk, chunk * rows // chunks, (chunk + 1) * rows // chunks, *arguments)
        return
    with turn():
        loop(chunks, rows, *arguments)


def ready(array, dtype) -> np.ndarray:
    """The array as kernels take it: C-contiguous, of this dtype, and marked writable, since Numba compiles a
    kernel again for each other layout. A read-only array is not copied; no kernel writes into its inputs."""
    array = np.ascontiguousarray(array, dtype)
    return array if array.flags.writeable else np.asarray(_Alias(array))


class _Alias:
    """A read-only array's memory, presented to NumPy as writable."""

    def __init__(self, array):
        self.array = array  # keeps the memory alive
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}
