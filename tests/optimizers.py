"""The table of optimizers: what each is tested with. One that `optim` exports without a row here fails."""

from dataclasses import dataclass, field

import numpy as np

import optim
from autograd import Tensor


@dataclass(frozen=True)
class Row:
    """`runs` are the options of runs beside PyTorch's optimizer of the same name (and `peer` says no when it
    has none): together they use each option. With `minimum` and in `steps` steps it comes within `within` of
    a quadratic's minimum. `shapes` are what it can move; `closure` when its step needs one."""

    runs: list = field(default_factory=list)
    minimum: dict = field(default_factory=lambda: {"lr": 0.05})
    steps: int = 1500
    within: float = 1e-3
    shapes: tuple = ((2, 3), (4,), ())
    closure: bool = False
    peer: bool = True


BETAS = {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-2}
DECAY = {"lr": 0.1, "weight_decay": 0.3}
CLIMB = {"maximize": True, "weight_decay": 0.1}

ROWS = {
    "SGD": Row(
        [
            {},
            {"lr": 0.1, "weight_decay": 0.2},
            {"lr": 0.1, "momentum": 0.9},
            {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
            {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.1},
            {"maximize": True},
            {"momentum": 0.9, "maximize": True, "weight_decay": 0.1},
        ]
    ),
    "Adam": Row(
        [
            {},
            BETAS,
            DECAY,
            CLIMB,
            {"amsgrad": True, "lr": 0.1},
            {"amsgrad": True, **CLIMB},
            {"decoupled_weight_decay": True, **DECAY},
        ]
    ),
    "AdamW": Row(
        [{}, BETAS, DECAY, CLIMB, {"weight_decay": 0.0}, {"amsgrad": True, **DECAY}],
        {"lr": 0.05, "weight_decay": 0.0},
    ),
    "Adamax": Row([{}, BETAS, DECAY, CLIMB]),
    "NAdam": Row(
        [{}, BETAS, DECAY, CLIMB, {"momentum_decay": 0.1}, {"decoupled_weight_decay": True, **DECAY}]
    ),
    "RAdam": Row([{}, BETAS, DECAY, CLIMB, {"betas": (0.9, 0.6)}, {"decoupled_weight_decay": True, **DECAY}]),
    "RMSprop": Row(
        [
            {},
            {"lr": 0.1, "alpha": 0.5, "eps": 1e-2},
            {"momentum": 0.9, **DECAY},
            {"centered": True, "eps": 1e-3},
            {"centered": True, "momentum": 0.5, "eps": 1e-3, **CLIMB},
        ],
        {"lr": 0.001},
        8000,
    ),
    "Adagrad": Row(
        [
            {},
            {"lr": 0.1, "lr_decay": 0.1, "eps": 1e-3},
            {"initial_accumulator_value": 0.5, **DECAY},
            CLIMB,
        ],
        {"lr": 0.5},
    ),
    "Adadelta": Row([{}, {"rho": 0.5, "eps": 1e-2, "lr": 0.5}, DECAY, CLIMB], {"eps": 1e-2}, 3000),
    "Adafactor": Row(
        [
            {},
            {"lr": 0.5, "beta2_decay": -0.5, "eps": (1e-3, 0.1)},
            {"d": 1.5, "lr": 0.5},
            DECAY,
            CLIMB,
        ],
        {"lr": 1.0, "eps": (None, 0.1)},
        4000,
        0.05,
    ),
    "Rprop": Row([{}, {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.02)}, {"maximize": True}]),
    "ASGD": Row(
        [{}, {"lambd": 0.1, "alpha": 0.5, "lr": 0.1}, {"t0": 5, "lr": 0.1}, DECAY, CLIMB],
        {"lr": 0.05, "lambd": 0.0},
    ),
    "LBFGS": Row(
        [
            {"lr": 0.5},
            {"line_search_fn": "strong_wolfe"},
            {"line_search_fn": "strong_wolfe", "history_size": 2, "max_iter": 3},
            {"line_search_fn": "strong_wolfe", "max_iter": 9, "max_eval": 4},
            {"lr": 0.01, "line_search_fn": "strong_wolfe", "tolerance_change": 1e-3},
            {"lr": 0.4, "tolerance_grad": 1e-1},
            {"lr": 30.0, "line_search_fn": "strong_wolfe"},
        ],
        {"lr": 0.5},
        20,
        closure=True,
    ),
    "Lion": Row(minimum={"lr": 0.002}, steps=4000, within=0.01, peer=False),
    "Muon": Row(
        [
            {"lr": 0.1},
            {"lr": 0.1, "momentum": 0.5, "nesterov": False, "weight_decay": 0.5},
            {"lr": 0.1, "adjust_lr_fn": "original", "eps": 1e-2},
            {"lr": 0.1, "adjust_lr_fn": "match_rms_adamw", "ns_steps": 3},
            {"lr": 0.1, "ns_coefficients": (3.0, -3.2, 1.2), "ns_steps": 8},
        ],
        {"lr": 0.01, "weight_decay": 0.0},
        4000,
        0.05,
        ((2, 3), (4, 2), (3, 3)),
    ),
}

NAMES = [
    name
    for name, kind in vars(optim).items()
    if isinstance(kind, type)
    and issubclass(kind, optim.Optimizer)
    and kind not in (optim.Optimizer, optim.Elementwise)
]


def quadratic(parameters):
    """A bowl of another curvature along each axis, with its minimum at 1, 2, 3, ..."""
    return sum(
        (
            (p - np.arange(1.0, p.size + 1).reshape(p.shape)) ** 2
            * np.linspace(1, 2, p.size).reshape(p.shape)
        ).sum()
        for p in parameters
    )


def gave(kind, *arrays, **options):
    """Parameters of these values, and an optimizer of them."""
    parameters = [Tensor(np.asarray(a), requires_grad=True) for a in arrays]
    return parameters, getattr(optim, kind)(parameters, **options)


def starts(kind, dtype=np.float64):
    """Zeros of every shape that the optimizer can move."""
    return [np.zeros(shape, dtype) for shape in ROWS[kind].shapes]


def take(steps, parameters, optimizer):
    """Steps towards the minimum of `quadratic`."""

    def closure():
        optimizer.zero_grad()
        loss = quadratic(parameters)
        loss.backward()
        return loss

    for _ in range(steps):
        optimizer.step(closure)
