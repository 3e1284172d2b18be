"""Schedules beside PyTorch's and the lecture's formulas. One that `optim` exports without a row fails."""

import copy
import json
import math

import numpy as np
import pytest

import optim
from autograd import Tensor

pytestmark = pytest.mark.slow

WARM = {"factor": 0.5, "total_iters": 4}
# name -> arguments: together they use each one. Rows of `LECTURE` are held to a closed form further down.
ROWS = {
    "LambdaLR": [{"lr_lambda": lambda t: 0.9**t}, {"lr_lambda": [lambda t: 1 / (1 + t), lambda t: 2.0 + t]}],
    "MultiplicativeLR": [{"lr_lambda": lambda t: 1 - t / 40}, {"lr_lambda": [lambda t: 0.9, lambda t: 1.1]}],
    "ConstantLR": [{}, WARM],
    "LinearLR": [{}, {"start_factor": 0.2, "end_factor": 0.6, "total_iters": 7}],
    "StepLR": [{"step_size": 3}, {"step_size": 4, "gamma": 0.5}],
    "MultiStepLR": [{"milestones": [4, 2, 9, 9]}, {"milestones": (5,), "gamma": 0.7}],
    "ExponentialLR": [{"gamma": 0.95}],
    "PolynomialLR": [{}, {"total_iters": 12, "power": 2.5}],
    "CosineAnnealingLR": [{"T_max": 7}, {"T_max": 20, "eta_min": 0.01}],
    "CosineAnnealingWarmRestarts": [{"T_0": 6}, {"T_0": 3, "T_mult": 2, "eta_min": 0.02}],
    "CyclicLR": [
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 4, "base_momentum": 0.5, "max_momentum": 0.95},
        {"base_lr": [0.1, 0.2], "max_lr": [0.5, 0.9], "step_size_up": 3, "step_size_down": 5},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 2, "mode": "triangular2", "cycle_momentum": False},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 2, "mode": "exp_range", "gamma": 0.9},
        {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 2, "scale_fn": lambda c: 1 / c},
        {
            "base_lr": 0.1,
            "max_lr": 0.5,
            "step_size_up": 2,
            "scale_fn": lambda t: 0.99**t,
            "scale_mode": "iterations",
        },
    ],
    "OneCycleLR": [
        {"max_lr": 0.5, "total_steps": 30},
        {"max_lr": [0.5, 0.3], "epochs": 5, "steps_per_epoch": 6, "pct_start": 0.5, "div_factor": 10.0},
        {"max_lr": 0.5, "total_steps": 28, "anneal_strategy": "linear", "final_div_factor": 100.0},
        {"max_lr": 0.5, "total_steps": 29, "three_phase": True, "cycle_momentum": False},
        {"max_lr": 0.5, "total_steps": 29, "three_phase": True, "base_momentum": 0.7, "max_momentum": 0.9},
    ],
    "SWALR": [
        {"swa_lr": 0.05, "anneal_epochs": 5},
        {"swa_lr": [0.05, 0.3], "anneal_strategy": "linear"},
        {"swa_lr": 0.05, "anneal_epochs": 0},
    ],
    "ReduceLROnPlateau": [
        {"patience": 1},
        {"patience": 2, "factor": 0.5, "cooldown": 2, "threshold": 0.2, "min_lr": [0.02, 0.2]},
        {"mode": "max", "patience": 0, "threshold_mode": "abs", "threshold": 0.3, "eps": 0.01, "factor": 0.6},
        {"mode": "max", "patience": 0, "threshold": 0.3, "min_lr": 0.05},
        {"threshold_mode": "abs", "threshold": 0.1, "patience": 0},
    ],
    "SequentialLR": [
        {
            "schedulers": [
                ("LinearLR", {"start_factor": 0.1, "total_iters": 5}),
                ("CosineAnnealingLR", {"T_max": 8}),
                ("ExponentialLR", {"gamma": 0.5}),
            ],
            "milestones": [5, 13],
        },
    ],
    "ChainedScheduler": [
        {
            "schedulers": [
                ("ConstantLR", WARM),
                ("ExponentialLR", {"gamma": 0.9}),
                ("StepLR", {"step_size": 4}),
            ]
        }
    ],
}
LECTURE = {
    "InverseTimeLR": {"decay_rate": 1.0},
    "InverseSqrtLR": {"k": 0.5},
    "TransformerLR": {"d_model": 64, "warmup": 5},
    "ManualLR": {"rates": {3: 0.5, 0: 1.0}},
}
NAMES = [
    name
    for name, kind in vars(optim).items()
    if isinstance(kind, type) and issubclass(kind, optim.LRScheduler) and kind is not optim.LRScheduler
]
EVERY = [(name, ROWS[name][0] if name in ROWS else LECTURE[name]) for name in (*ROWS, *LECTURE)]
every_schedule = pytest.mark.parametrize(("name", "options"), EVERY, ids=[name for name, _ in EVERY])
METRICS = 2 + np.sin(np.arange(40)) + 3 / (1 + np.arange(40))


def two_groups(kind=optim.SGD, lr=(0.2, 0.4), **options):
    if "momentum" not in options and kind is optim.SGD:
        options["momentum"] = 0.9
    groups = [{"params": [Tensor([1.0], requires_grad=True)], "lr": r} for r in lr]
    return kind(groups, **options)


def make(library, optimizer, name, options):
    """A schedule of ours or of PyTorch's; schedules inside are named with their options."""
    options = dict(options)
    if "schedulers" in options:
        options["schedulers"] = [make(library, optimizer, n, o) for n, o in options["schedulers"]]
        if name == "ChainedScheduler":
            return getattr(library, name)(**options, optimizer=optimizer)
    return getattr(library, name)(optimizer, **options)


def advance(schedule, t):
    if type(schedule).__name__ == "ReduceLROnPlateau":
        schedule.step(METRICS[t])
    else:
        schedule.step()


def test_every_schedule_has_a_row_and_every_argument_a_run():
    import inspect

    assert set(NAMES) == {*ROWS, *LECTURE}
    for name, rows in ROWS.items():
        arguments = inspect.signature(getattr(optim, name)).parameters.keys()
        used = {argument for options in rows for argument in options}
        assert used >= arguments - {"optimizer", "last_epoch"}, name


def test_names_order_and_defaults_of_arguments_are_pytorchs(torch):
    import inspect

    for name in ROWS:
        library = torch.optim.swa_utils if name == "SWALR" else torch.optim.lr_scheduler
        ours = inspect.signature(getattr(optim, name)).parameters
        theirs = inspect.signature(getattr(library, name)).parameters
        assert [(k, p.default) for k, p in ours.items()] == [(k, p.default) for k, p in theirs.items()], name


@pytest.mark.parametrize(("name", "options"), [(n, o) for n, rows in ROWS.items() for o in rows])
@pytest.mark.parametrize("kind", ["SGD", "AdamW"])
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step.*optimizer.step.*")
def test_twenty_epochs_agree_with_pytorch(name, options, kind, torch):
    extra = {"momentum": 0.9} if kind == "SGD" else {}
    ours = two_groups(getattr(optim, kind), **extra)
    groups = [{"params": [torch.ones(1, requires_grad=True)], "lr": lr} for lr in (0.2, 0.4)]
    theirs = getattr(torch.optim, kind)(groups, **extra)
    library = torch.optim.swa_utils if name == "SWALR" else torch.optim.lr_scheduler
    mine, wanted = make(optim, ours, name, options), make(library, theirs, name, options)
    for t in range(25):
        for g, h in zip(ours.param_groups, theirs.param_groups):
            np.testing.assert_allclose(g["lr"], h["lr"], rtol=1e-9, atol=1e-15, err_msg=f"epoch {t}")
            option = "momentum" if kind == "SGD" else "betas"
            np.testing.assert_allclose(g[option], h[option], rtol=1e-9)
        assert mine.get_last_lr() == [g["lr"] for g in ours.param_groups]
        advance(mine, t)
        advance(wanted, t)


@pytest.mark.parametrize(
    ("name", "options"),
    [(n, o) for n, rows in ROWS.items() for o in rows if "schedulers" not in o and n != "ReduceLROnPlateau"],
)
def test_a_schedule_made_at_its_last_epoch_goes_on(name, options):
    """`last_epoch`, over groups that a schedule, now lost, has brought there. (Not held to PyTorch's: its
    StepLR then decays twice where a step begins; SWALR and CosineAnnealingWarmRestarts count anew.)"""
    whole, halves = two_groups(), two_groups()
    wanted, lost = make(optim, whole, name, options), make(optim, halves, name, options)
    for _ in range(8):
        wanted.step()
        lost.step()
    schedule = make(optim, halves, name, {**options, "last_epoch": 7})
    for t in range(8, 20):
        assert schedule.last_epoch == t
        for g, h in zip(halves.param_groups, whole.param_groups):
            np.testing.assert_allclose(g["lr"], h["lr"], rtol=1e-12, atol=1e-15)
            assert g["momentum"] == h["momentum"]
        schedule.step()
        wanted.step()


def test_warm_restarts_at_fractions_of_epochs(torch):
    ours, p = two_groups(), torch.ones(1, requires_grad=True)
    theirs = torch.optim.SGD([p], lr=0.2)
    mine = optim.CosineAnnealingWarmRestarts(ours, 3, 2)
    wanted = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(theirs, 3, 2)
    for t in (0.25, 1.5, 2.99, 3.0, 8.75, 9.0, 21.5, 4):
        mine.step(t)
        wanted.step(t)
        np.testing.assert_allclose(ours.param_groups[0]["lr"], theirs.param_groups[0]["lr"], rtol=1e-9)


# ---- every schedule


@every_schedule
def test_state_round_trip_goes_on_as_if_nothing_had_happened(name, options):
    """Through JSON, into schedules and optimizers made anew."""
    whole, halved = two_groups(lr=(0.2, 0.4)), two_groups(lr=(0.2, 0.4))
    schedule, first = make(optim, whole, name, options), make(optim, halved, name, options)
    for t in range(8):
        advance(schedule, t)
        advance(first, t)
    saved = json.loads(json.dumps(first.state_dict()))
    optimizer_state = copy.deepcopy(halved.state_dict())
    resumed = two_groups(lr=(0.7, 0.7))
    second = make(optim, resumed, name, options)
    resumed.load_state_dict(optimizer_state)
    second.load_state_dict(saved)
    assert second.get_last_lr() == schedule.get_last_lr()
    for t in range(8, 18):
        advance(schedule, t)
        advance(second, t)
        assert second.get_last_lr() == schedule.get_last_lr()


@every_schedule
def test_takes_no_state_of_another_kind(name, options):
    schedule = make(optim, two_groups(), name, options)
    with pytest.raises(ValueError, match=f"no state_dict of a {name}"):
        schedule.load_state_dict({"epoch": 3})
    assert repr(schedule).startswith(f"{name}(last_epoch=0, lr=[")


@every_schedule
def test_takes_an_optimizer_only(name, options):
    with pytest.raises((TypeError, ValueError)) as caught:
        make(optim, [Tensor([1.0])], name, options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["StepLR", "LinearLR", "CosineAnnealingLR", "InverseTimeLR"])
def test_a_group_added_later_has_its_own_base_rate(name):
    optimizer = two_groups()
    schedule = make(optim, optimizer, name, dict(EVERY)[name])
    schedule.step()
    optimizer.add_param_group({"params": [Tensor([1.0], requires_grad=True)], "lr": 0.3})
    reference = two_groups(lr=(0.3, 0.3))
    wanted = make(optim, reference, name, dict(EVERY)[name])
    wanted.step()
    for _ in range(5):
        schedule.step()
        wanted.step()
        assert optimizer.param_groups[2]["lr"] == reference.param_groups[0]["lr"]


@pytest.mark.parametrize("name", ["StepLR", "OneCycleLR", "SequentialLR", "CyclicLR"])
def test_an_epoch_can_be_jumped_to(name):
    options = dict(EVERY)[name]
    one, other = two_groups(), two_groups()
    steps, jump = make(optim, one, name, options), make(optim, other, name, options)
    for _ in range(9):
        steps.step()
    jump.step(9)
    assert one.param_groups[0]["lr"] == other.param_groups[0]["lr"]
    assert one.param_groups[0]["momentum"] == other.param_groups[0]["momentum"]
    with pytest.raises(ValueError, match="an epoch is a number from 0"):
        jump.step(-1)


# ---- the lecture's formulas


def rates(name, epochs, base=1.0, **options):
    optimizer = two_groups(lr=(base, base))
    schedule = getattr(optim, name)(optimizer, **options)
    got = []
    for _ in range(epochs):
        got.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    return got


def test_decay_of_the_lecture():  # C2W2-lrdecay: alpha0 = 0.2, rate 1
    np.testing.assert_allclose(
        rates("InverseTimeLR", 5, 0.2, decay_rate=1), [0.2, 0.1, 0.2 / 3, 0.05, 0.04], rtol=1e-12
    )


def test_other_decays_of_the_lecture():  # C2W2-lrother
    t = np.arange(12)
    np.testing.assert_allclose(rates("ExponentialLR", 12, 0.2, gamma=0.95), 0.2 * 0.95**t)
    np.testing.assert_allclose(rates("InverseSqrtLR", 12, 0.2, k=3)[1:], 3 / np.sqrt(t[1:]) * 0.2)
    assert rates("InverseSqrtLR", 1, 0.2, k=3) == [pytest.approx(0.6)]
    np.testing.assert_allclose(rates("StepLR", 12, 0.2, step_size=4, gamma=0.5), 0.2 * 0.5 ** (t // 4))
    manual = {2: 0.1, 5: 0.01}
    assert rates("ManualLR", 7, 0.2, rates=manual) == [0.2, 0.2, 0.1, 0.1, 0.1, 0.01, 0.01]


def test_transformers_schedule():  # Vaswani et al. 2017, section 5.3
    got = rates("TransformerLR", 9000, d_model=512, warmup=4000)
    s = np.arange(1, 9001)
    np.testing.assert_allclose(got, 512**-0.5 * np.minimum(s**-0.5, s * 4000**-1.5), rtol=1e-12)
    assert np.argmax(got) == 3999
    assert max(got) == pytest.approx(1 / math.sqrt(512 * 4000))


def test_inverse_square_root_with_warm_up():
    got = rates("InverseSqrtLR", 20, 0.8, warmup=4)
    np.testing.assert_allclose(got[:5], [0, 0.2, 0.4, 0.6, 0.8])
    np.testing.assert_allclose(got[4:], 0.8 * np.sqrt(4 / np.arange(4, 20)))


def test_linear_warm_up_then_cosine():
    optimizer = two_groups(lr=(1.0, 1.0))
    parts = [optim.LinearLR(optimizer, 0.1, total_iters=9), optim.CosineAnnealingLR(optimizer, 10)]
    schedule = optim.SequentialLR(optimizer, parts, [9])
    got = []
    for _ in range(20):
        got.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    np.testing.assert_allclose(got[:10], np.linspace(0.1, 1, 10))
    np.testing.assert_allclose(got[9:], (1 + np.cos(np.pi * np.arange(11) / 10)) / 2, atol=1e-15)


def test_a_schedule_drives_the_steps():  # C2W3-tf's cost under C2W2-lrdecay
    w = Tensor(np.array(0.0), requires_grad=True)
    optimizer = optim.SGD([w], lr=0.2)
    schedule, expected = optim.InverseTimeLR(optimizer, 1.0), 0.0
    for t in range(30):
        optimizer.zero_grad()
        (w**2 - 10 * w + 25).backward()
        optimizer.step()
        schedule.step()
        expected -= 0.2 / (1 + t) * 2 * (expected - 5)
        assert w.item() == pytest.approx(expected, rel=1e-12)


# ---- what bad use gets


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("StepLR", {"step_size": 0}, "StepLR: step_size must be a whole number from 1, got 0"),
        ("StepLR", {"step_size": 2, "gamma": -1}, "gamma must be a number from 0, got -1"),
        ("StepLR", {"step_size": 2, "last_epoch": -2}, "last_epoch must be a whole number from -1, got -2"),
        ("LinearLR", {"start_factor": 2.0}, "start_factor must be a number in [0, 1"),
        ("LambdaLR", {"lr_lambda": [abs]}, "LambdaLR got 1 values for 2 groups"),
        ("CyclicLR", {"base_lr": 0.1, "max_lr": [1.0] * 3}, "CyclicLR got 3 values for 2 groups"),
        ("CyclicLR", {"base_lr": 0.1, "max_lr": 1.0, "mode": "square"}, "mode must be one of 'triangular'"),
        ("OneCycleLR", {"max_lr": 0.1}, "OneCycleLR needs total_steps, or epochs and steps_per_epoch"),
        ("OneCycleLR", {"max_lr": 0.1, "total_steps": 2.5}, "total_steps must be a whole number from 1"),
        ("OneCycleLR", {"max_lr": 0.1, "total_steps": 9, "pct_start": 1.5}, "pct_start must be a number in"),
        ("ManualLR", {"rates": {}}, "ManualLR takes a dict of epochs and rates, got {}"),
        ("ManualLR", {"rates": {0: -1}}, "the rate of epoch 0 must be a number from 0, got -1"),
        ("ReduceLROnPlateau", {"factor": 1.0}, "factor must be a number in [0, 1), got 1.0"),
        ("ReduceLROnPlateau", {"mode": "least"}, "mode must be one of 'min', 'max', got 'least'"),
        ("SequentialLR", {"schedulers": [("ConstantLR", {})], "milestones": [3]}, "one milestone less"),
        ("SequentialLR", {"schedulers": [("ReduceLROnPlateau", {})], "milestones": []}, "has no epochs"),
        ("SequentialLR", {"schedulers": [], "milestones": []}, "milestone"),
        ("ChainedScheduler", {"schedulers": []}, "ChainedScheduler got no schedules"),
    ],
)
def test_refuses_arguments(name, options, said):
    with pytest.raises((ValueError, TypeError)) as caught:
        make(optim, two_groups(), name, options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="Adagrad has no momentum: give cycle_momentum=False"):
        optim.OneCycleLR(two_groups(optim.Adagrad), 0.1, total_steps=5)
    with pytest.raises(ValueError, match="number 0, StepLR, has another optimizer"):
        optim.SequentialLR(two_groups(), [optim.StepLR(two_groups(), 2)], [])
    with pytest.raises(ValueError, match=r"step\(metric\) needs the number that it watches"):
        optim.ReduceLROnPlateau(two_groups()).step()
    one_cycle = optim.OneCycleLR(two_groups(), 0.1, total_steps=2)
    one_cycle.step()
    one_cycle.step()
    with pytest.raises(ValueError, match="OneCycleLR is over: step 3 of total_steps=2"):
        one_cycle.step()
