"""Decoding, BLEU, vocabularies, counting and the alias method, against the lectures and brute force."""

import itertools
import math

import numpy as np
import pytest

from nn.text import (
    AliasTable,
    NGram,
    Vocabulary,
    beam_search,
    bleu,
    brevity_penalty,
    chances,
    greedy,
    modified_precision,
    padded,
    sample,
)

# ---- a toy: the next token depends on the two before it


def toy(V, seed=0, rows=None):
    """A step function whose state is the token before, (n, 1), and log-probabilities (V, V, V)."""
    logits = 2 * np.random.default_rng(seed).standard_normal((V, V, V))
    table = logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    def step(tokens, state):
        before = state["before"][:, 0]
        if rows is not None:
            rows.append(len(tokens))
        return table[before, tokens], {"before": tokens[:, None], "unused": [None, (state["before"],)]}

    return step, table


def first(m):
    return {"before": np.zeros((m, 1), int), "unused": [None, (np.zeros((m, 1)),)]}


def every(table, start, length, end, alpha):
    """Scores of all sequences, best first, by brute force."""
    V, found = len(table), {}
    for words in itertools.product(range(V), repeat=length):
        cut = words[: words.index(end) + 1] if end in words else words
        before, token, total = 0, start, 0.0
        for word in cut:
            total += table[before, token, word]
            before, token = token, word
        found[cut] = total / len(cut) ** alpha
    return sorted(found.items(), key=lambda one: -one[1])


@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_a_wide_beam_is_exact_search(alpha):  # C5W3-beam: B = V^T
    V, T, end = 3, 4, 0
    step, table = toy(V)
    beam = V**T
    tokens, scores = beam_search(step, [1, 2], T, first(2), end, beam, alpha)
    assert tokens.shape == (2, beam, T) and scores.shape == (2, beam)
    for i, start in enumerate([1, 2]):
        wanted = every(table, start, T, end, alpha)
        count = len(wanted)  # 2^4 that never end, and 2^0 + ... + 2^3 that do
        assert count == 16 + 15
        np.testing.assert_allclose(scores[i, :count], [score for _, score in wanted], rtol=1e-12)
        assert np.all(scores[i, count:] == -np.inf)
        for found, (words, _) in zip(tokens[i], wanted):
            assert tuple(found) == words + (end,) * (T - len(words))


@pytest.mark.parametrize("end", [None, 0])
def test_a_beam_of_one_is_greedy_search(end):
    step, _ = toy(5, seed=3)
    start = np.arange(5)
    tokens, log_probs = greedy(step, start, 8, first(5), end)
    beams, scores = beam_search(step, start, 8, first(5), end, beam=1, alpha=0.0)
    assert np.array_equal(beams[:, 0], tokens)
    np.testing.assert_allclose(scores[:, 0], log_probs, rtol=1e-12)


@pytest.mark.parametrize("beam", [1, 2, 3, 5])
def test_a_batch_is_its_sequences_one_by_one(beam):
    step, _ = toy(6, seed=1)
    together = beam_search(step, np.arange(6), 7, first(6), 0, beam)
    for i in range(6):
        tokens, scores = beam_search(step, [i], 7, first(1), 0, beam)
        T = tokens.shape[2]
        assert np.array_equal(together[0][i][:, :T], tokens[0])
        assert np.all(together[0][i][:, T:] == 0)
        np.testing.assert_array_equal(together[1][i], scores[0])


def test_thirty_thousand_candidates_a_step():  # C5W3-beam: B = 3, V = 10,000
    V, seen = 10_000, []
    logits = np.random.default_rng(0).standard_normal((4, V))
    table = logits - np.log(np.exp(logits).sum(-1, keepdims=True))

    def step(tokens, state):
        seen.append(len(tokens) * V)
        return table[tokens % 4], state

    tokens, scores = beam_search(step, [0], 3, None, None, beam=3, alpha=0.0)
    assert seen == [30_000] * 3
    firsts = np.sort(table[0])[-3:]  # of the first step only one sequence counts
    assert scores[0, 0] >= firsts[-1] + 2 * table.max(axis=1).min()
    words = tokens[0, 0]
    total = table[0, words[0]] + table[words[0] % 4, words[1]] + table[words[1] % 4, words[2]]
    np.testing.assert_allclose(scores[0, 0], total)


def test_greedy_search_may_lose():
    """C5W3-greedy: "Jane is going ..." is likelier word by word, "Jane is visiting ..." as a whole."""
    p = np.full((4, 4), 1e-9)
    p[0, 1], p[0, 2] = 0.6, 0.4  # going, visiting
    p[1, 1], p[1, 2], p[1, 3] = 0.3, 0.3, 0.4
    p[2, 3] = 1.0
    step = lambda tokens, state: (np.log(p[tokens]), state)
    tokens, log_probs = greedy(step, [0], 2)
    beams, scores = beam_search(step, [0], 2, beam=2, alpha=0.0)
    assert tokens[0].tolist() == [1, 3] and beams[0, 0].tolist() == [2, 3]
    np.testing.assert_allclose(np.exp([log_probs[0], scores[0, 0]]), [0.24, 0.4])


def test_length_normalisation_prefers_the_longer():
    """C5W3-lennorm: 1/2 in one word, or .6 * .8 = .48 in two; per word .5 against .69."""
    p = np.array([[0.5, 0.5, 0.0], [0.2, 0.0, 0.8], [1.0, 0.0, 0.0]])
    p[0] = [0.4, 0.6, 0.0]
    p[1] = [0.6, 0.0, 0.4]

    def step(tokens, state):
        with np.errstate(divide="ignore"):
            return np.log(p[tokens]), state

    short, _ = beam_search(step, [0], 3, None, 0, beam=3, alpha=0.0)
    long, _ = beam_search(step, [0], 3, None, 0, beam=3, alpha=1.0)
    assert short[0, 0].tolist() == [0, 0, 0]  # .4 against .6 * .6 = .36
    assert long[0, 0].tolist() == [1, 2, 0]  # the cube root of .24 = .62 against .6 and .4


# ---- sampling


def test_chances():
    p = np.array([0.5, 0.25, 0.15, 0.1])
    np.testing.assert_allclose(chances(np.log(p)), p)
    np.testing.assert_allclose(chances(np.log(p), temperature=0.5), p**2 / (p**2).sum())
    np.testing.assert_allclose(chances(np.log(p), top_k=2), [2 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(chances(np.log(p), top_p=0.7), [2 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(chances(np.log(p), top_p=0.76), np.array([0.5, 0.25, 0.15, 0]) / 0.9)
    np.testing.assert_allclose(chances(np.log(p[::-1]), top_p=0.1), [0, 0, 0, 1])
    np.testing.assert_allclose(chances(np.log(p), top_k=3, top_p=0.8), [2 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(chances(np.stack([np.log(p)] * 2), top_k=9).sum(-1), 1)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(chances(np.log([0.5, 0.5, 0.0])), [0.5, 0.5, 0])


def test_samples_are_as_often_as_they_are_likely():
    step, table = toy(4)
    rng = np.random.default_rng(0)
    tokens, log_probs = sample(step, np.ones(20_000, int), 1, first(20_000), rng=rng)
    share = np.bincount(tokens[:, 0], minlength=4) / 20_000
    np.testing.assert_allclose(share, np.exp(table[0, 1]), atol=0.01)
    np.testing.assert_allclose(log_probs, table[0, 1, tokens[:, 0]])


def test_a_cold_sample_is_greedy_and_both_stop_at_the_end():
    step, _ = toy(5, seed=2)
    start, rng = np.arange(5), np.random.default_rng(0)
    best = greedy(step, start, 9, first(5), 0)
    cold = sample(step, start, 9, first(5), 0, rng=rng, temperature=1e-4)
    top = sample(step, start, 9, first(5), 0, rng=rng, top_k=1)
    for tokens, log_probs in (cold, top):
        assert np.array_equal(tokens, best[0])
        np.testing.assert_allclose(log_probs, best[1])
    for row in best[0]:
        assert np.all(row[np.flatnonzero(row == 0)[:1].sum() :] == 0) or 0 not in row


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda step: greedy(step, [[0]], 3), r"one token for each sequence, integers \(m,\), got shape"),
        (lambda step: greedy(step, [0], 0), "length must be a whole number >= 1, got 0"),
        (lambda step: beam_search(step, [0], 3, beam=0), "a beam of 1 or more and alpha >= 0, got beam=0"),
        (lambda step: chances(np.zeros(3), temperature=0), "temperature must be a number > 0, got 0"),
        (lambda step: chances(np.zeros(3), top_k=0), "top_k must be a whole number >= 1, got 0"),
        (lambda step: chances(np.zeros(3), top_p=1.5), "0 < top_p <= 1, got 1.5"),
    ],
)
def test_decoding_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call(toy(3)[0])


# ---- BLEU


REFERENCES = ["The cat is on the mat".lower().split(), "There is a cat on the mat".lower().split()]


def test_bleu_of_the_lecture():  # C5W3-bleu
    the = ["the"] * 7
    assert modified_precision(the, REFERENCES, 1) == (2, 7)
    translation = "the cat the cat on the mat".split()
    counts = [modified_precision(translation, REFERENCES, n) for n in (1, 2, 3, 4)]
    assert counts == [(5, 7), (4, 6), (2, 5), (1, 4)]
    assert bleu([translation], [REFERENCES]) == pytest.approx(0.4671379777, abs=1e-10)
    assert bleu([REFERENCES[0]], [REFERENCES]) == pytest.approx(1)
    assert bleu([the], [REFERENCES]) == 0


def test_short_translations_pay():
    assert brevity_penalty(7, 7) == brevity_penalty(9, 7) == 1
    assert brevity_penalty(6, 7) == pytest.approx(math.exp(1 - 7 / 6))
    assert brevity_penalty(0, 7) == 0
    short = REFERENCES[1][:4]
    assert bleu([short], [[REFERENCES[1]]]) == pytest.approx(math.exp(1 - 7 / 4))
    # of references as near the shorter one counts: 5 words against 4 and 6
    assert bleu([list("abcde")], [[list("abcd"), list("abcdef")]]) == pytest.approx(1)


def test_bleu_of_many_sums_the_counts():
    a, b = "the cat the cat on the mat".split(), REFERENCES[0]
    rights, counts = np.array([[5, 4, 2, 1], [6, 5, 4, 3]]), np.array([[7, 6, 5, 4], [6, 5, 4, 3]])
    wanted = np.exp(np.log(rights.sum(0) / counts.sum(0)).mean())
    assert bleu([a, b], [REFERENCES, REFERENCES]) == pytest.approx(wanted)
    with pytest.raises(ValueError, match="for each a list of references, got 1 and 2"):
        bleu([a], [REFERENCES, REFERENCES])


# ---- tokens


def test_vocabulary():  # C5W1-onehot
    words = Vocabulary.of("the cat sat on the mat the cat".split(), size=3)
    assert words.tokens == ("<UNK>", "the", "cat")
    assert words.encode(["cat", "dog", "the"]).tolist() == [2, 0, 1]
    assert words.decode([1, 2, 0]) == ["the", "cat", "<UNK>"]
    assert len(words) == 3 and "cat" in words and "dog" not in words
    assert repr(words) == "Vocabulary(3 tokens, unknown='<UNK>')"
    letters = Vocabulary("abc")
    assert letters.encode("cab").tolist() == [2, 0, 1]
    assert letters.encode("").shape == (0,)
    with pytest.raises(KeyError, match="'x' is not in the vocabulary of 3 tokens"):
        letters.encode("ax")
    with pytest.raises(ValueError, match="each token once, this one has 'a' more often"):
        Vocabulary("aba")
    with pytest.raises(ValueError, match="'z', which should stand for unknown tokens"):
        Vocabulary("abc", unknown="z")


def test_padded():
    table, lengths = padded([[1, 2, 3], [4], []], padding=9)
    assert table.tolist() == [[1, 2, 3], [4, 9, 9], [9, 9, 9]]
    assert lengths.tolist() == [3, 1, 0]
    with pytest.raises(ValueError, match="there is no sequence to pad"):
        padded([])


# ---- counting


def by_hand(text, h, c, V):
    """Witten-Bell by its recursion."""
    p = by_hand(text, h[1:], c, V) if h else 1 / V
    after = [text[k + len(h)] for k in range(len(text) - len(h)) if tuple(text[k : k + len(h)]) == h]
    if not after:
        return p
    kinds = len(set(after))
    return (after.count(c) + kinds * p) / (len(after) + kinds)


def test_ngram_is_its_recursion_and_sums_to_one():
    rng = np.random.default_rng(0)
    text, other = rng.integers(0, 4, 60).tolist(), rng.integers(0, 5, 12)
    model = NGram(3, 5).fit(np.array(text))
    log_probs = model.log_probs(other)
    for t in range(12):
        wanted = by_hand(text, tuple(other[max(0, t - 2) : t].tolist()), int(other[t]), 5)
        assert math.exp(log_probs[t]) == pytest.approx(wanted)
        following = [np.append(other[:t], c) for c in range(5)]
        assert sum(math.exp(model.log_probs(one)[-1]) for one in following) == pytest.approx(1)
    short = NGram(3, 5).fit(np.array([2])).log_probs(np.array([2, 2]))  # a text without any pair
    np.testing.assert_allclose(np.exp(short), [(1 + 1 / 5) / 2] * 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: NGram(0, 5), r"order and size of at least 1, size\^order < 2\^63, got 0, 5"),
        (lambda: NGram(10, 103), r"got 10, 103"),
        (lambda: NGram(2, 5).log_probs(np.array([1])), r"counted nothing yet: call fit\(tokens\) first"),
        (lambda: NGram(2, 5).fit(np.array([1, 5])), r"numbers from 1 to 5, not 0..4"),
        (lambda: NGram(2, 5).fit(np.array([1.0])), r"a text of numbers \(n,\), got float64 \(1,\)"),
    ],
)
def test_ngram_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---- drawing


@pytest.mark.parametrize("K", [1, 2, 7, 1000])
def test_alias_table_holds_the_distribution(K):
    weights = np.random.default_rng(K).random(K) ** 3
    table = AliasTable(weights)
    held = table.keep.copy()
    np.add.at(held, table.alias, 1 - table.keep)
    np.testing.assert_allclose(held / K, weights / weights.sum(), atol=1e-12)
    assert table.keep.min() >= 0 and table.keep.max() <= 1


def test_alias_table_draws_by_it():
    draws = AliasTable([5, 0, 3, 2]).draw((100, 200), np.random.default_rng(0))
    assert draws.shape == (100, 200)
    np.testing.assert_allclose(np.bincount(draws.reshape(-1)) / draws.size, [0.5, 0, 0.3, 0.2], atol=0.01)
    for weights in ([], [0.0, 0.0], [1.0, -1.0], [[1.0]], [np.nan]):
        with pytest.raises(ValueError, match="weights are numbers >= 0"):
            AliasTable(weights)
