"""Rows of Transformers and positions."""

import numpy as np

import nn
from tests.layer_rows_sequence import CAUSAL, DEEP, PADDING, PLAIN, and_also
from tests.layer_table import Row, normal

TINY = dict(d_model=2, nhead=1, dim_feedforward=2, bias=False, layer_norm_eps=1.0)
SMALL = dict(d_model=4, nhead=2, dim_feedforward=3)


def block(name, inputs, call=lambda module, *x: module(*x), second=True, modes=("train", "eval"), **options):
    kind = name.split(",")[0]
    options = {**SMALL, "dropout": 0.0, **options}
    return Row(
        name,
        lambda: getattr(nn, kind)(**options),
        lambda torch: getattr(torch.nn, kind)(batch_first=True, **options),
        inputs,
        **PLAIN,
        call=call,
        modes=modes,
        exempt={} if second else DEEP,
    )


def rows_of_blocks():
    x, both = normal((1, 3, 4)), normal((1, 1, 4), (1, 2, 4))
    for kind, inputs in (("TransformerEncoderLayer", x), ("TransformerDecoderLayer", both)):
        yield block(kind, inputs, second="En" in kind)
        yield block(f"{kind}, norm first", inputs, norm_first=True, second="En" in kind)
        yield block(f"{kind}, gelu", inputs, activation="gelu", second="En" in kind)
        yield block(f"{kind}, without biases", inputs, bias=False, layer_norm_eps=1e-3)
        yield block(f"{kind}, dropout at rest", inputs, dropout=0.3, modes=("eval",), second=False)
        yield block(
            f"{kind}, heads", normal(*[(2, 3, 8)] * (1 + ("De" in kind))), second=False, d_model=8, nhead=4
        )
    yield block(
        "TransformerEncoderLayer, masks",
        and_also(normal((2, 3, 4)), CAUSAL, PADDING),
        lambda module, x, mask, padding: module(x, src_mask=mask, src_key_padding_mask=padding),
    )
    yield block(
        "TransformerDecoderLayer, masks",
        and_also(normal((2, 3, 4), (2, 3, 4)), CAUSAL, PADDING, ~CAUSAL.T, PADDING[::-1].copy()),
        lambda module, x, memory, mask, padding, memory_mask, memory_padding: module(
            x, memory, mask, memory_mask, padding, memory_padding
        ),
        second=False,
    )


def stacked(library, kind, norm, num_layers=2, sizes=SMALL, **options):
    """Layers on top of each other, and a normalisation."""
    if library is not nn:
        options["batch_first"] = True
    layer = getattr(library, f"{kind}Layer")(**sizes, dropout=0.0, **options)
    more = {"enable_nested_tensor": False} if library is not nn and "En" in kind else {}
    norm = library.LayerNorm(sizes["d_model"]) if norm else None
    return getattr(library, kind)(layer, num_layers, norm, **more)


def rows_of_transformers():
    for kind, inputs in (("TransformerEncoder", [(2, 3, 4)]), ("TransformerDecoder", [(2, 3, 4)] * 2)):
        for norm in (False, True):
            yield Row(
                f"{kind}, norm" if norm else kind,
                lambda k=kind, norm=norm: stacked(nn, k, norm),
                lambda torch, k=kind, norm=norm: stacked(torch.nn, k, norm),
                and_also(normal(*inputs), CAUSAL),
                **PLAIN,
                call=lambda module, *x: module(*x),
                exempt=DEEP,
            )
    for kind, inputs in (("TransformerEncoder", [(1, 2, 2)]), ("TransformerDecoder", [(1, 2, 2)] * 2)):
        yield Row(
            f"{kind}, tiny",
            lambda k=kind: stacked(nn, k, False, 1, TINY),
            lambda torch, k=kind: stacked(torch.nn, k, False, 1, TINY),
            normal(*inputs),
            **PLAIN,
        )
    tiny = dict(TINY, num_encoder_layers=1, num_decoder_layers=1, dropout=0.0)
    yield Row(
        "Transformer, tiny",
        lambda: nn.Transformer(**tiny),
        None,
        normal((1, 2, 2), (1, 2, 2)),
        **PLAIN,
    )
    yield block(
        "TransformerEncoderLayer, wide",
        normal((2, 40, 64)),
        second=False,
        d_model=64,
        nhead=4,
        dim_feedforward=100,
    )
    yield block(
        "TransformerDecoderLayer, wide",
        normal((2, 40, 64), (2, 30, 64)),
        second=False,
        d_model=64,
        nhead=4,
        dim_feedforward=100,
    )
    yield Row(
        "TransformerEncoder, padding",
        lambda: stacked(nn, "TransformerEncoder", True, norm_first=True),
        lambda torch: stacked(torch.nn, "TransformerEncoder", True, norm_first=True),
        and_also(normal((2, 3, 4)), PADDING),
        **PLAIN,
        call=lambda module, x, padding: module(x, src_key_padding_mask=padding),
        exempt=DEEP,
    )
    small = dict(SMALL, num_encoder_layers=1, num_decoder_layers=2, dropout=0.0)
    yield Row(
        "Transformer",
        lambda: nn.Transformer(**small),
        lambda torch: torch.nn.Transformer(**small, batch_first=True),
        and_also(normal((2, 3, 4), (2, 2, 4)), CAUSAL[:2, :2], PADDING),
        **PLAIN,
        call=lambda module, src, tgt, mask, padding: module(
            src, tgt, tgt_mask=mask, src_key_padding_mask=padding, memory_key_padding_mask=padding
        ),
        exempt=DEEP,
    )


# ---- positions


def sines(layer, x):
    """The paper's formula, number by number."""
    _, T, d = x.shape
    rows = [
        [(np.cos if j % 2 else np.sin)(t / 10000 ** ((j - j % 2) / d)) for j in range(d)] for t in range(T)
    ]
    return x + np.array(rows)


def added(module, x):
    """Ours; or the rows of PyTorch's Embedding, which has the same state."""
    return module(x) if isinstance(module, nn.Module) else x + module.weight[: x.shape[1]]


def rows_of_positions():
    for d in (4, 5):
        yield Row(
            f"PositionalEncoding, {d} features",
            lambda d=d: nn.PositionalEncoding(d, max_len=7),
            None,
            normal((2, 3, d)),
            **PLAIN,
            expect=sines,
        )
    yield Row(
        "LearnedPositionalEncoding",
        lambda: nn.LearnedPositionalEncoding(3, max_len=5),
        lambda torch: torch.nn.Embedding(5, 3),
        normal((2, 4, 3)),
        **PLAIN,
        call=added,
        expect=lambda layer, x: x + layer.weight.numpy()[:4],
    )


ROWS = [*rows_of_blocks(), *rows_of_transformers(), *rows_of_positions()]
