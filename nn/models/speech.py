"""Networks that listen: letters by CTC, and a trigger word.

Hannun et al., "Deep Speech", 2014, with Graves et al., "Connectionist temporal classification", 2006;
lectures C5W3, Speech recognition, Trigger word detection.

    deep_speech       161 numbers of a spectrum each 10 ms     3 layers of 2048, an RNN in both directions,
                      one of 2048, 29 signs: blank, a-z, space, apostrophe        parameters 35,696,669

    trigger_word      5511 x 101        spectrum of 10 s
    Conv1d 15, /4     1375 x 196        batch norm, ReLU, dropout 0.8
    GRU               1375 x 128        dropout 0.8, batch norm
    GRU               1375 x 128        dropout 0.8, batch norm, dropout 0.8
    Linear            1375 x 1          sigmoid in the loss

    trigger_word      522,425    and 904 running statistics: Keras' 523,329, the reset gate behind the product
                      521,657    `reset_after=False`: the 522,561 of the first Keras, by the course's formulas
"""

import numpy as np

from ..layers import GRU, RNN, BatchNorm1d, Conv1d, Dropout, Linear
from ..module import Module
from .catalog import Entry


class DeepSpeech(Module):
    """Logits (m, T, signs) of a sign or blank at each step of spectra (m, T, features).

    DeepSpeech(features=161, signs=29, context=9, hidden=2048, dropout=0.05). Each of the first three layers
    is min(max(z, 0), 20) of an affine map; the first sees `context` steps before and behind its own. Then a
    recurrent layer of ReLUs runs in both directions, whose states are summed. Trained with `CTCLoss`; sign 0
    is the blank. COURSE.md C5W3-ctc, C5W3-speech."""

    def __init__(
        self,
        features: int = 161,
        signs: int = 29,
        context: int = 9,
        hidden: int = 2048,
        dropout: float = 0.05,
    ):
        super().__init__()
        self.hidden = hidden
        self.layer1 = Conv1d(features, hidden, 2 * context + 1, padding=context)
        self.layer2, self.layer3 = Linear(hidden, hidden), Linear(hidden, hidden)
        self.rnn = RNN(hidden, hidden, nonlinearity="relu", bidirectional=True, recurrent_bias=False)
        self.layer5 = Linear(hidden, hidden)
        self.output = Linear(hidden, signs)
        self.dropout = Dropout(dropout)

    def forward(self, spectra):
        x = spectra
        for layer in (self.layer1, self.layer2, self.layer3):
            x = self.dropout(np.clip(layer(x), 0.0, 20.0))  # (m, T, hidden)
        both, _ = self.rnn(x)
        x = both[..., : self.hidden] + both[..., self.hidden :]
        return self.output(self.dropout(np.clip(self.layer5(x), 0.0, 20.0)))


class TriggerWord(Module):
    """Logits (m, T_y, 1) of whether the trigger word has just been said, of spectra (m, T_x, features), with
    T_y = floor((T_x - 15) / 4) + 1: 5511 steps give 1375.

    TriggerWord(features=101, filters=196, hidden=128, dropout=0.8, reset_after=True). Both recurrent layers
    run forwards alone, so that a device can answer at once. `reset_after` is as in `GRU`. COURSE.md
    C5W3-trigger."""

    def __init__(
        self,
        features: int = 101,
        filters: int = 196,
        hidden: int = 128,
        dropout: float = 0.8,
        reset_after: bool = True,
    ):
        super().__init__()
        gates = dict(reset_after=reset_after, recurrent_bias=reset_after)
        self.conv = Conv1d(features, filters, 15, stride=4)
        self.norm1, self.dropout1 = BatchNorm1d(filters), Dropout(dropout)
        self.gru1 = GRU(filters, hidden, **gates)
        self.dropout2, self.norm2 = Dropout(dropout), BatchNorm1d(hidden)
        self.gru2 = GRU(hidden, hidden, **gates)
        self.dropout3, self.norm3, self.dropout4 = Dropout(dropout), BatchNorm1d(hidden), Dropout(dropout)
        self.output = Linear(hidden, 1)

    def forward(self, spectra):
        x = self.dropout1(self.norm1(self.conv(spectra), relu=True))
        x = self.norm2(self.dropout2(self.gru1(x)[0]))
        x = self.norm3(self.dropout3(self.gru2(x)[0]))
        return self.output(self.dropout4(x))


def deep_speech(**options) -> DeepSpeech:
    """35,696,669 parameters. `options` are those of `DeepSpeech`."""
    return DeepSpeech(**options)


def trigger_word(**options) -> TriggerWord:
    """522,425 parameters; 521,657 with `reset_after=False`. `options` are those of `TriggerWord`."""
    return TriggerWord(**options)


ENTRIES = (
    Entry("deep_speech", deep_speech, (50, 161), 35_696_669, 1_784_217_600, "C5W3-ctc", "Hannun et al. 2014"),
    Entry("trigger_word", trigger_word, (5511, 101), 522_425, 714_708_500, "C5W3-trigger", "the course"),
)
