"""Two Python threads train two models in one process, under both of Numba's threading layers; and a fork."""

import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import os, sys, threading
import numpy as np
import autograd as ag
import nn, optim
from nn.models import LeNet5

def train(seed, results):
    ag.seed(seed)
    model = LeNet5()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in range(3):
        images = ag.random.generator().standard_normal((16, 28, 28, 1), dtype=np.float32)
        labels = ag.random.generator().integers(0, 10, 16)
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    results[seed] = b"".join(p.numpy().tobytes() for p in model.parameters())

def run(seeds, together):
    results = {}
    threads = [threading.Thread(target=train, args=(seed, results)) for seed in seeds]
    for thread in threads:
        thread.start()
        if not together:
            thread.join()
    for thread in threads:
        thread.join()
    return results

alone = run([1, 2], together=False)
assert run([1, 2], together=True) == alone, "two threads disturbed each other"
assert alone[1] != alone[2]
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        os._exit(0 if run([1], together=False)[1] == alone[1] else 3)
    assert os.waitpid(child, 0)[1] == 0, "the forked child differs or died"
print("agreed")
"""


@pytest.mark.slow
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_two_threads_agree_with_one_after_the_other_and_so_does_a_fork(layer):
    environment = {**os.environ, "NUMBA_THREADING_LAYER": layer}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    if "No threading layer could be loaded" in ran.stderr:
        assert layer == "omp", ran.stderr  # macOS wheels come without it; workqueue is always there
        return
    assert ran.stdout == "agreed\n", ran.stdout + ran.stderr


def test_the_same_seed_gives_the_same_bits():
    import autograd as ag
    from autograd import Tensor

    def run():
        ag.seed(5)
        w = Tensor(ag.random.generator().standard_normal((8, 8), dtype=np.float32), requires_grad=True)
        np.sum(np.tanh(w @ w) ** 2).backward()
        return w.grad.numpy().tobytes()

    assert run() == run()
