"""The twins (see torch_twins.py) of shapes, joining and indices."""

import functools

import numpy as np

from .torch_twins import Twin, along, call, complexes, some

# ---- shapes


def shapes(name, torch, *edges, **fields):
    return Twin(name, torch, tuple(edges), **fields)


def each(*sources, **named):
    return [call(a, **named) for a in sources]


ANY = [(), (0,), (3,), (2, 3), (0, 3), (2, 3, 4)]
ANY_ARRAY = [call(some(*s)) for s in ANY] + [call(complexes(2, 3))]
MATRICES = [call(some(*s)) for s in [(2, 3), (3, 2), (0, 3), (2, 3, 4)]] + [call(complexes(3, 2))]


def joined(f, arrays, dim=0):
    return f(arrays, axis=dim)


def one_list(f, *arrays):
    return f(*(arrays[0] if len(arrays) == 1 and isinstance(arrays[0], (list, tuple)) else arrays))


def lists(*more):
    return [
        call([some(3), some(3)]),
        call([some(2, 3), some(2, 3), complexes(2, 3)]),
        call([some(0, 3), some(0, 3)]),
        *more,
    ]


def padded(f, x, pad, mode="constant", value=0.0):
    """PyTorch's pairs stand from the last axis on, and leave out the first axes."""
    pairs = [tuple(pad[k : k + 2]) for k in range(0, len(pad), 2)][::-1]
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs
    mode = {"replicate": "edge", "circular": "wrap"}.get(mode, mode)
    return f(x, widths, mode, **({"constant_values": value or 0.0} if mode == "constant" else {}))


def powers(torch, x, N=None, increasing=False):
    y = x[:, None] ** torch.arange(len(x) if N is None else N)
    return y if increasing else y.flip(-1)


def cut(f, x, sizes, dim=0):
    """PyTorch's takes the sizes of the parts, NumPy's where they end."""
    ends = np.arange(sizes, x.shape[dim], sizes) if np.ndim(sizes) == 0 else np.cumsum(sizes)[:-1]
    return f(x, ends, dim)


def sections(f, x, indices_or_sections, dim=0):
    return f(x, indices_or_sections, dim)


ENDS = [call(some(5, 4, 2), k, dim=d) for k in (1, 2, [1, 3], [0, -1], []) for d in (0, 1, -1)]
SHAPES = [
    shapes("np.atleast_1d", "atleast_1d", *ANY_ARRAY, call([some(), some(2)]), ours=one_list),
    shapes("np.atleast_2d", "atleast_2d", *ANY_ARRAY, call([some(), some(2)]), ours=one_list),
    shapes("np.atleast_3d", "atleast_3d", *ANY_ARRAY, call([some(), some(2, 3)]), ours=one_list),
    shapes(
        "np.broadcast_arrays",
        "broadcast_tensors",
        call(some(2, 1), some(3)),
        call(some(), some(0, 3)),
        call(complexes(1), some(2)),
    ),
    shapes(
        "np.broadcast_to",
        "broadcast_to",
        call(some(3), (2, 3)),
        call(some(), (2,)),
        call(some(1, 3), (0, 3)),
        call(complexes(2, 1), (2, 2)),
    ),
    shapes("np.column_stack", "column_stack", *lists(call([some(2), some(2, 3)]), call([some(), some()]))),
    shapes("np.concatenate", "cat", *lists(call([some(2, 1), some(2, 3)], -1)), ours=joined),
    shapes(
        "np.append",
        "cat",
        *lists(call([some(2, 1), some(2, 3)], -1)),
        ours=lambda f, arrays, dim=0: functools.reduce(lambda a, b: f(a, b, dim), arrays),
    ),
    shapes(
        "np.stack", "stack", *lists(call([some(), some()]), call([some(2, 3), some(2, 3)], -2)), ours=joined
    ),
    shapes("np.dstack", "dstack", *lists(call([some(), some()]))),
    shapes("np.hstack", "hstack", *lists(call([some(), some()]), call([some(2, 1), some(2, 3)]))),
    shapes("np.vstack", "vstack", *lists(call([some(), some()]), call([some(1, 2), some(2)]))),
    shapes("np.diag", "diag", *(call(some(*s), k) for s in [(3,), (0,), (3, 4)] for k in (-1, 0, 2))),
    shapes("np.diagflat", "diagflat", *(call(some(*s), k) for s in [(), (0,), (2, 2)] for k in (-1, 0, 2))),
    shapes(
        "np.diagonal",
        "diagonal",
        *(call(some(3, 4, 2), k, *axes) for k in (-1, 0, 5) for axes in [(), (1, 2), (-1, 0)]),
        call(some(0, 3)),
        call(complexes(2, 3)),
    ),
    shapes(
        "np.linalg.diagonal",
        "linalg.diagonal",
        *(call(some(*s), offset=k) for s in [(3, 4), (2, 3, 3), (0, 2, 2)] for k in (-1, 0, 1)),
        call(complexes(2, 2)),
    ),
    shapes(
        "np.split",
        "split",
        *(call(some(5, 4, 2), *k) for k in [(2,), ([2, 0, 3],), ([1, 3], 1), (1, -1)]),
        call(some(0, 2), 1, 1),
        call(complexes(2), 1),
        ours=cut,
    ),
    shapes("np.array_split", "tensor_split", *ENDS, call(some(7), 3), call(some(0), 2), ours=sections),
    shapes(
        "np.dsplit",
        "dsplit",
        call(some(2, 3, 4), 2),
        call(some(2, 0, 4), [1, 3]),
        call(complexes(1, 1, 2), 2),
    ),
    shapes("np.hsplit", "hsplit", call(some(2, 4), 2), call(some(4), [1, 3]), call(some(0, 4), 2)),
    shapes("np.vsplit", "vsplit", call(some(4, 2), 2), call(some(4, 0), [1, 3]), call(complexes(2, 2), 2)),
    shapes(
        "np.unstack",
        "unbind",
        *(call(some(3, 4, 2), k) for k in (0, 1, -1)),
        call(some(2, 0)),
        call(complexes(2)),
        ours=lambda f, x, dim=0: f(x, axis=dim),
    ),
    shapes(
        "np.expand_dims", "unsqueeze", *(call(some(*s), k) for s in ANY for k in (0, -1)), call(some(2, 3), 1)
    ),
    shapes(
        "np.squeeze",
        "squeeze",
        *(call(some(1, 2, 1), *k) for k in [(), (0,), (-1,), ((0, 2),)]),
        call(some()),
        call(some(1, 0)),
        ours=lambda f, x, dim=None: f(
            x, dim if dim is None else tuple(k for k in np.atleast_1d(dim) if x.shape[k] == 1)
        ),
    ),
    along(
        "np.flip",
        "flip",
        dims=([0], [1], [-1], [0, -1]),
        word="dims",
        zero_d=False,
        ours=lambda f, x, dims: f(x, tuple(dims)),
    ),
    shapes("np.fliplr", "fliplr", *MATRICES),
    shapes("np.flipud", "flipud", *MATRICES, call(some(3))),
    shapes(
        "np.meshgrid",
        "meshgrid",
        *(call(some(2), some(3), indexing=i) for i in ("ij", "xy")),
        call(some(0), some(3), indexing="xy"),
        call(some(), some(2), indexing="ij"),
    ),
    shapes(
        "np.moveaxis",
        "moveaxis",
        call(some(2, 3, 4), 0, -1),
        call(some(2, 3, 4), (0, -1), (1, 0)),
        call(some(0, 2), -1, 0),
        call(complexes(1, 2), 1, 0),
    ),
    shapes(
        "np.permute_dims",
        "permute",
        call(some(2, 3, 4), (2, 0, 1)),
        call(some(2, 3, 4), (-1, 0, -2)),
        call(some(0, 3), (1, 0)),
        call(some(), ()),
    ),
    shapes(
        "np.transpose",
        "permute",
        call(some(2, 3, 4), (2, 0, 1)),
        call(some(2, 3, 4), (-1, 0, -2)),
        call(some(0, 3), (1, 0)),
        call(some(), ()),
    ),
    shapes(
        "np.swapaxes",
        "swapaxes",
        call(some(2, 3, 4), 0, 2),
        call(some(2, 3, 4), -1, 1),
        call(some(0, 3), 0, -1),
        call(complexes(1, 2), 1, 0),
    ),
    shapes(
        "np.matrix_transpose",
        "transpose",
        *(call(some(*s), -2, -1) for s in [(2, 3), (0, 3), (2, 3, 4)]),
        call(complexes(2, 3), -2, -1),
        ours=lambda f, x, *dims: f(x),
    ),
    shapes(
        "np.linalg.matrix_transpose",
        "transpose",
        *(call(some(*s), -2, -1) for s in [(2, 3), (0, 3), (2, 3, 4)]),
        call(complexes(2, 3), -2, -1),
        ours=lambda f, x, *dims: f(x),
    ),
    shapes("np.ravel", "ravel", *ANY_ARRAY),
    shapes(
        "np.reshape",
        "reshape",
        call(some(2, 3), (3, -1)),
        call(some(), (1, 1)),
        call(some(0, 3), (3, 0)),
        call(some(1), ()),
        call(complexes(2, 2), (-1,)),
    ),
    shapes(
        "np.repeat",
        "repeat_interleave",
        call(some(2, 3), 2),
        call(some(2, 3), 3, dim=-1),
        call(some(2, 3), np.array([0, 2]), dim=-2),
        call(some(0, 3), 2, dim=1),
        call(complexes(2), 2),
        call(some(), 3),
        ours=lambda f, x, repeats=None, dim=None, output_size=None: (
            f(x, repeats, dim) if repeats is not None else f(np.arange(len(x)), x)
        ),
        leaves=(0,),
        whole=False,
    ),
    shapes(
        "np.tile",
        "tile",
        call(some(2, 3), (2,)),
        call(some(2, 3), (2, 1, 3)),
        call(some(), (2,)),
        call(some(0, 3), (2, 2)),
        call(some(2), (0,)),
        call(complexes(2), (2, 1)),
    ),
    shapes(
        "np.roll",
        "roll",
        call(some(3, 4), -2),
        call(some(3, 4), (1, -5), (0, -1)),
        call(some(3, 4), 7, -2),
        call(some(0, 3), 1, 1),
        call(complexes(3), 1),
        ours=lambda f, x, shifts, dims=None: f(x, shifts, dims),
    ),
    shapes(
        "np.rot90",
        "rot90",
        *(call(some(2, 3, 4), k, axes) for k in (-3, -1, 0, 1, 2, 5) for axes in [(0, 1), (-1, 0)]),
        call(some(0, 3)),
        call(complexes(2, 3)),
    ),
    shapes(
        "np.tril",
        "tril",
        *(call(some(*s), k) for s in [(3, 4), (2, 3, 3), (0, 3)] for k in (-1, 0, 2)),
        call(complexes(2, 2)),
        ours=lambda f, x, diagonal=0: f(x, diagonal),
    ),
    shapes(
        "np.triu",
        "triu",
        *(call(some(*s), k) for s in [(3, 4), (2, 3, 3), (0, 3)] for k in (-1, 0, 2)),
        call(complexes(2, 2)),
        ours=lambda f, x, diagonal=0: f(x, diagonal),
    ),
    shapes(
        "np.vander",
        "vander",
        call(some(3)),
        call(some(3), 2),
        call(some(3), 5, True),
        call(some(3), 0),
        call(some(0)),
        call(complexes(2), 3),
        instead=powers,
    ),
    shapes(
        "np.pad",
        "nn.functional.pad",
        call(some(3), (1, 2)),
        call(some(2, 3), (1, 0, 0, 2), value=2.5),
        call(some(0, 3), (1, 1)),
        call(complexes(2), (0, 1)),
        *(call(some(2, 4, 5), (2, 3), mode) for mode in ("reflect", "replicate", "circular")),
        ours=padded,
    ),
]

# ---- by indices

INDICES = [
    shapes(
        "np.take",
        "take",
        call(some(2, 3), np.array([0, 5, -1])),
        call(some(2, 3), np.array([[1, 1], [1, 4]])),
        call(some(3), np.array(1)),
        call(some(3), np.zeros(0, int)),
        call(complexes(2, 2), np.array([3, 3])),
        leaves=(0,),
    ),
    shapes(
        "np.take_along_axis",
        "take_along_dim",
        call(some(2, 3), np.array([[0, -1, 1, 1]] * 2), 1),
        call(some(2, 3), np.array([[0, 1, 1]]), -2),
        call(some(2, 3), np.array([5, 5])),
        call(some(0, 3), np.zeros((0, 1), int), 1),
        call(complexes(2, 2), np.array([[1, 0]]), 0),
        ours=lambda f, x, indices, dim=None: f(
            x, indices if dim is not None else np.ravel(indices), axis=dim
        ),
        leaves=(0,),
    ),
    shapes(
        "np.extract",
        "masked_select",
        *(call(a, a > 0) for a in (some(2, 3), some(3), some(0))),
        call(complexes(3), np.array([True, False, True])),
        ours=lambda f, x, mask: f(mask, x),
    ),
    shapes(
        "np.compress",
        "masked_select",
        *(call(a, a > 0) for a in (some(2, 3), some(3), some(0))),
        call(complexes(3), np.array([True, False, True])),
        ours=lambda f, x, mask: f(np.ravel(mask), x),
    ),
]


TWINS = [*SHAPES, *INDICES]
