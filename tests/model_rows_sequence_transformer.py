"""The Transformer for translation, BERT, GPT-2."""

import math

import numpy as np

from tests.model_rows import Row
from tests.sequence_twins import numbers


def positions(torch, length, d):
    """Section 3.5 of Vaswani et al."""
    even = torch.arange(0, d, 2, dtype=torch.float64)
    angles = torch.arange(length)[:, None] / 10000 ** (even / d)
    return torch.stack([angles.sin(), angles.cos()], -1).reshape(length, d)


def torch_transformer(
    torch, vocabulary=37_000, d_model=512, heads=8, layers=6, feed_forward=2048, dropout=0.1, norm_first=False
):
    tnn = torch.nn

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            options = (d_model, heads, feed_forward, dropout)
            common = dict(batch_first=True, norm_first=norm_first)
            last = [tnn.LayerNorm(d_model) if norm_first else None for _ in range(2)]
            self.embedding = tnn.Embedding(vocabulary, d_model)
            self.drop = tnn.Dropout(dropout)
            self.positions = tnn.Module()
            self.positions.register_buffer("encoding", positions(torch, 1024, d_model), persistent=False)
            self.encoder = tnn.TransformerEncoder(
                tnn.TransformerEncoderLayer(*options, **common), layers, last[0], enable_nested_tensor=False
            )
            self.decoder = tnn.TransformerDecoder(
                tnn.TransformerDecoderLayer(*options, **common), layers, last[1]
            )

        def embed(self, words):
            x = self.embedding(words) * math.sqrt(d_model)
            return self.drop(x + self.positions.encoding[: words.shape[1]].to(x))

        def forward(self, source, target, source_padding=None, target_padding=None):
            T = target.shape[1]
            future = torch.ones(T, T, dtype=torch.bool, device=target.device).triu(1)
            memory = self.encoder(self.embed(source), src_key_padding_mask=source_padding)
            y = self.decoder(
                self.embed(target),
                memory,
                tgt_mask=future,
                tgt_is_causal=False,
                tgt_key_padding_mask=target_padding,
                memory_key_padding_mask=source_padding,
            )
            return y @ self.embedding.weight.T

    return Net()


def torch_big(torch):
    return torch_transformer(torch, d_model=1024, heads=16, feed_forward=4096, dropout=0.3)


def two_languages(rng, m):
    source, target = rng.integers(11, size=(m, 6)), rng.integers(11, size=(m, 5))
    source_padding, target_padding = np.zeros((m, 6), bool), np.zeros((m, 5), bool)
    source_padding[1, 4:] = target_padding[2, 3:] = True
    return (source, target, source_padding, target_padding), rng.integers(11, size=(m, 5))


def attention(torch, q, k, v, heads, allowed):
    """Each (m, T, d)."""
    m, T, d = q.shape
    q, k, v = (x.view(m, -1, heads, d // heads).transpose(1, 2) for x in (q, k, v))
    scores = q @ k.transpose(-1, -2) / math.sqrt(d // heads)
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(m, T, d)


def tree(torch, **members):
    """A module of modules."""
    module = torch.nn.Module()
    for name, member in members.items():
        module.add_module(name, member)
    return module


def torch_bert(
    torch,
    vocabulary=30_522,
    d_model=768,
    heads=12,
    layers=12,
    feed_forward=3072,
    dropout=0.1,
    max_len=512,
    segments=2,
    pooler=True,
):
    tnn, d = torch.nn, d_model

    def block(n_in):
        return tree(
            torch,
            dense=tnn.Linear(n_in, d),
            LayerNorm=tnn.LayerNorm(d, eps=1e-12),
            dropout=tnn.Dropout(dropout),
        )

    def layer():
        three = tree(torch, query=tnn.Linear(d, d), key=tnn.Linear(d, d), value=tnn.Linear(d, d))
        return tree(
            torch,
            attention=tree(torch, self=three, output=block(d)),
            intermediate=tree(torch, dense=tnn.Linear(d, feed_forward)),
            output=block(feed_forward),
        )

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.embeddings = tree(
                torch,
                word_embeddings=tnn.Embedding(vocabulary, d),
                position_embeddings=tnn.Embedding(max_len, d),
                token_type_embeddings=tnn.Embedding(segments, d),
                LayerNorm=tnn.LayerNorm(d, eps=1e-12),
                dropout=tnn.Dropout(dropout),
            )
            self.encoder = tree(torch, layer=tnn.ModuleList(layer() for _ in range(layers)))
            if pooler:
                self.pooler = tree(torch, dense=tnn.Linear(d, d))

        def forward(self, words, padding=None, of=None):
            e = self.embeddings
            of = torch.zeros_like(words) if of is None else of
            x = e.word_embeddings(words) + e.token_type_embeddings(of)
            x = e.LayerNorm(x + e.position_embeddings.weight[: words.shape[1]])
            allowed = None if padding is None else ~padding[:, None, None, :]
            for layer in self.encoder.layer:
                a = layer.attention
                q, k, v = (getattr(a.self, name)(x) for name in ("query", "key", "value"))
                y = attention(torch, q, k, v, heads, allowed)
                x = a.output.LayerNorm(x + a.output.dense(y))
                y = tnn.functional.gelu(layer.intermediate.dense(x))
                x = layer.output.LayerNorm(x + layer.output.dense(y))
            return (x, torch.tanh(self.pooler.dense(x[:, 0]))) if pooler else x

    return Net()


def torch_bert_large(torch):
    return torch_bert(torch, d_model=1024, heads=16, layers=24, feed_forward=4096)


def torch_masked_lm(torch, vocabulary=30_522, d_model=768, **options):
    tnn, d = torch.nn, d_model

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.bert = torch_bert(torch, vocabulary, d, pooler=False, **options)
            transform = tree(torch, dense=tnn.Linear(d, d), LayerNorm=tnn.LayerNorm(d, eps=1e-12))
            self.cls = tree(torch, predictions=tree(torch, transform=transform))
            self.cls.predictions.bias = tnn.Parameter(torch.zeros(vocabulary))

        def forward(self, words, padding=None, of=None):
            head, table = self.cls.predictions, self.bert.embeddings.word_embeddings.weight
            x = tnn.functional.gelu(head.transform.dense(self.bert(words, padding, of)))
            return head.transform.LayerNorm(x) @ table.T + head.bias

    return Net()


def torch_masked_lm_large(torch):
    return torch_masked_lm(torch, d_model=1024, heads=16, layers=24, feed_forward=4096)


def gaps(rng, m):
    """Word 0 stands for a gap; the words to find are those of the whole text."""
    (words, padding, of), _ = masked_text(rng, m)
    return (np.where(rng.random(words.shape) < 0.3, 0, words), padding, of), words


def masked_text(rng, m):
    words, padding = rng.integers(13, size=(m, 5)), np.zeros((m, 5), bool)
    padding[0, 3:] = True
    of = np.repeat([[0, 0, 0, 1, 1]], m, axis=0)
    vectors = rng.normal(size=(m, 5, 12))
    vectors = (vectors - vectors.mean(-1, keepdims=True)) / vectors.std(-1, keepdims=True)
    return (words, padding, of), (vectors.astype("f4"), rng.uniform(-0.8, 0.8, (m, 12)).astype("f4"))


def squares(outputs, targets):
    return sum(np.mean((y - t) ** 2) for y, t in zip(outputs, targets))


def torch_gpt2(torch, vocabulary=50_257, d_model=768, heads=12, layers=12, max_len=1024, dropout=0.1):
    tnn, d = torch.nn, d_model

    class Conv1D(tnn.Module):
        """An affine map as the published weights have it, (n_in, n_out)."""

        def __init__(self, n_in, n_out):
            super().__init__()
            self.weight = tnn.Parameter(torch.randn(n_in, n_out) / n_in)
            self.bias = tnn.Parameter(torch.zeros(n_out))

        def forward(self, x):
            return x @ self.weight + self.bias

    def layer():
        drop = lambda: tnn.Dropout(dropout)
        attn = tree(torch, c_attn=Conv1D(d, 3 * d), c_proj=Conv1D(d, d), resid_dropout=drop())
        mlp = tree(torch, c_fc=Conv1D(d, 4 * d), c_proj=Conv1D(4 * d, d), dropout=drop())
        return tree(torch, ln_1=tnn.LayerNorm(d), attn=attn, ln_2=tnn.LayerNorm(d), mlp=mlp)

    class Net(tnn.Module):
        def __init__(self):
            super().__init__()
            self.wte, self.wpe = tnn.Embedding(vocabulary, d), tnn.Embedding(max_len, d)
            self.drop = tnn.Dropout(dropout)
            self.h = tnn.ModuleList(layer() for _ in range(layers))
            self.ln_f = tnn.LayerNorm(d)

        def forward(self, tokens):
            T = tokens.shape[1]
            x = self.wte(tokens) + self.wpe.weight[:T]
            past = torch.ones(T, T, dtype=torch.bool, device=x.device).tril()
            for layer in self.h:
                q, k, v = layer.attn.c_attn(layer.ln_1(x)).chunk(3, -1)
                x = x + layer.attn.c_proj(attention(torch, q, k, v, heads, past))
                u = layer.mlp.c_fc(layer.ln_2(x))
                u = 0.5 * u * (1 + torch.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))
                x = x + layer.mlp.c_proj(u)
            return self.ln_f(x) @ self.wte.weight.T

    return Net()


def torch_gpt2_medium(torch):
    return torch_gpt2(torch, d_model=1024, heads=16, layers=24)


SMALL = dict(d_model=12, heads=2, layers=2, dropout=0.0)
NONE = {"multiply_adds": "the paper gives none for a text of this length"}


def row(name, parameters, source, shapes, twin, tiny_twin=None, **more):
    def either(torch, **tiny):
        return (tiny_twin or twin)(torch, **tiny) if tiny else twin(torch)

    return Row(name, parameters, None, source, shapes, twin=either, layout="sequence", exempt=NONE, **more)


ROWS = [
    row(
        "transformer_base",
        63_082_496,
        "sections 3 and 5 of the paper, V = 37,000; its table 3 says 65 million",
        {"encoder": (25, 512), "encoder.layers.5.linear1": (25, 2048), "decoder": (25, 512)},
        torch_transformer,
        tiny=dict(vocabulary=11, feed_forward=20, **SMALL),
        examples=two_languages,
        second=True,
        lr=1e-2,
    ),
    row(
        "transformer_big",
        214_245_376,
        "table 3 of the paper, 213 million",
        {"encoder": (25, 1024), "encoder.layers.5.linear1": (25, 4096), "decoder": (25, 1024)},
        torch_big,
        torch_transformer,
        tiny=dict(vocabulary=11, feed_forward=20, norm_first=True, **SMALL),
        examples=two_languages,
        lr=1e-2,
    ),
    row(
        "bert_base",
        109_482_240,
        "Hugging Face's BertModel of bert-base-uncased; the paper says 110 million",
        {"embeddings": (128, 768), "encoder.layer.11.intermediate": (128, 3072), "pooler": (768,)},
        torch_bert,
        tiny=dict(vocabulary=13, feed_forward=20, max_len=8, **SMALL),
        examples=masked_text,
        cost=squares,
        lr=1e-2,
        steps=400,
    ),
    row(
        "bert_large",
        335_141_888,
        "Hugging Face's BertModel of bert-large-uncased; the paper says 340 million",
        {"embeddings": (128, 1024), "encoder.layer.23.intermediate": (128, 4096), "pooler": (1024,)},
        torch_bert_large,
        torch_bert,
        tiny=dict(vocabulary=13, feed_forward=30, max_len=8, **SMALL),
        examples=masked_text,
        cost=squares,
        lr=1e-2,
        steps=400,
    ),
    row(
        "bert_base_masked_lm",
        109_514_298,
        "Hugging Face's BertForMaskedLM of bert-base-uncased",
        {"bert.encoder": (128, 768), "cls.predictions.transform": (128, 768), "cls": (128, 30_522)},
        torch_masked_lm,
        tiny=dict(vocabulary=13, feed_forward=20, max_len=8, **SMALL),
        examples=gaps,
        second=True,
        lr=1e-2,
    ),
    row(
        "bert_large_masked_lm",
        335_174_458,
        "Hugging Face's BertForMaskedLM of bert-large-uncased",
        {"bert.encoder": (128, 1024), "cls.predictions.transform": (128, 1024), "cls": (128, 30_522)},
        torch_masked_lm_large,
        torch_masked_lm,
        tiny=dict(vocabulary=13, feed_forward=30, max_len=8, **SMALL),
        examples=gaps,
        lr=1e-2,
    ),
    row(
        "gpt2",
        124_439_808,
        "Hugging Face's gpt2",
        {"drop": (64, 768), "h.11.mlp.c_fc": (64, 3072), "ln_f": (64, 768)},
        torch_gpt2,
        tiny=dict(vocabulary=13, max_len=8, **SMALL),
        examples=numbers(13, 7),
        second=True,
        lr=1e-2,
    ),
    row(
        "gpt2_medium",
        354_823_168,
        "Hugging Face's gpt2-medium",
        {"drop": (64, 1024), "h.23.mlp.c_fc": (64, 4096), "ln_f": (64, 1024)},
        torch_gpt2_medium,
        torch_gpt2,
        tiny=dict(vocabulary=13, max_len=8, **SMALL),
        examples=numbers(13, 7),
        lr=1e-2,
    ),
]
