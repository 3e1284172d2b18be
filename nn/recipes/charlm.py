"""A recurrent network writes in the style of Python's own manual, a character at a time.

The text is what `help()` says about each topic, in the standard library: 465,000 characters. A tenth of it,
in whole topics, is held out, the same for every seed, and chooses nothing; a twentieth chooses the epoch
whose weights are kept. What the network is worth is told by bits per character beside a model that counts:
the best of n-gram models with n from 1 to 8, each made of the same training text.
"""

import json
import math
import time
from pathlib import Path

import numpy as np

import autograd
from optim import Adam

from .. import data
from ..data.texts import load_topics, split_texts, windows
from ..losses import CrossEntropyLoss
from ..models import LanguageModel, char_gru
from ..summary import summary
from ..text import NGram, Vocabulary, sample
from ..train import fit, replacing, save_curves, writable_folder
from ..weights import load_weights
from . import if_installed, silent, weights_in

MODEL = "char_gru"
LENGTH = 64  # characters that a gradient flows back through
SPLIT = 0  # the seed that says what is held out
ORDERS = range(1, 9)  # of the n-gram models to choose from
PROMPT = "The "
UNKNOWN = "\ufffd"  # stands for characters that are not in the training text
FILES = (
    *("model.safetensors", "last.safetensors", "checkpoint.safetensors", "vocabulary.json"),
    *("samples.txt", "curves.png", "history.jsonl"),
)


def texts() -> tuple[str, str, str]:
    """`(training, validation, held out)`, each of whole topics."""
    rest, held = split_texts(load_topics(), 0.1, SPLIT)
    training, validation = split_texts(rest, 0.05, SPLIT)
    return "".join(training.values()), "".join(validation.values()), "".join(held.values())


def train(
    out: str | Path,
    *,
    seed: int = 0,
    epochs: int = 10,
    batch_size: int = 16,
    learning_rate: float = 4e-3,
    checkpoint_every: int | None = None,
    resume: bool = False,
    quiet: bool = False,
):
    """Trains with Adam, a cosine schedule and clipped gradients. Writes model.safetensors (the best epoch's
    weights), last.safetensors, vocabulary.json, samples.txt, curves.png, history.jsonl and
    checkpoint.safetensors into `out`, and returns the History and the held-out bits per character."""
    settings: dict[str, object] = dict(recipe="charlm", seed=seed, epochs=epochs, batch_size=batch_size)
    settings |= dict(learning_rate=learning_rate, checkpoint_every=checkpoint_every)
    say = silent if quiet else print
    start = time.perf_counter()
    out = writable_folder(out)
    rng = autograd.seed(seed)
    words = Vocabulary.of(texts()[0], special=(UNKNOWN,))
    training, validation, held = map(words.encode, texts())
    model = char_gru(len(words))
    say(summary(model, np.zeros((1, LENGTH), np.int64)))
    say(
        f"\n{len(training):,} characters to train on, {len(validation):,} to choose the best epoch, "
        f"{len(held):,} held out, {len(words)} different"
    )
    with replacing(out / "vocabulary.json") as temporary:
        temporary.write_text(json.dumps(words.tokens))

    history = fit(
        model,
        data.Loader(*windows(training, LENGTH), batch_size=batch_size, shuffle=True, seed=rng),
        CrossEntropyLoss(),
        Adam(model.parameters(), lr=learning_rate),
        epochs,
        validation=data.Loader(*windows(validation, LENGTH), batch_size=256),
        schedule=lambda epoch: learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / epochs)),
        clip_norm=1.0,
        out=out,
        checkpoint_every=checkpoint_every,
        resume=resume,
        settings=settings,
        progress=not quiet,
    )
    load_weights(model.eval(), out / "model.safetensors")  # what is judged is what was written
    reached = bits(model, held)
    which = f"weights of epoch {history.best['epoch']}" if history.best else "weights of an unfinished epoch"
    say(f"\nheld-out bits per character {reached:.3f}, {which}")
    note = None
    if history.best:
        note = if_installed(lambda: save_curves(history, out / "curves.png"), "curves.png")
    if not history.interrupted:
        say(_baseline(words, held))
        written = _written(model, words, seed)
        with replacing(out / "samples.txt") as temporary:
            temporary.write_text(written)
        say(f"\n{written}")
    say(f"{time.perf_counter() - start:.1f} s")
    if note:
        say(note)
    say(f"written to {out}: {', '.join(name for name in FILES if (out / name).is_file())}")
    return history, reached


def evaluate(out: str | Path) -> float:
    """Judges the trained network on the held-out tenth: bits per character, beside the n-gram model's, and
    for each topic of it."""
    model, words = _trained(out)
    held = words.encode(texts()[-1])
    reached = bits(model, held)
    print(f"held-out bits per character {reached:.3f}")
    print(_baseline(words, held))
    print("\ntopic                     characters  bits per character")
    for name, text in split_texts(load_topics(), 0.1, SPLIT)[1].items():
        print(f"{name:<24}{len(text):>12,}{bits(model, words.encode(text)):>20.3f}")
    return reached


def predict(out: str | Path, file: str | Path) -> str:
    """Reads a text of your own, says how many bits per character it takes, and writes on."""
    model, words = _trained(out)
    try:
        text = Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"{file}: is no text in UTF-8") from None
    if len(text) < 2:
        raise ValueError(f"{file}: a text of {len(text)} characters, needs 2 or more")
    numbers = words.encode(text)
    unknown = int((numbers == 0).sum())
    print(f"{file}: {len(text):,} characters, {unknown:,} of them unknown")
    print(f"bits per character {bits(model, numbers):.3f}\n")
    _, state = model.read(numbers[None, :-1])
    rng = np.random.default_rng(0)
    tokens, _ = sample(model.step, numbers[-1:], 400, state, rng=rng, temperature=0.7)
    written = "".join(words.decode(tokens[0]))
    print(f"{text[-400:]}|{written}")
    return written


def bits(model: LanguageModel, numbers: np.ndarray) -> float:
    """The mean of -log2 p of each character of a text after the first, the state carried from one to the
    next: what the text would take, packed by the model."""
    log_probs, _ = model.read(numbers[None, :-1])
    return _bits(np.take_along_axis(log_probs[0], numbers[1:, None], axis=1))


def _bits(log_probs) -> float:
    return float(-np.mean(log_probs, dtype=np.float64) / math.log(2))


def _baseline(words, held) -> str:
    """The n-gram model's line. That the held-out text chooses n is in its favour."""
    training = words.encode(texts()[0])
    models = [NGram(order, len(words)).fit(training) for order in ORDERS]
    reached, order = min((_bits(model.log_probs(held)[1:]), model.order) for model in models)
    return f"{order}-gram model, the best of its kind on them: {reached:.3f}"


def _written(model, words, seed) -> str:
    """Three samples, behind the same beginning."""
    parts, rng, prompt = [], np.random.default_rng(seed), words.encode(PROMPT)
    _, state = model.read(prompt[None, :-1])
    for temperature in (0.5, 0.75, 1.0):
        tokens, _ = sample(model.step, prompt[-1:], 300, state, rng=rng, temperature=temperature)
        parts.append(f"---- temperature {temperature}\n{PROMPT}{''.join(words.decode(tokens[0]))}")
    return "\n".join(parts)


def _trained(out) -> tuple[LanguageModel, Vocabulary]:
    weights = weights_in(out, "charlm")
    tokens = json.loads((Path(out) / "vocabulary.json").read_text())
    model = char_gru(len(tokens))
    load_weights(model.eval(), weights)
    return model, Vocabulary(tokens, UNKNOWN)
