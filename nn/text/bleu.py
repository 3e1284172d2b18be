"""BLEU: how much a translation has in common with those of people."""

import math
from collections import Counter
from collections.abc import Sequence


def _ngrams(tokens, n):
    return Counter(tuple(tokens[k : k + n]) for k in range(len(tokens) - n + 1))


def modified_precision(candidate: Sequence, references: Sequence[Sequence], n: int) -> tuple[int, int]:
    """How many of the candidate's n-grams are in a reference, and how many it has. Each counts at most as
    often as in the reference that has it most often: of seven "the" two count where a reference has two.
    Papineni et al. 2002; COURSE.md C5W3-bleu."""
    own = _ngrams(candidate, n)
    most: Counter = Counter()
    for reference in references:
        most |= _ngrams(reference, n)
    return (own & most).total(), own.total()


def brevity_penalty(length: int, reference_length: int) -> float:
    """1 for a translation that is longer than the reference, else exp(1 - reference / translation); 0 for
    an empty one."""
    if length >= reference_length:
        return 1.0
    return math.exp(1 - reference_length / length) if length else 0.0


def bleu(candidates: Sequence[Sequence], references: Sequence[Sequence[Sequence]], max_n: int = 4) -> float:
    """BP exp(mean of log p_1 ... log p_max_n) of all candidates together: p_n is `modified_precision` with
    both counts summed over the candidates, and BP `brevity_penalty` of the summed lengths, for each
    candidate the reference of the nearest length (of two the shorter).

    A candidate is a sequence of tokens (a string would be one of characters), and has one or more
    references: `bleu([["the", "cat"]], [[["the", "cat"], ["a", "cat"]]])` is 0, for want of trigrams, and
    with max_n=2 it is 1. Raises ValueError for another number of references and for none. Papineni et al.
    2002; COURSE.md C5W3-bleu."""
    if not candidates or len(candidates) != len(references) or not all(references):
        raise ValueError(
            f"bleu takes candidates and for each a list of references, got {len(candidates)} and "
            f"{len(references)}, the shortest list of {min(map(len, references), default=0)}"
        )
    length, reference_length = sum(map(len, candidates)), 0
    for candidate, given in zip(candidates, references):
        own = len(candidate)
        reference_length += min(map(len, given), key=lambda size: (abs(size - own), size))
    logs = []
    for n in range(1, max_n + 1):
        counts = [modified_precision(c, given, n) for c, given in zip(candidates, references)]
        right, all_of_them = map(sum, zip(*counts))
        if not right:
            return 0.0
        logs.append(math.log(right / all_of_them))
    return brevity_penalty(length, reference_length) * math.exp(math.fsum(logs) / max_n)
