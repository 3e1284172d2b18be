"""What a user meets before anything else: the size of what pip installs, the time of the import, and of a
process from its start to the end of its first step, and the memory of such a process, libraries included."""

import tomllib
from functools import partial

from benchmarks.case import Launch
from benchmarks.peers import ROOT

IMPORT = """
import json, sys, time
import numpy
start = time.perf_counter()
import {modules}
print(json.dumps({{"value": time.perf_counter() - start, "result": {{}}}}))
"""

NUMBA = """
import json, sys
import autograd, nn, optim
print(json.dumps({"value": sum(name.split(".")[0] in ("numba", "llvmlite") for name in sys.modules),
                  "result": {}}))
"""

# What pip brings for these requirements, and for what they require in turn; with folders of ours.
SIZE = """
import json, os, re
from importlib.metadata import PackageNotFoundError, distribution

seen = set()

def size(requirement):
    name = re.match("[A-Za-z0-9._-]+", requirement)[0]
    if re.sub("[-_.]+", "-", name.lower()) in seen or "extra ==" in requirement:
        return 0
    seen.add(re.sub("[-_.]+", "-", name.lower()))
    try:
        found = distribution(name)
    except PackageNotFoundError:  # for another system, or another Python
        return 0
    files = (file.locate() for file in found.files or ())
    return sum(map(os.path.getsize, filter(os.path.isfile, files))) + sum(map(size, found.requires or ()))

def folder(name):
    top = os.path.dirname(__import__(name).__file__)
    return sum(os.path.getsize(os.path.join(at, f)) for at, _, files in os.walk(top) for f in files)

total = sum(map(size, {needs!r})) + sum(map(folder, {folders!r}))
print(json.dumps({{"value": round(total / 2**20), "result": {{}}}}))
"""
OWN = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
OTHERS = {"torch": "torch", "jax": "jax", "mygrad": "mygrad", "hips": "autograd"}

# Weights that both sides can write down: a sine of the place, in PyTorch's layout.
LENET = """
import json, sys, time
import numpy as np
{imports}
images = np.random.default_rng(0).standard_normal((64, 28, 28, 1)).astype(np.float32)
labels = np.arange(64) % 10

def weights(shape):
    fan = np.prod(shape[1:]) if len(shape) > 1 else 1e4
    return (np.sin(np.arange(np.prod(shape)) ** 1.5) * np.sqrt(6 / fan)).astype(np.float32).reshape(shape)

{step}
loss.backward()
optimizer.step()
seconds = time.time() - float(sys.argv[1])
gradients = [float(np.abs(p.grad.numpy()).sum()) for p in model.parameters()]
print(json.dumps({{"value": {value}, "result": {{"loss": loss.item(), "gradients": gradients}}}}))
"""

OURS = partial(
    LENET.format,
    imports="import autograd, nn, nn.models, optim",
    step="""
model = nn.models.LeNet5()
with autograd.no_grad():
    for p in model.parameters():
        p[...] = p.layout.from_torch(weights(p.layout.torch_shape(p.shape))) if p.layout else weights(p.shape)
optimizer = optim.Adam(model.parameters())
loss = nn.CrossEntropyLoss()(model(autograd.Tensor(images)), labels)
""",
)

TORCH = partial(
    LENET.format,
    imports="import os, torch\ntorch.set_num_threads(int(os.environ['OMP_NUM_THREADS']))",
    step="""
from torch.nn import Conv2d, Flatten, Linear, MaxPool2d, ReLU
model = torch.nn.Sequential(
    Conv2d(1, 6, 5, padding=2), ReLU(), MaxPool2d(2), Conv2d(6, 16, 5), ReLU(), MaxPool2d(2), Flatten(),
    Linear(400, 120), ReLU(), Linear(120, 84), ReLU(), Linear(84, 10),
)
with torch.no_grad():
    for p in model.parameters():
        p.copy_(torch.from_numpy(weights(tuple(p.shape))))
optimizer = torch.optim.Adam(model.parameters())
images = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
loss = torch.nn.functional.cross_entropy(model(images), torch.from_numpy(labels))
""",
)

TIME = {"ours": OURS(value="seconds"), "torch": TORCH(value="seconds")}
PEAK = "round(__import__('resource').getrusage(0).ru_maxrss / (2**20 if sys.platform == 'darwin' else 2**10))"
MEMORY = {"ours": OURS(value=PEAK), "torch": TORCH(value=PEAK)}

CASES = [
    Launch(
        "installed, with all it needs",
        {"ours": SIZE.format(needs=OWN, folders=("autograd", "nn", "optim"))}
        | {side: SIZE.format(needs=[name], folders=()) for side, name in OTHERS.items()},
        unit="MB",
    ),
    Launch(
        "import, beyond NumPy's own",
        {"ours": IMPORT.format(modules="autograd, nn, optim"), "torch": IMPORT.format(modules="torch")},
        most=0.15,
    ),
    Launch("Numba's modules after the import", {"ours": NUMBA}, unit="modules", most=0),
    Launch(
        "LeNet, start to first step, warm caches",
        TIME,
        most=1.5,
        tolerance=1e-3,
    ),
    Launch(
        "LeNet, start to first step, cold caches",
        TIME,
        most=20,
        cold=True,
        tolerance=1e-3,
    ),
    Launch("LeNet, memory of the process at its peak", MEMORY, unit="MB", tolerance=1e-3),
]
