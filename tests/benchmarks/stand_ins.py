"""Cases whose sides are all ours, so that they run with no peer installed."""

import os
import time
from dataclasses import replace

import numpy as np

from benchmarks.case import Case, Launch


def side(seconds=0.0, dtype=np.float32, factor=1):
    """A builder of a side that takes at least `seconds`, and returns x * factor."""

    def build(inputs):
        made = {}

        def step():
            made["y"] = (inputs["x"] * factor).astype(dtype)
            time.sleep(seconds)

        return step, lambda: made

    return build


def dies(inputs):
    return lambda: os._exit(3), dict


def sleeps(inputs):
    return lambda: time.sleep(60), dict


def raises(inputs):
    raise ValueError("no such layer")


def allocates(inputs):
    """32 MB in the full size, and as much again while a step runs."""
    kept = np.ones(inputs["n"] * 2**18, np.float32)
    return lambda: (kept + 1).sum(), dict


def loads(inputs):
    """32 MB in the first step of the process, which stay, like a library that is loaded then."""
    return lambda: loaded or loaded.append(np.ones(inputs["n"] * 2**18, np.float32)), dict


loaded: list[np.ndarray] = []


def squares(inputs):
    made = {}
    return lambda: made.update(y=inputs["x"] ** 2), lambda: made


def singles(rng, n):
    return {"x": rng.standard_normal(n).astype(np.float32)}


def data(rng, n):
    return {"x": rng.standard_normal(n), "n": n}


def case(name, **build):
    sides = {key.replace("_", ":"): value for key, value in build.items()}
    return Case(name, data, sides, full={"n": 32}, tiny={"n": 1}, targets={"ours": 1.5})


def script(value, **result):
    return f"import json; print('noise'); print(json.dumps({{'value': {value!r}, 'result': {result!r}}}))"


CASES = [
    case("layouts", ours=side(0.001), ours_fast=side(0.004), ours_slow=side(0.008)),
    case("values differ", ours=side(), ours_other=side(factor=1.001)),
    case("dtypes differ", ours=side(), ours_other=side(dtype=np.float64)),
    case("dies", ours=side(), ours_other=dies),
    case("raises", ours=side(), ours_other=raises),
    case("sleeps", ours=sleeps),
    replace(case("memory", ours=allocates), memory=True),
    replace(case("memory of a first step", ours=loads), memory=True),
    Case(
        "work",
        singles,
        {"ours": squares, "ours:other": squares},
        full={"n": 1000},
        tiny={"n": 1},
        exact=True,
        work=1000,
    ),
    Launch("launch", {"ours": script(2), "ours:other": script(5)}, unit="modules", most=3),
    Launch("launches differ", {"ours": script(2, loss=1.0), "ours:other": script(5, loss=2.0)}),
    Launch("launch fails", {"ours": "raise SystemExit('no kernels')"}),
]
