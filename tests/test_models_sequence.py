"""The sequence networks beyond the table of models: what each step sees, decoding by steps, padding, and the
numbers of the lectures."""

import numpy as np
import pytest

import nn
from autograd import Tensor, no_grad
from autograd.tensor import unwrap
from nn import models
from nn.layers.attention import scaled_dot_product_attention
from nn.text import beam_search, greedy, sample
from optim import Adam, clip_grad_norm_

pytestmark = pytest.mark.slow

rng = np.random.default_rng(5)
TINY = dict(d_model=16, heads=2, layers=2, dropout=0.0)


def count(model):
    return sum(p.size for p in model.parameters())


def out(value):
    return unwrap(value[0] if isinstance(value, tuple) else value)


def near(a, b, tolerance=1e-5):
    np.testing.assert_allclose(a, b, atol=tolerance, rtol=tolerance)


def translators():
    """Models of (source, target, padding of the source), whose source words are under 9 and target ones 8."""
    words = dict(source_words=9, target_words=8, features=6, hidden=10)
    return {
        "transformer": models.transformer_base(vocabulary=9, feed_forward=20, **TINY),
        "pre-norm": models.transformer_base(vocabulary=9, feed_forward=20, norm_first=True, **TINY),
        "encoder_decoder": models.encoder_decoder(**words, layers=2),
        "additive": models.bahdanau(**words),
        "multiplicative": models.bahdanau(**words, attention="multiplicative"),
    }


def given(kind, padding):
    """A source's padding as that model takes it."""
    return (~padding).sum(axis=1) if kind == "encoder_decoder" else padding


def readers():
    return {
        "rnn": models.char_rnn(vocabulary=9, hidden=12),
        "gru": models.char_gru(vocabulary=9, hidden=12, features=5),
        "lstm": models.word_lstm(vocabulary=9, hidden=12, features=12, tied=True),
        "music": models.music(vocabulary=9, hidden=12),
        "gpt2": models.gpt2(vocabulary=9, max_len=16, **TINY),
    }


# ---- what a step sees


@pytest.mark.parametrize("kind", readers())
def test_what_comes_later_changes_nothing_before(kind):  # C5W4-encdec
    model = readers()[kind].eval()
    tokens = rng.integers(9, size=(3, 8))
    other = tokens.copy()
    other[:, 5:] = (other[:, 5:] + 1) % 9
    a, b = unwrap(model(tokens)), unwrap(model(other))
    np.testing.assert_array_equal(a[:, :5], b[:, :5])
    assert np.all(np.abs(a[:, 5:] - b[:, 5:]).max(axis=-1) > 0)


@pytest.mark.parametrize("kind", translators())
def test_a_translation_sees_the_words_before_and_the_whole_source(kind):
    model = translators()[kind].eval()
    source, target = rng.integers(9, size=(2, 5)), rng.integers(8, size=(2, 6))
    other, changed = target.copy(), source.copy()
    other[:, 4:] = (other[:, 4:] + 1) % 8
    changed[:, -1] = (changed[:, -1] + 1) % 9
    padding = np.zeros((2, 5), bool)
    y = out(model(source, target, given(kind, padding)))
    near(out(model(source, other, given(kind, padding)))[:, :4], y[:, :4], 1e-6)
    assert np.abs(out(model(changed, target)) - y).max(axis=(1, 2)).min() > 1e-6


def test_causal_attention_stays_causal_with_padding():
    layer = nn.MultiheadAttention(8, 2)
    x = rng.standard_normal((3, 5, 8), np.float32)
    padding = np.zeros((3, 5), bool)
    padding[1, 3:] = True
    future = ~np.tri(5, dtype=bool)
    for need_weights in (True, False):
        y, _ = layer(x, x, x, padding, need_weights, is_causal=True)
        near(out(y), out(layer(x, x, x, padding, need_weights, attn_mask=future)[0]))
        z, _ = layer(x, x, x, padding, need_weights)
        assert np.abs(out(z)[0, 0] - out(y)[0, 0]).max() > 1e-4


def test_bert_sees_both_sides():
    model = models.bert_base(vocabulary=9, feed_forward=20, max_len=8, **TINY).eval()
    words = rng.integers(9, size=(1, 5))
    other = words.copy()
    other[0, 4] = (other[0, 4] + 1) % 9
    assert np.abs(out(model(words)) - out(model(other)))[0, 0].max() > 1e-5
    segments = np.array([[0, 0, 1, 1, 1]])
    assert np.abs(out(model(words)) - out(model(words, None, segments))).max() > 1e-5
    with pytest.raises(ValueError, match="BERT has 8 positions, got 9 words"):
        model(np.zeros((1, 9), int))


# ---- padding


@pytest.mark.parametrize("kind", translators())
def test_padding_of_the_source_changes_nothing(kind):
    model = translators()[kind].eval()
    source, target = rng.integers(9, size=(2, 4)), rng.integers(8, size=(2, 3))
    longer = np.concatenate([source, rng.integers(9, size=(2, 3))], axis=1)
    padding = np.repeat([[False] * 4 + [True] * 3], 2, axis=0)
    near(out(model(longer, target, given(kind, padding))), out(model(source, target)))


def test_padding_of_the_target_changes_nothing():
    model = translators()["transformer"].eval()
    source, target = rng.integers(9, size=(2, 4)), rng.integers(9, size=(2, 5))
    padding = np.array([[False] * 5, [False] * 3 + [True] * 2])
    near(out(model(source, target, None, padding))[1, :3], out(model(source[1:], target[1:, :3]))[0])


def test_padding_changes_nothing_for_bert_taggers_and_classifiers():
    words = rng.integers(9, size=(2, 7))
    padding, lengths = np.repeat([[False] * 4 + [True] * 3], 2, axis=0), np.array([4, 4])
    bert = models.bert_base(vocabulary=9, feed_forward=20, max_len=8, **TINY).eval()
    x, pooled = bert(words, padding)
    y, alone = bert(words[:, :4])
    near(out(x)[:, :4], out(y))
    near(unwrap(pooled), unwrap(alone))
    tagger = models.name_tagger(vocabulary=9, features=5, hidden=6)
    near(out(tagger(words, lengths))[:, :4], out(tagger(words[:, :4])))
    for model in (
        models.sentiment_average(vocabulary=9, features=5),
        models.sentiment_lstm(vocabulary=9, features=5, hidden=6),
        models.emojify(vocabulary=9, features=5, hidden=6).eval(),
    ):
        near(unwrap(model(words, lengths)), unwrap(model(words[:, :4])))


@pytest.mark.parametrize("kind", ["additive", "multiplicative"])
def test_attention_weights_sum_to_one_over_the_source(kind):  # C5W3-attention
    source, target = rng.integers(9, size=(2, 5)), rng.integers(8, size=(2, 6))
    padding = np.array([[False] * 5, [False] * 3 + [True] * 2])
    _, alpha = translators()[kind](source, target, padding)
    assert alpha.shape == (2, 6, 5)
    near(unwrap(alpha).sum(axis=-1), 1)
    assert np.all(unwrap(alpha)[1, :, 3:] == 0) and unwrap(alpha)[0].min() > 0


def test_attention_of_dates_and_of_images():
    logits, alpha = models.date_translation()(rng.integers(37, size=(2, 30)))  # C5W3-dates
    assert logits.shape == (2, 10, 11) and alpha.shape == (2, 10, 30)
    near(unwrap(alpha).sum(axis=-1), 1)
    model = models.show_attend_tell(vocabulary=7, features=4, hidden=6, channels=5)
    logits, alpha = model(rng.standard_normal((2, 3, 4, 5), np.float32), rng.integers(7, size=(2, 6)))
    assert logits.shape == (2, 6, 7) and alpha.shape == (2, 6, 3, 4)
    near(unwrap(alpha).sum(axis=(2, 3)), 1)


# ---- step by step


@pytest.mark.parametrize("kind", readers())
def test_steps_and_pieces_give_what_the_whole_gives(kind):
    """A carried state; for GPT-2 the cache of keys and values."""
    model = readers()[kind].eval()
    tokens = rng.integers(9, size=(3, 9))
    with no_grad():
        whole = unwrap(nn.functional.log_softmax(model(tokens)))
    near(model.read(tokens)[0], whole)
    first, state = model.read(tokens[:, :4])
    rest, _ = model.read(tokens[:, 4:], state)
    near(np.concatenate([first, rest], axis=1), whole)
    state, steps = None, []
    for t in range(9):
        log_probs, state = model.step(tokens[:, t], state)
        steps.append(log_probs)
    near(np.stack(steps, axis=1), whole)


@pytest.mark.parametrize("kind", readers())
def test_a_text_is_as_likely_as_the_product_of_its_words(kind):  # C5W1-lm
    model = readers()[kind].eval()
    tokens, total = greedy(model.step, [1, 2], 6)
    text = np.concatenate([[[1], [2]], tokens], axis=1)
    log_probs, _ = model.read(text[:, :-1])
    near(np.take_along_axis(log_probs, text[:, 1:, None], axis=2).sum(axis=(1, 2)), total)
    assert np.array_equal(log_probs.argmax(axis=-1), tokens)
    beams, scores = beam_search(model.step, [1, 2], 6, beam=4, alpha=0.0)
    assert np.all(scores[:, 0] >= total - 1e-5) and beams.shape == (2, 4, 6)
    drawn, _ = sample(model.step, [1, 2], 6, rng=np.random.default_rng(0), top_k=1)
    assert np.array_equal(drawn, tokens)


@pytest.mark.parametrize("kind", translators())
def test_a_translation_by_steps_is_the_translation(kind):  # C5W3-seq2seq
    model = translators()[kind].eval()
    source = rng.integers(9, size=(3, 5))
    padding = np.array([[False] * 5, [False] * 3 + [True] * 2, [False] * 5])
    state, start = model.start(source, given(kind, padding)), np.array([1, 1, 1])
    tokens, total = greedy(model.step, start, 6, state)
    read = np.concatenate([start[:, None], tokens[:, :-1]], axis=1)
    logits = out(model(source, read, given(kind, padding)))
    assert np.array_equal(logits.argmax(axis=-1), tokens)
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    near(np.take_along_axis(log_probs, tokens[:, :, None], axis=2).sum(axis=(1, 2)), total, 1e-4)
    beams, scores = beam_search(model.step, start, 6, state, beam=3, alpha=0.0)
    assert np.all(scores[:, 0] >= total - 1e-5) and np.all(np.diff(scores) <= 0)


def test_captions_by_steps_are_the_captions():  # C5W3-caption
    sees = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU())
    cases = [
        models.show_and_tell(vocabulary=7, features=4, hidden=6, n_in=5),
        models.show_and_tell(
            vocabulary=7, features=4, hidden=6, n_in=5, images=nn.Sequential(sees, nn.GlobalAvgPool())
        ),
        models.show_attend_tell(vocabulary=7, features=4, hidden=6, channels=5, images=sees),
    ]
    for model, shape in zip(cases, [(2, 5), (2, 6, 6, 3), (2, 6, 6, 3)]):
        images = rng.standard_normal(shape, np.float32)
        tokens, _ = greedy(model.step, [1, 1], 5, model.start(images))
        read = np.concatenate([[[1], [1]], tokens[:, :-1]], axis=1)
        assert np.array_equal(out(model(images, read)).argmax(axis=-1), tokens)


# ---- the numbers of the lectures and papers


def test_trigger_word_of_the_assignment():  # C5W3-trigger
    """Keras counts the running statistics too: 523,329, and 522,561 before it had `reset_after`."""
    new, old = models.trigger_word(), models.trigger_word(reset_after=False)
    statistics = sum(b.size for name, b in new.named_buffers() if "running" in name)
    assert statistics == 904
    assert count(new) + statistics == 523_329
    assert count(old) + statistics == 522_561
    conv, first, second = 15 * 101 * 196, 3 * 128 * (196 + 128), 3 * 128 * (128 + 128)
    assert models.find("trigger_word").multiply_adds == 1375 * (conv + first + second + 128)


def test_emojify_with_published_vectors():  # C5W2-sentiment
    model = models.emojify(vocabulary=11)
    model.freeze("embedding")
    assert sum(p.size for p in model.parameters() if p.requires_grad) == 223_877


def test_pre_norm_ends_each_stack_with_a_normalisation():
    small = dict(vocabulary=5, **TINY)
    post, pre = (models.transformer_base(norm_first=first, **small) for first in (False, True))
    assert count(pre) == count(post) + 2 * 2 * 16
    assert post.encoder.norm is None and pre.encoder.norm is not None


def test_tied_tables_are_one():
    tied = models.word_lstm(vocabulary=9, hidden=6, features=6, tied=True)
    assert tied.output.weight is tied.embedding.weight
    assert count(tied) == count(models.word_lstm(vocabulary=9, hidden=6, features=6)) - 9 * 6
    tied(np.array([[1, 2]])).sum().backward()
    assert np.all(np.abs(tied.embedding.weight.grad.numpy()).sum(axis=1) > 0)  # also of words not read


def test_published_weights_of_gpt2_have_their_layout(tmp_path):
    from safetensors.numpy import load_file

    model = models.gpt2(vocabulary=9, max_len=8, **TINY)
    nn.save_weights(model, tmp_path / "w.safetensors", layout="torch")
    shapes = {name: array.shape for name, array in load_file(tmp_path / "w.safetensors").items()}
    assert shapes["h.0.attn.c_attn.weight"] == (16, 48) and shapes["h.1.mlp.c_proj.weight"] == (64, 16)
    assert not any("lm_head" in name for name in shapes)


def test_an_average_cannot_tell_what_is_lacking():  # C5W2-sentiment: "lacking in good taste, good service"
    lacking = np.array([[8, 2, 4, 3, 4, 5, 4, 6]])
    good = lacking[:, [2, 3, 4, 5, 6, 7, 0, 1]]  # the same words
    average = models.sentiment_average(vocabulary=9, features=5)
    recurrent = models.sentiment_lstm(vocabulary=9, features=5, hidden=6)
    near(unwrap(average(lacking)), unwrap(average(good)))
    assert np.abs(unwrap(recurrent(lacking)) - unwrap(recurrent(good))).max() > 1e-4


def test_types_of_recurrent_networks():  # C5W1-types
    words = rng.integers(9, size=(2, 6))
    assert models.deep_network((3, 4, 1))(np.zeros((2, 3), np.float32)).shape == (2, 1)
    played, _ = sample(models.music().eval().step, [1, 2], 20, rng=np.random.default_rng(0))
    assert played.shape == (2, 20) and 0 <= played.min() and played.max() < 78  # one to many
    for cell in ("rnn", "gru", "lstm"):
        small = dict(vocabulary=9, features=5, hidden=6, cell=cell, layers=2)
        assert models.SequenceClassifier(**small)(words).shape == (2, 5)  # many to one
        assert models.SequenceTagger(**small)(words).shape == (2, 6, 1)  # as many
    tiny = dict(source_words=9, target_words=9, features=5, hidden=6)
    assert models.encoder_decoder(**tiny)(words, words[:, :4]).shape == (2, 4, 9)  # others


def test_one_direction_sees_the_past_and_two_see_all():  # C5W1-brnn: "He said, Teddy ..."
    words = rng.integers(9, size=(1, 6))
    other = words.copy()
    other[0, 5] = (other[0, 5] + 1) % 9
    for both in (False, True):
        model = models.SequenceTagger(vocabulary=9, features=5, hidden=6, bidirectional=both)
        moved = np.abs(unwrap(model(words)) - unwrap(model(other)))[0, :5, 0]
        assert np.all(moved > 0) if both else np.all(moved == 0)


def test_gradients_vanish_and_explode_with_the_distance():  # C5W1-vanish
    """da<T>/da<t> is a product of T - t matrices: of norm 1/2 each, and of norm 2 where nothing saturates.
    Clipping bounds what explodes, and brings nothing back."""
    for size in (0.5, 2.0):
        model = nn.RNN(4, 4, nonlinearity="relu", recurrent_bias=False)
        state = {"weight_ih_l0": np.eye(4), "weight_hh_l0": size * np.eye(4), "bias_ih_l0": np.zeros(4)}
        model.load_state_dict(state)
        x = Tensor(np.ones((1, 11, 4), np.float32), requires_grad=True)
        model(x)[0][0, -1].sum().backward()
        norms = np.linalg.norm(x.grad.numpy()[0], axis=-1)
        near(norms, 2 * size ** np.arange(10.0, -1, -1))
    before = clip_grad_norm_(model.parameters(), 1.0)
    total = np.sqrt(sum(np.sum(p.grad.numpy() ** 2) for p in model.parameters()))
    assert before > 1000 and total == pytest.approx(1, rel=1e-4)


# ---- word vectors


@pytest.mark.parametrize("kind", ["softmax", "tree", "negatives"])
def test_word_vectors_learn_what_stands_together(kind):
    """Words 2 k and 2 k + 1 stand together. By the whole softmax, by a tree, and by negative samples."""
    words = np.arange(10)
    near_by = words ^ 1
    model = models.skip_gram(vocabulary=10, features=8)
    tree = nn.HierarchicalSoftmax(8, np.ones(10))
    negative = nn.NegativeSamplingLoss(np.ones(10), k=4)
    cost = {
        "softmax": lambda: nn.CrossEntropyLoss()(model(words), near_by),
        "tree": lambda: tree(model.vectors(words), near_by),
        "negatives": lambda: negative(model.vectors(words), model.output.weight, near_by),
    }[kind]
    optimizer = Adam([*model.parameters(), *(tree.parameters() if kind == "tree" else ())], lr=0.05)
    for _ in range(100):
        optimizer.zero_grad()
        cost().backward()
        optimizer.step()
    if kind == "tree":
        log_p = unwrap(tree.log_prob(model.vectors(words)))
        near(np.exp(log_p).sum(axis=1), 1)  # C5W2-skipgram
    else:
        log_p = unwrap(model(words))
    assert np.array_equal(log_p.argmax(axis=1), near_by)


def test_cbow_is_the_mean_of_the_words_around():
    model = models.cbow(vocabulary=9, features=4)
    table, words = model.embedding.weight.numpy(), np.array([[1, 2, 2, 7]])
    near(unwrap(model.vectors(words))[0], (table[1] + 2 * table[2] + table[7]) / 4)


def test_glove():  # C5W2-glove
    model = models.glove(vocabulary=9, features=4)
    theta, e = model.theta.weight.numpy(), model.e.weight.numpy()
    i, j = np.array([1, 2]), np.array([3, 2])
    biases = model.theta_bias.weight.numpy()[i, 0] + model.e_bias.weight.numpy()[j, 0]
    near(unwrap(model(i, j)), (theta[i] * e[j]).sum(axis=1) + biases)
    near(model.word_vectors(), (theta + e) / 2)
    A = rng.standard_normal((4, 4))  # no axis of the vectors need mean anything
    near((theta @ A.T) @ (e @ np.linalg.inv(A)).T, theta @ e.T, 1e-4)


def test_neural_language_model_reads_the_last_four_words():  # C5W2-nlm
    model = models.neural_language_model(vocabulary=9, features=5)
    assert model.output.weight.shape == (9, 4 * 5)
    table = model.embedding.weight.numpy()
    x = np.concatenate([table[[3, 1, 4, 1]]]).reshape(-1)
    near(
        unwrap(model(np.array([[3, 1, 4, 1]])))[0],
        model.output.weight.numpy() @ x + model.output.bias.numpy(),
    )
    with pytest.raises(ValueError, match=r"takes the last 4 words, got \(1, 3\)"):
        model(np.array([[1, 2, 3]]))


# ---- attention


def test_cached_attention_is_the_last_rows_of_causal_attention():
    q, k, v = (Tensor(rng.standard_normal((2, 7, 4))) for _ in range(3))
    whole = unwrap(scaled_dot_product_attention(q, k, v, is_causal=True))
    allowed = np.tri(3, 7, 4, dtype=bool)
    near(unwrap(scaled_dot_product_attention(q[:, 4:], k, v, allowed)), whole[:, 4:])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: models.LanguageModel(9, 5, cell="sru"), "cell is one of rnn, gru, lstm, got 'sru'"),
        (lambda: models.name_tagger(cell="sru"), "SequenceTagger: cell is one of rnn, gru, lstm, got 'sru'"),
        (lambda: models.sentiment_lstm(cell="sru"), "SequenceClassifier: cell is one of rnn"),
        (lambda: models.LanguageModel(9, 5, 4, tied=True), "tied needs features = hidden, got 4 and 5"),
        (lambda: models.gpt2(d_model=10, heads=3), "GPT2: 3 heads must divide 10 features"),
        (lambda: models.bert_base(d_model=10, heads=3), "Bert: 3 heads must divide 10 features"),
        (lambda: models.bahdanau(attention="dot"), 'is "additive" or "multiplicative", got \'dot\''),
        (
            lambda: models.gpt2(vocabulary=9, max_len=4, **TINY)(np.zeros((1, 5), int)),
            "GPT2 has 4 positions, got 5 tokens",
        ),
    ],
)
def test_models_refuse(build, message):
    with pytest.raises(ValueError, match=message):
        build()
