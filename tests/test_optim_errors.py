"""What bad use of an optimizer gets: one line that says what is wrong."""

import copy
import math

import numpy as np
import pytest

import optim
from autograd import Tensor
from tests.optimizers import NAMES, gave, take

every_optimizer = pytest.mark.parametrize("name", NAMES)


def leaf(*shape):
    return Tensor(np.ones(shape), requires_grad=True)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (list, ValueError, "got no parameters"),
        (lambda: iter(()), ValueError, "got no parameters"),
        (lambda: [{"params": []}], ValueError, "group 0 has no parameters"),
        (lambda: leaf(2, 2), TypeError, "takes a list of parameters or of groups, got one tensor"),
        (lambda: {"params": []}, TypeError, "got one dict"),
        (lambda: [np.ones((2, 2))], TypeError, "parameter 0 is a ndarray, not a tensor"),
        (
            lambda: [("weight", leaf(2, 2))],
            TypeError,
            "parameter 0 is a tuple, not a tensor: give model.parameters()",
        ),
        (lambda: [{"weights": [leaf(2, 2)]}], TypeError, 'a group is a dict with "params"'),
        (
            lambda: [{"params": [leaf(2, 2)], "learning_rate": 1}],
            ValueError,
            "has no option learning_rate, only lr",
        ),
        (lambda: [leaf(2, 2) * 2], ValueError, "is the result of multiply"),
    ],
)
@every_optimizer
def test_refuses_parameters(name, make, error, said):
    with pytest.raises(error) as caught:
        getattr(optim, name)(make())
    assert said in str(caught.value)


@every_optimizer
def test_refuses_a_parameter_twice(name):
    p, q = leaf(2, 2), leaf(3, 2)
    with pytest.raises(ValueError, match=r"parameter 2 of shape \(2, 2\) is parameter 0 again"):
        getattr(optim, name)([p, q, p])
    with pytest.raises(ValueError, match="parameter 2 .* is parameter 1 again"):
        getattr(optim, name)([{"params": [p, q]}, {"params": [q]}])


@every_optimizer
def test_every_option_is_checked(name):
    """No option takes a string, a NaN, or a list of the wrong length, and the error names it in one line."""
    for option in gave(name, np.ones((2, 2)))[1].defaults:
        for wrong in ("0.1", math.nan, [1.0], ("a", "b"), object()):
            with pytest.raises(ValueError) as caught:
                gave(name, np.ones((2, 2)), **{option: wrong})
            assert str(caught.value).startswith(name), (option, wrong)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("SGD", {"lr": -0.1}, "SGD: lr must be a number from 0, got -0.1"),
        ("SGD", {"lr": math.inf}, "got inf"),
        ("SGD", {"nesterov": True}, "nesterov needs momentum over 0 and dampening 0, got 0.0 and 0.0"),
        ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov needs momentum"),
        ("SGD", {"average": True, "momentum": 0.9, "dampening": 0.1}, "average needs dampening 0, got 0.1"),
        ("Adam", {"betas": (0.9, 1.0)}, "beta2 must be a number in [0, 1), got 1.0"),
        ("Adam", {"betas": (-0.1, 0.9)}, "beta1 must be a number in [0, 1), got -0.1"),
        ("Adam", {"betas": 0.9}, "betas must be a pair of numbers, got 0.9"),
        ("Adam", {"amsgrad": 1}, "amsgrad must be True or False, got 1"),
        ("Rprop", {"etas": (0.5, 0.9)}, "etas need 0 < etas[0] < 1 < etas[1], got (0.5, 0.9)"),
        ("Rprop", {"step_sizes": (2, 1)}, "step_sizes need 0 <= least <= most, got (2, 1)"),
        ("Adafactor", {"d": 0.5}, "d must be a number from 1, got 0.5"),
        ("Adafactor", {"beta2_decay": 0.8}, "beta2_decay must be"),
        ("LBFGS", {"line_search_fn": "wolfe"}, "line_search_fn must be one of None, 'strong_wolfe'"),
        ("LBFGS", {"history_size": 0}, "history_size must be a whole number from 1, got 0"),
        ("Muon", {"adjust_lr_fn": "best"}, "adjust_lr_fn must be one of None, 'original'"),
    ],
)
def test_refuses_options(name, options, said):
    with pytest.raises(ValueError) as caught:
        gave(name, np.ones((2, 2)), **options)
    assert said in str(caught.value)
    with pytest.raises(ValueError):
        getattr(optim, name)([{"params": [leaf(2, 2)], **options}])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "Muon"])
def test_refuses_a_gradient_of_another_shape(name):
    (p,), optimizer = gave(name, np.ones((3, 1)))

    def closure():
        p.grad = Tensor(np.ones(3))
        return Tensor(1.0)

    with pytest.raises(ValueError, match=r"a parameter of shape \(3, 1\) has a gradient of shape \(3,\)"):
        optimizer.step(closure)


def test_muon_refuses_what_is_no_matrix_and_lbfgs_two_groups_and_no_closure():
    with pytest.raises(ValueError, match=r"matrices only, got shape \(3,\): give the rest to AdamW"):
        optim.Muon([leaf(3)])
    with pytest.raises(ValueError, match="LBFGS takes one group"):
        optim.LBFGS([{"params": [leaf(3)]}, {"params": [leaf(2)]}])
    with pytest.raises(TypeError, match=r"step\(closure\) needs a function"):
        optim.LBFGS([leaf(3)]).step()


def test_an_option_switched_on_late_that_needs_state():
    (p,), optimizer = gave("Adam", np.ones(2))
    take(1, [p], optimizer)
    optimizer.param_groups[0]["amsgrad"] = True
    with pytest.raises(ValueError, match="switched on after the first step that needs 'max_exp_avg_sq'"):
        take(1, [p], optimizer)
    (p,), optimizer = gave("SGD", np.ones(2))
    take(1, [p], optimizer)
    optimizer.param_groups[0]["momentum"] = 0.9  # needs no past
    take(1, [p], optimizer)
    assert optimizer.state[p]["step"] == 1


def test_refuses_a_state_of_another_optimizer_or_model():
    (p,), sgd = gave("SGD", np.ones(2), momentum=0.9)
    take(1, [p], sgd)
    _, adam = gave("Adam", np.ones(2))
    before = copy.deepcopy(adam.state_dict())
    with pytest.raises(ValueError, match="of another optimizer than Adam: they differ in amsgrad, average"):
        adam.load_state_dict(sgd.state_dict())
    with pytest.raises(ValueError, match=r"groups of \[1\] parameters, the state_dict of \[2\]"):
        adam.load_state_dict(gave("Adam", np.ones(2), np.ones(2))[1].state_dict())
    with pytest.raises(ValueError, match="no state_dict of an optimizer"):
        adam.load_state_dict({"weight": np.ones(2)})
    other, long = gave("SGD", np.ones(3), momentum=0.9)
    take(1, other, long)
    with pytest.raises(ValueError, match=r"momentum_buffer of parameter 0 has shape \(3,\), needs \(2,\)"):
        sgd.load_state_dict(long.state_dict())
    wrong = copy.deepcopy(sgd.state_dict())
    wrong["state"][5] = {}
    with pytest.raises(ValueError, match=r"state of parameters \[5\], which are in none of its groups"):
        sgd.load_state_dict(wrong)
    wrong = copy.deepcopy(sgd.state_dict())
    del wrong["state"][0]["momentum_buffer"]
    with pytest.raises(ValueError, match="needs step, momentum_buffer: what was given differs in momentum_"):
        sgd.load_state_dict(wrong)
    assert adam.state_dict() == before
