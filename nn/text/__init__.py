"""Text as plain NumPy arrays: vocabularies, decoding, counting models, BLEU. No Tensor in here."""

from .alias import AliasTable as AliasTable
from .bleu import bleu as bleu
from .bleu import brevity_penalty as brevity_penalty
from .bleu import modified_precision as modified_precision
from .decode import beam_search as beam_search
from .decode import chances as chances
from .decode import greedy as greedy
from .decode import sample as sample
from .ngram import NGram as NGram
from .vocabulary import Vocabulary as Vocabulary
from .vocabulary import padded as padded
