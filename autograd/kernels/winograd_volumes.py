"""Winograd's algorithm along the depth of volumes (Lavin & Gray 2015, of one axis): at stride 1 the filters'
planes meet the input's with half of the products or fewer.

Eight planes d of the input give m planes Y of the output, through filters w of f planes, m + f - 1 = 8:
F(6, 3) and F(4, 5). With constant matrices A, B, G of the points 0, 1, -1, 2, -2, 1/2, -1/2 and infinity

    Y = A^T [ (G w) * (B^T d) ]               dw = G^T [ (B^T d) * (A dY) ]

where `*` convolves, by `volumes`, each of eight planes with the filters' of the same point: 8 products of
planes stand for m f of them. The input's gradient is the forward pass of the output's, with filters turned
around. Other axes stay as they are, so the error does not multiply: it is 2e-6 of the output's root mean
square, five times that of direct sums. Transforms are linear maps of planes, done by the register tile.
"""

import math
from fractions import Fraction

import numpy as np

from . import conv, threads, volumes
from .compiling import kernel
from .loops import loop
from .operands import floats, numbers, run
from .patches import aligned, clear, copy
from .simd import COLUMNS, ROWS, tile_from

POINTS = [Fraction(p) for p in ("0", "1", "-1", "2", "-2", "1/2", "-1/2")]
SIZE = len(POINTS) + 1  # planes of a tile
BLOCK = 16 * COLUMNS  # numbers of a plane at a time: a tile's stay in the first cache
MOST = 1 << 26  # bytes of transformed planes, which pay while caches hold them
RATIO = 48  # products of two planes to transformed numbers, for a pixel, from which the algorithm gains
WORK = 1 << 24  # multiply-adds in all


def _matrices(f):
    """A^T (m, 8), G (8, f) and B^T (8, 8) by Cook and Toom: values at the points, and the leading one."""

    def product(roots):
        coefficients = [Fraction(1)]  # ascending
        for r in roots:
            coefficients = [a - r * b for a, b in zip([0, *coefficients], [*coefficients, 0], strict=True)]
        return coefficients

    m, others = SIZE - f + 1, [[q for q in POINTS if q != p] for p in POINTS]
    output = [[p**i for p in POINTS] + [int(i == m - 1)] for i in range(m)]
    filters = [
        [p**k / math.prod(p - q for q in rest) for k in range(f)]
        for p, rest in zip(POINTS, others, strict=True)
    ]
    inputs = [[*product(rest), 0] for rest in others] + [product(POINTS)]
    filters.append([0] * (f - 1) + [1])
    return [np.array(rows, np.float64).astype(np.float32) for rows in (output, filters, inputs)]


MATRICES = {f: _matrices(f) for f in (3, 5)}


@kernel(forceinline=True)
def _inside(first, step, count, size):
    """Those of `count` planes first, first + step, ... that are planes of a volume: (from, to)."""
    low, high = 0, count
    while low < high and first + low * step < 0:
        low += 1
    while high > low and first + (high - 1) * step >= size:
        high -= 1
    return low, high


@loop
def _combine(chunk, first, last, width, at):
    """Planes of the target are the matrix's combinations of planes of the source (planes, numbers), a tile
    and a block of the numbers at a time. A side's places are: planes of a volume, which plane is the first of
    the first tile, and the steps from volume to volume, tile to tile, plane to plane."""
    matrix, source, target = floats(at, 0)[0, 0], floats(at, 1)[0, 0], floats(at, 2)[0, 0]
    start, number = floats(at, 3)[0, 0, 0], numbers(at)
    size, begin, of_volume, of_tile, step = number[0], number[1], number[2], number[3], number[4]
    to_size, to_begin, to_volume, to_tile, to_step = number[5], number[6], number[7], number[8], number[9]
    tiles, (outputs, inputs), length = number[10], matrix.shape, source.shape[1]
    blocks = (length - 1) // BLOCK + 1
    for item in range(first, last):
        block, t, n = item % blocks, item // blocks % tiles, item // (blocks * tiles)
        plane, to = begin + t * of_tile, to_begin + t * to_tile
        low, high = _inside(plane, step, inputs, size)
        first_row, last_row = _inside(to, to_step, outputs, to_size)
        from_plane = source.ctypes.data + (n * of_volume + plane + low * step) * length * 4
        for v in range(block * BLOCK, min(block * BLOCK + BLOCK, length), COLUMNS):
            some, fresh = min(COLUMNS, length - v), start.ctypes.data + v * 4 if start.size > 0 else 0
            for r in range(first_row, last_row, ROWS):
                out = target.ctypes.data + ((n * to_volume + to + r * to_step) * length + v) * 4
                rows = min(ROWS, last_row - r)
                if low < high:
                    weights = matrix.ctypes.data + (r * inputs + low) * 4
                    tile_from(
                        weights,
                        inputs,
                        1,
                        from_plane + v * 4,
                        step * length,
                        high - low,
                        out,
                        to_step * length,
                        rows,
                        some,
                        fresh,
                        0,
                    )
                    continue
                for i in range(rows):
                    if fresh == 0:
                        clear(out + i * to_step * length * 4, 0, some)
                    else:
                        copy(out + i * to_step * length * 4, fresh, some)


def _transform(matrix, source, target, length, many, tiles, places, to_places, start=None):
    """`_combine` over planes of `length` numbers of so many volumes; start (length,) is added to each."""
    items = many * tiles * -(-length // BLOCK)
    chunks = threads.chunks_of(items, many * tiles * length * matrix.size)
    start = np.empty(0, np.float32) if start is None else start
    arrays = np.ascontiguousarray(matrix), source.reshape(-1, length), target.reshape(-1, length), start
    run(_combine, chunks, items, arrays, (*places, *to_places, tiles))


def _tiles(x, matrix, before, step, tiles):
    """The matrix's combinations of the planes of each tile of x (N, D, H, W, C): (8 N, tiles, H, W, C). Tile
    t begins with plane t * step - before."""
    many, depth, length = len(x), x.shape[1], math.prod(x.shape[2:])
    V = aligned(SIZE * many, tiles, *x.shape[2:])
    to = SIZE * many * tiles, 0, tiles, 1, many * tiles
    _transform(matrix, x, V, length, many, tiles, (depth, -before, depth, step, 1), to)
    return V


def _filters(matrix, w):
    """The matrix (n, k) times the planes of w (k, fh, fw, C, K)."""
    U = aligned(len(matrix), *w.shape[1:])
    _transform(matrix, w, U, w[0].size, 1, 1, (len(w), 0, 0, 0, 1), (len(U), 0, 0, 0, 1))
    return U


def _convolve(x, U, order, w_steps, bias, y, before, rows, columns, f):
    """Fills y from x by the transformed filters: `order` and `w_steps` as for `volumes.contract`, rows and
    columns the places of the taps."""
    output, _, inputs = MATRICES[f]
    many, m, (depth, *size, count) = len(x), len(output), y.shape[1:]
    tiles = -(-depth // m)
    V, Y = _tiles(x, inputs, before, m, tiles), aligned(SIZE * many, tiles, *size, count)
    ones, steps = (1, 1, 1), (w_steps[0], U[0].size, *w_steps[1:])
    taps, grid = ([0], rows, columns), (tiles, *size)
    volumes.contract(V, U, order, steps, 1, count, None, Y, taps, ones, grid, (0, 0, 0), ones, SIZE)
    start = None if bias is None else np.tile(bias, math.prod(size))
    places = SIZE * many * tiles, 0, tiles, 1, many * tiles
    _transform(output, Y, y, math.prod(y.shape[2:]), many, tiles, places, (depth, 0, depth, m, 1), start)
    return y


def suits(shape, depth, w_shape, stride, padding, dilation, groups):
    """Whether to convolve volumes of this shape to so many planes here, of what `volumes` suits: where tiles
    fill, and products outweigh the transforms and another three launches."""
    (f, fh, fw), (each, filters) = w_shape[:3], w_shape[3:]
    if not conv.WINOGRAD or f not in MATRICES or {*stride, *dilation, groups} != {1} or padding[0][0] >= f:
        return False
    products, plane = SIZE * -(-depth // (SIZE + 1 - f)), shape[0] * shape[2] * shape[3]
    sums, transformed = fh * fw * each * filters, each + filters
    return (
        products <= 0.7 * depth * f
        and sums >= RATIO * transformed
        and plane * depth * f * sums >= WORK
        and plane * products * transformed * 4 <= MOST
    )


def forward(x, w, b, size, stride, padding, dilation, groups):
    """As `volumes.forward`."""
    f, *kernel, each, filters = w.shape
    rows, columns = ([a - p[0] for a in range(n)] for n, p in zip(kernel, padding[1:], strict=True))
    y, order, steps = aligned(len(x), *size, filters), range(math.prod(kernel)), (each * filters, filters, 1)
    U = _filters(MATRICES[f][1], w)
    return _convolve(x, U, order, steps, b, y, padding[0][0], rows, columns, f)


def input_grad(g, w, size, stride, padding, dilation, groups, b=None):
    """As `volumes.input_grad`: the forward pass with filters turned around."""
    f, *kernel, each, filters = w.shape
    rows, columns = ([p[0] - a for a in reversed(range(n))] for n, p in zip(kernel, padding[1:], strict=True))
    dx, order = aligned(len(g), *size, each), range(math.prod(kernel))[::-1]
    U, steps = _filters(MATRICES[f][1][:, ::-1], w), (each * filters, 1, filters)
    return _convolve(g, U, order, steps, b, dx, f - 1 - padding[0][0], rows, columns, f)


def weight_grad(x, g, kernel_size, stride, padding, dilation, groups):
    """As `volumes.weight_grad`: the adjoints of the steps of the forward pass."""
    output, filters, inputs = MATRICES[kernel_size[0]]
    m, wide = len(output), padding[2][0]
    tiles = -(-g.shape[1] // m)
    x, _ = volumes.padded(x, [c - wide for c in range(kernel_size[2])], 1, g.shape[3])
    V, dY = _tiles(x, inputs, padding[0][0], m, tiles), _tiles(g, output.T, 0, m, tiles)
    kernel, pads = (1, *kernel_size[1:]), ((0, 0), padding[1], (min(wide, 0), 0))
    dU = volumes.weight_grad(V, dY, kernel, (1, 1, 1), pads, (1, 1, 1), 1, SIZE)
    return _filters(filters.T, dU.reshape(SIZE, *dU.shape[2:]))
