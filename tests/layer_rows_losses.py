"""Rows of the losses that are layers too: they own weights, or another loss."""

import numpy as np

import nn
from tests.layer_table import Row, as_is, normal, same

PLAIN = dict(to_torch=as_is, from_torch=as_is)
COUNTS = np.array([5, 1, 3, 1])


def vectors_and(labels, *shape):
    return lambda rng: (rng.standard_normal(shape), np.array(labels))


def of_both(module, x, labels):
    """log p of the labels, and their mean: PyTorch's is another class."""
    output, loss = module(x, labels)
    return output, loss


def by_the_tree(layer, x, labels):
    """Minus the logarithm of the product of the turns on each word's way."""
    table, nodes, turns = layer.weight.numpy(), layer.nodes.numpy(), layer.turns.numpy()
    losses = [
        sum(np.logaddexp(0, -t * (table[k] @ v)) for k, t in zip(nodes[word], turns[word]) if t)
        for v, word in zip(x, labels)
    ]
    return np.mean(losses)


def log_softmax(z):
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def by_clusters(layer, x, labels):
    """p(label) = p(cluster) p(label | cluster)."""
    head = log_softmax(
        x @ layer.head.weight.numpy().T + (0 if layer.head.bias is None else layer.head.bias.numpy())
    )
    starts, output = layer.cutoffs, []
    for v, h, label in zip(x, head, labels):
        cluster = sum(label >= start for start in starts[:-1])
        if cluster == 0:
            output.append(h[label])
            continue
        first, second = (part.weight.numpy() for part in layer.tail[cluster - 1])
        within = log_softmax(second @ (first @ v))
        output.append(h[starts[0] + cluster - 1] + within[label - starts[cluster - 1]])
    return np.array(output), -np.mean(output)


def by_both(layer, x, labels):
    """A Linear, then a cross-entropy."""
    z = x @ layer.linear.weight.numpy().T + (0 if layer.linear.bias is None else layer.linear.bias.numpy())
    return -log_softmax(z)[np.arange(len(x)), labels].mean()


ROWS = [
    same(
        "AdaptiveLogSoftmaxWithLoss",
        lambda n: n.AdaptiveLogSoftmaxWithLoss(4, 6, [2, 4], div_value=2.0),
        inputs=vectors_and([0, 5, 2, 3], 4, 4),
        call=of_both,
        **PLAIN,
        expect=by_clusters,
    ),
    same(
        "AdaptiveLogSoftmaxWithLoss, head bias",
        lambda n: n.AdaptiveLogSoftmaxWithLoss(4, 5, [3], head_bias=True),
        inputs=vectors_and([4, 1, 2], 3, 4),
        call=of_both,
        **PLAIN,
        expect=by_clusters,
    ),
    Row(
        "LinearCrossEntropyLoss",
        lambda: nn.LinearCrossEntropyLoss(3, 4),
        lambda torch: torch.nn.LinearCrossEntropyLoss(3, 4, options=None),
        vectors_and([0, 3, 2], 3, 3),
        **PLAIN,
        expect=by_both,
    ),
    Row(
        "LinearCrossEntropyLoss, bias",
        lambda: nn.LinearCrossEntropyLoss(3, 4, bias=True),
        lambda torch: torch.nn.LinearCrossEntropyLoss(3, 4, bias=True, options=None),
        vectors_and([0, 3, 2], 3, 3),
        **PLAIN,
        expect=by_both,
    ),
    Row(
        "HierarchicalSoftmax",
        lambda: nn.HierarchicalSoftmax(3, COUNTS),
        None,
        vectors_and([0, 3, 2], 3, 3),
        expect=by_the_tree,
    ),
    Row(
        "WeightedLoss",
        lambda: nn.WeightedLoss(nn.MSELoss()),
        None,
        normal((3, 2), (3, 2)),
        call=lambda loss, x, y: loss(x, y, np.array([1.0, 2.0, 0.5])),
        expect=lambda loss, x, y: np.average(((x - y) ** 2).mean(1), weights=[1.0, 2.0, 0.5]),
    ),
]
