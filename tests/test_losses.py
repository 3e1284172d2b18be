"""The table of losses, run: each check of a row is one test."""

import copy
import pickle

import numpy as np
import pytest

import nn
import nn.losses
from autograd import Tensor, check_grads
from autograd.tensor import as_array
from nn import functional as F
from tests import layer_rows_losses
from tests.loss_rows import ROWS

pytestmark = pytest.mark.slow

ELSEWHERE = {  # losses with parameters, and the loss of a loss: they have rows in tests/layer_rows_losses.py
    "AdaptiveLogSoftmaxWithLoss",
    "HierarchicalSoftmax",
    "LinearCrossEntropyLoss",
    "WeightedLoss",
}
rows = pytest.mark.parametrize("row", ROWS, ids=str)
reductions = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])


def over_arrays(f, x):
    return [f(a) for a in x] if isinstance(x, list) else f(x)


def differentiable(row, dtype=np.float64):
    """The inputs, those that are learned as tensors that require grad, other floats of the same type."""

    def narrowed(a):
        return a.astype(dtype) if a.dtype.kind == "f" else a

    def leaf(a):
        return Tensor(narrowed(a), requires_grad=True)

    return [over_arrays(leaf if i in row.learned else narrowed, x) for i, x in enumerate(row.inputs())]


def leaves(inputs):
    flat = [t for x in inputs for t in (x if isinstance(x, list) else [x])]
    return [t for t in flat if getattr(t, "requires_grad", False)]


def test_every_loss_has_its_rows():
    exported = {
        name
        for name in vars(nn.losses)
        if isinstance(vars(nn.losses)[name], type) and issubclass(vars(nn.losses)[name], nn.Module)
    }
    exported -= {"Loss"}
    assert {row.covers for row in layer_rows_losses.ROWS} == ELSEWHERE
    assert not exported - {row.loss for row in ROWS} - ELSEWHERE, "a loss without a row"
    assert exported <= set(vars(nn)), "a loss that nn does not export"


def test_every_loss_of_pytorch_is_there(torch):
    theirs = {n for n in dir(torch.nn) if n.endswith("Loss")} - {"NLLLoss2d"}  # the old name of NLLLoss
    assert not theirs - set(vars(nn)), "PyTorch has losses that nn has not"


def test_every_loss_has_its_function():
    for name, kind in vars(nn.losses).items():
        if isinstance(kind, type) and issubclass(kind, nn.losses.Loss) and kind is not nn.losses.Loss:
            assert getattr(F, kind.function.__name__) is kind.function, name


@reductions
@rows
def test_forward_is_the_definition(row, reduction):
    loss = row.module(reduction)(*differentiable(row))
    wanted = row.reference(reduction)
    assert loss.shape == np.shape(wanted)
    np.testing.assert_allclose(loss.numpy(), wanted, rtol=1e-9, atol=1e-12)
    plain = row.module(reduction)(*row.inputs())
    np.testing.assert_allclose(plain, wanted, rtol=1e-9, atol=1e-12)
    assert not isinstance(plain, Tensor)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss")
@reductions
@pytest.mark.parametrize("row", [row for row in ROWS if row.torch], ids=str)
def test_agrees_with_pytorch(row, reduction, torch):
    ours = differentiable(row)
    theirs = [torch.tensor(as_array(x), requires_grad=i in row.learned) for i, x in enumerate(ours)]
    loss, wanted = row.module(reduction)(*ours), row.pytorch(torch, reduction, theirs)
    np.testing.assert_allclose(loss.numpy(), wanted.detach().numpy(), rtol=1e-9, atol=1e-12)
    g = np.random.default_rng(1).standard_normal(loss.shape)
    loss.backward(g)
    wanted.backward(torch.tensor(g))
    if row.loss == "CTCLoss":
        return  # there the derivative presumes a log-softmax before it, as the tests of CTC below have
    for mine, their in zip(ours, theirs):
        if their.requires_grad:
            np.testing.assert_allclose(mine.grad.numpy(), their.grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("row", [row for row in ROWS if "far" not in row.note], ids=str)
def test_derivatives_of_first_and_second_order(row):
    inputs = row.inputs()
    given = [x if isinstance(x, list) else [x] for x in inputs]
    chosen = [x for i, x in enumerate(given) if i in row.learned]

    def f(*flat):
        rest = iter(flat)
        again = [[next(rest) for _ in x] if i in row.learned else x for i, x in enumerate(given)]
        return row.module("sum")(*(a if isinstance(x, list) else a[0] for a, x in zip(again, inputs)))

    check_grads(f, *(a for x in chosen for a in x))


def close(found, wanted, tolerance, what):
    """Relative to the root mean square of what is wanted, over the finite ones."""
    assert found.dtype == np.float32, what
    scale = np.sqrt(np.mean(np.square(wanted)))
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale, err_msg=what)


@rows
def test_float32_agrees_with_float64(row):
    """To 1e-5 of the RMS of the losses, and their gradients to one decimal less."""
    inputs = differentiable(row, np.float32)
    wide = [over_arrays(widened, x) for x in inputs]
    for reduction in ("none", "mean"):
        loss, wanted = row.module(reduction)(*inputs), row.module(reduction)(*wide)
        close(loss.numpy(), wanted.numpy(), 1e-5, reduction)
    loss.backward()
    wanted.backward()
    for t, w in zip(leaves(inputs), leaves(wide)):
        close(t.grad.numpy(), w.grad.numpy(), 1e-4, "gradient")


def widened(x):
    """The very numbers of a float32 input, in float64."""
    if isinstance(x, Tensor):
        return Tensor(x.numpy().astype(np.float64), requires_grad=x.requires_grad)
    return x.astype(np.float64) if x.dtype == np.float32 else x


def many(*shape, classes=None):
    """Predictions, and class numbers, shares or numbers as targets: as many as the kernels are for."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    return x, rng.random(shape).astype(np.float32) if classes is None else rng.integers(
        0, classes, shape[:-1]
    )


LARGE = {
    "a thousand classes": ("CrossEntropyLoss", many(128, 1000, classes=1000), {}),
    "a thousand classes, smoothed": (
        "CrossEntropyLoss",
        many(64, 1000, classes=1000),
        {"label_smoothing": 0.1},
    ),
    "pixels": ("CrossEntropyLoss", many(2, 48, 52, 21, classes=21), {"ignore_index": 3}),
    "shares": ("CrossEntropyLoss", many(300, 257), {}),
    "log-probabilities": ("NLLLoss", many(300, 257, classes=257), {}),
    "yes or no": ("BCEWithLogitsLoss", many(300, 257), {}),
    "yes or no, weighted": (
        "BCEWithLogitsLoss",
        many(300, 257),
        {"pos_weight": np.full(257, 2.0)},
    ),
    "squares": ("MSELoss", many(300, 257), {}),
    "absolute": ("L1Loss", many(300, 257), {}),
    "Huber": ("HuberLoss", many(300, 257), {}),
    "smooth": ("SmoothL1Loss", many(300, 257), {"beta": 0.5}),
    "divergence": ("KLDivLoss", many(300, 257), {}),
    "counts": ("PoissonNLLLoss", many(300, 257), {"full": True}),
    "margins": ("SoftMarginLoss", (many(300, 257)[0], np.where(many(300, 257)[1] < 0.5, -1, 1)), {}),
}


@pytest.mark.parametrize("name", LARGE)
def test_float32_agrees_with_float64_where_the_kernels_work(name):
    kind, (x, y), options = LARGE[name]
    loss = getattr(nn, kind)(reduction="none", **options)
    narrow = Tensor(x, requires_grad=True)
    wide = widened(narrow)
    one, two = loss(narrow, y), loss(wide, widened(y))
    close(one.numpy(), two.numpy(), 1e-5, name)
    one.sum().backward()
    two.sum().backward()
    close(narrow.grad.numpy(), wide.grad.numpy(), 1e-4, name)


@rows
def test_losses_are_the_same_in_training_and_after(row):
    loss = row.module("sum")
    trained = loss(*row.inputs())
    np.testing.assert_array_equal(loss.eval()(*row.inputs()), trained)
    again = row.module("sum")
    again.load_state_dict(loss.state_dict())
    np.testing.assert_array_equal(again(*row.inputs()), trained)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
def test_weights_of_entries_are_pytorchs(name, reduction, torch):
    x, y, w = np.random.default_rng(0).random((3, 4, 5))
    ours = getattr(F, name)(x, y, reduction=reduction, weight=w)
    theirs = getattr(torch.nn.functional, name)(
        *map(torch.tensor, (x, y)), reduction=reduction, weight=torch.tensor(w)
    )
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    "row",
    [r for r in ROWS if "weight" not in r.note and "variance" not in r.note and "one row" not in r.note],
    ids=str,
)
def test_the_mean_of_an_empty_batch(row):
    def empty(x):
        return over_arrays(lambda a: a[:0], x)

    inputs = [
        x if i == 1 and row.loss == "NegativeSamplingLoss" else empty(x) for i, x in enumerate(row.inputs())
    ]
    with pytest.raises(ValueError, match=r"^\w+: (the batch is empty|no triplet|no entry counts)") as caught:
        row.module("mean")(*inputs)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(type(row.module("sum")).function.__name__)
    assert row.module("sum")(*inputs) == 0


@rows
def test_modules_are_copied_pickled_and_shown(row):
    loss = row.module("sum")
    wanted = loss(*row.inputs())
    copies = [copy.deepcopy(loss)]
    if "distance_function" not in row.kwargs:
        copies.append(pickle.loads(pickle.dumps(loss)))
    for twin in copies:
        np.testing.assert_array_equal(twin(*row.inputs()), wanted)
    assert (
        repr(loss).startswith(f"{row.loss}(") and "reduction='sum'" in repr(loss) or row.loss == "GloVeLoss"
    )


def test_repr_names_what_differs_from_the_defaults():
    assert repr(nn.MSELoss()) == "MSELoss()"
    assert repr(nn.CrossEntropyLoss(ignore_index=0, reduction="sum")) == (
        "CrossEntropyLoss(ignore_index=0, reduction='sum')"
    )
    assert repr(nn.CrossEntropyLoss(weight=np.ones(3))) == "CrossEntropyLoss(weight of shape (3,))"
    loss = nn.TripletMarginWithDistanceLoss(distance_function=F.cosine_similarity)
    assert repr(loss) == "TripletMarginWithDistanceLoss(distance_function=cosine_similarity)"


def test_class_weights_are_buffers():
    loss = nn.CrossEntropyLoss(weight=[1.0, 2.0])
    assert list(loss.state_dict()) == ["weight"]
    assert list(nn.CrossEntropyLoss().state_dict()) == []


def test_labels_may_be_tensors_and_lists():
    z = np.random.default_rng(0).standard_normal((3, 4))
    wanted = F.cross_entropy(Tensor(z), np.array([1, 0, 3])).item()
    assert F.cross_entropy(Tensor(z), [1, 0, 3]).item() == wanted
    assert F.cross_entropy(Tensor(z), Tensor([1, 0, 3])).item() == wanted
    assert F.cross_entropy(z, [1, 0, 3]) == wanted
    np.testing.assert_allclose(F.nll_loss(nn.LogSoftmax()(Tensor(z)), [1, 0, 3]).item(), wanted)


# ---- what the table does not say


def test_kl_divergence_by_the_batch(torch):
    row = next(r for r in ROWS if r.loss == "KLDivLoss")
    x, y = row.inputs()
    loss = nn.KLDivLoss(reduction="batchmean")(Tensor(x), y).item()
    np.testing.assert_allclose(loss, row.reference("none").sum() / len(x), rtol=1e-12)
    theirs = torch.nn.KLDivLoss(reduction="batchmean")(torch.tensor(x), torch.tensor(y)).item()
    np.testing.assert_allclose(loss, theirs, rtol=1e-12)
    assert F.kl_div(np.log(y + (y == 0)), y, "sum") == pytest.approx(
        0, abs=1e-12
    )  # of a distribution from itself


def test_a_certain_error_costs_100_as_in_pytorch(torch):
    p = Tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(p, [1, 0, 0, 1], reduction="none")
    np.testing.assert_array_equal(loss.numpy(), [100, 100, 0, 0])
    loss.sum().backward()
    assert np.isfinite(p.grad.numpy()).all()
    theirs = torch.nn.functional.binary_cross_entropy(
        torch.tensor([1e-45, 0.0]), torch.tensor([1.0, 1.0]), reduction="none"
    )
    ours = F.binary_cross_entropy(Tensor(np.array([1e-45, 0], np.float32)), [1, 1], reduction="none")
    np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_kinks_are_pytorchs(torch):
    """At the edge of a hinge, and where two vectors are equal."""
    cases = [
        (F.margin_ranking_loss, "margin_ranking_loss", [np.ones(2), np.ones(2), np.array([1, -1])], {}),
        (F.hinge_embedding_loss, "hinge_embedding_loss", [np.ones(2), np.array([-1, 1])], {}),
        (F.huber_loss, "huber_loss", [np.array([1.0, 0, -1]), np.zeros(3)], {}),
        (F.smooth_l1_loss, "smooth_l1_loss", [np.array([1.0, 0, -1]), np.zeros(3)], {"beta": 0}),
        (F.multi_margin_loss, "multi_margin_loss", [np.array([[1.0, 0, 0]]), np.array([0])], {}),
        (F.triplet_margin_loss, "triplet_margin_loss", [np.ones((2, 3))] * 3, {"eps": 0.0}),
        (F.cosine_embedding_loss, "cosine_embedding_loss", [*np.eye(2)[:, None] * 0, np.array([1])], {}),
        (F.gaussian_nll_loss, "gaussian_nll_loss", [np.ones(2), np.zeros(2), np.zeros(2)], {}),
    ]  # fmt: skip
    for ours, name, inputs, kwargs in cases:
        mine = [Tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
        theirs = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in inputs]
        loss = ours(*mine, **kwargs)
        wanted = getattr(torch.nn.functional, name)(*theirs, **kwargs)
        loss.backward()
        wanted.backward()
        np.testing.assert_allclose(loss.item(), wanted.item(), rtol=1e-12, err_msg=name)
        for t, w in zip(mine, theirs):
            if t.requires_grad:
                np.testing.assert_allclose(t.grad.numpy(), w.grad.numpy(), rtol=1e-8, err_msg=name)


def test_ctc_where_the_labels_do_not_fit_into_the_time(torch):
    x, targets = np.random.default_rng(0).standard_normal((2, 2, 3)), np.array([[1, 1], [1, 2]])
    z = Tensor(x, requires_grad=True)
    losses = F.ctc_loss(nn.LogSoftmax()(z), targets, reduction="none")
    assert losses.numpy()[0] == np.inf
    assert np.isfinite(losses.numpy()[1])
    loss = F.ctc_loss(nn.LogSoftmax()(z), targets, zero_infinity=True)
    loss.backward()
    theirs = torch.tensor(x, requires_grad=True)
    wanted = torch.nn.functional.ctc_loss(
        theirs.log_softmax(-1).transpose(0, 1), torch.tensor(targets), (2, 2), (2, 2), zero_infinity=True
    )
    wanted.backward()
    np.testing.assert_allclose(loss.item(), wanted.item(), rtol=1e-12)
    np.testing.assert_allclose(z.grad.numpy(), theirs.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_ctc_of_a_long_line_agrees_with_pytorch(torch):
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((4, 120, 20)), rng.integers(1, 20, (4, 30))
    steps, lengths = np.array([120, 90, 119, 80]), np.array([30, 30, 1, 17])
    z = Tensor(x, requires_grad=True)
    loss = F.ctc_loss(nn.LogSoftmax()(z), targets, steps, lengths)
    loss.backward()
    theirs = torch.tensor(x, requires_grad=True)
    inputs = [torch.tensor(a) for a in (targets, steps, lengths)]
    wanted = torch.nn.functional.ctc_loss(theirs.log_softmax(-1).transpose(0, 1), *inputs)
    wanted.backward()
    np.testing.assert_allclose(loss.item(), wanted.item(), rtol=1e-10)
    np.testing.assert_allclose(z.grad.numpy(), theirs.grad.numpy(), rtol=1e-8, atol=1e-12)
