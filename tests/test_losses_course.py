"""Losses against the course's numbers, and the losses that own parameters or other losses."""

import copy
import pickle

import numpy as np
import pytest

import autograd
import nn
from autograd import Rows, Tensor, check_grads
from nn import functional as F
from nn.losses.distance import hard_triplets, semi_hard_triplets, squared_distances
from tests.cases_ctc import collapse

rng = np.random.default_rng(0)


def in_float64(make):
    """The layer with parameters of float64."""
    autograd.set_default_dtype(np.float64)
    try:
        return make(nn)
    finally:
        autograd.set_default_dtype(np.float32)


# ---- logistic regression and softmax


def test_losses_of_the_notation_slide():  # N-losses, C1W2-bce
    yhat, y = Tensor([0.9, 0.2, 0.1, 0.4, 0.9]), [1, 0, 0, 1, 1]
    np.testing.assert_allclose(F.l1_loss(yhat, y, "sum").item(), 1.1, rtol=1e-6)
    np.testing.assert_allclose(F.mse_loss(yhat, y, "sum").item(), 0.43, rtol=1e-6)
    np.testing.assert_allclose(F.binary_cross_entropy(yhat, y).item(), 0.29110317, rtol=1e-6)


def test_logistic_regression_of_the_assignment():  # C1W2-loopvsvec
    X, Y = np.array([[1, 2, -1], [3, 4, -3.2]]).T, np.array([1, 0, 1])
    w, b = Tensor(np.array([1.0, 2.0]), requires_grad=True), Tensor(np.array(2.0), requires_grad=True)
    cost = F.binary_cross_entropy_with_logits(X @ w + b, Y)
    cost.backward()
    np.testing.assert_allclose(cost.item(), 5.801545319394553, rtol=1e-12)
    np.testing.assert_allclose(w.grad.numpy(), [0.99845601, 2.39507239], rtol=1e-8)
    np.testing.assert_allclose(b.grad.item(), 0.001455578136784208, rtol=1e-9)


def test_gradient_of_softmax_cross_entropy_is_yhat_minus_y():  # C2W3-softmax
    z = Tensor([[5.0, 2.0, -1.0, 3.0]], requires_grad=True)
    F.cross_entropy(z, [3]).backward()
    np.testing.assert_allclose(z.grad.numpy(), nn.Softmax()(z.detach()).numpy() - [[0, 0, 0, 1]], atol=1e-7)


def test_softmax_of_two_classes_is_the_logistic():  # C2W3-softmax
    z, y = rng.standard_normal(6), np.array([0, 1, 1, 0, 1, 0])
    two = F.cross_entropy(Tensor(np.stack([np.zeros(6), z], -1)), y)
    logistic = F.binary_cross_entropy_with_logits(Tensor(z), y).item()
    np.testing.assert_allclose(two.item(), logistic, rtol=1e-12)
    np.testing.assert_allclose(F.soft_margin_loss(Tensor(z), 2 * y - 1).item(), logistic, rtol=1e-12)


# ---- examples and tasks that do not count alike


def test_multitask_loss_sums_over_labelled_entries():  # C3W2-multitask
    z, y = rng.standard_normal((2, 4)), np.array([[0, 1, 1, 0], [np.nan, 1, np.nan, 0]])
    one = [F.binary_cross_entropy_with_logits(z[i], np.nan_to_num(y[i]), reduction="none") for i in (0, 1)]
    wanted = (one[0].sum() + one[1][1] + one[1][3]) / 2
    logits = Tensor(z, requires_grad=True)
    loss = nn.MultiTaskLoss()(logits, y)
    loss.backward()
    np.testing.assert_allclose(loss.item(), wanted, rtol=1e-12)
    np.testing.assert_array_equal(logits.grad.numpy()[1, [0, 2]], 0)
    assert (logits.grad.numpy()[0] != 0).all()
    whole = nn.MultiTaskLoss("sum")(z, np.array([[0, 1, 1, 0], [1, 1, 1, 0]]))
    assert whole > 2 * wanted


def test_weighted_error_of_the_lecture():  # C3W1-weighted: a wrong one of weight 10 weighs as ten
    wrong, w = np.array([1.0, 0, 0, 1, 0]), [10, 1, 1, 1, 1]
    np.testing.assert_allclose(F.weighted(wrong, w), 11 / 14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_sample_weights(reduction):
    z, labels, w = rng.standard_normal((4, 3)), np.array([0, 2, 1, 1]), np.array([2, 0, 1, 3])
    repeated = np.repeat(np.arange(4), w)
    loss = nn.WeightedLoss(nn.CrossEntropyLoss(reduction=reduction))
    got = loss(Tensor(z), labels, w)
    if reduction == "none":
        np.testing.assert_allclose(got.numpy(), w * F.cross_entropy(z, labels, reduction="none"))
    else:  # an example of weight 3 is one that is there three times
        np.testing.assert_allclose(
            got.item(), F.cross_entropy(z[repeated], labels[repeated], reduction=reduction)
        )
    check_grads(lambda z: loss(z, labels, w), z)
    pixels = nn.WeightedLoss(nn.MSELoss(reduction=reduction))
    x, y = rng.standard_normal((2, 4, 3))
    assert pixels(x, y, w).shape == ((4, 3) if reduction == "none" else ())
    if reduction == "mean":
        np.testing.assert_allclose(pixels(x, y, w), F.mse_loss(x[repeated], y[repeated]))
    assert repr(pixels).startswith("WeightedLoss(")
    assert pickle.loads(pickle.dumps(pixels))(x, y, w).shape == pixels(x, y, w).shape


# ---- faces


def test_triplet_loss_of_the_lecture():  # C4W4-triplet: d(A, P) = .5, alpha = .2; d = |f - f'|^2
    anchor, positive = np.zeros((1, 1)), np.full((1, 1), 0.5**0.5)
    for d, wanted in ((0.51, 0.19), (0.7, 0.0), (0.9, 0.0)):
        negative = np.full((1, 1), -(d**0.5))
        loss = F.triplet_margin_with_distance_loss(
            anchor, positive, negative, lambda a, b: ((a - b) ** 2).sum(-1), margin=0.2
        )
        np.testing.assert_allclose(loss, wanted, atol=1e-12)
    f = np.zeros((6, 128))  # f = 0 is no way out: every triplet costs alpha
    for mined in (F.all_triplet_loss, F.hard_triplet_loss, F.semi_hard_triplet_loss):
        np.testing.assert_allclose(mined(f, [0, 0, 1, 1, 2, 2], margin=0.2), 0.2)


def test_semi_hard_negatives_are_farther_than_the_positive():
    e, labels = rng.standard_normal((30, 4)), rng.integers(0, 5, 30)
    d = squared_distances(e)
    np.testing.assert_allclose(d, ((e[:, None] - e) ** 2).sum(-1), atol=1e-12)
    anchors, positives, negatives = semi_hard_triplets(e, labels)
    pairs = sum(n * (n - 1) for n in np.bincount(labels))
    assert len(anchors) == pairs
    assert (labels[anchors] == labels[positives]).all()
    assert (labels[anchors] != labels[negatives]).all()
    farther = d[anchors, negatives] > d[anchors, positives]
    assert 0.5 < farther.mean()
    for a, p in zip(anchors[~farther], positives[~farther]):  # only where there is no negative farther away
        assert (d[a][labels != labels[a]] <= d[a, p]).all()
    anchors, positives, negatives = hard_triplets(e, labels)
    for a, p, n in zip(anchors, positives, negatives):
        assert d[a, p] == d[a][labels == labels[a]].max()
        assert d[a, n] == d[a][labels != labels[a]].min()


def test_contrastive_loss_pulls_and_pushes():
    a, b = Tensor(np.zeros((2, 2)), requires_grad=True), Tensor(np.full((2, 2), 0.3), requires_grad=True)
    F.contrastive_loss(a, b, [1, 0], margin=1.0, reduction="sum").backward()
    assert (a.grad.numpy()[0] < 0).all()  # a step against the gradient goes towards b
    assert (a.grad.numpy()[1] > 0).all()
    equal = Tensor(np.zeros((1, 2)), requires_grad=True)
    F.contrastive_loss(equal, np.zeros((1, 2)), [0]).backward()
    np.testing.assert_array_equal(equal.grad.numpy(), 0)  # at equal vectors there is no direction


def test_cosine_similarity_of_the_words_of_the_lecture():  # C5W2-analogy
    table = {
        "man": [-1, 0.01, 0.03, 0.09],
        "woman": [1, 0.02, 0.02, 0.01],
        "king": [-0.95, 0.93, 0.7, 0.02],
        "queen": [0.97, 0.95, 0.69, 0.01],
    }
    man, woman, king, queen = (np.array(v) for v in table.values())
    goal = king - man + woman
    np.testing.assert_allclose(F.cosine_similarity(goal, queen), 0.998084, atol=1e-6)
    np.testing.assert_allclose(F.cosine_similarity(goal, woman), 0.688736, atol=1e-6)


# ---- segmentation, style


def test_overlap_of_the_boxes_of_the_assignment():  # C4W3-iou: (2,1,4,3) and (1,2,3,4) overlap in 1/7
    areas = np.zeros((2, 1, 5, 5, 1))
    areas[0, 0, 2:4, 1:3], areas[1, 0, 1:3, 2:4] = 1, 1
    np.testing.assert_allclose(F.soft_iou_loss(areas[0], areas[1], smooth=0.0), 1 - 1 / 7)
    np.testing.assert_allclose(F.dice_loss(areas[0], areas[1], smooth=0.0), 1 - 2 / 8)
    assert F.dice_loss(areas[0], areas[0]) == F.soft_iou_loss(areas[0], areas[0]) == 0
    assert F.dice_loss(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1))) == 0  # neither there nor predicted


def test_style_and_content():  # C4W4-content, C4W4-style
    a = rng.standard_normal((1, 4, 3, 5))
    gram = F.gram_matrix(a)
    assert gram.shape == (1, 5, 5)
    np.testing.assert_allclose(gram, gram.swapaxes(1, 2))
    assert np.linalg.eigvalsh(gram[0]).min() > -1e-9
    shuffled = rng.permutation(a.reshape(1, 12, 5), axis=1).reshape(a.shape)
    np.testing.assert_allclose(F.style_loss([shuffled], [a]), 0, atol=1e-20)
    assert F.content_loss(a, a) == 0
    np.testing.assert_allclose(F.content_loss(shuffled, a), 0.5 * ((shuffled - a) ** 2).sum())
    G = Tensor(a, requires_grad=True)  # the image itself is what learns: C4W4-nst
    (10 * F.content_loss(G, shuffled) + 40 * F.style_loss([G], [2 * a])).backward()
    assert G.grad.numpy().any()


# ---- words


def test_sampling_distribution_lies_between_the_texts_and_uniform():  # C5W2-negsamp
    f = np.array([1000, 10, 1, 0])
    P = F.sampling_distribution(f)
    np.testing.assert_allclose(P.sum(), 1)
    np.testing.assert_allclose(P[0] / P[1], 100**0.75)
    assert P[3] == 0
    np.testing.assert_allclose(F.sampling_distribution(f, 0.0), [1 / 3, 1 / 3, 1 / 3, 0])


def test_negatives_are_drawn_from_that_distribution():
    counts = np.array([70, 20, 0, 10])
    loss = nn.NegativeSamplingLoss(counts, k=50)
    table, seen = np.zeros((4, 2), np.float32), []
    function = nn.NegativeSamplingLoss.function

    def spy(vectors, table, labels, negatives, **options):
        seen.append(negatives)
        return function(vectors, table, labels, negatives, **options)

    nn.NegativeSamplingLoss.function = staticmethod(spy)
    try:
        got = loss(np.zeros((2000, 2), np.float32), table, np.zeros(2000, int))
    finally:
        nn.NegativeSamplingLoss.function = staticmethod(function)
    np.testing.assert_allclose(got, 51 * np.log(2), rtol=1e-5)  # k + 1 coins, all of 1/2
    assert seen[0].shape == (2000, 50)
    np.testing.assert_allclose(
        np.bincount(seen[0].ravel(), minlength=4) / 1e5, F.sampling_distribution(counts), atol=0.006
    )
    autograd.seed(1)
    table = rng.standard_normal((4, 2)).astype(np.float32)
    first = loss(table, table, np.arange(4))
    autograd.seed(1)
    assert loss(table, table, np.arange(4)) == first


def test_sparse_gradients_of_the_table():
    e, table = rng.standard_normal((2, 3)), rng.standard_normal((9, 3))
    for call in (
        lambda t, sparse: F.negative_sampling_loss(e, t, [1, 2], [[3, 4], [3, 1]], sparse=sparse),
        lambda t, sparse: F.hierarchical_softmax_loss(e, t, [1, 2], *F.huffman(np.arange(10)), sparse=sparse),
    ):
        dense, thin = Tensor(table, requires_grad=True), Tensor(table, requires_grad=True)
        call(dense, False).backward()
        call(thin, True).backward()
        assert isinstance(thin.grad, Rows)
        np.testing.assert_allclose(thin.grad.to_dense().numpy(), dense.grad.numpy())


def test_hierarchical_softmax():  # C5W2-skipgram
    counts = np.array([50, 3, 20, 1, 7, 30])
    layer = in_float64(lambda n: n.HierarchicalSoftmax(4, counts))
    vectors, labels = rng.standard_normal((5, 4)), np.array([0, 3, 2, 5, 0])
    log_p = layer.log_prob(vectors).numpy()
    np.testing.assert_allclose(np.exp(log_p).sum(1), 1)  # the tree's probabilities sum to 1
    loss = layer(vectors, labels)
    np.testing.assert_allclose(loss.item(), -log_p[np.arange(5), labels].mean(), rtol=1e-12)
    assert layer.weight.shape == (5, 4)
    names = list(layer.state_dict())
    assert names == ["weight", "nodes", "turns"]

    def by_both(vectors, weight):
        return F.hierarchical_softmax_loss(vectors, weight, labels, layer.nodes, layer.turns)

    check_grads(by_both, vectors, layer.weight)
    assert copy.deepcopy(layer)(vectors, labels).item() == loss.item()


def test_huffman_ways_are_short_where_words_are_frequent():
    nodes, turns = F.huffman([8, 4, 2, 1, 1])  # 8 -> 0, 4 -> 10, 2 -> 110, 1 -> 111x
    assert np.abs(turns).sum(1).tolist() == [1, 2, 3, 4, 4]
    assert nodes[:, 0].tolist() == [0] * 5  # every way starts at the root
    assert len({tuple(zip(n, t)) for n, t in zip(nodes.tolist(), turns.tolist())}) == 5
    counts = np.ones(10000)
    depth = np.abs(F.huffman(counts)[1]).sum(1)
    assert 13 <= depth.min() <= depth.max() <= 14  # log2 10000 = 13.3


def test_glove_of_words_that_never_meet_costs_nothing():  # C5W2-glove
    s = Tensor(np.array([3.0, 5.0, np.log(100), np.log(1000.0)]), requires_grad=True)
    loss = F.glove_loss(s, [0, 0, 100, 1000])
    loss.backward()
    assert loss.item() < 1e-20
    np.testing.assert_array_equal(s.grad.numpy()[:2], 0)
    np.testing.assert_allclose(F.glove_loss(np.array([1.0]), [1]), 0.01**0.75)
    np.testing.assert_allclose(F.glove_loss(np.array([0.0]), [200]), np.log(200) ** 2)


def adaptive(n, **options):
    return n.AdaptiveLogSoftmaxWithLoss(8, 20, [4, 10], div_value=2.0, **options)


@pytest.mark.parametrize("head_bias", [False, True])
def test_adaptive_softmax_agrees_with_pytorch(head_bias, torch):
    ours = in_float64(lambda n: adaptive(n, head_bias=head_bias))
    theirs = adaptive(torch.nn, head_bias=head_bias).double()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict({n: torch.tensor(t.numpy()) for n, t in ours.state_dict().items()})
    x, labels = rng.standard_normal((9, 8)), rng.integers(0, 20, 9)
    mine, their = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    output, loss = ours(mine, labels)
    wanted = theirs(their, torch.tensor(labels))
    np.testing.assert_allclose(output.numpy(), wanted.output.detach().numpy(), rtol=1e-10)
    np.testing.assert_allclose(loss.item(), wanted.loss.item(), rtol=1e-10)
    loss.backward()
    wanted.loss.backward()
    np.testing.assert_allclose(mine.grad.numpy(), their.grad.numpy(), rtol=1e-9, atol=1e-12)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters()):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-12, err_msg=name)
    np.testing.assert_allclose(ours.log_prob(x).numpy(), theirs.log_prob(their).detach().numpy(), rtol=1e-9)
    np.testing.assert_array_equal(ours.predict(x), theirs.predict(their).numpy())


def test_adaptive_softmax_is_a_distribution():
    layer = in_float64(adaptive)
    x, labels = rng.standard_normal((9, 8)), rng.integers(0, 20, 9)
    log_p = layer.log_prob(x).numpy()
    np.testing.assert_allclose(np.exp(log_p).sum(1), 1)
    np.testing.assert_allclose(layer(x, labels).output.numpy(), log_p[np.arange(9), labels])
    check_grads(lambda x: layer(x, labels).loss, x)


@pytest.mark.parametrize("bias", [False, True])
def test_linear_cross_entropy_agrees_with_pytorch(bias, torch):
    arguments = {"bias": bias, "ignore_index": 1, "label_smoothing": 0.1}
    ours = in_float64(lambda n: n.LinearCrossEntropyLoss(4, 3, weight=np.array([1.0, 2.0, 3.0]), **arguments))
    weight = torch.tensor([1.0, 2.0, 3.0])
    theirs = torch.nn.LinearCrossEntropyLoss(4, 3, weight=weight, options=None, **arguments).double()
    names = [n for n, _ in ours.named_parameters()]
    assert names == [n for n, _ in theirs.named_parameters()]
    with torch.no_grad():
        for p, q in zip(ours.parameters(), theirs.parameters()):
            q.copy_(torch.tensor(p.numpy()))
    x, labels = rng.standard_normal((6, 4)), np.array([0, 1, 2, 2, 1, 0])
    mine, their = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    loss, wanted = ours(mine, labels), theirs(their, torch.tensor(labels))
    loss.backward()
    wanted.backward()
    np.testing.assert_allclose(loss.item(), wanted.item(), rtol=1e-10)
    np.testing.assert_allclose(mine.grad.numpy(), their.grad.numpy(), rtol=1e-9, atol=1e-12)
    for p, q in zip(ours.parameters(), theirs.parameters()):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-9, atol=1e-12)


def test_linear_cross_entropy_is_a_linear_and_a_cross_entropy():
    x, labels = rng.standard_normal((2, 3, 4)), rng.integers(0, 5, (2, 3))
    loss = in_float64(lambda n: n.LinearCrossEntropyLoss(4, 5, bias=True))
    np.testing.assert_allclose(loss(x, labels).item(), F.cross_entropy(loss.linear(x), labels).item())
    parameters = list(loss.parameters())
    check_grads(lambda x, W, b: F.linear_cross_entropy(x, W, labels, b), x, *parameters)


# ---- sequences without alignment


def test_ctc_collapses_as_in_the_lecture():  # C5W3-ctc
    assert "".join(collapse("ttt_h_eee___ ___qqq__", "_")) == "the q"


def test_ctc_of_certain_predictions_costs_nothing():  # C5W3-ctc
    letters = sorted({*"the q_"})
    way = [letters.index(c) for c in "ttt_h_eee___ ___qqq__"]
    p = np.full((1, len(way), len(letters)), 1e-30)
    p[0, np.arange(len(way)), way] = 1.0
    targets = np.array([[letters.index(c) for c in "the q"]])
    loss = F.ctc_loss(np.log(p), targets, blank=letters.index("_"), reduction="sum")
    assert abs(loss) < 1e-12
    wrong = F.ctc_loss(np.log(p), targets[:, ::-1], blank=letters.index("_"), reduction="sum")
    assert wrong > 60


def test_ctc_gradient_is_the_expected_count_of_each_class():
    z = np.log(np.full((1, 4, 3), 1 / 3))
    log_p = Tensor(z, requires_grad=True)
    F.ctc_loss(log_p, [[1, 2]], reduction="sum").backward()
    counts = -log_p.grad.numpy()
    np.testing.assert_allclose(counts.sum(-1), 1)  # at each step one class stands
    np.testing.assert_allclose(counts[0, ::-1, [0, 2, 1]], counts[0, :, [0, 1, 2]])  # 1 forwards, 2 backwards


def test_distances_agree_with_pytorch(torch):
    a, b = rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    for name, kwargs in (
        ("normalize", {}),
        ("normalize", {"p": 1.0}),
        ("pairwise_distance", {}),
        ("pairwise_distance", {"p": 3.0}),
        ("pairwise_distance", {"p": float("inf")}),
        ("cosine_similarity", {}),
    ):
        inputs = (a,) if name == "normalize" else (a, b)
        mine = [Tensor(x, requires_grad=True) for x in inputs]
        theirs = [torch.tensor(x, requires_grad=True) for x in inputs]
        y, wanted = getattr(F, name)(*mine, **kwargs), getattr(torch.nn.functional, name)(*theirs, **kwargs)
        np.testing.assert_allclose(y.numpy(), wanted.detach().numpy(), rtol=1e-9)
        g = rng.standard_normal(y.shape)
        y.backward(g)
        wanted.backward(torch.tensor(g))
        for t, w in zip(mine, theirs):
            np.testing.assert_allclose(t.grad.numpy(), w.grad.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(F.normalize(a), axis=1), 1)
    zero = Tensor(np.zeros((1, 3)), requires_grad=True)
    F.normalize(zero).sum().backward()
    assert np.isfinite(zero.grad.numpy()).all()
