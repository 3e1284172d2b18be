"""Real text that comes with Python."""

from pydoc_data.topics import topics

import numpy as np

from .loader import generator_of


def load_topics() -> dict[str, str]:
    """What Python's `help()` says about each topic, such as "WITH" or "operator-summary", by their sorted
    names: 79 of them with 465,000 characters in Python 3.11."""
    return {name: topics[name] for name in sorted(topics)}


def split_texts(
    texts: dict[str, str], held_out: float, seed: int | np.random.Generator
) -> tuple[dict[str, str], dict[str, str]]:
    """`(rest, held)`: whole texts, so that nobody trains on half of a sentence that is held out; chosen at
    random until the second has the share `held_out` of all characters. Raises ValueError where a part would
    be empty."""
    names, held = list(texts), {}
    left = held_out * sum(len(text) for text in texts.values())
    for k in generator_of(seed).permutation(len(names)):
        if left <= 0:
            break
        held[names[k]] = texts[names[k]]
        left -= len(texts[names[k]])
    rest = {name: text for name, text in texts.items() if name not in held}
    if not rest or not held:
        raise ValueError(f"held_out={held_out} of {len(texts)} texts leaves {len(rest)} and {len(held)}")
    return rest, held


def windows(numbers: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """A text (n,) cut into inputs (m, length) and what comes behind each of their tokens (m, length), without
    overlap; what is left over at the end is dropped. Raises ValueError for a shorter text."""
    m = (len(numbers) - 1) // length
    if m < 1:
        raise ValueError(f"a text of {len(numbers)} tokens has no window of {length} and the one behind")
    return numbers[: m * length].reshape(m, length), numbers[1 : m * length + 1].reshape(m, length)
