"""Networks of the course, whole: one training step (forward, loss, backward, Adam) and one inference, with
time, throughput and peak memory, beside the same network with the same weights in PyTorch's layouts.

A network is added with one call of `network`.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks import detection, style
from benchmarks.case import Case
from benchmarks.elsewhere import (
    character_rnn,
    character_weights,
    lenet,
    lenet_weights,
    logistic,
    mlp_tinygrad,
)
from benchmarks.groups.engine import mlp_data, mlp_hips, mlp_jax, mlp_mygrad, mlp_ours, mlp_torch
from benchmarks.training import NOTES, network

# ---- classifiers


def images(rng, m, n, c, classes, options):
    """m images of n x n and c channels, and their labels."""
    return {
        "inputs": [rng.standard_normal((m, n, n, c), np.float32)],
        "targets": [rng.integers(0, classes, m)],
        "options": options,
    }


def unrolled(rng, m, n, options):
    """m images of n numbers, and whether each shows a cat."""
    return {
        "inputs": [rng.standard_normal((m, n), np.float32)],
        "targets": [rng.integers(0, 2, (m, 1)).astype(np.float32)],
        "options": options,
    }


def cats(functional, outputs, y):
    return functional.binary_cross_entropy_with_logits(outputs[0], y)


def classes(functional, outputs, labels):
    """Side heads count for 0.3 (Szegedy et al. 2014)."""
    main, *heads = (functional.cross_entropy(logits, labels) for logits in outputs)
    return main + 0.3 * sum(heads) if heads else main


def digits(rng, m, n, c, classes, options):
    """Images, and weights of LeNet-5."""
    return {**images(rng, m, n, c, classes, options), "weights": lenet_weights(rng, classes)}


def classifier(title, entry, m, n, c=3, tiny_n=32, options=None, tiny=None, data=images, **more):
    """m images of n x n; of the tiny one 4 of tiny_n x tiny_n, with 3 classes."""
    options, small = options or {}, {"num_classes": 3, **(tiny or {})}
    full = {"m": m, "n": n, "c": c, "classes": options.get("num_classes", 1000), "options": options}
    tiny = {"m": 4, "n": tiny_n, "c": c, "classes": 3, "options": small}
    return network(title, entry, data, full, tiny, classes, **more)


VGG = {"width": 8, "hidden": 16, "places": 1}

CLASSIFIERS = [
    *network(
        "logistic regression, cats of 64x64x3",
        "logistic_regression",
        unrolled,
        {"m": 209, "n": 12288, "options": {}},
        {
            "m": 128,
            "n": 4096,
            "options": {"in_features": 4096},
        },  # as large as its kernels need
        cats,
        layouts=("",),
        elsewhere=logistic,
    ),
    *classifier(
        "LeNet-5",
        "lenet",
        64,
        28,
        c=1,
        tiny_n=28,
        options={"num_classes": 10},
        data=digits,
        elsewhere=lenet,
    ),
    *classifier("AlexNet", "alexnet", 16, 224, tiny_n=99, tiny={"width": 4, "hidden": 16}),
    *classifier("VGG-16, 64x64", "vgg16", 16, 64, options={"num_classes": 200, "places": 2}, tiny=VGG),
    *classifier("VGG-16, 224x224", "vgg16", 2, 224, tiny=VGG),
    *classifier("ResNet-18", "resnet18", 8, 224, tiny_n=64, tiny={"width": 8}),
    *classifier("ResNet-50", "resnet50", 8, 224, tiny_n=64, tiny={"width": 8}),
    *classifier("GoogLeNet", "googlenet", 8, 224, tiny_n=28, tiny={"small": True, "width": 1 / 16}),
    *classifier("MobileNet v1", "mobilenet_v1", 8, 224, tiny={"small": True, "width": 0.25}),
    *classifier("MobileNet v2", "mobilenet_v2", 8, 224, tiny={"small": True, "width": 0.1}),
    *classifier(
        "EfficientNet-B0", "efficientnet_b0", 8, 224, tiny={"small": True, "width": 0.1, "depth": 0.5}
    ),
]

MLP = Case(
    "MLP 784-128-10, step, 64 images",
    mlp_data,
    {
        "ours": mlp_ours,
        "torch": mlp_torch,
        "compile": partial(mlp_torch, compiled=True),
        "jax": mlp_jax,
        "tinygrad": mlp_tinygrad,
        "mygrad": mlp_mygrad,
        "hips": mlp_hips,
    },
    {"m": 64, "widths": (784, 128, 10), "record": True},
    {"m": 3, "widths": (5, 4, 3), "record": True},
    {"torch": 0.9},
    memory=True,
    examples=(64, "images"),
    notes=NOTES,
)
MLPS = [
    MLP,
    replace(
        MLP,
        name="MLP 784-128-10 and its loss, inference, 64 images",
        full={**MLP.full, "record": False},
        tiny={**MLP.tiny, "record": False},
        targets={},
    ),
]


# ---- images in, something else out


def maps(rng, m, n, classes, options):
    """A class for each pixel."""
    made = images(rng, m, n, 3, classes, options)
    return {**made, "targets": [rng.integers(0, classes, (m, n, n))]}


def bare(rng, m, n, options):
    return {"inputs": [rng.standard_normal((m, n, n, 3), np.float32)], "targets": [], "options": options}


def triplets(functional, outputs):
    """Schroff et al. 2015 with a margin of 0.2: of three equal parts anchors, positives and negatives."""
    (y,) = outputs
    third = len(y) // 3
    anchor, positive, negative = y[:third], y[third : 2 * third], y[2 * third :]
    near, far = ((anchor - other) ** 2 for other in (positive, negative))
    return functional.relu(near.sum(-1) - far.sum(-1) + 0.2).mean()


PIXELS = [
    *network(
        "U-Net, 96x96",
        "unet",
        maps,
        {"m": 4, "n": 96, "classes": 23, "options": {}},
        {"m": 2, "n": 16, "classes": 3, "options": {"num_classes": 3, "width": 8, "depth": 2}},
        classes,
    ),
    *network(
        "YOLO v1, 448x448, 512 units",
        "yolo_v1",
        detection.pictures,
        {"m": 2, "n": 448, "grid": 7, "classes": 20, "objects": 3, "options": {"hidden": 512}},
        {
            "m": 2,
            "n": 128,
            "grid": 2,
            "classes": 3,
            "objects": 2,
            "options": {"num_classes": 3, "grid": 2, "width": 0.05, "hidden": 32},
        },
        detection.cost,
    ),
    network(
        "YOLO v2, 416x416",
        "yolo_v2",
        bare,
        {"m": 2, "n": 416, "options": {}},
        {"m": 2, "n": 64, "options": {"num_classes": 3, "width": 0.05}},
        detection.cost,
    )[1],
    *network(
        "FaceNet, 8 triplets of 96x96",
        "nn4_small2",
        bare,
        {"m": 24, "n": 96, "options": {}},
        {"m": 6, "n": 96, "options": {"embedding": 8, "width": 0.1}},
        triplets,
    ),
    *style.CASES,
]


# ---- words and sounds


def words(rng, m, T, V, options):
    """Of V words T a row, and the next ones."""
    text = rng.integers(0, V, (m, T + 1))
    return {"inputs": [text[:, :-1].copy()], "targets": [text[:, 1:].copy()], "options": options}


def one_by_one(functional, outputs, labels):
    logits = outputs[0]
    return functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))


def names(rng, m, T, V, options):
    """Characters, and weights of the character RNN."""
    weights = character_weights(rng, V, options.get("hidden", 50))
    return {**words(rng, m, T, V, options), "weights": weights}


def tags(rng, m, T, V, options):
    """Whether each word is part of a name."""
    made = words(rng, m, T, V, options)
    return {**made, "targets": [rng.integers(0, 2, (m, T, 1)).astype(np.float32)]}


def translations(rng, m, T, V, options):
    """T words of one language, T of the other, and the next ones of that."""
    source, made = rng.integers(0, V, (m, T)), words(rng, m, T, V, options)
    return {**made, "inputs": [source, *made["inputs"]]}


def near_words(rng, m, V, options):
    return {"inputs": [rng.integers(0, V, m)], "targets": [rng.integers(0, V, m)], "options": options}


def near_and_drawn(rng, m, k, V, options):
    """Words c, and of each a word t that stood near it with k that were drawn."""
    made = near_words(rng, m, V, options)
    return {**made, "inputs": [*made["inputs"], rng.integers(0, V, (m, 1 + k))], "targets": []}


def scores(functional, model, words, candidates):
    """theta_t . e_c of every candidate t."""
    thetas = functional.embedding(candidates, model.output.weight)  # (m, 1 + k, features)
    return (thetas * model.embedding(words)[:, None]).sum(-1)


def negatives(functional, outputs):
    """Mikolov et al. 2013: the first candidate of each word is the true one."""
    z = outputs[0]
    return (functional.softplus(-z[:, 0]) + functional.softplus(z[:, 1:]).sum(-1)).mean()


def counts(rng, m, V, options):
    """Pairs of words, and how often one was seen near the other."""
    made = near_words(rng, m, V, options)
    seen = rng.integers(1, 200, m).astype(np.float32)
    return {**made, "inputs": [*made["inputs"], *made["targets"]], "targets": [np.log(seen), seen]}


def glove(functional, outputs, logs, seen):
    """Pennington et al. 2014, equation 8."""
    errors = outputs[0] - logs
    return ((seen / 100).clip(0.0, 1.0) ** 0.75 * errors * errors).mean()


def speech(rng, m, T, n, signs, length, options):
    """Spectra of T steps and n frequencies, and what was said."""
    said = rng.integers(1, signs, (m, length))
    return {"inputs": [rng.standard_normal((m, T, n), np.float32)], "targets": [said], "options": options}


def ctc(functional, outputs, labels):
    log_p = functional.log_softmax(outputs[0], -1)
    m, T = log_p.shape[:2]
    steps, signs = (np.full(m, length) for length in (T, labels.shape[1]))
    if functional.__name__.startswith("torch"):  # which has time first
        return functional.ctc_loss(log_p.transpose(0, 1), labels, tuple(steps), tuple(signs))
    return functional.ctc_loss(log_p, labels, steps, signs)


def clips(rng, m, T, n, options):
    """Spectra, and at each step that a filter of 15 and stride 4 leaves whether the word just ended."""
    ended = rng.integers(0, 2, (m, (T - 15) // 4 + 1, 1)).astype(np.float32)
    return {"inputs": [rng.standard_normal((m, T, n), np.float32)], "targets": [ended], "options": options}


def sequences(title, entry, data, full, tiny, cost=one_by_one, examples="sequences", **more):
    return network(title, entry, data, full, tiny, cost, layouts=("",), examples=examples, **more)


def text(title, entry, m, T, V, tiny, data=words, cost=one_by_one, options=None, **more):
    full, small = (
        {"m": m, "T": T, "V": V, "options": options or {}},
        {"m": 2, "T": 5, "V": 7, "options": tiny},
    )
    return sequences(title, entry, data, full, small, cost, **more)


PAIR = {"source_words": 7, "target_words": 7, "features": 6, "hidden": 10}
SMALL = {"vocabulary": 1000, "d_model": 128, "heads": 4, "layers": 2, "feed_forward": 512}
TINY = {"vocabulary": 7, "d_model": 12, "heads": 2, "layers": 2, "feed_forward": 20}

SEQUENCES = [
    *text(
        *("character RNN", "char_rnn", 32, 20, 27, {"vocabulary": 7, "hidden": 12}),
        data=names,
        elsewhere=character_rnn,
    ),
    *text("character GRU", "char_gru", 32, 64, 60, {"vocabulary": 7, "hidden": 12, "features": 5}),
    *text(
        "character LSTM",
        "char_gru",
        32,
        64,
        60,
        {"vocabulary": 7, "hidden": 12, "features": 5, "cell": "lstm"},
        options={"cell": "lstm"},
    ),
    *text("word LSTM", "word_lstm", 20, 35, 10_000, {"vocabulary": 7, "hidden": 12, "features": 8}),
    *text(
        "bidirectional tagger",
        "name_tagger",
        32,
        30,
        10_000,
        {"vocabulary": 7, "features": 6, "hidden": 8},
        tags,
        cats,
    ),
    *sequences(
        "skip-gram, softmax over 10,000 words",
        "skip_gram",
        near_words,
        {"m": 128, "V": 10_000, "options": {}},
        {"m": 3, "V": 7, "options": {"vocabulary": 7, "features": 8}},
        classes,
        examples="pairs",
    ),
    *sequences(
        "skip-gram, 5 negative samples",
        "skip_gram",
        near_and_drawn,
        {"m": 512, "k": 5, "V": 10_000, "options": {}},
        {"m": 3, "k": 2, "V": 7, "options": {"vocabulary": 7, "features": 8}},
        negatives,
        examples="pairs",
        call=scores,
    ),
    *sequences(
        "GloVe",
        "glove",
        counts,
        {"m": 1024, "V": 10_000, "options": {}},
        {"m": 3, "V": 7, "options": {"vocabulary": 7, "features": 8}},
        glove,
        examples="pairs",
    ),
    *text("translation with attention", "bahdanau", 16, 20, 5000, PAIR, translations),
    *sequences(
        "speech with CTC",
        "deep_speech",
        speech,
        {"m": 4, "T": 100, "n": 161, "signs": 29, "length": 20, "options": {}},
        {
            "m": 2,
            "T": 7,
            "n": 6,
            "signs": 4,
            "length": 2,
            "options": {"features": 6, "signs": 4, "context": 1, "hidden": 12},
        },
        ctc,
    ),
    *sequences(
        "trigger word",
        "trigger_word",
        clips,
        {"m": 4, "T": 5511, "n": 101, "options": {}},
        {"m": 2, "T": 31, "n": 6, "options": {"features": 6, "filters": 8, "hidden": 10}},
        cats,
        examples="clips",
    ),
    *text("Transformer small", "transformer_base", 16, 64, 1000, TINY, translations, options=SMALL),
    *text("Transformer base", "transformer_base", 8, 32, 37_000, TINY, translations),
]

CASES = [*MLPS, *CLASSIFIERS, *PIXELS, *SEQUENCES]
